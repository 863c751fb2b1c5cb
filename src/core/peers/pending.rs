//! Connections that others have made and that are no links yet. Each must say a hello, is looked up in the roster, and
//! has its key compared with the one that is pinned for the name.

use std::collections::VecDeque;
use std::time::Duration;

use super::links::{LinkStage, PeerLink, QueuedText, hello};
use super::timers::Timer;
use super::{PeerConn, PeerOutput, Peers, Person, RosterLookup};
use crate::core::time::Time;
use crate::protocol::limits::{PRIVATE_LINKS, PRIVATE_PENDING};
use crate::protocol::name::{NameKey, check_person};
use crate::protocol::wire::{LINK_PROTOCOL, PeerBody, PeerHello};
use crate::protocol::{Failure, PublicKey, Route, to_json};

/// How long a connection may take to say hello, and again to become a link.
const HELLO_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a name that says hello may be missing from the roster, because the update may be on its way.
const ROSTER_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection that is not a link yet.
pub(super) struct PendingConnection {
    key: PublicKey,
    route: Route,
    stage: PendingStage,
}

/// What a pending connection waits for.
enum PendingStage {
    Hello,
    /// For this name and number to appear in the roster.
    Roster(NameKey, u64),
    /// For the driver to compare its key with the pinned one.
    Pin(Person),
    /// For the open link with this person to end.
    LinkToEnd(Person),
}

impl Peers {
    pub(super) fn accepted(&mut self, now: Time, conn: u64, key: PublicKey, route: Route) {
        if self.me.is_none() {
            return self.out.push_back(PeerOutput::Close(PeerConn::Accepted(conn)));
        }
        if self.pending.len() >= PRIVATE_PENDING
            && let Some(&oldest) = self.pending.keys().next()
        {
            self.drop_pending(oldest);
        }
        self.pending.insert(conn, PendingConnection { key, route, stage: PendingStage::Hello });
        self.timers.set(Timer::Pending(conn), now + HELLO_TIMEOUT);
    }

    pub(super) fn pending_line(&mut self, now: Time, conn: u64, line: &[u8], roster: RosterLookup<'_>) {
        let Some(pending) = self.pending.get_mut(&conn) else { return };
        let hello = match &pending.stage {
            PendingStage::Hello => serde_json::from_slice::<PeerHello>(line).ok(),
            // The other side must not send anything before our answer.
            PendingStage::Roster(..) | PendingStage::Pin(_) | PendingStage::LinkToEnd(_) => None,
        };
        match hello {
            Some(PeerHello { hello, private, number }) if hello == LINK_PROTOCOL && check_person(&private).is_ok() => {
                pending.stage = PendingStage::Roster(NameKey::of(&private), number);
                self.timers.set(Timer::Pending(conn), now + ROSTER_TIMEOUT);
                self.recognise(now, conn, roster);
            }
            _ => self.drop_pending(conn),
        }
    }

    /// The names that pending connections have given and that are not in the roster.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &NameKey> {
        self.pending.values().filter_map(|pending| match &pending.stage {
            PendingStage::Roster(name, _) => Some(name),
            PendingStage::Hello | PendingStage::Pin(_) | PendingStage::LinkToEnd(_) => None,
        })
    }

    /// Looks up the person that a connection claims to be.
    pub(super) fn recognise(&mut self, now: Time, conn: u64, roster: RosterLookup<'_>) {
        let own = self.me.as_ref().map(|me| &me.name_key);
        let Some(pending) = self.pending.get_mut(&conn) else { return };
        let PendingStage::Roster(name, number) = &pending.stage else { return };
        let key = pending.key;
        let is = |person: &Person| person.key == key && person.number == *number && own != Some(name);
        let Some(person) = roster(name).filter(is) else { return };
        self.out.push_back(PeerOutput::Pin(conn, person.name.clone(), key));
        pending.stage = PendingStage::Pin(person);
        self.timers.set(Timer::Pending(conn), now + HELLO_TIMEOUT);
    }

    pub(super) fn pinned(&mut self, now: Time, conn: u64, result: Result<(), Failure>) {
        let Some(pending) = self.pending.get(&conn) else { return };
        let (PendingStage::Pin(person), Some(me)) = (&pending.stage, &self.me) else { return };
        if result.is_err() {
            return self.turn_away(conn);
        }
        let (person, name) = (person.clone(), NameKey::of(&person.name));
        let full = self.links.len() >= PRIVATE_LINKS;
        match self.links.get_mut(&name) {
            None if full => self.turn_away(conn),
            None => self.take_in(now, conn, person, VecDeque::new()),
            // Both sides have dialled, and theirs is the connection that counts; or ours was in vain.
            Some(link) if !link.is_open() && (name < me.name_key || link.is_sought()) => {
                let queue = std::mem::take(&mut link.queue);
                let own = link.conn;
                self.links.remove(&name);
                self.conns.remove(&own);
                self.stop_timers(own);
                self.out.push_back(PeerOutput::Close(own));
                self.take_in(now, conn, person, queue);
            }
            Some(link) => {
                if let LinkStage::Open(carrier) = &mut link.stage {
                    carrier.probe(now);
                    self.talking.insert(name.clone());
                }
                if let Some((before, _)) = self.parked(&name) {
                    self.drop_pending(before);
                }
                if let Some(pending) = self.pending.get_mut(&conn) {
                    pending.stage = PendingStage::LinkToEnd(person);
                    self.timers.set(Timer::Pending(conn), now + HELLO_TIMEOUT);
                }
            }
        }
    }

    /// Turns a pending connection into a link, and sends the waiting texts over it.
    pub(super) fn take_in(&mut self, now: Time, number: u64, person: Person, queue: VecDeque<QueuedText>) {
        let (conn, name) = (PeerConn::Accepted(number), NameKey::of(&person.name));
        let Some(me) = &self.me else { return };
        let route = self.pending.remove(&number).map_or(Route::Direct, |pending| pending.route);
        self.timers.stop(Timer::Pending(number));
        self.out.push_back(PeerOutput::Say(conn, hello(me)));
        self.conns.insert(conn, name.clone());
        let mut link = PeerLink::new(person, conn, LinkStage::Greeting { until: now });
        (link.queue, link.route) = (queue, route);
        self.links.insert(name.clone(), link);
        self.opened(now, &name, true);
    }

    /// The pending connection that waits for the link with this person to end.
    pub(super) fn parked(&self, name: &NameKey) -> Option<(u64, Person)> {
        self.pending.iter().find_map(|(conn, pending)| match &pending.stage {
            PendingStage::LinkToEnd(person) if NameKey::of(&person.name) == *name => Some((*conn, person.clone())),
            PendingStage::LinkToEnd(_) | PendingStage::Hello | PendingStage::Roster(..) | PendingStage::Pin(_) => None,
        })
    }

    /// Closes a pending connection without a reason.
    pub(super) fn drop_pending(&mut self, conn: u64) {
        self.pending.remove(&conn);
        self.timers.stop(Timer::Pending(conn));
        self.out.push_back(PeerOutput::Close(PeerConn::Accepted(conn)));
    }

    /// Closes a pending connection, and tells the other side that it is refused.
    fn turn_away(&mut self, conn: u64) {
        let line = to_json(&PeerBody::Close("not taken".into()));
        self.out.push_back(PeerOutput::Say(PeerConn::Accepted(conn), line));
        self.drop_pending(conn);
    }
}
