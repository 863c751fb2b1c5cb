//! A state without its past, as it is written down: what a hub that joins later, or reads a log from the middle, begins
//! with.
//!
//! It is JSON with a version. Fields are added with a default and never change their meaning; what cannot be said so gets
//! a new version.

use serde::{Deserialize, Serialize};

use super::State;
use super::blocks::Blocks;
use super::mail::{Mail, MailRows};
use super::names::{Names, Owned};
use super::rooms::{RoomRows, Rooms};
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, Failure};

/// The version of the form that this program writes.
const VERSION: u32 = 1;

/// A state without its past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    version: u32,
    names: Vec<Owned>,
    blocks: Vec<(NameKey, NameKey)>,
    rooms: RoomRows,
    mail: MailRows,
}

impl State {
    /// What there is, without how it came to be.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            version: VERSION,
            names: self.names.rows(),
            blocks: self.blocks.rows(),
            rooms: self.rooms.rows(),
            mail: self.mail.rows(),
        }
    }

    /// The state that a snapshot was taken of.
    ///
    /// # Errors
    /// `store-failed` if a newer program has written it.
    pub fn restore(snapshot: Snapshot) -> Result<Self, Failure> {
        let Snapshot { version, names, blocks, rooms, mail } = snapshot;
        if version != VERSION {
            let message = format!("The snapshot has version {version}; this potluck knows {VERSION}.");
            return Err(Failure::new(ErrorCode::StoreFailed, message).hint("Use the newer potluck that wrote it."));
        }
        Ok(Self { names: Names::of(names), blocks: Blocks::of(&blocks), rooms: Rooms::of(rooms), mail: Mail::of(mail) })
    }
}
