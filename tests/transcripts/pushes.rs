//! Files for one person.

use potluck::sim::ClientOptions;

use super::stage::Face;

pages! {
    "push" push |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.note("anna goes on while ben thinks about it");
        scene.says(anna, "push song.ogg ben");
        scene.says(anna, "who");
        scene.says(ben, r#"{"id":1,"request":"accept","push":1}"#);
        scene.says(ben, r#"{"id":2,"request":"push","file":"plan.txt","to":"ANNA"}"#);
        scene.says(anna, "decline 2");
        scene.note("what is wrong about it");
        scene.says(anna, "push song.ogg anna");
        scene.says(anna, "push song.ogg zoe");
        scene.says(anna, "push gone.txt ben");
        scene.says(anna, "push song.ogg");
        scene.says(ben, r#"{"id":3,"request":"push","file":"plan.txt","to":"ben"}"#);
        scene.says(ben, r#"{"id":4,"request":"push","file":"plan.txt","to":"zoe"}"#);
        scene.says(ben, r#"{"id":5,"request":"push","file":"gone.txt","to":"anna"}"#);
        scene.note("cleo has chosen no folder: it is looked for where potluck was started; its folders are not told");
        let cleo = scene.join("cleo", Face::Human, ClientOptions::default());
        scene.give(cleo, "home", "work/report.pdf", "in short: all is well");
        scene.says(cleo, "push work/report.pdf ben");
        scene.note("who is not there gets it when they come; who gives it must stay");
        scene.says(anna, "quit");
        scene.says(cleo, "push work/report.pdf anna");
        let anna = scene.returns(anna);
        scene.says(cleo, "quit --now");
        assert!(scene.sim.downloads(scene.client(ben)).contains_key("song.ogg"), "it has arrived");
        assert!(scene.sim.downloads(scene.client(anna)).is_empty(), "nothing comes unasked");
    };

    "accept" accept |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(ben, r#"{"id":1,"request":"push","file":"plan.txt","to":"anna"}"#);
        scene.says(anna, "accept 7");
        scene.says(anna, "accept 1 --to ../plan.txt");
        scene.says(anna, "accept 1 --to ideas/plan.txt");
        scene.says(anna, "accept 1");
        scene.says(anna, "push song.ogg ben");
        scene.says(ben, r#"{"id":2,"request":"accept","push":3}"#);
        scene.says(ben, r#"{"id":3,"request":"accept","push":2,"to":"/song.ogg"}"#);
        scene.says(ben, r#"{"id":4,"request":"accept","push":2,"on_conflict":"rename"}"#);
        scene.says(ben, r#"{"id":5,"request":"accept"}"#);
        scene.note("the file is there already, and stays; then it is to be overwritten");
        for accept in ["accept 3 --to ideas/plan.txt", "accept 4 --to ideas/plan.txt --on-conflict overwrite"] {
            scene.says(ben, r#"{"id":6,"request":"push","file":"notes.txt","to":"anna"}"#);
            scene.says(anna, accept);
        }
        scene.note("cleo was started with --accept-from ben");
        let options = ClientOptions { accept_from: vec!["ben".into()], ..ClientOptions::default() };
        let cleo = scene.join("cleo", Face::Human, options);
        scene.says(anna, "push song.ogg cleo");
        scene.says(ben, r#"{"id":7,"request":"push","file":"notes.txt","to":"cleo"}"#);
        scene.note("anna leaves, and what she wanted to give goes with her");
        scene.says(anna, "quit --now");
        scene.says(cleo, "accept 5");
        let arrived = |who, file: &str| scene.sim.downloads(scene.client(who)).contains_key(file);
        assert!(arrived(anna, "ideas/plan.txt") && arrived(ben, "song.ogg") && arrived(cleo, "notes.txt"));
    };

    "decline" decline |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(ben, r#"{"id":1,"request":"push","file":"plan.txt","to":"anna"}"#);
        scene.says(anna, "decline 2");
        scene.says(anna, "decline 1");
        scene.says(anna, "decline 1");
        scene.says(anna, "push song.ogg ben");
        scene.says(ben, r#"{"id":2,"request":"decline","push":2}"#);
        scene.says(ben, r#"{"id":3,"request":"decline","push":2}"#);
        scene.says(ben, r#"{"id":4,"request":"decline","push":"two"}"#);
        scene.note("it is taken back before ben has decided");
        scene.says(anna, "push song.ogg ben");
        scene.says(anna, "cancel 2");
        scene.says(ben, r#"{"id":5,"request":"decline","push":3}"#);
        scene.note("who is blocked does not learn of it");
        scene.says(anna, "block ben");
        scene.says(ben, r#"{"id":6,"request":"push","file":"plan.txt","to":"anna"}"#);
        scene.says(anna, "decline 4");
    };
}
