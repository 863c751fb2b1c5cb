//! One lane: a connection to a source, whose thread does what it is told and reports what comes of it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::dial::dial;
use super::driver::{Driver, NumberedWriter};
use super::incoming::Incoming;
use super::socket::Broken;
use super::stream::ClientStream;
use crate::core::fetch::{Input, Job, Lane, LaneError, Output};
use crate::io::content::hash::{ChunkHasher, verify_manifest};
use crate::io::os::cancel::Cancel;
use crate::protocol::data::{DataAnswer, DataRequest, MAX_SEGMENT, MAX_WHOLE, TOKEN_DIGITS, to_line};
use crate::protocol::{Chunking, ErrorCode, Failure, PublicKey};

/// How long one read or write may take, if the machine has not broken the lane off long before.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a source is told, while we hold it up by our own limit, that it may be asked again.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How often it is reported at most that something of a piece has come.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// What is decrypted and hashed at a time: fits into a core's own cache.
const PIECE: usize = MAX_SEGMENT;
/// How long to take in what was asked for in vain, so that the source learns that we are done.
const LEFTOVERS: Duration = Duration::from_secs(5);

/// Who is to be dialled, and what for.
pub(super) struct Dial {
    pub(super) lane: Lane,
    pub(super) address: SocketAddr,
    pub(super) key: PublicKey,
    pub(super) job: Job,
}

/// Why a lane does not go on.
enum Stop {
    /// It was told to end.
    Told,
    Error(LaneError),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Cancelled => Self::Told,
            other => broke(format!("The other client broke off: {other}.")),
        }
    }
}

fn broke(message: impl Into<std::borrow::Cow<'static, str>>) -> Stop {
    Stop::Error(LaneError::Broke(Failure::new(ErrorCode::PeerBroke, message)))
}

fn lied(message: impl Into<std::borrow::Cow<'static, str>>) -> Stop {
    Stop::Error(LaneError::Lied(Failure::new(ErrorCode::BadChunk, message)))
}

fn fatal(failure: Failure) -> Stop {
    Stop::Error(LaneError::Fatal(failure))
}

/// Says that the lane has ended, however its thread does.
struct Ended<'a, 'd>(&'a Driver<'d>, Lane, Result<(), LaneError>);

impl Drop for Ended<'_, '_> {
    fn drop(&mut self) {
        self.0.report(Input::Ended(self.1, std::mem::replace(&mut self.2, Ok(()))));
    }
}

/// Runs a lane to its end.
pub(super) fn run_lane(driver: &Driver<'_>, dial: Dial, cancel: Cancel) {
    let broken = Failure::internal("the thread of a lane broke off");
    let mut ended = Ended(driver, dial.lane, Err(LaneError::Fatal(broken)));
    ended.2 = match fetch_over(driver, &dial, cancel) {
        Ok(()) | Err(Stop::Told) => Ok(()),
        Err(Stop::Error(error)) => Err(error),
    };
}

fn fetch_over(driver: &Driver<'_>, to: &Dial, cancel: Cancel) -> Result<(), Stop> {
    let local = driver.fetcher.local;
    let mut stream = dial(to.address, to.key, local, &cancel)
        .map_err(|failure| failure.map_or(Stop::Told, |failure| Stop::Error(LaneError::Broke(failure))))?;
    stream.set_patience(PATIENCE);
    let (mut work, token) = match to.job {
        Job::Files => {
            let writer = driver.writer().ok_or_else(|| fatal(ErrorCode::Internal.into()))?;
            (Work::Files(writer), driver.fetcher.token.clone())
        }
        Job::Chunks(file) => {
            let incoming = driver.incoming(file).ok_or(Stop::Told)?;
            let token = match driver.plan.is_folder() {
                true => token_of(&driver.fetcher.token, file),
                false => driver.fetcher.token.clone(),
            };
            (Work::Chunks(incoming), token)
        }
    };
    if let Some(down) = local.rates.down.clone() {
        stream.pace.receive_at(down, to_line(&DataRequest::Wait { transfer: token.clone() }), KEEP_ALIVE);
    }
    let room = match &work {
        Work::Chunks(incoming) if incoming.is_gathered() => incoming.chunking.chunk_size().max(PIECE as u64) as usize,
        Work::Chunks(_) | Work::Files(_) => PIECE,
    };
    let mut connection = Connection {
        driver,
        lane: to.lane,
        stream,
        token,
        asked: VecDeque::new(),
        segment: 0,
        buffer: vec![0; room],
        arrived: 0,
        meter: Meter { driver, lane: to.lane, bytes: 0, reported: Instant::now() },
    };
    let ended = connection.obey(&mut work);
    if let Work::Files(writer) = &work {
        driver.free_writer(writer);
    }
    match ended {
        Err(Stop::Told) if driver.closes(to.lane) => {
            connection.part_in_peace();
            Ok(())
        }
        other => other,
    }
}

/// What a lane fetches, and where that goes.
enum Work<'a> {
    Chunks(Arc<Incoming>),
    Files(NumberedWriter<'a>),
}

/// Counts what comes, and reports it now and then.
struct Meter<'a, 'd> {
    driver: &'a Driver<'d>,
    lane: Lane,
    bytes: u64,
    reported: Instant,
}

impl Meter<'_, '_> {
    fn note(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.reported.elapsed() >= REPORT_EVERY {
            let bytes = self.take();
            self.driver.report(Input::Moved { lane: self.lane, bytes });
        }
    }

    fn take(&mut self) -> u64 {
        self.reported = Instant::now();
        std::mem::take(&mut self.bytes)
    }
}

/// An established connection.
struct Connection<'a, 'd> {
    driver: &'a Driver<'d>,
    lane: Lane,
    stream: ClientStream,
    token: String,
    /// What was asked for and has not come yet, in order.
    asked: VecDeque<Range<u32>>,
    /// The bytes of the current segment that have not come yet.
    segment: u64,
    /// What came last, and how long it is.
    buffer: Vec<u8>,
    arrived: usize,
    meter: Meter<'a, 'd>,
}

impl<'d> Connection<'_, 'd> {
    /// Does what the lane is told, until it is told to end.
    fn obey(&mut self, work: &mut Work<'d>) -> Result<(), Stop> {
        let mut orders = VecDeque::new();
        self.driver.report_of(self.lane, Input::Connected(self.lane), &mut orders);
        loop {
            while let Some(order) = orders.pop_front() {
                self.follow(order, &mut *work, &mut orders)?;
            }
            match (self.asked.front().map(|run| run.start), &*work) {
                (Some(chunk), Work::Chunks(incoming)) => self.receive_chunk(chunk, incoming, &mut orders)?,
                (Some(file), Work::Files(_)) => self.receive_file(file, &mut orders)?,
                (None, _) => {
                    self.driver.wait_for_orders(self.lane, &mut orders);
                    if orders.is_empty() {
                        return Err(Stop::Told);
                    }
                }
            }
        }
    }

    fn follow(&mut self, order: Output, work: &mut Work<'d>, orders: &mut VecDeque<Output>) -> Result<(), Stop> {
        match (order, work) {
            (Output::AskManifest(_), Work::Chunks(incoming)) => {
                let fits = self.receive_manifest(incoming)?;
                self.driver.report_of(self.lane, Input::Manifest { lane: self.lane, fits }, orders);
            }
            (Output::AskChunks(_, run), Work::Chunks(incoming)) => {
                let bytes = incoming.chunking.span(run.clone());
                let (transfer, file) = (self.token.clone(), incoming.name.clone());
                let ranges = vec![[bytes.start, bytes.end]];
                self.stream.send(&to_line(&DataRequest::Ranges { transfer, hash: incoming.hash, file, ranges }))?;
                self.asked.push_back(run);
            }
            (Output::AskFiles(_, files), Work::Files(_)) => {
                let planned = files.iter().map(|file| &self.driver.plan.files[self.driver.small(*file) as usize]);
                let named = planned.map(|planned| (planned.hash, planned.file.clone())).collect();
                let (transfer, folder) = (self.token.clone(), self.driver.plan.name.clone());
                let (hash, size) = (self.driver.plan.hash, self.driver.streamed);
                self.stream.send(&to_line(&DataRequest::Files { transfer, folder, hash, size, files: named }))?;
                self.asked.extend(files.iter().map(|file| *file..*file + 1));
            }
            (Output::Write(_, piece), work) => self.write(piece, work, orders)?,
            (Output::KeepAlive(_), _) => {
                self.stream.send(&to_line(&DataRequest::Wait { transfer: self.token.clone() }))?;
            }
            // These are not for lanes of this kind, or are told otherwise.
            (
                Output::AskManifest(_)
                | Output::AskChunks(..)
                | Output::AskFiles(..)
                | Output::Open(_)
                | Output::Dial { .. }
                | Output::Close(_)
                | Output::Cut(_)
                | Output::Check(_)
                | Output::Place { .. }
                | Output::Make(_)
                | Output::Leave { .. }
                | Output::Note(_),
                _,
            ) => {}
        }
        Ok(())
    }

    /// Writes what came last.
    fn write(&mut self, piece: u32, work: &mut Work<'d>, orders: &mut VecDeque<Output>) -> Result<(), Stop> {
        let bytes = &self.buffer[..self.arrived];
        let result = match work {
            Work::Chunks(incoming) => {
                if incoming.is_gathered() {
                    incoming.write(incoming.chunking.range(piece).start, bytes).map_err(fatal)?;
                }
                incoming.keep(piece).map_err(fatal)?;
                Ok(())
            }
            Work::Files(writer) => self.driver.write_file(writer, self.driver.small(piece), bytes).map(drop),
        };
        self.driver.report_of(self.lane, Input::Written { lane: self.lane, piece, result }, orders);
        Ok(())
    }

    /// Takes in the next chunk.
    fn receive_chunk(&mut self, chunk: u32, incoming: &Incoming, orders: &mut VecDeque<Output>) -> Result<(), Stop> {
        let range = incoming.chunking.range(chunk);
        let length = range.end - range.start;
        let gathered = incoming.is_gathered();
        let mut hasher = ChunkHasher::new(incoming.chunking, chunk);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut at = 0;
        while at < length {
            let start = if gathered { at as usize } else { 0 };
            let piece = &mut buffer[start..start + (length - at).min(PIECE as u64) as usize];
            self.read_content(piece)?;
            hasher.update(piece);
            if !gathered {
                incoming.write(range.start + at, piece).map_err(fatal)?;
            }
            at += piece.len() as u64;
        }
        (self.buffer, self.arrived) = (buffer, if gathered { length as usize } else { 0 });
        if !incoming.is_right(chunk, hasher) {
            return Err(lied(format!("The source sent other bytes than it promised, in chunk {chunk}.")));
        }
        self.has_come(chunk, orders);
        Ok(())
    }

    /// Fills `out` with content of a chunk, across segments.
    fn read_content(&mut self, out: &mut [u8]) -> Result<(), Stop> {
        let mut at = 0;
        while at < out.len() {
            if self.segment == 0 {
                self.segment = match self.read_answer()? {
                    DataAnswer::Bytes { length } if (1..=MAX_SEGMENT as u64).contains(&length) => length,
                    other => return Err(unexpected(other)),
                };
            }
            let part = (out.len() - at).min(self.segment as usize);
            let meter = &mut self.meter;
            self.stream.read_exact_noting(&mut out[at..at + part], &mut |bytes| meter.note(bytes))?;
            self.segment -= part as u64;
            at += part;
        }
        Ok(())
    }

    /// Takes in the next file.
    fn receive_file(&mut self, file: u32, orders: &mut VecDeque<Output>) -> Result<(), Stop> {
        let plan = self.driver.plan.clone();
        let planned = &plan.files[self.driver.small(file) as usize];
        let length = match self.read_answer()? {
            DataAnswer::Whole { length } if length <= MAX_WHOLE => length as usize,
            DataAnswer::Error { code, .. } => {
                self.refused(file, of_one_file(&code)?, orders);
                return Ok(());
            }
            _ => return Err(broke("The other client broke the protocol.")),
        };
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        let meter = &mut self.meter;
        self.stream.read_exact_noting(&mut self.buffer[..length], &mut |bytes| meter.note(bytes))?;
        if *blake3::hash(&self.buffer[..length]).as_bytes() != planned.hash.0 {
            return Err(lied("The source sent other bytes than it promised."));
        }
        if length as u64 != planned.chunking.size() {
            let message = "The file has another size than the one with which it was offered.";
            self.refused(file, Failure::new(ErrorCode::SourceChanged, message), orders);
            return Ok(());
        }
        self.arrived = length;
        self.has_come(file, orders);
        Ok(())
    }

    fn has_come(&mut self, piece: u32, orders: &mut VecDeque<Output>) {
        self.next_piece();
        let bytes = self.meter.take();
        self.driver.report_of(self.lane, Input::Arrived { lane: self.lane, piece, bytes }, orders);
    }

    fn refused(&mut self, piece: u32, failure: Failure, orders: &mut VecDeque<Output>) {
        self.next_piece();
        self.driver.report_of(self.lane, Input::Refused { lane: self.lane, piece, failure }, orders);
    }

    fn next_piece(&mut self) {
        if let Some(run) = self.asked.front_mut() {
            run.start += 1;
            if run.start == run.end {
                self.asked.pop_front();
            }
        }
    }

    /// Asks for the manifest and verifies it. Says whether the source cuts the file as the plan says.
    fn receive_manifest(&mut self, incoming: &Incoming) -> Result<bool, Stop> {
        let (hash, chunking) = (incoming.hash, incoming.chunking);
        let (transfer, file) = (self.token.clone(), incoming.name.clone());
        self.stream.send(&to_line(&DataRequest::Manifest { transfer, hash, file }))?;
        let other = match self.read_answer()? {
            DataAnswer::Manifest { size, chunk_size, chunks } => {
                let other = Chunking::checked(size, chunk_size, chunks).filter(|other| other.size() == chunking.size());
                other.ok_or_else(|| broke("The other client's list of chunks is not the file's."))?
            }
            other => return Err(unexpected(other)),
        };
        if other != chunking {
            self.skip(u64::from(other.count()) * 32)?;
            return Ok(false);
        }
        // Only what we know already decides how much memory this takes.
        let mut bytes = vec![0; chunking.count() as usize * 32];
        let meter = &mut self.meter;
        self.stream.read_exact_noting(&mut bytes, &mut |bytes| meter.note(bytes))?;
        let (manifest, _) = bytes.as_chunks::<32>();
        if !verify_manifest(hash, chunking, manifest) {
            return Err(lied("The source sent a list of chunks that is not the file's."));
        }
        incoming.set_manifest(manifest.into());
        Ok(true)
    }

    /// Takes in what is of no use.
    fn skip(&mut self, mut bytes: u64) -> Result<(), Stop> {
        let mut buffer = [0; 4 << 10];
        while bytes > 0 {
            let piece = bytes.min(buffer.len() as u64);
            let meter = &mut self.meter;
            self.stream.read_exact_noting(&mut buffer[..piece as usize], &mut |bytes| meter.note(bytes))?;
            bytes -= piece;
        }
        Ok(())
    }

    fn read_answer(&mut self) -> Result<DataAnswer, Stop> {
        let meter = &mut self.meter;
        let line = self.stream.read_line_noting(&mut |bytes| meter.note(bytes))?.ok_or(Broken::Closed)?;
        serde_json::from_slice(&line).map_err(|_| broke("The other client broke the protocol."))
    }

    /// Tells the source that its part is done. What was asked for and is not needed any more is taken in elsewhere:
    /// nobody waits for it.
    fn part_in_peace(mut self) {
        self.stream.uncancel();
        self.stream.set_patience(LEFTOVERS);
        if self.stream.send(&to_line(&DataRequest::Done { transfer: self.token })).is_err() {
            return;
        }
        let stream = self.stream;
        if self.asked.is_empty() {
            return stream.finish();
        }
        // Without a thread the connection is cut, and the source counts it as broken off.
        let _ = thread::Builder::new().name("data-drain".into()).spawn(move || stream.linger(LEFTOVERS));
    }
}

/// An answer that is not the wanted one: an error, in our own words, or nonsense.
fn unexpected(answer: DataAnswer) -> Stop {
    let DataAnswer::Error { code, .. } = answer else {
        return broke("The other client broke the protocol.");
    };
    let known = [ErrorCode::SourceChanged, ErrorCode::SourceGone, ErrorCode::PeerRefused];
    match known.into_iter().find(|known| known.name() == code) {
        Some(code) => Stop::Error(LaneError::Broke(code.into())),
        None => broke("The other client does not answer our request."),
    }
}

/// What a source says of one file, in our own words; other answers are no use.
fn of_one_file(code: &str) -> Result<Failure, Stop> {
    let known = [ErrorCode::SourceChanged, ErrorCode::SourceGone];
    match known.into_iter().find(|known| known.name() == code) {
        Some(code) => Ok(code.into()),
        None if code == ErrorCode::PeerRefused.name() => {
            Err(Stop::Error(LaneError::Broke(ErrorCode::PeerRefused.into())))
        }
        None => Err(broke("The other client does not answer our request.")),
    }
}

/// A token for one file of a folder, so that its upload is not the folder's: each ends for itself.
fn token_of(folder: &str, file: u32) -> String {
    let hash = blake3::hash(format!("{folder} {file}").as_bytes()).to_hex();
    hash[..TOKEN_DIGITS].to_owned()
}
