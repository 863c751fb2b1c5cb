//! The requests about files.

use crate::protocol::transfer::OnConflict;
use crate::protocol::vocabulary::requests;

requests! {
    /// Choose the folder to offer files from.
    Setdir {
        /// An existing folder. Files offered from another folder before stay offered.
        dir: String,
    }
    /// Offer files of the folder, or whole folders in it, to everybody.
    #[derive(Default)]
    Offer {
        /// Names relative to the folder of `setdir`; a folder stands for all that is in it, `.` for all there is. All are
        /// offered, or none. Links are not followed.
        #[arg(required = true, value_name = "FILE|DIR")]
        #[schemars(length(min = 1, max = 8192))]
        files: Vec<String>,
        /// Cut each file into at most this many chunks.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16384))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 16384))]
        chunks: Option<u32>,
        /// Offer hidden files in folders, too: those whose name starts with a dot.
        #[arg(long)]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        hidden: bool,
        /// Ask the hub to keep a copy, which others can fetch when you have left.
        #[arg(long)]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        keep: bool,
        /// Keep watching these folders, and offer new files in them automatically.
        #[arg(long)]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        watch: bool,
    }
    /// Take offers back.
    Withdraw {
        /// Names as they were offered, `DIR/` for all below a folder. All are withdrawn, or none.
        #[arg(required = true, value_name = "FILE|DIR/")]
        #[schemars(length(min = 1, max = 8192))]
        files: Vec<String>,
    }
    /// Show what is offered.
    #[derive(Default)]
    List {
        /// Show only what this person offers.
        #[arg(long, value_name = "NAME")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// Show only files whose name contains this text, in upper or lower case.
        #[arg(long = "match", value_name = "TEXT")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        r#match: Option<String>,
        /// Continue after this offer: the `next` of the answer before.
        #[arg(long, value_name = "FILE/OWNER")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// Show at most this many offers.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16384))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 16384))]
        limit: Option<u32>,
    }
    /// Show who has files of a name or of a hash.
    #[derive(Default)]
    Search {
        /// A part of the name, without regard to case, or the first 8 or more digits of the hash.
        #[schemars(length(min = 1, max = 1024))]
        text: String,
        /// Continue after this file: the `next` of the answer before.
        #[arg(skip)]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// Show at most this many files.
        #[arg(skip)]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 200))]
        limit: Option<u32>,
    }
    /// Show who has which chunks of a file.
    Chunks {
        /// The file as `list` shows it.
        file: String,
        /// Show only who has some of these chunks, counted from 0.
        #[arg(value_name = "N")]
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[schemars(length(max = 16384))]
        chunks: Vec<u32>,
        /// The file that this person offers or has fetched; without it, all offers of that name must be of the same
        /// content.
        #[arg(long, value_name = "NAME")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    }
    /// Fetch a file, or a folder, straight from everybody who has it.
    Get {
        /// The file as `list` shows it, or `DIR/` for all that is offered below a folder.
        #[arg(value_name = "FILE|DIR/")]
        file: String,
        /// Fetch what this person offers; without it, all offers of that name must be of the same content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[arg(value_name = "OWNER")]
        from: Option<String>,
        /// Fetch only these chunks, counted from 0; they end in their places.
        #[arg(long, value_name = "N", num_args = 1..)]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(min = 1, max = 16384))]
        chunks: Option<Vec<u32>>,
        /// Save under this name, relative to the download folder.
        #[arg(long, value_name = "NAME")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// What to do if a file of that name exists.
        #[arg(long, value_enum, value_name = "WHAT")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_conflict: Option<OnConflict>,
    }
    /// Offer a file to one person.
    Push {
        /// The file, relative to the folder of `setdir`, or to where potluck was started if none has been chosen.
        file: String,
        /// The person who may fetch it. They see its name without its folders.
        #[arg(value_name = "USER")]
        to: String,
    }
    /// Take a file that was pushed to us.
    Accept {
        /// The push's number, as `push-offered` and `transfers` tell it.
        push: u64,
        /// Save under this name, relative to the download folder.
        #[arg(long, value_name = "NAME")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// What to do if a file of that name exists.
        #[arg(long, value_enum, value_name = "WHAT")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_conflict: Option<OnConflict>,
    }
    /// Do not take a file that was pushed to us.
    Decline {
        /// The push's number, as `push-offered` and `transfers` tell it.
        push: u64,
    }
    /// Show the transfers that are under way or waiting.
    Transfers {}
    /// Stop a transfer, take back a push, or decline one.
    Cancel {
        /// Its number, as `transfers` shows it.
        transfer: u64,
    }
}

impl Get {
    /// Fetches a whole file, or a folder (`DIR/`), from all who have it.
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), from: None, chunks: None, to: None, on_conflict: None }
    }
}

impl Chunks {
    /// Asks for all chunks of a file, whoever offers it.
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), chunks: Vec::new(), from: None }
    }
}

impl Accept {
    /// Accepts the push of this number.
    pub fn new(push: u64) -> Self {
        Self { push, to: None, on_conflict: None }
    }
}
