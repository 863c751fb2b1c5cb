//! Names, keys and passwords that are on their way between the hub and the store.

use std::collections::VecDeque;

use crate::core::hub::PeerId;
use crate::protocol::PublicKey;
use crate::protocol::limits::REVOKED_REMEMBERED;
use crate::protocol::name::NameKey;
use crate::protocol::record::NameRecord;

/// What the hub knows that the store does not yet, and the other way round.
#[derive(Default)]
pub(in crate::core::hub) struct Credentials {
    /// The highest number of a password that the store has told: it has told all lower ones, too.
    newest: u64,
    /// How often names were loaded again.
    reloads: u64,
    /// Names and keys on their way to the disk, with the numbers of their commits: what the store tells meanwhile
    /// does not have them.
    claims: VecDeque<(u64, Claim)>,
    /// Sessions that were ended: their clients may not have heard of it.
    ended: VecDeque<PeerId>,
}

struct Claim {
    name_key: NameKey,
    key: PublicKey,
    credential: Option<u64>,
}

impl Credentials {
    pub(in crate::core::hub) fn load(names: &[NameRecord]) -> Self {
        let mut this = Self::default();
        this.see(names);
        this
    }

    /// Names were loaded again.
    pub(in crate::core::hub) fn reload(&mut self, names: &[NameRecord]) {
        self.reloads += 1;
        self.see(names);
    }

    fn see(&mut self, names: &[NameRecord]) {
        let newest = names.iter().filter_map(|record| record.credential).max();
        self.newest = self.newest.max(newest.unwrap_or(0));
    }

    /// How often names were loaded again.
    pub(in crate::core::hub) fn reloads(&self) -> u64 {
        self.reloads
    }

    /// A key is on its way to the disk as one that a name belongs to.
    pub(in crate::core::hub) fn claim(
        &mut self,
        commit: u64,
        name_key: NameKey,
        key: PublicKey,
        credential: Option<u64>,
    ) {
        self.claims.push_back((commit, Claim { name_key, key, credential }));
    }

    pub(in crate::core::hub) fn committed(&mut self, commit: u64) {
        while self.claims.pop_front_if(|(claimed, _)| *claimed <= commit).is_some() {}
    }

    /// The keys that are on their way for a name, under the password that it has.
    pub(in crate::core::hub) fn claimed<'a>(
        &'a self,
        name_key: &'a NameKey,
        credential: Option<u64>,
    ) -> impl Iterator<Item = PublicKey> + 'a {
        let theirs = move |claim: &&Claim| claim.name_key == *name_key && claim.credential == credential;
        self.claims.iter().map(|(_, claim)| claim).filter(theirs).map(|claim| claim.key)
    }

    /// Whether a session was ended of late.
    pub(in crate::core::hub) fn was_ended(&self, id: PeerId) -> bool {
        self.ended.contains(&id)
    }

    pub(in crate::core::hub) fn end(&mut self, id: PeerId) {
        if self.ended.len() >= REVOKED_REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(id);
    }

    /// Whether a password is newer than what the store has told of, and no names were loaded since there were so many
    /// reloads.
    pub(in crate::core::hub) fn is_news(&self, credential: u64, reloads: u64) -> bool {
        credential > self.newest && reloads == self.reloads
    }
}
