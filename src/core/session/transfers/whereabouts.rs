//! Where the people are from whom something is fetched, as the roster tells it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Transfers;
use crate::core::session::Output;
use crate::core::session::context::Context;
use crate::protocol::{Client, Direction, Presence, PublicKey};

impl Transfers {
    /// People are here, perhaps elsewhere than before, or have left; `is_here` says whether anybody is here with a key.
    pub(in crate::core::session) fn people_changed(
        &mut self,
        cx: &mut Context,
        changed: &[Client],
        is_here: impl Fn(&PublicKey) -> bool,
    ) {
        let mut whereabouts = Vec::new();
        for client in changed {
            match client.state {
                Presence::Online => {
                    whereabouts.push((client.key, Some(SocketAddr::new(client.address, client.port))));
                }
                Presence::Offline if !is_here(&client.key) => whereabouts.push((client.key, None)),
                // They may be back, or are here under another name.
                Presence::Away | Presence::Offline => {}
            }
        }
        // Whoever sends a parcel does that in a session of its own, which no roster has.
        whereabouts.retain(|(key, _)| !self.parcels.is_sender(key));
        if whereabouts.is_empty() {
            return;
        }
        let ours = self.running.values_mut().filter(|running| running.parcel.is_none());
        for plan in ours.filter_map(|running| running.queued.as_mut()) {
            let moved = |(key, address): &(PublicKey, Option<SocketAddr>)| {
                plan.sources.iter().any(|source| source.key == *key && address.is_some_and(|at| at != source.address))
            };
            let moved: Vec<_> = whereabouts.iter().filter(|known| moved(known)).copied().collect();
            if moved.is_empty() {
                continue;
            }
            for source in &mut Arc::make_mut(plan).sources {
                let found = moved.iter().find(|(key, _)| *key == source.key).and_then(|(_, address)| *address);
                source.address = found.unwrap_or(source.address);
            }
        }
        if self.running.values().any(|running| running.direction == Direction::Down && running.queued.is_none()) {
            cx.output(Output::Whereabouts(whereabouts));
        }
    }

    /// The sender of a parcel is at this address now.
    pub(in crate::core::session) fn sender_is_at(
        &mut self,
        cx: &mut Context,
        transfer: u64,
        key: PublicKey,
        address: SocketAddr,
    ) {
        let Some(running) = self.running.get_mut(&transfer) else { return };
        match &mut running.queued {
            Some(plan) => Arc::make_mut(plan).sources.iter_mut().for_each(|source| source.address = address),
            None => cx.output(Output::Whereabouts(vec![(key, Some(address))])),
        }
    }
}
