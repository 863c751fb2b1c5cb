//! How events wait for a slow reader: what each weighs, and in which class it is.

use super::outbox::{Queued, StateKey};
use crate::protocol::{Event, EventLine, event};

/// A name in a list, with what stands beside it: at most 32 characters, and the list has room to grow.
const NAME: usize = 256;

/// How an event waits. See [`outbox`](super::outbox).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The last event of a request, or of all.
    Answer,
    /// What has happened.
    Fact,
    /// How something stands.
    State(StateKey),
}

impl Class {
    /// The class of an event.
    pub fn of(line: &EventLine) -> Self {
        match &line.event {
            Event::TableUpdated(_) => Self::State(StateKey::Table),
            Event::RosterUpdated(_) => Self::State(StateKey::Roster),
            Event::OfferProgress(_) => Self::State(StateKey::Hashing),
            Event::TransferQueued(queued) => Self::State(StateKey::Place(queued.transfer)),
            Event::TransferProgress(progress) => Self::State(StateKey::Transfer(progress.transfer)),
            Event::Bye(_) => Self::Answer,
            _ if line.last => Self::Answer,
            _ => Self::Fact,
        }
    }
}

impl Queued for EventLine {
    fn stamp(&self) -> u64 {
        self.time.map_or(0, |time| time.0 as u64)
    }

    fn bytes(&self) -> usize {
        // Most events are small; those that list things grow with what they list.
        512 + match &self.event {
            Event::Table(table) => 512 * table.offers.len(),
            Event::Roster(roster) => 512 * roster.clients.len(),
            Event::OfferAcked(acked) => 512 * (acked.offers.len() + acked.skipped.len()),
            Event::OfferChanged(changed) => 512 * (changed.offers.len() + changed.withdrawn.len()),
            Event::OfferKept(kept) => NAME * kept.files.len(),
            Event::Withdrawn(withdrawn) => NAME * withdrawn.files.len(),
            Event::Found(found) => found.files.iter().map(|file| 512 + NAME * file.holders.len()).sum(),
            Event::Chunks(chunks) => chunks.holders.iter().map(|holder| NAME + 32 * holder.has.ranges().count()).sum(),
            Event::Status(status) => 512 * status.clients.len(),
            Event::Error(error) => error.message.len() + error.hint.as_ref().map_or(0, String::len),
            Event::Transfers(transfers) => 512 * transfers.transfers.len(),
            Event::TransferCompleted(completed) => NAME * completed.sources.len(),
            Event::Help(help) => 1_024 * help.commands.len(),
            Event::Message(event::Message { text, .. })
            | Event::RoomMessage(event::RoomMessage { text, .. })
            | Event::PrivateMessage(event::PrivateMessage { text, .. }) => text.len(),
            Event::History(history) => history.messages.iter().map(|said| 512 + said.text.len()).sum(),
            Event::Rooms(rooms) => NAME * rooms.rooms.len(),
            Event::Members(members) => NAME * members.members.len(),
            Event::Blocks(event::Blocks { names: people })
            | Event::RoomCreated(event::RoomCreated { members: people, .. })
            | Event::RoomJoined(event::RoomJoined { members: people, .. })
            | Event::RoomInvited(event::RoomInvited { members: people, .. }) => NAME * people.len(),
            Event::RoomChanged(changed) => NAME * (changed.joined.len() + changed.left.len()),
            _ => 0,
        }
    }
}
