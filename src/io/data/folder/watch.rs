//! The caller's thread: it watches the others, and tells how it goes.

use std::time::{Duration, Instant};

use super::run::Run;
use super::{Arrived, FolderNote};
use crate::io::data::uploads::PROGRESS_EVERY;
use crate::io::os::cancel::Cancel;
use crate::protocol::ErrorCode;

/// How often it is told what is there at most.
const HAVE_EVERY: Duration = Duration::from_millis(500);

/// What was told last.
pub(super) struct Told {
    bytes: u64,
    progress: Instant,
    have: Instant,
}

impl Told {
    /// So many bytes were there at the start.
    pub(super) fn new(bytes: u64) -> Self {
        Self { bytes, progress: Instant::now(), have: Instant::now() }
    }
}

impl Run<'_> {
    /// Tells how it goes until the end has come.
    pub(super) fn watch(&self, cancel: &Cancel, told: &mut Told) {
        loop {
            self.tell(told, false);
            let mut state = self.lock();
            if self.stop.is_cancelled() {
                return;
            }
            if cancel.is_cancelled() {
                drop(state);
                return self.fail(ErrorCode::Interrupted.into());
            }
            if state.lanes == 0 && !state.fetching {
                state.batch.fail_rest(&ErrorCode::PeerBroke.into());
                drop(state);
                return self.end();
            }
            drop(self.wait(state));
        }
    }

    /// Tells what has happened meanwhile and is due; with `all`, everything.
    pub(super) fn tell(&self, told: &mut Told, all: bool) {
        let mut state = self.lock();
        for (file, failure) in state.batch.take_failed() {
            state.fail_file(self.small[file as usize], failure);
        }
        let failed = std::mem::take(&mut state.failed);
        let due = all || told.have.elapsed() >= HAVE_EVERY;
        let have = if due { std::mem::take(&mut state.arrived) } else { Vec::new() };
        let bytes = state.present + state.under_way;
        drop(state);
        for (index, failure) in failed {
            (self.notify)(FolderNote::FileFailed { file: self.job.files[index as usize].file.clone(), failure });
        }
        if !have.is_empty() {
            told.have = Instant::now();
            for Arrived { file, path, hashed } in &have {
                if let Some(hashed) = hashed {
                    let name = self.job.files[*file as usize].file.clone();
                    self.shelf.keep(name, path.clone(), hashed.clone());
                }
            }
            (self.notify)(FolderNote::Have(have));
        }
        if bytes != told.bytes && (all || told.progress.elapsed() >= PROGRESS_EVERY) {
            (told.progress, told.bytes) = (Instant::now(), bytes);
            (self.notify)(FolderNote::Progress { bytes });
        }
    }
}
