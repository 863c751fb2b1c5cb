//! Standard output, or another sink that may be slow. Events wait in an [`Outbox`] until a thread writes them or a
//! reader polls them. Pushing an event never waits for the reader.
//!
//! One side pushes events: `queued.rs` chooses the method by the class of the event. The other side is a thread that
//! writes them as its [`Render`] says, or the library's `Events`, which polls. Answers are always kept, facts may be
//! dropped and counted in a gap, states are merged.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;

use crate::core::outbox::{Bounds, Outbox, Popped, Queued, StateKey};

/// The bytes of text that are collected for one write. The last item may exceed it.
const BATCH: usize = 64 << 10;

/// A queue of events with one reader. Clones share it.
pub struct Output<T>(Arc<OutputQueue<T>>);

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What the writers of events and their reader share.
struct OutputQueue<T> {
    state: Mutex<OutputState<T>>,
    /// Signals that there is something to write, or that writing must end.
    filled: Condvar,
    /// Signals that there is room again, or that writing has ended.
    drained: Condvar,
    /// The same for async code.
    taken: Notify,
}

struct OutputState<T> {
    outbox: Outbox<T>,
    /// Wakes the reader that polls.
    waker: Option<Waker>,
    closing: bool,
    ended: Option<io::Result<()>>,
    /// Whether the sink has failed: then events are dropped.
    broken: bool,
}

/// Turns events into text when they are written. Events are numbered only then, so merged states leave no gaps.
pub trait Render<T> {
    /// Appends the text of an item of the outbox.
    fn render(&mut self, popped: Popped<T>, out: &mut Vec<u8>);

    /// Whether `written` must be called although there is nothing to write.
    fn is_due(&self) -> bool {
        false
    }

    /// Called when everything that was rendered has been written and flushed.
    fn written(&mut self) {}
}

impl<T, F: FnMut(Popped<T>, &mut Vec<u8>)> Render<T> for F {
    fn render(&mut self, popped: Popped<T>, out: &mut Vec<u8>) {
        self(popped, out);
    }
}

impl<T> OutputQueue<T> {
    /// Wakes the callers of `close` and `taken`, because the reader has taken something or has stopped.
    fn tell_taken(&self) {
        self.drained.notify_all();
        self.taken.notify_one();
    }

    /// Locks the state, even after a panic in another thread, because that leaves the queue intact.
    fn lock(&self) -> MutexGuard<'_, OutputState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Queued + Send + 'static> Output<T> {
    /// Starts the thread that writes. Each batch is written and flushed once. If the sink fails, for example because a
    /// pipe was closed, `broken` is called with the error, and later events are dropped.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn spawn<W: Write + Send + 'static>(
        bounds: Bounds,
        sink: W,
        render: impl Render<T> + Send + 'static,
        broken: impl FnOnce(&io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let Self(shared) = Self::polled(bounds);
        let of_thread = EndGuard(Arc::clone(&shared));
        let _: JoinHandle<()> = std::thread::Builder::new().name("output".into()).spawn(move || {
            let result = write_all(&of_thread.0, sink, render);
            if let Err(e) = &result {
                broken(e);
            }
            of_thread.0.lock().ended = Some(result);
        })?;
        Ok(Self(shared))
    }

    /// A queue without a thread, for a reader that polls.
    pub fn polled(bounds: Bounds) -> Self {
        let outbox = Outbox::new(bounds);
        let state = OutputState { outbox, waker: None, closing: false, ended: None, broken: false };
        Self(Arc::new(OutputQueue {
            state: Mutex::new(state),
            filled: Condvar::new(),
            drained: Condvar::new(),
            taken: Notify::new(),
        }))
    }

    /// Takes the next item; `None` once the queue was ended and everything was taken. Only one reader may poll at a
    /// time.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Popped<T>>> {
        let mut state = self.0.lock();
        let popped = state.outbox.pop();
        if popped.is_some() {
            drop(state);
            self.0.tell_taken();
            return Poll::Ready(popped);
        }
        if state.closing {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Tells the polling reader that no more events will come.
    pub fn end_polling(&self) {
        let mut state = self.0.lock();
        state.closing = true;
        wake(&mut state);
    }

    /// Pushes a fact. Returns whether it was queued; if there is no room, it is counted into a gap.
    pub fn push_fact(&self, fact: T) -> bool {
        self.push(|outbox| outbox.push_fact(fact)).unwrap_or(true)
    }

    /// Pushes an answer. It is never dropped; the caller bounds the number of answers, see [`OutputQueue::unread`].
    pub fn push_answer(&self, answer: T) {
        self.push(|outbox| outbox.push_answer(answer));
    }

    /// Pushes a state, see [`Outbox::push_state`].
    pub fn push_state(&self, key: StateKey, state: T, merge: fn(&mut T, T)) {
        self.push(|outbox| outbox.push_state(key, state, merge));
    }

    fn push<R>(&self, push: impl FnOnce(&mut Outbox<T>) -> R) -> Option<R> {
        let mut state = self.0.lock();
        let pushed = (!state.broken).then(|| push(&mut state.outbox));
        wake(&mut state);
        self.0.filled.notify_one();
        pushed
    }

    /// How much waits for the reader, see [`Outbox::unread`].
    pub fn unread(&self) -> usize {
        self.0.lock().outbox.unread()
    }

    /// Waits until the reader has taken something since the last call by anybody, or has stopped. One caller at a time.
    pub async fn taken(&self) {
        self.0.taken.notified().await;
    }

    /// Waits until everything has been written, then ends the thread; later events are dropped. With `patience`, it
    /// gives up on a reader that has stopped.
    ///
    /// # Errors
    /// The sink's error, or `TimedOut`.
    pub fn close(&self, patience: Option<Duration>) -> io::Result<()> {
        let mut state = self.0.lock();
        state.closing = true;
        self.0.filled.notify_one();
        let mut state = match patience {
            None => self.0.drained.wait_while(state, |s| s.ended.is_none()).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let wait = self.0.drained.wait_timeout_while(state, patience, |s| s.ended.is_none());
                wait.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        match &mut state.ended {
            None => Err(io::ErrorKind::TimedOut.into()),
            // Returned once. A second call finds nothing left to do.
            Some(result) => std::mem::replace(result, Ok(())),
        }
    }
}

fn wake<T>(state: &mut OutputState<T>) {
    if let Some(waker) = state.waker.take() {
        waker.wake();
    }
}

/// Records that the thread has ended, even by a panic, so that nobody waits for it for ever.
struct EndGuard<T>(Arc<OutputQueue<T>>);

impl<T> Drop for EndGuard<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.broken = true;
        state.ended.get_or_insert_with(|| Err(io::Error::other("the writing thread failed")));
        drop(state);
        self.0.tell_taken();
    }
}

fn write_all<T: Queued>(shared: &OutputQueue<T>, mut sink: impl Write, mut render: impl Render<T>) -> io::Result<()> {
    let mut text = Vec::new();
    while gather(shared, &mut text, &mut render) {
        let written = sink.write_all(&text).and_then(|()| sink.flush());
        if let Err(e) = written {
            let mut state = shared.lock();
            state.broken = true;
            while state.outbox.pop().is_some() {}
            shared.tell_taken();
            return Err(e);
        }
        render.written();
        text.clear();
        text.shrink_to(2 * BATCH);
    }
    Ok(())
}

/// Waits for the next batch; false when writing is to end and nothing is left.
fn gather<T: Queued>(shared: &OutputQueue<T>, text: &mut Vec<u8>, render: &mut impl Render<T>) -> bool {
    loop {
        let state = shared.lock();
        let wait = shared.filled.wait_while(state, |s| s.outbox.is_empty() && !s.closing);
        let mut state = wait.unwrap_or_else(PoisonError::into_inner);
        if state.outbox.is_empty() {
            return false;
        }
        while text.len() < BATCH {
            let Some(popped) = state.outbox.pop() else { break };
            render.render(popped, text);
        }
        drop(state);
        shared.tell_taken();
        if !text.is_empty() || render.is_due() {
            return true;
        }
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
