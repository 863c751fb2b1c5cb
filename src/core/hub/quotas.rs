//! Shares: how much of what all have one key or account may take.

use std::collections::BTreeSet;

use super::roster::Registered;
use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::{ROOMS_BY_OTHERS, ROOMS_EACH};
use crate::protocol::{ErrorCode, Failure, Network};

impl Hub {
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
        let key = self.peers.get(&id).map(|peer| peer.key);
        let mine: BTreeSet<&str> = key.iter().flat_map(|key| self.credentials.names_of(key)).collect();
        let made = self.rooms.values().filter(|room| room.owner == me.fold || mine.contains(room.owner.as_str()));
        if made.count() >= most {
            let message = format!("There are {most} rooms that you have made; that is the most.");
            let hint = "A room is gone when its last member has left it.";
            return Err(Failure::new(ErrorCode::TooMany, message).hint(hint));
        }
        Ok(())
    }

    /// Whether `me` may bring somebody into a room. Not whom they are blocked by, and not beyond the share of rooms that
    /// is for others to fill: which of the two it is, is not told.
    pub(super) fn check_brought(&self, me: &Registered, who: &str) -> Result<(), Failure> {
        let rooms = self.people.get(who).map_or(0, |person| person.rooms.len());
        if rooms >= ROOMS_BY_OTHERS || self.blocks(who, &me.fold) {
            let message = format!("{} cannot be brought into more rooms.", self.name_of(who));
            let hint = "Leave them out; they can join an open room by themselves.";
            return Err(Failure::new(ErrorCode::TooMany, message).hint(hint));
        }
        Ok(())
    }

    /// Whether somebody may be in one more room.
    pub(super) fn check_room_for(&self, who: &str) -> Result<(), Failure> {
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
