//! A process of potluck, driven as another program would drive it.
//!
//! Methods wait for events, with a deadline that only ends a test which would hang. There are two ways to look for
//! events: [`expect`](Process::expect) and the like take the first event that was not taken before, wherever it stands;
//! [`then`](Process::then) goes forward, and takes the first one after the last that it took. If a test fails,
//! everything that the process said is printed.

use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::reader::{Face, Record, read_errors, read_lines};
use super::{PATIENCE, Place};

/// A line of standard output.
struct Heard {
    line: String,
    taken: bool,
}

/// A process. It is killed when this is dropped.
pub struct Process {
    pub name: String,
    /// The folders of the process.
    pub place: Place,
    /// The events that were read so far, taken or not.
    pub seen: Vec<Value>,
    heard: Vec<Heard>,
    /// [`then`](Self::then) continues here.
    cursor: usize,
    asked: u64,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    face: Face,
    record: Record,
    stderr: Option<JoinHandle<String>>,
}

/// Starting, writing and ending.
impl Process {
    /// Starts a process whose standard output is read as it arrives.
    pub fn start(name: &str, command: Command, face: Face) -> Self {
        let mut process = Self::start_unread(name, command);
        process.read_now(face);
        process
    }

    /// Starts a process whose output is not read until [`read_now`](Self::read_now).
    pub fn start_unread(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let record = Record::default();
        Self {
            name: name.to_owned(),
            place: Place::at(command.get_current_dir().unwrap_or(Path::new("."))),
            seen: Vec::new(),
            heard: Vec::new(),
            cursor: 0,
            asked: 0,
            stdin: child.stdin.take(),
            lines: channel().1,
            face: Face::Text,
            stderr: child.stderr.take().map(|stderr| read_errors(stderr, &record)),
            record,
            child,
        }
    }

    /// Starts to read the output of a process that was started without a reader.
    pub fn read_now(&mut self, face: Face) {
        let stdout = self.child.stdout.take().expect("nobody reads it yet");
        (self.face, self.lines) = (face, read_lines(stdout, face, &self.record));
    }

    /// Closes our end of its standard output, if nobody reads it.
    pub fn close_stdout(&mut self) {
        drop(self.child.stdout.take());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes bytes to its standard input.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("its input is open");
        self.record.written(bytes.as_ref());
        // A process that has ended reads nothing; the test notices by what it does not say.
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

    pub fn signal(&self, signal: Signal) {
        if signal == Signal::KILL {
            self.record.was_killed();
        }
        // It may have ended already.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Kills it with SIGKILL; its folders stay.
    pub fn kill(mut self) -> Place {
        self.signal(Signal::KILL);
        self.exit();
        self.place.clone()
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end without ending its input, reads all output, and returns the exit code; -1 after a signal.
    pub fn exit(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        while self.is_alive() {
            assert!(Instant::now() < deadline, "{} did not end in time", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
        while self.hear(deadline, "its end") {}
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Ends its input if that is open, waits for its end, and returns the output that was not taken.
    pub fn finish(mut self) -> Ended {
        self.end_input();
        let code = self.exit();
        let lines = self.heard.drain(..).filter(|heard| !heard.taken).map(|heard| heard.line).collect();
        Ended { code, lines, stderr: self.stderr() }
    }

    /// Waits for a client's end, and checks that its `bye` has the exit code, which is returned, and that each request
    /// of [`send`](Self::send) has exactly one final event.
    pub fn end(mut self) -> i32 {
        let code = self.exit();
        for id in 1..=self.asked {
            let events = self.with_id(id);
            let finals: Vec<bool> = events.iter().map(|event| event["final"] == true).collect();
            assert_eq!(finals.iter().filter(|last| **last).count(), 1, "answers to {id}: {events:#?}");
            assert_eq!(finals.last(), Some(&true), "the answer to {id} is not the last: {events:#?}");
        }
        let last = self.seen.last().unwrap();
        assert_eq!((&last["event"], &last["code"]), (&json!("bye"), &json!(code)), "{last}");
        code
    }

    pub fn quit(mut self) {
        self.send(json!({"request": "quit"}));
        assert_eq!(self.end(), 0);
    }

    /// Its standard error, once it has ended.
    pub fn stderr(&mut self) -> String {
        self.stderr.take().map_or_else(String::new, |thread| thread.join().unwrap())
    }

    /// The output so far, of both streams, as it is printed when the test fails.
    pub fn transcript(&self) -> String {
        self.record.transcript()
    }
}

/// Making requests.
impl Process {
    /// Sends a request; returns its id.
    pub fn send(&mut self, mut request: Value) -> u64 {
        self.asked += 1;
        request["id"] = self.asked.into();
        self.line(&request.to_string());
        self.asked
    }

    /// Sends a request and waits for its final event.
    pub fn ask(&mut self, request: Value) -> Value {
        let id = self.send(request);
        self.answer(id)
    }

    /// Waits for the final event of a request.
    pub fn answer(&mut self, id: impl Into<Value>) -> Value {
        let id = id.into();
        self.find(&format!("the answer to {id}"), |event| event["id"] == id && event["final"] == true)
    }

    /// Sends a request that must be answered with this event.
    pub fn must(&mut self, request: Value, event: &str) -> Value {
        let answer = self.ask(request);
        assert_eq!(answer["event"], event, "{answer}");
        answer
    }

    /// Sends a request that must be refused with this code and a hint.
    pub fn refused(&mut self, request: Value, code: &str) -> Value {
        let answer = self.must(request, "error");
        assert_eq!(answer["code"], code, "{answer}");
        assert!(answer["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{answer}");
        answer
    }

    /// Writes a file to the shared folder and offers it.
    pub fn offer(&mut self, file: &str, bytes: &[u8]) -> Value {
        self.place.put(file, bytes);
        self.must(json!({"request": "offer", "files": [file]}), "offer-acked")
    }

    /// The answer to `list`.
    pub fn table(&mut self) -> Value {
        self.must(json!({"request": "list"}), "table")
    }
}

/// Waiting for events.
impl Process {
    /// Waits for an event of this name, and takes the first.
    pub fn expect(&mut self, name: &str) -> Value {
        self.find(&format!("`{name}`"), |event| event["event"] == name)
    }

    /// Waits for an error with this code.
    pub fn refusal(&mut self, code: &str) -> Value {
        self.find(&format!("an error `{code}`"), |event| event["event"] == "error" && event["code"] == code)
    }

    /// Waits for the first event that `wanted` accepts and that was not taken, and takes it. Earlier ones stay.
    pub fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let (mut at, deadline) = (0, Instant::now() + PATIENCE);
        loop {
            while at == self.heard.len() {
                self.must_hear(deadline, what);
            }
            if !self.heard[at].taken && wanted(&self.seen[at]) {
                return self.take(at);
            }
            at += 1;
        }
    }

    /// The next event of this name after the last that was taken in this way.
    pub fn then(&mut self, name: &str) -> Value {
        self.then_where(&format!("`{name}`"), |event| event["event"] == name)
    }

    /// The next event that `wanted` accepts after the last that was taken in this way.
    pub fn then_where(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while self.cursor == self.heard.len() {
                self.must_hear(deadline, what);
            }
            self.cursor += 1;
            if wanted(&self.seen[self.cursor - 1]) {
                return self.take(self.cursor - 1);
            }
        }
    }

    /// Waits until the roster shows a client in this state.
    pub fn then_state(&mut self, name: &str, state: &str) -> Value {
        self.then_where(&format!("{name} {state}"), |event| {
            let clients = event["clients"].as_array().filter(|_| event["event"] == "roster-updated");
            clients.is_some_and(|all| all.iter().any(|client| client["name"] == name && client["state"] == state))
        })
    }

    /// From now on, [`then`](Self::then) only finds later events.
    pub fn skip(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.keep(line);
        }
        self.cursor = self.heard.len();
    }

    /// Waits for a line of text that contains `part`, after the last that was taken.
    pub fn text(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while self.cursor == self.heard.len() {
                self.must_hear(deadline, part);
            }
            let heard = &mut self.heard[self.cursor];
            (self.cursor, heard.taken) = (self.cursor + 1, true);
            if heard.line.contains(part) {
                return heard.line.clone();
            }
        }
    }

    /// Whether an event that `wanted` accepts was read and not taken.
    pub fn has_said(&self, wanted: impl Fn(&Value) -> bool) -> bool {
        self.seen.iter().zip(&self.heard).any(|(event, heard)| !heard.taken && wanted(event))
    }

    /// Takes all events that `wanted` accepts and that were read and not taken.
    pub fn passed_over(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let all = (0..self.heard.len()).filter(|at| !self.heard[*at].taken && wanted(&self.seen[*at]));
        let all: Vec<usize> = all.collect();
        all.into_iter().map(|at| self.take(at)).collect()
    }

    /// Every event with this id that was read.
    pub fn with_id(&self, id: u64) -> Vec<Value> {
        self.seen.iter().filter(|event| event["id"] == id).cloned().collect()
    }

    fn take(&mut self, at: usize) -> Value {
        self.heard[at].taken = true;
        self.seen[at].clone()
    }

    fn must_hear(&mut self, deadline: Instant, what: &str) {
        assert!(self.hear(deadline, what), "{} ended without {what}", self.name);
    }

    /// Reads one more line; false at the end.
    fn hear(&mut self, deadline: Instant, what: &str) -> bool {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => self.keep(line),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => panic!("{} did not say {what} in time", self.name),
        }
        true
    }

    fn keep(&mut self, line: String) {
        self.seen.push(match self.face {
            // A line that is no JSON is a mistake, which the reader has recorded.
            Face::Json(_) => serde_json::from_str(&line).unwrap_or_default(),
            Face::Text => Value::Null,
        });
        self.heard.push(Heard { line, taken: false });
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.record.was_killed();
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The last lines are read too: the reader ends with the process.
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
        let mistakes = self.record.mistakes();
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}\n{mistakes}", self.name, self.transcript());
        } else {
            assert!(mistakes.is_empty(), "{} wrote lines that are not as promised:\n{mistakes}", self.name);
        }
    }
}

/// What is left of a process that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    /// The lines of standard output that were not taken.
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

    /// The output of both streams.
    pub fn said(&self) -> String {
        self.text() + &self.stderr
    }

    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}
