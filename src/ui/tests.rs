//! Every event and log line in both faces, and what hostile text does to them: nothing.

use serde_json::Value;

use crate::protocol::schema::{self, Stream};
use crate::protocol::{EventLine, LogLine};

use super::human::render;
use super::log::render_log;
use super::style::Style;

/// Steers a terminal, turns text around, and pretends to be another line.
const HOSTILE: &str = "a\u{1b}[31mb\u{202e}c\u{7}d\nerror: forged";

/// Cases beside the vocabulary's examples.
const MORE: &[&str] = &[
    r#"{"event":"table","seq":1,"revision":18,"offers":[{"file":"song.ogg","owner":"erin","size":3565158,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunk_size":1048576,"chunks":4,"address":"192.0.2.7","port":40002},{"file":"notes.txt","owner":"erin","size":5,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunk_size":1048576,"chunks":1,"address":"192.0.2.7","port":40002},{"file":"notes.txt","owner":"dora","size":5,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunk_size":1048576,"chunks":1,"address":"2001:db8::7","port":40001}]}"#,
    r#"{"event":"table-updated","seq":1,"revision":19,"added":[{"file":"notes.txt","owner":"erin","size":5,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunk_size":1048576,"chunks":1,"address":"192.0.2.7","port":40002}],"removed":[{"file":"song.ogg","owner":"erin"}],"total":5}"#,
    r#"{"event":"table-updated","seq":1,"revision":19,"added":[{"file":"notes.txt","owner":"erin","size":5,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunk_size":1048576,"chunks":1,"address":"192.0.2.7","port":40002}],"removed":[],"total":1,"full":true}"#,
    r#"{"event":"table-updated","seq":1,"revision":20,"added":[],"removed":[{"file":"1","owner":"erin"},{"file":"2","owner":"erin"},{"file":"3","owner":"erin"},{"file":"4","owner":"erin"},{"file":"5","owner":"erin"},{"file":"6","owner":"erin"},{"file":"7","owner":"erin"},{"file":"8","owner":"erin"},{"file":"9","owner":"erin"},{"file":"10","owner":"erin"},{"file":"11","owner":"erin"},{"file":"12","owner":"erin"}],"total":0}"#,
    r#"{"event":"table","seq":1,"revision":20,"offers":[],"more":true,"next":"it's here/anna"}"#,
    r#"{"event":"roster","seq":1,"revision":18,"clients":[]}"#,
    r#"{"event":"roster","seq":1,"revision":18,"clients":[],"next":70}"#,
    r#"{"event":"roster-updated","seq":1,"revision":20,"clients":[{"name":"dora","number":4,"state":"online","since":"2026-01-02T03:04:05.678Z","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","address":"127.0.0.1","port":40001,"link_port":40101},{"name":"erin","number":5,"state":"away","since":"2026-01-02T03:04:05.678Z","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","address":"127.0.0.1","port":40002,"link_port":40102},{"name":"frank","number":6,"state":"offline","since":"2026-01-02T03:04:05.678Z","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","address":"127.0.0.1","port":40003,"link_port":40103}],"total":2}"#,
    r#"{"event":"roster-updated","seq":1,"revision":20,"clients":[{"name":"dora","number":4,"state":"online","since":"2026-01-02T03:04:05.678Z","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","address":"127.0.0.1","port":40001,"link_port":40101},{"name":"erin","number":5,"state":"away","since":"2026-01-02T03:04:05.678Z","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","address":"127.0.0.1","port":40002,"link_port":40102}],"total":2,"full":true}"#,
    r#"{"event":"transfers","seq":1,"transfers":[]}"#,
    r#"{"event":"transfer-started","seq":1,"transfer":2,"direction":"up","file":"notes.txt","peer":"dora","size":4096,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","resumed":1024}"#,
    r#"{"event":"transfer-completed","seq":1,"transfer":2,"direction":"up","file":"notes.txt","peer":"dora","size":4096,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","elapsed":12}"#,
    r#"{"event":"transfer-completed","seq":1,"transfer":3,"direction":"down","file":"song.ogg","peer":"erin","path":"song.ogg","size":3565158,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","elapsed":0,"sources":[{"peer":"erin","bytes":3000000},{"peer":"frank","bytes":565158}]}"#,
    r#"{"event":"transfer-failed","seq":1,"transfer":2,"direction":"up","file":"notes.txt","peer":"dora","bytes":0,"size":4096,"code":"peer-broke","message":"The other client broke off.","retry":"later"}"#,
    r#"{"event":"error","seq":1,"code":"bad-json","message":"expected value at column 1","retry":"after-change","at":3}"#,
    r#"{"event":"error","seq":1,"code":"locked-out","message":"There were too many failed logins.","hint":"Wait, then log in with the right password.","retry":"later","wait":7001}"#,
    r#"{"event":"status","seq":1,"clients":[],"total":0}"#,
    r#"{"event":"message-acked","seq":1,"number":41,"sent":"2026-01-02T03:04:05.678Z","to":"erin","stored":true,"delivered":0}"#,
    r#"{"event":"message-acked","seq":1,"number":1,"sent":"2026-01-02T03:04:05.678Z","to":"erin","stored":false,"delivered":1}"#,
    r#"{"event":"message-acked","seq":1,"number":42,"sent":"2026-01-02T03:04:05.678Z","room":"kitchen","stored":true,"delivered":3}"#,
    r#"{"event":"message-acked","seq":1,"number":43,"sent":"2026-01-02T03:04:05.678Z","to":"all","stored":true,"delivered":5,"blocked":0}"#,
    r#"{"event":"message-acked","seq":1,"number":44,"sent":"2026-01-02T03:04:05.678Z","to":"all","stored":true,"delivered":4,"blocked":1}"#,
    r#"{"event":"message","seq":1,"time":"2026-01-02T03:04:05.678Z","number":41,"from":"erin","to":"all","text":"it's \"hot\"\nand ready \\o/","sent":"2026-01-02T03:04:05.600Z"}"#,
    r#"{"event":"message","seq":1,"time":"2026-01-02T09:04:05.678Z","number":41,"from":"erin","to":"dora","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"}"#,
    r#"{"event":"room-message","seq":1,"time":"2026-01-02T03:05:05.678Z","number":42,"room":"kitchen","from":"erin","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"}"#,
    r#"{"event":"private-closed","seq":1,"peer":"erin","reason":"no answer for 500 ms"}"#,
    r#"{"event":"blocks","seq":1,"names":[]}"#,
    r#"{"event":"history","seq":1,"messages":[],"more":false}"#,
    r#"{"event":"history","seq":1,"messages":[{"number":9,"to":"dora","from":"erin","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"},{"number":10,"to":"all","from":"dora","text":"come and\nget it","sent":"2026-01-02T03:04:06.678Z"}],"more":true,"next":9}"#,
    r#"{"event":"history","seq":1,"messages":[{"number":9,"to":"dora","from":"erin","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"},{"number":10,"to":"all","from":"dora","text":"come","sent":"2026-01-02T03:04:06.678Z"}],"more":true,"next":10}"#,
    r#"{"event":"rooms","seq":1,"rooms":[]}"#,
    r#"{"event":"room-created","seq":1,"room":"garden","access":"open","members":["dora"]}"#,
    r#"{"event":"room-changed","seq":1,"room":"kitchen","joined":["erin"]}"#,
    r#"{"event":"room-changed","seq":1,"room":"kitchen","by":"erin","left":["erin"]}"#,
    r#"{"event":"unfocused","seq":1,"room":"kitchen","held":0}"#,
    r#"{"event":"unfocused","seq":1,"room":"kitchen","held":1,"reason":"the room is gone"}"#,
    r#"{"event":"hub-back","seq":1,"resumed":false,"away":95000}"#,
    r#"{"event":"bye","seq":1,"reason":"the hub does not answer","code":5}"#,
    r#"{"event":"help","seq":1,"commands":[{"name":"wait","usage":"wait","about":"Answer when everything asked before is done","aliases":[],"details":"Answer when everything asked before is done\n\nUsage: wait"}]}"#,
    r#"{"event":"help","seq":1,"commands":[{"name":"get","usage":"get [OPTIONS] <FILE> [OWNER]","about":"Fetch a file straight from its owner","aliases":["request"]},{"name":"list","usage":"list [OPTIONS]","about":"Show what is offered","aliases":[]}]}"#,
];

/// Every line that is tried: its stream and its JSON.
fn lines() -> Vec<(Stream, String)> {
    let events = Stream::Events.words().iter().map(|word| schema::example(Stream::Events, word));
    let more = MORE.iter().map(|line| (*line).to_owned());
    let log = Stream::Log.words().iter().map(|word| schema::example(Stream::Log, word));
    let events = events.chain(more).map(|line| (Stream::Events, line));
    events.chain(log.map(|line| (Stream::Log, line))).collect()
}

fn text(stream: Stream, line: &str, style: Style) -> Option<String> {
    match stream {
        Stream::Events => EventLine::parse(line).ok()?.map(|line| render(&line, style)),
        Stream::Log => LogLine::parse(line).ok()?.map(|line| render_log(&line, style)),
        Stream::Requests => None,
    }
}

#[test]
fn both_faces_of_every_event() {
    let mut glossary = String::new();
    for (stream, line) in lines() {
        glossary += &format!("{line}\n");
        for shown in text(stream, &line, Style::Plain).unwrap().lines() {
            glossary += format!("    {shown}").trim_end();
            glossary.push('\n');
        }
        glossary.push('\n');
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("glossary", glossary));
}

#[test]
fn text_is_whole_lines_and_colour_only_adds_colour() {
    for (stream, line) in lines() {
        let plain = text(stream, &line, Style::Plain).unwrap();
        assert!(plain.is_empty() || plain.ends_with('\n'), "{line}");
        assert!(!plain.chars().any(|c| c.is_control() && c != '\n'), "{plain:?}");
        let mut bare = text(stream, &line, Style::Colour).unwrap();
        for code in ["0", "1", "2", "31", "32", "33"] {
            bare = bare.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(bare, plain);
    }
}

/// The places of all texts in a value, as JSON pointers.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(items) => {
            (0..).zip(items).for_each(|(index, item): (usize, _)| texts(item, &format!("{at}/{index}"), found));
        }
        Value::Object(map) => map.iter().for_each(|(key, item)| texts(item, &format!("{at}/{key}"), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn hostile_text_reaches_nobody() {
    let mut tried = 0;
    for (stream, line) in lines() {
        let value: Value = serde_json::from_str(&line).unwrap();
        let before = text(stream, &line, Style::Plain).unwrap();
        let mut places = Vec::new();
        texts(&value, "", &mut places);
        for place in places.iter().filter(|place| *place != "/event") {
            let mut changed = value.clone();
            *changed.pointer_mut(place).unwrap() = HOSTILE.into();
            // Where only certain texts are taken, a hostile one is not even read.
            let Some(shown) = text(stream, &changed.to_string(), Style::Plain) else { continue };
            tried += 1;
            let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!shown.contains(raw), "{place} of {line}: {shown:?}");
            assert!(!shown.lines().any(|line| line.starts_with("error: forged")), "{place} of {line}: {shown}");
            let details = place.ends_with("/details");
            assert!(details || shown.lines().count() == before.lines().count(), "{place} of {line}: {shown}");
        }
    }
    assert!(tried > 100, "{tried} texts were tried");
}
