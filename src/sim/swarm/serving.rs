//! How a source of the swarm answers requests.

use std::time::Duration;

use super::{Answer, CHUNK, Fault, Happens, SwarmSim, Via};
use crate::protocol::ErrorCode;

impl SwarmSim {
    /// A receiver asks how the content is divided.
    pub(super) fn asked_manifest(&mut self, via: Via) {
        let Some(index) = self.source_of(via).filter(|index| !self.peers[*index].gone) else { return };
        let way = self.way(index, via.receiver);
        match self.peers[index].config.fault {
            Fault::Stalls if self.peers[index].faulty => {}
            Fault::Changes if self.peers[index].faulty => {
                self.later(way, Happens::Arrives(via, 0, Answer::Refused(ErrorCode::SourceChanged)));
            }
            Fault::None | Fault::Lies | Fault::Leaves | Fault::Changes | Fault::Claims | Fault::Stalls => {
                self.later(way, Happens::Manifest(via));
            }
        }
    }

    /// A request for a chunk arrives at its source.
    pub(super) fn asked(&mut self, via: Via, chunk: u32) {
        let Some(index) = self.source_of(via).filter(|index| !self.peers[*index].gone) else { return };
        let waiting = &mut self.peers[index].waiting;
        match waiting.iter_mut().find(|(other, _)| *other == via) {
            Some((_, chunks)) => chunks.push_back(chunk),
            None => waiting.push_back((via, [chunk].into())),
        }
        self.send_next(index);
    }

    /// A connection has ended: its waiting answers are dropped.
    pub(super) fn forget(&mut self, index: usize, via: Via) {
        self.peers[index].waiting.retain(|(other, _)| *other != via);
    }

    /// Sends one answer at a time, and serves the connections in turn.
    fn send_next(&mut self, index: usize) {
        let peer = &mut self.peers[index];
        if peer.sending.is_some() {
            return;
        }
        let Some((via, mut chunks)) = peer.waiting.pop_front() else { return };
        let Some(chunk) = chunks.pop_front() else { return };
        if !chunks.is_empty() {
            peer.waiting.push_back((via, chunks));
        }
        peer.sending = Some((via, chunk));
        let takes = Duration::from_micros(CHUNK * 1_000_000 / peer.config.rate);
        self.later(takes, Happens::Sent(index));
    }

    /// A source has sent an answer, and starts with the next.
    pub(super) fn sent(&mut self, index: usize) {
        let Some((via, chunk)) = self.peers[index].sending.take() else { return };
        let answer = self.answer(index, chunk);
        if let Some(answer) = answer.filter(|_| !self.peers[index].gone) {
            let arrives = self.now + self.way(index, via.receiver);
            let rates = (self.peers[index].config.lane_rate, self.peers[via.receiver].config.down);
            let at = match self.peers[via.receiver].receiver.as_mut() {
                Some(receiver) => receiver.takes_until(arrives, via.lane, rates),
                None => arrives,
            };
            self.later(at - self.now, Happens::Arrives(via, chunk, answer));
        }
        self.send_next(index);
    }

    /// A source's answer; `None` if it stalls.
    fn answer(&mut self, index: usize, chunk: u32) -> Option<Answer> {
        let peer = &self.peers[index];
        let truth = self.truth[chunk as usize];
        if !peer.has.as_ref().is_none_or(|has| has.contains(chunk)) {
            return Some(Answer::Refused(ErrorCode::SourceGone));
        }
        match peer.config.fault {
            Fault::Lies if peer.faulty && self.rng.chance(50) => Some(Answer::Chunk(!truth)),
            Fault::Changes if peer.faulty => Some(Answer::Refused(ErrorCode::SourceChanged)),
            Fault::Stalls if peer.faulty => None,
            Fault::None | Fault::Lies | Fault::Leaves | Fault::Changes | Fault::Claims | Fault::Stalls => {
                Some(Answer::Chunk(truth))
            }
        }
    }
}
