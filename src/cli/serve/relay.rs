//! The options of `serve` about what the hub relays.

use clap::{Args, ValueEnum};

use super::super::size::rate;
use super::{at_least_one, bytes};
use crate::io::drive::hub::RelayOptions;

/// What the hub relays between clients that cannot reach each other.
#[derive(Debug, Args)]
pub(super) struct Relay {
    /// Whether the hub relays what clients that cannot reach each other send [default: on, but off if it is open to
    /// everybody beyond this machine].
    #[arg(long, value_name = "WHETHER")]
    relay: Option<Whether>,
    /// What one client may have relayed in a second, such as 500k, 10M or 2MiB, both directions together [default: no limit].
    #[arg(long, value_name = "RATE", value_parser = rate)]
    relay_rate: Option<u64>,
    /// What all together may have relayed in a second [default: no limit].
    #[arg(long, value_name = "RATE", value_parser = rate)]
    relay_rate_all: Option<u64>,
    /// What one client may have relayed in a day, such as 10GB; days begin at midnight UTC [default: no limit].
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    relay_day: Option<u64>,
    /// How many relayed connections one client may have asked for at once.
    #[arg(long, value_name = "N", default_value_t = RelayOptions::default().streams, value_parser = at_least_one)]
    relay_streams: usize,
    /// How many there may be of all together; never more than half of the file descriptors allow, six for each.
    #[arg(long, value_name = "N", default_value_t = RelayOptions::default().streams_of_all, value_parser = at_least_one)]
    relay_streams_all: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whether {
    On,
    Off,
}

impl Relay {
    /// As the hub's builder takes them.
    pub(super) fn options(&self) -> RelayOptions {
        RelayOptions {
            on: self.relay.map(|whether| whether == Whether::On),
            rate: self.relay_rate,
            rate_of_all: self.relay_rate_all,
            streams: self.relay_streams,
            streams_of_all: self.relay_streams_all,
            day: self.relay_day,
        }
    }
}
