//! What has begun is given up: each request gets its last event.

use serde_json::Value;

use super::publishing::Publishing;
use super::requests::{Mark, Pending, Waiting};
use super::{Failure, Origin, Session};
use crate::core::time::Time;
use crate::protocol::human::quoted;
use crate::protocol::{ErrorCode, Request, RequestLine, event};

/// How much of what a request was about is shown, in characters.
const SHOWN: usize = 60;

impl Pending {
    /// A failure as it is told of this request: what a `get` has fetched stays.
    pub(super) fn failed(&self, failure: Failure) -> Failure {
        match (failure.code, &failure.hint) {
            (ErrorCode::Interrupted, None) if self.starts_a_transfer() => {
                let failure = match &self.request {
                    // Which one, if several were under way.
                    Request::Get(get) if failure == ErrorCode::Interrupted.into() => {
                        Failure::new(ErrorCode::Interrupted, format!("{} was broken off.", get.file))
                    }
                    _ => failure,
                };
                failure.hint("`get` again goes on from what is there.")
            }
            _ => failure,
        }
    }

    /// A failure as it is told where requests are given up together: it says which one it was.
    pub(super) fn given_up(&self, failure: Failure) -> Failure {
        // This one says so already.
        if failure.code == ErrorCode::NotTaken {
            return self.failed(failure);
        }
        let message = format!("`{}`: {}", in_short(&self.request), failure.message);
        self.failed(Failure { message: message.into(), ..failure })
    }
}

/// A request, and what it is about. What somebody says, and passwords, are not shown.
fn in_short(request: &Request) -> String {
    let fields = serde_json::to_value(RequestLine { id: None, request: request.clone() }).unwrap_or_default();
    let mut about = ["file", "files", "dir", "to", "room", "name", "push", "transfer", "command"].iter();
    let about = about.find_map(|field| match fields.get(*field)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(several) => several.first().and_then(Value::as_str).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    });
    let about = about.map(|about| about.chars().take(SHOWN).collect::<String>());
    about.map_or_else(|| request.name().to_owned(), |about| format!("{} {}", request.name(), quoted(&about)))
}

impl Session {
    /// Every request that is not final fails, and every transfer. Says whether there was a request.
    pub(super) fn abandon(&mut self, now: Time, failure: &Failure) -> bool {
        let fetched = self.abandon_transfers(now, failure);
        self.abandon_requests(now, failure) > 0 || fetched
    }

    /// Every request that is not final fails, but for transfers that are under way. Says how many those were.
    pub(super) fn abandon_requests(&mut self, now: Time, failure: &Failure) -> u64 {
        let asks: Vec<Pending> = std::mem::take(&mut self.asks)
            .into_iter()
            .filter_map(|(id, (ask, origin))| match origin {
                Origin::User(pending) => Some(*pending),
                Origin::Page(so_far) => Some(so_far.pending),
                Origin::Offer(publishing) => Some(publishing.into_pending()),
                Origin::Goodbye => {
                    self.asks.insert(id, (ask, Origin::Goodbye));
                    None
                }
                Origin::Enter | Origin::Return | Origin::OfferAgain => None,
                Origin::Change | Origin::Push(_) | Origin::Forgotten => None,
            })
            .collect();
        let local = self.local.take().map(|(_, pending)| pending);
        let private = self.privates.abandon();
        let keeping = std::mem::take(&mut self.keeping).into_iter().map(Publishing::into_pending);
        let giving = self.pushes.abandon();
        let waiting = self.waiting.take_all();
        let begun = asks.into_iter().chain(local).chain(private).chain(keeping);
        let begun = begun.map(|pending| (pending, failure.clone())).chain(giving);
        let mut given_up = 0;
        let mut give_up = |session: &mut Self, pending: Pending, failure: Failure| {
            given_up += 1;
            session.waits.give_up(&pending.request);
            let failure = pending.given_up(failure);
            session.finish(now, pending.id, event::Error::from(failure));
        };
        for (pending, failure) in begun {
            give_up(self, pending, failure);
        }
        for waiting in waiting {
            match waiting {
                Waiting::Request(pending) => give_up(self, pending, failure.clone()),
                Waiting::Bad(id, failure) => self.finish(now, id, event::Error::from(failure)),
                Waiting::EndOfInput => {}
            }
        }
        given_up
    }

    /// Whether the user has asked to leave: nothing new begins.
    pub(super) fn is_quitting(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.asked_for) || self.waiting.iter().any(Waiting::is_quit)
    }

    /// Takes a request that was written after a `quit`: what is under way can still be seen and stopped, all else is
    /// refused.
    pub(super) fn enqueue_after_quit(&mut self, pending: Pending) {
        let waiting = match pending.request {
            Request::Cancel(_) | Request::Transfers(_) if self.leaving.is_none() => Waiting::Request(pending),
            _ => {
                let failure = Failure::new(ErrorCode::Interrupted, "You are leaving: `quit` was asked before it.");
                Waiting::Bad(pending.id, failure.hint("Ask before `quit`, or join again."))
            }
        };
        self.waiting.push(waiting);
    }

    /// What is refused behind a `quit` that waits does not wait with it.
    pub(super) fn next_after_quit(&self) -> Option<usize> {
        let last = |waiting: &Waiting| {
            matches!(waiting, Waiting::Request(Pending { request: Request::Wait(_) | Request::Quit(_), .. }))
        };
        let at = self.waiting.iter().position(|waiting| !last(waiting))?;
        let refused = self.waiting.iter().nth(at).filter(|waiting| matches!(waiting, Waiting::Bad(..)))?;
        let quit = self.waiting.iter().take(at).any(Waiting::is_quit);
        (quit && self.may_start(refused)).then_some(at)
    }

    /// The user wants to end without waiting for anything.
    pub(super) fn interrupt(&mut self, now: Time, code: u8) {
        let failure = Failure::new(ErrorCode::Interrupted, "It was broken off.");
        self.break_off(now, "interrupted", &failure, code, Mark::default(), false);
    }

    pub(super) fn quit_now(&mut self, now: Time, id: Mark) {
        let failure = Failure::new(ErrorCode::Interrupted, "It was broken off.");
        self.break_off(now, "quit", &failure, 0, id, true);
    }

    pub(super) fn break_off(
        &mut self,
        now: Time,
        reason: &str,
        failure: &Failure,
        code: u8,
        id: Mark,
        asked_for: bool,
    ) {
        if let Some(quit) = self.leaving.take().filter(|leaving| leaving.asked_for) {
            let message = format!("`quit`: {}", failure.message);
            self.finish(now, quit.id, event::Error::from(Failure { message: message.into(), ..failure.clone() }));
        }
        self.abandon(now, failure);
        self.hurried = true;
        self.leave(now, reason.into(), code, id, asked_for);
    }
}
