//! What is meant by the names that a request gives: people and rooms. Judging uses it, and so do questions that change
//! nothing.

use super::State;
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::types::RoomAccess;
use crate::protocol::{ErrorCode, Failure};

/// The beginning of the names that the hub makes up for rooms; a number follows.
pub(super) const MADE_UP: &str = "room-";

impl State {
    /// The key of another person's name in a request; `at` is the field that names them.
    ///
    /// # Errors
    /// `yourself`, `no-such-person`
    pub(in crate::core::hub) fn other(&self, me: &NameKey, name: &str, at: &str) -> Result<NameKey, Failure> {
        let name_key = NameKey::of(name);
        let failure = if name_key == *me {
            ErrorCode::Yourself.into()
        } else if !self.names.is_taken(&name_key) {
            let shown: String = name.chars().take(40).collect();
            Failure::new(ErrorCode::NoSuchPerson, format!("Nobody called {shown} is known here."))
        } else {
            return Ok(name_key);
        };
        Err(failure.at(pointer_at(at)))
    }

    /// The number of a room that somebody is in.
    ///
    /// # Errors
    /// `no-such-room`, `not-a-member`
    pub(in crate::core::hub) fn own_room(&self, me: &NameKey, room: &str) -> Result<u64, Failure> {
        let number = self.room_named(room)?;
        if self.rooms.is_in(number, me) {
            return Ok(number);
        }
        let name = self.room_name(number);
        Err(Failure::new(ErrorCode::NotAMember, format!("You are not in {name}.")).at(pointer_at("/room")))
    }

    /// The number of the room with this name.
    ///
    /// # Errors
    /// `no-such-room`
    pub(in crate::core::hub) fn room_named(&self, room: &str) -> Result<u64, Failure> {
        self.rooms.named(&NameKey::of(room)).ok_or_else(|| {
            let shown: String = room.chars().take(40).collect();
            Failure::new(ErrorCode::NoSuchRoom, format!("There is no room {shown}.")).at(pointer_at("/room"))
        })
    }

    /// The name of a room; a placeholder with its number if it is gone.
    pub(in crate::core::hub) fn room_name(&self, room: u64) -> String {
        self.rooms.get(room).map_or_else(|| format!("{MADE_UP}{room}"), |room| room.name.clone())
    }

    pub(in crate::core::hub) fn room_access(&self, room: u64) -> RoomAccess {
        self.rooms.get(room).map_or(RoomAccess::Invite, |room| room.access)
    }

    pub(in crate::core::hub) fn member_names(&self, room: u64) -> Vec<String> {
        self.rooms.members(room).map(|(who, _)| self.names.shown(who)).collect()
    }
}
