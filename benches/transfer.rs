//! How fast files go from peer to peer, from the request to its answer, through a hub and clients as the library gives
//! them, beside a plain TCP copy in the same run.
//!
//! `cargo bench --bench transfer`; `POTLUCK_BENCH_MIB` sets the size of the file (1024), and
//! `POTLUCK_BENCH_DIR` where the files lie (`/dev/shm` if there is one: the disk is not measured).

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use potluck::io::content::hash::{Hashed, hash_file};
use potluck::io::os::cancel::Cancel;
use potluck::protocol::{Event, request};
use potluck::{Client, Hub};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const RUNS: usize = 5;

/// What each of three limited sources may send, in bytes a second.
const LIMIT: u64 = 100_000_000;

/// The seconds of a plain copy, of hashing, of one source and of three; and of the second half.
type Round = (f64, f64, f64, f64, (f64, f64));

fn main() {
    // `cargo test --all-targets` runs it too, unoptimized: then it only has to work.
    let usual = if cfg!(debug_assertions) { 8 } else { 1024 };
    let mib: usize = std::env::var("POTLUCK_BENCH_MIB").ok().and_then(|m| m.parse().ok()).unwrap_or(usual);
    let shm = Path::new("/dev/shm");
    let dir = std::env::var_os("POTLUCK_BENCH_DIR").map(PathBuf::from);
    let base = dir.unwrap_or_else(|| if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() });
    let folder = tempfile::tempdir_in(base).expect("a folder for the files");
    let source = folder.path().join("source.bin");
    make_file(&source, mib);

    let mut rounds = Vec::new();
    for _ in 0..RUNS {
        // In turn, so that a machine that gets slower gets slower for all.
        rounds.push((
            plain_copy(&source, folder.path()),
            hashing(&source).0,
            ours(&source, folder.path(), 1, None),
            ours(&source, folder.path(), 3, None),
            resumed(&source, folder.path()),
        ));
    }
    let median = |pick: fn(&Round) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(pick).collect();
        all.sort_by(f64::total_cmp);
        all[RUNS / 2]
    };
    let plain = median(|r| r.0);
    let rate = |seconds: f64| (mib << 20) as f64 / seconds / 1e6;
    println!("{mib} MiB, median of {RUNS} runs in turn");
    for (what, seconds) in [
        ("plain TCP copy (sendfile, read, write)", plain),
        ("hashing", median(|r| r.1)),
        ("potluck, one source, encrypted and verified", median(|r| r.2)),
        ("potluck, three sources", median(|r| r.3)),
    ] {
        println!("{what:<46} {:>6.0} MB/s  {:>4.0} % of plain", rate(seconds), 100.0 * plain / seconds);
    }
    let (asked, whole) = (median(|r| r.4.0), median(|r| r.4.1));
    let (half, share) = (rate(whole) / 2.0, 100.0 * plain / 2.0 / whole);
    println!("{:<46} {half:>6.0} MB/s  {share:>4.0} % of plain", "the missing half of it");
    println!("{:<46} {:>6.1} ms", "  until the first missing byte is asked for", asked * 1e3);
    let limited = rate(ours(&source, folder.path(), 3, Some(LIMIT)));
    println!("three sources, each limited to {} MB/s {limited:>15.0} MB/s", LIMIT / 1_000_000);
    small_files(folder.path());
}

fn make_file(path: &Path, mib: usize) {
    let mut bytes = blake3::Hasher::new().update(b"bench").finalize_xof();
    let mut file = File::create(path).expect("the folder can be written");
    let mut block = vec![0; 1 << 20];
    for _ in 0..mib {
        bytes.fill(&mut block);
        file.write_all(&block).expect("there is room");
    }
}

/// `sendfile` on one side, 1 MiB reads and writes on the other, in seconds.
fn plain_copy(source: &Path, folder: &Path) -> f64 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let target = folder.join("plain.bin");
    let started = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (tcp, _) = listener.accept().expect("the other thread connects");
            let file = File::open(source).expect("the source was made");
            while rustix::fs::sendfile(&tcp, &file, None, 1 << 30).expect("sendfile works") > 0 {}
        });
        let mut tcp = TcpStream::connect(address).expect("the listener is there");
        let mut file = File::create(&target).expect("the folder can be written");
        let mut buffer = vec![0; 1 << 20];
        loop {
            let n = tcp.read(&mut buffer).expect("the connection holds");
            if n == 0 {
                break;
            }
            file.write_all(&buffer[..n]).expect("there is room");
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    fs::remove_file(target).expect("it was made");
    seconds
}

fn hashing(source: &Path) -> (f64, Hashed) {
    let file = File::open(source).expect("the source was made");
    let started = Instant::now();
    let hashed = hash_file(&file, None, &mut |_| (), &Cancel::default()).expect("it can be hashed");
    (started.elapsed().as_secs_f64(), hashed)
}

/// A hub, clients that offer what lies in a folder, and one that fetches it: as every user has them.
struct World {
    runtime: Runtime,
    hub: Hub,
    givers: Vec<Client>,
    receiver: Client,
    /// Holds the clients' keys.
    homes: TempDir,
    downloads: PathBuf,
}

impl World {
    /// So many clients offer `file`, or a folder, each of which may send so many bytes a second.
    fn new(folder: &Path, file: &str, givers: u8, up: Option<u64>) -> Self {
        let runtime = Builder::new_multi_thread().enable_all().build().expect("threads");
        let homes = tempfile::tempdir().expect("a folder for keys");
        let downloads = folder.join("got");
        let (hub, givers, receiver) = runtime.block_on(async {
            let hub = Hub::builder().start().await.expect("a hub");
            let mut all = Vec::new();
            for name in (1..=givers).map(|number| format!("giver{number}")) {
                let data = homes.path().join(&name);
                let giver = Client::connect(hub.link()).name(name).data(data).offer_from(folder).rates(up, None);
                let giver = giver.await.expect("it enters");
                let files = vec![file.to_owned()];
                giver.request(request::Offer { files, ..Default::default() }).await.expect("it is offered");
                all.push(giver);
            }
            let receiver = Client::connect(hub.link()).name("receiver").data(homes.path().join("receiver"));
            let receiver = receiver.downloads(&downloads).await.expect("it enters");
            // It knows of all that is offered before it fetches.
            let (mut events, mut known) = (receiver.events(), 0);
            while let Some(line) = events.next().await {
                let Event::TableUpdated(table) = line.event else { continue };
                known += table.added.len() as u64;
                if known >= table.total {
                    break;
                }
            }
            (hub, all, receiver)
        });
        Self { runtime, hub, givers, receiver, homes, downloads }
    }

    /// Fetches it, in seconds.
    fn get(&self, get: request::Get) -> f64 {
        let started = Instant::now();
        self.runtime.block_on(self.receiver.request(get)).expect("it arrives");
        started.elapsed().as_secs_f64()
    }

    /// Ends all of them, and removes what was fetched.
    fn end(self) {
        let Self { runtime, hub, givers, receiver, homes, downloads } = self;
        fs::remove_dir_all(downloads).expect("it was made");
        runtime.block_on(async {
            receiver.leave().await.expect("it leaves");
            for giver in givers {
                giver.leave().await.expect("it leaves");
            }
            hub.stop().await.expect("it ends well");
        });
        drop(homes);
    }
}

/// One file from so many sources, each of which may send so many bytes a second; in seconds.
fn ours(source: &Path, folder: &Path, sources: u8, up: Option<u64>) -> f64 {
    let file = source.file_name().and_then(|name| name.to_str()).expect("a name");
    let world = World::new(folder, file, sources, up);
    let seconds = world.get(request::Get::new(file));
    world.end();
    seconds
}

/// The second half of a file of which the first is there, in seconds: until the source is asked for it, and until the
/// file is complete, with what was there checked again.
fn resumed(source: &Path, folder: &Path) -> (f64, f64) {
    let file = source.file_name().and_then(|name| name.to_str()).expect("a name");
    let chunks = hashing(source).1.chunking.count();
    let world = World::new(folder, file, 1, None);
    world.get(request::Get { chunks: Some((0..chunks / 2).collect()), ..request::Get::new(file) });
    let mut events = world.givers[0].events();
    let mut sent = 0;
    // The first upload has ended when the second begins.
    let asked = world.runtime.spawn(async move {
        while let Some(line) = events.next().await {
            if matches!(line.event, Event::TransferStarted(_)) {
                sent += 1;
                if sent == 2 {
                    return Instant::now();
                }
            }
        }
        panic!("it is asked")
    });
    let started = Instant::now();
    let seconds = world.get(request::Get::new(file));
    let asked = world.runtime.block_on(asked).expect("it is asked");
    world.end();
    (asked.duration_since(started).as_secs_f64(), seconds)
}

/// Many files of 4 KiB as a folder, beside a plain TCP copy of the same files.
fn small_files(folder: &Path) {
    let count = if cfg!(debug_assertions) { 200 } else { 10_000 };
    let files: Vec<_> = (0..count)
        .map(|i: usize| {
            let name = format!("small/{}/{i}", i / 100);
            let path = folder.join(&name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("the folder can be written");
            fs::write(&path, (i as u64).to_le_bytes().repeat(512)).expect("there is room");
            (name, path)
        })
        .collect();
    let mut rounds = Vec::new();
    for _ in 0..RUNS {
        rounds.push((plain_files(&files, folder), our_files(folder, 1), our_files(folder, 3)));
    }
    let rate = |pick: fn(&(f64, f64, f64)) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(pick).collect();
        all.sort_by(f64::total_cmp);
        count as f64 / all[RUNS / 2]
    };
    println!("{count} files of 4 KiB in {} folders, median of {RUNS} runs in turn", count / 100);
    for (what, rate) in [
        ("plain TCP copy (length and bytes of each)", rate(|r| r.0)),
        ("potluck, one source, encrypted and verified", rate(|r| r.1)),
        ("potluck, three sources", rate(|r| r.2)),
    ] {
        println!("{what:<46} {rate:>6.0} files/s");
    }
}

/// Reads, sends, receives and writes one file after the other, in seconds.
fn plain_files(files: &[(String, PathBuf)], folder: &Path) -> f64 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let target = folder.join("plain");
    fs::create_dir(&target).expect("the folder can be written");
    let started = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (tcp, _) = listener.accept().expect("the other thread connects");
            let mut tcp = BufWriter::with_capacity(256 << 10, tcp);
            for (_, path) in files {
                let bytes = fs::read(path).expect("it was made");
                tcp.write_all(&(bytes.len() as u64).to_le_bytes()).expect("the connection holds");
                tcp.write_all(&bytes).expect("the connection holds");
            }
        });
        let tcp = TcpStream::connect(address).expect("the listener is there");
        let mut tcp = BufReader::with_capacity(256 << 10, tcp);
        let mut buffer = Vec::new();
        for (name, _) in files {
            let mut length = [0; 8];
            tcp.read_exact(&mut length).expect("the connection holds");
            buffer.resize(u64::from_le_bytes(length) as usize, 0);
            tcp.read_exact(&mut buffer).expect("the connection holds");
            let path = target.join(name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("the folder can be written");
            fs::write(path, &buffer).expect("there is room");
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    fs::remove_dir_all(target).expect("it was made");
    seconds
}

/// The same from so many sources, in seconds.
fn our_files(folder: &Path, sources: u8) -> f64 {
    let world = World::new(folder, "small", sources, None);
    let seconds = world.get(request::Get::new("small/"));
    world.end();
    seconds
}
