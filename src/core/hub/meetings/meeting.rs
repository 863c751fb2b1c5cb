//! One meeting: its two sides, and what has become of it.

use std::net::SocketAddr;

use super::shares::Payer;
use crate::core::hub::{HalfId, PeerId};
use crate::core::time::Time;
use crate::protocol::ErrorCode;
use crate::protocol::limits::MEETING_PLACES;
use crate::protocol::log;

/// How often one side may say anew where it is.
const NEWS: usize = 8;

/// Two clients of which one wants a connection with the other.
pub(super) struct Meeting {
    pub(super) since: Time,
    /// The asked side blocks the asker, and hears nothing of it.
    pub(super) hidden: bool,
    /// It is over when the two hand over no parcel any more.
    pub(super) of_parcel: bool,
    /// The payer's number if a stream is kept for the meeting; otherwise why not.
    pub(super) relay: Result<u64, ErrorCode>,
    pub(super) payer: Payer,
    pub(super) asker: Side,
    pub(super) asked: Side,
    /// Set once its halves are joined.
    pub(super) joined: Option<Joined>,
}

/// The relayed stream of a meeting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Joined {
    pub(super) since: Time,
    /// The bytes that it has carried, both directions together.
    pub(super) bytes: u64,
    /// Its end has been ordered.
    pub(super) cut: bool,
}

/// One side of a meeting.
pub(super) struct Side {
    pub(super) id: PeerId,
    pub(super) name: String,
    /// The connection that may be joined, once it has come.
    pub(super) half: Option<HalfId>,
    /// The connection that only shows an address.
    pub(super) observed: Option<HalfId>,
    outer: Vec<SocketAddr>,
    inner: Vec<SocketAddr>,
    /// How often it has said where it is.
    said: usize,
}

impl Side {
    pub(super) fn new(id: PeerId, name: String) -> Self {
        Self { id, name, half: None, observed: None, outer: Vec::new(), inner: Vec::new(), said: 0 }
    }

    /// Whether a connection of this side has come.
    pub(super) fn has_come(&self) -> bool {
        !self.outer.is_empty()
    }

    /// A connection of this side came from an address. Returns whether that is news: of each family only the first
    /// counts.
    pub(super) fn came_from(&mut self, address: SocketAddr) -> bool {
        let news = self.outer.iter().all(|known| known.is_ipv4() != address.is_ipv4());
        if news {
            self.outer.push(address);
        }
        news
    }

    /// This side says where it is inside its network. Returns whether that is news.
    pub(super) fn is_at(&mut self, mut inner: Vec<SocketAddr>) -> bool {
        inner.truncate(MEETING_PLACES);
        let news = self.said < NEWS && self.inner != inner;
        if news {
            self.said += 1;
            self.inner = inner;
        }
        news
    }

    /// The addresses from which its connections came, and those that it says it has.
    pub(super) fn places(&self) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
        (self.outer.clone(), self.inner.clone())
    }
}

impl Meeting {
    pub(super) fn side_mut(&mut self, asker: bool) -> &mut Side {
        if asker { &mut self.asker } else { &mut self.asked }
    }

    /// Whether this session is the side that has asked; `None` if it has no part in the meeting, or must not know of it.
    pub(super) fn is_asker(&self, id: PeerId) -> Option<bool> {
        match id {
            _ if self.asker.id == id => Some(true),
            _ if self.asked.id == id && !self.hidden => Some(false),
            _ => None,
        }
    }

    /// Whether a connection of each side has come.
    pub(super) fn both_came(&self) -> bool {
        self.asker.has_come() && self.asked.has_come()
    }

    /// Both halves and the payer's number, if they can be joined now.
    pub(super) fn can_join(&self) -> Option<([HalfId; 2], u64)> {
        let payer = self.relay.ok().filter(|_| self.joined.is_none())?;
        Some(([self.asker.half?, self.asked.half?], payer))
    }

    /// Takes the connections that are not joined.
    pub(super) fn take_unjoined(&mut self) -> Vec<HalfId> {
        let joined = self.joined.is_some();
        let sides = [&mut self.asker, &mut self.asked];
        let halves = sides.into_iter().flat_map(|side| {
            let half = side.half.take_if(|_| !joined);
            [half, side.observed.take()]
        });
        halves.flatten().collect()
    }

    /// The line of the log that says what was relayed.
    pub(super) fn relay_ended(&self, number: u64, now: Time, why: String) -> Option<log::RelayEnded> {
        let joined = self.joined?;
        Some(log::RelayEnded {
            meeting: number,
            by: self.asker.name.clone(),
            with: self.asked.name.clone(),
            bytes: joined.bytes,
            took: (now - joined.since).as_millis() as u64,
            why,
        })
    }
}
