//! Pushes from others: told to the user, accepted automatically or by hand, fetched or declined.

use std::collections::BTreeMap;

use super::Transfers;
use crate::core::session::AcceptFrom;
use crate::core::session::asks::Origin;
use crate::core::session::context::Context;
use crate::core::session::pending::{Pending, RequestId};
use crate::core::time::Time;
use crate::protocol::limits::PUSHES_TO_ONE;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_file, check_person};
use crate::protocol::types::Stage;
use crate::protocol::wire::{Ask, NotTaken};
use crate::protocol::{Direction, ErrorCode, Failure, Request, Transfer, event, request};

/// The hub counts from 1.
const NO_PUSH: u64 = 0;

/// Pushes that we may accept, or are fetching.
#[derive(Default)]
pub(super) struct IncomingPushes {
    /// By their numbers here.
    offered: BTreeMap<u64, Offered>,
}

/// A push of somebody else.
struct Offered {
    /// Its number at the hub.
    push: u64,
    told: event::PushOffered,
    /// Whether its sender has taken it back while we fetch it. The user is told if the transfer fails.
    gone: bool,
}

impl IncomingPushes {
    /// The hub was restarted, or we have left: none of them can be accepted any more.
    pub(super) fn forget(&mut self) {
        self.offered.clear();
    }

    /// The push with this number.
    pub(super) fn get(&self, number: u64) -> Option<&event::PushOffered> {
        self.offered.get(&number).map(|offered| &offered.told)
    }

    /// The hub's number of the push with this number of ours. A number that we do not know is taken for the hub's.
    pub(super) fn at_hub(&self, number: u64) -> u64 {
        self.offered.get(&number).map_or(number, |offered| offered.push)
    }

    /// Takes out a push. Returns the hub's number of it.
    pub(super) fn take(&mut self, number: u64) -> Option<u64> {
        self.offered.remove(&number).map(|offered| offered.push)
    }

    /// Our number of the push with this number of the hub's.
    fn told_as(&self, push: u64) -> Option<u64> {
        self.offered.iter().find(|(_, offered)| offered.push == push).map(|(number, _)| *number)
    }
}

impl Transfers {
    /// Somebody pushes a file to us: tells the user, and accepts it if that was configured.
    pub(in crate::core::session) fn push_offered(
        &mut self,
        now: Time,
        cx: &mut Context,
        mut offered: event::PushOffered,
    ) {
        if let Err(failure) = check_file(&offered.file).and_then(|()| check_person(&offered.from)) {
            return cx.tell(now, event::Error::from(failure));
        }
        let (at_hub, known) = (offered.push, self.incoming.told_as(offered.push));
        if self.incoming.offered.len() >= PUSHES_TO_ONE && known.is_none() {
            return;
        }
        offered.push = known.unwrap_or_else(|| self.numbers.take_over(at_hub));
        self.incoming.offered.insert(offered.push, Offered { push: at_hub, told: offered.clone(), gone: false });
        let welcome = match &cx.config.downloads.accept_from {
            AcceptFrom::Nobody => false,
            AcceptFrom::Names(names) => names.iter().any(|name| NameKey::of(name) == NameKey::of(&offered.from)),
            AcceptFrom::All => true,
        };
        // A hidden file can do much in a home folder, so it is only accepted by hand.
        let accepted = welcome && !offered.file.starts_with('.');
        let push = offered.push;
        cx.tell(now, offered);
        if accepted {
            let request = request::Accept { push, to: None, on_conflict: None };
            let pending =
                Pending { said_to_wait: true, ..Pending::new(RequestId::default(), request.clone().into(), 0) };
            let asked = request::Accept { push: at_hub, ..request };
            cx.ask(now, asked.into(), Origin::User(Box::new(pending)));
        }
    }

    pub(in crate::core::session) fn push_gone(&mut self, now: Time, cx: &mut Context, gone: event::PushGone) {
        let Some(push) = self.incoming.told_as(gone.push) else { return };
        // A sender also takes a push back when it has arrived: a transfer that is under way ends by itself.
        if self.running.contains_key(&push) {
            if let Some(offered) = self.incoming.offered.get_mut(&push) {
                offered.gone = true;
            }
            return;
        }
        self.incoming.offered.remove(&push);
        cx.tell(now, event::PushGone { push, ..gone });
    }

    /// A transfer has failed: if its push was taken back meanwhile, the user is told now.
    pub(in crate::core::session) fn gone_meanwhile(&mut self, now: Time, cx: &mut Context, number: u64) {
        let gone =
            self.incoming.offered.get(&number).filter(|offered| offered.gone).map(|offered| offered.told.clone());
        if let Some(event::PushOffered { from, file, .. }) = gone {
            self.incoming.offered.remove(&number);
            cx.tell(now, event::PushGone { push: number, from, file });
        }
    }

    /// Forgets a push, unless it is being fetched.
    pub(in crate::core::session) fn forget_push(&mut self, number: u64) {
        if !self.running.contains_key(&number) {
            self.incoming.offered.remove(&number);
        }
    }

    /// The hub's number of the push with this number of ours.
    pub(in crate::core::session) fn push_at_hub(&self, number: u64) -> u64 {
        self.incoming.at_hub(number)
    }

    /// Refuses an `accept` or `decline` of something that is no push, or is no push any more.
    pub(in crate::core::session) fn check_answer(&self, number: u64) -> Result<(), Failure> {
        let failure = match (self.incoming.offered.contains_key(&number), self.running.contains_key(&number)) {
            (true, true) => Failure::new(ErrorCode::NoSuchPush, "It is being fetched already.")
                .hint(format!("`cancel {number}` stops it.")),
            (true, false) => return Ok(()),
            (false, _) if self.numbers.is_free(number) => return Ok(()),
            (false, _) => ErrorCode::NoSuchPush.into(),
        };
        Err(failure.at(pointer_at("/push")))
    }

    /// The pushes of others that we do not fetch yet.
    pub(super) fn offered_to_us(&self) -> impl Iterator<Item = Transfer> {
        let waiting = self.incoming.offered.iter().filter(|(number, _)| !self.running.contains_key(number));
        waiting.map(|(number, offered)| Transfer {
            transfer: *number,
            direction: Direction::Down,
            file: offered.told.file.clone(),
            peer: offered.told.from.clone(),
            bytes: 0,
            size: offered.told.size,
            state: Stage::Waiting,
            route: None,
        })
    }
}

/// The hub was restarted, and may soon use the same numbers for other pushes: open requests about its pushes are made
/// to be about none, so that they are refused in their turn.
pub(in crate::core::session) fn void_push_answers(cx: &mut Context) {
    let void = |request: &mut Request| {
        if let Request::Accept(request::Accept { push, .. }) | Request::Decline(request::Decline { push }) = request {
            *push = NO_PUSH;
        }
    };
    for (ask, origin) in cx.uplink.asks_mut().iter_mut() {
        if let Ask::Request(line) = ask {
            void(&mut line.request);
        }
        // Its refusal must not be taken for that of a new push.
        if let Origin::User(pending) = origin {
            void(&mut pending.request);
        }
    }
}

/// Tells the hub that we could not fetch a push that we had accepted, by the hub's number. It can be accepted again.
pub(super) fn not_taken(now: Time, cx: &mut Context, push: u64) {
    cx.send_if_in(now, Ask::NotTaken(NotTaken { not_taken: push }));
}
