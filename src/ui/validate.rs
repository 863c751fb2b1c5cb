//! Checks recorded streams against the schemas, line by line.

use std::collections::HashMap;

use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::protocol::cause;
use crate::protocol::schema::{self, Stream};
use crate::protocol::vocabulary::Word;
use crate::protocol::{At, EventLine, LogLine, line, strict};

/// A mistake in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineMistake {
    /// The number of the line, counted from 1.
    pub line: u64,
    /// The place in the line as a JSON pointer (RFC 6901); empty for the line as a whole.
    pub pointer: String,
    /// Says what is wrong. It may quote the line, so it must be escaped before it is shown.
    pub message: String,
}

/// Checks the lines of one stream in order.
pub struct Validator {
    stream: Stream,
    /// The compiled schemas of the words that have occurred.
    words: HashMap<&'static str, jsonschema::Validator>,
    seq: Option<u64>,
}

impl Validator {
    /// A validator before the first line of a stream.
    pub fn new(stream: Stream) -> Self {
        Self { stream, words: HashMap::new(), seq: None }
    }

    /// The stream that a line belongs to; [`Stream::Events`] if the line is not JSON.
    pub fn detect(line: &[u8]) -> Stream {
        serde_json::from_slice::<Value>(line).map_or(Stream::Events, |line| Stream::of(&line))
    }

    /// Checks the next line. `number` is the line number that mistakes will carry.
    ///
    /// # Errors
    /// All mistakes in the line.
    pub fn validate_line(&mut self, number: u64, line: &[u8]) -> Result<(), Vec<LineMistake>> {
        let mistake = |(pointer, message)| LineMistake { line: number, pointer, message };
        let found = match self.stream {
            Stream::Requests if !line.trim_ascii_start().starts_with(b"{") => parsed(line),
            Stream::Requests | Stream::Events | Stream::Log => self.json(line),
        };
        if found.is_empty() { Ok(()) } else { Err(found.into_iter().map(mistake).collect()) }
    }

    fn json(&mut self, line: &[u8]) -> Vec<(String, String)> {
        let Ok(text) = std::str::from_utf8(line) else { return whole("the line is not valid UTF-8") };
        let value = match strict::parse(text) {
            Ok(Value::Object(map)) => Value::Object(map),
            Ok(_) => return whole("the line is not a JSON object"),
            Err(e) => return unread(e),
        };
        let mut found = self.against_schema(&value);
        if self.stream == Stream::Events {
            found.extend(self.count(&value));
        }
        // Rules that a schema cannot express, such as the length of an id in bytes, are checked by the reader.
        if found.is_empty() {
            found = match self.stream {
                Stream::Requests => parsed(line),
                Stream::Events => EventLine::parse(text).err().map_or_else(Vec::new, unread),
                Stream::Log => LogLine::parse(text).err().map_or_else(Vec::new, unread),
            };
        }
        found
    }

    fn against_schema(&mut self, value: &Value) -> Vec<(String, String)> {
        let key = self.stream.key();
        let at = |message: String| vec![(format!("/{key}"), message)];
        let name = match value.get(key) {
            Some(Value::String(name)) => name,
            Some(_) => return at(format!("the name of the {} is not a text", self.stream.any())),
            None => return whole(format!("the field `{key}` is missing")),
        };
        let Some(word) = self.stream.words().iter().find(|word| word.name == name) else {
            return at(format!("there is no {} `{name}`", if key == "event" { "event" } else { "request" }));
        };
        let stream = self.stream;
        let schema = self.words.entry(word.name).or_insert_with(|| compile(&schema::line(stream, word), word));
        schema.iter_errors(value).flat_map(|e| placed(&e)).collect()
    }

    /// Checks that `seq` grows by one. A recording may begin anywhere, and `ready` begins a new session.
    fn count(&mut self, value: &Value) -> Option<(String, String)> {
        let seq = value.get("seq")?.as_u64()?;
        let begins = value.get("event").is_some_and(|name| name == "ready") && seq == 1;
        let expected = self.seq.filter(|_| !begins).and_then(|before| before.checked_add(1));
        self.seq = Some(seq);
        match expected {
            Some(expected) if expected != seq => {
                Some(("/seq".to_owned(), format!("seq is {seq}, but {expected} comes next")))
            }
            Some(_) | None => None,
        }
    }
}

/// The mistakes that the parser of requests finds: in JSON or in a typed command. Comments and empty lines are fine.
fn parsed(bytes: &[u8]) -> Vec<(String, String)> {
    match line::parse(bytes) {
        Ok(_) => Vec::new(),
        Err(bad) => {
            let pointer = match bad.failure.at {
                Some(At::Pointer(pointer)) => pointer,
                Some(At::Line(_)) | None => String::new(),
            };
            vec![(pointer, bad.failure.message.into_owned())]
        }
    }
}

/// The place and the text of a mistake that a schema found. For an unknown field, the place is the field itself.
fn placed(error: &jsonschema::ValidationError<'_>) -> Vec<(String, String)> {
    let place = error.instance_path().to_string();
    let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() else {
        return vec![(place, error.masked_with("the value").to_string())];
    };
    let pointer = |name: &String| format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
    unexpected.iter().map(|name| (pointer(name), "there is no such field".to_owned())).collect()
}

fn unread(error: serde_json::Error) -> Vec<(String, String)> {
    whole(cause::of_json(&error))
}

fn whole(message: impl ToString) -> Vec<(String, String)> {
    vec![(String::new(), message.to_string())]
}

fn compile(schema: &Value, word: &Word) -> jsonschema::Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap_or_else(|e| unreachable!("a test compiles the schema of {}: {e}", word.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stream: Stream, lines: &[&str]) -> Vec<String> {
        let mut validator = Validator::new(stream);
        let numbered = (1..).zip(lines);
        numbered
            .filter_map(|(number, line)| validator.validate_line(number, line.as_bytes()).err())
            .flatten()
            .map(|mistake| format!("{}: {}: {}", mistake.line, mistake.pointer, mistake.message))
            .collect()
    }

    fn event(seq: u64, rest: &str) -> String {
        format!(r#"{{"event":"synced","seq":{seq},"time":"2026-01-02T03:04:05.678Z",{rest}}}"#)
    }

    #[test]
    fn mistakes_are_placed() {
        let good = event(1, r#""revision":1"#);
        let wrong = [
            &good,
            &event(2, r#""revision":"1""#),
            &event(3, r#""revision":1,"revision":1"#),
            &event(5, r#""revision":1,"news":true"#),
            &good.replace("synced", "earthquake"),
            &event(2, r#""revision":1e300"#),
        ];
        insta::assert_snapshot!(check(Stream::Events, &wrong.map(String::as_str)).join("\n"), @r#"
        2: /revision: the value is not of type "integer"
        3: : the key "revision" stands twice at column 83
        4: /seq: seq is 5, but 3 comes next
        5: /event: there is no event `earthquake`
        5: /seq: seq is 1, but 6 comes next
        6: : a value is not what it should be at column 76
        "#);
    }

    #[test]
    fn a_recording_may_begin_anywhere_and_ready_begins_another() {
        let ready = schema::example(Stream::Events, &Stream::Events.words()[0]).replace(r#""seq":12"#, r#""seq":1"#);
        let lines = [&event(7, r#""revision":1"#), &event(8, r#""revision":1"#), &ready, &event(2, r#""revision":2"#)];
        assert_eq!(check(Stream::Events, &lines.map(String::as_str)), Vec::<String>::new());
    }

    #[test]
    fn requests_may_be_human() {
        let lines =
            ["# comment", "", "list", "get", r#"{"request":"list","own":"x"}"#, r#"{"id":1.5,"request":"list"}"#];
        insta::assert_snapshot!(check(Stream::Requests, &lines).join("\n"), @r#"
        4: : <FILE|DIR/> is missing.
        5: /own: there is no such field
        6: /id: the value is not of types "integer", "string"
        "#);
        let mut validator = Validator::new(Stream::Events);
        assert!(validator.validate_line(1, b"\xff").is_err());
    }

    #[test]
    fn streams_are_told_apart() {
        assert_eq!(Validator::detect(br#"{"request":"list"}"#), Stream::Requests);
        assert_eq!(Validator::detect(br#"{"event":"hub-stopped","level":"info"}"#), Stream::Log);
        assert_eq!(Validator::detect(br#"{"event":"waited"}"#), Stream::Events);
    }
}
