//! Who gets in.

use super::*;

#[test]
fn a_hub_that_is_there_for_one_key_lets_in_no_other() {
    let mut rig = Rig::new(HubConfig { access: Access::Only(PublicKey([1; 32])), ..config() });
    rig.enter(1, 1, "anna");
    assert!(rig.welcomed(1));
    rig.hello(2, 2);
    assert_eq!(rig.turned_away(2), Some(ErrorCode::AccessDenied));
}

#[test]
fn a_wrong_hello_is_told_why_and_the_connection_is_closed() {
    for line in [
        "garbage",
        "{}",
        r#"{"hello":"potluck-link/2","received":0,"port":1,"link_port":2,"instance":"0123456789abcdef"}"#,
        r#"{"hello":"potluck-link/1","received":0}"#,
        r#"{"hello":"potluck-link/1","received":0,"port":1,"link_port":2,"instance":"0123456789abcdef","more":2}"#,
        r#"{"n":1,"ack":0,"body":{"id":1,"request":"list"}}"#,
        "\u{0}",
    ] {
        let mut rig = Rig::new(config());
        rig.connect(1, 1);
        rig.line(1, line);
        assert_eq!(rig.turned_away(1), Some(ErrorCode::WrongProtocol), "{line}");
    }
}

#[test]
fn who_says_no_hello_for_ten_seconds_is_turned_away() {
    let mut rig = Rig::new(config());
    rig.connect(1, 1);
    rig.pass(9_999);
    assert_eq!(rig.turned_away(1), None);
    rig.pass(1);
    assert_eq!(rig.turned_away(1), Some(ErrorCode::WrongProtocol));
}

#[test]
fn a_session_cannot_be_resumed_with_a_number_that_was_never_sent() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    let session = rig.hub_hello(1).session;
    rig.connect(2, 1);
    rig.line(2, &format!(r#"{{"hello":"potluck-link/1","session":"{session}","received":999,"port":1,"link_port":2,"instance":"0123456789abcdef"}}"#));
    assert_eq!(rig.turned_away(2), Some(ErrorCode::WrongProtocol));
    assert_eq!(rig.state("anna"), Some(Presence::Online), "the session is none the worse for it");
}

#[test]
fn a_session_belongs_to_its_key() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.resume(2, 9, 1);
    assert!(!rig.hub_hello(2).resumed);
    assert!(!rig.wires[&1].closed);
}

#[test]
fn a_full_hub_takes_nobody_until_somebody_leaves() {
    let limits = HubLimits { clients: 2, ..HubLimits::default() };
    let mut rig = Rig::new(HubConfig { limits, ..config() });
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.hello(3, 3);
    assert_eq!(rig.turned_away(3), Some(ErrorCode::HubFull));
    rig.ask(1, r#"{"id":2,"request":"quit"}"#);
    rig.enter(4, 3, "cleo");
    assert!(rig.welcomed(4));
}

#[test]
fn a_killed_client_takes_its_own_place_in_a_full_hub() {
    let limits = HubLimits { clients: 1, ..HubLimits::default() };
    let mut rig = Rig::new(HubConfig { limits, ..config() });
    rig.enter(1, 1, "anna");
    rig.handle(Input::Disconnected { conn: 1, reason: "reset".into() });
    rig.hello(2, 2);
    assert_eq!(rig.turned_away(2), Some(ErrorCode::HubFull), "the place is kept for the grace");
    rig.hello(3, 1);
    rig.register(3, "anna");
    assert!(rig.welcomed(3));
}

#[test]
fn strangers_are_limited() {
    let limits = HubLimits { pending_connections: 2, ..HubLimits::default() };
    let mut rig = Rig::new(HubConfig { limits, ..config() });
    for conn in 1..=3 {
        rig.connect(conn, conn as u8);
    }
    // The oldest has had most time to say hello.
    assert_eq!([1, 2, 3].map(|conn| rig.turned_away(conn)), [Some(ErrorCode::HubFull), None, None]);
    rig.line(3, HELLO);
    assert!(!rig.hub_hello(3).resumed);
}

#[test]
fn everybody_is_told_when_the_hub_stops() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.connect(3, 3);
    rig.handle(Input::Stop("SIGTERM".into()));
    assert_eq!([1, 2, 3].map(|conn| rig.turned_away(conn)), [Some(ErrorCode::HubStopping); 3]);
    assert!(rig.stopped);
    rig.connect(4, 4);
    assert_eq!(rig.turned_away(4), Some(ErrorCode::HubStopping));
}

#[test]
fn a_hub_whose_store_fails_stops_and_welcomes_nobody() {
    let mut rig = Rig::new(config());
    rig.hello(1, 1);
    rig.register(1, "anna");
    rig.handle(Input::StoreFailed(ErrorCode::StoreFailed.into()));
    assert!(rig.stopped && !rig.welcomed(1));
    assert_eq!(rig.turned_away(1), Some(ErrorCode::HubStopping));
    assert!(rig.log.iter().any(|event| matches!(event, LogEvent::StoreFailed(_))));
}

#[test]
fn who_breaks_the_link_is_expelled() {
    for line in [
        "garbage",
        r#"{"n":5,"ack":0,"body":{"id":1,"request":"list"}}"#,
        r#"{"ack":1000}"#,
        r#"{"n":2,"ack":0}"#,
        r#"{"ack":0,"body":{}}"#,
    ] {
        let mut rig = Rig::new(config());
        rig.enter(1, 1, "anna");
        rig.line(1, line);
        assert_eq!(rig.turned_away(1), Some(ErrorCode::WrongProtocol), "{line}");
        assert_eq!(rig.state("anna"), None);
    }
}

#[test]
fn a_request_that_cannot_be_read_is_answered_and_the_session_goes_on() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    for (id, body) in [
        (11, r#"{"id":11,"request":"dance"}"#),
        (12, r#"{"id":12,"request":"withdraw","files":7}"#),
        (13, r#"{"id":13,"request":"setdir","dir":"x"}"#),
    ] {
        rig.ask(1, body);
        assert!(rig.refusal(1, id).is_some(), "{body}");
    }
    rig.ask(1, r#"{"id":14,"request":"status"}"#);
    assert!(matches!(rig.answer(1, 14), Some(Event::Status(_))));
}
