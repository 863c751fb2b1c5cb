//! Twenty times kill -9 of the hub while people write to each other.

use std::collections::BTreeMap;

use potluck::core::Rng;

use super::*;

const KILLS: u64 = 20;
const SENDERS: [&str; 2] = ["erin", "fred"];
const RECEIVERS: [&str; 2] = ["dora", "cleo"];

/// What each sender asks in a round: alternately to each receiver, and to the room of all.
fn round_of(sender: &str, round: u64) -> Vec<(String, Option<&'static str>)> {
    (0..12)
        .map(|i| {
            let to = [Some(RECEIVERS[0]), Some(RECEIVERS[1]), None][i % 3];
            (format!("{sender} {round} {i}"), to)
        })
        .collect()
}

#[test]
fn twenty_kills_lose_nothing_and_repeat_nothing() {
    let seed = std::env::var("POTLUCK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20);
    eprintln!("the same again with POTLUCK_SEED={seed}");
    let mut rng = Rng(seed);
    let scene = Scene::default();
    let args = [&QUICK[..], &["--message-rate", "100000", "--request-rate", "100000"]].concat();
    let mut hub = scene.hub_with(&args);
    let [mut erin, mut fred] = SENDERS.map(|name| scene.client_with(&hub, name, &QUICK));
    let mut receivers = RECEIVERS.map(|name| scene.client_with(&hub, name, &QUICK));
    erin.must(json!({"request": "room-create", "room": "kitchen"}), "room-created");
    for client in [&mut fred].into_iter().chain(&mut receivers) {
        client.must(json!({"request": "room-join", "room": "kitchen"}), "room-joined");
    }
    let mut acked: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..KILLS {
        for sender in [&mut erin, &mut fred] {
            let lines = round_of(&sender.name, round).into_iter().map(|(text, to)| {
                let mut asked = to.map_or_else(|| say("kitchen", &text), |to| message(to, &text));
                asked["id"] = json!(text);
                format!("{asked}\n")
            });
            let lines: String = lines.collect();
            sender.write(lines);
        }
        // It dies after so many acknowledgements have been seen; others are on their way.
        for _ in 0..rng.below(10) {
            let sender = if rng.chance(50) { &mut erin } else { &mut fred };
            let answer = sender.find("an answer", |event| event["final"] == true);
            acked.insert(answer["id"].as_str().unwrap().to_owned(), answer);
        }
        hub = scene.again(hub, Signal::KILL, &args);
    }
    for sender in [erin, fred] {
        let name = sender.name.clone();
        let mut sender = sender;
        for answer in sender.passed_over(|event| event["final"] == true) {
            acked.insert(answer["id"].as_str().unwrap().to_owned(), answer);
        }
        let asked: Vec<String> = (0..KILLS).flat_map(|round| round_of(&name, round)).map(|(text, _)| text).collect();
        for id in &asked {
            if !acked.contains_key(id) {
                let answer = sender.answer(id.as_str());
                acked.insert(id.clone(), answer);
            }
        }
        let numbers: Vec<u64> = asked.iter().map(|id| acked[id]["number"].as_u64().unwrap_or(0)).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "what is said first has the lower number: {numbers:?}");
        // What is left holds no second answer.
        sender.must(request("wait"), "waited");
        let twice = sender.passed_over(|event| event["final"] == true && event["id"].is_string());
        assert_eq!(twice, Vec::<Value>::new(), "each request is answered once");
        let _ = sender.finish();
    }
    assert!(acked.values().all(|answer| answer["event"] == "message-acked"), "{acked:?}");
    for (receiver, name) in receivers.iter_mut().zip(RECEIVERS) {
        let asked = (0..KILLS).flat_map(|round| SENDERS.map(|sender| round_of(sender, round))).flatten();
        let wanted = asked.filter(|(_, to)| to.is_none_or(|to| to == name)).map(|(text, _)| text);
        let mut wanted: Vec<(u64, String)> =
            wanted.map(|text| (acked[&text]["number"].as_u64().unwrap(), text)).collect();
        wanted.sort();
        for (number, text) in wanted {
            let heard = hear(receiver);
            assert_eq!((&heard["number"], &heard["text"]), (&json!(number), &json!(text)), "{name}");
        }
    }
    receivers.into_iter().for_each(part);
    drop(hub);
}
