//! [`Fetch`], the machine of one transfer: the order in which files are opened, fetched and placed, and the end.
//!
//! The driver reports everything that happens by [`Fetch::handle`], then carries out each [`Output`] that
//! [`Fetch::poll`] returns, until [`Fetch::outcome`] gives the result. At [`Fetch::next_timeout`] it reports
//! [`Input::Tick`], if nothing else has happened before.
//!
//! At any time at most one file is fetched in chunks, see [`Stage`]. The small files of a folder come at the same time,
//! over lanes of their own.

mod files;
mod lanes;
mod ways;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::core::fetch::content::Content;
use crate::core::fetch::lanes::{Lanes, Terms};
use crate::core::fetch::news::TransferNote;
use crate::core::fetch::plan::{FetchPlan, PlannedFile};
use crate::core::fetch::sources::Sources;
use crate::core::fetch::stream::Stream;
use crate::core::fetch::telling::Telling;
use crate::core::fetch::words::{Input, Job, Lane, Output, Start};
use crate::core::time::Time;
use crate::protocol::types;
use crate::protocol::{ErrorCode, Failure};

/// The result of a transfer that has succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct Got {
    /// The path of the file, which is a hidden one if the file is not complete; or of the folder that holds all files.
    pub path: String,
    /// Whether the file or folder is complete. It is not if the user wanted only some chunks.
    pub complete: bool,
    /// How many bytes came from each source; sources that sent none are left out. Bytes that an earlier attempt had
    /// fetched are not counted.
    pub from: Vec<types::Source>,
}

/// How far the one file has come that is fetched in chunks now. It goes through these stages in this order; then the
/// next file of the folder begins. Files are given by their index in the plan.
#[derive(Debug)]
pub(super) enum Stage {
    /// No file is fetched in chunks.
    None,
    /// The driver opens the file.
    Opening(u32),
    /// Lanes fetch the chunks.
    Fetching(Box<Content>),
    /// All wanted chunks are there, or the file has failed. Its lanes are ending.
    Ending(Box<Content>, Result<(), Failure>),
    /// The driver gives the file its name, or keeps or removes an incomplete one: its index in the plan, the bytes that
    /// are there, and whether the file has failed.
    Placing(u32, u64, Result<(), Failure>),
}

/// One transfer.
#[derive(Debug)]
pub struct Fetch {
    pub(super) plan: Arc<FetchPlan>,
    start: Start,
    now: Time,
    pub(super) sources: Sources,
    pub(super) lanes: Lanes,
    pub(super) stream: Stream,
    /// The small files: element `n` is the index in the plan of the file with number `n` in the stream.
    small: Vec<u32>,
    pub(super) stage: Stage,
    /// The files that are fetched in chunks and have not been opened yet, by their index in the plan.
    later: VecDeque<u32>,
    /// The number of empty files that the driver is creating.
    making: usize,
    telling: Telling,
    /// The bytes of the files that are complete and have their names.
    present: u64,
    /// The path of the file or folder, and whether it is complete.
    place: (String, bool),
    fate: Fate,
}

/// The failures so far, and the end of the transfer.
#[derive(Debug, Default)]
struct Fate {
    /// How many files of a folder have failed.
    failed: usize,
    /// Why the first of them failed.
    first: Option<Failure>,
    /// The result of the transfer. Lanes may still be ending after it is known.
    end: Option<Result<(), Failure>>,
    /// The user cancelled the transfer, or our own side cannot go on: no source could have helped.
    broken_off: bool,
    /// The user was told the last progress; nothing more is told.
    told: bool,
}

impl Fetch {
    /// Begins a transfer; its first outputs are ready at once. A plan of a file that cannot succeed, such as one
    /// without a source, ends at once, see [`Fetch::outcome`].
    pub fn new(now: Time, plan: Arc<FetchPlan>, mut start: Start) -> Self {
        let plan = files::without_doubles(plan);
        let mut sources = Sources::default();
        plan.sources.iter().for_each(|source| sources.add(source));
        let found = std::mem::take(&mut start.found);
        let lanes = Lanes::new(Terms { trial: start.trial, limited: start.limited });
        let mut fetch = Self {
            stream: Stream::new(now, Vec::new(), 0, (start.seed, start.cores)),
            now,
            sources,
            lanes,
            small: Vec::new(),
            stage: Stage::None,
            later: VecDeque::new(),
            making: 0,
            telling: Telling::new(now),
            present: 0,
            place: (start.path.clone(), true),
            fate: Fate::default(),
            plan,
            start,
        };
        match fetch.plan.is_folder() {
            true => fetch.begin_folder(found),
            false => fetch.begin_file(),
        }
        fetch.look();
        fetch
    }

    /// Handles an input; [`Fetch::poll`] then gives the outputs. Never fails. Inputs about lanes and files that have
    /// ended change nothing, also after the end of the transfer.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = now;
        match input {
            Input::Opened(file, opened) => self.opened(file, opened),
            Input::Kept(lane) => self.lanes.kept(lane),
            Input::Connected(lane, route) => self.connected(lane, route),
            Input::Manifest { lane, fits } => {
                self.lanes.answered(lane);
                if let Stage::Fetching(content) = &mut self.stage {
                    content.manifest(now, lane, fits, &mut self.lanes);
                }
            }
            Input::Moved { lane, bytes } => self.lanes.moved(now, lane, bytes),
            Input::Arrived { lane, piece, bytes } => {
                self.arrived(lane, piece, bytes);
                if self.goes_on(lane) {
                    return self.tell();
                }
            }
            Input::Written { lane, piece, result } => {
                let well = result.is_ok();
                self.written(lane, piece, result);
                if well && self.goes_on(lane) {
                    return self.tell();
                }
            }
            Input::Refused { lane, piece, failure } => {
                self.lanes.moved(now, lane, 0);
                self.stream.refused(lane, piece, failure, &mut self.lanes);
            }
            Input::Ended(lane, end) => self.ended(lane, end),
            Input::Checked { chunk, right } => self.checked(chunk, right),
            Input::Placed { file, result } => self.placed(file, result),
            Input::Learned(sources) => self.learned(sources),
            Input::Whereabouts(key, address) => self.whereabouts(&key, address),
            Input::Better(key, route) => self.better(&key, route),
            Input::NetworkChanged => self.network_changed(),
            Input::Cancel => self.break_off(ErrorCode::Interrupted.into()),
            Input::Failed(failure) => self.break_off(failure),
            Input::Tick => {}
        }
        self.look();
    }

    /// The quick path for small files, which come by the thousands: gives this lane its next requests, and returns true
    /// if nothing else can have changed, so that [`Fetch::look`] need not be called. False for lanes that fetch chunks.
    /// Timers that are due meanwhile are handled at the next [`Input::Tick`].
    fn goes_on(&mut self, lane: Lane) -> bool {
        let of_files = self.lanes.get(lane).is_some_and(|state| state.job == Job::Files);
        of_files && self.fate.end.is_none() && self.stream.look_after(self.now, lane, &mut self.lanes)
    }

    /// The next thing for the driver to do, if there is any.
    pub fn poll(&mut self) -> Option<Output> {
        self.lanes.poll()
    }

    /// When the driver must report [`Input::Tick`] at the latest: the earliest timer of all parts. `None` if only an
    /// input can change anything.
    pub fn next_timeout(&self) -> Option<Time> {
        let content = match &self.stage {
            Stage::Fetching(content) => Some(content.timers()),
            Stage::None | Stage::Opening(_) | Stage::Ending(..) | Stage::Placing(..) => None,
        };
        let stream = (!self.stream.files.is_over()).then(|| self.stream.timers(&self.lanes));
        let telling = (!self.fate.told && self.has_begun()).then(|| self.telling.timers(self.bytes()));
        let all = self.lanes.timers().chain(content.into_iter().flatten()).chain(stream.into_iter().flatten());
        // Timers that are due have been handled by `look`; they wait for an input now.
        all.chain(telling.into_iter().flatten()).filter(|at| *at > self.now).min()
    }

    /// The result of the transfer. `None` until all lanes have ended and the driver has finished with every file.
    pub fn outcome(&self) -> Option<Result<Got, Failure>> {
        let end = self.fate.end.as_ref().filter(|_| self.is_at_rest())?;
        Some(end.clone().map(|()| {
            let gave = self.sources.all().iter().filter(|source| source.bytes > 0);
            let from = gave.map(|source| types::Source {
                peer: source.name.clone(),
                bytes: source.bytes,
                route: source.route.unwrap_or_default(),
            });
            let from = from.collect();
            Got { path: self.place.0.clone(), complete: self.place.1, from }
        }))
    }

    /// Whether the transfer ended early, with some files neither complete nor failed: the user cancelled it, or our own
    /// side could not go on.
    pub fn is_broken_off(&self) -> bool {
        self.fate.broken_off
    }

    /// The small files, which come whole over the stream: element `n` is the index in the plan of the file that
    /// [`Output::AskFiles`] calls `n`.
    pub fn small(&self) -> &[u32] {
        &self.small
    }

    /// The file with this index in the plan.
    fn planned(&self, file: u32) -> Option<&PlannedFile> {
        self.plan.files.get(file as usize)
    }

    /// The index in the plan of the file with this number in the stream.
    fn planned_small(&self, file: u32) -> Option<u32> {
        self.small.get(file as usize).copied()
    }

    /// The bytes of the plan that are not on the disk yet under their final names.
    pub fn missing(&self) -> u64 {
        self.plan.size().saturating_sub(self.present)
    }

    fn is_at_rest(&self) -> bool {
        self.lanes.all().is_empty() && matches!(self.stage, Stage::None) && self.making == 0
    }

    /// Ends the whole transfer with a failure that no source can help against, unless it has ended already.
    fn break_off(&mut self, failure: Failure) {
        if self.fate.end.is_some() {
            return;
        }
        self.fate.broken_off = true;
        self.end(Err(failure));
    }

    fn end(&mut self, end: Result<(), Failure>) {
        if self.fate.end.is_some() {
            return;
        }
        if let (Stage::Fetching(_), Err(failure)) = (&self.stage, &end) {
            self.end_content(Err(failure.clone()));
        }
        if end.is_err() {
            self.lanes.cut_all(Job::Files, None);
        }
        self.later.clear();
        self.fate.end = Some(end);
    }

    /// Lets every part react to what has changed: too slow lanes, new requests, a content or folder that has ended, the
    /// next file to open, and what the user is told.
    fn look(&mut self) {
        self.lanes.look(self.now);
        if let Stage::Fetching(content) = &mut self.stage {
            let events = content.look(self.now, &self.sources, &mut self.lanes);
            events.into_iter().for_each(|event| self.content_event(Some(event)));
        }
        if let Stage::Fetching(content) = &self.stage
            && let Some(verdict) = content.verdict(self.now, &self.lanes)
        {
            self.end_content(verdict);
        }
        self.place_content();
        if self.fate.end.is_none() {
            let dropped = self.stream.look(self.now, &self.sources, &mut self.lanes);
            dropped.into_iter().for_each(|(source, failure)| self.drop_from_stream(source, failure));
            for (file, failure) in self.stream.files.take_failed() {
                self.planned_small(file).into_iter().for_each(|file| self.file_failed(file, failure.clone()));
            }
            self.open_next();
            self.end_folder();
        }
        if self.has_begun() {
            self.tell_start(false);
            let way = self.telling.way(self.lanes.best_route());
            way.into_iter().for_each(|way| self.lanes.say(Output::Note(way)));
        }
        self.tell();
    }

    /// Tells the user something, after that it has begun.
    fn note(&mut self, note: TransferNote) {
        self.tell_start(true);
        self.lanes.say(Output::Note(note));
    }

    fn tell_start(&mut self, must: bool) {
        let start = self.telling.started(self.now, must, self.lanes.best_route());
        start.into_iter().for_each(|note| self.lanes.say(Output::Note(note)));
    }

    /// Whether progress may be told: always for a folder; for a single file, from when the driver has opened it, which
    /// is when the user is told of the start, until it is placed.
    fn has_begun(&self) -> bool {
        self.plan.is_folder() || !matches!(self.stage, Stage::None | Stage::Opening(_))
    }

    /// Whether nothing comes, and it waits for somebody who has what is missing.
    fn is_stalled(&self) -> bool {
        let stream = self.stream.is_starved(&self.lanes);
        match &self.stage {
            Stage::Fetching(content) => content.is_starved(&self.lanes) && (stream || self.stream.files.is_over()),
            Stage::None => stream && self.fate.end.is_none(),
            Stage::Opening(_) | Stage::Ending(..) | Stage::Placing(..) => false,
        }
    }

    fn bytes(&self) -> u64 {
        let under_way = match &self.stage {
            Stage::Fetching(content) | Stage::Ending(content, _) => content.present,
            Stage::Placing(_, present, _) => *present,
            Stage::None | Stage::Opening(_) => 0,
        };
        self.present.saturating_add(under_way)
    }

    fn tell(&mut self) {
        let end = self.fate.end.is_some() && self.is_at_rest();
        if self.fate.told || !(end || self.has_begun()) {
            return;
        }
        self.fate.told = end;
        let (now, bytes, folder) = (self.now, self.bytes(), self.plan.is_folder());
        let file = self.plan.files.first().map(|file| (file.hash, file.chunking));
        self.tell_start(end);
        // The hub hears of a complete content before it is flushed to the disk, because flushing may be slow.
        let have = end || matches!(self.stage, Stage::Placing(..));
        let running = matches!(self.stage, Stage::Fetching(_)) || folder;
        let notes = [
            self.telling.have(now, have, file),
            self.telling.stalled(now, self.is_stalled()),
            self.telling.progress(now, end, bytes).filter(|_| running),
        ];
        notes.into_iter().flatten().for_each(|note| self.note(note));
    }
}
