//! Events about parcels: files that go from one to another by a short code.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::parcel::ParcelKind;
use crate::protocol::vocabulary::bodies;
use crate::protocol::{PublicKey, Timestamp};

bodies! {
    /// A parcel can be fetched by whoever is told its code.
    ParcelReady {
        /// The number of its transfer, for `cancel`.
        transfer: u64,
        /// The code. Whoever knows it can have the parcel; one wrong guess makes it void.
        code: String,
        /// Where the receiver finds the code, as `HOST:PORT`.
        hub: String,
        /// What it is.
        kind: ParcelKind,
        /// Its name.
        name: String,
        /// How many files are in it.
        files: u64,
        /// The size of all of them, in bytes.
        size: u64,
        /// How many may have it.
        times: u64,
        /// Until when, if that is limited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Whether it goes on under the code that it had before the program was killed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    }
    /// Somebody has typed the code right, and fetches the parcel.
    ParcelClaimed {
        /// The number of the transfer.
        transfer: u64,
        /// The receiver's key.
        key: PublicKey,
        /// Whether they come back, having had a part of it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    }
    /// A receiver has left without having everything. The same code goes on for them, as long as the sender waits.
    ParcelLeft {
        /// The number of the transfer.
        transfer: u64,
        /// The receiver's key.
        key: PublicKey,
        /// Whether their connection to the hub was lost, and they did not end it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        gone: bool,
    }
    /// A receiver has everything, on disk.
    ParcelDelivered {
        /// The number of the transfer.
        transfer: u64,
        /// The receiver's key.
        key: PublicKey,
        /// How many more may have it.
        left: u64,
    }
    /// As many as may have the parcel have it, or its time is over and at least one has it.
    ParcelSent {
        /// The number of the transfer.
        transfer: u64,
        /// Its name.
        name: String,
        /// How many files are in it.
        files: u64,
        /// The size of all of them, in bytes.
        size: u64,
        /// How many have it.
        times: u64,
    }
    /// The code was right: this is what its sender gives. It is fetched now.
    ParcelFound {
        /// What it is.
        kind: ParcelKind,
        /// Its name: that of its file or folder, or of the first and how many more.
        name: String,
        /// How many files are in it.
        files: u64,
        /// The size of all of them, in bytes.
        size: u64,
        /// The sender's key.
        key: PublicKey,
    }
    /// A parcel is here: every byte was verified, and its sender knows that it has arrived.
    ParcelReceived {
        /// What it is.
        kind: ParcelKind,
        /// Its name: that of its file or folder, or of the first and how many more.
        name: String,
        /// How many files were in it.
        files: u64,
        /// The size of all of them, in bytes.
        size: u64,
        /// Where it is: a file, or the folder with everything. Nothing for a text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// The text, if it is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    }
}
