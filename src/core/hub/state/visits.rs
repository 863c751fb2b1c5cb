//! The last visit of everybody who has ever been here. The visits of this run that `status` shows are in
//! `core/hub/sessions/visits.rs`.

use super::hashed::HashedMap;
use crate::core::digest::Digest;
use crate::protocol::record::VisitRecord;

/// The last visit under each name, as its owner wrote it then. There are at most as many as names that were ever taken.
#[derive(Default)]
pub(in crate::core::hub) struct LastVisits {
    of: HashedMap<String, VisitRecord>,
}

/// The order of visits. Runs are compared as signed numbers, because the store does so.
fn moment(visit: &VisitRecord) -> (i64, i64, u64) {
    (visit.opened.0, visit.run as i64, visit.number)
}

impl LastVisits {
    /// The last visits in what the store has, or [`LastVisits::rows`] gave.
    pub(super) fn of(records: Vec<VisitRecord>) -> Self {
        let mut visits = Self::default();
        records.iter().for_each(|record| visits.set(record));
        visits
    }

    /// All visits, by name.
    pub(super) fn rows(&self) -> Vec<VisitRecord> {
        self.iter().cloned().collect()
    }

    pub(super) fn digest(&self) -> Digest {
        self.of.digest()
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.of.len()
    }

    pub(in crate::core::hub) fn iter(&self) -> impl Iterator<Item = &VisitRecord> {
        self.of.iter().map(|(_, visit)| visit)
    }

    /// A visit has begun or ended. Ignored if a later one is known.
    pub(super) fn set(&mut self, visit: &VisitRecord) {
        if self.of.get(&visit.name).is_none_or(|last| moment(last) <= moment(visit)) {
            self.of.insert(visit.name.clone(), visit.clone());
        }
    }
}
