//! How fast files go from peer to peer, beside a plain TCP copy in the same run.
//!
//! `cargo bench --bench transfer`; `POTLUCK_BENCH_MIB` sets the size of the file (1024), and
//! `POTLUCK_BENCH_DIR` where the files lie (`/dev/shm` if there is one: the disk is not measured).

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use potluck::core::fetch::{FetchPlan, PlannedFile, Source};
use potluck::io::content::hash::{Hashed, hash_file};
use potluck::io::content::store::ContentStore;
use potluck::io::net::identity::Identity;
use potluck::io::os::cancel::Cancel;
use potluck::io::transfer::{
    Control, DataServer, Fetched, Fetcher, LocalPeer, Rates, TokenBucket, UploadEvent, UploadNotify, fetch,
};
use potluck::protocol::{ContentHash, OnConflict, Timestamp};

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

struct Giver {
    _server: DataServer,
    source: Source,
}

fn giver(seed: u8, receiver: &LocalPeer, files: &[(String, PathBuf, Hashed)]) -> Giver {
    limited_giver(seed, receiver, files, Rates::default(), Arc::new(|_| ()))
}

fn limited_giver(
    seed: u8,
    receiver: &LocalPeer,
    files: &[(String, PathBuf, Hashed)],
    rates: Rates,
    notify: UploadNotify,
) -> Giver {
    let identity = LocalPeer::new(Identity::from_seed([seed; 32])).limited(rates);
    let shelf = ContentStore::default();
    shelf.set_peers(HashMap::from([(receiver.key, "bench".into())]));
    for (name, path, hashed) in files {
        shelf.add(name.as_str(), path.clone(), hashed.clone());
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let server = DataServer::start(listener, &identity, shelf, notify).expect("a thread");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    Giver { _server: server, source: Source { name: format!("giver {seed}"), address, key: identity.key, has: None } }
}

fn plan(name: &str, hashed: &Hashed, sources: Vec<Source>) -> FetchPlan {
    let mut plan = FetchPlan::of_file(name, hashed.hash, hashed.chunking, sources);
    plan.files[0].target = format!("got-{name}");
    plan
}

fn get(plan: &FetchPlan, token: &str, receiver: &LocalPeer, folder: &Path) -> Fetched {
    let fetcher = Fetcher { token: token.into(), seed: 0, folder, local: receiver, store: &ContentStore::default() };
    fetch(plan.clone().into(), &fetcher, &|_| (), &Control::default()).expect("it arrives")
}

/// One file from so many sources, each of which may send so many bytes a second; in seconds.
fn ours(source: &Path, folder: &Path, sources: u8, up: Option<u64>) -> f64 {
    let receiver = LocalPeer::new(Identity::from_seed([0; 32]));
    let file = ("file".to_owned(), source.to_owned(), hashing(source).1);
    let rates = || Rates { up: up.map(TokenBucket::new), down: None };
    let giver = |seed| limited_giver(seed, &receiver, std::slice::from_ref(&file), rates(), Arc::new(|_| ()));
    let givers: Vec<_> = (1..=sources).map(giver).collect();
    let plan = plan("file", &file.2, givers.iter().map(|g| g.source.clone()).collect());
    let started = Instant::now();
    let fetched = get(&plan, "0123456789abcdef", &receiver, folder);
    let seconds = started.elapsed().as_secs_f64();
    fs::remove_file(fetched.path).expect("it is there");
    seconds
}

/// The second half of a file of which the first is there, in seconds: until the source is asked for it, and until the
/// file is complete, with what was there checked again.
fn resumed(source: &Path, folder: &Path) -> (f64, f64) {
    let receiver = LocalPeer::new(Identity::from_seed([0; 32]));
    let file = ("half".to_owned(), source.to_owned(), hashing(source).1);
    let asked = Arc::new(Mutex::new(None));
    let note = asked.clone();
    let notify: UploadNotify = Arc::new(move |told| {
        if let UploadEvent::Started { .. } = told {
            *note.lock().expect("nobody panics") = Some(Instant::now());
        }
    });
    let giver = limited_giver(1, &receiver, std::slice::from_ref(&file), Rates::default(), notify);
    let whole = plan("half", &file.2, vec![giver.source.clone()]);
    let first = (0..file.2.chunking.count() / 2).collect();
    let half = FetchPlan { chunks: Some(first), ..whole.clone() };
    get(&half, "fedcba9876543210", &receiver, folder);
    let started = Instant::now();
    let fetched = get(&whole, "0123456789abcdef", &receiver, folder);
    let seconds = started.elapsed().as_secs_f64();
    assert!(fetched.complete);
    fs::remove_file(fetched.path).expect("it is there");
    let asked = asked.lock().expect("nobody panics").expect("it was asked");
    (asked.duration_since(started).as_secs_f64(), seconds)
}

/// Many files of 4 KiB as a folder, beside a plain TCP copy of the same files.
fn small_files(folder: &Path) {
    let count = if cfg!(debug_assertions) { 200 } else { 10_000 };
    let receiver = LocalPeer::new(Identity::from_seed([0; 32]));
    let files: Vec<_> = (0..count)
        .map(|i: usize| {
            let name = format!("small/{}/{i}", i / 100);
            let path = folder.join(&name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("the folder can be written");
            fs::write(&path, (i as u64).to_le_bytes().repeat(512)).expect("there is room");
            let hashed = hashing(&path).1;
            (name, path, hashed)
        })
        .collect();
    let mut rounds = Vec::new();
    for _ in 0..RUNS {
        rounds.push((
            plain_files(&files, folder),
            our_files(&files, folder, &receiver, 1),
            our_files(&files, folder, &receiver, 3),
        ));
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
fn plain_files(files: &[(String, PathBuf, Hashed)], folder: &Path) -> f64 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let target = folder.join("plain");
    fs::create_dir(&target).expect("the folder can be written");
    let started = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (tcp, _) = listener.accept().expect("the other thread connects");
            let mut tcp = BufWriter::with_capacity(256 << 10, tcp);
            for (_, path, _) in files {
                let bytes = fs::read(path).expect("it was made");
                tcp.write_all(&(bytes.len() as u64).to_le_bytes()).expect("the connection holds");
                tcp.write_all(&bytes).expect("the connection holds");
            }
        });
        let tcp = TcpStream::connect(address).expect("the listener is there");
        let mut tcp = BufReader::with_capacity(256 << 10, tcp);
        let mut buffer = Vec::new();
        for (name, _, _) in files {
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
fn our_files(files: &[(String, PathBuf, Hashed)], folder: &Path, receiver: &LocalPeer, sources: u8) -> f64 {
    let givers: Vec<_> = (1..=sources).map(|i| giver(i, receiver, files)).collect();
    let target = folder.join("got");
    fs::create_dir(&target).expect("the folder can be written");
    let file = |(name, _, hashed): &(String, PathBuf, Hashed)| PlannedFile {
        file: name.clone(),
        target: name.clone(),
        hash: hashed.hash,
        chunking: hashed.chunking,
        modified: Some(Timestamp(1_700_000_000_000)),
        sources: (0..sources.into()).collect(),
    };
    let plan = FetchPlan {
        name: "small/".into(),
        hash: ContentHash([0; 32]),
        files: files.iter().map(file).collect(),
        sources: givers.iter().map(|g| g.source.clone()).collect(),
        from: None,
        chunks: None,
        on_conflict: OnConflict::Fail,
        share: true,
    };
    let started = Instant::now();
    get(&plan, "0123456789abcdef", receiver, &target);
    let seconds = started.elapsed().as_secs_f64();
    fs::remove_dir_all(target).expect("it was made");
    seconds
}
