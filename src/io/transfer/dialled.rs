//! Where was dialled in vain.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::core::dials::Dials;
use crate::io::os::clock::Clock;

/// Where this process has dialled in vain, over all its transfers: [`Dials`] by the clock.
#[derive(Clone)]
pub(super) struct Dialled(Arc<(Clock, Mutex<Dials>)>);

impl Default for Dialled {
    fn default() -> Self {
        Self(Arc::new((Clock::start(), Mutex::default())))
    }
}

impl Dialled {
    pub(super) fn may(&self, address: SocketAddr) -> Result<(), Duration> {
        self.dials().may(self.0.0.now(), address)
    }

    pub(super) fn failed(&self, address: SocketAddr) {
        self.dials().failed(self.0.0.now(), address);
    }

    pub(super) fn reached(&self, address: SocketAddr) {
        self.dials().reached(address);
    }

    fn dials(&self) -> MutexGuard<'_, Dials> {
        self.0.1.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
