//! Counts the new names that each network has taken within a day. Names last for ever and keys cost nothing, so the
//! number is limited. The codes that were guessed wrong from each network are counted alike.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::core::time::Time;
use crate::protocol::Network;
use crate::protocol::limits::NEWCOMERS_COUNTED;

/// Time for which a new name counts for its network.
const DAY: Duration = Duration::from_secs(86_400);

/// The new names of each network; of more than [`NEWCOMERS_COUNTED`] in all, the oldest are forgotten.
#[derive(Default)]
pub(in crate::core::hub) struct Newcomers {
    /// The networks that have taken a name, oldest first.
    taken: VecDeque<(Time, Network)>,
    of: HashMap<Network, usize>,
}

impl Newcomers {
    /// Counts a new name.
    pub(in crate::core::hub) fn add(&mut self, now: Time, network: Network) {
        self.forget(now);
        // All users of the hub's own machine share its address, so it has no limit.
        if network.is_loopback() {
            return;
        }
        if self.taken.len() >= NEWCOMERS_COUNTED {
            self.forget_oldest();
        }
        self.taken.push_back((now, network));
        *self.of.entry(network).or_default() += 1;
    }

    /// How many names a network has taken within a day.
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
