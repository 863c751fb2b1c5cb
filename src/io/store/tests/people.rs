//! What is kept about people: names that are not taken over, messages that are not said twice, old ones that go.

use super::*;
use crate::protocol::limits::VISITS_LOADED;
use crate::protocol::record::{HistoryQuery, Inbox, People, VisitRecord};

fn key(n: u8) -> PublicKey {
    PublicKey([n; 32])
}

fn named(n: u8, since: i64) -> Record {
    Record::Name { name: "Erin".into(), name_key: NameKey::of("erin"), key: key(n), since, credential: None }
}

fn said(number: u64, from: &str, destination: Destination, text: &str) -> StoredMessage {
    let idempotency_key = IdempotencyKey { instance: "i".into(), ask: number as i64 };
    StoredMessage {
        number,
        sent: Timestamp(number as i64),
        from: from.into(),
        from_key: NameKey::of(from),
        destination,
        text: text.into(),
        withheld: false,
        idempotency_key,
    }
}

fn to(name: &str) -> Destination {
    Destination::person(name)
}

fn everything(name: &str) -> HistoryQuery {
    HistoryQuery {
        name_key: NameKey::of(name),
        lobby: true,
        rooms: vec![1, 2],
        people: People::Everybody,
        without: Vec::new(),
        since: None,
        after: None,
        before: None,
        words: None,
        oldest: false,
        limit: 100,
        bytes: 1 << 20,
    }
}

fn history(store: &Store, query: HistoryQuery) -> (Vec<u64>, bool) {
    let Found::Messages(found, more) = store.find(&Query::History(query)).unwrap() else { panic!("no messages") };
    (found.iter().map(|kept| kept.number).collect(), more)
}

fn with_words(store: &Store, words: &str) -> Vec<u64> {
    history(store, HistoryQuery { words: Some(words.into()), ..everything("erin") }).0
}

fn loaded(store: &Store) -> Loaded {
    load::load(&store.database).unwrap()
}

#[test]
fn a_name_that_is_somebody_elses_is_not_taken_over() {
    let (mut store, _) = Store::ephemeral().unwrap();
    store.keep(&[named(1, 5), named(2, 6), named(2, 5)]).unwrap();
    let erin = &loaded(&store).names[0];
    assert_eq!((erin.since, &erin.keys), (5, &vec![key(1)]));
}

#[test]
fn an_account_gets_the_keys_of_those_who_knew_it_and_of_nobody_else() {
    let dir = filled(0..0);
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let mut users = Users::open(dir.path()).unwrap();
    let account = NewAccount { name: "Erin".into(), hash: "x".into(), since: 7 };
    users.add(&[account], Conflicts::default()).unwrap();
    // Registered in the moment in which the name became an account, by a hub that had not heard of it.
    store.keep(&[named(1, 6), named(1, 8)]).unwrap();
    assert!(loaded(&store).names[0].keys.is_empty());
    let now = users.account("erin").unwrap().credential;
    let let_in = |n: u8, credential| match named(n, 8) {
        Record::Name { name, name_key, key, since, .. } => Record::Name { name, name_key, key, since, credential },
        other => other,
    };
    store.keep(&[let_in(4, Some(now - 1)), let_in(5, Some(now + 1))]).unwrap();
    store.keep(&[let_in(3, Some(now)), let_in(2, Some(now)), let_in(3, Some(now))]).unwrap();
    assert_eq!(loaded(&store).names[0].keys, [key(2), key(3)]);
}

#[test]
fn what_is_kept_twice_is_there_once() {
    let (mut store, _) = Store::ephemeral().unwrap();
    let again = |number| Record::Message(StoredMessage { number, ..said(1, "Erin", Destination::Lobby, "a") });
    store.keep(&[again(1), again(1), again(2)]).unwrap();
    // Another program of another person may use the same number for its request.
    let other = StoredMessage {
        idempotency_key: IdempotencyKey { instance: "i".into(), ask: 1 },
        ..said(3, "Dora", Destination::Lobby, "b")
    };
    store.keep(&[Record::Message(other)]).unwrap();
    assert_eq!(history(&store, everything("erin")), (vec![1, 3], false));
    assert_eq!(with_words(&store, "a"), [1]);
}

#[test]
fn received_never_goes_back_and_unread_counts_the_rest() {
    let (mut store, _) = Store::ephemeral().unwrap();
    store.keep(&[named(1, 1)]).unwrap();
    for number in 1..=4 {
        store.keep(&[Record::Message(said(number, "Dora", to("ERIN"), "x"))]).unwrap();
    }
    store.keep(&[message(5)]).unwrap();
    let received = |number| Record::Received { name_key: NameKey::of("erin"), number };
    store.keep(&[received(3), received(2)]).unwrap();
    let erin = &loaded(&store).names[0];
    assert_eq!((erin.received, erin.unread), (3, 1));
}

#[test]
fn old_messages_go_a_part_at_a_time_and_the_newest_stays() {
    let (mut store, _) = Store::ephemeral().unwrap();
    let all: Vec<Record> = (1..=1_200).map(message).collect();
    store.keep(&all).unwrap();
    let point = |store: &Store, since: Option<i64>, bytes| match store
        .find(&Query::TrimPoint { since: since.map(Timestamp), bytes })
        .unwrap()
    {
        Found::TrimPoint(below) => below,
        other => panic!("{other:?}"),
    };
    assert_eq!(point(&store, Some(601), None), 601);
    store.keep(&[Record::Trim { below: 601 }]).unwrap();
    assert_eq!(history(&store, HistoryQuery { oldest: true, limit: 1, ..everything("erin") }).0, [601]);
    assert!(store.trim().unwrap(), "600 are not forgotten at once");
    assert!(!store.trim().unwrap());
    let oldest = |store: &Store| history(store, HistoryQuery { oldest: true, limit: 1, ..everything("erin") }).0;
    assert_eq!(oldest(&store), [601]);
    assert!(with_words(&store, "600").is_empty());
    let size = 256 + 2 * ("1000 ".len() as u64 + 100);
    assert_eq!([Some(201 * size), Some(0)].map(|bytes| point(&store, None, bytes)), [1_000, 1_200]);
    assert_eq!([Some(0), Some(1_200), Some(i64::MAX)].map(|since| point(&store, since, None)), [601, 1_200, 1_200]);
    store.keep(&[Record::Trim { below: 1_200 }]).unwrap();
    while store.trim().unwrap() {}
    assert_eq!(oldest(&store), [1_200]);
    store.keep(&[Record::Trim { below: u64::MAX }]).unwrap();
    while store.trim().unwrap() {}
    assert_eq!(loaded(&store).last_message, 1_200);
    let left: i64 = store.database.query_row("SELECT bytes FROM sizes", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 256 + 2 * ("1200 ".len() as i64 + 100));
    // The index holds what the table holds, and nothing else.
    store.database.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)", []).unwrap();
}

#[test]
fn nothing_that_is_searched_for_is_syntax() {
    let (mut store, _) = Store::ephemeral().unwrap();
    let texts = ["Tea, or COFFEE?", "near the \"door\"", "c++ isn't text: tea*", "Ärger", "привет мир"];
    for (number, text) in (1..).zip(texts) {
        store.keep(&[Record::Message(said(number, "Dora", Destination::Lobby, text))]).unwrap();
    }
    for (words, found) in [
        ("tea", vec![1, 3]),
        ("COFFEE tea", vec![1]),
        ("tea OR door", vec![]),
        ("\"door", vec![2]),
        ("near(door the)", vec![2]),
        ("te*", vec![]),
        ("text:tea", vec![3]),
        ("-tea", vec![1, 3]),
        ("^isn't", vec![3]),
        ("мир ПРИВЕТ", vec![5]),
        ("ärger", vec![4]),
        ("", vec![]),
        ("  \t", vec![]),
        ("!!! ++ \"\" '", vec![]),
        ("\0", vec![]),
        ("tea AND", vec![]),
    ] {
        assert_eq!(with_words(&store, words), found, "{words:?}");
    }
}

#[test]
fn what_is_withheld_is_handed_over_but_not_shown() {
    let (mut store, _) = Store::ephemeral().unwrap();
    let withheld = StoredMessage { withheld: true, ..said(1, "Dora", to("Erin"), "x") };
    store.keep(&[Record::Message(withheld)]).unwrap();
    assert_eq!(history(&store, everything("erin")), (vec![], false));
    assert!(with_words(&store, "x").is_empty());
    assert_eq!(history(&store, everything("dora")).0, [1]);
    let inbox = Inbox {
        name_key: NameKey::of("erin"),
        after: 0,
        rooms: Vec::new(),
        lobby: Vec::new(),
        limit: 5,
        bytes: usize::MAX,
    };
    assert!(matches!(store.find(&Query::Inbox(inbox)).unwrap(), Found::Messages(found, false) if found.len() == 1));
}

#[test]
fn rooms_keep_their_numbers_to_themselves() {
    let (mut store, _) = Store::ephemeral().unwrap();
    let access = crate::protocol::types::RoomAccess::Invite;
    let member = |room, name: &str| Record::Member { room, name_key: NameKey::of(name), since: 4, by: None };
    let room =
        Record::Room { room: 3, name: "tea".into(), name_key: NameKey::of("tea"), access, owner: NameKey::of("erin") };
    store.keep(&[room, member(3, "b"), member(3, "a"), member(3, "b"), member(9, "a")]).unwrap();
    let there = loaded(&store);
    assert_eq!(there.rooms[0].members, [(NameKey::of("a"), 4, None), (NameKey::of("b"), 4, None)]);
    store.keep(&[Record::RoomGone { room: 3 }]).unwrap();
    let there = loaded(&store);
    assert!(there.rooms.is_empty());
    assert_eq!(there.last_room, 3);
}

#[test]
fn only_the_newest_visits_are_loaded_and_the_others_go() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let visit = |number: u64| VisitRecord {
        run: u64::MAX,
        number,
        name: "Erin".into(),
        key: key(1),
        address: "10.0.0.1:1".into(),
        opened: Timestamp(number as i64),
        closed: None,
        messages: 0,
    };
    let all: Vec<Record> = (1..=VISITS_LOADED as u64 + 5).map(|number| Record::Visit(visit(number))).collect();
    store.keep(&all).unwrap();
    drop(store);
    let (store, loaded) = Store::open(dir.path()).unwrap();
    assert_eq!(loaded.visits.len(), VISITS_LOADED);
    assert_eq!(loaded.visits[0], visit(6));
    let left: i64 = store.database.query_row("SELECT count(*) FROM visits", [], |row| row.get(0)).unwrap();
    assert_eq!(left, VISITS_LOADED as i64);
}

#[test]
fn every_reading_uses_an_index_and_nothing_is_sorted() {
    let (store, _) = Store::ephemeral().unwrap();
    let plans = queries::plans(&store.database, &everything("erin")).unwrap();
    assert!(plans.len() >= 6, "{plans:?}");
    for plan in plans {
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN messages"), "{plan}");
    }
}
