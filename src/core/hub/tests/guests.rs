//! A guest sees nothing but its parcel.

use super::handovers::{anna, parcel_hub};
use super::*;
use crate::protocol::request::Request;
use crate::protocol::wire::{self, Ask};

/// What a client was told, by the events' names.
fn told(rig: &Rig, conn: ConnId) -> Vec<&'static str> {
    rig.wires[&conn].bodies.iter().map(|line| line.event.name()).collect()
}

#[test]
fn every_request_of_a_guest_is_refused_and_nothing_is_told() {
    let mut rig = parcel_hub();
    rig.register(1, "anna");
    rig.commit();
    rig.offer(1, 2, &["notes.txt".to_owned()]);
    let requests = Request::WORDS.iter().filter(|word| word.name != "quit");
    for (id, word) in (100..).zip(requests) {
        let fields = word.example.trim_start_matches('{').trim_end_matches('}');
        let fields = if fields.is_empty() { String::new() } else { format!(",{fields}") };
        rig.ask(2, &format!(r#"{{"id":{id},"request":"{}"{fields}}}"#, word.name));
        assert_eq!(rig.code(2, id), Some("access-denied"), "{}", word.name);
    }
    let hash = "0".repeat(64);
    let content = format!(r#"{{"file":"f","size":5,"hash":"{hash}","chunk_size":1048576,"chunks":1}}"#);
    for (id, body) in [
        (1, format!(r#""publish":[{content}]"#)),
        (2, format!(r#""push":{content},"to":"anna""#)),
        (3, r#""gone":["notes.txt"]"#.to_owned()),
        (4, r#""folder":"a/","after":"""#.to_owned()),
    ] {
        rig.ask(2, &format!(r#"{{"id":{id},{body}}}"#));
        assert_eq!(rig.code(2, id), Some("access-denied"), "{body}");
    }
    rig.forget(2);
    let have =
        wire::Had { hash: ContentHash([0; 32]), size: 5, chunk_size: 1 << 20, chunks: [0].into_iter().collect() };
    for ask in [
        Ask::Received(wire::Received { received: 0, except: Vec::new() }),
        Ask::Unreachable(wire::Unreachable { unreachable: "anna".into() }),
        Ask::Have(wire::Have { have: vec![have] }),
        Ask::Settled(wire::Settled { settled: ContentHash([0; 32]) }),
        Ask::TakeBack(wire::TakeBack { take_back: 1 }),
        Ask::NotTaken(wire::NotTaken { not_taken: 1 }),
        Ask::MeetAt(wire::MeetAt { meet_at: 1, inner: Vec::new() }),
        Ask::CloseCode(wire::CloseCode { close_code: 4 }),
        Ask::Say(wire::Say { say: 1, message: [0].into() }),
        Ask::Admit(wire::Admit { admit: 1 }),
        Ask::HangUp(wire::HangUp { hang_up: 1, guessed: false }),
    ] {
        rig.ask(2, &ask.to_body());
    }
    // Whatever the others do, it hears nothing of it, and they nothing of it.
    rig.ask(1, r#"{"id":7,"request":"broadcast","text":"soup is ready"}"#);
    rig.commit();
    rig.pass(1_000);
    assert!(told(&rig, 2).is_empty(), "{:?}", told(&rig, 2));
    assert_eq!(rig.hub.roster().iter().map(|client| client.name.as_str()).collect::<Vec<_>>(), ["Anna"]);
    for (ask, told) in [(r#"{"open_code":1}"#, "code-refused"), (r#"{"knock":4,"ask":1}"#, "knock-refused")] {
        rig.forget(2);
        rig.ask(2, ask);
        assert_eq!(self::told(&rig, 2), [told]);
    }
    rig.ask(2, r#"{"id":99,"request":"quit"}"#);
    assert!(rig.wires[&2].closed, "it may leave");
}

#[test]
fn guests_come_to_every_hub_and_push_out_nobody_who_sends_or_has_a_name() {
    for access in [Access::Open, Access::Invite, Access::Accounts, Access::Only(PublicKey([1; 32]))] {
        let limits = HubLimits { clients: 3, clients_per_address: 100, ..HubLimits::default() };
        let names = vec![NameRecord { credential: Some(1), ..anna() }];
        let mut rig = Rig::with_names(HubConfig { access: access.clone(), limits, ..config() }, names);
        rig.hello(1, 1);
        let number = rig.open(1, "").unwrap();
        assert_eq!((1_000..=9_998).contains(&number), matches!(access, Access::Only(_)), "{number}");
        rig.guest(2, 2);
        let talk = rig.knock(2, number).unwrap();
        rig.admit_to(1, talk);
        for n in 3..50 {
            rig.pass(1_001);
            rig.guest(n, n as u8);
        }
        assert_eq!((rig.turned_away(1), rig.turned_away(2)), (None, None), "{access:?}");
        assert_eq!(rig.turned_away(3), Some(ErrorCode::NoNameInTime));
        rig.says(2, talk, "00");
        assert_eq!(rig.heard_of(1).len(), 1);
    }
}

#[test]
fn only_keys_that_may_enter_send() {
    for (access, credential, may) in [
        (Access::Invite, None, Ok(4)),
        (Access::Accounts, None, Err("login-required")),
        (Access::Accounts, Some(1), Ok(4)),
    ] {
        let names = vec![NameRecord { credential, ..anna() }];
        let mut rig = Rig::with_names(HubConfig { access, ..config() }, names);
        rig.hello(1, 1);
        assert_eq!(rig.open(1, ""), may);
    }
    let mut rig = Rig::with_names(HubConfig { access: Access::Accounts, ..config() }, vec![anna()]);
    rig.hello(2, 2);
    assert_eq!(rig.open(2, ""), Err("login-required"));
    // Whoever is thrown out takes its codes along.
    let mut rig = parcel_hub();
    rig.open(1, "").unwrap();
    let talk = rig.knock(2, 4).unwrap();
    rig.handle(Input::Names(Vec::new()));
    assert_eq!((rig.turned_away(1), rig.hung_up(2)), (Some(ErrorCode::AccessRevoked), vec![(talk, true)]));
    assert_eq!(rig.counted("codes of parcels"), 0);
}
