//! Direct connections: others who connect, dial back, break off, say what was never asked, and confirm what was never said,
//! while the roster changes and the user reads or does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use potluck::core::peers::{PeerConn, PeerEvent, PeerInput, PeerOutput, Person};
use potluck::core::{LinkConfig, Peers, Rng, Time};
use potluck::protocol::limits::{PRIVATE_LINKS, PRIVATE_PENDING};
use potluck::protocol::name::NameKey;
use potluck::protocol::wire::{PeerBody, PrivateText};
use potluck::protocol::{ErrorCode, PublicKey, Route, Timestamp, to_json};

use crate::far::{Far, NAMES, person};

mod user;

struct World {
    rng: Rng,
    now: Time,
    peers: Peers,
    here: bool,
    roster: Vec<Option<Person>>,
    numbers: u64,
    conns: BTreeMap<PeerConn, Far>,
    closed: BTreeSet<PeerConn>,
    /// Dials that are not answered, and keys that are being looked up.
    dialling: BTreeMap<u64, usize>,
    pins: Vec<u64>,
    accepted: u64,
    /// Those whom the hub was asked for.
    sought: BTreeSet<NameKey>,
    /// What is not answered yet: whom it is for, and whether it is a message.
    open: BTreeMap<u64, (usize, bool)>,
    /// Numbers that each has confirmed, and messages that are held back there.
    confirmed: BTreeMap<String, u64>,
    held: BTreeSet<(String, u64)>,
    /// What the user was told and has not read.
    unread: Vec<(NameKey, u64, u64)>,
    heard: BTreeMap<u64, u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng(seed),
            now: Time(0),
            peers: Peers::new(LinkConfig::client(), Timestamp(0)),
            here: false,
            roster: vec![None; NAMES.len()],
            numbers: 1,
            conns: BTreeMap::new(),
            closed: BTreeSet::new(),
            dialling: BTreeMap::new(),
            pins: Vec::new(),
            accepted: 0,
            sought: BTreeSet::new(),
            open: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            held: BTreeSet::new(),
            unread: Vec::new(),
            heard: BTreeMap::new(),
        }
    }

    fn handle(&mut self, input: PeerInput<'_>) {
        let roster = self.roster.clone();
        let find = |name: &NameKey| roster.iter().flatten().find(|person| NameKey::of(&person.name) == *name).cloned();
        self.peers.handle(self.now, input, &find);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.peers.poll(self.now) {
            self.perform(output);
        }
        while let Some(news) = self.peers.next_event() {
            self.told(news);
        }
        let most = PRIVATE_LINKS + PRIVATE_PENDING;
        assert!(self.conns.len() + self.dialling.len() <= most);
    }

    fn perform(&mut self, output: PeerOutput) {
        match output {
            PeerOutput::Dial(number, person) => {
                let who = NAMES.iter().position(|name| *name == person.name).unwrap();
                assert!(self.dialling.insert(number, who).is_none(), "a number is used once");
            }
            PeerOutput::Pin(conn, ..) => self.pins.push(conn),
            PeerOutput::Say(conn, _) => {
                let far = self.conns.get_mut(&conn).expect("nothing is said on a closed connection");
                if matches!(conn, PeerConn::Accepted(_)) && !far.greeted {
                    far.greeted = true;
                    let _ = far.link.attach(self.now, 0);
                }
            }
            PeerOutput::Send(conn, frame) => {
                let far = self.conns.get_mut(&conn).expect("nothing is sent on a closed connection");
                let number = frame.body.as_ref().map(|(number, _)| *number);
                let new = far.link.receive(self.now, number, frame.ack, frame.probe);
                let (Ok(true), Some((_, body))) = (new, frame.body) else { return };
                match serde_json::from_str(&body).unwrap() {
                    PeerBody::Private(PrivateText { number, .. }) => {
                        assert_eq!(number, far.got + 1, "in order, each once");
                        far.got = number;
                    }
                    PeerBody::Had(number) | PeerBody::Held(number) => assert!((1..=far.said).contains(&number)),
                    PeerBody::Close(_) => {}
                }
            }
            PeerOutput::Close(conn) => {
                if let PeerConn::Dialled(number) = conn {
                    self.dialling.remove(&number);
                }
                self.conns.remove(&conn);
                assert!(self.closed.insert(conn), "a connection is closed once");
            }
        }
    }

    fn answered(&mut self, ticket: u64) {
        assert!(self.open.remove(&ticket).is_some(), "{ticket} is answered once");
    }

    fn told(&mut self, news: PeerEvent) {
        let kind = match &news {
            PeerEvent::Opened { .. } => 0,
            PeerEvent::Said { .. } => 1,
            PeerEvent::Acked { .. } => 2,
            PeerEvent::Held { .. } => 3,
            PeerEvent::Delivered { .. } => 4,
            PeerEvent::Failed { .. } => 5,
            PeerEvent::Closed { .. } => 6,
            PeerEvent::Doubted(_) => 7,
            PeerEvent::RoundTrip { .. } => 8,
            PeerEvent::Sought(_) => 9,
        };
        MET[kind].fetch_add(1, Relaxed);
        match news {
            PeerEvent::Opened { ticket: Some(ticket), .. } => {
                if !self.open.get(&ticket).expect("it waits").1 {
                    self.answered(ticket);
                }
            }
            PeerEvent::Said { peer, link, number, .. } => {
                let heard = self.heard.entry(link).or_default();
                assert_eq!(number, *heard + 1, "in order, each once");
                *heard = number;
                self.unread.push((NameKey::of(&peer), link, number));
            }
            PeerEvent::Acked { ticket, peer, number, .. } => {
                self.answered(ticket);
                assert!(self.confirmed.get(&peer).is_some_and(|confirmed| number <= *confirmed));
            }
            PeerEvent::Held { ticket, peer, number, .. } => {
                self.answered(ticket);
                self.held.insert((peer, number));
            }
            PeerEvent::Delivered { peer, number } => {
                assert!(self.confirmed.get(&peer).is_some_and(|confirmed| number <= *confirmed));
                assert!(self.held.remove(&(peer, number)), "it was held back, and arrives once");
            }
            PeerEvent::Failed { ticket, .. } | PeerEvent::RoundTrip { ticket, .. } => self.answered(ticket),
            PeerEvent::Closed { peer, .. } => self.held.retain(|(held, _)| *held != peer),
            PeerEvent::Sought(name) => {
                self.sought.insert(NameKey::of(&name));
            }
            PeerEvent::Opened { ticket: None, .. } | PeerEvent::Doubted(_) => {}
        }
    }

    fn roster(&mut self) {
        let who = self.rng.below(4) as usize;
        if self.rng.chance(70) {
            self.numbers += u64::from(self.rng.chance(30));
            let mut person = person(who, self.numbers);
            if self.rng.chance(10) {
                person.key = PublicKey([77; 32]);
            }
            if self.rng.chance(30) {
                person.address.set_port(1 + self.rng.below(9) as u16);
            }
            self.roster[who] = Some(person);
        } else {
            self.roster[who] = None;
            self.peers.left(self.now, NAMES[who]);
            self.drain();
        }
        let roster = self.roster.clone();
        let find = |name: &NameKey| roster.iter().flatten().find(|person| NameKey::of(&person.name) == *name).cloned();
        self.peers.roster_changed(self.now, &find);
        self.drain();
    }

    fn presence(&mut self) {
        match self.rng.below(3) {
            0 => {
                self.peers.leave(self.now);
                self.here = false;
                self.drain();
                assert!(self.open.is_empty(), "whoever waits is answered: {:?}", self.open);
                assert!(self.conns.is_empty() && self.dialling.is_empty());
            }
            1 => self.peers.forget_numbers(),
            _ => {
                self.peers.enter(["dan", "Anna"][self.rng.below(2) as usize], self.rng.below(9));
                self.here = true;
            }
        }
    }

    fn arrives(&mut self) {
        match self.rng.below(4) {
            3 => {
                // Of somebody who was never looked for, at times.
                let name = self.sought.pop_first().unwrap_or_else(|| NameKey::of(NAMES[self.rng.below(4) as usize]));
                let who = NAMES.iter().position(|known| NameKey::of(known) == name);
                let found = who.and_then(|who| self.roster[who].clone()).filter(|_| self.rng.chance(90));
                self.peers.found(self.now, &name, found);
                self.drain();
            }
            0 => {
                let Some((number, who)) = self.dialling.pop_first() else { return };
                if self.rng.chance(20) {
                    return self.handle(PeerInput::DialFailed(number, ErrorCode::PeerUnreachable.into()));
                }
                self.conns.insert(PeerConn::Dialled(number), Far::new(who));
                self.handle(PeerInput::Dialled(number, Route::Direct));
            }
            1 => {
                let Some(conn) = self.pins.pop() else { return };
                let pinned = if self.rng.chance(90) { Ok(()) } else { Err(ErrorCode::PeerKeyChanged.into()) };
                self.handle(PeerInput::Pinned(conn, pinned));
            }
            _ => {
                self.accepted += 1;
                let (who, conn) = (self.rng.below(4) as usize, PeerConn::Accepted(self.accepted));
                self.conns.insert(conn, Far::new(who));
                let key = if self.rng.chance(95) { who as u8 + 1 } else { 99 };
                self.handle(PeerInput::Accepted(self.accepted, PublicKey([key; 32]), Route::Direct));
                if self.rng.chance(90) {
                    self.hello(conn);
                }
            }
        }
    }

    fn some_conn(&mut self) -> Option<PeerConn> {
        let at = self.rng.below(self.conns.len().max(1) as u64) as usize;
        self.conns.keys().nth(at).copied()
    }

    fn hello(&mut self, conn: PeerConn) {
        let Some(far) = self.conns.get_mut(&conn) else { return };
        if matches!(conn, PeerConn::Dialled(_)) && !std::mem::replace(&mut far.greeted, true) {
            let _ = far.link.attach(self.now, 0);
        }
        let right = self.roster[far.who].as_ref().map_or(1, |person| person.number);
        let number = if self.rng.chance(95) { right } else { self.rng.below(9) };
        let name =
            if self.rng.chance(97) { NAMES[far.who] } else { ["anna", "dan", "../x"][self.rng.below(3) as usize] };
        let line = format!(r#"{{"hello":"potluck-link/1","private":"{name}","number":{number}}}"#);
        self.handle(PeerInput::Line(conn, line.as_bytes()));
    }

    fn other(&mut self) {
        let Some(conn) = self.some_conn() else { return };
        match self.rng.below(20) {
            0 => {
                self.conns.remove(&conn);
                return self.handle(PeerInput::Broken(conn, "reset".into()));
            }
            1..=3 => return self.hello(conn),
            4 if self.rng.chance(20) => {
                let junk = ["{", "", r#"{"close":"x"}"#, r#"{"n":1}"#, r#"{"n":9,"ack":9,"body":{"had":1}}"#, "[[[["];
                let line = junk[self.rng.below(6) as usize];
                return self.handle(PeerInput::Line(conn, line.as_bytes()));
            }
            _ => {}
        }
        let (honest, roll, number) = (self.rng.chance(97), self.rng.below(10), self.rng.below(9));
        let Some(far) = self.conns.get_mut(&conn) else { return };
        let up_to = if honest { far.got } else { number + far.got };
        let body = match roll {
            0..=4 => {
                far.said += 1;
                let number = if honest { far.said } else { number };
                PeerBody::Private(PrivateText { number, text: "words".into(), sent: Timestamp(9) })
            }
            5..=6 if up_to > 0 => {
                let confirmed = self.confirmed.entry(NAMES[far.who].to_owned()).or_default();
                *confirmed = up_to.max(*confirmed);
                PeerBody::Had(up_to)
            }
            7 if up_to > 0 => PeerBody::Held(up_to),
            8 if !honest => PeerBody::Close("enough".into()),
            // Only what is due: acknowledgements and answers to probes.
            _ => {
                let _ = far.link.tick(self.now);
                return self.speak(conn);
            }
        };
        if far.link.next_timeout().is_some() && far.link.send(self.now, to_json(&body).into()).is_err() {
            far.link.detach();
        }
        self.speak(conn);
    }

    /// Sends what the other end has to say.
    fn speak(&mut self, conn: PeerConn) {
        loop {
            let Some(frame) = self.conns.get_mut(&conn).and_then(|far| far.link.poll(self.now)) else { return };
            let mut line = Vec::new();
            frame.write(&mut line);
            self.handle(PeerInput::Line(conn, line.trim_ascii_end()));
        }
    }

    fn pass(&mut self) {
        let millis = [1, 20, 100, 400, 1_000, 6_000, 31_000][self.rng.below(7) as usize];
        let end = self.now + Duration::from_millis(if self.rng.chance(80) { millis.min(100) } else { millis });
        // It has slept, at times.
        while let Some(at) = self.peers.next_timeout().filter(|at| *at <= end && !self.rng.chance(3)) {
            self.now = self.now.max(at);
            self.peers.tick(self.now);
            self.drain();
            let due = self.peers.next_timeout().filter(|at| *at <= self.now);
            assert_eq!(due, None, "a timer that is due would spin");
        }
        self.now = end;
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..world.rng.below(400) {
        match world.rng.below(100) {
            0 => world.presence(),
            1..=5 => world.roster(),
            6..=30 => world.user(),
            31..=40 => world.reader(),
            41..=55 => world.arrives(),
            56..=85 => world.other(),
            _ => world.pass(),
        }
        if !world.here && world.rng.chance(50) {
            world.peers.enter("dan", 5);
            world.here = true;
        }
    }
    world.peers.leave(world.now);
    world.drain();
    assert!(world.open.is_empty() && world.conns.is_empty() && world.dialling.is_empty());
}

/// How often each kind of news was told.
static MET: [AtomicU64; 10] = [const { AtomicU64::new(0) }; 10];

#[test]
fn peers() {
    crate::seeds::play_seeds(3_000, run);
    let met: Vec<u64> = MET.iter().map(|kind| kind.load(Relaxed)).collect();
    assert!(!crate::seeds::all_are_played() || met.iter().all(|kind| *kind > 100), "it gets deep: {met:?}");
}
