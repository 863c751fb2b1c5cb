//! Reads the output of a process as it arrives. Every JSON line is checked against its schema, and a whole session
//! against the contract of pipes. A mistake fails the test, whatever it is about.

use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStderr, ChildStdout};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use potluck::protocol::EventLine;
use potluck::protocol::schema::Stream;
use potluck::sim::Asked;
use potluck::ui::validate::Validator;
use potluck::ui::whole::Whole;

/// The form of a process's standard output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Json(Stream),
    Text,
}

/// The events of a client as JSON.
pub const EVENTS: Face = Face::Json(Stream::Events);

/// The output of a process, for the report of a failed test.
#[derive(Clone, Default)]
pub struct Record {
    /// Every line, in the order in which it was read.
    transcript: Arc<Mutex<Vec<String>>>,
    mistakes: Arc<Mutex<Vec<String>>>,
    /// What was asked, and the beginning of a line that has no end yet.
    asked: Arc<Mutex<(Asked, Vec<u8>)>>,
    killed: Arc<AtomicBool>,
}

impl Record {
    pub fn note(&self, mark: &str, bytes: &[u8]) {
        self.transcript.lock().unwrap().push(format!("{mark}{}", shorten(bytes)));
    }

    /// Notes what is written to the process.
    pub fn written(&self, bytes: &[u8]) {
        self.note("> ", bytes);
        let (asked, line) = &mut *self.asked.lock().unwrap();
        line.extend_from_slice(bytes);
        while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            asked.by_user(&line.drain(..=end).collect::<Vec<u8>>());
        }
    }

    /// What is wrong with an answer, by the row of its request.
    fn wrong_answer(&self, line: &[u8]) -> Option<String> {
        let line = EventLine::parse(std::str::from_utf8(line).ok()?).ok()??;
        self.asked.lock().unwrap().0.mistake(&line)
    }

    pub fn transcript(&self) -> String {
        self.transcript.lock().unwrap().join("\n")
    }

    pub fn mistakes(&self) -> String {
        self.mistakes.lock().unwrap().join("\n")
    }

    /// The process was killed: its last line may be incomplete.
    pub fn was_killed(&self) {
        self.killed.store(true, Relaxed);
    }

    fn mistake(&self, line: u64, what: impl std::fmt::Debug) {
        self.mistakes.lock().unwrap().push(format!("line {line}: {what:?}"));
    }
}

/// Starts to read; the lines arrive in the returned channel.
pub fn read_lines(stdout: ChildStdout, face: Face, record: &Record) -> Receiver<String> {
    let (sender, lines) = channel();
    let record = record.clone();
    std::thread::spawn(move || read(stdout, face, &sender, &record));
    lines
}

fn read(stdout: impl Read, face: Face, sender: &Sender<String>, record: &Record) {
    let mut validator = match face {
        Face::Json(stream) => Some(Validator::new(stream)),
        Face::Text => None,
    };
    let mut session: Option<Whole> = None;
    let mut lines = BufReader::new(stdout);
    let mut line = Vec::new();
    for number in 1.. {
        if !lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            return;
        }
        let whole = line.pop_if(|end| *end == b'\n').is_some();
        record.note("", &line);
        if !whole {
            if !record.killed.load(Relaxed) {
                record.mistake(number, "it has no end");
            }
            return;
        }
        if let Some(Err(found)) = validator.as_mut().map(|validator| validator.validate_line(number, &line)) {
            record.mistake(number, found);
        }
        if ends_twice(&line) {
            record.mistake(number, "a sentence ends twice");
        }
        if number == 1 && face == EVENTS && line.starts_with(br#"{"event":"ready""#) {
            session = Some(Whole::default());
        }
        if let Some(wrong) = record.wrong_answer(&line).filter(|_| session.is_some()) {
            record.mistake(number, wrong);
        }
        if let Some(session) = &mut session {
            session.hear(number, &line).into_iter().for_each(|mistake| record.mistake(number, mistake));
        }
        // A session with a `bye` must have answered every request once.
        if let Some(session) = session.clone().filter(|_| line.starts_with(br#"{"event":"bye""#)) {
            session.end().into_iter().for_each(|mistake| record.mistake(mistake.line, mistake.message));
        }
        match String::from_utf8(std::mem::take(&mut line)) {
            // Nobody receives any more when the test is over.
            Ok(text) => drop(sender.send(text)),
            Err(_) => record.mistake(number, "it is not UTF-8"),
        }
    }
}

/// Whether what a failure says was put together of sentences as if they were none.
fn ends_twice(line: &[u8]) -> bool {
    let says =
        || serde_json::from_slice::<serde_json::Value>(line).ok()?["message"].as_str().map(|said| said.ends_with(".."));
    line.starts_with(br#"{"event":"error""#) && says().unwrap_or(false)
}

/// Starts to read standard error. The thread returns all of it.
pub fn read_errors(stderr: ChildStderr, record: &Record) -> JoinHandle<String> {
    let record = record.clone();
    std::thread::spawn(move || {
        let mut all = Vec::new();
        let mut lines = BufReader::new(stderr);
        loop {
            let start = all.len();
            if !lines.read_until(b'\n', &mut all).is_ok_and(|read| read > 0) {
                return String::from_utf8_lossy(&all).into_owned();
            }
            record.note("! ", &all[start..]);
        }
    })
}

fn shorten(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end();
    match text.floor_char_boundary(2_000) {
        at if at < text.len() => format!("{}… ({} bytes)", &text[..at], bytes.len()),
        _ => text.to_owned(),
    }
}
