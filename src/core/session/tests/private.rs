//! Direct connections, as the user of one end sees them.

use super::*;
use crate::core::peers::{PeerConn, Person};
use crate::protocol::Route;

const LINK: PeerConn = PeerConn::Dialled(1);
const BEN: &str = r#"{"hello":"potluck-link/1","private":"ben","number":2}"#;

fn roster(number: u64, state: &str) -> String {
    let (since, key) = ("2026-01-02T03:04:05.678Z", KEY);
    format!(
        r#"{{"event":"roster-updated","revision":9,"total":2,"clients":[{{"name":"ben","number":{number},"state":"{state}","since":"{since}","key":"{key}","address":"10.0.0.2","port":1,"link_port":2}}]}}"#
    )
}

/// A session that knows ben.
fn rig() -> Rig {
    rig_with(config())
}

fn rig_with(config: SessionConfig) -> Rig {
    let mut rig = Rig::welcomed(config);
    rig.hub(&roster(2, "online"));
    rig
}

impl Rig {
    fn peer(&mut self, input: PeerInput<'_>) {
        self.handle(Input::Peer(input));
    }

    fn peer_line(&mut self, conn: PeerConn, line: &str) {
        self.peer(PeerInput::Line(conn, line.as_bytes()));
    }

    fn dialled(&self) -> Vec<&Person> {
        let outputs = self.peers.iter();
        outputs.filter_map(|o| if let PeerOutput::Dial(_, person) = o { Some(person) } else { None }).collect()
    }

    /// Ben answers the connection that was dialled.
    fn ben_answers(&mut self) {
        self.peer(PeerInput::Dialled(1, Route::Direct));
        self.peer_line(LINK, BEN);
    }

    /// Ben makes a connection of this number, and what he says on it.
    fn ben_comes(&mut self, conn: u64, lines: &[&str]) {
        self.peer(PeerInput::Accepted(conn, KEY.parse().unwrap(), Route::Direct));
        self.peer_line(PeerConn::Accepted(conn), BEN);
        self.peer(PeerInput::Pinned(conn, Ok(())));
        for line in lines {
            self.peer_line(PeerConn::Accepted(conn), line);
        }
    }

    /// What was sent on direct connections: bodies and acknowledgements.
    fn on_links(&self) -> Vec<(Option<u64>, u64)> {
        let frame = |output: &PeerOutput| match output {
            PeerOutput::Send(_, frame) => Some((frame.body.as_ref().map(|body| body.0), frame.ack)),
            _ => None,
        };
        self.peers.iter().filter_map(frame).collect()
    }

    /// Ben's user has everything up to a number, which is the `frame`th that he says on a link.
    fn had(&mut self, conn: PeerConn, frame: u64, number: u64) {
        self.peer_line(conn, &format!(r#"{{"n":{frame},"ack":{number},"body":{{"had":{number}}}}}"#));
    }

    fn private(&mut self, id: i64, to: &str) {
        self.line(&format!(r#"{{"id":{id},"request":"private","to":"{to}","text":"hi"}}"#));
    }

    /// How often somebody was said to be unreachable.
    fn doubts(&self) -> usize {
        self.asked.iter().filter(|ask| ask.get("unreachable").is_some()).count()
    }
}

fn said(number: u64) -> String {
    format!(
        r#"{{"n":{number},"ack":0,"body":{{"private":{{"number":{number},"text":"{number}","sent":"2026-01-02T03:04:05.678Z"}}}}}}"#
    )
}

#[test]
fn a_message_opens_the_connection_by_itself_and_what_follows_does_not_wait() {
    let mut rig = rig();
    rig.private(1, "Ben");
    rig.private(2, "ben");
    rig.line(r#"{"id":3,"request":"help"}"#);
    assert_eq!((rig.dialled().len(), rig.dialled()[0].address.to_string()), (1, "10.0.0.2:2".into()));
    assert_eq!(rig.lasts(3), [None, None, Some("help")]);
    rig.line(r#"{"id":4,"request":"wait"}"#);
    rig.ben_answers();
    assert_eq!(rig.words().last(), Some(&"private-opened"));
    assert_eq!(rig.told.last().map(|line| (line.id.clone(), line.last)), Some((Some(Id::Number(1)), false)));
    assert_eq!(rig.on_links(), [(Some(1), 0), (Some(2), 0)]);
    rig.had(LINK, 1, 1);
    assert_eq!(rig.lasts(4), [Some("message-acked"), None, Some("help"), None]);
    rig.had(LINK, 2, 2);
    assert_eq!(rig.lasts(4), [Some("message-acked"), Some("message-acked"), Some("help"), Some("waited")]);
    let acked = rig.told.iter().rev().find_map(|line| match &line.event {
        Event::MessageAcked(acked) => Some((acked.number, acked.to.as_deref(), acked.stored, acked.delivered)),
        _ => None,
    });
    assert_eq!(acked, Some((2, Some("ben"), false, 1)));
}

#[test]
fn what_cannot_be_sent_is_refused_with_its_place() {
    let mut rig = rig();
    rig.private(1, "ANNA");
    let long = "ä".repeat(8_193);
    rig.line(&format!(r#"{{"id":2,"request":"private","to":"ben","text":"{long}"}}"#));
    rig.line(r#"{"id":3,"request":"private","to":"ben","text":""}"#);
    rig.line(r#"{"id":4,"request":"private-close","to":"ben"}"#);
    assert_eq!(rig.lasts(4), [Some("yourself"), Some("message-too-long"), Some("bad-request"), Some("not-open")]);
    // Who is not known may have come just now.
    rig.private(5, "cleo");
    assert_eq!((rig.asks(), rig.last(5)), (vec!["private-open"], None));
    rig.answer("private-open", "synced", r#","revision":9"#);
    assert_eq!(rig.last(5), Some("no-such-person"));
    rig.hub(&roster(2, "away"));
    rig.private(6, "ben");
    rig.hub(&roster(2, "online"));
    rig.answer("private-open", "synced", r#","revision":9"#);
    assert_eq!((rig.last(6), rig.dialled().len()), (None, 1), "he was on his way");
    rig.hub(&roster(2, "offline"));
    assert_eq!(rig.last(6), Some("not-online"));
    rig.line(r#"{"id":7,"request":"private-open","to":"ben"}"#);
    rig.answer("private-open", "synced", r#","revision":9"#);
    assert_eq!(rig.last(7), Some("not-online"), "he was here");
    rig.line(r#"{"id":8,"request":"dereg"}"#);
    rig.answer("dereg", "deregistered", r#","name":"anna","withdrawn":0"#);
    rig.private(9, "ben");
    assert_eq!(rig.last(9), Some("not-registered"));
}

#[test]
fn a_connection_is_opened_and_closed_once() {
    let mut rig = rig();
    rig.line(r#"{"id":1,"request":"private-open","to":"ben"}"#);
    rig.line(r#"{"id":2,"request":"private-open","to":"ben"}"#);
    rig.private(3, "ben");
    rig.line(r#"{"id":4,"request":"private-close","to":"ben"}"#);
    rig.ben_answers();
    assert_eq!(
        rig.lasts(4),
        [Some("private-opened"), Some("already-open"), None, None],
        "what is under way is awaited"
    );
    rig.had(LINK, 1, 1);
    assert_eq!(rig.lasts(4)[2..], [Some("message-acked"), Some("private-closed")]);
    assert_eq!(rig.peers.last(), Some(&PeerOutput::Close(LINK)));
    assert_eq!(rig.words().iter().filter(|word| word.starts_with("private-")).count(), 2);
}

#[test]
fn who_does_not_acknowledge_is_told_to_the_hub_and_stays_in_the_roster() {
    let mut rig = rig();
    rig.private(1, "ben");
    rig.ben_answers();
    rig.pass(499);
    assert_eq!(rig.last(1), None);
    rig.pass(1);
    assert_eq!((rig.last(1), rig.doubts()), (Some("peer-unreachable"), 1));
    assert_eq!(rig.words().last(), Some(&"private-closed"));
    assert_eq!(rig.session.replica().clients().next().map(|ben| ben.state), Some(crate::protocol::Presence::Online));
    assert_eq!(rig.end, None);
}

#[test]
fn with_fail_fast_nothing_follows_a_message_that_fails() {
    let mut rig = rig_with(SessionConfig { fail_fast: true, ..config() });
    rig.private(1, "ben");
    rig.private(2, "ben");
    rig.line(r#"{"id":3,"request":"list"}"#);
    rig.peer(PeerInput::DialFailed(1, ErrorCode::PeerUnreachable.into()));
    rig.answer("private-open", "synced", r#","revision":9"#);
    assert_eq!(rig.lasts(3), [Some("peer-unreachable"), Some("interrupted"), Some("interrupted")]);
    rig.pass(5_000);
    assert_eq!(rig.bye().map(|(_, code)| code), Some(6));
}

#[test]
fn who_is_not_where_the_roster_says_is_asked_for_and_dialled_where_they_are() {
    let mut rig = rig();
    rig.private(1, "ben");
    rig.peer(PeerInput::DialFailed(1, ErrorCode::PeerUnreachable.into()));
    assert_eq!((rig.asks(), rig.last(1)), (vec!["private-open"], None));
    rig.hub(&roster(3, "online").replace(r#""link_port":2"#, r#""link_port":5"#));
    rig.answer("private-open", "synced", r#","revision":10"#);
    assert_eq!(rig.dialled()[1].address.to_string(), "10.0.0.2:5");
    rig.peer(PeerInput::Dialled(2, Route::Direct));
    rig.peer_line(PeerConn::Dialled(2), &BEN.replace(r#""number":2"#, r#""number":3"#));
    rig.had(PeerConn::Dialled(2), 1, 1);
    assert_eq!((rig.last(1), rig.doubts()), (Some("message-acked"), 0));
    // A hub that is lost cannot be asked.
    rig.line(r#"{"id":2,"request":"private-close","to":"ben"}"#);
    rig.private(3, "ben");
    rig.handle(Input::Disconnected("gone".into()));
    rig.peer(PeerInput::DialFailed(3, ErrorCode::PeerUnreachable.into()));
    assert_eq!(rig.last(3), Some("peer-unreachable"));
}

#[test]
fn whoever_ends_says_goodbye_and_answers_what_waits() {
    let mut rig = rig();
    rig.private(1, "ben");
    rig.line(r#"{"id":2,"request":"quit"}"#);
    rig.ben_answers();
    assert_eq!(rig.lasts(2), [None, None], "quit waits");
    rig.had(LINK, 1, 1);
    assert_eq!((rig.last(1), rig.peers.last()), (Some("message-acked"), Some(&PeerOutput::Close(LINK))));
    assert_eq!(rig.words().last(), Some(&"private-closed"));
    rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!(rig.bye(), Some(("quit", 0)));

    let mut rig = rig_with(config());
    rig.private(1, "ben");
    rig.ben_answers();
    rig.lose();
    rig.handle(Input::Interrupt(130));
    assert_eq!((rig.last(1), rig.peers.last()), (Some("interrupted"), Some(&PeerOutput::Close(LINK))));
    assert_eq!(rig.bye(), Some(("interrupted", 130)));
}

#[test]
fn what_others_say_is_told_and_acknowledged() {
    let mut rig = rig();
    rig.ben_comes(1, &[&said(1), &said(2)]);
    let told: Vec<&str> = rig.words().into_iter().filter(|word| word.starts_with("private-")).collect();
    assert_eq!(told, ["private-opened", "private-message", "private-message"]);
    rig.pass(20);
    assert_eq!(rig.on_links().last(), Some(&(None, 2)));
    rig.peer_line(PeerConn::Accepted(1), r#"{"n":3,"ack":0,"body":{"close":"enough"}}"#);
    let Event::PrivateClosed(closed) = &rig.told.last().unwrap().event else { panic!() };
    assert_eq!((closed.peer.as_str(), closed.reason.as_str()), ("ben", "closed by ben"));
    assert_eq!(rig.doubts(), 0);
}

#[test]
fn who_is_blocked_is_answered_as_anybody_and_never_heard() {
    let (mut open, mut blocking) = (rig(), rig());
    blocking.session.inbox.block("Ben");
    for rig in [&mut open, &mut blocking] {
        rig.ben_comes(1, &[&said(1)]);
        rig.pass(100);
        rig.peer_line(PeerConn::Accepted(1), &said(2));
        rig.peer_line(PeerConn::Accepted(1), r#"{"n":3,"ack":0,"body":{"close":"enough"}}"#);
        rig.pass(1_000);
    }
    assert_eq!(open.peers, blocking.peers, "nobody can tell the difference");
    assert!(!blocking.words().iter().any(|word| word.starts_with("private-")), "{:?}", blocking.words());

    let mut rig = rig();
    rig.session.inbox.block("ben");
    rig.ben_comes(1, &[&said(1)]);
    rig.line(r#"{"id":1,"request":"private-close","to":"ben"}"#);
    assert_eq!(rig.last(1), Some("not-open"), "nobody has told of it");
    rig.session.inbox.set_blocked(&[]);
    rig.peer_line(PeerConn::Accepted(1), &said(2));
    let told: Vec<&str> = rig.words().into_iter().filter(|word| word.starts_with("private-")).collect();
    assert_eq!(told, ["private-opened", "private-message"], "now it is told");
}

#[test]
fn a_user_may_write_to_whom_they_block() {
    let mut rig = rig();
    rig.session.inbox.block("ben");
    rig.ben_comes(1, &[]);
    rig.line(r#"{"id":1,"request":"private-open","to":"ben"}"#);
    assert_eq!(rig.last(1), Some("private-opened"));
    rig.private(2, "ben");
    rig.had(PeerConn::Accepted(1), 1, 1);
    rig.line(r#"{"id":3,"request":"private-close","to":"ben"}"#);
    assert_eq!(rig.lasts(3)[1..], [Some("message-acked"), Some("private-closed")]);
}

#[test]
fn what_is_open_is_used_while_the_hub_is_lost() {
    let mut rig = rig();
    rig.private(1, "ben");
    rig.ben_answers();
    rig.had(LINK, 1, 1);
    rig.handle(Input::Disconnected("connection reset".into()));
    rig.private(2, "ben");
    rig.line(r#"{"id":3,"request":"private-open","to":"cleo"}"#);
    assert_eq!(rig.on_links().last().map(|frame| frame.0), Some(Some(2)), "the hub is not needed for it");
    rig.had(LINK, 2, 2);
    assert_eq!(rig.lasts(3), [Some("message-acked"), Some("message-acked"), None]);
}

#[test]
fn what_is_held_back_by_focus_is_said_to_be_and_confirmed_when_it_is_told() {
    let mut rig = rig();
    let said = |n: u64| {
        format!(
            r#"{{"n":{n},"ack":0,"body":{{"private":{{"number":{n},"text":"hi","sent":"2026-01-02T03:04:05.678Z"}}}}}}"#
        )
    };
    rig.line(r#"{"id":1,"request":"focus","room":"kitchen"}"#);
    rig.answer("focus", "focused", r#","room":"kitchen""#);
    rig.ben_comes(1, &[&said(1), &said(2)]);
    let bodies = |rig: &Rig| -> Vec<String> {
        let body = |output: &PeerOutput| match output {
            PeerOutput::Send(_, frame) => frame.body.as_ref().map(|(_, body)| body.to_string()),
            _ => None,
        };
        rig.peers.iter().filter_map(body).collect()
    };
    assert_eq!(bodies(&rig), [r#"{"held":1}"#, r#"{"held":2}"#]);
    rig.line("unfocus");
    rig.handle(Input::PrivatesWritten(2));
    assert_eq!(bodies(&rig).last().unwrap(), r#"{"had":2}"#);
}

#[test]
fn a_withheld_message_that_cannot_be_written_counts_for_nobody() {
    let mut rig = rig();
    let said = r#"{"n":1,"ack":0,"body":{"private":{"number":1,"text":"hi","sent":"2026-01-02T03:04:05.678Z"}}}"#;
    rig.line(r#"{"id":1,"request":"block","name":"ben"}"#);
    rig.answer("block", "blocked", r#","name":"ben""#);
    rig.ben_comes(1, &[said]);
    rig.handle(Input::PrivateLost(None));
    // As it would be for anybody else.
    assert!(rig.peers.iter().any(|output| matches!(output, PeerOutput::Close(PeerConn::Accepted(1)))));
}

impl Rig {
    fn ping(&mut self, id: i64) {
        self.line(&format!(r#"{{"id":{id},"request":"ping","to":"Ben"}}"#));
    }

    fn pongs(&self) -> Vec<event::Pong> {
        let pong = |line: &EventLine| match &line.event {
            Event::Pong(pong) if line.last => Some(pong.clone()),
            _ => None,
        };
        self.told.iter().filter_map(pong).collect()
    }
}

#[test]
fn the_way_to_somebody_is_measured_through_the_hub_and_then_directly() {
    let mut rig = rig();
    rig.ping(1);
    assert_eq!((rig.asks(), rig.dialled().len()), (vec!["ping"], 0));
    rig.now = rig.now + Duration::from_millis(40);
    rig.answer("ping", "pong", r#","peer":"ben""#);
    rig.ben_answers();
    rig.now = rig.now + Duration::from_micros(7_300);
    // What carries something, or asks something, is no answer.
    rig.peer_line(LINK, r#"{"ack":0,"probe":true}"#);
    assert_eq!(rig.pongs(), []);
    rig.peer_line(LINK, r#"{"ack":0}"#);
    let (hub_us, direct_us) = (Some(40_000), Some(7_300));
    let pong = event::Pong { peer: "ben".into(), hub_us, hub_failed: None, direct_us, direct_failed: None };
    assert_eq!(rig.pongs(), std::slice::from_ref(&pong));
    // Who answers twice, or late, changes nothing; and the connection is there for the next time.
    rig.peer_line(LINK, r#"{"ack":0}"#);
    rig.ping(2);
    rig.answer("ping", "pong", r#","peer":"ben","hub_failed":"they have stopped answering the hub""#);
    rig.peer_line(LINK, r#"{"ack":0}"#);
    rig.peer_line(LINK, r#"{"ack":0}"#);
    assert_eq!((rig.pongs().len(), rig.dialled().len()), (2, 1));
    assert_eq!((rig.pongs()[1].hub_us, rig.pongs()[1].direct_us), (None, Some(0)));
    assert_eq!(rig.words().iter().filter(|word| **word == "private-opened").count(), 1);
}

#[test]
fn who_cannot_be_reached_directly_is_reached_through_the_hub_all_the_same() {
    let mut rig = rig();
    rig.ping(1);
    rig.answer("ping", "pong", r#","peer":"ben""#);
    rig.peer(PeerInput::DialFailed(1, ErrorCode::PeerUnreachable.into()));
    rig.answer("private-open", "synced", r#","revision":9"#);
    rig.ping(2);
    rig.answer("ping", "pong", r#","peer":"ben""#);
    rig.peer(PeerInput::Dialled(2, Route::Direct));
    rig.peer_line(PeerConn::Dialled(2), BEN);
    // Ben says no more.
    rig.pass_with_acks(9_000);
    let failed: Vec<bool> = rig.pongs().iter().map(|pong| pong.direct_failed.is_some()).collect();
    assert_eq!(failed, [true, true]);
    assert!(rig.pongs().iter().all(|pong| pong.hub_us.is_some() && pong.direct_us.is_none()));
    rig.ping(3);
    rig.refuse("ping", "not-online");
    assert_eq!(rig.last(3), Some("not-online"));
}
