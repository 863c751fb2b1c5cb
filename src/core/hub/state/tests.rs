//! A state is what its records say: live, replayed, read from a snapshot in the middle, or loaded from a store.

use std::sync::Arc;

use super::play_tests::{Play, Said, apply, assert_same, restarted};
use super::*;
use crate::protocol::invite::InviteDigest;
use crate::protocol::name::NameKey;
use crate::protocol::record::{
    AccountRecord, AnswerRecord, Bringer, CopyRecord, Destination, FailureRecord, IdempotencyKey, MadeInvite, Span,
    StoredMessage, VisitRecord,
};
use crate::protocol::types::Content;
use crate::protocol::{Client, ContentHash, Network, Presence, PublicKey, Timestamp};
use crate::sim::MemoryStore;

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

/// How a snapshot is written, byte for byte.
fn written(state: &State) -> String {
    serde_json::to_string(&state.snapshot()).unwrap()
}

#[test]
fn the_same_proposals_make_the_same_records_and_snapshots_byte_for_byte() {
    // Each state has maps of its own, which go through their rows in an order of their own.
    let [mut one, mut other] = [Play::new(11), Play::new(11)];
    for records in (500..=6_000).step_by(500) {
        one.until(records);
        other.until(records);
        assert_eq!(one.records, other.records);
        assert_same(&one.live, &other.live, "the same run");
        assert_eq!(written(&one.live), written(&other.live));
        let mut replayed = State::default();
        one.records.iter().for_each(|record| apply(&mut replayed, record));
        assert_eq!(written(&replayed), written(&one.live));
        let restored = State::restore(serde_json::from_str(&written(&one.live)).unwrap()).unwrap();
        assert_eq!(written(&restored), written(&one.live));
    }
}

#[test]
fn a_log_that_repeats_its_tail_makes_the_same_state() {
    for seed in 20..24 {
        let (mut play, mut plain, mut repeating) = (Play::new(seed), State::default(), State::default());
        let mut known = 0;
        for records in (100..=6_000).step_by(100) {
            play.until(records);
            let kept = play.kept();
            for record in kept.iter().skip(known) {
                plain.apply(record);
                repeating.apply(record);
            }
            known = kept.len();
            // What was written for a name that is gone is not written again.
            let removed = kept.iter().rposition(|record| matches!(record, Record::NameGone { .. }));
            let from = removed.map_or(0, |at| at + 1).max(known.saturating_sub(300));
            let from = from + play.rng.below((known - from) as u64 + 1) as usize;
            kept.iter().skip(from).for_each(|record| repeating.apply(record));
            assert_same(&repeating, &plain, "repeated");
            assert_eq!(written(&repeating), written(&plain));
        }
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

fn content() -> Content {
    Content {
        file: "a/b.txt".into(),
        size: 5,
        hash: ContentHash([1; 32]),
        chunk_size: 1 << 20,
        chunks: 1,
        modified: Some(Timestamp(2_000)),
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
    let content = content();
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
    let made = MadeInvite {
        name: "anna-k3f9x2ab".into(),
        digest: InviteDigest::of("secret"),
        uses: 2,
        until: Timestamp(9),
        made: Timestamp(5),
        maker: anna.clone(),
        code: Some(("7-crossover-clockwork".parse().unwrap(), "secret".into())),
    };
    vec![
        name,
        Record::InviteSpent { digest: InviteDigest::of("secret"), key },
        Record::Invite(Box::new(made)),
        Record::InviteRevoked { name: "anna-k3f9x2ab".into() },
        Record::Code { nameplate: 7, right: 1, answered: true, void: false },
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
        Record::Trim { below: 5 },
    ]
}

/// One record of each kind that goes with its session.
fn one_of_each_of_sessions() -> Vec<SessionRecord> {
    let (anna, key) = (NameKey::of("Anna"), PublicKey([7; 32]));
    let content = Arc::new(content());
    let client = Client {
        name: "Anna".into(),
        number: 4,
        state: Presence::Away,
        since: Timestamp(5),
        key,
        address: [192, 0, 2, 7].into(),
        port: 4_000,
        link_port: 4_001,
        you: false,
        verified: None,
    };
    let push = Push {
        from: 3,
        giver: "Anna".into(),
        giver_key: anna.clone(),
        to: NameKey::of("ben"),
        content: content.clone(),
        taker: None,
    };
    let (owner, file): (Arc<str>, Arc<str>) = ("Anna".into(), content.file.clone());
    vec![
        SessionRecord::Held { name_key: anna.clone(), by: InUse { session: 3, generation: 1 } },
        SessionRecord::Freed { name_key: anna.clone() },
        SessionRecord::Here { client },
        SessionRecord::Left { name: "Anna".into(), closed: Timestamp(6) },
        SessionRecord::Listed { owner: owner.clone(), server: Owner::Client(3), content: content.clone() },
        SessionRecord::Unlisted { owner, file },
        SessionRecord::Pushed { number: 2, push },
        SessionRecord::PushTaken { number: 2, taker: Some(5) },
        SessionRecord::PushGone { number: 2, why: PushEnd::Declined },
        SessionRecord::CopyWished { owner: anna.clone(), wish: Wish { number: 1, session: 3, content } },
        SessionRecord::CopyUnwished { owner: anna, file: "a/b.txt".into() },
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
    let of_sessions = one_of_each_of_sessions();
    let of_sessions: Vec<String> = of_sessions.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    for line in &of_sessions {
        let record: SessionRecord = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), *line);
    }
    let mut play = Play::new(7);
    (0..200).for_each(|_| play.step());
    let snapshot = serde_json::to_string_pretty(&play.live.snapshot()).unwrap();
    insta::with_settings!({ snapshot_path => "../../../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("log-records", lines.join("\n"));
        insta::assert_snapshot!("log-session-records", of_sessions.join("\n"));
        insta::assert_snapshot!("log-snapshot", snapshot);
    });
    let newer = snapshot.replacen("\"version\": 1", "\"version\": 2", 1);
    let refused = State::restore(serde_json::from_str(&newer).unwrap());
    assert_eq!(refused.err().map(|failure| failure.code), Some(crate::protocol::ErrorCode::StoreFailed));
}
