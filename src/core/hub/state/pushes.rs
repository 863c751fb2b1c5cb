//! The files that clients push to one person each: those that wait, and those that were accepted and may not have been
//! fetched yet.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hashed::HashedMap;
use crate::core::digest::Digest;
use crate::protocol::name::NameKey;
use crate::protocol::types::Content;

/// All pushes, by number, and indexes of them.
#[derive(Default)]
pub(in crate::core::hub) struct Pushes {
    all: HashedMap<u64, Push>,
    /// The numbers by the giving session, by the receiver, and by the session that has accepted them.
    given: HashMap<u64, BTreeSet<u64>>,
    meant: HashMap<NameKey, Meant>,
    accepted: HashMap<u64, BTreeSet<u64>>,
    last: u64,
}

/// The pushes to one person.
#[derive(Default)]
struct Meant {
    numbers: BTreeSet<u64>,
    /// The number of pushes of each giver.
    of: HashMap<NameKey, usize>,
}

/// A file that a client pushes to one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The session of the giver.
    pub(in crate::core::hub) from: u64,
    /// The giver's name as they write it, and as it is compared.
    pub(in crate::core::hub) giver: String,
    pub(in crate::core::hub) giver_key: NameKey,
    /// The receiver.
    pub(in crate::core::hub) to: NameKey,
    pub(in crate::core::hub) content: Arc<Content>,
    /// The session that has accepted it; `None` while it waits.
    pub(in crate::core::hub) taker: Option<u64>,
}

/// Why a file is not for anybody any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PushEnd {
    /// Whoever it is for does not want it.
    Declined,
    /// Whoever gives it does not want to any more, is gone, or knows that it has arrived.
    TakenBack,
    /// Nobody has the name any more that it is for.
    Nobody,
}

/// Takes a number out of an index that holds no empty sets.
fn unindex(index: &mut HashMap<u64, BTreeSet<u64>>, id: u64, number: u64) {
    if let Some(numbers) = index.get_mut(&id) {
        numbers.remove(&number);
        if numbers.is_empty() {
            index.remove(&id);
        }
    }
}

impl Pushes {
    pub(in crate::core::hub) fn counts(&self) -> [(&'static str, usize); 2] {
        let accepted = self.accepted.values().map(BTreeSet::len).sum();
        [("pushes", self.all.len() - accepted), ("accepted pushes", accepted)]
    }

    pub(super) fn digest(&self) -> Digest {
        self.all.digest()
    }

    /// The number of the newest push.
    pub(in crate::core::hub) fn last(&self) -> u64 {
        self.last
    }

    pub(in crate::core::hub) fn get(&self, number: u64) -> Option<&Push> {
        self.all.get(&number)
    }

    /// The number of pushes that a session gives.
    pub(in crate::core::hub) fn count_given(&self, id: u64) -> usize {
        self.given.get(&id).map_or(0, BTreeSet::len)
    }

    /// The pushes that [`Pushes::rows`] gave.
    pub(super) fn of(last: u64, rows: Vec<(u64, Push)>) -> Self {
        let mut pushes = Self::default();
        rows.into_iter().for_each(|(number, push)| pushes.add(number, push));
        pushes.last = last;
        pushes
    }

    /// All pushes, by number.
    pub(super) fn rows(&self) -> Vec<(u64, Push)> {
        self.all.iter().map(|(number, push)| (*number, push.clone())).collect()
    }

    /// Adds a push.
    pub(super) fn add(&mut self, number: u64, push: Push) {
        self.remove(number);
        self.last = self.last.max(number);
        self.given.entry(push.from).or_default().insert(number);
        let meant = self.meant.entry(push.to.clone()).or_default();
        meant.numbers.insert(number);
        *meant.of.entry(push.giver_key.clone()).or_default() += 1;
        if let Some(taker) = push.taker {
            self.accepted.entry(taker).or_default().insert(number);
        }
        self.all.insert(number, push);
    }

    /// Removes a push.
    pub(super) fn remove(&mut self, number: u64) {
        let Some(push) = self.all.remove(&number) else { return };
        if let Some(taker) = push.taker {
            unindex(&mut self.accepted, taker, number);
        }
        unindex(&mut self.given, push.from, number);
        if let Some(meant) = self.meant.get_mut(&push.to) {
            meant.numbers.remove(&number);
            if let Some(count) = meant.of.get_mut(&push.giver_key) {
                *count -= 1;
                if *count == 0 {
                    meant.of.remove(&push.giver_key);
                }
            }
            if meant.numbers.is_empty() {
                self.meant.remove(&push.to);
            }
        }
    }

    /// A push that was not accepted yet.
    pub(in crate::core::hub) fn waiting(&self, number: u64) -> Option<&Push> {
        self.all.get(&number).filter(|push| push.taker.is_none())
    }

    /// A push that this session has accepted.
    pub(in crate::core::hub) fn taken_by(&self, id: u64, number: u64) -> Option<&Push> {
        self.all.get(&number).filter(|push| push.taker == Some(id))
    }

    /// Sets the session that has accepted a push; `None` lets it wait again.
    pub(super) fn set_taker(&mut self, number: u64, taker: Option<u64>) {
        let Some(before) = self.all.update(&number, |push| std::mem::replace(&mut push.taker, taker)) else { return };
        if let Some(before) = before {
            unindex(&mut self.accepted, before, number);
        }
        if let Some(taker) = taker {
            self.accepted.entry(taker).or_default().insert(number);
        }
    }

    pub(in crate::core::hub) fn given_by(&self, id: u64) -> Vec<u64> {
        self.given.get(&id).into_iter().flatten().copied().collect()
    }

    pub(in crate::core::hub) fn accepted_by(&self, id: u64) -> Vec<u64> {
        self.accepted.get(&id).into_iter().flatten().copied().collect()
    }

    /// The numbers of the pushes to one person.
    pub(in crate::core::hub) fn meant_for(&self, name_key: &NameKey) -> Vec<u64> {
        self.meant.get(name_key).into_iter().flat_map(|meant| &meant.numbers).copied().collect()
    }

    /// The number of pushes to one person, except those of some givers.
    pub(in crate::core::hub) fn count_for<'a>(
        &self,
        name_key: &NameKey,
        but: impl Iterator<Item = &'a NameKey>,
    ) -> usize {
        let Some(meant) = self.meant.get(name_key) else { return 0 };
        let others: usize = but.filter_map(|giver| meant.of.get(giver)).sum();
        meant.numbers.len().saturating_sub(others)
    }
}
