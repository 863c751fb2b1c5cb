//! A store that cannot write for now: the hub goes on with what needs no disk, and refuses what it could not keep.
//!
//! What was decided is not taken back: the driver tries to write it until that works, in its order, and what is held for
//! it is answered then. So what is asked while the trouble lasts is refused, before anything has changed. What the hub
//! writes for itself, and of which only the newest counts, waits here.
//!
//! Messages alone are given up after a while: nobody has seen them, and their senders wait. They are refused when the
//! driver has said that they are not on disk and will not be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::{Held, Hub, Output};
use crate::core::time::Time;
use crate::protocol::name::NameKey;
use crate::protocol::record::{Record, VisitRecord};
use crate::protocol::{ErrorCode, Failure, Timestamp, event, log};

/// Records that wait; of more, the oldest visits are forgotten first. Only reachable by abuse.
const POSTPONED: usize = 16_384;

/// How long messages wait for a store that is in trouble.
const PATIENCE: Duration = Duration::from_secs(3);

/// When whoever is refused may ask again, in milliseconds.
const ASK_AGAIN: u64 = 1_000;

/// How the store is.
#[derive(Default)]
pub(super) struct Health {
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
        _ => None,
    }
}

impl Health {
    pub(super) fn is_well(&self) -> bool {
        self.trouble.is_none()
    }

    pub(super) fn give_up_at(&self) -> Option<Time> {
        self.give_up_at
    }

    /// Why nothing can be kept at the moment.
    fn failure(&self) -> Option<Failure> {
        self.trouble.as_ref().map(|trouble| Failure::from(trouble.failure.code).wait(ASK_AGAIN))
    }

    /// Lets a record wait for better times, if it can and they are bad; gives it back otherwise.
    pub(super) fn postpone(&mut self, record: Record) -> Option<Record> {
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

    pub(super) fn told(&self) -> Option<event::StoreTrouble> {
        let Trouble { failure, calendar, .. } = self.trouble.as_ref()?;
        Some(event::StoreTrouble {
            code: failure.code,
            message: failure.message.clone().into_owned(),
            since: *calendar,
        })
    }
}

impl Hub {
    /// Whether something new can be kept. Asked before anything changes.
    pub(super) fn can_keep(&self) -> Result<(), Failure> {
        self.health.failure().map_or(Ok(()), Err)
    }

    /// The store cannot write, and will be tried again.
    pub(super) fn store_degraded(&mut self, now: Time, failure: Failure) {
        self.log(log::StoreDegraded { code: failure.code, message: failure.message.clone().into_owned() });
        let (since, calendar) = match self.health.trouble.take() {
            Some(before) => (before.since, before.calendar),
            None => {
                self.health.give_up_at = Some(now + PATIENCE);
                (now, self.calendar(now))
            }
        };
        self.health.trouble = Some(Trouble { failure, since, calendar });
    }

    /// The trouble lasts.
    pub(super) fn give_up(&mut self) {
        self.health.give_up_at = None;
        let messages = self.held.iter().filter(|(_, held)| matches!(held, Held::Said { .. }));
        let commits: Vec<u64> = messages.map(|(commit, _)| *commit).collect();
        if !commits.is_empty() {
            self.out.push_back(Output::Abandon(commits));
        }
    }

    /// These are not on disk and never will be.
    pub(super) fn store_abandoned(&mut self, now: Time, commits: &[u64]) {
        let commits: BTreeSet<u64> = commits.iter().copied().collect();
        let given_up = |(commit, held): &(u64, Held)| commits.contains(commit) && matches!(held, Held::Said { .. });
        let (given_up, held): (VecDeque<_>, _) = std::mem::take(&mut self.held).into_iter().partition(given_up);
        self.held = held;
        let failure = self.health.failure().unwrap_or_else(|| ErrorCode::StoreUnavailable.into());
        for (_, held) in given_up {
            let Held::Said { message, peer, request_id, .. } = held else { continue };
            self.record(Record::MessageAbandoned(*message));
            self.refuse(now, peer, request_id, "message", failure.clone());
        }
    }

    /// The store writes again: what it could not write before is on disk.
    pub(super) fn store_recovered(&mut self, now: Time) {
        let Some(trouble) = self.health.trouble.take() else { return };
        self.health.give_up_at = None;
        self.log(log::StoreRecovered { after: (now - trouble.since).as_millis() as u64 });
        for record in std::mem::take(&mut self.health.postponed).into_values() {
            self.persist(record);
        }
        if !self.unsaved.is_empty() {
            self.flush_at = Some(now);
        }
        self.make_copies(now);
    }

    /// The store will never take what was to be kept with this commit: whoever waits for it is told, when its turn comes.
    pub(super) fn store_refused(&mut self, commit: u64, failure: Failure) {
        self.log(log::StoreFailed { code: failure.code, message: failure.message.into_owned() });
        for (_, held) in self.held.iter_mut().filter(|(held, _)| *held == commit) {
            let (peer, request_id, request) = match held {
                Held::Entering(peer, entering) => {
                    self.underway.end(*peer);
                    self.online.remove(&entering.name_key);
                    (*peer, entering.request_id.take(), "register")
                }
                Held::Said { peer, request_id, .. } => (*peer, request_id.take(), "message"),
                Held::Done { peer, request_id, .. } => (*peer, request_id.take(), ""),
                Held::Stored { .. } | Held::Refused { .. } => continue,
            };
            *held = Held::Refused { peer, request_id, request, failure: ErrorCode::Internal.into() };
        }
    }
}
