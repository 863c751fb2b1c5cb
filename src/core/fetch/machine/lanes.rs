//! What happens on lanes, and to whom it matters.

use std::sync::Arc;

use super::files::{is_fatal, merge};
use super::{Fetch, Stage};
use crate::core::fetch::content::Event;
use crate::core::fetch::news::TransferNote;
use crate::core::fetch::plan::Source;
use crate::core::fetch::renewal::Renewal;
use crate::core::fetch::sources::Heard;
use crate::core::fetch::words::{Job, Lane, LaneError, Output};
use crate::protocol::{Chunking, ErrorCode, Failure, Route};

impl Fetch {
    pub(super) fn connected(&mut self, lane: Lane, route: Route) {
        if !self.lanes.connected(self.now, lane, route) {
            return;
        }
        let Some((job, source)) = self.lanes.get(lane).map(|state| (state.job, state.source)) else { return };
        self.sources.reached(source, route);
        self.lanes.replace(self.now, lane);
        match (&mut self.stage, job) {
            (_, Job::Files) => self.stream.connected(self.now, lane, source),
            (Stage::Fetching(content), Job::Chunks(file)) if content.file == file => {
                content.connected(self.now, lane, source);
            }
            (_, Job::Chunks(_)) => {}
        }
    }

    pub(super) fn arrived(&mut self, lane: Lane, piece: u32, bytes: u64) {
        self.lanes.moved(self.now, lane, bytes);
        let Some(job) = self.lanes.get(lane).map(|state| state.job) else { return };
        let writes = match (&mut self.stage, job) {
            (_, Job::Files) => self.stream.arrived(self.now, lane, piece, &mut self.lanes),
            (Stage::Fetching(content), Job::Chunks(file)) if content.file == file => {
                content.arrived(self.now, lane, piece, &mut self.lanes)
            }
            (_, Job::Chunks(_)) => false,
        };
        if writes {
            if let Some(state) = self.lanes.get_mut(lane) {
                state.writing = Some(piece);
            }
            self.lanes.say(Output::Write(lane, piece));
        }
    }

    pub(super) fn written(&mut self, lane: Lane, piece: u32, result: Result<(), Failure>) {
        let Some(state) = self.lanes.get_mut(lane) else { return };
        state.writing = None;
        let (job, source) = (state.job, state.source);
        match (&mut self.stage, job, result) {
            (_, Job::Files, Ok(())) => {
                let Some(bytes) = self.stream.written(piece) else { return };
                self.present = self.present.saturating_add(bytes);
                self.sources.came_from(source, bytes);
                let planned = self.planned_small(piece).and_then(|file| self.planned(file));
                let came = planned.map(|planned| (planned.hash, Chunking::for_size(planned.chunking.size(), None)));
                // However its owner cuts it: what came whole is one chunk here.
                came.into_iter().for_each(|(hash, chunking)| self.telling.has_file(hash, chunking));
            }
            (_, Job::Files, Err(failure)) if is_fatal(&failure) => self.break_off(failure),
            (_, Job::Files, Err(failure)) => self.stream.files.fail(piece, failure),
            (_, Job::Chunks(_), Err(failure)) => self.broke_content(failure),
            (Stage::Fetching(content) | Stage::Ending(content, _), Job::Chunks(file), Ok(()))
                if content.file == file =>
            {
                if let Some(bytes) = content.written(piece) {
                    self.sources.came_from(source, bytes);
                    if self.plan.share && !self.plan.is_folder() {
                        self.telling.has_chunk(piece);
                    }
                }
            }
            (_, Job::Chunks(_), Ok(())) => {}
        }
    }

    pub(super) fn checked(&mut self, chunk: u32, right: bool) {
        let counts = match &mut self.stage {
            Stage::Fetching(content) => content.checked(chunk, right, &mut self.lanes),
            // Whoever looked may have been told to stop: that says nothing about the chunk.
            Stage::Ending(content, _) => {
                content.stop_checking();
                false
            }
            Stage::None | Stage::Opening(_) | Stage::Placing(..) => false,
        };
        if counts && self.plan.share && !self.plan.is_folder() {
            self.telling.has_chunk(chunk);
        }
    }

    pub(super) fn ended(&mut self, lane: Lane, end: Result<(), LaneError>) {
        let Some(state) = self.lanes.ended(lane) else { return };
        let (job, why) = (state.job, end.err());
        let fatal = match &why {
            Some(LaneError::Fatal(failure)) => Some(failure.clone()),
            Some(LaneError::Lost(_) | LaneError::Silent(_) | LaneError::Broke(_) | LaneError::Lied(_)) | None => None,
        };
        let (now, sources, lanes) = (self.now, &mut self.sources, &mut self.lanes);
        match (&mut self.stage, job) {
            (_, Job::Files) if self.fate.end.is_some() => self.stream.files.leave(lane),
            (_, Job::Files) => {
                let dropped = self.stream.ended(now, (lane, state), why, sources, lanes);
                if let Some((source, failure)) = dropped {
                    self.drop_from_stream(source, failure);
                }
                if let Some(failure) = fatal {
                    self.break_off(failure);
                }
            }
            (Stage::Fetching(content), Job::Chunks(file)) if content.file == file => match fatal {
                Some(failure) => {
                    content.chunks.leave(lane);
                    self.broke_content(failure);
                }
                None => {
                    let event = content.ended(now, (lane, state), why, sources, lanes);
                    self.content_event(event);
                }
            },
            (Stage::Ending(content, _), Job::Chunks(file)) if content.file == file => content.chunks.leave(lane),
            (_, Job::Chunks(_)) => {}
        }
    }

    pub(super) fn content_event(&mut self, event: Option<Event>) {
        match event {
            None => {}
            Some(Event::Absent(..)) if self.plan.is_folder() => {}
            // Of this file only; and whoever has no room for one more connection has some later.
            Some(Event::Dropped(_, Failure { code, .. }))
                if self.plan.is_folder()
                    && [ErrorCode::SourceGone, ErrorCode::SourceChanged, ErrorCode::PeerRefused].contains(&code) => {}
            Some(Event::Dropped(source, failure)) if self.plan.is_folder() => {
                if failure.code == ErrorCode::BadChunk {
                    self.stream.drop_source(source, &failure, &mut self.lanes);
                } else {
                    self.sources.skip(source);
                }
                self.tell_dropped(source, failure);
            }
            Some(Event::Dropped(source, failure) | Event::Absent(source, failure)) => {
                if let Some(known) = self.sources.get(source) {
                    let peer = known.name.clone();
                    self.note(TransferNote::Dropped { peer, failure });
                }
            }
        }
    }

    /// A source gives no small files any more, and nothing in chunks of what comes later.
    pub(super) fn drop_from_stream(&mut self, source: u32, failure: Failure) {
        self.sources.skip(source);
        self.tell_dropped(source, failure);
    }

    /// Tells that a source of a folder is not used any more, once.
    fn tell_dropped(&mut self, source: u32, failure: Failure) {
        if let Some(peer) = self.sources.tell(source) {
            self.note(TransferNote::Dropped { peer, failure });
        }
    }

    pub(super) fn learned(&mut self, sources: Vec<Source>) {
        let Stage::Fetching(content) = &mut self.stage else {
            // They are known when the file has been opened.
            if matches!(self.stage, Stage::Opening(_)) && !self.plan.is_folder() {
                let plan = Arc::make_mut(&mut self.plan);
                for source in sources {
                    match self.sources.hear_of(&source) {
                        Heard::New => plan.sources.push(source),
                        Heard::Again(number, _) => {
                            let known = plan.sources.get_mut(number as usize);
                            known.into_iter().for_each(|known| merge(&mut known.has, source.has.clone()));
                        }
                        Heard::Useless => {}
                    }
                }
            }
            return;
        };
        if self.plan.is_folder() {
            return;
        }
        for source in &sources {
            let one_more = match self.sources.hear_of(source) {
                Heard::Useless => false,
                Heard::New => {
                    content.add_source(source.has.as_ref(), true);
                    true
                }
                Heard::Again(number, moved) => {
                    if moved {
                        let place = self.sources.place(number);
                        self.lanes.renew(self.now, (content.job(), number), Renewal::Moved, place);
                    }
                    content.hear_of(self.now, number, source.has.as_ref(), moved, &self.lanes)
                }
            };
            if one_more {
                content.call_in_one_more(self.now, &self.sources, &mut self.lanes);
            }
        }
    }
}
