//! The lanes of one transfer: what is on its way over each, how far ahead it asks, and when its source is too slow.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use super::way::Way;
use super::words::{Job, Lane, LaneError, Output};
use crate::core::flow::{Flow, LEAST, Verdict};
use crate::core::time::Time;
use crate::protocol::{ErrorCode, Failure, PublicKey, Route};

/// How long a source of which something is wanted may be silent.
pub(super) const SILENCE: Duration = Duration::from_secs(10);
/// How often a source of which nothing is wanted is told that it may be asked again.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Over how long the speed of a lane is measured.
const SPEED: Duration = Duration::from_secs(1);
/// What a source is taken to send in a second until that is known, in bytes.
const FIRST_RATE: u64 = 4 << 20;
/// The least that is asked for ahead, in bytes, unless a chunk is larger.
const LEAST_AHEAD: u64 = 256 << 10;
/// The most that is asked for ahead, in bytes, unless a chunk is larger.
pub(super) const MOST_AHEAD: u64 = 64 << 20;

/// How many bytes may be on their way from a source that sends so many a second: what comes in a second, so that
/// neither the way's length nor a disk's pause stops the flow; at least the chunk that comes and the next.
pub fn ahead(rate: u64, chunk_size: u64) -> u64 {
    let most = MOST_AHEAD.max(chunk_size);
    rate.max(LEAST_AHEAD).max(chunk_size.saturating_mul(2)).min(most)
}

/// What comes over a lane: how much in a second, and whether that is enough.
#[derive(Debug, Clone)]
pub(super) struct Speed {
    got: u64,
    since: Time,
    last: u64,
    flow: Flow,
}

impl Speed {
    fn new(now: Time, flow: Flow) -> Self {
        Self { got: 0, since: now, last: FIRST_RATE, flow }
    }

    /// In bytes a second.
    pub(super) fn rate(&mut self, now: Time) -> u64 {
        let elapsed = now - self.since;
        let micros = elapsed.as_micros().max(10_000);
        let rate = u64::try_from(u128::from(self.got) * 1_000_000 / micros).unwrap_or(u64::MAX);
        if elapsed < SPEED {
            return rate.max(self.last);
        }
        (self.got, self.since, self.last) = (0, now, rate);
        rate
    }
}

/// How far a lane has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Dialling,
    /// Something may be asked of its source.
    Open,
    /// It ends when what was asked for has come: more lanes than are worth it.
    Retiring,
    /// It was told that all is well: it has no part in anything any more.
    Closed,
    /// It was told to break off. What it was given is its own until it has ended: it may still be writing.
    Cut,
}

/// One lane.
#[derive(Debug)]
pub(super) struct LaneState {
    pub(super) source: u32,
    pub(super) job: Job,
    pub(super) step: Step,
    /// What was asked for and has not come yet, in order, and its bytes.
    pub(super) asked: VecDeque<Range<u32>>,
    pub(super) ahead: u64,
    /// The requests for files that the source may not have read: the files that were asked for in each, and the bytes of
    /// their names.
    pub(super) unread: VecDeque<(usize, usize)>,
    pub(super) asks_manifest: bool,
    pub(super) speed: Speed,
    pub(super) way: Way,
    /// When something was heard of the source last, or wanted of it for the first time since.
    pub(super) heard: Time,
    /// Since when nothing is wanted of it, and when it was told last that it may be asked again.
    pub(super) idle: Option<(Time, Time)>,
    /// What has come and is being written.
    pub(super) writing: Option<u32>,
    /// Why it was cut, if not by our own wish.
    blame: Option<LaneError>,
    /// The source could not give some file.
    pub(super) refused: bool,
}

impl LaneState {
    /// Whether something may be asked over it.
    pub(super) fn takes_more(&self) -> bool {
        self.step == Step::Open
    }

    /// Whether it is connected and has not been told to end.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.step, Step::Open | Step::Retiring)
    }

    /// Whether something is wanted of its source.
    pub(super) fn waits(&self) -> bool {
        self.is_open() && (self.asks_manifest || !self.asked.is_empty())
    }

    /// Something is asked for, of so many bytes.
    pub(super) fn ask(&mut self, now: Time, pieces: impl IntoIterator<Item = Range<u32>>, bytes: u64) {
        self.begin_waiting(now);
        self.asked.extend(pieces);
        self.ahead = self.ahead.saturating_add(bytes);
    }

    pub(super) fn ask_manifest(&mut self, now: Time) {
        self.begin_waiting(now);
        self.asks_manifest = true;
    }

    fn begin_waiting(&mut self, now: Time) {
        if !self.waits() {
            self.heard = now;
            self.speed.flow.rest(now);
        }
        self.idle = None;
    }

    /// The first piece that was asked for has come, or will not. False if it was another.
    pub(super) fn take_off(&mut self, piece: u32, bytes: u64) -> bool {
        let Some(first) = self.asked.front_mut().filter(|first| first.start == piece) else { return false };
        first.start += 1;
        if first.start == first.end {
            self.asked.pop_front();
        }
        self.ahead = self.ahead.saturating_sub(bytes);
        true
    }

    /// Nothing is wanted of its source: that nothing comes says nothing.
    pub(super) fn rest(&mut self, now: Time) {
        self.idle.get_or_insert((now, now));
        (self.speed.got, self.speed.since) = (0, now);
        self.speed.flow.rest(now);
    }

    /// Whether it has nothing to do.
    pub(super) fn is_free(&self) -> bool {
        self.asked.is_empty() && self.writing.is_none() && !self.asks_manifest
    }

    /// What its end means, which its driver reports like this, if it was not told to close.
    pub(super) fn why(&mut self, reported: Option<LaneError>) -> Option<LaneError> {
        match reported {
            Some(LaneError::Lied(failure)) => Some(LaneError::Lied(failure)),
            _ if self.step == Step::Cut => self.blame.take(),
            other => other,
        }
    }

    /// Whether it moves too little, and others should be asked.
    pub(super) fn is_slow(&self) -> bool {
        self.speed.flow.verdict() > Verdict::Well
    }
}

/// What holds for all lanes of a transfer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// Over how long it is looked whether a source sends enough.
    pub(super) trial: Duration,
    /// Whether we are to receive slowly ourselves.
    pub(super) limited: bool,
}

/// All lanes of one transfer, and what is said over them.
#[derive(Debug)]
pub(super) struct Lanes {
    terms: Terms,
    all: BTreeMap<Lane, LaneState>,
    next: u32,
    out: VecDeque<Output>,
}

impl Lanes {
    pub(super) fn new(terms: Terms) -> Self {
        Self { terms, all: BTreeMap::new(), next: 0, out: VecDeque::new() }
    }

    pub(super) fn say(&mut self, output: Output) {
        self.out.push_back(output);
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    pub(super) fn all(&self) -> &BTreeMap<Lane, LaneState> {
        &self.all
    }

    pub(super) fn all_mut(&mut self) -> &mut BTreeMap<Lane, LaneState> {
        &mut self.all
    }

    pub(super) fn get(&self, lane: Lane) -> Option<&LaneState> {
        self.all.get(&lane)
    }

    pub(super) fn get_mut(&mut self, lane: Lane) -> Option<&mut LaneState> {
        self.all.get_mut(&lane)
    }

    /// The connected lanes of a job.
    pub(super) fn open(&self, job: Job) -> Vec<Lane> {
        let open = self.all.iter().filter(|(_, lane)| lane.job == job && lane.is_open());
        open.map(|(number, _)| *number).collect()
    }

    /// How many lanes have a part in a job.
    pub(super) fn count(&self, job: Job) -> usize {
        self.all.values().filter(|lane| lane.job == job && lane.step != Step::Closed).count()
    }

    /// How many lanes to a source have a part in a job.
    pub(super) fn count_to(&self, job: Job, source: u32) -> usize {
        let of = |lane: &&LaneState| lane.job == job && lane.source == source && lane.step != Step::Closed;
        self.all.values().filter(of).count()
    }

    /// Whether any lane of a job has not ended.
    pub(super) fn any(&self, job: Job) -> bool {
        self.all.values().any(|lane| lane.job == job)
    }

    /// Begins a lane to a source; its place is nobody's if there is no such source.
    pub(super) fn dial(&mut self, now: Time, job: Job, source: u32, place: Option<(SocketAddr, PublicKey)>) -> Lane {
        let lane = Lane(self.next);
        self.next += 1;
        let flow = Flow::new(now, if self.terms.limited { 0 } else { LEAST }, self.terms.trial);
        let state = LaneState {
            source,
            job,
            step: Step::Dialling,
            asked: VecDeque::new(),
            ahead: 0,
            unread: VecDeque::new(),
            asks_manifest: false,
            speed: Speed::new(now, flow),
            way: Way::default(),
            heard: now,
            idle: None,
            writing: None,
            blame: None,
            refused: false,
        };
        if let Some((address, key)) = place {
            self.all.insert(lane, state);
            self.say(Output::Dial { lane, address, key, job });
        }
        lane
    }

    /// A lane is connected. False if it was told to end meanwhile.
    pub(super) fn connected(&mut self, now: Time, lane: Lane, route: Route) -> bool {
        let Some(state) = self.all.get_mut(&lane).filter(|state| state.step == Step::Dialling) else { return false };
        (state.step, state.way.route, state.speed.since) = (Step::Open, Some(route), now);
        state.rest(now);
        true
    }

    /// Bytes have come over a lane. It is cut if they are next to nothing.
    pub(super) fn moved(&mut self, now: Time, lane: Lane, bytes: u64) {
        let Some(state) = self.all.get_mut(&lane).filter(|state| state.is_open()) else { return };
        state.heard = now;
        state.way.kept = false;
        state.speed.got = state.speed.got.saturating_add(bytes);
        if state.speed.flow.moved(now, bytes) == Verdict::Hopeless {
            self.cut(lane, Some(LaneError::Broke(ErrorCode::SourceTooSlow.into())));
        }
    }

    /// These lanes are asked for nothing more: they close when what they were asked for has come.
    pub(super) fn retire(&mut self, lanes: &[Lane]) {
        for lane in lanes {
            if let Some(state) = self.all.get_mut(lane).filter(|state| state.step == Step::Open) {
                state.step = Step::Retiring;
            }
        }
    }

    /// Ends a lane in peace: its source has given all that was wanted of it. One that has no connection yet is cut, and
    /// so is one whose source could not give everything: it shall not take that for a success.
    pub(super) fn close(&mut self, lane: Lane) {
        let Some(state) = self.all.get_mut(&lane) else { return };
        let (open, refused) = (state.is_open(), state.refused);
        match state.step {
            Step::Closed | Step::Cut => return,
            Step::Dialling | Step::Open | Step::Retiring => state.step = Step::Closed,
        }
        self.say(if open && !refused { Output::Close(lane) } else { Output::Cut(lane) });
    }

    /// Breaks a lane off; `blame` says what is wrong with it, or with its source.
    pub(super) fn cut(&mut self, lane: Lane, blame: Option<LaneError>) {
        let Some(state) = self.all.get_mut(&lane) else { return };
        if matches!(state.step, Step::Cut | Step::Closed) {
            return;
        }
        (state.step, state.blame) = (Step::Cut, blame);
        self.say(Output::Cut(lane));
    }

    /// Cuts all lanes of a job to a source, or to all.
    pub(super) fn cut_all(&mut self, job: Job, source: Option<u32>) {
        let of = |state: &LaneState| state.job == job && source.is_none_or(|source| state.source == source);
        let lanes: Vec<Lane> = self.all.iter().filter(|(_, state)| of(state)).map(|(lane, _)| *lane).collect();
        lanes.into_iter().for_each(|lane| self.cut(lane, None));
    }

    /// Cuts the lanes of a job to a source, for this reason, if all that are left have been replaced by one that is lost.
    pub(super) fn cut_if_replaced(&mut self, job: Job, source: u32, why: &LaneError) {
        let mine = |state: &LaneState| state.job == job && state.source == source && state.step != Step::Closed;
        let left: Vec<Lane> = self.all.iter().filter(|(_, state)| mine(state)).map(|(lane, _)| *lane).collect();
        let stays = |lane: &Lane| self.get(*lane).is_some_and(|state| state.way.replaced.is_none());
        if !left.iter().any(stays) {
            left.into_iter().for_each(|lane| self.cut(lane, Some(why.clone())));
        }
    }

    /// Closes all lanes of a job.
    pub(super) fn close_all(&mut self, job: Job) {
        let lanes: Vec<Lane> = self.all.iter().filter(|(_, state)| state.job == job).map(|(lane, _)| *lane).collect();
        lanes.into_iter().for_each(|lane| self.close(lane));
    }

    /// A lane has ended.
    pub(super) fn ended(&mut self, lane: Lane) -> Option<LaneState> {
        self.all.remove(&lane)
    }

    /// Cuts the lanes whose sources are silent, and says over those of which nothing is wanted that they stay.
    pub(super) fn look(&mut self, now: Time) {
        let silent = |state: &LaneState| state.waits() && now - state.heard >= state.silence();
        let lanes: Vec<Lane> = self.all.iter().filter(|(_, state)| silent(state)).map(|(lane, _)| *lane).collect();
        for lane in lanes {
            let Some(state) = self.all.get(&lane) else { continue };
            let message = format!("The other client sent nothing for {} seconds.", state.silence().as_secs());
            let failure = Failure::new(ErrorCode::PeerBroke, message);
            let error = if state.way.kept { LaneError::Lost(failure) } else { LaneError::Silent(failure) };
            self.cut(lane, Some(error));
        }
        self.look_after_replaced(now);
        for (lane, state) in &mut self.all {
            if state.is_open()
                && let Some((_, kept)) = &mut state.idle
                && now - *kept >= KEEP_ALIVE
            {
                *kept = now;
                self.out.push_back(Output::KeepAlive(*lane));
            }
        }
    }

    /// When [`Lanes::look`] has something to do.
    pub(super) fn timers(&self) -> impl Iterator<Item = Time> + '_ {
        self.all.values().filter(|state| state.is_open()).filter_map(|state| match state.idle {
            Some((_, kept)) => Some(kept + KEEP_ALIVE),
            None if state.waits() => Some(state.leftovers_until().unwrap_or(state.heard + state.silence())),
            None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_ahead_follows_the_rate() {
        let (mib, chunk) = (1 << 20, 1 << 20);
        assert_eq!(ahead(0, chunk), 2 * mib);
        assert_eq!(ahead(0, 1 << 10), 256 << 10);
        assert_eq!(ahead(10 * mib, chunk), 10 * mib);
        assert_eq!(ahead(u64::MAX, chunk), 64 * mib);
        assert_eq!(ahead(0, 64 * mib), 64 * mib);
        assert_eq!(ahead(1, 1 << 53), 1 << 53, "one chunk, however large");
    }
}
