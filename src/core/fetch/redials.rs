//! Sources that were lost through no fault of their own: when each is dialled again, and when it is given up.
//!
//! A source is *lost* when the last lane to it breaks, or cannot be made, or is silent. It is dialled again at once,
//! then after pauses that grow. It counts as lost until something has come from it, not merely until it answers: who
//! answers again and again and gives nothing is given up, like who stays away.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::time::{Rng, Time};
use crate::protocol::Failure;

/// How long a source that was lost is dialled again before it is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The longest pause before the first dial; it is random, so that not all receivers come at once.
const SOON: Duration = Duration::from_millis(100);
/// The second pause, counted from when the dial before it began. Each further one is twice as long, up to the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(2);
/// How often a source may be connected and give nothing.
const FRUITLESS: u32 = 4;

/// What there is to do about a lost source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is dialled at this time.
    Waits(Time),
    /// It has been dialled since this time.
    Dialled(Time),
    /// It is connected, and has given nothing yet.
    Connected,
}

/// A lost source.
#[derive(Debug, Clone)]
struct Lost {
    since: Time,
    /// Why it was lost, the first time.
    failure: Failure,
    step: Step,
    dials: u32,
    fruitless: u32,
    /// Whether the user was told that it is not used now.
    told: bool,
}

/// The lost sources of one job, by their numbers.
#[derive(Debug)]
pub(super) struct Redials {
    rng: Rng,
    lost: BTreeMap<u32, Lost>,
}

/// What becomes of a source that has no lane any more.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fate {
    /// It is dialled again.
    Waits,
    /// The same, and it did not answer when it was: the user may hear of it, see [`Redials::tell`].
    Absent,
    /// It is given up. The user has heard of it if so.
    GivenUp(Failure, bool),
}

impl Redials {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: Rng(seed), lost: BTreeMap::new() }
    }

    /// The last lane to a source is lost, for this reason; `silent` says that it was silent for long.
    pub(super) fn lost(&mut self, now: Time, source: u32, failure: &Failure, silent: bool) -> Fate {
        let soon = now + Duration::from_micros(self.rng.below(SOON.as_micros() as u64));
        let pause = self.pause(source);
        let lost = self.lost.entry(source).or_insert_with(|| Lost {
            since: now,
            failure: failure.clone(),
            step: Step::Waits(soon),
            dials: 0,
            fruitless: 0,
            told: false,
        });
        let absent = match lost.step {
            Step::Waits(_) => silent,
            Step::Dialled(began) => {
                let wait = failure.wait.map_or(Duration::ZERO, |wait| Duration::from_millis(wait).min(LONGEST));
                lost.step = Step::Waits(soon.max(began + pause).max(now + wait));
                true
            }
            Step::Connected => {
                lost.fruitless += 1;
                lost.step = Step::Waits(soon.max(now + pause));
                false
            }
        };
        if now - lost.since >= PATIENCE || lost.fruitless >= FRUITLESS {
            return self.give_up(source).map_or(Fate::Waits, |(failure, told)| Fate::GivenUp(failure, told));
        }
        if absent { Fate::Absent } else { Fate::Waits }
    }

    /// Why a source was lost, the first time that this is asked.
    pub(super) fn tell(&mut self, source: u32) -> Option<Failure> {
        let lost = self.lost.get_mut(&source)?;
        (!std::mem::replace(&mut lost.told, true)).then(|| lost.failure.clone())
    }

    /// The pause before the next dial, if the one before was in vain.
    fn pause(&mut self, source: u32) -> Duration {
        let Some(dials) = self.lost.get(&source).map(|lost| lost.dials) else { return Duration::ZERO };
        let pause = FIRST.saturating_mul(1 << dials.saturating_sub(1).min(8)).min(LONGEST);
        pause + Duration::from_micros(self.rng.below(1 + pause.as_micros() as u64 / 4))
    }

    /// It is worth a dial at once: it was told of anew.
    pub(super) fn hurry(&mut self, now: Time, source: u32) {
        if let Some(Lost { step: Step::Waits(at), .. }) = self.lost.get_mut(&source) {
            *at = (*at).min(now);
        }
    }

    /// A source that is to be dialled now, and has been from now on.
    pub(super) fn take_due(&mut self, now: Time) -> Option<u32> {
        let is_due = |lost: &Lost| matches!(lost.step, Step::Waits(at) if at <= now);
        let (source, lost) = self.lost.iter_mut().find(|(_, lost)| is_due(lost))?;
        (lost.step, lost.dials) = (Step::Dialled(now), lost.dials.saturating_add(1));
        Some(*source)
    }

    /// A lane to a source is connected. Says whether it has been lost.
    pub(super) fn connected(&mut self, source: u32) -> bool {
        let Some(lost) = self.lost.get_mut(&source) else { return false };
        std::mem::replace(&mut lost.step, Step::Connected) != Step::Connected
    }

    /// Something has come from it: it is not lost any more.
    pub(super) fn gave(&mut self, source: u32) {
        self.lost.remove(&source);
    }

    /// A source is not to be dialled again. If it is lost: why, and whether the user has heard of it.
    pub(super) fn give_up(&mut self, source: u32) -> Option<(Failure, bool)> {
        let Lost { failure, told, .. } = self.lost.remove(&source)?;
        Some((failure, told))
    }

    /// A source that has been waited for long enough, why it was lost, and whether the user has heard of it.
    pub(super) fn take_overdue(&mut self, now: Time) -> Option<(u32, Failure, bool)> {
        let overdue = |lost: &Lost| lost.step != Step::Connected && now - lost.since >= PATIENCE;
        let source = *self.lost.iter().find(|(_, lost)| overdue(lost))?.0;
        let (mut failure, told) = self.give_up(source)?;
        failure.message = format!("{} It was not back within {} s.", failure.message, PATIENCE.as_secs()).into();
        Some((source, failure, told))
    }

    /// Whether a source is lost and has no connection.
    pub(super) fn is_away(&self, source: u32) -> bool {
        self.lost.get(&source).is_some_and(|lost| lost.step != Step::Connected)
    }

    /// The sources that are away.
    pub(super) fn all_away(&self) -> Vec<u32> {
        self.lost.keys().copied().filter(|source| self.is_away(*source)).collect()
    }

    /// Whether any source is away.
    pub(super) fn any_away(&self) -> bool {
        self.lost.values().any(|lost| lost.step != Step::Connected)
    }

    /// When a source is to be dialled, or to be given up.
    pub(super) fn timers(&self) -> impl Iterator<Item = Time> + '_ {
        self.lost
            .values()
            .flat_map(|lost| match lost.step {
                Step::Waits(at) => [Some(at), Some(lost.since + PATIENCE)],
                Step::Dialled(_) => [None, Some(lost.since + PATIENCE)],
                Step::Connected => [None, None],
            })
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorCode;

    fn at(millis: u64) -> Time {
        Time(millis * 1_000)
    }

    /// Dials in vain, each for `takes`, until the source is given up; says when each dial began.
    fn dials(seed: u64, takes: Duration) -> Vec<Duration> {
        let mut redials = Redials::new(seed);
        assert_eq!(redials.lost(at(0), 7, &ErrorCode::PeerBroke.into(), false), Fate::Waits);
        let (mut now, mut began) = (at(0), Vec::new());
        while redials.any_away() {
            now = redials.timers().min().unwrap().max(now);
            if let Some((source, failure, told)) = redials.take_overdue(now) {
                assert_eq!((source, failure.code, told), (7, ErrorCode::PeerBroke, true), "why it was lost first");
                break;
            }
            let Some(source) = redials.take_due(now) else { continue };
            began.push(now - at(0));
            now = now + takes;
            match redials.lost(now, source, &ErrorCode::PeerUnreachable.into(), false) {
                Fate::Absent => assert_eq!(redials.tell(7).is_some(), began.len() == 1),
                Fate::Waits => panic!("it did not answer"),
                Fate::GivenUp(..) => {}
            }
        }
        began
    }

    #[test]
    fn the_first_dial_comes_at_once_and_the_pauses_grow_to_a_bound() {
        for seed in 0..50 {
            let began = dials(seed, Duration::from_millis(1));
            assert!(began[0] <= SOON && began.len() > 12 && began.len() < 25, "{began:?}");
            let pauses: Vec<_> = began.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(pauses.iter().all(|pause| *pause >= FIRST && *pause <= Duration::from_millis(2_601)), "{pauses:?}");
            assert!(*began.last().unwrap() > PATIENCE - Duration::from_secs(3) && *began.last().unwrap() <= PATIENCE);
        }
    }

    #[test]
    fn a_dial_that_takes_long_is_pause_enough() {
        let began = dials(3, Duration::from_secs(5));
        assert!(began.windows(2).all(|pair| pair[1] - pair[0] <= Duration::from_millis(5_101)), "{began:?}");
    }

    #[test]
    fn who_answers_and_gives_nothing_is_given_up_and_who_gives_is_not() {
        let mut redials = Redials::new(1);
        let failure = Failure::from(ErrorCode::PeerBroke);
        let mut fates = Vec::new();
        let mut now = at(0);
        for round in 0..20 {
            fates.push(redials.lost(now, 1, &failure, false));
            if !redials.is_away(1) {
                break;
            }
            now = now + Duration::from_secs(3);
            assert_eq!(redials.take_due(now), Some(1));
            assert!(redials.connected(1) && !redials.connected(1));
            if round < 10 {
                redials.gave(1);
            }
        }
        assert_eq!(fates.iter().filter(|fate| **fate == Fate::Waits).count(), 10 + FRUITLESS as usize);
        assert_eq!(fates.last(), Some(&Fate::GivenUp(failure, false)));
    }
}
