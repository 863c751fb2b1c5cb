//! Entering and leaving, who is there, and the session itself.

use potluck::protocol::Event;
use potluck::sim::ClientOptions;

use super::stage::Face;

pages! {
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

    "login" login |scene| {
        scene.sim.add_account("anna", "correct horse");
        scene.sim.add_account("ben", "battery staple");
        scene.note("anna and ben have accounts");
        let anna = scene.join("anna", Face::Human, ClientOptions::default());
        scene.says(anna, "login anna");
        scene.says(anna, "login anna horse");
        scene.says(anna, "message ben hello");
        scene.says(anna, "login anna 'correct horse'");
        scene.says(anna, "login anna 'correct horse'");
        scene.says(anna, "login ben 'battery staple'");
        scene.note("this machine is known now, and needs no password");
        scene.says(anna, "quit");
        scene.returns(anna);
        scene.note("ben's program has the password from a file, at first a wrong one");
        let password = |text: &str| ClientOptions { password: Some(text.to_owned()), ..ClientOptions::default() };
        let refused = scene.join("ben", Face::Json, password("battery"));
        let ben = scene.join("ben", Face::Json, password("battery staple"));
        scene.says(ben, r#"{"id":1,"request":"dereg"}"#);
        scene.says(ben, r#"{"id":2,"request":"login","name":"ben","password":""}"#);
        scene.says(ben, r#"{"id":3,"request":"login","name":"ben","password":"battery"}"#);
        scene.says(ben, r#"{"id":4,"request":"login","name":"zoe","password":"battery"}"#);
        scene.says(ben, r#"{"id":5,"request":"login","name":"ben","password":"battery staple"}"#);
        assert_eq!((scene.ended(refused), scene.ended(ben)), (Some(4), None));
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
        scene.note("it is back");
        scene.sim.set_reachable(true);
        scene.wait_ms(5_000);
        scene.note("with --since, those who have left are there, too");
        let cleo = scene.join("cleo", Face::Human, ClientOptions::default());
        scene.says(anna, "quit");
        scene.wait_ms(60_000);
        scene.says(cleo, "who --since 30");
        scene.says(cleo, "whoelsesince 120");
        scene.says(cleo, "who --since yesterday");
        scene.says(ben, r#"{"id":2,"request":"who","since":120}"#);
        scene.says(ben, r#"{"id":3,"request":"who","since":-1}"#);
    };

    "whois" whois |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "whois");
        scene.says(anna, "whois BEN");
        scene.says(ben, r#"{"id":1,"request":"whois","name":"anna"}"#);
        scene.note("who has left is shown as they left");
        scene.says(anna, "quit");
        scene.says(ben, r#"{"id":2,"request":"whois","name":"anna"}"#);
        scene.says(ben, r#"{"id":3,"request":"whois","name":"zoe"}"#);
        scene.says(ben, r#"{"id":4,"request":"dereg"}"#);
        scene.says(ben, r#"{"id":5,"request":"whois"}"#);
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

    "invite-add" invite_add |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "invite-add --code");
        scene.says(anna, "invite-add --times 2 --until 1h");
        scene.says(anna, "invite-add --until soon");
        scene.says(ben, r#"{"id":1,"request":"invite-add","code":true,"times":20,"until":"30m"}"#);
        scene.says(ben, r#"{"id":2,"request":"invite-add"}"#);
        scene.says(ben, r#"{"id":3,"request":"invite-add","times":0}"#);
        scene.says(ben, r#"{"id":4,"request":"invite-add","until":"400d"}"#);
    };

    "invite-list" invite_list |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "invite-list");
        scene.says(anna, "invite-add --code");
        scene.says(anna, "invite-add --times 2 --until 1h");
        scene.wait_ms(3_700_000);
        scene.says(anna, "invite-list");
        scene.says(ben, r#"{"id":1,"request":"invite-add","code":true}"#);
        scene.says(ben, r#"{"id":2,"request":"invite-list"}"#);
    };

    "invite-revoke" invite_revoke |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "invite-revoke friends");
        scene.says(anna, "invite-add --code");
        let made = scene.told(anna).iter().rev().find_map(|line| match &line.event {
            Event::InviteAdded(added) => Some(added.invite.clone()),
            _ => None,
        });
        let made = made.expect("an invite");
        scene.says(ben, &format!(r#"{{"id":1,"request":"invite-revoke","invite":"{made}"}}"#));
        scene.says(anna, &format!("invite-revoke {made}"));
        scene.says(anna, "invite-list");
        scene.says(ben, r#"{"id":2,"request":"invite-revoke","invite":""}"#);
        scene.says(ben, r#"{"id":3,"request":"invite-add","code":true}"#);
        let made = scene.told(ben).iter().rev().find_map(|line| match &line.event {
            Event::InviteAdded(added) => Some(added.invite.clone()),
            _ => None,
        });
        scene.says(ben, &format!(r#"{{"id":4,"request":"invite-revoke","invite":"{}"}}"#, made.expect("an invite")));
    };
}
