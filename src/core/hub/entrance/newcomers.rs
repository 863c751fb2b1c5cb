//! How many names an address has taken of late: a name stays for ever, and keys cost nothing.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::core::time::Time;
use crate::protocol::Network;
use crate::protocol::limits::NEWCOMERS_COUNTED;

/// For how long a new name counts for its address.
const DAY: Duration = Duration::from_secs(86_400);

/// The new names of each address.
#[derive(Default)]
pub(in crate::core::hub) struct Newcomers {
    /// Who has taken one, in the order of time.
    taken: VecDeque<(Time, Network)>,
    of: HashMap<Network, usize>,
}

impl Newcomers {
    /// A name was taken.
    pub(in crate::core::hub) fn add(&mut self, now: Time, network: Network) {
        self.forget(now);
        // This machine is everybody here, and has no share.
        if network.is_loopback() {
            return;
        }
        if self.taken.len() >= NEWCOMERS_COUNTED {
            self.forget_oldest();
        }
        self.taken.push_back((now, network));
        *self.of.entry(network).or_default() += 1;
    }

    /// How many names an address has taken within a day.
    pub(in crate::core::hub) fn count(&mut self, now: Time, network: Network) -> usize {
        self.forget(now);
        self.of.get(&network).copied().unwrap_or(0)
    }

    fn forget(&mut self, now: Time) {
        while self.taken.front().is_some_and(|(at, _)| *at + DAY <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((_, network)) = self.taken.pop_front() else { return };
        if let Some(count) = self.of.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&network);
            }
        }
    }
}
