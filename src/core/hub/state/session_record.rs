//! What is so only for as long as the sessions are here that say it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::copies::Wish;
use super::presence::InUse;
use super::pushes::{Push, PushEnd};
use super::table::Owner;
use crate::protocol::name::NameKey;
use crate::protocol::types::Content;
use crate::protocol::{Client, Timestamp};

/// A change that is applied and replayed like a [`Record`](crate::protocol::Record), and not stored: it goes with its
/// session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum SessionRecord {
    /// A session has a name from now on, or is connected anew: nobody else has it.
    Held {
        /// The name.
        name_key: NameKey,
        /// Which session, and the how manieth time that is.
        by: InUse,
    },
    /// A session has left its name, with all that it offered.
    Freed {
        /// The name.
        name_key: NameKey,
    },
    /// Somebody has come, or their line in the roster has changed.
    Here {
        /// The line.
        client: Client,
    },
    /// Somebody is gone.
    Left {
        /// Their name.
        name: String,
        /// When.
        closed: Timestamp,
    },
    /// Something is offered, or offered otherwise than before.
    Listed {
        /// Whose it is.
        owner: Arc<str>,
        /// Who serves it.
        server: Owner,
        /// What it is.
        content: Arc<Content>,
    },
    /// A file is for somebody.
    Pushed {
        /// Its number, higher than all before.
        number: u64,
        /// What it is.
        push: Push,
    },
    /// Whoever a file is for has accepted it; or it waits again.
    PushTaken {
        /// Its number.
        number: u64,
        /// Their session, if somebody has.
        taker: Option<u64>,
    },
    /// A file is not for anybody any more: it was declined or taken back, or has arrived.
    PushGone {
        /// Its number.
        number: u64,
        /// Why.
        why: PushEnd,
    },
    /// Somebody wishes that the hub keeps a copy of what they offer.
    CopyWished {
        /// Who.
        owner: NameKey,
        /// The content.
        wish: Wish,
    },
    /// Nobody wishes that copy any more, or it is there.
    CopyUnwished {
        /// Whose it was.
        owner: NameKey,
        /// Which.
        file: String,
    },
    /// Something is not offered any more.
    Unlisted {
        /// Whose it was.
        owner: Arc<str>,
        /// The file.
        file: Arc<str>,
    },
}
