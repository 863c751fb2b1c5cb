//! Nothing waits in silence: requests that need a lost hub say so once, and so does the end when it waits for what is
//! not over. Pushes that nobody takes are given up when we leave.

use std::collections::BTreeMap;
use std::time::Duration;

use super::requests::{Mark, Pending, Waiting};
use super::{Origin, Output, Session, event};
use crate::core::time::Time;
use crate::protocol::event::WaitsFor;
use crate::protocol::types::Stage;
use crate::protocol::{ErrorCode, Failure, Request, Transfer, request};

/// After how long something that waits says so. Most outages, and most ends, are shorter.
const SAID_AFTER: Duration = Duration::from_secs(1);

/// What waits, and what has been said of it.
#[derive(Default)]
pub(super) struct Waits {
    /// Since when somebody wants to end.
    ending: Option<Time>,
    /// What the end was last said to wait for, and when.
    said: Option<(Time, Vec<WaitsFor>)>,
    /// Since when nothing is left but pushes that nobody has taken.
    pushes: Option<Time>,
    /// Since when the end waits for the user to read; none once that has been said.
    unread: Option<Time>,
    /// How many requests of each kind were given up.
    given_up: BTreeMap<String, u64>,
    /// Whether the user has left while the hub was lost, and something was given up for it.
    pub(super) left_lost: bool,
}

impl Waits {
    /// Somebody wants to end.
    pub(super) fn end_wanted(&mut self, now: Time) {
        self.ending.get_or_insert(now);
    }

    /// The end waits until the user has read everything.
    pub(super) fn end_unread(&mut self, now: Time) {
        self.unread = Some(now);
    }

    pub(super) fn give_up(&mut self, request: &Request) {
        *self.given_up.entry(request.name().to_owned()).or_default() += 1;
    }

    pub(super) fn take_given_up(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.given_up)
    }
}

impl Session {
    pub(super) fn end_of_input(&mut self, now: Time) {
        if !self.config.linger {
            self.waits.end_wanted(now);
            self.waiting.push(Waiting::EndOfInput);
        }
    }

    /// Since when the hub has been lost, if it is.
    pub(super) fn lost_since(&self) -> Option<Time> {
        self.connection.outage().map(|lost| lost.since)
    }

    /// Whether the hub is lost, and tried again.
    pub(super) fn is_lost(&self) -> bool {
        self.connection.outage().is_some()
    }

    /// While the hub is lost, what is answered here need not wait for what waits for the hub; unless it would change
    /// what that means.
    pub(super) fn next_without_hub(&self) -> Option<usize> {
        if !self.is_lost() || self.local.is_some() {
            return None;
        }
        let (mut offers, mut focuses) = (false, self.asks.values().any(|(_, origin)| origin.is_focus()));
        for (at, waiting) in self.waiting.iter().enumerate() {
            let Waiting::Request(pending) = waiting else {
                if matches!(waiting, Waiting::Bad(..)) {
                    return Some(at);
                }
                continue;
            };
            let local = match &pending.request {
                Request::Help(_) | Request::Transfers(_) | Request::Cancel(_) => true,
                Request::List(_) => self.replica.has_table(),
                Request::Setdir(_) => !offers,
                Request::Unfocus(_) => !focuses,
                // What these are refused for may change before their turn.
                Request::Rereg(_) | Request::Accept(_) | Request::Decline(_) => false,
                other => {
                    self.check(other).is_err() || (self.goes_past_the_hub(waiting) && self.privates_permit(waiting))
                }
            };
            if local {
                return Some(at);
            }
            offers |= matches!(pending.request, Request::Offer(_) | Request::Push(_));
            focuses |= matches!(pending.request, Request::Focus(_));
        }
        None
    }

    /// Whether everything is final, but for pushes.
    pub(super) fn is_over_but_for_pushes(&self) -> bool {
        // While the hub is lost, nothing can be waited for that only it has and nobody has asked for.
        let lost = self.is_lost() && !self.awaits_answers();
        let answered = self.settled && self.local.is_none() && self.asks.is_empty() && !self.inbox.catching_up;
        (answered || lost) && self.running.values().all(|running| !running.is_asked_for()) && self.keeping.is_empty()
    }

    /// Says what waits, if it has waited for a while.
    pub(super) fn say_what_waits(&mut self, now: Time) {
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if !self.ended && is_due(self.requests_wait_until()) {
            self.say_requests_wait(now);
        }
        if !self.ended && is_due(self.end_waits_until()) {
            self.say_end_waits(now);
        }
    }

    /// After when requests that wait for a lost hub say so.
    pub(super) fn requests_wait_until(&self) -> Option<Time> {
        self.lost_since().filter(|_| self.leaving.is_none()).map(|since| since + SAID_AFTER)
    }

    /// After when the end says what it waits for, if that is not what it has said last.
    pub(super) fn end_waits_until(&self) -> Option<Time> {
        let since = self.waits.ending.filter(|_| self.leaving.is_none())?;
        Some(self.waits.said.as_ref().map_or(since, |(at, _)| *at) + SAID_AFTER)
    }

    /// After when the end says, though nobody reads, that it waits for just that.
    pub(super) fn unread_until(&self) -> Option<Time> {
        let unread = self.leaving.as_ref().is_some_and(|leaving| leaving.waits_for_output);
        self.waits.unread.filter(|_| unread).map(|since| since + SAID_AFTER)
    }

    pub(super) fn say_unread(&mut self) {
        self.waits.unread = None;
        self.out.push_back(Output::Unread);
    }

    fn say_requests_wait(&mut self, now: Time) {
        self.answer_lists_without_hub(now);
        let pushes = &mut self.pushes;
        let asked = self.asks.values_mut().filter_map(|(_, origin)| match origin {
            Origin::User(pending) => Some(&mut **pending),
            Origin::Page(so_far) => Some(&mut so_far.pending),
            Origin::Offer(publishing) => Some(publishing.pending_mut()),
            Origin::Push(_) | Origin::Enter | Origin::Return | Origin::OfferAgain => None,
            Origin::Change | Origin::Forgotten | Origin::Goodbye => None,
        });
        let queued = self.waiting.iter_mut().filter_map(|waiting| match waiting {
            Waiting::Request(pending) => Some(pending),
            Waiting::Bad(..) | Waiting::EndOfInput => None,
        });
        let unasked = pushes.unasked_mut();
        let mut said: Vec<(Mark, String)> = Vec::new();
        for pending in asked.chain(unasked).chain(queued) {
            // What waits for the end of others says so itself, or need not.
            let ends = matches!(pending.request, Request::Quit(_) | Request::Wait(_));
            if !ends && !std::mem::replace(&mut pending.said_to_wait, true) {
                said.push((pending.id.clone(), pending.request.name().to_owned()));
            }
        }
        for (id, request) in said {
            let r#for = vec![WaitsFor::Hub];
            let waiting = event::Waiting { request: Some(request), r#for, transfers: Vec::new(), left: None };
            self.tell_for(now, id, false, waiting);
        }
    }

    /// What was offered when the hub still answered can be said.
    fn answer_lists_without_hub(&mut self, now: Time) {
        let is_list = |origin: &Origin| matches!(origin, Origin::User(p) if matches!(p.request, Request::List(_)));
        if !self.replica.has_table() {
            return;
        }
        for (_, (_, origin)) in self.asks.extract_if(.., |_, (_, origin)| is_list(origin)).collect::<Vec<_>>() {
            if let Origin::User(pending) = origin
                && let Request::List(list) = &pending.request
            {
                self.list_without_hub(now, pending.id, list);
            }
        }
    }

    /// Answers `list` with what we know, marked as old.
    pub(super) fn list_without_hub(&mut self, now: Time, id: Mark, list: &request::List) {
        let table = self.replica.list(self.replica.revision, list);
        self.finish(now, id, event::Table { stale: true, ..table });
    }

    /// Whether requests of the user have begun and are not final; transfers and pushes apart.
    pub(super) fn awaits_answers(&self) -> bool {
        let asked = |origin: &Origin| match origin {
            Origin::User(_) | Origin::Page(_) | Origin::Offer(_) | Origin::Push(_) => true,
            Origin::Enter | Origin::Return | Origin::OfferAgain => false,
            Origin::Change | Origin::Forgotten | Origin::Goodbye => false,
        };
        self.local.is_some() || self.privates_are_under_way() || self.asks.values().any(|(_, origin)| asked(origin))
    }

    fn say_end_waits(&mut self, now: Time) {
        let r#for = self.end_waits_for();
        if r#for.is_empty() || self.waits.said.as_ref().is_some_and(|(_, said)| *said == r#for) {
            return;
        }
        let quit = self.waiting.iter().find_map(|waiting| match waiting {
            Waiting::Request(Pending { id, request: Request::Quit(_), .. }) => Some(id.clone()),
            Waiting::Request(_) | Waiting::Bad(..) | Waiting::EndOfInput => None,
        });
        let running = self.running.iter().filter(|(_, running)| running.is_asked_for());
        let running = running.map(|(transfer, running)| running.show(*transfer));
        let transfers: Vec<Transfer> = running.chain(self.pushes.show()).collect();
        let left = self.pushes_wait_until().map(|until| (until - now).as_millis() as u64);
        let request = quit.as_ref().map(|_| "quit".to_owned());
        let waiting = event::Waiting { request, r#for: r#for.clone(), transfers, left };
        self.tell_for(now, quit.unwrap_or_default(), false, waiting);
        self.waits.said = Some((now, r#for));
    }

    fn end_waits_for(&self) -> Vec<WaitsFor> {
        let before = |waiting: &Waiting| match waiting {
            Waiting::Request(pending) => !matches!(pending.request, Request::Quit(_)),
            Waiting::Bad(..) => true,
            Waiting::EndOfInput => false,
        };
        let unanswered = self.awaits_answers() || self.waiting.first().is_some_and(before);
        let transfers = self.running.values().any(|running| running.is_asked_for());
        let all = [
            (WaitsFor::Hub, !self.settled),
            (WaitsFor::Answers, unanswered),
            (WaitsFor::Transfers, transfers),
            (WaitsFor::Pushes, self.pushes.show().any(|push| push.state == Stage::Waiting)),
            (WaitsFor::Copies, !self.keeping.is_empty()),
            (WaitsFor::Messages, self.settled && self.inbox.catching_up),
        ];
        all.into_iter().filter(|(_, waits)| *waits).map(|(what, _)| what).collect()
    }

    /// When nothing is left but pushes that nobody takes, we leave in spite of them after a while.
    pub(super) fn end_pushes(&mut self, now: Time) {
        let alone = self.waiting.first().is_some_and(Waiting::ends)
            && self.is_over_but_for_pushes()
            && self.pushes.is_untaken();
        if !alone {
            self.waits.pushes = None;
            return;
        }
        self.waits.pushes.get_or_insert(now);
        if self.pushes_wait_until().is_some_and(|until| until <= now) {
            self.waits.pushes = None;
            self.take_back_untaken(now);
        }
    }

    /// Until when the end waits for pushes, if only they are left and that has a bound of its own.
    pub(super) fn pushes_wait_until(&self) -> Option<Time> {
        self.waits.pushes.zip(self.config.push_patience).map(|(since, patience)| since + patience)
    }

    /// The hub is lost, and the user wanted to leave already: as if they had said so now.
    pub(super) fn quit_without_hub(&mut self, now: Time) {
        let at = self.waiting.iter().position(Waiting::is_quit);
        if let Some(quit) = at.and_then(|at| self.waiting.take_at(at)) {
            self.give_up_on_hub(now);
            self.waiting.push(quit);
        }
    }

    /// The user leaves while the hub is lost: what needs it is given up, and only transfers are finished.
    pub(super) fn give_up_on_hub(&mut self, now: Time) {
        let failure = Failure::new(ErrorCode::HubLost, "You have left while the hub was lost.")
            .hint("Join again when it is back, and see what has been done.");
        self.waits.left_lost |= self.abandon_requests(now, &failure) > 0;
    }
}
