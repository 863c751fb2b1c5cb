//! What it costs to ask a hub at which much is offered, against how much that is: 10³ to 10⁶ offers by 20 clients.
//!
//! The hub is a process of its own, so that its memory can be seen; those who offer, and who ask over a bare link, are
//! in this one; `exec` and `join` are the real program. What does not look at the table must not cost more when there
//! is more in it. Then how long others wait for an answer while somebody with many offers comes and goes, and what a
//! client that offers files takes for each of them.
//! `POTLUCK_BENCH_OFFERS` is the largest table, `POTLUCK_BENCH_FILES` the number of files.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Peer, setting, start_hub};
use potluck::protocol::limits::HubLimits;
use potluck::protocol::{Event, Follows, TransportChoice};

/// How many clients offer.
const GIVERS: usize = 20;

/// How often each thing is asked; the median is told.
const TIMES: usize = 11;

/// How many files are offered at a time.
const PIECE: usize = 1_024;

/// The first argument of the process that is the hub.
const HUB: &str = "hub";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if std::env::args().nth(1).as_deref() == Some(HUB) {
        return runtime.block_on(hub());
    }
    let most = setting("POTLUCK_BENCH_OFFERS", 1_000_000);
    println!("medians of {TIMES}, in ms; `exec` and `join` from the start of the program:");
    println!(
        "{:>9} | {:>9} {:>9} {:>9} {:>9} {:>9} | {:>9} {:>9} {:>9} {:>9} | B/offer",
        "offers", "exec who", "search X", "in all", "list 100", "welcome", "who", "search X", "in all", "list page"
    );
    for offers in [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|offers| *offers <= most) {
        runtime.block_on(table(offers));
    }
    runtime.block_on(crowd());
    giver(setting("POTLUCK_BENCH_FILES", 20_000));
}

/// Runs a hub until standard input ends.
async fn hub() {
    let hub = start_hub(None).await;
    println!("{}", hub.address());
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    let _ = ended.await;
    std::process::exit(0);
}

/// A process and its output, line by line.
struct Running {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let lines = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, lines }
    }

    fn hub() -> (Self, SocketAddr) {
        let mut hub = Self::start(Command::new(std::env::current_exe().expect("this program")).arg(HUB));
        let address = hub.line().trim().parse().expect("an address");
        (hub, address)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line
    }

    /// Waits for a line with this in it.
    fn until(&mut self, text: &str) {
        while !self.line().contains(text) {}
    }

    fn memory(&self) -> usize {
        memory(&self.child)
    }

    /// Has somebody read the rest, as whoever wants the events does.
    fn read_on(self) -> Child {
        let Self { child, mut lines } = self;
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        child
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resident memory, in bytes.
fn memory(child: &Child) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

fn potluck(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_potluck"));
    command.args(words).env("POTLUCK_HOME", home);
    command
}

fn median(mut act: impl FnMut() -> Duration) -> f64 {
    let mut times: Vec<Duration> = (0..TIMES).map(|_| act()).collect();
    times.sort();
    times[TIMES / 2].as_secs_f64() * 1_000.0
}

fn name(number: usize) -> String {
    format!("albums/{:05}/a song of some length {number:07}.ogg", number / 100)
}

async fn table(offers: usize) {
    let (hub, address) = Running::hub();
    let mut givers = Vec::new();
    for index in 0..GIVERS {
        givers.push(Peer::enter_following(address, index, TransportChoice::Tcp, Follows::NOTHING).await);
    }
    let before = hub.memory();
    let each = offers / GIVERS;
    // In turn, so that the hub hears of each of them all the time.
    for start in (0..each).step_by(PIECE) {
        for (index, giver) in givers.iter_mut().enumerate() {
            publish(giver, index * each + start, index * each + (start + PIECE).min(each)).await;
        }
    }
    let memory = hub.memory().saturating_sub(before) / offers;
    // Those who offer stay, and are asked now and then whether they are there.
    let staying: Vec<_> = givers
        .into_iter()
        .map(|mut giver| tokio::spawn(async move { while giver.event().await.is_some() {} }))
        .collect();
    let home = tempfile::tempdir().expect("a folder");
    let (one, all, at) = (format!("{:07}", offers - 3), "song".to_owned(), address.to_string());
    let whole = tokio::task::spawn_blocking({
        let (one, all, at, home) = (one.clone(), all.clone(), at.clone(), home.path().to_owned());
        move || {
            let exec = |words: &[&str]| {
                let words: Vec<&str> =
                    ["exec", &at, "--name", "asker", "--"].into_iter().chain(words.iter().copied()).collect();
                median(|| {
                    let start = Instant::now();
                    let done = potluck(&home, &words).stdout(Stdio::null()).status().expect("it runs");
                    assert!(done.success(), "{words:?}");
                    start.elapsed()
                })
            };
            let figures =
                [exec(&["who"]), exec(&["search", &one]), exec(&["search", &all]), exec(&["list", "--limit", "100"])];
            let welcome = median(|| {
                let start = Instant::now();
                let mut join = Running::start(&mut potluck(&home, &["join", &at, "--name", "comer", "--json"]));
                join.until("\"welcome\"");
                let took = start.elapsed();
                // Who reads no more wants no more: it leaves.
                let Running { mut child, lines } = join;
                drop(lines);
                let _ = child.wait();
                took
            });
            [figures[0], figures[1], figures[2], figures[3], welcome]
        }
    });
    let whole = whole.await.expect("a thread");
    let mut peer = Peer::enter_following(address, GIVERS, TransportChoice::Tcp, Follows::NOTHING).await;
    let mut asked = [0.0; 4];
    let requests = [
        r#""request":"who""#.to_owned(),
        format!(r#""request":"search","text":"{one}""#),
        format!(r#""request":"search","text":"{all}""#),
        r#""request":"list""#.to_owned(),
    ];
    let mut id = 10;
    for (request, figure) in requests.iter().zip(&mut asked) {
        let mut times = Vec::new();
        for _ in 0..TIMES {
            id += 1;
            let start = Instant::now();
            peer.send(&format!(r#"{{"id":{id},{request}}}"#)).await;
            let answer = peer.event().await.expect("an answer");
            assert!(!matches!(answer, Event::Error(_)), "{answer:?}");
            times.push(start.elapsed());
        }
        times.sort();
        *figure = times[TIMES / 2].as_secs_f64() * 1_000.0;
    }
    let row = |figures: &[f64]| figures.iter().map(|figure| format!("{figure:>9.2}")).collect::<Vec<_>>().join(" ");
    println!("{offers:>9} | {} | {} | {memory}", row(&whole), row(&asked));
    staying.iter().for_each(tokio::task::JoinHandle::abort);
    hub.end();
}

/// Offers files of these numbers, each with a content of its own.
async fn publish(giver: &mut Peer, from: usize, to: usize) {
    let numbers: Vec<usize> = (from..to).collect();
    for (id, piece) in (10..).zip(numbers.chunks(PIECE)) {
        let content = |number: &usize| {
            let hash = format!("{:064x}", number + 1);
            format!(r#"{{"file":"{}","size":1,"hash":"{hash}","chunk_size":1048576,"chunks":1}}"#, name(*number))
        };
        let contents: Vec<String> = piece.iter().map(content).collect();
        giver.send(&format!(r#"{{"id":{id},"publish":[{}]}}"#, contents.join(","))).await;
        while !matches!(giver.event().await.expect("the hub is there"), Event::OfferAcked(_)) {}
    }
}

/// How long others wait while somebody with as many offers as a hub allows comes, is registered anew, and goes.
async fn crowd() {
    let (hub, address) = Running::hub();
    let offers = HubLimits::default().offers;
    let mut giver = Peer::enter_following(address, 0, TransportChoice::Tcp, Follows::NOTHING).await;
    let mut other = Peer::enter_following(address, 1, TransportChoice::Tcp, Follows::NOTHING).await;
    let done = Arc::new(AtomicBool::new(false));
    let mut phases = Vec::new();
    for phase in ["comes", "goes", "comes again"] {
        let ended = Arc::clone(&done);
        ended.store(false, Ordering::Relaxed);
        let start = Instant::now();
        let waiting = tokio::spawn(async move {
            let mut longest = Duration::ZERO;
            while !ended.load(Ordering::Relaxed) {
                let start = Instant::now();
                other.send(r#"{"id":7,"request":"status"}"#).await;
                while !matches!(other.event().await.expect("the hub is there"), Event::Status(_)) {}
                longest = longest.max(start.elapsed());
            }
            (other, longest)
        });
        if phase == "goes" {
            giver.send(r#"{"id":8,"request":"dereg"}"#).await;
            while !matches!(giver.event().await.expect("the hub is there"), Event::Deregistered(_)) {}
            giver.send(r#"{"id":9,"request":"register","name":"peer0"}"#).await;
            while !matches!(giver.event().await.expect("the hub is there"), Event::Welcome(_)) {}
        } else {
            publish(&mut giver, 0, offers).await;
        }
        let took = start.elapsed();
        done.store(true, Ordering::Relaxed);
        let longest;
        (other, longest) = waiting.await.expect("it asks");
        phases.push(format!("{phase}: {:.0} ms, {:.1}", took.as_secs_f64() * 1e3, longest.as_secs_f64() * 1e3));
    }
    println!("somebody with {offers} offers, and the longest that others wait meanwhile: {}", phases.join("; "));
    hub.end();
}

/// What a client takes for each file that it offers.
fn giver(files: usize) {
    let (hub, address) = Running::hub();
    let (home, dir) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    for number in 0..files {
        let path = dir.path().join(name(number));
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, number.to_string()).expect("a file");
    }
    let dir = dir.path().to_str().expect("a name");
    for follow in ["table", "none"] {
        let words = ["join", &address.to_string(), "--name", "giver", "--dir", dir, "--json", "--follow", follow];
        let mut join = Running::start(&mut potluck(home.path(), &words));
        join.until("\"welcome\"");
        let before = join.memory();
        let input = join.child.stdin.as_mut().expect("its input");
        input.write_all(b"offer albums\n").expect("it reads");
        join.until("\"offer-acked\"");
        let mut join = join.read_on();
        std::thread::sleep(Duration::from_secs(2));
        let memory = memory(&join).saturating_sub(before) / files;
        println!("a client that offers {files} small files, --follow {follow}: {memory} B a file");
        let _ = join.kill();
        let _ = join.wait();
    }
    hub.end();
}
