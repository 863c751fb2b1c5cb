//! What is told about uploads. A receiver uses several connections for one transfer; they are one
//! upload, known by the receiver's key and its token.

use std::collections::{HashMap, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::io::os::cancel::Cancel;
use crate::protocol::{ContentHash, ErrorCode, Failure, PublicKey, Route};

/// How often progress is told at most.
pub(super) const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// How many bytes may be on their way over other connections, asked for ahead, when a peer says that it has everything.
const LATE: u64 = 64 << 20;

/// What the data server tells its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UploadEvent {
    /// A peer began to fetch a file, or the small files of a folder.
    Started {
        /// The number of this upload, unique in this server.
        upload: u64,
        /// The name under which the file is offered; of a folder, what the peer calls it, with a
        /// slash at its end.
        file: String,
        /// The peer's key.
        peer: PublicKey,
        /// The peer's name, as `ContentStore::set_peers` knew it.
        peer_name: String,
        /// The file's size in bytes; the peer may need less of it. Of a folder, what the peer says
        /// that it gets, from us and from others.
        size: u64,
        /// The content; of a folder, what the peer says.
        hash: ContentHash,
        /// The way that the peer's connection takes.
        route: Route,
    },
    /// The best way that a connection of it takes is another one now.
    Way {
        /// The number of the upload.
        upload: u64,
        /// The way.
        route: Route,
    },
    /// So much of it was sent by now.
    Progress {
        /// The number of the upload.
        upload: u64,
        /// The bytes of the file sent in this upload.
        bytes: u64,
    },
    /// The peer said that it has every byte, verified.
    Completed {
        /// The number of the upload.
        upload: u64,
        /// The bytes of the file that were sent; less than its size if the peer had some already
        /// or got some elsewhere.
        bytes: u64,
        /// The time since the start.
        elapsed: Duration,
    },
    /// The peer's last connection ended without that word.
    Failed {
        /// The number of the upload.
        upload: u64,
        /// The bytes of the file that were sent.
        bytes: u64,
        /// What is known of the reason.
        failure: Failure,
    },
}

/// Takes what there is to tell. It is called on the server's threads, in order for each upload.
pub type UploadNotify = Arc<dyn Fn(UploadEvent) + Send + Sync>;

/// All uploads under way; at most one for each connection.
pub(super) struct Uploads {
    notify: UploadNotify,
    /// Ends all of them.
    stop: Cancel,
    next: AtomicU64,
    /// With the number of connections that take part. Never locked while something is told.
    running: Mutex<HashMap<Key, (Arc<Upload>, u32)>>,
    /// Those that were ended here, the newest last: who goes on with one is refused.
    ended: Mutex<VecDeque<Key>>,
}

/// The most uploads that are remembered as ended.
const ENDED: usize = 256;

/// The receiver and its token.
type Key = (PublicKey, String);

struct Upload {
    number: u64,
    cancel: Cancel,
    /// The connections that take part, and those that did.
    sockets: Mutex<Vec<Weak<TcpStream>>>,
    started: Instant,
    /// Locked while something is told, which keeps the order.
    state: Mutex<UploadState>,
}

struct UploadState {
    bytes: u64,
    /// Those of them that were sent when it was over: what was on its way then.
    late: u64,
    told: Instant,
    failure: Option<Failure>,
    over: bool,
    /// The ways of the connections that take part.
    ways: Vec<Route>,
}

/// What is uploaded, as it is told.
pub(super) struct What {
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) hash: ContentHash,
}

/// A connection that takes part in an upload.
#[derive(Clone, Copy)]
pub(super) struct Via<'a> {
    pub(super) socket: &'a Arc<TcpStream>,
    pub(super) route: Route,
}

/// One connection's part in an upload. Dropping it ends the part.
pub(super) struct Part {
    uploads: Arc<Uploads>,
    key: Key,
    route: Route,
    upload: Arc<Upload>,
}

impl Uploads {
    pub(super) fn new(notify: UploadNotify, stop: Cancel) -> Self {
        Self { notify, stop, next: AtomicU64::new(1), running: Mutex::default(), ended: Mutex::default() }
    }

    /// Takes part in the upload of this peer and token, which begins if there is none.
    pub(super) fn join(
        self: &Arc<Self>,
        peer: PublicKey,
        peer_name: &str,
        token: &str,
        what: What,
        Via { socket, route }: Via<'_>,
    ) -> Part {
        let key = (peer, token.to_owned());
        let mut running = lock(&self.running);
        if let Some((upload, connections)) = running.get_mut(&key) {
            *connections += 1;
            let (mut sockets, socket) = (lock(&upload.sockets), Arc::downgrade(socket));
            sockets.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&socket));
            sockets.push(socket);
            drop(sockets);
            let part = Part { uploads: self.clone(), upload: upload.clone(), key, route };
            drop(running);
            part.change_ways(|ways| ways.push(route));
            return part;
        }
        let now = Instant::now();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let state = UploadState { bytes: 0, late: 0, told: now, failure: None, over: false, ways: vec![route] };
        let upload = Arc::new(Upload {
            number,
            cancel: self.stop.below(),
            sockets: Mutex::new(vec![Arc::downgrade(socket)]),
            started: now,
            state: Mutex::new(state),
        });
        // Whoever joins as the second finds the upload locked until its start was told.
        let held = lock(&upload.state);
        running.insert(key.clone(), (upload.clone(), 1));
        drop(running);
        let What { file, size, hash } = what;
        let peer_name = peer_name.to_owned();
        (self.notify)(UploadEvent::Started { upload: number, file, peer, peer_name, size, hash, route });
        drop(held);
        Part { uploads: self.clone(), upload, key, route }
    }

    /// Ends an upload, as soon as more of it would be sent.
    pub(super) fn cancel(&self, number: u64) {
        let running = lock(&self.running);
        let Some((key, (upload, _))) = running.iter().find(|(_, (upload, _))| upload.number == number) else { return };
        let mut ended = lock(&self.ended);
        if ended.len() >= ENDED {
            ended.pop_front();
        }
        ended.push_back(key.clone());
        upload.end();
    }

    /// Whether the upload of this peer and token was ended here.
    pub(super) fn was_ended(&self, peer: PublicKey, token: &str) -> bool {
        lock(&self.ended).iter().any(|(of, ended)| *of == peer && ended == token)
    }

    /// The same for all uploads to a peer.
    pub(super) fn cancel_all_of(&self, peer: &PublicKey) {
        for (_, (upload, _)) in lock(&self.running).iter().filter(|((of, _), _)| of == peer) {
            upload.end();
        }
    }

    /// It is over: who goes on with its token begins another.
    fn forget(&self, key: &Key, upload: &Arc<Upload>) {
        let mut running = lock(&self.running);
        if running.get(key).is_some_and(|(running, _)| Arc::ptr_eq(running, upload)) {
            running.remove(key);
        }
    }

    /// One connection less; true if it was the last.
    fn leave(&self, key: &Key, upload: &Arc<Upload>) -> bool {
        let mut running = lock(&self.running);
        let Some((_, connections)) = running.get_mut(key).filter(|(running, _)| Arc::ptr_eq(running, upload)) else {
            return false;
        };
        *connections -= 1;
        let last = *connections == 0;
        if last {
            running.remove(key);
        }
        last
    }
}

impl Upload {
    /// Ends all connections that take part, whatever they wait for.
    fn end(&self) {
        self.cancel.cancel();
        for socket in lock(&self.sockets).iter().filter_map(Weak::upgrade) {
            // One that is closed already has ended.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Part {
    /// Whether this is the part in the upload with that token.
    pub(super) fn is_of(&self, token: &str) -> bool {
        self.key.1 == token
    }

    /// Whether the upload is over, and more was sent since than can have been on its way.
    pub(super) fn is_overdue(&self) -> bool {
        lock(&self.upload.state).late > LATE
    }

    /// Ends the upload.
    pub(super) fn cancel(&self) -> Cancel {
        self.upload.cancel.clone()
    }

    /// So many more bytes of the file are being sent.
    pub(super) fn sent(&self, bytes: u64) {
        let mut state = lock(&self.upload.state);
        state.bytes += bytes;
        if state.over {
            state.late += bytes;
        } else if state.told.elapsed() >= PROGRESS_EVERY {
            state.told = Instant::now();
            (self.uploads.notify)(UploadEvent::Progress { upload: self.upload.number, bytes: state.bytes });
        }
    }

    /// Changes which ways the connections take, and tells if another one is the best of them now.
    fn change_ways(&self, change: impl FnOnce(&mut Vec<Route>)) {
        let mut state = lock(&self.upload.state);
        let before = state.ways.iter().min().copied();
        change(&mut state.ways);
        let best = state.ways.iter().min().copied().filter(|best| Some(*best) != before && !state.over);
        if let Some(route) = best {
            (self.uploads.notify)(UploadEvent::Way { upload: self.upload.number, route });
        }
    }

    /// Something went wrong; it is told if the upload ends without success.
    pub(super) fn failed(&self, failure: Failure) {
        lock(&self.upload.state).failure.get_or_insert(failure);
    }

    /// The peer has everything.
    pub(super) fn done(&self) {
        self.uploads.forget(&self.key, &self.upload);
        let mut state = lock(&self.upload.state);
        if !std::mem::replace(&mut state.over, true) {
            let elapsed = self.upload.started.elapsed();
            (self.uploads.notify)(UploadEvent::Completed { upload: self.upload.number, bytes: state.bytes, elapsed });
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.uploads.leave(&self.key, &self.upload) {
            return self.change_ways(|ways| {
                ways.iter().position(|way| *way == self.route).map(|at| ways.swap_remove(at));
            });
        }
        let mut state = lock(&self.upload.state);
        if !std::mem::replace(&mut state.over, true) {
            let failure = state.failure.take().unwrap_or_else(|| ErrorCode::PeerBroke.into());
            (self.uploads.notify)(UploadEvent::Failed { upload: self.upload.number, bytes: state.bytes, failure });
        }
    }
}

/// What the lock protects stays sound after a panic elsewhere: each change is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_way_of_its_connections_is_told_whenever_it_is_another_one() {
        let told: Arc<Mutex<Vec<UploadEvent>>> = Arc::default();
        let notes = told.clone();
        let uploads = Arc::new(Uploads::new(Arc::new(move |note| lock(&notes).push(note)), Cancel::default()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let hash = ContentHash([7; 32]);
        let join = |route| {
            let what = What { file: "song".into(), size: 5, hash };
            uploads.join(PublicKey([1; 32]), "erin", "0123456789abcdef", what, Via { socket: &socket, route })
        };
        let relayed = join(Route::Relayed);
        let punched = join(Route::Punched);
        let (again, direct) = (join(Route::Relayed), join(Route::Direct));
        drop((relayed, again));
        drop(direct);
        drop(join(Route::Relayed));
        punched.done();
        let started = matches!(lock(&told)[0], UploadEvent::Started { route: Route::Relayed, .. });
        let ways: Vec<Route> = lock(&told)
            .iter()
            .filter_map(|note| if let UploadEvent::Way { route, .. } = note { Some(*route) } else { None })
            .collect();
        assert!(started && ways == [Route::Punched, Route::Direct, Route::Punched], "{ways:?}");
    }
}
