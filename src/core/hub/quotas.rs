//! Shares: how much of what all have one key or address may take.

use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::{ErrorCode, Failure, Network};

/// What one of many may take: a part of what the others leave. So nobody takes all alone, and whoever comes next finds
/// something.
pub(super) fn share(most: u64, by_others: u64, part: u64) -> u64 {
    most.saturating_sub(by_others) / part
}

impl Hub {
    /// Whether a key, and its address, may take one more name.
    pub(super) fn check_new_name(&mut self, now: Time, id: PeerId) -> Result<(), Failure> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let most = self.config.limits.names_per_address;
        if self.newcomers.count(now, Network::of(peer.address.ip())) >= most {
            let message = format!("From your address {most} names were taken within a day; that is the most.");
            return Err(
                Failure::new(ErrorCode::TooMany, message).hint("Enter under a name that you have, or tomorrow.")
            );
        }
        let most = self.config.limits.names_per_key;
        let owned = self.state.names().names_of(&peer.key).count();
        if owned >= most {
            let message = format!("Your key has {owned} names; that is the most.");
            return Err(Failure::new(ErrorCode::TooMany, message).hint("Enter under one of them."));
        }
        Ok(())
    }
}
