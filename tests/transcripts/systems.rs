//! The sessions of those who used other systems before, from beginning to end: each story plays what the users of
//! one system did, in its spellings where they are still taken.

use std::time::Duration;

use potluck::core::hub::{Access, LoginPolicy};
use potluck::protocol::limits::HubLimits;
use potluck::sim::{ClientOptions, SimConfig};

use super::play;
use super::stage::{Face, Stage, Who};

/// A message server that takes three clients.
#[test]
fn system_b() {
    let limits = HubLimits { clients: 3, ..HubLimits::default() };
    play("system-b", SimConfig { limits, files: Some(0), ..SimConfig::default() }, |scene| {
        scene.note("the hub was started with --max-clients 3 and --files");
        scene.sim.give_hub("menu.txt", b"soup, bread, salt");
        scene.sim.give_hub("photos/kitchen.jpg", b"a kitchen");
        let anna = scene.join("anna", Face::Human, ClientOptions::default());
        let ben = scene.join("ben", Face::Human, ClientOptions::default());
        let cleo = scene.join("cleo", Face::Json, ClientOptions::default());
        scene.note("a fourth is one too many");
        let refused = scene.join("dora", Face::Human, ClientOptions::default());
        scene.note("a message is acknowledged to its sender, and shown to all others");
        scene.says(anna, "broadcast hello, all of you");
        scene.says(ben, "say lobby hello, anna");
        scene.says(cleo, r#"{"id":1,"request":"broadcast","text":"good morning"}"#);
        scene.says(cleo, r#"{"id":2,"request":"say","room":"lobby","text":"who is here?"}"#);
        scene.note("the hub's own files are listed, and can be fetched from it");
        scene.says(ben, "list");
        scene.says(ben, "get menu.txt hub");
        scene.says(cleo, r#"{"id":11,"request":"list","owner":"hub"}"#);
        scene.says(cleo, r#"{"id":12,"request":"get","file":"photos/kitchen.jpg"}"#);
        scene.says(cleo, r#"{"id":13,"request":"get","file":"dessert.txt","from":"hub"}"#);
        assert!(scene.sim.downloads(scene.client(ben)).contains_key("menu.txt"));
        assert!(scene.sim.downloads(scene.client(cleo)).contains_key("photos/kitchen.jpg"));
        scene.note("commands are not shown to others");
        scene.says(anna, "status");
        scene.says(cleo, r#"{"id":3,"request":"status"}"#);
        scene.note("who leaves frees a place");
        scene.says(ben, "exit");
        let dora = scene.returns(refused);
        scene.says(dora, "broadcast here I am");
        scene.says(dora, "status");
        scene.says(cleo, r#"{"id":4,"request":"quit"}"#);
        scene.says(dora, "exit");
        scene.says(anna, "exit");
        assert_eq!([refused, anna, ben, cleo, dora].map(|who| scene.ended(who)), [4, 0, 0, 0, 0].map(Some));
    });
}

/// A chat with groups, and a mode in which only the group is heard.
#[test]
fn system_c() {
    play("system-c", SimConfig::default(), |scene| {
        let anna = scene.join("anna", Face::Human, ClientOptions::default());
        let ben = scene.join("ben", Face::Human, ClientOptions::default());
        let cleo = scene.join("cleo", Face::Human, ClientOptions::default());
        scene.says(anna, "who");
        scene.note("a message straight to another client, which the hub does not see");
        scene.says(anna, "send ben are you coming along tonight?");
        scene.says(ben, "send anna where to?");
        groups(scene, anna, ben, cleo);
        scene.note("ben hears only the group for a while; what else is said to him waits");
        scene.says(ben, "focus climbers");
        scene.says(cleo, "send ben can you bring the rope?");
        scene.says(cleo, "broadcast I am off to buy shoes");
        scene.says(anna, "send_group the hall is open until ten");
        scene.says(ben, "send_group then we start at eight");
        scene.says(ben, "unfocus");
        scene.note("cleo's network is gone; the group is still hers, and what is said there waits for her");
        scene.sim.set_reachable(false);
        let client = scene.client(cleo);
        scene.sim.silence_client(client);
        scene.wait_ms(3_000);
        scene.says(anna, "send_group who has chalk?");
        scene.says(ben, "send_group I have");
        scene.says(anna, "list_members");
        scene.note("the network is back");
        scene.sim.set_reachable(true);
        scene.wait_ms(6_000);
        scene.says(cleo, "send_group sorry, I was in the lift");
        scene.note("anna's machine loses its power, and the hub has not noticed yet when ben writes to her");
        let client = scene.client(anna);
        scene.sim.power_off(client);
        scene.says(ben, "send anna see you there");
        scene.wait_ms(3_000);
        scene.says(ben, "who");
        scene.note("a group can be left, and so can the hub");
        scene.says(cleo, "leave_group");
        scene.says(cleo, "send_group bye");
        scene.says(cleo, "list_members");
        scene.says(ben, "list_members climbers");
        scene.says(ben, "dereg cleo");
        scene.says(ben, "dereg ben");
        scene.says(ben, "list_groups");
        scene.says(ben, "quit");
        scene.says(cleo, "who");
        assert_eq!([ben, cleo].map(|who| scene.ended(who)), [Some(0), None]);
    });
}

/// Groups: made, found, joined, and what is wrong about them.
fn groups(scene: &mut Stage, anna: Who, ben: Who, cleo: Who) {
    scene.note("groups");
    scene.says(anna, "list_groups");
    scene.says(anna, "create_group climbers");
    scene.says(ben, "create_group climbers");
    scene.says(anna, "join_group climbers");
    scene.says(ben, "list_groups");
    scene.says(ben, "join_group swimmers");
    scene.says(ben, "say climbers may I come along?");
    scene.says(ben, "join_group climbers");
    scene.says(cleo, "join_group climbers");
    scene.says(ben, "list_members");
    scene.says(ben, "send_group tonight at the hall?");
}

/// A messenger with passwords, messages that wait, and blocking.
#[test]
fn system_d() {
    let config = SimConfig { access: Access::Accounts, ..SimConfig::default() };
    play("system-d", config, |scene| {
        for (name, password) in
            [("hans", "falcon*solo"), ("yoda", "wise@!man"), ("vader", "sithlord**"), ("leia", "alderaan")]
        {
            scene.sim.add_account(name, password);
        }
        scene.note("hans, yoda, vader and leia have accounts; nobody else is let in");
        let hans = scene.join("hans", Face::Human, ClientOptions::default());
        scene.says(hans, "login hans falcon*solo");
        scene.note("yoda is not there; what is said to him is kept");
        scene.says(hans, "message yoda do you copy?");
        scene.says(hans, "message yoda call me when you are back");
        scene.wait_ms(60_000);
        let yoda = with_password(scene, "yoda", Face::Human, "wise@!man");
        let vader = with_password(scene, "vader", Face::Json, "sithlord**");
        scene.says(yoda, "message hans copy, I do");
        blocking(scene, hans, yoda, vader);
        private(scene, hans, yoda, vader);
        scene.note("who is there, and who was");
        scene.says(vader, r#"{"id":9,"request":"quit"}"#);
        scene.wait_ms(60_000);
        scene.says(hans, "startprivate vader");
        scene.says(hans, "whoelse");
        scene.says(hans, "whoelsesince 10");
        scene.says(hans, "whoelsesince 120");
        scene.note("yoda presses Ctrl-C, and is back the next day");
        let client = scene.client(yoda);
        scene.sim.interrupt(client, 130);
        scene.wait_ms(500);
        scene.says(hans, "message yoda sleep well");
        scene.wait_ms(86_400_000);
        let again = scene.returns(yoda);
        scene.says(again, "logout");
        assert_eq!([yoda, again].map(|who| scene.ended(who)), [130, 0].map(Some));
    });
}

/// Somebody joins with the password of their account in a file.
fn with_password(scene: &mut Stage, name: &str, face: Face, password: &str) -> Who {
    scene.join(name, face, ClientOptions { password: Some(password.to_owned()), ..ClientOptions::default() })
}

fn blocking(scene: &mut Stage, hans: Who, yoda: Who, vader: Who) {
    scene.note("hans has heard enough of vader, who does not learn of it, but is warned when he speaks to all");
    scene.says(hans, "block vader");
    scene.says(vader, r#"{"id":1,"request":"message","to":"hans","text":"join the dark side"}"#);
    scene.says(vader, r#"{"id":2,"request":"broadcast","text":"I find your lack of faith disturbing"}"#);
    scene.says(yoda, "broadcast powerful, the dark side is");
    for line in ["block vader", "block hans", "block luke", "unblock yoda", "unblock hans", "unblock luke"] {
        scene.says(hans, line);
    }
    scene.says(vader, r#"{"id":3,"request":"block","name":"vader"}"#);
    scene.says(vader, r#"{"id":4,"request":"unblock","name":"hans"}"#);
    scene.note("what was said meanwhile, hans never sees");
    scene.says(hans, "unblock vader");
    scene.says(vader, r#"{"id":5,"request":"message","to":"hans","text":"I know you are there"}"#);
}

fn private(scene: &mut Stage, hans: Who, yoda: Who, vader: Who) {
    scene.note("direct connections: not to oneself, to somebody unknown or to somebody who is not there");
    for line in ["startprivate hans", "startprivate luke", "startprivate leia", "stopprivate yoda"] {
        scene.says(hans, line);
    }
    scene.says(hans, "startprivate yoda");
    scene.says(hans, "startprivate yoda");
    scene.says(hans, "private yoda no one else can read this");
    scene.says(yoda, "private hans trust the force, I do");
    scene.says(vader, r#"{"id":6,"request":"private-open","to":"yoda"}"#);
    scene.says(vader, r#"{"id":7,"request":"private","to":"yoda","text":"I will find you"}"#);
    scene.says(yoda, "stopprivate vader");
    scene.says(vader, r#"{"id":8,"request":"private-close","to":"yoda"}"#);
    scene.says(hans, "stopprivate yoda");
    scene.says(hans, "stopprivate yoda");
}

/// A conference with accounts that are locked after failures, numbered messages and rooms.
#[test]
fn system_e() {
    let logins = LoginPolicy { max_failures: 3, lockout: Duration::from_secs(10) };
    let config = SimConfig { access: Access::Accounts, logins, ..SimConfig::default() };
    play("system-e", config, |scene| {
        for (name, password) in [("anna", "comp3331"), ("ben", "comp9331"), ("cleo", "networks"), ("dora", "pass")] {
            scene.sim.add_account(name, password);
        }
        scene.note("the hub was started with --max-failures 3 --lockout 10s; anna, ben, cleo and dora have accounts");
        let (anna, ben) = lockout(scene);
        let cleo = with_password(scene, "cleo", Face::Human, "networks");
        scene.note("messages to all, numbered and timed, and who is active");
        scene.says(anna, "BCM shall we begin?");
        scene.says(ben, r#"{"id":4,"request":"broadcast","text":"I am ready"}"#);
        scene.says(cleo, "ATU");
        scene.says(ben, r#"{"id":5,"request":"who"}"#);
        scene.wait_ms(60_000);
        rooms(scene, anna, ben, cleo);
        scene.note("what was said since a time");
        let time = "01/01/2026 00:01:00";
        scene.says(anna, "RDM b 01/01/2026 00:00:00");
        scene.says(anna, &format!("RDM b {time}"));
        scene.says(anna, &format!("RDM s {time}"));
        scene.says(anna, "RDM s 00:01");
        scene.says(anna, &format!("history --room budget --since {time}"));
        scene.says(anna, "history --room budget --since '2026/01/01 00:01'");
        scene.says(cleo, &format!("history --room budget --since '{time}'"));
        scene.says(ben, r#"{"id":13,"request":"history","lobby":true,"since":"01/01/2026 00:00:00"}"#);
        scene.says(ben, r#"{"id":14,"request":"history","room":"budget","since":"2026-01-01T00:01:00Z"}"#);
        scene.says(ben, r#"{"id":15,"request":"history","room":"budget","since":"00:01"}"#);
        scene.says(anna, "OUT");
        scene.says(ben, r#"{"id":16,"request":"quit"}"#);
        assert_eq!([anna, ben, cleo].map(|who| scene.ended(who)), [Some(0), Some(0), None]);
    });
}

/// Wrong passwords, by hand and from a program.
fn lockout(scene: &mut Stage) -> (Who, Who) {
    let anna = scene.join("anna", Face::Human, ClientOptions::default());
    for password in ["comp3332", "comp3333", "comp3334"] {
        scene.says(anna, &format!("login anna {password}"));
    }
    scene.note("now the right one does not help, until the ten seconds are over");
    scene.says(anna, "login anna comp3331");
    scene.wait_ms(5_000);
    scene.says(anna, "login anna comp3331");
    let ben = scene.join("ben", Face::Json, ClientOptions::default());
    scene.says(ben, r#"{"id":1,"request":"login","name":"anna","password":"comp3331"}"#);
    scene.note("the lock is on the name alone");
    scene.says(ben, r#"{"id":2,"request":"login","name":"ben","password":"comp9332"}"#);
    scene.says(ben, r#"{"id":3,"request":"login","name":"ben","password":"comp9331"}"#);
    scene.wait_ms(5_000);
    scene.says(anna, "login anna comp3331");
    (anna, ben)
}

fn rooms(scene: &mut Stage, anna: Who, ben: Who, cleo: Who) {
    scene.note("rooms: not with oneself, not with somebody unknown or away, not twice with the same members");
    scene.says(anna, "room-create budget anna");
    scene.says(anna, "room-create budget zoe");
    scene.says(anna, "room-create budget dora");
    scene.says(anna, "room-create budget ben");
    scene.says(anna, "room-create money ben");
    scene.says(ben, r#"{"id":6,"request":"room-create","room":"money","members":["ben"]}"#);
    scene.says(ben, r#"{"id":7,"request":"room-create","room":"money","members":["zoe"]}"#);
    scene.says(ben, r#"{"id":8,"request":"room-create","room":"money","members":["dora"]}"#);
    scene.says(ben, r#"{"id":9,"request":"room-create","room":"money","members":["anna"]}"#);
    scene.says(ben, r#"{"id":10,"request":"members","room":"budget"}"#);
    scene.note("a room whose maker gives it no name gets one");
    scene.says(cleo, "SRB anna ben");
    scene.says(cleo, "SRB ben anna");
    scene.says(cleo, "SRM room-2 welcome");
    scene.note("what is said in a room, its members hear");
    scene.says(anna, "SRM budget we are short of money");
    scene.says(ben, r#"{"id":11,"request":"say","room":"budget","text":"again?"}"#);
    scene.says(cleo, "SRM budget what are you two talking about?");
    scene.says(cleo, "SRM money hello?");
    scene.says(ben, r#"{"id":12,"request":"say","room":"money","text":"hello?"}"#);
}
