//! The side of a meeting that was asked: it comes, and serves whatever connection stands.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::punching::Punching;
use super::surroundings::Surroundings;
use super::{Bound, Greeter, Line, Met, Places, Tokens};
use crate::core::time::Time;
use crate::protocol::Route;
use crate::protocol::limits::MEETING_TIME;

/// How long we stay when the half has ended unused: the other side is done, or the hub is gone.
const UNUSED: Duration = Duration::from_secs(1);

/// What happens to whoever was asked.
#[derive(Debug, Clone)]
pub enum AnsweringInput {
    /// [`AnsweringOutput::Bind`] is done.
    Bound(Bound),
    /// Where the other side may be.
    Places(Places),
    /// A line that we dialled stands, or the half.
    Open(Line),
    /// Somebody has dialled the meeting's port.
    Came(Line, SocketAddr),
    /// A line that we dialled does not stand.
    Failed(Line),
    /// The peer has proved its key on a line that is served.
    Proved(Line),
    /// A line that was to be served has ended before that.
    Ended(Line),
    /// It is the time that [`Answering::next_timeout`] gave.
    Tick,
}

/// What whoever was asked has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnsweringOutput {
    /// Open a fresh port, accept on it, and connect to the hub from it with these tokens.
    Bind(Tokens),
    /// Tell the hub where we may be reached in our own network.
    Tell(u64, Vec<SocketAddr>),
    /// Dial: from the meeting's port, unless the line is near ([`Answering::is_near`]).
    Dial(Line, SocketAddr),
    /// Serve this connection, which takes this way, to the peer, and to nobody else, after the greeting
    /// ([`Answering::greeter`]).
    Serve(Line, Route),
    /// The meeting is over: close its port and what is not served.
    Over,
}

/// One meeting that we were asked for.
#[derive(Debug)]
pub struct Answering {
    met: Met,
    /// Unknown until the port is bound.
    surroundings: Option<Surroundings>,
    /// What was said of the other side until then.
    places: Places,
    punching: Punching,
    ends: Time,
    over: bool,
    out: VecDeque<AnsweringOutput>,
}

impl Answering {
    /// We come, for at most [`MEETING_TIME`], and until a connection that does not go through the hub is in use.
    pub fn new(now: Time, met: Met, seed: u64) -> Self {
        let out = VecDeque::from([AnsweringOutput::Bind(met.tokens.clone())]);
        let (places, punching) = (Places::default(), Punching::new(seed));
        Self { met, surroundings: None, places, punching, ends: now + MEETING_TIME, over: false, out }
    }

    /// Takes an input. See the drain contract in [`crate::core`].
    pub fn handle(&mut self, now: Time, input: AnsweringInput) {
        if self.over {
            return;
        }
        match input {
            AnsweringInput::Bound(Ok((port, surroundings))) => {
                self.out.push_back(AnsweringOutput::Tell(self.met.meeting, surroundings.own_places(port)));
                self.surroundings = Some(surroundings);
                self.dial_places(now);
            }
            AnsweringInput::Bound(Err(_)) => return self.end(),
            AnsweringInput::Places(places) => {
                self.places = places;
                self.dial_places(now);
            }
            // Without a relay, the half only shows the hub where we are.
            AnsweringInput::Open(Line::Half) if !self.met.relays => {}
            AnsweringInput::Open(line) => self.serve(line),
            AnsweringInput::Came(line, from) => {
                self.punching.came(self.surroundings.as_ref(), line, from);
                self.serve(line);
            }
            AnsweringInput::Failed(line) => self.punching.failed(now, line),
            // Nothing better comes, unless through the hub.
            AnsweringInput::Proved(line) if self.punching.route(line).is_some() => return self.end(),
            AnsweringInput::Ended(Line::Half) => self.ends = self.ends.min(now + UNUSED),
            AnsweringInput::Proved(_) | AnsweringInput::Ended(_) | AnsweringInput::Tick => {}
        }
        if now >= self.ends {
            return self.end();
        }
        while let Some((line, place)) = self.punching.due(now) {
            self.out.push_back(AnsweringOutput::Dial(line, place));
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<AnsweringOutput> {
        self.out.pop_front()
    }

    /// Who greets on a line.
    pub fn greeter(&self, line: Line) -> Greeter {
        self.punching.greeter(line, true)
    }

    /// Whether a line stays in a network that both sides are in: see [`Asking::is_near`](super::Asking::is_near).
    pub fn is_near(&self, line: Line) -> bool {
        self.punching.is_near(line)
    }

    /// When [`AnsweringInput::Tick`] must come at the latest; `None` once it is over.
    pub fn next_timeout(&self) -> Option<Time> {
        (!self.over).then(|| self.punching.next().map_or(self.ends, |at| at.min(self.ends)))
    }

    fn dial_places(&mut self, now: Time) {
        if let Some(surroundings) = &self.surroundings {
            self.punching.learned(now, surroundings, &self.places);
        }
    }

    fn serve(&mut self, line: Line) {
        let route = self.punching.route(line).unwrap_or(Route::Relayed);
        self.out.push_back(AnsweringOutput::Serve(line, route));
    }

    fn end(&mut self) {
        self.over = true;
        self.out.push_back(AnsweringOutput::Over);
    }
}
