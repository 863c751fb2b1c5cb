//! One connection to a source of a folder: asks for many files ahead of time, verifies and writes
//! what comes.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::FolderNote;
use super::run::{Ended, Run};
use super::writer::Writer;
use crate::core::batch::{Lane, Room};
use crate::io::data::dial::dial;
use crate::io::data::flow::Flowing;
use crate::io::data::lane::{Loss, part_in_peace};
use crate::io::data::socket::Broken;
use crate::io::data::stream::ClientStream;
use crate::protocol::data::{DataAnswer, DataRequest, MAX_WHOLE, to_line};
use crate::protocol::{ErrorCode, Failure};

/// How long a source may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// How often an idle connection says that it is still wanted.
const KEEP: Duration = Duration::from_secs(10);
/// How long a lane that has nothing to do waits for slower ones before it helps them.
const IMPATIENCE: Duration = Duration::from_secs(2);
/// The least and the most that is asked for ahead of what has come, in bytes. In between it is
/// what comes in a second.
const AHEAD: Range<u64> = 1 << 20..16 << 20;
/// The names in one request, in bytes. No further one is sent while the source has not begun to
/// answer more than twice this: what it has not read must fit into a socket's buffers, so that
/// neither side ever waits for the other to read.
const NAMES: usize = 16 << 10;

/// Fetches from a source, and when that has no more, or is lost, from others.
pub(super) fn run_lane(run: &Run<'_>, number: usize, first: u32) {
    let _ended = Ended(run, |state| state.lanes -= 1);
    let mut writer = run.writer(number);
    let mut next = Some(first);
    while let Some(source) = next {
        next = fetch_over(run, &mut writer, source).unwrap_or_else(|loss| run.lost(source, loss));
    }
}

/// Fetches what a source has, and returns where to go on.
fn fetch_over(run: &Run<'_>, writer: &mut Writer<'_>, source: u32) -> Result<Option<u32>, Loss> {
    let from = &run.job.sources[source as usize];
    let mut stream = dial(from.address, from.key, run.identity, &run.stop)
        .map_err(|failure| failure.map_or(Loss::Stopped, Loss::Broke))?;
    stream.set_patience(SILENCE);
    if let Some(down) = run.identity.rates.down.clone() {
        stream.pace.receive_at(down, to_line(&DataRequest::Wait { transfer: run.job.token.clone() }), KEEP);
    }
    stream.flow = Some(Flowing::from_source(run.identity));
    let mut state = run.lock();
    let fresh = !std::mem::replace(&mut state.sources[source as usize].connected, true);
    let lane = state.batch.join(source);
    drop(state);
    if fresh {
        (run.notify)(FolderNote::Connected { source: from.name.clone() });
    }
    let mut connection = Connection {
        run,
        stream,
        source,
        lane,
        asked: VecDeque::new(),
        unread: VecDeque::new(),
        ahead: 0,
        buffer: Vec::new(),
        struck: false,
        got: 0,
        since: Instant::now(),
    };
    let result = connection.pull(writer);
    run.left(lane);
    if result.is_ok() {
        connection.say_done();
    }
    result
}

/// An established connection.
struct Connection<'a> {
    run: &'a Run<'a>,
    stream: ClientStream,
    source: u32,
    lane: Lane,
    /// What was asked for and has not come yet, in order, and its bytes.
    asked: VecDeque<u32>,
    ahead: u64,
    /// The requests that the source may not have read: the files that were asked for in each, and
    /// the bytes of their names.
    unread: VecDeque<(usize, usize)>,
    buffer: Vec<u8>,
    /// Whether the source could not give some file.
    struck: bool,
    /// The bytes that have come since then.
    got: u64,
    since: Instant,
}

impl Connection<'_> {
    /// Takes in all that the source has; returns where to go on.
    fn pull(&mut self, writer: &mut Writer<'_>) -> Result<Option<u32>, Loss> {
        let (mut idle_since, mut kept) = (Instant::now(), Instant::now());
        while !self.run.stop.is_cancelled() {
            self.ask_ahead()?;
            if let Some(file) = self.asked.pop_front() {
                self.receive(file, writer)?;
                (idle_since, kept) = (Instant::now(), Instant::now());
                continue;
            }
            if let Some(flow) = &mut self.stream.flow {
                flow.rest();
            }
            if kept.elapsed() >= KEEP {
                kept = Instant::now();
                self.stream.send(&to_line(&DataRequest::Wait { transfer: self.run.job.token.clone() }))?;
            }
            let mut state = self.run.lock();
            if state.batch.is_over() || self.run.stop.is_cancelled() {
                break;
            }
            if state.sources[self.source as usize].dropped {
                return Err(dropped());
            }
            if state.batch.has_work(self.lane) {
                continue;
            }
            if let Some(next) = state.next_source() {
                state.sources[self.source as usize].lanes -= 1;
                state.sources[next as usize].lanes += 1;
                return Ok(Some(next));
            }
            if idle_since.elapsed() >= IMPATIENCE {
                idle_since = Instant::now();
                state.batch.take_over(self.lane);
            } else {
                drop(self.run.wait(state));
            }
        }
        Ok(None)
    }

    /// Asks for more when half of what is asked for ahead has come.
    fn ask_ahead(&mut self) -> Result<(), Loss> {
        let rate = self.got as f64 / self.since.elapsed().as_secs_f64().max(0.01);
        let enough = (rate as u64).clamp(AHEAD.start, AHEAD.end);
        while self.ahead <= enough / 2 && self.unread.iter().map(|(_, names)| names).sum::<usize>() <= 2 * NAMES {
            let room = Room { bytes: enough - self.ahead, line: NAMES };
            let taken = self.run.lock().batch.take(self.lane, room);
            if taken.is_empty() {
                break;
            }
            self.ask(taken)?;
        }
        Ok(())
    }

    fn ask(&mut self, taken: Vec<u32>) -> Result<(), Loss> {
        let job = self.run.job;
        let files: Vec<_> = taken.iter().map(|f| self.run.small(*f)).map(|f| (f.hash, f.file.clone())).collect();
        let (transfer, folder) = (job.token.clone(), job.name.clone());
        let request = DataRequest::Files { transfer, folder, hash: job.hash, size: self.run.streamed, files };
        let line = to_line(&request);
        self.stream.send(&line)?;
        self.ahead += taken.iter().map(|f| self.run.small(*f).chunking.size()).sum::<u64>();
        self.unread.push_back((taken.len(), line.len()));
        self.asked.extend(taken);
        Ok(())
    }

    /// Takes in the next file.
    fn receive(&mut self, number: u32, writer: &mut Writer<'_>) -> Result<(), Loss> {
        let file = self.run.small(number);
        let line = self.stream.read_line()?.ok_or(Broken::Closed)?;
        let answer: DataAnswer =
            serde_json::from_slice(&line).map_err(|_| broke("The other client broke the protocol."))?;
        self.ahead -= file.chunking.size();
        self.count_answer();
        let length = match answer {
            DataAnswer::Whole { length } if length <= MAX_WHOLE => length as usize,
            DataAnswer::Error { code, .. } => return self.strike(number, known(&code)?),
            _ => return Err(broke("The other client broke the protocol.")),
        };
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        let bytes = &mut self.buffer[..length];
        self.stream.read_exact(bytes)?;
        self.got += length as u64;
        if *blake3::hash(bytes).as_bytes() != file.hash.0 {
            let message = "The source sent other bytes than it promised.";
            return Err(Loss::Lied(Failure::new(ErrorCode::BadChunk, message)));
        }
        if length as u64 != file.chunking.size() {
            let message = "The file has another size than the one with which it was offered.";
            return self.strike(number, Failure::new(ErrorCode::SourceChanged, message));
        }
        let mut state = self.run.lock();
        if state.sources[self.source as usize].dropped {
            return Err(dropped());
        }
        let mine = state.batch.claim(self.lane, number);
        drop(state);
        if mine {
            self.run.written(self.source, number, writer.write(&file.target, bytes, file.modified));
        }
        Ok(())
    }

    /// An answer has begun: the source has read its request.
    fn count_answer(&mut self) {
        let Some((files, names)) = self.unread.front_mut() else { return };
        *names = 0;
        *files -= 1;
        if *files == 0 {
            self.unread.pop_front();
        }
    }

    /// The source cannot give this file; it may give the next.
    fn strike(&mut self, file: u32, failure: Failure) -> Result<(), Loss> {
        self.struck = true;
        self.run.lock().batch.strike(self.lane, file, failure);
        Ok(())
    }

    /// Tells the source that we have all that we want of it, if so.
    fn say_done(self) {
        if self.struck || (self.run.stop.is_cancelled() && !self.run.lock().batch.is_over()) {
            return;
        }
        part_in_peace(self.stream, &self.run.job.token, self.asked.is_empty());
    }
}

fn broke(message: &'static str) -> Loss {
    Loss::Broke(Failure::new(ErrorCode::PeerBroke, message))
}

fn dropped() -> Loss {
    Loss::Broke(ErrorCode::BadChunk.into())
}

/// What a source says of one file, in our own words; other answers are no use.
fn known(code: &str) -> Result<Failure, Loss> {
    let of_one = [ErrorCode::SourceChanged, ErrorCode::SourceGone];
    match of_one.into_iter().find(|k| k.name() == code) {
        Some(code) => Ok(code.into()),
        None if code == ErrorCode::PeerRefused.name() => Err(Loss::Broke(ErrorCode::PeerRefused.into())),
        None => Err(broke("The other client does not answer our request.")),
    }
}
