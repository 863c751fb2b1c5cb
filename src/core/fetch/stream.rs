//! The small files of a folder, which come whole and many for each request: over which lanes they come, what each is
//! asked for, and who helps whom.

use std::ops::Range;
use std::time::Duration;

use super::growth::{Advice, Growth};
use super::lanes::{LaneState, Lanes, Step};
use super::redials::{Fate, Redials};
use super::small_files::{Item, Room, SmallFiles};
use super::sources::Sources;
use super::words::{Job, Lane, LaneError, Output};
use crate::core::time::Time;
use crate::protocol::{ErrorCode, Failure};

/// The most lanes with which it begins; with more sources, lanes go to the others afterwards.
const MAX_LANES: usize = 8;
/// The most lanes to one source.
const MAX_TO_ONE: usize = 8;
/// Up to this many files and this many bytes a second lane costs more than it gives.
const WORTH_A_LANE: (usize, u64) = (256, 4 << 20);
/// How long a lane that has nothing to do waits for slower ones before it helps them.
const IMPATIENCE: Duration = Duration::from_secs(2);
/// The least and the most that is asked for ahead of what has come, in bytes. In between it is what comes in a second.
const AHEAD: Range<u64> = 1 << 20..16 << 20;
/// The names in one request, in bytes. No further one is sent while the source has not begun to answer more than twice
/// this: what it has not read must fit into a socket's buffers, so that neither side ever waits for the other to read.
const NAMES: usize = 16 << 10;
/// What a file costs beside its bytes, as bytes.
const COST: u64 = 16 << 10;

/// The small files that are being fetched.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) files: SmallFiles,
    /// How many sources there are.
    sources: u32,
    growth: Growth,
    redials: Redials,
    /// The bytes that are still to come.
    left: u64,
}

impl Stream {
    /// These files, from sources numbered below `sources`.
    pub(super) fn new(now: Time, items: Vec<Item>, sources: usize, (seed, cores): (u64, usize)) -> Self {
        let left = items.iter().map(|item| item.size).sum();
        let files = SmallFiles::new(items, sources, 1);
        Self { files, sources: sources as u32, growth: Growth::new(now, cores), redials: Redials::new(seed), left }
    }

    /// Begins: one lane for each source that has any, two for one alone if there is much.
    pub(super) fn begin(&mut self, now: Time, sources: &Sources, lanes: &mut Lanes) {
        let has_some = |source: &u32| self.files.items().iter().any(|item| item.sources.contains(source));
        let useful: Vec<u32> = (0..self.sources).filter(has_some).collect();
        let count = match useful.len() {
            0 => 0,
            1 if self.files.items().len() <= WORTH_A_LANE.0 && self.left <= WORTH_A_LANE.1 => 1,
            1 => 2,
            more => more.min(MAX_LANES),
        };
        for source in useful.into_iter().cycle().take(count) {
            self.dial(now, source, sources, lanes);
        }
        self.files.set_width(count);
    }

    fn dial(&mut self, now: Time, source: u32, sources: &Sources, lanes: &mut Lanes) -> Lane {
        lanes.dial(now, Job::Files, source, sources.place(source))
    }

    pub(super) fn connected(&mut self, now: Time, lane: Lane, source: u32) {
        if self.redials.connected(source) {
            self.growth.begin_anew(now);
        }
        self.files.join(lane, source);
        self.growth.connected(now, lane);
    }

    /// A file has come: says whether it is to be written.
    pub(super) fn arrived(&mut self, now: Time, lane: Lane, file: u32, lanes: &mut Lanes) -> bool {
        let Some(size) = self.answered(lane, file, lanes) else { return false };
        lanes.get(lane).into_iter().for_each(|state| self.redials.gave(state.source));
        self.growth.came(now, size + COST);
        self.files.claim(lane, file)
    }

    /// The source cannot give a file; others may.
    pub(super) fn refused(&mut self, lane: Lane, file: u32, failure: Failure, lanes: &mut Lanes) {
        if self.answered(lane, file, lanes).is_none() {
            return;
        }
        if let Some(state) = lanes.get_mut(lane) {
            state.refused = true;
        }
        self.files.strike(lane, file, failure);
    }

    /// An answer has begun: the source has read its request.
    fn answered(&mut self, lane: Lane, file: u32, lanes: &mut Lanes) -> Option<u64> {
        let size = self.files.items().get(file as usize)?.size;
        let state = lanes.get_mut(lane).filter(|state| state.is_open())?;
        if !state.take_off(file, size) {
            return None;
        }
        if let Some((files, names)) = state.unread.front_mut() {
            *names = 0;
            *files -= 1;
            if *files == 0 {
                state.unread.pop_front();
            }
        }
        Some(size)
    }

    /// A file is in place. Says how many bytes that are, if it was to be written.
    pub(super) fn written(&mut self, file: u32) -> Option<u64> {
        let size = self.files.items().get(file as usize)?.size;
        if !self.files.done(file) {
            return None;
        }
        self.left = self.left.saturating_sub(size);
        Some(size)
    }

    /// A lane has ended. Says which source is not used any more because of that, and why.
    pub(super) fn ended(
        &mut self,
        now: Time,
        (lane, mut state): (Lane, LaneState),
        why: Option<LaneError>,
        sources: &mut Sources,
        lanes: &mut Lanes,
    ) -> Option<(u32, Failure)> {
        self.files.leave(lane);
        self.growth.ended(now, lane);
        if state.step == Step::Closed {
            return None;
        }
        let (source, why) = (state.source, state.why(why));
        let dropped = self.lose(now, source, why, sources, lanes);
        if let Some(failure) = &dropped {
            self.drop_source(source, failure, lanes);
        }
        if let Some(next) = self.next_source(lanes) {
            self.dial(now, next, sources, lanes);
        }
        dropped.map(|failure| (source, failure))
    }

    /// A source has one lane less. If that was its last, or it lied, it is dialled again, or dropped for the reason that
    /// this returns.
    fn lose(
        &mut self,
        now: Time,
        source: u32,
        why: Option<LaneError>,
        sources: &mut Sources,
        lanes: &mut Lanes,
    ) -> Option<Failure> {
        let (why, left) = (why?, lanes.count_to(Job::Files, source));
        match why {
            LaneError::Lied(failure) => {
                sources.set_lied(source);
                Some(failure)
            }
            why if left > 0 => {
                lanes.cut_if_replaced(Job::Files, source, &why);
                None
            }
            LaneError::Lost(failure) | LaneError::Silent(failure) if sources.may_return(source) => {
                match self.redials.lost(now, source, &failure, false) {
                    Fate::Waits | Fate::Absent => None,
                    Fate::GivenUp(failure, _) => Some(failure),
                }
            }
            LaneError::Lost(failure)
            | LaneError::Silent(failure)
            | LaneError::Broke(failure)
            | LaneError::Fatal(failure) => Some(failure),
        }
    }

    /// Dials the sources that were lost. Says which have been waited for long enough and are not used any more, and why.
    fn look_after_lost(&mut self, now: Time, sources: &Sources, lanes: &mut Lanes) -> Vec<(u32, Failure)> {
        let mut dropped = Vec::new();
        while let Some((source, failure, _)) = self.redials.take_overdue(now) {
            self.drop_source(source, &failure, lanes);
            dropped.push((source, failure));
        }
        while lanes.count(Job::Files) < MAX_LANES
            && let Some(source) = self.redials.take_due(now)
        {
            self.dial(now, source, sources, lanes);
        }
        dropped
    }

    /// A source has left for good. Says why it is not used any more, if it was lost.
    pub(super) fn left(&mut self, source: u32, lanes: &mut Lanes) -> Option<Failure> {
        if !self.redials.is_away(source) {
            return None;
        }
        let (failure, _) = self.redials.give_up(source)?;
        self.drop_source(source, &failure, lanes);
        Some(failure)
    }

    /// A source that is lost may be back: it is dialled now.
    pub(super) fn hurry(&mut self, now: Time, source: u32) {
        self.redials.hurry(now, source);
    }

    /// The sources that are lost and not connected.
    pub(super) fn away(&self) -> Vec<u32> {
        self.redials.all_away()
    }

    /// Whether it waits for sources that are lost, and nothing comes meanwhile.
    pub(super) fn is_starved(&self, lanes: &Lanes) -> bool {
        !self.files.is_over() && self.redials.any_away() && lanes.open(Job::Files).is_empty()
    }

    /// Nothing more is asked of a source.
    pub(super) fn drop_source(&mut self, source: u32, failure: &Failure, lanes: &mut Lanes) {
        self.redials.give_up(source);
        self.files.drop_source(source, failure);
        lanes.cut_all(Job::Files, Some(source));
    }

    /// Looks after one lane over which a file has come or been written. Says whether that is all there is to look after:
    /// it stays busy, and nothing has changed for the others. It is so for most files, which shall cost little.
    pub(super) fn look_after(&mut self, now: Time, lane: Lane, lanes: &mut Lanes) -> bool {
        self.ask(now, lane, lanes);
        let is_busy = lanes.get(lane).is_some_and(|state| state.is_open() && !state.is_free());
        is_busy && !self.files.is_over() && self.growth.timer().is_none_or(|at| now < at)
    }

    /// Looks after all lanes: what each is asked for, and whether there should be more or others. Says which sources are
    /// not used any more, and why.
    pub(super) fn look(&mut self, now: Time, sources: &Sources, lanes: &mut Lanes) -> Vec<(u32, Failure)> {
        let dropped = self.look_after_lost(now, sources, lanes);
        for lane in lanes.open(Job::Files) {
            self.ask(now, lane, lanes);
            self.employ(now, lane, sources, lanes);
        }
        if !self.files.is_over() && lanes.count(Job::Files) == 0 && !self.redials.any_away() {
            self.files.fail_rest(&ErrorCode::PeerBroke.into());
        }
        if self.files.is_over() {
            lanes.close_all(Job::Files);
        } else {
            self.grow(now, sources, lanes);
        }
        dropped
    }

    /// Asks for more when half of what is asked for ahead has come.
    fn ask(&mut self, now: Time, lane: Lane, lanes: &mut Lanes) {
        let Some(state) = lanes.get_mut(lane).filter(|state| state.takes_more()) else { return };
        let enough = state.speed.rate(now).clamp(AHEAD.start, AHEAD.end);
        let mut asked = Vec::new();
        while state.ahead <= enough / 2 && state.unread.iter().map(|(_, names)| names).sum::<usize>() <= 2 * NAMES {
            let taken = self.files.take(lane, Room { bytes: enough - state.ahead, line: NAMES });
            if taken.is_empty() {
                break;
            }
            let items = || taken.iter().filter_map(|file| self.files.items().get(*file as usize));
            let (bytes, names) = (items().map(|item| item.size).sum(), items().map(|item| item.line).sum());
            state.ask(now, taken.iter().map(|file| *file..*file + 1), bytes);
            state.unread.push_back((taken.len(), names));
            asked.push(taken);
        }
        asked.into_iter().for_each(|taken| lanes.say(Output::AskFiles(lane, taken)));
    }

    /// A lane that has nothing to do goes to another source, or helps a slower one.
    fn employ(&mut self, now: Time, lane: Lane, sources: &Sources, lanes: &mut Lanes) {
        let Some(state) = lanes.get_mut(lane).filter(|state| state.is_free()) else { return };
        state.rest(now);
        let idle = state.idle;
        if state.step == Step::Retiring {
            return self.part(lane, lanes);
        }
        if self.files.is_over() {
            return;
        }
        if let Some(next) = self.next_source(lanes) {
            self.part(lane, lanes);
            self.dial(now, next, sources, lanes);
            return;
        }
        if idle.is_some_and(|(since, _)| now - since >= IMPATIENCE) {
            lanes.get_mut(lane).into_iter().for_each(|state| state.idle = Some((now, now)));
            self.files.take_over(lane);
            self.ask(now, lane, lanes);
        }
    }

    fn part(&mut self, lane: Lane, lanes: &mut Lanes) {
        lanes.close(lane);
        self.files.leave(lane);
    }

    /// A source that has something waiting, and that no lane is at.
    fn next_source(&mut self, lanes: &Lanes) -> Option<u32> {
        let redials = &self.redials;
        self.files.next_source(|source| lanes.count_to(Job::Files, source) == 0 && !redials.is_away(source))
    }

    /// Tries whether more lanes bring more.
    fn grow(&mut self, now: Time, sources: &Sources, lanes: &mut Lanes) {
        let count = lanes.count(Job::Files);
        match self.growth.advise(now, count, self.left) {
            Advice::Stay => {}
            Advice::Retire(added) => lanes.retire(&added),
            Advice::Add(more) => {
                let mut added = 0;
                while added < more
                    && let Some(source) =
                        self.files.next_source(|source| (1..MAX_TO_ONE).contains(&lanes.count_to(Job::Files, source)))
                {
                    let lane = self.dial(now, source, sources, lanes);
                    self.growth.added(lane);
                    added += 1;
                }
                self.growth.added_all(now, added);
            }
        }
        self.files.set_width(lanes.count(Job::Files));
    }

    /// When something is to be looked at again, beside its lanes, and why.
    pub(super) fn timers<'a>(&'a self, lanes: &'a Lanes) -> impl Iterator<Item = Time> + 'a {
        // Whoever has nothing to do helps the others.
        let idle = lanes.all().values().filter(|lane| lane.job == Job::Files && lane.is_open());
        let impatience = idle.filter_map(|lane| lane.idle).map(|(since, _)| since + IMPATIENCE);
        impatience.chain(self.growth.timer()).chain(self.redials.timers())
    }
}
