//! What the hub writes on its log: one struct for each event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::vocabulary::{bodies, vocabulary};
use super::{ErrorCode, PublicKey, Timestamp};

vocabulary! {
    /// An event of the hub's log.
    #[derive(Debug, Clone, PartialEq)]
    pub enum LogEvent {
        /// The hub is ready.
        HubListening(HubListening) = "hub-listening", r#"{"address":"127.0.0.1","port":7755,"link":"potluck://127.0.0.1:7755/#ae","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","access":"open","files_port":7756,"version":"0.1.0"}"#;
        /// The hub ends: clients are told, the store is flushed.
        HubStopping(HubStopping) = "hub-stopping", r#"{"reason":"SIGTERM","clients":2}"#;
        /// The hub has ended.
        HubStopped(HubStopped) = "hub-stopped", r#"{}"#;
        /// Somebody connected and proved a key.
        ClientConnected(ClientConnected) = "client-connected", r#"{"connection":1,"address":"127.0.0.1:40000","transport":"quic","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
        /// Somebody was turned away, or broke the protocol.
        ClientRefused(ClientRefused) = "client-refused", r#"{"connection":1,"address":"127.0.0.1:40000","code":"name-taken","message":"The name is taken."}"#;
        /// A client is in the roster.
        ClientRegistered(ClientRegistered) = "client-registered", r#"{"name":"dora","number":4,"address":"127.0.0.1:40000"}"#;
        /// A client does not answer any more.
        ClientAway(ClientAway) = "client-away", r#"{"name":"dora","number":4,"reason":"no answer for 1500 ms"}"#;
        /// A client answers again.
        ClientBack(ClientBack) = "client-back", r#"{"name":"dora","number":4,"away":830}"#;
        /// A client is out of the roster.
        ClientLeft(ClientLeft) = "client-left", r#"{"name":"dora","number":4,"reason":"quit"}"#;
        /// A login failed.
        LoginFailed(LoginFailed) = "login-failed", r#"{"name":"dora","address":"127.0.0.1:40000","failures":2}"#;
        /// A name or an address has failed too often: no login is checked for a while.
        LoginLocked(LoginLocked) = "login-locked", r#"{"whom":"name:dora","failures":3,"until":"2026-01-02T03:04:15.678Z"}"#;
        /// An invite has let somebody in.
        InviteSpent(InviteSpent) = "invite-spent", r#"{"invite":"friends","name":"dora"}"#;
        /// Something was said, and is on disk.
        MessageStored(MessageStored) = "message-stored", r#"{"number":41,"from":"dora","to":"erin","bytes":13,"delivered":1}"#;
        /// Somebody has a message that was kept for them.
        MessageDelivered(MessageDelivered) = "message-delivered", r#"{"number":41,"from":"dora","to":"erin"}"#;
        /// A room is there, gone, or has other members.
        RoomChanged(RoomChanged) = "room-changed", r#"{"room":"kitchen","by":"dora","members":2}"#;
        /// A client says that it cannot reach another one; the hub sees for itself.
        PeerDoubted(PeerDoubted) = "peer-doubted", r#"{"name":"erin","by":"dora"}"#;
        /// Names or accounts were changed by another program, as `potluck user` does.
        NamesReloaded(NamesReloaded) = "names-reloaded", r#"{"names":12}"#;
        /// Files are offered.
        OffersAdded(OffersAdded) = "offers-added", r#"{"name":"dora","files":["notes.txt"],"revision":18}"#;
        /// Files are not offered any more.
        OffersRemoved(OffersRemoved) = "offers-removed", r#"{"name":"dora","files":["notes.txt"],"revision":19}"#;
        /// Somebody wants to give somebody a file.
        PushAsked(PushAsked) = "push-asked", r#"{"push":3,"from":"dora","to":"erin","file":"report.pdf","size":4096}"#;
        /// A push was accepted or declined, or taken back.
        PushEnded(PushEnded) = "push-ended", r#"{"push":3,"from":"dora","to":"erin","how":"accepted"}"#;
        /// The hub has a copy of what somebody offers.
        FileKept(FileKept) = "file-kept", r#"{"name":"dora","file":"notes.txt","size":5,"total":1048576}"#;
        /// The hub could not make a copy, or has removed it.
        FileNotKept(FileNotKept) = "file-not-kept", r#"{"name":"dora","file":"notes.txt","code":"no-room","message":"The hub has no room for a copy."}"#;
        /// A request was refused.
        RequestRefused(RequestRefused) = "request-refused", r#"{"name":"dora","request":"get","code":"not-offered","message":"Nobody offers notes.txt.","more":2300}"#;
        /// The reader of the log was too slow: lines were dropped.
        LogGap(LogGap) = "log-gap", r#"{"from":"2026-01-02T03:04:05.678Z","to":"2026-01-02T03:05:05.678Z","dropped":70000}"#;
        /// The store cannot be written for now: the hub refuses what it could not keep, and tries again by itself.
        StoreDegraded(StoreDegraded) = "store-degraded", r#"{"code":"store-full","message":"cannot use hub.sqlite3: database or disk is full"}"#;
        /// The store can be written again; nothing that was acknowledged is lost.
        StoreRecovered(StoreRecovered) = "store-recovered", r#"{"after":12000}"#;
        /// The store failed; the hub ends, because it cannot keep what it promises.
        StoreFailed(StoreFailed) = "store-failed", r#"{"code":"store-failed","message":"disk I/O error"}"#;
    }
}

/// How much a log event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Only of interest when looking for something.
    Debug,
    /// The normal course of things.
    Info,
    /// Something was refused or lost.
    Warn,
    /// The hub cannot go on.
    Error,
}

impl LogEvent {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Self::ClientConnected(_) | Self::MessageStored(_) | Self::MessageDelivered(_) => Level::Debug,
            Self::HubListening(_) | Self::HubStopping(_) | Self::HubStopped(_) => Level::Info,
            Self::ClientRegistered(_) | Self::ClientBack(_) | Self::ClientLeft(_) => Level::Info,
            Self::InviteSpent(_) | Self::OffersAdded(_) | Self::OffersRemoved(_) => Level::Info,
            Self::PushAsked(_) | Self::PushEnded(_) | Self::FileKept(_) => Level::Info,
            Self::FileNotKept(_) => Level::Warn,
            Self::RoomChanged(_) | Self::PeerDoubted(_) | Self::NamesReloaded(_) => Level::Info,
            Self::LoginFailed(_) | Self::LoginLocked(_) => Level::Warn,
            Self::LogGap(_) | Self::ClientRefused(_) | Self::ClientAway(_) | Self::RequestRefused(_) => Level::Warn,
            Self::StoreDegraded(_) => Level::Warn,
            Self::StoreRecovered(_) => Level::Info,
            Self::StoreFailed(_) => Level::Error,
        }
    }
}

bodies! {
    /// The hub is ready.
    HubListening {
        /// The address that it listens on.
        address: String,
        /// The port, the same for UDP and TCP.
        port: u16,
        /// What clients join with. There is no secret in it: where an invite is needed, `potluck invite add` prints it.
        link: String,
        /// The hub's public key.
        key: PublicKey,
        /// Who may join: `invite`, `open` or `accounts`.
        access: String,
        /// The TCP port on which it serves files, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files_port: Option<u16>,
        /// The version of the program.
        version: String,
    }
    /// The hub ends.
    HubStopping {
        /// Why.
        reason: String,
        /// Clients that are told.
        clients: u64,
    }
    /// The hub has ended.
    HubStopped {}
    /// Somebody connected.
    ClientConnected {
        /// The connection's number in this run.
        connection: u64,
        /// Where it comes from.
        address: String,
        /// `quic` or `tcp`.
        transport: String,
        /// The key that it proved.
        key: PublicKey,
    }
    /// Somebody was turned away.
    ClientRefused {
        /// The connection's number in this run.
        connection: u64,
        /// Where it comes from.
        address: String,
        /// Why.
        code: ErrorCode,
        /// What went wrong.
        message: String,
    }
    /// A client is in the roster.
    ClientRegistered {
        /// Its name.
        name: String,
        /// Its running number.
        number: u64,
        /// Where it comes from.
        address: String,
    }
    /// A client does not answer.
    ClientAway {
        /// Its name.
        name: String,
        /// Its running number.
        number: u64,
        /// How that was noticed.
        reason: String,
    }
    /// A client answers again.
    ClientBack {
        /// Its name.
        name: String,
        /// Its running number.
        number: u64,
        /// How long it was away, in milliseconds.
        away: u64,
    }
    /// A client is out of the roster.
    ClientLeft {
        /// Its name.
        name: String,
        /// Its running number.
        number: u64,
        /// Why.
        reason: String,
    }
    /// An invite has let somebody in.
    InviteSpent {
        /// The invite's name.
        invite: String,
        /// Who came with it.
        name: String,
    }
    /// A login failed.
    LoginFailed {
        /// The name that was given.
        name: String,
        /// Where it came from.
        address: String,
        /// Failures of that name in a row.
        failures: u32,
    }
    /// No login is checked for a while.
    LoginLocked {
        /// `name:` and the name; `address:` and the address, of IPv6 the /64; or `key:` and a key that knows the account.
        whom: String,
        /// Failures in a row.
        failures: u32,
        /// Until when.
        until: Timestamp,
    }
    /// Something was said.
    MessageStored {
        /// The message's number.
        number: u64,
        /// Who said it.
        from: String,
        /// To whom; `all` for everybody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// In which room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// How long its text is.
        bytes: u64,
        /// To how many it went at once.
        delivered: u64,
    }
    /// Somebody has a kept message.
    MessageDelivered {
        /// The message's number.
        number: u64,
        /// Who said it.
        from: String,
        /// Who has it.
        to: String,
    }
    /// A room has changed.
    RoomChanged {
        /// Its name.
        room: String,
        /// Who changed it.
        by: String,
        /// How many members it has now.
        members: u64,
    }
    /// A client cannot reach another one.
    PeerDoubted {
        /// Who is not reached.
        name: String,
        /// Who says so.
        by: String,
    }
    /// Names were changed by another program.
    NamesReloaded {
        /// How many there are now.
        names: u64,
    }
    /// Somebody wants to give somebody a file.
    PushAsked {
        /// The push's number.
        push: u64,
        /// Who gives.
        from: String,
        /// Who shall have it.
        to: String,
        /// The file's name.
        file: String,
        /// Its size in bytes.
        size: u64,
    }
    /// A push has ended.
    PushEnded {
        /// The push's number.
        push: u64,
        /// Who gives.
        from: String,
        /// Who was to have it.
        to: String,
        /// `accepted`, `declined` or `taken back`.
        how: String,
    }
    /// The hub has a copy.
    FileKept {
        /// Of whose file.
        name: String,
        /// Which.
        file: String,
        /// Its size in bytes.
        size: u64,
        /// What the hub keeps in all, in bytes.
        total: u64,
    }
    /// The hub has no copy.
    FileNotKept {
        /// Of whose file.
        name: String,
        /// Which.
        file: String,
        /// Why.
        code: ErrorCode,
        /// The same in words.
        message: String,
    }
    /// Files are offered.
    OffersAdded {
        /// Who offers them.
        name: String,
        /// Which.
        files: Vec<String>,
        /// The revision that has them.
        revision: u64,
    }
    /// Files are not offered any more.
    OffersRemoved {
        /// Who offered them.
        name: String,
        /// Which.
        files: Vec<String>,
        /// The first revision without them.
        revision: u64,
    }
    /// A request was refused.
    RequestRefused {
        /// Who asked; empty for somebody who is not registered.
        name: String,
        /// What was asked.
        request: String,
        /// Why not.
        code: ErrorCode,
        /// What went wrong.
        message: String,
        /// How many of the same client were refused with this code before it, and have no line: there were too many in a
        /// second.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        more: Option<u64>,
    }
    /// Lines were dropped.
    LogGap {
        /// When the first dropped line was written.
        from: Timestamp,
        /// When the last dropped line was written.
        to: Timestamp,
        /// How many were dropped.
        dropped: u64,
    }
    /// The store cannot be written for now.
    StoreDegraded {
        /// `store-full`, `store-busy` or `store-unavailable`.
        code: ErrorCode,
        /// What the store said.
        message: String,
    }
    /// The store can be written again.
    StoreRecovered {
        /// After how long, in milliseconds.
        after: u64,
    }
    /// The store failed.
    StoreFailed {
        /// How.
        code: ErrorCode,
        /// What the store said.
        message: String,
    }
}

/// One line of the hub's log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// When.
    pub time: Timestamp,
    /// What.
    pub event: LogEvent,
}
