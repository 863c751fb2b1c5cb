//! What a user is told of files: in how many chunks they lie, what was nearly meant, who has them.

use serde_json::json;

use super::common::peers::{Hub, Peer, content, text};
use super::{get, offer_cut, pair};

#[test]
fn it_is_said_in_how_many_chunks_a_file_lies() {
    let hub = Hub::start(&[]);
    let mut erin = Peer::join(hub.port, "erin", &[]);
    erin.place.put("big", &content("big", 3_000_000));
    for (asked, chunks) in [(10, 6), (6, 6), (1, 1)] {
        let offer = json!({"request": "offer", "files": ["big"], "chunks": asked});
        let acked = erin.must(offer, "offer-acked");
        assert_eq!((&acked["at_most"], &acked["offers"][0]["chunks"]), (&json!(asked), &json!(chunks)), "{acked}");
    }
    assert_eq!(erin.offer("big", &content("big", 3_000_000)).get("at_most"), None);
    erin.quit();
}

#[test]
fn a_folder_without_its_slash_and_a_file_with_one_are_named() {
    let hub = Hub::start(&[]);
    let (mut erin, mut dora) = pair(&hub);
    erin.place.put("my albums/a.ogg", b"song");
    erin.must(json!({"request": "offer", "files": ["my albums"]}), "offer-acked");
    erin.offer("notes.txt", b"soup");
    for request in ["get", "chunks"] {
        let refused = dora.refused(json!({"request": request, "file": "my albums"}), "not-offered");
        let said = [text(&refused["message"]), text(&refused["hint"])];
        assert!(said[0].contains("my albums/") && said[1].contains("`get 'my albums/'`"), "{refused}");
    }
    // The line that is named works as it stands.
    dora.write("get 'my albums/'");
    dora.expect("transfer-completed");
    assert_eq!(dora.place.got("my albums/a.ogg"), b"song");
    let refused = dora.refused(get("notes.txt/"), "not-offered");
    assert!(text(&refused["hint"]).contains("`get notes.txt`"), "{refused}");
    let refused = dora.refused(json!({"request": "get", "file": "my albums", "from": "dora"}), "not-offered");
    assert!(text(&refused["message"]).contains("dora does not offer"), "{refused}");
    let refused = erin.refused(json!({"request": "withdraw", "files": ["my albums"]}), "not-offered");
    assert!(text(&refused["hint"]).contains("`withdraw 'my albums/'`"), "{refused}");
    erin.quit();
    dora.quit();
}

#[test]
fn chunks_are_asked_of_whoever_has_them() {
    let hub = Hub::start(&[]);
    let (mut erin, mut dora) = pair(&hub);
    let mut finn = Peer::join(hub.port, "finn", &[]);
    offer_cut(&mut erin, "song", &content("song", 8 << 10), 8);
    dora.must(json!({"request": "get", "file": "song", "chunks": [0, 1]}), "transfer-completed");
    let chunks = |from: &str| json!({"request": "chunks", "file": "song", "from": from});
    // What she has is told to the hub a moment later.
    let known = |finn: &mut Peer| finn.call(chunks("dora"))["event"] == "chunks";
    super::until("dora is known to have some of it", || known(&mut finn));
    for from in ["dora", "erin"] {
        let held = finn.must(chunks(from), "chunks");
        let expected = json!([{"name": "erin", "has": [[0, 8]]}, {"name": "dora", "has": [[0, 2]]}]);
        assert_eq!(held["holders"], expected, "{from}: {held}");
    }
    let refused = finn.refused(chunks("finn"), "not-offered");
    assert!(text(&refused["message"]).contains("finn does not offer song"), "{refused}");
    [erin, dora, finn].into_iter().for_each(Peer::quit);
}
