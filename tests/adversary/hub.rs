//! Five hostile clients, a store and a shelf that answer when they like, and a clock that jumps, against a hub.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use potluck::core::hub::{Access, ConnId, HubConfig, HubFiles, Input, Keep, LoginPolicy, Output, Verified};
use potluck::core::{Hub, LinkConfig, Rng, Time};
use potluck::protocol::invite::InviteRecord;
use potluck::protocol::limits::HubLimits;
use potluck::protocol::name::fold;
use potluck::protocol::record::{
    CopyRecord, Found, Kept, Loaded, NameRecord, Query, Record, RoomRecord, WaitingRecord,
};
use potluck::protocol::types::RoomAccess;
use potluck::protocol::wire::HubHello;
use potluck::protocol::{ErrorCode, EventLine, Id, PublicKey, Timestamp};

use crate::words::{self, PEOPLE, ROOMS, Vocabulary, pick};

const CLIENTS: usize = 5;
const KEYS: u64 = 3;

/// A session as its other end sees it.
#[derive(Default)]
struct Session {
    sent: u64,
    received: u64,
    /// Requests that have no final answer yet, and how often their number was used.
    open: BTreeMap<i64, u64>,
    /// It has said that it has what it does not have: answers may be missing.
    lied: bool,
}

/// A connection: whose, of which session, and what its hello said of that.
struct Conn {
    who: usize,
    session: Option<String>,
    claimed: u64,
}

struct World {
    rng: Rng,
    vocabulary: Vocabulary,
    /// How often what arrives is a client's, and how often the store's names are changed by another program, in 100.
    pace: (u64, u64),
    now: Time,
    hub: Hub,
    files: bool,
    /// The newest connection of each client.
    clients: Vec<Option<ConnId>>,
    conns: HashMap<ConnId, Conn>,
    sessions: BTreeMap<String, Session>,
    last_conn: ConnId,
    commits: VecDeque<u64>,
    kept: Vec<Kept>,
    queries: Vec<(u64, Query)>,
    attempts: Vec<(u64, String)>,
    copies: Vec<u64>,
    stopped: bool,
}

fn key(rng: &mut Rng) -> PublicKey {
    PublicKey([rng.below(KEYS) as u8; 32])
}

fn config(rng: &mut Rng) -> HubConfig {
    let access = match rng.below(4) {
        0 => Access::Invite,
        1 => Access::Accounts,
        _ => Access::Open,
    };
    let files = HubFiles { key: PublicKey([99; 32]), address: [127, 0, 0, 1].into(), port: 9, room: 6 << 20 };
    let small = rng.chance(30);
    let limits = HubLimits {
        clients: if small { 3 } else { 20 },
        strangers: if small { 2 } else { 20 },
        offers: if small { 3 } else { 100 },
        rooms: if small { 2 } else { 100 },
        members: if small { 2 } else { 100 },
        mailbox: if small { 2 } else { 100 },
        mailbox_bytes: if small { 20 } else { 10_000 },
        clients_per_key: if small { 1 } else { 16 },
        clients_per_address: if small { 2 } else { 16 },
        names_per_key: if small { 1 } else { 16 },
        rooms_per_key: if small { 1 } else { 16 },
        request_rate: if small { 2 } else { 1_000 },
        ..HubLimits::default()
    };
    HubConfig {
        link: LinkConfig::hub(),
        grace: Duration::from_secs(30),
        limits,
        access,
        logins: LoginPolicy::default(),
        files: rng.chance(50).then_some(files),
        keep: [None, Some(Keep::Bytes(1_000)), Some(Keep::For(Duration::from_secs(60)))][rng.below(3) as usize],
        run: 7,
        epoch: Timestamp(1_700_000_000_000),
    }
}

/// Names as the store may have them: some, with some keys.
fn names(rng: &mut Rng) -> Vec<NameRecord> {
    let some: Vec<&str> = PEOPLE.into_iter().filter(|name| *name != "nobody" && rng.chance(50)).collect();
    let mut names: Vec<NameRecord> = some
        .into_iter()
        .map(|name| {
            let keys = (0..rng.below(3)).map(|_| key(rng)).collect();
            let credential = rng.chance(40).then(|| rng.below(4));
            let (received, unread) = (rng.below(4), rng.below(4));
            NameRecord { name: name.into(), fold: fold(name), keys, credential, since: 5, received, unread }
        })
        .collect();
    names.sort_by(|a, b| a.fold.cmp(&b.fold));
    names
}

fn loaded(rng: &mut Rng) -> Loaded {
    let names = names(rng);
    let folds: Vec<String> = names.iter().map(|name| name.fold.clone()).collect();
    let pairs = folds.iter().flat_map(|by| folds.iter().map(move |whom| (by.clone(), whom.clone())));
    let blocks = pairs.filter(|(by, whom)| by != whom).filter(|_| rng.chance(10)).collect();
    let rooms: Vec<RoomRecord> = (1..=2)
        .filter_map(|room| {
            let members: Vec<(String, u64)> =
                folds.iter().filter(|_| rng.chance(50)).map(|fold| (fold.clone(), 1)).collect();
            let access = if rng.chance(50) { RoomAccess::Open } else { RoomAccess::Invite };
            let name = ROOMS[room as usize].to_owned();
            let owner = folds.first().filter(|_| rng.chance(50)).cloned().unwrap_or_default();
            (!members.is_empty()).then_some(RoomRecord { room, name, access, owner, members })
        })
        .collect();
    let copies = folds.iter().filter(|_| rng.chance(20)).map(|fold| fold.to_owned()).collect::<Vec<_>>();
    let copies = copies.into_iter().map(|fold| {
        let content = words::content(rng);
        CopyRecord { owner: fold.clone(), fold, content }
    });
    let copies = copies.collect();
    let mut waiting = Vec::new();
    for number in 1..=4 {
        if let Some(fold) = folds.first().filter(|_| rng.chance(30)) {
            let (bytes, withheld) = (rng.below(9), rng.chance(20));
            waiting.push(WaitingRecord { fold: fold.clone(), number, bytes, withheld });
        }
    }
    Loaded { names, blocks, rooms, copies, waiting, last_message: 4, last_room: 2, ..Loaded::default() }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let config = config(&mut rng);
        let files = config.files.is_some();
        let loaded = if rng.chance(50) { loaded(&mut rng) } else { Loaded::default() };
        Self {
            hub: Hub::new(config, loaded),
            vocabulary: Vocabulary::some(&mut rng),
            pace: ([30, 60, 80][rng.below(3) as usize], [1, 5][rng.below(2) as usize]),
            rng,
            now: Time(0),
            files,
            clients: vec![None; CLIENTS],
            conns: HashMap::new(),
            sessions: BTreeMap::new(),
            last_conn: 0,
            commits: VecDeque::new(),
            kept: Vec::new(),
            queries: Vec::new(),
            attempts: Vec::new(),
            copies: Vec::new(),
            stopped: false,
        }
    }

    fn handle(&mut self, input: Input<'_>) {
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
            Output::Query(number, query) => self.queries.push((number, query)),
            Output::Verify { attempt, fold, .. } => self.attempts.push((attempt, fold)),
            Output::Copy(plan) => self.copies.push(plan.copy),
            Output::Stopped => self.stopped = true,
            Output::Discard(_) | Output::MayFetch(..) | Output::MayNotFetch(_) | Output::Log(_) => {}
        }
    }

    fn newest(&self) -> u64 {
        self.kept.last().map_or(4, |kept| kept.number)
    }

    fn connect(&mut self, who: usize) {
        self.last_conn += 1;
        let conn = self.last_conn;
        self.conns.insert(conn, Conn { who, session: None, claimed: 0 });
        // An older connection of the same program stays open.
        self.clients[who] = Some(conn);
        let key = PublicKey([(who as u64 % KEYS) as u8; 32]);
        let address = SocketAddr::from(([10, 0, 0, self.rng.below(3) as u8], 5_000));
        self.handle(Input::Connected { conn, key, address, transport: "quic" });
        if self.rng.chance(95) {
            self.hello(who);
        }
    }

    fn hello(&mut self, who: usize) {
        let Some(conn) = self.clients[who] else { return };
        let sessions: Vec<&String> = self.sessions.keys().collect();
        let session = match self.rng.below(10) {
            0..8 if !sessions.is_empty() => Some(sessions[self.rng.below(sessions.len() as u64) as usize].clone()),
            8 => Some("00000000000000ff-1".to_owned()),
            _ => None,
        };
        let had = session.as_ref().and_then(|session| self.sessions.get(session)).map_or(0, |known| known.received);
        let claimed = if self.rng.chance(90) { had } else { self.rng.below(6) };
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.claimed = claimed;
        }
        let session = session.map_or(String::new(), |session| format!(r#""session":"{session}","#));
        let invite = if self.rng.chance(80) { r#","invite":"secret""# } else { "" };
        let asked = self.rng.below(20);
        let line = format!(
            r#"{{"hello":"potluck-link/1",{session}"received":{claimed},"port":1,"link_port":2,"instance":"{who}","asked":{asked}{invite}}}"#
        );
        self.handle(Input::Line { conn, line: line.as_bytes() });
    }

    /// The session of a client's newest connection.
    fn session(&mut self, who: usize) -> Option<(ConnId, &mut Session)> {
        let conn = self.clients[who]?;
        let session = self.conns.get(&conn)?.session.as_ref()?;
        Some((conn, self.sessions.get_mut(session)?))
    }

    fn ask(&mut self, who: usize) {
        let (newest, mut rng) = (self.newest(), Rng(self.rng.next_u64()));
        let Some((conn, &mut Session { sent, received, .. })) = self.session(who) else { return };
        let id = if rng.chance(90) { sent as i64 + 1 } else { rng.below(30) as i64 };
        let (body, answered) = self.vocabulary.body(&mut rng, PEOPLE[who], id, newest);
        let n = if rng.chance(99) { sent + 1 } else { rng.below(sent + 3) };
        let ack = if rng.chance(99) { rng.below(received + 1) } else { received + rng.below(3) };
        let probe = if rng.chance(10) { r#","probe":true"# } else { "" };
        if let Some((_, session)) = self.session(who).filter(|_| n == sent + 1) {
            session.sent = n;
            if answered {
                *session.open.entry(id).or_default() += 1;
            }
        }
        let line = format!(r#"{{"n":{n},"ack":{ack}{probe},"body":{body}}}"#);
        self.handle(Input::Line { conn, line: line.as_bytes() });
    }

    fn ack(&mut self, who: usize) {
        let Some((conn, session)) = self.session(who) else { return };
        let line = format!(r#"{{"ack":{}}}"#, session.received);
        self.handle(Input::Line { conn, line: line.as_bytes() });
    }

    fn disconnect(&mut self, who: usize) {
        if let Some(conn) = self.clients[who].take() {
            self.conns.remove(&conn);
            self.handle(Input::Disconnected { conn, reason: "gone".into() });
        }
    }

    fn commit(&mut self, all: bool) {
        let some = if all { self.commits.len() } else { self.rng.below(self.commits.len() as u64 + 1) as usize };
        let last = self.commits.drain(..some).next_back();
        if let Some(number) = last {
            self.handle(Input::Committed(number));
        }
    }

    fn answer_query(&mut self, honest: bool) {
        if self.queries.is_empty() {
            return;
        }
        let (number, query) = self.queries.swap_remove(self.rng.below(self.queries.len() as u64) as usize);
        let found = match query {
            Query::Inbox(inbox) => {
                let after = self.kept.iter().filter(|kept| kept.number > inbox.after).take(inbox.limit.min(50));
                Found::Messages(
                    after.filter(|_| self.rng.chance(80)).cloned().collect(),
                    !honest && self.rng.chance(20),
                )
            }
            Query::History(_) => {
                let some = self.kept.iter().filter(|_| self.rng.chance(20)).cloned().collect();
                Found::Messages(some, self.rng.chance(20))
            }
            Query::Asked { .. } => {
                let some = (0..self.rng.below(4)).map(|n| (n as i64 + 1, self.rng.below(9), Timestamp(4)));
                Found::Asked(some.collect())
            }
            Query::Invite { digest, .. } => {
                let (uses, until) = (self.rng.chance(50).then(|| self.rng.below(3)), None);
                let (name, spent, made) = ("i".to_owned(), self.rng.below(3), Timestamp(1));
                let invite = InviteRecord { name, digest, uses, spent, until, made };
                Found::Invite(self.rng.chance(80).then(|| (invite, self.rng.chance(20))))
            }
        };
        self.handle(Input::Found(number, found));
    }

    fn verify(&mut self) {
        let Some((attempt, fold)) = self.attempts.pop() else { return };
        let right = self.rng.chance(60);
        let verified = right.then(|| Verified { name: fold.clone(), fold, credential: self.rng.below(9) });
        self.handle(Input::Verified(attempt, verified));
    }

    fn copy(&mut self) {
        let Some(copy) = self.copies.pop() else { return };
        let done = if self.rng.chance(60) { Ok(()) } else { Err(ErrorCode::PeerBroke.into()) };
        self.handle(Input::Copied(copy, done));
    }

    fn shelf(&mut self) {
        if !self.files {
            return;
        }
        let content = words::content(&mut self.rng);
        match self.rng.below(4) {
            0 => self.handle(Input::CopyFound(content.hash, content.size)),
            1 => self.handle(Input::CopyLost(content.hash)),
            2 => self.handle(Input::ShelfChanged(vec![content], Vec::new())),
            _ => self.handle(Input::ShelfChanged(Vec::new(), vec![content.file])),
        }
    }

    fn time(&mut self) {
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
            12 => self.hello(who),
            13..21 => self.commit(false),
            21..26 => self.answer_query(false),
            26..29 => self.verify(),
            29..31 => self.copy(),
            31..33 => self.shelf(),
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
    fn all_is_answered(&mut self) {
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
    fn nothing_is_left(&mut self) {
        (0..CLIENTS).for_each(|who| self.disconnect(who));
        for conn in self.conns.keys().copied().collect::<Vec<_>>() {
            self.conns.remove(&conn);
            self.handle(Input::Disconnected { conn, reason: "gone".into() });
        }
        for _ in 0..3 {
            self.pass(Duration::from_secs(60));
            self.settle();
        }
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
    crate::each_seed("hub", 2_000, play);
}
