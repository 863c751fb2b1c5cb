//! What it costs a hub to relay, beside a bare relay that does nothing but `splice(2)`: `cargo bench --bench relay`.
//! `POTLUCK_BENCH_MIB` sets how much is relayed (1024).
//!
//! The hub and the bare relay are processes of their own, so that only what they spend counts. The same two ends send
//! and receive through each of them, and directly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use potluck::io::net::identity::Identity;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use serde_json::json;

#[path = "../tests/support/half.rs"]
mod half;
#[path = "../tests/support/raw.rs"]
mod raw;

use half::Half;
use raw::Raw;

const PATIENCE: Duration = Duration::from_secs(60);

const RUNS: usize = 5;

/// Bytes that are sent, received or spliced at a time.
const PORTION: usize = 64 << 10;

/// The first arguments of the two processes.
const HUB: &str = "hub";
const BARE: &str = "bare";

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(HUB) => hub(),
        Some(BARE) => bare(),
        _ => compare(),
    }
}

/// What one run has taken: seconds, and seconds of CPU at the relay.
type Cost = (f64, f64);

fn compare() {
    // `cargo test --all-targets` runs it too, unoptimized: then it only has to work.
    let usual = if cfg!(debug_assertions) { 8 } else { 1024 };
    let mib: usize = std::env::var("POTLUCK_BENCH_MIB").ok().and_then(|m| m.parse().ok()).unwrap_or(usual);
    let (hub, bare) = (Relay::start(HUB), Relay::start(BARE));
    let [mut asker, mut asked] =
        [("anna", 71), ("ben", 72)].map(|(name, seed)| Raw::enter(hub.port, name, Identity::from_seed([seed; 32]), 9));
    let mut rounds: Vec<[Cost; 3]> = Vec::new();
    for ask in 0..RUNS {
        // In turn, so that a machine that gets slower gets slower for all.
        let key = Identity::from_seed([72; 32]).key;
        asker.say(&json!({"meet": key, "ask": ask, "purpose": "private"}));
        let meeting = [asker.expect("meeting"), asked.expect("meeting")];
        let [from, to] = meeting.map(|meeting| Half::of(hub.port, &meeting).0);
        let relayed = hub.measured(|| send(from, to, mib));
        let relay = [(); 2].map(|()| TcpStream::connect((Ipv4Addr::LOCALHOST, bare.port)).expect("it listens"));
        let spliced = bare
            .measured(|| send(relay[0].try_clone().expect("a socket"), relay[1].try_clone().expect("a socket"), mib));
        drop(relay);
        let (from, to) = direct();
        let begun = Instant::now();
        send(from, to, mib);
        rounds.push([relayed, spliced, (begun.elapsed().as_secs_f64(), 0.0)]);
    }
    let median = |pick: &dyn Fn(&[Cost; 3]) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(pick).collect();
        all.sort_by(f64::total_cmp);
        all[RUNS / 2]
    };
    println!("{mib} MiB one way, median of {RUNS} runs in turn");
    for (at, what) in ["relayed by the hub", "relayed by bare splice", "direct"].into_iter().enumerate() {
        let (seconds, cpu) = (median(&|round| round[at].0), median(&|round| round[at].1));
        let rate = (mib << 20) as f64 / seconds / 1e6;
        let each = cpu * 1024.0 / mib as f64;
        println!("{what:<24} {rate:>6.0} MB/s, {each:.3} s of CPU at the relay for each GiB");
    }
    let ratio = median(&|round| round[0].1 / round[1].1);
    println!("CPU of the hub beside bare splice: {ratio:.2}");
}

/// Sends so much from one end, and waits until it has come to the other.
fn send(mut from: TcpStream, mut to: TcpStream, mib: usize) {
    let sending = thread::spawn(move || {
        let block = vec![7; PORTION];
        (0..(mib << 20) / PORTION).for_each(|_| from.write_all(&block).expect("it is taken"));
        from.shutdown(Shutdown::Write).expect("it is open");
        from
    });
    let (mut block, mut got) = (vec![0; PORTION], 0);
    loop {
        match to.read(&mut block).expect("it comes") {
            0 => break,
            more => got += more,
        }
    }
    assert_eq!(got, mib << 20);
    drop(sending.join());
}

/// Both ends of a connection without a relay.
fn direct() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let from = TcpStream::connect(listener.local_addr().expect("its port")).expect("it listens");
    (from, listener.accept().expect("it came").0)
}

/// A relay in a process of its own.
struct Relay {
    process: Child,
    port: u16,
}

impl Relay {
    fn start(what: &str) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut process =
            Command::new(program).arg(what).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("its port");
        Self { process, port: line.trim().parse().expect("a port") }
    }

    /// What something costs: seconds, and seconds of this process's CPU.
    fn measured(&self, what: impl FnOnce()) -> Cost {
        let (begun, before) = (Instant::now(), self.cpu());
        what();
        (begun.elapsed().as_secs_f64(), self.cpu() - before)
    }

    /// The seconds of CPU that the threads of this process have had.
    fn cpu(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("Linux");
        let spent = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok());
        spent.filter_map(|text| text.split(' ').next()?.parse::<f64>().ok()).sum::<f64>() / 1e9
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Failing means that it has ended already.
        let _ = self.process.wait();
    }
}

/// Tells the port, and waits until nobody needs it any more.
fn serve(address: SocketAddr) {
    println!("{}", address.port());
    std::io::stdin().read_to_end(&mut Vec::new()).expect("it ends");
    std::process::exit(0);
}

fn hub() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let hub = runtime.block_on(potluck::Hub::builder().start()).expect("a hub");
    serve(hub.address());
}

/// A relay that joins every two connections, with a thread for each direction. The threads stay, so that what they have
/// spent is still counted.
fn bare() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("its port");
    thread::spawn(move || {
        loop {
            let [one, other] = [(); 2].map(|()| listener.accept().expect("it came").0);
            let back = [other.try_clone().expect("a socket"), one.try_clone().expect("a socket")];
            for [from, to] in [[one, other], back] {
                thread::spawn(move || {
                    pass(&from, &to);
                    drop((from, to));
                    loop {
                        thread::park();
                    }
                });
            }
        }
    });
    serve(address);
}

fn pass(from: &TcpStream, to: &TcpStream) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    let spliced =
        |from: &dyn AsFd, to: &dyn AsFd, most| splice(from.as_fd(), None, to.as_fd(), None, most, SpliceFlags::MOVE);
    loop {
        let mut held = match spliced(from, &writer, PORTION) {
            Ok(0) | Err(_) => return drop(to.shutdown(Shutdown::Write)),
            Ok(held) => held,
        };
        while held > 0 {
            held -= spliced(&reader, to, held).expect("it is taken");
        }
    }
}
