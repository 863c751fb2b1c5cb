//! How the program ends: by itself, because its user wants it to, or because nothing more can be had from the hub.
//!
//! Each request that is not final gets its last event before that.

use std::time::Duration;

use super::asks::Origin;
use super::pending::{Pending, RequestId, Waiting};
use super::{Output, Session};
use crate::core::time::Time;
use crate::protocol::event::WaitsFor;
use crate::protocol::{ErrorCode, Event, Failure, event, request};

/// After how long something that waits says so. Most outages, and most ends, are shorter.
pub(super) const SAID_AFTER: Duration = Duration::from_secs(1);

/// How the program is going to end.
struct Leaving {
    reason: String,
    code: u8,
    id: RequestId,
    asked_for: bool,
    /// Messages are still being written to the user: the hub shall know that they have been.
    waits_for_output: bool,
    /// When we end without an answer to our goodbye; none while a slow reader is waited for.
    deadline: Option<Time>,
}

/// Whether the program ends, and what was said of what that waits for.
#[derive(Default)]
pub(super) struct Ending {
    /// Since when somebody wants to end.
    wanted: Option<Time>,
    leaving: Option<Leaving>,
    /// The end is not to wait for a slow reader.
    is_hurried: bool,
    has_ended: bool,
    /// When the session has taken as long as it may.
    limit: Option<Time>,
    /// What the end was last said to wait for, and when.
    said: Option<(Time, Vec<WaitsFor>)>,
    /// Since when nothing is left but pushes that nobody has taken.
    only_pushes: Option<Time>,
    /// Since when the end waits for the user to read; none once that has been said.
    unread: Option<Time>,
    /// Whether the user has left while the hub was lost, and something was given up for it.
    left_lost: bool,
}

impl Ending {
    /// Whether the program ends as soon as the hub, or the reader, lets it.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Whether nothing more is done or said.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Somebody wants to end.
    pub(super) fn want(&mut self, now: Time) {
        self.wanted.get_or_insert(now);
    }

    /// The session may take until then.
    pub(super) fn limit_to(&mut self, at: Option<Time>) {
        self.limit = at;
    }

    /// When the session has taken as long as it may.
    pub(super) fn limit(&self) -> Option<Time> {
        self.limit
    }

    /// When we end though the hub does not answer our goodbye.
    pub(super) fn goodbye_due(&self) -> Option<Time> {
        self.leaving.as_ref().and_then(|leaving| leaving.deadline)
    }

    /// After when the end says what it waits for, if that is not what it has said last.
    pub(super) fn waits_until(&self) -> Option<Time> {
        let since = self.wanted.filter(|_| self.leaving.is_none())?;
        Some(self.said.as_ref().map_or(since, |(at, _)| *at) + SAID_AFTER)
    }

    /// After when the end says, though nobody reads, that it waits for just that.
    pub(super) fn unread_until(&self) -> Option<Time> {
        let unread = self.leaving.as_ref().is_some_and(|leaving| leaving.waits_for_output);
        self.unread.filter(|_| unread).map(|since| since + SAID_AFTER)
    }

    /// Whether this is what the end was last said to wait for. From now on it is.
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

    /// Whether nothing is left but pushes that nobody has taken.
    pub(super) fn set_only_pushes(&mut self, now: Time, only: bool) {
        match only {
            true => drop(self.only_pushes.get_or_insert(now)),
            false => self.only_pushes = None,
        }
    }

    /// Until when the end waits for pushes, if only they are left and that has a bound of its own.
    pub(super) fn pushes_wait_until(&self, patience: Option<Duration>) -> Option<Time> {
        self.only_pushes.zip(patience).map(|(since, patience)| since + patience)
    }
}

impl Session {
    /// Acts on what has failed since this was called last: with `fail_fast`, the first failure ends the session; and so it
    /// does if nothing more can be sent.
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

    /// There is no more input.
    pub(super) fn end_of_input(&mut self, now: Time) {
        if !self.cx.config.linger {
            self.ending.want(now);
            self.queue.push(Waiting::EndOfInput);
        }
    }

    /// Nothing more can be had from the hub: every request fails, and the program ends.
    pub(super) fn give_up(&mut self, now: Time, failure: Failure) {
        if self.ending.has_ended {
            return;
        }
        let quit = self.ending.leaving.take().filter(|leaving| leaving.asked_for).map(|leaving| leaving.id);
        // What fails is told once: to those who have asked, or to whom it may concern.
        if !self.abandon(now, &failure) {
            self.cx.tell(now, event::Error::from(failure.clone()));
        }
        // The failure has said the rest.
        self.end(now, failure.code.in_short(), failure.code.exit(), quit);
    }

    /// The hub does not take us under our name: there is nothing to do here.
    pub(super) fn leave_refused(&mut self, now: Time, mut failure: Failure) {
        // No request of our user has a place in it that is wrong.
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
            return self.end(now, reason, code, asked_for.then_some(id));
        }
        // What has waited is told before the end.
        self.inbox.release(now, &mut self.cx);
        let waits_for_output = !self.inbox.is_all_written();
        // Who wants to end now does not wait long for a slow reader; who has come to the end does.
        let waits_long = waits_for_output && !self.ending.is_hurried;
        let deadline = (!waits_long).then(|| now + self.cx.config.link.patience());
        self.ending.leaving = Some(Leaving { reason, code, id, asked_for, waits_for_output, deadline });
        match waits_for_output {
            true => self.ending.unread = Some(now),
            false => self.say_goodbye(now),
        }
    }

    /// Ends in the way in which `quit` and the end of the input do.
    pub(super) fn leave_as_wanted(&mut self, now: Time, quit: Option<RequestId>) {
        let refused = self.cx.registration.exit_code();
        match quit {
            Some(id) => {
                let code = if self.ending.left_lost { ErrorCode::HubLost.exit() } else { refused };
                self.leave(now, "quit".into(), code, id, true);
            }
            None => self.leave(now, "end of input".into(), refused, RequestId::default(), false),
        }
    }

    /// Messages of these numbers are with the user. When that are all, the end that has waited for it goes on.
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

    /// The hub has heard our goodbye.
    pub(super) fn goodbye_answered(&mut self, now: Time) {
        if let Some(Leaving { reason, code, id, asked_for, .. }) = self.ending.leaving.take() {
            self.end(now, reason, code, asked_for.then_some(id));
        }
    }

    /// Ends, if we are leaving: only the goodbye was not answered, and what was asked had its answer before. Says whether
    /// that is so.
    pub(super) fn end_without_answer(&mut self, now: Time) -> bool {
        let Some(leaving) = self.ending.leaving.take() else { return false };
        let reason = format!("{}; the hub does not answer", leaving.reason);
        self.end(now, reason, leaving.code, leaving.asked_for.then_some(leaving.id));
        true
    }

    /// The last event. If a request asked for it, it is that request's answer. What was asked after that request
    /// is not begun, but it is answered.
    fn end(&mut self, now: Time, reason: String, code: u8, answers: Option<RequestId>) {
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

    /// The same, as a request.
    pub(super) fn quit_now(&mut self, now: Time, id: RequestId) {
        let failure = Failure::new(ErrorCode::Interrupted, "It was broken off.");
        self.break_off(now, "quit", &failure, 0, Some(id));
    }

    /// Ends the session when its time is over: whatever is not answered is answered with that.
    pub(super) fn time_out(&mut self, now: Time) {
        self.ending.limit = None;
        let span = self.cx.config.timeout.unwrap_or_default();
        let failure = Failure::new(ErrorCode::TimedOut, format!("It was not done after {} s.", span.as_secs_f64()));
        self.cx.tell(now, event::Error::from(failure.clone()));
        self.break_off(now, "timed out", &failure, ErrorCode::TimedOut.exit(), None);
    }

    /// Ends as soon as can be; `quit` is the request that wants that, if one does.
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

    /// Every request that is not final fails, and every transfer. Says whether there was a request.
    fn abandon(&mut self, now: Time, failure: &Failure) -> bool {
        let fetched = self.transfers.abandon(now, &mut self.cx, failure);
        self.abandon_requests(now, failure) || fetched
    }

    /// Every request that is not final fails, but for transfers that are under way. Says whether there was one.
    fn abandon_requests(&mut self, now: Time, failure: &Failure) -> bool {
        let asks = self.cx.uplink.asks_mut().take_those(|origin| !matches!(origin, Origin::Goodbye));
        let begun: Vec<Pending> = asks.into_iter().filter_map(Origin::into_pending).collect();
        let begun = begun.into_iter().chain(self.queue.give_up_task()).chain(self.privates.abandon());
        let begun = begun.chain(self.offers.abandon_copies());
        let begun = begun.map(|pending| (pending, failure.clone())).chain(self.transfers.abandon_pushes());
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

    /// Whether the user has asked to leave: nothing new begins.
    pub(super) fn is_quitting(&self) -> bool {
        self.ending.leaving.as_ref().is_some_and(|leaving| leaving.asked_for) || self.queue.has_quit()
    }

    /// The hub is lost, and the user wanted to leave already: as if they had said so now.
    pub(super) fn quit_without_hub(&mut self, now: Time) {
        if let Some(quit) = self.queue.take_quit() {
            self.give_up_on_hub(now);
            self.queue.push(quit);
        }
    }

    /// The user leaves while the hub is lost: what needs it is given up, and only transfers are finished.
    pub(super) fn give_up_on_hub(&mut self, now: Time) {
        let failure = Failure::new(ErrorCode::HubLost, "You have left while the hub was lost.")
            .hint("Join again when it is back, and see what has been done.");
        self.ending.left_lost |= self.abandon_requests(now, &failure);
    }
}
