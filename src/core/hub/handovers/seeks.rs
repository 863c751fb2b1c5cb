//! Answers whether a number is open here, and limits how often each network may ask. Whoever asks has proved no more than a
//! key, and learns nothing of the words of a code.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Handovers;
use crate::core::time::Time;
use crate::core::token_bucket::TokenBucket;
use crate::protocol::wire::{SEEK_PROTOCOL, Seek, SeekAnswer};
use crate::protocol::{ErrorCode, Failure, Network, cause, to_json};

/// How the question begins, which takes the place of a hello.
const START: &[u8] = br#"{"seek":"#;

/// The share of a network: so many a second on average,
const EACH: Duration = Duration::from_millis(200);

/// and so many at once.
const BURST: Duration = Duration::from_secs(4);

/// Networks that are counted. While there are more, the others have to wait.
const COUNTED: usize = 1_024;

impl Handovers {
    /// Whether the first line of a connection is such a question.
    pub(in crate::core::hub) fn is_sought(line: &[u8]) -> bool {
        line.starts_with(START)
    }

    /// The answer to a question.
    ///
    /// # Errors
    /// `wrong-protocol`, `slow-down`
    pub(in crate::core::hub) fn seek(&mut self, now: Time, network: Network, line: &[u8]) -> Result<String, Failure> {
        let wrong = |e: serde_json::Error| cause::not_understood("That is no question for a code", &e);
        let Seek { seek, nameplate } = serde_json::from_slice(line).map_err(wrong)?;
        if seek != SEEK_PROTOCOL {
            return Err(ErrorCode::WrongProtocol.into());
        }
        let spent = self.seeks.spend(now, network);
        spent.map_err(|wait| Failure::new(ErrorCode::SlowDown, "Your address has asked too often.").wait(wait))?;
        Ok(to_json(&SeekAnswer { opened: self.numbers.get(nameplate).is_some() }))
    }
}

/// The networks that have asked lately.
#[derive(Default)]
pub(super) struct Seeks(BTreeMap<Network, TokenBucket>);

impl Seeks {
    /// Counts a question. The hub's own machine may ask as often as it likes.
    ///
    /// # Errors
    /// The milliseconds until it may be asked.
    pub(super) fn spend(&mut self, now: Time, network: Network) -> Result<(), u64> {
        if network.is_loopback() {
            return Ok(());
        }
        let at = now - Time(0);
        if !self.0.contains_key(&network) && self.0.len() >= COUNTED {
            self.0.retain(|_, bucket| !bucket.is_paid(at));
            if self.0.len() >= COUNTED {
                return Err(1_000);
            }
        }
        self.0.entry(network).or_default().spend(at, EACH, BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_share_and_the_hubs_own_machine_all_it_wants() {
        let (mut seeks, network) = (Seeks::default(), |n: u32| Network::of(std::net::Ipv4Addr::from(n).into()));
        let had = |seeks: &mut Seeks, n| (0..100).take_while(|_| seeks.spend(Time(0), network(n)).is_ok()).count();
        assert_eq!((had(&mut seeks, 7), had(&mut seeks, 8)), (20, 20));
        assert_eq!(seeks.spend(Time(0), network(7)), Err(200));
        assert_eq!(seeks.spend(Time(200_000), network(7)), Ok(()));
        assert_eq!(had(&mut seeks, 0x7f00_0001), 100);
        let others = (100..5_000).filter(|n| seeks.spend(Time(0), network(*n)).is_ok()).count();
        assert!(others + 2 <= COUNTED && seeks.0.len() <= COUNTED);
        assert_eq!(seeks.spend(Time(10_000_000), network(9_000)), Ok(()), "old counts are forgotten");
    }
}
