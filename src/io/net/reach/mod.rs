//! Gives a connection to a peer, whatever routers are between: drives [`core::reach`](crate::core::reach) with real
//! sockets.
//!
//! | file | what |
//! |---|---|
//! | `reacher.rs` | the handle that everybody uses: starts races and meetings |
//! | `switchboard.rs` | which race or meeting each word of the hub is for |
//! | `asking.rs` | a race for a connection that is wanted here |
//! | `answering.rs` | a meeting that another client has asked for |
//! | `lines.rs` | the connections of one race or meeting, while they are dialled and when they stand |
//! | `greeting.rs` | who says first that it is a potluck, and waiting for it |
//! | `port.rs` | the fresh port of one meeting |
//! | `talk.rs` | connections of lines over what a race has brought |
//! | `surroundings.rs` | the addresses and routers of this machine |

mod answering;
mod asking;
mod greeting;
mod lines;
mod port;
mod reacher;
mod surroundings;
mod switchboard;
mod talk;

use std::future::Future;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;

pub use lines::Served;
pub use reacher::Reacher;
pub(super) use surroundings::look_around;
pub use switchboard::{Serve, Target, ToHub};
pub use talk::{TalkProving, welcome, welcome_config};

use crate::protocol::{Failure, Route};

/// A future in a box.
pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How a connection becomes a stream: what runs over it, and how the peer proves its key there.
pub trait Proving: Send + Sync + 'static {
    /// What comes of it.
    type Stream: Send + 'static;

    /// Dials the peer's own address, without a meeting.
    fn dial(&self, address: SocketAddr) -> Boxed<Result<Self::Stream, Failure>>;

    /// Has the peer prove its key on a connection that stands. We are the TLS client.
    fn prove(&self, tcp: TcpStream) -> Boxed<Result<Self::Stream, Failure>>;

    /// The hub is asked for a meeting: it takes longer now.
    fn meets(&self) {}

    /// Something was sent to whoever waits.
    fn sent(&self) {}
}

/// What whoever wants a connection gets: first a stream or why there is none, later perhaps a better one.
pub type Reached<S> = Result<(S, Route), Failure>;
