//! What potluck tells: one struct for each event.
//!
//! Readers ignore unknown fields and events, so fields may be added, never changed.

mod files;
mod people;
mod transfers;
mod waiting;

pub use files::{
    Chunks, DirSet, Found, Holder, Located, OfferAcked, OfferChanged, OfferKept, OfferProgress, SourcesUpdated, Stored,
    Table, TablePage, TableUnfollowed, TableUpdated, Withdrawn,
};
pub use people::{
    Blocked, Blocks, CaughtUp, Focused, History, Introduced, Members, Message, MessageAcked, MessageDelivered,
    PrivateClosed, PrivateMessage, PrivateOpened, RoomChanged, RoomCreated, RoomInvited, RoomJoined, RoomLeft,
    RoomMessage, Rooms, RosterPage, Unblocked, Unfocused, Withheld,
};
pub use transfers::{
    Cancelled, Declined, FileFailed, PushAnswered, PushAsked, PushGone, PushOffered, SourceDropped, TransferCompleted,
    TransferFailed, TransferProgress, TransferQueued, TransferStalled, TransferStarted, Transfers,
};
pub use waiting::{Waiting, WaitsFor};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::types::Client;
use super::vocabulary::{bodies, vocabulary};
use super::{At, ErrorCode, Failure, Follow, Retry, Timestamp};

vocabulary! {
    /// An event.
    #[derive(Debug, Clone, PartialEq)]
    pub enum Event {
        /// The first line of every stream: who speaks, and with which settings.
        Ready(Ready) = "ready", r#"{"protocol":"potluck/1","version":"0.1.0","name":"dora","hub":"127.0.0.1:7755","capabilities":["files","folders","search","push","messages","rooms","private","history"],"settings":{"downloads":"downloads","port":40001,"link_port":40002,"transport":"auto","on_conflict":"fail","max_transfers":4,"follow":"table","follow_roster":"table"}}"#;
        /// The last line of every stream.
        Bye(Bye) = "bye", r#"{"reason":"end of input","code":0}"#;
        /// A request failed, or a line could not be understood.
        Error(Error) = "error", r#"{"code":"not-offered","message":"Nobody offers notes.txt.","hint":"`list` shows what is offered.","retry":"after-change","at":"/file"}"#;
        /// The hub knows us now.
        Welcome(Welcome) = "welcome", r#"{"name":"dora","number":4,"revision":17,"clients":2,"offers":5,"newest":41}"#;
        /// We are out of the table.
        Deregistered(Deregistered) = "deregistered", r#"{"name":"dora","withdrawn":2}"#;
        /// The folder to offer from has been chosen.
        DirSet(DirSet) = "dir-set", r#"{"dir":"/home/dora/music"}"#;
        /// The hub has our offers.
        OfferAcked(OfferAcked) = "offer-acked", r#"{"offers":[{"file":"notes.txt","owner":"dora","size":5,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunk_size":1048576,"chunks":1,"modified":"2026-01-02T03:04:05.678Z","address":"127.0.0.1","port":40001}],"revision":18,"skipped":[{"file":"albums/latest","reason":"link"}]}"#;
        /// How far hashing is, before files are offered; at most ten times a second.
        OfferProgress(OfferProgress) = "offer-progress", r#"{"files":120,"total_files":10000,"bytes":491520,"size":40960000}"#;
        /// Files that we offer have changed, and what we offer has, too.
        OfferChanged(OfferChanged) = "offer-changed", r#"{"offers":[],"withdrawn":["notes.txt"],"revision":19}"#;
        /// The hub has a copy of what we offer, on its disk.
        OfferKept(OfferKept) = "offer-kept", r#"{"files":["notes.txt"],"bytes":5}"#;
        /// Offers have been taken back.
        Withdrawn(Withdrawn) = "withdrawn", r#"{"files":["notes.txt"],"revision":19}"#;
        /// What is offered, sorted by file, then owner.
        Table(Table) = "table", r#"{"revision":18,"offers":[]}"#;
        /// What is offered has changed.
        TableUpdated(TableUpdated) = "table-updated", r#"{"revision":19,"added":[],"removed":[{"file":"notes.txt","owner":"dora"}],"total":0}"#;
        /// The table is too large to be followed: it is not told any more. Said once; requests work as before.
        TableUnfollowed(TableUnfollowed) = "table-unfollowed", r#"{"total":1000000,"most":65536,"message":"There are 1000000 offers; at most 65536 are followed. `list`, `search` and `get` ask the hub."}"#;
        /// Who has what was searched for.
        Found(Found) = "found", r#"{"text":"notes","revision":4,"files":[{"file":"notes.txt","size":5,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunks":1,"holders":[{"name":"erin","chunks":1,"offered":true}]}],"more":false}"#;
        /// Who has which chunks of a file.
        Chunks(Chunks) = "chunks", r#"{"file":"song.ogg","size":8388608,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunk_size":1048576,"chunks":8,"holders":[{"name":"erin","has":[[0,8]]},{"name":"dora","has":[[0,5],[7,8]]}]}"#;
        /// Who is there, sorted by number.
        Roster(Roster) = "roster", r#"{"revision":18,"clients":[{"name":"dora","number":4,"state":"online","since":"2026-01-02T03:04:05.678Z","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","address":"127.0.0.1","port":40001,"link_port":40002}]}"#;
        /// Somebody came, went or stopped answering.
        RosterUpdated(RosterUpdated) = "roster-updated", r#"{"revision":20,"clients":[],"total":1}"#;
        /// Every client of this run of the hub.
        Status(Status) = "status", r#"{"clients":[{"name":"dora","number":4,"address":"127.0.0.1:40000","state":"offline","opened":"2026-01-02T03:04:05.678Z","closed":"2026-01-02T04:04:05.678Z","messages":12}],"total":4}"#;
        /// A message of ours is where it was to go: with the hub, on disk, or straight with its receiver.
        MessageAcked(MessageAcked) = "message-acked", r#"{"number":41,"sent":"2026-01-02T03:04:05.678Z","to":"erin","stored":true,"delivered":1}"#;
        /// Somebody says something to us, or to everybody.
        Message(Message) = "message", r#"{"number":41,"from":"erin","to":"dora","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"}"#;
        /// Somebody says something in a room that we are in.
        RoomMessage(RoomMessage) = "room-message", r#"{"number":42,"room":"kitchen","from":"erin","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"}"#;
        /// Somebody says something to us past the hub.
        PrivateMessage(PrivateMessage) = "private-message", r#"{"number":1,"from":"erin","to":"dora","text":"between us","sent":"2026-01-02T03:04:05.678Z"}"#;
        /// Somebody has a message of ours that was kept for them.
        MessageDelivered(MessageDelivered) = "message-delivered", r#"{"number":41,"to":"erin"}"#;
        /// A direct connection is open.
        PrivateOpened(PrivateOpened) = "private-opened", r#"{"peer":"erin","by":"dora"}"#;
        /// A direct connection is closed.
        PrivateClosed(PrivateClosed) = "private-closed", r#"{"peer":"erin","reason":"closed by erin"}"#;
        /// We see no more messages of somebody.
        Blocked(Blocked) = "blocked", r#"{"name":"mallory"}"#;
        /// We see somebody's messages again.
        Unblocked(Unblocked) = "unblocked", r#"{"name":"mallory"}"#;
        /// Whom we block.
        Blocks(Blocks) = "blocks", r#"{"names":["mallory"]}"#;
        /// What has been said.
        History(History) = "history", r#"{"messages":[{"number":42,"room":"kitchen","from":"erin","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"}],"more":true,"next":42}"#;
        /// A room has been made.
        RoomCreated(RoomCreated) = "room-created", r#"{"room":"kitchen","access":"invite","members":["dora","erin"]}"#;
        /// The rooms that we can join or are in.
        Rooms(Rooms) = "rooms", r#"{"rooms":[{"room":"kitchen","access":"invite","members":2,"joined":true}]}"#;
        /// We are in a room.
        RoomJoined(RoomJoined) = "room-joined", r#"{"room":"kitchen","members":["dora","erin"]}"#;
        /// Others are in a room because we asked for it.
        RoomInvited(RoomInvited) = "room-invited", r#"{"room":"kitchen","members":["frida"]}"#;
        /// We are not in a room any more.
        RoomLeft(RoomLeft) = "room-left", r#"{"room":"kitchen"}"#;
        /// Who is in a room.
        Members(Members) = "members", r#"{"room":"kitchen","members":[{"name":"dora","state":"online"},{"name":"erin","state":"offline"}]}"#;
        /// Somebody joined or left a room that we are in.
        RoomChanged(RoomChanged) = "room-changed", r#"{"room":"kitchen","by":"erin","joined":["dora"]}"#;
        /// We hear only one room.
        Focused(Focused) = "focused", r#"{"room":"kitchen"}"#;
        /// We hear everything again; what has waited follows.
        Unfocused(Unfocused) = "unfocused", r#"{"room":"kitchen","held":3}"#;
        /// What is under way.
        Transfers(Transfers) = "transfers", r#"{"transfers":[{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","bytes":1024,"size":4096,"state":"running"}]}"#;
        /// A transfer waits for others to end.
        TransferQueued(TransferQueued) = "transfer-queued", r#"{"transfer":2,"file":"song.ogg","position":1}"#;
        /// A transfer begins.
        TransferStarted(TransferStarted) = "transfer-started", r#"{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","size":4096,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","resumed":0,"path":"/home/dora/downloads/notes.txt"}"#;
        /// How far a transfer is; at most ten times a second.
        TransferProgress(TransferProgress) = "transfer-progress", r#"{"transfer":1,"bytes":1024,"size":4096,"rate":102400,"left":30}"#;
        /// A transfer ended well: every byte has been verified.
        TransferCompleted(TransferCompleted) = "transfer-completed", r#"{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","path":"/home/dora/downloads/notes.txt","size":4096,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","elapsed":12,"bytes":4096,"resumed":0,"sources":[{"peer":"erin","bytes":4096}]}"#;
        /// A transfer did not end well; what has arrived is kept for the next time.
        TransferFailed(TransferFailed) = "transfer-failed", r#"{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","bytes":1024,"size":4096,"code":"source-changed","message":"The source changed the file while it was being sent.","retry":"later"}"#;
        /// A source of a transfer was given up.
        SourceDropped(SourceDropped) = "source-dropped", r#"{"transfer":1,"peer":"erin","code":"bad-chunk","message":"The source sent other bytes than it promised."}"#;
        /// Nobody who is there has the rest of a file; its transfer waits for somebody who has, and goes on by itself.
        TransferStalled(TransferStalled) = "transfer-stalled", r#"{"transfer":1,"file":"notes.txt","bytes":1024,"size":4096,"left":30000}"#;
        /// A file of a folder that is being fetched could not be had; the others go on.
        FileFailed(FileFailed) = "file-failed", r#"{"transfer":1,"file":"albums/one.ogg","code":"exists","message":"albums/one.ogg exists and is another file."}"#;
        /// The hub has our push; whether they take it is theirs to say.
        PushAsked(PushAsked) = "push-asked", r#"{"push":3,"transfer":4,"file":"report.pdf","to":"erin","online":true}"#;
        /// Somebody wants to give us a file: `accept` it or `decline` it.
        PushOffered(PushOffered) = "push-offered", r#"{"push":3,"from":"dora","file":"report.pdf","size":4096,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"}"#;
        /// A file that was pushed to us cannot be had any more.
        PushGone(PushGone) = "push-gone", r#"{"push":3,"from":"dora","file":"report.pdf"}"#;
        /// We have declined a file.
        Declined(Declined) = "declined", r#"{"push":3}"#;
        /// A transfer has been stopped on request.
        Cancelled(Cancelled) = "cancelled", r#"{"transfer":1}"#;
        /// Everything asked before is done.
        Waited(Waited) = "waited", r#"{}"#;
        /// What can be asked.
        Help(Help) = "help", r#"{"commands":[{"name":"list","usage":"list [--owner <NAME>] [--match <TEXT>]","about":"Show what is offered","aliases":[]}]}"#;
        /// The hub does not answer; we keep trying.
        HubLost(HubLost) = "hub-lost", r#"{"reason":"no answer for 1500 ms"}"#;
        /// A request waits for the hub, or the end waits for what is not over. Said once, after a second.
        Waiting(Waiting) = "waiting", r#"{"request":"quit","for":["pushes"],"transfers":[{"transfer":4,"direction":"up","file":"report.pdf","peer":"erin","bytes":0,"size":4096,"state":"waiting"}],"left":30000}"#;
        /// The hub answers again.
        HubBack(HubBack) = "hub-back", r#"{"resumed":true,"away":830}"#;
        /// The reader was too slow: facts told in between were dropped.
        Gap(Gap) = "gap", r#"{"from":"2026-01-02T03:04:05.678Z","to":"2026-01-02T03:05:05.678Z","dropped":70000}"#;
        /// Between hub and client only: where the content of a `get` can be had.
        Located(Located) = "located", r#"{"sources":[]}"#;
        /// Between hub and client only: who has more of a content by now.
        SourcesUpdated(SourcesUpdated) = "sources-updated", r#"{"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","sources":[]}"#;
        /// Between hub and client only: a copy is on the hub's disk, or will not be.
        Stored(Stored) = "stored", r#"{"file":"notes.txt","hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"}"#;
        /// Between hub and client only: what has become of our push.
        PushAnswered(PushAnswered) = "push-answered", r#"{"push":3,"answer":"accepted"}"#;
        /// Between hub and client only: everything up to this revision has been told.
        Synced(Synced) = "synced", r#"{"revision":20}"#;
        /// Between hub and client only: a part of what is offered.
        TablePage(TablePage) = "table-page", r#"{"revision":20,"changed":18,"offers":[],"next":"notes.txt/dora"}"#;
        /// Between hub and client only: a part of who is there.
        RosterPage(RosterPage) = "roster-page", r#"{"revision":20,"changed":20,"clients":[],"next":4}"#;
        /// Between hub and client only: somebody whom we have to do with, told to who does not follow the roster.
        Introduced(Introduced) = "introduced", r#"{"client":{"name":"dora","number":4,"state":"online","since":"2026-01-02T03:04:05.678Z","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","address":"127.0.0.1","port":40001,"link_port":40002}}"#;
        /// Between hub and client only: what was kept for us has been sent.
        CaughtUp(CaughtUp) = "caught-up", r#"{"number":41}"#;
        /// Between hub and client only: a message that its receiver shall not see.
        Withheld(Withheld) = "withheld", r#"{"number":41}"#;
    }
}

bodies! {
    /// The first line.
    Ready {
        /// The protocol of this stream: `potluck/1`.
        protocol: String,
        /// The version of the program.
        version: String,
        /// The name that we go by.
        name: String,
        /// The hub's address.
        hub: String,
        /// What this program can do, so that a script need not guess from the version.
        capabilities: Vec<String>,
        /// The settings in force.
        settings: Settings,
    }
    /// The settings in force.
    Settings {
        /// The folder to offer from, if one has been chosen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dir: Option<String>,
        /// The folder that downloads go to.
        downloads: String,
        /// The TCP port on which we serve files.
        port: u16,
        /// The port on which we take direct connections, for UDP and TCP.
        #[serde(default)]
        link_port: u16,
        /// How the hub is reached: `auto`, `quic` or `tcp`.
        transport: String,
        /// What happens when a file exists: `fail`, `rename` or `overwrite`.
        on_conflict: String,
        /// The most bytes a second that we send, if there is a limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        up: Option<u64>,
        /// The most bytes a second that we fetch, if there is a limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        down: Option<u64>,
        /// How many files or folders are fetched at once; others are queued.
        #[serde(default)]
        max_transfers: u64,
        /// Whose pushes are accepted without asking: `all`, or names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accept_from: Vec<String>,
        /// How what is offered is followed: `none`, `changes` or `table`.
        #[serde(default)]
        follow: Follow,
        /// The same for who is there.
        #[serde(default)]
        follow_roster: Follow,
    }
    /// The last line.
    Bye {
        /// Why it ends, in few words.
        reason: String,
        /// The exit code.
        code: u8,
        /// Requests that were not done, by their names: how many.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        given_up: BTreeMap<String, u64>,
    }
    /// A failure.
    Error {
        /// What kind of failure.
        code: ErrorCode,
        /// What went wrong.
        message: String,
        /// What to do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// Whether asking again can help.
        retry: Retry,
        /// Where: a JSON pointer into the request, or a line of the input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<At>,
        /// The line of the input on which what failed stands, if that has no `id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<u64>,
        /// How long to wait before asking again, in milliseconds, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait: Option<u64>,
    }
    /// The hub knows us now.
    Welcome {
        /// Our name.
        name: String,
        /// Our running number.
        number: u64,
        /// The hub's newest revision.
        revision: u64,
        /// Clients that are there, we included.
        clients: u64,
        /// Files that are offered.
        offers: u64,
        /// The number of the newest message at the hub; 0 if nothing was said yet.
        #[serde(default)]
        newest: u64,
    }
    /// We are out of the table.
    Deregistered {
        /// The name that we had.
        name: String,
        /// How many of our offers left the table with us.
        withdrawn: u64,
    }
    /// Who is there.
    Roster {
        /// The revision that this is.
        revision: u64,
        /// The clients, sorted by number.
        clients: Vec<Client>,
        /// After which number to go on, with `after`, if there are more than fit into one answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    }
    /// Somebody came, went or stopped answering.
    RosterUpdated {
        /// The revision that we have now.
        revision: u64,
        /// Who changed; those who left are `offline`. Our own line has `you`.
        clients: Vec<Client>,
        /// How many are there now, away or online.
        total: u64,
        /// Whether `clients` is the whole roster, and what was known before is void.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        full: bool,
    }
    /// Every client of this run.
    Status {
        /// The newest thousand, sorted by number.
        clients: Vec<Visit>,
        /// How many there were in all.
        total: u64,
        /// Why the hub can keep nothing new at the moment, if it cannot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store: Option<StoreTrouble>,
    }
    /// The hub's store cannot be written for now: it is tried again and again, and goes on by itself.
    StoreTrouble {
        /// `store-full`, `store-busy` or `store-unavailable`: what is refused until it works again.
        code: ErrorCode,
        /// What the store says.
        message: String,
        /// Since when.
        since: Timestamp,
    }
    /// One client's time at the hub.
    Visit {
        /// Its name.
        name: String,
        /// Its running number.
        number: u64,
        /// The address and port that it came from.
        address: String,
        /// Whether it is there.
        state: super::types::Presence,
        /// When it came.
        opened: Timestamp,
        /// When it left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed: Option<Timestamp>,
        /// How many messages it has sent.
        #[serde(default)]
        messages: u64,
    }
    /// Everything asked before is done.
    Waited {}
    /// What can be asked.
    Help {
        /// The requests.
        commands: Vec<CommandHelp>,
    }
    /// How one request is written by hand.
    CommandHelp {
        /// Its name.
        name: String,
        /// Its usage line.
        usage: String,
        /// What it does.
        about: String,
        /// Other spellings.
        aliases: Vec<String>,
        /// All of its help, when it alone was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<String>,
    }
    /// The hub does not answer.
    HubLost {
        /// How that was noticed.
        reason: String,
    }
    /// The hub answers again.
    HubBack {
        /// Whether the session went on; if not, we registered and offered again.
        resumed: bool,
        /// How long it was away, in milliseconds.
        away: u64,
    }
    /// Facts were dropped.
    Gap {
        /// When the first dropped fact was told.
        from: Timestamp,
        /// When the last dropped fact was told.
        to: Timestamp,
        /// How many were dropped.
        dropped: u64,
    }
    /// Everything up to this revision has been told.
    Synced {
        /// The revision.
        revision: u64,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: error.code,
            message: error.message.into(),
            hint: error.hint.map(Into::into),
            at: error.at,
            wait: error.wait,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let advice = failure.code.advice();
        Self {
            code: failure.code,
            message: failure.message.into_owned(),
            hint: failure.hint.map(|h| h.into_owned()).or_else(|| (!advice.is_empty()).then(|| advice.to_owned())),
            retry: failure.code.retry(),
            at: failure.at,
            line: None,
            wait: failure.wait,
        }
    }
}
