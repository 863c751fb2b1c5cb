//! A race for a connection in simulation: both sides' machines, a router before each, and a hub between.
//!
//! TCP is simulated as far as routers matter to it: who dials whom from which port, what comes in, what is refused,
//! repeated or lost, and that two who dial each other at once get one connection.

mod config;
mod ends;
mod router;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::agenda::Agenda;
use crate::core::reach::{
    Answering, AnsweringInput, AnsweringOutput, Asking, AskingInput, AskingOutput, Interface, Line, Met, Places,
    Surroundings, Tokens, Wanted,
};
use crate::core::time::{Rng, Time};
use crate::protocol::{ErrorCode, Failure};
pub use config::{Ended, ReachConfig};
use ends::{End, Ends, Side};
pub use router::Kind;
use router::{Entrance, Router};

const HUB: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
const HUB_PORT: u16 = 7_755;
/// Where each side takes connections without a meeting.
const DATA_PORT: u16 = 4_000;
/// The port of the meeting at each side.
const MEETING_PORT: u16 = 4_500;
/// After how long a system repeats what it has dialled.
const REPEATS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(7)];
/// How long dialling the other side's own address may take.
const DIRECT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
enum Happening {
    /// What this end has dialled arrives at the other side's router, as whose and at which address.
    Arrives(End, SocketAddr, SocketAddr),
    Answered(End),
    Refused(End),
    Repeat(End, usize),
    DirectEnds,
    HalfArrives(Side, SocketAddr),
    Told(Side, SocketAddr),
    HubSays(Side, Places),
    Met,
    Proves(Line, bool),
    Tick(Side),
    HubGoes,
}

/// The hub, as far as a meeting needs it.
#[derive(Debug)]
struct HubModel {
    is_there: bool,
    /// Where each side's half came from.
    halves: [Option<SocketAddr>; 2],
    /// Where each side says it is.
    told: [Option<SocketAddr>; 2],
}

impl HubModel {
    fn both_came(&self) -> bool {
        self.halves.iter().all(Option::is_some)
    }
}

/// A race under way.
pub struct ReachSim {
    config: ReachConfig,
    rng: Rng,
    now: Time,
    agenda: Agenda<Happening>,
    asking: Asking,
    answering: Option<Answering>,
    routers: [Router; 2],
    ends: Ends,
    hub: HubModel,
    ended: Ended,
    over: bool,
}

impl ReachSim {
    /// Nobody has dialled yet.
    pub fn new(config: ReachConfig) -> Self {
        let routers = [Router::new(config.routers[0], 1), Router::new(config.routers[1], 2)];
        let direct = Some(SocketAddr::new(routers[1].outer(), DATA_PORT));
        let asking = Asking::new(Time(0), Wanted { direct, meets: true, at_once: false }, config.seed);
        let mut sim = Self {
            rng: Rng(config.seed.wrapping_mul(77)),
            config,
            now: Time(0),
            agenda: Agenda::default(),
            asking,
            answering: None,
            routers,
            ends: Ends::default(),
            hub: HubModel { is_there: true, halves: [None; 2], told: [None; 2] },
            ended: Ended { used: Vec::new(), failure: None, first: Time(0), over: Time(0) },
            over: false,
        };
        if let Some(at) = config.hub_goes {
            sim.later(at, Happening::HubGoes);
        }
        sim
    }

    /// Plays it to its end.
    ///
    /// # Panics
    /// If it does not end within `longest`, or the machines do what they must not.
    pub fn play(mut self, longest: Time) -> Ended {
        self.drain();
        while !self.over {
            let at = self.agenda.next_at().unwrap_or_else(|| panic!("nothing happens any more: {self:?}"));
            assert!(at <= longest, "it takes too long: {self:?}");
            self.now = at;
            let happening = self.agenda.pop().expect("it is planned");
            self.happens(happening);
            self.drain();
        }
        self.ended
    }

    fn later(&mut self, after: Duration, happening: Happening) {
        self.agenda.add(self.now + after, happening);
    }

    fn delay(&mut self) -> Duration {
        let (least, most) = self.config.delay;
        Duration::from_micros(least + self.rng.below(most - least + 1))
    }

    fn surroundings(&self, side: Side) -> Surroundings {
        let address = self.routers[side as usize].inner();
        Surroundings { interfaces: vec![Interface { address, prefix: 24 }], gateways: Vec::new(), hub: Some(HUB) }
    }

    /// Sends what begins a connection.
    fn dial(&mut self, end: End, to: SocketAddr) {
        self.ends.dial(end, to);
        self.send(end, to);
        self.later(REPEATS[0], Happening::Repeat(end, 0));
    }

    fn send(&mut self, End(side, line): End, to: SocketAddr) {
        let port = if line == Line::Direct { DATA_PORT + 1 } else { MEETING_PORT };
        let from = self.routers[side as usize].goes_out(port, to);
        let delay = self.delay();
        if !self.rng.chance(self.config.loss) {
            self.later(delay, Happening::Arrives(End(side, line), from, to));
        }
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Arrives(end, from, to) => self.arrives(end, from, to),
            Happening::Answered(end) => {
                if self.ends.end_dialling(end) {
                    self.opens(end);
                }
            }
            Happening::Refused(end) => {
                if self.ends.end_dialling(end) {
                    self.fails(end);
                }
            }
            Happening::Repeat(end, times) => {
                let Some(to) = self.ends.dialled(end) else { return };
                self.send(end, to);
                if let Some(pause) = REPEATS.get(times + 1) {
                    self.later(*pause, Happening::Repeat(end, times + 1));
                }
            }
            Happening::DirectEnds => {
                if self.ends.end_dialling(End(Side::Asker, Line::Direct)) {
                    self.fails(End(Side::Asker, Line::Direct));
                }
            }
            Happening::HalfArrives(side, from) if self.hub.is_there => {
                self.hub.halves[side as usize] = Some(from);
                let delay = self.delay();
                self.later(delay, Happening::Answered(End(side, Line::Half)));
                if self.hub.both_came() {
                    self.tell_places(Side::Asker);
                    self.tell_places(Side::Asked);
                }
            }
            Happening::Told(side, inner) if self.hub.is_there => {
                self.hub.told[side as usize] = Some(inner);
                self.tell_places(side);
            }
            Happening::HubSays(Side::Asker, places) => self.ask(AskingInput::Places(places)),
            Happening::HubSays(Side::Asked, places) => self.answer(AnsweringInput::Places(places)),
            Happening::Met => self.meets(),
            Happening::Proves(line, proved) => match proved {
                true => self.ask(AskingInput::Proved(line)),
                false => self.fails(End(Side::Asker, line)),
            },
            Happening::Tick(Side::Asker) => self.ask(AskingInput::Tick),
            Happening::Tick(Side::Asked) => self.answer(AnsweringInput::Tick),
            Happening::HubGoes => self.hub.is_there = false,
            Happening::HalfArrives(..) | Happening::Told(..) => {}
        }
    }

    /// What was dialled comes to where it was dialled.
    fn arrives(&mut self, end: End, from: SocketAddr, to: SocketAddr) {
        let End(side, line) = end;
        let other = side.other();
        if to.ip() != self.routers[other as usize].outer() {
            return;
        }
        let delay = self.delay();
        match self.routers[other as usize].comes_in(to.port(), from) {
            Entrance::Dropped => {}
            Entrance::Refused => self.later(delay, Happening::Refused(end)),
            Entrance::Let(DATA_PORT) if line == Line::Direct => self.later(delay, Happening::Answered(end)),
            Entrance::Let(MEETING_PORT) if self.has_port(other) => self.meets_line(end, from, delay),
            Entrance::Let(_) => self.later(delay, Happening::Refused(end)),
        }
    }

    fn has_port(&self, side: Side) -> bool {
        self.hub.halves[side as usize].is_some() || self.ends.dialled(End(side, Line::Half)).is_some()
    }

    fn meets_line(&mut self, end: End, from: SocketAddr, delay: Duration) {
        let Some((theirs, twin)) = self.ends.meet(end, from) else { return };
        self.later(delay, Happening::Answered(end));
        if twin {
            return self.opens(theirs);
        }
        match theirs.0 {
            Side::Asker => self.ask(AskingInput::Came(theirs.1, from)),
            Side::Asked => self.answer(AnsweringInput::Came(theirs.1, from)),
        }
    }

    fn opens(&mut self, End(side, line): End) {
        match side {
            Side::Asker if line == Line::Direct => {
                let delay = self.delay() * 2;
                self.later(delay, Happening::Proves(line, true));
            }
            Side::Asker => self.ask(AskingInput::Open(line)),
            Side::Asked => self.answer(AnsweringInput::Open(line)),
        }
    }

    fn fails(&mut self, End(side, line): End) {
        match side {
            Side::Asker => self.ask(AskingInput::Failed(line, ErrorCode::PeerUnreachable.into())),
            Side::Asked => self.answer(AnsweringInput::Failed(line)),
        }
    }

    fn ask(&mut self, input: AskingInput) {
        self.asking.handle(self.now, input);
    }

    fn answer(&mut self, input: AnsweringInput) {
        if let Some(answering) = &mut self.answering {
            answering.handle(self.now, input);
        }
    }

    /// The hub tells one side where the other is.
    fn tell_places(&mut self, of: Side) {
        let places = Places {
            outer: self.hub.halves[of as usize].filter(|_| self.hub.both_came()).into_iter().collect(),
            inner: self.hub.told[of as usize].into_iter().collect(),
        };
        let delay = self.delay();
        self.later(delay, Happening::HubSays(of.other(), places));
    }

    fn meets(&mut self) {
        if !self.hub.is_there {
            return;
        }
        let met = |token: &str| Met {
            meeting: 1,
            tokens: Tokens { half: token.into(), second: String::new() },
            relays: self.config.relays,
            no_relay: None,
        };
        let asked = Answering::new(self.now, met("b"), self.config.seed ^ 1);
        let asker = met("a");
        if self.config.comes {
            self.answering = Some(asked);
        }
        self.ask(AskingInput::Met(Ok(asker)));
    }

    fn drain(&mut self) {
        loop {
            if let Some(output) = self.asking.poll() {
                assert!(!self.over, "{output:?} after the end");
                self.do_for_asker(output);
            } else if let Some(output) = self.answering.as_mut().and_then(Answering::poll) {
                self.do_for_asked(output);
            } else {
                break;
            }
        }
        let asked = self.answering.as_ref().and_then(Answering::next_timeout);
        for (side, at) in [(Side::Asker, self.asking.next_timeout()), (Side::Asked, asked)] {
            if let Some(at) = at {
                self.later(at - self.now, Happening::Tick(side));
            }
        }
    }

    fn do_for_asker(&mut self, output: AskingOutput) {
        match output {
            AskingOutput::DialDirect(to) => {
                self.dial(End(Side::Asker, Line::Direct), to);
                self.later(DIRECT, Happening::DirectEnds);
            }
            AskingOutput::Ask => {
                let delay = self.delay() * 2;
                self.later(delay, Happening::Met);
            }
            AskingOutput::Bind(_) => {
                self.bind(Side::Asker);
                let surroundings = self.surroundings(Side::Asker);
                self.ask(AskingInput::Bound(Ok((MEETING_PORT, surroundings))));
            }
            AskingOutput::Tell(_, inner) => self.tell_hub(Side::Asker, inner),
            AskingOutput::Dial(line, to) => self.dial(End(Side::Asker, line), to),
            AskingOutput::Prove(line) => self.prove(line),
            AskingOutput::Use(_, route) => {
                assert!(self.ended.used.last().is_none_or(|used| route < *used), "a way that is no better");
                if self.ended.used.is_empty() {
                    self.ended.first = self.now;
                }
                self.ended.used.push(route);
            }
            AskingOutput::Close(line) => drop(self.ends.end_dialling(End(Side::Asker, line))),
            AskingOutput::GiveUp(Failure { code, .. }) => {
                assert!(self.ended.used.is_empty(), "given up, though there is a way");
                (self.ended.failure, self.ended.first) = (Some(code), self.now);
            }
            AskingOutput::Over => {
                (self.over, self.ended.over) = (true, self.now);
            }
        }
    }

    fn do_for_asked(&mut self, output: AnsweringOutput) {
        match output {
            AnsweringOutput::Bind(_) => {
                self.bind(Side::Asked);
                let surroundings = self.surroundings(Side::Asked);
                self.answer(AnsweringInput::Bound(Ok((MEETING_PORT, surroundings))));
            }
            AnsweringOutput::Tell(_, inner) => self.tell_hub(Side::Asked, inner),
            AnsweringOutput::Dial(line, to) => self.dial(End(Side::Asked, line), to),
            AnsweringOutput::Serve(..) | AnsweringOutput::Over => {}
        }
    }

    fn bind(&mut self, side: Side) {
        let hub = SocketAddr::new(HUB, HUB_PORT);
        let from = self.routers[side as usize].goes_out(MEETING_PORT, hub);
        self.ends.dial(End(side, Line::Half), hub);
        let lost = if self.rng.chance(self.config.loss) { REPEATS[0] } else { Duration::ZERO };
        let delay = self.delay() + lost;
        self.later(delay, Happening::HalfArrives(side, from));
    }

    fn tell_hub(&mut self, side: Side, inner: Vec<SocketAddr>) {
        let delay = self.delay();
        inner.into_iter().take(1).for_each(|inner| self.later(delay, Happening::Told(side, inner)));
    }

    /// The peer proves its key on a line, if it serves the other end.
    fn prove(&mut self, line: Line) {
        let delay = self.delay() * 4;
        let proved = match line {
            Line::Half => {
                let joined = self.hub.both_came() && self.config.relays && self.hub.is_there;
                joined && self.config.comes
            }
            Line::Direct | Line::Dialled(_) | Line::Came(_) => self.ends.stands(End(Side::Asker, line)),
        };
        let waits = if proved { delay } else { Duration::from_secs(3) };
        self.later(waits, Happening::Proves(line, proved));
    }
}

impl std::fmt::Debug for ReachSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at {:?} of {:?}: {:?}, {:?}, {:?}", self.now, self.config, self.asking, self.answering, self.ended)
    }
}
