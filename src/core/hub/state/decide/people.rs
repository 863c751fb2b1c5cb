//! Judges blocks, and what the keeper has changed in the store from another program: accounts, passwords, and names
//! that are gone.

use std::collections::BTreeSet;

use super::super::State;
use super::{Decision, Judge};
use crate::protocol::limits::BLOCKS;
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::record::{AccountRecord, NameRecord};
use crate::protocol::{ErrorCode, Failure, PublicKey, Record, event};

/// The result of comparing the state with names that were loaded again.
#[derive(Debug, Default)]
pub(in crate::core::hub) struct Reloaded {
    pub(in crate::core::hub) records: Vec<Record>,
    /// The names whose sessions must end: those that are gone, and those with another password.
    pub(in crate::core::hub) revoked: BTreeSet<NameKey>,
    /// The names that are gone.
    pub(in crate::core::hub) gone: Vec<NameKey>,
}

impl Judge<'_> {
    /// Judges `block`.
    ///
    /// # Errors
    /// `yourself`, `no-such-person`, `already-blocked`; `too-many` beyond [`BLOCKS`]
    pub(super) fn block(&self, name: &str) -> Result<Decision, Failure> {
        let whom = self.state.other(&self.author.name_key, name, "/name")?;
        let shown = self.state.names.shown(&whom);
        if self.state.blocks.blocked_by(&self.author.name_key).count() >= BLOCKS {
            return Err(Failure::new(ErrorCode::TooMany, format!("One can block {BLOCKS} people.")));
        }
        if self.state.blocks.has(&self.author.name_key, &whom) {
            let failure = Failure::new(ErrorCode::AlreadyBlocked, format!("You block {shown} already."));
            return Err(failure.at(pointer_at("/name")));
        }
        let record = Record::Block { by: self.author.name_key.clone(), whom };
        Ok(Decision::answer(vec![record], event::Blocked { name: shown }))
    }

    /// Judges `unblock`.
    ///
    /// # Errors
    /// `yourself`, `no-such-person`, `not-blocked`
    pub(super) fn unblock(&self, name: &str) -> Result<Decision, Failure> {
        let whom = self.state.other(&self.author.name_key, name, "/name")?;
        let shown = self.state.names.shown(&whom);
        if !self.state.blocks.has(&self.author.name_key, &whom) {
            let failure = Failure::new(ErrorCode::NotBlocked, format!("You do not block {shown}."));
            return Err(failure.at(pointer_at("/name")));
        }
        let record = Record::Unblock { by: self.author.name_key.clone(), whom };
        Ok(Decision::answer(vec![record], event::Unblocked { name: shown }))
    }
}

/// Compares the state with all names of the store. `on_their_way` gives the keys of a name under a password that
/// are on their way to the disk, so that the store does not have them yet.
pub(in crate::core::hub) fn reload(
    state: &State,
    names: Vec<NameRecord>,
    on_their_way: impl Fn(&NameKey, Option<u64>) -> Vec<PublicKey>,
) -> Reloaded {
    let mut reloaded = Reloaded::default();
    let known: BTreeSet<&NameKey> = names.iter().map(|record| &record.name_key).collect();
    let gone = state.names.iter().map(|(name, _)| name);
    let gone = gone.filter(|name| !known.contains(name) && on_their_way(name, None).is_empty());
    reloaded.gone = gone.cloned().collect();
    for name_key in &reloaded.gone {
        reloaded.revoked.insert(name_key.clone());
        for room in state.rooms.joined_by(name_key).filter(|room| state.rooms.size(*room) == 1) {
            reloaded.records.push(Record::RoomGone { room });
        }
        reloaded.records.push(Record::NameGone { name_key: name_key.clone() });
    }
    for mut record in names {
        let there = state.names.get(&record.name_key);
        // A login has shown a newer password meanwhile.
        if there.is_some_and(|there| record.credential < there.credential) {
            continue;
        }
        for key in on_their_way(&record.name_key, record.credential) {
            if !record.keys.contains(&key) {
                record.keys.push(key);
            }
        }
        if there.is_some_and(|there| there.credential != record.credential) {
            reloaded.revoked.insert(record.name_key.clone());
        }
        let keys = state.names.keys_of(&record.name_key);
        let same_keys = keys.len() == record.keys.len() && record.keys.iter().all(|key| keys.contains(key));
        let same = there.is_some_and(|there| there.credential == record.credential && there.name == record.name);
        if !same || !same_keys {
            let (name_key, fresh) = (record.name_key.clone(), there.is_none());
            let NameRecord { name, credential, keys, .. } = record;
            let account = AccountRecord { name_key: name_key.clone(), name, credential, keys };
            reloaded.records.push(Record::Account(account));
            if fresh {
                // Messages to a former owner of the name are not for this one.
                reloaded.records.push(Record::Received { name_key, number: state.mail.last() });
            }
        }
    }
    reloaded
}
