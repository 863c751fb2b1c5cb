//! Sources of a content that are lost, given up, and back.

use super::{Content, Event, MAX_LANES, RETURNS};
use crate::core::fetch::lanes::{LaneState, Lanes, Step};
use crate::core::fetch::redials::Fate;
use crate::core::fetch::sources::Sources;
use crate::core::fetch::words::{Lane, LaneError};
use crate::core::time::Time;
use crate::protocol::{ChunkSet, Failure};

impl Content {
    /// A lane has ended. Another source may get its place.
    pub(in crate::core::fetch) fn ended(
        &mut self,
        now: Time,
        (lane, mut state): (Lane, LaneState),
        why: Option<LaneError>,
        sources: &mut Sources,
        lanes: &mut Lanes,
    ) -> Option<Event> {
        self.chunks.leave(lane);
        self.growth.ended(now, lane);
        if state.asks_manifest {
            self.forget_manifest();
        }
        if state.step == Step::Closed {
            return None;
        }
        let event = self.lose(now, state.source, state.why(why), sources, lanes);
        self.call_in(now, sources, lanes);
        event
    }

    /// A source has one lane less. If that was its last, or it lied, it is dialled again or not used any more.
    fn lose(
        &mut self,
        now: Time,
        source: u32,
        why: Option<LaneError>,
        sources: &mut Sources,
        lanes: &mut Lanes,
    ) -> Option<Event> {
        let job = self.job();
        let lied = matches!(why, Some(LaneError::Lied(_)));
        if lied {
            sources.set_lied(source);
        }
        let left = lanes.count_to(job, source);
        if self.holders.get(source as usize).is_none_or(|holder| holder.dropped) {
            // Not before: until it ends, each lane may still write what it was given.
            if left == 0 {
                self.chunks.drop_source(source);
            }
            return None;
        }
        if left > 0 && !lied {
            why.into_iter().for_each(|why| lanes.cut_if_replaced(job, source, &why));
            return None;
        }
        match why {
            Some(LaneError::Lost(failure)) => self.lost(now, source, (failure, false), sources, lanes),
            Some(LaneError::Silent(failure)) => self.lost(now, source, (failure, true), sources, lanes),
            Some(LaneError::Broke(_) | LaneError::Fatal(_)) if self.goes_on_elsewhere(source) => None,
            Some(LaneError::Broke(failure) | LaneError::Fatal(failure) | LaneError::Lied(failure)) => {
                self.give_up(source, (failure, false), lanes)
            }
            None => {
                self.rest(source);
                None
            }
        }
    }

    /// The last lane to a source is lost, and perhaps it was silent for long.
    fn lost(
        &mut self,
        now: Time,
        source: u32,
        (failure, silent): (Failure, bool),
        sources: &Sources,
        lanes: &mut Lanes,
    ) -> Option<Event> {
        if !sources.may_return(source) {
            return if self.goes_on_elsewhere(source) { None } else { self.give_up(source, (failure, false), lanes) };
        }
        let fate = self.redials.lost(now, source, &failure, silent);
        if let Fate::GivenUp(failure, told) = fate {
            return self.give_up(source, (failure, true), lanes).filter(|_| !told);
        }
        self.chunks.source_away(source);
        if self.holders.get_mut(source as usize).is_some_and(|holder| std::mem::take(&mut holder.moved)) {
            self.redials.hurry(now, source);
        }
        let goes_on = (0..).zip(&self.holders).any(|(number, other)| !other.dropped && !self.redials.is_away(number));
        if !goes_on || fate != Fate::Absent {
            return None;
        }
        self.redials.tell(source).map(|failure| Event::Absent(source, failure))
    }

    /// A source is not used any more, for this reason; it was waited for before if so.
    fn give_up(&mut self, source: u32, failure: (Failure, bool), lanes: &mut Lanes) -> Option<Event> {
        self.redials.give_up(source);
        self.holders.get_mut(source as usize).into_iter().for_each(|holder| holder.dropped = true);
        self.failure = Some(failure.clone());
        lanes.cut_all(self.job(), Some(source));
        if lanes.count_to(self.job(), source) == 0 {
            self.chunks.drop_source(source);
        }
        Some(Event::Dropped(source, failure.0))
    }

    /// A source has no lane, through nobody's fault.
    fn rest(&mut self, source: u32) {
        self.redials.gave(source);
        self.chunks.source_here(source);
        if !self.reserve.contains(&source) {
            self.reserve.push_back(source);
        }
    }

    /// The last lane to a source is lost. Whether it can be dialled again at once: where it is by now, nobody has tried.
    /// It is in reserve then.
    fn goes_on_elsewhere(&mut self, source: u32) -> bool {
        let Some(holder) = self.holders.get_mut(source as usize) else { return false };
        let again = std::mem::take(&mut holder.moved) && holder.returns < RETURNS;
        if again {
            holder.returns += 1;
            self.rest(source);
        }
        again
    }

    /// Dials the sources that were lost, and gives up those that have been waited for long enough.
    pub(super) fn look_after_lost(&mut self, now: Time, sources: &Sources, lanes: &mut Lanes) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some((source, failure, told)) = self.redials.take_overdue(now) {
            events.extend(self.give_up(source, (failure, true), lanes).filter(|_| !told));
        }
        while let Some(source) = self.redials.take_due(now) {
            if lanes.count(self.job()) < MAX_LANES {
                self.dial(now, source, sources, lanes);
            } else {
                // Others have taken its place.
                self.rest(source);
            }
        }
        events
    }

    /// A source has left for good: if it is lost, it is given up.
    pub(in crate::core::fetch) fn left(&mut self, source: u32, lanes: &mut Lanes) -> Option<Event> {
        if !self.redials.is_away(source) {
            return None;
        }
        let (failure, told) = self.redials.give_up(source)?;
        self.give_up(source, (failure, true), lanes).filter(|_| !told)
    }

    /// A source that is lost may be back: it is dialled now.
    pub(in crate::core::fetch) fn hurry(&mut self, now: Time, source: u32) {
        self.redials.hurry(now, source);
    }

    /// The sources that are lost and not connected.
    pub(in crate::core::fetch) fn away(&self) -> Vec<u32> {
        self.redials.all_away()
    }

    /// A known source has more by now, may be elsewhere, and may be back. Says whether it is in reserve again, after it
    /// was lost.
    pub(in crate::core::fetch) fn hear_of(
        &mut self,
        now: Time,
        source: u32,
        has: Option<&ChunkSet>,
        moved: bool,
        lanes: &Lanes,
    ) -> bool {
        let count = lanes.count_to(self.job(), source);
        let Some(holder) = self.holders.get_mut(source as usize) else { return false };
        if !holder.dropped {
            holder.moved |= moved && count > 0;
            self.chunks.has_more(source, has);
            if self.redials.is_away(source) && holder.returns < RETURNS {
                holder.returns += 1;
                self.redials.hurry(now, source);
            }
            return false;
        }
        // Until its last lane has ended it may still be writing.
        if holder.returns >= RETURNS || count > 0 {
            return false;
        }
        holder.returns += 1;
        (holder.dropped, holder.moved) = (false, false);
        self.chunks.source_back(source, has);
        self.reserve.push_back(source);
        true
    }
}
