//! Five hostile clients, a store and a shelf that answer when they like, and a clock that jumps, against a hub.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use potluck::core::hub::{ConnId, Input, Output};
use potluck::core::{Hub, Rng, Time};
use potluck::protocol::name::NameKey;
use potluck::protocol::record::{Loaded, Query, Record, StoredMessage};
use potluck::protocol::wire::{Ask, HubHello};
use potluck::protocol::{Event, EventLine, Id, PublicKey};
use potluck::sim::Asked;

use crate::given::{config, loaded, names};
use crate::handovers::{Handovers, Talks, is_for_guests};
use crate::meetings::Meetings;
use crate::words::{PEOPLE, Vocabulary, pick};

pub const CLIENTS: usize = 5;
pub const KEYS: u64 = 3;

/// A session as its other end sees it.
#[derive(Default)]
pub struct Session {
    pub sent: u64,
    pub received: u64,
    /// Requests that have no final answer yet, and how often their number was used.
    pub open: BTreeMap<i64, u64>,
    pub asked: Asked,
    /// It has said that it has what it does not have: answers may be missing.
    lied: bool,
    guest: bool,
    talks: Talks,
}

/// A connection: whose, of which session, and what its hello said of that.
pub struct Conn {
    who: usize,
    session: Option<String>,
    claimed: u64,
    guest: bool,
}

pub struct World {
    pub rng: Rng,
    pub vocabulary: Vocabulary,
    /// How often what arrives is a client's, and how often the store's names are changed by another program, in 100.
    pub pace: (u64, u64),
    /// Whether parcels are handed over in this run.
    parcels: bool,
    pub now: Time,
    pub hub: Hub,
    pub files: bool,
    /// The newest connection of each client.
    pub clients: Vec<Option<ConnId>>,
    pub conns: HashMap<ConnId, Conn>,
    pub sessions: BTreeMap<String, Session>,
    pub last_conn: ConnId,
    pub commits: VecDeque<u64>,
    pub abandoned: Vec<u64>,
    /// The store is in trouble: it commits nothing.
    pub trouble: bool,
    pub kept: Vec<StoredMessage>,
    pub queries: Vec<(u64, Query)>,
    pub attempts: Vec<(u64, NameKey)>,
    pub copies: Vec<u64>,
    pub meetings: Meetings,
    handovers: Handovers,
    pub stopped: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let config = config(&mut rng);
        let files = config.files.is_some();
        let loaded = if rng.chance(50) { loaded(&mut rng) } else { Loaded::default() };
        Self {
            hub: Hub::new(config, loaded),
            vocabulary: Vocabulary::some(&mut rng),
            pace: ([30, 60, 80][rng.below(3) as usize], [1, 5][rng.below(2) as usize]),
            parcels: rng.chance(40),
            rng,
            now: Time(0),
            files,
            clients: vec![None; CLIENTS],
            conns: HashMap::new(),
            sessions: BTreeMap::new(),
            last_conn: 0,
            commits: VecDeque::new(),
            abandoned: Vec::new(),
            trouble: false,
            kept: Vec::new(),
            queries: Vec::new(),
            attempts: Vec::new(),
            copies: Vec::new(),
            meetings: Meetings::default(),
            handovers: Handovers::default(),
            stopped: false,
        }
    }

    pub fn handle(&mut self, input: Input<'_>) {
        self.hub.handle(self.now, input);
        while let Some(output) = self.hub.poll(self.now) {
            self.perform(output);
        }
        let due = self.hub.next_timeout().filter(|at| *at <= self.now);
        assert_eq!(due, None, "a timer that is due would spin");
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Send(conn, frame) => {
                let conn = self.conns.get(&conn).expect("nothing is sent on a closed connection");
                let session = conn.session.as_ref().and_then(|session| self.sessions.get_mut(session));
                let session = session.expect("frames belong to sessions");
                let Some((number, body)) = frame.body else { return };
                assert!(number <= session.received + 1, "frame {number} came after {}", session.received);
                if number <= session.received {
                    return;
                }
                session.received = number;
                let line = EventLine::parse(&body).expect("events read back").expect("known words");
                assert_eq!(session.asked.mistake_of_hub(&line), None);
                if let Event::Meeting(meeting) = &line.event {
                    self.meetings.tokens.extend([meeting.token.clone(), meeting.second_token.clone()]);
                }
                self.handovers.told(&line.event);
                if !session.lied {
                    session.talks.told(&line.event);
                }
                assert!(!session.guest || is_for_guests(&line.event), "a guest is told {}", line.event.name());
                if let (true, Some(Id::Number(id))) = (line.last, line.id) {
                    let open = session.open.get_mut(&id).unwrap_or_else(|| panic!("nobody asked {id}: {body}"));
                    *open -= 1;
                    if *open == 0 {
                        session.open.remove(&id);
                    }
                }
            }
            Output::Say(conn, line) => {
                let conn = self.conns.get_mut(&conn).expect("nothing is said on a closed connection");
                let Ok(hello) = serde_json::from_str::<HubHello>(&line) else { return };
                conn.session = Some(hello.session.clone());
                let session = self.sessions.entry(hello.session).or_default();
                assert_eq!(session.sent, hello.received, "what arrived is known");
                session.lied |= conn.claimed > session.received;
                assert!(!hello.resumed || session.guest == conn.guest, "a guest becomes no member");
                session.guest = conn.guest;
                session.received = session.received.max(if hello.resumed { conn.claimed } else { 0 });
            }
            Output::Close(conn) => {
                if let Some(Conn { who, .. }) = self.conns.remove(&conn)
                    && self.clients[who] == Some(conn)
                {
                    self.clients[who] = None;
                }
            }
            Output::Persist(number, record) => {
                self.commits.push_back(number);
                if let Record::Message(kept) = record {
                    self.kept.push(kept);
                }
            }
            Output::Abandon(commits) => self.abandoned.extend(commits),
            Output::Query(number, query) => self.queries.push((number, query)),
            Output::Verify { attempt, name_key, .. } => self.attempts.push((attempt, name_key)),
            Output::Copy(plan) => self.copies.push(plan.copy),
            Output::Stopped => self.stopped = true,
            Output::Join { meeting, halves, .. } => self.meetings.join(meeting, halves),
            Output::Called(call, half) => self.meetings.called(call, half),
            Output::Cut(meeting) => self.meetings.cut.push(meeting),
            Output::DropHalf(half) => self.meetings.drop_half(half),
            Output::SayToStranger(..)
            | Output::Discard(_)
            | Output::MayFetch(..)
            | Output::MayNotFetch(_)
            | Output::Log(_) => {}
        }
    }

    fn newest(&self) -> u64 {
        self.kept.last().map_or(4, |kept| kept.number)
    }

    pub fn connect(&mut self, who: usize) {
        self.last_conn += 1;
        let conn = self.last_conn;
        self.conns.insert(conn, Conn { who, session: None, claimed: 0, guest: false });
        // An older connection of the same program stays open.
        self.clients[who] = Some(conn);
        let key = PublicKey([(who as u64 % KEYS) as u8; 32]);
        let address = SocketAddr::from(([10, 0, 0, self.rng.below(3) as u8], 5_000));
        self.handle(Input::Connected { conn, key, address, transport: "quic", exporter: None });
        if self.rng.chance(95) {
            self.begin(who);
        }
    }

    pub fn hello(&mut self, who: usize) {
        let Some(conn) = self.clients[who] else { return };
        let sessions: Vec<&String> = self.sessions.keys().collect();
        let session = match self.rng.below(10) {
            0..8 if !sessions.is_empty() => Some(sessions[self.rng.below(sessions.len() as u64) as usize].clone()),
            8 => Some("00000000000000ff-1".to_owned()),
            _ => None,
        };
        let had = session.as_ref().and_then(|session| self.sessions.get(session)).map_or(0, |known| known.received);
        let claimed = if self.rng.chance(90) { had } else { self.rng.below(6) };
        let guest = self.rng.chance(25);
        if let Some(conn) = self.conns.get_mut(&conn) {
            (conn.claimed, conn.guest) = (claimed, guest);
        }
        let session = session.map_or(String::new(), |session| format!(r#""session":"{session}","#));
        let invite = if self.rng.chance(80) { r#","invite":"secret""# } else { "" };
        let guest = if guest { r#","guest":true"# } else { "" };
        let asked = self.rng.below(20);
        let line = format!(
            r#"{{"hello":"potluck-link/1",{session}"received":{claimed},"port":1,"link_port":2,"instance":"{who}","asked":{asked}{invite}{guest}}}"#
        );
        self.handle(Input::Line { conn, line: line.as_bytes() });
    }

    /// The session of a client's newest connection.
    pub fn session(&mut self, who: usize) -> Option<(ConnId, &mut Session)> {
        let conn = self.clients[who]?;
        let session = self.conns.get(&conn)?.session.as_ref()?;
        Some((conn, self.sessions.get_mut(session)?))
    }

    fn ask(&mut self, who: usize) {
        let (newest, mut rng) = (self.newest(), Rng(self.rng.next_u64()));
        let Some((conn, &mut Session { sent, received, .. })) = self.session(who) else { return };
        let id = if rng.chance(90) { sent as i64 + 1 } else { rng.below(30) as i64 };
        let parcel = self.parcels && rng.chance(70);
        let (body, answered) = match parcel.then(|| self.handovers.ask(&mut rng, newest)) {
            Some(ask) => (ask.to_body().to_string(), false),
            None => self.vocabulary.body(&mut rng, PEOPLE[who], id, newest),
        };
        let n = if rng.chance(99) { sent + 1 } else { rng.below(sent + 3) };
        let ack = if rng.chance(99) { rng.below(received + 1) } else { received + rng.below(3) };
        let probe = if rng.chance(10) { r#","probe":true"# } else { "" };
        if let Some((_, session)) = self.session(who).filter(|_| n == sent + 1) {
            session.sent = n;
            session.asked.of_hub(&body);
            if let Ok(Ask::HangUp(over)) = Ask::parse(&body) {
                session.talks.hung_up(over.hang_up);
            }
            if answered {
                *session.open.entry(id).or_default() += 1;
            }
        }
        let line = format!(r#"{{"n":{n},"ack":{ack}{probe},"body":{body}}}"#);
        self.handle(Input::Line { conn, line: line.as_bytes() });
    }

    pub fn ack(&mut self, who: usize) {
        let Some((conn, session)) = self.session(who) else { return };
        let line = format!(r#"{{"ack":{}}}"#, session.received);
        self.handle(Input::Line { conn, line: line.as_bytes() });
    }

    pub fn disconnect(&mut self, who: usize) {
        if let Some(conn) = self.clients[who].take() {
            self.conns.remove(&conn);
            self.handle(Input::Disconnected { conn, reason: "gone".into() });
        }
    }

    pub fn time(&mut self) {
        let jump = ["0", "1", "20", "250", "500", "1000", "11000", "40000", "3600000"];
        let millis: u64 = pick(&mut self.rng, &jump).parse().expect("a number");
        self.now = self.now + Duration::from_millis(millis);
        self.handle(Input::Tick);
    }

    /// Time passes as a driver sees it: from timer to timer.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.hub.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.handle(Input::Tick);
            (0..CLIENTS).for_each(|who| self.ack(who));
        }
        self.now = end;
    }

    fn step(&mut self) {
        let who = self.rng.below(CLIENTS as u64) as usize;
        if self.rng.chance(self.pace.0) {
            return if self.clients[who].is_some() { self.ask(who) } else { self.connect(who) };
        }
        if self.rng.chance(self.pace.1) {
            let names = names(&mut self.rng);
            return self.handle(Input::Names(names));
        }
        match self.rng.below(40) {
            0..8 => self.ack(who),
            8..11 => self.disconnect(who),
            11 => self.connect(who),
            12 => self.begin(who),
            13..21 => self.commit(false),
            21..26 => self.answer_query(false),
            26..29 => self.verify(),
            29..31 => self.copy(),
            31..33 => self.shelf(),
            33 => self.trouble(),
            34 | 37 => self.halves(),
            35 => self.relay(false),
            36 => self.call(),
            38 if self.rng.chance(20) => self.seek(who),
            _ => self.time(),
        }
    }

    /// Everything that the hub waits for comes.
    fn settle(&mut self) {
        loop {
            self.commit(true);
            (0..CLIENTS).for_each(|who| self.ack(who));
            if self.queries.is_empty() && self.attempts.is_empty() && self.copies.is_empty() && self.commits.is_empty()
            {
                return;
            }
            self.answer_query(true);
            self.verify();
            self.copy();
        }
    }

    /// Whoever is still in a session has been answered, each request once.
    pub fn all_is_answered(&mut self) {
        self.settle();
        self.pass(Duration::from_secs(3));
        self.settle();
        for who in 0..CLIENTS {
            if let Some((_, Session { open, lied: false, .. })) = self.session(who) {
                assert!(open.is_empty(), "unanswered: {open:?}");
            }
        }
    }

    /// When all have left, and time has passed, nothing is left of them.
    pub fn nothing_is_left(&mut self) {
        (0..CLIENTS).for_each(|who| self.disconnect(who));
        for conn in self.conns.keys().copied().collect::<Vec<_>>() {
            self.conns.remove(&conn);
            self.handle(Input::Disconnected { conn, reason: "gone".into() });
        }
        for _ in 0..3 {
            self.pass(Duration::from_secs(60));
            self.settle();
            self.relay(true);
        }
        self.meetings.nothing_is_left();
        let left: Vec<_> = self.hub.counts().into_iter().filter(|(_, count)| *count > 0).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

fn play(seed: u64) {
    let mut world = World::new(seed);
    let steps = 20 + world.rng.below(300);
    for _ in 0..steps {
        world.step();
    }
    if world.rng.chance(10) {
        world.handle(Input::Stop("enough".into()));
        assert!(world.stopped);
        (0..20).for_each(|_| world.step());
        return;
    }
    world.all_is_answered();
    world.nothing_is_left();
}

#[test]
fn hub() {
    crate::seeds::play_seeds(2_000, play);
}
