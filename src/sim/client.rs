//! A simulated client's machine: its disk and its transfers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::{Happening, Sim};
use crate::core::peers::{PeerConn, PeerInput};
use crate::core::session::{FetchPlan, FolderFile, FolderPlan, Hashed, Input, Session, TransferNote, UploadNote};
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::transfer::{Chunking, OnConflict};
use crate::protocol::types::Source;
use crate::protocol::wire::Received;
use crate::protocol::{Content, ContentHash, ErrorCode, EventLine, Failure, PublicKey};

/// A client of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(pub(super) usize);

/// How a simulated client is started.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// Its key, if it shares one with another client.
    pub key: Option<u8>,
    /// What its join link carried.
    pub invite: Option<String>,
    /// `--password-file`.
    pub password: Option<String>,
    /// `--linger`.
    pub linger: bool,
    /// `--fail-fast`.
    pub fail_fast: bool,
}

/// A client's machine.
pub(super) struct Actor {
    pub(super) session: Session,
    pub(super) key: PublicKey,
    pub(super) address: SocketAddr,
    pub(super) conn: Option<u64>,
    /// Its direct connections.
    pub(super) direct: BTreeMap<PeerConn, u64>,
    /// Whether its machine is off, rather than the program ended.
    pub(super) off: bool,
    pub(super) lines: u64,
    pub(super) told: Vec<EventLine>,
    /// Messages among it that the session has not heard of yet: they have been written.
    pub(super) written: Vec<u64>,
    pub(super) ended: Option<u8>,
    pub(super) downloads: BTreeMap<String, ContentHash>,
    pub(super) peers: BTreeMap<PublicKey, String>,
    pub(super) serving: BTreeMap<String, ContentHash>,
    /// What is for one person: the content, and who.
    pub(super) lent: BTreeSet<(ContentHash, String)>,
    /// What is being fetched, by transfer: it is a download only once it is complete.
    fetching: BTreeMap<u64, (String, ContentHash)>,
    cancelled: BTreeSet<u64>,
    disk: BTreeMap<String, BTreeMap<String, Content>>,
    uploads: u64,
}

/// The same content, in at most so many chunks.
fn cut(content: &Content, chunks: Option<u32>) -> Content {
    let chunking = Chunking::for_size(content.size, chunks);
    Content { chunk_size: chunking.chunk_size(), chunks: chunking.count().into(), ..content.clone() }
}

/// Something on a client's own machine is done.
pub(super) enum Done {
    Dir(u64, Result<String, Failure>),
    Hashed(u64, Result<Hashed, Failure>),
    Lent(u64, Result<Content, Failure>),
    Inbox(String, Received),
    Transfer(u64, TransferNote),
    Upload(u64, UploadNote),
    /// Every key is the one that is known.
    Pinned(u64),
}

impl Actor {
    pub(super) fn new(session: Session, key: PublicKey, address: SocketAddr) -> Self {
        Self {
            session,
            key,
            address,
            conn: None,
            direct: BTreeMap::new(),
            off: false,
            lines: 0,
            told: Vec::new(),
            written: Vec::new(),
            ended: None,
            downloads: BTreeMap::new(),
            peers: BTreeMap::new(),
            serving: BTreeMap::new(),
            lent: BTreeSet::new(),
            fetching: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            disk: BTreeMap::new(),
            uploads: 0,
        }
    }

    pub(super) fn give_file(&mut self, dir: &str, file: &str, content: &[u8]) {
        let chunking = Chunking::for_size(content.len() as u64, None);
        let content = Content {
            file: file.into(),
            size: content.len() as u64,
            hash: ContentHash(*blake3::hash(content).as_bytes()),
            chunk_size: chunking.chunk_size(),
            chunks: chunking.count().into(),
            modified: None,
        };
        self.disk.entry(dir.into()).or_default().insert(file.into(), content);
    }

    pub(super) fn check_dir(&self, dir: &str) -> Result<String, Failure> {
        match self.disk.contains_key(dir) {
            true => Ok(dir.to_owned()),
            false => Err(Failure::new(ErrorCode::NoSuchDir, format!("There is no folder {dir}."))),
        }
    }

    pub(super) fn hash(&mut self, dir: &str, files: &[String], chunks: Option<u32>) -> Result<Vec<Content>, Failure> {
        let missing = |i: usize| {
            Failure::new(ErrorCode::NoSuchFile, format!("There is no file {}.", files[i]))
                .at(pointer_at(&format!("/files/{i}")))
        };
        let found: Vec<Content> = files
            .iter()
            .enumerate()
            .map(|(i, file)| self.disk.get(dir).and_then(|d| d.get(file)).ok_or_else(|| missing(i)))
            .map(|found| found.map(|content| cut(content, chunks)))
            .collect::<Result<_, _>>()?;
        self.serving.extend(found.iter().map(|content| (content.file.clone(), content.hash)));
        Ok(found)
    }

    /// A file for one person, from the chosen folder or from where the program was started: `home`.
    pub(super) fn lend(&mut self, dir: Option<&str>, file: &str, to: String) -> Result<Content, Failure> {
        let dir = dir.unwrap_or("home");
        let found = self.disk.get(dir).and_then(|files| files.get(file)).cloned();
        let missing = || Failure::new(ErrorCode::NoSuchFile, format!("There is no file {file}."));
        let content = found.ok_or_else(missing)?;
        self.lent.insert((content.hash, to));
        Ok(content)
    }

    /// Whether somebody may fetch a content here.
    fn serves(&self, file: &str, hash: &ContentHash, peer: &str) -> bool {
        self.serving.get(file) == Some(hash) || self.lent.contains(&(*hash, peer.to_owned()))
    }

    pub(super) fn cancel(&mut self, transfer: u64) {
        self.cancelled.insert(transfer);
    }

    pub(super) fn done(&mut self, now: Time, done: Done) {
        let input = match done {
            Done::Dir(task, result) => Input::DirChecked(task, result),
            Done::Hashed(task, result) => Input::Hashed(task, result),
            Done::Lent(task, result) => Input::Lent(task, result),
            Done::Inbox(ref name, ref shown) => Input::InboxOpened(name, shown),
            Done::Transfer(transfer, _) if self.cancelled.contains(&transfer) => {
                Input::Transfer(transfer, TransferNote::Failed(ErrorCode::Interrupted.into()))
            }
            Done::Transfer(transfer, note) => {
                if matches!(note, TransferNote::Completed { .. })
                    && let Some((target, hash)) = self.fetching.remove(&transfer)
                {
                    self.downloads.insert(target, hash);
                }
                Input::Transfer(transfer, note)
            }
            Done::Upload(upload, note) => Input::Upload(upload, note),
            Done::Pinned(conn) => Input::Peer(PeerInput::Pinned(conn, Ok(()))),
        };
        self.session.handle(now, input);
    }
}

impl Sim {
    /// Plays a transfer: both ends learn of its start, its middle and its end.
    pub(super) fn fetch(&mut self, client: usize, plan: FetchPlan) {
        let at = |sim: &Sim, millis: u64| sim.now + Duration::from_millis(millis);
        let Some(holder) = plan.sources.first() else { return };
        let (transfer, hash, size) = (plan.transfer, holder.offer.hash, holder.offer.size);
        let key = self.actors[client].key;
        let source = self.actors.iter().position(|actor| {
            let peer = actor.peers.get(&key).map_or("", String::as_str);
            actor.key == holder.key && actor.ended.is_none() && actor.serves(&holder.offer.file, &hash, peer)
        });
        let fail = |code: ErrorCode| Done::Transfer(transfer, TransferNote::Failed(code.into()));
        if plan.on_conflict == OnConflict::Fail && self.actors[client].downloads.contains_key(&plan.target) {
            return self.later(at(self, 5), Happening::Local(client, fail(ErrorCode::Exists)));
        }
        let Some(source) = source else {
            return self.later(at(self, 5), Happening::Local(client, fail(ErrorCode::PeerUnreachable)));
        };
        let Some(peer) = self.actors[source].peers.get(&key).cloned() else {
            return self.later(at(self, 5), Happening::Local(client, fail(ErrorCode::PeerRefused)));
        };
        self.actors[source].uploads += 1;
        let upload = self.actors[source].uploads;
        let path = format!("downloads/{}", plan.target);
        let up = [
            UploadNote::Started { peer, file: holder.offer.file.clone(), size, hash },
            UploadNote::Progress(size / 2),
            UploadNote::Completed(size),
        ];
        let sources = vec![Source { peer: holder.offer.owner.clone(), bytes: size }];
        let down = [
            TransferNote::Started { path: path.clone(), resumed: 0 },
            TransferNote::Progress(size / 2),
            TransferNote::Completed { path, complete: true, sources },
        ];
        for (i, (up, down)) in up.into_iter().zip(down).enumerate() {
            let when = at(self, 10 * (i as u64 + 1));
            self.later(when, Happening::Local(source, Done::Upload(upload, up)));
            self.later(when, Happening::Local(client, Done::Transfer(transfer, down)));
        }
        self.actors[client].fetching.insert(transfer, (plan.target, hash));
    }

    /// Plays the transfer of a folder: its files come all at once, after a while.
    pub(super) fn fetch_folder(&mut self, client: usize, plan: FolderPlan) {
        let transfer = plan.transfer;
        let key = self.actors[client].key;
        let served = |file: &FolderFile| {
            let from = file.sources.iter().filter_map(|at| plan.sources.get(*at as usize));
            from.into_iter().any(|source| {
                self.actors.iter().any(|actor| {
                    let known = actor.ended.is_none() && actor.peers.contains_key(&key);
                    let own = Some(actor.key) == source.key;
                    known && own && actor.serving.get(&file.content.file) == Some(&file.content.hash)
                })
            })
        };
        let missing = plan.files.iter().filter(|file| !served(file)).count();
        let end = match missing {
            0 => {
                let files = plan.files.iter().map(|file| (file.target.clone(), file.content.hash));
                let files: Vec<_> = files.collect();
                self.actors[client].downloads.extend(files);
                TransferNote::Completed { path: "downloads".into(), complete: true, sources: Vec::new() }
            }
            more => TransferNote::Failed(Failure::new(ErrorCode::SourceGone, format!("{more} files are gone."))),
        };
        let started = TransferNote::Started { path: "downloads".into(), resumed: 0 };
        for (millis, note) in [(10, started), (30, end)] {
            self.later(
                self.now + Duration::from_millis(millis),
                Happening::Local(client, Done::Transfer(transfer, note)),
            );
        }
    }
}
