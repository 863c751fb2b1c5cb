//! Hubs in this network that were told to nobody: a hub that somebody's `send` is announces itself, and `receive` looks
//! for it.
//!
//! Announcements are those of multicast DNS and DNS-SD (RFC 6762, RFC 6763), on all interfaces, over IPv4 and IPv6. They
//! say where a hub is, and its key, under random names: nothing of a code, of the machine or of its user. What is
//! announced by others is believed in nothing: [`core::nearby`](crate::core::nearby) decides with whom there is an
//! exchange.
//!
//! | file | what |
//! |---|---|
//! | `announce.rs` | announces a hub until the guard is dropped |
//! | `browse.rs` | hears what others announce, a bounded part of it |
//! | `search.rs` | asks those whom it hears, until it is decided which hub is meant |

mod announce;
mod browse;
mod search;
#[cfg(test)]
mod tests;

use mdns_sd::{IfKind, ServiceDaemon};

pub use announce::Announcement;
pub use search::search;

use std::net::SocketAddr;

use super::reach::look_around;
use crate::core::nearby::Reach;
use crate::protocol::Failure;

/// The kind of service that is announced.
const SERVICE: &str = "_potluck._tcp.local.";

/// The names in an announcement's text: the version of these words, and the hub's key.
const VERSION: &str = "v";
const KEY: &str = "key";

/// The version of these words.
const OUR_VERSION: &str = "1";

/// The port of multicast DNS.
pub const MDNS_PORT: u16 = 5_353;

/// The addresses of this machine in its networks, with a port.
pub fn own_places(port: u16) -> Vec<SocketAddr> {
    look_around(None).own_places(port)
}

/// Where announcements are made and heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Air {
    /// How far they go.
    pub reach: Reach,
    /// The port of multicast DNS; another one than [`MDNS_PORT`] is for tests that must not hear each other.
    pub port: u16,
}

impl Air {
    /// That of everybody in the networks of this machine.
    pub const NETWORK: Self = Self { reach: Reach::Network, port: MDNS_PORT };

    /// Opens the sockets, on a thread of their own. If there can be none, nothing is announced or heard.
    fn open(self) -> Result<ServiceDaemon, Failure> {
        let opened = || {
            let daemon = ServiceDaemon::new_with_port(self.port)?;
            match self.reach {
                Reach::Network => daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?,
                Reach::ThisMachine => {
                    daemon.disable_interface(IfKind::All)?;
                    daemon.enable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
                }
            }
            Ok::<_, mdns_sd::Error>(daemon)
        };
        opened().map_err(Failure::internal)
    }
}
