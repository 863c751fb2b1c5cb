//! Transfers: begun, queued, from several sources, stopped.

use potluck::sim::{ClientOptions, SimConfig};

use super::stage::{Face, Stage, Who};
use super::{SENDING_LONG, play};

pages! {
    "get" get |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg notes.txt");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["notes.txt","plan.txt"]}"#);
        scene.says(anna, "get plan.txt ben");
        scene.says(anna, "get gone.txt");
        scene.says(anna, "get song.ogg ben");
        scene.says(anna, "get song.ogg");
        scene.says(anna, "get plan.txt --to ../plan.txt");
        scene.note("what is here already is done, and another file of that name is not replaced");
        scene.says(anna, "get plan.txt");
        scene.says(anna, "get notes.txt ben --to plan.txt");
        scene.says(ben, r#"{"id":2,"request":"get","file":"song.ogg","from":"anna","to":"music/song.ogg"}"#);
        scene.says(ben, r#"{"id":3,"request":"get","file":"song.ogg","from":"cleo"}"#);
        scene.note("two people offer different notes, so cleo must say whose she wants");
        let cleo = scene.join("cleo", Face::Human, ClientOptions::default());
        scene.says(cleo, "get notes.txt");
        scene.says(cleo, "request notes.txt ANNA");
        scene.says(cleo, "get notes.txt ben --on-conflict overwrite");
        scene.note("nothing is fetched twice from oneself, and nobody outside the table fetches");
        scene.says(ben, r#"{"id":4,"request":"get","file":"plan.txt","from":"ben"}"#);
        scene.says(ben, r#"{"id":5,"request":"get","file":"notes.txt","chunks":[]}"#);
        scene.says(cleo, "dereg");
        scene.says(cleo, "get plan.txt");
        for (who, file) in [(anna, "plan.txt"), (ben, "music/song.ogg"), (cleo, "notes.txt")] {
            assert!(scene.sim.downloads(scene.client(who)).contains_key(file), "{file} has arrived");
        }
    };

    "transfers" transfers |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(ben, r#"{"id":1,"request":"offer","files":["notes.txt","plan.txt"]}"#);
        scene.says(anna, "offer song.ogg notes.txt");
        scene.says(anna, "transfers");
        scene.types(anna, "get plan.txt");
        scene.wait_ms(200);
        scene.types(anna, "transfers");
        scene.types(ben, r#"{"id":2,"request":"transfers"}"#);
        scene.wait_ms(500);
        scene.says(ben, r#"{"id":3,"request":"transfers"}"#);
        scene.note("a push waits until it is accepted");
        scene.says(anna, "push song.ogg ben");
        scene.says(anna, "transfers");
        scene.note("cleo and dora fetch one file at a time; dora is a program");
        let one = || ClientOptions { max_transfers: Some(1), ..ClientOptions::default() };
        let cleo = scene.join("cleo", Face::Human, one());
        let dora = scene.join("dora", Face::Json, one());
        for line in ["get plan.txt", "get notes.txt anna", "get song.ogg"] {
            scene.types(cleo, line);
        }
        scene.wait_ms(200);
        scene.says(cleo, "transfers");
        scene.types(dora, r#"{"id":1,"request":"get","file":"plan.txt"}"#);
        scene.types(dora, r#"{"id":2,"request":"get","file":"song.ogg"}"#);
        scene.wait_ms(200);
        scene.says(dora, r#"{"id":3,"request":"transfers"}"#);
    };

    "cancel" cancel |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["plan.txt"],"chunks":4}"#);
        scene.says(anna, "cancel 1");
        scene.types(anna, "get plan.txt");
        scene.wait_ms(200);
        scene.says(anna, "cancel 1");
        assert!(scene.sim.downloads(scene.client(anna)).is_empty(), "a cancelled file does not arrive");
        scene.note("the same again goes on from what is there");
        scene.says(anna, "get plan.txt");
        scene.note("both sides can stop it, and `cancel` overtakes `wait`");
        scene.types(ben, r#"{"id":2,"request":"get","file":"song.ogg"}"#);
        scene.types(ben, r#"{"id":3,"request":"wait"}"#);
        scene.wait_ms(150);
        scene.says(ben, r#"{"id":4,"request":"cancel","transfer":3}"#);
        scene.says(ben, r#"{"id":5,"request":"cancel","transfer":3}"#);
        scene.types(ben, r#"{"id":6,"request":"get","file":"song.ogg"}"#);
        scene.wait_ms(150);
        scene.says(anna, "cancel 4");
        scene.note("a push can be taken back");
        scene.says(anna, "push song.ogg ben");
        scene.says(anna, "cancel 5");
        scene.says(ben, r#"{"id":7,"request":"push","file":"plan.txt","to":"anna"}"#);
        scene.says(ben, r#"{"id":8,"request":"cancel","transfer":6}"#);
        queued_are_cancelled(scene);
    };
}

/// What waits for others to end can be cancelled, too.
fn queued_are_cancelled(scene: &mut Stage) {
    scene.note("cleo fetches one file at a time; what waits is cancelled at once, and the next moves up");
    let cleo = scene.join("cleo", Face::Human, ClientOptions { max_transfers: Some(1), ..ClientOptions::default() });
    for line in ["get plan.txt", "get song.ogg", "get plan.txt --to again.txt"] {
        scene.types(cleo, line);
    }
    scene.wait_ms(8);
    scene.says(cleo, "cancel 2");
    scene.wait_ms(200);
}

/// A file from several people, in parts, and on from what is there.
#[test]
fn sources() {
    let config = SimConfig { sending: SENDING_LONG, ..SimConfig::default() };
    play("sources", config, |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        let dora = scene.join("dora", Face::Json, ClientOptions::default());
        scene.give(anna, "music", "plan.txt", &"step ".repeat(1_000));
        scene.note("anna and ben offer the same file");
        scene.says(anna, "offer plan.txt --chunks 5");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["plan.txt"],"chunks":5}"#);
        scene.note("two chunks of it, then the rest");
        scene.says(cleo, "get plan.txt --chunks 4 1");
        scene.wait_ms(1_500);
        scene.says(cleo, "get plan.txt --chunks 5");
        scene.says(cleo, "get plan.txt");
        scene.wait_ms(1_500);
        scene.says(dora, r#"{"id":1,"request":"get","file":"plan.txt","chunks":[3,0]}"#);
        scene.wait_ms(1_500);
        scene.says(dora, r#"{"id":2,"request":"get","file":"plan.txt","chunks":[7]}"#);
        scene.note("ben's machine loses its power, and the hub has not noticed yet");
        let client = scene.client(ben);
        scene.sim.power_off(client);
        scene.says(dora, r#"{"id":3,"request":"get","file":"plan.txt"}"#);
        scene.wait_ms(1_500);
        scene.says(cleo, "get plan.txt --to copy.txt");
        scene.wait_ms(1_500);
        scene.says(cleo, "get plan.txt ben --to again.txt");
        scene.wait_ms(1_500);
        for (who, file) in [(cleo, "plan.txt"), (dora, "plan.txt"), (cleo, "copy.txt")] {
            assert!(scene.sim.downloads(scene.client(who)).contains_key(file), "{file} has arrived");
        }
    });
}

/// Whole folders.
#[test]
fn folders() {
    play("get-folder", SimConfig::default(), |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        for file in ["albums/one.ogg", "albums/two.ogg", "albums/new/three.ogg"] {
            scene.give(anna, "music", file, &file.repeat(100));
        }
        scene.give(ben, "docs", "albums/four.ogg", "only ben has this");
        scene.says(anna, "offer albums");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["albums"]}"#);
        scene.says(cleo, "get albums/");
        scene.says(ben, r#"{"id":2,"request":"get","file":"albums/","from":"anna","to":"music"}"#);
        scene.note("what is wrong about it");
        scene.says(anna, "get albums/ anna");
        scene.says(cleo, "get films/");
        scene.says(cleo, "get albums/ --chunks 1");
        scene.says(ben, r#"{"id":3,"request":"get","file":"films/"}"#);
        scene.says(ben, r#"{"id":4,"request":"get","file":"albums/","to":"../music"}"#);
        scene.note("a file of the folder has changed; the old one, which cleo has, is not overwritten unasked");
        scene.give(anna, "music", "albums/one.ogg", "remastered");
        scene.wait_ms(500);
        scene.says(cleo, "get albums/");
        scene.says(cleo, "get albums/ --on-conflict overwrite");
        scene.says(ben, r#"{"id":5,"request":"get","file":"albums/","from":"anna","to":"music"}"#);
        has_folder(scene, cleo, "albums/");
        has_folder(scene, ben, "music/");
    });
}

fn has_folder(scene: &Stage, who: Who, folder: &str) {
    let downloads = scene.sim.downloads(scene.client(who));
    for file in ["one.ogg", "two.ogg", "new/three.ogg"] {
        assert!(downloads.contains_key(&format!("{folder}{file}")), "{file} has arrived");
    }
}
