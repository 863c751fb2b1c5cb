//! What is said on a link, and how it ends.

use super::*;

#[test]
fn a_message_opens_the_link_and_is_acknowledged() {
    let mut rig = Rig::new();
    let first = rig.send(0, "one");
    let second = rig.send(0, "two");
    assert_eq!((rig.opened(0), rig.opened(1), rig.said(1)), (1, 1, vec!["one", "two"]));
    rig.pass(20);
    assert_eq!(rig.acked(0), [first, second]);
    let back = rig.send(1, "three");
    rig.pass(20);
    assert_eq!((rig.said(0), rig.acked(1), rig.opened(1)), (vec!["three"], vec![back], 1));
    rig.pass(60_000);
    assert!(rig.closed(0).is_empty() && rig.closed(1).is_empty(), "a link on which nothing happens stays");
    assert!(rig.peers[0].close(rig.now, &NameKey::of("ben")));
    rig.drain();
    assert_eq!((rig.closed(0), rig.closed(1)), (vec!["closed by anna"], vec!["closed by anna"]));
    assert_eq!((rig.doubts(0), rig.doubts(1)), (0, 0));
}

#[test]
fn who_does_not_acknowledge_in_time_is_unreachable_and_doubted() {
    let mut rig = Rig::new();
    rig.send(0, "one");
    rig.pass(100);
    rig.deaf = Some(1);
    let lost = [rig.send(0, "two"), rig.send(0, "three")];
    rig.pass(499);
    assert!(rig.failed(0).is_empty());
    rig.pass(1);
    assert_eq!(rig.failed(0), lost.map(|ticket| (ticket, ErrorCode::PeerUnreachable)));
    assert_eq!((rig.closed(0), rig.doubts(0)), (vec!["no answer for 500 ms"], 1));
    // The other end hears nothing, and asks in vain.
    rig.pass(5_000);
    assert_eq!((rig.closed(1).len(), rig.said(1)), (1, vec!["one"]));
}

#[test]
fn who_is_not_there_is_unreachable() {
    let mut rig = Rig::new();
    rig.reachable[1] = false;
    let refused = rig.send(0, "one");
    assert_eq!((rig.failed(0), rig.doubts(0)), (vec![(refused, ErrorCode::PeerUnreachable)], 1));
    rig.held = Some(Vec::new());
    let silent = rig.send(0, "two");
    rig.pass(1_000);
    assert_eq!(rig.failed(0)[1], (silent, ErrorCode::PeerUnreachable));
    assert_eq!((rig.opened(0), rig.closed(0).len(), rig.doubts(0)), (0, 0, 2), "nothing was open");
}

#[test]
fn a_deadline_that_was_slept_through_is_put_off_once() {
    let mut rig = Rig::new();
    rig.send(0, "one");
    rig.pass(100);
    rig.deaf = Some(1);
    rig.send(0, "two");
    rig.now = rig.now + Duration::from_secs(60);
    rig.peers.iter_mut().for_each(|peers| peers.tick(rig.now));
    rig.drain();
    assert!(rig.failed(0).is_empty());
    rig.pass(500);
    assert_eq!(rig.failed(0).len(), 1);
}

#[test]
fn who_breaks_the_protocol_loses_the_link() {
    for body in [
        r#"{"private":{"number":2,"text":"x","sent":"2026-01-02T03:04:05.678Z"}}"#.to_owned(),
        r#"{"private":{"number":1,"text":"","sent":"2026-01-02T03:04:05.678Z"}}"#.to_owned(),
        format!(
            r#"{{"private":{{"number":1,"text":"{}","sent":"2026-01-02T03:04:05.678Z"}}}}"#,
            "x".repeat(crate::protocol::limits::MESSAGE_BYTES + 1)
        ),
        r#"{"other":1}"#.to_owned(),
    ] {
        let mut rig = Rig::new();
        rig.peers[0].open(rig.now, person(1)).unwrap();
        rig.drain();
        let conn = PeerConn::Accepted(rig.accepted);
        rig.ways.push_back((1, Way::Line(conn, format!(r#"{{"n":1,"ack":0,"body":{body}}}"#))));
        rig.drain();
        assert_eq!((rig.closed(1).len(), rig.said(1).len()), (1, 0), "{body}");
    }
}

#[test]
fn a_long_queue_goes_out_as_it_is_acknowledged() {
    let mut rig = Rig::new();
    let text = "x".repeat(10_000);
    let sent: Vec<u64> = (0..50).map(|_| rig.send(0, &text)).collect();
    rig.pass(2_000);
    assert_eq!((rig.acked(0), rig.said(1).len(), rig.failed(0).len()), (sent, 50, 0));
}

#[test]
fn who_leaves_says_so_to_everybody() {
    let mut rig = Rig::new();
    rig.send(0, "one");
    rig.pass(20);
    rig.peers[1].leave(rig.now);
    rig.drain();
    assert_eq!((rig.closed(0), rig.closed(1)), (vec!["closed by ben"], vec!["closed by ben"]));
    let refused = rig.send(0, "two");
    assert_eq!(rig.failed(0), [(refused, ErrorCode::PeerUnreachable)]);
}

#[test]
fn who_does_not_read_makes_messages_wait_and_is_there_all_the_same() {
    let mut rig = Rig::new();
    rig.reads[1] = false;
    let text = "x".repeat(10_000);
    let sent: Vec<u64> = (0..40).map(|_| rig.send(0, &text)).collect();
    rig.pass(4_999);
    assert!(!rig.peers[0].is_stalled(&NameKey::of("ben")));
    rig.pass(20_001);
    assert!(rig.peers[0].is_stalled(&NameKey::of("ben")));
    let arrived = rig.said(1).len();
    assert_eq!(arrived, crate::protocol::limits::PRIVATE_UNREAD.div_ceil(text.len()), "no more is on its way");
    assert_eq!((rig.acked(0).len(), rig.failed(0).len(), rig.doubts(0)), (0, 0, 0));
    rig.reads[1] = true;
    rig.drain();
    rig.pass(2_000);
    assert_eq!((rig.acked(0), rig.said(1).len(), rig.failed(0).len()), (sent, 40, 0), "all in order, each once");
}

#[test]
fn what_nobody_reads_is_given_up_and_said_once_all_the_same() {
    let mut rig = Rig::new();
    rig.reads[1] = false;
    let text = "x".repeat(10_000);
    let sent: Vec<u64> = (0..40).map(|_| rig.send(0, &text)).collect();
    rig.pass(31_000);
    let mut failed = rig.failed(0);
    failed.sort_unstable();
    assert_eq!(failed, sent.iter().map(|ticket| (*ticket, ErrorCode::NotRead)).collect::<Vec<_>>());
    assert!(rig.closed(0).is_empty() && rig.doubts(0) == 0, "the link is alive");
    let arrived = rig.said(1).len();
    rig.reads[1] = true;
    rig.drain();
    let later = rig.send(0, "later");
    rig.pass(1_000);
    assert_eq!((rig.acked(0), rig.said(1).len()), (vec![later], arrived + 1), "what was not sent is not sent now");
}

#[test]
fn what_was_never_said_cannot_be_had() {
    let mut rig = Rig::new();
    rig.send(0, "one");
    let conn = *rig.wires.keys().find(|(who, _)| *who == 0).unwrap();
    rig.ways.push_back((0, Way::Line(conn.1, r#"{"n":2,"ack":1,"body":{"had":7}}"#.into())));
    rig.drain();
    assert_eq!(rig.closed(0).len(), 1);
}

#[test]
fn what_is_held_back_is_answered_and_has_arrived_when_it_is_read() {
    let mut rig = Rig::new();
    rig.reads[1] = false;
    let text = "x".repeat(10_000);
    let mut sent = Vec::new();
    // More than may wait for somebody who does not read.
    for _ in 0..40 {
        sent.push(rig.send(0, &text));
        rig.pass(20);
        let (name, link, number) = rig.unread[1].last().unwrap().clone();
        rig.peers[1].held(rig.now, &name, link, number);
        rig.drain();
    }
    rig.pass(60_000);
    let held = |events: &PeerEvent| if let PeerEvent::Held { ticket, .. } = events { Some(*ticket) } else { None };
    let delivered =
        |events: &PeerEvent| if let PeerEvent::Delivered { number, .. } = events { Some(*number) } else { None };
    assert_eq!(rig.events[0].iter().filter_map(held).collect::<Vec<_>>(), sent);
    assert!(rig.failed(0).is_empty() && !rig.peers[0].is_stalled(&NameKey::of("ben")));
    assert_eq!(rig.events[0].iter().filter_map(delivered).count(), 0);
    rig.reads[1] = true;
    rig.drain();
    let later = rig.send(0, "later");
    rig.pass(1_000);
    assert_eq!(rig.events[0].iter().filter_map(delivered).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
    assert_eq!(rig.acked(0), [later], "each is answered once");
}
