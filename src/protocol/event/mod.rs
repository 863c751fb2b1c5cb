//! What potluck tells: one struct for each event.
//!
//! Readers ignore unknown fields and events, so fields may be added, never changed.

mod files;
mod people;
mod roster;
mod session;
mod told;
mod transfers;
mod waiting;

pub use files::{
    Chunks, DirSet, Found, Holder, Located, OfferAcked, OfferChanged, OfferKept, OfferProgress, SourcesUpdated, Stored,
    Table, TablePage, TableUnfollowed, TableUpdated, Withdrawn,
};
pub use people::{
    Blocked, Blocks, CaughtUp, Focused, History, Introduced, Members, Message, MessageAcked, MessageDelivered, Pong,
    PrivateClosed, PrivateMessage, PrivateOpened, RoomChanged, RoomCreated, RoomInvited, RoomJoined, RoomLeft,
    RoomMessage, Rooms, RosterPage, Unblocked, Unfocused, Withheld,
};
pub use roster::{Roster, RosterUpdated, Status, StoreTrouble, Visit};
pub use session::{
    Bye, CommandHelp, Deregistered, Error, Gap, Help, HubBack, HubLost, Ready, Settings, Synced, Waited, Welcome,
};
pub use told::Told;
pub use transfers::{
    Cancelled, Declined, FileFailed, PushAnswered, PushAsked, PushGone, PushOffered, SourceDropped, TransferCompleted,
    TransferFailed, TransferProgress, TransferQueued, TransferStalled, TransferStarted, Transfers,
};
pub use waiting::{Waiting, WaitsFor};

use super::vocabulary::event_table;

/// A name in a list, with what stands beside it, in bytes: at most 32 characters, and the list has room to grow.
const NAME: usize = 256;

event_table! {
    /// An event.
    #[derive(Debug, Clone, PartialEq)]
    pub enum Event {
        /// The first line of every stream: who speaks, and with which settings.
        Ready(Ready) = "ready", told: Fact, r#"{"protocol":"potluck/1","version":"0.1.0","name":"dora","hub":"127.0.0.1:7755","capabilities":["files","folders","search","push","messages","rooms","private","history"],"settings":{"downloads":"downloads","port":40001,"link_port":40002,"transport":"auto","on_conflict":"fail","max_transfers":4,"follow":"table","follow_roster":"table"}}"#;
        /// The last line of every stream.
        Bye(Bye) = "bye", told: Last, r#"{"reason":"end of input","code":0}"#;
        /// A request failed, or a line could not be understood.
        Error(Error) = "error", told: Fact, weighs: |error| error.message.len() + error.hint.as_ref().map_or(0, String::len), r#"{"code":"not-offered","message":"Nobody offers notes.txt.","hint":"`list` shows what is offered.","retry":"after-change","at":"/file"}"#;
        /// The hub knows us now.
        Welcome(Welcome) = "welcome", told: Fact, r#"{"name":"dora","number":4,"revision":17,"clients":2,"offers":5,"newest":41}"#;
        /// We are out of the table.
        Deregistered(Deregistered) = "deregistered", told: Fact, r#"{"name":"dora","withdrawn":2}"#;
        /// The folder to offer from has been chosen.
        DirSet(DirSet) = "dir-set", told: Fact, r#"{"dir":"/home/dora/music"}"#;
        /// The hub has our offers.
        OfferAcked(OfferAcked) = "offer-acked", told: Fact, weighs: |acked| 512 * (acked.offers.len() + acked.skipped.len()), r#"{"offers":[{"file":"notes.txt","owner":"dora","size":5,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunk_size":1048576,"chunks":1,"modified":"2026-01-02T03:04:05.678Z","address":"127.0.0.1","port":40001}],"revision":18,"skipped":[{"file":"albums/latest","reason":"link"}]}"#;
        /// How far hashing is, before files are offered; at most ten times a second.
        OfferProgress(OfferProgress) = "offer-progress", told: State, r#"{"files":120,"total_files":10000,"bytes":491520,"size":40960000}"#;
        /// Files that we offer have changed, and what we offer has, too.
        OfferChanged(OfferChanged) = "offer-changed", told: Fact, weighs: |changed| 512 * (changed.offers.len() + changed.withdrawn.len()), r#"{"offers":[],"withdrawn":["notes.txt"],"revision":19}"#;
        /// The hub has a copy of what we offer, on its disk.
        OfferKept(OfferKept) = "offer-kept", told: Fact, weighs: |kept| NAME * kept.files.len(), r#"{"files":["notes.txt"],"bytes":5}"#;
        /// Offers have been taken back.
        Withdrawn(Withdrawn) = "withdrawn", told: Fact, weighs: |withdrawn| NAME * withdrawn.files.len(), r#"{"files":["notes.txt"],"revision":19}"#;
        /// What is offered, sorted by file, then owner.
        Table(Table) = "table", told: Fact, weighs: |table| 512 * table.offers.len(), r#"{"revision":18,"offers":[]}"#;
        /// What is offered has changed.
        TableUpdated(TableUpdated) = "table-updated", told: State, r#"{"revision":19,"added":[],"removed":[{"file":"notes.txt","owner":"dora"}],"total":0}"#;
        /// The table is too large to be followed: it is not told any more. Said once; requests work as before.
        TableUnfollowed(TableUnfollowed) = "table-unfollowed", told: Fact, r#"{"total":1000000,"most":65536,"message":"There are 1000000 offers; at most 65536 are followed. `list`, `search` and `get` ask the hub."}"#;
        /// Who has what was searched for.
        Found(Found) = "found", told: Fact, weighs: |found| found.files.iter().map(|file| 512 + NAME * file.holders.len()).sum(), r#"{"text":"notes","revision":4,"files":[{"file":"notes.txt","size":5,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunks":1,"holders":[{"name":"erin","chunks":1,"offered":true}]}],"more":false}"#;
        /// Who has which chunks of a file.
        Chunks(Chunks) = "chunks", told: Fact, weighs: |chunks| chunks.holders.iter().map(|holder| NAME + 32 * holder.has.ranges().count()).sum(), r#"{"file":"song.ogg","size":8388608,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunk_size":1048576,"chunks":8,"holders":[{"name":"erin","has":[[0,8]]},{"name":"dora","has":[[0,5],[7,8]]}]}"#;
        /// Who is there, sorted by number.
        Roster(Roster) = "roster", told: Fact, weighs: |roster| 512 * roster.clients.len(), r#"{"revision":18,"clients":[{"name":"dora","number":4,"state":"online","since":"2026-01-02T03:04:05.678Z","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","address":"127.0.0.1","port":40001,"link_port":40002}]}"#;
        /// Somebody came, went or stopped answering.
        RosterUpdated(RosterUpdated) = "roster-updated", told: State, r#"{"revision":20,"clients":[],"total":1}"#;
        /// Every client of this run of the hub.
        Status(Status) = "status", told: Fact, weighs: |status| 512 * status.clients.len(), r#"{"clients":[{"name":"dora","number":4,"address":"127.0.0.1:40000","state":"offline","opened":"2026-01-02T03:04:05.678Z","closed":"2026-01-02T04:04:05.678Z","messages":12}],"total":4}"#;
        /// A message of ours is where it was to go: with the hub, on disk, or straight with its receiver.
        MessageAcked(MessageAcked) = "message-acked", told: Fact, r#"{"number":41,"sent":"2026-01-02T03:04:05.678Z","to":"erin","stored":true,"delivered":1}"#;
        /// Somebody says something to us, or to everybody.
        Message(Message) = "message", told: Fact, weighs: |message| message.text.len(), r#"{"number":41,"from":"erin","to":"dora","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"}"#;
        /// Somebody says something in a room that we are in.
        RoomMessage(RoomMessage) = "room-message", told: Fact, weighs: |message| message.text.len(), r#"{"number":42,"room":"kitchen","from":"erin","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"}"#;
        /// Somebody says something to us past the hub.
        PrivateMessage(PrivateMessage) = "private-message", told: Fact, weighs: |message| message.text.len(), r#"{"number":1,"from":"erin","to":"dora","text":"between us","sent":"2026-01-02T03:04:05.678Z"}"#;
        /// Somebody has a message of ours that was kept for them.
        MessageDelivered(MessageDelivered) = "message-delivered", told: Fact, r#"{"number":41,"to":"erin"}"#;
        /// A direct connection is open.
        PrivateOpened(PrivateOpened) = "private-opened", told: Fact, r#"{"peer":"erin","by":"dora"}"#;
        /// A direct connection is closed.
        PrivateClosed(PrivateClosed) = "private-closed", told: Fact, r#"{"peer":"erin","reason":"closed by erin"}"#;
        /// How long it took to reach somebody and back.
        Pong(Pong) = "pong", told: Fact, r#"{"peer":"erin","hub_us":2300,"direct_us":900}"#;
        /// We see no more messages of somebody.
        Blocked(Blocked) = "blocked", told: Fact, r#"{"name":"mallory"}"#;
        /// We see somebody's messages again.
        Unblocked(Unblocked) = "unblocked", told: Fact, r#"{"name":"mallory"}"#;
        /// Whom we block.
        Blocks(Blocks) = "blocks", told: Fact, weighs: |blocks| NAME * blocks.names.len(), r#"{"names":["mallory"]}"#;
        /// What has been said.
        History(History) = "history", told: Fact, weighs: |history| history.messages.iter().map(|said| 512 + said.text.len()).sum(), r#"{"messages":[{"number":42,"room":"kitchen","from":"erin","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"}],"more":true,"next":42}"#;
        /// A room has been made.
        RoomCreated(RoomCreated) = "room-created", told: Fact, weighs: |room| NAME * room.members.len(), r#"{"room":"kitchen","access":"invite","members":["dora","erin"]}"#;
        /// The rooms that we can join or are in.
        Rooms(Rooms) = "rooms", told: Fact, weighs: |rooms| NAME * rooms.rooms.len(), r#"{"rooms":[{"room":"kitchen","access":"invite","members":2,"joined":true}]}"#;
        /// We are in a room.
        RoomJoined(RoomJoined) = "room-joined", told: Fact, weighs: |room| NAME * room.members.len(), r#"{"room":"kitchen","members":["dora","erin"]}"#;
        /// Others are in a room because we asked for it.
        RoomInvited(RoomInvited) = "room-invited", told: Fact, weighs: |room| NAME * room.members.len(), r#"{"room":"kitchen","members":["frida"]}"#;
        /// We are not in a room any more.
        RoomLeft(RoomLeft) = "room-left", told: Fact, r#"{"room":"kitchen"}"#;
        /// Who is in a room.
        Members(Members) = "members", told: Fact, weighs: |members| NAME * members.members.len(), r#"{"room":"kitchen","members":[{"name":"dora","state":"online"},{"name":"erin","state":"offline"}]}"#;
        /// Somebody joined or left a room that we are in.
        RoomChanged(RoomChanged) = "room-changed", told: Fact, weighs: |changed| NAME * (changed.joined.len() + changed.left.len()), r#"{"room":"kitchen","by":"erin","joined":["dora"]}"#;
        /// We hear only one room.
        Focused(Focused) = "focused", told: Fact, r#"{"room":"kitchen"}"#;
        /// We hear everything again; what has waited follows.
        Unfocused(Unfocused) = "unfocused", told: Fact, r#"{"room":"kitchen","held":3}"#;
        /// What is under way.
        Transfers(Transfers) = "transfers", told: Fact, weighs: |transfers| 512 * transfers.transfers.len(), r#"{"transfers":[{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","bytes":1024,"size":4096,"state":"running"}]}"#;
        /// A transfer waits for others to end.
        TransferQueued(TransferQueued) = "transfer-queued", told: State of transfer, r#"{"transfer":2,"file":"song.ogg","position":1}"#;
        /// A transfer begins.
        TransferStarted(TransferStarted) = "transfer-started", told: Fact, r#"{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","size":4096,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","resumed":0,"path":"/home/dora/downloads/notes.txt"}"#;
        /// How far a transfer is; at most ten times a second.
        TransferProgress(TransferProgress) = "transfer-progress", told: State of transfer, r#"{"transfer":1,"bytes":1024,"size":4096,"rate":102400,"left":30}"#;
        /// A transfer ended well: every byte has been verified.
        TransferCompleted(TransferCompleted) = "transfer-completed", told: Fact, weighs: |completed| NAME * completed.sources.len(), r#"{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","path":"/home/dora/downloads/notes.txt","size":4096,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","elapsed":12,"bytes":4096,"resumed":0,"sources":[{"peer":"erin","bytes":4096}]}"#;
        /// A transfer did not end well; what has arrived is kept for the next time.
        TransferFailed(TransferFailed) = "transfer-failed", told: Fact, r#"{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","bytes":1024,"size":4096,"code":"source-changed","message":"The source changed the file while it was being sent.","retry":"later"}"#;
        /// A source of a transfer was given up.
        SourceDropped(SourceDropped) = "source-dropped", told: Fact, r#"{"transfer":1,"peer":"erin","code":"bad-chunk","message":"The source sent other bytes than it promised."}"#;
        /// Nobody who is there has the rest of a file; its transfer waits for somebody who has, and goes on by itself.
        TransferStalled(TransferStalled) = "transfer-stalled", told: Fact, r#"{"transfer":1,"file":"notes.txt","bytes":1024,"size":4096,"left":30000}"#;
        /// A file of a folder that is being fetched could not be had; the others go on.
        FileFailed(FileFailed) = "file-failed", told: Fact, r#"{"transfer":1,"file":"albums/one.ogg","code":"exists","message":"albums/one.ogg exists and is another file."}"#;
        /// The hub has our push; whether they take it is theirs to say.
        PushAsked(PushAsked) = "push-asked", told: Fact, r#"{"push":3,"transfer":4,"file":"report.pdf","to":"erin","online":true}"#;
        /// Somebody wants to give us a file: `accept` it or `decline` it.
        PushOffered(PushOffered) = "push-offered", told: Fact, r#"{"push":3,"from":"dora","file":"report.pdf","size":4096,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"}"#;
        /// A file that was pushed to us cannot be had any more.
        PushGone(PushGone) = "push-gone", told: Fact, r#"{"push":3,"from":"dora","file":"report.pdf"}"#;
        /// We have declined a file.
        Declined(Declined) = "declined", told: Fact, r#"{"push":3}"#;
        /// A transfer has been stopped on request.
        Cancelled(Cancelled) = "cancelled", told: Fact, r#"{"transfer":1}"#;
        /// Everything asked before is done.
        Waited(Waited) = "waited", told: Fact, r#"{}"#;
        /// What can be asked.
        Help(Help) = "help", told: Fact, weighs: |help| 1_024 * help.commands.len(), r#"{"commands":[{"name":"list","usage":"list [--owner <NAME>] [--match <TEXT>]","about":"Show what is offered","aliases":[]}]}"#;
        /// The hub does not answer; we keep trying.
        HubLost(HubLost) = "hub-lost", told: Fact, r#"{"reason":"no answer for 1500 ms"}"#;
        /// A request waits for the hub, or the end waits for what is not over. Said once, after a second.
        Waiting(Waiting) = "waiting", told: Fact, weighs: |waiting| 512 * waiting.transfers.len(), r#"{"request":"quit","for":["pushes"],"transfers":[{"transfer":4,"direction":"up","file":"report.pdf","peer":"erin","bytes":0,"size":4096,"state":"waiting"}],"left":30000}"#;
        /// The hub answers again.
        HubBack(HubBack) = "hub-back", told: Fact, r#"{"resumed":true,"away":830}"#;
        /// The reader was too slow: facts told in between were dropped.
        Gap(Gap) = "gap", told: Fact, r#"{"from":"2026-01-02T03:04:05.678Z","to":"2026-01-02T03:05:05.678Z","dropped":70000}"#;
        /// Between hub and client only: where the content of a `get` can be had.
        Located(Located) = "located", told: Between, r#"{"sources":[]}"#;
        /// Between hub and client only: who has more of a content by now.
        SourcesUpdated(SourcesUpdated) = "sources-updated", told: Between, r#"{"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","sources":[]}"#;
        /// Between hub and client only: a copy is on the hub's disk, or will not be.
        Stored(Stored) = "stored", told: Between, r#"{"file":"notes.txt","hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"}"#;
        /// Between hub and client only: what has become of our push.
        PushAnswered(PushAnswered) = "push-answered", told: Between, r#"{"push":3,"answer":"accepted"}"#;
        /// Between hub and client only: everything up to this revision has been told.
        Synced(Synced) = "synced", told: Between, r#"{"revision":20}"#;
        /// Between hub and client only: a part of what is offered.
        TablePage(TablePage) = "table-page", told: Between, r#"{"revision":20,"changed":18,"offers":[],"next":"notes.txt/dora"}"#;
        /// Between hub and client only: a part of who is there.
        RosterPage(RosterPage) = "roster-page", told: Between, r#"{"revision":20,"changed":20,"clients":[],"next":4}"#;
        /// Between hub and client only: somebody whom we have to do with, told to who does not follow the roster.
        Introduced(Introduced) = "introduced", told: Between, r#"{"client":{"name":"dora","number":4,"state":"online","since":"2026-01-02T03:04:05.678Z","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","address":"127.0.0.1","port":40001,"link_port":40002}}"#;
        /// Between hub and client only: what was kept for us has been sent.
        CaughtUp(CaughtUp) = "caught-up", told: Between, r#"{"number":41}"#;
        /// Between hub and client only: a message that its receiver shall not see.
        Withheld(Withheld) = "withheld", told: Between, r#"{"number":41}"#;
    }
}
