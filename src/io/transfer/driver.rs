//! What the threads that drive a [`Fetch`] share.
//!
//! Whoever has something to report takes the lock, gives it to the machine, and distributes what that wants done. Nobody
//! holds the lock over anything that takes its time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::fetcher::Fetcher;
use super::socket::Hangup;
use crate::core::Time;
use crate::core::fetch::{Fetch, FetchPlan, Input, Job, Lane, Output, Start, TransferNote};
use crate::io::content::Incoming;
use crate::io::content::hash::{Fingerprint, Hashed, Manifest};
use crate::io::content::{Downloads, Writer, path_of};
use crate::io::os::cancel::Cancel;
use crate::protocol::{Chunking, ContentHash, ErrorCode, Failure, PublicKey};

/// Who is to be dialled, and what for.
pub(super) struct Dial {
    pub(super) lane: Lane,
    pub(super) address: SocketAddr,
    pub(super) key: PublicKey,
    pub(super) job: Job,
}

/// What the threads of one transfer share.
pub(super) struct Driver<'a> {
    pub(super) plan: Arc<FetchPlan>,
    pub(super) fetcher: &'a Fetcher<'a>,
    /// Of a folder: where its files go.
    pub(super) downloads: Option<&'a Downloads>,
    /// The bytes of the files of a folder that come whole.
    pub(super) streamed: u64,
    /// The places in the plan of these files, by their numbers in the stream.
    small: Vec<u32>,
    started: Instant,
    /// Raised when it has ended without success: what takes long stops.
    pub(super) stop: Cancel,
    state: Mutex<DriverState>,
    /// Wakes the caller's thread.
    pub(super) changed: Condvar,
    /// Wakes the disk's thread.
    pub(super) disk: Condvar,
}

pub(super) struct DriverState {
    pub(super) machine: Fetch,
    #[cfg(debug_assertions)]
    witness: crate::core::fetch::invariants::Witness,
    lanes: BTreeMap<Lane, LaneBox>,
    pub(super) dials: Vec<(Dial, Hangup)>,
    pub(super) disk: VecDeque<Output>,
    pub(super) notes: VecDeque<TransferNote>,
    /// The content that comes in chunks now.
    pub(super) incoming: Option<Arc<Incoming>>,
    /// The numbers of those who write small files.
    writers: BTreeSet<usize>,
}

/// What one lane is to do.
struct LaneBox {
    orders: VecDeque<Output>,
    wake: Arc<Condvar>,
    /// Whether its thread sleeps until there are orders: to wake one that does not costs a system call for nothing.
    sleeps: bool,
    /// Ends whatever it waits for.
    hangup: Hangup,
    /// Whether it ends in peace.
    closes: bool,
}

impl LaneBox {
    fn wake(&mut self) {
        if std::mem::take(&mut self.sleeps) {
            self.wake.notify_one();
        }
    }
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        plan: Arc<FetchPlan>,
        fetcher: &'a Fetcher<'a>,
        downloads: Option<&'a Downloads>,
        start: Start,
    ) -> Self {
        let machine = Fetch::new(Time(0), plan.clone(), start);
        let small = machine.small().to_vec();
        let streamed = small.iter().map(|file| plan.files[*file as usize].chunking.size()).sum();
        let state = DriverState {
            machine,
            #[cfg(debug_assertions)]
            witness: Default::default(),
            lanes: BTreeMap::new(),
            dials: Vec::new(),
            disk: VecDeque::new(),
            notes: VecDeque::new(),
            incoming: None,
            writers: BTreeSet::new(),
        };
        let (started, stop, state) = (Instant::now(), Cancel::default(), Mutex::new(state));
        let (changed, disk) = (Condvar::new(), Condvar::new());
        Self { plan, fetcher, downloads, streamed, small, started, stop, state, changed, disk }
    }

    /// Writes a file that came whole, and serves it from then on.
    pub(super) fn write_file(&self, writer: &mut NumberedWriter<'a>, file: u32, bytes: &[u8]) -> Result<(), Failure> {
        let planned = self.plan.files.get(file as usize).ok_or(ErrorCode::Internal)?;
        let (name, fingerprint) = writer.writer.write(&planned.target, bytes, planned.modified)?;
        let path = path_of(self.fetcher.folder, &planned.target, &name);
        self.fetcher.store.keep(&planned.file, path, came_whole(planned.hash.0, bytes.len(), fingerprint));
        Ok(())
    }

    /// Somebody who writes small files, under a number that nobody else has meanwhile.
    pub(super) fn writer(&self) -> Option<NumberedWriter<'a>> {
        let downloads = self.downloads?;
        let mut state = self.lock();
        let number = (0..).find(|number| !state.writers.contains(number))?;
        state.writers.insert(number);
        drop(state);
        Some(NumberedWriter {
            writer: Writer::new(downloads, &self.fetcher.token, number, self.plan.on_conflict),
            number,
        })
    }

    pub(super) fn free_writer(&self, writer: &NumberedWriter<'a>) {
        self.lock().writers.remove(&writer.number);
    }

    /// The place in the plan of a file of the stream.
    pub(super) fn small(&self, file: u32) -> u32 {
        self.small[file as usize]
    }

    /// The content that comes in chunks now, if it is this file.
    pub(super) fn incoming(&self, file: u32) -> Option<Arc<Incoming>> {
        self.lock().incoming.clone().filter(|incoming| incoming.file == file)
    }

    /// Tells the machine what has happened, and has done what it wants.
    pub(super) fn report(&self, input: Input) {
        self.handle(&mut self.lock(), input);
    }

    /// The same, for a lane, which gets what it is to do next.
    pub(super) fn report_of(&self, lane: Lane, input: Input, orders: &mut VecDeque<Output>) {
        let mut state = self.lock();
        self.handle(&mut state, input);
        if let Some(of) = state.lanes.get_mut(&lane) {
            orders.append(&mut of.orders);
        }
    }

    /// Waits until a lane has something to do.
    pub(super) fn wait_for_orders(&self, lane: Lane, orders: &mut VecDeque<Output>) {
        let mut state = self.lock();
        while let Some(of) = state.lanes.get_mut(&lane) {
            orders.append(&mut of.orders);
            if !orders.is_empty() || of.hangup.is_raised() {
                return;
            }
            let wake = of.wake.clone();
            of.sleeps = true;
            state = wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether a lane was told to end in peace.
    pub(super) fn closes(&self, lane: Lane) -> bool {
        self.lock().lanes.get(&lane).is_some_and(|of| of.closes)
    }

    pub(super) fn handle(&self, state: &mut DriverState, input: Input) {
        let lane = if let Input::Ended(lane, _) = &input { Some(*lane) } else { None };
        state.machine.handle(self.now(), input);
        if let Some(lane) = lane {
            state.lanes.remove(&lane);
        }
        self.drain(state);
    }

    /// Distributes what the machine wants done.
    pub(super) fn drain(&self, state: &mut DriverState) {
        #[cfg(debug_assertions)]
        if let Err(wrong) = state.witness.check(&state.machine) {
            panic!("{wrong}");
        }
        while let Some(output) = state.machine.poll() {
            match output {
                Output::Dial { lane, address, key, job } => {
                    // Without a descriptor for it, none will be had for its socket either.
                    let (hangup, wake) = (Hangup::waking().unwrap_or_default(), Arc::default());
                    let (orders, hangs) = (VecDeque::new(), hangup.clone());
                    let of = LaneBox { orders, wake, sleeps: false, hangup: hangs, closes: false };
                    state.lanes.insert(lane, of);
                    state.dials.push((Dial { lane, address, key, job }, hangup));
                }
                Output::AskManifest(lane)
                | Output::AskChunks(lane, _)
                | Output::AskFiles(lane, _)
                | Output::Write(lane, _)
                | Output::KeepAlive(lane) => {
                    if let Some(of) = state.lanes.get_mut(&lane) {
                        of.orders.push_back(output);
                        of.wake();
                    }
                }
                Output::Close(lane) | Output::Cut(lane) => {
                    if let Some(of) = state.lanes.get_mut(&lane) {
                        of.closes = output == Output::Close(lane);
                        of.hangup.raise();
                        of.wake();
                    }
                }
                Output::Open(_) | Output::Check(_) | Output::Place { .. } | Output::Make(_) | Output::Leave { .. } => {
                    state.disk.push_back(output);
                    self.disk.notify_one();
                }
                Output::Note(note) => state.notes.push_back(note),
            }
        }
        let over = state.machine.outcome().is_some();
        if over {
            self.disk.notify_one();
        }
        if over || !state.notes.is_empty() || !state.dials.is_empty() {
            self.changed.notify_one();
        }
    }

    pub(super) fn now(&self) -> Time {
        Time(self.started.elapsed().as_micros() as u64)
    }

    /// Held for moments only, never over I/O.
    pub(super) fn lock(&self) -> MutexGuard<'_, DriverState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who writes small files.
pub(super) struct NumberedWriter<'a> {
    writer: Writer<'a>,
    number: usize,
}

/// What came whole is one chunk here, or none, however its owner cuts it.
fn came_whole(hash: [u8; 32], size: usize, fingerprint: Fingerprint) -> Hashed {
    let chunking = Chunking::for_size(size as u64, None);
    let manifest = if chunking.count() == 0 { Manifest::from([]) } else { [hash].into() };
    Hashed { hash: ContentHash(hash), chunking, manifest, fingerprint }
}
