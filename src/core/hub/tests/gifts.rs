//! What is for one person, and what the hub keeps and serves itself.

use super::*;
use crate::protocol::event;

pub(super) const HASH: &str = "7777777777777777777777777777777777777777777777777777777777777777";

pub(super) fn content(file: &str) -> String {
    format!(r#"{{"file":"{file}","size":100,"hash":"{HASH}","chunk_size":1048576,"chunks":1}}"#)
}

/// The same with another hash.
fn other_content(file: &str) -> String {
    content(file).replace(HASH, &"8".repeat(64))
}

impl Rig {
    fn push(&mut self, conn: ConnId, id: i64, file: &str, to: &str) {
        self.ask(conn, &format!(r#"{{"id":{id},"push":{},"to":"{to}"}}"#, content(file)));
    }

    /// What a client was told of pushes, in short.
    fn pushes(&self, conn: ConnId) -> Vec<String> {
        let told = self.wires[&conn].bodies.iter().filter_map(|line| match &line.event {
            Event::PushOffered(push) => Some(format!("{} {} from {}", push.push, push.file, push.from)),
            Event::PushGone(push) => Some(format!("{} gone", push.push)),
            Event::PushAnswered(push) => Some(format!("{} {:?}", push.push, push.answer)),
            _ => None,
        });
        told.collect()
    }

    /// What a client was told of copies: the file, and why there is none.
    pub(super) fn stored(&self, conn: ConnId) -> Vec<(String, Option<&'static str>)> {
        let told = self.wires[&conn].bodies.iter().filter_map(|line| match &line.event {
            Event::Stored(stored) => Some((stored.file.clone(), stored.code.map(|code| code.name()))),
            _ => None,
        });
        told.collect()
    }

    pub(super) fn keep(&mut self, conn: ConnId, id: i64, file: &str) {
        self.ask(conn, &format!(r#"{{"id":{id},"publish":[{}],"keep":true}}"#, content(file)));
    }
}

/// Anna, from an earlier run.
pub(super) fn anna() -> NameRecord {
    let (name, keys) = ("anna".to_owned(), vec![PublicKey([1; 32])]);
    NameRecord { name_key: NameKey::of(&name), name, keys, credential: None, since: 0, received: 0, unread: 0 }
}

pub(super) fn files(room: u64) -> HubConfig {
    let address = std::net::Ipv4Addr::UNSPECIFIED.into();
    HubConfig { files: Some(HubFiles { key: PublicKey([99; 32]), address, port: 7777, room }), ..config() }
}

#[test]
fn a_push_is_accepted_or_declined_by_whom_it_is_for() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.enter(3, 3, "cleo");
    rig.push(1, 10, "plan", "BEN");
    let Some(Event::PushAsked(asked)) = rig.answer(1, 10) else { panic!("{:?}", rig.answer(1, 10)) };
    assert_eq!((asked.push, asked.to.as_str(), asked.online), (1, "ben", true));
    assert_eq!(rig.pushes(2), ["1 plan from anna"]);
    rig.ask(3, r#"{"id":10,"request":"accept","push":1}"#);
    rig.ask(1, r#"{"id":11,"request":"accept","push":1}"#);
    assert_eq!((rig.code(3, 10), rig.code(1, 11)), (Some("no-such-push"), Some("no-such-push")));
    rig.ask(2, r#"{"id":10,"request":"accept","push":1}"#);
    let Some(Event::Located(event::Located { sources })) = rig.answer(2, 10) else { panic!() };
    assert_eq!((sources.len(), sources[0].offer.owner.as_str(), sources[0].key), (1, "anna", PublicKey([1; 32])));
    assert_eq!(rig.pushes(1), ["1 Accepted"]);
    rig.ask(2, r#"{"id":11,"request":"accept","push":1}"#);
    assert_eq!(rig.code(2, 11), Some("no-such-push"), "once");
    rig.push(1, 12, "plan", "ben");
    rig.ask(2, r#"{"id":12,"request":"decline","push":2}"#);
    assert_eq!((rig.pushes(1), rig.pushes(3).len()), (vec!["1 Accepted".into(), "2 Declined".into()], 0));
    // It is not in the table.
    assert!(rig.offers().is_empty());
}

#[test]
fn what_was_accepted_and_could_not_be_fetched_waits_again() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.enter(3, 3, "cleo");
    rig.push(1, 10, "plan", "ben");
    rig.ask(2, r#"{"not_taken":1}"#);
    rig.ask(2, r#"{"id":10,"request":"accept","push":1}"#);
    rig.ask(3, r#"{"not_taken":1}"#);
    rig.ask(2, r#"{"not_taken":1}"#);
    assert_eq!(rig.pushes(1), ["1 Accepted", "1 Waiting"]);
    rig.ask(2, r#"{"id":11,"request":"accept","push":1}"#);
    assert!(matches!(rig.answer(2, 11), Some(Event::Located(_))));
    // Who leaves before they have it finds it when they are back, unless it is over.
    rig.ask(2, r#"{"id":12,"request":"dereg"}"#);
    rig.enter(4, 2, "ben");
    assert_eq!((rig.pushes(1).len(), rig.pushes(4)), (4, vec!["1 plan from anna".to_owned()]));
    rig.ask(4, r#"{"id":10,"request":"accept","push":1}"#);
    rig.ask(1, r#"{"take_back":1}"#);
    assert_eq!(rig.pushes(4).last().map(String::as_str), Some("1 gone"));
    rig.ask(4, r#"{"not_taken":1}"#);
    rig.ask(4, r#"{"id":11,"request":"accept","push":1}"#);
    assert_eq!(rig.code(4, 11), Some("no-such-push"));
}

#[test]
fn a_push_waits_for_who_is_not_here_until_its_giver_leaves() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.ask(2, r#"{"id":10,"request":"dereg"}"#);
    rig.push(1, 10, "plan", "ben");
    rig.push(1, 11, "song", "ben");
    let Some(Event::PushAsked(asked)) = rig.answer(1, 10) else { panic!() };
    assert!(!asked.online);
    rig.enter(3, 2, "ben");
    assert_eq!(rig.pushes(3), ["1 plan from anna", "2 song from anna"]);
    rig.ask(1, r#"{"take_back":2}"#);
    rig.ask(3, r#"{"take_back":1}"#);
    assert_eq!(rig.pushes(3)[2..], ["2 gone"]);
    rig.ask(1, r#"{"id":12,"request":"dereg"}"#);
    assert_eq!(rig.pushes(3)[3..], ["1 gone"]);
    rig.ask(3, r#"{"id":11,"request":"accept","push":1}"#);
    assert_eq!(rig.code(3, 11), Some("no-such-push"));
}

#[test]
fn who_is_blocked_pushes_in_vain_and_does_not_learn_of_it() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.ask(2, r#"{"id":10,"request":"block","name":"anna"}"#);
    rig.commit();
    rig.push(1, 10, "plan", "ben");
    let Some(Event::PushAsked(asked)) = rig.answer(1, 10) else { panic!() };
    assert!(asked.online);
    assert_eq!(rig.pushes(2), Vec::<String>::new());
    rig.ask(2, r#"{"id":11,"request":"accept","push":1}"#);
    assert_eq!(rig.code(2, 11), Some("no-such-push"));
}

#[test]
fn a_push_that_cannot_be_is_refused() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    for (id, file, to, code) in [
        (10, "plan", "anna", "yourself"),
        (11, "plan", "nobody", "no-such-person"),
        (12, "../plan", "ben", "bad-name"),
        (13, "a/plan", "ben", "bad-name"),
        (14, "", "ben", "bad-name"),
    ] {
        rig.push(1, id, file, to);
        assert_eq!(rig.code(1, id), Some(code), "{file} {to}");
    }
    for id in 0..crate::protocol::limits::PUSHES as i64 {
        rig.push(1, 100 + id, "plan", "ben");
    }
    rig.push(1, 900, "plan", "ben");
    assert_eq!(rig.code(1, 900), Some("too-many"));
}

#[test]
fn a_copy_is_there_once_it_is_on_disk_and_stays_when_its_owner_is_gone() {
    let mut rig = Rig::new(files(1_000));
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.keep(1, 10, "song");
    assert!(matches!(rig.answer(1, 10), Some(Event::OfferAcked(_))));
    assert_eq!((rig.copies.len(), rig.stored(1)), (1, vec![]));
    let copy = rig.copies[0].copy;
    rig.handle(Input::Copied(copy, Ok(())));
    rig.ack_all();
    assert_eq!(rig.stored(1), [], "it is not noted yet");
    rig.commit();
    assert_eq!(rig.stored(1), [("song".into(), None)]);
    assert!(matches!(rig.persisted.last(), Some((_, Record::Copy(copy))) if copy.owner == "anna"));
    rig.ask(1, r#"{"id":11,"request":"quit"}"#);
    let offer = rig.hub.offers().remove(0);
    assert_eq!((offer.owner.as_str(), offer.kept, offer.port), ("anna", true, 7777));
    for (id, from) in [(10, ""), (11, r#","from":"anna""#), (12, r#","from":"hub""#)] {
        rig.ask(2, &format!(r#"{{"id":{id},"request":"get","file":"song"{from}}}"#));
        let Some(Event::Located(event::Located { sources })) = rig.answer(2, id) else { panic!("{from}") };
        assert_eq!((sources.len(), sources[0].key), (1, PublicKey([99; 32])));
    }
    // Its owner is back, and serves it again; then takes it back for good.
    rig.enter(3, 1, "anna");
    rig.keep(3, 10, "song");
    assert_eq!(rig.stored(3), [], "it is noted again, should the first note not be on disk");
    rig.commit();
    assert_eq!((rig.stored(3), rig.copies.len()), (vec![("song".into(), None)], 1), "it is there already");
    assert!(!rig.hub.offers()[0].kept);
    rig.ask(3, r#"{"id":11,"request":"withdraw","files":["song"]}"#);
    assert_eq!((rig.offers().len(), rig.discarded.len()), (0, 1));
    assert!(matches!(rig.persisted.last(), Some((_, Record::CopyGone { .. }))));
}

#[test]
fn copies_have_their_room_and_no_more() {
    let mut rig = Rig::new(files(150));
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.keep(1, 10, "song");
    // The same content again needs no more room, not even before the first copy is there.
    rig.keep(2, 10, "the same");
    assert_eq!((rig.copies.len(), rig.stored(2)), (2, vec![]));
    let other = other_content("other");
    rig.ask(1, &format!(r#"{{"id":11,"publish":[{other}],"keep":true}}"#));
    assert_eq!(rig.stored(1), [("other".into(), Some("no-room"))]);
    assert!(matches!(rig.answer(1, 11), Some(Event::OfferAcked(_))), "it is offered all the same");
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.keep(1, 10, "song");
    assert_eq!(rig.stored(1), [("song".into(), Some("keeps-nothing"))]);
    assert!(rig.copies.is_empty());
}

#[test]
fn a_hub_that_serves_nothing_any_more_offers_no_copy() {
    let copy = crate::protocol::record::CopyRecord {
        name_key: NameKey::of("anna"),
        owner: "anna".into(),
        content: serde_json::from_str(&content("song")).unwrap(),
    };
    let mut rig = Rig::with(config(), Loaded { names: vec![anna()], copies: vec![copy], ..Loaded::default() });
    rig.enter(1, 1, "anna");
    rig.keep(1, 10, "song");
    assert_eq!(rig.stored(1), [("song".into(), Some("keeps-nothing"))]);
    rig.ask(1, r#"{"id":11,"request":"dereg"}"#);
    assert_eq!(rig.hub.offers(), []);
    rig.ask(1, r#"{"id":12,"request":"register","name":"anna"}"#);
    rig.commit();
    // What she takes back is not there when the hub serves again.
    rig.ask(1, r#"{"id":13,"request":"withdraw","files":["song"]}"#);
    assert!(matches!(rig.persisted.last(), Some((_, Record::CopyGone { .. }))));
}

#[test]
fn who_lies_about_the_size_of_a_content_shares_nothing() {
    let mut rig = Rig::new(files(1_000));
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "mallory");
    rig.keep(1, 10, "song");
    rig.handle(Input::Copied(rig.copies[0].copy, Ok(())));
    rig.commit();
    let lie = content("zz").replace("\"size\":100", "\"size\":101");
    rig.ask(2, &format!(r#"{{"id":10,"publish":[{lie}],"keep":true}}"#));
    assert_eq!((rig.copies.len(), rig.stored(2)), (2, vec![]), "it is to be fetched, and cannot be");
    rig.handle(Input::Copied(rig.copies[1].copy, Err(ErrorCode::BadChunk.into())));
    rig.ack_all();
    assert_eq!(rig.stored(2), [("zz".into(), Some("bad-chunk"))]);
    rig.ask(1, r#"{"id":11,"request":"quit"}"#);
    assert_eq!((rig.offers(), rig.discarded.len()), (vec!["song of anna".into(), "zz of mallory".into()], 0));
}

#[test]
fn owners_take_turns_at_being_copied() {
    let mut rig = Rig::new(files(100_000));
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    for i in 0..4 {
        let file = content(&format!("a{i}")).replace(HASH, &format!("{i}").repeat(64));
        rig.ask(1, &format!(r#"{{"id":{},"publish":[{file}],"keep":true}}"#, 10 + i));
    }
    rig.keep(2, 10, "b");
    rig.handle(Input::Copied(rig.copies[0].copy, Ok(())));
    rig.handle(Input::Copied(rig.copies[1].copy, Ok(())));
    let order: Vec<&str> = rig.copies.iter().map(|plan| plan.source.offer.file.as_str()).collect();
    assert_eq!(order, ["a0", "a1", "b", "a2"]);
    // Who leaves is not waited for.
    rig.ask(1, r#"{"id":20,"request":"quit"}"#);
    rig.handle(Input::Copied(rig.copies[2].copy, Ok(())));
    assert_eq!(rig.copies.len(), 4);
}

#[test]
fn a_copy_that_is_not_wanted_any_more_is_not_kept() {
    let mut rig = Rig::new(files(1_000));
    rig.enter(1, 1, "anna");
    rig.keep(1, 10, "song");
    let copy = rig.copies[0].copy;
    rig.ask(1, r#"{"id":11,"request":"withdraw","files":["song"]}"#);
    rig.handle(Input::Copied(copy, Ok(())));
    assert_eq!((rig.discarded.len(), rig.offers().len()), (1, 0));
    // One that fails is told of, and another content under the name ends the copy of the old one.
    rig.keep(1, 12, "song");
    rig.handle(Input::Copied(rig.copies[1].copy, Err(ErrorCode::DiskFull.into())));
    rig.ack_all();
    let told = ["not-offered", "disk-full"].map(|code| ("song".to_owned(), Some(code)));
    assert_eq!(rig.stored(1), told, "whoever waits for a copy hears what becomes of it");
    rig.ask(1, r#"{"id":13,"request":"withdraw","files":["song"]}"#);
    rig.keep(1, 14, "song");
    rig.handle(Input::Copied(rig.copies[2].copy, Ok(())));
    rig.commit();
    let changed = other_content("song");
    rig.ask(1, &format!(r#"{{"id":15,"publish":[{changed}]}}"#));
    rig.ask(1, r#"{"id":16,"request":"dereg"}"#);
    assert_eq!((rig.discarded.len(), rig.offers().len()), (2, 0));
}

#[test]
fn what_was_for_a_removed_name_and_what_was_kept_for_it_goes_with_it() {
    let mut rig = Rig::new(files(1_000));
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.keep(1, 10, "song");
    rig.handle(Input::Copied(1, Ok(())));
    rig.commit();
    rig.push(2, 10, "plan", "anna");
    rig.push(1, 11, "note", "ben");
    let ben = NameRecord { name: "ben".into(), name_key: NameKey::of("ben"), keys: vec![PublicKey([2; 32])], ..anna() };
    rig.handle(Input::Names(vec![ben.clone()]));
    rig.ack_all();
    assert_eq!((rig.offers().len(), rig.discarded.len()), (0, 1), "the copy is gone, and its bytes");
    assert!(
        rig.persisted
            .iter()
            .any(|(_, record)| matches!(record, Record::CopyGone { name_key, .. } if name_key.as_str() == "anna"))
    );
    assert_eq!(rig.pushes(2), ["2 note from anna", "1 Gone", "2 gone"]);
    assert!(rig.hub.counts().iter().all(|(what, count)| !what.contains("push") || *count == 0));
    // Whoever has the name next gets nothing of it, and a restart finds nothing either.
    rig.enter(3, 3, "anna");
    assert_eq!(rig.pushes(3), [""; 0]);
    let content: Content = serde_json::from_str(&content("song")).unwrap();
    let copy = crate::protocol::record::CopyRecord { name_key: NameKey::of("anna"), owner: "anna".into(), content };
    let mut rig = Rig::with(files(1_000), Loaded { names: vec![ben], copies: vec![copy], ..Loaded::default() });
    rig.handle(Input::Tick);
    assert!(matches!(rig.persisted[..], [(_, Record::CopyGone { .. })]));
    assert_eq!(rig.discarded.len(), 1);
}

#[test]
fn whom_somebody_blocks_keeps_nobody_from_pushing_to_them() {
    let mut rig = Rig::new(HubConfig {
        limits: HubLimits { message_rate: 1_000_000, request_rate: 1_000_000, ..HubLimits::default() },
        ..config()
    });
    let (most, each) = (crate::protocol::limits::PUSHES_TO_ONE, crate::protocol::limits::PUSHES as i64);
    rig.enter(1, 1, "anna");
    for giver in 0..4 {
        rig.enter(10 + giver, 10 + giver as u8, &format!("giver-{giver}"));
        for n in 0..each {
            rig.push(10 + giver, 100 + n, "plan", "anna");
        }
    }
    assert_eq!(rig.code(10, 100 + each - 1), None);
    rig.push(10, 1_000, "plan", "anna");
    assert_eq!(rig.code(10, 1_000), Some("too-many"), "a giver has a share");
    rig.enter(2, 2, "ben");
    rig.push(2, 100, "plan", "anna");
    assert!(4 * each as usize >= most);
    assert_eq!(rig.code(2, 100), Some("too-many"));
    rig.ask(1, r#"{"id":5,"request":"block","name":"giver-0"}"#);
    rig.commit();
    rig.push(2, 101, "plan", "anna");
    assert!(matches!(rig.answer(2, 101), Some(Event::PushAsked(_))));
}
