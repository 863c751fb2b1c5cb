//! `ping`: measures the round trip to somebody, first through the hub, then directly. What cannot be measured is told
//! with its reason and does not fail the request.

use super::Privates;
use crate::core::session::asks::Origin;
use crate::core::session::context::Context;
use crate::core::session::inbox::Inbox;
use crate::core::session::pending::Pending;
use crate::core::session::replica::Replica;
use crate::core::time::Time;
use crate::protocol::{Failure, event, request};

impl Privates {
    /// Starts `ping`.
    pub(in crate::core::session) fn ping(
        &mut self,
        now: Time,
        cx: &mut Context,
        inbox: &mut Inbox,
        replica: &Replica,
        pending: Pending,
    ) {
        let to = pending.request.peer().unwrap_or_default().to_owned();
        if cx.uplink.is_lost() {
            let hub_failed = Some("the hub does not answer".to_owned());
            let pong = event::Pong { peer: to, hub_us: None, hub_failed, direct_us: None, direct_failed: None };
            return self.ping_directly(now, cx, inbox, replica, pending, pong);
        }
        let pending = Pending { started: now, ..pending };
        cx.ask(now, request::Ping { to }.into(), Origin::User(Box::new(pending)));
    }

    /// The hub has reached the person, or has not.
    pub(in crate::core::session) fn pinged(
        &mut self,
        now: Time,
        cx: &mut Context,
        inbox: &mut Inbox,
        replica: &Replica,
        pending: Pending,
        answer: event::Pong,
    ) {
        let hub_us = answer.hub_failed.is_none().then(|| now.0 - pending.started.0);
        let event::Pong { peer, hub_failed, .. } = answer;
        let pong = event::Pong { peer, hub_us, hub_failed, direct_us: None, direct_failed: None };
        self.ping_directly(now, cx, inbox, replica, pending, pong);
    }

    fn ping_directly(
        &mut self,
        now: Time,
        cx: &mut Context,
        inbox: &mut Inbox,
        replica: &Replica,
        pending: Pending,
        pong: event::Pong,
    ) {
        let person = self.check(cx, replica, &pending.request);
        match person.and_then(|person| self.peers.round_trip(now, person)) {
            Ok(ticket) => {
                self.pongs.insert(ticket, pong);
                self.pending.insert(ticket, pending);
            }
            Err(failure) => answer(now, cx, pending, pong, Err(failure)),
        }
        self.tell_events(now, cx, inbox);
    }

    /// The direct measurement of a `ping` has ended, with a time in microseconds or a failure. Returns whether the
    /// ticket was that of a `ping`.
    pub(super) fn ping_ends(&mut self, now: Time, cx: &mut Context, ticket: u64, direct: Result<u64, Failure>) -> bool {
        let Some(pong) = self.pongs.remove(&ticket) else { return false };
        if let Some(pending) = self.pending.remove(&ticket) {
            answer(now, cx, pending, pong, direct);
        }
        true
    }
}

fn answer(now: Time, cx: &mut Context, pending: Pending, pong: event::Pong, direct: Result<u64, Failure>) {
    let (direct_us, direct_failed) = match direct {
        Ok(micros) => (Some(micros), None),
        Err(failure) => (None, Some(failure.message.into_owned())),
    };
    cx.finish(now, pending.id, event::Pong { direct_us, direct_failed, ..pong });
}
