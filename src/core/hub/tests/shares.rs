//! What one key or one address can take, and what is left for others.

use super::*;
use crate::protocol::limits::{NAMELESS_EACH, ROOMS_ADDRESSES, ROOMS_BY_OTHERS, ROOMS_EACH, ROOMS_INVITERS};
use crate::protocol::record::RoomRecord;
use crate::protocol::types::RoomAccess;

const FULL: Option<ErrorCode> = Some(ErrorCode::HubFull);
const TOO_LONG: Option<ErrorCode> = Some(ErrorCode::NoNameInTime);

fn rig(limits: HubLimits) -> Rig {
    Rig::new(HubConfig { limits, ..config() })
}

#[test]
fn a_thousand_hellos_of_one_key_push_out_only_each_other() {
    let mut rig = rig(HubLimits::default());
    rig.enter(1, 1, "anna");
    for conn in 1_000..2_000 {
        rig.hello(conn, 9);
        if conn % 10 == 0 {
            rig.pass(200);
        }
    }
    let inside = (1_000..2_000).filter(|conn| rig.turned_away(*conn).is_none()).count();
    assert_eq!(inside, NAMELESS_EACH);
    rig.enter(2, 2, "ben");
    assert!(rig.welcomed(2) && rig.turned_away(1).is_none());
}

#[test]
fn a_network_has_its_share_of_places_with_and_without_a_name() {
    let mut rig = rig(HubLimits { clients_per_address: 24, ..HubLimits::default() });
    let from = |conn: u64| format!("[2001:db8:1:2::{conn:x}]:5000");
    for conn in 1..=7 {
        rig.hello_from(conn, conn as u8, &from(conn));
    }
    assert_eq!([6, 7].map(|conn| rig.turned_away(conn)), [None, FULL], "a quarter may be without a name");
    rig.pass(1_000);
    rig.hello_from(8, 8, &from(8));
    assert_eq!([1, 2, 8].map(|conn| rig.turned_away(conn)), [TOO_LONG, None, None], "the oldest makes room");
    for conn in 101..=120 {
        rig.pass(1_000);
        rig.hello_from(conn, conn as u8, &from(conn));
        rig.register(conn, &format!("name-{conn}"));
        rig.commit();
    }
    for conn in 121..=130 {
        rig.hello_from(conn, conn as u8, &from(conn));
        rig.register(conn, &format!("name-{conn}"));
        rig.commit();
    }
    assert_eq!(rig.hub.roster().len(), 24);
    assert_eq!(rig.turned_away(130), FULL);
    rig.hello_from(200, 200, "[2001:db8:1:3::1]:5000");
    rig.register(200, "neighbour");
    rig.commit();
    assert!(rig.welcomed(200));
    // Who leaves gives the place back.
    rig.ask(121, r#"{"id":2,"request":"quit"}"#);
    rig.hello_from(201, 201, &from(201));
    assert_eq!(rig.turned_away(201), None);
}

#[test]
fn many_keys_of_this_machine_push_out_nobody_who_has_entered() {
    let mut rig = rig(HubLimits { clients: 100, ..HubLimits::default() });
    let from = |port: u64| format!("127.0.0.1:{port}");
    rig.hello_from(1, 1, &from(1));
    rig.register(1, "anna");
    rig.commit();
    for conn in 2..=250 {
        rig.hello_from(conn, conn as u8, &from(conn));
        rig.pass(20);
    }
    rig.pass(1_000);
    rig.hello_from(251, 251, &from(251));
    rig.register(251, "ben");
    rig.commit();
    for conn in 300..=500 {
        rig.hello_from(conn, (conn % 250) as u8, &from(conn));
        rig.pass(20);
    }
    assert!(rig.welcomed(251));
    assert_eq!([1, 251].map(|conn| rig.turned_away(conn)), [None, None]);
}

#[test]
fn a_session_has_some_time_to_enter_and_more_to_come_back() {
    let mut rig = rig(HubLimits::default());
    rig.hello(1, 1);
    rig.enter(2, 2, "ben");
    rig.enter(3, 3, "cleo");
    rig.ask(3, r#"{"id":2,"request":"dereg"}"#);
    rig.pass(299_000);
    assert_eq!(rig.turned_away(1), None);
    rig.pass(1_000);
    assert_eq!([1, 2, 3].map(|conn| rig.turned_away(conn)), [TOO_LONG, None, None]);
    rig.ask(3, r#"{"id":3,"request":"register","name":"cleo"}"#);
    rig.pass(3_600_000);
    assert_eq!(rig.state("cleo"), Some(Presence::Online));
    rig.ask(3, r#"{"id":4,"request":"dereg"}"#);
    rig.pass(3_600_000);
    assert_eq!([2, 3].map(|conn| rig.turned_away(conn)), [None, TOO_LONG]);
}

#[test]
fn who_never_entered_has_no_grace_and_who_left_has() {
    let mut rig = rig(HubLimits::default());
    rig.hello(1, 1);
    rig.enter(2, 2, "ben");
    rig.ask(2, r#"{"id":2,"request":"dereg"}"#);
    for conn in [1, 2] {
        rig.handle(Input::Disconnected { conn, reason: "reset".into() });
    }
    rig.resume(3, 1, 1);
    rig.resume(4, 2, 2);
    assert_eq!([3, 4].map(|conn| rig.hub_hello(conn).resumed), [false, true]);
}

#[test]
fn a_key_has_so_many_names_and_they_are_counted_after_a_restart() {
    let limits = HubLimits { names_per_key: 2, ..HubLimits::default() };
    let name = |name: &str| NameRecord {
        name: name.into(),
        name_key: NameKey::of(name),
        keys: vec![PublicKey([1; 32])],
        credential: None,
        since: 0,
        received: 0,
        unread: 0,
    };
    let mut rig = Rig::with_names(HubConfig { limits, ..config() }, vec![name("one")]);
    rig.enter(1, 1, "two");
    assert!(rig.welcomed(1));
    rig.hello(2, 1);
    rig.register(2, "three");
    assert_eq!(rig.code(2, 1), Some("too-many"));
    rig.ask(2, r#"{"id":2,"request":"register","name":"one"}"#);
    assert!(matches!(rig.answer(2, 2), Some(Event::Welcome(_))), "those that it has are its own");
    rig.enter(3, 3, "three");
    assert!(rig.welcomed(3), "others take theirs");
}

#[test]
fn a_key_has_made_so_many_rooms_whatever_names_it_has() {
    let limits = HubLimits { rooms_per_key: 2, ..HubLimits::default() };
    let name = |name: &str, key| NameRecord {
        name: name.into(),
        name_key: NameKey::of(name),
        keys: vec![PublicKey([key; 32])],
        credential: None,
        since: 0,
        received: 0,
        unread: 0,
    };
    let old = RoomRecord {
        room: 1,
        name: "old".into(),
        access: RoomAccess::Open,
        owner: NameKey::of("anna"),
        members: vec![(NameKey::of("anna"), 0, None)],
        name_key: NameKey::of("old"),
    };
    let names = vec![name("anna", 1), name("anna-2", 1), name("ben", 2)];
    let loaded = Loaded { names, rooms: vec![old], last_room: 1, ..Loaded::default() };
    let mut rig = Rig::with(HubConfig { limits, ..config() }, loaded);
    rig.enter(1, 1, "anna");
    rig.enter(2, 1, "anna-2");
    rig.enter(3, 2, "ben");
    let make = |rig: &mut Rig, conn, id, room: &str| {
        rig.ask(conn, &format!(r#"{{"id":{id},"request":"room-create","room":"{room}"}}"#));
        rig.commit();
        rig.code(conn, id)
    };
    assert_eq!(make(&mut rig, 1, 2, "new"), None);
    assert_eq!([make(&mut rig, 1, 3, "more"), make(&mut rig, 2, 3, "more")], [Some("too-many"); 2]);
    assert_eq!(make(&mut rig, 3, 3, "more"), None, "others make theirs");
    // A room that is gone counts no more.
    rig.ask(1, r#"{"id":4,"request":"room-leave","room":"old"}"#);
    rig.commit();
    assert_eq!(make(&mut rig, 2, 5, "another"), None);
}

#[test]
fn nobody_is_brought_into_a_room_by_whom_they_block_nor_past_their_share() {
    let limits = HubLimits { rooms_per_key: ROOMS_EACH, ..HubLimits::default() };
    let mut rig = rig(limits);
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.enter(3, 3, "cleo");
    rig.ask(2, r#"{"id":2,"request":"block","name":"anna"}"#);
    rig.ask(1, r#"{"id":2,"request":"room-create","room":"trap","members":["ben"]}"#);
    rig.ask(1, r#"{"id":3,"request":"room-create","room":"bait"}"#);
    rig.ask(1, r#"{"id":4,"request":"room-invite","room":"bait","members":["cleo","ben"]}"#);
    rig.commit();
    assert_eq!([2, 4].map(|id| rig.code(1, id)), [Some("too-many"); 2]);
    // Anna brings cleo into as many rooms as one may.
    let most = ROOMS_BY_OTHERS as i64 / ROOMS_INVITERS as i64;
    for n in 0..=most {
        rig.ask(1, &format!(r#"{{"id":{},"request":"room-create","room":"r{n}"}}"#, 100 + n));
        rig.ask(1, &format!(r#"{{"id":{},"request":"room-invite","room":"r{n}","members":["cleo"]}}"#, 1_000 + n));
        rig.commit();
        rig.pass(1_000);
    }
    let last = 1_000 + most;
    assert_eq!([last - 1, last].map(|id| rig.code(1, id)), [None, Some("too-many")]);
    let told = |id| match rig.answer(1, id) {
        Some(Event::Error(error)) => error.message.replace("ben", "NAME").replace("cleo", "NAME"),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(2), told(last), "why is nobody's business");
    // Others can bring her in, however many have done their best.
    for conn in 10..19 {
        rig.enter(conn, conn as u8, &format!("name-{conn}"));
        for n in 0..=most {
            let room = format!(r#""room-create","room":"x{conn}-{n}","access":"invite""#);
            rig.ask(conn, &format!(r#"{{"id":{},"request":{room}}}"#, 100 + n));
            let invite = format!(r#""room-invite","room":"x{conn}-{n}","members":["cleo"]"#);
            rig.ask(conn, &format!(r#"{{"id":{},"request":{invite}}}"#, 1_000 + n));
            rig.commit();
            rig.pass(1_000);
        }
        assert_eq!([1_000, 1_000 + most].map(|id| rig.code(conn, id)), [None, Some("too-many")]);
    }
    // What she has left counts no more, and neither does what she has made.
    for n in 0..most {
        rig.ask(3, &format!(r#"{{"id":{},"request":"room-leave","room":"r{n}"}}"#, 100 + n));
        rig.ask(3, &format!(r#"{{"id":{},"request":"room-create","room":"own{n}"}}"#, 1_000 + n));
        rig.commit();
        rig.pass(1_000);
    }
    rig.ask(1, r#"{"id":50,"request":"room-invite","room":"r0","members":["cleo"]}"#);
    rig.commit();
    assert_eq!(rig.code(1, 50), None);
    // She can still go somewhere by herself.
    rig.ask(2, r#"{"id":9,"request":"room-create","room":"kitchen"}"#);
    rig.ask(3, r#"{"id":9,"request":"room-join","room":"kitchen"}"#);
    rig.commit();
    assert_eq!(rig.code(3, 9), None);
}

#[test]
fn an_address_takes_so_many_names_in_a_day_whatever_keys_it_has() {
    let mut rig = rig(HubLimits { names_per_address: 3, ..HubLimits::default() });
    let enter = |rig: &mut Rig, conn: u64, address: &str| {
        rig.hello_from(conn, conn as u8, address);
        rig.register(conn, &format!("name-{conn}"));
        rig.commit();
        rig.code(conn, 1)
    };
    let codes: Vec<_> = (1..=5).map(|conn| enter(&mut rig, conn, &format!("[2001:db8::{conn}]:5000"))).collect();
    assert_eq!(codes, [None, None, None, Some("too-many"), Some("too-many")]);
    assert_eq!(enter(&mut rig, 6, "[2001:db8:0:1::1]:5000"), None, "others take theirs");
    for conn in 10..15 {
        assert_eq!(enter(&mut rig, conn, "127.0.0.1:5000"), None, "this machine is everybody on it");
    }
    // Those that it has are its own.
    rig.ask(1, r#"{"id":2,"request":"dereg"}"#);
    rig.ask(1, r#"{"id":3,"request":"register","name":"name-1"}"#);
    assert_eq!(rig.code(1, 3), None);
    rig.pass(86_400_000);
    assert_eq!(enter(&mut rig, 20, "[2001:db8::1]:5000"), None);
}

#[test]
fn neither_a_key_nor_an_address_takes_all_places_of_those_who_log_in() {
    use crate::protocol::limits::{LOGINS_WAITING_OF_ADDRESS, LOGINS_WAITING_OF_KEY};
    let limits = HubLimits { request_rate: 1_000_000, ..HubLimits::default() };
    let logins = LoginPolicy { max_failures: 1_000, ..LoginPolicy::default() };
    let mut rig = Rig::new(HubConfig { access: Access::Accounts, limits, logins, ..config() });
    let login = |rig: &mut Rig, conn: u64, id: i64| {
        let before = rig.logins.len();
        rig.ask(conn, &format!(r#"{{"id":{id},"request":"login","name":"n{id}","password":"x"}}"#));
        rig.logins.len() - before
    };
    rig.hello_from(1, 1, "10.0.0.1:5000");
    let of_key: usize = (0..20).map(|id| login(&mut rig, 1, id)).sum();
    assert_eq!(of_key, LOGINS_WAITING_OF_KEY);
    let mut of_address = of_key;
    for conn in 2..20 {
        rig.hello_from(conn, conn as u8, "10.0.0.1:5000");
        of_address += (0..20).map(|id| login(&mut rig, conn, id)).sum::<usize>();
        rig.pass(1_000);
    }
    assert_eq!(of_address, LOGINS_WAITING_OF_ADDRESS);
    rig.hello_from(30, 30, "10.0.0.2:5000");
    assert_eq!(login(&mut rig, 30, 1), 1, "others are checked");
    // What is checked makes room.
    let attempt = rig.logins[0].0;
    rig.handle(Input::Verified(attempt, None));
    rig.commit();
    assert_eq!(login(&mut rig, 1, 50), 1);
}

#[test]
fn an_address_brings_nobody_into_all_rooms_whatever_keys_it_has() {
    let mut rig = rig(HubLimits { rooms_per_key: ROOMS_EACH, ..HubLimits::default() });
    rig.enter(1, 1, "cleo");
    let invite = |rig: &mut Rig, conn: u64, address: &str| {
        rig.hello_from(conn, conn as u8, address);
        rig.register(conn, &format!("name-{conn}"));
        rig.commit();
        let brings = |n: &i64| {
            rig.ask(conn, &format!(r#"{{"id":{},"request":"room-create","room":"x{conn}-{n}"}}"#, 100 + n));
            let invite = format!(r#""room-invite","room":"x{conn}-{n}","members":["cleo"]"#);
            rig.ask(conn, &format!(r#"{{"id":{},"request":{invite}}}"#, 1_000 + n));
            rig.commit();
            rig.pass(1_000);
            rig.code(conn, 1_000 + n).is_none()
        };
        (0..40_i64).take_while(brings).count()
    };
    let brought: usize = (10..30).map(|conn| invite(&mut rig, conn, "10.0.0.9:5000")).sum();
    assert_eq!(brought, ROOMS_BY_OTHERS / ROOMS_ADDRESSES as usize);
    assert!(invite(&mut rig, 40, "10.0.0.10:5000") > 0, "others can");
}
