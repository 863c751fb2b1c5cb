//! What always holds of a swarm, whatever happens to it. Tests and simulations ask after each step.

use std::ops::Range;

use super::sources::Source;
use super::{Lane, State, Swarm};

/// A witness that looks at a swarm again and again, and remembers what must not be taken back.
#[derive(Debug, Default)]
pub struct Witness {
    done: Vec<bool>,
    /// After how many changes of the sources their chunks were counted.
    counted_at: Option<u64>,
}

impl Witness {
    /// Looks at the swarm.
    ///
    /// # Errors
    /// What does not hold, for whoever has to mend it.
    pub fn check(&mut self, swarm: &Swarm) -> Result<(), String> {
        counters_agree(swarm)?;
        only_what_is_wanted_is_fetched(swarm)?;
        what_flies_is_carried(swarm)?;
        if self.counted_at.replace(swarm.sources.changes()) != Some(swarm.sources.changes()) {
            holders_are_counted(swarm)?;
        }
        self.done.resize(swarm.chunks.len(), false);
        for (chunk, (done, state)) in self.done.iter_mut().zip(&swarm.chunks).enumerate() {
            if *done && *state != State::Done {
                return Err(format!("chunk {chunk} was done, and is not any more"));
            }
            *done = *state == State::Done;
        }
        Ok(())
    }

    /// Looks at what [`Swarm::next`] has just given a lane.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check_run(&self, swarm: &Swarm, lane: Lane, run: &Range<u32>, max: u32) -> Result<(), String> {
        if run.is_empty() || run.len() as u32 > max.max(1) || run.end as usize > swarm.chunks.len() {
            return Err(format!("{run:?} is no run of at most {max} chunks"));
        }
        for chunk in run.clone() {
            let state = swarm.chunks[chunk as usize];
            let flies = matches!(state, State::Flying(first, second) if first == lane || second == Some(lane));
            if !flies || self.done.get(chunk as usize) == Some(&true) {
                return Err(format!("chunk {chunk} was handed out, and is {state:?}"));
            }
        }
        Ok(())
    }
}

fn counters_agree(swarm: &Swarm) -> Result<(), String> {
    let mut counted = (0, 0, 0);
    for state in &swarm.chunks {
        counted.0 += usize::from(*state == State::Missing);
        counted.1 += usize::from(matches!(state, State::Flying(..)));
        counted.2 += usize::from(!matches!(state, State::Done | State::Unwanted));
    }
    let told = (swarm.missing, swarm.flying, swarm.undone);
    if told != counted {
        return Err(format!("(missing, flying, undone) are {counted:?}, and the counters say {told:?}"));
    }
    Ok(())
}

fn only_what_is_wanted_is_fetched(swarm: &Swarm) -> Result<(), String> {
    for (chunk, state) in (0..).zip(&swarm.chunks) {
        let wanted = swarm.wants(chunk);
        let fits = match state {
            State::Unwanted => !wanted,
            State::Missing | State::Flying(..) => wanted,
            State::Claimed | State::Done => true,
        };
        if !fits {
            return Err(format!("chunk {chunk} is {state:?}; wanted: {wanted}"));
        }
    }
    Ok(())
}

fn what_flies_is_carried(swarm: &Swarm) -> Result<(), String> {
    for (chunk, state) in (0..).zip(&swarm.chunks) {
        let State::Flying(first, second) = state else { continue };
        for lane in [Some(*first), *second].into_iter().flatten() {
            match swarm.source(lane) {
                None => return Err(format!("chunk {chunk} comes over {lane:?}, which left")),
                Some(source) if !swarm.sources.has(source, chunk) => {
                    return Err(format!("chunk {chunk} comes from source {source}, which does not have it"));
                }
                Some(_) => {}
            }
        }
        if let Some(second) = second
            && (!swarm.doubles || swarm.source(*first) == swarm.source(*second))
        {
            return Err(format!("chunk {chunk} comes over {first:?} and {second:?}"));
        }
    }
    Ok(())
}

fn holders_are_counted(swarm: &Swarm) -> Result<(), String> {
    let sources = swarm.sources.all();
    for chunk in 0..swarm.chunks.len() as u32 {
        let holders = sources.iter().filter(|source| matches!(source, Source::Part(has) if has.contains(chunk)));
        let counted = holders.count() as u32;
        if counted != swarm.sources.holders(chunk) {
            return Err(format!("{counted} sources have chunk {chunk}, not {}", swarm.sources.holders(chunk)));
        }
    }
    let counted = (sources.contains(&Source::Whole), sources.iter().any(|source| matches!(source, Source::Part(_))));
    let told = (swarm.sources.any_whole(), swarm.sources.any_part());
    if told != counted {
        return Err(format!("(any source has all, any has a part) is {counted:?}, and the counters say {told:?}"));
    }
    match swarm.lanes.iter().flatten().find(|lane| !swarm.sources.is_there(lane.source)) {
        Some(lane) => Err(format!("a lane of source {} stays, which is gone", lane.source)),
        None => Ok(()),
    }
}
