//! Safety numbers, verified marks, and the alarm when a verified name shows another key.

use super::accounts::{SECRET, add};
use super::*;

fn verify(name: &str, options: Value) -> Value {
    let mut request = json!({"request": "verify", "name": name});
    request.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    request
}

fn number(client: &mut Process, name: &str) -> String {
    text(&client.must(verify(name, json!({})), "safety-number")["number"])
}

/// The line of somebody in the roster.
fn row(client: &mut Process, name: &str) -> Value {
    let roster = client.must(request("who"), "roster");
    roster["clients"].as_array().unwrap().iter().find(|client| client["name"] == name).unwrap().clone()
}

/// Erin, who has an account, at one of her machines.
fn erin_at(scene: &Scene, hub: &Hub, machine: &str) -> Process {
    let file = scene.file(&format!("{machine}/password"), format!("{SECRET}\n"));
    let mut command = scene.command(["join", &hub.address, "--name", "erin", "--json", "--password-file"]);
    command.arg(file);
    scene.own_folders(&mut command, machine);
    let mut client = Process::start(machine, command, EVENTS);
    client.place = scene.place(machine);
    client.then("ready");
    client.then("welcome");
    client
}

#[test]
fn both_ends_see_the_same_number_whichever_hub_they_meet_at() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut dora, mut erin, mut finn) =
        (scene.client(&hub, "dora"), scene.client(&hub, "erin"), scene.client(&hub, "finn"));
    let ours = number(&mut dora, "erin");
    assert_eq!(ours, number(&mut erin, "DORA"));
    assert_ne!(ours, number(&mut finn, "erin"));
    let digits = ours.split(' ').map(|group| group.len() == 5 && group.bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(digits.collect::<Vec<_>>(), [true; 12]);
    assert_eq!(row(&mut dora, "erin").get("verified"), None, "looking is not yet verifying");
    [dora, erin].into_iter().for_each(Process::quit);
    // Who has left keeps the key that is known, over a restart of the hub as well.
    let hub = scene.again(hub, Signal::TERM, &[]);
    let mut dora = scene.client(&hub, "dora");
    assert_eq!(number(&mut dora, "erin"), ours);
    dora.quit();
    drop(hub);
    let mut elsewhere = scene.command(["serve", "--log-format", "json", "--data", "elsewhere", "--port", "0"]);
    elsewhere.stdin(std::process::Stdio::null());
    let mut hub = Process::start("another hub", elsewhere, Face::Json(potluck::protocol::schema::Stream::Log));
    let port = hub.then("hub-listening")["port"].as_u64().unwrap() as u16;
    let (mut dora, mut erin) = (scene.client(&port, "dora"), scene.client(&port, "erin"));
    assert_eq!(number(&mut erin, "dora"), ours);
    assert_eq!(number(&mut dora, "erin"), ours);
    [dora, erin].into_iter().for_each(Process::quit);
}

#[test]
fn a_mark_is_kept_for_one_hub_and_is_taken_back() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut dora, erin) = (scene.client(&hub, "dora"), scene.client(&hub, "erin"));
    assert_eq!(dora.must(verify("Erin", json!({"confirm": true})), "safety-number")["verified"], true);
    assert_eq!(row(&mut dora, "erin")["verified"], true);
    assert_eq!(row(&mut dora, "dora").get("verified"), None);
    dora.quit();
    let mut dora = scene.client(&hub, "dora");
    let told = dora.then("roster-updated");
    let erin_s = told["clients"].as_array().unwrap().iter().find(|client| client["name"] == "erin").unwrap();
    assert_eq!(erin_s["verified"], true);
    let mut shown = scene.exec(&hub, "dora-2", &["who"]);
    assert!(shown.then("roster")["clients"].as_array().unwrap().iter().all(|client| client.get("verified").is_none()));
    assert_eq!(dora.must(verify("erin", json!({"revoke": true})), "safety-number")["verified"], false);
    assert_eq!(row(&mut dora, "erin").get("verified"), None);
    // The key stays known.
    dora.must(json!({"request": "private", "to": "erin", "text": "hello"}), "message-acked");
    assert!(!dora.has_said(|event| event["event"] == "key-alarm"));
    [dora, erin].into_iter().for_each(Process::quit);
}

#[test]
fn another_key_under_a_verified_name_is_an_alarm_wherever_it_is_met() {
    let scene = Scene::default();
    add(&scene, "erin", SECRET);
    let hub = scene.hub();
    let mut dora = scene.client_with(&hub, "dora", &["--accept-from", "erin"]);
    let erin = erin_at(&scene, &hub, "laptop");
    let first = dora.must(verify("erin", json!({"confirm": true})), "safety-number");
    erin.quit();
    // Somebody with her password, at another machine.
    dora.skip();
    let mut erin = erin_at(&scene, &hub, "stolen");
    let alarm = dora.then("key-alarm");
    assert_eq!((&alarm["name"], &alarm["verified_key"]), (&json!("erin"), &first["key"]));
    assert!(!text(&alarm["hint"]).contains("forget"), "{alarm}");
    assert_eq!(row(&mut dora, "erin")["verified"], false);

    erin.offer("a.txt", b"a");
    dora.place.put("b.txt", b"b");
    let refuses = |client: &mut Process, request: Value| {
        let refused = client.refused(request, "verified-key-changed");
        assert!(text(&refused["message"]).contains(&text(&first["key"])), "{refused}");
        assert!(!text(&refused["hint"]).contains("forget"), "{refused}");
    };
    refuses(&mut dora, json!({"request": "get", "file": "a.txt"}));
    refuses(&mut dora, json!({"request": "get", "file": "a.txt", "from": "erin"}));
    refuses(&mut dora, json!({"request": "private", "to": "erin", "text": "secret"}));
    refuses(&mut dora, json!({"request": "private-open", "to": "erin"}));
    refuses(&mut dora, message("erin", "the key is under the mat"));
    refuses(&mut dora, json!({"request": "push", "file": "b.txt", "to": "erin"}));
    refuses(&mut dora, verify("erin", json!({"confirm": true})));
    // Nor does anything come from there by itself.
    erin.refused(json!({"request": "private", "to": "dora", "text": "it is me"}), "peer-refused");
    erin.place.put("c.txt", b"c");
    let id = erin.send(json!({"request": "push", "file": "c.txt", "to": "dora"}));
    let pushed = erin.then("push-asked");
    assert_eq!(
        dora.find("the refusal", |event| event["event"] == "error" && event.get("id").is_none())["code"],
        "verified-key-changed"
    );
    assert!(dora.place.downloaded().is_empty());
    erin.must(json!({"request": "cancel", "transfer": pushed["transfer"]}), "cancelled");
    erin.answer(id);

    // People are told in words, and `exec` with its code.
    let words = scene
        .run(["exec", &hub.address, "--name", "dora-2", "--data", "dora/data", "--downloads", "d", "get", "a.txt"], "");
    assert_eq!(words.code, 6, "{}", words.text());
    assert!(words.text().contains("\nALARM: erin shows another key"), "{}", words.text());

    // She has bought a new machine after all, and reads the new number out. A wrong one changes nothing.
    let wrong = text(&first["number"]);
    dora.refused(verify("erin", json!({"confirm": true, "number": wrong})), "number-differs");
    let read_out = number(&mut erin, "dora").replace(' ', "");
    assert_eq!(dora.must(verify("erin", json!({})), "safety-number")["verified_key"], first["key"]);
    let confirmed = dora.must(verify("erin", json!({"confirm": true, "number": read_out})), "safety-number");
    assert_eq!((&confirmed["verified"], confirmed.get("verified_key")), (&json!(true), None));
    dora.must(json!({"request": "get", "file": "a.txt"}), "transfer-completed");
    dora.must(json!({"request": "private", "to": "erin", "text": "hello"}), "message-acked");
    dora.must(message("erin", "the key is under the mat"), "message-acked");
    let alarms = dora.seen.iter().filter(|event| event["event"] == "key-alarm").count();
    assert_eq!(alarms, 1, "it is told once");
    [dora, erin].into_iter().for_each(Process::quit);
}

#[test]
fn who_joins_later_hears_the_alarm_before_anything_that_is_said() {
    let scene = Scene::default();
    add(&scene, "erin", SECRET);
    let hub = scene.hub();
    let mut dora = scene.client(&hub, "dora");
    let erin = erin_at(&scene, &hub, "laptop");
    dora.must(verify("erin", json!({"confirm": true})), "safety-number");
    dora.quit();
    erin.quit();
    let mut erin = erin_at(&scene, &hub, "stolen");
    let mut dora = scene.client(&hub, "dora");
    let acked = erin.must(message("dora", "it is me"), "message-acked");
    arrives(&mut erin, &acked);
    hear(&mut dora);
    let order: Vec<&Value> = dora.seen.iter().map(|event| &event["event"]).collect();
    let at = |name: &str| order.iter().position(|event| *event == name);
    assert!(at("key-alarm").is_some() && at("key-alarm") < at("message"), "{order:?}");
    dora.quit();
    // Who does not follow the roster is told of those with whom there is anything to do.
    erin.skip();
    let mut dora = scene.client_with(&hub, "dora", &["--follow-roster", "none"]);
    erin.then_state("dora", "online");
    erin.refused(json!({"request": "private", "to": "dora", "text": "it is me"}), "peer-refused");
    assert_eq!(dora.then("key-alarm")["name"], "erin");
    dora.quit();
    erin.quit();
}
