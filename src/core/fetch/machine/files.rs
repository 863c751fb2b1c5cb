//! The files of a transfer, from their opening to their place.

use std::sync::Arc;

use super::{Fetch, Stage};
use crate::core::fetch::content::Content;
use crate::core::fetch::news::TransferNote;
use crate::core::fetch::plan::{FetchPlan, PlannedFile};
use crate::core::fetch::small_files::Item;
use crate::core::fetch::stream::Stream;
use crate::core::fetch::telling::had;
use crate::core::fetch::words::{Found, Job, Opened, Output};
use crate::protocol::data::{MAX_WHOLE, file_in_line};
use crate::protocol::{ChunkSet, Chunking, ErrorCode, Failure};

impl Fetch {
    pub(super) fn begin_file(&mut self) {
        let Some(file) = self.plan.files.first().filter(|_| !self.plan.sources.is_empty()) else {
            return self.end(Err(Failure::new(ErrorCode::SourceGone, "Nobody has the file.")));
        };
        match self.plan.wanted(file.chunking.count()) {
            Ok(_) => self.later.push_back(0),
            Err(failure) => self.end(Err(failure)),
        }
    }

    pub(super) fn begin_folder(&mut self, found: Vec<Result<Found, Failure>>) {
        let plan = self.plan.clone();
        let mut found = found.into_iter();
        let mut failed = Vec::new();
        for (index, file) in (0..).zip(&plan.files) {
            let size = file.chunking.size();
            match found.next().unwrap_or(Ok(Found::Missing)) {
                Ok(Found::Here(chunking)) => {
                    self.present = self.present.saturating_add(size);
                    self.telling.has_file(file.hash, chunking);
                }
                Ok(Found::Missing) if size == 0 => self.make((index, file), &mut failed),
                Ok(Found::Missing) if size <= MAX_WHOLE => self.small.push(index),
                Ok(Found::Missing) => self.later.push_back(index),
                Err(failure) => failed.push((index, failure)),
            }
        }
        let item = |file: &PlannedFile| Item {
            size: file.chunking.size(),
            line: file_in_line(&file.file),
            sources: file.sources.clone(),
        };
        let items = self.small.iter().filter_map(|index| plan.files.get(*index as usize)).map(item).collect();
        self.stream = Stream::new(self.now, items, plan.sources.len(), (self.start.seed, self.start.cores));
        self.telling.begin(self.now, self.start.path.clone(), self.present);
        failed.into_iter().for_each(|(index, failure)| self.file_failed(index, failure));
        self.stream.begin(self.now, &self.sources, &mut self.lanes);
    }

    /// An empty file needs nobody, if its hash is that of one.
    fn make(&mut self, (index, file): (u32, &PlannedFile), failed: &mut Vec<(u32, Failure)>) {
        if file.hash.0 != *blake3::hash(&[]).as_bytes() {
            return failed.push((index, Failure::new(ErrorCode::BadChunk, "Its hash is not that of an empty file.")));
        }
        self.making += 1;
        self.lanes.say(Output::Make(index));
    }

    pub(super) fn opened(&mut self, file: u32, opened: Result<Opened, Failure>) {
        if !matches!(self.stage, Stage::Opening(opening) if opening == file) {
            return;
        }
        self.stage = Stage::None;
        let plan = self.plan.clone();
        let Some(planned) = plan.files.get(file as usize) else { return };
        match opened {
            Err(failure) => self.lost_file(file, failure),
            Ok(Opened::Here { chunking, .. }) if plan.is_folder() => self.arrived_whole(file, chunking),
            Ok(Opened::Here { path, chunking }) => {
                let all = had(planned.hash, chunking, ChunkSet::all(chunking.count()));
                self.note(TransferNote::Here(all));
                self.place = (path, true);
                self.end(Ok(()));
            }
            Ok(Opened::Ready { path, claimed, manifest }) => {
                self.begin_content(file, planned, (path, claimed, manifest))
            }
        }
    }

    fn begin_content(&mut self, file: u32, planned: &PlannedFile, (path, claimed, manifest): (String, Vec<u32>, bool)) {
        let (plan, cores) = (self.plan.clone(), self.start.cores);
        let wanted = if plan.is_folder() { None } else { plan.wanted(planned.chunking.count()).ok().flatten() };
        let mut content =
            Box::new(Content::new(self.now, (file, planned.chunking), wanted.clone(), self.start.seed, cores));
        content.claim(wanted.as_ref(), claimed);
        for (number, source) in (0..).zip(self.sources.all()) {
            let has = plan.sources.get(number as usize).and_then(|source| source.has.as_ref());
            let uses = !plan.is_folder() || (planned.sources.contains(&number) && !source.lied && !source.skipped);
            content.add_source(has, uses);
        }
        if !plan.is_folder() && self.fate.end.is_none() {
            self.telling.begin(self.now, path, content.present);
        }
        if let Some(Err(failure)) = &self.fate.end {
            self.stage = Stage::Ending(content, Err(failure.clone()));
            return;
        }
        content.begin(self.now, manifest, &self.sources, &mut self.lanes);
        self.stage = Stage::Fetching(content);
    }

    pub(super) fn placed(&mut self, file: u32, result: Result<(String, bool), Failure>) {
        if !matches!(&self.stage, Stage::Placing(placing, _, _) if *placing == file) {
            return self.made(file, result);
        }
        let Stage::Placing(_, present, verdict) = std::mem::replace(&mut self.stage, Stage::None) else { return };
        match (verdict, result) {
            (Err(failure), _) | (Ok(()), Err(failure)) => self.lost_file(file, failure),
            (Ok(()), Ok(_)) if self.plan.is_folder() => {
                let chunking = self.planned(file).map(|planned| planned.chunking);
                chunking.into_iter().for_each(|chunking| self.arrived_whole(file, chunking));
            }
            (Ok(()), Ok(place)) => {
                (self.place, self.present) = (place, present);
                self.end(Ok(()));
            }
        }
    }

    /// An empty file is there, or could not be made.
    fn made(&mut self, file: u32, result: Result<(String, bool), Failure>) {
        self.making = self.making.saturating_sub(1);
        match result {
            Ok(_) => self.arrived_whole(file, Chunking::for_size(0, None)),
            Err(failure) => self.lost_file(file, failure),
        }
    }

    /// A file of a folder is there.
    fn arrived_whole(&mut self, file: u32, chunking: Chunking) {
        let Some((hash, size)) = self.planned(file).map(|planned| (planned.hash, planned.chunking.size())) else {
            return;
        };
        self.present = self.present.saturating_add(size);
        self.telling.has_file(hash, chunking);
    }

    /// A file cannot be had: alone, or with all that would be written after it, or it is the only one.
    fn lost_file(&mut self, file: u32, failure: Failure) {
        if !self.plan.is_folder() {
            self.end(Err(failure));
        } else if is_fatal(&failure) {
            self.break_off(failure);
        } else if self.fate.end.is_none() {
            self.file_failed(file, failure);
        }
    }

    pub(super) fn file_failed(&mut self, file: u32, failure: Failure) {
        self.fate.failed += 1;
        self.fate.first.get_or_insert_with(|| failure.clone());
        let file = self.planned(file).map(|planned| planned.file.clone()).unwrap_or_default();
        self.note(TransferNote::FileFailed { file, failure });
    }

    /// Our own side cannot go on with the content that comes in chunks.
    pub(super) fn broke_content(&mut self, failure: Failure) {
        if let Stage::Fetching(_) = self.stage {
            self.end_content(Err(failure));
        }
    }

    /// The content that comes in chunks has ended; its lanes end in peace, or not.
    pub(super) fn end_content(&mut self, verdict: Result<(), Failure>) {
        let Stage::Fetching(content) = std::mem::replace(&mut self.stage, Stage::None) else { return };
        match verdict {
            Ok(()) => self.lanes.close_all(content.job()),
            Err(_) => self.lanes.cut_all(content.job(), None),
        }
        self.stage = Stage::Ending(content, verdict);
    }

    /// A content that has ended is placed; one that is not complete is left once nobody writes to it any more.
    pub(super) fn place_content(&mut self) {
        let Stage::Ending(content, verdict) = &self.stage else { return };
        let (file, verdict) = (content.file, verdict.clone());
        let discard = content.present == 0 && !content.others;
        let at_rest = !self.lanes.any(content.job()) && !content.is_checking();
        let output = match verdict {
            Ok(()) => Output::Place { file, complete: content.chunks.is_whole() },
            Err(_) if at_rest => Output::Leave { file, discard },
            Err(_) => return,
        };
        self.stage = Stage::Placing(file, content.present, verdict);
        self.lanes.say(output);
    }

    pub(super) fn open_next(&mut self) {
        if let Stage::None = self.stage
            && let Some(file) = self.later.pop_front()
        {
            self.stage = Stage::Opening(file);
            self.lanes.say(Output::Open(file));
        }
    }

    /// A folder has ended when each of its files has.
    pub(super) fn end_folder(&mut self) {
        let over = self.stream.files.is_over() && matches!(self.stage, Stage::None) && self.making == 0;
        if !self.plan.is_folder() || !over {
            return;
        }
        let (failed, all) = (self.fate.failed, self.plan.files.len());
        let end = match &self.fate.first {
            None => Ok(()),
            Some(Failure { code, message, .. }) => {
                let message = format!("{failed} of {all} files could not be had. Of the first: {message}");
                Err(Failure::new(*code, message))
            }
        };
        self.lanes.close_all(Job::Files);
        self.fate.end = Some(end);
    }
}

/// The same plan, with each source of its file once: by its key.
pub(super) fn without_doubles(mut plan: Arc<FetchPlan>) -> Arc<FetchPlan> {
    let is_double = |(at, source): (usize, &crate::core::fetch::Source)| {
        plan.sources.iter().take(at).any(|other| other.key == source.key)
    };
    if plan.is_folder() || !plan.sources.iter().enumerate().any(is_double) {
        return plan;
    }
    let plan_mut = Arc::make_mut(&mut plan);
    for source in std::mem::take(&mut plan_mut.sources) {
        match plan_mut.sources.iter_mut().find(|known| known.key == source.key) {
            Some(known) => merge(&mut known.has, source.has),
            None => plan_mut.sources.push(source),
        }
    }
    plan
}

/// What there is, and more; `None` is all.
pub(super) fn merge(has: &mut Option<ChunkSet>, more: Option<ChunkSet>) {
    match (has.as_mut(), more) {
        (Some(has), Some(more)) => has.add(&more),
        _ => *has = None,
    }
}

/// Whether a failure to write one file means that no other can be written either.
pub(super) fn is_fatal(failure: &Failure) -> bool {
    matches!(failure.code, ErrorCode::DiskFull | ErrorCode::DiskFailed)
}
