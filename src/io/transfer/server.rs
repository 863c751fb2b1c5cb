//! The accepting side: a thread that accepts, and one for each connection.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::local_peer::LocalPeer;
use super::serve::serve;
use super::service::Service;
use super::stream::ServerStream;
use super::uploads::UploadNotify;
use crate::io::content::store::ContentStore;
use crate::io::net::reach::Served;
use crate::io::os::cancel::Cancel;
use crate::protocol::{ContentHash, PublicKey, Route};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A connection's thread needs little: its buffers are on the heap.
const STACK: usize = 256 << 10;
/// How long to wait when the system has no file descriptors or memory for another connection.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// How long stopping waits for the connections' threads, which are woken.
const STOPPING: Duration = Duration::from_secs(2);

/// Serves a [`ContentStore`] until it is stopped or dropped.
pub struct DataServer {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    shared: Arc<Service>,
    accepting: Option<JoinHandle<()>>,
}

impl DataServer {
    /// Begins to serve. `notify` is told what becomes of uploads; it is called on the server's
    /// threads and may hold up the one upload that it is told about.
    ///
    /// # Errors
    /// When the listener has no address or no thread can be had.
    pub fn start(
        listener: TcpListener,
        local: &LocalPeer,
        store: ContentStore,
        notify: UploadNotify,
    ) -> io::Result<DataServer> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(false)?;
        let stop = Cancel::default();
        let shared = Arc::new(Service::new(local, store, notify, stop));
        let listener = Arc::new(listener);
        let accepting = {
            let (listener, shared) = (listener.clone(), shared.clone());
            thread::Builder::new()
                .name("data-accept".into())
                .stack_size(STACK)
                .spawn(move || accept(&shared, &listener))?
        };
        Ok(DataServer { address, listener, shared, accepting: Some(accepting) })
    }

    /// The way in for connections that did not come to its port.
    pub fn door(&self) -> DataDoor {
        DataDoor(self.shared.clone())
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends an upload, by the number that its notes have.
    pub fn cancel(&self, upload: u64) {
        self.shared.uploads.cancel(upload);
    }

    /// Ends all uploads to who holds this key.
    pub fn cancel_all_of(&self, peer: &PublicKey) {
        self.shared.uploads.cancel_all_of(peer);
    }

    /// Ends every connection and gives the port back. Uploads under way end as `interrupted`.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        self.shared.end_all();
        // Either of the two wakes the accepting thread; which one does depends on the system.
        let shut = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        let mut own = self.address;
        match own {
            SocketAddr::V4(ref mut a) if a.ip().is_unspecified() => a.set_ip(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(ref mut a) if a.ip().is_unspecified() => a.set_ip(Ipv6Addr::LOCALHOST),
            SocketAddr::V4(_) | SocketAddr::V6(_) => {}
        }
        let dialled = TcpStream::connect_timeout(&own, EXHAUSTED);
        if shut.is_ok() || dialled.is_ok() {
            accepting.join().expect("accepting does not panic");
        }
        self.shared.wait_until_empty(STOPPING);
    }
}

impl Drop for DataServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Lets connections into a [`DataServer`] that did not come to its port. Clones are the same.
#[derive(Clone)]
pub struct DataDoor(Arc<Service>);

impl DataDoor {
    /// Serves a connection that takes this way, if whoever is at its other end proves this key.
    pub fn admit(&self, tcp: TcpStream, peer: PublicKey, route: Route, served: Served) {
        if !self.0.stop.is_cancelled() {
            admit(&self.0, Arc::new(tcp), Some((peer, served)), route);
        }
    }

    /// Whether this peer may have a content, now.
    pub fn offers(&self, peer: &PublicKey, hash: &ContentHash) -> bool {
        self.0.store.serves(peer, hash)
    }
}

/// Accepts connections until the server stops.
fn accept(service: &Arc<Service>, listener: &TcpListener) {
    loop {
        let accepted = listener.accept();
        if service.stop.is_cancelled() {
            return;
        }
        match accepted {
            Ok((tcp, _)) => admit(service, Arc::new(tcp), None, Route::Direct),
            // A client that gave up meanwhile is no reason to wait; a lack of resources is.
            Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => thread::sleep(EXHAUSTED),
        }
    }
}

/// Gives a connection a slot and a thread. Only the holder of the key in `expected` is served, if that is given, and it is
/// told whether it is.
fn admit(service: &Arc<Service>, tcp: Arc<TcpStream>, expected: Option<(PublicKey, Served)>, route: Route) {
    let slot = service.take_slot(&tcp);
    let shared = service.clone();
    let run = move || {
        let _free = FreeSlot { shared: &shared, slot };
        let deadline = Instant::now() + HANDSHAKE;
        let accepted = ServerStream::accept(tcp, shared.config.clone(), shared.stop.clone(), deadline);
        match accepted.map(|stream| (stream.peer_key(), stream)) {
            Ok((Some(peer), mut stream)) if expected.as_ref().is_none_or(|(expected, _)| *expected == peer) => {
                expected.into_iter().for_each(|(_, served)| served.proved());
                stream.limits.up.clone_from(&shared.up);
                let welcome = shared.welcome(slot, peer);
                serve(&shared, stream, (slot, peer, route), welcome);
            }
            Ok((Some(_) | None, _)) => {}
            Err(broken) => tracing::debug!(%broken, "data handshake"),
        }
    };
    if let Err(e) = thread::Builder::new().name("data-serve".into()).stack_size(STACK).spawn(run) {
        tracing::debug!(%e, "no thread for a data connection");
        service.free_slot(slot);
    }
}

/// Frees the slot however the thread ends.
struct FreeSlot<'a> {
    shared: &'a Service,
    slot: u64,
}

impl Drop for FreeSlot<'_> {
    fn drop(&mut self) {
        self.shared.free_slot(self.slot);
    }
}
