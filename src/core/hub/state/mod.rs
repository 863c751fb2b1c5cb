//! The hub's state. One part is stored: names and their owners, blocks, rooms, mail, failed logins, used invites,
//! copies of files, and last visits. The other ends with the sessions: the roster, the table of offers, pushes, and
//! wishes for copies. There is one hub today; nothing here depends on its process, so several hubs could share this
//! state.
//!
//! The state changes only by records. [`State::apply`] takes those that are stored, [`State::apply_of_session`] those
//! that are not. Applying a record cannot fail: the methods of `decide` have checked the request before they make its
//! records. The effect of a record depends on nothing but the state: not on the version of the program, a limit, the
//! clock, or the order in which a hash map is iterated.
//!
//! So a state that was built live and one that was replayed from the same records have the same [`State::digest`]. One
//! that was loaded from the store has the digest that the live one has after [`State::begin_anew`], because the store
//! does not know the sessions.
//!
//! Each part owns its fields and does not know the others. If a part needs a fact of another, `State` passes it as an
//! argument.

mod attendance;
mod blocks;
mod copies;
pub(super) mod decide;
mod failures;
mod hashed;
mod invites;
mod lookups;
mod mail;
mod mailbox;
mod names;
mod presence;
mod pushes;
mod rooms;
mod search_index;
mod session_record;
mod share;
mod snapshot;
mod table;
mod visits;

pub(super) use attendance::Attendance;
pub(super) use copies::{Body, CopyKey, Wish, body};
pub(super) use decide::{
    Author, CheckedLogin, Contest, Decision, Holder, LoginRight, Notice, Outcome, Proposal, PushProposal, Terms,
    check_content, no_such_push,
};
pub(super) use presence::InUse;
pub(super) use pushes::{Push, PushEnd};
pub(super) use search_index::SearchIndex;
pub use session_record::SessionRecord;
pub use snapshot::Snapshot;
pub(super) use table::{Key, ListedOffer, Owner, key};

use blocks::Blocks;
use copies::Copies;
use failures::Failures;
use invites::Invites;
use mail::Mail;
use names::Names;
use presence::Roster;
use pushes::Pushes;
use rooms::{Membership, Room, Rooms};
use table::Table;
use visits::LastVisits;

use crate::core::digest::{Digest, combined};
use crate::protocol::Record;
use crate::protocol::record::Loaded;

/// The state of the hub; the module text says what is in it.
#[derive(Default)]
pub struct State {
    names: Names,
    blocks: Blocks,
    rooms: Rooms,
    mail: Mail,
    failures: Failures,
    invites: Invites,
    copies: Copies,
    visits: LastVisits,
    roster: Roster,
    table: Table,
    pushes: Pushes,
    /// The revision of the newest change of the roster or the table. Starts at 0 in each run.
    revision: u64,
}

impl State {
    /// The state of a hub that starts: what the store has `loaded`, and no sessions. Empties parts of `loaded`.
    pub fn load(loaded: &mut Loaded) -> Self {
        let (waiting, there) = (std::mem::take(&mut loaded.waiting), std::mem::take(&mut loaded.there));
        let mut state = Self {
            names: Names::load(&loaded.names),
            blocks: Blocks::of(&loaded.blocks),
            rooms: Rooms::load(std::mem::take(&mut loaded.rooms), loaded.last_room),
            mail: Mail::load(
                (loaded.last_message, loaded.trimmed),
                Digest::from_bytes(loaded.said),
                &loaded.names,
                waiting,
                there,
            ),
            failures: Failures::of(std::mem::take(&mut loaded.failures)),
            invites: Invites::of(std::mem::take(&mut loaded.invited)),
            copies: Copies::load(std::mem::take(&mut loaded.copies)),
            visits: LastVisits::of(std::mem::take(&mut loaded.visits)),
            ..Self::default()
        };
        state.begin_anew();
        state
    }

    /// Removes everything that ends with the sessions, as a restart of the hub does.
    pub fn begin_anew(&mut self) {
        self.mail.end_all();
        self.copies.end_all();
        (self.roster, self.table, self.pushes) = (Roster::default(), Table::default(), Pushes::default());
        self.revision = 0;
    }

    /// A hash of the whole state, with what ends with the sessions. Tests compare two states by it.
    pub fn digest(&self) -> Digest {
        let kept = [self.names.digest(), self.blocks.digest(), self.rooms.digest(), self.mail.digest()];
        let people = [self.failures.digest(), self.invites.digest(), self.copies.digest(), self.visits.digest()];
        let of_sessions = [self.roster.digest(), self.table.digest(), self.pushes.digest()];
        combined(&[combined(&kept), combined(&people), combined(&of_sessions)])
    }

    /// The names that are taken, and their owners.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Who blocks whom.
    pub(super) fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// The rooms and their members.
    pub(super) fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// The number of the newest message, and what waits for whom.
    pub(super) fn mail(&self) -> &Mail {
        &self.mail
    }

    /// The recent failed logins of each name, key and network, and who is locked out.
    pub(super) fn failures(&self) -> &Failures {
        &self.failures
    }

    /// The copies of clients' files that the hub keeps, and those that clients want it to make.
    pub(super) fn copies(&self) -> &Copies {
        &self.copies
    }

    /// The last visit of each person.
    pub(super) fn visits(&self) -> &LastVisits {
        &self.visits
    }

    /// The clients that are registered now.
    pub(super) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The table of offers: the files that clients share.
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// The files that clients have pushed to others, and that were not fetched yet.
    pub(super) fn pushes(&self) -> &Pushes {
        &self.pushes
    }

    /// The revision of the newest change of the roster or the table.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Applies a record that is not stored, because its effect ends with a session.
    pub fn apply_of_session(&mut self, record: &SessionRecord) {
        match record {
            SessionRecord::Held { name_key, by } => self.roster.hold(name_key, *by),
            SessionRecord::Freed { name_key } => {
                if let Some(session) = self.roster.free(name_key) {
                    self.table.disown(session);
                }
            }
            SessionRecord::Here { client } => {
                self.revision += 1;
                self.roster.set(self.revision, client);
            }
            SessionRecord::Left { name, closed } => {
                self.revision += 1;
                self.roster.remove(self.revision, name, *closed);
            }
            SessionRecord::Listed { owner, server, content } => {
                self.revision += 1;
                let key = self.table.key_of(&content.file, owner);
                self.table.set(self.revision, key, ListedOffer { owner: *server, content: content.clone() });
            }
            SessionRecord::Unlisted { owner, file } => {
                self.revision += 1;
                self.table.remove(self.revision, &(file.clone(), owner.clone()));
            }
            SessionRecord::Pushed { number, push } => self.pushes.add(*number, push.clone()),
            SessionRecord::PushTaken { number, taker } => self.pushes.set_taker(*number, *taker),
            SessionRecord::PushGone { number, why: _ } => self.pushes.remove(*number),
            SessionRecord::CopyWished { owner, wish } => {
                self.copies.wish((owner.clone(), wish.content.file.to_string()), wish.clone());
            }
            SessionRecord::CopyUnwished { owner, file } => self.copies.unwish(&(owner.clone(), file.clone())),
        }
    }

    /// Applies a record that is stored.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Name { name, name_key, key, credential, since: _ } => {
                if self.names.claim(name_key, name, *key, *credential) {
                    self.mail.introduce(name_key);
                }
            }
            Record::KeyForgotten { name_key, key } => self.names.remove_key(name_key, key),
            Record::Account(account) => {
                if self.names.put(account) {
                    self.mail.introduce(&account.name_key);
                }
            }
            Record::NameGone { name_key } => {
                self.names.remove(name_key);
                self.blocks.forget(name_key);
                self.rooms.forget(name_key);
                self.mail.forget(name_key);
            }
            Record::Message(message) => self.mail.said(message),
            Record::MessageAbandoned(message) => self.mail.unsaid(message),
            Record::Received { name_key, number } => self.mail.received_by(name_key, *number),
            Record::There { name_key, spans } => self.mail.attended(name_key, spans),
            Record::Block { by, whom } => self.blocks.add(by, whom),
            Record::Unblock { by, whom } => self.blocks.remove(by, whom),
            Record::Room { room, name, name_key, access, owner } => {
                let (name, name_key, access, owner) = (name.clone(), name_key.clone(), *access, owner.clone());
                self.rooms.create(*room, Room { name, name_key, access, owner });
            }
            Record::RoomGone { room } => self.rooms.close(*room),
            Record::Member { room, name_key, since, by } => {
                self.rooms.join(*room, name_key, Membership { since: *since, by: by.clone() });
            }
            Record::MemberGone { room, name_key } => self.rooms.leave(*room, name_key),
            Record::InviteSpent { digest, key } => self.invites.spend(*digest, *key),
            Record::Visit(visit) => self.visits.set(visit),
            Record::Failures(failures) => self.failures.set(failures),
            Record::Copy(copy) => self.copies.keep(copy),
            Record::CopyGone { name_key, file } => self.copies.lose(&(name_key.clone(), file.clone())),
            Record::Trim { below } => self.mail.trim(*below),
            // These are only in the store.
            Record::Answered(_) | Record::Code { .. } | Record::Invite(_) | Record::InviteRevoked { .. } => {}
        }
    }
}

#[cfg(test)]
pub(crate) mod play_tests;
#[cfg(test)]
mod tests;
