//! A store that cannot write for now: the hub goes on with what needs no disk, and refuses what it could not keep.
//!
//! What was decided is not taken back: the driver tries to write it until that works, in its order, and what is held for
//! it is answered then. So what is asked while the trouble lasts is refused, before anything has changed. What the hub
//! writes for itself, and of which only the newest counts, waits here.
//!
//! Messages alone are given up after a while: nobody has seen them, and their senders wait. They are refused when the
//! driver has said that they are not on disk and will not be.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::time::Time;
use crate::protocol::name::NameKey;
use crate::protocol::record::{Record, VisitRecord};
use crate::protocol::{Failure, Timestamp, event};

/// Records that wait; of more, the oldest visits are forgotten first. Only reachable by abuse.
const POSTPONED: usize = 16_384;

/// How long messages wait for a store that is in trouble.
const PATIENCE: Duration = Duration::from_secs(3);

/// When whoever is refused may ask again, in milliseconds.
const ASK_AGAIN: u64 = 1_000;

/// How the store is.
#[derive(Default)]
pub(in crate::core::hub) struct Health {
    trouble: Option<Trouble>,
    postponed: BTreeMap<Subject, Record>,
    give_up_at: Option<Time>,
}

struct Trouble {
    failure: Failure,
    since: Time,
    calendar: Timestamp,
}

/// What a record is about: a newer one replaces it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Visit(u64, u64),
    Failures(String),
    Copy(NameKey, String),
    There(NameKey),
}

/// What may wait: nobody is answered when it is on disk.
fn subject(record: &Record) -> Option<Subject> {
    match record {
        Record::Visit(VisitRecord { run, number, .. }) => Some(Subject::Visit(*run, *number)),
        Record::Failures(failures) => Some(Subject::Failures(failures.whom.clone())),
        Record::CopyGone { name_key, file } => Some(Subject::Copy(name_key.clone(), file.clone())),
        Record::There { name_key, .. } => Some(Subject::There(name_key.clone())),
        Record::Name { .. } | Record::InviteSpent { .. } | Record::Account(_) | Record::NameGone { .. } => None,
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

    pub(in crate::core::hub) fn give_up_at(&self) -> Option<Time> {
        self.give_up_at
    }

    /// Why nothing can be kept at the moment.
    pub(in crate::core::hub) fn failure(&self) -> Option<Failure> {
        self.trouble.as_ref().map(|trouble| Failure::from(trouble.failure.code).wait(ASK_AGAIN))
    }

    /// The store cannot write, and will be tried again; `today` is what the calendar says.
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

    /// The trouble has lasted so long that messages are given up.
    pub(in crate::core::hub) fn gives_up(&mut self) {
        self.give_up_at = None;
    }

    /// The store writes again. Gives since when it did not, and what has waited.
    pub(in crate::core::hub) fn recover(&mut self) -> Option<(Time, impl Iterator<Item = Record> + use<>)> {
        let trouble = self.trouble.take()?;
        self.give_up_at = None;
        Some((trouble.since, std::mem::take(&mut self.postponed).into_values()))
    }

    /// Lets a record wait for better times, if it can and they are bad; gives it back otherwise.
    pub(in crate::core::hub) fn postpone(&mut self, record: Record) -> Option<Record> {
        if self.is_well() {
            return Some(record);
        }
        if let Record::Copy(copy) = &record {
            // It is there again.
            self.postponed.remove(&Subject::Copy(copy.name_key.clone(), copy.content.file.to_string()));
        }
        let Some(subject) = subject(&record) else { return Some(record) };
        self.postponed.insert(subject, record);
        if self.postponed.len() > POSTPONED {
            self.postponed.pop_first();
        }
        None
    }

    pub(in crate::core::hub) fn told(&self) -> Option<event::StoreTrouble> {
        let Trouble { failure, calendar, .. } = self.trouble.as_ref()?;
        Some(event::StoreTrouble {
            code: failure.code,
            message: failure.message.clone().into_owned(),
            since: *calendar,
        })
    }
}
