//! One connection to a source: asks for runs of chunks ahead of time, verifies and writes what
//! comes.

use std::collections::VecDeque;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use super::dial::dial;
use super::fetch::FetchNote;
use super::run::{GATHERED, Run};
use super::socket::Broken;
use super::sources::Plan;
use super::stream::ClientStream;
use crate::core::swarm::{Lane, ahead};
use crate::io::cancel::Cancel;
use crate::io::hash::{ChunkHasher, Manifest, verify_manifest};
use crate::protocol::data::{DataAnswer, DataRequest, MAX_SEGMENT, to_line};
use crate::protocol::{Chunking, ErrorCode, Failure};

/// How long a source may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// How often an idle connection says that it is still wanted.
const KEEP: Duration = Duration::from_secs(10);
/// The most that is asked for in one request, in bytes.
const RUN: u64 = 16 << 20;
/// What is decrypted and hashed at a time: fits into a core's own cache.
const PIECE: usize = MAX_SEGMENT;
/// How long another lane waits for who asks for the manifest, until it asks its own source.
const MANIFEST: Duration = Duration::from_secs(1);
/// How long a source's speed is measured at a time.
const PACE: Duration = Duration::from_secs(1);
/// What a source is taken to send in a second until that is known, in bytes.
const FIRST_RATE: u64 = 4 << 20;
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
            Broken::Silent => Self::broke(format!("The other client sent nothing for {} seconds.", SILENCE.as_secs())),
            other => Self::broke(format!("The other client broke off: {other}.")),
        }
    }
}

impl Loss {
    fn broke(message: String) -> Self {
        Self::Broke(Failure::new(ErrorCode::PeerBroke, message))
    }

    fn lied(message: String) -> Self {
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
    let fresh = !std::mem::replace(&mut run.lock().sources[source as usize].connected, true);
    if fresh {
        (run.notify)(FetchNote::Connected { source: from.name });
    }
    let manifest = manifest(run, &mut stream)?;
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
        pace: Pace { got: 0, since: Instant::now(), last: FIRST_RATE },
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

/// The manifest: asked for over the first connection that is ready, and checked before a byte of
/// content is asked for.
fn manifest(run: &Run<'_>, stream: &mut ClientStream) -> Result<Manifest, Loss> {
    let mut state = run.lock();
    loop {
        match &state.plan {
            Plan::Known(manifest) => return Ok(manifest.clone()),
            Plan::Unknown => break,
            Plan::Asked(since) if since.elapsed() >= MANIFEST => break,
            Plan::Asked(_) => state = run.wait(state),
        }
        if run.stop.is_cancelled() {
            return Err(Loss::Stopped);
        }
    }
    state.plan = Plan::Asked(Instant::now());
    drop(state);
    let asked = ask_manifest(run, stream);
    let mut state = run.lock();
    match &asked {
        _ if matches!(state.plan, Plan::Known(_)) => {}
        Ok(manifest) => {
            drop(state);
            run.plan_known(manifest);
        }
        Err(_) => {
            state.plan = Plan::Unknown;
            drop(state);
            run.wake();
        }
    }
    asked
}

fn ask_manifest(run: &Run<'_>, stream: &mut ClientStream) -> Result<Manifest, Loss> {
    let (hash, chunking) = (run.job.hash, run.job.chunking);
    let (transfer, file) = (run.job.token.clone(), run.job.file.clone());
    stream.send(&to_line(&DataRequest::Manifest { transfer, hash, file }))?;
    match read_answer(stream)? {
        DataAnswer::Manifest { size, chunk_size, chunks } => {
            // Only what we know already decides how much memory this takes.
            if Chunking::checked(size, chunk_size, chunks) != Some(chunking) {
                return Err(Loss::broke("The other client cuts the file in another way.".into()));
            }
        }
        other => return Err(unexpected(other)),
    }
    let mut bytes = vec![0; chunking.count() as usize * 32];
    stream.read_exact(&mut bytes)?;
    let (manifest, _) = bytes.as_chunks::<32>();
    if !verify_manifest(hash, chunking, manifest) {
        return Err(Loss::lied("The source sent a list of chunks that is not the file's.".into()));
    }
    Ok(manifest.into())
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
    pace: Pace,
}

/// What comes over a connection in a second.
struct Pace {
    got: u64,
    since: Instant,
    last: u64,
}

impl Pace {
    /// In bytes a second.
    fn rate(&mut self) -> u64 {
        let elapsed = self.since.elapsed();
        let rate = (self.got as f64 / elapsed.as_secs_f64().max(0.01)) as u64;
        if elapsed < PACE {
            return rate.max(self.last);
        }
        *self = Self { got: 0, since: Instant::now(), last: rate };
        rate
    }

    /// Nothing was asked for, so that it says nothing that nothing came.
    fn rest(&mut self) {
        (self.got, self.since) = (0, Instant::now());
    }
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
        }
        Ok(())
    }

    /// Asks for more, until enough is on its way.
    fn ask_ahead(&mut self) -> Result<(), Loss> {
        let chunking = self.run.job.chunking;
        let enough = ahead(self.pace.rate(), chunking.chunk_size());
        // At most half of it at once: a slow source is not given what others could send sooner.
        let most = (RUN.min(enough / 2) / chunking.chunk_size()).max(1) as u32;
        while self.ahead < enough {
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
            self.read_content(piece)?;
            hasher.update(piece);
            if !gathered {
                self.run.partial.write(range.start + at, piece).map_err(Loss::Fatal)?;
            }
            at += piece.len() as u64;
            self.pace.got += piece.len() as u64;
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

    /// Fills `out` with content, across segments.
    fn read_content(&mut self, out: &mut [u8]) -> Result<(), Loss> {
        let mut at = 0;
        while at < out.len() {
            if self.segment == 0 {
                self.segment = match read_answer(&mut self.stream)? {
                    DataAnswer::Bytes { length } if (1..=MAX_SEGMENT as u64).contains(&length) => length,
                    other => return Err(unexpected(other)),
                };
            }
            let part = (out.len() - at).min(self.segment as usize);
            self.stream.read_exact(&mut out[at..at + part])?;
            self.segment -= part as u64;
            at += part;
        }
        Ok(())
    }

    /// Tells the source that all is well, if it is: everything is there, or all that this one has. What was asked for and is not needed any more
    /// is taken in elsewhere: nobody waits for it.
    fn say_done(mut self) {
        if self.run.stop.is_cancelled() && !self.run.lock().is_complete() {
            return;
        }
        self.stream.uncancel();
        self.stream.set_patience(LEFTOVERS);
        let done = to_line(&DataRequest::Done { transfer: self.run.job.token.clone() });
        if self.stream.send(&done).is_err() {
            return;
        }
        if self.asked.is_empty() {
            return self.stream.finish();
        }
        let stream = self.stream;
        // Without a thread the connection is cut, and the source counts it as broken off.
        let _ = thread::Builder::new().name("data-drain".into()).spawn(move || stream.linger(LEFTOVERS));
    }
}

fn read_answer(stream: &mut ClientStream) -> Result<DataAnswer, Loss> {
    let line = stream.read_line()?.ok_or(Broken::Closed)?;
    serde_json::from_slice(&line).map_err(|_| Loss::broke("The other client broke the protocol.".into()))
}

/// An answer that is not the wanted one: an error, in our own words, or nonsense.
fn unexpected(answer: DataAnswer) -> Loss {
    let DataAnswer::Error { code, .. } = answer else {
        return Loss::broke("The other client broke the protocol.".into());
    };
    let known = [ErrorCode::SourceChanged, ErrorCode::SourceGone, ErrorCode::PeerRefused];
    match known.into_iter().find(|k| k.name() == code) {
        Some(code) => Loss::Broke(code.into()),
        None => Loss::broke("The other client does not answer our request.".into()),
    }
}
