//! What is said reaches each client in order and once, however far it is behind and whatever it says it has.

use super::*;
use crate::protocol::limits::{FEED_MESSAGES, RECENT_MESSAGES};
use crate::protocol::record::{Destination, Found, Inbox};

const WINDOW: u64 = FEED_MESSAGES as u64;

/// A hub without rates, with anna, who speaks, on connection 1 and ben on connection 2.
fn two() -> Rig {
    let limits =
        HubLimits { message_rate: 1_000_000, request_rate: 1_000_000, mailbox: 1_000_000, ..HubLimits::default() };
    let mut rig = Rig::new(HubConfig { limits, ..config() });
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig
}

/// Anna writes so many messages to ben, and they are on disk.
fn write(rig: &mut Rig, count: u64) {
    let first = 1_000 + rig.kept().len() as i64;
    for id in first..first + count as i64 {
        rig.message(1, id, "ben");
        // More than a few thousand at once are not begun.
        if id % 2_000 == 0 {
            rig.commit();
        }
    }
    rig.commit();
}

/// The store answers what it was asked.
fn answer_store(rig: &mut Rig) -> usize {
    let asked = std::mem::take(&mut rig.asked);
    let count = asked.len();
    for (question, query) in asked {
        let Query::Inbox(Inbox { name_key, after, limit, .. }) = query else { panic!("{query:?}") };
        let for_them = |to: &Destination| matches!(to, Destination::Person { name_key: to, .. } if *to == name_key);
        let all = rig.kept().into_iter().filter(|kept| kept.number > after && for_them(&kept.destination));
        let mut found: Vec<_> = all.take(limit + 1).collect();
        let more = found.len() > limit;
        found.truncate(limit);
        rig.handle(Input::Found(question, Found::Messages(found, more)));
        rig.ack_all();
    }
    count
}

#[test]
fn nothing_is_sent_before_the_client_has_said_what_it_has() {
    let mut rig = two();
    write(&mut rig, 3);
    assert_eq!(rig.heard(2), [0; 0]);
    rig.received(2, 0, &[]);
    assert_eq!(rig.heard(2), [1, 2, 3]);
    let caught_up = rig.wires[&2].bodies.iter().filter(|line| matches!(line.event, Event::CaughtUp(_))).count();
    assert_eq!(caught_up, 1);
}

#[test]
fn no_more_is_on_its_way_than_the_window_and_it_goes_on_when_there_is_room() {
    let mut rig = two();
    rig.received(2, 0, &[]);
    write(&mut rig, WINDOW + 500);
    assert_eq!(rig.heard(2), (1..=WINDOW).collect::<Vec<_>>());
    rig.received(2, 10, &[]);
    assert_eq!(rig.heard(2).len() as u64, WINDOW + 10, "as many as have left the window");
    rig.received(2, 10, &[]);
    assert_eq!(rig.heard(2).len() as u64, WINDOW + 10);
    write(&mut rig, 1);
    assert_eq!(rig.heard(2).len() as u64, WINDOW + 10, "what is new waits behind the others");
    rig.received(2, WINDOW + 10, &[]);
    write(&mut rig, 1);
    assert_eq!(rig.heard(2), (1..=WINDOW + 502).collect::<Vec<_>>(), "each once, in order");
    assert_eq!(rig.asked, [], "the hub remembered them all");
}

#[test]
fn who_is_far_behind_is_fed_from_the_store_and_then_from_memory() {
    let mut rig = two();
    rig.received(2, 0, &[]);
    let all = RECENT_MESSAGES as u64 + 2 * WINDOW + 7;
    write(&mut rig, all);
    let mut readings = 0;
    while let Some(last) = rig.heard(2).last().copied().filter(|last| *last < all) {
        rig.received(2, last, &[]);
        // More is said while the store reads.
        readings += answer_store(&mut rig);
        assert!(rig.heard(2).last() > Some(&last), "it goes on");
    }
    assert!(readings > 0, "the hub did not remember so much");
    assert_eq!(rig.heard(2), (1..=all).collect::<Vec<_>>(), "each once, in order");
    rig.received(2, all, &[]);
    write(&mut rig, 1);
    assert_eq!(rig.heard(2).last(), Some(&(all + 1)), "it keeps up now");
}

#[test]
fn what_is_said_while_the_store_reads_comes_after_what_it_finds() {
    let mut rig = two();
    let all = RECENT_MESSAGES as u64 + 5;
    write(&mut rig, all);
    rig.received(2, 0, &[]);
    assert_eq!(rig.asked.len(), 1);
    write(&mut rig, 3);
    rig.received(2, 0, &[]);
    assert_eq!((rig.asked.len(), rig.heard(2).len()), (1, 0), "one question at a time");
    loop {
        answer_store(&mut rig);
        let last = *rig.heard(2).last().unwrap();
        if last == all + 3 {
            break;
        }
        rig.received(2, last, &[]);
    }
    assert_eq!(rig.heard(2), (1..=all + 3).collect::<Vec<_>>());
}

#[test]
fn what_is_confirmed_while_the_store_reads_is_not_sent_again() {
    let mut rig = two();
    let all = RECENT_MESSAGES as u64 + 5;
    write(&mut rig, all);
    // Its user hears only one room, and then everything.
    rig.received(2, all, &[1, all]);
    rig.received(2, all, &[]);
    while answer_store(&mut rig) > 0 {}
    assert_eq!(rig.heard(2), [0; 0]);
    assert_eq!(rig.delivered(1), (1..=all).collect::<Vec<_>>());
    write(&mut rig, 1);
    assert_eq!(rig.heard(2), [all + 1]);
}

#[test]
fn an_answer_for_a_visit_that_is_over_is_nobodys() {
    let mut rig = two();
    write(&mut rig, RECENT_MESSAGES as u64 + 5);
    rig.received(2, 0, &[]);
    rig.ask(2, r#"{"id":50,"request":"dereg"}"#);
    rig.ask(2, r#"{"id":51,"request":"register","name":"ben"}"#);
    answer_store(&mut rig);
    assert_eq!(rig.heard(2), [0; 0], "this visit has not said what it has");
    rig.received(2, RECENT_MESSAGES as u64 + 3, &[]);
    while answer_store(&mut rig) > 0 {}
    assert_eq!(rig.heard(2).first(), Some(&(RECENT_MESSAGES as u64 + 4)));
}

#[test]
fn exceptions_stay_on_their_way() {
    let mut rig = two();
    rig.received(2, 0, &[]);
    write(&mut rig, 3);
    rig.pass(1_000);
    rig.received(2, 3, &[2]);
    assert_eq!(rig.delivered(1), [1, 3]);
    rig.received(2, 3, &[]);
    assert_eq!(rig.delivered(1), [1, 3, 2]);
    // In another session they are sent again, and nothing else is.
    write(&mut rig, 3);
    rig.pass(1_000);
    rig.received(2, 6, &[5]);
    rig.ask(2, r#"{"id":50,"request":"dereg"}"#);
    rig.ask(2, r#"{"id":51,"request":"register","name":"ben"}"#);
    rig.forget(2);
    rig.received(2, 6, &[5]);
    assert_eq!(rig.heard(2), [5]);
    rig.received(2, 6, &[]);
    assert!(rig.delivered(1).ends_with(&[5]));
}

#[test]
fn lies_about_what_was_received_harm_nobody() {
    let lies = [
        r#"{"received":18446744073709551615}"#.to_owned(),
        r#"{"received":9000,"except":[1,2,3]}"#.to_owned(),
        r#"{"received":3,"except":[3,2,1]}"#.to_owned(),
        r#"{"received":3,"except":[18446744073709551615,0]}"#.to_owned(),
        r#"{"received":0,"except":[0,0,0,9]}"#.to_owned(),
        format!(r#"{{"received":3,"except":{:?}}}"#, (0..=WINDOW).collect::<Vec<_>>()),
    ];
    for first in &lies {
        let mut rig = two();
        rig.enter(3, 3, "cleo");
        rig.received(3, 0, &[]);
        write(&mut rig, 3);
        rig.ask(2, first);
        for lie in &lies {
            rig.ask(2, lie);
        }
        rig.message(1, 10, "cleo");
        rig.message(1, 11, "ben");
        rig.commit();
        rig.received(3, 4, &[]);
        assert_eq!((rig.heard(3), rig.acked(1, 10)), (vec![4], Some((4, 1))), "{first}");
        let heard = rig.heard(2);
        assert!(heard.is_sorted_by(|a, b| a < b) && heard.last() == Some(&5), "{first}: {heard:?}");
        assert!(!rig.wires[&2].closed, "{first}");
        // What is written down of it is no more than what there is.
        rig.pass(5_000);
        let most = rig.persisted.iter().map(|(_, record)| match record {
            Record::Received { number, .. } => *number,
            _ => 0,
        });
        assert!(most.max() <= Some(5), "{first}");
    }
    // From a store that was lost: numbers that are yet to come are not believed at the beginning.
    let mut rig = two();
    write(&mut rig, 3);
    rig.received(2, 4, &[]);
    assert_eq!(rig.heard(2), [1, 2, 3]);
    // Who is not registered says nothing with it.
    rig.hello(4, 4);
    rig.received(4, 2, &[]);
    assert_eq!(rig.heard(4), [0; 0]);
}

#[test]
fn what_somebody_blocked_was_not_for_later() {
    let mut rig = two();
    rig.received(2, 0, &[]);
    rig.ask(1, r#"{"id":10,"request":"room-create","room":"kitchen","members":["ben"]}"#);
    rig.ask(2, r#"{"id":11,"request":"block","name":"anna"}"#);
    rig.commit();
    rig.ask(1, r#"{"id":12,"request":"say","room":"kitchen","text":"unheard"}"#);
    rig.message(1, 13, "ben");
    rig.commit();
    rig.received(2, 2, &[]);
    assert_eq!(rig.acked(1, 13), Some((2, 1)), "anna learns nothing of it");
    rig.ask(1, r#"{"id":14,"request":"say","room":"kitchen","text":"unheard"}"#);
    rig.commit();
    rig.ask(2, r#"{"id":15,"request":"unblock","name":"anna"}"#);
    rig.commit();
    rig.ask(2, r#"{"id":16,"request":"dereg"}"#);
    rig.ask(2, r#"{"id":17,"request":"register","name":"ben"}"#);
    rig.received(2, 2, &[]);
    let words: Vec<&str> = rig.wires[&2].bodies.iter().map(|line| line.event.name()).collect();
    assert!(!words.contains(&"room-message") && !words.contains(&"message"), "{words:?}");
    rig.ask(1, r#"{"id":18,"request":"say","room":"kitchen","text":"heard"}"#);
    rig.commit();
    assert_eq!(rig.heard(2).last(), Some(&4));
}

#[test]
fn what_is_escaped_counts_as_it_is_sent() {
    for live in [true, false] {
        let mut rig = two();
        if live {
            rig.received(2, 0, &[]);
        }
        rig.wires.get_mut(&2).unwrap().acks = false;
        // Each byte of it takes six.
        let text = "\\u0001".repeat(16 << 10);
        for id in 1_000..1_200 {
            rig.ask(1, &format!(r#"{{"id":{id},"request":"message","to":"ben","text":"{text}"}}"#));
        }
        rig.commit();
        rig.received(2, 0, &[]);
        answer_store(&mut rig);
        let bytes: usize = rig.wires[&2].bodies.iter().map(|line| crate::protocol::to_json(line).len()).sum();
        assert!(rig.turned_away(2).is_none() && (1 << 20..3 << 20).contains(&bytes), "{bytes} bytes are on their way");
        let mut heard = rig.heard(2).len() as u64;
        rig.wires.get_mut(&2).unwrap().acks = true;
        while heard < 200 {
            rig.received(2, heard, &[]);
            answer_store(&mut rig);
            let now = rig.heard(2).len() as u64;
            assert!(now > heard);
            heard = now;
        }
        assert_eq!(rig.heard(2), (1..=200).collect::<Vec<_>>());
    }
}

/// Anna says something to everybody so often, and it is on disk.
fn broadcast(rig: &mut Rig, count: u64) {
    let first = 5_000 + rig.kept().len() as i64;
    for id in first..first + count as i64 {
        rig.ask(1, &format!(r#"{{"id":{id},"request":"broadcast","text":"words {id}"}}"#));
    }
    rig.commit();
    let last = first + count as i64 - 1;
    assert_eq!(rig.acked(1, last).map(|(_, delivered)| delivered), Some(1));
}

#[test]
fn who_leaves_before_they_have_what_was_said_to_everybody_gets_it_when_they_come_again() {
    let mut rig = two();
    rig.received(2, 0, &[]);
    broadcast(&mut rig, WINDOW + 10);
    rig.received(2, 5, &[]);
    // Nothing more is taken: it ends, as if it were killed.
    rig.ask(2, r#"{"id":50,"request":"quit"}"#);
    rig.ask(1, r#"{"id":51,"request":"broadcast","text":"nobody is there"}"#);
    rig.commit();
    assert_eq!(rig.acked(1, 51), Some((WINDOW + 11, 0)));
    rig.enter(3, 2, "ben");
    rig.ask(1, r#"{"id":52,"request":"broadcast","text":"ben is there again"}"#);
    rig.commit();
    rig.received(3, 5, &[]);
    while let Some(last) = rig.heard(3).last().copied().filter(|last| *last < WINDOW + 12) {
        rig.received(3, last, &[]);
    }
    let theirs: Vec<u64> = (6..=WINDOW + 10).chain([WINDOW + 12]).collect();
    assert_eq!(rig.heard(3), theirs, "what was said while they were there, and nothing else");
    rig.received(3, WINDOW + 12, &[]);
    rig.ask(3, r#"{"id":53,"request":"quit"}"#);
    rig.enter(4, 2, "ben");
    rig.received(4, WINDOW + 12, &[]);
    assert_eq!(rig.heard(4), [0; 0], "each once");
}

#[test]
fn what_was_said_to_everybody_outlives_the_hub_for_those_who_were_there() {
    for left in [true, false] {
        let mut rig = two();
        rig.received(2, 0, &[]);
        broadcast(&mut rig, 3);
        if left {
            rig.ask(2, r#"{"id":50,"request":"quit"}"#);
        }
        let mut store = crate::sim::MemoryStore::default();
        rig.persisted.iter().for_each(|(_, record)| store.keep(record));
        let mut rig = Rig::with(config(), store.load());
        rig.enter(1, 1, "anna");
        rig.ask(1, r#"{"id":51,"request":"broadcast","text":"ben is not there yet"}"#);
        rig.commit();
        rig.persisted.iter().for_each(|(_, record)| store.keep(record));
        rig.enter(2, 2, "ben");
        rig.received(2, 1, &[]);
        let (question, query) = rig.asked.pop().expect("it is not in memory any more");
        rig.handle(Input::Found(question, store.find(&query)));
        assert_eq!(rig.heard(2), [2, 3]);
    }
}
