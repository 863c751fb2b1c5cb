//! Reliable, encrypted streams of lines between hub and client.
//!
//! QUIC over UDP is the first choice, TLS 1.3 over TCP the fallback, both on the same port number.
//! Whoever holds a [`Conn`] need not know which it is: the other side has proved its key, and lines
//! go both ways in order. Numbering, probes and resumption are the link's, one storey up.
//!
//! | file | what |
//! |---|---|
//! | `listener.rs` | the hub's side: both sockets, handshakes in the background |
//! | `pending.rs` | how many handshakes may be under way, and who yields when it is too many |
//! | `connect.rs` | the client's side: names, addresses, the race between transports |
//! | `missed.rs` | why nobody was reached, in words |
//! | `quic.rs`, `tcp.rs` | one transport each: its tuning and its handshakes |
//! | `tcp_stream.rs` | the TLS stream over TCP, shared by its two halves |
//! | `nearby/` | hubs that announce themselves in this network, and whoever looks for one |
//! | `lines.rs` | reading and writing, the same for both |
//! | `reach/` | a connection to a peer, whatever routers are between |
//! | `relay/` | TCP connections of two clients that the hub joins |
//! | `connection.rs`, `line_room.rs` | a connection's two loops, and the memory that long lines may take |
//! | `identity.rs`, `tls.rs` | key pairs, and TLS that proves them |
//! | `bind.rs` | the ports of a client |
//! | `causes.rs` | why a connection failed, in words |

pub(crate) mod bind;
mod causes;
mod connect;
pub mod connection;
pub mod identity;
pub mod line_room;
mod lines;
mod listener;
mod missed;
pub mod nearby;
mod pending;
mod quic;
pub mod reach;
pub mod relay;
mod tcp;
mod tcp_stream;
pub mod tls;

use std::net::SocketAddr;

pub use connect::{CONNECT_TIME, connect, connect_alone, connect_hosts, connect_peer, resolve};
pub use lines::{CLOSE_TIME, LineFault, LineReader, LineWriter};
pub use listener::{ListenLimits, Listener};

use crate::protocol::{PublicKey, TransportKind};

/// The longest line, in bytes without its end, that a new connection accepts: a request of 1 MiB, and as much for its
/// frame. [`LineReader::set_limit`] changes it.
pub const LINE_LIMIT: usize = 2 << 20;

/// An open connection, whose other side has proven its key.
#[derive(Debug)]
pub struct Conn {
    /// The key that the other side has proven.
    pub peer: PublicKey,
    /// The address of the other side.
    pub address: SocketAddr,
    /// The transport of the connection.
    pub transport: TransportKind,
    /// The exporter of the TLS session (RFC 8446, section 7.5): the same at both ends, and at no others.
    pub exporter: [u8; 32],
    /// Reads lines from the other side.
    pub reader: LineReader,
    /// Writes lines to the other side. Dropping it without [`LineWriter::shutdown`] aborts the connection.
    pub writer: LineWriter,
}

impl Conn {
    /// Closes gracefully; see [`LineWriter::close`].
    ///
    /// # Errors
    /// If the connection broke before everything was delivered, or that took too long.
    pub async fn close(self) -> Result<(), LineFault> {
        self.writer.close(self.reader).await
    }
}
