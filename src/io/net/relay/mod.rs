//! The hub's relay: two clients' TCP connections that the hub joins.
//!
//! A connection to the hub's TCP port that begins with a line with a token instead of a TLS handshake is a [`Half`]. The
//! hub's machine decides what becomes of it, and [`relay`] passes on the bytes of two halves that it joins. They are
//! TLS between the two clients, so they are moved with `splice(2)` where the system has it, and never read.
//!
//! | file | what |
//! |---|---|
//! | `greeting.rs` | how a connection begins |
//! | `pair.rs` | two joined halves |
//! | `one_way.rs` | one direction of them, through a pipe or a buffer |
//! | `moved.rs`, `byte_rate.rs` | how much they have moved, and how much several streams may move in a second |

mod byte_rate;
pub(super) mod greeting;
mod moved;
mod one_way;
mod pair;

use std::net::SocketAddr;

use tokio::net::TcpStream;

pub use byte_rate::ByteRate;
pub use moved::Moved;
pub use pair::{abort, relay};

/// A connection that has shown a token. What it sends after that stays in its socket until it is joined.
#[derive(Debug)]
pub struct Half {
    /// The connection.
    pub stream: TcpStream,
    /// What it has shown: 32 bytes of text.
    pub token: String,
    /// The address from which it came.
    pub address: SocketAddr,
}
