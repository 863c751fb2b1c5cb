//! Who gets a link, and which of two connections it is.

use super::*;
use crate::protocol::limits::PRIVATE_PENDING;

#[test]
fn when_two_dial_at_once_there_is_one_link_and_nothing_is_lost() {
    for order in [[0, 1], [1, 0]] {
        let mut rig = Rig::new();
        rig.held = Some(Vec::new());
        let tickets = [rig.send(0, "from anna"), rig.send(1, "from ben")];
        let held = rig.held.take().unwrap();
        for who in order {
            rig.connect(who, held.iter().find(|(dialler, _)| *dialler == who).unwrap().1);
        }
        rig.drain();
        rig.pass(100);
        assert_eq!((rig.said(0), rig.said(1)), (vec!["from ben"], vec!["from anna"]));
        assert_eq!((rig.acked(0), rig.acked(1)), (vec![tickets[0]], vec![tickets[1]]));
        assert_eq!((rig.opened(0), rig.opened(1)), (1, 1), "told once");
        let theirs =
            |who: usize| rig.events[who].iter().any(|events| matches!(events, PeerEvent::Opened { theirs: true, .. }));
        assert!(!theirs(0) && theirs(1), "anna's is the one");
        rig.pass(10_000);
        assert!(rig.closed(0).is_empty() && rig.closed(1).is_empty());
    }
}

#[test]
fn who_cannot_be_dialled_may_have_dialled_us() {
    let mut rig = Rig::new();
    rig.reachable[1] = false;
    rig.held = Some(Vec::new());
    let tickets = [rig.send(0, "from anna"), rig.send(1, "from ben")];
    let held = rig.held.take().unwrap();
    rig.connect(held[1].0, held[1].1);
    rig.drain();
    rig.connect(held[0].0, held[0].1);
    rig.drain();
    rig.pass(100);
    assert_eq!((rig.acked(0), rig.acked(1)), (vec![tickets[0]], vec![tickets[1]]));
    assert_eq!(rig.doubts(0), 0);
}

#[test]
fn only_who_is_in_the_roster_gets_a_link() {
    let hello = r#"{"hello":"potluck-link/1","private":"anna","number":1}"#;
    let (anna, other) = (person(0).key, PublicKey([9; 32]));
    for (key, line) in [
        (other, hello),
        (anna, r#"{"hello":"potluck-link/1","private":"cleo","number":1}"#),
        (anna, r#"{"hello":"potluck-link/1","private":"anna","number":2}"#),
        (anna, r#"{"hello":"potluck-link/2","private":"anna","number":1}"#),
        (anna, r#"{"hello":"potluck-link/1","private":"ben","number":2}"#),
        (anna, "{"),
        (anna, r#"{"n":1,"ack":0,"body":{"private":{"number":1,"text":"x","sent":"2026-01-02T03:04:05.678Z"}}}"#),
    ] {
        let mut rig = Rig::new();
        rig.stranger(key, line);
        rig.pass(3_000);
        assert!(rig.events[1].is_empty() && rig.peers[1].pending.is_empty(), "{line}");
    }
    let mut rig = Rig::new();
    rig.known = false;
    let refused = rig.send(0, "one");
    assert_eq!((rig.failed(0), rig.events[1].len()), (vec![(refused, ErrorCode::PeerRefused)], 0));
    assert_eq!(rig.doubts(0), 0);
}

#[test]
fn the_roster_may_be_a_little_late() {
    let mut rig = Rig::new();
    rig.roster = vec![person(1)];
    let sent = rig.send(0, "one");
    rig.pass(400);
    assert!(rig.events[1].is_empty());
    rig.roster(&[person(0), person(1)]);
    rig.pass(20);
    assert_eq!((rig.said(1), rig.acked(0)), (vec!["one"], vec![sent]));
}

#[test]
fn strangers_are_bounded_and_forgotten() {
    let mut rig = Rig::new();
    for conn in 1_000..1_000 + 3 * PRIVATE_PENDING as u64 {
        rig.ways.push_back((1, Way::Accepted(conn, PublicKey([9; 32]))));
    }
    rig.drain();
    assert_eq!(rig.peers[1].pending.len(), PRIVATE_PENDING);
    let sent = rig.send(0, "one");
    rig.pass(20);
    assert_eq!(rig.acked(0), [sent], "the newest gets its turn");
    rig.pass(2_000);
    assert!(rig.peers[1].pending.is_empty());
}

#[test]
fn another_run_of_the_same_client_takes_the_place_of_the_first() {
    let mut rig = Rig::new();
    rig.send(0, "one");
    rig.pass(100);
    // Ben's machine loses its power, and he is back under another number.
    rig.wires.clear();
    rig.peers[1] = Peers::new(LinkConfig::client(), Timestamp(0));
    rig.peers[1].enter("ben", 3);
    let again = Person { number: 3, ..person(1) };
    let sent = rig.send(1, "back");
    assert!(rig.acked(1).is_empty());
    rig.roster(&[person(0), again]);
    rig.pass(20);
    assert_eq!((rig.acked(1), rig.said(0), rig.closed(0)), (vec![sent], vec!["back"], vec!["ben has left"]));
}

#[test]
fn a_hub_that_counts_anew_closes_no_link() {
    let mut rig = Rig::new();
    rig.send(0, "one");
    rig.pass(100);
    rig.peers.iter_mut().for_each(Peers::forget_numbers);
    rig.roster(&[]);
    rig.roster(&[Person { number: 8, ..person(0) }, Person { number: 9, ..person(1) }]);
    assert!(rig.closed(0).is_empty() && rig.closed(1).is_empty());
    rig.peers[0].left(rig.now, "Ben");
    rig.drain();
    assert_eq!(rig.closed(0), ["ben has left"]);
}
