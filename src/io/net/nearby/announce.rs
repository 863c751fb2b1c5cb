//! Announces a hub.

use std::fmt;
use std::time::Duration;

use mdns_sd::{ServiceDaemon, ServiceInfo};

use super::{Air, KEY, OUR_VERSION, SERVICE, VERSION};
use crate::io::os::clock::random;
use crate::protocol::{Failure, PublicKey};

/// How long the end waits until the others have been told that the hub is gone.
const GOODBYE: Duration = Duration::from_millis(500);

/// The announcement of a hub. Dropping it tells the network that the hub is gone, which takes half a second at most.
pub struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl Announcement {
    /// Announces a hub with this key at this port, UDP and TCP, of all addresses of this machine, also those that it gets
    /// later.
    ///
    /// # Errors
    /// `internal` if the system has no thread or no randomness for it. If multicast DNS cannot be used here, nothing is
    /// announced, without an error: the hub can still be named.
    pub fn start(air: Air, port: u16, key: PublicKey) -> Result<Self, Failure> {
        let name = format!("{:016x}", random().map_err(Failure::internal)?);
        let text = [(VERSION, OUR_VERSION), (KEY, &key.to_string())];
        let info = ServiceInfo::new(SERVICE, &name, &format!("{name}.local."), (), port, &text[..]);
        let mut info = info.map_err(Failure::internal)?.enable_addr_auto();
        // Nobody else has this name: asking for it first would only take time.
        info.set_requires_probe(false);
        let (daemon, name) = (air.open()?, info.get_fullname().to_owned());
        daemon.register(info).map_err(Failure::internal)?;
        Ok(Self { daemon, name })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let told = self.daemon.unregister(&self.name).ok().and_then(|told| told.recv_timeout(GOODBYE).ok());
        let ended = self.daemon.shutdown().ok().and_then(|ended| ended.recv_timeout(GOODBYE).ok());
        if told.is_none() || ended.is_none() {
            tracing::debug!("the network may not know that the hub is gone");
        }
    }
}

impl fmt::Debug for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcement").field("name", &self.name).finish_non_exhaustive()
    }
}
