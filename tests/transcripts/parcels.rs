//! Parcels that go from one to another by a short code.

use potluck::protocol::Event;

use super::stage::{Face, Stage, Who};
use potluck::sim::ClientOptions;

/// The code that somebody was told last.
fn code(scene: &Stage, who: Who) -> String {
    let ready = scene.told(who).iter().rev().find_map(|line| match &line.event {
        Event::ParcelReady(ready) => Some(ready.code.clone()),
        _ => None,
    });
    ready.expect("a code was told")
}

/// The same code with another word.
fn wrong(code: &str) -> String {
    let word = if code.ends_with("-cactus") { "-tiger" } else { "-cactus" };
    code.rsplit_once('-').map_or_else(String::new, |(rest, _)| rest.to_owned() + word)
}

pages! {
    "parcel-send" parcel_send |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.give(anna, "home", "talk.mp4", &"la ".repeat(2_000));
        scene.give(anna, "home", "slides/one.svg", "<svg/>");
        scene.give(anna, "home", "slides/two.svg", "<svg></svg>");
        scene.says(anna, "parcel-send talk.mp4 slides --times 2");
        let made = code(scene, anna);
        scene.note("ben types it as he heard it; anna goes on meanwhile");
        let spoken = made.to_uppercase().replace('-', " ");
        scene.says(ben, &format!(r#"{{"id":1,"request":"parcel-receive","code":"{spoken}"}}"#));
        scene.says(anna, "transfers");
        scene.note("cleo is the second, and the last");
        let cleo = scene.join("cleo", Face::Human, ClientOptions::default());
        scene.says(cleo, &format!("parcel-receive {made} --to theirs"));
        assert!(scene.sim.downloads(scene.client(cleo)).contains_key("theirs/slides/two.svg"), "it has arrived");
        scene.note("a program sends a text, and takes it back");
        scene.says(ben, r#"{"id":2,"request":"parcel-send","text":"soup at noon","until":"2h"}"#);
        scene.says(ben, r#"{"id":3,"request":"cancel","transfer":2}"#);
        scene.note("what is wrong about it");
        scene.says(anna, "parcel-send gone.txt");
        scene.says(anna, "parcel-send talk.mp4 --times 0");
        scene.says(anna, "parcel-send talk.mp4 --until whenever");
        scene.says(anna, "parcel-send");
        scene.says(ben, r#"{"id":4,"request":"parcel-send","paths":["gone.txt"]}"#);
        scene.says(ben, r#"{"id":5,"request":"parcel-send","paths":["docs"],"text":"and a text"}"#);
    };

    "parcel-receive" parcel_receive |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.give(anna, "home", "talk.mp4", &"la ".repeat(2_000));
        scene.note("a text is shown");
        scene.says(ben, r#"{"id":1,"request":"parcel-send","text":"soup at noon\nbring salt"}"#);
        let made = code(scene, ben);
        scene.says(anna, &format!("parcel-receive {made}"));
        scene.note("it was for one, so it is spent");
        scene.says(anna, &format!("parcel-receive {made}"));
        scene.note("somebody guesses, and both are told");
        scene.says(anna, "parcel-send talk.mp4");
        let made = code(scene, anna);
        scene.says(ben, &format!(r#"{{"id":2,"request":"parcel-receive","code":"{}"}}"#, wrong(&made)));
        scene.says(ben, &format!(r#"{{"id":3,"request":"parcel-receive","code":"{made}"}}"#));
        scene.note("anna ends it while ben is to get it");
        scene.says(anna, "parcel-send talk.mp4");
        scene.says(anna, "cancel 2");
        let made = code(scene, anna);
        scene.says(ben, &format!(r#"{{"id":4,"request":"parcel-receive","code":"{made}"}}"#));
        scene.note("what is no code is refused at once");
        scene.says(ben, r#"{"id":5,"request":"parcel-receive","code":"8-crosover-clockwork"}"#);
        scene.says(anna, "parcel-receive 8-crossover");
        scene.says(anna, "parcel-receive");
    };
}
