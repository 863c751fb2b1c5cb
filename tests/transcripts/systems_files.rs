//! What the users of two of these systems did with files: in chunks from whoever has them, and in the background.

use potluck::core::hub::Access;
use potluck::sim::{ClientOptions, SimConfig};

use super::stage::{Face, Stage, Who};
use super::{SENDING_LONG, play};

/// A messenger in which files are offered in chunks, searched for, and fetched from everybody who has some of them.
#[test]
fn system_d_files() {
    let config = SimConfig { sending: SENDING_LONG, ..SimConfig::default() };
    play("system-d-files", config, |scene| {
        let join = |scene: &mut Stage, name: &str, face: Face| {
            let who = scene.join(name, face, ClientOptions::default());
            scene.give(who, "files", &format!("{name}.txt"), "");
            scene.says(who, if matches!(face, Face::Human) { "setdir files" } else { SETDIR });
            who
        };
        let hans = join(scene, "hans", Face::Human);
        let yoda = join(scene, "yoda", Face::Json);
        let leia = join(scene, "leia", Face::Human);
        let vader = join(scene, "vader", Face::Json);
        scene.give(hans, "files", "plans.pdf", &"exhaust port ".repeat(500));
        scene.give(yoda, "files", "lessons.txt", &"do or do not ".repeat(500));
        offered_in_chunks(scene, hans, yoda);
        searched(scene, leia, vader);
        fetched_in_parts(scene, leia, vader);
        scene.note("hans leaves; his file can still be had from leia and vader, who have fetched it");
        scene.says(hans, "logout");
        scene.says(leia, "searchFile plans");
        scene.says(yoda, r#"{"id":3,"request":"chunks","file":"plans.pdf"}"#);
        scene.says(yoda, r#"{"id":4,"request":"get","file":"plans.pdf"}"#);
        scene.wait_ms(1_500);
        for (who, file) in [(leia, "plans.pdf"), (vader, "plans.pdf"), (vader, "lessons.txt"), (yoda, "plans.pdf")] {
            assert!(scene.sim.downloads(scene.client(who)).contains_key(file), "{file} has arrived");
        }
    });
}

const SETDIR: &str = r#"{"request":"setdir","dir":"files"}"#;

fn offered_in_chunks(scene: &mut Stage, hans: Who, yoda: Who) {
    scene.note("files are offered in so many chunks");
    scene.says(hans, "register plans.pdf 7");
    scene.says(hans, "register plans.pdf 0");
    scene.says(hans, "register blueprint.pdf 7");
    scene.says(yoda, r#"{"id":1,"request":"offer","files":["lessons.txt"],"chunks":4}"#);
    scene.says(yoda, r#"{"id":2,"request":"offer","files":["lessons.txt"],"chunks":0}"#);
}

fn searched(scene: &mut Stage, leia: Who, vader: Who) {
    scene.note("who has a file, and who has some of its chunks");
    scene.says(leia, "searchFile plans.pdf");
    scene.says(leia, "searchFile weapon.pdf");
    scene.says(leia, "searchChunk plans.pdf 0 3");
    scene.says(leia, "searchChunk plans.pdf 7");
    scene.says(vader, r#"{"id":1,"request":"search","text":"plans.pdf"}"#);
    scene.says(vader, r#"{"id":2,"request":"chunks","file":"plans.pdf","chunks":[0,3]}"#);
    scene.says(vader, r#"{"id":3,"request":"chunks","file":"plans.pdf","chunks":[7]}"#);
}

fn fetched_in_parts(scene: &mut Stage, leia: Who, vader: Who) {
    scene.note("chunks in any order end in their places, and whoever has fetched one is a source of it");
    scene.says(leia, "download plans.pdf 5 0 3");
    scene.wait_ms(1_500);
    scene.says(vader, r#"{"id":4,"request":"chunks","file":"plans.pdf"}"#);
    scene.says(vader, r#"{"id":5,"request":"get","file":"plans.pdf","chunks":[6,3,0]}"#);
    scene.wait_ms(1_500);
    scene.says(leia, "searchChunk plans.pdf 0 3 6");
    scene.note("the whole file, from everybody who has some of it");
    scene.says(leia, "download plans.pdf");
    scene.wait_ms(1_500);
    scene.says(leia, "searchChunk plans.pdf");
    scene.note("vader fetches what leia has, too, and the whole of another file");
    scene.says(vader, r#"{"id":6,"request":"get","file":"plans.pdf"}"#);
    scene.wait_ms(1_500);
    scene.says(vader, r#"{"id":7,"request":"get","file":"lessons.txt"}"#);
    scene.wait_ms(1_500);
    scene.says(vader, r#"{"id":8,"request":"search","text":"lessons"}"#);
}

/// A fetcher becomes a source: when those who offered a file have gone, it comes from whoever has fetched it.
#[test]
fn system_d_owner_leaves() {
    play("system-d-owner-leaves", SimConfig::default(), |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        let dora = scene.join("dora", Face::Json, ClientOptions::default());
        scene.give(anna, "music", "plan.txt", &"step ".repeat(1_000));
        scene.says(ben, r#"{"id":1,"request":"offer","files":["plan.txt"],"chunks":5}"#);
        scene.says(anna, "offer plan.txt --chunks 5");
        scene.note("cleo fetches the file, and is a source of it; then ben leaves");
        scene.says(cleo, "get plan.txt");
        scene.says(anna, "chunks plan.txt");
        scene.says(ben, r#"{"id":2,"request":"quit"}"#);
        scene.note("anna's machine loses its power; the hub still shows her offer, and cleo has all of its chunks");
        let client = scene.client(anna);
        scene.sim.power_off(client);
        scene.says(dora, r#"{"id":1,"request":"chunks","file":"plan.txt"}"#);
        scene.says(dora, r#"{"id":2,"request":"get","file":"plan.txt"}"#);
        let arrived = scene.sim.downloads(scene.client(dora)).contains_key("plan.txt");
        assert!(arrived, "it came from cleo");
    });
}

/// A conference in which files are sent to one person while the command line goes on.
#[test]
fn system_e_files() {
    let config = SimConfig { access: Access::Accounts, ..SimConfig::default() };
    play("system-e-files", config, |scene| {
        for (name, password) in [("anna", "comp3331"), ("ben", "comp9331"), ("cleo", "networks")] {
            scene.sim.add_account(name, password);
        }
        scene.note("anna, ben and cleo have accounts; cleo was started with --accept-from anna,ben");
        let join = |scene: &mut Stage, name: &str, face: Face, password: &str, accept_from: &[&str]| {
            let accept_from = accept_from.iter().map(|name| (*name).to_owned()).collect();
            let password = Some(password.to_owned());
            scene.join(name, face, ClientOptions { password, accept_from, ..ClientOptions::default() })
        };
        let anna = join(scene, "anna", Face::Human, "comp3331", &[]);
        let ben = join(scene, "ben", Face::Json, "comp9331", &[]);
        let cleo = join(scene, "cleo", Face::Human, "networks", &["anna", "ben"]);
        scene.give(anna, "home", "lecture.mp4", &"slide ".repeat(1_000));
        scene.give(ben, "home", "minutes.txt", "we met");
        scene.note("the file goes in the background: other commands are answered meanwhile");
        for line in ["UDP cleo lecture.mp4", "BCM the recording is on its way", "ATU"] {
            scene.types(anna, line);
        }
        scene.wait_ms(500);
        scene.note("ben is asked first, and goes on while it comes");
        scene.says(anna, "UDP ben lecture.mp4");
        for line in [
            r#"{"id":1,"request":"accept","push":2}"#,
            r#"{"id":2,"request":"push","file":"minutes.txt","to":"cleo"}"#,
            r#"{"id":3,"request":"broadcast","text":"thank you"}"#,
        ] {
            scene.types(ben, line);
        }
        scene.wait_ms(500);
        scene.note("not to oneself, to somebody unknown, or what is not there");
        for line in ["UDP anna lecture.mp4", "UDP zoe lecture.mp4", "UDP ben slides.pdf"] {
            scene.says(anna, line);
        }
        scene.note("to somebody who is not there: it waits");
        scene.says(cleo, "OUT");
        scene.says(anna, "UDP cleo lecture.mp4");
        scene.says(ben, r#"{"id":4,"request":"push","file":"minutes.txt","to":"cleo"}"#);
        let again = scene.returns(cleo);
        scene.says(again, "accept 4");
        for (who, file) in [(cleo, "lecture.mp4"), (cleo, "minutes.txt"), (ben, "lecture.mp4"), (again, "lecture.mp4")]
        {
            assert!(scene.sim.downloads(scene.client(who)).contains_key(file), "{file} has arrived");
        }
    });
}
