//! What we have fetched, and can give to others: the hub is told of it in batches, and again if it has forgotten.

use std::collections::BTreeMap;

use super::Session;
use crate::core::time::Time;
use crate::protocol::ContentHash;
use crate::protocol::limits::{HAVE_CONTENTS, HOLDINGS};
use crate::protocol::wire::{Ask, Had, Have, Settled};

/// How much is told in one frame, in bytes.
const FRAME_BYTES: usize = 128 << 10;

/// What we have without offering it.
#[derive(Default)]
pub(super) struct Holdings {
    /// What the hub has been told of.
    told: BTreeMap<ContentHash, Had>,
    /// What it has not.
    fresh: BTreeMap<ContentHash, Had>,
}

/// Adds what is had of one content.
fn add(to: &mut BTreeMap<ContentHash, Had>, had: Had) {
    match to.get_mut(&had.hash) {
        Some(known) if known.chunk_size == had.chunk_size => known.chunks.add(&had.chunks),
        _ => drop(to.insert(had.hash, had)),
    }
}

impl Holdings {
    /// A hub that has forgotten everything must be told everything.
    pub(super) fn untell(&mut self) {
        for had in std::mem::take(&mut self.told).into_values() {
            add(&mut self.fresh, had);
        }
    }
}

impl Session {
    pub(super) fn now_have(&mut self, now: Time, had: Vec<Had>) {
        let Holdings { told, fresh } = &mut self.holdings;
        for had in had {
            let known = told.contains_key(&had.hash) || fresh.contains_key(&had.hash);
            if known || told.len() + fresh.len() < HOLDINGS {
                add(fresh, had);
            }
        }
        self.announce(now);
    }

    /// Tells the hub what it does not know, if it listens.
    pub(super) fn announce(&mut self, now: Time) {
        while self.settled && self.registered.is_some() && self.link.takes_state() && !self.holdings.fresh.is_empty() {
            let (mut have, mut bytes) = (Vec::new(), 0);
            while bytes < FRAME_BYTES
                && have.len() < HAVE_CONTENTS
                && let Some((_, had)) = self.holdings.fresh.pop_first()
            {
                bytes += 160 + 16 * had.chunks.ranges().count();
                add(&mut self.holdings.told, had.clone());
                have.push(had);
            }
            self.send(now, Ask::Have(Have { have }).to_body());
        }
    }

    /// We do not want to hear who else has this content any more.
    pub(super) fn settle(&mut self, now: Time, hash: ContentHash) {
        if self.registered.is_some() {
            self.send(now, Ask::Settled(Settled { settled: hash }).to_body());
        }
    }
}
