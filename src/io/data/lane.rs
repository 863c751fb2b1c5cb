//! One connection to a source: asks for runs of chunks ahead of time, verifies and writes what
//! comes.

use std::collections::VecDeque;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use super::dial::dial;
use super::fetch::FetchNote;
use super::flow::{Flowing, Speed};
use super::manifest::manifest;
use super::run::{GATHERED, Run};
use super::socket::Broken;
use super::stream::ClientStream;
use crate::core::swarm::{Lane, ahead};
use crate::io::content::hash::{ChunkHasher, Manifest};
use crate::io::os::cancel::Cancel;
use crate::protocol::data::{DataAnswer, DataRequest, MAX_SEGMENT, to_line};
use crate::protocol::{ErrorCode, Failure};

/// How long a source may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// How often an idle connection says that it is still wanted.
pub(super) const KEEP: Duration = Duration::from_secs(10);
/// The most that is asked for in one request, in bytes.
const RUN: u64 = 16 << 20;
/// The most requests that are not answered yet.
const REQUESTS: usize = 64;
/// What is decrypted and hashed at a time: fits into a core's own cache.
const PIECE: usize = MAX_SEGMENT;
/// How long to take in what was asked for in vain, so that the source learns that we are done.
const LEFTOVERS: Duration = Duration::from_secs(5);

/// Why a lane does not go on with its source.
pub(super) enum Loss {
    /// There is nothing more to do, or the source is not to be asked any more.
    Stopped,
    /// The source has nothing that is missing; this one has.
    Swapped(u32),
    /// Our own side cannot go on; no other source would help.
    Fatal(Failure),
    /// The source sent something wrong: it is not asked again, over any connection.
    Lied(Failure),
    /// The connection is of no more use.
    Broke(Failure),
}

impl From<Broken> for Loss {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Cancelled => Self::Stopped,
            Broken::Slow => Self::broke("The other client sent too slowly, and others have the same.".into()),
            Broken::Drips => Self::Broke(ErrorCode::SourceTooSlow.into()),
            Broken::Silent => Self::broke(format!("The other client sent nothing for {} seconds.", SILENCE.as_secs())),
            other => Self::broke(format!("The other client broke off: {other}.")),
        }
    }
}

impl Loss {
    pub(super) fn broke(message: String) -> Self {
        Self::Broke(Failure::new(ErrorCode::PeerBroke, message))
    }

    pub(super) fn lied(message: String) -> Self {
        Self::Lied(Failure::new(ErrorCode::BadChunk, message))
    }
}

/// Fetches from a source, and when that is lost from those in reserve.
pub(super) fn run_lane(run: &Run<'_>, first: u32) {
    let _ended = Ended(run);
    let mut next = Some(first);
    while let Some(source) = next {
        next = match fetch_over(run, source) {
            Ok(()) => None,
            Err(loss) => run.lost(source, loss),
        };
    }
}

/// Counts the lane out however its thread ends.
struct Ended<'a>(&'a Run<'a>);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.lane_ended();
    }
}

fn fetch_over(run: &Run<'_>, source: u32) -> Result<(), Loss> {
    let (from, stop) = {
        let state = run.lock();
        let of = &state.sources[source as usize];
        // Whoever ends it all does so under the lock, and knows only of sources that are there by then.
        if run.stop.is_cancelled() {
            return Ok(());
        }
        (of.source.clone(), of.stop.clone())
    };
    let mut stream = dial(from.address, from.key, run.identity, &stop)
        .map_err(|failure| failure.map_or(Loss::Stopped, Loss::Broke))?;
    stream.set_patience(SILENCE);
    if let Some(down) = run.identity.rates.down.clone() {
        stream.pace.receive_at(down, to_line(&DataRequest::Wait { transfer: run.job.token.clone() }), KEEP);
    }
    stream.flow = Some(Flowing::from_source(run.identity));
    let fresh = !std::mem::replace(&mut run.lock().sources[source as usize].connected, true);
    if fresh {
        (run.notify)(FetchNote::Connected { source: from.name });
    }
    let manifest = manifest(run, &mut stream, source)?;
    if let Some(flow) = &mut stream.flow {
        flow.rest();
    }
    let lane = run.lock().swarm.join(source);
    let mut connection = Connection {
        run,
        stream,
        source,
        stop,
        lane,
        manifest,
        asked: VecDeque::new(),
        ahead: 0,
        segment: 0,
        buffer: vec![0; run.job.chunking.chunk_size().clamp(PIECE as u64, GATHERED) as usize],
        pace: Speed::new(Instant::now()),
    };
    let result = connection.pull();
    run.lock().swarm.leave(lane);
    run.wake();
    match result {
        Ok(()) | Err(Loss::Stopped) if run.stop.is_cancelled() => {
            connection.say_done();
            Ok(())
        }
        Ok(()) => Err(Loss::Stopped),
        Err(Loss::Swapped(other)) => {
            connection.say_done();
            Err(Loss::Swapped(other))
        }
        Err(loss) => Err(loss),
    }
}

/// A connection that has the manifest.
struct Connection<'a> {
    run: &'a Run<'a>,
    stream: ClientStream,
    source: u32,
    /// Raised when the source is not to be asked any more.
    stop: Cancel,
    lane: Lane,
    manifest: Manifest,
    /// What was asked for and has not come yet, in order, and its bytes.
    asked: VecDeque<Range<u32>>,
    ahead: u64,
    /// The bytes of the current segment that have not come yet.
    segment: u64,
    buffer: Vec<u8>,
    pace: Speed,
}

impl Connection<'_> {
    fn pull(&mut self) -> Result<(), Loss> {
        let mut idle_since = Instant::now();
        while !self.stop.is_cancelled() {
            self.ask_ahead()?;
            if let Some(chunk) = self.asked.front().map(|run| run.start) {
                self.receive(chunk)?;
                idle_since = Instant::now();
                continue;
            }
            if idle_since.elapsed() >= KEEP {
                idle_since = Instant::now();
                self.stream.send(&to_line(&DataRequest::Wait { transfer: self.run.job.token.clone() }))?;
            }
            let mut state = self.run.lock();
            if let Some(other) = state.swap(self.source) {
                return Err(Loss::Swapped(other));
            }
            if !self.stop.is_cancelled() && !state.swarm.is_useful(self.source) {
                drop(self.run.wait(state));
            }
            self.pace.rest();
            if let Some(flow) = &mut self.stream.flow {
                flow.rest();
            }
        }
        Ok(())
    }

    /// Asks for more, until enough is on its way.
    fn ask_ahead(&mut self) -> Result<(), Loss> {
        let chunking = self.run.job.chunking;
        let enough = ahead(self.pace.rate(), chunking.chunk_size());
        // At most half of it at once: a slow source is not given what others could send sooner.
        let most = (RUN.min(enough / 2) / chunking.chunk_size()).max(1) as u32;
        // What is asked for must fit into the sockets' buffers, so that neither side ever waits for the other to read.
        while self.ahead < enough && self.asked.len() < REQUESTS {
            let Some(run) = self.run.lock().swarm.next(self.lane, most) else { break };
            let bytes = chunking.span(run.clone());
            let (transfer, file) = (self.run.job.token.clone(), self.run.job.file.clone());
            let ranges = vec![[bytes.start, bytes.end]];
            self.stream.send(&to_line(&DataRequest::Ranges { transfer, hash: self.run.job.hash, file, ranges }))?;
            self.ahead += bytes.end - bytes.start;
            self.asked.push_back(run);
        }
        Ok(())
    }

    /// Takes in the next chunk.
    fn receive(&mut self, chunk: u32) -> Result<(), Loss> {
        let range = self.run.job.chunking.range(chunk);
        let length = range.end - range.start;
        let mut hasher = ChunkHasher::new(self.run.job.chunking, chunk);
        let gathered = length <= self.buffer.len() as u64;
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut at = 0;
        while at < length {
            let start = if gathered { at as usize } else { 0 };
            let piece = &mut buffer[start..start + (length - at).min(PIECE as u64) as usize];
            self.read_content(chunk, piece)?;
            hasher.update(piece);
            if !gathered {
                self.run.partial.write(range.start + at, piece).map_err(Loss::Fatal)?;
            }
            at += piece.len() as u64;
            self.pace.got(piece.len() as u64);
        }
        if hasher.finish() != self.manifest[chunk as usize] {
            if self.stop.is_cancelled() {
                return Err(Loss::Stopped);
            }
            return Err(Loss::lied(format!("The source sent other bytes than it promised, in chunk {chunk}.")));
        }
        if !self.run.lock().swarm.has(chunk) {
            if gathered {
                self.run.partial.write(range.start, &buffer[..length as usize]).map_err(Loss::Fatal)?;
            }
            self.run.partial.mark(chunk, true).map_err(Loss::Fatal)?;
            self.run.chunk_done(chunk, Some(self.source));
        }
        self.buffer = buffer;
        self.ahead -= length;
        if let Some(run) = self.asked.front_mut() {
            run.start = chunk + 1;
            if run.start == run.end {
                self.asked.pop_front();
            }
        }
        Ok(())
    }

    /// Fills `out` with content of a chunk, across segments.
    fn read_content(&mut self, chunk: u32, out: &mut [u8]) -> Result<(), Loss> {
        let mut at = 0;
        while at < out.len() {
            if self.segment == 0 {
                self.segment = match read_answer(&mut self.stream)? {
                    DataAnswer::Bytes { length } if (1..=MAX_SEGMENT as u64).contains(&length) => length,
                    other => return Err(unexpected(other)),
                };
            }
            let part = (out.len() - at).min(self.segment as usize);
            let others_have_it = || self.run.lock().has_another(self.source, chunk);
            self.stream.read_exact_unless(&mut out[at..at + part], others_have_it)?;
            self.segment -= part as u64;
            at += part;
        }
        Ok(())
    }

    /// Tells the source that all is well, if it is: everything is there, or all that this one has.
    fn say_done(self) {
        if self.run.stop.is_cancelled() && !self.run.lock().is_complete() {
            return;
        }
        part_in_peace(self.stream, &self.run.job.token, self.asked.is_empty());
    }
}

/// Tells a source that its part is done. What was asked for and is not needed any more is taken in elsewhere: nobody
/// waits for it.
pub(super) fn part_in_peace(mut stream: ClientStream, token: &str, answered: bool) {
    stream.uncancel();
    stream.set_patience(LEFTOVERS);
    if stream.send(&to_line(&DataRequest::Done { transfer: token.to_owned() })).is_err() {
        return;
    }
    if answered {
        return stream.finish();
    }
    // Without a thread the connection is cut, and the source counts it as broken off.
    let _ = thread::Builder::new().name("data-drain".into()).spawn(move || stream.linger(LEFTOVERS));
}

pub(super) fn read_answer(stream: &mut ClientStream) -> Result<DataAnswer, Loss> {
    let line = stream.read_line()?.ok_or(Broken::Closed)?;
    serde_json::from_slice(&line).map_err(|_| Loss::broke("The other client broke the protocol.".into()))
}

/// An answer that is not the wanted one: an error, in our own words, or nonsense.
pub(super) fn unexpected(answer: DataAnswer) -> Loss {
    let DataAnswer::Error { code, .. } = answer else {
        return Loss::broke("The other client broke the protocol.".into());
    };
    let known = [ErrorCode::SourceChanged, ErrorCode::SourceGone, ErrorCode::PeerRefused];
    match known.into_iter().find(|k| k.name() == code) {
        Some(code) => Loss::Broke(code.into()),
        None => Loss::broke("The other client does not answer our request.".into()),
    }
}
