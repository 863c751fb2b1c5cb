//! Who may have how much relayed: streams at once, and bytes in a day.
//!
//! Whoever asks for a meeting pays for what is relayed in it, in both directions. The other side pays nothing, so nobody
//! can use up what somebody else may have relayed.

use std::collections::BTreeMap;

use crate::core::hub::config::RelayLimits;
use crate::protocol::limits::RELAY_PAYERS;
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, PublicKey, Timestamp};

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Who pays: an account with all of its keys, or else a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::core::hub) enum Payer {
    Account(NameKey),
    Key(PublicKey),
}

/// What one client has relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Used {
    /// Its number for the driver, which gives all of its streams one rate.
    number: u64,
    /// Streams that it has or that are kept for its meetings.
    streams: usize,
    /// Bytes of today.
    bytes: u64,
}

/// What all clients have relayed.
#[derive(Default)]
pub(in crate::core::hub) struct Shares {
    used: BTreeMap<Payer, Used>,
    last: u64,
    /// Streams of all.
    streams: usize,
    /// The day to which the bytes belong, in days since 1970.
    day: i64,
    /// Bytes of today, of all.
    bytes: u64,
    /// Meetings of today to which the relay was refused because something was full.
    refused: u64,
}

impl Shares {
    /// Keeps a stream for a meeting, and returns its payer's number.
    ///
    /// # Errors
    /// `relay-off`; `relay-full` if the payer or all together have as many streams as they may, or the payer has had its
    /// bytes of today.
    pub(super) fn begin(
        &mut self,
        today: Timestamp,
        limits: Option<&RelayLimits>,
        payer: &Payer,
    ) -> Result<u64, ErrorCode> {
        let limits = limits.ok_or(ErrorCode::RelayOff)?;
        self.turn_page(today);
        let used = self.used.get(payer);
        let each = used.is_some_and(|used| used.streams >= limits.streams_each || used.bytes >= limits.day);
        if each || self.streams >= limits.streams || (used.is_none() && self.used.len() >= RELAY_PAYERS) {
            self.refused += 1;
            return Err(ErrorCode::RelayFull);
        }
        let last = &mut self.last;
        let used = self.used.entry(payer.clone()).or_insert_with(|| {
            *last += 1;
            Used { number: *last, streams: 0, bytes: 0 }
        });
        used.streams += 1;
        self.streams += 1;
        Ok(used.number)
    }

    /// A stream that was kept is not needed any more.
    pub(super) fn end(&mut self, payer: &Payer) {
        self.streams = self.streams.saturating_sub(1);
        if let Some(used) = self.used.get_mut(payer) {
            used.streams = used.streams.saturating_sub(1);
            if used.streams == 0 && used.bytes == 0 {
                self.used.remove(payer);
            }
        }
    }

    /// So many more bytes were relayed. Returns whether the payer may have more today.
    pub(super) fn relayed(
        &mut self,
        today: Timestamp,
        limits: Option<&RelayLimits>,
        payer: &Payer,
        bytes: u64,
    ) -> bool {
        self.turn_page(today);
        self.bytes = self.bytes.saturating_add(bytes);
        let Some(used) = self.used.get_mut(payer) else { return true };
        used.bytes = used.bytes.saturating_add(bytes);
        limits.is_some_and(|limits| used.bytes < limits.day)
    }

    /// Bytes of today, and meetings of today without relay because something was full.
    pub(super) fn of_today(&mut self, today: Timestamp) -> (u64, u64) {
        self.turn_page(today);
        (self.bytes, self.refused)
    }

    /// Streams that are kept for meetings now.
    pub(super) fn streams(&self) -> usize {
        self.streams
    }

    /// Begins a new day, if it is one.
    fn turn_page(&mut self, today: Timestamp) {
        let day = today.0.div_euclid(DAY);
        if std::mem::replace(&mut self.day, day) == day {
            return;
        }
        (self.bytes, self.refused) = (0, 0);
        self.used.values_mut().for_each(|used| used.bytes = 0);
        self.used.retain(|_, used| used.streams > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_bytes_of_a_day_are_shares() {
        let limits = RelayLimits { streams_each: 2, streams: 3, day: 100 };
        let (key, none) = (|n: u8| Payer::Key(PublicKey([n; 32])), Timestamp(0));
        let mut shares = Shares::default();
        assert_eq!(shares.begin(none, None, &key(1)), Err(ErrorCode::RelayOff));
        let number = shares.begin(none, Some(&limits), &key(1)).unwrap();
        assert_eq!(shares.begin(none, Some(&limits), &key(1)), Ok(number));
        assert_eq!(shares.begin(none, Some(&limits), &key(1)), Err(ErrorCode::RelayFull));
        assert_ne!(shares.begin(none, Some(&limits), &key(2)), Ok(number));
        assert_eq!(shares.begin(none, Some(&limits), &key(3)), Err(ErrorCode::RelayFull));
        assert_eq!((shares.streams(), shares.of_today(none)), (3, (0, 2)));
        assert!(shares.relayed(none, Some(&limits), &key(1), 99));
        assert!(!shares.relayed(none, Some(&limits), &key(1), 1));
        [1, 1, 2].into_iter().for_each(|n| shares.end(&key(n)));
        assert_eq!(shares.begin(none, Some(&limits), &key(1)), Err(ErrorCode::RelayFull));
        assert_eq!((shares.streams(), shares.of_today(none), shares.used.len()), (0, (100, 3), 1));
        // The next day everybody begins anew.
        assert!(shares.begin(Timestamp(DAY), Some(&limits), &key(1)).is_ok());
        assert_eq!((shares.streams(), shares.of_today(Timestamp(DAY))), (1, (0, 0)));
    }
}
