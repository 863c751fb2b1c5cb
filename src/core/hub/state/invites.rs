//! The keys that each invite has let in. The invites themselves are only in the store.

use std::collections::HashMap;

use super::hashed::HashedMap;
use crate::core::digest::Digest;
use crate::protocol::PublicKey;
use crate::protocol::invite::InviteDigest;

/// The keys that each invite has let in; at most as many as names that were ever taken.
#[derive(Default)]
pub(in crate::core::hub) struct Invites {
    spent: HashedMap<(InviteDigest, PublicKey), ()>,
    /// The number of keys of each invite, as an index.
    counts: HashMap<InviteDigest, u64>,
}

impl Invites {
    /// The rows that the store has, or [`Invites::rows`] gave.
    pub(super) fn of(rows: Vec<(InviteDigest, PublicKey)>) -> Self {
        let mut invites = Self::default();
        rows.into_iter().for_each(|(digest, key)| invites.spend(digest, key));
        invites
    }

    /// All rows, by invite.
    pub(super) fn rows(&self) -> Vec<(InviteDigest, PublicKey)> {
        self.spent.iter().map(|(spent, ())| *spent).collect()
    }

    pub(super) fn digest(&self) -> Digest {
        self.spent.digest()
    }

    /// The number of keys that an invite has let in.
    pub(super) fn count(&self, invite: InviteDigest) -> u64 {
        self.counts.get(&invite).copied().unwrap_or(0)
    }

    /// Whether an invite has let this key in.
    pub(super) fn has_let_in(&self, invite: InviteDigest, key: PublicKey) -> bool {
        self.spent.contains_key(&(invite, key))
    }

    /// Notes that an invite has let a key in.
    pub(super) fn spend(&mut self, invite: InviteDigest, key: PublicKey) {
        if self.spent.insert((invite, key), ()).is_none() {
            *self.counts.entry(invite).or_default() += 1;
        }
    }
}
