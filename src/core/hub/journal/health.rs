//! The hub's behaviour while its store cannot write: it goes on with what needs no disk, and refuses what it could not
//! keep.
//!
//! What was decided before the trouble is not taken back. The driver tries to write it until that succeeds, in order,
//! and what waits for it is told then. New requests that need the store are refused before they change anything.
//! Records that the hub writes for itself, and of which only the newest counts, are postponed here, at most
//! [`POSTPONED`] of them.
//!
//! Only messages are given up after a while ([`PATIENCE`]): nobody has seen them yet, and their senders wait. They are
//! refused when the driver has reported that they are not on disk and will not be.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::time::Time;
use crate::protocol::name::NameKey;
use crate::protocol::record::{Record, VisitRecord};
use crate::protocol::{Failure, Timestamp, event};

/// The most records that are postponed. With more, the oldest visits are dropped first. Only reachable by abuse.
const POSTPONED: usize = 16_384;

/// Time that messages wait for a store in trouble before they are given up.
const PATIENCE: Duration = Duration::from_secs(3);

/// Milliseconds after which a refused client may ask again.
const ASK_AGAIN: u64 = 1_000;

/// Whether the store can write, and what is postponed while it cannot.
#[derive(Default)]
pub(in crate::core::hub) struct Health {
    trouble: Option<Trouble>,
    postponed: BTreeMap<Subject, Record>,
    give_up_at: Option<Time>,
}

/// Why the store cannot write, and since when: by the hub's clock and by the calendar.
struct Trouble {
    failure: Failure,
    since: Time,
    calendar: Timestamp,
}

/// What a postponed record is about. A newer record about the same replaces it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Visit(u64, u64),
    Failures(String),
    Copy(NameKey, String),
    There(NameKey),
}

/// The subject of a record that can be postponed: one for which no client waits. `None` for all others.
fn subject(record: &Record) -> Option<Subject> {
    match record {
        Record::Visit(VisitRecord { run, number, .. }) => Some(Subject::Visit(*run, *number)),
        Record::Failures(failures) => Some(Subject::Failures(failures.whom.clone())),
        Record::CopyGone { name_key, file } => Some(Subject::Copy(name_key.clone(), file.clone())),
        Record::There { name_key, .. } => Some(Subject::There(name_key.clone())),
        Record::Name { .. }
        | Record::InviteSpent { .. }
        | Record::Code { .. }
        | Record::Invite(_)
        | Record::InviteRevoked { .. }
        | Record::Account(_)
        | Record::NameGone { .. } => None,
        Record::Message(_) | Record::MessageAbandoned(_) | Record::Answered(_) | Record::Received { .. } => None,
        Record::Block { .. } | Record::Unblock { .. } | Record::KeyForgotten { .. } | Record::Copy(_) => None,
        Record::Room { .. } | Record::RoomGone { .. } | Record::Member { .. } | Record::MemberGone { .. } => None,
        Record::Trim { .. } => None,
    }
}

impl Health {
    pub(in crate::core::hub) fn is_well(&self) -> bool {
        self.trouble.is_none()
    }

    /// When messages are given up; `None` if the store is well or that has happened already.
    pub(in crate::core::hub) fn give_up_at(&self) -> Option<Time> {
        self.give_up_at
    }

    /// Why the store cannot keep anything, as clients are told it; `None` if it can.
    pub(in crate::core::hub) fn failure(&self) -> Option<Failure> {
        self.trouble.as_ref().map(|trouble| Failure::from(trouble.failure.code).wait(ASK_AGAIN))
    }

    /// The store cannot write. `now` and `today` are the same moment; of a repeated report only the failure counts.
    pub(in crate::core::hub) fn degrade(&mut self, now: Time, today: Timestamp, failure: Failure) {
        let (since, calendar) = match self.trouble.take() {
            Some(before) => (before.since, before.calendar),
            None => {
                self.give_up_at = Some(now + PATIENCE);
                (now, today)
            }
        };
        self.trouble = Some(Trouble { failure, since, calendar });
    }

    /// Messages have been given up; further ones are refused before they are stored.
    pub(in crate::core::hub) fn gives_up(&mut self) {
        self.give_up_at = None;
    }

    /// The store writes again. Returns since when it could not, and the postponed records; `None` if it was well.
    pub(in crate::core::hub) fn recover(&mut self) -> Option<(Time, impl Iterator<Item = Record> + use<>)> {
        let trouble = self.trouble.take()?;
        self.give_up_at = None;
        Some((trouble.since, std::mem::take(&mut self.postponed).into_values()))
    }

    /// Postpones a record if the store is in trouble and the record can wait. Returns it if it must be persisted now.
    pub(in crate::core::hub) fn postpone(&mut self, record: Record) -> Option<Record> {
        if self.is_well() {
            return Some(record);
        }
        if let Record::Copy(copy) = &record {
            // The copy exists again, so the postponed removal must not be written.
            self.postponed.remove(&Subject::Copy(copy.name_key.clone(), copy.content.file.to_string()));
        }
        let Some(subject) = subject(&record) else { return Some(record) };
        self.postponed.insert(subject, record);
        if self.postponed.len() > POSTPONED {
            self.postponed.pop_first();
        }
        None
    }

    /// What `status` shows of the store's trouble; `None` if it is well.
    pub(in crate::core::hub) fn told(&self) -> Option<event::StoreTrouble> {
        let Trouble { failure, calendar, .. } = self.trouble.as_ref()?;
        Some(event::StoreTrouble {
            code: failure.code,
            message: failure.message.clone().into_owned(),
            since: *calendar,
        })
    }
}
