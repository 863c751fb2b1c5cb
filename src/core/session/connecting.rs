//! Connects to the hub, reconnects when it is lost, and registers again with a hub that has forgotten us.

use std::collections::VecDeque;
use std::time::Duration;

use super::asks::Origin;
use super::transfers::void_push_answers;
use super::uplink::{Greeted, HubConnection, Outage};
use super::{Output, Session};
use crate::core::time::Time;
use crate::protocol::wire::{Ask, USER_PROTOCOL};
use crate::protocol::{ErrorCode, Failure, event, request};

/// What this program can do, as the `ready` event tells it.
const CAPABILITIES: [&str; 8] = ["files", "folders", "search", "push", "messages", "rooms", "private", "history"];

impl Session {
    pub(super) fn start(&mut self, now: Time) {
        let config = &self.cx.config;
        let ready = event::Ready {
            protocol: USER_PROTOCOL.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            name: config.name().unwrap_or_default().to_owned(),
            hub: config.hub.clone(),
            capabilities: CAPABILITIES.map(String::from).into(),
            settings: config.settings.clone(),
        };
        // The limit counts from the start of the process, since looking up the hub's name takes time as well. Even if
        // that has used it up, requests that are there from the start are read before it ends, so that they have their
        // answers.
        let limit = config.patience.timeout.map(|span| (Time::default() + span).max(now + Duration::from_micros(1)));
        self.ending.limit_to(limit);
        self.cx.tell(now, ready);
        self.cx.output(Output::Connect);
    }

    /// A connection to the hub is open.
    pub(super) fn connected(&mut self, now: Time) {
        let hello = self.cx.uplink.hello(now, &self.cx.config);
        self.cx.output(Output::Say(hello));
    }

    /// No connection could be made.
    pub(super) fn connect_failed(&mut self, now: Time, failure: Failure) {
        match self.cx.uplink.outage() {
            // A hub with another key is another hub: nothing may be sent to it.
            Some(lost) if failure.code != ErrorCode::HubKeyChanged => self.pause(now, lost),
            _ => self.give_up(now, failure),
        }
    }

    fn pause(&mut self, now: Time, lost: Outage) {
        if let Err(failure) = self.cx.uplink.pause(now, lost) {
            self.give_up(now, failure);
        }
    }

    /// The connection broke, or the hub is silent.
    pub(super) fn lose(&mut self, now: Time, reason: String) {
        if self.end_without_answer(now) {
            return;
        }
        self.cx.output(Output::Disconnect);
        match self.cx.uplink.connection() {
            HubConnection::Up { since, tries } => {
                let lost = self.cx.uplink.lose(now, (since, tries));
                self.cx.tell(now, event::HubLost { reason });
                self.pause(now, lost);
                self.quit_without_hub(now);
            }
            HubConnection::Greeting { lost: Some(lost), .. } => self.pause(now, lost),
            HubConnection::Greeting { lost: None, .. } | HubConnection::First => {
                self.give_up(
                    now,
                    Failure::new(ErrorCode::HubUnreachable, format!("The hub closed the connection: {reason}.")),
                );
            }
            HubConnection::Pausing { .. } | HubConnection::Again { .. } => {}
        }
    }

    /// A line from the hub has arrived.
    pub(super) fn hub_line(&mut self, now: Time, line: &[u8]) {
        let result = match self.cx.uplink.connection() {
            HubConnection::Greeting { lost, .. } => {
                self.cx.uplink.greeted(now, lost, line).map(|greeted| self.greeted(now, greeted))
            }
            HubConnection::Up { .. } => self.cx.uplink.receive(now, line).map(|event| {
                if let Some(line) = event {
                    self.hub_event(now, line);
                }
            }),
            // A late line of a connection that was given up.
            HubConnection::First | HubConnection::Pausing { .. } | HubConnection::Again { .. } => Ok(()),
        };
        match (result, self.cx.uplink.connection()) {
            (Ok(()), _) => {}
            // A hub that is being restarted, or is full, may take us soon.
            (Err(failure), HubConnection::Up { .. }) if failure.code == ErrorCode::HubStopping => {
                self.lose(now, failure.message.into())
            }
            (Err(failure), HubConnection::Greeting { lost: Some(lost), .. })
                if matches!(failure.code, ErrorCode::HubStopping | ErrorCode::HubFull) =>
            {
                self.cx.output(Output::Disconnect);
                self.pause(now, lost);
            }
            (Err(failure), _) => self.give_up(now, failure),
        }
    }

    fn greeted(&mut self, now: Time, Greeted { lost, fresh }: Greeted) {
        if fresh {
            // A new run of the hub counts revisions from the start.
            self.replica.forget_revision();
        }
        match lost {
            Some(lost) if !fresh => {
                self.parcels.hub_is_back(now);
                self.cx.tell(now, event::HubBack { resumed: true, away: (now - lost.since).as_millis() as u64 });
                if !self.cx.uplink.is_entering() {
                    self.meetings.hub_is_back(now, &mut self.cx, false);
                }
            }
            lost => self.enter(now, lost),
        }
    }

    /// The hub does not know us, or has forgotten us: registers, and later offers and asks again.
    fn enter(&mut self, now: Time, lost: Option<Outage>) {
        self.cx.uplink.start_over();
        self.cx.registration.forget_number();
        self.transfers.hub_has_forgotten();
        if lost.is_some() {
            void_push_answers(&mut self.cx);
        }
        self.replica.forget_revision();
        self.privates.forget_numbers();
        self.parcels.hub_has_forgotten(now);
        if let Some(lost) = lost {
            self.cx.tell(now, event::HubBack { resumed: false, away: (now - lost.since).as_millis() as u64 });
        }
        let first = self.cx.registration.is_first();
        let config = &self.cx.config;
        let name = self.cx.registration.name().or(config.name().filter(|_| first)).map(str::to_owned);
        let password = config.password().filter(|_| first).cloned();
        let origin = if first { Origin::Enter } else { Origin::Return };
        match (name, password) {
            (Some(name), Some(password)) => self.cx.ask(now, request::Login { name, password }.into(), origin),
            (Some(name), None) => self.cx.ask(now, request::Register { name }.into(), origin),
            (None, _) => self.ask_again(now),
        }
    }

    /// The hub does not let us in. If it is only too busy, it is asked again for as long as a lost hub would be.
    pub(super) fn not_let_in(&mut self, now: Time, ask: Ask, origin: Origin, error: event::Error) {
        if let (Ask::Request(line), ErrorCode::SlowDown, Some(wait)) = (ask, error.code, error.wait)
            && self.cx.uplink.hub_is_busy(now, Duration::from_millis(wait), line.request, origin)
        {
            return;
        }
        self.leave_refused(now, error.into());
    }

    /// The hub knows us again: tells it our offers, then asks it all open requests again.
    pub(super) fn ask_again(&mut self, now: Time) {
        let pieces = if self.cx.registration.is_in() { self.offers.pieces() } else { VecDeque::new() };
        self.cx.uplink.reoffer(pieces, true);
        self.offer_next(now);
    }

    /// We are registered again: tells the hub our offers before anything else is asked.
    pub(super) fn offer_again(&mut self, now: Time) {
        self.cx.uplink.reoffer(self.offers.pieces(), false);
        self.offer_next(now);
    }

    /// The next piece of what is offered again.
    pub(super) fn offer_next(&mut self, now: Time) {
        if self.cx.uplink.reoffer_next(now) && self.cx.registration.is_in() {
            self.transfers.push_again(now, &mut self.cx);
        }
    }

    /// A hub that acknowledges frames but answers nothing counts as lost. If that lasts as long as we would try to
    /// reach a lost hub, the session ends.
    pub(super) fn watch_for_silence(&mut self, now: Time) {
        self.cx.uplink.asks_mut().watch_oldest(now);
        let due = self.cx.uplink.answer_due().filter(|_| !self.ending.is_leaving());
        let (Some(_), Some((owes, hopeless))) = (due.filter(|due| *due <= now), self.cx.uplink.owes_for(now)) else {
            return;
        };
        let seconds = owes.as_secs();
        if hopeless {
            let message = format!("The hub is there, but has not answered a request for {seconds} s.");
            return self.give_up(now, Failure::new(ErrorCode::HubLost, message));
        }
        self.lose(now, format!("no answer to a request for {seconds} s"));
    }
}
