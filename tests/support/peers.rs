//! Real processes on loopback: a hub and its clients, driven as a program drives them.
//!
//! Every line that they write is validated against its schema as it is read. Waiting is for an event, with a
//! deadline that only ends a test which would hang. If a test fails, what everybody wrote is printed.
#![allow(dead_code)] // no single test file uses all of it

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use potluck::protocol::schema::Stream;
use potluck::ui::validate::Validator;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use super::place::Place;

/// Nothing here takes long; on a busy machine it may.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The program, in an environment that is the same everywhere.
pub fn potluck(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_potluck"));
    command.env_clear().envs([("LANG", "C.UTF-8"), ("TERM", "dumb"), ("TZ", "UTC"), ("NO_COLOR", "1")]);
    command.env("HOME", home).env("USER", "nobody").current_dir(home);
    command
}

/// A child and the JSON lines that it writes.
pub struct Process {
    what: String,
    child: Child,
    lines: Receiver<Result<Value, String>>,
    pub seen: Vec<Value>,
    /// `expect` looks from here on.
    cursor: usize,
    errors: PathBuf,
}

impl Process {
    fn spawn(what: &str, mut command: Command, stream: Stream, errors: PathBuf) -> (Self, ChildStdin) {
        let stderr = fs::File::create(&errors).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut validator = Validator::new(stream);
            for (number, line) in (1..).zip(BufReader::new(stdout).split(b'\n')) {
                let Ok(line) = line else { return };
                let read = match validator.validate_line(number, &line) {
                    Ok(()) => Ok(serde_json::from_slice(&line).unwrap()),
                    Err(mistakes) => Err(format!("{}\n{mistakes:#?}", String::from_utf8_lossy(&line))),
                };
                if sender.send(read).is_err() {
                    return;
                }
            }
        });
        (Self { what: what.to_owned(), child, lines, seen: Vec::new(), cursor: 0, errors }, stdin)
    }

    /// Reads one more line; false at the end.
    fn read(&mut self, deadline: Instant) -> bool {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Ok(line)) => self.seen.push(line),
            Ok(Err(invalid)) => panic!("{} wrote a line that is not valid: {invalid}", self.what),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => panic!("{} has not said it in time", self.what),
        }
        true
    }

    /// The next event for which `is` holds, after the one that was expected before.
    pub fn expect_where(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(event) = self.seen.get(self.cursor) {
                self.cursor += 1;
                if is(event) {
                    return event.clone();
                }
            }
            assert!(self.read(deadline), "{} ended without {what}", self.what);
        }
    }

    /// The next event of this name, after the one that was expected before.
    pub fn expect(&mut self, name: &str) -> Value {
        self.expect_where(name, |event| event["event"] == name)
    }

    /// From now on only what comes later is expected.
    pub fn skip(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.seen.push(line.unwrap());
        }
        self.cursor = self.seen.len();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Ends the process as a power failure would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end and reads everything.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while self.read(deadline) {}
        self.child.wait().unwrap()
    }

    fn print(&self) {
        eprintln!("--- {} ---", self.what);
        for line in &self.seen {
            // Tables and keys would bury the story.
            eprintln!("{}", line.to_string().chars().take(400).collect::<String>());
        }
        eprintln!("{}", fs::read_to_string(&self.errors).unwrap_or_default());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            // The reader ends with the process.
            let rest = self.lines.iter().map(|line| line.unwrap_or_else(Value::String));
            self.seen.extend(rest);
            self.print();
        }
    }
}

/// A hub with a data folder that outlives it.
pub struct Hub {
    pub process: Process,
    pub port: u16,
    pub link: String,
    pub dir: TempDir,
    args: Vec<String>,
    _stdin: ChildStdin,
}

impl Hub {
    pub fn start(args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self::serve(tempfile::tempdir().unwrap(), args, 0)
    }

    fn serve(dir: TempDir, args: Vec<String>, port: u16) -> Self {
        let mut command = potluck(dir.path());
        command.args(["serve", "--log-format", "json", "--log-level", "debug", "--data", "hub"]);
        command.args(["--port", &port.to_string()]).args(&args);
        let (mut process, stdin) = Process::spawn("hub", command, Stream::Log, dir.path().join("stderr"));
        let listening = process.expect("hub-listening");
        let (port, link) = (listening["port"].as_u64().unwrap() as u16, text(&listening["link"]));
        Self { process, port, link, dir, args, _stdin: stdin }
    }

    /// Kills it and starts it again on the same port with the same data.
    pub fn restart(self) -> Self {
        let Self { mut process, port, dir, args, .. } = self;
        process.kill();
        drop(process);
        Self::serve(dir, args, port)
    }
}

/// A client.
pub struct Peer {
    pub process: Process,
    pub place: Arc<Place>,
    pub name: String,
    stdin: Option<ChildStdin>,
    asked: u64,
}

impl Peer {
    /// A client that is registered.
    pub fn join(port: u16, name: &str, args: &[&str]) -> Self {
        Self::join_from(Place::new(), port, name, args)
    }

    pub fn join_from(place: Arc<Place>, port: u16, name: &str, args: &[&str]) -> Self {
        let mut peer = Self::start(place, port, name, args);
        peer.expect("welcome");
        peer
    }

    /// A client that may or may not be let in.
    pub fn start(place: Arc<Place>, port: u16, name: &str, args: &[&str]) -> Self {
        Self::start_at(place, &format!("127.0.0.1:{port}"), name, args)
    }

    pub fn start_at(place: Arc<Place>, hub: &str, name: &str, args: &[&str]) -> Self {
        Self::start_in(potluck(place.path()), place, hub, name, args)
    }

    /// The same, with a command that may begin with something else than the program.
    pub fn start_in(mut command: Command, place: Arc<Place>, hub: &str, name: &str, args: &[&str]) -> Self {
        command.arg("join").arg(format!("{name}@{hub}")).args(["--json", "--data", "home"]);
        command.args(["--dir", "shared", "--downloads", "downloads"]).args(args);
        let errors = place.path().join("stderr");
        let (process, stdin) = Process::spawn(name, command, Stream::Events, errors);
        Self { process, place, name: name.to_owned(), stdin: Some(stdin), asked: 0 }
    }

    /// A client that asks one thing and ends.
    pub fn exec(port: u16, name: &str, command: &[&str]) -> Self {
        Self::exec_from(Place::new(), port, name, command)
    }

    pub fn exec_from(place: Arc<Place>, port: u16, name: &str, command: &[&str]) -> Self {
        let mut exec = potluck(place.path());
        exec.arg("exec").arg(format!("{name}@127.0.0.1:{port}")).args(["--json", "--data", "home"]);
        exec.args(["--all-events", "--downloads", "downloads", "--"]).args(command);
        let (process, _) = Process::spawn(name, exec, Stream::Events, place.path().join("stderr"));
        Self { process, place, name: name.to_owned(), stdin: None, asked: 0 }
    }

    /// Writes a line as it is.
    pub fn write(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Asks for something; gives the id of the answer.
    pub fn ask(&mut self, mut request: Value) -> u64 {
        self.asked += 1;
        request["id"] = json!(self.asked);
        self.write(&request.to_string());
        self.asked
    }

    /// The answer to a request: its final event.
    pub fn answer(&mut self, id: u64) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut from = 0;
        loop {
            let found = self.process.seen[from..].iter().find(|event| event["id"] == id && event["final"] == true);
            if let Some(answer) = found {
                return answer.clone();
            }
            from = self.process.seen.len();
            assert!(self.process.read(deadline), "{} ended without an answer to {id}", self.name);
        }
    }

    /// Asks and waits for the answer.
    pub fn call(&mut self, request: Value) -> Value {
        let id = self.ask(request);
        self.answer(id)
    }

    /// Asks, and wants the answer to be this event.
    pub fn must(&mut self, request: Value, event: &str) -> Value {
        let answer = self.call(request);
        assert_eq!(answer["event"], event, "{answer}");
        answer
    }

    /// Asks, and wants it refused with this code.
    pub fn refused(&mut self, request: Value, code: &str) -> Value {
        let answer = self.must(request, "error");
        assert_eq!(answer["code"], code, "{answer}");
        answer
    }

    /// Puts a file into the shared folder and offers it.
    pub fn offer(&mut self, file: &str, bytes: &[u8]) -> Value {
        self.place.put(file, bytes);
        self.must(json!({"request": "offer", "files": [file]}), "offer-acked")
    }

    /// The table, as `list` shows it.
    pub fn table(&mut self) -> Value {
        self.must(json!({"request": "list"}), "table")
    }

    pub fn expect(&mut self, name: &str) -> Value {
        self.process.expect(name)
    }

    /// Waits until the roster shows somebody in this state.
    pub fn expect_state(&mut self, name: &str, state: &str) -> Value {
        self.process.expect_where(&format!("{name} {state}"), |event| {
            let clients = event["clients"].as_array().filter(|_| event["event"] == "roster-updated");
            clients.is_some_and(|all| all.iter().any(|client| client["name"] == name && client["state"] == state))
        })
    }

    /// Every event with this id.
    pub fn with_id(&self, id: u64) -> Vec<Value> {
        self.process.seen.iter().filter(|event| event["id"] == id).cloned().collect()
    }

    /// Ends the input.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end. Each request was answered exactly once, nothing came after its answer, and the last
    /// line says goodbye with the exit code.
    pub fn end(mut self) -> i32 {
        let code = self.process.wait().code().expect("it ended by itself");
        for id in 1..=self.asked {
            let events = self.with_id(id);
            let finals: Vec<bool> = events.iter().map(|event| event["final"] == true).collect();
            assert_eq!(finals.iter().filter(|last| **last).count(), 1, "answers to {id}: {events:#?}");
            assert_eq!(finals.last(), Some(&true), "the answer to {id} is not the last: {events:#?}");
        }
        let last = self.process.seen.last().unwrap();
        assert_eq!((&last["event"], &last["code"]), (&json!("bye"), &json!(code)), "{last}");
        code
    }

    pub fn quit(mut self) {
        self.ask(json!({"request": "quit"}));
        assert_eq!(self.end(), 0);
    }

    /// Kills it; the place stays.
    pub fn kill(mut self) -> Arc<Place> {
        self.process.kill();
        self.place.clone()
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

/// Bytes that look random, and are the same for the same label.
pub fn content(label: &str, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(label.as_bytes()).finalize_xof().fill(&mut out);
    out
}
