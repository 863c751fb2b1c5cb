//! The thread that reads the store and answers queries.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::{PAUSES, WriterShared, passes, thread};
use crate::io::store::Reader;
use crate::protocol::Failure;
use crate::protocol::record::Query;

/// The handle of the thread that reads.
pub(super) struct Reading {
    /// Unbounded, so that the writer never waits for it; [`super::QUESTIONS`] bounds its content.
    questions: Sender<(u64, Box<Query>)>,
    thread: JoinHandle<()>,
}

impl Reading {
    pub(super) fn spawn(reader: Reader, shared: Arc<WriterShared>) -> Result<Self, Failure> {
        let (questions, waiting) = channel::<(u64, Box<Query>)>();
        let answer = move || {
            for (number, query) in &waiting {
                let mut found = reader.find(&query);
                // A failed read is retried like a failed write, unless the hub is ending.
                while found.as_ref().is_err_and(passes) && !shared.closing.load(Ordering::Acquire) {
                    std::thread::sleep(PAUSES.0);
                    found = reader.find(&query);
                }
                if !shared.answer(number, found) {
                    return;
                }
            }
        };
        Ok(Self { questions, thread: thread("store reader", answer)? })
    }

    /// A thread that has ended has reported why.
    pub(super) fn ask(&self, number: u64, query: Box<Query>) {
        let _ = self.questions.send((number, query));
    }

    pub(super) fn close(self, shared: &WriterShared) {
        shared.closing.store(true, Ordering::Release);
        drop(self.questions);
        let _ = self.thread.join();
    }
}
