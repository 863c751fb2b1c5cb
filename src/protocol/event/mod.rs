//! The events that potluck tells its user: one struct for each.
//!
//! Readers must ignore fields and events that they do not know. So fields may be added, but never change their meaning.

mod files;
mod handover;
mod invites;
mod meetings;
mod parcels;
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
pub use handover::{Admitted, CodeOpened, CodeRefused, HungUp, KnockAnswered, KnockRefused, Knocked, Said};
pub use invites::{InviteAdded, InviteGuessed, InviteRevoked, Invites};
pub use meetings::{Meeting, MeetingPlaces, MeetingRefused};
pub use parcels::{ParcelClaimed, ParcelDelivered, ParcelFound, ParcelLeft, ParcelReady, ParcelReceived, ParcelSent};
pub use people::{
    Blocked, Blocks, CaughtUp, Focused, History, Introduced, KeyAlarm, Members, Message, MessageAcked,
    MessageDelivered, Pong, PrivateClosed, PrivateMessage, PrivateOpened, RoomChanged, RoomCreated, RoomInvited,
    RoomJoined, RoomLeft, RoomMessage, Rooms, RosterPage, SafetyNumber, Unblocked, Unfocused, Withheld,
};
pub use roster::{RelayFigures, Roster, RosterUpdated, Status, StoreTrouble, Visit};
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

/// The estimated weight in bytes of a name in a list: at most 32 characters, the fields beside it, and spare capacity.
const NAME: usize = 256;

event_table! {
    /// An event: something that potluck tells its user, or that the hub tells a client.
    #[derive(Debug, Clone, PartialEq)]
    pub enum Event {
        /// The first line of every stream: the protocol, the program's version, and the settings.
        Ready(Ready) = "ready", told: Fact, r#"{"protocol":"potluck/1","version":"0.1.0","name":"dora","hub":"127.0.0.1:7755","capabilities":["files","folders","search","push","messages","rooms","private","history"],"settings":{"downloads":"downloads","port":40001,"link_port":40002,"transport":"auto","on_conflict":"fail","max_transfers":4,"follow":"table","follow_roster":"table"}}"#;
        /// The last line of every stream.
        Bye(Bye) = "bye", told: Last, r#"{"reason":"end of input","code":0}"#;
        /// A request failed, or a line could not be understood.
        Error(Error) = "error", told: Fact, weighs: |error| error.message.len() + error.hint.as_ref().map_or(0, String::len), r#"{"code":"not-offered","message":"Nobody offers notes.txt.","hint":"`list` shows what is offered.","retry":"after-change","at":"/file"}"#;
        /// The hub has registered this client under a name.
        Welcome(Welcome) = "welcome", told: Fact, r#"{"name":"dora","number":4,"revision":17,"clients":2,"offers":5,"newest":41}"#;
        /// This client has left the table and the roster.
        Deregistered(Deregistered) = "deregistered", told: Fact, r#"{"name":"dora","withdrawn":2}"#;
        /// The folder to offer from has been chosen.
        DirSet(DirSet) = "dir-set", told: Fact, r#"{"dir":"/home/dora/music"}"#;
        /// The hub has accepted this client's offers.
        OfferAcked(OfferAcked) = "offer-acked", told: Fact, weighs: |acked| 512 * (acked.offers.len() + acked.skipped.len()), r#"{"offers":[{"file":"notes.txt","owner":"dora","size":5,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunk_size":1048576,"chunks":1,"modified":"2026-01-02T03:04:05.678Z","address":"127.0.0.1","port":40001}],"revision":18,"skipped":[{"file":"albums/latest","reason":"link"}]}"#;
        /// Progress of hashing, before files are offered; at most ten times a second.
        OfferProgress(OfferProgress) = "offer-progress", told: State, r#"{"files":120,"total_files":10000,"bytes":491520,"size":40960000}"#;
        /// Files that this client offers have changed on disk, and its offers with them.
        OfferChanged(OfferChanged) = "offer-changed", told: Fact, weighs: |changed| 512 * (changed.offers.len() + changed.withdrawn.len()), r#"{"offers":[],"withdrawn":["notes.txt"],"revision":19}"#;
        /// The hub has copies on its disk of files that this client offers.
        OfferKept(OfferKept) = "offer-kept", told: Fact, weighs: |kept| NAME * kept.files.len(), r#"{"files":["notes.txt"],"bytes":5}"#;
        /// This client has withdrawn offers.
        Withdrawn(Withdrawn) = "withdrawn", told: Fact, weighs: |withdrawn| NAME * withdrawn.files.len(), r#"{"files":["notes.txt"],"revision":19}"#;
        /// The offers, sorted by file, then owner.
        Table(Table) = "table", told: Fact, weighs: |table| 512 * table.offers.len(), r#"{"revision":18,"offers":[]}"#;
        /// The offers have changed.
        TableUpdated(TableUpdated) = "table-updated", told: State, r#"{"revision":19,"added":[],"removed":[{"file":"notes.txt","owner":"dora"}],"total":0}"#;
        /// The table is too large to be followed: no more changes are told. Said once; requests work as before.
        TableUnfollowed(TableUnfollowed) = "table-unfollowed", told: Fact, r#"{"total":1000000,"most":65536,"message":"There are 1000000 offers; at most 65536 are followed. `list`, `search` and `get` ask the hub."}"#;
        /// The files that a search has found, and who has them.
        Found(Found) = "found", told: Fact, weighs: |found| found.files.iter().map(|file| 512 + NAME * file.holders.len()).sum(), r#"{"text":"notes","revision":4,"files":[{"file":"notes.txt","size":5,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunks":1,"holders":[{"name":"erin","chunks":1,"offered":true}]}],"more":false}"#;
        /// Who has which chunks of a file.
        Chunks(Chunks) = "chunks", told: Fact, weighs: |chunks| chunks.holders.iter().map(|holder| NAME + 32 * holder.has.ranges().count()).sum(), r#"{"file":"song.ogg","size":8388608,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","chunk_size":1048576,"chunks":8,"holders":[{"name":"erin","has":[[0,8]]},{"name":"dora","has":[[0,5],[7,8]]}]}"#;
        /// The clients in the roster, sorted by number.
        Roster(Roster) = "roster", told: Fact, weighs: |roster| 512 * roster.clients.len(), r#"{"revision":18,"clients":[{"name":"dora","number":4,"state":"online","since":"2026-01-02T03:04:05.678Z","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","address":"127.0.0.1","port":40001,"link_port":40002}]}"#;
        /// Clients came, left or stopped answering.
        RosterUpdated(RosterUpdated) = "roster-updated", told: State, r#"{"revision":20,"clients":[],"total":1}"#;
        /// The clients of this run of the hub, present and gone.
        Status(Status) = "status", told: Fact, weighs: |status| 512 * status.clients.len(), r#"{"clients":[{"name":"dora","number":4,"address":"127.0.0.1:40000","state":"offline","opened":"2026-01-02T03:04:05.678Z","closed":"2026-01-02T04:04:05.678Z","messages":12}],"total":4}"#;
        /// The safety number that this client's user has with somebody, and whether they are verified.
        SafetyNumber(SafetyNumber) = "safety-number", told: Fact, r#"{"name":"erin","number":"03012 65041 22897 71180 40352 96614 12093 58120 00743 31988 67215 54906","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","verified":true}"#;
        /// The hub shows another key than the verified one for the name of a person whom this client's user has verified. Told once for each key.
        KeyAlarm(KeyAlarm) = "key-alarm", told: Fact, weighs: |alarm| alarm.message.len() + alarm.hint.len(), r#"{"name":"erin","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","verified_key":"b5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","message":"erin shows another key than the one that you have verified.","hint":"Trust nothing under this name until you have asked erin in another way."}"#;
        /// A message that this client sent has arrived: on the hub's disk, or at its receiver if it was private.
        MessageAcked(MessageAcked) = "message-acked", told: Fact, r#"{"number":41,"sent":"2026-01-02T03:04:05.678Z","to":"erin","stored":true,"delivered":1}"#;
        /// Somebody has sent a message to this client, or to everybody.
        Message(Message) = "message", told: Fact, weighs: |message| message.text.len(), r#"{"number":41,"from":"erin","to":"dora","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"}"#;
        /// Somebody has sent a message to a room that this client is a member of.
        RoomMessage(RoomMessage) = "room-message", told: Fact, weighs: |message| message.text.len(), r#"{"number":42,"room":"kitchen","from":"erin","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"}"#;
        /// Somebody has sent this client a message over a direct connection.
        PrivateMessage(PrivateMessage) = "private-message", told: Fact, weighs: |message| message.text.len(), r#"{"number":1,"from":"erin","to":"dora","text":"between us","sent":"2026-01-02T03:04:05.678Z"}"#;
        /// The receiver now has a message that this client sent, and that was kept for them.
        MessageDelivered(MessageDelivered) = "message-delivered", told: Fact, r#"{"number":41,"to":"erin"}"#;
        /// A direct connection has opened.
        PrivateOpened(PrivateOpened) = "private-opened", told: Fact, r#"{"peer":"erin","by":"dora","route":"direct"}"#;
        /// A direct connection has closed.
        PrivateClosed(PrivateClosed) = "private-closed", told: Fact, r#"{"peer":"erin","reason":"closed by erin"}"#;
        /// The measured round-trip times to another client.
        Pong(Pong) = "pong", told: Fact, r#"{"peer":"erin","hub_us":2300,"direct_us":900}"#;
        /// This client's user sees no more messages from somebody.
        Blocked(Blocked) = "blocked", told: Fact, r#"{"name":"mallory"}"#;
        /// This client's user sees somebody's messages again.
        Unblocked(Unblocked) = "unblocked", told: Fact, r#"{"name":"mallory"}"#;
        /// The people whom this client's user blocks.
        Blocks(Blocks) = "blocks", told: Fact, weighs: |blocks| NAME * blocks.names.len(), r#"{"names":["mallory"]}"#;
        /// Messages that were sent earlier.
        History(History) = "history", told: Fact, weighs: |history| history.messages.iter().map(|said| 512 + said.text.len()).sum(), r#"{"messages":[{"number":42,"room":"kitchen","from":"erin","text":"soup is ready","sent":"2026-01-02T03:04:05.678Z"}],"more":true,"next":42}"#;
        /// A room has been created.
        RoomCreated(RoomCreated) = "room-created", told: Fact, weighs: |room| NAME * room.members.len(), r#"{"room":"kitchen","access":"invite","members":["dora","erin"]}"#;
        /// The rooms that this client's user may join or is a member of.
        Rooms(Rooms) = "rooms", told: Fact, weighs: |rooms| NAME * rooms.rooms.len(), r#"{"rooms":[{"room":"kitchen","access":"invite","members":2,"joined":true}]}"#;
        /// This client's user is now a member of a room.
        RoomJoined(RoomJoined) = "room-joined", told: Fact, weighs: |room| NAME * room.members.len(), r#"{"room":"kitchen","members":["dora","erin"]}"#;
        /// This client's user has made others members of a room.
        RoomInvited(RoomInvited) = "room-invited", told: Fact, weighs: |room| NAME * room.members.len(), r#"{"room":"kitchen","members":["frida"]}"#;
        /// This client's user is no longer a member of a room.
        RoomLeft(RoomLeft) = "room-left", told: Fact, r#"{"room":"kitchen"}"#;
        /// The members of a room.
        Members(Members) = "members", told: Fact, weighs: |members| NAME * members.members.len(), r#"{"room":"kitchen","members":[{"name":"dora","state":"online"},{"name":"erin","state":"offline"}]}"#;
        /// Somebody joined or left a room that this client's user is a member of.
        RoomChanged(RoomChanged) = "room-changed", told: Fact, weighs: |changed| NAME * (changed.joined.len() + changed.left.len()), r#"{"room":"kitchen","by":"erin","joined":["dora"]}"#;
        /// Only messages of one room are told from now on.
        Focused(Focused) = "focused", told: Fact, r#"{"room":"kitchen"}"#;
        /// All messages are told again; those that were held back follow.
        Unfocused(Unfocused) = "unfocused", told: Fact, r#"{"room":"kitchen","held":3}"#;
        /// An invite has been made.
        InviteAdded(InviteAdded) = "invite-added", told: Fact, r#"{"invite":"dora-k3f9x2ab","code":"7-crossover-clockwork","hub":"127.0.0.1:7755","times":2,"until":"2026-01-02T04:04:05.678Z"}"#;
        /// The invites that this client's user has made.
        Invites(Invites) = "invites", told: Fact, weighs: |invites| NAME * invites.invites.len(), r#"{"invites":[{"invite":"dora-k3f9x2ab","state":"good","times":2,"spent":1,"until":"2026-01-02T04:04:05.678Z","made":"2026-01-02T03:04:05.678Z","code":7}]}"#;
        /// An invite lets nobody in any more.
        InviteRevoked(InviteRevoked) = "invite-revoked", told: Fact, r#"{"invite":"dora-k3f9x2ab"}"#;
        /// Somebody has guessed at the short code of an invite: it is void.
        InviteGuessed(InviteGuessed) = "invite-guessed", told: Fact, r#"{"invite":"dora-k3f9x2ab","code":7}"#;
        /// The transfers that are running or waiting.
        Transfers(Transfers) = "transfers", told: Fact, weighs: |transfers| 512 * transfers.transfers.len(), r#"{"transfers":[{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","bytes":1024,"size":4096,"state":"running","route":"direct"}]}"#;
        /// A transfer waits until others have ended.
        TransferQueued(TransferQueued) = "transfer-queued", told: State of transfer, r#"{"transfer":2,"file":"song.ogg","position":1}"#;
        /// A transfer has started.
        TransferStarted(TransferStarted) = "transfer-started", told: Fact, r#"{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","size":4096,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","resumed":0,"path":"/home/dora/downloads/notes.txt","route":"direct"}"#;
        /// Progress of a transfer; at most ten times a second.
        TransferProgress(TransferProgress) = "transfer-progress", told: State of transfer, r#"{"transfer":1,"bytes":1024,"size":4096,"rate":102400,"left":30,"route":"direct"}"#;
        /// A transfer has completed: every byte was verified.
        TransferCompleted(TransferCompleted) = "transfer-completed", told: Fact, weighs: |completed| NAME * completed.sources.len(), r#"{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","path":"/home/dora/downloads/notes.txt","size":4096,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","elapsed":12,"bytes":4096,"resumed":0,"sources":[{"peer":"erin","bytes":4096,"route":"direct"}]}"#;
        /// A transfer has failed; the bytes that arrived are kept for the next attempt.
        TransferFailed(TransferFailed) = "transfer-failed", told: Fact, r#"{"transfer":1,"direction":"down","file":"notes.txt","peer":"erin","bytes":1024,"size":4096,"code":"source-changed","message":"The source changed the file while it was being sent.","retry":"later"}"#;
        /// A transfer no longer uses one of its sources.
        SourceDropped(SourceDropped) = "source-dropped", told: Fact, r#"{"transfer":1,"peer":"erin","code":"bad-chunk","message":"The source sent other bytes than it promised."}"#;
        /// No source that is online has the rest of a file. The transfer waits for one, and goes on by itself.
        TransferStalled(TransferStalled) = "transfer-stalled", told: Fact, r#"{"transfer":1,"file":"notes.txt","bytes":1024,"size":4096,"left":30000}"#;
        /// One file of a folder could not be fetched; the transfer goes on with the others.
        FileFailed(FileFailed) = "file-failed", told: Fact, r#"{"transfer":1,"file":"albums/one.ogg","code":"exists","message":"albums/one.ogg exists and is another file."}"#;
        /// The hub has taken this client's push; the receiver may accept or decline it.
        PushAsked(PushAsked) = "push-asked", told: Fact, r#"{"push":3,"transfer":4,"file":"report.pdf","to":"erin","online":true}"#;
        /// Somebody offers this client's user a file: `accept` it or `decline` it.
        PushOffered(PushOffered) = "push-offered", told: Fact, r#"{"push":3,"from":"dora","file":"report.pdf","size":4096,"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"}"#;
        /// A file that was pushed to this client can no longer be fetched.
        PushGone(PushGone) = "push-gone", told: Fact, r#"{"push":3,"from":"dora","file":"report.pdf"}"#;
        /// This client's user has declined a push.
        Declined(Declined) = "declined", told: Fact, r#"{"push":3}"#;
        /// A transfer has been stopped on request.
        Cancelled(Cancelled) = "cancelled", told: Fact, r#"{"transfer":1}"#;
        /// Files, folders or a text can be fetched by whoever is told the code.
        ParcelReady(ParcelReady) = "parcel-ready", told: Fact, r#"{"transfer":1,"code":"8-crossover-clockwork","hub":"127.0.0.1:7755","kind":"files","name":"talk.mp4","files":1,"size":4096,"times":1}"#;
        /// Somebody has typed the code right, and fetches the parcel.
        ParcelClaimed(ParcelClaimed) = "parcel-claimed", told: Fact, r#"{"transfer":1,"key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
        /// A receiver has left without having everything, and may come back with the same code.
        ParcelLeft(ParcelLeft) = "parcel-left", told: Fact, r#"{"transfer":1,"key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","gone":true}"#;
        /// A receiver has the whole parcel, on disk.
        ParcelDelivered(ParcelDelivered) = "parcel-delivered", told: Fact, r#"{"transfer":1,"key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","left":0}"#;
        /// As many as may have the parcel have it.
        ParcelSent(ParcelSent) = "parcel-sent", told: Fact, r#"{"transfer":1,"name":"talk.mp4","files":1,"size":4096,"times":1}"#;
        /// The code was right: what its sender gives is fetched now.
        ParcelFound(ParcelFound) = "parcel-found", told: Fact, r#"{"kind":"files","name":"talk.mp4","files":1,"size":4096,"key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
        /// A parcel is here: every byte was verified, and its sender knows it.
        ParcelReceived(ParcelReceived) = "parcel-received", told: Fact, weighs: |received| received.text.as_ref().map_or(0, String::len), r#"{"kind":"files","name":"talk.mp4","files":1,"size":4096,"path":"/home/dora/downloads/talk.mp4"}"#;
        /// Everything that was asked before `wait` is done.
        Waited(Waited) = "waited", told: Fact, r#"{}"#;
        /// The requests that can be asked.
        Help(Help) = "help", told: Fact, weighs: |help| 1_024 * help.commands.len(), r#"{"commands":[{"name":"list","usage":"list [--owner <NAME>] [--match <TEXT>]","about":"Show what is offered","aliases":[]}]}"#;
        /// The hub does not answer; the client keeps trying.
        HubLost(HubLost) = "hub-lost", told: Fact, r#"{"reason":"no answer for 1500 ms"}"#;
        /// A request waits for the hub, or the end waits for something unfinished. Said once, after a second.
        Waiting(Waiting) = "waiting", told: Fact, weighs: |waiting| 512 * waiting.transfers.len(), r#"{"request":"quit","for":["pushes"],"transfers":[{"transfer":4,"direction":"up","file":"report.pdf","peer":"erin","bytes":0,"size":4096,"state":"waiting"}],"left":30000}"#;
        /// The hub answers again.
        HubBack(HubBack) = "hub-back", told: Fact, r#"{"resumed":true,"away":830}"#;
        /// The program read its events too slowly: some facts were dropped.
        Gap(Gap) = "gap", told: Fact, r#"{"from":"2026-01-02T03:04:05.678Z","to":"2026-01-02T03:05:05.678Z","dropped":70000}"#;
        /// Between hub and client only: who has the content of a `get`.
        Located(Located) = "located", told: Between, r#"{"sources":[]}"#;
        /// Between hub and client only: a content being fetched has new or better holders.
        SourcesUpdated(SourcesUpdated) = "sources-updated", told: Between, r#"{"hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f","sources":[]}"#;
        /// Between hub and client only: the hub has made a copy, or could not make it.
        Stored(Stored) = "stored", told: Between, r#"{"file":"notes.txt","hash":"ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"}"#;
        /// Between hub and client only: the receiver of a push has answered.
        PushAnswered(PushAnswered) = "push-answered", told: Between, r#"{"push":3,"answer":"accepted"}"#;
        /// Between hub and client only: everything up to this revision has been told.
        Synced(Synced) = "synced", told: Between, r#"{"revision":20}"#;
        /// Between hub and client only: a page of the table.
        TablePage(TablePage) = "table-page", told: Between, r#"{"revision":20,"changed":18,"offers":[],"next":"notes.txt/dora"}"#;
        /// Between hub and client only: a page of the roster.
        RosterPage(RosterPage) = "roster-page", told: Between, r#"{"revision":20,"changed":20,"clients":[],"next":4}"#;
        /// Between hub and client only: a client that this one deals with, told to those that do not follow the roster.
        Introduced(Introduced) = "introduced", told: Between, r#"{"client":{"name":"dora","number":4,"state":"online","since":"2026-01-02T03:04:05.678Z","key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","address":"127.0.0.1","port":40001,"link_port":40002}}"#;
        /// Between hub and client only: this client and another one want a connection with each other.
        Meeting(Meeting) = "meeting", told: Between, r#"{"meeting":7,"ask":1,"peer":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","name":"erin","purpose":"private","token":"00112233445566778899aabbccddeeff","second_token":"ffeeddccbbaa99887766554433221100","relays":true}"#;
        /// Between hub and client only: where the other side of a meeting may be reached.
        MeetingPlaces(MeetingPlaces) = "meeting-places", told: Between, weighs: |places| 64 * (places.outer.len() + places.inner.len()), r#"{"meeting":7,"outer":["203.0.113.3:5000"],"inner":["192.168.1.7:40007"]}"#;
        /// Between hub and client only: there is no meeting with that client.
        MeetingRefused(MeetingRefused) = "meeting-refused", told: Between, r#"{"ask":1,"code":"not-online","message":"That client is not there."}"#;
        /// Between hub and client only: the number that a code has.
        CodeOpened(CodeOpened) = "code-opened", told: Between, r#"{"ask":1,"nameplate":8}"#;
        /// Between hub and client only: there is no number for a code.
        CodeRefused(CodeRefused) = "code-refused", told: Between, r#"{"ask":1,"code":"too-many","message":"Too many codes are open."}"#;
        /// Between hub and client only: somebody knocks at a number that this client has opened.
        Knocked(Knocked) = "knocked", told: Between, weighs: |knocked| 256 + knocked.share.as_ref().map_or(0, |share| 2 * share.0.len()), r#"{"conversation":4,"nameplate":8,"key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","share":"41aa"}"#;
        /// Between hub and client only: whoever has opened a number can be talked to.
        KnockAnswered(KnockAnswered) = "knock-answered", told: Between, r#"{"ask":1,"conversation":4,"key":"a5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
        /// Between hub and client only: the sender of a parcel has let this client fetch it.
        Admitted(Admitted) = "admitted", told: Between, r#"{"conversation":4,"address":"203.0.113.3"}"#;
        /// Between hub and client only: nobody can be talked to at a number.
        KnockRefused(KnockRefused) = "knock-refused", told: Between, r#"{"ask":1,"code":"no-such-code","message":"There is no code of that number here."}"#;
        /// Between hub and client only: what the other side of a conversation says.
        Said(Said) = "said", told: Between, weighs: |said| 2 * said.message.0.len(), r#"{"conversation":4,"message":"00ff"}"#;
        /// Between hub and client only: a conversation is over.
        HungUp(HungUp) = "hung-up", told: Between, r#"{"conversation":4,"gone":true}"#;
        /// Between hub and client only: all messages that were kept for this client have been sent.
        CaughtUp(CaughtUp) = "caught-up", told: Between, r#"{"number":41}"#;
        /// Between hub and client only: a message that this client must not show.
        Withheld(Withheld) = "withheld", told: Between, r#"{"number":41}"#;
    }
}
