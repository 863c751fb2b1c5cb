//! The timers of direct connections.

use super::{PeerConn, Peers};
use crate::core::time::Time;
use crate::protocol::name::NameKey;

/// The timers of all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A pending connection has not become a link in time: it has not said hello, its name is not in the roster, its
    /// key is not compared yet, or the link in whose place it would step has not ended.
    Pending(u64),
    /// Nobody answers a connection that we make.
    Opening(PeerConn),
    /// The other side's machine has not acknowledged the oldest message.
    Acknowledged(PeerConn),
    /// The oldest text that is not sent has waited too long for room.
    Queued(PeerConn),
    /// The receipt for the oldest text is late, or none has come for a while.
    Read(PeerConn),
    /// The link wants to acknowledge, to probe, or to be given up.
    Link(PeerConn),
}

impl Peers {
    /// Lets time pass.
    pub fn tick(&mut self, now: Time) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Pending(conn) => self.drop_pending(conn),
                Timer::Opening(conn)
                | Timer::Acknowledged(conn)
                | Timer::Queued(conn)
                | Timer::Read(conn)
                | Timer::Link(conn) => {
                    if let Some(name) = self.conns.get(&conn).cloned() {
                        self.link_tick(now, &name);
                    }
                }
            }
        }
    }

    /// When [`Peers::tick`] is wanted.
    pub fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Sets the timers of a link, after something has happened on it.
    pub(super) fn set_timers(&mut self, name: &NameKey) {
        let Some(link) = self.links.get(name) else { return };
        for (timer, at) in link.deadlines(self.config.ack_timeout) {
            self.timers.set_or_stop(timer, at);
        }
    }

    /// Stops the timers of a link that is no more.
    pub(super) fn stop_timers(&mut self, conn: PeerConn) {
        for timer in [Timer::Opening, Timer::Acknowledged, Timer::Queued, Timer::Read, Timer::Link] {
            self.timers.stop(timer(conn));
        }
    }
}
