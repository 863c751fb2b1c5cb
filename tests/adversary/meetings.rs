//! What hostile clients do at the hub's TCP port: tokens are shown twice, too late or never, and streams end at any time.

use std::collections::{BTreeMap, BTreeSet};

use potluck::core::hub::{HalfId, Input};
use potluck::protocol::PublicKey;

use crate::hub::{CLIENTS, KEYS, World};
use crate::words::PEOPLE;

/// What the driver of the hub knows of meetings.
#[derive(Default)]
pub struct Meetings {
    /// The tokens that anybody was told, the halves that wait, and what joined meetings have carried.
    pub tokens: Vec<String>,
    pub halves: BTreeSet<HalfId>,
    pub last_half: HalfId,
    pub joined: BTreeMap<u64, u64>,
    /// How many ever were.
    all_joined: usize,
    pub cut: Vec<u64>,
    /// The hub's own calls that are not answered.
    pub calls: BTreeSet<u64>,
    pub last_call: u64,
}

impl Meetings {
    pub fn join(&mut self, meeting: u64, halves: [HalfId; 2]) {
        assert!(halves.iter().all(|half| self.halves.remove(half)), "only what came and is not closed is joined");
        self.all_joined += 1;
        assert!(self.joined.insert(meeting, 0).is_none(), "a meeting is joined once");
    }

    pub fn drop_half(&mut self, half: HalfId) {
        assert!(self.halves.remove(&half), "a half is closed once");
    }

    pub fn called(&mut self, call: u64, half: Option<HalfId>) {
        assert!(half.is_none_or(|half| self.halves.remove(&half)), "only what came and is not closed is used");
        assert!(self.calls.remove(&call), "a call is answered once");
    }

    /// Whatever came is joined, used or closed, and each call has its answer.
    pub fn nothing_is_left(&self) {
        assert!(self.calls.is_empty(), "calls without an answer: {:?}", self.calls);
        assert!(self.halves.is_empty(), "connections that nobody closes: {:?}", self.halves);
    }
}

impl World {
    /// Connections show tokens: mostly those that were told last, in any order, and now and then an older one or none.
    pub fn halves(&mut self) {
        for _ in 0..self.rng.below(6) {
            let back = [0, 1, 1, 2, 3, 3, 4, 8][self.rng.below(8) as usize];
            let good = self.meetings.tokens.len().checked_sub(1 + back).map(|at| self.meetings.tokens[at].clone());
            let token = good.filter(|_| self.rng.chance(95)).unwrap_or_else(|| "0".repeat(32));
            self.meetings.last_half += 1;
            let half = self.meetings.last_half;
            self.meetings.halves.insert(half);
            let address = ["192.0.2.1:5000", "192.0.2.2:22", "[2001:db8::1]:5000"][self.rng.below(3) as usize];
            self.handle(Input::Half { half, token: &token, address: address.parse().expect("an address") });
        }
    }

    /// The hub wants a connection with a client for itself.
    pub fn call(&mut self) {
        self.meetings.last_call += 1;
        let (call, key) = (self.meetings.last_call, PublicKey([self.rng.below(KEYS + 1) as u8; 32]));
        self.meetings.calls.insert(call);
        let content = crate::words::hash(&mut self.rng);
        self.handle(Input::Call { call, key, content });
    }

    /// A relayed stream carries something, or ends; those that are cut end, and so do `all` if they are to.
    pub fn relay(&mut self, all: bool) {
        let ended: Vec<u64> = std::mem::take(&mut self.meetings.cut);
        let others = self.meetings.joined.keys().copied().filter(|meeting| all || meeting % 3 == 0);
        for meeting in ended.into_iter().chain(others.collect::<Vec<_>>()) {
            if let Some(bytes) = self.meetings.joined.remove(&meeting) {
                self.handle(Input::RelayEnded { meeting, bytes, why: "closed".into() });
            }
        }
        let more = self.rng.below(10_000);
        if let Some((meeting, bytes)) = self.meetings.joined.iter_mut().next() {
            *bytes += more;
            let (meeting, bytes) = (*meeting, *bytes);
            self.handle(Input::Relayed { meeting, bytes });
        }
    }

    /// A client says something in the order in which it should.
    fn say(&mut self, who: usize, id: Option<i64>, body: &str) {
        let Some((conn, session)) = self.session(who) else { return };
        session.sent += 1;
        session.asked.of_hub(body);
        if let Some(id) = id {
            *session.open.entry(id).or_default() += 1;
        }
        let line = format!(r#"{{"n":{},"ack":{},"body":{body}}}"#, session.sent, session.received);
        self.handle(Input::Line { conn, line: line.as_bytes() });
    }

    fn enter(&mut self, who: usize) {
        self.connect(who);
        self.say(who, Some(1), &format!(r#"{{"id":1,"request":"register","name":"{}"}}"#, PEOPLE[who]));
        self.commit(true);
    }

    /// A step of clients that want nothing but meetings.
    fn step_of_meetings(&mut self) {
        let who = self.rng.below(CLIENTS as u64) as usize;
        match self.rng.below(40) {
            0..10 => {
                let meet = PublicKey([self.rng.below(KEYS) as u8; 32]);
                self.say(who, None, &format!(r#"{{"meet":"{meet}","ask":7,"purpose":"private"}}"#));
            }
            10..13 => {
                let (meeting, port) = (self.rng.below(30), self.rng.below(3));
                self.say(who, None, &format!(r#"{{"meet_at":{meeting},"inner":["192.168.1.7:{port}"]}}"#));
            }
            13..24 => self.halves(),
            24..27 => self.relay(false),
            27..29 => self.call(),
            29 => self.say(who, Some(2), r#"{"id":2,"request":"quit"}"#),
            30 => self.say(who, Some(3), r#"{"id":3,"request":"dereg"}"#),
            31 => self.disconnect(who),
            32..35 => self.enter(who),
            35..37 => self.ack(who),
            37 => self.commit(true),
            _ => self.time(),
        }
    }
}

#[test]
fn meetings() {
    let joined = crate::seeds::play_seeds(500, |seed| {
        let mut world = World::new(seed);
        (0..CLIENTS).for_each(|who| world.enter(who));
        for _ in 0..20 + world.rng.below(300) {
            world.step_of_meetings();
        }
        world.all_is_answered();
        world.nothing_is_left();
        world.meetings.all_joined
    });
    let joined: usize = joined.into_iter().sum();
    assert!(!crate::seeds::all_are_played() || joined > 100, "the plays are about something: {joined} joined");
}
