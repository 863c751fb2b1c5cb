//! Dialling a person, and dialling them again where they have turned out to be by then.
//!
//! What the roster says is a moment old: a client that was started again, or whose address has changed, is not where it
//! was. So what was dialled in vain is no failure yet: the hub is asked where the person is ([`PeerEvent::Sought`]).

use std::time::Duration;

use super::link_end::LinkEnd;
use super::links::{LinkStage, PeerLink, hello};
use super::{MEETING, PeerConn, PeerEvent, PeerOutput, Peers, Person};
use crate::core::time::Time;
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, Failure, Route};

/// Added to `ack_timeout` for opening a link: a handshake takes several round trips, and where UDP does not pass, TCP
/// is tried after a while.
const OPENING: Duration = Duration::from_millis(500);

/// How long the hub may take to say where somebody is.
const SEEKING: Duration = Duration::from_secs(1);

/// How often somebody is dialled for one link: a hub that names another address each time must come to an end.
const DIALS: u8 = 3;

impl Peers {
    pub(super) fn dial(&mut self, now: Time, name: &NameKey, person: Person) {
        let number = self.next_dial;
        self.next_dial += 1;
        let conn = PeerConn::Dialled(number);
        self.out.push_back(PeerOutput::Dial(number, person.clone()));
        let stage = LinkStage::Dialling { until: now + self.config.ack_timeout + OPENING };
        self.conns.insert(conn, name.to_owned());
        let mut link = PeerLink::new(person, conn, stage);
        if let Some(before) = self.links.remove(name) {
            self.conns.remove(&before.conn);
            self.stop_timers(before.conn);
            self.out.push_back(PeerOutput::Close(before.conn));
            (link.queue, link.dials) = (before.queue, before.dials);
        }
        link.dials += 1;
        self.links.insert(name.to_owned(), link);
        self.set_timers(name);
    }

    pub(super) fn dialled(&mut self, number: u64, route: Route) {
        let conn = PeerConn::Dialled(number);
        let Some(me) = &self.me else { return };
        let Some(link) = self.conns.get(&conn).and_then(|name| self.links.get_mut(name)) else { return };
        if let LinkStage::Dialling { until } = link.stage {
            link.stage = LinkStage::Greeting { until };
            link.route = route;
            self.out.push_back(PeerOutput::Say(conn, hello(me)));
        }
    }

    /// The other side is met by way of the hub, which takes longer than dialling.
    pub(super) fn meeting(&mut self, now: Time, number: u64) {
        let Some(name) = self.conns.get(&PeerConn::Dialled(number)).cloned() else { return };
        if let Some(LinkStage::Dialling { until }) = self.links.get_mut(&name).map(|link| &mut link.stage) {
            *until = now + MEETING;
            self.set_timers(&name);
        }
    }

    pub(super) fn dial_failed(&mut self, now: Time, number: u64, failure: Failure) {
        let Some(name) = self.conns.get(&PeerConn::Dialled(number)).cloned() else { return };
        if self.links.get(&name).is_some_and(|link| matches!(link.stage, LinkStage::Dialling { .. })) {
            self.unopened(now, &name, failure);
        }
    }

    /// A person could not be reached where they were dialled. Whether they are there at all is asked before it is told.
    pub(super) fn unopened(&mut self, now: Time, name: &NameKey, failure: Failure) {
        let moved = matches!(failure.code, ErrorCode::PeerUnreachable | ErrorCode::PeerKeyChanged);
        let comes_to_us = self.parked(name).is_some();
        let Some(link) = self.links.get_mut(name) else { return };
        if !moved || comes_to_us || link.dials >= DIALS {
            return self.end_link(now, name, LinkEnd::Unopened(failure));
        }
        link.stage = LinkStage::Seeking { until: now + SEEKING, failure };
        self.events.push_back(PeerEvent::Sought(link.person.name.clone()));
        self.set_timers(name);
    }

    /// The hub was asked where somebody is, who could not be reached: `None` if nobody knows. Unless they are somewhere
    /// else by now, that is told.
    pub fn found(&mut self, now: Time, name: &NameKey, person: Option<Person>) {
        if let Some(person) = person {
            self.is_at(now, name, person);
        }
        if let Some(PeerLink { stage: LinkStage::Seeking { failure, .. }, .. }) = self.links.get(name) {
            let failure = failure.clone();
            self.end_link(now, name, LinkEnd::Unopened(failure));
        }
    }

    /// A person with whom a link is being opened is there now: dialled again if they were dialled somewhere else.
    pub(super) fn is_at(&mut self, now: Time, name: &NameKey, person: Person) {
        let Some(link) = self.links.get_mut(name).filter(|link| !link.is_open()) else { return };
        let elsewhere = person.address != link.person.address || person.key != link.person.key;
        if elsewhere && link.dials < DIALS {
            return self.dial(now, name, person);
        }
        link.number = Some(person.number);
    }
}
