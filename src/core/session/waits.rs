//! Tells the user what waits: requests that need a lost hub say so once, and the end says what it waits for. At the
//! end, pushes that nobody accepts are given up after a while.

use super::Output;
use super::Session;
use super::asks::Origin;
use super::ending::SAID_AFTER;
use super::pending::{Pending, Waiting};
use crate::core::time::Time;
use crate::protocol::event::WaitsFor;
use crate::protocol::types::Stage;
use crate::protocol::{Request, Transfer, event};

impl Session {
    /// Whether everything is final, but for pushes.
    pub(super) fn is_over_but_for_pushes(&self) -> bool {
        let uplink = &self.cx.uplink;
        // While the hub is lost, only requests of the user are worth waiting for.
        let lost = uplink.is_lost() && !self.awaits_answers();
        let working = self.queue.is_working() || self.cx.verified.is_working();
        let idle = !working && uplink.asks().is_empty() && !self.inbox.is_catching_up();
        let answered = uplink.takes_requests() && idle;
        let waits = self.transfers.are_awaited() || self.offers.waits_for_copies() || self.parcels.are_awaited();
        (answered || lost) && !waits
    }

    /// Whether requests of the user have begun and are not final, not counting transfers and pushes.
    fn awaits_answers(&self) -> bool {
        let asked = || self.cx.uplink.asks().origins().any(Origin::is_awaited);
        self.queue.is_working() || self.cx.verified.is_working() || self.privates.are_under_way() || asked()
    }

    /// Gives up pushes that nobody has taken, once nothing else is left and the end has waited for them long enough.
    pub(super) fn end_pushes(&mut self, now: Time) {
        let alone = self.queue.first().is_some_and(Waiting::ends_the_session)
            && self.is_over_but_for_pushes()
            && (self.transfers.is_untaken() || self.parcels.is_untaken());
        self.ending.set_only_pushes(now, alone);
        if self.ending.pushes_wait_until(self.cx.config.patience.pushes).is_some_and(|until| until <= now) {
            self.ending.leave_untaken();
            self.transfers.take_back_untaken(now, &mut self.cx);
            self.parcels.take_back_untaken(now, &mut self.cx, &mut self.transfers);
        }
    }

    /// Tells the user what waits, if it has waited for a while.
    pub(super) fn say_what_waits(&mut self, now: Time) {
        let is_due = |at: Option<Time>| at.is_some_and(|at| at <= now);
        if !self.ending.has_ended() && is_due(self.requests_wait_until()) {
            self.say_requests_wait(now);
        }
        if !self.ending.has_ended() && is_due(self.ending.waits_until()) {
            self.say_end_waits(now);
        }
    }

    /// When requests that wait for a lost hub say so.
    pub(super) fn requests_wait_until(&self) -> Option<Time> {
        self.cx.uplink.lost_since().filter(|_| !self.ending.is_leaving()).map(|since| since + SAID_AFTER)
    }

    /// Has the driver say outside of standard output that the end waits for that to be read.
    pub(super) fn say_unread(&mut self) {
        self.ending.say_unread();
        self.cx.output(Output::Unread);
    }

    fn say_requests_wait(&mut self, now: Time) {
        self.answer_lists_without_hub(now);
        let asked = self.cx.uplink.asks_mut().origins_mut().filter_map(Origin::pending_mut);
        let begun = asked.chain(self.transfers.unasked_mut()).chain(self.parcels.unasked_mut());
        let all = begun.chain(self.queue.requests_mut());
        // `quit` and `wait` say by themselves what they wait for.
        let ends = |request: &Request| matches!(request, Request::Quit(_) | Request::Wait(_));
        let said =
            all.filter_map(|pending| (!ends(&pending.request) && pending.say_to_wait()).then(|| pending.clone()));
        for Pending { id, request, .. } in said.collect::<Vec<_>>() {
            let (request, r#for) = (Some(request.name().to_owned()), vec![WaitsFor::Hub]);
            self.cx.tell_for(now, id, false, event::Waiting { request, r#for, transfers: Vec::new(), left: None });
        }
    }

    fn say_end_waits(&mut self, now: Time) {
        let r#for = self.end_waits_for();
        if r#for.is_empty() || self.ending.say_waits_for(now, &r#for) {
            return;
        }
        let quit = self.queue.iter().find_map(|waiting| match waiting {
            Waiting::Request(Pending { id, request: Request::Quit(_), .. }) => Some(id.clone()),
            Waiting::Request(_) | Waiting::Bad(..) | Waiting::EndOfInput => None,
        });
        let mut transfers = self.transfers.show_awaited();
        transfers.extend(self.parcels.show());
        let until = self.ending.pushes_wait_until(self.cx.config.patience.pushes);
        let left = until.map(|until| (until - now).as_millis() as u64);
        let request = quit.as_ref().map(|_| "quit".to_owned());
        let waiting = event::Waiting { request, r#for, transfers, left };
        self.cx.tell_for(now, quit.unwrap_or_default(), false, waiting);
    }

    fn end_waits_for(&self) -> Vec<WaitsFor> {
        let before = |waiting: &Waiting| match waiting {
            Waiting::Request(pending) => !matches!(pending.request, Request::Quit(_)),
            Waiting::Bad(..) => true,
            Waiting::EndOfInput => false,
        };
        let settled = self.cx.uplink.takes_requests();
        let waiting = |transfer: &Transfer| transfer.state == Stage::Waiting;
        let pushes = self.transfers.show_awaited().iter().any(waiting) || self.parcels.is_giving();
        let all = [
            (WaitsFor::Hub, !settled),
            (
                WaitsFor::Answers,
                self.awaits_answers() || self.parcels.are_awaited() || self.queue.first().is_some_and(before),
            ),
            (WaitsFor::Transfers, self.transfers.are_awaited()),
            (WaitsFor::Pushes, pushes),
            (WaitsFor::Copies, self.offers.waits_for_copies()),
            (WaitsFor::Messages, settled && self.inbox.is_catching_up()),
        ];
        all.into_iter().filter(|(_, waits)| *waits).map(|(what, _)| what).collect()
    }
}
