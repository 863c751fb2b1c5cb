//! Waiting on a socket: for bytes, for room, until patience is at its end, or until another thread ends it.

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::io::net::tls;
use crate::io::os::cancel::Cancel;
use crate::protocol::cause;

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

/// Ends the waits of one connection, for good. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Hangup {
    raised: Cancel,
    /// What wakes the thread that waits; without it, whoever raises this shuts the socket down, too.
    event: Option<Arc<OwnedFd>>,
}

impl From<Cancel> for Hangup {
    /// Ends with this flag, whose raiser shuts the socket down.
    fn from(raised: Cancel) -> Self {
        Self { raised, event: None }
    }
}

impl Hangup {
    /// One that wakes whoever waits, and leaves the socket as it is.
    ///
    /// # Errors
    /// When the system has no descriptor for it.
    pub(super) fn waking() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { raised: Cancel::default(), event: Some(Arc::new(event)) })
    }

    pub(super) fn raise(&self) {
        self.raised.cancel();
        if let Some(event) = &self.event {
            // It is full only if it has been raised already.
            let _ = rustix::io::write(event, &1_u64.to_ne_bytes());
        }
    }

    pub(super) fn is_raised(&self) -> bool {
        self.raised.is_cancelled()
    }

    /// Waits until another one is raised, which must be one that wakes whoever waits.
    pub(super) fn wait_for(&self, other: &Hangup, deadline: Instant) -> Result<(), Broken> {
        let event = other.event.as_deref().ok_or_else(|| Broken::Io(ErrorKind::Unsupported.into()))?;
        self.wait(event, PollFlags::IN, deadline)
    }

    /// The flag by itself.
    pub(super) fn flag(&self) -> &Cancel {
        &self.raised
    }

    /// Why a connection is lost: the other side is not to blame if it was ended here.
    pub(super) fn or(&self, broken: Broken) -> Broken {
        if self.is_raised() { Broken::Cancelled } else { broken }
    }

    /// Waits until a socket can be read or written.
    pub(super) fn wait(&self, socket: impl AsFd, until: PollFlags, deadline: Instant) -> Result<(), Broken> {
        loop {
            if self.is_raised() {
                return Err(Broken::Cancelled);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Broken::Silent);
            }
            let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
            let mut waits = vec![PollFd::new(&socket, until)];
            waits.extend(self.event.iter().map(|event| PollFd::new(event, PollFlags::IN)));
            match poll(&mut waits, Some(&left)) {
                Ok(_) if !waits[0].revents().is_empty() => return Ok(()),
                // Another was ready, or nobody, or a signal came.
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(Broken::Io(e.into())),
            }
        }
    }
}

/// No read or write waits by itself, and small pieces leave at once.
pub(super) fn set_up(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    tcp.set_nonblocking(true)
}

/// What a reader must take within its writer's patience, in bytes. A slow one may be held to a limit by its user.
const PROGRESS: usize = 4 << 10;

/// Writes it all, so much of it within `patience` each time: a reader that takes a byte now and then holds nobody for
/// long.
pub(super) fn write_all(
    mut tcp: &TcpStream,
    mut data: &[u8],
    hangup: &Hangup,
    patience: Duration,
) -> Result<(), Broken> {
    let (mut deadline, mut written) = (Instant::now() + patience, 0);
    while !data.is_empty() {
        match tcp.write(data) {
            Ok(0) => return Err(hangup.or(Broken::Closed)),
            Ok(n) => {
                data = &data[n..];
                written += n;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => hangup.wait(tcp, PollFlags::OUT, deadline)?,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(hangup.or(Broken::Io(e))),
        }
        if hangup.is_raised() {
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
