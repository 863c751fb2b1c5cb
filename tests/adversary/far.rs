//! Those at the other ends of direct connections.

use std::net::SocketAddr;

use potluck::core::peers::Person;
use potluck::core::{Link, LinkConfig};
use potluck::protocol::PublicKey;

pub const NAMES: [&str; 4] = ["Ben", "cleo", "dora", "zoe"];

pub fn person(who: usize, number: u64) -> Person {
    let address = SocketAddr::from(([10, 0, 0, who as u8 + 1], 45_000));
    Person { name: NAMES[who].into(), number, key: PublicKey([who as u8 + 1; 32]), address }
}

/// The other end of a connection.
pub struct Far {
    pub who: usize,
    pub link: Link,
    /// Messages that it has said, and those that it has been sent.
    pub said: u64,
    pub got: u64,
    pub greeted: bool,
}

impl Far {
    pub fn new(who: usize) -> Self {
        Self { who, link: Link::new(LinkConfig::client()), said: 0, got: 0, greeted: false }
    }
}
