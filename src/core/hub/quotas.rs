//! Shares: how much of what all have one key or account may take.

use std::collections::{BTreeSet, HashMap};

use super::roster::Registered;
use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::{ROOMS_ADDRESSES, ROOMS_BY_OTHERS, ROOMS_EACH, ROOMS_INVITERS};
use crate::protocol::name::NameKey;
use crate::protocol::record::RoomRecord;
use crate::protocol::{ErrorCode, Failure, Network};

/// How many rooms everybody has made that are still there, by the keys of their names.
#[derive(Default)]
pub(super) struct RoomsMade(HashMap<NameKey, usize>);

impl RoomsMade {
    pub(super) fn load(rooms: &[RoomRecord]) -> Self {
        let mut this = Self::default();
        rooms.iter().for_each(|room| this.add(&room.owner));
        this
    }

    pub(super) fn add(&mut self, owner: &NameKey) {
        *self.0.entry(owner.to_owned()).or_default() += 1;
    }

    pub(super) fn remove(&mut self, owner: &NameKey) {
        if let Some(count) = self.0.get_mut(owner) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(owner);
            }
        }
    }

    fn by<'a>(&self, owners: impl Iterator<Item = &'a NameKey>) -> usize {
        owners.filter_map(|owner| self.0.get(owner)).sum()
    }
}

/// What one of many may take: a part of what the others leave. So nobody takes all alone, and whoever comes next finds
/// something.
pub(super) fn share(most: u64, by_others: u64, part: u64) -> u64 {
    most.saturating_sub(by_others) / part
}

/// Who has brought somebody into a room.
pub(super) struct Bringer {
    /// Their name.
    pub(super) by: NameKey,
    /// From where, if that is known and not this machine.
    pub(super) network: Option<Network>,
}

impl Hub {
    /// All names of whoever is `me`: those of their key, too.
    pub(super) fn names_of_me<'a>(&'a self, id: PeerId, me: &'a Registered) -> BTreeSet<&'a NameKey> {
        let key = self.peers.get(&id).map(|peer| &peer.key);
        key.into_iter().flat_map(|key| self.credentials.names_of(key)).chain([&me.name_key]).collect()
    }

    /// `me` as who brings others into rooms.
    pub(super) fn bringer(&self, id: PeerId, me: &Registered) -> Bringer {
        let network = self.peers.get(&id).map(|peer| Network::of(peer.address.ip()));
        Bringer { by: me.name_key.clone(), network: network.filter(|network| !network.is_loopback()) }
    }

    /// Whether a key, and its address, may take one more name.
    pub(super) fn check_new_name(&mut self, now: Time, id: PeerId) -> Result<(), Failure> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let most = self.config.limits.names_per_address;
        if self.newcomers.count(now, Network::of(peer.address.ip())) >= most {
            let message = format!("From your address {most} names were taken within a day; that is the most.");
            return Err(
                Failure::new(ErrorCode::TooMany, message).hint("Enter under a name that you have, or tomorrow.")
            );
        }
        let most = self.config.limits.names_per_key;
        let owned = self.credentials.names_of(&peer.key).count();
        if owned >= most {
            let message = format!("Your key has {owned} names; that is the most.");
            return Err(Failure::new(ErrorCode::TooMany, message).hint("Enter under one of them."));
        }
        Ok(())
    }

    /// Whether somebody may make one more room: those of all names of their key count.
    pub(super) fn check_new_room(&self, id: PeerId, me: &Registered) -> Result<(), Failure> {
        let most = self.config.limits.rooms_per_key;
        let mine = self.names_of_me(id, me);
        if self.rooms_made.by(mine.into_iter()) >= most {
            let message = format!("There are {most} rooms that you have made; that is the most.");
            let hint = "A room is gone when its last member has left it.";
            return Err(Failure::new(ErrorCode::TooMany, message).hint(hint));
        }
        Ok(())
    }

    /// Whether `me` may bring somebody into a room. Not whom they are blocked by, not beyond the share of rooms that is for
    /// others to fill, and not beyond what one key or address may take of that: which of these it is, is not told.
    pub(super) fn check_brought(&self, id: PeerId, me: &Registered, who: &NameKey) -> Result<(), Failure> {
        let Some(person) = self.people.get(who) else { return Ok(()) };
        let (mine, bringer) = (self.names_of_me(id, me), self.bringer(id, me));
        let of = |counts: &dyn Fn(&Bringer) -> bool| person.brought.values().filter(|by| counts(by)).count() as u64;
        let (all, most) = (person.brought.len() as u64, ROOMS_BY_OTHERS as u64);
        let of_key = of(&|by| mine.contains(&by.by));
        let of_network = of(&|by| by.network.is_some() && by.network == bringer.network);
        let full = person.rooms.len() >= ROOMS_EACH
            || of_key >= share(most, all - of_key, ROOMS_INVITERS)
            || bringer.network.is_some() && of_network >= share(most, all - of_network, ROOMS_ADDRESSES);
        if full || self.blocks(who, &me.name_key) {
            let message = format!("{} cannot be brought into more rooms.", self.name_of(who));
            let hint = "Leave them out; they can join an open room by themselves.";
            return Err(Failure::new(ErrorCode::TooMany, message).hint(hint));
        }
        Ok(())
    }

    /// Whether somebody may be in one more room.
    pub(super) fn check_room_for(&self, who: &NameKey) -> Result<(), Failure> {
        if self.people.get(who).is_some_and(|person| person.rooms.len() >= ROOMS_EACH) {
            let message = format!("{} is in {ROOMS_EACH} rooms; that is the most.", self.name_of(who));
            return Err(Failure::new(ErrorCode::TooMany, message));
        }
        Ok(())
    }

    /// Whether a room may have so many members more.
    pub(super) fn check_members(&self, room: u64, more: usize) -> Result<(), Failure> {
        let (limit, there) = (self.config.limits.members, self.rooms.get(&room).map_or(0, |room| room.members.len()));
        if there + more > limit {
            return Err(Failure::new(ErrorCode::TooMany, format!("A room can have {limit} members.")));
        }
        Ok(())
    }
}
