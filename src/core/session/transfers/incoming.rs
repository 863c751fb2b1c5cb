//! Files that others want to give us: told of, accepted by themselves or by hand, and over.

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

/// The files that we may take.
#[derive(Default)]
pub(super) struct IncomingPushes {
    /// By their numbers here.
    offered: BTreeMap<u64, Offered>,
}

/// A file that somebody wants to give us.
struct Offered {
    /// Its number at the hub.
    push: u64,
    told: event::PushOffered,
    /// It cannot be accepted any more; that is told if what is under way of it fails.
    gone: bool,
}

impl IncomingPushes {
    /// What we were to take is not known to a hub that has forgotten everything; or we have left.
    pub(super) fn forget(&mut self) {
        self.offered.clear();
    }

    /// What was offered under this number.
    pub(super) fn get(&self, number: u64) -> Option<&event::PushOffered> {
        self.offered.get(&number).map(|offered| &offered.told)
    }

    /// The hub's number of what is offered to us under this one. Who has not been told of it has it from the hub.
    pub(super) fn at_hub(&self, number: u64) -> u64 {
        self.offered.get(&number).map_or(number, |offered| offered.push)
    }

    /// What was offered to us under this number is not wanted; gives the hub's number.
    pub(super) fn take(&mut self, number: u64) -> Option<u64> {
        self.offered.remove(&number).map(|offered| offered.push)
    }

    /// The number under which we were told of the hub's.
    fn told_as(&self, push: u64) -> Option<u64> {
        self.offered.iter().find(|(_, offered)| offered.push == push).map(|(number, _)| *number)
    }
}

impl Transfers {
    /// Somebody wants to give us a file. Whether that is accepted by itself was decided when we were started.
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
        let welcome = match &cx.config.accept_from {
            AcceptFrom::Nobody => false,
            AcceptFrom::Names(names) => names.iter().any(|name| NameKey::of(name) == NameKey::of(&offered.from)),
            AcceptFrom::All => true,
        };
        // A hidden file can do much in a home folder: it is taken by hand alone.
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
        // Whoever gives it takes it back when it has arrived: what we have accepted and fetch ends by itself.
        if self.running.contains_key(&push) {
            if let Some(offered) = self.incoming.offered.get_mut(&push) {
                offered.gone = true;
            }
            return;
        }
        self.incoming.offered.remove(&push);
        cx.tell(now, event::PushGone { push, ..gone });
    }

    /// What we have accepted could not be fetched, and nobody gives it any more.
    pub(in crate::core::session) fn gone_meanwhile(&mut self, now: Time, cx: &mut Context, number: u64) {
        let gone =
            self.incoming.offered.get(&number).filter(|offered| offered.gone).map(|offered| offered.told.clone());
        if let Some(event::PushOffered { from, file, .. }) = gone {
            self.incoming.offered.remove(&number);
            cx.tell(now, event::PushGone { push: number, from, file });
        }
    }

    /// The push of this number is over, unless it is being fetched.
    pub(in crate::core::session) fn forget_push(&mut self, number: u64) {
        if !self.running.contains_key(&number) {
            self.incoming.offered.remove(&number);
        }
    }

    /// The hub's number of what is offered to us under this one.
    pub(in crate::core::session) fn push_at_hub(&self, number: u64) -> u64 {
        self.incoming.at_hub(number)
    }

    /// Refuses an answer to a push that cannot be one: a number that was never that of a push, or is not any more.
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

    /// What others want to give us, and is not under way.
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
        })
    }
}

/// The numbers of a hub that has forgotten everything may be those of other pushes soon. What was asked about one
/// of its pushes is asked about none, and refused in its turn.
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
        // Its refusal is about none of the pushes that the new hub has told of.
        if let Origin::User(pending) = origin {
            void(&mut pending.request);
        }
    }
}

/// What we have accepted, by the hub's number, could not be fetched: it can be accepted again, perhaps under another name.
pub(super) fn not_taken(now: Time, cx: &mut Context, push: u64) {
    cx.send_if_in(now, Ask::NotTaken(NotTaken { not_taken: push }));
}
