//! What can be asked of potluck: one struct for each request.
//!
//! A struct is at once the JSON form (serde), the schema (schemars) and the human syntax with its
//! help (clap). Its doc comments are the help texts.

use clap::Subcommand;

mod files;
mod people;
mod rooms;

pub use files::{Accept, Cancel, Chunks, Decline, Get, List, Offer, Push, Search, Setdir, Transfers, Withdraw};
pub use people::{Block, Blocks, Broadcast, History, Login, Message, Private, PrivateClose, PrivateOpen, Unblock};
pub use rooms::{Focus, Members, RoomCreate, RoomInvite, RoomJoin, RoomLeave, Rooms, Say, Unfocus};

use super::limits::FILES_PER_REQUEST;
use super::line::pointer_at;
use super::vocabulary::{requests, vocabulary};
use super::{ErrorCode, Failure};

vocabulary! {
    /// A request.
    #[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
    pub enum Request {
        /// Enter the hub under a name.
        Register(Register) = "register", r#"{"name":"erin"}"#;
        /// Prove with a password who you are, and enter the hub.
        Login(Login) = "login", r#"{"name":"erin","password":"correct horse"}"#;
        /// Leave the table with all offers; the program keeps running.
        Dereg(Dereg) = "dereg", r#"{}"#;
        /// Come back after `dereg`, with the same name and offers.
        Rereg(Rereg) = "rereg", r#"{}"#;
        /// Show every client of this run of the hub, present and gone.
        Status(Status) = "status", r#"{}"#;
        /// Show who is there, or who has been.
        #[command(aliases = ["whoelse", "ATU"])]
        Who(Who) = "who", r#"{"since":600}"#;
        /// Choose the folder to offer files from.
        Setdir(Setdir) = "setdir", r#"{"dir":"music"}"#;
        /// Offer files of the folder, or whole folders in it, to everybody.
        Offer(Offer) = "offer", r#"{"files":["notes.txt","albums"],"watch":true}"#;
        /// Take offers back.
        Withdraw(Withdraw) = "withdraw", r#"{"files":["notes.txt"]}"#;
        /// Show what is offered.
        List(List) = "list", r#"{"owner":"erin"}"#;
        /// Show who has files of a name or of a hash.
        #[command(alias = "searchFile")]
        Search(Search) = "search", r#"{"text":"notes"}"#;
        /// Show who has which chunks of a file.
        #[command(alias = "searchChunk")]
        Chunks(Chunks) = "chunks", r#"{"file":"song.ogg","chunks":[0,4,7]}"#;
        /// Fetch a file, or a folder, straight from everybody who has it.
        #[command(aliases = ["request", "download"])]
        Get(Get) = "get", r#"{"file":"notes.txt","from":"erin"}"#;
        /// Offer a file to one person, who accepts or declines it.
        #[command(alias = "UDP")]
        Push(Push) = "push", r#"{"file":"report.pdf","to":"erin"}"#;
        /// Take a file that was pushed to us.
        Accept(Accept) = "accept", r#"{"push":3}"#;
        /// Do not take a file that was pushed to us.
        Decline(Decline) = "decline", r#"{"push":3}"#;
        /// Show the transfers that are under way or waiting.
        Transfers(Transfers) = "transfers", r#"{}"#;
        /// Stop a transfer or take back a push; what has arrived is kept for the next time.
        Cancel(Cancel) = "cancel", r#"{"transfer":3}"#;
        /// Send somebody a message; it is kept until they have it.
        Message(Message) = "message", r#"{"to":"erin","text":"soup is ready"}"#;
        /// Send a message to everybody who is there.
        #[command(alias = "BCM")]
        Broadcast(Broadcast) = "broadcast", r#"{"text":"soup is ready"}"#;
        /// Open a direct connection to somebody.
        #[command(alias = "startprivate")]
        PrivateOpen(PrivateOpen) = "private-open", r#"{"to":"erin"}"#;
        /// Send a message straight to somebody, past the hub.
        #[command(alias = "send")]
        Private(Private) = "private", r#"{"to":"erin","text":"between us"}"#;
        /// Close a direct connection.
        #[command(alias = "stopprivate")]
        PrivateClose(PrivateClose) = "private-close", r#"{"to":"erin"}"#;
        /// See no more messages of somebody, who does not learn of it.
        Block(Block) = "block", r#"{"name":"mallory"}"#;
        /// See somebody's messages again.
        Unblock(Unblock) = "unblock", r#"{"name":"mallory"}"#;
        /// Show whom you block.
        Blocks(Blocks) = "blocks", r#"{}"#;
        /// Show what has been said.
        History(History) = "history", r#"{"room":"kitchen","since":"10m","limit":20}"#;
        /// Make a room, with these members or for everybody.
        #[command(alias = "create_group")]
        RoomCreate(RoomCreate) = "room-create", r#"{"room":"kitchen","members":["erin"],"access":"invite"}"#;
        /// Show the rooms.
        #[command(alias = "list_groups")]
        Rooms(Rooms) = "rooms", r#"{}"#;
        /// Become a member of a room.
        #[command(alias = "join_group")]
        RoomJoin(RoomJoin) = "room-join", r#"{"room":"kitchen"}"#;
        /// Make others members of a room.
        RoomInvite(RoomInvite) = "room-invite", r#"{"room":"kitchen","members":["dora"]}"#;
        /// Leave a room for good.
        #[command(alias = "leave_group")]
        RoomLeave(RoomLeave) = "room-leave", r#"{"room":"kitchen"}"#;
        /// Show who is in a room.
        #[command(alias = "list_members")]
        Members(Members) = "members", r#"{"room":"kitchen"}"#;
        /// Say something in a room.
        #[command(aliases = ["send_group", "SRM"])]
        Say(Say) = "say", r#"{"room":"kitchen","text":"soup is ready"}"#;
        /// Hear only one room until `unfocus`; other messages wait.
        Focus(Focus) = "focus", r#"{"room":"kitchen"}"#;
        /// Hear everything again, what has waited first.
        Unfocus(Unfocus) = "unfocus", r#"{}"#;
        /// Answer when everything asked before is done.
        Wait(Wait) = "wait", r#"{}"#;
        /// Show what can be asked, or how one request is written.
        Help(Help) = "help", r#"{"command":"get"}"#;
        /// Finish what was asked, leave the hub and end.
        #[command(aliases = ["exit", "logout", "OUT"])]
        Quit(Quit) = "quit", r#"{}"#;
    }
}

requests! {
    /// Enter the hub under a name.
    Register {
        /// 1 to 32 letters, digits, `_`, `-` or `.`.
        name: String,
    }
    /// Leave the table.
    Dereg {}
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
