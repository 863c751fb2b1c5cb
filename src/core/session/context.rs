//! What every part of a session needs. The session passes it to a part for the time of a call.

use super::asks::Origin;
use super::effects::Effects;
use super::pending::RequestId;
use super::registration::Registration;
use super::uplink::Uplink;
use super::verified::Verified;
use super::{Output, SessionConfig};
use crate::core::time::Time;
use crate::protocol::wire::Ask;
use crate::protocol::{Client, Event, Failure, Request, event};

/// The settings, our registration, the way to the hub, whom the user has verified, and the outputs for the user and the
/// driver.
pub(super) struct Context {
    pub(super) config: SessionConfig,
    pub(super) registration: Registration,
    pub(super) uplink: Uplink,
    pub(super) effects: Effects,
    pub(super) verified: Verified,
}

impl Context {
    /// The context of a session that has not started.
    pub(super) fn new(config: SessionConfig) -> Self {
        Self {
            registration: Registration::default(),
            uplink: Uplink::new(&config),
            effects: Effects::new(config.epoch),
            verified: Verified::default(),
            config,
        }
    }

    /// Adds an output for the driver.
    pub(super) fn output(&mut self, output: Output) {
        self.effects.push(output);
    }

    /// Tells the user something that no request has caused.
    pub(super) fn tell(&mut self, now: Time, event: impl Into<Event>) {
        self.effects.tell(now, event);
    }

    /// Tells the user something about a request; `last` says whether it is the final event.
    pub(super) fn tell_for(&mut self, now: Time, id: RequestId, last: bool, event: impl Into<Event>) {
        self.effects.tell_for(now, id, last, event);
    }

    /// Tells the user the final event of a request.
    pub(super) fn finish(&mut self, now: Time, id: RequestId, event: impl Into<Event>) {
        self.effects.finish(now, id, event);
    }

    /// Answers a request with a failure.
    pub(super) fn refuse(&mut self, now: Time, id: RequestId, failure: Failure) {
        self.effects.refuse(now, id, failure);
    }

    /// Answers a request with people, and marks the verified ones.
    pub(super) fn show_people(&mut self, now: Time, id: RequestId, mut roster: event::Roster) {
        self.raise_alarms(now, &roster.clients);
        self.verified.mark(&mut roster.clients);
        self.finish(now, id, roster);
    }

    /// Tells the user of those who are there under a verified name with another key.
    pub(super) fn raise_alarms<'a>(&mut self, now: Time, clients: impl IntoIterator<Item = &'a Client>) {
        for alarm in self.verified.alarms(clients) {
            self.tell(now, alarm);
        }
    }

    /// Passes a request on to the hub.
    pub(super) fn ask(&mut self, now: Time, request: Request, origin: Origin) {
        self.uplink.ask(now, request, origin);
    }

    /// Tells the hub something, if we are in its roster.
    pub(super) fn send_if_in(&mut self, now: Time, ask: Ask) {
        if self.registration.is_in() {
            self.uplink.send(now, ask);
        }
    }
}
