//! What each lane of a content is asked for, and whether there should be more lanes or others.

use std::time::Duration;

use super::{Content, Event, Holder, MAX_LANES, ManifestState};
use crate::core::fetch::growth::Advice;
use crate::core::fetch::lanes::{Lanes, Step, ahead};
use crate::core::fetch::sources::Sources;
use crate::core::fetch::words::{Lane, LaneError, Output};
use crate::core::time::Time;
use crate::protocol::{ErrorCode, Failure};

/// The most lanes to one source.
const MAX_TO_ONE: usize = 8;
/// The most that is asked for in one request, in bytes.
const RUN: u64 = 16 << 20;
/// The most requests that are not answered yet: what is asked for must fit into the sockets' buffers, so that neither
/// side ever waits for the other to read.
const REQUESTS: usize = 64;
/// How long another lane waits for who asks for the manifest, until it asks its own source.
pub(super) const MANIFEST: Duration = Duration::from_secs(1);

impl Content {
    /// Looks after all lanes: what each is asked for, and whether there should be more or others.
    pub(in crate::core::fetch) fn look(&mut self, now: Time, sources: &Sources, lanes: &mut Lanes) -> Vec<Event> {
        let events = self.look_after_lost(now, sources, lanes);
        if self.spread.take_if(|at| *at <= now).is_some() {
            while lanes.count(self.job()) < MAX_LANES && self.call_in(now, sources, lanes) {}
        }
        for lane in lanes.open(self.job()) {
            match self.manifest {
                ManifestState::Known => self.ask(now, lane, sources, lanes),
                ManifestState::Unknown | ManifestState::Asked(_) => self.ask_manifest(now, lane, sources, lanes),
            }
        }
        self.grow(now, sources, lanes);
        self.starve(now);
        events
    }

    /// Asks for chunks until enough is on its way; a lane whose source has nothing of what is missing gives its place to
    /// one that has.
    fn ask(&mut self, now: Time, lane: Lane, sources: &Sources, lanes: &mut Lanes) {
        let Some(state) = lanes.get_mut(lane) else { return };
        let (source, chunk_size) = (state.source, self.chunking.chunk_size());
        if state.asks_manifest {
            return;
        }
        let enough = ahead(state.speed.rate(now), chunk_size);
        // At most half of it at once: a slow source is not given what others could send sooner.
        let most = (RUN.min(enough / 2) / chunk_size).max(1) as u32;
        let mut runs = Vec::new();
        while state.takes_more() && state.ahead < enough && state.asked.len() < REQUESTS {
            let Some(run) = self.chunks.next(lane, most) else { break };
            let bytes = self.chunking.span(run.clone());
            state.ask(now, [run.clone()], bytes.end - bytes.start);
            runs.push(run);
        }
        if state.is_slow()
            && let Some(first) = state.asked.front()
            && self.has_another(source, first.start)
        {
            let message = "The other client sent too slowly, and others have the same.";
            return lanes.cut(lane, Some(LaneError::Broke(Failure::new(ErrorCode::PeerBroke, message))));
        }
        let idles = state.is_free();
        if idles {
            state.rest(now);
        }
        let retires = state.step == Step::Retiring;
        runs.into_iter().for_each(|run| lanes.say(Output::AskChunks(lane, run)));
        if idles && retires {
            self.part(lane, source, lanes);
        } else if idles && !self.reserve.is_empty() && !self.chunks.is_useful(source) {
            let useful = self.reserve.iter().position(|other| self.chunks.is_useful(*other));
            self.swap(now, (lane, source), useful, sources, lanes);
        }
    }

    /// Asks for the manifest over the first lane that is ready. A source that cuts the file otherwise waits until another
    /// has given it.
    fn ask_manifest(&mut self, now: Time, lane: Lane, sources: &Sources, lanes: &mut Lanes) {
        let Some(state) = lanes.get_mut(lane).filter(|state| !state.asks_manifest && state.takes_more()) else {
            return;
        };
        let source = state.source;
        if self.holders.get(source as usize).is_some_and(|holder| holder.cuts_otherwise) {
            let may_give = |holder: &Holder| !holder.dropped && !holder.cuts_otherwise;
            let other = self.reserve.iter().position(|other| self.holders.get(*other as usize).is_some_and(may_give));
            if other.is_some() {
                self.swap(now, (lane, source), other, sources, lanes);
            } else if !self.holders.iter().any(may_give) {
                let message = "The other client cuts the file in another way.";
                lanes.cut(lane, Some(LaneError::Broke(Failure::new(ErrorCode::PeerBroke, message))));
            }
            return;
        }
        if matches!(self.manifest, ManifestState::Asked(since) if now - since < MANIFEST) {
            return;
        }
        self.manifest = ManifestState::Asked(now);
        state.ask_manifest(now);
        lanes.say(Output::AskManifest(lane));
    }

    /// A lane ends in peace, and its source is in reserve unless it has others.
    fn part(&mut self, lane: Lane, source: u32, lanes: &mut Lanes) {
        lanes.close(lane);
        self.chunks.leave(lane);
        if lanes.count_to(self.job(), source) == 0 {
            self.redials.gave(source);
            self.reserve.push_back(source);
        }
    }

    /// A lane's place goes to the source at this place of the reserve.
    fn swap(
        &mut self,
        now: Time,
        (lane, source): (Lane, u32),
        other: Option<usize>,
        sources: &Sources,
        lanes: &mut Lanes,
    ) {
        let Some(other) = other.and_then(|other| self.reserve.remove(other)) else { return };
        self.part(lane, source, lanes);
        self.dial(now, other, sources, lanes);
    }

    /// Whether there is another source that has this chunk, too.
    fn has_another(&self, source: u32, chunk: u32) -> bool {
        let is_another =
            |(number, other): (u32, &Holder)| number != source && !other.dropped && self.chunks.can_give(number, chunk);
        (0..).zip(&self.holders).any(is_another)
    }

    /// Tries whether more lanes bring more.
    fn grow(&mut self, now: Time, sources: &Sources, lanes: &mut Lanes) {
        let job = self.job();
        let count = lanes.count(job);
        match self.growth.advise(now, count, self.chunking.size().saturating_sub(self.present)) {
            Advice::Stay => {}
            Advice::Retire(added) => lanes.retire(&added),
            Advice::Add(more) => {
                let mut added = 0;
                while added < more
                    && let Some(source) = self.fastest(now, lanes)
                {
                    let lane = self.dial(now, source, sources, lanes);
                    self.growth.added(lane);
                    added += 1;
                }
                self.growth.added_all(now, added);
            }
        }
    }

    /// The source that sends most over each of its lanes, among those that can give more.
    fn fastest(&self, now: Time, lanes: &Lanes) -> Option<u32> {
        let rate = |source: u32| {
            let of = lanes.all().values().filter(|lane| lane.job == self.job() && lane.source == source);
            let sum: u64 = of.clone().map(|lane| lane.speed.clone().rate(now)).fold(0, u64::saturating_add);
            sum / (of.count() as u64).max(1)
        };
        let fits = |(number, holder): &(u32, &Holder)| {
            (1..MAX_TO_ONE).contains(&lanes.count_to(self.job(), *number))
                && !holder.dropped
                && self.chunks.is_useful(*number)
        };
        (0..).zip(&self.holders).filter(fits).map(|(number, _)| number).max_by_key(|number| rate(*number))
    }
}
