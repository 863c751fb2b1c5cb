//! What drives a [`Fetch`]: a thread for each lane, one for the disk, and the caller's, which tells the user.
//!
//! Whoever has something to report takes the lock, gives it to the machine, and distributes what that wants done. Nobody
//! holds the lock over anything that takes its time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use super::control::Control;
use super::fetch::{Fetcher, no_room};
use super::lane::{Dial, run_lane};
use super::socket::Hangup;
use crate::core::Time;
use crate::core::fetch::{Fetch, FetchPlan, Got, Input, Lane, LaneError, Output, Start, TransferNote};
use crate::io::content::Incoming;
use crate::io::content::hash::{Fingerprint, Hashed, Manifest};
use crate::io::content::{Downloads, Writer, path_of};
use crate::io::os::cancel::Cancel;
use crate::protocol::{Chunking, ErrorCode, Failure};

/// How often it is looked at the latest whether the user wants it to end, or has told of new sources.
const LOOK: Duration = Duration::from_millis(100);

/// What the threads of one transfer share.
pub(super) struct Driver<'a> {
    pub(super) plan: Arc<FetchPlan>,
    pub(super) fetcher: &'a Fetcher<'a>,
    /// Of a folder: where its files go.
    downloads: Option<&'a Downloads>,
    /// The bytes of the files of a folder that come whole.
    pub(super) streamed: u64,
    /// The places in the plan of these files, by their numbers in the stream.
    small: Vec<u32>,
    started: Instant,
    /// Raised when it has ended without success: what takes long stops.
    stop: Cancel,
    state: Mutex<State>,
    /// Wakes the caller's thread.
    changed: Condvar,
    /// Wakes the disk's thread.
    disk: Condvar,
}

struct State {
    machine: Fetch,
    #[cfg(debug_assertions)]
    witness: crate::core::fetch::invariants::Witness,
    lanes: BTreeMap<Lane, LaneBox>,
    dials: Vec<(Dial, Hangup)>,
    disk: VecDeque<Output>,
    notes: VecDeque<TransferNote>,
    /// The content that comes in chunks now.
    incoming: Option<Arc<Incoming>>,
    /// The numbers of those who write small files.
    writers: BTreeSet<usize>,
}

/// What one lane is to do.
struct LaneBox {
    orders: VecDeque<Output>,
    wake: Arc<Condvar>,
    /// Ends whatever it waits for.
    hangup: Hangup,
    /// Whether it ends in peace.
    closes: bool,
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
        let state = State {
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

    /// Runs all threads to their end.
    pub(super) fn run(&self, notify: &dyn Fn(TransferNote), control: &Control) -> Result<Got, Failure> {
        let outcome = thread::scope(|scope| {
            let named = thread::Builder::new().name("data-disk".into());
            if let Err(e) = named.spawn_scoped(scope, || self.run_disk()) {
                return Err(no_thread(&e));
            }
            self.drain(&mut self.lock());
            self.watch(scope, notify, control)
        });
        let machine = &self.lock().machine;
        let Some(downloads) = self.downloads else { return outcome };
        match outcome {
            Err(failure) if failure.code == ErrorCode::DiskFull && machine.is_broken_off() => {
                Err(no_room(machine.missing(), downloads.free()).unwrap_or(failure))
            }
            Err(failure) if machine.is_broken_off() => Err(failure),
            other => downloads.sync().and(other),
        }
    }

    /// Starts the lanes, and tells the user how it goes, until the end has come.
    fn watch<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        notify: &dyn Fn(TransferNote),
        control: &Control,
    ) -> Result<Got, Failure> {
        let mut cancelled = false;
        loop {
            let updates = control.take_updates();
            let mut state = self.lock();
            if !cancelled && control.is_cancelled() {
                cancelled = true;
                self.stop.cancel();
                self.handle(&mut state, Input::Cancel);
            }
            if !updates.is_empty() {
                self.handle(&mut state, Input::Learned(updates));
            }
            let now = self.now();
            let due = state.machine.next_timeout();
            if due.is_some_and(|at| at <= now) {
                self.handle(&mut state, Input::Tick);
            }
            let (dials, notes) = (std::mem::take(&mut state.dials), std::mem::take(&mut state.notes));
            if dials.is_empty() && notes.is_empty() {
                if let Some(outcome) = state.machine.outcome() {
                    return outcome;
                }
                let wait = state.machine.next_timeout().map_or(LOOK, |at| (at - self.now()).min(LOOK));
                drop(self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner));
                continue;
            }
            drop(state);
            for (dial, hangup) in dials {
                let (lane, named) = (dial.lane, thread::Builder::new().name("data-fetch".into()));
                if let Err(e) = named.spawn_scoped(scope, move || run_lane(self, dial, hangup)) {
                    self.report(Input::Ended(lane, Err(LaneError::Fatal(no_thread(&e)))));
                }
            }
            notes.into_iter().for_each(notify);
        }
    }

    /// Does what takes its time on the disk, one after the other.
    fn run_disk(&self) {
        loop {
            let mut state = self.lock();
            let order = loop {
                if let Some(order) = state.disk.pop_front() {
                    break order;
                }
                if state.machine.outcome().is_some() {
                    return;
                }
                state = self.disk.wait(state).unwrap_or_else(PoisonError::into_inner);
            };
            let incoming = state.incoming.clone();
            drop(state);
            if let Some(input) = self.do_on_disk(order, incoming) {
                self.report(input);
            }
        }
    }

    fn do_on_disk(&self, order: Output, incoming: Option<Arc<Incoming>>) -> Option<Input> {
        let of = |file: u32| incoming.as_ref().filter(|incoming| incoming.file == file);
        match order {
            Output::Open(file) => {
                let planned = self.plan.files.get(file as usize)?;
                let at = (self.fetcher.folder, self.fetcher.store);
                let opened = Incoming::open(&self.plan, (file, planned), at, &self.stop);
                let opened = opened.map(|(opened, incoming)| {
                    self.lock().incoming = incoming.map(Arc::new);
                    opened
                });
                Some(Input::Opened(file, opened))
            }
            Output::Check(chunk) => {
                let right = incoming.is_some_and(|incoming| incoming.check(chunk, &self.stop));
                Some(Input::Checked { chunk, right })
            }
            Output::Place { file, complete } => {
                let placed =
                    of(file).ok_or_else(|| Failure::from(ErrorCode::Internal)).and_then(|of| of.place(complete));
                let result = placed.map(|path| (path.to_string_lossy().into_owned(), complete));
                Some(Input::Placed { file, result })
            }
            Output::Leave { file, discard } => {
                of(file).into_iter().for_each(|of| of.leave(discard));
                Some(Input::Placed { file, result: Err(ErrorCode::Interrupted.into()) })
            }
            Output::Make(file) => {
                let result = self.make(file).map(|path| (path.to_string_lossy().into_owned(), true));
                Some(Input::Placed { file, result })
            }
            Output::Dial { .. }
            | Output::AskManifest(_)
            | Output::AskChunks(..)
            | Output::AskFiles(..)
            | Output::Write(..)
            | Output::KeepAlive(_)
            | Output::Close(_)
            | Output::Cut(_)
            | Output::Note(_) => None,
        }
    }

    /// Makes an empty file.
    fn make(&self, file: u32) -> Result<PathBuf, Failure> {
        let mut writer = self.writer().ok_or(ErrorCode::Internal)?;
        if self.stop.is_cancelled() {
            return Err(ErrorCode::Interrupted.into());
        }
        self.write_file(&mut writer, file, &[])
    }

    /// Writes a file that came whole, and serves it from then on.
    pub(super) fn write_file(
        &self,
        writer: &mut NumberedWriter<'a>,
        file: u32,
        bytes: &[u8],
    ) -> Result<PathBuf, Failure> {
        let planned = self.plan.files.get(file as usize).ok_or(ErrorCode::Internal)?;
        let (name, fingerprint) = writer.writer.write(&planned.target, bytes, planned.modified)?;
        let path = path_of(self.fetcher.folder, &planned.target, &name);
        self.fetcher.store.keep(
            planned.file.clone(),
            path.clone(),
            came_whole(planned.hash.0, bytes.len(), fingerprint),
        );
        Ok(path)
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
            state = wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether a lane was told to end in peace.
    pub(super) fn closes(&self, lane: Lane) -> bool {
        self.lock().lanes.get(&lane).is_some_and(|of| of.closes)
    }

    fn handle(&self, state: &mut State, input: Input) {
        let lane = match &input {
            Input::Ended(lane, _) => Some(*lane),
            _ => None,
        };
        state.machine.handle(self.now(), input);
        if let Some(lane) = lane {
            state.lanes.remove(&lane);
        }
        self.drain(state);
    }

    /// Distributes what the machine wants done.
    fn drain(&self, state: &mut State) {
        #[cfg(debug_assertions)]
        if let Err(wrong) = state.witness.check(&state.machine) {
            panic!("{wrong}");
        }
        while let Some(output) = state.machine.poll() {
            match output {
                Output::Dial { lane, address, key, job } => {
                    // Without a descriptor for it, none will be had for its socket either.
                    let (hangup, wake) = (Hangup::waking().unwrap_or_default(), Arc::default());
                    let of = LaneBox { orders: VecDeque::new(), wake, hangup: hangup.clone(), closes: false };
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
                        of.wake.notify_one();
                    }
                }
                Output::Close(lane) | Output::Cut(lane) => {
                    if let Some(of) = state.lanes.get_mut(&lane) {
                        of.closes = output == Output::Close(lane);
                        of.hangup.raise();
                        of.wake.notify_one();
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

    fn now(&self) -> Time {
        Time(self.started.elapsed().as_micros() as u64)
    }

    /// Held for moments only, never over I/O.
    fn lock(&self) -> MutexGuard<'_, State> {
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
    Hashed { hash: crate::protocol::ContentHash(hash), chunking, manifest, fingerprint }
}

fn no_thread(e: &std::io::Error) -> Failure {
    Failure::internal(format!("no thread can be had: {e}"))
}
