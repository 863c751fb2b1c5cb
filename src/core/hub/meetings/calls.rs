//! Calls: the hub itself wants a connection with a client that it cannot dial, to fetch a content from it. The client
//! is asked to a meeting like by another client, and its half is the connection.

use std::collections::BTreeMap;

use crate::core::hub::PeerId;
use crate::core::time::Time;
use crate::protocol::limits::MEETING_TIME;

/// A call that the client has not answered yet.
#[derive(Debug, Clone, Copy)]
struct Call {
    /// The driver's number for it.
    call: u64,
    id: PeerId,
    since: Time,
}

/// The calls that are not answered yet, by their meetings.
#[derive(Default)]
pub(super) struct Calls(BTreeMap<u64, Call>);

impl Calls {
    pub(super) fn begin(&mut self, now: Time, meeting: u64, call: u64, id: PeerId) {
        self.0.insert(meeting, Call { call, id, since: now });
    }

    /// Takes the driver's number of a call, because it is answered or over.
    pub(super) fn take(&mut self, meeting: u64) -> Option<u64> {
        self.0.remove(&meeting).map(|call| call.call)
    }

    /// When the oldest one is over.
    pub(super) fn due(&self) -> Option<Time> {
        self.0.values().next().map(|call| call.since + MEETING_TIME)
    }

    /// The meetings of calls that are over by now, or whose client has left.
    pub(super) fn over(&self, now: Time, left: Option<PeerId>) -> Vec<u64> {
        let over = |call: &Call| left.map_or(call.since + MEETING_TIME <= now, |id| call.id == id);
        self.0.iter().filter(|(_, call)| over(call)).map(|(meeting, _)| *meeting).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
