//! Offers: made, changed, taken back, found.

use potluck::protocol::{Follow, Follows};
use potluck::sim::{ClientOptions, SimConfig};

use super::play;
use super::stage::Face;

pages! {
    "setdir" setdir |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.give(anna, "films", "one.mkv", "moving");
        scene.says(anna, "offer song.ogg");
        scene.says(anna, "setdir nowhere");
        scene.says(anna, "offer notes.txt");
        scene.note("what was offered from another folder stays offered");
        scene.says(anna, "setdir films");
        scene.says(anna, "offer one.mkv");
        scene.says(anna, "list");
        scene.says(ben, r#"{"id":1,"request":"setdir","dir":"docs"}"#);
        scene.says(ben, r#"{"id":2,"request":"setdir","dir":"nowhere"}"#);
        scene.says(ben, r#"{"id":3,"request":"setdir"}"#);
    };

    "offer" offer |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg 'a b.txt' song.ogg");
        scene.says(anna, "offer notes.txt gone.txt");
        scene.says(anna, "offer ../secret");
        scene.says(anna, "offer");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["notes.txt","plan.txt"],"chunks":4}"#);
        scene.says(ben, r#"{"id":2,"request":"offer","files":["plan.txt","gone.txt"]}"#);
        scene.says(ben, r#"{"id":3,"request":"offer","files":[]}"#);
        scene.note("cleo has chosen no folder");
        let cleo = scene.join("cleo", Face::Human, ClientOptions::default());
        scene.says(cleo, "offer notes.txt");
        scene.note("much takes a while to be hashed");
        scene.give(anna, "music", "concert.flac", &"la ".repeat(700_000));
        scene.says(anna, "offer concert.flac");
        scene.give(ben, "docs", "archive.tar", &"block ".repeat(350_000));
        scene.says(ben, r#"{"id":4,"request":"offer","files":["archive.tar"]}"#);
    };

    "withdraw" withdraw |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg notes.txt");
        scene.says(anna, "withdraw song.ogg");
        scene.says(anna, "withdraw notes.txt song.ogg");
        scene.says(anna, "list");
        scene.note("a whole folder, and what is new in it from then on");
        for file in ["blue/one.ogg", "blue/two.ogg", "red.ogg"] {
            scene.give(anna, "music", file, file);
        }
        scene.says(anna, "offer --watch blue red.ogg");
        scene.says(anna, "withdraw blue");
        scene.says(anna, "withdraw blue/");
        scene.give(anna, "music", "blue/three.ogg", "not offered");
        scene.wait_ms(500);
        scene.says(anna, "list");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["notes.txt"]}"#);
        scene.says(ben, r#"{"id":2,"request":"withdraw","files":["notes.txt"]}"#);
        scene.says(ben, r#"{"id":3,"request":"withdraw","files":["notes.txt"]}"#);
    };

    "list" list |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "list");
        scene.says(anna, "offer song.ogg notes.txt");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["notes.txt"]}"#);
        scene.says(anna, "list");
        scene.says(anna, "list --owner BEN");
        scene.says(anna, "list --match SONG");
        scene.says(anna, "list --owner nobody");
        scene.says(ben, r#"{"id":2,"request":"list","owner":"anna","match":"notes"}"#);
        scene.says(ben, r#"{"id":3,"request":"list","own":"anna"}"#);
        scene.note("a part of it, and where to go on");
        scene.says(anna, "list --limit 1");
        scene.says(anna, "list --after notes.txt/anna");
        scene.says(ben, r#"{"id":4,"request":"list","limit":2}"#);
        scene.says(ben, r#"{"id":5,"request":"list","after":"notes.txt"}"#);
        scene.note("cleo follows nothing, and dora only what is new");
        let follow = |table| ClientOptions { follow: Follows { table, roster: table }, ..ClientOptions::default() };
        let cleo = scene.join("cleo", Face::Json, follow(Follow::None));
        let dora = scene.join("dora", Face::Json, follow(Follow::Changes));
        scene.says(ben, r#"{"id":6,"request":"withdraw","files":["notes.txt"]}"#);
        scene.says(cleo, r#"{"id":1,"request":"list"}"#);
        scene.says(cleo, r#"{"id":2,"request":"list","limit":1,"match":"o"}"#);
        scene.says(cleo, r#"{"id":3,"request":"list","after":"notes.txt"}"#);
        scene.says(cleo, r#"{"id":4,"request":"who"}"#);
        scene.says(cleo, r#"{"id":5,"request":"get","file":"song.ogg"}"#);
        scene.says(dora, r#"{"id":1,"request":"who","after":3}"#);
    };

    "search" search |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "search notes");
        scene.says(anna, "offer song.ogg notes.txt");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["notes.txt"]}"#);
        scene.says(ben, r#"{"id":2,"request":"offer","files":["plan.txt"],"chunks":4}"#);
        scene.note("the same name, but not the same content");
        scene.says(anna, "search NOTES");
        scene.note("who has fetched a file has it, too; who has fetched a part of it has that");
        scene.says(cleo, "get song.ogg");
        scene.says(cleo, "get plan.txt --chunks 0");
        scene.says(ben, r#"{"id":3,"request":"search","text":"song"}"#);
        scene.says(anna, "search plan");
        scene.note("a part of it, and where to go on");
        scene.says(ben, r#"{"id":9,"request":"search","text":"o","limit":2}"#);
        scene.says(ben, r#"{"id":10,"request":"search","text":"o","after":"notes.txt"}"#);
        scene.note("by the hash");
        scene.says(cleo, "search 80336B9E");
        scene.says(ben, r#"{"id":4,"request":"search","text":"80336b9e900e7b01"}"#);
        scene.says(ben, r#"{"id":5,"request":"search","text":"80336b9"}"#);
        scene.says(anna, "search");
        scene.says(ben, r#"{"id":6,"request":"search","text":""}"#);
        scene.says(anna, "dereg");
        scene.says(anna, "search notes");
    };

    "chunks" chunks |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(ben, r#"{"id":1,"request":"offer","files":["plan.txt"],"chunks":5}"#);
        scene.says(anna, "chunks plan.txt");
        scene.says(cleo, "get plan.txt --chunks 2 0");
        scene.says(anna, "chunks plan.txt");
        scene.says(ben, r#"{"id":2,"request":"chunks","file":"plan.txt"}"#);
        scene.note("only some of them");
        scene.says(anna, "chunks plan.txt 1 2");
        scene.says(anna, "chunks plan.txt 1");
        scene.says(ben, r#"{"id":3,"request":"chunks","file":"plan.txt","chunks":[0],"from":"ben"}"#);
        scene.says(anna, "chunks plan.txt 1 5");
        scene.says(ben, r#"{"id":4,"request":"chunks","file":"plan.txt","chunks":[0,9]}"#);
        scene.says(anna, "chunks plan.txt one");
        scene.says(anna, "chunks gone.txt");
        scene.says(anna, "chunks plan.txt --from cleo");
        scene.says(ben, r#"{"id":5,"request":"chunks","file":"../plan.txt"}"#);
        scene.note("anna and ben offer different notes; an empty file has no chunks");
        scene.says(anna, "offer notes.txt 'a b.txt'");
        scene.says(ben, r#"{"id":6,"request":"offer","files":["notes.txt"]}"#);
        scene.says(cleo, "chunks notes.txt");
        scene.says(cleo, "chunks notes.txt --from ben");
        scene.says(cleo, "chunks 'a b.txt'");
        scene.says(ben, r#"{"id":7,"request":"chunks","file":"notes.txt"}"#);
    };
}

/// Whole folders, what is left out of them, and what becomes of them on disk.
#[test]
fn folders() {
    play("folders", SimConfig::default(), |scene| {
        let (anna, ben) = scene.anna_and_ben();
        for (who, dir) in [(anna, "music"), (ben, "docs")] {
            for file in ["albums/one.ogg", "albums/new/two.ogg", "albums/.cover.png", "drafts/.unsaved"] {
                scene.give(who, dir, file, file);
            }
            scene.link(who, dir, "albums/latest.ogg");
        }
        scene.says(anna, "offer albums");
        scene.says(anna, "offer --hidden albums/ --watch");
        scene.says(anna, "offer drafts");
        scene.says(anna, "offer albums/latest.ogg");
        scene.says(anna, "offer nowhere/");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["albums"],"watch":true}"#);
        scene.says(ben, r#"{"id":2,"request":"offer","files":["notes.txt","drafts"]}"#);
        scene.says(ben, r#"{"id":3,"request":"offer","files":["albums/latest.ogg"]}"#);
        scene.note("files change, come and go on disk");
        for (who, dir) in [(anna, "music"), (ben, "docs")] {
            scene.give(who, dir, "albums/one.ogg", "remastered");
            scene.give(who, dir, "albums/three.ogg", "new");
            scene.give(who, dir, "three.ogg", "elsewhere");
            scene.take(who, dir, "albums/new/two.ogg");
            scene.wait_ms(500);
        }
        scene.note("everything there is");
        scene.says(anna, "offer .");
        scene.says(ben, r#"{"id":4,"request":"offer","files":["."],"hidden":true}"#);
        scene.says(ben, r#"{"id":5,"request":"withdraw","files":["albums/"]}"#);
        scene.says(anna, "list --owner ben");
    });
}

#[test]
fn offer_keep() {
    play("offer-keep", SimConfig { files: Some(6_000), ..SimConfig::default() }, |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.note("the hub was started with --keep-files, and room for 6,000 bytes");
        scene.says(anna, "offer notes.txt --keep");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["plan.txt"],"keep":true}"#);
        scene.note("what has no room is offered all the same");
        scene.give(anna, "music", "concert.flac", &"la ".repeat(700));
        scene.says(anna, "offer concert.flac --keep");
        scene.note("ben leaves, and his file can still be had");
        scene.says(ben, r#"{"id":2,"request":"quit"}"#);
        scene.says(anna, "list --owner ben");
        scene.says(anna, "get plan.txt ben");
        assert!(scene.sim.downloads(scene.client(anna)).contains_key("plan.txt"));
    });
}
