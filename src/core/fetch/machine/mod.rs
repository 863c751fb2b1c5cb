//! The machine: what is opened, fetched and placed in which order, and when all of it has come to its end.

mod files;
mod lanes;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::core::fetch::content::Content;
use crate::core::fetch::lanes::{Lanes, Terms};
use crate::core::fetch::plan::{FetchPlan, PlannedFile};
use crate::core::fetch::sources::Sources;
use crate::core::fetch::stream::Stream;
use crate::core::fetch::telling::Telling;
use crate::core::fetch::words::{Input, Job, Lane, Output, Start};
use crate::core::time::Time;
use crate::protocol::types;
use crate::protocol::{ErrorCode, Failure};

/// What has been got.
#[derive(Debug, Clone, PartialEq)]
pub struct Got {
    /// Where it is: the file, hidden if it is not complete, or the folder that holds all files.
    pub path: String,
    /// Whether all of it is there; some chunks may not have been wanted.
    pub complete: bool,
    /// How many bytes came from each source, those without any left out. Their sum is less than the size if an earlier
    /// attempt had got some.
    pub from: Vec<types::Source>,
}

/// The content that is fetched in chunks now.
#[derive(Debug)]
pub(super) enum Stage {
    /// There is none.
    None,
    /// The file is being opened.
    Opening(u32),
    Fetching(Box<Content>),
    /// It has ended like this; its lanes are to end, too.
    Ending(Box<Content>, Result<(), Failure>),
    /// The driver makes a file of it, or leaves it.
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
    /// The places in the plan of the files of the stream, by their numbers in it.
    small: Vec<u32>,
    pub(super) stage: Stage,
    /// Files that come in chunks, and have not begun.
    later: VecDeque<u32>,
    /// Empty files that are being made.
    making: usize,
    telling: Telling,
    /// The bytes of the files that are in place.
    present: u64,
    /// Where it is, and whether all of it is there.
    place: (String, bool),
    fate: Fate,
}

/// How it has gone, and ends.
#[derive(Debug, Default)]
struct Fate {
    /// The files of a folder that could not be had, and why the first.
    failed: usize,
    first: Option<Failure>,
    /// How all of it has ended.
    end: Option<Result<(), Failure>>,
    /// It ended because nothing more could be done, or was wanted, whatever the sources do.
    broken_off: bool,
    told: bool,
}

impl Fetch {
    /// A transfer that begins now.
    pub fn new(now: Time, plan: Arc<FetchPlan>, mut start: Start) -> Self {
        let plan = files::without_doubles(plan);
        let mut sources = Sources::default();
        plan.sources.iter().for_each(|source| sources.add(source));
        let found = std::mem::take(&mut start.found);
        let lanes = Lanes::new(Terms { trial: start.trial, limited: start.limited });
        let mut fetch = Self {
            stream: Stream::new(now, Vec::new(), 0, start.cores),
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

    /// Something has happened.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = now;
        match input {
            Input::Opened(file, opened) => self.opened(file, opened),
            Input::Connected(lane) => self.connected(lane),
            Input::Manifest { lane, fits } => {
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
            Input::Cancel => self.break_off(ErrorCode::Interrupted.into()),
            Input::Failed(failure) => self.break_off(failure),
            Input::Tick => {}
        }
        self.look();
    }

    /// Looks after a lane for small files. Says whether it goes on as before, so that nothing else is to be looked after:
    /// the next [`Input::Tick`] looks after what time alone changes.
    fn goes_on(&mut self, lane: Lane) -> bool {
        let of_files = self.lanes.get(lane).is_some_and(|state| state.job == Job::Files);
        of_files && self.fate.end.is_none() && self.stream.look_after(self.now, lane, &mut self.lanes)
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.lanes.poll()
    }

    /// When [`Input::Tick`] is wanted at the latest. Each part names its own timers and their reasons.
    pub fn next_timeout(&self) -> Option<Time> {
        let content = match &self.stage {
            Stage::Fetching(content) => Some(content.timers()),
            Stage::None | Stage::Opening(_) | Stage::Ending(..) | Stage::Placing(..) => None,
        };
        let stream = (!self.stream.files.is_over()).then(|| self.stream.timers(&self.lanes));
        let telling = (!self.fate.told && self.has_begun()).then(|| self.telling.timers(self.bytes()));
        let all = self.lanes.timers().chain(content.into_iter().flatten()).chain(stream.into_iter().flatten());
        // What was due has been looked at, and waits for something else to happen.
        all.chain(telling.into_iter().flatten()).filter(|at| *at > self.now).min()
    }

    /// How it has ended, once nothing more is under way.
    pub fn outcome(&self) -> Option<Result<Got, Failure>> {
        let end = self.fate.end.as_ref().filter(|_| self.is_at_rest())?;
        Some(end.clone().map(|()| {
            let gave = self.sources.all().iter().filter(|source| source.bytes > 0);
            let from = gave.map(|source| types::Source { peer: source.name.clone(), bytes: source.bytes }).collect();
            Got { path: self.place.0.clone(), complete: self.place.1, from }
        }))
    }

    /// Whether it ended before each file had come to its own end.
    pub fn is_broken_off(&self) -> bool {
        self.fate.broken_off
    }

    /// The places in the plan of the files that come whole, by the numbers by which they are asked for.
    pub fn small(&self) -> &[u32] {
        &self.small
    }

    /// A file of the plan.
    fn planned(&self, file: u32) -> Option<&PlannedFile> {
        self.plan.files.get(file as usize)
    }

    /// The file of the plan that has this number in the stream.
    fn planned_small(&self, file: u32) -> Option<u32> {
        self.small.get(file as usize).copied()
    }

    /// The bytes that are not in place.
    pub fn missing(&self) -> u64 {
        self.plan.size().saturating_sub(self.present)
    }

    fn is_at_rest(&self) -> bool {
        self.lanes.all().is_empty() && matches!(self.stage, Stage::None) && self.making == 0
    }

    /// All of it ends, whatever the sources do.
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

    /// Looks after everything that may have changed.
    fn look(&mut self) {
        self.lanes.look(self.now);
        if let Stage::Fetching(content) = &mut self.stage {
            let event = content.look(self.now, &self.sources, &mut self.lanes);
            self.content_event(event);
        }
        if let Stage::Fetching(content) = &self.stage
            && let Some(verdict) = content.verdict(self.now, &self.lanes)
        {
            self.end_content(verdict);
        }
        self.place_content();
        if self.fate.end.is_none() {
            self.stream.look(self.now, &self.sources, &mut self.lanes);
            for (file, failure) in self.stream.files.take_failed() {
                self.planned_small(file).into_iter().for_each(|file| self.file_failed(file, failure.clone()));
            }
            self.open_next();
            self.end_folder();
        }
        self.tell();
    }

    /// Whether anything can be told before its start has been.
    fn has_begun(&self) -> bool {
        self.plan.is_folder() || !matches!(self.stage, Stage::None | Stage::Opening(_))
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
        // What is complete is told of before it is written out, which takes its time.
        let have = end || matches!(self.stage, Stage::Placing(..));
        if let Some(note) = self.telling.have(now, have, file) {
            self.lanes.say(Output::Note(note));
        }
        let running = matches!(self.stage, Stage::Fetching(_)) || folder;
        if running && let Some(note) = self.telling.progress(now, end, bytes) {
            self.lanes.say(Output::Note(note));
        }
    }
}
