//! Contents that we have fetched and serve without offering them. The hub is told of them in batches, and again after a
//! restart.

use std::collections::BTreeMap;

use crate::core::session::context::Context;
use crate::core::time::Time;
use crate::protocol::ContentHash;
use crate::protocol::limits::{HAVE_CONTENTS, HOLDINGS};
use crate::protocol::wire::{Ask, Had, Have};

/// The most bytes that are told in one frame.
const FRAME_BYTES: usize = 128 << 10;

/// Contents that we have without offering them.
#[derive(Default)]
pub(super) struct Holdings {
    /// What the hub was told.
    told: BTreeMap<ContentHash, Had>,
    /// What the hub was not told yet.
    fresh: BTreeMap<ContentHash, Had>,
}

/// Adds what we have of one content.
fn add(to: &mut BTreeMap<ContentHash, Had>, had: Had) {
    match to.get_mut(&had.hash) {
        Some(known) if known.chunk_size == had.chunk_size => known.chunks.add(&had.chunks),
        _ => drop(to.insert(had.hash, had)),
    }
}

impl Holdings {
    /// The hub was restarted, and must be told everything again.
    pub(super) fn untell(&mut self) {
        for had in std::mem::take(&mut self.told).into_values() {
            add(&mut self.fresh, had);
        }
    }
    /// Notes what was fetched, and tells the hub.
    pub(super) fn add(&mut self, now: Time, cx: &mut Context, had: Vec<Had>) {
        for had in had {
            let known = self.told.contains_key(&had.hash) || self.fresh.contains_key(&had.hash);
            if known || self.told.len() + self.fresh.len() < HOLDINGS {
                add(&mut self.fresh, had);
            }
        }
        self.announce(now, cx);
    }

    /// Tells the hub what it was not told yet, as far as it takes it.
    pub(super) fn announce(&mut self, now: Time, cx: &mut Context) {
        let listens = |cx: &Context| cx.uplink.takes_requests() && cx.registration.is_in() && cx.uplink.takes_state();
        while !self.fresh.is_empty() && listens(cx) {
            let (mut have, mut bytes) = (Vec::new(), 0);
            while bytes < FRAME_BYTES
                && have.len() < HAVE_CONTENTS
                && let Some((_, had)) = self.fresh.pop_first()
            {
                bytes += 160 + 16 * had.chunks.ranges().count();
                add(&mut self.told, had.clone());
                have.push(had);
            }
            cx.uplink.send(now, Ask::Have(Have { have }));
        }
    }
}
