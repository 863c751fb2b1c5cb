//! To what an error belongs, and how often it is told.

use serde_json::{Value, json};

use crate::support::*;

#[test]
fn every_error_says_to_which_line_it_belongs_and_to_which_part_of_it() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (none, seven) = (Value::Null, json!(7));
    let cases = [
        (r#"{"id":{},"request":"list"}"#, "bad-request", &none, json!("/id")),
        (r#"{"id":1.5,"request":"list"}"#, "bad-request", &none, json!("/id")),
        (r#"{"id":true,"request":"list"}"#, "bad-request", &none, json!("/id")),
        (r#"{"id":null,"request":"list"}"#, "bad-request", &none, json!("/id")),
        (r#"[{"id":7,"request":"list"}]"#, "bad-json", &none, json!(5)),
        (r#""list""#, "bad-json", &none, json!(6)),
        (r#"{"id":7,"request":"list""#, "bad-json", &seven, json!(7)),
        (r#"{"id":7,"request":"get"}"#, "bad-request", &seven, json!("/file")),
        (r#"{"id":7,"request":"get","file":"../x"}"#, "bad-name", &seven, json!("/file")),
        (r#"{"request":"get","file":"x"}"#, "not-offered", &none, json!("/file")),
        ("get x erin", "not-offered", &none, json!("/from")),
        ("lst", "unknown-request", &none, json!(12)),
        ("block erin", "yourself", &none, json!("/name")),
        ("message nobody hello", "no-such-person", &none, json!("/to")),
        (r#"{"id":7,"request":"cancel","transfer":9}"#, "no-such-transfer", &seven, json!("/transfer")),
        (r#"{"id":7,"request":"decline","push":9}"#, "no-such-push", &seven, json!("/push")),
        (r#"{"id":7,"request":"private-close","to":"dora"}"#, "not-open", &seven, json!("/to")),
        (r#"{"id":7,"request":"help","command":"gte"}"#, "unknown-request", &seven, json!("/command")),
        ("rereg", "already-registered", &none, Value::Null),
    ];
    let input: String = cases.iter().map(|(line, ..)| format!("{line}\n")).collect();
    let mut erin = Process::start("erin", scene.join(&hub.address, "erin", &[]), EVENTS);
    erin.write(input);
    let events = erin.finish().events();
    let errors: Vec<&Value> = events.iter().filter(|event| event["event"] == "error").collect();
    assert_eq!(errors.len(), cases.len(), "one for each: {errors:?}");
    for (number, (error, (line, code, id, at))) in (1..).zip(errors.iter().zip(&cases)) {
        let told = (&error["code"], &error["id"], &error["at"], &error["line"]);
        let of_line = if id.is_null() { json!(number) } else { Value::Null };
        assert_eq!(told, (&json!(code), *id, at, &of_line), "{line}: {error}");
    }
}

#[test]
fn a_cause_is_told_once() {
    let scene = Scene::default();
    let hub = scene.hub();
    let _erin = scene.client(&hub, "erin");
    for (address, code) in [(hub.address.as_str(), "name-taken"), ("127.0.0.1:1", "hub-unreachable")] {
        for (input, finals) in [("", 0), ("{\"id\":1,\"request\":\"list\"}\n", 1)] {
            let mut command = scene.command(["join", address, "--name", "erin", "--data", "other", "--json"]);
            command.args(["--give-up", "1s"]);
            let mut other = Process::start("the other", command, EVENTS);
            other.write(input);
            let events = other.finish().events();
            let errors: Vec<&Value> = events.iter().filter(|event| event["event"] == "error").collect();
            assert_eq!(errors.len(), 1, "{code}: {events:?}");
            assert_eq!(errors[0]["code"], code);
            // A request that is written after the end has no answer.
            let answered = errors.iter().filter(|error| error["final"] == true).count();
            assert!(answered <= finals, "{events:?}");
        }
    }
}
