//! JSON Schemas (draft 2020-12) of every line that potluck reads or writes, generated from the vocabulary.
//!
//! Each file describes one kind of line and needs no other file, so that it can be given to a validator or code
//! generator of any language. `answers.json` lists which events and errors can answer which request. The generated
//! files are committed under `schemas/`; a test compares them.

mod answers;

pub use answers::answers;

use schemars::generate::{Contract, SchemaGenerator, SchemaSettings};
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::limits::MAX_ID;
use super::log::Level;
use super::vocabulary::Word;
use super::{Event, EventLine, LogEvent, LogLine, Request, Timestamp, to_json};

/// The stream that a line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Requests: standard input as JSON.
    Requests,
    /// Events: standard output with `--json`.
    Events,
    /// The hub's log: standard output with `--log-format json`.
    Log,
}

/// A generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFile {
    /// Its path below `schemas/`, with `/` between parts.
    pub path: String,
    /// Its text, with a final line feed.
    pub text: String,
}

impl Stream {
    /// All streams.
    pub const ALL: [Self; 3] = [Self::Requests, Self::Events, Self::Log];

    /// The words of the stream's vocabulary.
    pub fn words(self) -> &'static [Word] {
        match self {
            Self::Requests => Request::WORDS,
            Self::Events => Event::WORDS,
            Self::Log => LogEvent::WORDS,
        }
    }

    /// The field that names the word of a line.
    pub fn key(self) -> &'static str {
        match self {
            Self::Requests => "request",
            Self::Events | Self::Log => "event",
        }
    }

    /// The folder below `schemas/` that has its schemas.
    pub fn dir(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Events => "events",
            Self::Log => "log",
        }
    }

    /// The name of the schema that any of its lines matches.
    pub fn any(self) -> &'static str {
        match self {
            Self::Requests => "request",
            Self::Events => "event",
            Self::Log => "log",
        }
    }

    /// The stream that a line belongs to, known from its fields: `request`, `level`, or neither.
    pub fn of(line: &Value) -> Self {
        match (line.get("request"), line.get("level")) {
            (Some(_), _) => Self::Requests,
            (None, Some(_)) => Self::Log,
            (None, None) => Self::Events,
        }
    }

    /// The fields that every line of this stream has beside the word's own.
    fn frame(self, word: &Word, generator: &mut SchemaGenerator) -> Frame {
        let name = json!({ "const": word.name });
        let id = || ("id", id_schema());
        let time = |about| ("time", described::<Timestamp>(about));
        match self {
            Self::Requests => Frame { fields: vec![id(), ("request", name)], required: &["request"] },
            Self::Events => Frame {
                fields: vec![
                    ("event", name),
                    (
                        "seq",
                        json!({ "type": "integer", "minimum": 1, "description": "Counts from 1 without a gap in one process." }),
                    ),
                    time("When it was told: UTC, RFC 3339, milliseconds."),
                    id(),
                    (
                        "final",
                        json!({ "type": "boolean", "description": "Whether it is the last event for that `id`." }),
                    ),
                ],
                required: &["event", "seq", "time"],
            },
            Self::Log => Frame {
                fields: vec![
                    ("event", name),
                    time("When it happened: UTC, RFC 3339, milliseconds."),
                    ("level", generator.subschema_for::<Level>().to_value()),
                ],
                required: &["event", "time", "level"],
            },
        }
    }
}

/// The fields of a line beside those of its word.
struct Frame {
    fields: Vec<(&'static str, Value)>,
    required: &'static [&'static str],
}

/// Every generated file, in the order of the vocabulary.
pub fn all() -> Vec<SchemaFile> {
    let file = |path: String, schema: &Value| SchemaFile {
        path: format!("{path}.schema.json"),
        text: serde_json::to_string_pretty(schema).expect("a value has text keys") + "\n",
    };
    let mut files = Vec::new();
    for stream in Stream::ALL {
        files.push(file(stream.any().to_owned(), &any_line(stream)));
        for word in stream.words() {
            files.push(file(format!("{}/{}", stream.dir(), word.name), &line(stream, word)));
        }
    }
    let map = serde_json::to_string_pretty(&answers()).expect("a value has text keys") + "\n";
    files.push(SchemaFile { path: "answers.json".to_owned(), text: map });
    files
}

/// The schema of the lines of one word.
pub fn line(stream: Stream, word: &Word) -> Value {
    let mut generator = generator(stream);
    let body = word_schema(stream, word, &mut generator);
    document(&format!("{}/{}", stream.dir(), word.name), body, generator)
}

/// The schema that every line of a stream matches.
pub fn any_line(stream: Stream) -> Value {
    let mut generator = generator(stream);
    let choices: Vec<Value> = stream.words().iter().map(|word| word_schema(stream, word, &mut generator)).collect();
    let about = match stream {
        Stream::Requests => "Any request: one line of potluck's standard input.",
        Stream::Events => "Any event: one line of potluck's standard output. Readers ignore unknown events and fields.",
        Stream::Log => "Any line of the hub's log. Readers ignore unknown events and fields.",
    };
    let schema = json!({ "title": stream.any(), "description": about, "type": "object", "required": [stream.key()], "oneOf": choices });
    document(stream.any(), schema, generator)
}

/// A complete line of this word, made from the example in the vocabulary.
pub fn example(stream: Stream, word: &Word) -> String {
    let head = match stream {
        Stream::Requests => r#"{"id":7,"request":"#,
        Stream::Events => r#"{"seq":12,"time":"2026-01-02T03:04:05.678Z","event":"#,
        Stream::Log => r#"{"time":"2026-01-02T03:04:05.678Z","event":"#,
    };
    let body = &word.example[1..];
    let comma = if body == "}" { "" } else { "," };
    let text = format!(r#"{head}"{}"{comma}{body}"#, word.name);
    // Reading and writing it again puts the fields in their order, and adds the level of a log line.
    match stream {
        Stream::Requests => text,
        Stream::Events => EventLine::parse(&text).ok().flatten().map_or(text, |line| to_json(&line)),
        Stream::Log => LogLine::parse(&text).ok().flatten().map_or(text, |line| to_json(&line)),
    }
}

fn generator(stream: Stream) -> SchemaGenerator {
    // A request is described as readers accept it, an event as writers produce it.
    let contract = if stream == Stream::Requests { Contract::Deserialize } else { Contract::Serialize };
    SchemaSettings::draft2020_12()
        .with(|settings| settings.contract = contract)
        .with_transform(RecursiveTransform(plain))
        .into_generator()
}

/// The schema of one word's line. Types that it shares with other words stay in the generator.
fn word_schema(stream: Stream, word: &Word, generator: &mut SchemaGenerator) -> Value {
    let mut body = (word.schema)(generator).to_value();
    let frame = stream.frame(word, generator);
    let taken = |field: &str| body.get_mut(field).map(Value::take);
    let [properties, required] = ["properties", "required"].map(taken);
    let mut fields: Map<String, Value> =
        frame.fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    if let Some(Value::Object(own)) = properties {
        fields.extend(own);
    }
    let mut needed: Vec<Value> = frame.required.iter().map(|&name| name.into()).collect();
    if let Some(Value::Array(own)) = required {
        needed.extend(own);
    }
    let example: Value = serde_json::from_str(&example(stream, word)).expect("a test reads every example");
    let mut schema = json!({
        "title": word.name,
        "description": word.about.trim(),
        "type": "object",
        "properties": fields,
        "required": needed,
        "examples": [example],
    });
    // An unknown field in a request is a mistake; in an event it may come from a newer version.
    if stream == Stream::Requests {
        schema["additionalProperties"] = false.into();
    }
    schema
}

/// Completes a schema with the types that it refers to.
fn document(name: &str, schema: Value, mut generator: SchemaGenerator) -> Value {
    let mut document = Map::new();
    document.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    document.insert("$id".into(), format!("potluck/1/{name}").into());
    if let Value::Object(fields) = schema {
        document.extend(fields);
    }
    let mut shared: Vec<_> = generator.take_definitions(false).into_iter().collect();
    shared.sort_by(|a, b| a.0.cmp(&b.0));
    if !shared.is_empty() {
        document.insert("$defs".into(), Value::Object(shared.into_iter().collect()));
    }
    let mut schema = Schema::from(document);
    for transform in generator.transforms_mut() {
        transform.transform(&mut schema);
    }
    schema.to_value()
}

/// Replaces what is specific to Rust in a schema by the plain terms of draft 2020-12.
fn plain(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    match object.get("format").and_then(Value::as_str) {
        // These formats are not in the standard; `minimum` and `maximum` say the same.
        Some(format) if format.starts_with("uint") || format.starts_with("int") => drop(object.shift_remove("format")),
        Some("ip") => {
            object.shift_remove("format");
            object.insert("anyOf".into(), json!([{ "format": "ipv4" }, { "format": "ipv6" }]));
        }
        Some(_) | None => {}
    }
    // An optional field is absent, never null.
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_mut_slice() {
            object["type"] = one.take();
        }
    }
    let is_null = |choice: &Value| choice.get("type").is_some_and(|name| name == "null");
    if let Some(Value::Array(choices)) = object.get_mut("anyOf")
        && choices.iter().any(is_null)
    {
        choices.retain(|choice| !is_null(choice));
        if let [Value::Object(one)] = choices.as_mut_slice() {
            let one = std::mem::take(one);
            object.shift_remove("anyOf");
            object.extend(one);
        }
    }
    if object.get("default") == Some(&Value::Null) {
        object.shift_remove("default");
    }
}

/// The schema of an id. Its limit is in bytes, so a text of more characters than that is too long in any case.
fn id_schema() -> Value {
    json!({
        "type": ["integer", "string"],
        "maxLength": MAX_ID,
        "description": format!("The caller's own id: an integer, or at most {MAX_ID} bytes of text."),
    })
}

/// The schema of `T` with another description.
fn described<T: JsonSchema>(about: &str) -> Value {
    let mut schema = T::json_schema(&mut SchemaGenerator::default()).to_value();
    schema["description"] = about.into();
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(value: &'a Value, wanted: &dyn Fn(&str, &Value) -> bool, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, inner)| {
                if wanted(key, inner) {
                    found.push(inner);
                }
                find(inner, wanted, found);
            }),
            Value::Array(items) => items.iter().for_each(|item| find(item, wanted, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn each_file_stands_alone_and_is_plain() {
        for file in all() {
            let schema: Value = serde_json::from_str(&file.text).unwrap();
            let mut references = Vec::new();
            find(&schema, &|key, _| key == "$ref", &mut references);
            for reference in references {
                let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
                assert!(schema.pointer(pointer).is_some(), "{}: {reference}", file.path);
            }
            let mut odd = Vec::new();
            find(&schema, &|_, value| value == "null", &mut odd);
            find(&schema, &|key, value| key == "format" && value.as_str().is_some_and(|f| f.contains("int")), &mut odd);
            assert!(odd.is_empty(), "{}: {odd:?}", file.path);
        }
    }

    #[test]
    fn names_do_not_clash() {
        let files = all();
        let paths: std::collections::BTreeSet<_> = files.iter().map(|file| &file.path).collect();
        assert_eq!(paths.len(), files.len());
        assert_eq!(files, all(), "the order is stable");
    }
}
