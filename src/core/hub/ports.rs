//! The inputs and outputs of the hub's machine.

use std::net::SocketAddr;

use super::{ConnId, HalfId};
use crate::protocol::log::LogEvent;
use crate::protocol::name::NameKey;
use crate::protocol::record::{Found, NameRecord, Query, Record};
use crate::protocol::types::{Content, Password};
use crate::protocol::wire::Frame;
use crate::protocol::{ContentHash, Failure, PublicKey, event};

/// What the driver tells the hub.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection was made, and the other side has proved that it holds `key`.
    Connected {
        /// The connection's number: one that was not used before.
        conn: ConnId,
        /// The client's key.
        key: PublicKey,
        /// The client's address.
        address: SocketAddr,
        /// `quic` or `tcp`, for the log.
        transport: &'static str,
        /// The exporter of its TLS session, which binds an exchange by a code to it; nothing where there is no TLS.
        exporter: Option<[u8; 32]>,
    },
    /// A line arrived on a connection.
    Line {
        /// The connection.
        conn: ConnId,
        /// The line, without its line feed.
        line: &'a [u8],
    },
    /// A connection broke.
    Disconnected {
        /// The connection.
        conn: ConnId,
        /// Why, for the log.
        reason: String,
    },
    /// Everything that was persisted with this number or a lower one is on disk.
    Committed(u64),
    /// The store's answer to the query with this number.
    Found(u64, Found),
    /// The keeper has changed names or accounts from another program; these are all there are now.
    Names(Vec<NameRecord>),
    /// The password of this attempt was checked. `None` means that the name or the password is wrong.
    Verified(u64, Option<Verified>),
    /// The copy with this number is on disk, or could not be made.
    Copied(u64, Result<(), Failure>),
    /// The bytes of a copy from an earlier run are on disk, with this size in bytes.
    CopyFound(ContentHash, u64),
    /// The bytes of this copy are not on disk any more.
    CopyLost(ContentHash),
    /// A connection to the hub's TCP port has shown a token: it is one half of a meeting, or somebody guesses.
    Half {
        /// The connection's number: one that was not used before.
        half: HalfId,
        /// What it has shown.
        token: &'a str,
        /// The address from which it came.
        address: SocketAddr,
    },
    /// The hub itself wants a connection with a client that it cannot dial, to fetch a content from it.
    Call {
        /// The call's number: one that was not used before.
        call: u64,
        /// The client's key.
        key: PublicKey,
        /// What is wanted of it.
        content: ContentHash,
    },
    /// The joined halves of this meeting have carried so many bytes by now, both directions together.
    Relayed {
        /// The number of the meeting.
        meeting: u64,
        /// The bytes since they were joined.
        bytes: u64,
    },
    /// The joined halves of a meeting have ended.
    RelayEnded {
        /// The number of the meeting.
        meeting: u64,
        /// The bytes since they were joined.
        bytes: u64,
        /// Why, for the log.
        why: String,
    },
    /// The files that the hub itself serves have changed: new or changed ones, and the names of those that are gone.
    HubFilesChanged(Vec<Content>, Vec<String>),
    /// The store cannot write for now: the disk is full or failing, or another program has locked the store. The driver
    /// keeps trying to write what was persisted.
    StoreDegraded(Failure),
    /// These numbers were given up after `Output::Abandon`: their records are not on disk and never will be.
    StoreAbandoned(Vec<u64>),
    /// The store writes again. What it could not write before is on its way.
    StoreRecovered,
    /// The store will never take what was persisted with this number. `Committed` comes for it nevertheless.
    StoreRefused(u64, Failure),
    /// The store has failed for good. The hub ends.
    StoreFailed(Failure),
    /// The hub must end, for this reason (for the log).
    Stop(String),
    /// Only time has passed.
    Tick,
}

/// What the hub has the driver do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a frame on a connection.
    Send(ConnId, Frame),
    /// Send a line that is not a frame (an answer to a hello, a farewell), given without its line feed.
    Say(ConnId, String),
    /// Send a line of an exchange by a code, given without its line feed. The client stays a stranger: its lines must
    /// be short.
    SayToStranger(ConnId, String),
    /// Close a connection once everything before this has been sent.
    Close(ConnId),
    /// Write a record to the store, and report `Input::Committed` with this number when it is on disk. Records with the
    /// same number follow one another and are written together: all of them or none.
    Persist(u64, Record),
    /// Give up the records with these numbers that are not written yet, and report `Input::StoreAbandoned` with those.
    Abandon(Vec<u64>),
    /// Ask the store, and report `Input::Found` with this number.
    Query(u64, Query),
    /// Check a password on a thread of its own, and report `Input::Verified` with this attempt.
    Verify {
        /// The attempt's number.
        attempt: u64,
        /// The account's name. There may be no such account.
        name_key: NameKey,
        /// The password as the client sent it.
        password: Password,
    },
    /// Fetch a content and keep it, and report `Input::Copied`.
    Copy(CopyPlan),
    /// Remove the bytes of this copy.
    Discard(ContentHash),
    /// From now on the holder of this key may fetch what the hub serves. The name is the one under which it is here.
    MayFetch(PublicKey, String),
    /// The holder of this key may not fetch from the hub any more.
    MayNotFetch(PublicKey),
    /// Join the two halves of a meeting: pass on the bytes of each to the other. Report `Input::Relayed` now and then, and
    /// `Input::RelayEnded` once.
    Join {
        /// The number of the meeting.
        meeting: u64,
        /// The halves.
        halves: [HalfId; 2],
        /// The number of the client to which the bytes are counted. All that it has relayed shares one rate.
        payer: u64,
    },
    /// End the joined halves of this meeting, and report `Input::RelayEnded`.
    Cut(u64),
    /// The client has answered the call of this number with this half, or it will not.
    Called(u64, Option<HalfId>),
    /// Close this half, which is not joined.
    DropHalf(HalfId),
    /// Write a line to the log.
    Log(LogEvent),
    /// The hub has ended. Nothing comes after this.
    Stopped,
}

/// The account whose password was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The name as the account has it.
    pub name: String,
    /// The name as it is compared.
    pub name_key: NameKey,
    /// The number of the password that was checked, see
    /// [`NameRecord::credential`](crate::protocol::record::NameRecord::credential). A password that was changed
    /// meanwhile has a higher one.
    pub credential: u64,
}

/// A copy that the hub wants to make of a client's file.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyPlan {
    /// The copy's number, for `Input::Copied`.
    pub copy: u64,
    /// The client that has the content, with the offer, its address and its key.
    pub source: event::Holder,
}
