//! The requests about parcels: files that go from one to another by a short code.

use crate::protocol::OnConflict;
use crate::protocol::vocabulary::requests;

requests! {
    /// Send files, folders or a text to whoever is told the code. Answers when as many as may have it have everything.
    #[derive(Default)]
    ParcelSend {
        /// The files and folders: absolute, or relative to where potluck runs.
        #[arg(value_name = "PATH", required_unless_present = "text")]
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paths: Vec<String>,
        /// A text, in place of files.
        #[arg(long, conflicts_with = "paths")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The one file is a stream without a name of its own, which receivers may write to their standard output.
        #[arg(long, conflicts_with = "text")]
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stream: bool,
        /// How many may have it, from 1 to 64; one, if nothing is said.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=64))]
        #[schemars(range(min = 1, max = 64))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        times: Option<u64>,
        /// For how long the code is good, such as 2h; a number alone is in seconds. As long as this program runs, if nothing is said.
        #[arg(long, value_name = "SPAN")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    }
    /// Fetch what somebody sends under a short code.
    ParcelReceive {
        /// The code, such as 8-crossover-clockwork.
        code: String,
        /// Where to put it, in the download folder: a file's name, or with several a folder's.
        #[arg(long, value_name = "NAME")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// What happens if a file exists already.
        #[arg(long, value_enum, value_name = "WHAT")]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on_conflict: Option<OnConflict>,
    }
}
