//! Simulated transfers: the real fetch machine decides for the receiver; this module does what its driver and the
//! sources would do.

mod giving;
mod pace;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::done::Done;
use super::{Happening, Sim};
use crate::core::fetch::invariants::Witness;
use crate::core::fetch::{Fetch, FetchPlan, Found, Input, Job, Lane, Opened, Output, PlannedFile, Start};
use crate::core::flow::TRIAL;
use crate::core::session::{TransferNote, UploadNote};
use crate::core::time::Time;
use crate::protocol::transfer::{Chunking, OnConflict};
use crate::protocol::{ChunkSet, ContentHash, ErrorCode, Failure, PublicKey};

/// The delay to a source, in milliseconds; the answer takes as long.
const WAY: u64 = 5;

/// Stands for the hub as a source. It tells nobody what it sends.
const HUB: usize = usize::MAX;

/// The transfers of one client.
#[derive(Default)]
pub(super) struct Traffic {
    fetching: BTreeMap<u64, Fetching>,
    /// The uploads, by number: the receiver, and the transfer's number there.
    sending: BTreeMap<u64, (usize, u64)>,
    uploads: u64,
    /// The chunks that were fetched and can be served, by content and size of a chunk.
    had: BTreeMap<(ContentHash, u64), ChunkSet>,
    /// The chunks of incomplete files, by their final name and their content.
    partial: BTreeMap<(String, ContentHash, u64), ChunkSet>,
}

/// A download.
struct Fetching {
    machine: Fetch,
    witness: Witness,
    plan: Arc<FetchPlan>,
    lanes: BTreeMap<Lane, Wire>,
    /// The uploads at the sources, for one file or for the small ones: the upload's number and its bytes.
    uploads: BTreeMap<(usize, Option<u32>), (u64, u64)>,
    tick: Option<Time>,
}

/// A connection to a source.
struct Wire {
    job: Job,
    key: PublicKey,
    /// The source at the other end, once known.
    source: Option<usize>,
    /// When the source has sent everything that it was asked for.
    free: Time,
    /// How many bytes of the next chunk or file have arrived.
    moved: u64,
}

/// A scheduled event of a transfer.
pub(super) enum Step {
    Tick,
    Tell(Input),
    Dialled(Lane),
    AskedManifest(Lane),
    Begins(Lane, u32),
    Moved(Lane, u32),
    Asked(Lane, u32),
}

impl Traffic {
    /// Handles a note of an upload; returns whether the upload goes on or has just ended.
    pub(super) fn sends(&mut self, upload: u64, note: &UploadNote) -> bool {
        match note {
            UploadNote::Completed(_) | UploadNote::Failed(_) => self.sending.remove(&upload).is_some(),
            UploadNote::Started { .. } | UploadNote::Way(_) | UploadNote::Progress(_) => {
                self.sending.contains_key(&upload)
            }
        }
    }

    fn has(&self, hash: &ContentHash, chunk_size: u64, chunk: Option<u32>) -> bool {
        let has = |(of, had): (&(ContentHash, u64), &ChunkSet)| {
            of.0 == *hash && chunk.is_none_or(|chunk| of.1 == chunk_size && had.contains(chunk))
        };
        self.had.iter().any(has)
    }

    fn add(&mut self, hash: ContentHash, chunking: Chunking, chunks: Range<u32>) {
        self.had.entry((hash, chunking.chunk_size())).or_default().extend(chunks);
    }
}

/// The upload to which a job belongs.
fn upload_of(job: Job) -> Option<u32> {
    match job {
        Job::Chunks(file) => Some(file),
        Job::Files => None,
    }
}

/// The bytes of a chunk or small file, and the bytes of the whole job.
fn sizes(plan: &FetchPlan, small: &[u32], job: Job, piece: u32) -> (u64, u64) {
    match job {
        Job::Chunks(file) => {
            let chunking = plan.files[file as usize].chunking;
            let range = chunking.range(piece);
            (range.end - range.start, chunking.size())
        }
        Job::Files => {
            let size = |file: &u32| plan.files[*file as usize].chunking.size();
            (size(&small[piece as usize]), small.iter().map(size).sum())
        }
    }
}

/// The name under which a folder is saved.
fn target_of(plan: &FetchPlan) -> &str {
    let whole = plan.files.first().and_then(|file| {
        let below = file.file.strip_prefix(&plan.name)?;
        file.target.strip_suffix(below)
    });
    whole.unwrap_or(&plan.name).trim_end_matches('/')
}

impl Sim {
    /// Starts to fetch a file or a folder.
    pub(super) fn fetch(&mut self, client: usize, transfer: u64, plan: Arc<FetchPlan>) {
        let (mut found, mut path) = (Vec::new(), String::new());
        if plan.is_folder() {
            path = format!("downloads/{}", target_of(&plan));
            for file in &plan.files {
                found.push(self.find(client, &plan, file));
                if let Some(Ok(Found::Here(chunking))) = found.last() {
                    self.actors[client].traffic.add(file.hash, *chunking, 0..chunking.count());
                }
            }
        }
        let start = Start { seed: self.rng.next_u64(), cores: 2, trial: TRIAL, limited: false, found, path };
        let fetching = Fetching {
            machine: Fetch::new(self.now, plan.clone(), start),
            witness: Witness::default(),
            plan,
            lanes: BTreeMap::new(),
            uploads: BTreeMap::new(),
            tick: None,
        };
        self.actors[client].traffic.fetching.insert(transfer, fetching);
        self.drive(client, transfer);
    }

    /// What an earlier attempt has left of a file.
    fn find(&self, client: usize, plan: &FetchPlan, file: &PlannedFile) -> Result<Found, Failure> {
        match self.actors[client].downloads.get(&file.target) {
            Some(there) if *there == file.hash => Ok(Found::Here(file.chunking)),
            Some(_) if plan.on_conflict == OnConflict::Fail => Err(Failure::exists(&file.target)),
            Some(_) | None => Ok(Found::Missing),
        }
    }

    fn tell_transfer(&mut self, client: usize, transfer: u64, note: TransferNote) {
        self.later(self.now, Happening::Local(client, Done::Transfer(transfer, note)));
    }

    fn step_later(&mut self, millis: u64, client: usize, transfer: u64, step: Step) {
        self.later(self.now + Duration::from_millis(millis), Happening::Transfer(client, transfer, step));
    }

    fn fetching(&mut self, client: usize, transfer: u64) -> Option<&mut Fetching> {
        self.actors[client].traffic.fetching.get_mut(&transfer)
    }

    /// Runs an event of a transfer, if the transfer still exists.
    pub(super) fn transfer_step(&mut self, client: usize, transfer: u64, step: Step) {
        if self.actors[client].ended.is_some() {
            return giving::abandon(self, client, transfer);
        }
        let now = self.now;
        let Some(fetching) = self.fetching(client, transfer) else { return };
        let input = match step {
            Step::Tell(input) => Some(input),
            Step::Tick => fetching.tick.take_if(|at| *at <= now).map(|_| Input::Tick),
            Step::Dialled(lane) => giving::dialled(self, client, transfer, lane),
            Step::AskedManifest(lane) => giving::asked(self, client, transfer, lane, None),
            Step::Begins(lane, piece) => pace::begins(self, client, transfer, lane, piece),
            Step::Moved(lane, piece) => pace::moved(self, client, transfer, lane, piece),
            Step::Asked(lane, piece) => giving::asked(self, client, transfer, lane, Some(piece)),
        };
        if let Some(input) = input {
            self.tell_machine(client, transfer, input);
        }
    }

    pub(super) fn tell_whereabouts(&mut self, client: usize, whereabouts: &[(PublicKey, Option<SocketAddr>)]) {
        let transfers: Vec<u64> = self.actors[client].traffic.fetching.keys().copied().collect();
        for transfer in transfers {
            for (key, address) in whereabouts {
                self.tell_machine(client, transfer, Input::Whereabouts(*key, *address));
            }
        }
    }

    pub(super) fn tell_machine(&mut self, client: usize, transfer: u64, input: Input) {
        let now = self.now;
        if let Some(fetching) = self.fetching(client, transfer) {
            fetching.machine.handle(now, input);
            self.drive(client, transfer);
        }
    }

    /// Does what the machine wants.
    fn drive(&mut self, client: usize, transfer: u64) {
        while let Some(fetching) = self.fetching(client, transfer) {
            if let Err(wrong) = fetching.witness.check(&fetching.machine) {
                panic!("{wrong}");
            }
            let Some(output) = fetching.machine.poll() else { break };
            self.perform_transfer(client, transfer, output);
        }
        let Some(fetching) = self.fetching(client, transfer) else { return };
        if let Some(outcome) = fetching.machine.outcome() {
            self.actors[client].traffic.fetching.remove(&transfer);
            let note = match outcome {
                Ok(got) => TransferNote::Completed { path: got.path, complete: got.complete, sources: got.from },
                Err(failure) => TransferNote::Failed(failure),
            };
            return self.tell_transfer(client, transfer, note);
        }
        let timeout = fetching.machine.next_timeout();
        if let Some(at) = timeout.filter(|at| fetching.tick.is_none_or(|tick| *at < tick)) {
            fetching.tick = Some(at);
            self.later(at, Happening::Transfer(client, transfer, Step::Tick));
        }
    }

    fn perform_transfer(&mut self, client: usize, transfer: u64, output: Output) {
        let Some(plan) = self.fetching(client, transfer).map(|fetching| fetching.plan.clone()) else { return };
        match output {
            Output::Open(file) => {
                let opened = self.open(client, &plan, &plan.files[file as usize]);
                self.step_later(1, client, transfer, Step::Tell(Input::Opened(file, opened)));
            }
            Output::Dial { lane, key, job, .. } => {
                let free = self.now;
                if let Some(fetching) = self.fetching(client, transfer) {
                    fetching.lanes.insert(lane, Wire { job, key, source: None, free, moved: 0 });
                }
                self.step_later(2 * WAY, client, transfer, Step::Dialled(lane));
            }
            Output::AskManifest(lane) => self.step_later(WAY, client, transfer, Step::AskedManifest(lane)),
            Output::AskChunks(lane, run) => {
                run.for_each(|chunk| pace::ask(self, client, transfer, lane, chunk));
            }
            Output::AskFiles(lane, files) => {
                files.into_iter().for_each(|file| pace::ask(self, client, transfer, lane, file));
            }
            Output::Write(lane, piece) => self.write(client, transfer, lane, piece),
            Output::KeepAlive(_) => {}
            Output::Close(lane) => giving::end_lane(self, client, transfer, lane, true),
            Output::Cut(lane) => giving::end_lane(self, client, transfer, lane, false),
            Output::Check(chunk) => {
                self.step_later(1, client, transfer, Step::Tell(Input::Checked { chunk, right: true }));
            }
            Output::Place { file, complete } => {
                let result = Ok((self.place(client, &plan.files[file as usize], complete), complete));
                self.step_later(1, client, transfer, Step::Tell(Input::Placed { file, result }));
            }
            Output::Make(file) => {
                let result = Ok((self.place(client, &plan.files[file as usize], true), true));
                self.step_later(1, client, transfer, Step::Tell(Input::Placed { file, result }));
            }
            Output::Leave { file, .. } => {
                let result = Err(ErrorCode::Interrupted.into());
                self.step_later(1, client, transfer, Step::Tell(Input::Placed { file, result }));
            }
            Output::Note(note) => self.tell_transfer(client, transfer, note),
        }
    }

    fn open(&mut self, client: usize, plan: &FetchPlan, file: &PlannedFile) -> Result<Opened, Failure> {
        let path = format!("downloads/{}", file.target);
        if let Found::Here(chunking) = self.find(client, plan, file)?
            && plan.share
        {
            self.actors[client].traffic.add(file.hash, chunking, 0..chunking.count());
            return Ok(Opened::Here { path, chunking });
        }
        let key = (file.target.clone(), file.hash, file.chunking.chunk_size());
        let claimed = self.actors[client].traffic.partial.get(&key).map(|there| there.iter().collect());
        Ok(Opened::Ready { path, claimed: claimed.unwrap_or_default(), manifest: false })
    }

    /// Saves a file under its name if it is complete; returns its path.
    fn place(&mut self, client: usize, file: &PlannedFile, complete: bool) -> String {
        let PlannedFile { target, hash, chunking, .. } = file;
        if !complete {
            return format!("downloads/.{target}.{}.potluck", &hash.to_string()[..8]);
        }
        let actor = &mut self.actors[client];
        actor.traffic.partial.remove(&(target.clone(), *hash, chunking.chunk_size()));
        actor.downloads.insert(target.clone(), *hash);
        format!("downloads/{target}")
    }

    fn write(&mut self, client: usize, transfer: u64, lane: Lane, piece: u32) {
        let Some(fetching) = self.fetching(client, transfer) else { return };
        let Some(job) = fetching.lanes.get(&lane).map(|wire| wire.job) else { return };
        let (plan, small) = (fetching.plan.clone(), fetching.machine.small().to_vec());
        match job {
            Job::Chunks(file) => {
                let PlannedFile { target, hash, chunking, .. } = &plan.files[file as usize];
                let key = (target.clone(), *hash, chunking.chunk_size());
                self.actors[client].traffic.partial.entry(key).or_default().insert(piece);
                if plan.share {
                    self.actors[client].traffic.add(*hash, *chunking, piece..piece + 1);
                }
            }
            Job::Files => {
                let file = &plan.files[small[piece as usize] as usize];
                let chunking = Chunking::for_size(file.chunking.size(), None);
                self.actors[client].traffic.add(file.hash, chunking, 0..chunking.count());
                self.place(client, file, true);
            }
        }
        self.step_later(0, client, transfer, Step::Tell(Input::Written { lane, piece, result: Ok(()) }));
    }

    /// Cancels a client's download.
    pub(super) fn cancel_fetch(&mut self, client: usize, transfer: u64) {
        self.tell_machine(client, transfer, Input::Cancel);
    }

    /// A client cancels an upload, so its receiver loses this source.
    pub(super) fn cancel_upload(&mut self, client: usize, upload: u64) {
        giving::cancel_upload(self, client, upload);
    }
}
