//! What a receiver hears of its sources, and what happens to the ways to them.

use super::{Act, Fetching, source_of};
use crate::core::fetch::{Input, Lane};
use crate::core::time::Time;
use crate::protocol::{ChunkSet, Route};

impl Fetching {
    /// Where a connection was dialled.
    pub(in crate::sim::swarm) fn place(&self, lane: Lane) -> Option<u16> {
        self.wires.get(&lane).map(|wire| wire.place)
    }

    /// One end of the connections to a peer, or of all, is elsewhere: nothing passes over them any more.
    pub(in crate::sim::swarm) fn fall_silent(&mut self, peer: Option<usize>) {
        let mine = self.wires.values_mut().filter(|wire| peer.is_none_or(|peer| wire.peer == peer));
        mine.for_each(|wire| wire.silent = true);
    }

    /// A peer is told to be somewhere else by now.
    pub(in crate::sim::swarm) fn moved(
        &mut self,
        now: Time,
        (peer, place): (usize, u16),
        acts: &mut Vec<Act>,
    ) -> Result<(), String> {
        let source = source_of(peer, None, place);
        self.handle(now, Input::Whereabouts(source.key, Some(source.address)), acts)
    }

    /// A peer is told to have a better way.
    pub(in crate::sim::swarm) fn better(
        &mut self,
        now: Time,
        (peer, route): (usize, Route),
        acts: &mut Vec<Act>,
    ) -> Result<(), String> {
        self.handle(now, Input::Better(source_of(peer, None, 0).key, route), acts)
    }

    /// The receiver itself is elsewhere.
    pub(in crate::sim::swarm) fn network_changed(&mut self, now: Time, acts: &mut Vec<Act>) -> Result<(), String> {
        self.handle(now, Input::NetworkChanged, acts)
    }

    /// A peer is now known to have these chunks, or all.
    pub(in crate::sim::swarm) fn hears(
        &mut self,
        now: Time,
        (peer, place): (usize, u16),
        has: Option<ChunkSet>,
        acts: &mut Vec<Act>,
    ) -> Result<(), String> {
        self.told.insert(peer, has.clone());
        self.handle(now, Input::Learned(vec![source_of(peer, has, place)]), acts)
    }
}
