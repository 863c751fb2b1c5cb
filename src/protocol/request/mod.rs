//! The requests that potluck answers: one struct for each.
//!
//! A struct is the JSON form (serde), the schema (schemars), and the typed command with its help (clap). Its doc
//! comments are the texts of the help.

use clap::Subcommand;

mod files;
mod invites;
mod parcels;
mod people;
mod rooms;
mod rule;

pub use files::{Accept, Cancel, Chunks, Decline, Get, List, Offer, Push, Search, Setdir, Transfers, Withdraw};
pub use invites::{InviteAdd, InviteList, InviteRevoke};
pub use parcels::{ParcelReceive, ParcelSend};
pub use people::{
    Block, Blocks, Broadcast, History, Login, Message, Private, PrivateClose, PrivateOpen, Unblock, Verify,
};
pub use rooms::{Focus, Members, RoomCreate, RoomInvite, RoomJoin, RoomLeave, Rooms, Say, Unfocus};
pub use rule::{ANY_REQUEST, At, Bulk, Direct, OneShot, Rules, Starts, Turn, WithoutHub};

use ErrorCode::*;
use Turn::{InOrder, Later, Receipt};
use rule::{FETCH, OFFER, PARCEL_RECEIVE, PARCEL_SEND};

use super::error::pointer_at;
use super::event::{self, Kind};
use super::limits::FILES_PER_REQUEST;
use super::vocabulary::{request_table, requests};
use super::{ErrorCode, Event, Failure};

request_table! {
    /// A request: something that a user asks of potluck.
    #[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
    pub enum Request {
        /// Enter the hub under a name.
        Register(Register) = "register", at: Hub, starts: Alone, turn: InOrder, bulk: Small,
            useless_alone: ("You are registered for this one request only.", "Give the name as --name NAME before the command."), answers: [Welcome], errors: &[AlreadyRegistered, TooMany],
            r#"{"name":"erin"}"#;
        /// Prove with a password who you are, and enter the hub.
        #[command(override_usage = "login <NAME>")]
        Login(Login) = "login", at: Hub, starts: Alone, turn: Later("the check of the password"), bulk: Small,
            answers: [Welcome], errors: &[AlreadyRegistered, BadLogin, LockedOut],
            r#"{"name":"erin","password":"correct horse"}"#;
        /// Leave the table with all offers; the program keeps running.
        Dereg(Dereg) = "dereg", at: Hub, starts: Passed, turn: InOrder, bulk: Small,
            peer: EndsAll, changes: offers, useless_alone: ("You leave when the request is answered anyway.", "`quit` in the session that is to end, or a signal."), answers: [Deregistered], errors: &[],
            r#"{}"#;
        /// Come back after `dereg`, with the same name and offers.
        Rereg(Rereg) = "rereg", at: Client, starts: Alone, turn: InOrder, bulk: Small,
            without_hub: Waits, useless_alone: ("You are registered for this one request only.", "Give the name as --name NAME before the command."), hub: [Welcome], answers: [Welcome], errors: &[AlreadyRegistered, TooMany],
            r#"{}"#;
        /// Show every client of this run of the hub, present and gone.
        Status(Status) = "status", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            answers: [Status], errors: &[],
            r#"{}"#;
        /// Show who is there, or who has been.
        #[command(aliases = ["whoelse", "whoelsesince", "ATU"])]
        Who(Who) = "who", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            hub: [Synced, Roster, RosterPage], answers: [Roster], errors: &[],
            r#"{"since":600}"#;
        /// Show one person, or yourself: here or gone, since when, from which address.
        Whois(Whois) = "whois", at: Hub, starts: Passed, turn: InOrder, bulk: Small,
            answers: [Roster], errors: &[NoSuchPerson, NotOnline],
            r#"{"name":"erin"}"#;
        /// Show the safety number that you have with somebody, and say that it is the same at their end.
        Verify(Verify) = "verify", at: Client, starts: Here, turn: InOrder, bulk: Small,
            hub: [Roster], answers: [SafetyNumber], errors: &[Yourself, NoSuchPerson, NumberDiffers, PeerKeyChanged, VerifiedKeyChanged, BadConfig],
            r#"{"name":"erin","confirm":true}"#;
        /// Choose the folder to offer files from.
        Setdir(Setdir) = "setdir", at: Client, starts: Here, turn: InOrder, bulk: Small,
            changes: offers, without_hub: UnlessOffersWait, useless_alone: ("The folder would be forgotten at once.", "Give it as --dir DIR before the command."), answers: [DirSet], errors: &[NoSuchDir, NotADir, NotReadable],
            r#"{"dir":"music"}"#;
        /// Offer files of the folder, or whole folders in it, to everybody.
        Offer(Offer) = "offer", at: Client, starts: Here, turn: Later("hashing and, with `keep`, the hub's copy"), bulk: Large,
            changes: offers, answers: [OfferAcked, OfferKept], errors: OFFER,
            r#"{"files":["notes.txt","albums"],"watch":true}"#;
        /// Take offers back.
        Withdraw(Withdraw) = "withdraw", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            changes: offers, answers: [Withdrawn], errors: &[NotOffered, TooMany],
            r#"{"files":["notes.txt"]}"#;
        /// Show what is offered.
        List(List) = "list", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            without_hub: FromTable, hub: [Synced, TablePage], answers: [Table], errors: &[],
            r#"{"owner":"erin"}"#;
        /// Show who has files of a name or of a hash.
        #[command(alias = "searchFile")]
        Search(Search) = "search", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            answers: [Found], errors: &[],
            r#"{"text":"notes"}"#;
        /// Show who has which chunks of a file.
        #[command(alias = "searchChunk")]
        Chunks(Chunks) = "chunks", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            answers: [Chunks], errors: &[NotOffered, Ambiguous, NoSuchChunk],
            r#"{"file":"song.ogg","chunks":[0,4,7]}"#;
        /// Fetch a file, or a folder, straight from everybody who has it.
        #[command(aliases = ["request", "download"])]
        Get(Get) = "get", at: Hub, starts: Passed, turn: Later("the file"), bulk: Small,
            hub: [Located, Synced, TablePage], answers: [TransferCompleted], errors: FETCH,
            r#"{"file":"notes.txt","from":"erin"}"#;
        /// Offer a file to one person, who accepts or declines it.
        #[command(alias = "UDP")]
        Push(Push) = "push", at: Client, starts: Here, turn: Later("its receiver"), bulk: Small,
            changes: offers, answers: [TransferCompleted], errors: &[Yourself, NoSuchPerson, NoDir, NoSuchDir, NotADir, NoSuchFile, NotAFile, NotReadable, SourceChanged, DiskFailed, TooMany, NoSuchPush, NotTaken, PushDeclined, PeerBroke, VerifiedKeyChanged],
            r#"{"file":"report.pdf","to":"erin"}"#;
        /// Take a file that was pushed to us.
        Accept(Accept) = "accept", at: Hub, starts: Passed, turn: Later("the file"), bulk: Small,
            without_hub: Waits, hub: [Located], answers: [TransferCompleted], errors: FETCH,
            r#"{"push":3}"#;
        /// Do not take a file that was pushed to us.
        Decline(Decline) = "decline", at: Hub, starts: Passed, turn: InOrder, bulk: Small,
            without_hub: Waits, answers: [Declined], errors: &[NoSuchPush],
            r#"{"push":3}"#;
        /// Send files, folders or a text to whoever is told a short code.
        ParcelSend(ParcelSend) = "parcel-send", at: Client, starts: Here, turn: Later("its receivers"), bulk: Small,
            answers: [ParcelSent], errors: PARCEL_SEND,
            r#"{"paths":["talk.mp4","slides"],"until":"2h"}"#;
        /// Fetch what somebody sends under a short code.
        #[command(alias = "receive")]
        ParcelReceive(ParcelReceive) = "parcel-receive", at: Client, starts: Here, turn: Later("the files"), bulk: Small,
            answers: [ParcelReceived], errors: PARCEL_RECEIVE,
            r#"{"code":"8-crossover-clockwork"}"#;
        /// Show the transfers that are under way or waiting.
        Transfers(Transfers) = "transfers", at: Client, starts: Here, turn: InOrder, bulk: Large,
            without_hub: Answers, answers: [Transfers], errors: &[],
            r#"{}"#;
        /// Stop a transfer, take back a push, or decline one; what has arrived is kept for the next time.
        Cancel(Cancel) = "cancel", at: Client, starts: Here, turn: InOrder, bulk: Small,
            without_hub: Answers, useless_alone: ("There is nothing to cancel yet.", "End the program that fetches, or `cancel` in its own session."), answers: [Cancelled], errors: &[NoSuchTransfer],
            r#"{"transfer":3}"#;
        /// Send somebody a message; it is kept until they have it.
        Message(Message) = "message", at: Hub, starts: Passed, turn: Receipt("the receiver's client, if that is there"), bulk: Small,
            keeps: outcome, answers: [MessageAcked], errors: &[NoSuchPerson, Yourself, MessageTooLong, MailboxFull, VerifiedKeyChanged],
            r#"{"to":"erin","text":"soup is ready"}"#;
        /// Send a message to everybody who is there.
        #[command(alias = "BCM")]
        Broadcast(Broadcast) = "broadcast", at: Hub, starts: Passed, turn: InOrder, bulk: Small,
            keeps: outcome, answers: [MessageAcked], errors: &[MessageTooLong],
            r#"{"text":"soup is ready"}"#;
        /// Open a direct connection to somebody.
        #[command(alias = "startprivate")]
        PrivateOpen(PrivateOpen) = "private-open", at: Both, starts: Here, turn: Later("the other client"), bulk: Small,
            peer: Changes of to, useless_alone: ("The connection would be closed at once.", "`private NAME TEXT` opens one and says something."), hub: [Synced], answers: [PrivateOpened], errors: &[NoSuchPerson, NotOnline, Yourself, AlreadyOpen, TooMany, NotRead, PeerUnreachable, PeerRefused, PeerKeyChanged, VerifiedKeyChanged, PeerBroke],
            r#"{"to":"erin"}"#;
        /// Send a message straight to somebody, past the hub.
        #[command(alias = "send")]
        Private(Private) = "private", at: Client, starts: Here, turn: Later("the other client"), bulk: Small,
            peer: Uses of to, hub: [Synced], answers: [MessageAcked], errors: &[NoSuchPerson, NotOnline, Yourself, MessageTooLong, TooMany, NotRead, PeerUnreachable, PeerRefused, PeerKeyChanged, VerifiedKeyChanged, PeerBroke],
            r#"{"to":"erin","text":"between us"}"#;
        /// Measure how long it takes to reach somebody and back, through the hub and directly.
        Ping(Ping) = "ping", at: Both, starts: Here, turn: Later("the other client"), bulk: Small,
            peer: Uses of to, hub: [Pong], answers: [Pong], errors: &[NoSuchPerson, NotOnline, Yourself, TooMany],
            r#"{"to":"erin"}"#;
        /// Close a direct connection.
        #[command(alias = "stopprivate")]
        PrivateClose(PrivateClose) = "private-close", at: Client, starts: Here, turn: InOrder, bulk: Small,
            peer: Changes of to, useless_alone: ("The connection would be closed at once.", "`private NAME TEXT` opens one and says something."), answers: [PrivateClosed], errors: &[NotOpen],
            r#"{"to":"erin"}"#;
        /// See no more messages of somebody, who does not learn of it.
        Block(Block) = "block", at: Hub, starts: Passed, turn: InOrder, bulk: Small,
            keeps: outcome, answers: [Blocked], errors: &[NoSuchPerson, Yourself, AlreadyBlocked, TooMany],
            r#"{"name":"mallory"}"#;
        /// See somebody's messages again.
        Unblock(Unblock) = "unblock", at: Hub, starts: Passed, turn: InOrder, bulk: Small,
            keeps: outcome, answers: [Unblocked], errors: &[NoSuchPerson, Yourself, NotBlocked],
            r#"{"name":"mallory"}"#;
        /// Show whom you block.
        Blocks(Blocks) = "blocks", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            answers: [Blocks], errors: &[],
            r#"{}"#;
        /// Show what has been said.
        #[command(alias = "RDM")]
        History(History) = "history", at: Hub, starts: Passed, turn: Later("the hub's store"), bulk: Large,
            answers: [History], errors: &[BadTime, NoSuchPerson, NoSuchRoom, NotAMember, Yourself, TooMany],
            r#"{"room":"kitchen","since":"10m","limit":20}"#;
        /// Make a room, with these members or for everybody.
        #[command(aliases = ["create_group", "SRB"])]
        RoomCreate(RoomCreate) = "room-create", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            keeps: outcome, answers: [RoomCreated], errors: &[RoomExists, NoSuchPerson, NotOnline, Yourself, TooMany],
            r#"{"room":"kitchen","members":["erin"],"access":"invite"}"#;
        /// Show the rooms.
        #[command(alias = "list_groups")]
        Rooms(Rooms) = "rooms", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            answers: [Rooms], errors: &[],
            r#"{}"#;
        /// Become a member of a room.
        #[command(alias = "join_group")]
        RoomJoin(RoomJoin) = "room-join", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            keeps: outcome, answers: [RoomJoined], errors: &[NoSuchRoom, RoomClosed, AlreadyAMember, TooMany],
            r#"{"room":"kitchen"}"#;
        /// Make others members of a room.
        RoomInvite(RoomInvite) = "room-invite", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            keeps: outcome, answers: [RoomInvited], errors: &[NoSuchRoom, NotAMember, NoSuchPerson, Yourself, AlreadyAMember, TooMany],
            r#"{"room":"kitchen","members":["dora"]}"#;
        /// Leave a room for good.
        #[command(alias = "leave_group")]
        RoomLeave(RoomLeave) = "room-leave", at: Hub, starts: Passed, turn: InOrder, bulk: Small,
            keeps: outcome, answers: [RoomLeft], errors: &[NoSuchRoom, NotAMember],
            r#"{"room":"kitchen"}"#;
        /// Show who is in a room.
        #[command(alias = "list_members")]
        Members(Members) = "members", at: Hub, starts: Passed, turn: InOrder, bulk: Large,
            answers: [Members], errors: &[NoSuchRoom, NotAMember],
            r#"{"room":"kitchen"}"#;
        /// Say something in a room.
        #[command(aliases = ["send_group", "SRM"])]
        Say(Say) = "say", at: Hub, starts: Passed, turn: InOrder, bulk: Small,
            keeps: outcome, answers: [MessageAcked], errors: &[NoSuchRoom, NotAMember, MessageTooLong],
            r#"{"room":"kitchen","text":"soup is ready"}"#;
        /// Hear only one room until `unfocus`; other messages wait.
        Focus(Focus) = "focus", at: Hub, starts: Passed, turn: InOrder, bulk: Small,
            useless_alone: ("Nobody would be there to hear the room.", "`potluck join HUB` hears; `say ROOM TEXT` speaks."), answers: [Focused], errors: &[NoSuchRoom, NotAMember],
            r#"{"room":"kitchen"}"#;
        /// Hear everything again, what has waited first.
        Unfocus(Unfocus) = "unfocus", at: Client, starts: Here, turn: InOrder, bulk: Small,
            without_hub: UnlessFocusWaits, useless_alone: ("Nobody would be there to hear the room.", "`potluck join HUB` hears; `say ROOM TEXT` speaks."), answers: [Unfocused], errors: &[NotFocused],
            r#"{}"#;
        /// Make an invite: a join link, or a short code.
        InviteAdd(InviteAdd) = "invite-add", at: Hub, starts: Passed, turn: InOrder, bulk: Small,
            answers: [InviteAdded], errors: &[NotAllowed, BadTime, TooMany],
            r#"{"code":true,"times":2,"until":"1h"}"#;
        /// Show the invites that you have made.
        InviteList(InviteList) = "invite-list", at: Hub, starts: Passed, turn: Later("the hub's store"), bulk: Large,
            answers: [Invites], errors: &[],
            r#"{}"#;
        /// Make an invite of yours worthless.
        InviteRevoke(InviteRevoke) = "invite-revoke", at: Hub, starts: Passed, turn: Later("the hub's store"), bulk: Small,
            answers: [InviteRevoked], errors: &[NoSuchInvite],
            r#"{"invite":"erin-k3f9x2ab"}"#;
        /// Answer when everything asked before is done.
        Wait(Wait) = "wait", at: Client, starts: Last, turn: Later("all that was asked before it"), bulk: Small,
            answers: [Waited], errors: &[],
            r#"{}"#;
        /// Show what can be asked, or how one request is written.
        Help(Help) = "help", at: Client, starts: Here, turn: InOrder, bulk: Large,
            without_hub: Answers, answers: [Help], errors: &[UnknownRequest],
            r#"{"command":"get"}"#;
        /// Finish what was asked, leave the hub and end.
        #[command(aliases = ["exit", "logout", "OUT"])]
        Quit(Quit) = "quit", at: Both, starts: Last, turn: Later("all that was asked before it"), bulk: Small,
            answers: [Bye], errors: &[],
            r#"{}"#;
    }
}

/// A request as a struct, with the type of its answer. Every struct of this module is one.
pub trait Ask: Into<Request> {
    /// The event that says that it was done.
    type Answer: TryFrom<Event>;
}

requests! {
    /// Enter the hub under a name.
    Register {
        /// 1 to 32 letters, digits, `_`, `-` or `.`.
        name: String,
    }
    /// Leave the table.
    #[derive(Default)]
    Dereg {
        /// Your own name, which may be left out. Any other name is an error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    }
    /// Come back after `dereg`.
    Rereg {}
    /// Show every client of this run of the hub.
    Status {}
    /// Show who is there.
    #[derive(Default)]
    Who {
        /// Show also who was here within this many seconds.
        #[arg(long, value_name = "SECONDS")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<u64>,
        /// Show only clients with a higher number than this.
        #[arg(long, value_name = "NUMBER")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        /// Leave yourself out.
        #[arg(long)]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        others: bool,
    }
    /// Show one person.
    #[derive(Default)]
    Whois {
        /// Whom; yourself if nobody is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    }
    /// Measure how long it takes to reach somebody and back. A direct connection is opened if there is none.
    Ping {
        /// The person, who must be there.
        to: String,
    }
    /// Answer when everything asked before is done.
    Wait {}
    /// Show what can be asked.
    Help {
        /// The request to explain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<String>,
    }
    /// Finish what was asked, leave the hub and end.
    Quit {
        /// Do not finish: transfers under way are broken off.
        #[arg(long)]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        now: bool,
    }
}

/// Checks that one request may name this many files.
///
/// # Errors
/// `bad-request`, at `/files`.
pub fn check_count(files: &[String]) -> Result<(), Failure> {
    if (1..=FILES_PER_REQUEST).contains(&files.len()) {
        return Ok(());
    }
    let message = format!("One request names 1 to {FILES_PER_REQUEST} files.");
    Err(Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/files")))
}
