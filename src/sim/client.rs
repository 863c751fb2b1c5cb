//! A simulated client's machine.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::asked::Asked;
use super::disk::Disk;
use super::done::Done;
use super::traffic::Traffic;
use crate::core::peers::{PeerConn, PeerInput};
use crate::core::session::{Input, Session};
use crate::core::time::Time;
use crate::protocol::{ContentHash, EventLine, Follows, PublicKey};

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
    /// `--max-transfers`.
    pub max_transfers: Option<usize>,
    /// `--accept-from` of these names.
    pub accept_from: Vec<String>,
    /// `--follow` and `--follow-roster`.
    pub follow: Follows,
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
    /// What its user has asked.
    pub(super) asked: Asked,
    pub(super) told: Vec<EventLine>,
    /// Messages among it that the session has not heard of yet: they have been written.
    pub(super) written: Vec<u64>,
    /// The same of private messages: how many.
    pub(super) privates: usize,
    /// Whether its user reads what it says, and how much of that they have read.
    pub(super) reads: bool,
    pub(super) read: usize,
    pub(super) ended: Option<u8>,
    pub(super) downloads: BTreeMap<String, ContentHash>,
    pub(super) peers: BTreeMap<PublicKey, String>,
    pub(super) disk: Disk,
    pub(super) traffic: Traffic,
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
            told: Vec::new(),
            written: Vec::new(),
            privates: 0,
            reads: true,
            read: 0,
            ended: None,
            downloads: BTreeMap::new(),
            peers: BTreeMap::new(),
            disk: Disk::default(),
            traffic: Traffic::default(),
        }
    }

    pub(super) fn done(&mut self, now: Time, done: Done) {
        let input = match done {
            Done::Dir(task, result) => Input::DirChecked(task, result),
            Done::Hashing(task, progress) => Input::Hashing(task, progress),
            Done::Hashed(task, result) => Input::Hashed(task, result),
            Done::Changed(changes) => Input::FilesChanged(changes),
            Done::Lent(task, result) => Input::Lent(task, result),
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
