//! Connections that others have made and that are no links yet: whose they are, and when they become links.

use std::collections::VecDeque;
use std::time::Duration;

use super::links::{PeerLink, Stage, Wanted, hello};
use super::timers::Timer;
use super::{PeerConn, PeerOutput, Peers, Person, Roster};
use crate::core::time::Time;
use crate::protocol::limits::{PRIVATE_LINKS, PRIVATE_STRANGERS};
use crate::protocol::name::{NameKey, check_person};
use crate::protocol::wire::{LINK_PROTOCOL, PeerBody, PeerHello};
use crate::protocol::{Failure, PublicKey, to_json};

/// How long a connection may take to say hello, and to become a link after it was recognised.
const HELLO_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the roster may take to show who says hello: its update may be on its way.
const ROSTER_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection that is no link yet.
pub(super) struct PendingConnection {
    key: PublicKey,
    waits: Waits,
}

/// What it waits for.
enum Waits {
    Hello,
    /// To be in the roster under this name and number.
    Roster(NameKey, u64),
    /// Whether its key is the one that is known.
    Pin(Person),
    /// The end of the link that there is.
    Place(Person),
}

impl Peers {
    pub(super) fn accepted(&mut self, now: Time, conn: u64, key: PublicKey) {
        if self.me.is_none() {
            return self.out.push_back(PeerOutput::Close(PeerConn::Accepted(conn)));
        }
        if self.pending.len() >= PRIVATE_STRANGERS
            && let Some(&oldest) = self.pending.keys().next()
        {
            self.drop_pending(oldest);
        }
        self.pending.insert(conn, PendingConnection { key, waits: Waits::Hello });
        self.timers.set(Timer::Pending(conn), now + HELLO_TIMEOUT);
    }

    pub(super) fn pending_line(&mut self, now: Time, conn: u64, line: &[u8], roster: Roster<'_>) {
        let Some(pending) = self.pending.get_mut(&conn) else { return };
        let hello = match &pending.waits {
            Waits::Hello => serde_json::from_slice::<PeerHello>(line).ok(),
            // Nothing may be said before we have answered.
            Waits::Roster(..) | Waits::Pin(_) | Waits::Place(_) => None,
        };
        match hello {
            Some(PeerHello { hello, private, number }) if hello == LINK_PROTOCOL && check_person(&private).is_ok() => {
                pending.waits = Waits::Roster(NameKey::of(&private), number);
                self.timers.set(Timer::Pending(conn), now + ROSTER_TIMEOUT);
                self.recognise(now, conn, roster);
            }
            _ => self.drop_pending(conn),
        }
    }

    /// The keys of the names of those who have said hello and are not in the roster.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &NameKey> {
        self.pending.values().filter_map(|pending| match &pending.waits {
            Waits::Roster(name, _) => Some(name),
            Waits::Hello | Waits::Pin(_) | Waits::Place(_) => None,
        })
    }

    /// Looks for somebody who has said hello in the roster.
    pub(super) fn recognise(&mut self, now: Time, conn: u64, roster: Roster<'_>) {
        let own = self.me.as_ref().map(|me| &me.name_key);
        let Some(pending) = self.pending.get_mut(&conn) else { return };
        let Waits::Roster(name, number) = &pending.waits else { return };
        let key = pending.key;
        let is = |person: &Person| person.key == key && person.number == *number && own != Some(name);
        let Some(person) = roster(name).filter(is) else { return };
        self.out.push_back(PeerOutput::Pin(conn, person.name.clone(), key));
        pending.waits = Waits::Pin(person);
        self.timers.set(Timer::Pending(conn), now + HELLO_TIMEOUT);
    }

    pub(super) fn pinned(&mut self, now: Time, conn: u64, result: Result<(), Failure>) {
        let Some(pending) = self.pending.get(&conn) else { return };
        let (Waits::Pin(person), Some(me)) = (&pending.waits, &self.me) else { return };
        if result.is_err() {
            return self.turn_away(conn);
        }
        let (person, name) = (person.clone(), NameKey::of(&person.name));
        let full = self.links.len() >= PRIVATE_LINKS;
        match self.links.get_mut(&name) {
            None if full => self.turn_away(conn),
            None => self.take_in(now, conn, person, VecDeque::new()),
            // Two have dialled each other, and theirs is the one.
            Some(link) if !link.is_open() && name < me.name_key => {
                let queue = std::mem::take(&mut link.queue);
                let own = link.conn;
                self.links.remove(&name);
                self.conns.remove(&own);
                self.stop_timers(own);
                self.out.push_back(PeerOutput::Close(own));
                self.take_in(now, conn, person, queue);
            }
            Some(link) => {
                if let Stage::Open(carrier) = &mut link.stage {
                    carrier.probe(now);
                    self.talking.insert(name.clone());
                }
                if let Some((before, _)) = self.parked(&name) {
                    self.drop_pending(before);
                }
                if let Some(pending) = self.pending.get_mut(&conn) {
                    pending.waits = Waits::Place(person);
                    self.timers.set(Timer::Pending(conn), now + HELLO_TIMEOUT);
                }
            }
        }
    }

    /// Makes a link of a connection. What has waited goes over it.
    pub(super) fn take_in(&mut self, now: Time, number: u64, person: Person, queue: VecDeque<Wanted>) {
        let (conn, name) = (PeerConn::Accepted(number), NameKey::of(&person.name));
        let Some(me) = &self.me else { return };
        self.pending.remove(&number);
        self.timers.stop(Timer::Pending(number));
        self.out.push_back(PeerOutput::Say(conn, hello(me)));
        self.conns.insert(conn, name.clone());
        let mut link = PeerLink::new(person, conn, Stage::Greeting { until: now });
        link.queue = queue;
        self.links.insert(name.clone(), link);
        self.opened(now, &name, true);
    }

    /// Who waits for the end of the link with this name.
    pub(super) fn parked(&self, name: &NameKey) -> Option<(u64, Person)> {
        self.pending.iter().find_map(|(conn, pending)| match &pending.waits {
            Waits::Place(person) if NameKey::of(&person.name) == *name => Some((*conn, person.clone())),
            Waits::Place(_) | Waits::Hello | Waits::Roster(..) | Waits::Pin(_) => None,
        })
    }

    /// Closes a connection of which nothing is told.
    pub(super) fn drop_pending(&mut self, conn: u64) {
        self.pending.remove(&conn);
        self.timers.stop(Timer::Pending(conn));
        self.out.push_back(PeerOutput::Close(PeerConn::Accepted(conn)));
    }

    /// The same for somebody who may know that they are not taken.
    fn turn_away(&mut self, conn: u64) {
        let line = to_json(&PeerBody::Close("not taken".into()));
        self.out.push_back(PeerOutput::Say(PeerConn::Accepted(conn), line));
        self.drop_pending(conn);
    }
}
