//! The session by itself: what its user and the hub say, and what it does then.

mod adversary;
mod ends;
mod files;
mod hub;
mod inbox;
mod meetings;
mod parcels;
mod pipe;
mod private;
mod pushes;
mod verifying;

use std::collections::BTreeMap;

use serde_json::Value;

use std::sync::Arc;
use std::time::Duration;

use super::uplink::HubConnection;
use super::*;
use crate::core::fetch::FetchPlan;
use crate::core::link::LinkConfig;
use crate::core::peers::{PeerInput, PeerOutput};
use crate::protocol::event::Settings;
use crate::protocol::limits::{MAX_TRANSFERS, PUSH_PATIENCE};
use crate::protocol::to_json;
use crate::protocol::transfer::OnConflict;
use crate::protocol::wire::Received;
use crate::protocol::{Content, ContentHash, Event, EventLine, Id, PublicKey, Route, Timestamp, event};
use crate::sim::Asked;

const SONG: &str = r#"{"file":"song","size":5,"hash":"0000000000000000000000000000000000000000000000000000000000000000","chunk_size":1048576,"chunks":1"#;
const KEY: &str = "aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq";

fn config() -> SessionConfig {
    SessionConfig {
        follow: Default::default(),
        entry: Entry::Named { name: "anna".into(), password: None },
        key: PublicKey([7; 32]),
        hub: "hub.example:7755".into(),
        inbox: false,
        invite: None,
        link: LinkConfig::client(),
        patience: SessionTimeouts { give_up: Duration::from_secs(60), timeout: None, pushes: Some(PUSH_PATIENCE) },
        linger: false,
        fail_fast: false,
        downloads: DownloadConfig {
            on_conflict: OnConflict::Fail,
            max_transfers: MAX_TRANSFERS,
            accept_from: AcceptFrom::Nobody,
            passes_on: PassesOn::Nothing,
        },
        settings: Settings {
            follow: Default::default(),
            follow_roster: Default::default(),
            dir: Some("music".into()),
            downloads: "downloads".into(),
            port: 40_000,
            link_port: 40_001,
            transport: "auto".into(),
            on_conflict: "fail".into(),
            up: None,
            down: None,
            max_transfers: MAX_TRANSFERS as u64,
            accept_from: Vec::new(),
        },
        epoch: Timestamp(0),
        chance: Chance { seed: 1, secrets: [1; 32] },
    }
}

fn with(change: impl FnOnce(&mut SessionConfig)) -> SessionConfig {
    let mut config = config();
    change(&mut config);
    config
}

/// A session, its user and the hub, played by the test.
struct Rig {
    session: Session,
    now: Time,
    told: Vec<EventLine>,
    /// What its user has asked.
    requests: Asked,
    /// How many messages were told that the user does not see.
    withheld: usize,
    /// What the hub has been asked and has not answered, oldest first.
    asked: Vec<Value>,
    /// Number of frames that the hub has sent on this session.
    frames: u64,
    /// The hub's name for it.
    hub_session: String,
    received: u64,
    connects: usize,
    tasks: Vec<u64>,
    fetches: Vec<u64>,
    plans: Vec<Arc<FetchPlan>>,
    /// What is to be done for parcels, and where their senders are.
    parcels: Vec<Output>,
    cancelled: Vec<u64>,
    unserved: Vec<String>,
    /// Who may fetch from us.
    may_fetch: BTreeMap<PublicKey, String>,
    /// Whose messages were asked for, and up to which number whose were shown.
    opened: Vec<String>,
    shown: Vec<(String, Received)>,
    /// What is to be done with direct connections.
    peers: Vec<PeerOutput>,
    /// What was said of meetings.
    meetings: Vec<MeetingNews>,
    /// How often the end was said to wait for a reader.
    unread: u32,
    end: Option<u8>,
}

impl Rig {
    /// A session that has started and not connected.
    fn new(config: SessionConfig) -> Self {
        let mut rig = Self {
            session: Session::new(config),
            now: Time(0),
            told: Vec::new(),
            requests: Asked::default(),
            withheld: 0,
            asked: Vec::new(),
            frames: 0,
            hub_session: String::new(),
            received: 0,
            connects: 0,
            tasks: Vec::new(),
            fetches: Vec::new(),
            plans: Vec::new(),
            parcels: Vec::new(),
            cancelled: Vec::new(),
            unserved: Vec::new(),
            may_fetch: BTreeMap::new(),
            opened: Vec::new(),
            shown: Vec::new(),
            peers: Vec::new(),
            meetings: Vec::new(),
            unread: 0,
            end: None,
        };
        rig.handle(Input::Start);
        rig
    }

    /// A session that has connected and not been answered.
    fn begun(config: SessionConfig) -> Self {
        let mut rig = Self::new(config);
        rig.connect(false);
        rig
    }

    /// A session that has been welcomed.
    fn welcomed(config: SessionConfig) -> Self {
        let mut rig = Self::begun(config);
        rig.welcome("anna");
        rig
    }

    fn handle(&mut self, input: Input<'_>) {
        self.handle_slowly(input);
        // The reader is quick.
        if self.end.is_none() && self.session.waits_for_reader() {
            self.handle_slowly(Input::Unread(0));
        }
    }

    /// The same, with a reader who reads nothing.
    fn handle_slowly(&mut self, input: Input<'_>) {
        self.session.handle(self.now, input);
        while let Some(output) = self.session.poll(self.now) {
            assert_eq!(self.end, None, "the end is the last of all");
            match output {
                parcel @ (Output::Parcel(_) | Output::Whereabouts(_)) => self.parcels.push(parcel),
                Output::Tell(line) if matches!(line.event, Event::Withheld(_)) => self.withheld += 1,
                Output::Tell(line) => {
                    assert_eq!(self.requests.mistake(&line), None);
                    assert!(!self.told.iter().any(|line| matches!(line.event, Event::Bye(_))), "after bye: {line:?}");
                    self.told.push(*line);
                }
                Output::Connect => self.connects += 1,
                Output::Send(frame) => {
                    if let Some((number, body)) = frame.body {
                        self.received = number;
                        self.asked.push(serde_json::from_str(&body).unwrap());
                    }
                }
                Output::Unread => self.unread += 1,
                Output::Meeting(news) => self.meetings.push(news),
                Output::CheckDir(task, _)
                | Output::Hash(Offering { task, .. })
                | Output::Grant { task, .. }
                | Output::Verify { task, .. } => self.tasks.push(task),
                Output::Fetch(transfer, plan) => {
                    self.fetches.push(transfer);
                    self.plans.push(plan);
                }
                Output::CancelFetch(transfer) => self.cancelled.push(transfer),
                Output::Peers(peers) => self.may_fetch = peers.into_iter().flatten().collect(),
                Output::PeersChanged(changes) => {
                    self.may_fetch.retain(|key, _| changes.iter().all(|(changed, _)| changed != key));
                    self.may_fetch.extend(changes.into_iter().filter_map(|(key, owner)| Some((key, owner?))));
                }
                Output::Unserve(files) => self.unserved.extend(files),
                Output::OpenInbox(name) => self.opened.push(name),
                Output::Shown(name, number) => self.shown.push((name, number)),
                Output::Peer(output) => self.peers.push(output),
                Output::End(code) => self.end = Some(code),
                Output::Disconnect
                | Output::Say(_)
                | Output::PeersLeft(_)
                | Output::Revoke(..)
                | Output::Sources(..) => {}
                Output::CancelUpload(_) => {}
            }
        }
        let late = self.session.next_timeout().filter(|at| *at <= self.now);
        assert_eq!(late, None, "a timer that is due would spin");
    }

    /// A connection is made, and the hub says hello: it goes on with the session, or knows nothing of it.
    fn connect(&mut self, resumed: bool) {
        if !resumed {
            (self.frames, self.received) = (0, 0);
        }
        if !resumed {
            self.hub_session = format!("run-{}", self.now.0);
        }
        let session = self.hub_session.clone();
        self.handle(Input::Connected);
        let hello = crate::protocol::wire::HubHello {
            hello: "potluck-link/1".into(),
            session,
            resumed,
            received: self.received,
        };
        self.handle(Input::HubLine(to_json(&hello).as_bytes()));
    }

    /// The hub says something of its own, or answers.
    fn hub(&mut self, body: &str) {
        self.frames += 1;
        let (n, ack) = (self.frames, self.received);
        self.handle(Input::HubLine(format!(r#"{{"n":{n},"ack":{ack},"body":{body}}}"#).as_bytes()));
    }

    /// The hub answers the oldest request of this name (`publish` for offers).
    fn answer(&mut self, request: &str, event: &str, body: &str) {
        let at = self.asked.iter().position(|ask| ask["request"] == request || ask.get(request).is_some());
        let ask = self.asked.remove(at.unwrap_or_else(|| panic!("{request} was not asked: {:?}", self.asked)));
        self.hub(&format!(r#"{{"event":"{event}","id":{},"final":true{body}}}"#, ask["id"]));
    }

    fn welcome(&mut self, name: &str) {
        let body = format!(r#","name":"{name}","number":1,"revision":1,"clients":1,"offers":0"#);
        self.answer("register", "welcome", &body);
    }

    fn refuse(&mut self, request: &str, code: &str) {
        self.answer(request, "error", &format!(r#","code":"{code}","message":"No.","retry":"never""#));
    }

    fn locate(&mut self) {
        let offer = format!(r#"{SONG},"owner":"ben","address":"10.0.0.2","port":1}}"#);
        self.answer("get", "located", &format!(r#","sources":[{{"offer":{offer},"key":"{KEY}"}}]"#));
    }

    /// The newest folder or hash task is done.
    fn hashed(&mut self) {
        let task = self.tasks.pop().unwrap();
        let content: Content = serde_json::from_str(&format!("{SONG}}}")).unwrap();
        self.handle(Input::Hashed(task, Ok(Hashed { contents: vec![content], skipped: Vec::new() })));
    }

    /// Offers `song`, and is answered.
    fn offered(&mut self) {
        self.line(r#"{"id":1000,"request":"offer","files":["song"]}"#);
        self.hashed();
        self.ack_offer();
    }

    fn ack_offer(&mut self) {
        let offer = format!(r#"{SONG},"owner":"anna","address":"10.0.0.1","port":1}}"#);
        self.answer("publish", "offer-acked", &format!(r#","offers":[{offer}],"revision":2"#));
    }

    fn line(&mut self, line: &str) {
        self.requests.by_user(line.as_bytes());
        self.handle(Input::Line(1, line.as_bytes()));
    }

    fn transfer(&mut self, transfer: u64, note: TransferNote) {
        self.handle(Input::Transfer(transfer, note));
    }

    fn complete(&mut self, transfer: u64) {
        self.transfer(transfer, TransferNote::Started { path: "song".into(), resumed: 0, route: None });
        self.transfer(transfer, TransferNote::Completed { path: "song".into(), complete: true, sources: Vec::new() });
    }

    fn lose(&mut self) {
        self.handle(Input::Disconnected("reset".into()));
    }

    /// Lets time pass, timer by timer. The hub is silent.
    fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.session.next_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.handle(Input::Tick);
        }
        self.now = end;
    }

    /// Lets time pass with a hub that acknowledges everything and says nothing.
    fn pass_with_acks(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.session.next_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.handle(Input::Tick);
            if self.session.cx.uplink.is_up() {
                self.handle(Input::HubLine(format!(r#"{{"ack":{}}}"#, self.received).as_bytes()));
            }
        }
        self.now = end;
    }

    /// Lets time pass until the hub is tried again; says how long that takes, in milliseconds.
    fn pass_until_tried(&mut self) -> u128 {
        let (start, before) = (self.now, self.connects);
        while self.connects == before {
            self.now = self.session.next_timeout().expect("it is tried again");
            self.handle(Input::Tick);
        }
        (self.now - start).as_millis()
    }

    /// Lets a lost hub be tried again, in vain, until the session ends or so many milliseconds are over.
    fn pass_in_vain(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.session.next_timeout().filter(|at| *at <= end) {
            self.now = at;
            let before = self.connects;
            self.handle(Input::Tick);
            if self.connects > before {
                self.handle(Input::ConnectFailed(ErrorCode::HubUnreachable.into()));
            }
        }
        self.now = end;
    }

    /// The requests that the hub has to answer.
    fn asks(&self) -> Vec<&str> {
        let name = |ask: &'_ Value| match ask["request"].as_str() {
            Some(_) => None,
            None => ["publish", "push", "have", "settled", "take_back", "not_taken", "gone"]
                .into_iter()
                .find(|word| !ask[word].is_null()),
        };
        let answered =
            self.asked.iter().filter(|ask| !matches!(name(ask), Some("have" | "settled" | "take_back" | "not_taken")));
        answered.map(|ask| name(ask).or(ask["request"].as_str()).unwrap_or_default()).collect()
    }

    /// The last event of a request, in a word: an error's code, or the event.
    fn last(&self, id: i64) -> Option<&str> {
        let mut about = self.told.iter().filter(|line| line.id == Some(Id::Number(id))).skip_while(|line| !line.last);
        let last = about.next()?;
        assert!(about.next().is_none(), "{id}: nothing comes after a final event");
        Some(match &last.event {
            Event::Error(error) => error.code.name(),
            event => event.name(),
        })
    }

    /// The finals of requests 1 to `ids`.
    fn lasts(&self, ids: i64) -> Vec<Option<&str>> {
        (1..=ids).map(|id| self.last(id)).collect()
    }

    /// The reason and the code of the goodbye.
    fn bye(&self) -> Option<(&str, u8)> {
        match &self.told.last()?.event {
            Event::Bye(bye) => {
                assert_eq!(self.end, Some(bye.code));
                Some((&bye.reason, bye.code))
            }
            _ => None,
        }
    }

    fn words(&self) -> Vec<&str> {
        self.told.iter().map(|line| line.event.name()).collect()
    }
}
