//! Hears what others announce.

use std::net::SocketAddr;

use mdns_sd::{Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};
use tokio::sync::mpsc;

use super::{Air, KEY, OUR_VERSION, SERVICE, VERSION};
use crate::core::nearby::{Announced, MOST_PLACES};
use crate::protocol::{Failure, PublicKey};

/// Events that are heard at most. With an honest crowd, each hub makes a handful; beyond that somebody floods the network.
const MOST_EVENTS: usize = 1_000;

/// What is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// A place was announced.
    Announced(Announced),
    /// There is more than is listened to; this is the last.
    Crowded,
}

/// Listens until it is dropped.
pub(super) struct Browser {
    daemon: ServiceDaemon,
    heard: mpsc::Receiver<Heard>,
}

impl Browser {
    /// Asks the network, and listens.
    ///
    /// # Errors
    /// `internal` if the system has no thread for it.
    pub(super) fn start(air: Air) -> Result<Self, Failure> {
        let daemon = air.open()?;
        let events = daemon.browse(SERVICE).map_err(Failure::internal)?;
        let (sender, heard) = mpsc::channel(2 * MOST_PLACES);
        let hear = move || listen(&events, &sender);
        std::thread::Builder::new().name("nearby".into()).spawn(hear).map_err(Failure::internal)?;
        Ok(Self { daemon, heard })
    }

    /// The next announcement; nothing if no more will come.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // With the daemon its thread ends, and then that of the events.
        let _ = self.daemon.shutdown();
    }
}

/// Passes on what was announced, until nobody is interested or it is too much.
fn listen(events: &Receiver<ServiceEvent>, heard: &mpsc::Sender<Heard>) {
    let mut count = 0;
    // The daemon drops a listener who does not keep up.
    while let Ok(event) = events.recv() {
        count += 1;
        if count > MOST_EVENTS {
            break;
        }
        for place in places(&event) {
            if heard.blocking_send(Heard::Announced(place)).is_err() {
                return;
            }
        }
    }
    let _ = heard.blocking_send(Heard::Crowded);
}

/// The places that an event announces.
#[allow(clippy::wildcard_enum_match_arm, reason = "a library may have more events than matter here")]
fn places(event: &ServiceEvent) -> Vec<Announced> {
    match event {
        ServiceEvent::ServiceResolved(service) => key_of(service).map_or_else(Vec::new, |key| at(service, key)),
        _ => Vec::new(),
    }
}

fn key_of(service: &ResolvedService) -> Option<PublicKey> {
    let ours = service.get_property_val_str(VERSION) == Some(OUR_VERSION);
    service.get_property_val_str(KEY).filter(|_| ours)?.parse().ok()
}

fn at(service: &ResolvedService, key: PublicKey) -> Vec<Announced> {
    let addresses = service.addresses.iter().map(ScopedIp::to_ip_addr);
    let places = addresses.map(|address| Announced { at: SocketAddr::new(address, service.port), key });
    // One more than can be asked says that it is too many.
    places.take(MOST_PLACES + 1).collect()
}
