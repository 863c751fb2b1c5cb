//! What is said, and what is asked again.

use super::*;
use crate::protocol::limits::BURST;
use crate::protocol::record::{Destination, Found, IdempotencyKey, PastAnswer};

/// A hub with anna on connection 1 and ben on connection 2, who take messages.
pub(super) fn two(config: HubConfig) -> Rig {
    let mut rig = Rig::new(config);
    for (conn, name) in [(1, "anna"), (2, "ben")] {
        rig.enter(conn, conn as u8, name);
        rig.received(conn, 0, &[]);
    }
    rig
}

#[test]
fn nothing_is_answered_or_told_before_it_is_on_disk() {
    let mut rig = two(config());
    rig.message(1, 10, "ben");
    rig.ask(1, r#"{"id":11,"request":"room-create","room":"kitchen","members":["ben"]}"#);
    rig.ask(1, r#"{"id":12,"request":"say","room":"kitchen","text":"soup"}"#);
    rig.ask(1, r#"{"id":13,"request":"broadcast","text":"soup"}"#);
    rig.ask(1, r#"{"id":14,"request":"block","name":"ben"}"#);
    rig.pass(5_000);
    assert!((10..15).all(|id| rig.answer(1, id).is_none()), "the disk is slow");
    assert_eq!(rig.heard(2), [0; 0]);
    let told = |rig: &Rig| rig.wires[&2].bodies.iter().any(|line| matches!(line.event, Event::RoomChanged(_)));
    assert!(!told(&rig));
    rig.commit();
    assert_eq!(rig.heard(2), [1, 2, 3]);
    assert!(told(&rig));
    assert!((11..15).all(|id| rig.answer(1, id).is_some()));
    assert_eq!(rig.acked(1, 10), None, "ben's program may take it now");
    rig.received(2, 3, &[]);
    assert_eq!(rig.acked(1, 10), Some((1, 1)));
    assert_eq!(rig.delivered(1), [0; 0], "the answer has said it");
}

#[test]
fn a_receiver_that_takes_its_time_is_told_of_later() {
    let mut rig = two(config());
    let patience = rig.hub.base.config.link.ack_timeout.as_millis() as u64;
    rig.message(1, 10, "ben");
    rig.commit();
    rig.pass(patience - 1);
    assert_eq!(rig.acked(1, 10), None);
    rig.pass(1);
    assert_eq!(rig.acked(1, 10), Some((1, 0)));
    assert_eq!(rig.delivered(1), [0; 0]);
    rig.received(2, 1, &[]);
    assert_eq!(rig.delivered(1), [1]);
    rig.received(2, 1, &[]);
    assert_eq!(rig.delivered(1), [1], "once");
}

#[test]
fn who_leaves_the_table_before_the_disk_is_done_is_answered_all_the_same() {
    let mut rig = two(config());
    rig.ask(1, r#"{"id":10,"request":"broadcast","text":"soup"}"#);
    rig.message(1, 11, "ben");
    rig.ask(1, r#"{"id":12,"request":"dereg"}"#);
    rig.commit();
    rig.pass(1_000);
    assert_eq!((rig.acked(1, 10), rig.acked(1, 11)), (Some((1, 1)), Some((2, 0))));
    assert_eq!(rig.heard(2), [1, 2]);
}

#[test]
fn a_room_is_heard_by_those_who_were_in_it_when_it_was_said() {
    let mut rig = two(config());
    rig.ask(1, r#"{"id":10,"request":"room-create","room":"kitchen"}"#);
    rig.ask(1, r#"{"id":11,"request":"say","room":"kitchen","text":"before"}"#);
    rig.ask(2, r#"{"id":12,"request":"room-join","room":"kitchen"}"#);
    rig.ask(1, r#"{"id":13,"request":"say","room":"kitchen","text":"after"}"#);
    rig.commit();
    assert_eq!(rig.heard(2), [2]);
    rig.ask(2, r#"{"id":14,"request":"room-leave","room":"kitchen"}"#);
    rig.ask(1, r#"{"id":15,"request":"say","room":"kitchen","text":"without ben"}"#);
    rig.commit();
    assert_eq!(rig.heard(2), [2]);
}

/// Anna, Ben who is not there, and Cleo; two messages and 10 bytes are kept for each.
fn two_kept(waiting: Vec<crate::protocol::record::WaitingRecord>) -> Rig {
    let name = |name: &str, key| NameRecord {
        name: name.into(),
        name_key: NameKey::of(name),
        keys: vec![PublicKey([key; 32])],
        credential: None,
        since: 0,
        received: 0,
        unread: 0,
    };
    let limits = HubLimits { mailbox: 2, mailbox_bytes: 10, ..HubLimits::default() };
    let names = vec![name("anna", 1), name("ben", 2), name("cleo", 3)];
    let last_message = waiting.last().map_or(0, |last| last.number);
    let mut rig =
        Rig::with(HubConfig { limits, ..config() }, Loaded { names, waiting, last_message, ..Loaded::default() });
    rig.enter(1, 1, "anna");
    rig.enter(3, 3, "cleo");
    rig
}

fn text(rig: &mut Rig, conn: ConnId, id: i64, text: &str) -> Option<&'static str> {
    rig.ask(conn, &format!(r#"{{"id":{id},"request":"message","to":"ben","text":"{text}"}}"#));
    rig.commit();
    rig.code(conn, id)
}

#[test]
fn a_mailbox_is_full_of_messages_or_of_bytes_and_is_emptied_by_its_owner() {
    let mut rig = two_kept(Vec::new());
    assert_eq!(text(&mut rig, 1, 10, "12345678"), None);
    assert_eq!(text(&mut rig, 3, 10, "123"), Some("mailbox-full"));
    assert_eq!(text(&mut rig, 3, 11, "12"), None);
    assert_eq!(text(&mut rig, 3, 12, "1"), Some("mailbox-full"), "two messages are all");
    rig.enter(2, 2, "ben");
    rig.received(2, 2, &[]);
    assert_eq!(text(&mut rig, 3, 13, "1234567890"), None);
}

#[test]
fn a_mailbox_is_as_full_after_a_restart() {
    use crate::protocol::record::WaitingRecord;
    let (ben, dora) = (|| NameKey::of("ben"), || NameKey::of("dora"));
    let waits = |number, bytes, withheld| WaitingRecord { name_key: ben(), number, from: dora(), bytes, withheld };
    let mut rig = two_kept(vec![waits(4, 9, false), waits(5, 9, true)]);
    assert_eq!(text(&mut rig, 1, 10, "12"), Some("mailbox-full"));
    assert_eq!(text(&mut rig, 1, 11, "1"), None, "what is withheld takes no room");
    assert_eq!(text(&mut rig, 1, 12, "1"), Some("mailbox-full"));
}

#[test]
fn who_is_blocked_fills_nobodys_mailbox_and_is_told_what_others_are() {
    let mut rig = two_kept(Vec::new());
    rig.enter(2, 2, "ben");
    rig.ask(2, r#"{"id":2,"request":"block","name":"anna"}"#);
    rig.commit();
    rig.ask(2, r#"{"id":3,"request":"quit"}"#);
    let told: Vec<_> = (10..13).map(|id| text(&mut rig, 1, id, "1")).collect();
    assert_eq!(told, [None, None, Some("mailbox-full")]);
    let told: Vec<_> = (10..13).map(|id| text(&mut rig, 3, id, "1")).collect();
    assert_eq!(told, [None, None, Some("mailbox-full")]);
}

/// A hub that was started again: anna comes with what she has asked before, 10 to 13.
fn said(number: u64, sent: i64) -> PastAnswer {
    PastAnswer::Said { number, sent: Timestamp(sent) }
}

pub(super) fn asked_again() -> Rig {
    let mut before = two(config());
    before.message(1, 10, "ben");
    let mut loaded = Loaded { last_message: 5, ..Loaded::default() };
    for (_, record) in &before.persisted {
        if let Record::Name { name, name_key, key, since, credential } = record.clone() {
            let keys = vec![key];
            loaded.names.push(NameRecord { name, name_key, keys, credential, since, received: 0, unread: 0 });
        }
    }
    let mut rig = Rig::with(HubConfig { run: 8, ..config() }, loaded);
    rig.enter(2, 2, "ben");
    rig.connect(1, 1);
    rig.line(1, r#"{"hello":"potluck-link/1","session":"0000000000000007-1","received":9,"port":40001,"instance":"00000000000000aa","asked":13}"#);
    rig.ask(1, r#"{"id":20,"request":"register","name":"anna"}"#);
    rig.received(1, 0, &[]);
    rig.asked.clear();
    rig
}

#[test]
fn what_is_asked_again_after_a_crash_is_said_once() {
    let mut rig = asked_again();
    rig.message(1, 10, "ben");
    rig.message(1, 11, "ben");
    rig.ask(1, r#"{"id":12,"request":"broadcast","text":"words 12"}"#);
    rig.ask(1, r#"{"id":13,"request":"rooms"}"#);
    rig.message(1, 21, "ben");
    assert_eq!(rig.kept(), [], "it asks the store first");
    let [(question, Query::PastAnswers { instance, name_key })] = rig.asked.as_slice() else {
        panic!("{:?}", rig.asked)
    };
    assert_eq!((instance.as_str(), name_key.as_str()), ("00000000000000aa", "anna"));
    let question = *question;
    assert!((10..14).all(|id| rig.answer(1, id).is_none()), "each keeps its place");
    rig.handle(Input::Found(question, Found::PastAnswers(vec![(10, said(4, 77)), (12, said(5, 78))])));
    rig.commit();
    rig.pass(1_000);
    // 10 and 12 were said before the crash; 11 and 21 are new.
    let said: Vec<(u64, &str)> = rig
        .persisted
        .iter()
        .filter_map(|(_, record)| match record {
            Record::Message(kept) => Some((kept.number, kept.text.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(said, [(6, "words 11"), (7, "words 21")]);
    let numbers = [10, 11, 12, 21].map(|id| rig.acked(1, id).unwrap().0);
    assert_eq!(numbers, [4, 6, 5, 7]);
    assert!(matches!(rig.answer(1, 10), Some(Event::MessageAcked(acked)) if acked.sent == Timestamp(77)));
    assert!(rig.answer(1, 13).is_some());
    assert_eq!(rig.asked.len(), 1, "the store is asked once");
}

#[test]
fn each_message_is_kept_with_what_it_can_be_recognized_by() {
    let mut rig = asked_again();
    rig.message(1, 21, "ben");
    rig.message(1, 22, "ben");
    // A program that uses a number again says something new.
    rig.message(1, 22, "ben");
    let asked: Vec<IdempotencyKey> = rig.kept().into_iter().map(|kept| kept.idempotency_key).collect();
    let of = |ask| IdempotencyKey { instance: "00000000000000aa".into(), ask };
    assert_eq!(asked[..2], [of(21), of(22)]);
    assert!(asked[2].instance.is_empty(), "{asked:?}");
    assert!(rig.asked.is_empty(), "nothing of it was asked before");
}

#[test]
fn messages_and_requests_have_their_rates() {
    let limits = HubLimits { message_rate: 2, request_rate: 1_000, ..HubLimits::default() };
    let mut rig = two(HubConfig { limits, ..config() });
    let burst = i64::from(2 * BURST);
    for id in 0..burst {
        rig.message(1, 100 + id, "ben");
    }
    assert_eq!(rig.kept().len() as i64, burst);
    rig.message(1, 500, "ben");
    // Refusals keep their turn, too.
    rig.commit();
    let wait = match rig.answer(1, 500) {
        Some(Event::Error(error)) if error.code == ErrorCode::SlowDown => error.wait.unwrap(),
        other => panic!("{other:?}"),
    };
    // What is refused for another reason, or asked again, costs nothing; others have their own rate.
    rig.message(1, 501, "nobody");
    assert_eq!(rig.refusal(1, 501), Some(ErrorCode::NoSuchPerson));
    rig.message(2, 502, "anna");
    assert_eq!(rig.kept().len() as i64, burst + 1);
    rig.pass(wait - 1);
    rig.message(1, 503, "ben");
    rig.commit();
    assert_eq!(rig.refusal(1, 503), Some(ErrorCode::SlowDown), "it did not wait so long");
    rig.pass(1);
    rig.message(1, 504, "ben");
    assert_eq!(rig.kept().len() as i64, burst + 2);
    let limits = HubLimits { request_rate: 1, ..HubLimits::default() };
    let mut rig = Rig::new(HubConfig { limits, ..config() });
    rig.enter(1, 1, "anna");
    for id in 100..120 {
        rig.ask(1, &format!(r#"{{"id":{id},"request":"rooms"}}"#));
    }
    assert_eq!(rig.refusal(1, 119), Some(ErrorCode::SlowDown));
    rig.ask(1, r#"{"id":120,"request":"quit"}"#);
    assert!(matches!(rig.answer(1, 120), Some(Event::Bye(_))), "leaving is never too much");
}

#[test]
fn a_mailbox_is_empty_again_when_its_owner_has_everything_though_the_hub_had_forgotten() {
    let limits = HubLimits { mailbox: 2, ..HubLimits::default() };
    let mut before = two(HubConfig { limits: limits.clone(), ..config() });
    before.message(1, 10, "ben");
    before.message(1, 11, "ben");
    before.message(1, 12, "ben");
    before.commit();
    assert_eq!(before.refusal(1, 12), Some(ErrorCode::MailboxFull));
    let kept = before.kept();
    // It was killed before it had written down that ben has both; his machine knows.
    use crate::protocol::record::WaitingRecord;
    let name = |name: &str, key, unread| NameRecord {
        name: name.into(),
        name_key: NameKey::of(name),
        keys: vec![PublicKey([key; 32])],
        credential: None,
        since: 0,
        received: 0,
        unread,
    };
    let names = vec![name("anna", 1, 0), name("ben", 2, 2)];
    let waiting = [1, 2].map(|number| WaitingRecord {
        name_key: NameKey::of("ben"),
        number,
        from: NameKey::of("anna"),
        bytes: 7,
        withheld: false,
    });
    let loaded = Loaded { names, waiting: waiting.into(), last_message: 2, ..Loaded::default() };
    let mut rig = Rig::with(HubConfig { limits, ..config() }, loaded);
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.received(2, 2, &[]);
    let Some((question, Query::Inbox(inbox))) = rig.asked.pop() else { panic!("{:?}", rig.asked) };
    assert_eq!(inbox.after, 0);
    assert!(kept.iter().all(|kept| kept.destination == Destination::person("ben")));
    rig.handle(Input::Found(question, Found::Messages(kept, false)));
    assert_eq!(rig.heard(2), [0; 0], "he has them");
    assert_eq!(rig.delivered(1), [1, 2], "which anna may not have been told");
    rig.message(1, 20, "ben");
    rig.commit();
    rig.received(2, 3, &[]);
    assert_eq!(rig.acked(1, 20), Some((3, 1)));
}

#[test]
fn the_last_word_in_a_room_is_answered_with_its_name_and_the_name_is_free() {
    let mut rig = two(config());
    rig.ask(1, r#"{"id":10,"request":"room-create","room":"kitchen"}"#);
    rig.commit();
    rig.ask(1, r#"{"id":11,"request":"say","room":"kitchen","text":"bye"}"#);
    rig.ask(1, r#"{"id":12,"request":"room-leave","room":"kitchen"}"#);
    rig.ask(2, r#"{"id":13,"request":"room-create","room":"Kitchen"}"#);
    rig.commit();
    let Some(Event::MessageAcked(acked)) = rig.answer(1, 11) else { panic!("{:?}", rig.answer(1, 11)) };
    assert_eq!(acked.room.as_deref(), Some("kitchen"));
    assert!(matches!(rig.answer(2, 13), Some(Event::RoomCreated(created)) if created.members == ["ben"]));
    rig.pass(100);
    rig.ask(2, r#"{"id":14,"request":"rooms"}"#);
    assert!(matches!(rig.answer(2, 14), Some(Event::Rooms(rooms)) if rooms.rooms.len() == 1));
}

#[test]
fn nobody_fills_a_mailbox_alone_whatever_names_they_have_and_however_many_try_there_is_room_for_the_next() {
    let name = |name: String, key| NameRecord {
        name_key: NameKey::of(&name),
        name,
        keys: vec![PublicKey([key; 32])],
        credential: None,
        since: 0,
        received: 0,
        unread: 0,
    };
    let limits = HubLimits { mailbox: 400, mailbox_bytes: 100 << 10, message_rate: 1_000_000, ..HubLimits::default() };
    for blocked in [false, true] {
        for text in ["x".to_owned(), "x".repeat(1 << 10)] {
            let fill = |rig: &mut Rig, conn: u64, first: i64| {
                let sends = |id: &i64| {
                    rig.ask(conn, &format!(r#"{{"id":{id},"request":"message","to":"ben","text":"{text}"}}"#));
                    rig.commit();
                    rig.code(conn, *id).is_none()
                };
                (first..first + 500).take_while(sends).count()
            };
            let mut names: Vec<NameRecord> = (3..12).map(|key| name(format!("name-{key}"), key)).collect();
            names.extend([name("anna".into(), 1), name("anna-2".into(), 1), name("ben".into(), 2)]);
            let mut rig = Rig::with_names(HubConfig { limits: limits.clone(), ..config() }, names);
            rig.enter(2, 2, "ben");
            if blocked {
                rig.ask(2, r#"{"id":2,"request":"block","name":"anna"}"#);
                rig.commit();
            }
            rig.ask(2, r#"{"id":3,"request":"quit"}"#);
            rig.enter(1, 1, "anna");
            let quarter = if text.len() > 1 { 25 } else { 100 };
            assert_eq!(fill(&mut rig, 1, 10), quarter, "whether blocked or not");
            assert_eq!(rig.code(1, 10 + quarter as i64), Some("mailbox-full"));
            rig.ask(1, r#"{"id":1000,"request":"dereg"}"#);
            rig.ask(1, r#"{"id":1001,"request":"register","name":"anna-2"}"#);
            rig.commit();
            if !blocked {
                assert_eq!(fill(&mut rig, 1, 2_000), 0, "another name of the same key");
            }
            for key in 3..11 {
                rig.enter(key, key as u8, &format!("name-{key}"));
                assert!(fill(&mut rig, key, 10) > 0);
            }
            rig.enter(11, 11, "name-11");
            rig.ask(11, r#"{"id":10,"request":"message","to":"ben","text":"hello"}"#);
            rig.commit();
            assert!(rig.acked(11, 10).is_some());
        }
    }
}
