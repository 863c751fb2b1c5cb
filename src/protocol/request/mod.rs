//! What can be asked of potluck: one struct for each request.
//!
//! A struct is at once the JSON form (serde), the schema (schemars) and the human syntax with its
//! help (clap). Its doc comments are the help texts.

use clap::Subcommand;

mod conduct;
mod files;
mod people;
mod rooms;

pub use conduct::{Bulk, Conduct, Turn};
pub use files::{Accept, Cancel, Chunks, Decline, Get, List, Offer, Push, Search, Setdir, Transfers, Withdraw};
pub use people::{Block, Blocks, Broadcast, History, Login, Message, Private, PrivateClose, PrivateOpen, Unblock};
pub use rooms::{Focus, Members, RoomCreate, RoomInvite, RoomJoin, RoomLeave, Rooms, Say, Unfocus};

use Bulk::{Large, Small};
use Turn::{InOrder, Later, Receipt};

use super::limits::FILES_PER_REQUEST;
use super::line::pointer_at;
use super::vocabulary::{requests, vocabulary};
use super::{ErrorCode, Failure};

vocabulary! {
    /// A request.
    #[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
    pub enum Request: Conduct {
        /// Enter the hub under a name.
        Register(Register) = "register", [InOrder, Small], r#"{"name":"erin"}"#;
        /// Prove with a password who you are, and enter the hub.
        #[command(override_usage = "login <NAME>")]
        Login(Login) = "login", [Later("the check of the password"), Small], r#"{"name":"erin","password":"correct horse"}"#;
        /// Leave the table with all offers; the program keeps running.
        Dereg(Dereg) = "dereg", [InOrder, Small], r#"{}"#;
        /// Come back after `dereg`, with the same name and offers.
        Rereg(Rereg) = "rereg", [InOrder, Small], r#"{}"#;
        /// Show every client of this run of the hub, present and gone.
        Status(Status) = "status", [InOrder, Large], r#"{}"#;
        /// Show who is there, or who has been.
        #[command(aliases = ["whoelse", "whoelsesince", "ATU"])]
        Who(Who) = "who", [InOrder, Large], r#"{"since":600}"#;
        /// Choose the folder to offer files from.
        Setdir(Setdir) = "setdir", [InOrder, Small], r#"{"dir":"music"}"#;
        /// Offer files of the folder, or whole folders in it, to everybody.
        Offer(Offer) = "offer", [Later("hashing and, with `keep`, the hub's copy"), Large], r#"{"files":["notes.txt","albums"],"watch":true}"#;
        /// Take offers back.
        Withdraw(Withdraw) = "withdraw", [InOrder, Large], r#"{"files":["notes.txt"]}"#;
        /// Show what is offered.
        List(List) = "list", [InOrder, Large], r#"{"owner":"erin"}"#;
        /// Show who has files of a name or of a hash.
        #[command(alias = "searchFile")]
        Search(Search) = "search", [InOrder, Large], r#"{"text":"notes"}"#;
        /// Show who has which chunks of a file.
        #[command(alias = "searchChunk")]
        Chunks(Chunks) = "chunks", [InOrder, Large], r#"{"file":"song.ogg","chunks":[0,4,7]}"#;
        /// Fetch a file, or a folder, straight from everybody who has it.
        #[command(aliases = ["request", "download"])]
        Get(Get) = "get", [Later("the file"), Small], r#"{"file":"notes.txt","from":"erin"}"#;
        /// Offer a file to one person, who accepts or declines it.
        #[command(alias = "UDP")]
        Push(Push) = "push", [Later("its receiver"), Small], r#"{"file":"report.pdf","to":"erin"}"#;
        /// Take a file that was pushed to us.
        Accept(Accept) = "accept", [Later("the file"), Small], r#"{"push":3}"#;
        /// Do not take a file that was pushed to us.
        Decline(Decline) = "decline", [InOrder, Small], r#"{"push":3}"#;
        /// Show the transfers that are under way or waiting.
        Transfers(Transfers) = "transfers", [InOrder, Large], r#"{}"#;
        /// Stop a transfer, take back a push, or decline one; what has arrived is kept for the next time.
        Cancel(Cancel) = "cancel", [InOrder, Small], r#"{"transfer":3}"#;
        /// Send somebody a message; it is kept until they have it.
        Message(Message) = "message", [Receipt("the receiver's client, if that is there"), Small], r#"{"to":"erin","text":"soup is ready"}"#;
        /// Send a message to everybody who is there.
        #[command(alias = "BCM")]
        Broadcast(Broadcast) = "broadcast", [InOrder, Small], r#"{"text":"soup is ready"}"#;
        /// Open a direct connection to somebody.
        #[command(alias = "startprivate")]
        PrivateOpen(PrivateOpen) = "private-open", [Later("the other client"), Small], r#"{"to":"erin"}"#;
        /// Send a message straight to somebody, past the hub.
        #[command(alias = "send")]
        Private(Private) = "private", [Later("the other client"), Small], r#"{"to":"erin","text":"between us"}"#;
        /// Close a direct connection.
        #[command(alias = "stopprivate")]
        PrivateClose(PrivateClose) = "private-close", [InOrder, Small], r#"{"to":"erin"}"#;
        /// See no more messages of somebody, who does not learn of it.
        Block(Block) = "block", [InOrder, Small], r#"{"name":"mallory"}"#;
        /// See somebody's messages again.
        Unblock(Unblock) = "unblock", [InOrder, Small], r#"{"name":"mallory"}"#;
        /// Show whom you block.
        Blocks(Blocks) = "blocks", [InOrder, Large], r#"{}"#;
        /// Show what has been said.
        #[command(alias = "RDM")]
        History(History) = "history", [Later("the hub's store"), Large], r#"{"room":"kitchen","since":"10m","limit":20}"#;
        /// Make a room, with these members or for everybody.
        #[command(aliases = ["create_group", "SRB"])]
        RoomCreate(RoomCreate) = "room-create", [InOrder, Large], r#"{"room":"kitchen","members":["erin"],"access":"invite"}"#;
        /// Show the rooms.
        #[command(alias = "list_groups")]
        Rooms(Rooms) = "rooms", [InOrder, Large], r#"{}"#;
        /// Become a member of a room.
        #[command(alias = "join_group")]
        RoomJoin(RoomJoin) = "room-join", [InOrder, Large], r#"{"room":"kitchen"}"#;
        /// Make others members of a room.
        RoomInvite(RoomInvite) = "room-invite", [InOrder, Large], r#"{"room":"kitchen","members":["dora"]}"#;
        /// Leave a room for good.
        #[command(alias = "leave_group")]
        RoomLeave(RoomLeave) = "room-leave", [InOrder, Small], r#"{"room":"kitchen"}"#;
        /// Show who is in a room.
        #[command(alias = "list_members")]
        Members(Members) = "members", [InOrder, Large], r#"{"room":"kitchen"}"#;
        /// Say something in a room.
        #[command(aliases = ["send_group", "SRM"])]
        Say(Say) = "say", [InOrder, Small], r#"{"room":"kitchen","text":"soup is ready"}"#;
        /// Hear only one room until `unfocus`; other messages wait.
        Focus(Focus) = "focus", [InOrder, Small], r#"{"room":"kitchen"}"#;
        /// Hear everything again, what has waited first.
        Unfocus(Unfocus) = "unfocus", [InOrder, Small], r#"{}"#;
        /// Answer when everything asked before is done.
        Wait(Wait) = "wait", [Later("all that was asked before it"), Small], r#"{}"#;
        /// Show what can be asked, or how one request is written.
        Help(Help) = "help", [InOrder, Large], r#"{"command":"get"}"#;
        /// Finish what was asked, leave the hub and end.
        #[command(aliases = ["exit", "logout", "OUT"])]
        Quit(Quit) = "quit", [Later("all that was asked before it"), Small], r#"{}"#;
    }
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
        /// Your own name: for whoever is used to say it. Anybody else's is an error.
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
        /// Everybody who was here within so many seconds, too.
        #[arg(long, value_name = "SECONDS")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<u64>,
        /// Only who came after this number.
        #[arg(long, value_name = "NUMBER")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        /// Everybody but you.
        #[arg(long)]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        others: bool,
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

/// Whether one request may name so many files.
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
