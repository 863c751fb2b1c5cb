//! What a running fetch knows: the state that its threads share, and the sources in it.

use std::collections::VecDeque;
use std::time::Instant;

use super::fetch::Source;
use crate::core::swarm::Swarm;
use crate::io::content::hash::Manifest;
use crate::io::os::cancel::Cancel;
use crate::protocol::{ChunkSet, Failure};

/// The most sources that one fetch remembers.
pub(super) const MAX_SOURCES: usize = 4_096;
/// How often a source that was lost is taken in again when it is told of again: whoever comes and goes without end shall
/// not keep a fetch busy.
const RETURNS: u32 = 16;

/// Held for moments only, never over I/O.
pub(super) struct State {
    pub(super) swarm: Swarm,
    pub(super) plan: Plan,
    /// By the numbers that the swarm gave them.
    pub(super) sources: Vec<SourceState>,
    /// Those that have no lane now and may get one.
    reserve: VecDeque<u32>,
    pub(super) lanes: usize,
    /// The bytes of the chunks that are there or said to be.
    pub(super) present: u64,
    /// What was verified and not told of yet.
    pub(super) fresh: ChunkSet,
    /// Why the whole fails, if it does.
    pub(super) failure: Option<Failure>,
}

/// What is known of the manifest.
pub(super) enum Plan {
    Unknown,
    /// A lane is asking, since then.
    Asked(Instant),
    Known(Manifest),
}

pub(super) struct SourceState {
    /// What it has is known to the swarm.
    pub(super) source: Source,
    pub(super) bytes: u64,
    pub(super) connected: bool,
    pub(super) dropped: bool,
    /// It sent something wrong: it is never asked again.
    pub(super) lied: bool,
    /// It has been told of anew, from another place, since its lanes dialled.
    moved: bool,
    /// How often it was taken in again.
    returns: u32,
    /// Its manifest is of another cutting, so it is not asked for that again.
    pub(super) cuts_otherwise: bool,
    pub(super) lanes: u32,
    /// Ends all lanes of this source.
    pub(super) stop: Cancel,
}

impl State {
    pub(super) fn new(swarm: Swarm, plan: Plan, present: u64) -> Self {
        let (sources, reserve, fresh) = (Vec::new(), VecDeque::new(), ChunkSet::default());
        Self { swarm, plan, sources, reserve, lanes: 0, present, fresh, failure: None }
    }

    /// Takes a source in, which waits in reserve then; a known one may have more by now, and one that was lost may be
    /// back. Says whether there is one more in reserve.
    pub(super) fn learn(&mut self, mut source: Source) -> bool {
        if let Some(known) = self.sources.iter().position(|known| known.source.key == source.key) {
            return self.hear_of(known as u32, &source);
        }
        if self.sources.len() >= MAX_SOURCES {
            return false;
        }
        let number = self.swarm.add_source(source.has.take().as_ref());
        self.reserve.push_back(number);
        let (stop, bytes, lanes) = (Cancel::default(), 0, 0);
        let (connected, dropped, lied, moved, cuts_otherwise, returns) = (false, false, false, false, false, 0);
        let state =
            SourceState { source, bytes, connected, dropped, lied, moved, returns, cuts_otherwise, lanes, stop };
        self.sources.push(state);
        true
    }

    /// A known source is told of again. Says whether it is in reserve again, after it was lost.
    fn hear_of(&mut self, number: u32, told: &Source) -> bool {
        let known = &mut self.sources[number as usize];
        if known.lied {
            return false;
        }
        let moved = known.source.address != told.address;
        known.source.address = told.address;
        if !known.dropped {
            known.moved |= moved && known.lanes > 0;
            self.swarm.has_more(number, told.has.as_ref());
            return false;
        }
        if known.returns >= RETURNS {
            return false;
        }
        known.returns += 1;
        (known.dropped, known.moved, known.stop) = (false, false, Cancel::default());
        self.swarm.source_back(number, told.has.as_ref());
        self.reserve.push_back(number);
        true
    }

    /// The last connection to a source is lost. Whether it can be dialled again at once: where it is by now, nobody has
    /// tried. It is in reserve then.
    pub(super) fn goes_on_elsewhere(&mut self, number: u32) -> bool {
        let lost = &mut self.sources[number as usize];
        let again = std::mem::take(&mut lost.moved) && lost.returns < RETURNS;
        if again {
            lost.returns += 1;
            self.reserve.push_back(number);
        }
        again
    }

    /// A source from the reserve for a new lane, preferably one that has what is missing.
    pub(super) fn call_in(&mut self) -> Option<u32> {
        self.reserve.retain(|source| !self.sources[*source as usize].dropped);
        let useful = self.reserve.iter().position(|source| self.swarm.is_useful(*source));
        let called = self.reserve.remove(useful.unwrap_or(0))?;
        self.sources[called as usize].lanes += 1;
        Some(called)
    }

    /// Another source for a lane whose source has nothing of what is missing, if there is one that has.
    pub(super) fn swap(&mut self, source: u32) -> Option<u32> {
        if self.reserve.is_empty() || self.swarm.is_useful(source) {
            return None;
        }
        let other = self.reserve.iter().position(|other| self.swarm.is_useful(*other))?;
        self.exchange(source, other)
    }

    /// Another source for a lane whose source cuts the file otherwise, while nobody has the manifest, if there is one that
    /// may give it.
    pub(super) fn swap_for_manifest(&mut self, source: u32) -> Option<u32> {
        let other = self.reserve.iter().position(|other| self.sources[*other as usize].may_give_manifest())?;
        self.exchange(source, other)
    }

    /// A lane goes on with the source at this place of the reserve.
    fn exchange(&mut self, source: u32, other: usize) -> Option<u32> {
        let other = self.reserve.remove(other)?;
        self.sources[other as usize].lanes += 1;
        let left = &mut self.sources[source as usize];
        left.lanes -= 1;
        if left.lanes == 0 {
            self.reserve.push_back(source);
        }
        Some(other)
    }

    /// Whether there is anybody who may give the manifest.
    pub(super) fn may_get_manifest(&self) -> bool {
        self.sources.iter().any(SourceState::may_give_manifest)
    }

    /// Whether there is another source that has this chunk, too.
    pub(super) fn has_another(&self, source: u32, chunk: u32) -> bool {
        let is_another = |(number, other): (u32, &SourceState)| {
            number != source && !other.dropped && self.swarm.can_give(number, chunk)
        };
        (0..).zip(&self.sources).any(is_another)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.swarm.is_complete() && matches!(self.plan, Plan::Known(_))
    }

    /// Complete, or without hope of it: no connection left, and something to fetch.
    pub(super) fn is_over(&self) -> bool {
        let only_checking = matches!(self.plan, Plan::Known(_)) && !self.swarm.is_wanting();
        self.is_complete() || (self.lanes == 0 && !only_checking)
    }
}

impl SourceState {
    fn may_give_manifest(&self) -> bool {
        !self.dropped && !self.cuts_otherwise
    }
}
