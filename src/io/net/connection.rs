//! Runs one connection of a link: reads its lines, and writes all waiting frames in one write.
//!
//! The drivers of hub and client start it for every connection: lines that arrive go to their mailbox, and what the
//! machines send is put into an [`Outgoing`].

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc, watch};

use super::line_room::{Line, LineClass, LineRoom, LineShare};
use crate::io::net::{Conn, LineFault, LineReader, LineWriter};
use crate::protocol::limits::{HELLO_BYTES, LINK_BYTES, SHORT_LINE};
use crate::protocol::wire::Frame;

/// The buffer in bytes that a connection keeps between bursts. A client that enters is sent the whole roster, and
/// little afterwards.
const KEPT: usize = 8 << 10;

/// The bytes that wait to be written to one connection. Everything that is added while a write is in progress goes into
/// the next one.
pub struct Outgoing {
    state: Mutex<Unwritten>,
    filled: Notify,
    /// How far the other side has been answered.
    answered: watch::Sender<Answered>,
    /// The most bytes that may wait; with more, the connection is given up.
    most: usize,
}

/// How far a side that was unknown has been answered.
#[derive(Debug, Clone, Copy, Default)]
struct Answered {
    /// The lines that were said to it as a stranger.
    lines: u64,
    /// Whether anything else was ever added: then its hello has been answered.
    known: bool,
}

#[derive(Default)]
struct Unwritten {
    bytes: Vec<u8>,
    closing: bool,
    overflown: bool,
}

impl Default for Outgoing {
    /// Twice a link's own limit, because frames that were acknowledged already may still wait here.
    fn default() -> Self {
        Self::bounded(2 * LINK_BYTES)
    }
}

impl Outgoing {
    /// A queue that gives the connection up when more than `most` bytes wait.
    pub fn bounded(most: usize) -> Self {
        Self { state: Mutex::default(), filled: Notify::new(), answered: watch::Sender::default(), most }
    }

    /// Queues a frame. [`Outgoing::flush`] sends it.
    pub fn push(&self, frame: &Frame) {
        self.with(|state| frame.write(&mut state.bytes));
        self.is_known();
    }

    /// Queues a line that is not a frame.
    pub fn say(&self, line: &str) {
        self.add_line(line);
        self.is_known();
    }

    /// Queues a line to a side that is still unknown: its next line is read, and must be as short as its first one.
    pub fn say_to_stranger(&self, line: &str) {
        self.add_line(line);
        self.answered.send_modify(|answered| answered.lines += 1);
    }

    fn add_line(&self, line: &str) {
        self.with(|state| {
            state.bytes.extend_from_slice(line.as_bytes());
            state.bytes.push(b'\n');
        });
    }

    fn is_known(&self) {
        self.answered.send_if_modified(|answered| !std::mem::replace(&mut answered.known, true));
    }

    /// Wakes the task that writes.
    pub fn flush(&self) {
        self.filled.notify_one();
    }

    /// Ends the connection once everything has been written.
    pub fn close(&self) {
        self.with(|state| state.closing = true);
        self.is_known();
        self.flush();
    }

    fn with(&self, change: impl FnOnce(&mut Unwritten)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if state.bytes.len() > self.most {
            (state.overflown, state.bytes) = (true, Vec::new());
        }
    }

    /// Moves the waiting bytes into `buffer`, which is reused. Returns whether the connection must end.
    fn take(&self, buffer: &mut Vec<u8>) -> Result<bool, String> {
        buffer.clear();
        // A buffer that grew in a burst is freed, so that an idle connection is small.
        if buffer.capacity() > KEPT {
            *buffer = Vec::new();
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(buffer, &mut state.bytes);
        if state.overflown { Err("the other side does not read".into()) } else { Ok(state.closing) }
    }
}

/// Runs a connection until it breaks or is closed. Sends every line of at most `limit` bytes to `sender`, and returns the
/// reason if the connection broke. The first line is a hello of at most [`HELLO_BYTES`]; nothing more is read until it is
/// answered, so that a peer that is not known yet costs no memory. Long lines need a permit of the `room`.
pub async fn run_connection<M>(
    conn: Conn,
    outgoing: &Outgoing,
    limit: usize,
    room: &Arc<LineRoom>,
    sender: &mpsc::Sender<M>,
    line: impl Fn(Line) -> M,
) -> Option<String> {
    let Conn { peer, address, mut reader, mut writer, .. } = conn;
    let share = room.share_of(peer, address.ip());
    let end = {
        let read = read(&mut reader, outgoing, limit, &share, sender, line);
        let write = write(&mut writer, outgoing);
        tokio::select! {
            reason = read => Some(reason),
            end = write => end.err(),
        }
    };
    if end.is_none() {
        // The other side may have gone already; nothing more can be done.
        let _ = writer.close(reader).await;
    }
    end
}

async fn read<M>(
    reader: &mut LineReader,
    outgoing: &Outgoing,
    limit: usize,
    share: &LineShare,
    sender: &mpsc::Sender<M>,
    message: impl Fn(Line) -> M,
) -> String {
    let mut answers = outgoing.answered.subscribe();
    // While the other side is unknown: how many lines it has said.
    let (mut most, mut strange) = (limit.min(HELLO_BYTES), Some(0));
    loop {
        match next_line(reader, most, share).await {
            Ok(Some(line)) => {
                if sender.send(message(line)).await.is_err() {
                    return "the program ends".into();
                }
            }
            Ok(None) => return "the connection was closed".into(),
            Err(reason) => return reason,
        }
        if let Some(said) = &mut strange {
            *said += 1;
            let answered = answers.wait_for(|answered| answered.known || answered.lines >= *said).await;
            // The other end of this channel is in `outgoing`, which lives longer.
            if answered.map_or(true, |answered| answered.known) {
                (most, strange) = (limit, None);
                reader.set_ahead(share.ahead());
            }
        }
    }
}

/// Reads the next line of at most `limit` bytes. A short line is read at once; the rest of a longer one is read when there
/// is a permit for it.
async fn next_line(reader: &mut LineReader, limit: usize, share: &LineShare) -> Result<Option<Line>, String> {
    let line = |read: Result<Option<&[u8]>, LineFault>, permit| {
        read.map(|line| line.map(|line| Line::new(line.to_vec(), permit))).map_err(|fault| fault.to_string())
    };
    let short = limit.min(SHORT_LINE);
    reader.set_limit(short);
    match reader.next().await {
        Err(LineFault::TooLong(_)) if short < limit => {}
        read => return line(read, None),
    }
    let mut smaller = None;
    for class in LineClass::ALL {
        let permit = share.take(class).await;
        drop(smaller.replace(permit));
        let most = limit.min(class.bytes());
        reader.set_limit(most);
        match tokio::time::timeout(class.time(), reader.next()).await {
            Err(_) => return Err("a line took too long to come".into()),
            Ok(Err(LineFault::TooLong(_))) if most < limit => {}
            Ok(read) => return line(read, smaller),
        }
    }
    Err(LineFault::TooLong(limit).to_string())
}

async fn write(writer: &mut LineWriter, outgoing: &Outgoing) -> Result<(), String> {
    let mut buffer = Vec::new();
    loop {
        outgoing.filled.notified().await;
        loop {
            let closing = outgoing.take(&mut buffer)?;
            if !buffer.is_empty() {
                writer.write_all(&buffer).await.map_err(|fault| fault.to_string())?;
                writer.flush().await.map_err(|fault| fault.to_string())?;
            } else if closing {
                return Ok(());
            } else {
                break;
            }
        }
    }
}
