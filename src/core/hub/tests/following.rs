//! Who follows what, and what is asked page by page.

use super::*;
use crate::protocol::limits::{FOLLOWED_OFFERS, PAGE_LOOKS, PUBLISH_FILES};
use crate::protocol::{Follow, Follows, to_json};

impl Rig {
    /// Somebody enters who follows this.
    fn enter_following(&mut self, conn: ConnId, key: u8, name: &str, table: Follow, roster: Follow) {
        self.connect(conn, key);
        let follow = to_json(&Follows { table, roster });
        self.line(
            conn,
            &format!(r#"{{"hello":"potluck-link/1","received":0,"port":40001,"link_port":45001,"follow":{follow}}}"#),
        );
        self.register(conn, name);
        self.commit();
        self.pass(100);
    }

    fn told(&self, conn: ConnId) -> Vec<&'static str> {
        self.wires[&conn].bodies.iter().filter(|line| !line.last).map(|line| line.event.name()).collect()
    }

    fn introduced(&self, conn: ConnId) -> Vec<(String, Presence)> {
        let client = |line: &EventLine| match &line.event {
            Event::Introduced(introduced) => Some((introduced.client.name.clone(), introduced.client.state)),
            _ => None,
        };
        self.wires[&conn].bodies.iter().filter_map(client).collect()
    }
}

fn names(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|i| format!("Albums/{:03}/song-{i:06}", i / 100)).collect()
}

fn offer_all(rig: &mut Rig, conn: ConnId, files: &[String]) {
    for (id, piece) in (1_000..).zip(files.chunks(PUBLISH_FILES)) {
        rig.offer(conn, id, piece);
        rig.pass(1_000);
    }
}

#[test]
fn who_follows_nothing_is_told_nothing_and_asks_for_pages() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter_following(2, 2, "ben", Follow::None, Follow::None);
    let files = names(0, 10_000);
    offer_all(&mut rig, 1, &files);
    rig.enter(3, 3, "cleo");
    assert_eq!(rig.told(2), Vec::<&str>::new());
    let (mut after, mut listed, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let id = 10 + pages;
        rig.ask(2, &format!(r#"{{"id":{id},"request":"list"{after}}}"#));
        let Some(Event::TablePage(page)) = rig.answer(2, id) else { panic!("{:?}", rig.answer(2, id)) };
        assert!(to_json(page).len() <= crate::protocol::limits::ANSWER_BYTES, "a page is no more than an answer");
        assert_eq!(page.revision, rig.hub.revision());
        listed.extend(page.offers.iter().map(|offer| offer.file.clone()));
        pages += 1;
        let Some(next) = &page.next else { break };
        after = format!(r#","after":"{next}""#);
    }
    assert_eq!(listed, files);
    assert!(pages > 5, "{pages}");
    rig.ask(2, r#"{"id":100,"request":"list","limit":2,"after":"Albums/099/song-009997/anna"}"#);
    let Some(Event::TablePage(page)) = rig.answer(2, 100) else { panic!() };
    assert_eq!((page.offers.len(), &page.next), (2, &None), "the last two");
    rig.ask(2, r#"{"id":101,"request":"list","after":"nothing"}"#);
    assert_eq!(rig.code(2, 101), Some("bad-request"));
    rig.ask(2, r#"{"id":102,"request":"who"}"#);
    let Some(Event::RosterPage(page)) = rig.answer(2, 102) else { panic!() };
    assert_eq!(page.clients.iter().map(|client| client.name.as_str()).collect::<Vec<_>>(), ["anna", "ben", "cleo"]);
    rig.ask(2, r#"{"id":103,"request":"who","after":2}"#);
    let Some(Event::RosterPage(page)) = rig.answer(2, 103) else { panic!() };
    assert_eq!(page.clients.iter().map(|client| client.name.as_str()).collect::<Vec<_>>(), ["cleo"]);
}

#[test]
fn who_follows_changes_is_told_what_is_new() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.offer(1, 10, &["old".into()]);
    rig.enter_following(2, 2, "ben", Follow::Changes, Follow::Changes);
    assert_eq!(rig.updates(2), []);
    rig.offer(1, 11, &["new".into()]);
    rig.ask(1, r#"{"id":12,"request":"withdraw","files":["old"]}"#);
    rig.pass(100);
    assert_eq!(rig.updates(2), [(1, 1, 1)]);
    let full = |line: &EventLine| matches!(&line.event, Event::TableUpdated(update) if update.full);
    assert!(!rig.wires[&2].bodies.iter().any(full));
    assert_eq!(rig.told(2), ["table-updated"], "nobody came or went");
    rig.enter(3, 3, "cleo");
    assert_eq!(rig.told(2), ["table-updated", "roster-updated"]);
}

#[test]
fn a_table_that_is_too_large_is_followed_no_more_and_that_is_said_once() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    offer_all(&mut rig, 1, &names(0, FOLLOWED_OFFERS - 1));
    rig.forget(2);
    rig.offer(2, 10, &names(0, 3));
    rig.pass(100);
    assert_eq!(rig.told(2), ["table-unfollowed"]);
    rig.forget(2);
    rig.offer(2, 11, &names(3, 6));
    rig.enter(3, 3, "cleo");
    rig.pass(100);
    assert_eq!(rig.told(2), ["roster-updated"]);
    // Who comes is told so at once, and of nothing else in the table.
    assert_eq!(rig.told(3), ["table-unfollowed", "roster-updated"]);
    rig.ask(3, r#"{"id":10,"request":"list","limit":1}"#);
    assert!(matches!(rig.answer(3, 10), Some(Event::TablePage(page)) if page.offers.len() == 1 && page.next.is_some()));
}

#[test]
fn a_search_goes_on_where_it_ended() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    offer_all(&mut rig, 1, &names(0, 2 * PAGE_LOOKS));
    let search = |rig: &mut Rig, id, text: &str, after: &Option<String>, limit: &str| {
        let after = after.as_ref().map_or(String::new(), |after| format!(r#","after":"{after}""#));
        rig.ask(1, &format!(r#"{{"id":{id},"request":"search","text":"{text}"{after}{limit}}}"#));
        let Some(Event::Found(found)) = rig.answer(1, id) else { panic!("{:?}", rig.answer(1, id)) };
        assert_eq!(found.more, found.next.is_some());
        (found.files.iter().map(|file| file.file.clone()).collect::<Vec<_>>(), found.next.clone())
    };
    // What is in few names is found at once.
    assert_eq!(search(&mut rig, 10, "SONG-012345", &None, "").0, ["Albums/123/song-012345"]);
    assert_eq!(search(&mut rig, 11, "nowhere", &None, ""), (vec![], None));
    // What is in all names comes page by page.
    let (mut found, mut next, mut id) = (Vec::new(), None, 100);
    for limit in ["", r#","limit":7"#, r#","limit":1"#] {
        let (files, after) = search(&mut rig, id, "songs", &next, limit);
        assert_eq!((files, after), (vec![], None), "it is not in any");
        let (files, after) = search(&mut rig, id + 1, "song", &next, limit);
        (next, id) = (after, id + 2);
        found.extend(files);
    }
    assert_eq!(found, names(0, 208));
}

#[test]
fn those_who_have_to_do_with_each_other_are_introduced() {
    let mut rig = Rig::new(config());
    rig.enter_following(1, 1, "anna", Follow::None, Follow::None);
    rig.enter_following(2, 2, "ben", Follow::None, Follow::None);
    rig.enter_following(3, 3, "cleo", Follow::None, Follow::None);
    rig.offer(1, 10, &["sub/a".into(), "b".into()]);
    rig.ask(2, r#"{"id":10,"request":"get","file":"b"}"#);
    assert!(matches!(rig.answer(2, 10), Some(Event::Located(located)) if located.sources.len() == 1));
    assert_eq!(rig.introduced(1), [("ben".to_owned(), Presence::Online)], "who is about to be asked knows who asks");
    rig.ask(3, r#"{"id":10,"request":"get","file":"sub/"}"#);
    assert!(matches!(rig.answer(3, 10), Some(Event::TablePage(page)) if page.offers.len() == 1));
    assert_eq!(rig.introduced(3), [("anna".to_owned(), Presence::Online)], "who asks knows whose files these are");
    assert_eq!(rig.introduced(1).last(), Some(&("cleo".to_owned(), Presence::Online)));
    rig.ask(2, r#"{"id":11,"request":"private-open","to":"cleo"}"#);
    assert_eq!(rig.answer(2, 11).map(Event::name), Some("synced"));
    assert_eq!(rig.introduced(2), [("cleo".to_owned(), Presence::Online)]);
    rig.ask(2, r#"{"id":12,"request":"dereg"}"#);
    rig.pass(100);
    assert_eq!(rig.introduced(1).last(), Some(&("ben".to_owned(), Presence::Offline)), "nobody else may fetch");
    assert_eq!(rig.introduced(3).last(), Some(&("ben".to_owned(), Presence::Offline)));
    assert!(rig.told(1).iter().all(|event| *event == "introduced"));
}
