//! What users see when something goes wrong.

use std::time::Duration;

use potluck::protocol::limits::{HubLimits, MAX_LINE};
use potluck::protocol::{Event, Id};
use potluck::sim::{ClientOptions, SimConfig};

use super::play;
use super::stage::Face;

#[test]
fn name_taken() {
    play("name-taken", SimConfig::default(), |scene| {
        scene.anna_and_ben();
        scene.note("somebody else wants to be ANNA");
        let impostor = scene.join("ANNA", Face::Human, ClientOptions::default());
        scene.note("anna's own key, while anna is here");
        let twin = scene.join("anna", Face::Json, ClientOptions { key: Some(1), ..ClientOptions::default() });
        scene.wait_ms(2_000);
        assert_eq!((scene.ended(impostor), scene.ended(twin)), (Some(4), Some(4)));
    });
}

#[test]
fn a_killed_client_comes_back() {
    play("killed", SimConfig::default(), |scene| {
        let (anna, _ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg");
        scene.note("anna's process is killed, and started again");
        let client = scene.client(anna);
        scene.sim.kill(client);
        scene.wait_ms(1_000);
        let again = scene.join("anna", Face::Human, ClientOptions { key: Some(1), ..ClientOptions::default() });
        scene.says(again, "list");
        assert_eq!(scene.ended(again), None);
    });
}

#[test]
fn hub_full() {
    let limits = HubLimits { clients: 2, ..HubLimits::default() };
    play("hub-full", SimConfig { limits, ..SimConfig::default() }, |scene| {
        let (anna, _ben) = scene.anna_and_ben();
        let by_hand = scene.join("cleo", Face::Human, ClientOptions::default());
        let program = scene.join("dora", Face::Json, ClientOptions::default());
        scene.note("who leaves frees a place");
        scene.says(anna, "quit");
        let cleo = scene.join("cleo", Face::Human, ClientOptions::default());
        assert_eq!((scene.ended(by_hand), scene.ended(program), scene.ended(cleo)), (Some(4), Some(4), None));
    });
}

#[test]
fn mailbox_full() {
    let limits = HubLimits { mailbox: 2, ..HubLimits::default() };
    play("mailbox-full", SimConfig { limits, ..SimConfig::default() }, |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.note("this hub keeps two messages for each person");
        let cleo = scene.join("cleo", Face::Human, ClientOptions::default());
        scene.says(cleo, "quit");
        for text in ["one", "two", "three"] {
            scene.says(anna, &format!("message cleo {text}"));
        }
        scene.says(ben, r#"{"id":1,"request":"message","to":"cleo","text":"four"}"#);
        scene.note("there is room again when cleo has been here");
        let cleo = scene.returns(cleo);
        scene.says(cleo, "quit");
        scene.says(anna, "message cleo three");
    });
}

#[test]
fn slow_down() {
    let limits = HubLimits { message_rate: 1, ..HubLimits::default() };
    play("slow-down", SimConfig { limits, ..SimConfig::default() }, |scene| {
        scene.note("this hub takes one message a second from each client, and ten at once");
        let anna = scene.join("anna", Face::Human, ClientOptions::default());
        for number in 1..=11 {
            scene.types(anna, &format!("broadcast {number}"));
        }
        scene.wait_ms(500);
        scene.wait_ms(500);
        scene.says(anna, "broadcast 11");
        assert_eq!(scene.ended(anna), None);
    });
}

#[test]
fn unreachable() {
    play("unreachable", SimConfig::default(), |scene| {
        scene.sim.set_reachable(false);
        let by_hand = scene.join("anna", Face::Human, ClientOptions::default());
        let program = scene.join("ben", Face::Json, ClientOptions::default());
        assert_eq!((scene.ended(by_hand), scene.ended(program)), (Some(3), Some(3)));
    });
}

#[test]
fn cut_off() {
    play("cut-off", SimConfig::default(), |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg");
        scene.note("anna's network falls silent for four seconds; meanwhile both go on");
        scene.sim.set_reachable(false);
        let client = scene.client(anna);
        scene.sim.silence_client(client);
        scene.types(anna, "offer notes.txt");
        scene.types(anna, "list");
        scene.types(ben, r#"{"id":1,"request":"offer","files":["plan.txt"]}"#);
        scene.wait_ms(4_000);
        scene.note("the network is back");
        scene.sim.set_reachable(true);
        scene.wait_ms(6_000);
        scene.says(ben, r#"{"id":2,"request":"list"}"#);
    });
}

#[test]
fn hub_restarted() {
    play("hub-restarted", SimConfig::default(), |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg");
        scene.says(ben, r#"{"id":1,"request":"offer","files":["plan.txt"]}"#);
        scene.note("the hub dies; ben asks on");
        scene.sim.crash_hub();
        scene.types(ben, r#"{"id":2,"request":"offer","files":["notes.txt"]}"#);
        scene.types(ben, r#"{"id":3,"request":"get","file":"song.ogg","from":"anna"}"#);
        scene.types(ben, r#"{"id":4,"request":"list"}"#);
        scene.wait_ms(2_000);
        scene.note("the hub is started again");
        scene.sim.start_hub();
        scene.wait_ms(10_000);
        scene.says(anna, "list");
        for id in 1..=4 {
            let finals = scene.told(ben).iter().filter(|line| line.last && line.id == Some(Id::Number(id))).count();
            assert_eq!(finals, 1, "request {id} is answered once");
        }
    });
}

#[test]
fn hub_lost() {
    play("hub-lost", SimConfig::default(), |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.note("the hub dies and does not come back");
        scene.sim.crash_hub();
        scene.types(anna, "list");
        scene.types(ben, r#"{"id":1,"request":"who"}"#);
        scene.wait_ms(80_000);
        assert_eq!((scene.ended(anna), scene.ended(ben)), (Some(5), Some(5)));
    });
}

#[test]
fn what_goes_on_while_the_hub_is_lost() {
    play("hub-lost-meanwhile", SimConfig::default(), |scene| {
        let (anna, ben) = scene.anna_and_ben();
        scene.says(anna, "offer song.ogg");
        scene.note("the hub dies; what is local is answered, and what needs the hub says that it waits");
        scene.sim.crash_hub();
        scene.wait_ms(100);
        for line in ["message ben hello", "list", "transfers", "lsit", "get ../song.ogg"] {
            scene.says(anna, line);
        }
        scene.wait_ms(1_000);
        scene.says(anna, "broadcast hello");
        for line in [
            r#"{"id":1,"request":"offer","files":["plan.txt"]}"#,
            r#"{"id":2,"request":"list"}"#,
            r#"{"id":3,"request":"help","command":"wait"}"#,
            r#"{"id":4,"request":"setdir","dir":"music"}"#,
            r#"{"id":5,"request":"cancel","transfer":7}"#,
            r#"{"id":6,"request":"wait"}"#,
        ] {
            scene.says(ben, line);
        }
        scene.note("`quit` leaves at once; Ctrl-C too, and says what it gives up");
        scene.says(anna, "quit");
        let client = scene.client(ben);
        scene.sim.interrupt(client, 130);
        scene.wait_ms(100);
        assert_eq!((scene.ended(anna), scene.ended(ben)), (Some(5), Some(130)));
    });
}

#[test]
fn leaving_waits_and_says_so() {
    play("leaving-waits", SimConfig::default(), |scene| {
        let (anna, ben, cleo) = scene.anna_ben_and_cleo();
        scene.note("nobody takes what is pushed: leaving waits for it, but not in silence and not for ever");
        scene.give(cleo, "home", "report.pdf", "in short: all is well");
        scene.says(ben, r#"{"id":1,"request":"push","file":"plan.txt","to":"anna"}"#);
        scene.says(cleo, "push report.pdf ben");
        scene.says(anna, "push song.ogg ben");
        scene.says(ben, r#"{"id":2,"request":"quit"}"#);
        scene.says(anna, "quit");
        let client = scene.client(cleo);
        scene.note("the end of cleo's input");
        scene.sim.end_input(client);
        scene.wait_ms(2_000);
        scene.note("Ctrl-C");
        scene.sim.interrupt(client, 130);
        scene.wait_ms(30_000);
        assert_eq!([anna, ben, cleo].map(|who| scene.ended(who)), [Some(6), Some(6), Some(130)]);
    });
}

#[test]
fn bad_lines() {
    play("bad-lines", SimConfig::default(), |scene| {
        let (anna, ben) = scene.anna_and_ben();
        for line in ["lsit", "offer 'a b", "get", "list --everything", "# a comment", "", "  list  "] {
            scene.says(anna, line);
        }
        scene.says_odd(anna, "list (with a carriage return)", b"list\r");
        scene.says_odd(anna, r"\xff\xfe", b"\xff\xfe");
        for line in [
            "{",
            r#"{"id":1}"#,
            r#"{"id":2,"request":"lsit"}"#,
            r#"{"id":3,"request":7}"#,
            r#"{"id":4,"request":"list","owner":"anna","colour":"red"}"#,
            r#"{"id":5,"request":"list","owner":7}"#,
            r#"{"id":6,"request":"list","request":"who"}"#,
            r#"{"id":7,"request":"offer","files":["a",{"b":1}]}"#,
            r#"{"id":8.5,"request":"list"}"#,
            r#"{"id":9,"request":"cancel","transfer":-1}"#,
            r#"{"id":10,"request":"list"} trailing"#,
            r#"{"id":11,"request":"get","file":"a\u0000b"}"#,
        ] {
            scene.says(ben, line);
        }
        let nested = format!(r#"{{"id":12,"request":{}"#, "[".repeat(100_000));
        scene.says_odd(ben, r#"{"id":12,"request":[[[[… (100,000 deep)"#, nested.as_bytes());
        let long = format!(r#"{{"id":13,"request":"list","match":"{}"}}"#, "x".repeat(MAX_LINE));
        scene.says_odd(ben, r#"{"id":13,"request":"list","match":"xxxx… (more than 1 MiB)"}"#, long.as_bytes());
        scene.note("nothing of that has ended anything");
        scene.says(ben, r#"{"id":14,"request":"list"}"#);
        let started = scene.told(ben).iter().filter(|line| matches!(line.event, Event::Table(_))).count();
        assert_eq!(started, 1, "no bad line was taken for a good one");
        scene.sim.run_for(Duration::from_secs(1));
    });
}
