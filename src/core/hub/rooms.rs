//! Rooms: who is in them, and who may be.

use std::collections::{BTreeMap, BTreeSet};

use super::quotas::Bringer;
use super::room_news::Notice;
use super::roster::Registered;
use super::{Held, Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::PEOPLE_PER_REQUEST;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_room, is_lobby};
use crate::protocol::record::{Record, RoomRecord};
use crate::protocol::types::{Member, RoomAccess, RoomInfo};
use crate::protocol::{ErrorCode, Event, Failure, Id, event, log, request};

/// A room.
pub(super) struct Room {
    name: String,
    access: RoomAccess,
    /// Who has made it.
    pub(super) owner: NameKey,
    /// Who is in it, and since which message.
    pub(super) members: BTreeMap<NameKey, u64>,
}

impl From<RoomRecord> for Room {
    fn from(record: RoomRecord) -> Self {
        Self {
            name: record.name,
            access: record.access,
            owner: record.owner,
            members: record.members.into_iter().collect(),
        }
    }
}

/// What changes in a room: it is told once it is on disk.
enum Change {
    /// One has joined by themselves.
    Joined(u64),
    /// One has left.
    Left(u64),
    /// One has brought these in.
    Brought(u64, Vec<String>),
}

impl Change {
    fn room(&self) -> u64 {
        match self {
            Self::Joined(room) | Self::Left(room) | Self::Brought(room, _) => *room,
        }
    }
}

/// What stands for the name of a room that has none.
const NAMELESS: &str = "+";

/// What the names begin with that we make up; a number follows.
const MADE_UP: &str = "room-";

impl Hub {
    /// The number of a room that one is in.
    pub(super) fn room_of(&self, me: &Registered, room: &str) -> Result<u64, Failure> {
        let number = self.room_named(room)?;
        if self.is_member(number, &me.name_key) {
            return Ok(number);
        }
        let name = self.room_name(number);
        Err(Failure::new(ErrorCode::NotAMember, format!("You are not in {name}.")).at(pointer_at("/room")))
    }

    fn room_named(&self, room: &str) -> Result<u64, Failure> {
        self.room_names.get(&NameKey::of(room)).copied().ok_or_else(|| {
            let shown: String = room.chars().take(40).collect();
            Failure::new(ErrorCode::NoSuchRoom, format!("There is no room {shown}.")).at(pointer_at("/room"))
        })
    }

    /// How many are in a room; `lobby` is everybody.
    pub(super) fn size_of(&self, room: &str) -> usize {
        if is_lobby(room) {
            return self.online.len();
        }
        let room = self.room_names.get(&NameKey::of(room)).and_then(|room| self.rooms.get(room));
        room.map_or(0, |room| room.members.len())
    }

    fn is_member(&self, room: u64, name_key: &NameKey) -> bool {
        self.rooms.get(&room).is_some_and(|room| room.members.contains_key(name_key))
    }

    fn access_of(&self, room: u64) -> RoomAccess {
        self.rooms.get(&room).map_or(RoomAccess::Invite, |room| room.access)
    }

    /// Somebody is in a room no more. A room without members is gone: its name is free, and what is on its way to the
    /// disk is the last that needs the rest of it.
    pub(super) fn member_gone(&mut self, room: u64, name_key: &NameKey) {
        let Some(there) = self.rooms.get_mut(&room) else { return };
        if there.members.remove(name_key).is_some() && there.members.is_empty() {
            let name = NameKey::of(&there.name);
            self.looks.rooms.remove(&there.name);
            let commit = self.persist(Record::RoomGone { room });
            self.held.push_back((commit, Held::RoomGone(room)));
            self.room_names.remove(&name);
        }
    }

    pub(super) fn room_name(&self, room: u64) -> String {
        self.rooms.get(&room).map_or_else(|| format!("room-{room}"), |room| room.name.clone())
    }

    pub(super) fn members_online(&self, room: u64) -> impl Iterator<Item = (PeerId, &NameKey)> {
        let members = self.rooms.get(&room).into_iter().flat_map(|room| room.members.keys());
        members.filter_map(|name_key| Some((*self.online.get(name_key)?, name_key)))
    }

    fn member_names(&self, room: u64) -> Vec<String> {
        self.rooms.get(&room).into_iter().flat_map(|room| room.members.keys()).map(|who| self.name_of(who)).collect()
    }

    pub(super) fn room_create(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        mut request: request::RoomCreate,
    ) -> Result<(), Failure> {
        let me = self.me(id)?;
        if request.room == NAMELESS {
            request.room = self.made_up_name(id, request_id, &me, &request.members);
        }
        check_room(&request.room).map_err(|failure| failure.at(pointer_at("/room")))?;
        if let Some(&room) = self.room_names.get(&NameKey::of(&request.room)) {
            let name = self.room_name(room);
            if self.is_repeated(id, request_id) && self.is_member(room, &me.name_key) {
                let (access, members) = (self.access_of(room), self.member_names(room));
                self.answer(now, id, request_id.clone(), event::RoomCreated { room: name, access, members });
                return Ok(());
            }
            let failure = Failure::new(ErrorCode::RoomExists, format!("There is a room {name} already."));
            return Err(failure.at(pointer_at("/room")));
        }
        if let Some(twin) = self.looks.rooms.twin(&request.room) {
            let twin = self.room_names.get(twin).map_or_else(|| twin.to_string(), |room| self.room_name(*room));
            let message = format!("The name {} looks like that of the room {twin}.", request.room);
            let failure = Failure::new(ErrorCode::RoomExists, message).hint("Choose another name.");
            return Err(failure.at(pointer_at("/room")));
        }
        let others = self.named(&me, &request.members)?;
        if let Some((away, who)) = others.iter().enumerate().find(|(_, who)| !self.online.contains_key(*who)) {
            let failure = Failure::new(ErrorCode::NotOnline, format!("{} is not there.", self.name_of(who)));
            let failure = failure.hint("Make the room without them; `room-invite` brings them in later.");
            return Err(failure.at(pointer_at(&format!("/members/{away}"))));
        }
        if let (Some(twin), false) = (self.twin(&me.name_key, &others), others.is_empty()) {
            let message = format!("The room {} has the same members.", twin.name);
            let failure =
                Failure::new(ErrorCode::RoomExists, message).hint(format!("`say {} TEXT` reaches them.", twin.name));
            return Err(failure.at(pointer_at("/members")));
        }
        if self.rooms.len() >= self.config.limits.rooms {
            return Err(Failure::new(ErrorCode::TooMany, format!("There can be {} rooms.", self.rooms.len())));
        }
        self.check_new_room(id, &me)?;
        self.can_keep()?;
        self.check_room_for(&me.name_key)?;
        for (i, who) in others.iter().enumerate() {
            self.check_brought(id, &me, who).map_err(|failure| failure.at(pointer_at(&format!("/members/{i}"))))?;
        }
        self.check_members(0, others.len() + 1)?;
        let access = request.access.unwrap_or(if others.is_empty() { RoomAccess::Open } else { RoomAccess::Invite });
        self.last_room += 1;
        let (room, name) = (self.last_room, request.room);
        let owner = me.name_key.clone();
        self.persist(Record::Room { room, name: name.clone(), access, owner: owner.clone() });
        self.room_names.insert(NameKey::of(&name), room);
        self.looks.rooms.insert(&name);
        self.rooms_made.add(&owner);
        self.rooms.insert(room, Room { name: name.clone(), access, owner, members: BTreeMap::new() });
        let joined = others.iter().map(|name_key| self.name_of(name_key)).collect();
        self.enter_room(room, me.name_key.clone(), None);
        for who in others {
            let by = self.bringer(id, &me);
            self.enter_room(room, who, Some(by));
        }
        let created = event::RoomCreated { room: name, access, members: self.member_names(room) };
        self.room_changed(id, request_id, &me, created, Change::Brought(room, joined));
        Ok(())
    }

    /// A name for a room whose maker has none: that of the room that this request has made already, or a free one.
    fn made_up_name(&self, id: PeerId, request_id: &Option<Id>, me: &Registered, members: &[String]) -> String {
        if self.is_repeated(id, request_id) {
            let all: BTreeSet<NameKey> =
                members.iter().map(|name| NameKey::of(name)).chain([me.name_key.clone()]).collect();
            let mine = |room: &&Room| room.name.starts_with(MADE_UP) && room.members.keys().eq(all.iter());
            if let Some(room) = self.rooms.values().rev().find(mine) {
                return room.name.clone();
            }
        }
        let names = (self.last_room + 1..).map(|number| format!("{MADE_UP}{number}"));
        // Each name that is taken stands for a room, and there are not many.
        names.into_iter().find(|name| !self.room_names.contains_key(&NameKey::of(name))).unwrap_or_default()
    }

    /// A room of just these members: it is one of those that the first of them is in.
    fn twin(&self, me: &NameKey, others: &[NameKey]) -> Option<&Room> {
        let mine = self.people.get(me).into_iter().flat_map(|person| &person.rooms);
        let mut rooms = mine.filter_map(|room| self.rooms.get(room));
        let all_in = |room: &Room| others.iter().all(|other| room.members.contains_key(other));
        rooms.find(|room| room.members.len() == others.len() + 1 && all_in(room))
    }

    /// People named in a request: known, not oneself, each once.
    fn named(&self, me: &Registered, names: &[String]) -> Result<Vec<NameKey>, Failure> {
        if names.len() > PEOPLE_PER_REQUEST {
            let message = format!("One request names {PEOPLE_PER_REQUEST} people.");
            return Err(Failure::new(ErrorCode::TooMany, message).at(pointer_at("/members")));
        }
        let mut seen = BTreeSet::new();
        let keys = names.iter().enumerate().map(|(i, name)| self.other(me, name, &format!("/members/{i}")));
        let keys: Vec<NameKey> = keys.collect::<Result<_, _>>()?;
        Ok(keys.into_iter().filter(|name_key| seen.insert(name_key.clone())).collect())
    }

    /// Somebody is in a room from now on: by themselves, or brought in by somebody.
    fn enter_room(&mut self, room: u64, who: NameKey, brought: Option<Bringer>) {
        // What was said before this is on disk, or will be before this is.
        let since = self.last_message;
        let by = brought.as_ref().map(|bringer| bringer.by.clone()).unwrap_or_default();
        self.persist(Record::Member { room, name_key: who.clone(), since, by });
        if let Some(person) = self.people.get_mut(&who) {
            person.rooms.insert(room);
            person.brought.extend(brought.map(|bringer| (room, bringer)));
        }
        if let Some(room) = self.rooms.get_mut(&room) {
            room.members.insert(who, since);
        }
    }

    pub(super) fn room_join(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: &request::RoomJoin,
    ) -> Result<(), Failure> {
        let me = self.me(id)?;
        let at = |failure: Failure| failure.at(pointer_at("/room"));
        let room = self.room_named(&request.room)?;
        let name = self.room_name(room);
        if self.is_member(room, &me.name_key) {
            if request.again || self.is_repeated(id, request_id) {
                let joined = event::RoomJoined { room: name, members: self.member_names(room) };
                self.answer(now, id, request_id.clone(), joined);
                return Ok(());
            }
            return Err(at(Failure::new(ErrorCode::AlreadyAMember, format!("You are in {name} already."))));
        }
        if self.access_of(room) == RoomAccess::Invite {
            return Err(at(Failure::new(ErrorCode::RoomClosed, format!("{name} is not open to everybody."))));
        }
        self.can_keep()?;
        self.check_room_for(&me.name_key)?;
        self.check_members(room, 1)?;
        self.enter_room(room, me.name_key.clone(), None);
        let joined = event::RoomJoined { room: name, members: self.member_names(room) };
        self.room_changed(id, request_id, &me, joined, Change::Joined(room));
        Ok(())
    }

    pub(super) fn room_invite(
        &mut self,
        id: PeerId,
        request_id: &Option<Id>,
        request: &request::RoomInvite,
    ) -> Result<(), Failure> {
        let me = self.me(id)?;
        let room = self.room_of(&me, &request.room)?;
        let others = self.named(&me, &request.members)?;
        if others.is_empty() {
            let failure = Failure::new(ErrorCode::BadRequest, "nobody is named");
            return Err(failure.at(pointer_at("/members")));
        }
        let again = self.is_repeated(id, request_id);
        for (i, who) in others.iter().enumerate() {
            let at = |failure: Failure| failure.at(pointer_at(&format!("/members/{i}")));
            if self.is_member(room, who) && !again {
                let message = format!("{} is in {} already.", self.name_of(who), self.room_name(room));
                return Err(at(Failure::new(ErrorCode::AlreadyAMember, message)));
            }
            self.check_brought(id, &me, who).map_err(at)?;
        }
        self.check_members(room, others.len())?;
        self.can_keep()?;
        let members: Vec<String> = others.iter().map(|name_key| self.name_of(name_key)).collect();
        for who in others {
            if !self.is_member(room, &who) {
                let by = self.bringer(id, &me);
                self.enter_room(room, who, Some(by));
            }
        }
        let invited = event::RoomInvited { room: self.room_name(room), members: members.clone() };
        self.room_changed(id, request_id, &me, invited, Change::Brought(room, members));
        Ok(())
    }

    pub(super) fn room_leave(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: &request::RoomLeave,
    ) -> Result<(), Failure> {
        let me = self.me(id)?;
        let room = match self.room_of(&me, &request.room) {
            Err(_) if self.is_repeated(id, request_id) => {
                self.answer(now, id, request_id.clone(), event::RoomLeft { room: request.room.clone() });
                return Ok(());
            }
            room => room?,
        };
        let name = self.room_name(room);
        self.can_keep()?;
        self.persist(Record::MemberGone { room, name_key: me.name_key.clone() });
        if let Some(person) = self.people.get_mut(&me.name_key) {
            person.rooms.remove(&room);
            person.brought.remove(&room);
        }
        self.member_gone(room, &me.name_key);
        self.room_changed(id, request_id, &me, event::RoomLeft { room: name }, Change::Left(room));
        Ok(())
    }

    /// Answers, and tells the other members, once everything about it is on disk.
    fn room_changed(
        &mut self,
        id: PeerId,
        request_id: &Option<Id>,
        me: &Registered,
        answer: impl Into<Event>,
        change: Change,
    ) {
        let (room, request_id, answer) = (change.room(), request_id.clone(), Box::new(answer.into()));
        let name = self.room_name(room);
        let members = self.rooms.get(&room).map(|room| &room.members);
        let count = members.map_or(0, |members| members.len() as u64);
        let (by, name_key) = (me.name.clone(), me.name_key.clone());
        let notice = match change {
            Change::Joined(_) => Notice::Step { room, joined: true, name: by.clone(), name_key },
            Change::Left(_) => Notice::Step { room, joined: false, name: by.clone(), name_key },
            Change::Brought(_, joined) => {
                let others = members.into_iter().flat_map(BTreeMap::keys).filter(|other| **other != name_key);
                let by = Some(by.clone());
                Notice::Brought(
                    event::RoomChanged { room: name.clone(), by, joined, left: Vec::new() },
                    others.cloned().collect(),
                )
            }
        };
        self.log(log::RoomChanged { room: name, by, members: count });
        self.held.push_back((self.commit, Held::Done { peer: id, request_id, answer, notice: Some(notice) }));
    }

    pub(super) fn list_rooms(&self, id: PeerId) -> Result<Event, Failure> {
        let me = self.me(id)?;
        let rooms = self.room_names.values().filter_map(|number| self.rooms.get(number)).map(|room| RoomInfo {
            room: room.name.clone(),
            access: room.access,
            members: room.members.len() as u64,
            joined: room.members.contains_key(&me.name_key),
        });
        let rooms = rooms.filter(|room| room.joined || room.access == RoomAccess::Open).collect();
        Ok(event::Rooms { rooms }.into())
    }

    pub(super) fn list_members(&self, id: PeerId, request: &request::Members) -> Result<Event, Failure> {
        let me = self.me(id)?;
        if is_lobby(&request.room) {
            return Ok(self.everybody());
        }
        let room = self.room_named(&request.room)?;
        if self.access_of(room) == RoomAccess::Invite {
            self.room_of(&me, &request.room)?;
        }
        let members = self.member_names(room).into_iter();
        let members = members.map(|name| Member { state: self.presence(&name), name }).collect();
        Ok(event::Members { room: self.room_name(room), members }.into())
    }

    pub(super) fn focus(&self, id: PeerId, request: &request::Focus) -> Result<Event, Failure> {
        let me = self.me(id)?;
        let room = self.room_of(&me, &request.room)?;
        Ok(event::Focused { room: self.room_name(room) }.into())
    }
}
