//! What must hold when a receiver drops a source, or comes to its end.

use super::{Fault, Peer, SwarmSim};
use crate::protocol::{ChunkSet, ErrorCode};

impl SwarmSim {
    /// A receiver has come to its end.
    pub(super) fn over(&mut self, index: usize) -> Result<(), String> {
        let peer = &self.peers[index];
        let receiver = peer.receiver.as_ref().ok_or("it has no receiver")?;
        if receiver.outcome == Some(Ok(())) {
            if peer.config.leaves_when_done {
                self.leaves(index);
            }
            return Ok(());
        }
        let wanted = |chunk: &u32| match &peer.config.fetches {
            Some(Some(wanted)) => wanted.contains(*chunk),
            Some(None) | None => true,
        };
        let missing = |chunk: &u32| wanted(chunk) && receiver.got[*chunk as usize].is_none();
        let missing: Vec<u32> = (0..self.truth.len() as u32).filter(missing).collect();
        // A fetch of no chunks is refused.
        if missing.is_empty() && receiver.outcome == Some(Err(ErrorCode::BadRequest)) {
            return Ok(());
        }
        let told = |chunk: u32, (peer, has): (&usize, &Option<ChunkSet>)| {
            self.is_sound(*peer) && has.as_ref().is_none_or(|has| has.contains(chunk))
        };
        if missing.iter().all(|chunk| receiver.told.iter().any(|of| told(*chunk, of))) {
            return Err(format!("peer {index} gave up, and sound sources had all of {missing:?}"));
        }
        self.peers[index].has = Some(ChunkSet::default());
        Ok(())
    }

    /// Whether a peer would still serve what it has.
    fn is_sound(&self, index: usize) -> bool {
        let peer = &self.peers[index];
        let failed = peer.receiver.as_ref().is_some_and(|receiver| matches!(receiver.outcome, Some(Err(_))));
        !peer.gone && !failed && matches!(peer.config.fault, Fault::None | Fault::Leaves)
    }

    /// Checks that a source was dropped for something that it did.
    pub(super) fn check_dropped(&self, index: usize, code: ErrorCode) -> Result<(), String> {
        let peer = &self.peers[index];
        let fits = match code {
            ErrorCode::BadChunk => peer.config.fault == Fault::Lies,
            // The peer has left, or was silent.
            ErrorCode::PeerBroke => peer.gone || peer.config.fault == Fault::Stalls || self.is_disturbed(),
            ErrorCode::PeerUnreachable => peer.gone || self.is_disturbed(),
            ErrorCode::SourceChanged => peer.config.fault == Fault::Changes,
            ErrorCode::SourceGone => peer.config.fault == Fault::Claims || !self.is_sound(index),
            _ => false,
        };
        if fits { Ok(()) } else { Err(format!("peer {index} ({:?}) was dropped: {code:?}", peer.config.fault)) }
    }

    /// Whether something happens to the ways to anybody: at either end it looks the same.
    fn is_disturbed(&self) -> bool {
        self.peers.iter().any(Peer::is_disturbed)
    }
}
