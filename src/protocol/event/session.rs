//! What the session itself tells: who speaks, how it stands with the hub, and how it ends.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::vocabulary::bodies;
use crate::protocol::{At, ErrorCode, Failure, Follow, Retry, Timestamp};

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
