//! Each request in both faces, as its users see it: a short scene, written down in `snapshots/`.
//!
//! The scenes are played in simulation, so times, ports and keys are always the same.

mod scene;
mod trouble;

use potluck::protocol::Request;
use potluck::sim::{ClientOptions, SimConfig};
use scene::{Face, Scene};

/// Plays a scene and compares its page with the snapshot of that name.
fn play(name: &str, config: SimConfig, act: impl FnOnce(&mut Scene)) {
    let mut scene = Scene::new(config);
    act(&mut scene);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, scene.page()));
}

/// One test and one snapshot for each request.
macro_rules! requests {
    ($($word:literal $test:ident $act:expr;)*) => {
        const PLAYED: &[&str] = &[$($word),*];

        $(
            #[test]
            fn $test() {
                play($word, SimConfig::default(), $act);
            }
        )*
    };
}

#[test]
fn every_request_has_its_transcript() {
    let words: Vec<&str> = Request::WORDS.iter().map(|word| word.name).collect();
    assert_eq!(PLAYED, words, "write a scene for each request, in the order of the vocabulary");
    for word in words {
        let path = format!("{}/snapshots/{word}.snap", env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(page.contains(&format!(r#""request":"{word}""#)), "{word} is not asked as JSON");
        assert!(page.contains(&format!("> {word}")), "{word} is not asked by hand");
    }
}

requests! {
    "register" register |scene| {
        let anna = scene.join("anna", Face::Human, ClientOptions::default());
        let ben = scene.join("ben", Face::Json, ClientOptions::default());
        scene.says(anna, "register cleo");
        scene.says(anna, "dereg");
        scene.says(anna, "register hub");
        scene.says(anna, "register ben");
        scene.says(anna, "register cleo");
        scene.says(ben, r#"{"id":1,"request":"dereg"}"#);
        scene.says(ben, r#"{"id":2,"request":"register","name":"two words"}"#);
        scene.says(ben, r#"{"id":3,"request":"register"}"#);
        scene.says(ben, r#"{"id":4,"request":"register","name":"Ben"}"#);
    };

    "dereg" dereg |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg notes.txt");
        scene.says(anna, "dereg");
        scene.says(anna, "list");
        scene.says(anna, "offer song.ogg");
        scene.says(anna, "dereg");
        scene.says(ben, r#"{"id":"out","request":"dereg"}"#);
        scene.says(ben, r#"{"id":"again","request":"dereg"}"#);
    };

    "rereg" rereg |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg");
        scene.says(anna, "rereg");
        scene.says(anna, "dereg");
        scene.says(anna, "rereg");
        scene.says(ben, r#"{"id":1,"request":"list"}"#);
        scene.note("all at once: each request sees what those before it did");
        scene.types(ben, r#"{"id":2,"request":"dereg"}"#);
        scene.types(ben, r#"{"id":3,"request":"rereg"}"#);
        scene.types(ben, r#"{"id":4,"request":"get","file":"song.ogg"}"#);
        scene.wait_ms(500);
    };

    "status" status |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "status");
        scene.says(anna, "quit");
        scene.says(ben, r#"{"id":1,"request":"status"}"#);
        scene.says(ben, r#"{"id":2,"request":"status","all":true}"#);
    };

    "who" who |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "who");
        scene.note("anna's network is gone for three seconds");
        scene.sim.set_reachable(false);
        let client = scene.client(anna);
        scene.sim.silence_client(client);
        scene.wait_ms(3_000);
        scene.says(ben, r#"{"id":1,"request":"who"}"#);
    };

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
    };

    "withdraw" withdraw |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg notes.txt");
        scene.says(anna, "withdraw song.ogg");
        scene.says(anna, "withdraw notes.txt song.ogg");
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
    };

    "get" get |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg notes.txt");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["notes.txt","plan.txt"]}"#);
        scene.says(anna, "get plan.txt ben");
        scene.says(anna, "get gone.txt");
        scene.says(anna, "get song.ogg ben");
        scene.says(anna, "get song.ogg");
        scene.says(anna, "get plan.txt --to ../plan.txt");
        scene.says(anna, "get plan.txt");
        scene.says(ben, r#"{"id":2,"request":"get","file":"song.ogg","from":"anna","to":"music/song.ogg"}"#);
        scene.says(ben, r#"{"id":3,"request":"get","file":"song.ogg","from":"cleo"}"#);
        scene.note("two people offer different notes, so cleo must say whose she wants");
        let cleo = scene.join("cleo", Face::Human, ClientOptions::default());
        scene.says(cleo, "get notes.txt");
        scene.says(cleo, "request notes.txt ANNA");
        for (who, file) in [(anna, "plan.txt"), (ben, "music/song.ogg"), (cleo, "notes.txt")] {
            assert!(scene.sim.downloads(scene.client(who)).contains_key(file), "{file} has arrived");
        }
    };

    "transfers" transfers |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(ben, r#"{"id":1,"request":"offer","files":["plan.txt"]}"#);
        scene.says(anna, "transfers");
        scene.types(anna, "get plan.txt");
        scene.wait_ms(25);
        scene.types(anna, "transfers");
        scene.types(ben, r#"{"id":2,"request":"transfers"}"#);
        scene.wait_ms(500);
        scene.says(ben, r#"{"id":3,"request":"transfers"}"#);
    };

    "cancel" cancel |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["plan.txt"]}"#);
        scene.says(anna, "cancel 1");
        scene.types(anna, "get plan.txt");
        scene.wait_ms(15);
        scene.says(anna, "cancel 1");
        assert!(scene.sim.downloads(scene.client(anna)).is_empty(), "a cancelled file does not arrive");
        scene.note("an upload is the other side's to cancel, and `cancel` overtakes `wait`");
        scene.types(ben, r#"{"id":2,"request":"get","file":"song.ogg"}"#);
        scene.types(ben, r#"{"id":3,"request":"wait"}"#);
        scene.wait_ms(15);
        scene.types(anna, "cancel 2");
        scene.types(ben, r#"{"id":4,"request":"cancel","transfer":2}"#);
        scene.wait_ms(500);
    };

    "wait" wait |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.types(ben, r#"{"id":1,"request":"offer","files":["plan.txt","notes.txt"]}"#);
        scene.types(ben, r#"{"id":2,"request":"wait"}"#);
        scene.wait_ms(500);
        scene.note("written at once; the last two are not begun before both files are here");
        for line in ["get plan.txt", "get notes.txt", "wait", "transfers"] {
            scene.types(anna, line);
        }
        scene.wait_ms(500);
    };

    "help" help |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "help");
        scene.says(anna, "help get");
        scene.says(anna, "wait --help");
        scene.says(anna, "help gte");
        scene.says(ben, r#"{"id":1,"request":"help","command":"exit"}"#);
        scene.says(ben, r#"{"id":2,"request":"help","command":"dance"}"#);
    };

    "quit" quit |scene| {
        let (anna, ben) = scene.anna_and_ben();
        let cleo = scene.join("cleo", Face::Json, ClientOptions::default());
        let dora = scene.join("dora", Face::Human, ClientOptions::default());
        scene.says(ben, r#"{"id":1,"request":"offer","files":["plan.txt"]}"#);
        scene.note("`quit` finishes what was asked before; what comes after it is not begun");
        for line in ["get plan.txt", "quit", "list"] {
            scene.types(anna, line);
        }
        scene.wait_ms(500);
        scene.note("`quit --now` does not");
        scene.types(dora, "get plan.txt");
        scene.types(dora, "quit --now");
        scene.wait_ms(500);
        scene.note("the end of cleo's input is a `quit`, too");
        let client = scene.client(cleo);
        scene.sim.end_input(client);
        scene.wait_ms(500);
        scene.says(ben, r#"{"id":"bye","request":"quit"}"#);
        for who in [anna, ben, cleo, dora] {
            assert_eq!(scene.ended(who), Some(0));
        }
    };
}
