//! This process as one end of all its transfers.

use std::net::TcpStream;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::dialled::Dialled;
use super::pool::Pool;
use super::token_bucket::Rates;
use crate::core::fetch::Input;
use crate::core::flow::TRIAL;
use crate::io::net::identity::Identity;
use crate::io::net::reach::Reacher;
use crate::protocol::{ContentHash, PublicKey};

/// Calls the holder of a key, from whom a content is wanted. The answer is its connection, or that it does not come.
pub type Call = dyn Fn(PublicKey, ContentHash, CallAnswer) + Send + Sync;

/// Takes the connection of whoever was called; `None` if it does not come. Whoever drops it says that, too.
pub type CallAnswer = Box<dyn FnOnce(Option<TcpStream>) + Send>;

/// This process as one end of all its transfers: the key that it shows, and what its transfers share. Clones share it,
/// too.
#[derive(Clone)]
pub struct LocalPeer {
    /// The key pair that it proves itself with.
    identity: Identity,
    /// How fast it may serve and fetch.
    pub(super) rates: Rates,
    /// Over which time a source is measured before it counts as slow.
    pub(super) trial: Duration,
    /// Addresses that did not answer of late.
    pub(super) dialled: Dialled,
    /// Connections that the next lane may use, of whichever transfer.
    pub(super) pool: Arc<Pool>,
    /// How others are reached that cannot be dialled.
    reacher: Option<Reacher>,
    /// How others are called that cannot be dialled, where there is no reacher.
    call: Option<Arc<Call>>,
}

impl Deref for LocalPeer {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

impl LocalPeer {
    /// A peer with this key pair that serves and fetches as fast as it can.
    pub fn new(identity: Identity) -> Self {
        let (rates, dialled, pool) = (Rates::default(), Dialled::default(), Arc::default());
        Self { identity, rates, trial: TRIAL, dialled, pool, reacher: None, call: None }
    }

    /// Our own network has changed: connections that were kept may be lost.
    pub fn network_changed(&self) {
        self.pool.heed(&Input::NetworkChanged);
    }

    /// The same peer, held to these rates.
    #[must_use]
    pub fn limited(self, rates: Rates) -> Self {
        Self { rates, ..self }
    }

    /// The same peer, which also reaches those that cannot simply be dialled.
    #[must_use]
    pub fn reaching(self, reacher: Reacher) -> Self {
        Self { reacher: Some(reacher), ..self }
    }

    /// The same peer, which calls those that it cannot dial.
    #[must_use]
    pub fn calling(self, call: Box<Call>) -> Self {
        Self { call: Some(call.into()), ..self }
    }

    pub(super) fn call(&self) -> Option<&Call> {
        self.call.as_deref()
    }

    pub(super) fn reacher(&self) -> Option<&Reacher> {
        self.reacher.as_ref()
    }

    /// The same peer, which measures its sources over this time.
    #[cfg(test)]
    pub(super) fn trying(self, trial: Duration) -> Self {
        Self { trial, ..self }
    }
}
