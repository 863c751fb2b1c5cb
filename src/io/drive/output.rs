//! Standard output, or any other sink that may be slow: what is told waits in an [`Outbox`], and a
//! thread of its own writes it. Nobody who tells something ever waits for the reader.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;

use crate::core::outbox::{Bounds, Outbox, Popped, Queued, StateKey};

/// How much text is gathered for one write, in bytes; the last item may exceed it.
const BATCH: usize = 64 << 10;

/// The way to the writing thread; cheap to clone.
pub struct Output<T>(Arc<Shared<T>>);

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Something is there to be written, or writing is to end.
    filled: Condvar,
    /// There is room again, or writing has ended.
    drained: Condvar,
    /// The same, for whoever does not wait with a thread.
    taken: Notify,
}

struct State<T> {
    outbox: Outbox<T>,
    closing: bool,
    ended: Option<io::Result<()>>,
    /// The sink takes no more; what comes is dropped.
    broken: bool,
}

/// Makes text of what is told, at the moment of writing: numbers given here have no holes where states were merged.
pub trait Render<T> {
    /// Appends what came out of the outbox.
    fn render(&mut self, popped: Popped<T>, out: &mut Vec<u8>);

    /// Whether `written` is wanted though there is nothing to write.
    fn is_due(&self) -> bool {
        false
    }

    /// Everything that was rendered has been written and flushed.
    fn written(&mut self) {}
}

impl<T, F: FnMut(Popped<T>, &mut Vec<u8>)> Render<T> for F {
    fn render(&mut self, popped: Popped<T>, out: &mut Vec<u8>) {
        self(popped, out);
    }
}

impl<T> Shared<T> {
    /// Lets everybody know that the reader has taken something, or takes nothing any more.
    fn tell_taken(&self) {
        self.drained.notify_all();
        self.taken.notify_one();
    }

    /// A panic elsewhere leaves a queue that is still whole, so the lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Queued + Send + 'static> Output<T> {
    /// Starts the thread. Each batch is written and flushed once. When the sink fails, as a closed pipe
    /// does, `broken` is called with the error, and whatever is told from then on is dropped.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn spawn<W: Write + Send + 'static>(
        bounds: Bounds,
        sink: W,
        render: impl Render<T> + Send + 'static,
        broken: impl FnOnce(&io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let state = State { outbox: Outbox::new(bounds), closing: false, ended: None, broken: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            filled: Condvar::new(),
            drained: Condvar::new(),
            taken: Notify::new(),
        });
        let of_thread = Ended(Arc::clone(&shared));
        let _: JoinHandle<()> = std::thread::Builder::new().name("output".into()).spawn(move || {
            let result = write_all(&of_thread.0, sink, render);
            if let Err(e) = &result {
                broken(e);
            }
            of_thread.0.lock().ended = Some(result);
        })?;
        Ok(Self(shared))
    }

    /// Tells a fact. Says whether it keeps its place; where there is no room, it is counted into a gap.
    pub fn push_fact(&self, fact: T) -> bool {
        self.push(|outbox| outbox.push_fact(fact)).unwrap_or(true)
    }

    /// Tells an answer, for which there is always room.
    pub fn push_answer(&self, answer: T) {
        self.push(|outbox| outbox.push_answer(answer));
    }

    /// Tells a state, see [`Outbox::push_state`].
    pub fn push_state(&self, key: StateKey, state: T, merge: fn(&mut T, T)) {
        self.push(|outbox| outbox.push_state(key, state, merge));
    }

    fn push<R>(&self, push: impl FnOnce(&mut Outbox<T>) -> R) -> Option<R> {
        let mut state = self.0.lock();
        let pushed = (!state.broken).then(|| push(&mut state.outbox));
        self.0.filled.notify_one();
        pushed
    }

    /// How much waits for the reader, see [`Outbox::unread`].
    pub fn unread(&self) -> usize {
        self.0.lock().outbox.unread()
    }

    /// Waits until the reader has taken something since this was waited for last, or takes nothing any more.
    pub async fn taken(&self) {
        self.0.taken.notified().await;
    }

    /// Waits until all that was told is written, then ends the thread; what is told later is dropped.
    /// With `patience`, gives up on a reader that has stopped.
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
            // Told once; closing again finds nothing left to do.
            Some(result) => std::mem::replace(result, Ok(())),
        }
    }
}

/// Marks the end even if the thread panics, so that nobody waits for it for ever.
struct Ended<T>(Arc<Shared<T>>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.broken = true;
        state.ended.get_or_insert_with(|| Err(io::Error::other("the writing thread failed")));
        drop(state);
        self.0.tell_taken();
    }
}

fn write_all<T: Queued>(shared: &Shared<T>, mut sink: impl Write, mut render: impl Render<T>) -> io::Result<()> {
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
fn gather<T: Queued>(shared: &Shared<T>, text: &mut Vec<u8>, render: &mut impl Render<T>) -> bool {
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
