//! Takes the price of requests and messages from their clients' token buckets.

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::protocol::limits::COMMITS_WAITING;
use crate::protocol::{ErrorCode, Failure};

impl Cx<'_> {
    pub(in crate::core::hub) fn spend_request(&mut self, id: PeerId) -> Result<(), Failure> {
        self.spend(id, 1)
    }

    /// Takes the price of a request, in simple requests, from its client's token bucket.
    ///
    /// # Errors
    /// `slow-down`, with the time to wait: the client is above its rate, or [`COMMITS_WAITING`] things wait for the
    /// disk.
    pub(in crate::core::hub) fn spend(&mut self, id: PeerId, cost: u32) -> Result<(), Failure> {
        if self.journal.commits.len() >= COMMITS_WAITING {
            return Err(Failure::new(ErrorCode::SlowDown, "The hub's disk is behind.").wait(1_000));
        }
        let rate = self.config.limits.request_rate;
        let Some(peer) = self.sessions.get_mut(id) else { return Ok(()) };
        peer.rates.request(self.now, rate, cost).map_err(|wait| too_fast("requests", rate, wait))
    }

    pub(in crate::core::hub) fn spend_message(&mut self, id: PeerId) -> Result<(), Failure> {
        let rate = self.config.limits.message_rate;
        let Some(peer) = self.sessions.get_mut(id) else { return Ok(()) };
        peer.rates.message(self.now, rate).map_err(|wait| too_fast("messages", rate, wait))
    }
}

fn too_fast(what: &str, rate: u32, wait: u64) -> Failure {
    let what = if rate == 1 { what.trim_end_matches('s') } else { what };
    let message = format!("The hub takes at most {rate} {what} a second from one client.");
    Failure::new(ErrorCode::SlowDown, message).wait(wait)
}
