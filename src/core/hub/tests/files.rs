//! Who has which content, and what is told of it.

use super::*;
use crate::protocol::limits::{HOLDERS, PARTIAL_HOLDINGS};
use crate::protocol::{ContentHash, event};

/// The hash of a content by a digit.
fn hash(digit: u8) -> String {
    digit.to_string().repeat(64)
}

/// A content of eight chunks.
fn content(file: &str, digit: u8) -> String {
    format!(r#"{{"file":"{file}","size":8192,"hash":"{}","chunk_size":1024,"chunks":8}}"#, hash(digit))
}

impl Rig {
    fn publish(&mut self, conn: ConnId, id: i64, file: &str, digit: u8) {
        self.ask(conn, &format!(r#"{{"id":{id},"publish":[{}]}}"#, content(file, digit)));
    }

    fn have(&mut self, conn: ConnId, digit: u8, chunks: &str) {
        let hash = hash(digit);
        self.ask(conn, &format!(r#"{{"have":[{{"hash":"{hash}","size":8192,"chunk_size":1024,"chunks":{chunks}}}]}}"#));
    }

    /// The names in an answer to `get`, with what each has.
    fn located(&self, conn: ConnId, id: i64) -> Vec<(String, Option<String>)> {
        match self.answer(conn, id) {
            Some(Event::Located(located)) => sources(located.sources.clone()),
            other => panic!("{other:?}"),
        }
    }

    /// What a client was told of others who have more.
    fn news(&self, conn: ConnId) -> Vec<Vec<(String, Option<String>)>> {
        let updates = self.wires[&conn].bodies.iter().filter_map(|line| match &line.event {
            Event::SourcesUpdated(update) => Some(sources(update.sources.clone())),
            _ => None,
        });
        updates.collect()
    }
}

fn sources(sources: Vec<event::Holder>) -> Vec<(String, Option<String>)> {
    let has = |holder: &event::Holder| holder.has.as_ref().map(|has| serde_json::to_string(has).unwrap());
    sources.into_iter().map(|holder| (holder.offer.owner.clone(), has(&holder))).collect()
}

fn all(name: &str) -> (String, Option<String>) {
    (name.to_owned(), None)
}

fn part(name: &str, has: &str) -> (String, Option<String>) {
    (name.to_owned(), Some(has.to_owned()))
}

/// Anna, ben, cleo and dora; anna offers a song.
fn party() -> Rig {
    let mut rig = Rig::new(config());
    for (conn, name) in (1..).zip(["anna", "ben", "cleo", "dora"]) {
        rig.enter(conn, conn as u8, name);
    }
    rig.publish(1, 10, "song", 7);
    rig.pass(100);
    rig
}

#[test]
fn everybody_who_has_the_content_is_named_whatever_they_call_it() {
    let mut rig = party();
    rig.publish(2, 10, "the same", 7);
    rig.have(3, 7, "[[0,3]]");
    rig.have(3, 7, "[[5,6]]");
    rig.ask(4, r#"{"id":10,"request":"get","file":"song"}"#);
    assert_eq!(rig.located(4, 10), [all("anna"), all("ben"), part("cleo", "[[0,3],[5,6]]")]);
    // Whom one names comes first; but the content is what counts.
    rig.ask(4, r#"{"id":11,"request":"get","file":"the same","from":"BEN"}"#);
    assert_eq!(rig.located(4, 11), [all("ben"), all("anna"), part("cleo", "[[0,3],[5,6]]")]);
    // One's own part is no source.
    rig.ask(3, r#"{"id":12,"request":"get","file":"song"}"#);
    assert_eq!(rig.located(3, 12), [all("anna"), all("ben")]);
    rig.ask(1, r#"{"id":13,"request":"get","file":"song"}"#);
    assert_eq!(rig.code(1, 13), Some("own-file"));
    // What is complete is told as that; what is given up is forgotten; who leaves takes it along.
    rig.have(3, 7, "[[0,8]]");
    rig.ask(4, r#"{"id":14,"request":"get","file":"song"}"#);
    assert_eq!(rig.located(4, 14), [all("anna"), all("ben"), all("cleo")]);
    rig.have(3, 7, "[]");
    rig.ask(2, r#"{"id":15,"request":"dereg"}"#);
    rig.ask(4, r#"{"id":16,"request":"get","file":"song"}"#);
    assert_eq!(rig.located(4, 16), [all("anna")]);
}

#[test]
fn what_cannot_be_had_is_not_believed() {
    let mut rig = party();
    rig.have(2, 7, "[[0,9]]");
    rig.have(2, 7, r#"[[3,1]]"#);
    rig.ask(2, &format!(r#"{{"have":[{{"hash":"{}","size":8192,"chunk_size":1000,"chunks":[[0,1]]}}]}}"#, hash(7)));
    // Chunks of another size than the offer's are not ours to count.
    rig.ask(2, &format!(r#"{{"have":[{{"hash":"{}","size":8192,"chunk_size":2048,"chunks":[[0,1]]}}]}}"#, hash(7)));
    rig.ask(4, r#"{"id":10,"request":"get","file":"song"}"#);
    assert_eq!(rig.located(4, 10), [all("anna")]);
    // A client has parts of so many contents at most; the others are not noted.
    for i in 0..PARTIAL_HOLDINGS + 50 {
        let had = format!(r#"{{"hash":"{i:064x}","size":8192,"chunk_size":1024,"chunks":[[0,1]]}}"#);
        rig.ask(3, &format!(r#"{{"have":[{had}]}}"#));
    }
    let known = |rig: &Rig| {
        let hashes = (0..PARTIAL_HOLDINGS + 50).map(|i| format!("{i:064x}").parse::<ContentHash>().unwrap());
        hashes.filter(|hash| rig.hub.files.holders.had(hash).count() == 1).count()
    };
    assert_eq!(known(&rig), PARTIAL_HOLDINGS);
    rig.ask(3, r#"{"id":20,"request":"dereg"}"#);
    assert_eq!(known(&rig), 0);
}

#[test]
fn who_fetches_hears_in_batches_who_has_more_until_they_have_settled() {
    let mut rig = party();
    rig.ask(3, r#"{"id":10,"request":"get","file":"song"}"#);
    rig.ask(4, r#"{"id":10,"request":"get","file":"song"}"#);
    rig.have(3, 7, "[[0,1]]");
    rig.have(3, 7, "[[1,2]]");
    rig.have(4, 7, "[[7,8]]");
    assert_eq!(rig.news(4), Vec::<Vec<_>>::new());
    rig.pass(300);
    assert_eq!(rig.news(3), [[part("dora", "[[7,8]]")]]);
    assert_eq!(rig.news(4), [[part("cleo", "[[0,2]]")]]);
    assert!(rig.news(2).is_empty() && rig.news(1).is_empty(), "they do not fetch it");
    // Another one who offers it is news, too.
    rig.ask(4, &format!(r#"{{"settled":"{}"}}"#, hash(7)));
    rig.publish(2, 11, "more of it", 7);
    rig.pass(300);
    assert_eq!(rig.news(3).last().unwrap(), &[all("ben")]);
    assert_eq!(rig.news(4).len(), 1, "dora has settled");
}

#[test]
fn a_crowd_of_holders_is_named_in_part() {
    let mut rig = Rig::new(config());
    for i in 0..HOLDERS as u64 + 10 {
        rig.enter(i + 1, i as u8, &format!("peer{i:02}"));
        rig.publish(i + 1, 10, "song", 7);
    }
    rig.enter(200, 200, "zoe");
    rig.ask(200, r#"{"id":10,"request":"get","file":"song"}"#);
    assert_eq!(rig.located(200, 10).len(), HOLDERS);
}

#[test]
fn chunks_and_search_say_who_has_what() {
    let mut rig = party();
    rig.have(2, 7, "[[0,3],[5,6]]");
    rig.publish(3, 10, "sub/Song of songs", 8);
    let chunks = |rig: &Rig, id| match rig.answer(4, id) {
        Some(Event::Chunks(chunks)) => {
            let has = |holder: &crate::protocol::types::ChunkHolder| serde_json::to_string(&holder.has).unwrap();
            chunks.holders.iter().map(|holder| format!("{} {}", holder.name, has(holder))).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    rig.ask(4, r#"{"id":10,"request":"chunks","file":"song"}"#);
    assert_eq!(chunks(&rig, 10), ["anna [[0,8]]", "ben [[0,3],[5,6]]"]);
    rig.ask(4, r#"{"id":11,"request":"chunks","file":"song","chunks":[5,7]}"#);
    assert_eq!(chunks(&rig, 11), ["anna [[5,6],[7,8]]", "ben [[5,6]]"]);
    rig.ask(4, r#"{"id":12,"request":"chunks","file":"song","chunks":[4]}"#);
    assert_eq!(chunks(&rig, 12), ["anna [[4,5]]"]);
    rig.ask(4, r#"{"id":13,"request":"chunks","file":"song","chunks":[1,8]}"#);
    assert_eq!(rig.code(4, 13), Some("no-such-chunk"));
    rig.ask(4, r#"{"id":14,"request":"chunks","file":"nothing"}"#);
    assert_eq!(rig.code(4, 14), Some("not-offered"));

    let found = |rig: &Rig, id| match rig.answer(4, id) {
        Some(Event::Found(found)) => {
            let holder = |holder: &crate::protocol::types::Holding| format!("{}:{}", holder.name, holder.chunks);
            let holders = |file: &crate::protocol::types::FoundFile| {
                file.holders.iter().map(holder).collect::<Vec<_>>().join(" ")
            };
            found.files.iter().map(|file| format!("{}: {}", file.file, holders(file))).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    rig.ask(4, r#"{"id":20,"request":"search","text":" SONG "}"#);
    assert_eq!(found(&rig, 20), ["song: anna:8 ben:4", "sub/Song of songs: cleo:8"]);
    rig.ask(4, r#"{"id":21,"request":"search","text":"77777777"}"#);
    assert_eq!(found(&rig, 21), ["song: anna:8 ben:4"]);
    rig.ask(4, r#"{"id":22,"request":"search","text":"7777777"}"#);
    assert_eq!(found(&rig, 22), Vec::<String>::new(), "seven digits are a name");
    rig.ask(4, r#"{"id":23,"request":"search","text":"  "}"#);
    assert_eq!(rig.code(4, 23), Some("bad-request"));
}

#[test]
fn a_folder_is_looked_up_where_the_table_is() {
    let mut rig = party();
    rig.publish(1, 11, "sub/one", 1);
    rig.publish(2, 10, "sub/two", 2);
    rig.ask(4, r#"{"id":10,"request":"get","file":"sub/"}"#);
    assert!(matches!(rig.answer(4, 10), Some(Event::Synced(_))));
    assert_eq!(rig.updates(4).last().map(|(added, ..)| *added), Some(2), "the table is told before");
    rig.ask(4, r#"{"id":11,"request":"get","file":"su/"}"#);
    assert_eq!(rig.code(4, 11), Some("not-offered"));
    rig.ask(4, r#"{"id":12,"request":"get","file":"sub/","from":"cleo"}"#);
    assert_eq!(rig.code(4, 12), Some("not-offered"));
    rig.ask(2, r#"{"id":13,"request":"get","file":"sub/","from":"ben"}"#);
    assert_eq!(rig.code(2, 13), Some("own-file"));
    rig.ask(1, r#"{"id":14,"request":"withdraw","files":["sub/"]}"#);
    assert_eq!(rig.offers(), ["song of anna", "sub/two of ben"]);
    rig.ask(1, r#"{"id":15,"request":"withdraw","files":["sub/"]}"#);
    assert_eq!(rig.code(1, 15), Some("not-offered"));
}

#[test]
fn room_is_asked_for_all_pieces_at_once() {
    let limits = HubLimits { offers: 3, ..HubLimits::default() };
    let mut rig = Rig::new(HubConfig { limits, ..config() });
    rig.enter(1, 1, "anna");
    rig.ask(1, &format!(r#"{{"id":10,"publish":[{}],"more":3}}"#, content("one", 1)));
    assert_eq!((rig.code(1, 10), rig.offers().len()), (Some("too-many-offers"), 0));
    rig.ask(1, &format!(r#"{{"id":11,"publish":[{}],"more":18446744073709551615}}"#, content("one", 1)));
    assert_eq!(rig.code(1, 11), Some("too-many-offers"));
    rig.ask(1, &format!(r#"{{"id":12,"publish":[{}],"more":2}}"#, content("one", 1)));
    assert_eq!(rig.offers(), ["one of anna"]);
}

#[test]
fn what_others_have_fetched_outlives_its_owner() {
    let mut rig = party();
    rig.have(2, 7, "[[0,8]]");
    rig.have(3, 7, "[[0,2]]");
    rig.ask(1, r#"{"id":11,"request":"quit"}"#);
    assert_eq!(rig.offers(), Vec::<String>::new(), "nobody offers it");
    rig.ask(4, r#"{"id":10,"request":"get","file":"song"}"#);
    assert_eq!(rig.located(4, 10), [all("ben"), part("cleo", "[[0,2]]")]);
    rig.ask(4, r#"{"id":11,"request":"get","file":"song","from":"anna"}"#);
    assert_eq!(rig.located(4, 11).len(), 2);
    rig.ask(4, r#"{"id":12,"request":"get","file":"song","from":"ben"}"#);
    assert_eq!(rig.code(4, 12), Some("not-offered"));
    rig.ask(4, r#"{"id":13,"request":"search","text":"song"}"#);
    let Some(Event::Found(found)) = rig.answer(4, 13) else { panic!() };
    assert_eq!(found.files[0].holders.iter().map(|holder| holder.name.as_str()).collect::<Vec<_>>(), ["ben", "cleo"]);
    rig.ask(4, r#"{"id":14,"request":"chunks","file":"song"}"#);
    assert!(matches!(rig.answer(4, 14), Some(Event::Chunks(chunks)) if chunks.holders.len() == 2));
    // When nobody has any of it, it is forgotten.
    rig.ask(2, r#"{"id":15,"request":"quit"}"#);
    rig.ask(3, r#"{"id":15,"request":"dereg"}"#);
    rig.ask(4, r#"{"id":16,"request":"get","file":"song"}"#);
    assert_eq!(rig.code(4, 16), Some("not-offered"));
    // What its owner takes back is not to be had by its name.
    let mut rig = party();
    rig.have(2, 7, "[[0,8]]");
    rig.ask(1, r#"{"id":11,"request":"withdraw","files":["song"]}"#);
    rig.ask(4, r#"{"id":10,"request":"get","file":"song"}"#);
    assert_eq!(rig.code(4, 10), Some("not-offered"));
}
