//! Which of the hubs that announce themselves in this network has a code's number: the one with which the one exchange is
//! made.
//!
//! Whoever is in the network can announce a hub, and say yes to any number. An exchange with a wrong hub is a guess at the
//! code that it gets for nothing. So there is none before it is clear which hub is meant:
//!
//! - Each place that is announced is asked whether it has the number ([`Seek`](crate::protocol::wire::Seek), which says
//!   nothing of the words), and must prove the key that is announced for it. All are asked at once, so that who is silent
//!   holds up nobody, each for [`SEEK_TIME`] and [`SEEK_TRIES`] times.
//! - A hub is its key: one that answers at several of its addresses is one.
//! - The first yes decides nothing: others are awaited until [`LISTEN_TIME`] after the start, [`SETTLE_TIME`] after the
//!   first yes, and until every other place has answered or had its time.
//! - Then exactly one hub has the number, and is the one; or several say so, and none is. If there are more places than
//!   [`MOST_PLACES`], not all can be asked, and none is the one either: somebody may hide the right one in a crowd.
//! - Without any yes the search ends [`LOOK_TIME`] after the start, or when the last question is over. What is announced
//!   later is not asked any more, so that nobody draws a search out: it takes 15 s at most.
//!
//! The drain contract is that of [`crate::core`]. The driver listens, and asks.

mod filter;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::time::Time;
use crate::protocol::PublicKey;
pub use filter::{LOWEST_PORT, Reach, is_worth_asking};

/// How long announcements are listened for at least: long enough for the first question to the network and its
/// repetition a second later.
pub const LISTEN_TIME: Duration = Duration::from_millis(1_800);

/// How long others are awaited after the first hub has said that it has the number.
pub const SETTLE_TIME: Duration = Duration::from_secs(1);

/// How long announcements are listened for at most.
pub const LOOK_TIME: Duration = Duration::from_secs(8);

/// How long one place may take to answer, from the first packet to it.
pub const SEEK_TIME: Duration = Duration::from_secs(3);

/// How often a place is asked that does not answer.
pub const SEEK_TRIES: u32 = 2;

/// Places that are asked at most. Hubs have one place for each of their addresses.
pub const MOST_PLACES: usize = 96;

/// A place at which a hub announces itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// The address, and the port, UDP and TCP.
    pub at: SocketAddr,
    /// The hub's key, which whoever answers there must prove.
    pub key: PublicKey,
}

/// What came of asking a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The hub has proved its key, and says that it has the number.
    Has,
    /// The hub has proved its key, and does not have it.
    HasNot,
    /// Nobody answered, or somebody else, or not in our words.
    Nothing,
}

/// An input of a search. Places are named by the numbers that [`Output::Ask`] gave them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A place was announced.
    Announced(Announced),
    /// More is announced than the driver can listen to.
    Crowded,
    /// What came of asking the place of this number.
    Answered(usize, Answer),
    /// A timer is due.
    Tick,
}

/// An output of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Ask the place of this number. An older question to it is given up.
    Ask(usize, Announced),
    /// How the search ended. It is the last output: all questions are given up.
    Ended(Ended),
}

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// This hub has the number, and no other one says so.
    Found(FoundHub),
    /// Several hubs say that they have it, in the order of their answers.
    Several(Vec<FoundHub>),
    /// More places are announced than can be asked.
    Crowded,
    /// No hub has it.
    Nobody {
        /// How many hubs have answered that they do not have it.
        others: usize,
        /// Places at which nobody answered as announced.
        silent: Vec<SocketAddr>,
    },
}

/// A hub that says that it has the number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundHub {
    /// The key that it has proved.
    pub key: PublicKey,
    /// Where it said so: one address or more, in the order of its answers.
    pub at: Vec<SocketAddr>,
}

/// How far the question to one place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It is asked for this time, counted from 1, until then.
    Waits(u32, Time),
    Answered(bool),
    GivenUp,
}

/// A search. See the [module](self).
#[derive(Debug)]
pub struct Search {
    began: Time,
    places: Vec<(Announced, Asked)>,
    /// Hubs that have said yes.
    claims: Vec<FoundHub>,
    /// When the first one did.
    first_claim: Option<Time>,
    outputs: VecDeque<Output>,
    is_over: bool,
}

impl Search {
    /// A search that starts now.
    pub fn new(now: Time) -> Self {
        Self {
            began: now,
            places: Vec::new(),
            claims: Vec::new(),
            first_claim: None,
            outputs: VecDeque::new(),
            is_over: false,
        }
    }

    /// Takes an input. See the drain contract in [`crate::core`].
    pub fn handle(&mut self, now: Time, input: Input) {
        if self.is_over {
            return;
        }
        match input {
            Input::Announced(announced) => self.announced(now, announced),
            Input::Crowded => self.end(Ended::Crowded),
            Input::Answered(number, answer) => self.answered(now, number, answer),
            Input::Tick => {}
        }
        self.expire(now);
        if !self.is_over && self.is_decided(now) {
            self.end(self.outcome());
        }
    }

    /// The next output for the driver.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When a tick is wanted.
    pub fn next_timeout(&self) -> Option<Time> {
        let waits = self.places.iter().filter_map(|(_, asked)| match asked {
            Asked::Waits(_, until) => Some(*until),
            Asked::Answered(_) | Asked::GivenUp => None,
        });
        let is_open = self.places.iter().any(|place| self.is_open(place));
        let decides = (!is_open).then(|| self.decides_at());
        waits.chain(decides).min().filter(|_| !self.is_over)
    }

    fn announced(&mut self, now: Time, announced: Announced) {
        if now >= self.began + LOOK_TIME || self.places.iter().any(|(known, _)| *known == announced) {
            return;
        }
        if self.places.len() >= MOST_PLACES {
            return self.end(Ended::Crowded);
        }
        self.places.push((announced, Asked::GivenUp));
        self.ask(now, self.places.len() - 1, 1);
    }

    fn ask(&mut self, now: Time, number: usize, time: u32) {
        let Some((announced, asked)) = self.places.get_mut(number) else { return };
        *asked = Asked::Waits(time, now + SEEK_TIME);
        self.outputs.push_back(Output::Ask(number, *announced));
    }

    fn answered(&mut self, now: Time, number: usize, answer: Answer) {
        let Some((Announced { at, key }, asked)) = self.places.get_mut(number) else { return };
        let Asked::Waits(time, _) = *asked else { return };
        match answer {
            Answer::Has => {
                *asked = Asked::Answered(true);
                match self.claims.iter_mut().find(|hub| hub.key == *key) {
                    Some(hub) => hub.at.push(*at),
                    None => self.claims.push(FoundHub { key: *key, at: vec![*at] }),
                }
                self.first_claim.get_or_insert(now);
            }
            Answer::HasNot => *asked = Asked::Answered(false),
            // At its deadline it is asked again.
            Answer::Nothing if time < SEEK_TRIES => {}
            Answer::Nothing => *asked = Asked::GivenUp,
        }
    }

    /// Asks places again whose time is over, or gives them up.
    fn expire(&mut self, now: Time) {
        for number in 0..self.places.len() {
            let Some((_, asked)) = self.places.get_mut(number) else { continue };
            let Asked::Waits(time, until) = *asked else { continue };
            if until <= now && time < SEEK_TRIES {
                self.ask(now, number, time + 1);
            } else if until <= now {
                *asked = Asked::GivenUp;
            }
        }
    }

    /// When there can be a decision, if nothing is open.
    fn decides_at(&self) -> Time {
        match self.first_claim {
            Some(first) => (first + SETTLE_TIME).max(self.began + LISTEN_TIME),
            None => self.began + LOOK_TIME,
        }
    }

    fn is_decided(&self, now: Time) -> bool {
        now >= self.decides_at() && !self.places.iter().any(|place| self.is_open(place))
    }

    /// Whether the answer of a place can still change the decision: not if its hub has said yes elsewhere.
    fn is_open(&self, (announced, asked): &(Announced, Asked)) -> bool {
        matches!(asked, Asked::Waits(..)) && self.claims.iter().all(|hub| hub.key != announced.key)
    }

    fn outcome(&self) -> Ended {
        match self.claims.as_slice() {
            [] => self.nobody(),
            [one] => Ended::Found(one.clone()),
            several => Ended::Several(several.to_vec()),
        }
    }

    fn nobody(&self) -> Ended {
        let mut others: Vec<PublicKey> = Vec::new();
        let mut silent = Vec::new();
        for (Announced { at, key }, asked) in &self.places {
            match asked {
                Asked::Answered(_) if others.contains(key) => {}
                Asked::Answered(_) => others.push(*key),
                Asked::Waits(..) | Asked::GivenUp => silent.push(*at),
            }
        }
        Ended::Nobody { others: others.len(), silent }
    }

    fn end(&mut self, ended: Ended) {
        self.is_over = true;
        self.outputs.clear();
        self.outputs.push_back(Output::Ended(ended));
    }
}
