//! What the keeper of a hub changes in its store, beside the hub.

use std::collections::BTreeSet;

use super::{MemoryStore, Owner};
use crate::protocol::invite::{CodeRecord, InviteRecord};
use crate::protocol::name::NameKey;
use crate::protocol::record::{Destination, NameRecord};
use crate::protocol::types::Password;

impl MemoryStore {
    /// Makes a name an account, and forgets its keys.
    pub fn add_account(&mut self, name: &str, password: &str) {
        let received = self.names.get(&NameKey::of(name)).map_or(0, |owner| owner.received);
        self.last.credential += 1;
        let password = Some((Password(password.to_owned()), self.last.credential));
        let owner = Owner { name: name.to_owned(), since: 0, password, received, keys: BTreeSet::new() };
        self.names.insert(NameKey::of(name), owner);
    }

    /// Removes a name with its keys, rooms and blocks, and what it has received, as the keeper's command does.
    pub fn remove_name(&mut self, name_key: &NameKey) {
        self.names.remove(name_key);
        self.there.remove(name_key);
        self.answers.remove(name_key);
        self.blocks.retain(|(by, whom)| by != name_key && whom != name_key);
        for room in self.rooms.values_mut() {
            room.members.retain(|(member, ..)| member != name_key);
        }
        let nobody = name_key.without_owner();
        for kept in self.messages.values_mut() {
            if kept.from_key == *name_key {
                kept.from_key = nobody.clone();
            }
            if let Destination::Person { name_key: to, .. } = &mut kept.destination
                && to == name_key
            {
                *to = nobody.clone();
            }
        }
        let theirs = self.asked.extract_if(.., |(name, _)| name == name_key).collect::<Vec<_>>();
        self.asked.extend(theirs.into_iter().map(|(_, key)| (nobody.clone(), key)));
    }

    /// Adds an invite.
    pub fn add_invite(&mut self, invite: InviteRecord) {
        self.invites.all.insert(invite.digest, invite);
    }

    /// Adds an invite with its code.
    pub fn add_code(&mut self, invite: InviteRecord, code: CodeRecord) {
        self.invites.last_nameplate = self.invites.last_nameplate.max(code.nameplate);
        self.invites.codes.insert(code.nameplate, (code, invite.digest));
        self.add_invite(invite);
    }

    /// The account with this name, if this is its password.
    pub fn check(&self, name_key: &NameKey, password: &Password) -> Option<NameRecord> {
        let owner = self.names.get(name_key)?;
        owner.password.as_ref().filter(|(theirs, _)| theirs == password).map(|_| self.name(name_key, owner))
    }
}
