//! A state as one value, without the records that led to it. A hub that joins later, or a reader that starts in the
//! middle of a log, begins with it.
//!
//! Its form is JSON with a version. New fields get a default, and no field changes its meaning; any other change needs
//! a new version.

use serde::{Deserialize, Serialize};

use super::State;
use super::blocks::Blocks;
use super::copies::{Copies, CopyRows};
use super::failures::Failures;
use super::invites::Invites;
use super::mail::{Mail, MailRows};
use super::names::{Names, Owned};
use super::presence::{InUse, Roster};
use super::pushes::{Push, Pushes};
use super::rooms::{RoomRows, Rooms};
use super::table::{Listing, Table};
use super::visits::LastVisits;
use crate::protocol::invite::InviteDigest;
use crate::protocol::name::NameKey;
use crate::protocol::record::{FailureRecord, VisitRecord};
use crate::protocol::{Client, ErrorCode, Failure, PublicKey};

/// The version that this program writes, and the only one that it reads.
const VERSION: u32 = 1;

/// A state without the records that led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    version: u32,
    names: Vec<Owned>,
    blocks: Vec<(NameKey, NameKey)>,
    rooms: RoomRows,
    mail: MailRows,
    #[serde(default)]
    failures: Vec<FailureRecord>,
    #[serde(default)]
    invited: Vec<(InviteDigest, PublicKey)>,
    #[serde(default)]
    copies: CopyRows,
    #[serde(default)]
    visits: Vec<VisitRecord>,
    #[serde(flatten)]
    of_sessions: SessionRows,
}

/// What lasts as long as its sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct SessionRows {
    /// The newest revision, and the lines of the roster and the table with their own revisions.
    revision: u64,
    roster: Vec<(u64, Client)>,
    table: Vec<(u64, Listing)>,
    /// Which session has which name.
    in_use: Vec<(NameKey, InUse)>,
    generations: u64,
    /// The number of the newest push, and the pushes.
    last_push: u64,
    pushes: Vec<(u64, Push)>,
}

impl State {
    /// The state as one value.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            version: VERSION,
            names: self.names.rows(),
            blocks: self.blocks.rows(),
            rooms: self.rooms.rows(),
            mail: self.mail.rows(),
            failures: self.failures.rows(),
            invited: self.invites.rows(),
            copies: self.copies.rows(),
            visits: self.visits.rows(),
            of_sessions: SessionRows {
                revision: self.revision,
                roster: self.roster.rows(),
                table: self.table.rows(),
                in_use: self.roster.in_use(),
                generations: self.roster.generations(),
                last_push: self.pushes.last(),
                pushes: self.pushes.rows(),
            },
        }
    }

    /// The state from which a snapshot was taken.
    ///
    /// # Errors
    /// `store-failed` if the snapshot has another version.
    pub fn restore(snapshot: Snapshot) -> Result<Self, Failure> {
        let Snapshot { version, names, blocks, rooms, mail, failures, invited, copies, visits, of_sessions } = snapshot;
        let SessionRows { revision, roster, table, in_use, generations, last_push, pushes } = of_sessions;
        if version != VERSION {
            let message = format!("The snapshot has version {version}; this potluck knows {VERSION}.");
            return Err(Failure::new(ErrorCode::StoreFailed, message).hint("Use the newer potluck that wrote it."));
        }
        Ok(Self {
            names: Names::of(names),
            blocks: Blocks::of(&blocks),
            rooms: Rooms::of(rooms),
            mail: Mail::of(mail),
            failures: Failures::of(failures),
            invites: Invites::of(invited),
            copies: Copies::of(copies),
            visits: LastVisits::of(visits),
            roster: Roster::of(&roster, in_use, generations),
            table: Table::of(table),
            pushes: Pushes::of(last_push, pushes),
            revision,
        })
    }
}
