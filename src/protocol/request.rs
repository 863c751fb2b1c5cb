//! What can be asked of potluck: one struct for each request.
//!
//! A struct is at once the JSON form (serde), the schema (schemars) and the human syntax with its
//! help (clap). Its doc comments are the help texts.

use clap::{Args, Subcommand};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::FILES_PER_REQUEST;
use super::line::pointer_at;
use super::transfer::OnConflict;
use super::vocabulary::vocabulary;
use super::{ErrorCode, Failure};

vocabulary! {
    /// A request.
    #[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
    pub enum Request {
        /// Enter the hub under a name.
        Register(Register) = "register", r#"{"name":"erin"}"#;
        /// Leave the table with all offers; the program keeps running.
        Dereg(Dereg) = "dereg", r#"{}"#;
        /// Come back after `dereg`, with the same name and offers.
        Rereg(Rereg) = "rereg", r#"{}"#;
        /// Show every client of this run of the hub, present and gone.
        Status(Status) = "status", r#"{}"#;
        /// Show who is there.
        Who(Who) = "who", r#"{}"#;
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
        /// Answer when everything asked before is done.
        Wait(Wait) = "wait", r#"{}"#;
        /// Show what can be asked, or how one request is written.
        Help(Help) = "help", r#"{"command":"get"}"#;
        /// Finish what was asked, leave the hub and end.
        #[command(aliases = ["exit", "logout", "OUT"])]
        Quit(Quit) = "quit", r#"{}"#;
    }
}

/// Enter the hub under a name.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// 1 to 32 letters, digits, `_`, `-` or `.`.
    pub name: String,
}

/// Leave the table.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dereg {}

/// Come back after `dereg`.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rereg {}

/// Show every client of this run of the hub.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {}

/// Show who is there.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Who {}

/// Choose the folder to offer files from.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setdir {
    /// An existing folder. Files offered from another folder before stay offered.
    pub dir: String,
}

/// Offer files of the folder to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Names relative to the folder of `setdir`. All are offered, or none.
    #[arg(required = true, value_name = "FILE")]
    #[schemars(length(min = 1, max = 8192))]
    pub files: Vec<String>,
    /// Cut each file into at most this many chunks.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16384))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16384))]
    pub chunks: Option<u32>,
}

/// Take offers back.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// Names as they were offered. All are withdrawn, or none.
    #[arg(required = true, value_name = "FILE")]
    #[schemars(length(min = 1, max = 8192))]
    pub files: Vec<String>,
}

/// Show what is offered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Only what this person offers.
    #[arg(long, value_name = "NAME")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only files whose name contains this text, without regard to case.
    #[arg(long = "match", value_name = "TEXT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#match: Option<String>,
}

/// Fetch a file straight from its owner.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The file as `list` shows it.
    pub file: String,
    /// Fetch what this person offers; without it, all offers of that name must be of the same content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[arg(value_name = "OWNER")]
    pub from: Option<String>,
    /// Save under this name, relative to the download folder.
    #[arg(long, value_name = "NAME")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What to do if a file of that name exists.
    #[arg(long, value_enum, value_name = "WHAT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_conflict: Option<OnConflict>,
}

/// Show the transfers that are under way.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfers {}

/// Stop a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Its number, as `transfers` shows it.
    pub transfer: u64,
}

/// Answer when everything asked before is done.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {}

/// Show what can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Help {
    /// The request to explain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// Finish what was asked, leave the hub and end.
#[derive(Debug, Clone, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quit {
    /// Do not finish: transfers under way are broken off.
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub now: bool,
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
