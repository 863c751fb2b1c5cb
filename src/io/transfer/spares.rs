//! Connections whose transfer is done, kept a moment for the next one from the same source.
//!
//! Only those that needed a meeting are kept: it takes a while, and the hub lets the same two meet a few times a minute
//! only, while a client may fetch one small file after another.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::stream::ClientStream;
use crate::protocol::{PublicKey, Route};

/// How long one is kept. The source waits longer for the next request.
const KEPT: Duration = Duration::from_secs(10);
/// How many are kept to one source, and in all.
const OF_ONE: usize = 4;
const IN_ALL: usize = 32;

struct Spare {
    key: PublicKey,
    route: Route,
    stream: ClientStream,
    since: Instant,
}

#[derive(Default)]
struct State {
    /// The oldest first.
    spares: Vec<Spare>,
    /// Whether a thread waits to close what is too old.
    closing: bool,
}

/// Whether a connection stands, as far as can be seen, and nothing has come that was not asked for.
fn is_quiet(tcp: &TcpStream) -> bool {
    tcp.peek(&mut [0]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock)
}

/// The connections that are kept. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Spares(Arc<Mutex<State>>);

impl Spares {
    /// Keeps a connection on which nothing is under way; one that was simply dialled is closed.
    pub(super) fn keep(&self, key: PublicKey, route: Route, stream: ClientStream) {
        if route == Route::Direct {
            return stream.finish();
        }
        let mut state = self.state();
        if state.spares.iter().filter(|spare| spare.key == key).count() >= OF_ONE || state.spares.len() >= IN_ALL {
            drop(state);
            return stream.finish();
        }
        state.spares.push(Spare { key, route, stream, since: Instant::now() });
        if !state.closing {
            let spares = self.clone();
            let closer = thread::Builder::new().name("data-spares".into()).spawn(move || spares.close_old());
            // Without a thread they are closed when the source is tired of waiting.
            state.closing = closer.is_ok();
        }
    }

    /// A connection to the holder of this key that still stands, as far as can be seen, and its way.
    pub(super) fn take(&self, key: &PublicKey) -> Option<(ClientStream, Route)> {
        let mut state = self.state();
        while let Some(at) = state.spares.iter().rposition(|spare| spare.key == *key) {
            let Spare { stream, route, since, .. } = state.spares.remove(at);
            if since.elapsed() < KEPT && is_quiet(stream.socket()) {
                return Some((stream, route));
            }
        }
        None
    }

    /// Closes each when its time is over, until none is left.
    fn close_old(&self) {
        loop {
            let oldest = {
                let mut state = self.state();
                state.closing = !state.spares.is_empty();
                let Some(oldest) = state.spares.first() else { return };
                oldest.since
            };
            thread::sleep(KEPT.saturating_sub(oldest.elapsed()));
            let old: Vec<Spare> = self.state().spares.extract_if(.., |spare| spare.since.elapsed() >= KEPT).collect();
            old.into_iter().for_each(|spare| spare.stream.finish());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
