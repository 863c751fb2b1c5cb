//! A state is what its records say: live, replayed, read from a snapshot in the middle, or loaded from a store.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::core::time::Rng;
use crate::protocol::invite::InviteDigest;
use crate::protocol::limits::HubLimits;
use crate::protocol::name::NameKey;
use crate::protocol::record::{
    AccountRecord, AnswerRecord, Bringer, CopyRecord, Destination, FailureRecord, IdempotencyKey, Span, StoredMessage,
    VisitRecord,
};
use crate::protocol::types::Content;
use crate::protocol::{Client, ContentHash, Failure, Network, Presence, PublicKey, Timestamp, request};
use crate::sim::MemoryStore;

const NAMES: [&str; 8] = ["Anna", "ben", "Cleo", "Dora", "erin", "Fritz", "gil", "Hanna"];
const ROOMS: [&str; 5] = ["tea", "Kitchen", "music", "hall", "+"];

/// People who propose whatever they can, as long as it lasts.
struct Play {
    rng: Rng,
    live: State,
    records: Vec<Said>,
    asked: i64,
}

/// A record of either kind.
#[derive(Debug, Clone)]
enum Said {
    Kept(Record),
    OfSession(SessionRecord),
}

fn apply(state: &mut State, said: &Said) {
    match said {
        Said::Kept(record) => state.apply(record),
        Said::OfSession(record) => state.apply_of_session(record),
    }
}

impl Play {
    fn new(seed: u64) -> Self {
        Self { rng: Rng(seed), live: State::default(), records: Vec::new(), asked: 0 }
    }

    fn pick(&mut self, of: &[&str]) -> String {
        let at = self.rng.below(of.len() as u64) as usize;
        of.get(at).map(|name| (*name).to_owned()).unwrap_or_default()
    }

    fn take(&mut self, record: Record) {
        self.live.apply(&record);
        self.records.push(Said::Kept(record));
    }

    /// One step: most are proposals, some are what sessions and the keeper do.
    fn step(&mut self) {
        let name = self.pick(&NAMES);
        let (name_key, key) = (NameKey::of(&name), PublicKey([self.rng.below(4) as u8; 32]));
        let record = match self.rng.below(20) {
            0 => Record::Name { name, name_key, key, since: 0, credential: None },
            1 => {
                let number = self.live.mail().last().saturating_sub(self.rng.below(5));
                Record::Received { name_key, number }
            }
            2 => {
                let Some(reader) = self.live.mail().reader(&name_key) else { return };
                let (mut attendance, last) = (reader.attendance.clone(), self.live.mail().last());
                if self.rng.below(2) == 0 {
                    attendance.begins(last)
                } else {
                    attendance.ends(last)
                };
                Record::There { name_key, spans: attendance.spans().to_vec() }
            }
            4 | 5 => return self.session(name),
            3 if self.rng.below(40) == 0 => return self.remove(name_key),
            _ => return self.propose(name, name_key, key),
        };
        self.take(record);
    }

    /// Somebody comes or goes, offers something or not any more.
    fn session(&mut self, name: String) {
        let (number, at) = (self.rng.below(50), Timestamp(self.asked));
        let (file, owner): (Arc<str>, Arc<str>) = (format!("{}.txt", self.rng.below(40)).into(), name.as_str().into());
        let (last, session) = (self.live.pushes().last(), self.rng.below(9));
        let record = match self.rng.below(8) {
            0 | 1 => {
                let state = Presence::Online;
                let (key, address) = (PublicKey([1; 32]), [10, 0, 0, 1].into());
                let client = Client { name, number, state, since: at, key, address, port: 1, link_port: 2, you: false };
                SessionRecord::Here { client }
            }
            2 => SessionRecord::Left { name, closed: at },
            3 => {
                let hash = ContentHash([self.rng.below(9) as u8; 32]);
                let content = Content { file, size: number, hash, chunk_size: 1 << 20, chunks: 1, modified: None };
                SessionRecord::Listed { owner, server: Owner::Client(number), content: content.into() }
            }
            4 => {
                let hash = ContentHash([3; 32]);
                let content = Content { file, size: 1, hash, chunk_size: 1 << 20, chunks: 1, modified: None };
                let (giver, giver_key, to) = (name.clone(), NameKey::of(&name), NameKey::of("ben"));
                let push = Push { from: session, giver, giver_key, to, content: content.into(), taker: None };
                SessionRecord::Pushed { number: last + 1, push }
            }
            5 => SessionRecord::PushTaken { number: last, taker: Some(session).filter(|session| *session > 3) },
            6 => SessionRecord::PushGone { number: self.rng.below(last + 1) },
            _ => SessionRecord::Unlisted { owner, file },
        };
        self.live.apply_of_session(&record);
        self.records.push(Said::OfSession(record));
    }

    /// The keeper removes a name.
    fn remove(&mut self, name_key: NameKey) {
        let rooms: Vec<u64> = self.live.rooms().joined_by(&name_key).collect();
        for room in rooms.into_iter().filter(|room| self.live.rooms().size(*room) == 1).collect::<Vec<_>>() {
            self.take(Record::RoomGone { room });
        }
        self.take(Record::NameGone { name_key });
    }

    fn propose(&mut self, name: String, name_key: NameKey, key: PublicKey) {
        if !self.live.names().is_taken(&name_key) {
            return;
        }
        let address = std::net::IpAddr::from([10, 0, 0, self.rng.below(3) as u8]);
        self.asked += 1;
        let idempotency_key = IdempotencyKey { instance: "program".into(), ask: self.asked };
        let author = Author { name, name_key, key, network: Network::of(address), idempotency_key };
        let (other, room) = (self.pick(&NAMES), self.pick(&ROOMS));
        let text = "x".repeat(1 + self.rng.below(300) as usize);
        let again = false;
        let proposal = match self.rng.below(10) {
            0 => Proposal::Block(request::Block { name: other }),
            1 => Proposal::Unblock(request::Unblock { name: other }),
            2 => Proposal::RoomCreate(request::RoomCreate { room, access: None, members: vec![other] }),
            3 => Proposal::RoomJoin(request::RoomJoin { room, again }),
            4 => Proposal::RoomInvite(request::RoomInvite { room, members: vec![other] }),
            5 => Proposal::RoomLeave(request::RoomLeave { room }),
            6 => Proposal::Broadcast(text),
            7 => Proposal::Say(request::Say { room, text }),
            _ => Proposal::Message(request::Message { to: other, text }),
        };
        let limits = HubLimits { mailbox: 100, ..HubLimits::default() };
        let terms = Terms { today: Timestamp(self.asked), limits: &limits, is_here: &|_| true };
        let decided: Result<Decision, Failure> = self.live.decide(&terms, &author, proposal);
        for record in decided.into_iter().flat_map(|decision| decision.records) {
            self.take(record);
        }
    }
}

/// Questions whose answers must be the same, whatever the state was built from.
fn answers(state: &State) -> Vec<String> {
    let mut answers = Vec::new();
    let keys: Vec<NameKey> = NAMES.iter().map(|name| NameKey::of(name)).collect();
    for name in &keys {
        let reader = state.mail().reader(name);
        let rooms: Vec<(u64, usize)> =
            state.rooms().joined_by(name).map(|room| (room, state.rooms().size(room))).collect();
        let blocked: Vec<&NameKey> = state.blocks().blocked_by(name).collect();
        let keys: BTreeSet<&PublicKey> = state.names().keys_of(name).iter().collect();
        answers.push(format!("{name} {reader:?} {rooms:?} {blocked:?} {keys:?} {}", state.names().shown(name)));
    }
    let rooms = state.rooms().by_name().map(|(number, room)| format!("{number} {room:?}"));
    answers.extend(rooms);
    let roster = state.roster().lines().map(|client| format!("{client:?}"));
    answers.extend(roster);
    answers.extend(state.table().from(&key("", "")).map(|(key, offer)| format!("{key:?} {offer:?}")));
    answers.extend((0..=state.pushes().last()).filter_map(|n| state.pushes().get(n)).map(|push| format!("{push:?}")));
    answers.push(format!("{:?}", (0..9).map(|n| state.pushes().accepted_by(n)).collect::<Vec<_>>()));
    answers.push(format!("{} {} {}", state.rooms().last(), state.mail().last(), state.revision()));
    answers
}

fn assert_same(one: &State, other: &State, what: &str) {
    assert_eq!(answers(one), answers(other), "{what}");
    assert_eq!(one.digest(), other.digest(), "{what}");
}

/// As it is after the hub has begun anew.
fn restarted(state: &State) -> State {
    let mut state = State::restore(state.snapshot()).unwrap();
    state.begin_anew();
    state
}

#[test]
fn live_replayed_from_a_snapshot_and_loaded_states_are_the_same() {
    for seed in 0..4 {
        let mut play = Play::new(seed);
        let (mut store, mut snapshot, mut checked) = (MemoryStore::default(), State::default().snapshot(), 0);
        while play.records.len() < 12_000 {
            play.step();
            if play.records.len() < checked + 1_000 {
                continue;
            }
            let tail = play.records.get(checked..).unwrap();
            tail.iter().for_each(|record| keep(&mut store, record));
            checked = play.records.len();
            let mut replayed = State::default();
            play.records.iter().for_each(|record| apply(&mut replayed, record));
            assert_same(&play.live, &replayed, "replayed");
            let mut from_snapshot = State::restore(snapshot).unwrap();
            tail.iter().for_each(|record| apply(&mut from_snapshot, record));
            assert_same(&play.live, &from_snapshot, "from a snapshot");
            snapshot = serde_json::from_str(&serde_json::to_string(&play.live.snapshot()).unwrap()).unwrap();
            assert_same(&restarted(&play.live), &State::load(&mut store.load()), "loaded");
        }
        assert!(play.live.mail().last() > 1_000 && play.live.rooms().last() > 20, "enough has happened");
    }
}

/// The keeper's command removes a name from the store before the hub hears of it.
fn keep(store: &mut MemoryStore, said: &Said) {
    match said {
        Said::Kept(Record::NameGone { name_key }) => store.remove_name(name_key),
        Said::Kept(other) => store.keep(other),
        Said::OfSession(_) => {}
    }
}

#[test]
fn records_of_any_kind_in_any_order_do_no_harm() {
    for seed in 0..20 {
        let mut play = Play::new(seed);
        (0..2_000).for_each(|_| play.step());
        let mut state = State::default();
        for _ in 0..play.records.len() {
            let at = play.rng.below(play.records.len() as u64) as usize;
            let mut record = play.records[at].clone();
            if let Said::Kept(Record::Message(message)) = &mut record {
                message.number = play.rng.below(u64::MAX);
                message.destination = Destination::person("nobody");
            }
            apply(&mut state, &record);
        }
        let again = State::restore(state.snapshot()).unwrap();
        assert_eq!(again.digest(), state.digest(), "the indexes are those of what is there");
    }
}

/// One record of each kind.
fn one_of_each() -> Vec<Record> {
    let (anna, ben, key) = (NameKey::of("Anna"), NameKey::of("ben"), PublicKey([7; 32]));
    let idempotency_key = IdempotencyKey { instance: "00112233445566".into(), ask: 12 };
    let message = StoredMessage {
        number: 9,
        sent: Timestamp(1_000),
        from: "Anna".into(),
        from_key: anna.clone(),
        destination: Destination::person("ben"),
        text: "soup is ready".into(),
        withheld: false,
        idempotency_key: idempotency_key.clone(),
    };
    let network = Some(Network::of([192, 0, 2, 7].into()));
    let by = Some(Bringer { by: anna.clone(), network });
    let content = Content {
        file: "a/b.txt".into(),
        size: 5,
        hash: ContentHash([1; 32]),
        chunk_size: 1 << 20,
        chunks: 1,
        modified: Some(Timestamp(2_000)),
    };
    let visit = VisitRecord {
        run: 3,
        number: 4,
        name: "Anna".into(),
        key,
        address: "192.0.2.7:4000".into(),
        opened: Timestamp(5),
        closed: None,
        messages: 6,
    };
    let failures = FailureRecord { whom: "name:anna".into(), count: 3, last: Timestamp(7), locked_for: Some(10_000) };
    let spans = vec![Span { after: 3, until: 8 }, Span { after: 9, until: u64::MAX }];
    let lobby = StoredMessage { destination: Destination::Lobby, ..message.clone() };
    let access = crate::protocol::types::RoomAccess::Invite;
    let account = AccountRecord { name_key: ben.clone(), name: "ben".into(), credential: Some(2), keys: vec![key] };
    let answer = AnswerRecord { name_key: anna.clone(), idempotency_key, answer: r#"{"event":"blocked"}"#.into() };
    let name = Record::Name { name: "Anna".into(), name_key: anna.clone(), key, since: 1, credential: None };
    let room = Record::Room { room: 1, name: "Tea".into(), name_key: NameKey::of("Tea"), access, owner: anna.clone() };
    vec![
        name,
        Record::InviteSpent { digest: InviteDigest::of("secret"), key },
        Record::Account(account),
        Record::NameGone { name_key: ben.clone() },
        Record::Message(message),
        Record::MessageAbandoned(lobby),
        Record::Answered(answer),
        Record::Received { name_key: ben.clone(), number: 9 },
        Record::There { name_key: ben.clone(), spans },
        Record::Block { by: anna.clone(), whom: ben.clone() },
        Record::Unblock { by: anna.clone(), whom: ben.clone() },
        room,
        Record::RoomGone { room: 1 },
        Record::Member { room: 1, name_key: ben, since: 9, by },
        Record::MemberGone { room: 1, name_key: anna.clone() },
        Record::Visit(visit),
        Record::Failures(failures),
        Record::KeyForgotten { name_key: anna.clone(), key },
        Record::Copy(CopyRecord { name_key: anna.clone(), owner: "Anna".into(), content }),
        Record::CopyGone { name_key: anna, file: "a/b.txt".into() },
        Record::TrimBefore { time: Timestamp(1) },
        Record::TrimTo { bytes: 1_000 },
    ]
}

/// The forms that are kept and travel: whoever changes them changes these files, and says how old ones are read.
#[test]
fn records_and_snapshots_are_written_as_ever() {
    let lines: Vec<String> = one_of_each().iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    for line in &lines {
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), *line);
    }
    let mut play = Play::new(7);
    (0..200).for_each(|_| play.step());
    let snapshot = serde_json::to_string_pretty(&play.live.snapshot()).unwrap();
    insta::with_settings!({ snapshot_path => "../../../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("log-records", lines.join("\n"));
        insta::assert_snapshot!("log-snapshot", snapshot);
    });
    let newer = snapshot.replacen("\"version\": 1", "\"version\": 2", 1);
    let refused = State::restore(serde_json::from_str(&newer).unwrap());
    assert_eq!(refused.err().map(|failure| failure.code), Some(crate::protocol::ErrorCode::StoreFailed));
}
