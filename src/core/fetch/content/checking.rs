//! What an earlier attempt left of a content: it counts as there while it is compared with the manifest, chunk by chunk.

use super::Content;
use crate::core::fetch::lanes::Lanes;
use crate::core::fetch::words::Output;
use crate::protocol::ChunkSet;

impl Content {
    /// What an earlier attempt left: chunks that are wanted are checked, or all if that may complete the file.
    pub(in crate::core::fetch) fn claim(&mut self, wanted: Option<&ChunkSet>, claimed: Vec<u32>) {
        let mut all = wanted.cloned().unwrap_or_else(|| ChunkSet::all(self.chunking.count()));
        all.extend(claimed.iter().copied());
        let completes = all.len() == self.chunking.count();
        for chunk in claimed {
            if completes || wanted.is_none_or(|wanted| wanted.contains(chunk)) {
                self.chunks.claim(chunk);
                self.present += self.bytes(chunk);
            } else {
                self.others = true;
            }
        }
    }

    /// A chunk that an earlier attempt left is right, or is not. Says whether it counts from now on.
    pub(in crate::core::fetch) fn checked(&mut self, chunk: u32, right: bool, lanes: &mut Lanes) -> bool {
        self.checking = false;
        let claimed = self.chunks.is_claimed(chunk);
        let counts = right && claimed && self.chunks.done(chunk);
        if !right && claimed {
            self.chunks.disown(chunk);
            self.present = self.present.saturating_sub(self.bytes(chunk));
        }
        self.check_next(lanes);
        counts
    }

    pub(super) fn check_next(&mut self, lanes: &mut Lanes) {
        if !self.checking
            && let Some(chunk) = self.chunks.next_claimed(0)
        {
            self.checking = true;
            lanes.say(Output::Check(chunk));
        }
    }

    /// Nothing is compared with the manifest any more.
    pub(in crate::core::fetch) fn stop_checking(&mut self) {
        self.checking = false;
    }

    pub(in crate::core::fetch) fn is_checking(&self) -> bool {
        self.checking
    }
}
