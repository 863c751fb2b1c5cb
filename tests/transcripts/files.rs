//! Offers and transfers.

use potluck::sim::ClientOptions;

use super::scene::Face;

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
}
