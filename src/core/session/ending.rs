//! Ends the session: after `quit` or the end of the input, because the user interrupts it, or because the hub is lost
//! or refuses us.
//!
//! Before the end, every open request gets its final event.

use std::time::Duration;

use super::asks::Origin;
use super::pending::{Pending, RequestId, Waiting};
use super::{Output, Session};
use crate::core::time::Time;
use crate::protocol::event::WaitsFor;
use crate::protocol::{ErrorCode, Event, Failure, event, request};

/// After how long something that waits says so. Most outages, and most ends, are shorter.
pub(super) const SAID_AFTER: Duration = Duration::from_secs(1);

/// The decision to end, while the session still waits for the hub or the reader.
struct Leaving {
    reason: String,
    code: u8,
    id: RequestId,
    asked_for: bool,
    /// Whether messages are still being written to the user. They are confirmed to the hub before the goodbye.
    waits_for_output: bool,
    /// When we end even if the hub does not answer our goodbye; none while a slow reader is waited for.
    deadline: Option<Time>,
}

/// Whether the program is to end, and what the user was told of what the end waits for.
#[derive(Default)]
pub(super) struct Ending {
    /// Since when the program is to end: `quit`, or the end of the input.
    wanted: Option<Time>,
    leaving: Option<Leaving>,
    /// Whether the end must not wait for a slow reader.
    is_hurried: bool,
    has_ended: bool,
    /// The time limit of the session.
    limit: Option<Time>,
    /// What the end was last said to wait for, and when.
    said: Option<(Time, Vec<WaitsFor>)>,
    /// Since when nothing is left but pushes that nobody has taken.
    only_pushes: Option<Time>,
    /// Since when the end waits for the user to read; none once that has been said.
    unread: Option<Time>,
    /// Whether the user has left while the hub was lost, and something was given up for it.
    left_lost: bool,
    /// Whether the end has given up a push or a parcel that nobody has taken.
    left_untaken: bool,
}

impl Ending {
    /// Whether the end has been decided on, and waits only for the hub or for a slow reader.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Whether the `bye` was told, after which nothing more is done.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The program is to end once everything is over.
    pub(super) fn want(&mut self, now: Time) {
        self.wanted.get_or_insert(now);
    }

    /// Sets the time limit of the session.
    pub(super) fn limit_to(&mut self, at: Option<Time>) {
        self.limit = at;
    }

    /// The time limit of the session.
    pub(super) fn limit(&self) -> Option<Time> {
        self.limit
    }

    /// When we end even if the hub does not answer our goodbye.
    pub(super) fn goodbye_due(&self) -> Option<Time> {
        self.leaving.as_ref().and_then(|leaving| leaving.deadline)
    }

    /// When the end may next say what it waits for.
    pub(super) fn waits_until(&self) -> Option<Time> {
        let since = self.wanted.filter(|_| self.leaving.is_none())?;
        Some(self.said.as_ref().map_or(since, |(at, _)| *at) + SAID_AFTER)
    }

    /// When it is said outside of standard output that the end waits for that to be read.
    pub(super) fn unread_until(&self) -> Option<Time> {
        let unread = self.leaving.as_ref().is_some_and(|leaving| leaving.waits_for_output);
        self.unread.filter(|_| unread).map(|since| since + SAID_AFTER)
    }

    /// Notes that the end is said to wait for this. Returns whether that was said already.
    pub(super) fn say_waits_for(&mut self, now: Time, what: &[WaitsFor]) -> bool {
        let said = self.said.as_ref().is_some_and(|(_, said)| said == what);
        if !said {
            self.said = Some((now, what.to_vec()));
        }
        said
    }

    /// Says that the end waits for a reader, once.
    pub(super) fn say_unread(&mut self) {
        self.unread = None;
    }

    /// Notes whether nothing is left but pushes that nobody has taken.
    pub(super) fn set_only_pushes(&mut self, now: Time, only: bool) {
        match only {
            true => drop(self.only_pushes.get_or_insert(now)),
            false => self.only_pushes = None,
        }
    }

    /// The end gives up what nobody has taken.
    pub(super) fn leave_untaken(&mut self) {
        (self.only_pushes, self.left_untaken) = (None, true);
    }

    /// Until when the end waits for pushes, if only they are left and `patience` bounds that.
    pub(super) fn pushes_wait_until(&self, patience: Option<Duration>) -> Option<Time> {
        self.only_pushes.zip(patience).map(|(since, patience)| since + patience)
    }
}

impl Session {
    /// Ends the session if nothing more can be sent to the hub or, with `fail_fast`, if a request has failed since the
    /// last call.
    pub(super) fn act_on_failures(&mut self, now: Time) {
        let failed = self.cx.effects.take_failed();
        if let Some(failure) = self.cx.uplink.take_fault() {
            return self.give_up(now, failure);
        }
        if let Some(code) = failed.filter(|_| self.cx.config.fail_fast)
            && !self.ending.is_leaving()
            && !self.ending.has_ended
        {
            let abandoned = Failure::new(ErrorCode::Interrupted, "A request before this one failed.");
            self.abandon(now, &abandoned);
            self.leave(now, "a request failed".into(), code.exit(), RequestId::default(), false);
        }
    }

    /// The input has ended.
    pub(super) fn end_of_input(&mut self, now: Time) {
        if !self.cx.config.linger {
            self.ending.want(now);
            self.queue.push(Waiting::EndOfInput);
        }
    }

    /// Ends the program because the hub is of no use any more: every request fails with this failure.
    pub(super) fn give_up(&mut self, now: Time, failure: Failure) {
        if self.ending.has_ended {
            return;
        }
        let quit = self.ending.leaving.take().filter(|leaving| leaving.asked_for).map(|leaving| leaving.id);
        // The failure is told once: by the requests, or by itself if there is none.
        if !self.abandon(now, &failure) {
            self.cx.tell(now, event::Error::from(failure.clone()));
        }
        // The `bye` need not repeat the failure's text.
        self.end_session(now, failure.code.in_short(), failure.code.exit(), quit);
    }

    /// The hub does not let us in under our name: leaves.
    pub(super) fn leave_refused(&mut self, now: Time, mut failure: Failure) {
        // The place of the fault is in our registration, not in a request of the user.
        failure.at = None;
        if !self.abandon(now, &failure) {
            self.cx.tell(now, event::Error::from(failure.clone()));
        }
        let code = if failure.code == ErrorCode::BadName { ErrorCode::NameTaken.exit() } else { failure.code.exit() };
        self.leave(now, failure.code.in_short(), code, RequestId::default(), false);
    }

    /// Leaves the hub, then ends.
    pub(super) fn leave(&mut self, now: Time, reason: String, code: u8, id: RequestId, asked_for: bool) {
        if self.ending.is_leaving() || self.ending.has_ended {
            return;
        }
        self.privates.leave(now, &mut self.cx, &mut self.inbox);
        if !self.cx.uplink.is_up() {
            return self.end_session(now, reason, code, asked_for.then_some(id));
        }
        // What `focus` holds back is told before the end.
        self.inbox.release(now, &mut self.cx);
        let waits_for_output = !self.inbox.is_all_written();
        // A slow reader is waited for without limit, unless the user wants to end at once.
        let waits_long = waits_for_output && !self.ending.is_hurried;
        let deadline = (!waits_long).then(|| now + self.cx.config.link.patience());
        self.ending.leaving = Some(Leaving { reason, code, id, asked_for, waits_for_output, deadline });
        match waits_for_output {
            true => self.ending.unread = Some(now),
            false => self.say_goodbye(now),
        }
    }

    /// Leaves because of a `quit`, or at the end of the input.
    pub(super) fn leave_as_wanted(&mut self, now: Time, quit: Option<RequestId>) {
        let refused = self.cx.registration.exit_code();
        let code = if self.ending.left_untaken { ErrorCode::NotTaken.exit() } else { refused };
        match quit {
            Some(id) => {
                let code = if self.ending.left_lost { ErrorCode::HubLost.exit() } else { code };
                self.leave(now, "quit".into(), code, id, true);
            }
            None => self.leave(now, "end of input".into(), code, RequestId::default(), false),
        }
    }

    /// These messages have been written to the user. If the end has waited for the last of them, it goes on.
    pub(super) fn written(&mut self, now: Time, numbers: &[u64]) {
        self.inbox.written(numbers);
        if self.inbox.is_all_written()
            && let Some(leaving) = &mut self.ending.leaving
            && leaving.waits_for_output
        {
            leaving.waits_for_output = false;
            leaving.deadline = Some(now + self.cx.config.link.patience());
            self.inbox.confirm(now, &mut self.cx);
            self.say_goodbye(now);
        }
    }

    fn say_goodbye(&mut self, now: Time) {
        self.cx.ask(now, request::Quit { now: false }.into(), Origin::Goodbye);
    }

    /// The hub has answered our goodbye.
    pub(super) fn goodbye_answered(&mut self, now: Time) {
        if let Some(Leaving { reason, code, id, asked_for, .. }) = self.ending.leaving.take() {
            self.end_session(now, reason, code, asked_for.then_some(id));
        }
    }

    /// Ends without an answer to our goodbye, if we are leaving. Returns whether we are.
    pub(super) fn end_without_answer(&mut self, now: Time) -> bool {
        let Some(leaving) = self.ending.leaving.take() else { return false };
        let reason = format!("{}; the hub does not answer", leaving.reason);
        self.end_session(now, reason, leaving.code, leaving.asked_for.then_some(leaving.id));
        true
    }

    /// Answers every open request, and tells the `bye`, which answers the `quit` if there is one.
    fn end_session(&mut self, now: Time, reason: String, code: u8, answers: Option<RequestId>) {
        self.inbox.release(now, &mut self.cx);
        self.abandon(now, &Failure::new(ErrorCode::Interrupted, "Potluck has ended.").hint("Ask again the next time."));
        self.privates.leave(now, &mut self.cx, &mut self.inbox);
        self.ending.has_ended = true;
        let bye = Event::from(event::Bye { reason, code, given_up: self.cx.effects.take_given_up() });
        match answers {
            Some(id) => self.cx.finish(now, id, bye),
            None => self.cx.tell(now, bye),
        }
        self.cx.output(Output::Disconnect);
        self.cx.output(Output::End(code));
    }

    /// The user wants to end without waiting for anything.
    pub(super) fn interrupt(&mut self, now: Time, code: u8) {
        let failure = Failure::new(ErrorCode::Interrupted, "It was broken off.");
        self.break_off(now, "interrupted", &failure, code, None);
    }

    /// The user's request to end without waiting for anything.
    pub(super) fn quit_now(&mut self, now: Time, id: RequestId) {
        let failure = Failure::new(ErrorCode::Interrupted, "It was broken off.");
        self.break_off(now, "quit", &failure, 0, Some(id));
    }

    /// Ends the session because its time is over: every open request fails.
    pub(super) fn time_out(&mut self, now: Time) {
        self.ending.limit = None;
        let span = self.cx.config.patience.timeout.unwrap_or_default();
        let failure = Failure::new(ErrorCode::TimedOut, format!("It was not done after {} s.", span.as_secs_f64()));
        self.cx.tell(now, event::Error::from(failure.clone()));
        self.break_off(now, "timed out", &failure, ErrorCode::TimedOut.exit(), None);
    }

    /// Ends as soon as possible; `quit` is the request that wants it, if one does.
    fn break_off(&mut self, now: Time, reason: &str, failure: &Failure, code: u8, quit: Option<RequestId>) {
        if let Some(quit) = self.ending.leaving.take().filter(|leaving| leaving.asked_for) {
            let message = format!("`quit`: {}", failure.message);
            self.cx.finish(now, quit.id, event::Error::from(Failure { message: message.into(), ..failure.clone() }));
        }
        self.abandon(now, failure);
        self.ending.is_hurried = true;
        let asked_for = quit.is_some();
        self.leave(now, reason.into(), code, quit.unwrap_or_default(), asked_for);
    }

    /// Every open request and every transfer fails. Returns whether a request was open.
    fn abandon(&mut self, now: Time, failure: &Failure) -> bool {
        let fetched = self.transfers.abandon(now, &mut self.cx, failure);
        self.abandon_requests(now, failure, true) || fetched
    }

    /// Every open request fails, except for transfers that are under way, and, without `fetching`, for parcels that are
    /// being fetched. Returns whether one was open.
    fn abandon_requests(&mut self, now: Time, failure: &Failure, fetching: bool) -> bool {
        let asks = self.cx.uplink.asks_mut().take_those(|origin| !matches!(origin, Origin::Goodbye));
        let begun: Vec<Pending> = asks.into_iter().filter_map(Origin::into_pending).collect();
        let begun = begun
            .into_iter()
            .chain(self.queue.give_up_task())
            .chain(self.cx.verified.give_up_task())
            .chain(self.privates.abandon());
        let begun = begun.chain(self.offers.abandon_copies());
        let parcels = self.parcels.abandon(now, &mut self.cx, failure, fetching);
        let begun = begun.map(|pending| (pending, failure.clone()));
        let begun = begun.chain(self.transfers.abandon_pushes()).chain(parcels);
        let (mut any, effects) = (false, &mut self.cx.effects);
        for (pending, failure) in begun {
            any = true;
            effects.give_up(now, pending, failure);
        }
        for waiting in self.queue.take_all() {
            match waiting {
                Waiting::Request(pending) => {
                    any = true;
                    effects.give_up(now, pending, failure.clone());
                }
                Waiting::Bad(id, failure) => effects.finish(now, id, event::Error::from(failure)),
                Waiting::EndOfInput => {}
            }
        }
        any
    }

    /// Whether the user has asked to leave, so that nothing new begins.
    pub(super) fn is_quitting(&self) -> bool {
        self.ending.leaving.as_ref().is_some_and(|leaving| leaving.asked_for) || self.queue.has_quit()
    }

    /// The hub is lost after the user has asked to leave: the requests that need it are given up.
    pub(super) fn quit_without_hub(&mut self, now: Time) {
        if let Some(quit) = self.queue.take_quit() {
            self.give_up_on_hub(now);
            self.queue.push(quit);
        }
    }

    /// The user leaves while the hub is lost: every request fails, and only transfers are finished.
    pub(super) fn give_up_on_hub(&mut self, now: Time) {
        let failure = Failure::new(ErrorCode::HubLost, "You have left while the hub was lost.")
            .hint("Join again when it is back, and see what has been done.");
        self.ending.left_lost |= self.abandon_requests(now, &failure, false);
    }
}
