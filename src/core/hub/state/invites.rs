//! Which keys each invite has let in. Invites themselves are with their keeper.

use std::collections::HashMap;

use super::hashed::HashedMap;
use crate::core::digest::Digest;
use crate::protocol::PublicKey;
use crate::protocol::invite::InviteDigest;

/// The keys that each invite has let in. There are no more of them than names that were ever taken.
#[derive(Default)]
pub(in crate::core::hub) struct Invites {
    spent: HashedMap<(InviteDigest, PublicKey), ()>,
    /// How many each has let in: the same again, for finding.
    counts: HashMap<InviteDigest, u64>,
}

impl Invites {
    /// What the store has, or [`Invites::rows`] gave.
    pub(super) fn of(rows: Vec<(InviteDigest, PublicKey)>) -> Self {
        let mut invites = Self::default();
        rows.into_iter().for_each(|(digest, key)| invites.spend(digest, key));
        invites
    }

    /// Everything in it, in the order of the digests.
    pub(super) fn rows(&self) -> Vec<(InviteDigest, PublicKey)> {
        self.spent.iter().map(|(spent, ())| *spent).collect()
    }

    pub(super) fn digest(&self) -> Digest {
        self.spent.digest()
    }

    /// How many keys an invite has let in.
    pub(super) fn count(&self, invite: InviteDigest) -> u64 {
        self.counts.get(&invite).copied().unwrap_or(0)
    }

    /// Whether an invite has let this key in.
    pub(super) fn has_let_in(&self, invite: InviteDigest, key: PublicKey) -> bool {
        self.spent.contains_key(&(invite, key))
    }

    /// An invite has let a key in.
    pub(super) fn spend(&mut self, invite: InviteDigest, key: PublicKey) {
        if self.spent.insert((invite, key), ()).is_none() {
            *self.counts.entry(invite).or_default() += 1;
        }
    }
}
