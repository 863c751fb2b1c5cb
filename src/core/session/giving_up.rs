//! What has begun is given up: each request gets its last event.

use super::publishing::Publishing;
use super::requests::{Mark, Pending, Waiting};
use super::{Failure, Origin, Session};
use crate::core::time::Time;
use crate::protocol::{ErrorCode, event};

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
            let failure = pending.failed(failure);
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
            self.finish(now, quit.id, event::Error::from(failure.clone()));
        }
        self.abandon(now, failure);
        self.hurried = true;
        self.leave(now, reason.into(), code, id, asked_for);
    }
}
