//! What can be asked of potluck: one struct for each request.
//!
//! A struct is at once the JSON form (serde), the schema (schemars) and the human syntax with its
//! help (clap). Its doc comments are the help texts.

use clap::Subcommand;

mod people;
mod rooms;

pub use people::{Block, Blocks, Broadcast, History, Login, Message, Private, PrivateClose, PrivateOpen, Unblock};
pub use rooms::{Focus, Members, RoomCreate, RoomInvite, RoomJoin, RoomLeave, Rooms, Say, Unfocus};

use super::limits::FILES_PER_REQUEST;
use super::line::pointer_at;
use super::transfer::OnConflict;
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
        /// Offer files of the folder to everybody.
        Offer(Offer) = "offer", r#"{"files":["notes.txt","song.ogg"]}"#;
        /// Take offers back.
        Withdraw(Withdraw) = "withdraw", r#"{"files":["notes.txt"]}"#;
        /// Show what is offered.
        List(List) = "list", r#"{"owner":"erin"}"#;
        /// Fetch a file straight from its owner.
        #[command(alias = "request")]
        Get(Get) = "get", r#"{"file":"notes.txt","from":"erin"}"#;
        /// Show the transfers that are under way.
        Transfers(Transfers) = "transfers", r#"{}"#;
        /// Stop a transfer; what has arrived is kept for the next time.
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
    }
    /// Choose the folder to offer files from.
    Setdir {
        /// An existing folder. Files offered from another folder before stay offered.
        dir: String,
    }
    /// Offer files of the folder to everybody.
    Offer {
        /// Names relative to the folder of `setdir`. All are offered, or none.
        #[arg(required = true, value_name = "FILE")]
        #[schemars(length(min = 1, max = 8192))]
        files: Vec<String>,
        /// Cut each file into at most this many chunks.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16384))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 16384))]
        chunks: Option<u32>,
    }
    /// Take offers back.
    Withdraw {
        /// Names as they were offered. All are withdrawn, or none.
        #[arg(required = true, value_name = "FILE")]
        #[schemars(length(min = 1, max = 8192))]
        files: Vec<String>,
    }
    /// Show what is offered.
    #[derive(Default)]
    List {
        /// Only what this person offers.
        #[arg(long, value_name = "NAME")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// Only files whose name contains this text, without regard to case.
        #[arg(long = "match", value_name = "TEXT")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        r#match: Option<String>,
    }
    /// Fetch a file straight from its owner.
    Get {
        /// The file as `list` shows it.
        file: String,
        /// Fetch what this person offers; without it, all offers of that name must be of the same content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[arg(value_name = "OWNER")]
        from: Option<String>,
        /// Save under this name, relative to the download folder.
        #[arg(long, value_name = "NAME")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// What to do if a file of that name exists.
        #[arg(long, value_enum, value_name = "WHAT")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_conflict: Option<OnConflict>,
    }
    /// Show the transfers that are under way.
    Transfers {}
    /// Stop a transfer.
    Cancel {
        /// Its number, as `transfers` shows it.
        transfer: u64,
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
