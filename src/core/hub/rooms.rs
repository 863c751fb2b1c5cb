//! What is told of rooms, and who of their members is here.

use super::{Hub, PeerId};
use crate::protocol::name::{NameKey, is_lobby};
use crate::protocol::types::{Member, RoomAccess, RoomInfo};
use crate::protocol::{Event, Failure, event, request};

impl Hub {
    /// How many are in a room; `lobby` is everybody.
    pub(super) fn size_of(&self, room: &str) -> usize {
        if is_lobby(room) {
            return self.online.len();
        }
        let rooms = self.state.rooms();
        rooms.named(&NameKey::of(room)).map_or(0, |room| rooms.size(room))
    }

    pub(super) fn members_online(&self, room: u64) -> impl Iterator<Item = (PeerId, &NameKey)> {
        self.state.rooms().members(room).filter_map(|(name, _)| Some((*self.online.get(name)?, name)))
    }

    pub(super) fn list_rooms(&self, id: PeerId) -> Result<Event, Failure> {
        let me = self.me(id)?;
        let rooms = self.state.rooms();
        let infos = rooms.by_name().map(|(number, room)| RoomInfo {
            room: room.name.clone(),
            access: room.access,
            members: rooms.size(number) as u64,
            joined: rooms.is_in(number, &me.name_key),
        });
        let rooms = infos.filter(|room| room.joined || room.access == RoomAccess::Open).collect();
        Ok(event::Rooms { rooms }.into())
    }

    pub(super) fn list_members(&self, id: PeerId, request: &request::Members) -> Result<Event, Failure> {
        let me = self.me(id)?;
        if is_lobby(&request.room) {
            return Ok(self.everybody());
        }
        let room = self.state.room_named(&request.room)?;
        if self.state.room_access(room) == RoomAccess::Invite {
            self.state.own_room(&me.name_key, &request.room)?;
        }
        let members = self.state.member_names(room).into_iter();
        let members = members.map(|name| Member { state: self.presence(&name), name }).collect();
        Ok(event::Members { room: self.state.room_name(room), members }.into())
    }

    pub(super) fn focus(&self, id: PeerId, request: &request::Focus) -> Result<Event, Failure> {
        let me = self.me(id)?;
        let room = self.state.own_room(&me.name_key, &request.room)?;
        Ok(event::Focused { room: self.state.room_name(room) }.into())
    }
}
