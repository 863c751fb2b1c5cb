//! Events about the session itself: its settings, its connection to the hub, its failures and its end.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::vocabulary::bodies;
use crate::protocol::{At, ErrorCode, Failure, Follow, Retry, Timestamp};

bodies! {
    /// The first line of every stream.
    Ready {
        /// The protocol of this stream: `potluck/1`.
        protocol: String,
        /// The version of the program.
        version: String,
        /// This client's name.
        name: String,
        /// The hub's address, `HOST:PORT`.
        hub: String,
        /// What this program can do. A script can read it here and need not guess from the version.
        capabilities: Vec<String>,
        /// The settings in force.
        settings: Settings,
    }
    /// The settings in force.
    Settings {
        /// The folder to offer files from, if one has been chosen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dir: Option<String>,
        /// The folder that downloads are saved in.
        downloads: String,
        /// The TCP port on which this client serves files.
        port: u16,
        /// The port, for UDP and TCP, on which this client accepts direct connections.
        #[serde(default)]
        link_port: u16,
        /// How the client connects to the hub: `auto`, `quic` or `tcp`.
        transport: String,
        /// What happens if a file to be saved exists: `fail`, `rename` or `overwrite`.
        on_conflict: String,
        /// The limit on uploads in bytes a second, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        up: Option<u64>,
        /// The limit on downloads in bytes a second, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        down: Option<u64>,
        /// The number of files or folders that are fetched at once. Further ones are queued.
        #[serde(default)]
        max_transfers: u64,
        /// The people whose pushes are accepted without asking: `all`, or names.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accept_from: Vec<String>,
        /// How this client follows the table: `none`, `changes` or `table`.
        #[serde(default)]
        follow: Follow,
        /// How this client follows the roster: `none`, `changes` or `table`.
        #[serde(default)]
        follow_roster: Follow,
    }
    /// The last line of every stream.
    Bye {
        /// Why the session ends, in a few words.
        reason: String,
        /// The exit code of the program.
        code: u8,
        /// The requests that were not finished, counted by name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        given_up: BTreeMap<String, u64>,
    }
    /// A request failed, or a line could not be understood.
    Error {
        /// The kind of failure.
        code: ErrorCode,
        /// Says what went wrong.
        message: String,
        /// Says what the user can do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// Whether sending the same request again can help.
        retry: Retry,
        /// The place of the mistake: a JSON pointer into the request, or a line of the input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<At>,
        /// The input line of the failed request, counted from 1, if the request has no `id`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<u64>,
        /// The time in milliseconds after which a retry may succeed, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait: Option<u64>,
    }
    /// The hub has registered this client under a name.
    Welcome {
        /// This client's name.
        name: String,
        /// This client's running number at this hub.
        number: u64,
        /// The newest revision of the hub.
        revision: u64,
        /// The number of clients that are there, this one included.
        clients: u64,
        /// The number of offers in the table.
        offers: u64,
        /// The number of the newest message at the hub; 0 if there is none.
        #[serde(default)]
        newest: u64,
    }
    /// This client has left the table and the roster.
    Deregistered {
        /// The name that it had.
        name: String,
        /// The number of its offers that left the table with it.
        withdrawn: u64,
    }
    /// Everything that was asked before `wait` is done.
    Waited {}
    /// The requests that can be asked.
    Help {
        /// The requests, one entry each.
        commands: Vec<CommandHelp>,
    }
    /// How one request is typed.
    CommandHelp {
        /// The name of the request.
        name: String,
        /// Its usage line.
        usage: String,
        /// Says in one sentence what it does.
        about: String,
        /// Other names for it.
        aliases: Vec<String>,
        /// Its full help, if help for this one request was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<String>,
    }
    /// The hub does not answer.
    HubLost {
        /// How the client noticed, in words.
        reason: String,
    }
    /// The hub answers again.
    HubBack {
        /// Whether the session was resumed. If not, the client has registered and offered its files again.
        resumed: bool,
        /// The time without the hub, in milliseconds.
        away: u64,
    }
    /// The program read its events too slowly: some facts were dropped.
    Gap {
        /// The time of the first dropped fact.
        from: Timestamp,
        /// The time of the last dropped fact.
        to: Timestamp,
        /// The number of dropped facts.
        dropped: u64,
    }
    /// Everything up to a revision has been told.
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
