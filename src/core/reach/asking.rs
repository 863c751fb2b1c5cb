//! The side that wants a connection: it decides which ways are tried, when, and which one is used.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::punching::Punching;
use super::surroundings::Surroundings;
use super::{Bound, Greeter, Line, Met, Places, Tokens};
use crate::core::time::Time;
use crate::protocol::limits::MEETING_TIME;
use crate::protocol::{ErrorCode, Failure, Route};

/// How long the peer's own address is dialled alone.
const HEAD_START: Duration = Duration::from_millis(200);
/// How long the other ways are tried, once it is known where the other side is, before the relay is used.
const RELAY_AFTER: Duration = Duration::from_millis(100);
/// How long the other side may take to come to the meeting.
const COMING: Duration = Duration::from_secs(4);
/// How long the hub may take to answer.
pub const ANSWER: Duration = Duration::from_secs(5);

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The peer's own address, if it may be dialled at all.
    pub direct: Option<SocketAddr>,
    /// Whether the hub can be asked for a meeting.
    pub meets: bool,
    /// Whether the peer's own address was dialled in vain of late, or cannot lead to it: it gets no head start.
    pub at_once: bool,
}

/// What happens to whoever wants a connection.
#[derive(Debug, Clone)]
pub enum AskingInput {
    /// The hub's answer to [`AskingOutput::Ask`].
    Met(Result<Met, Failure>),
    /// [`AskingOutput::Bind`] is done.
    Bound(Bound),
    /// Where the other side may be.
    Places(Places),
    /// A line that was dialled from the meeting's port stands, or the half.
    Open(Line),
    /// Somebody has dialled the meeting's port.
    Came(Line, SocketAddr),
    /// The peer has proved its key on a line.
    Proved(Line),
    /// A line does not stand, or what is there has not proved the peer's key.
    Failed(Line, Failure),
    /// Nobody wants the connection any more.
    Cancel,
    /// It is the time that [`Asking::next_timeout`] gave.
    Tick,
}

/// What whoever wants a connection has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum AskingOutput {
    /// Dial the peer's own address, and have it prove its key: `Proved` or `Failed` with [`Line::Direct`].
    DialDirect(SocketAddr),
    /// Ask the hub for a meeting.
    Ask,
    /// Open a fresh port, accept on it, and connect to the hub from it with these tokens.
    Bind(Tokens),
    /// Tell the hub where we may be reached in our own network.
    Tell(u64, Vec<SocketAddr>),
    /// Dial: from the meeting's port, unless the line is near ([`Asking::is_near`]).
    Dial(Line, SocketAddr),
    /// Have the peer prove its key on a line, after the greeting ([`Asking::greeter`]).
    Prove(Line),
    /// This is the way for now. A second one is better than the first, which can be let go.
    Use(Line, Route),
    /// Close a line, whatever it is doing.
    Close(Line),
    /// There is no way.
    GiveUp(Failure),
    /// Nothing more comes: close the meeting's port, and every line that is not used.
    Over,
}

/// How far the meeting is.
#[derive(Debug)]
enum Stage {
    /// Not asked for, until then; `None` if it never will be.
    Before(Option<Time>),
    /// Asked for, since then.
    Asked(Time),
    /// Under way, since then.
    Meeting(Met, Time),
    /// There is none, or it is over.
    None,
}

/// A race to one peer.
#[derive(Debug)]
pub struct Asking {
    stage: Stage,
    /// Unknown until the port is bound.
    surroundings: Option<Surroundings>,
    /// What was said of the other side until then.
    places: Places,
    punching: Punching,
    /// Whether the peer's own address is being dialled.
    direct: bool,
    /// Lines on which the peer is proving its key.
    proving: BTreeSet<Line>,
    /// The half stands.
    half: bool,
    /// When the relay is used at last; set when it is known that the other side has come.
    relay_at: Option<Time>,
    /// The way that is used.
    used: Option<(Line, Route)>,
    /// Why nothing stands: the gravest so far.
    failure: Option<Failure>,
    over: bool,
    out: VecDeque<AskingOutput>,
}

impl Asking {
    /// Begins.
    pub fn new(now: Time, wanted: Wanted, seed: u64) -> Self {
        let waits = if wanted.direct.is_some() && !wanted.at_once { HEAD_START } else { Duration::ZERO };
        let mut asking = Self {
            stage: if wanted.meets { Stage::Before(Some(now + waits)) } else { Stage::None },
            surroundings: None,
            places: Places::default(),
            punching: Punching::new(seed),
            direct: wanted.direct.is_some(),
            proving: BTreeSet::new(),
            half: false,
            relay_at: None,
            used: None,
            failure: None,
            over: false,
            out: VecDeque::new(),
        };
        asking.out.extend(wanted.direct.map(AskingOutput::DialDirect));
        asking.look(now);
        asking
    }

    /// Takes an input. See the drain contract in [`crate::core`].
    pub fn handle(&mut self, now: Time, input: AskingInput) {
        if self.over {
            return;
        }
        match input {
            AskingInput::Met(result) => self.met(now, result),
            AskingInput::Bound(Ok((port, surroundings))) => {
                if let Stage::Meeting(met, _) = &self.stage {
                    self.out.push_back(AskingOutput::Tell(met.meeting, surroundings.own_places(port)));
                }
                self.surroundings = Some(surroundings);
                self.dial_places(now);
            }
            AskingInput::Bound(Err(failure)) => self.no_meeting(failure),
            AskingInput::Places(places) => {
                // The hub says where it sees the other side only when both have come.
                if !places.outer.is_empty() {
                    self.relay_at.get_or_insert(now + RELAY_AFTER);
                }
                self.places = places;
                self.dial_places(now);
            }
            AskingInput::Open(Line::Half) => self.half = true,
            AskingInput::Open(line) => self.prove(line),
            AskingInput::Came(line, from) => {
                self.punching.came(self.surroundings.as_ref(), line, from);
                self.prove(line);
            }
            AskingInput::Proved(line) => self.proved(line),
            AskingInput::Failed(line, failure) => self.failed(now, line, failure),
            AskingInput::Cancel => return self.end(),
            AskingInput::Tick => {}
        }
        self.look(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<AskingOutput> {
        self.out.pop_front()
    }

    /// Who greets on a line.
    pub fn greeter(&self, line: Line) -> Greeter {
        self.punching.greeter(line, false)
    }

    /// Whether a line stays in a network that both sides are in. It is dialled from a port of its own: both sides would
    /// otherwise wait for a greeting if they dial each other at the same moment.
    pub fn is_near(&self, line: Line) -> bool {
        self.punching.is_near(line)
    }

    /// When [`AskingInput::Tick`] must come at the latest; `None` if only an input can change anything.
    pub fn next_timeout(&self) -> Option<Time> {
        if self.over {
            return None;
        }
        let stage = match &self.stage {
            Stage::Before(at) => *at,
            Stage::Asked(since) => Some(*since + ANSWER),
            Stage::Meeting(_, began) => Some(self.meets_until(*began)),
            Stage::None => None,
        };
        let relay = self.relay_at.filter(|_| self.may_relay());
        [stage, relay, self.punching.next()].into_iter().flatten().min()
    }

    fn met(&mut self, now: Time, result: Result<Met, Failure>) {
        let Stage::Asked(since) = self.stage else { return };
        match result {
            Ok(met) => {
                self.punching.measured(now - since);
                self.out.push_back(AskingOutput::Bind(met.tokens.clone()));
                self.stage = Stage::Meeting(met, now);
            }
            Err(failure) => self.no_meeting(failure),
        }
    }

    /// Until when a meeting that began then goes on: longer if anything was said of the other side.
    fn meets_until(&self, began: Time) -> Time {
        began + if self.places == Places::default() { COMING } else { MEETING_TIME }
    }

    fn dial_places(&mut self, now: Time) {
        if let Some(surroundings) = &self.surroundings {
            self.punching.learned(now, surroundings, &self.places);
        }
    }

    fn no_meeting(&mut self, failure: Failure) {
        self.stage = Stage::None;
        self.blame(failure);
    }

    /// Why a meeting has led to nothing. Where both sides came, only a relay would have helped.
    fn why_in_vain(&self) -> Failure {
        let met = if let Stage::Meeting(met, _) = &self.stage { Some(met) } else { None };
        match met.and_then(|met| met.no_relay).filter(|_| self.relay_at.is_some()) {
            Some(code) => code.into(),
            None => Failure::new(ErrorCode::PeerUnreachable, "The other side did not come in time."),
        }
    }

    /// A way that stands already is left for a better one only.
    fn prove(&mut self, line: Line) {
        let route = self.punching.route(line).unwrap_or(Route::Relayed);
        if self.used.is_some_and(|(_, used)| used <= route) {
            return self.out.push_back(AskingOutput::Close(line));
        }
        self.proving.insert(line);
        self.out.push_back(AskingOutput::Prove(line));
    }

    fn proved(&mut self, line: Line) {
        let route = match line {
            Line::Direct => {
                self.direct = false;
                Route::Direct
            }
            Line::Half => Route::Relayed,
            Line::Dialled(_) | Line::Came(_) => self.punching.route(line).unwrap_or(Route::Punched),
        };
        self.proving.remove(&line);
        if self.used.is_some_and(|(_, used)| used <= route) {
            return self.out.push_back(AskingOutput::Close(line));
        }
        self.used = Some((line, route));
        self.out.push_back(AskingOutput::Use(line, route));
    }

    fn failed(&mut self, now: Time, line: Line, failure: Failure) {
        self.proving.remove(&line);
        match line {
            Line::Direct => {
                self.direct = false;
                if let Stage::Before(Some(at)) = &mut self.stage {
                    *at = now;
                }
            }
            Line::Half => self.half = false,
            Line::Dialled(_) | Line::Came(_) => self.punching.failed(now, line),
        }
        self.blame(failure);
    }

    /// Remembers why nothing stands: that another key was shown tells most, then why the hub does not relay, then what was
    /// said of the peer's own address.
    fn blame(&mut self, failure: Failure) {
        let relay = [ErrorCode::RelayOff, ErrorCode::RelayFull];
        let weight = |failure: &Failure| {
            if failure.code == ErrorCode::PeerKeyChanged { 2 } else { u8::from(relay.contains(&failure.code)) }
        };
        if self.failure.as_ref().is_none_or(|known| weight(&failure) > weight(known)) {
            self.failure = Some(failure);
        }
    }

    /// Whether the relay can be tried, sooner or later.
    fn may_relay(&self) -> bool {
        let relays = matches!(&self.stage, Stage::Meeting(met, _) if met.relays);
        relays && self.half && self.used.is_none() && !self.proving.contains(&Line::Half)
    }

    /// Does what has become due.
    fn look(&mut self, now: Time) {
        match &self.stage {
            Stage::Before(Some(at)) if *at <= now && self.used.is_none() => {
                self.stage = Stage::Asked(now);
                self.out.push_back(AskingOutput::Ask);
            }
            Stage::Asked(since) if now - *since >= ANSWER => {
                self.no_meeting(Failure::new(ErrorCode::PeerUnreachable, "The hub did not answer in time."));
            }
            Stage::Meeting(_, began) if self.meets_until(*began) <= now => {
                self.no_meeting(self.why_in_vain());
            }
            Stage::Before(_) | Stage::Asked(_) | Stage::Meeting(..) | Stage::None => {}
        }
        let waits = self.relay_at.is_some_and(|at| at > now) && !self.punching.has_given_up();
        if self.may_relay() && self.relay_at.is_some() && !waits {
            self.proving.insert(Line::Half);
            self.out.push_back(AskingOutput::Prove(Line::Half));
        }
        while let Some((line, place)) = self.punching.due(now) {
            self.out.push_back(AskingOutput::Dial(line, place));
        }
        self.end_if_decided();
    }

    fn end_if_decided(&mut self) {
        let meets = !matches!(self.stage, Stage::None) && !matches!(self.stage, Stage::Before(None));
        match self.used {
            // Nothing better can come.
            Some((_, Route::Direct)) => self.end(),
            Some((_, Route::Punched)) if !self.proves_better(Route::Punched) => self.end(),
            Some(_) if !meets && self.proving.is_empty() && !self.direct => self.end(),
            None if !meets && !self.direct && self.proving.is_empty() => {
                let failure = self.failure.take().unwrap_or_else(|| ErrorCode::PeerUnreachable.into());
                self.out.push_back(AskingOutput::GiveUp(failure));
                self.end();
            }
            Some(_) | None => {}
        }
    }

    fn proves_better(&self, than: Route) -> bool {
        self.direct || self.proving.iter().any(|line| self.punching.route(*line).is_some_and(|route| route < than))
    }

    fn end(&mut self) {
        self.punching.stop();
        self.over = true;
        self.out.push_back(AskingOutput::Over);
    }
}
