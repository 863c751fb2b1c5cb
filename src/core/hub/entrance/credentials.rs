//! Covers the time in which the hub and the store do not know the same names, keys and passwords: what the hub has
//! recorded is on its way to the disk, and what the keeper has changed in the store has not been loaded yet.

use std::collections::VecDeque;

use crate::core::hub::PeerId;
use crate::protocol::PublicKey;
use crate::protocol::limits::REVOKED_REMEMBERED;
use crate::protocol::name::NameKey;
use crate::protocol::record::NameRecord;

/// What the hub knows that the store does not yet, and the other way round.
#[derive(Default)]
pub(in crate::core::hub) struct Credentials {
    /// The highest password number that the store has reported. It has then reported all lower ones, too.
    newest: u64,
    /// How often the names were loaded again.
    reloads: u64,
    /// Names and keys on their way to the disk, by their commits: what the store reports meanwhile lacks them.
    claims: VecDeque<(u64, Claim)>,
    /// The newest sessions that were ended by `revoke`, at most [`REVOKED_REMEMBERED`]. Their clients may not know yet.
    ended: VecDeque<PeerId>,
}

/// A key that a name has got, and the number of the password with which it was let in.
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

    /// The names were loaded again.
    pub(in crate::core::hub) fn reload(&mut self, names: &[NameRecord]) {
        self.reloads += 1;
        self.see(names);
    }

    fn see(&mut self, names: &[NameRecord]) {
        let newest = names.iter().filter_map(|record| record.credential).max();
        self.newest = self.newest.max(newest.unwrap_or(0));
    }

    /// How often the names were loaded again.
    pub(in crate::core::hub) fn reloads(&self) -> u64 {
        self.reloads
    }

    /// Notes that a key of a name is on its way to the disk, with this commit.
    pub(in crate::core::hub) fn claim(
        &mut self,
        commit: u64,
        name_key: NameKey,
        key: PublicKey,
        credential: Option<u64>,
    ) {
        self.claims.push_back((commit, Claim { name_key, key, credential }));
    }

    /// Forgets the keys that are on disk.
    pub(in crate::core::hub) fn committed(&mut self, commit: u64) {
        while self.claims.pop_front_if(|(claimed, _)| *claimed <= commit).is_some() {}
    }

    /// The keys that are on their way to the disk for a name with this password number.
    pub(in crate::core::hub) fn claimed<'a>(
        &'a self,
        name_key: &'a NameKey,
        credential: Option<u64>,
    ) -> impl Iterator<Item = PublicKey> + 'a {
        let theirs = move |claim: &&Claim| claim.name_key == *name_key && claim.credential == credential;
        self.claims.iter().map(|(_, claim)| claim).filter(theirs).map(|claim| claim.key)
    }

    /// Whether a session was ended by `revoke` a short time ago.
    pub(in crate::core::hub) fn was_ended(&self, id: PeerId) -> bool {
        self.ended.contains(&id)
    }

    /// Notes that a session was ended by `revoke`.
    pub(in crate::core::hub) fn end(&mut self, id: PeerId) {
        if self.ended.len() >= REVOKED_REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(id);
    }

    /// Whether a password is newer than all that the store has reported. `reloads` is the number of reloads when the
    /// check of the password began: after a further one, an unknown password is not new but outdated.
    pub(in crate::core::hub) fn is_news(&self, credential: u64, reloads: u64) -> bool {
        credential > self.newest && reloads == self.reloads
    }
}
