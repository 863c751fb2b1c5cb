//! How many meetings may begin: a minute's worth for each pair of clients, for each asker and for each asked.
//!
//! Each has a bucket, from which every meeting takes its share of a minute. Buckets that are full again are forgotten within
//! a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::time::Time;
use crate::core::token_bucket::TokenBucket;
use crate::protocol::PublicKey;
use crate::protocol::limits::{MEETINGS_OF_A_PAIR, MEETINGS_OF_ASKED, MEETINGS_OF_ASKER};

const MINUTE: Duration = Duration::from_secs(60);

/// Who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Counted {
    /// The first asks for the second.
    Pair(PublicKey, PublicKey),
    Asker(PublicKey),
    Asked(PublicKey),
}

/// The counts of those who have met within the last minute.
#[derive(Default)]
pub(in crate::core::hub) struct Rates {
    buckets: BTreeMap<Counted, TokenBucket>,
    /// When what is paid for is forgotten next; `None` if there is nothing.
    forgets_at: Option<Time>,
}

impl Rates {
    /// Counts a meeting, unless one of the two has had too many.
    ///
    /// # Errors
    /// The milliseconds until it could begin. Nothing is counted then.
    pub(in crate::core::hub) fn spend(&mut self, now: Time, asker: PublicKey, asked: PublicKey) -> Result<(), u64> {
        let counts = [
            (Counted::Pair(asker, asked), MEETINGS_OF_A_PAIR),
            (Counted::Asker(asker), MEETINGS_OF_ASKER),
            (Counted::Asked(asked), MEETINGS_OF_ASKED),
        ];
        let at = now - Time(0);
        let bucket = |counted| self.buckets.get(&counted).copied().unwrap_or_default();
        let waits = counts.map(|(counted, most)| bucket(counted).wait(at, MINUTE / most, MINUTE));
        let wait = waits.into_iter().max().unwrap_or_default();
        if !wait.is_zero() {
            return Err((wait.as_micros() as u64).div_ceil(1_000));
        }
        for (counted, most) in counts {
            self.buckets.entry(counted).or_default().take(at, MINUTE / most);
        }
        self.forgets_at.get_or_insert(now + MINUTE);
        Ok(())
    }

    pub(in crate::core::hub) fn due(&self) -> Option<Time> {
        self.forgets_at
    }

    /// Forgets what is paid for by now.
    pub(in crate::core::hub) fn forget(&mut self, now: Time) {
        if self.forgets_at.is_some_and(|at| at <= now) {
            self.buckets.retain(|_, bucket| !bucket.is_paid(now - Time(0)));
            self.forgets_at = (!self.buckets.is_empty()).then(|| now + MINUTE);
        }
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.buckets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_an_asker_and_an_asked_have_their_minutes_worth_each() {
        let (key, mut rates) = (|n: u32| PublicKey([n as u8; 32]), Rates::default());
        let begun = (0..20).take_while(|_| rates.spend(Time(0), key(1), key(2)).is_ok()).count();
        assert_eq!(begun, MEETINGS_OF_A_PAIR as usize);
        assert_eq!(rates.spend(Time(0), key(1), key(2)), Err(6_000));
        // The other way round is another pair.
        assert_eq!(rates.spend(Time(0), key(2), key(1)), Ok(()));
        let others = (3..200).take_while(|n| rates.spend(Time(0), key(1), key(*n)).is_ok()).count();
        assert_eq!(others as u32, MEETINGS_OF_ASKER - MEETINGS_OF_A_PAIR);
        assert_eq!(rates.spend(Time(6_000_000), key(1), key(2)), Ok(()));
        let mut rates = Rates::default();
        let askers = (3..250).map(key).cycle().take(1_000);
        let begun = askers.take_while(|asker| rates.spend(Time(0), *asker, key(2)).is_ok()).count();
        assert_eq!(begun as u32, MEETINGS_OF_ASKED);
        // All of it is forgotten once it is paid for.
        rates.forget(Time(30_000_000));
        assert!(rates.len() > 0 && rates.due() == Some(Time(60_000_000)));
        rates.forget(Time(60_000_000));
        assert_eq!((rates.len(), rates.due()), (0, None));
    }
}
