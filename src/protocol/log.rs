//! The events of the hub's log: one struct for each.

mod invites;
mod meetings;
mod parcels;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use invites::{CodeGuessed, CodeUsed, InviteSpent};
pub use meetings::{MeetingBegun, RelayEnded};
pub use parcels::{ParcelAdmitted, ParcelGuessed, ParcelOpened};

use super::vocabulary::{bodies, vocabulary};
use super::{ErrorCode, PublicKey, Timestamp};

vocabulary! {
    /// An event of the hub's log.
    #[derive(Debug, Clone, PartialEq)]
    pub enum LogEvent {
        /// The hub accepts connections.
        HubListening(HubListening) = "hub-listening", r#"{"address":"127.0.0.1","port":7755,"link":"potluck://127.0.0.1:7755/#ae","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","access":"open","files_port":7756,"version":"0.1.0"}"#;
        /// The hub is stopping: it tells its clients and flushes its store.
        HubStopping(HubStopping) = "hub-stopping", r#"{"reason":"SIGTERM","clients":2}"#;
        /// The hub has stopped.
        HubStopped(HubStopped) = "hub-stopped", r#"{}"#;
        /// A connection has opened and proven its key.
        ClientConnected(ClientConnected) = "client-connected", r#"{"connection":1,"address":"127.0.0.1:40000","transport":"quic","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
        /// A connection was refused, or broke the protocol.
        ClientRefused(ClientRefused) = "client-refused", r#"{"connection":1,"address":"127.0.0.1:40000","code":"name-taken","message":"The name is taken."}"#;
        /// A client has registered.
        ClientRegistered(ClientRegistered) = "client-registered", r#"{"name":"dora","number":4,"address":"127.0.0.1:40000"}"#;
        /// A client has stopped answering.
        ClientAway(ClientAway) = "client-away", r#"{"name":"dora","number":4,"reason":"no answer for 1500 ms"}"#;
        /// A client that was away answers again.
        ClientBack(ClientBack) = "client-back", r#"{"name":"dora","number":4,"away":830}"#;
        /// A client has left the roster.
        ClientLeft(ClientLeft) = "client-left", r#"{"name":"dora","number":4,"reason":"quit"}"#;
        /// A login failed.
        LoginFailed(LoginFailed) = "login-failed", r#"{"name":"dora","address":"127.0.0.1:40000","failures":2}"#;
        /// A name, address or key has failed too often: its logins are not checked for a while.
        LoginLocked(LoginLocked) = "login-locked", r#"{"whom":"name:dora","failures":3,"until":"2026-01-02T03:04:15.678Z"}"#;
        /// An invite has let a key in.
        InviteSpent(InviteSpent) = "invite-spent", r#"{"invite":"friends","name":"dora"}"#;
        /// Somebody has come with the short code of an invite.
        CodeUsed(CodeUsed) = "code-used", r#"{"invite":"friends","address":"127.0.0.1:40000"}"#;
        /// Somebody has guessed at the short code of an invite, or broken off: it is void now.
        CodeGuessed(CodeGuessed) = "code-guessed", r#"{"invite":"friends","address":"127.0.0.1:40000"}"#;
        /// A message has been stored on disk.
        MessageStored(MessageStored) = "message-stored", r#"{"number":41,"from":"dora","to":"erin","bytes":13,"delivered":1}"#;
        /// A message that was kept for its receiver has been delivered.
        MessageDelivered(MessageDelivered) = "message-delivered", r#"{"number":41,"from":"dora","to":"erin"}"#;
        /// A room was created or removed, or its members changed.
        RoomChanged(RoomChanged) = "room-changed", r#"{"room":"kitchen","by":"dora","members":2}"#;
        /// A client says that it cannot reach another one, which the hub then probes itself.
        PeerDoubted(PeerDoubted) = "peer-doubted", r#"{"name":"erin","by":"dora"}"#;
        /// The hub has reloaded names and accounts that another program changed, such as `potluck user`.
        NamesReloaded(NamesReloaded) = "names-reloaded", r#"{"names":12}"#;
        /// A client has offered files.
        OffersAdded(OffersAdded) = "offers-added", r#"{"name":"dora","files":["notes.txt"],"revision":18}"#;
        /// Files are no longer offered.
        OffersRemoved(OffersRemoved) = "offers-removed", r#"{"name":"dora","files":["notes.txt"],"revision":19}"#;
        /// A client has offered a file to one person.
        PushAsked(PushAsked) = "push-asked", r#"{"push":3,"from":"dora","to":"erin","file":"report.pdf","size":4096}"#;
        /// A push was accepted, declined or taken back.
        PushEnded(PushEnded) = "push-ended", r#"{"push":3,"from":"dora","to":"erin","how":"accepted"}"#;
        /// The hub has made a copy of an offered file.
        FileKept(FileKept) = "file-kept", r#"{"name":"dora","file":"notes.txt","size":5,"total":1048576}"#;
        /// The hub could not make a copy, or has removed one.
        FileNotKept(FileNotKept) = "file-not-kept", r#"{"name":"dora","file":"notes.txt","code":"no-room","message":"The hub has no room for a copy."}"#;
        /// A client wants a connection with another one, which cannot simply be dialled.
        MeetingBegun(MeetingBegun) = "meeting-begun", r#"{"meeting":7,"by":"dora","with":"erin","content":"c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1","relays":true}"#;
        /// The connections of a meeting were joined by the hub, have carried something, and have ended.
        RelayEnded(RelayEnded) = "relay-ended", r#"{"meeting":7,"by":"dora","with":"erin","bytes":1048576,"took":830,"why":"closed"}"#;
        /// Somebody sends a parcel, and has a number for its code.
        ParcelOpened(ParcelOpened) = "parcel-opened", r#"{"code":8,"name":"dora","address":"127.0.0.1:40000"}"#;
        /// The sender of a parcel has let a receiver in, who knows the code.
        ParcelAdmitted(ParcelAdmitted) = "parcel-admitted", r#"{"code":8,"name":"","address":"127.0.0.1"}"#;
        /// Somebody has guessed at the code of a parcel, or broken off.
        ParcelGuessed(ParcelGuessed) = "parcel-guessed", r#"{"code":8,"address":"127.0.0.1"}"#;
        /// The hub has refused a request.
        RequestRefused(RequestRefused) = "request-refused", r#"{"name":"dora","request":"get","code":"not-offered","message":"Nobody offers notes.txt.","more":2300}"#;
        /// The reader of the log was too slow: some lines were dropped.
        LogGap(LogGap) = "log-gap", r#"{"from":"2026-01-02T03:04:05.678Z","to":"2026-01-02T03:05:05.678Z","dropped":70000}"#;
        /// The store cannot be written. The hub refuses what it could not store, and retries by itself.
        StoreDegraded(StoreDegraded) = "store-degraded", r#"{"code":"store-full","message":"cannot use hub.sqlite3: database or disk is full"}"#;
        /// The store can be written again; nothing that was acknowledged is lost.
        StoreRecovered(StoreRecovered) = "store-recovered", r#"{"after":12000}"#;
        /// The store failed for good. The hub stops, because it cannot keep its promises.
        StoreFailed(StoreFailed) = "store-failed", r#"{"code":"store-failed","message":"disk I/O error"}"#;
    }
}

/// The severity of a log event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Only of interest while looking for a fault.
    Debug,
    /// Normal operation.
    Info,
    /// Something was refused or lost.
    Warn,
    /// The hub cannot continue.
    Error,
}

impl LogEvent {
    /// The severity of this event.
    pub fn level(&self) -> Level {
        match self {
            Self::ClientConnected(_) | Self::MessageStored(_) | Self::MessageDelivered(_) => Level::Debug,
            Self::HubListening(_) | Self::HubStopping(_) | Self::HubStopped(_) => Level::Info,
            Self::ClientRegistered(_) | Self::ClientBack(_) | Self::ClientLeft(_) => Level::Info,
            Self::InviteSpent(_) | Self::CodeUsed(_) | Self::OffersAdded(_) | Self::OffersRemoved(_) => Level::Info,
            Self::PushAsked(_) | Self::PushEnded(_) | Self::FileKept(_) => Level::Info,
            Self::MeetingBegun(_) | Self::RelayEnded(_) | Self::ParcelOpened(_) | Self::ParcelAdmitted(_) => {
                Level::Info
            }
            Self::FileNotKept(_) => Level::Warn,
            Self::RoomChanged(_) | Self::PeerDoubted(_) | Self::NamesReloaded(_) => Level::Info,
            Self::LoginFailed(_) | Self::LoginLocked(_) | Self::CodeGuessed(_) | Self::ParcelGuessed(_) => Level::Warn,
            Self::LogGap(_) | Self::ClientRefused(_) | Self::ClientAway(_) | Self::RequestRefused(_) => Level::Warn,
            Self::StoreDegraded(_) => Level::Warn,
            Self::StoreRecovered(_) => Level::Info,
            Self::StoreFailed(_) => Level::Error,
        }
    }
}

bodies! {
    /// The hub accepts connections.
    HubListening {
        /// The IP address on which it listens.
        address: String,
        /// The port, for both UDP and TCP.
        port: u16,
        /// The link with which clients join. It has no secret: where an invite is needed, `potluck invite add` prints
        /// it.
        link: String,
        /// The hub's public key.
        key: PublicKey,
        /// Who may join: `invite`, `open` or `accounts`; `only` if it is there for one sender of parcels.
        access: String,
        /// The TCP port on which the hub serves files, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files_port: Option<u16>,
        /// The version of the program.
        version: String,
    }
    /// The hub is stopping.
    HubStopping {
        /// The reason, such as the name of a signal.
        reason: String,
        /// The number of clients that are told.
        clients: u64,
    }
    /// The hub has stopped.
    HubStopped {}
    /// A connection has opened and proven its key.
    ClientConnected {
        /// The number of the connection, counted in this run.
        connection: u64,
        /// The address and port of the client.
        address: String,
        /// `quic` or `tcp`.
        transport: String,
        /// The public key that the client proved.
        key: PublicKey,
    }
    /// A connection was refused, or broke the protocol.
    ClientRefused {
        /// The number of the connection, counted in this run.
        connection: u64,
        /// The address and port of the client.
        address: String,
        /// The code of the refusal.
        code: ErrorCode,
        /// Says what went wrong.
        message: String,
    }
    /// A client has registered.
    ClientRegistered {
        /// The name of the client.
        name: String,
        /// The client's running number at this hub.
        number: u64,
        /// The address and port of the client.
        address: String,
    }
    /// A client has stopped answering.
    ClientAway {
        /// The name of the client.
        name: String,
        /// The client's running number at this hub.
        number: u64,
        /// How the hub noticed, in words.
        reason: String,
    }
    /// A client that was away answers again.
    ClientBack {
        /// The name of the client.
        name: String,
        /// The client's running number at this hub.
        number: u64,
        /// The time that it was away, in milliseconds.
        away: u64,
    }
    /// A client has left the roster.
    ClientLeft {
        /// The name of the client.
        name: String,
        /// The client's running number at this hub.
        number: u64,
        /// The reason, in words.
        reason: String,
    }
    /// A login failed.
    LoginFailed {
        /// The name of the account.
        name: String,
        /// The address and port of the client.
        address: String,
        /// Failed logins for that name in a row.
        failures: u32,
    }
    /// The logins of a name, address or key are not checked for a while.
    LoginLocked {
        /// What is locked: `name:` and the name; `address:` and the address (for IPv6 its /64); or `key:` and a key
        /// that knows the account.
        whom: String,
        /// Failed logins in a row.
        failures: u32,
        /// The end of the lock.
        until: Timestamp,
    }
    /// A message has been stored on disk.
    MessageStored {
        /// The number of the message.
        number: u64,
        /// The sender's name.
        from: String,
        /// The receiver's name; `all` for everybody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// The name of the room, if it was sent to one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        /// The length of the text in bytes.
        bytes: u64,
        /// The number of clients that it was sent to at once.
        delivered: u64,
    }
    /// A message that was kept for its receiver has been delivered.
    MessageDelivered {
        /// The number of the message.
        number: u64,
        /// The sender's name.
        from: String,
        /// The receiver's name.
        to: String,
    }
    /// A room was created or removed, or its members changed.
    RoomChanged {
        /// The name of the room.
        room: String,
        /// The name of the person who changed it.
        by: String,
        /// The number of members that it has now.
        members: u64,
    }
    /// A client says that it cannot reach another one.
    PeerDoubted {
        /// The name of the client that is not reached.
        name: String,
        /// The name of the client that says so.
        by: String,
    }
    /// The hub has reloaded names and accounts that another program changed.
    NamesReloaded {
        /// The number of names that exist now.
        names: u64,
    }
    /// A client has offered a file to one person.
    PushAsked {
        /// The number of the push.
        push: u64,
        /// The sender's name.
        from: String,
        /// The receiver's name.
        to: String,
        /// The name of the file.
        file: String,
        /// The size of the file in bytes.
        size: u64,
    }
    /// A push was accepted, declined or taken back.
    PushEnded {
        /// The number of the push.
        push: u64,
        /// The sender's name.
        from: String,
        /// The receiver's name.
        to: String,
        /// `accepted`, `declined` or `taken back`.
        how: String,
    }
    /// The hub has made a copy of an offered file.
    FileKept {
        /// The name of the person who offers the file.
        name: String,
        /// The name of the file.
        file: String,
        /// The size of the file in bytes.
        size: u64,
        /// The size of all copies together, in bytes.
        total: u64,
    }
    /// The hub could not make a copy, or has removed one.
    FileNotKept {
        /// The name of the person who offers the file.
        name: String,
        /// The name of the file.
        file: String,
        /// The code of the failure.
        code: ErrorCode,
        /// The reason in words.
        message: String,
    }
    /// A client has offered files.
    OffersAdded {
        /// The name of the client.
        name: String,
        /// The names of the files.
        files: Vec<String>,
        /// The first revision of the table that has them.
        revision: u64,
    }
    /// Files are no longer offered.
    OffersRemoved {
        /// The name of the client that offered them.
        name: String,
        /// The names of the files.
        files: Vec<String>,
        /// The first revision of the table without them.
        revision: u64,
    }
    /// The hub has refused a request.
    RequestRefused {
        /// The name of the client; empty if it has not registered.
        name: String,
        /// The name of the request.
        request: String,
        /// The code of the refusal.
        code: ErrorCode,
        /// Says what went wrong.
        message: String,
        /// The number of earlier refusals of the same client with the same code that have no line of their own, because
        /// there were too many in a second.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        more: Option<u64>,
    }
    /// The reader of the log was too slow: some lines were dropped.
    LogGap {
        /// The time of the first dropped line.
        from: Timestamp,
        /// The time of the last dropped line.
        to: Timestamp,
        /// The number of dropped lines.
        dropped: u64,
    }
    /// The store cannot be written for now.
    StoreDegraded {
        /// `store-full`, `store-busy` or `store-unavailable`.
        code: ErrorCode,
        /// The store's error, in words.
        message: String,
    }
    /// The store can be written again.
    StoreRecovered {
        /// The duration of the trouble, in milliseconds.
        after: u64,
    }
    /// The store failed for good.
    StoreFailed {
        /// The code of the failure.
        code: ErrorCode,
        /// The store's error, in words.
        message: String,
    }
}

/// One line of the hub's log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// When the line was written.
    pub time: Timestamp,
    /// The log event.
    pub event: LogEvent,
}
