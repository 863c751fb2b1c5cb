//! Waiting on a blocking socket, but never for long at a time.

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::io::net::tls;
use crate::io::os::cancel::Cancel;
use crate::protocol::cause;

/// How often a wait looks at the cancel flag.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// Why a connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the connection was closed")]
    Closed,
    #[error("the other side was silent for too long")]
    Silent,
    #[error("stopped")]
    Cancelled,
    #[error("a line was too long")]
    LongLine,
    #[error("the other side speaks another protocol")]
    Protocol,
    #[error("{}", tls::cause(.0))]
    Tls(#[from] rustls::Error),
    #[error("{}", cause::of_io(.0))]
    Io(io::Error),
}

/// Lets every read and write end after a [`TICK`], and small pieces leave at once.
pub(super) fn set_up(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(TICK))?;
    tcp.set_write_timeout(Some(TICK))
}

/// What a reader must take within its writer's patience, in bytes. A slow one may be held to a limit by its user.
const PROGRESS: usize = 4 << 10;

/// Writes it all, so much of it within `patience` each time: a reader that takes a byte now and then holds nobody for
/// long.
pub(super) fn write_all(
    mut tcp: &TcpStream,
    mut data: &[u8],
    cancel: &Cancel,
    patience: Duration,
) -> Result<(), Broken> {
    let (mut deadline, mut written) = (Instant::now() + patience, 0);
    while !data.is_empty() {
        match tcp.write(data) {
            Ok(0) => return Err(Broken::Closed),
            Ok(n) => {
                data = &data[n..];
                written += n;
            }
            Err(e) if is_tick(&e) => {}
            Err(e) => return Err(Broken::Io(e)),
        }
        if cancel.is_cancelled() {
            return Err(Broken::Cancelled);
        }
        if written >= PROGRESS {
            (deadline, written) = (Instant::now() + patience, 0);
        } else if !data.is_empty() && Instant::now() >= deadline {
            return Err(Broken::Silent);
        }
    }
    Ok(())
}

/// Whether a read or write only says that nothing happened for a tick.
pub(super) fn is_tick(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
