//! Dialling the places of a meeting: each again and again for a while, at moments that no two routers share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::surroundings::{Place, Surroundings};
use super::{Greeter, Line, Places};
use crate::core::time::{Rng, Time};
use crate::protocol::Route;
use crate::protocol::limits::MEETING_PLACES;

/// How often one place is dialled.
const TRIES: u32 = 6;
/// What a round trip is taken to be where that was not measured.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// The shortest and the longest round trip that is reckoned with.
const SHORTEST: Duration = Duration::from_micros(500);
const LONGEST: Duration = Duration::from_secs(1);

/// One place.
#[derive(Debug)]
struct Target {
    place: Place,
    tries: u32,
    /// When it is dialled next; `None` while it is being dialled, and when it has been given up.
    next: Option<Time>,
    dialling: Option<u32>,
    /// When it was dialled last.
    since: Time,
}

/// The dialling of one side of a meeting.
#[derive(Debug)]
pub(super) struct Punching {
    targets: Vec<Target>,
    /// Which way each line goes, by its number: what was dialled, and what came.
    routes: BTreeMap<Line, Route>,
    next_line: u32,
    round_trip: Duration,
    rng: Rng,
}

impl Punching {
    pub(super) fn new(seed: u64) -> Self {
        Self { targets: Vec::new(), routes: BTreeMap::new(), next_line: 0, round_trip: ROUND_TRIP, rng: Rng(seed) }
    }

    /// A round trip to the hub was measured. The other side is at least about as far.
    pub(super) fn measured(&mut self, round_trip: Duration) {
        self.round_trip = round_trip.clamp(SHORTEST, LONGEST);
    }

    /// Where the other side may be; places that are known already go on as they are.
    pub(super) fn learned(&mut self, now: Time, surroundings: &Surroundings, places: &Places) {
        for place in surroundings.places(&places.outer, &places.inner) {
            let most = 2 * MEETING_PLACES;
            if self.targets.len() < most && self.targets.iter().all(|known| known.place.at != place.at) {
                self.targets.push(Target { place, tries: 0, next: Some(now), dialling: None, since: now });
            }
        }
    }

    /// The next place to be dialled now, and what that line is called.
    pub(super) fn due(&mut self, now: Time) -> Option<(Line, SocketAddr)> {
        let target = self.targets.iter_mut().find(|target| target.next.is_some_and(|at| at <= now))?;
        let number = self.next_line;
        self.next_line += 1;
        target.tries += 1;
        (target.next, target.dialling, target.since) = (None, Some(number), now);
        let line = Line::Dialled(number);
        self.routes.insert(line, if target.place.inner { Route::Direct } else { Route::Punched });
        Some((line, target.place.at))
    }

    /// A line could not be dialled, or was of no use. Its place is dialled again after a random time: two routers that
    /// refuse what they do not expect would otherwise keep in step, and each refuse what the other lets out.
    pub(super) fn failed(&mut self, now: Time, line: Line) {
        self.routes.remove(&line);
        let Line::Dialled(number) = line else { return };
        let Some(target) = self.targets.iter_mut().find(|target| target.dialling == Some(number)) else { return };
        let Some(since) = target.dialling.take().map(|_| target.since) else { return };
        // A refusal has come from the other side's router, so it says how far that is. What was not answered says nothing.
        if now - since < self.round_trip {
            self.round_trip = (now - since).max(SHORTEST);
        }
        if target.tries < TRIES {
            let most = (2 * self.round_trip).as_micros() as u64;
            target.next = Some(now + Duration::from_micros(self.rng.below(most.max(1))));
        }
    }

    /// Somebody dialled us.
    pub(super) fn came(&mut self, surroundings: Option<&Surroundings>, line: Line, from: SocketAddr) {
        let near = surroundings.is_some_and(|surroundings| surroundings.is_near(from.ip()));
        self.routes.insert(line, if near { Route::Direct } else { Route::Punched });
    }

    /// Which way a line goes.
    pub(super) fn route(&self, line: Line) -> Option<Route> {
        self.routes.get(&line).copied()
    }

    /// Who greets on a line; `asked` says whether we were asked for the meeting.
    pub(super) fn greeter(&self, line: Line, asked: bool) -> Greeter {
        let near = self.is_near(line);
        match line {
            Line::Direct | Line::Half => Greeter::Nobody,
            Line::Dialled(_) if near => Greeter::Them,
            Line::Came(_) if near => Greeter::Us,
            Line::Dialled(_) | Line::Came(_) if asked => Greeter::Us,
            Line::Dialled(_) | Line::Came(_) => Greeter::Them,
        }
    }

    /// Whether a line stays in a network that both sides are in.
    pub(super) fn is_near(&self, line: Line) -> bool {
        self.route(line) == Some(Route::Direct)
    }

    /// Nothing is dialled any more.
    pub(super) fn stop(&mut self) {
        self.targets.iter_mut().for_each(|target| target.next = None);
    }

    /// Whether everything was dialled in vain.
    pub(super) fn has_given_up(&self) -> bool {
        let given_up = |target: &Target| target.next.is_none() && target.dialling.is_none();
        !self.targets.is_empty() && self.targets.iter().all(given_up)
    }

    /// When a place is dialled next.
    pub(super) fn next(&self) -> Option<Time> {
        self.targets.iter().filter_map(|target| target.next).min()
    }
}
