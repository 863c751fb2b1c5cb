//! Real processes: a hub and its clients, each with folders of its own and an environment that is pinned.
//!
//! Every line of JSON that a process writes is checked against the vocabulary as it arrives, `seq` included;
//! a mistake fails the test even if it looks at something else. When a test fails, what was said is printed.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use potluck::protocol::schema::Stream;
use potluck::ui::validate::Validator;
use potluck::ui::whole::Whole;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

#[allow(unused_imports)]
pub use super::scene::*;

/// How long anything may take that has to come. Generous: it is only waited for in vain when a test fails.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The program, with an environment in which nothing but the arguments matters.
pub fn potluck(home: &Path) -> Command {
    let mut command = Command::new(cargo_bin!("potluck"));
    command.env_clear().env("HOME", home).env("POTLUCK_HOME", home.join("potluck"));
    command.env("TERM", "dumb").env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8").current_dir(home);
    command
}

/// What a process says on standard output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Json(Stream),
    Text,
}

/// All that was said, in the order in which it was seen.
type Transcript = Arc<Mutex<Vec<String>>>;

/// A running process; it is killed when it is dropped.
pub struct Running {
    pub name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stash: Vec<Value>,
    next_id: u64,
    transcript: Transcript,
    mistakes: Arc<Mutex<Vec<String>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts a process whose standard output is read as it comes.
    pub fn start(name: &str, command: Command, face: Face) -> Self {
        Self::start_reading(name, command, face, true)
    }

    /// The same, but standard output is only read if `reading`: otherwise the process finds a reader that stalls,
    /// until [`Running::take_stdout`].
    pub fn start_reading(name: &str, mut command: Command, face: Face, reading: bool) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take().unwrap());
        let (transcript, mistakes) = (Transcript::default(), Arc::new(Mutex::new(Vec::new())));
        let (sender, lines) = channel();
        let errors = Arc::clone(&transcript);
        let stderr = std::thread::spawn(move || read_errors(stderr, &errors));
        let this = Self {
            name: name.to_owned(),
            child,
            stdin,
            lines,
            stash: Vec::new(),
            next_id: 1,
            transcript,
            mistakes,
            stderr: Some(stderr),
        };
        this.read_with(sender, face, reading)
    }

    fn read_with(mut self, sender: Sender<String>, face: Face, reading: bool) -> Self {
        if reading {
            let stdout = self.child.stdout.take().unwrap();
            let (transcript, mistakes) = (Arc::clone(&self.transcript), Arc::clone(&self.mistakes));
            std::thread::spawn(move || read_lines(stdout, face, &sender, &transcript, &mistakes));
        }
        self
    }

    /// Reads what a process wrote that was started without a reader.
    pub fn read_now(&mut self, face: Face) {
        let stdout = self.child.stdout.take().unwrap();
        let (sender, lines) = channel();
        self.lines = lines;
        let (transcript, mistakes) = (Arc::clone(&self.transcript), Arc::clone(&self.mistakes));
        std::thread::spawn(move || read_lines(stdout, face, &sender, &transcript, &mistakes));
    }

    /// Closes our end of its standard output, if nobody reads it.
    pub fn close_stdout(&mut self) {
        drop(self.child.stdout.take());
    }

    /// Writes bytes to its standard input.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("its input is open");
        self.transcript.lock().unwrap().push(format!("> {}", shorten(bytes.as_ref())));
        // A process that has ended reads nothing; the test sees that by what it does not say.
        let _ = stdin.write_all(bytes.as_ref()).and_then(|()| stdin.flush());
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) {
        self.write(format!("{line}\n"));
    }

    /// Ends its input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Its standard input, for a thread that writes more than a pipe holds.
    pub fn take_input(&mut self) -> ChildStdin {
        self.stdin.take().unwrap()
    }

    /// Asks something under a new id and waits for the answer.
    pub fn ask(&mut self, mut request: Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        request["id"] = id.into();
        self.line(&request.to_string());
        self.answer(&id.into())
    }

    /// Waits for the final event of a request.
    pub fn answer(&mut self, id: &Value) -> Value {
        self.find(&format!("the answer to {id}"), |event| event["id"] == *id && event["final"] == json!(true))
    }

    /// Waits for an event by its name.
    pub fn expect(&mut self, name: &str) -> Value {
        self.find(&format!("`{name}`"), |event| event["event"] == name)
    }

    /// Waits for an error with this code.
    pub fn refusal(&mut self, code: &str) -> Value {
        self.find(&format!("an error `{code}`"), |event| event["event"] == "error" && event["code"] == code)
    }

    /// Waits for the first event that is looked for; those before it are kept for later.
    pub fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.stash.iter().position(&wanted) {
            return self.stash.remove(at);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let event: Value = serde_json::from_str(&self.next_line(deadline, what)).unwrap();
            if wanted(&event) {
                return event;
            }
            self.stash.push(event);
        }
    }

    /// Whether something like this was passed over while something else was looked for.
    pub fn has_said(&self, wanted: impl Fn(&Value) -> bool) -> bool {
        self.stash.iter().any(wanted)
    }

    /// Everything like this that was passed over while something else was looked for.
    pub fn passed_over(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.stash.extract_if(.., |event| wanted(event)).collect()
    }

    fn next_line(&self, deadline: Instant, what: &str) -> String {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("{} did not say {what} in time", self.name),
            Err(RecvTimeoutError::Disconnected) => panic!("{} ended without {what}", self.name),
        }
    }

    /// Waits for a line of text that contains this.
    pub fn text(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.next_line(deadline, part);
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Waits for its end without ending its input, and gives its exit code.
    pub fn exit(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < deadline, "{} did not end in time", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends its input if that is open, waits for its end, and gives all that was not looked at yet.
    pub fn finish(mut self) -> Ended {
        self.end_input();
        let code = self.exit();
        let mut lines = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            lines.push(line);
        }
        let stderr = self.stderr.take().map_or_else(Vec::new, |thread| thread.join().unwrap());
        Ended { code, lines, stderr: String::from_utf8_lossy(&stderr).into_owned() }
    }

    /// Ends its input, waits for its end, and gives all that it wrote, on both streams.
    pub fn transcript_after_end(self) -> String {
        let ended = self.finish();
        ended.text() + &ended.stderr
    }

    /// Checks, once it has ended, that it said nothing on standard error.
    pub fn read_errors_are_empty(&mut self) {
        let stderr = self.stderr.take().map_or_else(Vec::new, |thread| thread.join().unwrap());
        assert_eq!(String::from_utf8_lossy(&stderr), "", "{} is quiet", self.name);
    }

    /// All that it has said so far, errors included, as it will be printed when the test fails.
    pub fn transcript(&self) -> String {
        self.transcript.lock().unwrap().join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mistakes = self.mistakes.lock().unwrap().join("\n");
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}\n{mistakes}", self.name, self.transcript());
        } else {
            assert!(mistakes.is_empty(), "{} wrote lines that are not as promised:\n{mistakes}", self.name);
        }
    }
}

/// What is left of a process.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    /// The lines of standard output that were not looked at before.
    pub lines: Vec<String>,
    pub stderr: String,
}

impl Ended {
    pub fn events(&self) -> Vec<Value> {
        self.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The names of the events, in order.
    pub fn names(&self) -> Vec<String> {
        self.events().iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    }

    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn read_lines(
    stdout: impl Read,
    face: Face,
    sender: &Sender<String>,
    transcript: &Mutex<Vec<String>>,
    mistakes: &Mutex<Vec<String>>,
) {
    let mut validator = match face {
        Face::Json(stream) => Some(Validator::new(stream)),
        Face::Text => None,
    };
    let mut number = 0;
    // A session that came to its end is whole, with one final event for each id.
    let (mut session, mut unanswered) = (None, Vec::new());
    let mut lines = BufReader::new(stdout);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        number += 1;
        let whole = line.pop_if(|end| *end == b'\n').is_some();
        transcript.lock().unwrap().push(shorten(&line));
        let wrong = |what: String| mistakes.lock().unwrap().push(format!("line {number}: {what}"));
        if let Some(Err(found)) = validator.as_mut().map(|validator| validator.validate_line(number, &line)) {
            wrong(format!("{found:?}"));
        }
        if number == 1 && face == Face::Json(Stream::Events) && line.starts_with(br#"{"event":"ready""#) {
            session = Some(Whole::default());
        }
        let found = session.as_mut().map_or_else(Vec::new, |session| session.hear(number, &line));
        found.iter().for_each(|mistake| wrong(format!("{mistake:?}")));
        if line.starts_with(br#"{"event":"bye""#) {
            unanswered = session.clone().map_or_else(Vec::new, Whole::end);
        }
        if !whole {
            wrong("it has no end".into());
        }
        match String::from_utf8(std::mem::take(&mut line)) {
            // Nobody listens any more when the test is over.
            Ok(text) => drop(sender.send(text)),
            Err(_) => wrong("it is not UTF-8".into()),
        }
    }
    let unanswered = unanswered.iter().map(|mistake| format!("line {}: {}", mistake.line, mistake.message));
    mistakes.lock().unwrap().extend(unanswered);
}

fn read_errors(stderr: impl Read, transcript: &Mutex<Vec<String>>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut lines = BufReader::new(stderr);
    loop {
        let start = all.len();
        if !lines.read_until(b'\n', &mut all).is_ok_and(|read| read > 0) {
            return all;
        }
        transcript.lock().unwrap().push(format!("! {}", shorten(&all[start..])));
    }
}

fn shorten(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end();
    match text.char_indices().nth(2_000) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], bytes.len()),
        None => text.to_owned(),
    }
}
