//! One content that comes in chunks: from whom, over which lanes, and when there is no hope of it any more.

mod asking;
mod checking;
mod losing;

use std::collections::VecDeque;
use std::time::Duration;

use super::GATHERED;
use super::chunks::Chunks;
use super::growth::Growth;
use super::lanes::Lanes;
use super::redials::{PATIENCE, Redials};
use super::sources::Sources;
use super::words::{Job, Lane};
use crate::core::time::Time;
use crate::protocol::{ChunkSet, Chunking, ErrorCode, Failure};

/// With how many lanes a transfer begins at most; with more sources, the others wait in reserve.
const MAX_LANES: usize = 8;
/// Below this size, in bytes, a second lane costs more than it gives.
const WORTH_A_LANE: u64 = 4 << 20;
/// After how long a transfer that began with one lane calls in the other sources: it is not as short as it was taken
/// for.
const SPREAD: Duration = Duration::from_millis(500);
/// How long to wait for somebody who has what is missing: others may get it, and who was lost may be back.
pub(super) const STARVED: Duration = PATIENCE;
/// How often a source that was lost is taken in again when it is told of again: whoever comes and goes without end shall
/// not keep a transfer busy.
const RETURNS: u32 = 16;

/// What is known of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ManifestState {
    Unknown,
    /// A lane asks for it, since then.
    Asked(Time),
    Known,
}

/// What a source is to this content.
#[derive(Debug, Clone, Default)]
pub(super) struct Holder {
    /// It is not used any more.
    pub(super) dropped: bool,
    /// It has been told of anew, from another place, since its lanes dialled.
    moved: bool,
    /// How often it was taken in again.
    returns: u32,
    /// Its manifest is of another cutting, so it is not asked for that again.
    cuts_otherwise: bool,
}

/// What happens to a content that the whole transfer must know.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// A source is not used for it any more.
    Dropped(u32, Failure),
    /// A source is lost and does not answer; it may be back, and others go on.
    Absent(u32, Failure),
}

/// One content that is being fetched.
#[derive(Debug)]
pub(super) struct Content {
    /// Its place in the plan.
    pub(super) file: u32,
    chunking: Chunking,
    pub(super) chunks: Chunks,
    manifest: ManifestState,
    /// By the numbers of the sources.
    pub(super) holders: Vec<Holder>,
    /// Those that have no lane now and may get one.
    pub(super) reserve: VecDeque<u32>,
    /// When the sources in reserve are called in.
    spread: Option<Time>,
    /// Since when nobody who is there has what is missing.
    starved: Option<Time>,
    redials: Redials,
    growth: Growth,
    /// The bytes of the chunks that are there or said to be.
    pub(super) present: u64,
    /// Why the last source was dropped, and whether it was waited for before.
    failure: Option<(Failure, bool)>,
    /// Chunks are there that nobody wants now: they are left alone.
    pub(super) others: bool,
    checking: bool,
}

impl Content {
    /// A content of which none is there, from nobody yet.
    pub(super) fn new(
        now: Time,
        (file, chunking): (u32, Chunking),
        wanted: Option<ChunkSet>,
        seed: u64,
        cores: usize,
    ) -> Self {
        let chunks = Chunks::new(chunking.count(), wanted, chunking.chunk_size() <= GATHERED, seed);
        Self {
            file,
            chunking,
            chunks,
            manifest: ManifestState::Unknown,
            holders: Vec::new(),
            reserve: VecDeque::new(),
            spread: Some(now + SPREAD),
            starved: None,
            redials: Redials::new(seed),
            growth: Growth::new(now, cores),
            present: 0,
            failure: None,
            others: false,
            checking: false,
        }
    }

    pub(super) fn job(&self) -> Job {
        Job::Chunks(self.file)
    }

    /// A source that has these chunks, or all; one that has none of this content is not used.
    pub(super) fn add_source(&mut self, has: Option<&ChunkSet>, uses: bool) {
        let number = self.chunks.add_source(has);
        self.holders.push(Holder { dropped: !uses, ..Holder::default() });
        if uses {
            self.reserve.push_back(number);
        } else {
            self.chunks.drop_source(number);
        }
    }

    /// Begins: two lanes for one source, one for each of several, and only one where more are not worth it.
    pub(super) fn begin(&mut self, now: Time, manifest: bool, sources: &Sources, lanes: &mut Lanes) {
        let (count, small) = (self.reserve.len(), self.chunking.size() <= WORTH_A_LANE);
        let first = if small { 1 } else { count.min(MAX_LANES) };
        if count == 0 {
            self.failure = Some((Failure::new(ErrorCode::SourceGone, "Nobody has the file."), false));
        }
        for _ in 0..first {
            self.call_in(now, sources, lanes);
        }
        if count == 1
            && !small
            && let Some(only) = lanes.all().values().find(|lane| lane.job == self.job()).map(|lane| lane.source)
        {
            self.dial(now, only, sources, lanes);
        }
        if manifest || self.chunking.count() == 1 {
            self.manifest = ManifestState::Known;
            self.check_next(lanes);
        }
    }

    fn dial(&self, now: Time, source: u32, sources: &Sources, lanes: &mut Lanes) -> Lane {
        lanes.dial(now, self.job(), source, sources.place(source))
    }

    /// Begins a lane to a source from the reserve, preferably one that has what is missing. False if there is none.
    fn call_in(&mut self, now: Time, sources: &Sources, lanes: &mut Lanes) -> bool {
        self.reserve.retain(|source| self.holders.get(*source as usize).is_some_and(|holder| !holder.dropped));
        let useful = self.reserve.iter().position(|source| self.chunks.is_useful(*source));
        let Some(called) = self.reserve.remove(useful.unwrap_or(0)) else { return false };
        self.dial(now, called, sources, lanes);
        true
    }

    /// There is one more in reserve.
    pub(super) fn call_in_one_more(&mut self, now: Time, sources: &Sources, lanes: &mut Lanes) {
        if lanes.count(self.job()) < MAX_LANES {
            self.call_in(now, sources, lanes);
        }
    }

    pub(super) fn connected(&mut self, now: Time, lane: Lane, source: u32) {
        if self.redials.connected(source) {
            self.chunks.source_here(source);
            self.growth.begin_anew(now);
        }
        self.chunks.join(lane, source);
        self.growth.connected(now, lane);
    }

    /// A source has answered what it was asked of the manifest.
    pub(super) fn manifest(&mut self, now: Time, lane: Lane, fits: bool, lanes: &mut Lanes) {
        let Some(state) = lanes.get_mut(lane) else { return };
        state.asks_manifest = false;
        state.rest(now);
        if fits {
            self.redials.gave(state.source);
        }
        if let Some(holder) = self.holders.get_mut(state.source as usize) {
            holder.cuts_otherwise = !fits;
        }
        if self.manifest == ManifestState::Known {
            return;
        }
        self.manifest = if fits { ManifestState::Known } else { ManifestState::Unknown };
        if fits {
            self.check_next(lanes);
        }
    }

    /// Whoever asked for the manifest will not bring it.
    fn forget_manifest(&mut self) {
        if self.manifest != ManifestState::Known {
            self.manifest = ManifestState::Unknown;
        }
    }

    /// A chunk has come: says whether it is to be written.
    pub(super) fn arrived(&mut self, now: Time, lane: Lane, chunk: u32, lanes: &mut Lanes) -> bool {
        let bytes = self.bytes(chunk);
        let Some(state) = lanes.get_mut(lane).filter(|state| state.is_open()) else { return false };
        if !state.take_off(chunk, bytes) {
            return false;
        }
        self.redials.gave(state.source);
        self.growth.came(now, bytes);
        self.chunks.begin_write(lane, chunk)
    }

    /// A chunk is in the file. Says how many bytes that are, if it was not there before.
    pub(super) fn written(&mut self, chunk: u32) -> Option<u64> {
        if !self.chunks.done(chunk) {
            return None;
        }
        let bytes = self.bytes(chunk);
        self.present += bytes;
        Some(bytes)
    }

    /// Takes note of whether nobody who is there has what is missing.
    fn starve(&mut self, now: Time) {
        self.starved = self.chunks.is_starved().then(|| self.starved.unwrap_or(now));
    }

    /// Whether it waits for somebody who has what is missing.
    pub(super) fn is_starved(&self, lanes: &Lanes) -> bool {
        // Where nobody is left at all, it is about to end.
        self.starved.is_some() && (lanes.count(self.job()) > 0 || self.redials.any_away())
    }

    /// Whether every chunk that is wanted is there.
    pub(super) fn is_complete(&self) -> bool {
        self.chunks.is_complete() && self.manifest == ManifestState::Known
    }

    /// How it has ended, if it has.
    pub(super) fn verdict(&self, now: Time, lanes: &Lanes) -> Option<Result<(), Failure>> {
        if self.is_complete() {
            return Some(Ok(()));
        }
        let only_checking = self.manifest == ManifestState::Known && !self.chunks.is_wanting();
        if lanes.count(self.job()) == 0 && !only_checking && !self.redials.any_away() {
            let failure = self.failure.as_ref().map(|(failure, _)| failure.clone());
            return Some(Err(failure.unwrap_or_else(|| ErrorCode::PeerBroke.into())));
        }
        self.starved.filter(|since| now - *since >= STARVED)?;
        Some(Err(match &self.failure {
            Some((failure, true)) => failure.clone(),
            _ => Failure::new(ErrorCode::SourceGone, "Nobody who is there has the rest of the file."),
        }))
    }

    /// When something is to be looked at again, beside its lanes, and why.
    pub(super) fn timers(&self) -> impl Iterator<Item = Time> + '_ {
        let manifest = match self.manifest {
            // Another lane asks its own source.
            ManifestState::Asked(since) => Some(since + asking::MANIFEST),
            ManifestState::Unknown | ManifestState::Known => None,
        };
        let starved = self.starved.map(|since| since + STARVED);
        [manifest, self.spread, starved, self.growth.timer()].into_iter().flatten().chain(self.redials.timers())
    }

    pub(super) fn bytes(&self, chunk: u32) -> u64 {
        let range = self.chunking.range(chunk);
        range.end - range.start
    }
}
