//! A client of the simulation: its session, its direct connections, and the state of its user and machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::asked::Asked;
use super::disk::Disk;
use super::done::Done;
use super::traffic::Traffic;
use crate::core::peers::{PeerConn, PeerInput};
use crate::core::session::{AcceptFrom, DownloadConfig, Entry, Input, ParcelInput, PassesOn, Session};
use crate::core::time::Time;
use crate::core::verify::{KnownKey, Person, judge};
use crate::protocol::OnConflict;
use crate::protocol::limits::MAX_TRANSFERS;
use crate::protocol::name::NameKey;
use crate::protocol::{ContentHash, EventLine, Failure, Follows, PublicKey, event, request};

/// Identifies a client of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(pub(super) usize);

/// The options of a simulated client. Each stands for the option of `potluck join` that is named.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// The seed of its key; clients with the same one share a key.
    pub key: Option<u8>,
    /// The secret of the invite in its join link.
    pub invite: Option<String>,
    /// `--password-file`.
    pub password: Option<String>,
    /// `--linger`.
    pub linger: bool,
    /// `--fail-fast`.
    pub fail_fast: bool,
    /// `--max-transfers`.
    pub max_transfers: Option<usize>,
    /// `--accept-from` of these names.
    pub accept_from: Vec<String>,
    /// `--follow` and `--follow-roster`.
    pub follow: Follows,
    /// How it is at the hub, if not under its name: as the client of `potluck send` and `potluck receive`.
    pub unnamed: Option<Entry>,
}

impl ClientOptions {
    pub(super) fn downloads(&self) -> DownloadConfig {
        let accept_from = match self.accept_from.is_empty() {
            true => AcceptFrom::Nobody,
            false => AcceptFrom::Names(self.accept_from.clone()),
        };
        let max_transfers = self.max_transfers.unwrap_or(MAX_TRANSFERS);
        DownloadConfig { on_conflict: OnConflict::Fail, max_transfers, accept_from, passes_on: PassesOn::Nothing }
    }
}

/// A client and everything around it.
pub(super) struct Actor {
    pub(super) session: Session,
    pub(super) key: PublicKey,
    pub(super) address: SocketAddr,
    pub(super) conn: Option<u64>,
    /// The open direct connections, with the number of the pair that each belongs to.
    pub(super) direct: BTreeMap<PeerConn, u64>,
    /// Whether its machine lost power. If its process merely ended, other machines notice broken connections.
    pub(super) off: bool,
    /// What its user has asked.
    pub(super) asked: Asked,
    pub(super) output: Output,
    pub(super) ended: Option<u8>,
    pub(super) downloads: BTreeMap<String, ContentHash>,
    pub(super) peers: BTreeMap<PublicKey, String>,
    pub(super) disk: Disk,
    pub(super) traffic: Traffic,
    /// The keys that are known at this machine.
    pub(super) known: BTreeMap<NameKey, KnownKey>,
}

/// What a client has told its user.
pub(super) struct Output {
    pub(super) told: Vec<EventLine>,
    /// The numbers of messages that were written to the user, and of which the session has not been told.
    pub(super) written: Vec<u64>,
    /// How many private messages were written to the user, and the session has not been told of.
    pub(super) privates: usize,
    /// Whether the user reads the output, and how many events they have read.
    pub(super) reads: bool,
    pub(super) read: usize,
}

impl Default for Output {
    fn default() -> Self {
        Self { told: Vec::new(), written: Vec::new(), privates: 0, reads: true, read: 0 }
    }
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
            asked: Asked::default(),
            output: Output::default(),
            ended: None,
            downloads: BTreeMap::new(),
            peers: BTreeMap::new(),
            disk: Disk::default(),
            traffic: Traffic::default(),
            known: BTreeMap::new(),
        }
    }

    pub(super) fn verify(
        &mut self,
        asked: &request::Verify,
        shown: Option<PublicKey>,
    ) -> Result<(KnownKey, event::SafetyNumber), Failure> {
        let name = NameKey::of(&asked.name);
        let person = Person { name: &asked.name, shown, known: self.known.get(&name).copied() };
        let (kept, answer) = judge(&self.key, person, asked)?;
        self.known.insert(name, kept);
        Ok((kept, answer))
    }

    pub(super) fn done(&mut self, now: Time, done: Done) {
        let input = match done {
            Done::Dir(task, result) => Input::DirChecked(task, result),
            Done::Hashing(task, progress) => Input::Hashing(task, progress),
            Done::Hashed(task, result) => Input::Hashed(task, result),
            Done::Changed(changes) => Input::FilesChanged(changes),
            Done::Verified(task, result) => Input::Verified(task, result),
            Done::Granted(task, result) => Input::Granted(task, result),
            Done::ParcelPrepared(parcel, result) => {
                Input::Parcel(ParcelInput::Prepared(parcel, result.map(|parcel| *parcel)))
            }
            Done::Listed(task, files) => Input::Parcel(ParcelInput::Listed(task, files)),
            Done::TicketFound(task, ticket) => Input::Parcel(ParcelInput::TicketFound(task, ticket)),
            Done::Inbox(ref name, ref shown) => Input::InboxOpened(name, shown),
            Done::Transfer(transfer, note) => Input::Transfer(transfer, note),
            Done::Upload(upload, note) => {
                if !self.traffic.sends(upload, &note) {
                    return;
                }
                Input::Upload(upload, note)
            }
            Done::Pinned(conn) => Input::Peer(PeerInput::Pinned(conn, Ok(()))),
        };
        self.session.handle(now, input);
    }
}
