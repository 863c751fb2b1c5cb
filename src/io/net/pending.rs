//! Limits the handshakes under way, and decides which one yields when there are too many.
//!
//! A peer that stalls must not keep others out, and an honest peer that waits for a busy hub must not be thrown out. So
//! when there is no room, the oldest handshake of the network with the most of them yields, but only once it has had its
//! *grace*: the time that an honest handshake needs at a hub to which thousands connect at once. Until then the newcomer
//! waits (if all room is taken) or is turned away (if its own network has used up its share). A port that few honest peers
//! use has no grace, so that nobody can make a newcomer wait. A handshake that has succeeded never yields.
//!
//! `listener.rs` has one of these for each transport, and starts a handshake only with a slot from it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use crate::protocol::Network;

/// The pause before another look if the room is taken by completed handshakes, which is freed as they are accepted.
const TAKING: Duration = Duration::from_millis(50);

/// The handshakes in progress on one transport. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct PendingHandshakes {
    table: Arc<Mutex<Table>>,
    freed: Arc<Notify>,
    total: usize,
    per_address: usize,
}

#[derive(Debug, Default)]
struct Table {
    grace: Duration,
    next: u64,
    /// The handshakes by number, which is the order of their age.
    entries: BTreeMap<u64, Entry>,
    counts: HashMap<Network, usize>,
}

#[derive(Debug)]
struct Entry {
    address: Network,
    since: Instant,
    task: Option<AbortHandle>,
    /// Whether the handshake has succeeded and waits to be accepted.
    shaken: bool,
}

/// The room for one handshake, freed when this is dropped.
pub(super) struct Slot {
    number: u64,
    pending: PendingHandshakes,
}

enum Verdict {
    Admitted(u64),
    Refused,
    WaitUntil(Instant),
}

impl PendingHandshakes {
    pub(super) fn new(total: usize, per_address: usize, grace: Duration) -> Self {
        let (total, per_address) = (total.max(1), per_address.max(1));
        let table = Arc::new(Mutex::new(Table { grace, ..Table::default() }));
        Self { table, freed: Arc::default(), total, per_address }
    }

    /// Makes room for a handshake with `address`, for which it waits at most the grace. `None` if the network of `address`
    /// has used up its share.
    pub(super) async fn admit(&self, address: IpAddr) -> Option<Slot> {
        loop {
            let freed = self.freed.notified();
            match self.judge(address, Instant::now()) {
                Verdict::Admitted(number) => return Some(Slot { number, pending: self.clone() }),
                Verdict::Refused => return None,
                Verdict::WaitUntil(time) => {
                    let _ = timeout(time.saturating_duration_since(Instant::now()), freed).await;
                }
            }
        }
    }

    fn judge(&self, address: IpAddr, now: Instant) -> Verdict {
        let address = Network::of(address);
        let mut table = self.table();
        // On loopback one address is everybody on this machine: counting by it says nothing.
        let share = if address.is_loopback() { self.total } else { self.per_address };
        if table.counts.get(&address).is_some_and(|&count| count >= share) {
            let oldest = table.oldest_of(address);
            if !table.evict_before(oldest, now) && share < self.total {
                return Verdict::Refused;
            }
        }
        if table.entries.len() >= self.total {
            let oldest = table.most_numerous().and_then(|address| table.oldest_of(address));
            if !table.evict_before(oldest, now) {
                let oldest = oldest.and_then(|number| table.entries.get(&number));
                return Verdict::WaitUntil(oldest.map_or(now + TAKING, |entry| entry.since + table.grace));
            }
        }
        Verdict::Admitted(table.insert(address, now))
    }

    /// Notes which task runs a handshake, so that it can be aborted. Does nothing if the handshake is over already.
    pub(super) fn watch(&self, number: u64, task: AbortHandle) {
        if let Some(entry) = self.table().entries.get_mut(&number) {
            entry.task = Some(task);
        }
    }

    /// Aborts the oldest handshake that has used up its grace, to get its file descriptor back.
    pub(super) fn relieve(&self) {
        let mut table = self.table();
        let oldest = table.entries.iter().find(|(_, entry)| !entry.shaken).map(|(number, _)| *number);
        table.evict_before(oldest, Instant::now());
    }

    /// Aborts every handshake.
    pub(super) fn abort_all(&self) {
        for entry in self.table().entries.values() {
            if let Some(task) = &entry.task {
                task.abort();
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn insert(&mut self, address: Network, now: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        self.entries.insert(number, Entry { address, since: now, task: None, shaken: false });
        *self.counts.entry(address).or_default() += 1;
        number
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        if let Some(count) = self.counts.get_mut(&entry.address) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&entry.address);
            }
        }
        Some(entry)
    }

    /// The oldest handshake of a network that has not succeeded yet.
    fn oldest_of(&self, address: Network) -> Option<u64> {
        self.entries.iter().find(|(_, entry)| entry.address == address && !entry.shaken).map(|(number, _)| *number)
    }

    fn most_numerous(&self) -> Option<Network> {
        self.counts.iter().max_by_key(|(_, count)| **count).map(|(address, _)| *address)
    }

    /// Aborts a handshake if it is older than the grace. Returns whether it did.
    fn evict_before(&mut self, number: Option<u64>, now: Instant) -> bool {
        let stalled = number.filter(|n| self.entries.get(n).is_some_and(|entry| now >= entry.since + self.grace));
        match stalled.and_then(|number| self.remove(number)) {
            Some(entry) => {
                if let Some(task) = entry.task {
                    task.abort();
                }
                true
            }
            None => false,
        }
    }
}

impl Slot {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The handshake has succeeded. It keeps its room until it is taken.
    pub(super) fn is_shaken(&self) {
        if let Some(entry) = self.pending.table().entries.get_mut(&self.number) {
            entry.shaken = true;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pending.table().remove(self.number);
        self.pending.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_millis(700);

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn number(verdict: Verdict) -> u64 {
        match verdict {
            Verdict::Admitted(number) => number,
            Verdict::Refused | Verdict::WaitUntil(_) => panic!("not admitted"),
        }
    }

    #[test]
    fn an_address_over_its_share_is_turned_away_until_its_oldest_stalls() {
        let (pending, now) = (PendingHandshakes::new(10, 2, GRACE), Instant::now());
        let kept = [number(pending.judge(address(1), now)), number(pending.judge(address(1), now))];
        assert!(matches!(pending.judge(address(1), now), Verdict::Refused));
        number(pending.judge(address(2), now));
        number(pending.judge(address(1), now + GRACE));
        let table = pending.table();
        assert!(!table.entries.contains_key(&kept[0]) && table.entries.contains_key(&kept[1]));
    }

    #[test]
    fn when_all_room_is_taken_the_address_with_most_yields() {
        let (pending, now) = (PendingHandshakes::new(4, 4, GRACE), Instant::now());
        let honest = number(pending.judge(address(1), now));
        let stalled: Vec<_> = (0..3).map(|_| number(pending.judge(address(2), now))).collect();
        match pending.judge(address(3), now) {
            Verdict::WaitUntil(time) => assert_eq!(time, now + GRACE),
            Verdict::Admitted(_) | Verdict::Refused => panic!("there was room"),
        }
        number(pending.judge(address(3), now + GRACE));
        let table = pending.table();
        assert!(table.entries.contains_key(&honest) && !table.entries.contains_key(&stalled[0]));
    }

    #[test]
    fn without_grace_a_newcomer_never_waits_whatever_its_address() {
        let (pending, now) = (PendingHandshakes::new(4, 2, Duration::ZERO), Instant::now());
        let honest = number(pending.judge(address(1), now));
        let local = IpAddr::from([127, 0, 0, 1]);
        for _ in 0..100 {
            number(pending.judge(address(2), now));
            number(pending.judge(local, now));
        }
        let newest = number(pending.judge(local, now));
        let table = pending.table();
        assert_eq!(table.entries.len(), 4);
        assert!(table.entries.contains_key(&newest) && table.entries.contains_key(&honest));
    }

    #[tokio::test]
    async fn who_has_done_its_part_does_not_yield() {
        let pending = PendingHandshakes::new(2, 2, Duration::ZERO);
        let shaken = pending.admit(address(1)).await.unwrap();
        shaken.is_shaken();
        let now = Instant::now();
        let stalled = number(pending.judge(address(1), now));
        number(pending.judge(address(2), now));
        assert!(!pending.table().entries.contains_key(&stalled));
        assert!(pending.table().entries.contains_key(&shaken.number()));
    }

    #[tokio::test]
    async fn a_slot_that_is_dropped_lets_the_next_one_in() {
        let pending = PendingHandshakes::new(1, 1, GRACE);
        let first = pending.admit(address(1)).await.unwrap();
        let (second, ()) = tokio::join!(pending.admit(address(2)), async { drop(first) });
        drop(second);
        assert!(pending.table().entries.is_empty() && pending.table().counts.is_empty());
    }
}
