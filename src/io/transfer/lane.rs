//! One lane: a connection to a source, whose thread does what it is told and reports what comes of it.

mod receiving;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::driver::{Dial, Driver, NumberedWriter};
use super::pool::Reached;
use super::reach::{Better, reach};
use super::socket::{Broken, Hangup};
use crate::core::fetch::{Input, Job, Lane, LaneError, Output};
use crate::io::content::Incoming;
use crate::protocol::data::{DataRequest, MAX_SEGMENT, TOKEN_DIGITS, to_line};
use crate::protocol::{ErrorCode, Failure, PublicKey};

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

/// Why a lane does not go on.
enum Stop {
    /// It was told to end.
    Told,
    Error(LaneError),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        let failure = Failure::new(ErrorCode::PeerBroke, format!("The other client broke off: {broken}."));
        match broken {
            Broken::Cancelled => Self::Told,
            // Whoever is on the way can break a connection, and cannot make the source look as if it had.
            Broken::Closed | Broken::Silent | Broken::Io(_) | Broken::Tls(_) => Self::Error(LaneError::Lost(failure)),
            Broken::LongLine | Broken::Protocol => Self::Error(LaneError::Broke(failure)),
        }
    }
}

/// Why there is no connection. Who answers with another key is not the source; otherwise it may be there in a moment.
fn not_dialled(failure: Option<Failure>) -> Stop {
    match failure {
        None => Stop::Told,
        Some(failure) if failure.code == ErrorCode::PeerKeyChanged => Stop::Error(LaneError::Broke(failure)),
        Some(failure) => Stop::Error(LaneError::Lost(failure)),
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
pub(super) fn run_lane(driver: &Driver<'_>, dial: Dial, hangup: Hangup) {
    let broken = Failure::internal("the thread of a lane broke off");
    let mut ended = Ended(driver, dial.lane, Err(LaneError::Fatal(broken)));
    ended.2 = match fetch_over(driver, &dial, hangup) {
        Ok(()) | Err(Stop::Told) => Ok(()),
        Err(Stop::Error(error)) => {
            // Others to the same source may have been lost with this one.
            driver.fetcher.local.pool.forget(&dial.key);
            Err(error)
        }
    };
}

fn fetch_over(driver: &Driver<'_>, to: &Dial, hangup: Hangup) -> Result<(), Stop> {
    let local = driver.fetcher.local;
    let kept = local.pool.take(&to.key);
    let was_kept = kept.is_some();
    let (mut reached, better) = match kept {
        Some(reached) => {
            driver.report(Input::Kept(to.lane));
            (reached, None)
        }
        None => reach(to, driver.content_of(to.job), local, &hangup).map_err(not_dialled)?,
    };
    reached.stream.set_hangup(hangup);
    reached.stream.set_patience(PATIENCE);
    let (mut work, token) = work_of(driver, to.job)?;
    if let Some(down) = local.rates.down.clone() {
        reached.stream.limits.receive_at(down, to_line(&DataRequest::Wait { transfer: token.clone() }), KEEP_ALIVE);
    }
    let room = match &work {
        Work::Chunks(incoming) if incoming.is_gathered() => incoming.chunking.chunk_size().max(PIECE as u64) as usize,
        Work::Chunks(_) | Work::Files(_) => PIECE,
    };
    let mut connection = LaneConnection {
        driver,
        lane: to.lane,
        key: to.key,
        reached,
        token,
        asked: VecDeque::new(),
        rests: false,
        segment: 0,
        buffer: vec![0; room],
        arrived: 0,
        meter: Meter {
            driver,
            lane: to.lane,
            bytes: 0,
            reported: Instant::now(),
            better: better.map(|it| (to.key, it)),
        },
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
        Err(Stop::Told) if was_kept => {
            // Nothing came over it, so nothing will come over the others.
            local.pool.forget(&to.key);
            Err(Stop::Told)
        }
        other => other,
    }
}

/// What a lane fetches for a job, and the token under which its source knows that.
fn work_of<'d>(driver: &Driver<'d>, job: Job) -> Result<(Work<'d>, String), Stop> {
    Ok(match job {
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
    })
}

/// What a lane fetches, and where that goes.
enum Work<'a> {
    Chunks(Arc<Incoming>),
    Files(NumberedWriter<'a>),
}

/// Counts what comes, and reports it now and then, and a better way if one comes to stand.
struct Meter<'a, 'd> {
    driver: &'a Driver<'d>,
    lane: Lane,
    bytes: u64,
    reported: Instant,
    /// What may bring a better connection to the source, and who that is.
    better: Option<(PublicKey, Better)>,
}

impl Meter<'_, '_> {
    fn note(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.reported.elapsed() >= REPORT_EVERY {
            let bytes = self.take();
            self.driver.report(Input::Moved { lane: self.lane, bytes });
            self.look_for_better();
        }
    }

    /// Tells of a better way to the source, if one stands by now: another lane will take it.
    fn look_for_better(&mut self) {
        let Some((key, better)) = &mut self.better else { return };
        if let Ok(Ok((stream, route))) = better.try_recv() {
            self.driver.fetcher.local.pool.keep_better(*key, Reached::new(stream, route));
            self.driver.report(Input::Better(*key, route));
        }
    }

    fn take(&mut self) -> u64 {
        self.reported = Instant::now();
        std::mem::take(&mut self.bytes)
    }
}

/// An established connection.
struct LaneConnection<'a, 'd> {
    driver: &'a Driver<'d>,
    lane: Lane,
    key: PublicKey,
    reached: Reached,
    token: String,
    /// What was asked for and has not come yet, in order.
    asked: VecDeque<Range<u32>>,
    /// It was told to end when nothing was outstanding.
    rests: bool,
    /// The bytes of the current segment that have not come yet.
    segment: u64,
    /// What came last, and how long it is.
    buffer: Vec<u8>,
    arrived: usize,
    meter: Meter<'a, 'd>,
}

impl<'d> LaneConnection<'_, 'd> {
    /// Does what the lane is told, until it is told to end.
    fn obey(&mut self, work: &mut Work<'d>) -> Result<(), Stop> {
        let mut orders = VecDeque::new();
        self.driver.report_of(self.lane, Input::Connected(self.lane, self.reached.route), &mut orders);
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
                        self.rests = true;
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
                self.reached.stream.send(&to_line(&DataRequest::Ranges {
                    transfer,
                    hash: incoming.hash,
                    file,
                    ranges,
                }))?;
                self.asked.push_back(run);
            }
            (Output::AskFiles(_, files), Work::Files(_)) => {
                let planned = files.iter().map(|file| &self.driver.plan.files[self.driver.small(*file) as usize]);
                let named = planned.map(|planned| (planned.hash, planned.file.clone())).collect();
                let (transfer, folder) = (self.token.clone(), self.driver.plan.name.clone());
                let (hash, size) = (self.driver.plan.hash, self.driver.streamed);
                self.reached.stream.send(&to_line(&DataRequest::Files {
                    transfer,
                    folder,
                    hash,
                    size,
                    files: named,
                }))?;
                self.asked.extend(files.iter().map(|file| *file..*file + 1));
            }
            (Output::Write(_, piece), work) => self.write(piece, work, orders)?,
            (Output::KeepAlive(_), _) => {
                self.reached.stream.send(&to_line(&DataRequest::Wait { transfer: self.token.clone() }))?;
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
            Work::Files(writer) => self.driver.write_file(writer, self.driver.small(piece), bytes),
        };
        self.driver.report_of(self.lane, Input::Written { lane: self.lane, piece, result }, orders);
        Ok(())
    }

    /// Tells the source that its part is done. What was asked for and is not needed any more is taken in elsewhere:
    /// nobody waits for it.
    fn part_in_peace(mut self) {
        self.reached.stream.uncancel();
        self.reached.stream.set_patience(LEFTOVERS);
        if self.reached.stream.send(&to_line(&DataRequest::Done { transfer: self.token })).is_err() {
            return;
        }
        if self.asked.is_empty() {
            let reached = if self.rests {
                self.driver.fetcher.local.pool.give(self.key, self.reached)
            } else {
                Some(self.reached)
            };
            return reached.into_iter().for_each(|reached| reached.stream.finish());
        }
        let stream = self.reached.stream;
        // Without a thread the connection is cut, and the source counts it as broken off.
        let _ = thread::Builder::new().name("data-drain".into()).spawn(move || stream.linger(LEFTOVERS));
    }
}

/// A token for one file of a folder, so that its upload is not the folder's: each ends for itself.
fn token_of(folder: &str, file: u32) -> String {
    let hash = blake3::hash(format!("{folder} {file}").as_bytes()).to_hex();
    hash[..TOKEN_DIGITS].to_owned()
}
