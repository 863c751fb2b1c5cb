//! What always holds of a [`Fetch`], whatever happens to it. Simulations and debug builds ask after each step.

use super::chunks::invariants::Witness as ChunksWitness;
use super::content::Content;
use super::lanes::{LaneState, MOST_AHEAD, Step};
use super::machine::{Fetch, Stage};
use super::small_files::invariants as small_files;
use super::words::{Job, Lane};

/// The most lanes of one job: more are not begun with, and more do not grow.
const MOST_LANES: usize = 16;

/// How many files and chunks are looked at for each step. A transfer with no more of them is looked at after each step,
/// a larger one less often: to look at it takes as long as it has pieces, and it has steps for each of them.
const PIECES_A_STEP: usize = 1024;

/// A witness that looks at a transfer again and again, and remembers what must not be taken back.
#[derive(Debug, Default)]
pub struct Witness {
    /// The content whose chunks are looked at.
    file: Option<u32>,
    chunks: ChunksWitness,
    over: bool,
    /// How many pieces the steps since the last look allow to look at.
    saved: usize,
}

impl Witness {
    /// Looks at the transfer after a step: at its end, and as often as [`PIECES_A_STEP`] allows.
    ///
    /// # Errors
    /// What does not hold, for whoever has to mend it.
    pub fn check(&mut self, fetch: &Fetch) -> Result<(), String> {
        let over = fetch.outcome().is_some();
        if self.over && !over {
            return Err("it was over, and goes on".into());
        }
        self.over = over;
        lanes_are_few(fetch)?;
        self.saved = self.saved.saturating_add(PIECES_A_STEP);
        if !over && self.saved < pieces(fetch) {
            return Ok(());
        }
        self.saved = 0;
        if let Stage::Fetching(content) | Stage::Ending(content, _) = &fetch.stage {
            if self.file.replace(content.file) != Some(content.file) {
                self.chunks = ChunksWitness::default();
            }
            self.chunks.check(&content.chunks)?;
        }
        if let Stage::Fetching(content) = &fetch.stage {
            who_waits_has_no_lane(fetch, content)?;
        }
        small_files::check(&fetch.stream.files)?;
        for (lane, state) in fetch.lanes.all() {
            what_is_asked_is_counted(fetch, *lane, state)?;
            who_lied_is_not_asked(fetch, *lane, state)?;
        }
        Ok(())
    }
}

/// How many files and chunks there are to look at.
fn pieces(fetch: &Fetch) -> usize {
    let chunks = match &fetch.stage {
        Stage::Fetching(content) | Stage::Ending(content, _) => content.chunks.count(),
        Stage::None | Stage::Opening(_) | Stage::Placing(..) => 0,
    };
    fetch.stream.files.items().len() + chunks
}

fn who_waits_has_no_lane(fetch: &Fetch, content: &Content) -> Result<(), String> {
    for (number, holder) in (0..).zip(&content.holders) {
        let mine = |state: &&LaneState| state.job == content.job() && state.source == number;
        let counted = fetch.lanes.all().values().filter(mine).filter(|state| state.step != Step::Closed).count();
        let waits = content.reserve.iter().filter(|source| **source == number).count();
        if waits > 1 || (waits == 1 && (counted > 0 || holder.dropped)) {
            return Err(format!("source {number} is in reserve {waits} times, with {counted} lanes: {holder:?}"));
        }
        let connected = fetch.lanes.all().values().filter(mine).any(|state| state.is_open());
        if content.away().contains(&number) && (connected || holder.dropped || waits > 0) {
            return Err(format!("source {number} is waited for, and is connected: {connected}, {waits}, {holder:?}"));
        }
    }
    Ok(())
}

fn what_is_asked_is_counted(fetch: &Fetch, lane: Lane, state: &LaneState) -> Result<(), String> {
    let size = |piece: u32| match (state.job, &fetch.stage) {
        (Job::Files, _) => fetch.stream.files.items().get(piece as usize).map(|item| item.size),
        (Job::Chunks(file), Stage::Fetching(content)) if content.file == file => Some(content.bytes(piece)),
        (Job::Chunks(_), _) => None,
    };
    let Some(sizes) = state.asked.iter().cloned().flatten().map(size).collect::<Option<Vec<u64>>>() else {
        return Ok(());
    };
    let sum: u64 = sizes.iter().sum();
    if sum != state.ahead {
        return Err(format!("{sum} bytes are on their way over {lane:?}, not {}", state.ahead));
    }
    // The last that was asked for may reach beyond what is asked for ahead.
    let largest = sizes.iter().max().copied().unwrap_or_default();
    if sum > MOST_AHEAD.saturating_mul(2).max(largest.saturating_mul(3)) {
        return Err(format!("{sum} bytes are on their way over {lane:?}"));
    }
    match state.step {
        Step::Dialling if !state.is_free() => Err(format!("something is asked of {lane:?}, which is not connected")),
        Step::Dialling | Step::Open | Step::Retiring | Step::Closed | Step::Cut => Ok(()),
    }
}

fn who_lied_is_not_asked(fetch: &Fetch, lane: Lane, state: &LaneState) -> Result<(), String> {
    let lied = fetch.sources.get(state.source).is_none_or(|source| source.lied);
    // Of a folder, another file may be fetched from it at the same moment.
    if lied && !fetch.plan.is_folder() && (state.is_open() || state.step == Step::Dialling) {
        return Err(format!("{lane:?} goes on with source {}, which lied", state.source));
    }
    Ok(())
}

fn lanes_are_few(fetch: &Fetch) -> Result<(), String> {
    let part = |state: &&LaneState| matches!(state.step, Step::Dialling | Step::Open | Step::Retiring);
    let files = fetch.lanes.all().values().filter(part).filter(|state| state.job == Job::Files).count();
    let chunks = fetch.lanes.all().values().filter(part).count() - files;
    if files.max(chunks) > MOST_LANES {
        return Err(format!("there are {files} lanes for files and {chunks} for chunks"));
    }
    Ok(())
}
