//! What a hub is told, and what it wants done.

use std::net::SocketAddr;

use super::ConnId;
use crate::protocol::log::LogEvent;
use crate::protocol::name::NameKey;
use crate::protocol::record::{Found, NameRecord, Query, Record};
use crate::protocol::types::{Content, Password};
use crate::protocol::wire::Frame;
use crate::protocol::{ContentHash, Failure, PublicKey, event};

/// What a hub is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection was made; the other side has proved that it holds the key.
    Connected {
        /// Its number.
        conn: ConnId,
        /// The key.
        key: PublicKey,
        /// Where it comes from.
        address: SocketAddr,
        /// `quic` or `tcp`.
        transport: &'static str,
    },
    /// A line arrived, without its line feed.
    Line {
        /// On which connection.
        conn: ConnId,
        /// The line.
        line: &'a [u8],
    },
    /// A connection broke.
    Disconnected {
        /// Which.
        conn: ConnId,
        /// How.
        reason: String,
    },
    /// Everything up to this commit is on disk.
    Committed(u64),
    /// What the store answers to a question.
    Found(u64, Found),
    /// Names or accounts were changed by another program: these there are now.
    Names(Vec<NameRecord>),
    /// A password has been checked: whose it is, if it is right.
    Verified(u64, Option<Verified>),
    /// A copy is on disk, or could not be made.
    Copied(u64, Result<(), Failure>),
    /// The bytes of a copy from before are there, and so many.
    CopyFound(ContentHash, u64),
    /// The bytes of this copy are not there any more.
    CopyLost(ContentHash),
    /// What lies on the hub's own shelf has changed: these files are new or other ones, these are gone.
    HubFilesChanged(Vec<Content>, Vec<String>),
    /// The store cannot write for now: full, held by another program, failing. What was persisted is written once that works.
    StoreDegraded(Failure),
    /// What was persisted with these numbers is not written, and will not be: it was given up in time.
    StoreAbandoned(Vec<u64>),
    /// The store writes again, and what it could not write before is on its way.
    StoreRecovered,
    /// The store will never take what was persisted with this number. `Committed` comes for it all the same.
    StoreRefused(u64, Failure),
    /// The store does not work any more.
    StoreFailed(Failure),
    /// The hub shall end.
    Stop(String),
    /// Time has passed.
    Tick,
}

/// What a hub wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a frame.
    Send(ConnId, Frame),
    /// Send a line that is not a frame, without its line feed.
    Say(ConnId, String),
    /// Close a connection once everything before has been sent.
    Close(ConnId),
    /// Write a record; `Committed` with this number is wanted when it is on disk. Records with the same number follow one
    /// another and belong together: all of them are kept or none.
    Persist(u64, Record),
    /// Give up these records if they are not written yet; `StoreAbandoned` with those that are not is wanted.
    Abandon(Vec<u64>),
    /// Ask the store; `Found` with this number is wanted.
    Query(u64, Query),
    /// Check a password; `Verified` with this number is wanted.
    Verify {
        /// The number.
        attempt: u64,
        /// The account's name; there may be none.
        name_key: NameKey,
        /// The password.
        password: Password,
    },
    /// Fetch a content and keep it; `Copied` is wanted.
    Copy(CopyPlan),
    /// Remove the bytes of this copy.
    Discard(ContentHash),
    /// Who holds this key is here under this name, and may fetch from the hub.
    MayFetch(PublicKey, String),
    /// Who holds this key may not any more.
    MayNotFetch(PublicKey),
    /// Write on the log.
    Log(LogEvent),
    /// The hub has ended.
    Stopped,
}

/// A name with the right password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The name as it was given to the account.
    pub name: String,
    /// The same as it is compared.
    pub name_key: NameKey,
    /// The number of the password, see [`NameRecord::credential`](crate::protocol::record::NameRecord::credential).
    pub credential: u64,
}

/// A copy to make.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyPlan {
    /// Its number.
    pub copy: u64,
    /// Who has the content.
    pub source: event::Holder,
}
