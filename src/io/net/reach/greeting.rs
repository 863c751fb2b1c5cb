//! The first bytes on a connection of a meeting.

use std::io::{self, ErrorKind};
use std::net::TcpStream as StdStream;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::core::reach::Greeter;
use crate::protocol::wire::MEETING_GREETING;

/// How long the other side may take to greet on a connection that stands.
const GREETING: Duration = Duration::from_secs(3);

/// The connection after the greeting: ours, theirs, or none.
///
/// # Errors
/// If the other side does not greet in time, says something else, or the connection broke.
pub(super) async fn greeted(mut tcp: TcpStream, greeter: Greeter) -> io::Result<StdStream> {
    match greeter {
        Greeter::Us => tcp.write_all(MEETING_GREETING).await?,
        Greeter::Them => {
            let mut greeting = [0; MEETING_GREETING.len()];
            let read = timeout(GREETING, tcp.read_exact(&mut greeting)).await;
            read.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))?;
            if greeting != MEETING_GREETING {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        Greeter::Nobody => {}
    }
    tcp.into_std()
}
