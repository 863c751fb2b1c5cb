//! One connection of the link: lines in, gathered writes out.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc, watch};

use super::line_room::{Length, Line, LineRoom, Seat};
use crate::io::net::{Conn, LineFault, LineReader, LineWriter};
use crate::protocol::limits::{HELLO_BYTES, LINK_BYTES, SHORT_LINE};
use crate::protocol::wire::Frame;

/// The capacity that a connection keeps between bursts: whoever enters is sent the whole roster, and then little.
const KEPT: usize = 8 << 10;

/// What waits to be written. All that gathers while a write is under way goes into the next one.
pub struct Outgoing {
    state: Mutex<State>,
    filled: Notify,
    /// Whether anything was ever said here.
    greeted: watch::Sender<bool>,
    /// How many bytes may wait.
    most: usize,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    closing: bool,
    overflown: bool,
}

impl Default for Outgoing {
    /// More than a link's own limits: frames that were acknowledged may still stand here.
    fn default() -> Self {
        Self::bounded(2 * LINK_BYTES)
    }
}

impl Outgoing {
    /// The connection is given up when more bytes than this wait.
    pub fn bounded(most: usize) -> Self {
        Self { state: Mutex::default(), filled: Notify::new(), greeted: watch::Sender::new(false), most }
    }

    /// Takes a frame. It is on its way after [`Outgoing::flush`].
    pub fn push(&self, frame: &Frame) {
        self.with(|state| frame.write(&mut state.bytes));
    }

    /// Takes a line that is not a frame.
    pub fn say(&self, line: &str) {
        self.with(|state| {
            state.bytes.extend_from_slice(line.as_bytes());
            state.bytes.push(b'\n');
        });
    }

    /// Wakes the writer.
    pub fn flush(&self) {
        self.filled.notify_one();
    }

    /// Ends the connection once everything is written.
    pub fn close(&self) {
        self.with(|state| state.closing = true);
        self.flush();
    }

    fn with(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if state.bytes.len() > self.most {
            (state.overflown, state.bytes) = (true, Vec::new());
        }
        self.greeted.send_if_modified(|greeted| !std::mem::replace(greeted, true));
    }

    /// What is there, into a buffer that is reused. Says whether the connection is to end.
    fn take(&self, buffer: &mut Vec<u8>) -> Result<bool, String> {
        buffer.clear();
        // A buffer that grew for a burst is given back, so that an idle connection is small.
        if buffer.capacity() > KEPT {
            *buffer = Vec::new();
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(buffer, &mut state.bytes);
        if state.overflown { Err("the other side does not read".into()) } else { Ok(state.closing) }
    }
}

/// Carries a connection until it breaks or is closed. Every line, of at most `limit` bytes, goes to `sender`; if the
/// connection broke, the reason is returned. The first line is a hello, and no longer than [`HELLO_BYTES`]; until it is
/// answered nothing more is read, so that strangers cost no memory. Long lines need a place in the `room`.
pub async fn run_connection<M>(
    conn: Conn,
    outgoing: &Outgoing,
    limit: usize,
    room: &Arc<LineRoom>,
    sender: &mpsc::Sender<M>,
    line: impl Fn(Line) -> M,
) -> Option<String> {
    let Conn { peer, address, mut reader, mut writer, .. } = conn;
    let seat = room.seat(peer, address.ip());
    let end = {
        let read = read(&mut reader, outgoing, limit, &seat, sender, line);
        let write = write(&mut writer, outgoing);
        tokio::select! {
            reason = read => Some(reason),
            end = write => end.err(),
        }
    };
    if end.is_none() {
        // The other side may be gone already; everything that could be done has been.
        let _ = writer.close(reader).await;
    }
    end
}

async fn read<M>(
    reader: &mut LineReader,
    outgoing: &Outgoing,
    limit: usize,
    seat: &Seat,
    sender: &mpsc::Sender<M>,
    message: impl Fn(Line) -> M,
) -> String {
    let mut greeted = outgoing.greeted.subscribe();
    let (mut most, mut strange) = (limit.min(HELLO_BYTES), true);
    loop {
        match next_line(reader, most, seat).await {
            Ok(Some(line)) => {
                if sender.send(message(line)).await.is_err() {
                    return "the program ends".into();
                }
            }
            Ok(None) => return "the connection was closed".into(),
            Err(reason) => return reason,
        }
        if std::mem::take(&mut strange) {
            // The other end of this channel is `outgoing`, which outlives us.
            let _ = greeted.wait_for(|said| *said).await;
            most = limit;
            reader.set_ahead(seat.ahead());
        }
    }
}

/// The next line of at most `limit` bytes. It is read as far as it is short; the rest of a longer one when there is a
/// place for it.
async fn next_line(reader: &mut LineReader, limit: usize, seat: &Seat) -> Result<Option<Line>, String> {
    let line = |read: Result<Option<&[u8]>, LineFault>, place| {
        read.map(|line| line.map(|line| Line::new(line.to_vec(), place))).map_err(|fault| fault.to_string())
    };
    let short = limit.min(SHORT_LINE);
    reader.set_limit(short);
    match reader.next().await {
        Err(LineFault::TooLong(_)) if short < limit => {}
        read => return line(read, None),
    }
    let mut smaller = None;
    for length in Length::ALL {
        let place = seat.take(length).await;
        drop(smaller.replace(place));
        let most = limit.min(length.bytes());
        reader.set_limit(most);
        match tokio::time::timeout(length.time(), reader.next()).await {
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
