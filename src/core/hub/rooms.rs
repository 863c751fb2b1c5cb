//! Answers about rooms and their members (`rooms`, `members`, `focus`). What changes rooms is decided in `state`.

use super::cx::{Base, Cx};
use super::{PeerId, roster};
use crate::protocol::name::{NameKey, is_lobby};
use crate::protocol::types::{Member, RoomAccess, RoomInfo};
use crate::protocol::{Event, Failure, event, request};

/// The number of people in a room; in the lobby, all names in use. Used for the price of a request.
pub(super) fn size_of(base: &Base, room: &str) -> usize {
    if is_lobby(room) {
        return base.sessions.names();
    }
    let rooms = base.journal.state.rooms();
    rooms.named(&NameKey::of(room)).map_or(0, |room| rooms.size(room))
}

/// The members of a room that are here, with their sessions.
pub(super) fn members_online<'a>(cx: &'a Cx<'_>, room: u64) -> impl Iterator<Item = (PeerId, &'a NameKey)> {
    cx.journal.state.rooms().members(room).filter_map(|(name, _)| Some((cx.sessions.named(name)?, name)))
}

/// Handles `rooms`: the open rooms, and those that the client is in.
pub(super) fn list_rooms(cx: &Cx<'_>, id: PeerId) -> Result<Event, Failure> {
    let me = cx.sessions.me(id)?;
    let rooms = cx.journal.state.rooms();
    let infos = rooms.by_name().map(|(number, room)| RoomInfo {
        room: room.name.clone(),
        access: room.access,
        members: rooms.size(number) as u64,
        joined: rooms.is_in(number, &me.name_key),
    });
    let rooms = infos.filter(|room| room.joined || room.access == RoomAccess::Open).collect();
    Ok(event::Rooms { rooms }.into())
}

/// Handles `members`. Only members see who is in a room with invitations.
pub(super) fn list_members(cx: &Cx<'_>, id: PeerId, request: &request::Members) -> Result<Event, Failure> {
    let me = cx.sessions.me(id)?;
    if is_lobby(&request.room) {
        return Ok(roster::everybody(cx));
    }
    let room = cx.journal.state.room_named(&request.room)?;
    if cx.journal.state.room_access(room) == RoomAccess::Invite {
        cx.journal.state.own_room(&me.name_key, &request.room)?;
    }
    let members = cx.journal.state.member_names(room).into_iter();
    let members = members.map(|name| Member { state: cx.presence(&name), name }).collect();
    Ok(event::Members { room: cx.journal.state.room_name(room), members }.into())
}

/// Handles `focus`: checks that the client is in the room, and answers with the room's name as it was written.
pub(super) fn focus(cx: &Cx<'_>, id: PeerId, request: &request::Focus) -> Result<Event, Failure> {
    let me = cx.sessions.me(id)?;
    let room = cx.journal.state.own_room(&me.name_key, &request.room)?;
    Ok(event::Focused { room: cx.journal.state.room_name(room) }.into())
}
