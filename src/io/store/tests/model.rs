//! The store on SQLite and the one of the simulator answer alike, whatever happened.

use proptest::prelude::*;

use super::*;
use crate::io::store::invites::{put as put_invite, put_code};
use crate::protocol::Code;
use crate::protocol::invite::{CodeRecord, InviteDigest, InviteRecord};
use crate::protocol::record::{
    AnswerRecord, Bringer, FailureRecord, HistoryQuery, Inbox, MadeInvite, People, Span, VisitRecord,
};
use crate::protocol::types::RoomAccess;
use crate::sim::MemoryStore;

fn person() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["Erin", "ERIN", "dora", "Carl"]).prop_map(str::to_owned)
}

fn name_key() -> impl Strategy<Value = NameKey> {
    person().prop_map(|name| crate::protocol::name::NameKey::of(&name))
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..20_i64).prop_map(Timestamp)
}

fn destination() -> impl Strategy<Value = Destination> {
    prop_oneof![
        Just(Destination::Lobby),
        (0..4_u64).prop_map(Destination::Room),
        person().prop_map(Destination::person)
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["tea", "Tea", "coffee", "and", "x1", "-"]), 0..4)
        .prop_map(|words| words.join(" "))
}

prop_compose! {
    fn kept()(
        number in 1..30_u64, sent in time(), from in person(), destination in destination(), text in text(),
        withheld in prop::bool::weighted(0.3), instance in "[ab]", ask in -3..9_i64,
    ) -> StoredMessage {
        let from_key = NameKey::of(&from);
        StoredMessage { number, sent, from, from_key, destination, text, withheld, idempotency_key: IdempotencyKey { instance, ask } }
    }
}

prop_compose! {
    fn visit()(
        run in prop::sample::select(vec![1, u64::MAX]), number in 0..4_u64, name in person(), key in 0..3_u8,
        opened in time(), closed in prop::option::of(time()), messages in 0..3_u64,
    ) -> VisitRecord {
        VisitRecord { run, number, name, key: PublicKey([key; 32]), address: "a".into(), opened, closed, messages }
    }
}

/// Parts that do not overlap.
fn spans() -> impl Strategy<Value = Vec<Span>> {
    let lengths = prop::collection::vec((0..6_u64, 0..6_u64), 0..4);
    lengths.prop_map(|lengths| {
        let mut last = 0;
        let span = |(gap, length): (u64, u64)| {
            let after = last + gap + 1;
            last = after + length;
            Span { after, until: last }
        };
        lengths.into_iter().map(span).collect()
    })
}

fn record() -> impl Strategy<Value = Record> {
    let access = prop::sample::select(vec![RoomAccess::Open, RoomAccess::Invite]);
    prop_oneof![
        3 => (person(), 0..4_u8, 0..3_i64, prop::option::weighted(0.1, 1..3_u64)).prop_map(|(name, key, since, credential)| {
            let name_key = crate::protocol::name::NameKey::of(&name);
            Record::Name { name, name_key, key: PublicKey([key; 32]), since, credential }
        }),
        2 => ("[ij]", 0..3_u8).prop_map(|(secret, key)| Record::InviteSpent {
            digest: InviteDigest::of(&secret),
            key: PublicKey([key; 32]),
        }),
        2 => (1..4_u32, 0..3_u64, any::<bool>(), prop::bool::weighted(0.3)).prop_map(
            |(nameplate, right, answered, void)| Record::Code { nameplate, right, answered, void }
        ),
        1 => (1..4_u32, name_key(), any::<bool>()).prop_map(|(n, maker, with)| {
            let (name, secret) = (format!("m{n}"), format!("secret {n}"));
            let code = with.then(|| (Code::new(10 + n, 3), secret.clone()));
            let (digest, until, made) = (InviteDigest::of(&secret), Timestamp(9), Timestamp(i64::from(n)));
            Record::Invite(Box::new(MadeInvite { name, digest, uses: 2, until, made, maker, code }))
        }),
        1 => "m[123]".prop_map(|name| Record::InviteRevoked { name }),
        12 => kept().prop_map(Record::Message),
        2 => (name_key(), 0..30_u64).prop_map(|(name_key, number)| Record::Received { name_key, number }),
        2 => (name_key(), spans()).prop_map(|(name_key, spans)| Record::There { name_key, spans }),
        1 => (name_key(), name_key()).prop_map(|(by, whom)| Record::Block { by, whom }),
        1 => (name_key(), name_key()).prop_map(|(by, whom)| Record::Unblock { by, whom }),
        2 => (0..4_u64, "[rs]", access, name_key()).prop_map(|(room, name, access, owner)| {
            Record::Room { room, name_key: NameKey::of(&name), name, access, owner }
        }),
        1 => (0..4_u64).prop_map(|room| Record::RoomGone { room }),
        2 => (0..4_u64, name_key(), 0..9_u64, prop::sample::select(vec!["", "dora", "erin"]))
            .prop_map(|(room, name_key, since, by)| {
                let by = (!by.is_empty()).then(|| Bringer { by: NameKey::of(by), network: None });
                Record::Member { room, name_key, since, by }
            }),
        1 => (name_key(), "[ab]", -3..9_i64, "[xyz]").prop_map(|(name_key, instance, ask, answer)| {
            Record::Answered(AnswerRecord { name_key, idempotency_key: IdempotencyKey { instance, ask }, answer })
        }),
        1 => (0..4_u64, name_key()).prop_map(|(room, name_key)| Record::MemberGone { room, name_key }),
        1 => visit().prop_map(Record::Visit),
        1 => ("[pq]", 0..3_u32, time(), prop::option::of(0..3_u64))
            .prop_map(|(whom, count, last, locked_for)| Record::Failures(FailureRecord { whom, count, last, locked_for })),
        1 => (0..30_u64).prop_map(|below| Record::Trim { below }),
    ]
}

fn bounds() -> impl Strategy<Value = (usize, usize)> {
    (0..12_usize, prop_oneof![Just(usize::MAX), 0..30_usize])
}

fn history() -> impl Strategy<Value = HistoryQuery> {
    let people = prop_oneof![Just(People::Nobody), Just(People::Everybody), name_key().prop_map(People::With)];
    let number = || prop::option::of(0..30_u64);
    let places = (name_key(), any::<bool>(), prop::collection::vec(0..4_u64, 0..4), people);
    let what = (prop::collection::vec(name_key(), 0..2), prop::option::of(time()), number(), number());
    let words = prop::option::of(prop::sample::select(vec!["tea", "TEA coffee", "x1", "absent", "-", "", "tea tea"]));
    (places, what, words, any::<bool>(), bounds()).prop_map(
        |((name_key, lobby, rooms, people), (without, since, after, before), words, oldest, (limit, bytes))| {
            let words = words.map(str::to_owned);
            HistoryQuery { name_key, lobby, rooms, people, without, since, after, before, words, oldest, limit, bytes }
        },
    )
}

fn query() -> impl Strategy<Value = Query> {
    let rooms = prop::collection::vec((0..4_u64, 0..20_u64), 0..4);
    prop_oneof![
        3 => (name_key(), 0..20_u64, rooms, spans(), bounds()).prop_map(
            |(name_key, after, rooms, lobby, (limit, bytes))| {
                Query::Inbox(Inbox { name_key, after, rooms, lobby, limit, bytes })
            }
        ),
        5 => history().prop_map(Query::History),
        1 => (prop::option::of(time()), prop::option::of(0..4_000_u64))
            .prop_map(|(since, bytes)| Query::TrimPoint { since, bytes }),
        1 => ("[ab]", name_key()).prop_map(|(instance, name_key)| Query::PastAnswers { instance, name_key }),
        1 => (1..14_u32).prop_map(Query::Code),
        1 => name_key().prop_map(Query::Invites),
        1 => ("[ik]", 0..3_u8).prop_map(|(secret, key)| Query::Invite {
            digest: InviteDigest::of(&secret),
            key: PublicKey([key; 32]),
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn both_answer_alike(
        batches in prop::collection::vec(prop::collection::vec(record(), 0..8), 0..8),
        accounts in prop::collection::vec(person(), 0..2),
        queries in prop::collection::vec(query(), 1..12),
    ) {
        let (mut store, mut model) = (Store::ephemeral().unwrap().0, MemoryStore::default());
        for name in &accounts {
            let account = NewAccount { name: name.clone(), hash: "x".into(), since: 0 };
            accounts::put(&store.database, &account).unwrap();
            model.add_account(name, "x");
        }
        for (secret, uses) in [("i", Some(1)), ("j", None)] {
            let (digest, made) = (InviteDigest::of(secret), Timestamp(1));
            let invite = InviteRecord { name: secret.into(), digest, uses, spent: 0, until: None, made, maker: None };
            put_invite(&store.database, &invite).unwrap();
            model.add_invite(invite.clone());
            if secret == "i" {
                let code = Code::new(2, 3);
                put_code(&store.database, invite.digest, &code, "s").unwrap();
                let (secret, nameplate) = ("s".to_owned(), 2);
                let code = CodeRecord { nameplate, code: Some(code), secret, right: 0, answered: false };
                model.add_code(invite, code);
            }
        }
        for batch in &batches {
            // What is to be forgotten is forgotten after a commit.
            let trims = |record: &&Record| matches!(record, Record::Trim { .. });
            let (last, first): (Vec<&Record>, Vec<&Record>) = batch.iter().partition(trims);
            for _ in 0..2 {
                store.keep(first.iter().copied()).unwrap();
                first.iter().for_each(|record| model.keep(record));
            }
            for trim in last {
                store.keep([trim]).unwrap();
                while store.trim().unwrap() {}
                model.keep(trim);
            }
        }
        prop_assert_eq!(load::load(&store.database).unwrap(), model.load());
        for query in &queries {
            prop_assert_eq!(store.find(query).unwrap(), model.find(query), "{:?}", query);
        }
    }
}
