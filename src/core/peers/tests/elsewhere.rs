//! People who are not where they were.

use super::*;

/// Ben's client was started again, and has another port and number.
fn ben_again() -> Person {
    let mut ben = Person { number: 3, ..person(1) };
    ben.address.set_port(45_001);
    ben
}

/// Anna wants Ben, whose old port does not answer any more.
fn ben_is_elsewhere() -> (Rig, u64) {
    let mut rig = Rig::new();
    rig.gone = Some(person(1).address);
    rig.peers[1].enter("ben", 3);
    rig.held = Some(Vec::new());
    let sent = rig.send(0, "one");
    (rig, sent)
}

#[test]
fn who_was_dialled_where_they_were_is_dialled_where_they_are_by_now() {
    // The hub tells by itself where he is, before it is known that nobody answers there;
    let (mut rig, sent) = ben_is_elsewhere();
    rig.roster(&[person(0), ben_again()]);
    rig.dial_held();
    assert_eq!((rig.said(1), rig.failed(0)), (vec!["one"], vec![]));
    rig.pass(20);
    assert_eq!((rig.acked(0), rig.doubts(0), rig.opened(0)), (vec![sent], 0, 1));

    // or it is asked, because nobody answers.
    let (mut rig, sent) = ben_is_elsewhere();
    rig.roster = vec![person(0), ben_again()];
    rig.dial_held();
    rig.pass(20);
    assert_eq!((rig.acked(0), rig.failed(0), rig.doubts(0)), (vec![sent], vec![], 0));
}

#[test]
fn who_does_not_answer_where_they_are_is_unreachable_once_the_hub_has_nothing_new() {
    let mut rig = Rig::new();
    rig.reachable[1] = false;
    let sent = rig.send(0, "one");
    assert_eq!((rig.failed(0), rig.doubts(0)), (vec![(sent, ErrorCode::PeerUnreachable)], 1));
    // Nor does a hub that answers nothing hold it up for long.
    let mut rig = Rig::new();
    (rig.reachable[1], rig.answers) = (false, false);
    let sent = rig.send(0, "one");
    rig.pass(900);
    assert_eq!(rig.failed(0), []);
    rig.pass(200);
    assert_eq!(rig.failed(0), [(sent, ErrorCode::PeerUnreachable)]);
}

#[test]
fn a_hub_that_names_another_address_each_time_is_not_followed_for_ever() {
    let mut rig = Rig::new();
    rig.reachable[1] = false;
    rig.answers = false;
    let sent = rig.send(0, "one");
    for port in 1..20 {
        let mut ben = person(1);
        ben.address.set_port(port);
        rig.roster(&[person(0), ben]);
    }
    assert_eq!((rig.dialled.len(), rig.failed(0)), (3, vec![(sent, ErrorCode::PeerUnreachable)]));
}

#[test]
fn who_comes_while_they_are_looked_for_is_found() {
    // Ben's name is the larger one: his connection would otherwise wait for Anna's.
    for who in [0, 1] {
        let mut rig = Rig::new();
        rig.reachable[1 - who] = false;
        rig.answers = false;
        let sent = rig.send(who, "one");
        rig.reachable = [true; 2];
        let back = rig.send(1 - who, "two");
        rig.pass(20);
        assert_eq!((rig.acked(who), rig.acked(1 - who)), (vec![sent], vec![back]));
        assert_eq!((rig.opened(0), rig.opened(1)), (1, 1));
    }
}
