//! Offers in pieces, and downloads in a queue.

use super::*;
use crate::protocol::limits::PUBLISH_FILES;
use crate::protocol::wire::Had;

const OTHER: &str = "1111111111111111111111111111111111111111111111111111111111111111";

pub(super) fn content(file: &str) -> Content {
    let song: Content = serde_json::from_str(&format!("{SONG}}}")).unwrap();
    Content { file: file.into(), ..song }
}

impl Rig {
    /// A hashing task gives these files.
    fn hash(&mut self, files: &[String]) {
        let task = self.tasks.pop().unwrap();
        let contents = files.iter().map(|file| content(file)).collect();
        self.handle(Input::Hashed(task, Ok(Hashed { contents, skipped: Vec::new() })));
    }

    /// The hub acknowledges the oldest offer.
    fn ack_piece(&mut self) {
        let ask = self.asked.iter().find(|ask| ask.get("publish").is_some()).unwrap();
        let offers: Vec<String> = ask["publish"]
            .as_array()
            .unwrap()
            .iter()
            .map(|content| {
                let mut offer = content.clone();
                offer["owner"] = "anna".into();
                offer["address"] = "10.0.0.1".into();
                offer["port"] = 1.into();
                offer.to_string()
            })
            .collect();
        self.answer("publish", "offer-acked", &format!(r#","offers":[{}],"revision":2"#, offers.join(",")));
    }

    /// The hub says where the file of the oldest `get` is.
    pub(super) fn locate_other(&mut self, file: &str, hash: &str) {
        let song = SONG.replace("\"song\"", &format!("\"{file}\"")).replace(&"0".repeat(64), hash);
        let offer = format!(r#"{song},"owner":"ben","address":"10.0.0.2","port":1}}"#);
        self.answer("get", "located", &format!(r#","sources":[{{"offer":{offer},"key":"{KEY}"}}]"#));
    }

    pub(super) fn get(&mut self, id: i64, file: &str) {
        self.line(&format!(r#"{{"id":{id},"request":"get","file":"{file}"}}"#));
        self.locate_other(file, OTHER);
    }

    /// Where transfers were told to stand in the queue.
    pub(super) fn places(&self) -> Vec<(u64, u64)> {
        let told = self.told.iter().filter_map(|line| match &line.event {
            Event::TransferQueued(queued) => Some((queued.transfer, queued.position)),
            _ => None,
        });
        told.collect()
    }

    pub(super) fn told_names(&self) -> Vec<&str> {
        self.told.iter().map(|line| line.event.name()).collect()
    }

    pub(super) fn upload(&mut self, upload: u64, peer: &str) {
        let (file, hash) = ("plan".into(), ContentHash([0; 32]));
        self.handle(Input::Upload(
            upload,
            UploadNote::Started { peer: peer.into(), file, size: 5, hash, route: Route::Direct },
        ));
    }
}

#[test]
fn a_peer_that_begins_uploads_without_end_is_told_of_now_and_then() {
    let mut rig = Rig::welcomed(config());
    for upload in 0..20_000 {
        rig.upload(upload, if upload == 9_999 { "carl" } else { "ben" });
        rig.handle(Input::Upload(upload, UploadNote::Failed(ErrorCode::PeerBroke.into())));
    }
    let started = |rig: &Rig| rig.told_names().iter().filter(|name| **name == "transfer-started").count();
    assert_eq!(started(&rig), 64 + 1, "others are told of all the same");
    assert!(!rig.session.transfers.has_upload(1));
    rig.pass(1_000);
    rig.upload(20_000, "ben");
    assert_eq!(started(&rig), 66);
    let last = rig.told.iter().rev().find_map(|line| match &line.event {
        Event::TransferStarted(started) => Some(started.untold),
        _ => None,
    });
    assert_eq!(last, Some(Some(20_000 - 1 - 64)));
}

#[test]
fn many_files_are_offered_piece_by_piece_and_answered_once() {
    let mut rig = Rig::welcomed(config());
    rig.handle(Input::DirChecked(0, Ok("/x".into())));
    rig.session.offers.choose_dir("/x".into());
    rig.line(r#"{"id":1,"request":"offer","files":["albums"]}"#);
    let files: Vec<String> = (0..2 * PUBLISH_FILES + 1).map(|i| format!("albums/{i:05}")).collect();
    rig.hash(&files);
    let more = |rig: &Rig| rig.asked.last().unwrap()["more"].as_u64();
    assert_eq!(more(&rig), Some(PUBLISH_FILES as u64 + 1), "room is asked for at once");
    rig.ack_piece();
    assert_eq!((rig.last(1), more(&rig)), (None, Some(1)));
    rig.ack_piece();
    rig.ack_piece();
    let acked = rig.told.iter().find_map(|line| match &line.event {
        Event::OfferAcked(acked) => Some(acked.offers.len()),
        _ => None,
    });
    assert_eq!((rig.last(1), acked), (Some("offer-acked"), Some(files.len())));
}

#[test]
fn a_piece_that_is_refused_takes_the_others_back() {
    let mut rig = Rig::welcomed(config());
    rig.session.offers.choose_dir("/x".into());
    rig.line(r#"{"id":1,"request":"offer","files":["albums"]}"#);
    let files: Vec<String> = (0..=PUBLISH_FILES).map(|i| format!("albums/{i:05}")).collect();
    rig.hash(&files);
    rig.ack_piece();
    rig.refuse("publish", "too-many-offers");
    assert_eq!((rig.last(1), rig.asks()), (Some("too-many-offers"), vec!["withdraw"]));
    assert_eq!(rig.unserved.len(), files.len());
    assert_eq!(rig.session.offers.len(), 0);
}

#[test]
fn what_is_to_be_kept_is_final_when_the_hub_has_it_all() {
    let mut rig = Rig::welcomed(config());
    rig.session.offers.choose_dir("/x".into());
    rig.line(r#"{"id":1,"request":"offer","files":["a","b"],"keep":true}"#);
    rig.line(r#"{"id":2,"request":"wait"}"#);
    rig.hash(&["a".into(), "b".into()]);
    let hash = "0".repeat(64);
    // One may be there before the answer is.
    rig.hub(&format!(r#"{{"event":"stored","file":"a","hash":"{hash}"}}"#));
    rig.ack_piece();
    assert_eq!((rig.last(1), rig.last(2)), (None, None));
    rig.hub(&format!(r#"{{"event":"stored","file":"b","hash":"{hash}"}}"#));
    assert_eq!((rig.last(1), rig.last(2)), (Some("offer-kept"), Some("waited")));
    rig.line(r#"{"id":3,"request":"offer","files":["c"],"keep":true}"#);
    rig.hash(&["c".into()]);
    rig.ack_piece();
    rig.hub(&format!(r#"{{"event":"stored","file":"c","hash":"{hash}","code":"no-room","message":"No room."}}"#));
    assert_eq!(rig.last(3), Some("no-room"));
    assert!(rig.session.offers.get("c").is_some(), "it is offered all the same");
}

#[test]
fn what_changes_on_disk_is_offered_anew_or_withdrawn() {
    let mut rig = Rig::welcomed(config());
    rig.session.offers.choose_dir("/x".into());
    rig.line(r#"{"id":1,"request":"offer","files":["a","b"]}"#);
    rig.hash(&["a".into(), "b".into()]);
    rig.ack_piece();
    let changed = Content { hash: ContentHash([9; 32]), ..content("a") };
    let gone = vec!["b".into(), "never offered".into()];
    rig.handle(Input::FilesChanged(FilesChanged { changed: vec![changed.clone()], gone }));
    assert_eq!(rig.asks(), ["publish", "gone"]);
    rig.ack_piece();
    rig.answer("gone", "withdrawn", r#","files":["b"],"revision":4"#);
    let told: Vec<&event::OfferChanged> = rig
        .told
        .iter()
        .filter_map(|line| match &line.event {
            Event::OfferChanged(changed) => Some(changed),
            _ => None,
        })
        .collect();
    assert_eq!((told[0].offers[0].hash, told[1].withdrawn.as_slice()), (changed.hash, &["b".to_owned()][..]));
    // A hub that has forgotten us is told of what there is now.
    rig.lose();
    rig.pass(100);
    rig.connect(false);
    rig.welcome("anna");
    let again = &rig.asked.iter().find(|ask| ask.get("publish").is_some()).unwrap()["publish"];
    assert_eq!((again.as_array().unwrap().len(), again[0]["hash"].as_str()), (1, Some("09".repeat(32).as_str())));
}

#[test]
fn what_comes_after_a_large_offer_sees_all_of_it() {
    let mut rig = Rig::welcomed(config());
    rig.session.offers.choose_dir("/x".into());
    rig.line(r#"{"id":1,"request":"offer","files":["albums"]}"#);
    let files: Vec<String> = (0..=PUBLISH_FILES).map(|i| format!("albums/{i:05}")).collect();
    rig.line(r#"{"id":2,"request":"list"}"#);
    rig.hash(&files);
    assert_eq!(rig.asks(), ["publish"]);
    rig.ack_piece();
    assert_eq!(rig.asks(), ["publish", "list"], "behind the last piece");
}

#[test]
fn what_changes_while_it_is_being_offered_is_offered_anew_after_that() {
    let mut rig = Rig::welcomed(config());
    rig.session.offers.choose_dir("/x".into());
    rig.line(r#"{"id":1,"request":"offer","files":["a","b"]}"#);
    rig.hash(&["a".into(), "b".into()]);
    let changed = Content { hash: ContentHash([9; 32]), ..content("a") };
    rig.handle(Input::FilesChanged(FilesChanged { changed: vec![changed], gone: vec!["b".into()] }));
    assert_eq!(rig.asks(), ["publish"]);
    rig.ack_piece();
    assert_eq!((rig.last(1), rig.asks()), (Some("offer-acked"), vec!["publish", "gone"]));
    assert_eq!(rig.session.offers.get("a").unwrap().hash, ContentHash([9; 32]));
    // A refused offer watches nothing.
    rig.ack_piece();
    rig.answer("gone", "withdrawn", r#","files":["b"],"revision":4"#);
    rig.line(r#"{"id":2,"request":"offer","files":["songs"],"watch":true}"#);
    rig.hash(&["songs/one".into()]);
    rig.refuse("publish", "too-many-offers");
    assert_eq!(rig.unserved, ["songs/one", "songs/"]);
    rig.handle(Input::FilesChanged(FilesChanged { changed: vec![content("songs/two")], gone: Vec::new() }));
    assert_eq!(rig.asks(), Vec::<&str>::new());
}

#[test]
fn a_copy_that_two_wait_for_ends_both() {
    let mut rig = Rig::welcomed(config());
    rig.session.offers.choose_dir("/x".into());
    for id in [1, 2] {
        rig.line(&format!(r#"{{"id":{id},"request":"offer","files":["a"],"keep":true}}"#));
        rig.hash(&["a".into()]);
        rig.ack_piece();
    }
    rig.hub(&format!(r#"{{"event":"stored","file":"a","hash":"{}"}}"#, "0".repeat(64)));
    assert_eq!((rig.last(1), rig.last(2)), (Some("offer-kept"), Some("offer-kept")));
    rig.line(r#"{"id":3,"request":"offer","files":["b"],"keep":true}"#);
    rig.hash(&["b".into()]);
    rig.ack_piece();
    rig.line(r#"{"id":4,"request":"dereg"}"#);
    rig.answer("dereg", "deregistered", r#","name":"anna","withdrawn":2"#);
    assert_eq!((rig.last(3), rig.last(4)), (Some("not-registered"), Some("deregistered")));
}

#[test]
fn chunks_that_complete_a_file_are_told_as_all_of_it() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"get","file":"big","chunks":[1]}"#);
    let size = SONG
        .replace("\"song\"", "\"big\"")
        .replace("\"size\":5", "\"size\":1048580")
        .replace("\"chunks\":1", "\"chunks\":2");
    let offer = format!(r#"{size},"owner":"ben","address":"10.0.0.2","port":1}}"#);
    rig.answer("get", "located", &format!(r#","sources":[{{"offer":{offer},"key":"{KEY}"}}]"#));
    rig.transfer(1, TransferNote::Started { path: "big".into(), resumed: 1_048_576, route: None });
    rig.transfer(1, TransferNote::Completed { path: "big".into(), complete: true, sources: Vec::new() });
    let sizes = rig.told.iter().filter_map(|line| match &line.event {
        Event::TransferStarted(started) => Some((started.resumed, started.size)),
        Event::TransferCompleted(done) => Some((done.resumed, done.size)),
        _ => None,
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [(1_048_576, 1_048_580); 2]);
}

#[test]
fn downloads_wait_for_others_and_are_told_their_places() {
    let mut rig = Rig::welcomed(with(|config| config.downloads.max_transfers = 1));
    for id in 1..=3 {
        rig.get(id, &format!("file{id}"));
    }
    assert_eq!((rig.fetches.clone(), rig.places()), (vec![1], vec![(2, 1), (3, 2)]));
    // Uploads take nobody's place.
    rig.upload(1, "cleo");
    rig.line(r#"{"id":5,"request":"cancel","transfer":2}"#);
    assert_eq!((rig.last(2), rig.last(5)), (Some("interrupted"), Some("cancelled")));
    assert_eq!((rig.fetches.clone(), rig.places()[2..].to_vec()), (vec![1], vec![(3, 1)]));
    rig.complete(1);
    assert_eq!(rig.fetches, [1, 3]);
    rig.complete(3);
    assert_eq!(rig.lasts(3), [Some("transfer-completed"), Some("interrupted"), Some("transfer-completed")]);
}

#[test]
fn only_chunks_that_there_are_can_be_wanted() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"get","file":"song","chunks":[0,1]}"#);
    rig.locate();
    assert_eq!((rig.last(1), rig.fetches.len()), (Some("no-such-chunk"), 0));
    rig.line(r#"{"id":2,"request":"get","file":"songs/","chunks":[0]}"#);
    assert_eq!(rig.last(2), Some("bad-request"));
}

#[test]
fn the_hub_hears_what_we_have_and_a_new_one_hears_all_of_it() {
    let mut rig = Rig::welcomed(config());
    rig.get(1, "song");
    let had = |chunk: u32| Had {
        hash: ContentHash([1; 32]),
        size: 4096,
        chunk_size: 1024,
        chunks: [chunk].into_iter().collect(),
    };
    let have = |rig: &mut Rig| {
        let asked = std::mem::take(&mut rig.asked);
        asked
            .into_iter()
            .filter_map(|ask| ask.get("have").map(|have| have[0]["chunks"].to_string()))
            .collect::<Vec<_>>()
    };
    rig.transfer(1, TransferNote::Have(vec![had(0)]));
    rig.transfer(1, TransferNote::Have(vec![had(2)]));
    assert_eq!(have(&mut rig), ["[[0,1]]", "[[2,3]]"]);
    rig.lose();
    rig.transfer(1, TransferNote::Have(vec![had(3)]));
    assert_eq!(have(&mut rig), Vec::<String>::new(), "nothing piles up while nobody listens");
    rig.pass(100);
    rig.connect(false);
    rig.welcome("anna");
    assert_eq!(have(&mut rig), ["[[0,1],[2,4]]"]);
}

#[test]
fn who_may_fetch_follows_from_what_changes_in_the_roster() {
    let mut rig = Rig::welcomed(config());
    let key = |n: u8| PublicKey([n; 32]);
    let client = |name: &str, n: u8, state: &str| {
        let (key, since) = (key(n), "2026-01-02T03:04:05.678Z");
        format!(
            r#"{{"name":"{name}","number":{n},"state":"{state}","since":"{since}","key":"{key}","address":"10.0.0.2","port":1,"link_port":2}}"#
        )
    };
    let tell = |rig: &mut Rig, full: &str, clients: &[String]| {
        let clients = clients.join(",");
        rig.hub(&format!(r#"{{"event":"roster-updated","revision":2,"total":1{full},"clients":[{clients}]}}"#));
        let all: BTreeMap<PublicKey, String> = rig.session.replica().keys().into_iter().collect();
        assert_eq!(rig.may_fetch, all, "what has changed adds up to the whole");
    };
    tell(&mut rig, r#","full":true"#, &[client("ben", 1, "online"), client("cleo", 2, "online")]);
    tell(&mut rig, "", &[client("dora", 3, "online"), client("cleo", 2, "offline")]);
    assert_eq!(rig.may_fetch, BTreeMap::from([(key(1), "ben".into()), (key(3), "dora".into())]));
    // Another machine has the name: the key of the one before counts no more.
    tell(&mut rig, "", &[client("ben", 4, "online")]);
    assert_eq!(rig.may_fetch, BTreeMap::from([(key(4), "ben".into()), (key(3), "dora".into())]));
    // One machine with two names: one of them leaves.
    tell(&mut rig, "", &[client("emil", 3, "online")]);
    tell(&mut rig, "", &[client("emil", 3, "offline")]);
    assert_eq!(rig.may_fetch.get(&key(3)), Some(&"dora".to_owned()));
    rig.line(r#"{"id":1,"request":"dereg"}"#);
    rig.answer("dereg", "deregistered", r#","name":"anna","withdrawn":0"#);
    assert!(rig.may_fetch.is_empty(), "who has left serves nobody");
}

#[test]
fn the_way_of_an_upload_is_told_where_it_begins_goes_on_and_ends() {
    let mut rig = Rig::welcomed(config());
    let (peer, file, hash) = ("ben".into(), "song".into(), ContentHash([0; 32]));
    let started = UploadNote::Started { peer, file, size: 5, hash, route: Route::Relayed };
    for note in [started, UploadNote::Progress(2), UploadNote::Way(Route::Punched), UploadNote::Progress(3)] {
        rig.handle(Input::Upload(1, note));
    }
    rig.handle(Input::Upload(1, UploadNote::Completed(5)));
    let ways = rig.told.iter().filter_map(|line| match &line.event {
        Event::TransferStarted(started) => Some(started.route),
        Event::TransferProgress(progress) => Some(progress.route),
        Event::TransferCompleted(done) => Some(done.route),
        _ => None,
    });
    let (relayed, punched) = (Some(Route::Relayed), Some(Route::Punched));
    assert_eq!(ways.collect::<Vec<_>>(), [relayed, relayed, punched, punched]);
}
