//! How long a message takes from the line that says it to its acknowledgement, and how many are acknowledged in a
//! second, with 1 sender and with 100: by real processes over loopback, driven by pipes in JSON, at a receiver that
//! reads. By then the message is on the hub's disk, and as a rule the receiver has it.
//!
//! `POTLUCK_BIN` names the program, or several with a comma between them: these are measured in turn (A B A B …), so
//! that both meet the same machine, and printed side by side. Without it the program is measured that was just built.
//! `POTLUCK_BENCH_ROUNDS`, `POTLUCK_BENCH_SECONDS` and `POTLUCK_BENCH_SENDERS` change how long it takes and how many
//! the many are; `POTLUCK_BENCH_TRANSPORT` is `auto` (as users have it), `quic` or `tcp`.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

/// The length of a message's text, in bytes.
const TEXT: usize = 100;

/// What is not measured at the beginning: connections, caches and the clock of the processor find their pace.
const WARM_UP: Duration = Duration::from_millis(500);

fn main() {
    let setting = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
    };
    let rounds = setting("POTLUCK_BENCH_ROUNDS", 3);
    let length = Duration::from_secs(setting("POTLUCK_BENCH_SECONDS", 3));
    let many = setting("POTLUCK_BENCH_SENDERS", 100) as usize;
    let transport = std::env::var("POTLUCK_BENCH_TRANSPORT").unwrap_or_else(|_| "auto".into());
    let programs = std::env::var("POTLUCK_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_potluck").into());
    let programs: Vec<&str> = programs.split(',').collect();
    for (letter, program) in ('A'..).zip(&programs) {
        println!("{letter} is {program}");
    }
    println!(
        "{rounds} rounds in turn, {length:?} each, {TEXT} bytes of text, transport {transport}; all values per round"
    );
    for (senders, unanswered) in [(1, 1), (1, 100), (many, 1), (many, 10)] {
        let mut measured: Vec<Vec<Measured>> = programs.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (program, measured) in programs.iter().zip(&mut measured) {
                measured.push(measure(Path::new(program), &transport, senders, unanswered, length));
            }
        }
        println!("{senders} senders, {unanswered} unanswered each:");
        for (letter, measured) in ('A'..).zip(&measured) {
            println!("  {letter}  {}", report(measured));
        }
    }
}

/// What one round has measured.
struct Measured {
    /// Of every acknowledgement, sorted.
    latencies: Vec<Duration>,
    rate: f64,
}

fn report(rounds: &[Measured]) -> String {
    let percentile = |measured: &Measured, percent: usize| {
        let latency = measured.latencies[(measured.latencies.len() - 1) * percent / 100];
        format!("{:.2}", latency.as_secs_f64() * 1_000.0)
    };
    let all = |value: &dyn Fn(&Measured) -> String| rounds.iter().map(value).collect::<Vec<_>>().join(" ");
    let mut rates: Vec<f64> = rounds.iter().map(|measured| measured.rate).collect();
    rates.sort_by(f64::total_cmp);
    format!(
        "p50 {} ms   p99 {} ms   acknowledged a second {}   median {:.0}",
        all(&|measured| percentile(measured, 50)),
        all(&|measured| percentile(measured, 99)),
        all(&|measured| format!("{:.0}", measured.rate)),
        rates[rates.len() / 2]
    )
}

/// One hub, one receiver and its senders, from their start to their end.
fn measure(program: &Path, transport: &str, senders: usize, unanswered: usize, length: Duration) -> Measured {
    let folder = tempfile::tempdir().expect("a folder");
    let mut serve = command(program, folder.path());
    serve.args([
        "serve",
        "--port",
        "0",
        "--data",
        "hub",
        "--log-format",
        "json",
        "--mailbox",
        "100000",
        "--max-clients",
        "2000",
    ]);
    serve.args(["--max-clients-per-address", "2000", "--message-rate", "1000000", "--request-rate", "1000000"]);
    let mut hub = Talker::start(serve);
    let listening = hub.find(r#""event":"hub-listening""#);
    let port = listening.split(r#""port":"#).nth(1).and_then(|rest| rest.split([',', '}']).next()).expect("a port");
    hub.read_on();

    let join = |name: &str| {
        let mut join = command(program, folder.path());
        join.args(["join", &format!("127.0.0.1:{port}"), "--name", name, "--json", "--transport", transport]);
        join.args(["--data", name, "--follow", "none", "--follow-roster", "none"]);
        let mut client = Talker::start(join);
        client.find(r#"{"event":"welcome""#);
        client
    };
    let mut receiver = join("receiver");
    receiver.read_on();
    let all: Vec<Talker> = (0..senders).map(|number| join(&format!("sender{number}"))).collect();
    let begin = Arc::new(Barrier::new(senders + 1));
    let threads: Vec<_> = all
        .into_iter()
        .map(|sender| {
            let begin = begin.clone();
            thread::spawn(move || {
                begin.wait();
                sender.talk(unanswered, length)
            })
        })
        .collect();
    begin.wait();
    let mut latencies: Vec<Duration> =
        threads.into_iter().flat_map(|thread| thread.join().expect("it talks")).collect();
    latencies.sort();
    Measured { rate: latencies.len() as f64 / length.as_secs_f64(), latencies }
}

/// The program in an environment of its own.
fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", folder).env("POTLUCK_HOME", folder).current_dir(folder);
    command
}

/// A process that is driven by pipes; it is killed at the end.
struct Talker {
    child: Child,
    input: ChildStdin,
    output: Option<BufReader<ChildStdout>>,
}

impl Talker {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let (input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().map(BufReader::new));
        Self { child, input, output }
    }

    /// The next line that contains this.
    fn find(&mut self, part: &str) -> String {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            let read = self.output.as_mut().expect("we read it").read_line(&mut line).expect("it writes");
            assert!(read > 0, "it ended without {part}");
        }
        line
    }

    /// From now on everything is read and forgotten.
    fn read_on(&mut self) {
        let mut output = self.output.take().expect("we read it");
        thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    }

    /// Says one thing after the other, with so many of them unanswered, and returns how long each acknowledgement took
    /// that came in the time that is measured.
    fn talk(mut self, unanswered: usize, length: Duration) -> Vec<Duration> {
        let line = format!(r#"{{"id":1,"request":"message","to":"receiver","text":"{}"}}"#, "x".repeat(TEXT)) + "\n";
        let (mut said, mut latencies) = (VecDeque::new(), Vec::new());
        let measured = Instant::now() + WARM_UP;
        loop {
            let missing = unanswered - said.len();
            said.extend((0..missing).map(|_| Instant::now()));
            self.input.write_all(line.repeat(missing).as_bytes()).expect("it reads");
            let answer = self.find(r#""final":true"#);
            assert!(answer.starts_with(r#"{"event":"message-acked""#), "{answer}");
            // Answers come in the order of the requests.
            let (now, asked) = (Instant::now(), said.pop_front().expect("it was asked"));
            if now > measured + length {
                return latencies;
            }
            if now > measured {
                latencies.push(now - asked);
            }
        }
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
