//! How long it takes from `get` until the first byte is there, by each way to a peer: `cargo bench --bench reach`.
//!
//! Each way has a laboratory of routers in which it is the best one (`tests/natlab`, whose needs are those of this bench).
//! Every measurement has a client of its own, so that nothing is known or kept from before. It fetches a file of one byte:
//! from the line in its pipe until the file is there, verified and in its place. Then it fetches another one, for which the
//! connection stands or is known. The ways take turns, so that a machine that gets slower gets slower for all.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

#[allow(dead_code)]
#[path = "../tests/natlab/lab.rs"]
mod lab;
#[path = "../tests/support/mod.rs"]
mod support;

use lab::{Lab, beside};

/// The routers behind which a way is the best one.
const WAYS: [(&str, &str); 3] =
    [("direct", "--a open --b open"), ("punched", "--a cone --b cone"), ("relayed", "--a symmetric --b cone")];

/// How long a packet is on its way between the homes and the hub, in seconds.
const DELAYS: [&str; 2] = ["0", "0.01"];

/// The first argument of the process in a laboratory.
const INSIDE: &str = "inside";

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(INSIDE) => measure_inside(),
        _ => compare(),
    }
}

/// The process in one laboratory.
struct Inside {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Inside {
    fn start(routers: &str, delay: &str) -> Self {
        let mut command = Command::new("bash");
        command
            .arg(beside("natlab.sh"))
            .args(routers.split(' '))
            .args(["--delay", delay].iter().filter(|_| delay != "0"));
        command.arg("--").arg(std::env::current_exe().expect("this program")).arg(INSIDE);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a laboratory");
        let (asks, answers) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let mut inside = Self { child, asks, answers: BufReader::new(answers) };
        assert_eq!(inside.answer(), "ready");
        inside
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        line.trim_end().to_owned()
    }

    /// One measurement: the way that it went, and the microseconds of the first file and of the second one.
    fn measure(&mut self) -> (String, [u64; 2]) {
        writeln!(self.asks, "measure").expect("it listens");
        let answer = self.answer();
        let mut words = answer.split(' ');
        let way = words.next().unwrap_or_default().to_owned();
        let mut micros = || words.next().and_then(|word| word.parse().ok()).expect("a number");
        (way, [micros(), micros()])
    }
}

fn compare() {
    let tried = Command::new("bash").arg(beside("natlab.sh")).args(["--", "true"]).output();
    match tried {
        Ok(tried) if tried.status.success() => {}
        Ok(tried) => return println!("reach: left out ({})", String::from_utf8_lossy(&tried.stderr).trim_end()),
        Err(e) => return println!("reach: left out ({e})"),
    }
    // `cargo test --all-targets` runs it too, unoptimized: then it only has to work.
    let rounds = if cfg!(debug_assertions) { 2 } else { 15 };
    for delay in DELAYS {
        println!("a packet takes {delay} s between the homes and the hub; medians of {rounds}:");
        let mut labs = WAYS.map(|(_, routers)| Inside::start(routers, delay));
        let mut took: [BTreeMap<String, Vec<[u64; 2]>>; 3] = Default::default();
        for _ in 0..rounds {
            for (inside, took) in labs.iter_mut().zip(&mut took) {
                let (way, micros) = inside.measure();
                took.entry(way).or_default().push(micros);
            }
        }
        for ((best, routers), took) in WAYS.iter().zip(took) {
            for (way, micros) in took {
                let [first, next] = [0, 1].map(|file| median(micros.iter().map(|pair| pair[file]).collect()));
                let (times, fits) = (micros.len(), if way == *best { "" } else { ", which is not the best one" });
                println!("  {routers:24} {way:8} first file {first:7.1} ms, next {next:6.1} ms ({times} times{fits})");
            }
        }
        for Inside { mut child, asks, .. } in labs {
            drop(asks);
            assert!(child.wait().expect("it ends").success());
        }
    }
}

fn median(mut micros: Vec<u64>) -> f64 {
    micros.sort_unstable();
    micros[micros.len() / 2] as f64 / 1_000.0
}

/// A hub, somebody who gives, and for each line of standard input somebody who fetches.
fn measure_inside() {
    let lab = Lab { scene: Default::default() };
    let hub = lab.hub(&[]);
    let mut erin = lab.client("b", &hub, "erin", &[]);
    erin.offer("first", b"1");
    erin.offer("next", b"2");
    println!("ready");
    let asked = std::io::stdin().lines().map_while(Result::ok);
    for (number, _) in asked.enumerate() {
        let mut dora = lab.client("a", &hub, &format!("dora{number}"), &[]);
        let mut way = String::new();
        let took = ["first", "next"].map(|file| {
            let begun = Instant::now();
            let done = dora.must(json!({"request": "get", "file": file}), "transfer-completed");
            let took = begun.elapsed();
            if way.is_empty() {
                way = support::text(&done["sources"][0]["route"]);
            }
            took
        });
        let [first, next] = took.map(|took: Duration| took.as_micros());
        println!("{way} {first} {next}");
        dora.quit();
    }
    erin.quit();
}
