//! Tells the user what happens on direct connections.

use super::Privates;
use super::unwritten::Unwritten;
use crate::core::peers::PeerEvent;
use crate::core::session::asks::Origin;
use crate::core::session::context::Context;
use crate::core::session::inbox::Inbox;
use crate::core::time::Time;
use crate::protocol::name::NameKey;
use crate::protocol::wire::{Ask, Unreachable};
use crate::protocol::{Event, Request, Timestamp, event, request};

impl Privates {
    pub(super) fn tell_events(&mut self, now: Time, cx: &mut Context, inbox: &mut Inbox) {
        while let Some(event) = self.peers.next_event() {
            match event {
                PeerEvent::Opened { peer, theirs, ticket } => self.private_opened(now, cx, inbox, peer, theirs, ticket),
                PeerEvent::Said { peer, link, number, text, sent } => {
                    let (name, withheld) = (NameKey::of(&peer), inbox.is_blocked(&NameKey::of(&peer)));
                    self.unwritten.push_back(Unwritten { name: name.clone(), link, number, withheld });
                    let to = cx.registration.name().unwrap_or_default().to_owned();
                    self.private_said(now, cx, inbox, event::PrivateMessage { number, from: peer, to, text, sent });
                    if inbox.is_focused() {
                        self.peers.held(now, &name, link, number);
                    }
                }
                PeerEvent::Acked { ticket, peer, number, sent } => {
                    self.private_acked(now, cx, ticket, acked(peer, number, sent, 1))
                }
                PeerEvent::Held { ticket, peer, number, sent } => {
                    self.private_acked(now, cx, ticket, acked(peer, number, sent, 0))
                }
                PeerEvent::Delivered { peer, number } => {
                    inbox.tell_unless_held(now, cx, event::MessageDelivered { number, to: peer, private: true }.into());
                }
                PeerEvent::RoundTrip { ticket, micros } => drop(self.ping_ends(now, cx, ticket, Ok(micros))),
                PeerEvent::Failed { ticket, failure } if self.ping_ends(now, cx, ticket, Err(failure.clone())) => {}
                PeerEvent::Failed { ticket, failure } => {
                    if let Some(pending) = self.pending.remove(&ticket) {
                        cx.refuse(now, pending.id, failure);
                    }
                }
                PeerEvent::Closed { peer, reason } => {
                    if self.announced.remove(&NameKey::of(&peer)) {
                        self.tell_private(now, cx, inbox, &peer.clone(), event::PrivateClosed { peer, reason });
                    }
                }
                // While the hub is lost, nobody tells.
                PeerEvent::Sought(peer) if cx.registration.is_in() && cx.uplink.takes_requests() => {
                    let to = NameKey::of(&peer);
                    cx.ask(now, request::PrivateOpen { to: peer }.into(), Origin::Seek(to));
                }
                PeerEvent::Sought(peer) => self.peers.found(now, &NameKey::of(&peer), None),
                // A hub that does not know us yet finds out by itself.
                PeerEvent::Doubted(name) if cx.registration.is_in() && !cx.uplink.is_entering() => {
                    cx.uplink.send(now, Ask::Unreachable(Unreachable { unreachable: name }));
                }
                PeerEvent::Doubted(_) => {}
            }
        }
    }

    fn private_acked(&mut self, now: Time, cx: &mut Context, ticket: u64, acked: event::MessageAcked) {
        if let Some(pending) = self.pending.remove(&ticket) {
            cx.finish(now, pending.id, acked);
        }
    }

    fn private_opened(
        &mut self,
        now: Time,
        cx: &mut Context,
        inbox: &mut Inbox,
        peer: String,
        theirs: bool,
        ticket: Option<u64>,
    ) {
        let by = if theirs { peer.clone() } else { cx.registration.name().unwrap_or_default().to_owned() };
        let name = NameKey::of(&peer);
        let opened = self.opened_event(&peer, &by);
        let Some((ticket, pending)) = ticket.and_then(|ticket| Some((ticket, self.pending.get(&ticket)?))) else {
            if !inbox.is_blocked(&name) {
                self.announced.insert(name);
                self.tell_private(now, cx, inbox, &peer, opened);
            }
            return;
        };
        let pings = matches!(pending.request, Request::Ping(_));
        if pings {
            self.peers.measure(now, &name, ticket);
        }
        let new = self.announced.insert(name);
        let (id, last) = (pending.id.clone(), matches!(pending.request, Request::PrivateOpen(_)));
        if last {
            self.pending.remove(&ticket);
        }
        // Several that measure the way may have waited for the same connection.
        if pings && !new {
            return;
        }
        cx.tell_for(now, id, last, opened);
    }

    fn private_said(&mut self, now: Time, cx: &mut Context, inbox: &mut Inbox, said: event::PrivateMessage) {
        let peer = said.from.clone();
        let name = NameKey::of(&peer);
        if !inbox.is_blocked(&name) && self.announced.insert(name) {
            // It was opened while we blocked them, so the user was not told.
            let opened = self.opened_event(&peer, &peer);
            self.tell_private(now, cx, inbox, &peer, opened);
        }
        self.tell_private(now, cx, inbox, &peer, said);
    }

    /// Tells an event that another client has caused, unless our user has blocked them.
    fn tell_private(&mut self, now: Time, cx: &mut Context, inbox: &mut Inbox, peer: &str, event: impl Into<Event>) {
        let event = event.into();
        if inbox.is_blocked(&NameKey::of(peer)) {
            // The message goes the same way as any other, so that its sender cannot tell by the time that it takes.
            if let Event::PrivateMessage(_) = event {
                inbox.tell_unless_held(now, cx, event::Withheld { number: 0 }.into());
            }
            return;
        }
        let ours = matches!(&event, Event::PrivateOpened(opened) if Some(opened.by.as_str()) == cx.registration.name());
        match ours {
            // Our user has asked for it.
            true => cx.tell(now, event),
            false => inbox.tell_unless_held(now, cx, event),
        }
    }
}

/// The answer to what was said directly; `delivered` is how many have it by now.
fn acked(to: String, number: u64, sent: Timestamp, delivered: u64) -> event::MessageAcked {
    event::MessageAcked { number, sent, to: Some(to), room: None, stored: false, delivered, blocked: None }
}
