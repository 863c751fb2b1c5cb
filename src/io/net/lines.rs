//! Reads and writes lines over either transport.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use quinn::VarInt;
use tokio::io::ReadBuf;
use tokio::time::timeout;

use super::causes;
use super::tcp_stream::SharedStream;

/// How long a graceful close waits for the other side.
pub const CLOSE_TIME: Duration = Duration::from_secs(1);

/// The most bytes of one read: a TLS record.
const READ_SIZE: usize = 16 << 10;

/// The buffer in bytes that a waiting reader keeps. Thousands of readers wait, and most lines are shorter.
const IDLE_CAPACITY: usize = 1 << 10;

/// The bytes that may be in flight in each direction of a connection. They are used only while the other side is
/// behind, and are the most that a client which never reads can cost.
pub(super) const WINDOW: u32 = 1 << 20;

/// The bytes that may be in flight from a client that has not proven who it is: room for a hello and what may follow at
/// once.
pub(super) const FIRST_WINDOW: u32 = 8 << 10;

/// How much may be in flight to a reader of lines with this limit.
fn window(limit: usize) -> VarInt {
    u32::try_from(limit).unwrap_or(WINDOW).clamp(FIRST_WINDOW, WINDOW).into()
}

/// Why no further line can be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// The other side sent a line longer than the limit, in bytes.
    #[error("a line is longer than {0} bytes")]
    TooLong(usize),
    /// The other side ended its stream inside a line.
    #[error("the stream ended inside a line")]
    Cut,
    /// The other side has another address than the one at which it must stay.
    #[error("its address has changed")]
    Moved,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl LineFault {
    pub(super) fn broken(cause: impl fmt::Display) -> Self {
        Self::Broken(cause.to_string())
    }
}

/// The receiving half of a transport's stream.
pub(super) enum ReadHalf {
    Quic(quinn::RecvStream, quinn::Connection),
    Tcp(Arc<SharedStream>),
}

/// The sending half of a transport's stream.
pub(super) enum WriteHalf {
    Quic(quinn::SendStream, quinn::Connection),
    Tcp(Arc<SharedStream>),
}

/// The incoming half of a connection.
pub struct LineReader {
    half: ReadHalf,
    /// Received bytes. Those before `start` have been returned already.
    buffer: Vec<u8>,
    start: usize,
    /// There is no line feed between `start` and here.
    scanned: usize,
    limit: usize,
    /// The bytes that the other side may always send ahead, where the transport limits that.
    ahead: usize,
    /// Where the other side must stay.
    home: Option<IpAddr>,
}

impl LineReader {
    pub(super) fn new(half: ReadHalf, limit: usize) -> Self {
        Self { half, buffer: Vec::new(), start: 0, scanned: 0, limit, ahead: 0, home: None }
    }

    /// Sets the longest line that is accepted from now on, in bytes without its end. A line that has partly arrived
    /// counts, too. Over QUIC, the other side may send that much ahead, within bounds.
    pub fn set_limit(&mut self, limit: usize) {
        if self.limit == limit {
            return;
        }
        self.limit = limit;
        self.set_window();
    }

    /// Breaks the connection when the other side comes from another address than this one. Over QUIC a connection
    /// otherwise survives that, and whoever tells others this address would tell them a wrong one. The new one is not
    /// taken from the connection, because it may be forged until the other side has answered there.
    pub fn must_stay_at(&mut self, address: IpAddr) {
        self.home = Some(address.to_canonical());
    }

    fn has_moved(&self) -> bool {
        match (&self.half, self.home) {
            (ReadHalf::Quic(_, connection), Some(home)) => connection.remote_address().ip().to_canonical() != home,
            (ReadHalf::Quic(..), None) | (ReadHalf::Tcp(_), _) => false,
        }
    }

    /// Lets the other side send this many bytes ahead over QUIC, even if its lines may not be that long. A distant side
    /// would otherwise be slowed down.
    pub fn set_ahead(&mut self, ahead: usize) {
        self.ahead = ahead;
        self.set_window();
    }

    fn set_window(&self) {
        if let ReadHalf::Quic(_, connection) = &self.half {
            connection.set_receive_window(window(self.limit.max(self.ahead)));
        }
    }

    /// The next line without its `\n`; `None` when the other side has ended its stream. May be cancelled
    /// and called again without loss. Keeps at most the limit and one byte.
    ///
    /// # Errors
    /// When a line is too long, is cut off, the other side has moved, or the connection broke: no line can come after
    /// that, unless a line that is too long is not with a higher limit.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, LineFault> {
        loop {
            if let Some(line) = self.find_line() {
                if self.has_moved() {
                    return Err(LineFault::Moved);
                }
                if line.len() > self.limit {
                    return Err(LineFault::TooLong(self.limit));
                }
                self.start = line.end + 1;
                self.scanned = self.start;
                return Ok(Some(&self.buffer[line]));
            }
            if self.buffer.len() - self.start > self.limit {
                return Err(LineFault::TooLong(self.limit));
            }
            if !self.fill().await? {
                return if self.start == self.buffer.len() { Ok(None) } else { Err(LineFault::Cut) };
            }
        }
    }

    /// The position of the next line, if all of it has been received.
    fn find_line(&mut self) -> Option<Range<usize>> {
        let Some(length) = self.buffer[self.scanned..].iter().position(|&byte| byte == b'\n') else {
            self.scanned = self.buffer.len();
            return None;
        };
        self.scanned += length;
        Some(self.start..self.scanned)
    }

    /// Waits for more bytes; `false` at the end of the stream.
    async fn fill(&mut self) -> Result<bool, LineFault> {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        // The memory that a longer line has taken is freed.
        let most = self.limit.saturating_add(1);
        if self.buffer.capacity() > most {
            self.buffer.shrink_to(most);
        }
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// Reads into a buffer on the stack, so that a waiting reader holds none.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, LineFault>> {
        let mut space = [const { MaybeUninit::<u8>::uninit() }; READ_SIZE];
        let room = self.limit.saturating_add(1).saturating_sub(self.buffer.len()).clamp(1, READ_SIZE);
        let mut into = ReadBuf::uninit(&mut space[..room]);
        let read = match &mut self.half {
            ReadHalf::Quic(stream, _) => {
                stream.poll_read_buf(cx, &mut into).map_err(|e| LineFault::broken(causes::of_read(&e)))
            }
            ReadHalf::Tcp(stream) => stream.poll_read(cx, &mut into).map_err(by_tcp),
        };
        match read {
            Poll::Ready(Ok(())) => {
                self.append(into.filled());
                Poll::Ready(Ok(!into.filled().is_empty()))
            }
            Poll::Ready(Err(fault)) => Poll::Ready(Err(fault)),
            Poll::Pending => {
                if self.buffer.is_empty() && self.buffer.capacity() > IDLE_CAPACITY {
                    self.buffer = Vec::new();
                }
                Poll::Pending
            }
        }
    }

    /// Grows the buffer by doubling, but never beyond what the longest line needs.
    fn append(&mut self, bytes: &[u8]) {
        let needed = self.buffer.len() + bytes.len();
        if needed > self.buffer.capacity() {
            let bound = self.limit.saturating_add(1).max(needed);
            let capacity = (self.buffer.capacity() * 2).clamp(needed, bound);
            self.buffer.reserve_exact(capacity - self.buffer.len());
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Reads to the end of the stream and drops everything.
    async fn discard(&mut self) -> Result<(), LineFault> {
        loop {
            self.start = self.buffer.len();
            self.scanned = self.start;
            if !self.fill().await? {
                return Ok(());
            }
        }
    }
}

impl fmt::Debug for LineReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineReader").field("waiting", &(self.buffer.len() - self.start)).finish_non_exhaustive()
    }
}

/// The outgoing half of a connection. If it is dropped without [`shutdown`](Self::shutdown) or [`close`](Self::close),
/// the whole connection is aborted: unsent bytes are lost, and both readers see a fault.
pub struct LineWriter {
    half: WriteHalf,
    finished: bool,
}

impl LineWriter {
    pub(super) fn new(half: WriteHalf) -> Self {
        Self { half, finished: false }
    }

    /// Hands bytes to the transport: whole lines, as many at once as there are. Waits while the other side
    /// takes nothing; a call that was cancelled may have sent a part, so abort after that.
    ///
    /// # Errors
    /// When the connection broke or this side was shut down.
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), LineFault> {
        match &mut self.half {
            WriteHalf::Quic(stream, _) => {
                stream.write_all(bytes).await.map_err(|e| LineFault::broken(causes::of_write(&e)))
            }
            WriteHalf::Tcp(stream) => stream.write_all(bytes).await.map_err(by_tcp),
        }
    }

    /// Waits until nothing written is held back on this side of the operating system (TCP). QUIC sends
    /// by itself. Call it when no more is to be written for now.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn flush(&mut self) -> Result<(), LineFault> {
        match &mut self.half {
            WriteHalf::Quic(..) => Ok(()),
            WriteHalf::Tcp(stream) => stream.flush().await.map_err(by_tcp),
        }
    }

    /// Ends this direction: the other side reads what was written, then the end. Over QUIC it returns when
    /// the other side has everything, over TCP when the operating system has; at most [`CLOSE_TIME`].
    ///
    /// # Errors
    /// When the connection broke or the time was over; dropping aborts then.
    pub async fn shutdown(&mut self) -> Result<(), LineFault> {
        if self.finished {
            return Ok(());
        }
        let ended = async {
            match &mut self.half {
                WriteHalf::Quic(stream, _) => {
                    stream.finish().map_err(|_| LineFault::broken(causes::CLOSED))?;
                    stream.stopped().await.map(|_| ()).map_err(|e| LineFault::broken(causes::of_stopped(&e)))
                }
                WriteHalf::Tcp(stream) => stream.shutdown().await.map_err(by_tcp),
            }
        };
        timeout(CLOSE_TIME, ended).await.map_err(|_| too_slow())??;
        self.finished = true;
        Ok(())
    }

    /// Shuts down and waits for the other side to do the same, for at most [`CLOSE_TIME`] in total. Lines that
    /// still arrive are discarded: closing with unread data would make TCP discard what is on its way.
    ///
    /// # Errors
    /// As for [`shutdown`](Self::shutdown). That the other side does not end its stream is no error.
    pub async fn close(mut self, mut reader: LineReader) -> Result<(), LineFault> {
        let ended = async {
            self.shutdown().await?;
            let _ = reader.discard().await;
            Ok(())
        };
        let ended = timeout(CLOSE_TIME, ended).await;
        ended.unwrap_or_else(|_| if self.finished { Ok(()) } else { Err(too_slow()) })
    }
}

fn by_tcp(e: io::Error) -> LineFault {
    LineFault::broken(causes::of_socket(&e))
}

fn too_slow() -> LineFault {
    LineFault::broken("the other side did not take everything in time")
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        match &self.half {
            WriteHalf::Quic(_, connection) => connection.close(VarInt::from_u32(1), b"aborted"),
            WriteHalf::Tcp(stream) => stream.abort(),
        }
    }
}

impl fmt::Debug for LineWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineWriter").field("finished", &self.finished).finish_non_exhaustive()
    }
}
