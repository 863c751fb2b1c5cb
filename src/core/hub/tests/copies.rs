//! Copies that the hub keeps of what others offer.

use super::gifts::{HASH, anna, content, files};
use super::*;

#[test]
fn copies_from_before_and_the_hubs_own_files_are_offered_once_they_can_be_served() {
    let copy = crate::protocol::record::CopyRecord {
        name_key: NameKey::of("anna"),
        owner: "Anna".into(),
        content: serde_json::from_str(&content("song")).unwrap(),
    };
    let names = vec![NameRecord { name: "Anna".into(), ..anna() }];
    let loaded = Loaded { names, copies: vec![copy], ..Loaded::default() };
    let mut rig = Rig::with(files(1_000), loaded.clone());
    rig.handle(Input::HubFilesChanged(vec![serde_json::from_str(&content("menu")).unwrap()], Vec::new()));
    rig.enter(2, 2, "ben");
    assert_eq!(rig.offers(), ["menu of hub"]);
    rig.handle(Input::CopyFound(HASH.parse().unwrap(), 100));
    assert_eq!(rig.offers(), ["menu of hub", "song of Anna"]);
    rig.ask(2, r#"{"id":10,"request":"get","file":"menu","from":"hub"}"#);
    assert!(matches!(rig.answer(2, 10), Some(Event::Located(_))));
    rig.handle(Input::CopyLost(HASH.parse().unwrap()));
    rig.handle(Input::HubFilesChanged(Vec::new(), vec!["menu".into(), "never there".into()]));
    assert_eq!(rig.offers(), Vec::<String>::new());

    // Its owner wants it kept before it was found: that is said when it is.
    let mut rig = Rig::with(files(1_000), loaded);
    rig.enter(1, 1, "Anna");
    rig.keep(1, 10, "song");
    assert_eq!((rig.copies.len(), rig.stored(1)), (1, vec![]));
    rig.handle(Input::CopyFound(HASH.parse().unwrap(), 100));
    assert!(!rig.hub.offers()[0].kept);
    rig.handle(Input::Copied(rig.copies[0].copy, Ok(())));
    rig.commit();
    rig.ack_all();
    assert_eq!(rig.stored(1), [("song".into(), None)]);
}

#[test]
fn what_the_hub_keeps_can_be_had_from_it_while_its_owner_is_silent_too() {
    let mut rig = Rig::new(files(1_000));
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.keep(1, 10, "song");
    rig.handle(Input::Copied(1, Ok(())));
    rig.commit();
    let sources = |rig: &Rig, id: i64| match rig.answer(2, id) {
        Some(Event::Located(located)) => located.sources.iter().map(|holder| holder.offer.owner.clone()).collect(),
        other => vec![format!("{other:?}")],
    };
    rig.ask(2, r#"{"id":10,"request":"get","file":"song","from":"anna"}"#);
    assert_eq!(sources(&rig, 10), ["anna", "hub"], "its owner comes first");
    rig.handle(Input::Disconnected { conn: 1, reason: "killed".into() });
    rig.ask(2, r#"{"id":11,"request":"get","file":"song","from":"anna"}"#);
    assert_eq!(sources(&rig, 11), ["hub", "anna"], "who does not answer comes last");
    rig.handle(Input::CopyLost(HASH.parse().unwrap()));
    rig.ask(2, r#"{"id":12,"request":"get","file":"song","from":"anna"}"#);
    assert_eq!(sources(&rig, 12), ["anna"]);
}
