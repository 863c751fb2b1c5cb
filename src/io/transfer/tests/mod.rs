//! Both ends on loopback, with real files.

mod folder;
mod folder_hostile;
mod hostile;
mod limits;
mod places;
mod pooled;
mod resume;
mod swarm;
mod targets;
mod whole;

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::socket::Hangup;
use super::stream::ServerStream;
use super::*;
use crate::core::fetch::{FetchPlan, PlannedFile, Source, TransferNote};
use crate::io::content::hash::{Hashed, hash_file};
use crate::io::content::store::ContentStore;
use crate::io::net::identity::Identity;
use crate::io::net::tls::{DATA_ALPN, server_config};
use crate::io::os::cancel::Cancel;
use crate::protocol::data::{DataAnswer, DataRequest, MAX_SEGMENT, to_line};
use crate::protocol::{ChunkSet, Chunking, ContentHash, ErrorCode, Failure, OnConflict, PublicKey, Route, Timestamp};

const MIB: usize = 1 << 20;
const TOKEN: &str = "00112233445566ff";

/// Bytes that look random and are the same each time.
fn content(len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(b"content").finalize_xof().fill(&mut out);
    out
}

fn receiver() -> LocalPeer {
    LocalPeer::new(Identity::from_seed([200; 32]))
}

/// A client that serves from a folder of its own.
struct Giver {
    folder: TempDir,
    contents: ContentStore,
    server: DataServer,
    key: PublicKey,
    notes: Arc<Notes>,
}

/// What was told about uploads.
#[derive(Default)]
struct Notes {
    all: Mutex<Vec<UploadEvent>>,
    more: Condvar,
    /// What to do when an upload starts; it waits meanwhile.
    on_start: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Notes {
    fn on_start(&self, act: impl FnOnce() + Send + 'static) {
        *self.on_start.lock().unwrap() = Some(Box::new(act));
    }

    fn take(&self, note: UploadEvent) {
        let act = matches!(note, UploadEvent::Started { .. }).then(|| self.on_start.lock().unwrap().take());
        self.all.lock().unwrap().push(note);
        self.more.notify_all();
        if let Some(Some(act)) = act {
            act();
        }
    }

    /// Waits until an upload has come to its end, and returns all that was told.
    fn until_over(&self) -> Vec<UploadEvent> {
        let over = |n: &UploadEvent| matches!(n, UploadEvent::Completed { .. } | UploadEvent::Failed { .. });
        let all = self.all.lock().unwrap();
        self.more.wait_while(all, |all| !all.iter().any(over)).unwrap().clone()
    }
}

impl Giver {
    fn new(seed: u8) -> Self {
        Self::limited(seed, Rates::default())
    }

    fn limited(seed: u8, rates: Rates) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let identity = LocalPeer::new(Identity::from_seed([seed; 32])).limited(rates);
        let contents = ContentStore::default();
        contents.set_peers(HashMap::from([(receiver().key, "rita".to_owned())]));
        let notes = Arc::new(Notes::default());
        let told = notes.clone();
        let notify = move |note| told.take(note);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = DataServer::start(listener, &identity, contents.clone(), Arc::new(notify)).unwrap();
        Self { folder, contents, server, key: identity.key, notes }
    }

    fn offer(&self, name: &str, bytes: &[u8]) -> Hashed {
        self.offer_cut(name, bytes, None)
    }

    fn offer_cut(&self, name: &str, bytes: &[u8], at_most: Option<u32>) -> Hashed {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        let file = File::open(&path).unwrap();
        let hashed = hash_file(&file, at_most, &mut |_| (), &Cancel::default()).unwrap();
        self.contents.add(name, path, hashed.clone());
        hashed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name.replace('/', "_"))
    }

    fn source(&self, name: &str) -> Source {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.server.port()));
        Source { name: name.to_owned(), address, key: self.key, has: None }
    }
}

/// A source whose every answer is made up by `answer`, with the key of this seed.
fn fake(seed: u8, answer: impl Fn(&mut ServerStream, DataRequest) + Send + Sync + 'static) -> Source {
    fake_while(seed, move |stream, request| {
        answer(stream, request);
        true
    })
}

/// The same, and it breaks off and is gone when `answer` says false: whoever dials it again gets no handshake.
fn fake_while(seed: u8, answer: impl Fn(&mut ServerStream, DataRequest) -> bool + Send + Sync + 'static) -> Source {
    let identity = Identity::from_seed([seed; 32]);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let source = Source { name: "fake".into(), address, key: identity.key, has: None };
    let config = Arc::new(server_config(&identity, DATA_ALPN));
    let (answer, gone) = (Arc::new(answer), Cancel::default());
    std::thread::spawn(move || {
        for tcp in listener.incoming().filter(|_| !gone.is_cancelled()) {
            let (answer, config, gone) = (answer.clone(), config.clone(), gone.clone());
            std::thread::spawn(move || {
                let deadline = Instant::now() + Duration::from_secs(60);
                let tcp = Arc::new(tcp.unwrap());
                let Ok(mut stream) = ServerStream::accept(tcp, config, Cancel::default(), deadline) else { return };
                while let Ok(Some(line)) = stream.read_line() {
                    if !answer(&mut stream, serde_json::from_slice(&line).unwrap()) {
                        return gone.cancel();
                    }
                }
            });
        }
    });
    source
}

/// A true answer of a [`fake`] source; what it cannot send any more does not matter.
fn answer_truly(stream: &mut ServerStream, hashed: &Hashed, bytes: &[u8], request: &DataRequest) {
    let mut out = Vec::new();
    match request {
        DataRequest::Manifest { .. } => {
            let (size, chunk_size) = (hashed.chunking.size(), hashed.chunking.chunk_size());
            let chunks = hashed.chunking.count().into();
            out.extend(to_line(&DataAnswer::Manifest { size, chunk_size, chunks }));
            out.extend_from_slice(hashed.manifest.as_flattened());
        }
        DataRequest::Ranges { ranges, .. } => {
            for [start, end] in ranges {
                for piece in bytes[*start as usize..*end as usize].chunks(MAX_SEGMENT) {
                    out.extend(to_line(&DataAnswer::Bytes { length: piece.len() as u64 }));
                    out.extend_from_slice(piece);
                }
            }
        }
        DataRequest::Files { .. } | DataRequest::Wait { .. } | DataRequest::Done { .. } => {}
    }
    if !out.is_empty() {
        let _ = stream.send(&out);
    }
}

/// A file to get, as a test wants it.
#[derive(Clone)]
struct FetchJob {
    token: String,
    file: String,
    hash: ContentHash,
    chunking: Chunking,
    chunks: Option<ChunkSet>,
    sources: Vec<Source>,
    folder: PathBuf,
    target: String,
    on_conflict: OnConflict,
    modified: Option<Timestamp>,
    seed: u64,
    share: bool,
}

impl FetchJob {
    fn plan(&self) -> FetchPlan {
        let (file, target) = (self.file.clone(), self.target.clone());
        let (hash, chunking, modified) = (self.hash, self.chunking, self.modified);
        FetchPlan {
            name: self.file.clone(),
            hash,
            files: vec![PlannedFile { file, target, hash, chunking, modified, sources: Vec::new() }],
            sources: self.sources.clone(),
            from: None,
            chunks: self.chunks.clone(),
            on_conflict: self.on_conflict,
            share: self.share,
            by_key: false,
            apart: false,
        }
    }
}

fn fetch(
    job: &FetchJob,
    local: &LocalPeer,
    store: &ContentStore,
    notify: &dyn Fn(TransferNote),
    control: &Control,
) -> Result<Fetched, Failure> {
    let fetcher = Fetcher { token: job.token.clone(), seed: job.seed, folder: &job.folder, local, store };
    super::fetch(job.plan().into(), &fetcher, notify, control)
}

/// What each source sent, by name.
fn from(fetched: &Fetched) -> Vec<(String, u64)> {
    fetched.from.iter().map(|source| (source.peer.clone(), source.bytes)).collect()
}

fn job(hashed: &Hashed, file: &str, sources: Vec<Source>, folder: &Path) -> FetchJob {
    FetchJob {
        token: TOKEN.to_owned(),
        file: file.to_owned(),
        hash: hashed.hash,
        chunking: hashed.chunking,
        chunks: None,
        sources,
        folder: folder.to_owned(),
        target: file.to_owned(),
        on_conflict: OnConflict::Fail,
        modified: None,
        seed: 0,
        share: true,
    }
}

/// Fetches, and returns also what was told meanwhile.
fn get_with(job: &FetchJob, control: &Control) -> (Result<Fetched, Failure>, Vec<TransferNote>) {
    let notes = Mutex::new(Vec::new());
    let result = fetch(job, &receiver(), &ContentStore::default(), &|note| notes.lock().unwrap().push(note), control);
    (result, notes.into_inner().unwrap())
}

fn get(job: &FetchJob) -> Result<Fetched, Failure> {
    get_with(job, &Control::default()).0
}

fn code(result: Result<Fetched, Failure>) -> ErrorCode {
    result.unwrap_err().code
}

/// The names of all that is in a folder, hidden files included.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
