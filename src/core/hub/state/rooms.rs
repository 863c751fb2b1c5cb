//! The rooms and their members.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Included, Unbounded};

use serde::{Deserialize, Serialize};

use super::hashed::HashedMap;
use crate::core::digest::{Digest, combined};
use crate::protocol::likeness::Likeness;
use crate::protocol::name::NameKey;
use crate::protocol::record::{Bringer, RoomRecord};
use crate::protocol::types::RoomAccess;

/// The rooms, their members, and indexes of them.
#[derive(Default)]
pub(in crate::core::hub) struct Rooms {
    rooms: HashedMap<u64, Room>,
    members: HashedMap<(u64, NameKey), Membership>,
    /// The highest number that a room has had. Numbers are not used again.
    last: u64,
    /// Indexes: the rooms of each person, the size of each room, the numbers by name, and the number of rooms that each
    /// person has made.
    of: BTreeMap<NameKey, BTreeSet<u64>>,
    sizes: BTreeMap<u64, usize>,
    numbers: BTreeMap<NameKey, u64>,
    made: BTreeMap<NameKey, usize>,
    /// The looks of the names, to find confusable ones. This depends on the Unicode tables of the program, so only
    /// `decide` may use it.
    looks: Likeness,
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::core::hub) struct Room {
    pub(in crate::core::hub) name: String,
    pub(in crate::core::hub) name_key: NameKey,
    pub(in crate::core::hub) access: RoomAccess,
    /// Who has made it; empty if that is not known.
    pub(in crate::core::hub) owner: NameKey,
}

/// The membership of a person in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::core::hub) struct Membership {
    /// The newest message when they joined: only later ones are for them.
    pub(in crate::core::hub) since: u64,
    /// Who has brought them in; `None` if they joined by themselves.
    pub(in crate::core::hub) by: Option<Bringer>,
}

/// All rooms and members, for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RoomRows {
    last: u64,
    rooms: Vec<(u64, Room)>,
    members: Vec<(u64, NameKey, Membership)>,
}

impl Rooms {
    /// The rooms that the store has.
    pub(super) fn load(records: Vec<RoomRecord>, last: u64) -> Self {
        let mut rooms = Self { last, ..Self::default() };
        for RoomRecord { room, name, name_key, access, owner, members } in records {
            rooms.create(room, Room { name, name_key, access, owner });
            for (member, since, by) in members {
                rooms.join(room, &member, Membership { since, by });
            }
        }
        rooms
    }

    /// The rooms that [`Rooms::rows`] gave.
    pub(super) fn of(rows: RoomRows) -> Self {
        let mut rooms = Self { last: rows.last, ..Self::default() };
        rows.rooms.into_iter().for_each(|(number, room)| rooms.create(number, room));
        rows.members.into_iter().for_each(|(room, who, member)| rooms.join(room, &who, member));
        rooms
    }

    /// All rooms and members, by number.
    pub(super) fn rows(&self) -> RoomRows {
        let members = self.members.iter().map(|((room, who), member)| (*room, who.clone(), member.clone()));
        let rooms = self.rooms.iter().map(|(number, room)| (*number, room.clone()));
        RoomRows { last: self.last, rooms: rooms.collect(), members: members.collect() }
    }

    pub(super) fn digest(&self) -> Digest {
        let mut last = Digest::default();
        last.add(&self.last);
        combined(&[self.rooms.digest(), self.members.digest(), last])
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// The highest number that a room has had.
    pub(in crate::core::hub) fn last(&self) -> u64 {
        self.last
    }

    pub(in crate::core::hub) fn get(&self, room: u64) -> Option<&Room> {
        self.rooms.get(&room)
    }

    /// The number of the room with this name.
    pub(in crate::core::hub) fn named(&self, name: &NameKey) -> Option<u64> {
        self.numbers.get(name).copied()
    }

    /// All rooms, by name.
    pub(in crate::core::hub) fn by_name(&self) -> impl Iterator<Item = (u64, &Room)> {
        self.numbers.values().filter_map(|number| Some((*number, self.rooms.get(number)?)))
    }

    /// The name of another room that looks like this one.
    pub(in crate::core::hub) fn twin(&self, name: &str) -> Option<&NameKey> {
        self.looks.twin(name)
    }

    /// The membership of a person in a room; `None` if they are not in it.
    pub(in crate::core::hub) fn membership(&self, room: u64, who: &NameKey) -> Option<&Membership> {
        self.members.get(&(room, who.clone()))
    }

    pub(in crate::core::hub) fn is_in(&self, room: u64, who: &NameKey) -> bool {
        self.membership(room, who).is_some()
    }

    /// The members of a room, by name.
    pub(in crate::core::hub) fn members(&self, room: u64) -> impl Iterator<Item = (&NameKey, &Membership)> {
        let from = (Included((room, NameKey::default())), Unbounded);
        let rows = self.members.range(from).take_while(move |((of, _), _)| *of == room);
        rows.map(|((_, who), membership)| (who, membership))
    }

    /// The number of members of a room.
    pub(in crate::core::hub) fn size(&self, room: u64) -> usize {
        self.sizes.get(&room).copied().unwrap_or(0)
    }

    /// The rooms that a person is in.
    pub(in crate::core::hub) fn joined_by(&self, who: &NameKey) -> impl Iterator<Item = u64> + use<'_> {
        self.of.get(who).into_iter().flatten().copied()
    }

    /// The number of rooms that a person is in.
    pub(in crate::core::hub) fn count_of(&self, who: &NameKey) -> usize {
        self.of.get(who).map_or(0, BTreeSet::len)
    }

    /// Those who have brought a person into their rooms.
    pub(in crate::core::hub) fn bringers(&self, who: &NameKey) -> impl Iterator<Item = &Bringer> {
        self.joined_by(who).filter_map(|room| self.membership(room, who)?.by.as_ref())
    }

    /// The number of present rooms that a person has made.
    pub(in crate::core::hub) fn made_by(&self, owner: &NameKey) -> usize {
        self.made.get(owner).copied().unwrap_or(0)
    }

    /// Adds a room, which has no members yet.
    pub(super) fn create(&mut self, number: u64, room: Room) {
        // The same record may be applied twice; a number is never used for another room.
        self.remove_room(number);
        self.last = self.last.max(number);
        self.numbers.insert(room.name_key.clone(), number);
        *self.made.entry(room.owner.clone()).or_default() += 1;
        self.looks.insert(&room.name);
        self.rooms.insert(number, room);
    }

    /// Removes a room with its members.
    pub(super) fn close(&mut self, number: u64) {
        let members: Vec<NameKey> = self.members(number).map(|(who, _)| who.clone()).collect();
        members.iter().for_each(|who| self.leave(number, who));
        self.remove_room(number);
    }

    fn remove_room(&mut self, number: u64) {
        let Some(room) = self.rooms.remove(&number) else { return };
        self.looks.remove(&room.name);
        if self.numbers.get(&room.name_key) == Some(&number) {
            self.numbers.remove(&room.name_key);
        }
        if let Some(made) = self.made.get_mut(&room.owner) {
            *made -= 1;
            if *made == 0 {
                self.made.remove(&room.owner);
            }
        }
    }

    /// Adds a member to a room, if the room exists.
    pub(super) fn join(&mut self, room: u64, who: &NameKey, membership: Membership) {
        if !self.rooms.contains_key(&room) {
            return;
        }
        if self.members.insert((room, who.clone()), membership).is_none() {
            *self.sizes.entry(room).or_default() += 1;
            self.of.entry(who.clone()).or_default().insert(room);
        }
    }

    /// Removes a member from a room.
    pub(super) fn leave(&mut self, room: u64, who: &NameKey) {
        if self.members.remove(&(room, who.clone())).is_none() {
            return;
        }
        if let Some(size) = self.sizes.get_mut(&room) {
            *size -= 1;
            if *size == 0 {
                self.sizes.remove(&room);
            }
        }
        if let Some(of) = self.of.get_mut(who) {
            of.remove(&room);
            if of.is_empty() {
                self.of.remove(who);
            }
        }
    }

    /// Nobody has this name any more: removes it from all rooms.
    pub(super) fn forget(&mut self, who: &NameKey) {
        let rooms: Vec<u64> = self.joined_by(who).collect();
        rooms.into_iter().for_each(|room| self.leave(room, who));
    }
}
