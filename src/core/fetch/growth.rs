//! How many lanes are worth it. One lane keeps one core busy on either side, and one window of the network full; whether
//! a further one brings anything nobody knows who has not tried. So it is tried: what comes over the lanes that there
//! are is measured, some are added, and it is measured again. If they have not gained enough they retire, and the next
//! try waits twice as long: it settles. There are never more lanes than cores, two aside.

use std::time::Duration;

use super::words::Lane;
use crate::core::time::Time;

/// How long is measured at least.
const WINDOW: Duration = Duration::from_millis(500);
/// How many pieces must have come over each lane meanwhile, so that one more or less makes no difference.
const PIECES: u64 = 8;
/// How long new lanes have to get going before it is measured again.
const RAMP: Duration = Duration::from_millis(250);
/// How much of what added lanes could gain at best they must gain, in percent.
const GAIN: u64 = 40;
/// How long is waited after the first try in vain, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// How often what came in a measurement must still be missing, so that a try can pay.
const WORTH: u64 = 4;
/// The most lanes that grow out of this, however many cores there are: each costs the source a thread.
const MOST: usize = 16;

/// What should be done about the number of lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Advice {
    Stay,
    /// So many more should be tried.
    Add(usize),
    /// These have not been worth it.
    Retire(Vec<Lane>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// It is measured what comes over so many lanes.
    Measuring(usize),
    /// Lanes were added to so many, over which this came in a second; some have not been connected yet.
    Trying { added: Vec<Lane>, missing: usize, lanes: usize, before: u64 },
    /// Nothing is tried until then.
    Resting(Time),
}

/// How many lanes one job should have.
#[derive(Debug)]
pub(super) struct Growth {
    most: usize,
    stage: Stage,
    /// What has come since then.
    since: Time,
    work: u64,
    pieces: u64,
    pause: Duration,
}

impl Growth {
    pub(super) fn new(now: Time, cores: usize) -> Self {
        let (most, stage) = (cores.clamp(2, MOST), Stage::Measuring(0));
        Self { most, stage, since: now, work: 0, pieces: 0, pause: FIRST_PAUSE }
    }

    /// A piece has come, of so many bytes.
    pub(super) fn came(&mut self, now: Time, bytes: u64) {
        if now < self.since {
            return;
        }
        self.work = self.work.saturating_add(bytes);
        self.pieces += 1;
    }

    /// What should be done now that there are so many lanes, and so many bytes are missing.
    pub(super) fn advise(&mut self, now: Time, lanes: usize, left: u64) -> Advice {
        match &self.stage {
            Stage::Resting(until) if now < *until => Advice::Stay,
            Stage::Resting(_) => self.measure(now, lanes),
            Stage::Measuring(before) if *before != lanes => self.measure(now, lanes),
            Stage::Measuring(_) if !self.is_measured(now, lanes) => Advice::Stay,
            Stage::Measuring(_) => {
                let worth = left / WORTH >= self.work;
                let (before, add) = (self.rate(now), (lanes / 2).max(1).min(self.most.saturating_sub(lanes)));
                self.restart(now);
                if add == 0 || !worth {
                    return Advice::Stay;
                }
                self.stage = Stage::Trying { added: Vec::new(), missing: add, lanes, before };
                Advice::Add(add)
            }
            Stage::Trying { added, missing: 0, lanes: before, .. } if *before + added.len() != lanes => {
                self.measure(now, lanes)
            }
            Stage::Trying { missing: 1.., .. } => Advice::Stay,
            Stage::Trying { .. } if !self.is_measured(now, lanes) => Advice::Stay,
            Stage::Trying { .. } => self.judge(now, lanes),
        }
    }

    /// The added lanes have been measured: they stay or go.
    fn judge(&mut self, now: Time, lanes: usize) -> Advice {
        let rate = self.rate(now);
        let next = std::mem::replace(&mut self.stage, Stage::Measuring(lanes));
        let Stage::Trying { added, lanes: few, before, .. } = next else { return Advice::Stay };
        self.restart(now);
        let gained = u128::from(rate.saturating_sub(before)) * 100 * few as u128;
        if gained >= u128::from(before) * u128::from(GAIN) * added.len() as u128 {
            self.pause = FIRST_PAUSE;
            return Advice::Stay;
        }
        self.stage = Stage::Resting(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Advice::Retire(added)
    }

    /// A lane was added, as was advised.
    pub(super) fn added(&mut self, lane: Lane) {
        if let Stage::Trying { added, .. } = &mut self.stage {
            added.push(lane);
        }
    }

    /// Fewer lanes could be added than were advised.
    pub(super) fn added_all(&mut self, now: Time, count: usize) {
        match &mut self.stage {
            Stage::Trying { missing, .. } if count > 0 => *missing = count,
            Stage::Trying { .. } => self.stage = Stage::Resting(now + self.pause),
            Stage::Measuring(_) | Stage::Resting(_) => {}
        }
    }

    /// A lane is connected.
    pub(super) fn connected(&mut self, now: Time, lane: Lane) {
        if let Stage::Trying { added, missing, .. } = &mut self.stage
            && added.contains(&lane)
        {
            *missing = missing.saturating_sub(1);
            if *missing == 0 {
                self.restart(now + RAMP);
            }
        }
    }

    /// A lane has ended: what was tried with it is not known.
    pub(super) fn ended(&mut self, now: Time, lane: Lane) {
        if matches!(&self.stage, Stage::Trying { added, .. } if added.contains(&lane)) {
            self.stage = Stage::Resting(now + self.pause);
        }
    }

    /// Lanes were lost: what was measured before says nothing any more.
    pub(super) fn begin_anew(&mut self, now: Time) {
        (self.stage, self.pause) = (Stage::Measuring(0), FIRST_PAUSE);
        self.restart(now);
    }

    /// When [`Growth::advise`] may have something new to say.
    pub(super) fn timer(&self) -> Option<Time> {
        match &self.stage {
            Stage::Resting(until) => Some(*until),
            Stage::Measuring(lanes) if (1..self.most).contains(lanes) => Some(self.since + WINDOW),
            Stage::Trying { missing: 0, .. } => Some(self.since + WINDOW),
            Stage::Measuring(_) | Stage::Trying { .. } => None,
        }
    }

    fn measure(&mut self, now: Time, lanes: usize) -> Advice {
        self.stage = Stage::Measuring(lanes);
        self.restart(now);
        Advice::Stay
    }

    fn restart(&mut self, now: Time) {
        (self.since, self.work, self.pieces) = (now, 0, 0);
    }

    fn is_measured(&self, now: Time, lanes: usize) -> bool {
        now - self.since >= WINDOW && self.pieces >= PIECES * lanes as u64
    }

    /// What has come in a second, in bytes.
    fn rate(&self, now: Time) -> u64 {
        let micros = (now - self.since).as_micros().max(1);
        u64::try_from(u128::from(self.work) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }
}
