//! The committed schemas are the generated ones, and say the same as the parsers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use potluck::protocol::line::parse_json;
use potluck::protocol::schema::{self, Stream};
use potluck::protocol::{EventLine, LogLine};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

fn committed(folder: &Path, below: &str, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let path = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            committed(&entry.path(), &format!("{path}/"), found);
        } else {
            found.insert(path, std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

fn bless(generated: &BTreeMap<String, String>) {
    let _ = std::fs::remove_dir_all(folder());
    for (path, text) in generated {
        let path = folder().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn committed_schemas_are_the_generated_ones() {
    let generated: BTreeMap<_, _> = schema::all().into_iter().map(|file| (file.path, file.text)).collect();
    if std::env::var_os("POTLUCK_BLESS").is_some() {
        bless(&generated);
    }
    let mut found = BTreeMap::new();
    committed(&folder(), "", &mut found);
    let mut differing: Vec<_> = generated.keys().filter(|path| found.get(*path) != generated.get(*path)).collect();
    differing.extend(found.keys().filter(|path| !generated.contains_key(*path)));
    assert!(
        differing.is_empty(),
        "these files below schemas/ are not what the vocabulary says: {differing:?}\n\
         If the change is meant, mend them with\n\n    POTLUCK_BLESS=1 cargo test --test schemas\n"
    );
}

fn compile(schema: &Value) -> Validator {
    jsonschema::options().should_validate_formats(true).build(schema).unwrap()
}

fn parses(stream: Stream, line: &str) -> bool {
    match stream {
        Stream::Requests => parse_json(line).is_ok(),
        Stream::Events => EventLine::parse(line).is_ok_and(|line| line.is_some()),
        Stream::Log => LogLine::parse(line).is_ok_and(|line| line.is_some()),
    }
}

#[test]
fn schemas_are_valid_and_every_example_is_too() {
    for stream in Stream::ALL {
        let any = schema::any_line(stream);
        jsonschema::meta::validate(&any).unwrap();
        let any = compile(&any);
        for word in stream.words() {
            let own = schema::line(stream, word);
            jsonschema::meta::validate(&own).unwrap();
            let text = schema::example(stream, word);
            let line: Value = serde_json::from_str(&text).unwrap();
            let mistakes: Vec<_> = compile(&own).iter_errors(&line).map(|e| e.to_string()).collect();
            assert!(mistakes.is_empty(), "{text}: {mistakes:?}");
            assert!(any.is_valid(&line), "{text}");
            assert!(parses(stream, &text), "{text}");
        }
        let mut stranger: Value = serde_json::from_str(&schema::example(stream, &stream.words()[0])).unwrap();
        stranger[stream.key()] = "earthquake".into();
        assert!(!any.is_valid(&stranger));
    }
}

/// A value of a type that the field does not have.
fn of_another_type(value: &Value) -> Value {
    match value {
        Value::String(_) => json!({ "not": "a text" }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => json!("text"),
    }
}

/// Lines that are wrong in one way each.
fn wrong(schema: &Value, line: &Value) -> Vec<Value> {
    let mut wrong = Vec::new();
    for name in schema["required"].as_array().unwrap() {
        let mut without = line.clone();
        without.as_object_mut().unwrap().shift_remove(name.as_str().unwrap());
        wrong.push(without);
    }
    for (name, value) in line.as_object().unwrap() {
        if name != "id" {
            let mut other = line.clone();
            other[name] = of_another_type(value);
            wrong.push(other);
        }
    }
    let mut mark = line.clone();
    mark["id"] = json!({ "not": "a mark" });
    wrong.push(mark);
    wrong
}

#[test]
fn requests_are_refused_by_schema_and_parser_alike() {
    let any = compile(&schema::any_line(Stream::Requests));
    for word in Stream::Requests.words() {
        let own = schema::line(Stream::Requests, word);
        let line: Value = serde_json::from_str(&schema::example(Stream::Requests, word)).unwrap();
        let mut wrong = wrong(&own, &line);
        let mut unknown = line.clone();
        unknown["unheard_of"] = 1.into();
        wrong.push(unknown);
        let own = compile(&own);
        for line in wrong {
            assert!(!own.is_valid(&line), "{line}");
            assert!(!any.is_valid(&line), "{line}");
            assert!(!parses(Stream::Requests, &line.to_string()), "{line}");
        }
    }
}

#[test]
fn events_may_grow_but_not_lose_or_change_what_they_have() {
    for stream in [Stream::Events, Stream::Log] {
        for word in stream.words() {
            let own = schema::line(stream, word);
            let line: Value = serde_json::from_str(&schema::example(stream, word)).unwrap();
            let valid = compile(&own);
            for line in wrong(&own, &line).iter().filter(|line| line.get("id").is_none()) {
                assert!(!valid.is_valid(line), "{line}");
            }
            let mut grown = line.clone();
            grown["unheard_of"] = 1.into();
            assert!(valid.is_valid(&grown) && parses(stream, &grown.to_string()), "{grown}");
        }
    }
}
