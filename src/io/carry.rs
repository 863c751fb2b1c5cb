//! One connection of the link: lines in, gathered writes out.

use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::{Notify, mpsc, watch};

use super::transport::{Conn, LineReader, LineWriter};
use crate::protocol::limits::{HELLO_BYTES, LINK_BYTES, MAX_FRAME};
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

/// Carries a connection until it breaks or is closed. Every line goes to `sender`; if the connection broke,
/// the reason is returned.
pub async fn carry<M>(
    conn: Conn,
    outgoing: &Outgoing,
    sender: &mpsc::Sender<M>,
    line: impl Fn(Vec<u8>) -> M,
) -> Option<String> {
    carry_lines(conn, outgoing, MAX_FRAME, sender, line).await
}

/// The same for lines of at most `limit` bytes. The first line is a hello, and no longer than [`HELLO_BYTES`]; until it
/// is answered nothing more is read, so that strangers cost no memory.
pub async fn carry_lines<M>(
    conn: Conn,
    outgoing: &Outgoing,
    limit: usize,
    sender: &mpsc::Sender<M>,
    line: impl Fn(Vec<u8>) -> M,
) -> Option<String> {
    let Conn { mut reader, mut writer, .. } = conn;
    let end = {
        let read = read(&mut reader, outgoing, limit, sender, line);
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
    sender: &mpsc::Sender<M>,
    message: impl Fn(Vec<u8>) -> M,
) -> String {
    reader.set_limit(limit.min(HELLO_BYTES));
    let mut greeted = outgoing.greeted.subscribe();
    let mut strange = true;
    loop {
        match reader.next().await {
            Ok(Some(line)) => {
                if sender.send(message(line.to_vec())).await.is_err() {
                    return "the program ends".into();
                }
            }
            Ok(None) => return "the connection was closed".into(),
            Err(fault) => return fault.to_string(),
        }
        if std::mem::take(&mut strange) {
            // The other end of this channel is `outgoing`, which outlives us.
            let _ = greeted.wait_for(|said| *said).await;
            reader.set_limit(limit);
        }
    }
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
