//! The timers of direct connections.

use super::{PeerConn, Peers};
use crate::core::time::Time;
use crate::protocol::name::NameKey;

/// The timers of all direct connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A pending connection has not become a link in time: its hello is missing, its name is not in the roster, its key
    /// has not been compared, or the link that it should replace has not ended.
    Pending(u64),
    /// A connection that we dialled has not become a link in time.
    Opening(PeerConn),
    /// The other side's machine has not acknowledged the oldest message in time.
    Acknowledged(PeerConn),
    /// The oldest waiting text has waited too long for room.
    Queued(PeerConn),
    /// The receipt of the oldest message is late, or none has arrived for a while.
    Read(PeerConn),
    /// The link must acknowledge, probe or be given up.
    Link(PeerConn),
}

impl Peers {
    /// Handles the timers that are due.
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

    /// When [`Peers::tick`] must be called at the latest.
    pub fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Updates the timers of a link after something happened on it.
    pub(super) fn set_timers(&mut self, name: &NameKey) {
        let Some(link) = self.links.get(name) else { return };
        for (timer, at) in link.deadlines(self.config.ack_timeout) {
            self.timers.set_or_stop(timer, at);
        }
    }

    /// Stops the timers of a link that has ended.
    pub(super) fn stop_timers(&mut self, conn: PeerConn) {
        for timer in [Timer::Opening, Timer::Acknowledged, Timer::Queued, Timer::Read, Timer::Link] {
            self.timers.stop(timer(conn));
        }
    }
}
