//! The hub by itself: what it is told, and what it does then.

mod accounts;
mod again;
mod codes;
mod copies;
mod crashes;
mod entry;
mod feed;
mod files;
mod following;
mod gifts;
mod guests;
mod handovers;
mod handovers_limits;
mod invites;
mod inviting;
mod meetings;
mod messages;
mod names;
mod order;
mod revocation;
mod shares;
mod silence;
mod steps;
mod table;
mod trimming;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::*;
use crate::core::link::LinkConfig;
use crate::protocol::limits::HubLimits;
use crate::protocol::log::LogEvent;
use crate::protocol::name::NameKey;
use crate::protocol::record::{NameRecord, Query, Record};
use crate::protocol::types::Content;
use crate::protocol::wire::HubHello;
use crate::protocol::{ContentHash, PublicKey};
use crate::protocol::{ErrorCode, Event, EventLine, Id, Presence, Timestamp};
use crate::sim::Asked;

/// For a new session.
const HELLO: &str =
    r#"{"hello":"potluck-link/1","received":0,"port":40001,"link_port":45001,"instance":"0123456789abcdef"}"#;

fn keys() -> HubKeys {
    HubKeys {
        link: format!("potluck://h:1/#{}", PublicKey([99; 32])).parse().unwrap(),
        key: PublicKey([99; 32]),
        secrets: crate::core::secrets::Secrets::new([7; 32]),
    }
}

fn config() -> HubConfig {
    HubConfig {
        files: None,
        meetings: MeetingConfig {
            secret: [9; 32],
            at_once: 100,
            relay: Some(RelayLimits { streams_each: 2, streams: 3, day: 1_000_000 }),
        },
        link: LinkConfig::hub(),
        grace: Duration::from_secs(30),
        limits: HubLimits::default(),
        access: Access::Open,
        logins: LoginPolicy::default(),
        keep: None,
        inviters: Inviters::Names([NameKey::of("anna")].into()),
        keys: keys(),
        run: 7,
        epoch: Timestamp(0),
    }
}

/// What is at the other end of a connection: it remembers what it was sent, and answers when it is told to.
#[derive(Default)]
struct Wire {
    sent: u64,
    received: u64,
    acked: u64,
    /// Whether everything is acknowledged at once.
    acks: bool,
    asked: Asked,
    bodies: Vec<EventLine>,
    said: Vec<String>,
    closed: bool,
}

/// A hub and the other ends of its connections.
struct Rig {
    hub: Hub,
    now: Time,
    wires: BTreeMap<ConnId, Wire>,
    persisted: Vec<(u64, Record)>,
    abandoned: Vec<u64>,
    asked: Vec<(u64, Query)>,
    logins: Vec<(u64, NameKey)>,
    copies: Vec<CopyPlan>,
    discarded: Vec<ContentHash>,
    /// What the driver was told about halves of meetings.
    relayed: Vec<Output>,
    log: Vec<LogEvent>,
    stopped: bool,
}

impl Rig {
    fn new(config: HubConfig) -> Self {
        Self::with_names(config, Vec::new())
    }

    fn with_names(config: HubConfig, names: Vec<NameRecord>) -> Self {
        Self::with(config, Loaded { names, ..Loaded::default() })
    }

    fn with(config: HubConfig, loaded: Loaded) -> Self {
        let hub = Hub::new(config, loaded);
        Self {
            hub,
            now: Time(0),
            wires: BTreeMap::new(),
            persisted: Vec::new(),
            abandoned: Vec::new(),
            asked: Vec::new(),
            logins: Vec::new(),
            copies: Vec::new(),
            discarded: Vec::new(),
            relayed: Vec::new(),
            log: Vec::new(),
            stopped: false,
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.hub.handle(self.now, input);
        while let Some(output) = self.hub.poll(self.now) {
            match output {
                Output::Send(conn, frame) => {
                    let wire = self.wires.get_mut(&conn).unwrap();
                    assert!(!wire.closed, "nothing is sent on a closed connection");
                    if let Some((number, body)) = frame.body {
                        wire.received = number;
                        let line = EventLine::parse(&body).unwrap().unwrap();
                        assert_eq!(wire.asked.mistake_of_hub(&line), None);
                        wire.bodies.push(line);
                    }
                }
                Output::Say(conn, line) | Output::SayToStranger(conn, line) => {
                    self.wires.get_mut(&conn).unwrap().said.push(line)
                }
                Output::Close(conn) => self.wires.get_mut(&conn).unwrap().closed = true,
                Output::Persist(commit, record) => self.persisted.push((commit, record)),
                Output::Abandon(commits) => self.abandoned.extend(commits),
                Output::Query(number, query) => self.asked.push((number, query)),
                Output::Verify { attempt, name_key, .. } => self.logins.push((attempt, name_key)),
                Output::Copy(plan) => self.copies.push(plan),
                Output::Discard(hash) => self.discarded.push(hash),
                Output::MayFetch(..) | Output::MayNotFetch(_) => {}
                Output::Join { .. } | Output::Cut(_) | Output::Called(..) | Output::DropHalf(_) => {
                    self.relayed.push(output)
                }
                Output::Log(event) => self.log.push(event),
                Output::Stopped => self.stopped = true,
            }
        }
        let late = self.hub.next_timeout().filter(|at| *at <= self.now);
        assert_eq!(late, None, "a timer that is due would spin");
    }

    fn connect(&mut self, conn: ConnId, key: u8) {
        self.connect_from(conn, key, &format!("10.0.0.{key}:50000"));
    }

    fn connect_from(&mut self, conn: ConnId, key: u8, address: &str) {
        self.wires.insert(conn, Wire { acks: true, ..Wire::default() });
        let address: SocketAddr = address.parse().unwrap();
        self.handle(Input::Connected { conn, key: PublicKey([key; 32]), address, transport: "quic", exporter: None });
    }

    fn line(&mut self, conn: ConnId, line: &str) {
        self.handle(Input::Line { conn, line: line.as_bytes() });
        self.ack_all();
    }

    /// Whoever acknowledges at once does so, until there is nothing more.
    fn ack_all(&mut self) {
        loop {
            let due = |wire: &Wire| wire.acks && !wire.closed && wire.acked < wire.received;
            let Some((&conn, wire)) = self.wires.iter_mut().find(|(_, wire)| due(wire)) else { return };
            let received = wire.received;
            wire.acked = received;
            self.handle(Input::Line { conn, line: format!(r#"{{"ack":{received}}}"#).as_bytes() });
        }
    }

    /// A new connection says hello for a new session.
    fn hello(&mut self, conn: ConnId, key: u8) {
        self.connect(conn, key);
        self.line(conn, HELLO);
    }

    fn hello_from(&mut self, conn: ConnId, key: u8, address: &str) {
        self.connect_from(conn, key, address);
        self.line(conn, HELLO);
    }

    /// A new connection goes on with the session of another.
    fn resume(&mut self, conn: ConnId, key: u8, before: ConnId) {
        self.resume_by(HELLO, conn, key, before);
    }

    /// The same, with a hello that is like this one.
    fn resume_by(&mut self, hello: &str, conn: ConnId, key: u8, before: ConnId) {
        let session = self.hub_hello(before).session;
        let Wire { sent, received, ref asked, .. } = self.wires[&before];
        let asked = asked.clone();
        self.connect(conn, key);
        let wire = self.wires.get_mut(&conn).unwrap();
        (wire.sent, wire.received, wire.asked) = (sent, received, asked);
        let hello = hello.replace(r#""received":0"#, &format!(r#""session":"{session}","received":{received}"#));
        self.line(conn, &hello);
    }

    fn ask(&mut self, conn: ConnId, request: &str) {
        let wire = self.wires.get_mut(&conn).unwrap();
        wire.sent += 1;
        wire.asked.of_hub(request);
        let (n, ack) = (wire.sent, if wire.acks { wire.received } else { 0 });
        self.line(conn, &format!(r#"{{"n":{n},"ack":{ack},"body":{request}}}"#));
    }

    /// Hello, registration, commit, and time for everybody to be told.
    fn enter(&mut self, conn: ConnId, key: u8, name: &str) {
        self.hello(conn, key);
        self.register(conn, name);
        self.commit();
        self.pass(100);
    }

    fn register(&mut self, conn: ConnId, name: &str) {
        self.ask(conn, &format!(r#"{{"id":1,"request":"register","name":"{name}"}}"#));
    }

    fn commit(&mut self) {
        if let Some((commit, _)) = self.persisted.last() {
            self.handle(Input::Committed(*commit));
            self.ack_all();
        }
    }

    fn offer(&mut self, conn: ConnId, id: u64, files: &[String]) {
        let content = |file: &String| {
            let hash = "0".repeat(64);
            format!(r#"{{"file":"{file}","size":5,"hash":"{hash}","chunk_size":1048576,"chunks":1}}"#)
        };
        let contents: Vec<String> = files.iter().map(content).collect();
        self.ask(conn, &format!(r#"{{"id":{id},"publish":[{}]}}"#, contents.join(",")));
    }

    /// Lets time pass, timer by timer; who acknowledges also answers probes.
    fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.hub.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.handle(Input::Tick);
            self.answer_probes();
            self.ack_all();
        }
        self.now = end;
    }

    fn answer_probes(&mut self) {
        let live: Vec<(ConnId, u64)> = self
            .wires
            .iter()
            .filter(|(_, w)| w.acks && !w.closed && !w.said.is_empty())
            .map(|(c, w)| (*c, w.received))
            .collect();
        for (conn, received) in live {
            self.handle(Input::Line { conn, line: format!(r#"{{"ack":{received}}}"#).as_bytes() });
        }
    }

    /// Nothing more is heard on a connection.
    fn silence(&mut self, conn: ConnId) {
        self.wires.get_mut(&conn).unwrap().acks = false;
    }

    fn hub_hello(&self, conn: ConnId) -> HubHello {
        serde_json::from_str(&self.wires[&conn].said[0]).unwrap()
    }

    /// The numbers of the messages that a connection was sent, withheld ones too.
    fn heard(&self, conn: ConnId) -> Vec<u64> {
        let numbers = self.wires[&conn].bodies.iter().map(|line| match &line.event {
            Event::Message(message) => Some(message.number),
            Event::RoomMessage(message) => Some(message.number),
            Event::Withheld(withheld) => Some(withheld.number),
            _ => None,
        });
        numbers.flatten().collect()
    }

    /// Of which messages a connection was told that they have arrived.
    fn delivered(&self, conn: ConnId) -> Vec<u64> {
        let delivered = self.wires[&conn].bodies.iter().map(|line| match &line.event {
            Event::MessageDelivered(delivered) => Some(delivered.number),
            _ => None,
        });
        delivered.flatten().collect()
    }

    /// Sends a message, without its commit.
    fn message(&mut self, conn: ConnId, id: i64, to: &str) {
        self.ask(conn, &format!(r#"{{"id":{id},"request":"message","to":"{to}","text":"words {id}"}}"#));
    }

    /// The answer to something that was said: number and how many have it.
    fn acked(&self, conn: ConnId, id: i64) -> Option<(u64, u64)> {
        match self.answer(conn, id) {
            Some(Event::MessageAcked(acked)) => Some((acked.number, acked.delivered)),
            _ => None,
        }
    }

    /// A client says what its user has.
    fn received(&mut self, conn: ConnId, number: u64, except: &[u64]) {
        self.ask(conn, &format!(r#"{{"received":{number},"except":{except:?}}}"#));
    }

    /// Everything that was said, as the store has it.
    fn kept(&self) -> Vec<crate::protocol::record::StoredMessage> {
        let kept = self.persisted.iter().filter_map(|(_, record)| match record {
            Record::Message(kept) => Some(kept.clone()),
            _ => None,
        });
        kept.collect()
    }

    /// With which code a connection was turned away, if it was.
    fn turned_away(&self, conn: ConnId) -> Option<ErrorCode> {
        let wire = &self.wires[&conn];
        let farewell: crate::protocol::wire::Farewell = serde_json::from_str(wire.said.last()?).ok()?;
        assert!(wire.closed, "a farewell is the last word");
        Some(farewell.farewell.code)
    }

    /// The answer to a request.
    fn answer(&self, conn: ConnId, id: i64) -> Option<&Event> {
        let mut answers = self.wires[&conn].bodies.iter().filter(|line| line.last && line.id == Some(Id::Number(id)));
        let answer = answers.next().map(|line| &line.event);
        assert!(answers.next().is_none(), "a request is answered once");
        answer
    }

    fn refusal(&self, conn: ConnId, id: i64) -> Option<ErrorCode> {
        match self.answer(conn, id) {
            Some(Event::Error(error)) => Some(error.code),
            _ => None,
        }
    }

    fn code(&self, conn: ConnId, id: i64) -> Option<&'static str> {
        self.refusal(conn, id).map(ErrorCode::name)
    }

    /// The table, in short.
    fn offers(&self) -> Vec<String> {
        self.hub.offers().iter().map(|offer| format!("{} of {}", offer.file, offer.owner)).collect()
    }

    fn welcomed(&self, conn: ConnId) -> bool {
        self.wires[&conn].bodies.iter().any(|line| matches!(line.event, Event::Welcome(_)))
    }

    fn forget(&mut self, conn: ConnId) {
        self.wires.get_mut(&conn).unwrap().bodies.clear();
    }

    /// Updates of the table that a connection got: added, removed, total.
    fn updates(&self, conn: ConnId) -> Vec<(usize, usize, u64)> {
        let update = |line: &EventLine| match &line.event {
            Event::TableUpdated(u) => Some((u.added.len(), u.removed.len(), u.total)),
            _ => None,
        };
        self.wires[&conn].bodies.iter().filter_map(update).collect()
    }

    fn state(&self, name: &str) -> Option<Presence> {
        self.hub.roster().iter().find(|client| client.name == name).map(|client| client.state)
    }
}
