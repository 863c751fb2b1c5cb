//! A lane in place of others: when a better way to a source stands, or when the way that there was may be lost.
//!
//! A new lane to the source is dialled, while the old ones go on. Once it is connected, the old ones are *replaced*: they
//! are asked for nothing more, and end when what they were asked for has come. One that does not bring it soon is cut,
//! through no fault of its source, and what it was asked for is asked over the new lane. If the new lane is no better,
//! it is the one that goes.

use std::net::SocketAddr;
use std::time::Duration;

use super::lanes::{LaneState, Lanes, SILENCE, Step};
use super::words::{Job, Lane};
use crate::core::time::Time;
use crate::protocol::{PublicKey, Route};

/// How long a replaced lane may bring nothing of what it was asked for.
const LEFTOVERS: Duration = Duration::from_millis(1_500);
/// The same for one whose way may be lost: then nothing comes of it any more.
const DOUBTFUL: Duration = Duration::from_millis(400);
/// How long nothing may come over a connection that was kept. It is not worth more: another one is made soon.
const KEPT: Duration = Duration::from_secs(1);
/// No lane is dialled in place of others when a job has so many.
const MOST: usize = 12;

/// Why lanes to a source may have to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renewal {
    /// This way stands now; those that go a worse one are replaced.
    Better(Route),
    /// The source is elsewhere, or we are: the ways that there were may be lost.
    Moved,
}

impl Lanes {
    /// Dials one more lane to a source for a job, if there are lanes that it could replace.
    pub(super) fn renew(
        &mut self,
        now: Time,
        (job, source): (Job, u32),
        renewal: Renewal,
        place: Option<(SocketAddr, PublicKey)>,
    ) {
        let mine = |state: &&mut LaneState| state.job == job && state.source == source && state.is_open();
        let mut needed = false;
        for state in self.all_mut().values_mut().filter(mine) {
            match renewal {
                Renewal::Better(route) => needed |= state.way.route.is_some_and(|worse| worse > route),
                Renewal::Moved => (state.way.doubtful, needed) = (true, true),
            }
        }
        let is_tried = |state: &LaneState| {
            state.job == job && state.source == source && state.step == Step::Dialling && state.way.renews
        };
        if !needed || self.all().values().any(is_tried) || self.count(job) >= MOST {
            return;
        }
        let lane = self.dial(now, job, source, place);
        self.get_mut(lane).into_iter().for_each(|state| state.way.renews = true);
    }

    /// A lane that was dialled in place of others is connected: it replaces them, or is not needed.
    pub(super) fn replace(&mut self, now: Time, lane: Lane) {
        let Some(new) = self.get_mut(lane).filter(|state| state.way.renews) else { return };
        new.way.renews = false;
        let (job, source, route) = (new.job, new.source, new.way.route);
        let is_old = |(number, state): &(&Lane, &mut LaneState)| {
            **number != lane && state.job == job && state.source == source && state.step == Step::Open
        };
        let mut replaced = Vec::new();
        for (number, state) in self.all_mut().iter_mut().filter(is_old) {
            if state.way.doubtful || state.way.route > route {
                state.way.replaced = Some(now);
                replaced.push(*number);
            }
        }
        match replaced.is_empty() {
            true => self.retire(&[lane]),
            false => self.retire(&replaced),
        }
    }

    /// The connection of a lane was kept from an earlier one.
    pub(super) fn kept(&mut self, lane: Lane) {
        self.get_mut(lane).into_iter().for_each(|state| state.way.kept = true);
    }

    /// The source has answered over a lane.
    pub(super) fn answered(&mut self, lane: Lane) {
        self.get_mut(lane).into_iter().for_each(|state| state.way.kept = false);
    }

    /// The best way that any lane takes which has not been replaced.
    pub(super) fn best_route(&self) -> Option<Route> {
        let stays = |state: &&LaneState| state.is_open() && state.way.replaced.is_none();
        self.all().values().filter(stays).filter_map(|state| state.way.route).min()
    }

    /// Cuts the replaced lanes that do not bring what they were asked for.
    pub(super) fn look_after_replaced(&mut self, now: Time) {
        let is_late = |state: &LaneState| state.waits() && state.leftovers_until().is_some_and(|until| now >= until);
        let late: Vec<Lane> = self.all().iter().filter(|(_, state)| is_late(state)).map(|(lane, _)| *lane).collect();
        late.into_iter().for_each(|lane| self.cut(lane, None));
    }
}

impl LaneState {
    /// How long its source may be silent of which something is wanted.
    pub(super) fn silence(&self) -> Duration {
        if self.way.kept { KEPT } else { SILENCE }
    }

    /// Until when a replaced lane must have brought something; `None` if it has not been replaced.
    pub(super) fn leftovers_until(&self) -> Option<Time> {
        let patience = if self.way.doubtful { DOUBTFUL } else { LEFTOVERS };
        self.way.replaced.map(|replaced| replaced.max(self.heard) + patience)
    }
}
