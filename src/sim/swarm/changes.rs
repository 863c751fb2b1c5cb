//! What happens to the ways between the clients of a swarm, through no fault of theirs.

use std::time::Duration;

use super::{Change, Happens, SwarmSim, Via};
use crate::core::time::Time;
use crate::protocol::Route;

/// How long a dial of a place where nobody is takes.
const TIMEOUT: Duration = Duration::from_secs(5);

impl SwarmSim {
    pub(super) fn changes(&mut self, index: usize, change: Change) -> Result<(), String> {
        match change {
            Change::Breaks => self.breaks(index),
            Change::Away(span) => {
                self.peers[index].away += 1;
                self.breaks(index);
                self.later(span, Happens::Back(index));
            }
            Change::Moves(told) => {
                self.peers[index].place += 1;
                for (receiver, peer) in self.peers.iter_mut().enumerate() {
                    let of = if receiver == index { None } else { Some(index) };
                    peer.receiver.iter_mut().for_each(|receiver| receiver.fall_silent(of));
                }
                self.receiver_does(index, |of, now, _, acts| of.network_changed(now, acts))?;
                self.later(told, Happens::MovedTold(index));
            }
            Change::Way(route) => {
                let before = std::mem::replace(&mut self.peers[index].route, route);
                if route < before {
                    for receiver in self.others(index) {
                        self.receiver_does(receiver, |of, now, _, acts| of.better(now, (index, route), acts))?;
                    }
                } else if route > before {
                    self.breaks(index);
                }
            }
        }
        Ok(())
    }

    /// Everybody hears where a client is by now.
    pub(super) fn moved_told(&mut self, index: usize) -> Result<(), String> {
        let place = self.peers[index].place;
        for receiver in self.others(index) {
            self.receiver_does(receiver, |of, now, _, acts| of.moved(now, (index, place), acts))?;
        }
        Ok(())
    }

    fn others(&self, index: usize) -> impl Iterator<Item = usize> + use<> {
        (0..self.peers.len()).filter(move |other| *other != index)
    }

    /// All connections to a client and from it break.
    fn breaks(&mut self, index: usize) {
        for receiver in 0..self.peers.len() {
            let of = if receiver == index { None } else { Some(index) };
            let lanes = self.peers[receiver].receiver.as_ref().map(|receiver| receiver.lanes_to(of));
            for lane in lanes.unwrap_or_default() {
                let after = self.way(receiver, index);
                self.later(after, Happens::Breaks(Via { receiver, lane }));
            }
        }
    }

    /// A dial has come to its end.
    pub(super) fn dialled(&mut self, via: Via) -> Result<(), String> {
        let peer = self.source_of(via).filter(|peer| !self.peers[*peer].gone);
        let place = self.peers[via.receiver].receiver.as_ref().and_then(|receiver| receiver.place(via.lane));
        if peer.is_some_and(|peer| place != Some(self.peers[peer].place)) {
            self.later(TIMEOUT, Happens::Breaks(via));
            return Ok(());
        }
        let is_there = |peer: &usize| self.peers[*peer].away == 0 && self.peers[via.receiver].away == 0;
        let route: Option<Route> = peer.filter(is_there).map(|peer| self.peers[peer].route);
        self.receiver_does(via.receiver, |of, now, _, acts| of.dialled(now, via.lane, route, acts))
    }

    /// When a receiver wrote each chunk.
    pub fn written_at(&self, receiver: usize) -> &[Time] {
        self.peers[receiver].receiver.as_ref().map(|of| of.seen.written_at.as_slice()).unwrap_or_default()
    }

    /// The ways of which a receiver has told, one after the other.
    pub fn routes(&self, receiver: usize) -> &[Route] {
        self.peers[receiver].receiver.as_ref().map(|of| of.seen.routes.as_slice()).unwrap_or_default()
    }

    /// How many chunks have come to a receiver, also those that were of no use.
    pub fn came(&self, receiver: usize) -> usize {
        self.peers[receiver].receiver.as_ref().map_or(0, |of| of.seen.came)
    }
}
