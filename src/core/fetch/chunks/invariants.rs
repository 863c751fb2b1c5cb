//! What always holds of [`Chunks`], whatever happens to it. Tests and simulations ask after each step.

use std::ops::Range;

use super::holders::Holder;
use super::{ChunkState, Chunks, Lane};

/// A witness that looks at the chunks again and again, and remembers what must not be taken back.
#[derive(Debug, Default)]
pub struct Witness {
    done: Vec<bool>,
    /// After how many changes of the sources their chunks were counted.
    counted_at: Option<u64>,
}

impl Witness {
    /// Looks at them.
    ///
    /// # Errors
    /// What does not hold, for whoever has to mend it.
    pub fn check(&mut self, chunks: &Chunks) -> Result<(), String> {
        counters_agree(chunks)?;
        only_what_is_wanted_is_fetched(chunks)?;
        what_flies_is_carried(chunks)?;
        if self.counted_at.replace(chunks.holders.changes()) != Some(chunks.holders.changes()) {
            holders_are_counted(chunks)?;
        }
        self.done.resize(chunks.chunks.len(), false);
        for (chunk, (done, state)) in self.done.iter_mut().zip(&chunks.chunks).enumerate() {
            if *done && *state != ChunkState::Done {
                return Err(format!("chunk {chunk} was done, and is not any more"));
            }
            *done = *state == ChunkState::Done;
        }
        Ok(())
    }

    /// Looks at what [`Chunks::next`] has just given a lane.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check_run(&self, chunks: &Chunks, lane: Lane, run: &Range<u32>, max: u32) -> Result<(), String> {
        if run.is_empty() || run.len() as u32 > max.max(1) || run.end as usize > chunks.chunks.len() {
            return Err(format!("{run:?} is no run of at most {max} chunks"));
        }
        for chunk in run.clone() {
            let state = chunks.chunks[chunk as usize];
            let flies = matches!(state, ChunkState::Flying(first, second) if first == lane || second == Some(lane));
            if !flies || self.done.get(chunk as usize) == Some(&true) {
                return Err(format!("chunk {chunk} was handed out, and is {state:?}"));
            }
        }
        Ok(())
    }
}

fn counters_agree(chunks: &Chunks) -> Result<(), String> {
    let mut counted = (0, 0, 0);
    for state in &chunks.chunks {
        counted.0 += usize::from(*state == ChunkState::Missing);
        counted.1 += usize::from(matches!(state, ChunkState::Flying(..) | ChunkState::Writing(_)));
        counted.2 += usize::from(!matches!(state, ChunkState::Done | ChunkState::Unwanted));
    }
    let told = (chunks.missing, chunks.flying, chunks.undone);
    if told != counted {
        return Err(format!("(missing, flying, undone) are {counted:?}, and the counters say {told:?}"));
    }
    Ok(())
}

fn only_what_is_wanted_is_fetched(chunks: &Chunks) -> Result<(), String> {
    for (chunk, state) in (0..).zip(&chunks.chunks) {
        let wanted = chunks.wants(chunk);
        let fits = match state {
            ChunkState::Unwanted => !wanted,
            ChunkState::Missing | ChunkState::Flying(..) | ChunkState::Writing(_) => wanted,
            ChunkState::Claimed | ChunkState::Done => true,
        };
        if !fits {
            return Err(format!("chunk {chunk} is {state:?}; wanted: {wanted}"));
        }
    }
    Ok(())
}

fn what_flies_is_carried(chunks: &Chunks) -> Result<(), String> {
    for (chunk, state) in (0..).zip(&chunks.chunks) {
        let (first, second) = match state {
            ChunkState::Flying(first, second) => (first, second),
            ChunkState::Writing(lane) => (lane, &None),
            ChunkState::Unwanted | ChunkState::Missing | ChunkState::Claimed | ChunkState::Done => continue,
        };
        for lane in [Some(*first), *second].into_iter().flatten() {
            match chunks.source(lane) {
                None => return Err(format!("chunk {chunk} comes over {lane:?}, which left")),
                Some(source) if !chunks.holders.has(source, chunk) => {
                    return Err(format!("chunk {chunk} comes from source {source}, which does not have it"));
                }
                Some(_) => {}
            }
        }
        if let Some(second) = second
            && (!chunks.doubles || chunks.source(*first) == chunks.source(*second))
        {
            return Err(format!("chunk {chunk} comes over {first:?} and {second:?}"));
        }
    }
    Ok(())
}

fn holders_are_counted(chunks: &Chunks) -> Result<(), String> {
    let sources = chunks.holders.all();
    for chunk in 0..chunks.chunks.len() as u32 {
        let holders = sources.iter().filter(|source| matches!(source, Holder::Part(has) if has.contains(chunk)));
        let counted = holders.count() as u32;
        if counted != chunks.holders.holders(chunk) {
            return Err(format!("{counted} sources have chunk {chunk}, not {}", chunks.holders.holders(chunk)));
        }
    }
    let counted = (sources.contains(&Holder::Whole), sources.iter().any(|source| matches!(source, Holder::Part(_))));
    let told = (chunks.holders.any_whole(), chunks.holders.any_part());
    if told != counted {
        return Err(format!("(any source has all, any has a part) is {counted:?}, and the counters say {told:?}"));
    }
    match chunks.lanes.values().find(|lane| !chunks.holders.is_there(lane.source)) {
        Some(lane) => Err(format!("a lane of source {} stays, which is gone", lane.source)),
        None => Ok(()),
    }
}
