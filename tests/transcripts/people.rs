//! Messages, blocking and history.

use potluck::core::safety_number::safety_number;
use potluck::protocol::PublicKey;
use potluck::protocol::limits::MESSAGE_BYTES;
use potluck::sim::ClientOptions;

use super::stage::Face;

/// The safety number with somebody at another machine, as they would read it out.
fn number_with(ours: u8, theirs: u8) -> String {
    safety_number(&PublicKey([ours; 32]), &PublicKey([theirs; 32]))
}

pages! {
    "verify" verify |scene| {
        scene.sim.add_account("anna", "correct horse");
        scene.note("anna has an account");
        let account = |key| {
            ClientOptions { key: Some(key), password: Some("correct horse".into()), ..ClientOptions::default() }
        };
        let anna = scene.join("anna", Face::Human, account(1));
        let ben = scene.join("ben", Face::Json, ClientOptions::default());
        let cleo = scene.join("cleo", Face::Human, ClientOptions::default());
        scene.note("anna and ben see the same digits");
        scene.says(anna, "verify ben");
        scene.says(ben, r#"{"id":1,"request":"verify","name":"ANNA"}"#);
        scene.says(ben, r#"{"id":2,"request":"verify","name":"anna","confirm":true}"#);
        scene.says(ben, r#"{"id":3,"request":"whois","name":"anna"}"#);
        scene.says(cleo, &format!("verify anna --number '{}'", number_with(3, 1)));
        scene.says(cleo, &format!("verify anna --number {}", number_with(2, 1)));
        scene.says(cleo, "verify anna --number 12345 67890");
        scene.says(cleo, "verify anna --confirm");
        scene.says(cleo, "who");
        scene.says(cleo, "verify cleo");
        scene.says(cleo, "verify hub");
        scene.says(cleo, "verify zoe");
        scene.says(cleo, "verify anna --confirm --revoke");
        scene.says(ben, r#"{"id":4,"request":"verify","name":"anna","confirm":true,"revoke":true}"#);
        scene.note("anna logs in at another machine, or somebody does who has anna's password");
        scene.says(anna, "quit");
        let other = scene.join("anna", Face::Human, account(9));
        scene.says(cleo, "who");
        scene.says(cleo, "verify anna");
        scene.says(cleo, "verify anna --confirm");
        scene.says(ben, r#"{"id":5,"request":"verify","name":"anna"}"#);
        scene.says(ben, r#"{"id":6,"request":"verify","name":"anna","confirm":true}"#);
        scene.says(ben, r#"{"id":7,"request":"push","file":"plan.txt","to":"anna"}"#);
        scene.note("it is anna, who reads out the new digits");
        scene.says(other, "verify ben");
        scene.says(ben, &format!(r#"{{"id":8,"request":"verify","name":"anna","confirm":true,"number":"{}"}}"#, number_with(9, 2)));
        scene.says(ben, r#"{"id":9,"request":"verify","name":"anna","revoke":true}"#);
        scene.says(cleo, "verify anna --revoke");
    };

    "message" message |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "message ben shall we meet?");
        scene.says(anna, r#"message BEN it's "quoted" -- as \ it   stands"#);
        scene.says(ben, r#"{"id":1,"request":"message","to":"anna","text":"at eight\n[cleo] or nine\u001b[2J"}"#);
        scene.says(anna, "message anna a note");
        scene.says(anna, "message zoe hello");
        scene.says(anna, "message ben");
        let long = "x".repeat(MESSAGE_BYTES + 1);
        scene.says_odd(anna, "message ben xxxx… (more than 16 KiB)", format!("message ben {long}").as_bytes());
        scene.says(ben, r#"{"id":2,"request":"message","to":"ben","text":"a note"}"#);
        scene.says(ben, r#"{"id":3,"request":"message","to":"zoe","text":"hello"}"#);
        scene.says(ben, r#"{"id":4,"request":"message","to":"anna","text":""}"#);
        scene.says(ben, r#"{"id":5,"request":"message","to":"anna"}"#);
        scene.note("what is said to somebody who has left is kept");
        scene.says(ben, r#"{"id":6,"request":"quit"}"#);
        scene.says(anna, "message ben are you there?");
        scene.says(anna, "message ben see you tomorrow");
        scene.note("an hour later");
        scene.wait_ms(3_600_000);
        let ben = scene.returns(ben);
        scene.note("and so for anna");
        scene.says(anna, "quit");
        scene.says(ben, r#"{"id":1,"request":"message","to":"anna","text":"I overslept"}"#);
        scene.note("an hour later");
        scene.wait_ms(3_600_000);
        scene.returns(anna);
    };

    "broadcast" broadcast |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "broadcast soup is ready");
        scene.says(ben, r#"{"id":1,"request":"broadcast","text":"coming"}"#);
        scene.note("who blocks the sender does not hear it, and the sender is warned");
        scene.says(cleo, "block anna");
        scene.says(anna, "broadcast bring your own spoon");
        scene.says(cleo, "broadcast is there any left?");
        scene.says(anna, "broadcast");
        scene.says(anna, "dereg");
        scene.says(anna, "broadcast am I heard?");
        scene.says(ben, r#"{"id":2,"request":"broadcast","text":""}"#);
        let long = format!(r#"{{"id":3,"request":"broadcast","text":"{}"}}"#, "x".repeat(MESSAGE_BYTES + 1));
        let shown = r#"{"id":3,"request":"broadcast","text":"xxxx… (more than 16 KiB)"}"#;
        scene.says_odd(ben, shown, long.as_bytes());
    };

    "block" block |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "block BEN");
        scene.note("ben does not learn of it");
        scene.says(ben, r#"{"id":1,"request":"message","to":"anna","text":"can you hear me?"}"#);
        scene.says(ben, r#"{"id":2,"request":"who"}"#);
        scene.says(anna, "block ben");
        scene.says(anna, "block anna");
        scene.says(anna, "block zoe");
        scene.says(anna, "block");
        scene.says(ben, r#"{"id":3,"request":"block","name":"anna"}"#);
        scene.says(ben, r#"{"id":4,"request":"block","name":"anna"}"#);
        scene.says(ben, r#"{"id":5,"request":"block","name":"ben"}"#);
        scene.says(ben, r#"{"id":6,"request":"block","name":"zoe"}"#);
    };

    "unblock" unblock |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "block ben");
        scene.says(ben, r#"{"id":1,"request":"message","to":"anna","text":"while blocked"}"#);
        scene.says(anna, "unblock ben");
        scene.says(ben, r#"{"id":2,"request":"message","to":"anna","text":"and after it"}"#);
        scene.says(anna, "unblock ben");
        scene.says(anna, "unblock anna");
        scene.says(anna, "unblock zoe");
        scene.says(ben, r#"{"id":3,"request":"block","name":"anna"}"#);
        scene.says(ben, r#"{"id":4,"request":"unblock","name":"anna"}"#);
        scene.says(ben, r#"{"id":5,"request":"unblock","name":"anna"}"#);
        scene.says(ben, r#"{"id":6,"request":"unblock","name":"zoe"}"#);
    };

    "blocks" blocks |scene| {
        let (anna, ben, _cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "blocks");
        scene.says(anna, "block cleo");
        scene.says(anna, "block ben");
        scene.says(anna, "blocks");
        scene.says(ben, r#"{"id":1,"request":"blocks"}"#);
        scene.says(ben, r#"{"id":2,"request":"block","name":"anna"}"#);
        scene.says(ben, r#"{"id":3,"request":"blocks"}"#);
        scene.says(ben, r#"{"id":4,"request":"dereg"}"#);
        scene.says(ben, r#"{"id":5,"request":"blocks"}"#);
    };

    "history" history |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.says(anna, "history");
        scene.says(anna, "room-create kitchen ben");
        scene.says(anna, "broadcast soup is ready");
        scene.says(anna, "say kitchen where are the spoons?");
        scene.says(ben, r#"{"id":1,"request":"message","to":"anna","text":"in the drawer"}"#);
        scene.says(cleo, "message ben will there be bread?");
        scene.note("a quarter of an hour later");
        scene.wait_ms(900_000);
        scene.says(cleo, "broadcast the soup was good");
        scene.says(anna, "history");
        scene.says(anna, "history --lobby");
        scene.says(anna, "history --room kitchen");
        scene.says(anna, "history --with ben");
        scene.says(anna, "history --match 'soup ready'");
        scene.says(anna, "history --limit 2");
        scene.says(anna, "history --limit 2 --before 3");
        scene.says(anna, "history --since 10m");
        scene.says(anna, "history --since '01/01/2026 00:00:03' --limit 2");
        scene.says(anna, "history --after 3 --limit 2");
        scene.note("cleo sees what is hers to see");
        scene.says(cleo, "history");
        scene.says(cleo, "history --room kitchen");
        scene.says(cleo, "history --room cellar");
        scene.says(cleo, "history --with zoe");
        scene.says(cleo, "history --since yesterday");
        scene.says(cleo, "history --lobby --with ben");
        scene.says(cleo, "history --limit 0");
        scene.says(ben, r#"{"id":2,"request":"history","room":"kitchen"}"#);
        scene.says(ben, r#"{"id":3,"request":"history","since":"2026-01-01T00:00:04Z","limit":2}"#);
        scene.says(ben, r#"{"id":4,"request":"history","with":"cleo","match":"bread"}"#);
        scene.says(ben, r#"{"id":5,"request":"history","since":"01-01-2026"}"#);
        scene.says(ben, r#"{"id":6,"request":"history","since":"10m","before":3}"#);
        scene.says(ben, r#"{"id":7,"request":"history","lobby":true,"room":"kitchen"}"#);
        scene.says(ben, r#"{"id":8,"request":"history","limit":501}"#);
    };
}
