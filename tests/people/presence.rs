//! Who is there and who was: `who`, `who --since` and `status`, over restarts of the hub too.

use std::collections::BTreeMap;

use super::*;

/// Name and state of everybody in a roster.
fn states(roster: &Value) -> BTreeMap<String, String> {
    let clients = roster["clients"].as_array().unwrap().iter();
    let states: Vec<(String, String)> = clients
        .map(|client| (client["name"].as_str().unwrap().to_owned(), client["state"].as_str().unwrap().to_owned()))
        .collect();
    let by_name: BTreeMap<String, String> = states.iter().cloned().collect();
    assert_eq!(by_name.len(), states.len(), "everybody once: {states:?}");
    by_name
}

fn expected(states: &[(&str, &str)]) -> BTreeMap<String, String> {
    states.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
}

#[test]
fn who_shows_who_is_there_and_since_shows_who_was() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    part(scene.client(&hub, "dora"));
    assert_eq!(states(&erin.must(request("who"), "roster")), expected(&[("erin", "online")]));
    let since = json!({"request": "who", "since": 3600});
    let both = expected(&[("dora", "offline"), ("erin", "online")]);
    assert_eq!(states(&erin.must(since.clone(), "roster")), both);
    // Who is back is there once.
    let dora = scene.client(&hub, "dora");
    let both = expected(&[("dora", "online"), ("erin", "online")]);
    assert_eq!(states(&erin.must(since.clone(), "roster")), both);
    part(dora);
    for wrong in [json!(-1), json!("10m"), json!(1.5)] {
        erin.refused(json!({"request": "who", "since": wrong}), "bad-request");
    }
    assert_eq!(states(&erin.must(json!({"request": "who", "since": u64::MAX}), "roster")).len(), 2);
}

#[test]
fn who_was_there_is_known_after_a_restart_of_the_hub() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&QUICK);
    let mut erin = scene.client_with(&hub, "erin", &QUICK);
    part(scene.client(&hub, "dora"));
    let stays = scene.client(&hub, "fred");
    for signal in [Signal::TERM, Signal::KILL] {
        hub = scene.again(hub, signal, &QUICK);
        is_back(&mut erin);
        let since = states(&erin.must(json!({"request": "who", "since": 3600}), "roster"));
        assert_eq!((since["dora"].as_str(), since["erin"].as_str()), ("offline", "online"), "{signal:?}");
        assert!(since.contains_key("fred"), "{signal:?}: {since:?}");
        let status = erin.must(request("status"), "status");
        let names: Vec<&Value> = status["clients"].as_array().unwrap().iter().map(|client| &client["name"]).collect();
        assert!(!names.contains(&&json!("dora")), "a status is of one run of the hub: {status}");
    }
    drop(stays);
}

#[test]
fn status_counts_what_was_said() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = (scene.client(&hub, "erin"), scene.client(&hub, "dora"));
    erin.must(json!({"request": "room-create", "room": "kitchen"}), "room-created");
    erin.must(message("dora", "one"), "message-acked");
    erin.must(say("kitchen", "two"), "message-acked");
    erin.must(say("lobby", "three"), "message-acked");
    erin.refused(message("nobody", "four"), "no-such-person");
    dora.must(message("erin", "five"), "message-acked");
    drop(dora.finish());
    let status = erin.must(request("status"), "status");
    assert_eq!(status["total"], 2);
    let [first, second] = status["clients"].as_array().unwrap().as_slice() else { panic!("{status}") };
    assert_eq!((&first["name"], &first["messages"], &first["state"]), (&json!("erin"), &json!(3), &json!("online")));
    assert_eq!(
        (&second["name"], &second["messages"], &second["state"]),
        (&json!("dora"), &json!(1), &json!("offline"))
    );
    assert!(first["closed"].is_null() && second["closed"].is_string(), "{status}");
    // Each time at the hub is counted by itself.
    let mut dora = scene.client(&hub, "dora");
    let status = dora.must(request("status"), "status");
    assert_eq!((&status["total"], &status["clients"][2]["messages"]), (&json!(3), &json!(0)));
}

#[test]
fn it_is_told_apart_from_others_who_comes_and_goes_oneself() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let mut dora = scene.client(&hub, "dora");
    let is_news = |event: &Value| event["event"] == "roster-updated";
    let others = dora.find("who is here", is_news);
    assert_eq!(states(&others), expected(&[("dora", "online"), ("erin", "online")]));
    // The others are told; each change before the next one comes, or they become one.
    let mut told = |name: &str, state: &str| {
        let told = |event: &Value| is_news(event) && states(event).get(name).is_some_and(|now| now == state);
        erin.find(&format!("{name} {state}"), told);
    };
    told("dora", "online");
    dora.must(request("dereg"), "deregistered");
    told("dora", "offline");
    dora.must(request("rereg"), "welcome");
    dora.must(request("dereg"), "deregistered");
    dora.must(json!({"request": "register", "name": "dot"}), "welcome");
    told("dot", "online");
    dora.must(request("dereg"), "deregistered");
    // Somebody else may have the name that was hers.
    let mut other = scene.client(&hub, "finn");
    other.must(request("dereg"), "deregistered");
    let name = json!({"request": "register", "name": "dot2"});
    other.must(name, "welcome");
    dora.must(request("rereg"), "welcome");
    let told = |event: &Value| {
        is_news(event) && event["clients"].as_array().unwrap().iter().any(|client| client["name"] == "dot2")
    };
    dora.find("dot2", told);
    // Text leaves out what is about the reader.
    let marked_wrongly = |client: &Value| {
        let ours = client["name"] == "dora" || client["name"] == "dot";
        (client["you"] == true) != ours
    };
    assert!(!dora.has_said(|event| is_news(event) && event["clients"].as_array().unwrap().iter().any(marked_wrongly)));
    assert!(states(&dora.must(request("who"), "roster")).contains_key("dot"));
}
