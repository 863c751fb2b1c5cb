//! The lines of the user's streams: a request as JSON or as a typed command, an event and a log line as JSON.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};

pub use super::error::pointer_at;
use super::event::Event;
use super::limits::MAX_LINE;
use super::log::{LogEvent, LogLine};
use super::mistake::Reader;
use super::request::Request;
use super::request_id::{is_short, readable_id};
use super::vocabulary::Visitor;
use super::{ErrorCode, Failure, Id, Timestamp, cause, human, strict};

/// A request, and the id that its answer will carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// The id that the caller gave it.
    pub id: Option<Id>,
    /// The request itself.
    pub request: Request,
}

/// A line that is no valid request. It has the id if that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The id that the caller gave it.
    pub id: Option<Id>,
    /// Explains what is wrong.
    pub failure: Failure,
}

impl From<Failure> for BadLine {
    fn from(failure: Failure) -> Self {
        Self { id: None, failure }
    }
}

/// Reads a line: JSON if it starts with `{`, `None` if it is empty or starts with `#`, otherwise a typed command.
pub fn parse(line: &[u8]) -> Result<Option<RequestLine>, BadLine> {
    parse_in(line, None)
}

/// Reads a line of somebody who talks in `room`: some typed commands mean that room if they name none.
pub fn parse_in(line: &[u8], room: Option<&str>) -> Result<Option<RequestLine>, BadLine> {
    if line.len() > MAX_LINE {
        return Err(Failure::from(ErrorCode::LineTooLong).into());
    }
    let text = match std::str::from_utf8(line) {
        Ok(text) => text.trim(),
        Err(e) => {
            let start = std::str::from_utf8(&line[..e.valid_up_to()]).unwrap_or_default();
            return Err(BadLine { id: readable_id(start), failure: ErrorCode::BadUtf8.into() });
        }
    };
    match text.as_bytes().first() {
        None | Some(b'#') => Ok(None),
        Some(b'{') => parse_json(text).map(Some),
        Some(b'[') => Err(no_object().into()),
        // A typed command may begin with a quoted word, but here the whole line is one JSON string.
        Some(b'"') if serde_json::from_str::<IgnoredAny>(text).is_ok() => Err(no_object().into()),
        Some(_) => Ok(Some(RequestLine { id: None, request: human::parse(text, room)? })),
    }
}

/// Reads a request from a JSON object; an unknown or duplicate field is an error.
pub fn parse_json(text: &str) -> Result<RequestLine, BadLine> {
    let bad_json = |e: serde_json::Error| BadLine {
        id: readable_id(text),
        failure: Failure::new(ErrorCode::BadJson, format!("The line is not valid JSON: {}.", cause::of_json(&e))),
    };
    let Value::Object(mut map) = strict::parse(text).map_err(bad_json)? else { return Err(no_object().into()) };
    let id = take_id(&mut map)?;
    read_request(map).map(|request| RequestLine { id: id.clone(), request }).map_err(|failure| BadLine { id, failure })
}

fn no_object() -> Failure {
    Failure::new(ErrorCode::BadJson, "A request is a JSON object.")
}

fn take_id(map: &mut Map<String, Value>) -> Result<Option<Id>, Failure> {
    let Some(value) = map.shift_remove("id") else { return Ok(None) };
    match Id::deserialize(value) {
        Ok(id) if is_short(&id) => Ok(Some(id)),
        Ok(_) => Err(bad_field("/id", "An id has at most 128 bytes.")),
        Err(_) => Err(bad_field("/id", "An id is a text or a whole number of 64 bits.")),
    }
}

fn read_request(mut map: Map<String, Value>) -> Result<Request, Failure> {
    let name = match map.shift_remove("request") {
        Some(Value::String(name)) => name,
        Some(_) => return Err(bad_field("/request", "The name of a request is a text.")),
        None => return Err(bad_field("", "The field `request` is missing: it says what is asked.")),
    };
    // An optional field may be absent, but not `null`. The schemas say so too; serde alone would accept it.
    if let Some((key, _)) = map.iter().find(|(_, value)| value.is_null()) {
        return Err(bad_field(&format!("/{}", escaped(key)), "It is null; leave the field out instead."));
    }
    match Request::read(&name, Reader(Value::Object(map))) {
        Some(Ok(request)) => Ok(request),
        Some(Err(mistake)) => {
            let failure = bad_field(&mistake.pointer(), mistake.what);
            let schema = format!("`potluck schema show {name}` says what it takes.");
            Err(failure.hint(mistake.hint.map_or_else(|| schema.clone(), |hint| format!("{hint} {schema}"))))
        }
        None => Err(unknown_request(&name)),
    }
}

/// The failure for an unknown request name. In JSON each request has exactly one name, so it suggests what an old or
/// similar name stands for.
fn unknown_request(name: &str) -> Failure {
    let shown: String = name.chars().take(40).collect();
    let message = format!("There is no request `{shown}`.");
    let failure = Failure::new(ErrorCode::UnknownRequest, message).at(pointer_at("/request"));
    match (human::called(name), human::meant(name)) {
        (Some(now), _) => {
            failure.hint(format!("In JSON it is `{now}`: `potluck schema show {now}` says what it takes."))
        }
        (None, Some(meant)) => failure.hint(format!("Did you mean `{meant}`? `help` lists what can be asked.")),
        (None, None) => failure,
    }
}

fn bad_field(pointer: &str, message: impl Into<std::borrow::Cow<'static, str>>) -> Failure {
    Failure::new(ErrorCode::BadRequest, message).at(pointer_at(pointer))
}

/// Escapes a key for use in a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl Serialize for RequestLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Line<'a, B> {
            #[serde(skip_serializing_if = "Option::is_none")]
            id: &'a Option<Id>,
            request: &'static str,
            #[serde(flatten)]
            body: &'a B,
        }
        struct Write<'a, S>(&'a Option<Id>, S);
        impl<S: Serializer> Visitor for Write<'_, S> {
            type Output = Result<S::Ok, S::Error>;
            fn visit<B: Serialize>(self, request: &'static str, body: &B) -> Self::Output {
                Line { id: self.0, request, body }.serialize(self.1)
            }
        }
        self.request.visit(Write(&self.id, serializer))
    }
}

/// An event as it stands in a stream. On a link it has no `seq` and no `time`: the process that tells the event to its
/// user adds them.
#[derive(Debug, Clone, PartialEq)]
pub struct EventLine {
    /// The position in the stream, counted from 1 in each process.
    pub seq: Option<u64>,
    /// When the event was told.
    pub time: Option<Timestamp>,
    /// The id of the request that caused the event.
    pub id: Option<Id>,
    /// Whether it is the last event for that request.
    pub last: bool,
    /// The event itself.
    pub event: Event,
}

impl EventLine {
    /// Reads an event from a line of JSON; `None` if the event is unknown, as a newer version may send it.
    pub fn parse(text: &str) -> Result<Option<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow)]
            event: std::borrow::Cow<'a, str>,
            seq: Option<u64>,
            time: Option<Timestamp>,
            id: Option<Id>,
            #[serde(default, rename = "final")]
            last: bool,
        }
        let head: Head<'_> = serde_json::from_str(text)?;
        let mut body = serde_json::Deserializer::from_str(text);
        let Some(event) = Event::read(&head.event, &mut body) else { return Ok(None) };
        Ok(Some(Self { seq: head.seq, time: head.time, id: head.id, last: head.last, event: event? }))
    }
}

impl Serialize for EventLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Line<'a, B> {
            event: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            seq: Option<u64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            time: Option<Timestamp>,
            #[serde(skip_serializing_if = "Option::is_none")]
            id: &'a Option<Id>,
            #[serde(rename = "final", skip_serializing_if = "std::ops::Not::not")]
            last: bool,
            #[serde(flatten)]
            body: &'a B,
        }
        struct Write<'a, S>(&'a EventLine, S);
        impl<S: Serializer> Visitor for Write<'_, S> {
            type Output = Result<S::Ok, S::Error>;
            fn visit<B: Serialize>(self, event: &'static str, body: &B) -> Self::Output {
                let EventLine { seq, time, id, last, .. } = self.0;
                Line { event, seq: *seq, time: *time, id, last: *last, body }.serialize(self.1)
            }
        }
        self.event.visit(Write(self, serializer))
    }
}

impl LogLine {
    /// Reads a line of the hub's log; `None` if the log event is unknown.
    pub fn parse(text: &str) -> Result<Option<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow)]
            event: std::borrow::Cow<'a, str>,
            time: Timestamp,
        }
        let head: Head<'_> = serde_json::from_str(text)?;
        let mut body = serde_json::Deserializer::from_str(text);
        let Some(event) = LogEvent::read(&head.event, &mut body) else { return Ok(None) };
        Ok(Some(Self { time: head.time, event: event? }))
    }
}

impl Serialize for LogLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Line<'a, B> {
            event: &'static str,
            time: Timestamp,
            level: super::log::Level,
            #[serde(flatten)]
            body: &'a B,
        }
        struct Write<'a, S>(&'a LogLine, S);
        impl<S: Serializer> Visitor for Write<'_, S> {
            type Output = Result<S::Ok, S::Error>;
            fn visit<B: Serialize>(self, event: &'static str, body: &B) -> Self::Output {
                Line { event, time: self.0.time, level: self.0.event.level(), body }.serialize(self.1)
            }
        }
        self.event.visit(Write(self, serializer))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{At, to_json};
    use super::*;

    fn refusal(line: &str) -> (ErrorCode, Option<At>) {
        let bad = parse(line.as_bytes()).unwrap_err();
        (bad.failure.code, bad.failure.at)
    }

    #[test]
    fn both_faces_are_the_same_request() {
        for (human, json) in [
            ("list", r#"{"request":"list"}"#),
            ("list --owner erin --match '.txt'", r#"{"request":"list","owner":"erin","match":".txt"}"#),
            (
                "get 'a b.txt' erin --on-conflict rename",
                r#"{"request":"get","file":"a b.txt","from":"erin","on_conflict":"rename"}"#,
            ),
            ("request notes.txt erin", r#"{"request":"get","file":"notes.txt","from":"erin"}"#),
            ("offer a b --chunks 4", r#"{"request":"offer","files":["a","b"],"chunks":4}"#),
            ("OUT", r#"{"request":"quit"}"#),
        ] {
            let (human, json) = (parse(human.as_bytes()).unwrap().unwrap(), parse(json.as_bytes()).unwrap().unwrap());
            assert_eq!(human, json);
            assert_eq!(parse(to_json(&json).as_bytes()).unwrap().unwrap(), json);
        }
    }

    #[test]
    fn mistakes_are_named_and_placed() {
        let at = |p: &str| Some(pointer_at(p));
        assert_eq!(refusal(r#"{"request":"get","file":"a","fro":"b"}"#), (ErrorCode::BadRequest, at("/fro")));
        assert_eq!(refusal(r#"{"request":"offer","files":["a",7]}"#), (ErrorCode::BadRequest, at("/files/1")));
        assert_eq!(refusal(r#"{"request":"lst"}"#), (ErrorCode::UnknownRequest, at("/request")));
        assert_eq!(refusal(r#"{"request":"list","request":"list"}"#).0, ErrorCode::BadJson);
        assert_eq!(refusal(r#"{"id":{},"request":"list"}"#), (ErrorCode::BadRequest, at("/id")));
        assert_eq!(refusal("lst").0, ErrorCode::UnknownRequest);
        assert_eq!(refusal("get").0, ErrorCode::BadCommand);
        assert_eq!(refusal("get 'a").0, ErrorCode::BadCommand);
        assert_eq!(parse(b"\xff").unwrap_err().failure.code, ErrorCode::BadUtf8);
        assert_eq!(parse(&vec![b'{'; 2 << 20]).unwrap_err().failure.code, ErrorCode::LineTooLong);
        assert_eq!(parse(b"  # nothing").unwrap(), None);
        let marked = parse(br#"{"id":"x","request":"get"}"#).unwrap_err();
        assert_eq!(marked.id, Some(Id::Text("x".into())));
        assert_eq!(marked.failure.at, at("/file"), "what is missing is named");
    }

    #[test]
    fn json_that_is_no_object_is_no_command() {
        for line in ["[1,2]", "[", r#""list""#, r#""get a""#, "[{\"request\":\"list\"}]"] {
            assert_eq!(refusal(line).0, ErrorCode::BadJson, "{line}");
        }
        assert_eq!(parse(br#""get" "a b""#).unwrap(), parse(b"get 'a b'").unwrap());
    }

    #[test]
    fn events_read_back_and_strangers_are_passed_over() {
        for word in Event::WORDS {
            let body = &word.example[1..];
            let comma = if body == "}" { "" } else { "," };
            let text = format!(
                r#"{{"event":"{}","seq":1,"time":"2026-01-02T03:04:05.678Z","id":7,"final":true{comma}{body}"#,
                word.name
            );
            let line = EventLine::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}")).unwrap();
            assert_eq!(to_json(&line), text);
        }
        assert_eq!(EventLine::parse(r#"{"event":"earthquake","seq":1}"#).unwrap(), None);
    }

    #[test]
    fn log_lines_read_back() {
        for word in LogEvent::WORDS {
            let body = &word.example[1..];
            let comma = if body == "}" { "" } else { "," };
            let text = format!(r#"{{"event":"{}","time":"2026-01-02T03:04:05.678Z"{comma}{body}"#, word.name);
            let line = LogLine::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}")).unwrap();
            assert_eq!(LogLine::parse(&to_json(&line)).unwrap().unwrap(), line);
        }
    }
}
