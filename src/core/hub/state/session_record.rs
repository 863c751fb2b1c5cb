//! The records of what lasts only as long as a session.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::copies::Wish;
use super::presence::InUse;
use super::pushes::{Push, PushEnd};
use super::table::Owner;
use crate::protocol::name::NameKey;
use crate::protocol::types::Content;
use crate::protocol::{Client, Timestamp};

/// A change that is applied and replayed like a [`Record`](crate::protocol::Record), but not stored, because it ends
/// with its session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum SessionRecord {
    /// A session has a name from now on, or is connected anew: nobody else has it.
    Held {
        /// The name.
        name_key: NameKey,
        /// Which session, and its generation.
        by: InUse,
    },
    /// A session has left its name, with all that it offered.
    Freed {
        /// The name.
        name_key: NameKey,
    },
    /// A client has entered, or its line in the roster has changed.
    Here {
        /// Its line in the roster.
        client: Client,
    },
    /// A client has left the roster.
    Left {
        /// Its name.
        name: String,
        /// When it left.
        closed: Timestamp,
    },
    /// A file is offered, or its offer has changed.
    Listed {
        /// The owner's name.
        owner: Arc<str>,
        /// Who serves the file.
        server: Owner,
        /// The file's name and content.
        content: Arc<Content>,
    },
    /// A client pushes a file to a person.
    Pushed {
        /// The push's number, higher than all before.
        number: u64,
        /// The push.
        push: Push,
    },
    /// The receiver has accepted a push, or could not fetch it, so that it waits again.
    PushTaken {
        /// The push's number.
        number: u64,
        /// The session that has accepted it; `None` if it waits again.
        taker: Option<u64>,
    },
    /// A push is gone: it was declined or taken back, or the file has arrived.
    PushGone {
        /// The push's number.
        number: u64,
        /// Why.
        why: PushEnd,
    },
    /// A client wishes the hub to keep a copy of its offer.
    CopyWished {
        /// The client's name.
        owner: NameKey,
        /// The content, and who is told of it.
        wish: Wish,
    },
    /// The wish is gone: it was fulfilled, or the client does not have it any more.
    CopyUnwished {
        /// The client's name.
        owner: NameKey,
        /// The file's name.
        file: String,
    },
    /// A file is not offered any more.
    Unlisted {
        /// The owner's name.
        owner: Arc<str>,
        /// The file's name.
        file: Arc<str>,
    },
}
