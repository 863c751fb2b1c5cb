//! Accepts connections over QUIC and TCP on one port; handshakes run in the background. A TCP connection may also be one
//! half of a meeting, see [`relay`](super::relay).

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use quinn::Endpoint;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::pending::PendingHandshakes;
use super::relay::Half;
use super::relay::greeting::{self, Beginning};
use super::{CLOSE_TIME, Conn, LINE_LIMIT, quic, tcp};
use crate::io::net::identity::Identity;
use crate::io::net::tls;
use crate::protocol::cause;
use crate::protocol::{ErrorCode, Failure};

/// The connections that the system may queue until they are accepted. The system has its own maximum.
const BACKLOG: i32 = 4096;

/// Completed connections that may wait for [`Listener::accept`], and halves that may wait to be taken.
const READY: usize = 64;

/// The pause after the system could not give us another connection: long enough not to spin, short enough to go
/// unnoticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// For port 0: how many ports are tried until one is free for both transports.
const PORT_TRIES: usize = 64;

/// The limits for clients that have not proven a key yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenLimits {
    /// Handshakes in progress, for each transport.
    pub pending: usize,
    /// Handshakes in progress from one address (one /64 for IPv6). Loopback is limited by `pending` alone.
    pub pending_per_address: usize,
    /// The age at which a handshake is dropped in favour of a newcomer, if there is no room.
    pub grace: Duration,
    /// The longest duration of a handshake, until its stream is open.
    pub deadline: Duration,
    /// The longest accepted line, in bytes without its end.
    pub line: usize,
}

impl Default for ListenLimits {
    /// A handshake in progress takes about 10 KiB, all of them together 20 MiB. An honest one takes a round trip or
    /// two; the grace allows for a slow network and a busy hub.
    fn default() -> Self {
        Self {
            pending: 1024,
            pending_per_address: 256,
            grace: Duration::from_millis(700),
            deadline: Duration::from_secs(10),
            line: LINE_LIMIT,
        }
    }
}

/// Accepts clients on one port number over both transports. Dropping it stops that; accepted connections live on.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    endpoint: Endpoint,
    ready: mpsc::Receiver<Conn>,
    halves: Halves,
    /// Keeps the channel open even if both tasks have ended.
    _open: mpsc::Sender<Conn>,
    tasks: Tasks,
}

/// Where connections go that have shown a token: nowhere until somebody takes them.
type Halves = Arc<OnceLock<mpsc::Sender<Half>>>;

/// What a handshake has made of a connection.
enum Arrival {
    Client(Conn),
    Half(Half),
}

/// The background tasks, which end when this is dropped.
#[derive(Debug)]
struct Tasks {
    loops: [AbortHandle; 2],
    pending: [PendingHandshakes; 2],
}

impl Listener {
    /// Binds both transports to the same port. Port 0 chooses one that is free for both; `[::]` includes IPv4. Must be
    /// called inside a tokio runtime.
    ///
    /// # Errors
    /// `port-in-use` if the port is taken for either transport, `bad-config` if the address cannot be used.
    pub fn bind(address: SocketAddr, identity: &Identity, limits: ListenLimits) -> Result<Self, Failure> {
        let failed = |e: io::Error| bind_failure(address, &e);
        let (tcp, udp) = bind_both(address).map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        let tcp = TcpListener::from_std(tcp).map_err(failed)?;
        let endpoint = quic::server(udp, identity).map_err(failed)?;

        // Each transport has its own room, so that a flood over one keeps nobody from the other.
        let pending =
            [(); 2].map(|()| PendingHandshakes::new(limits.pending, limits.pending_per_address, limits.grace));
        let (sender, ready) = mpsc::channel(READY);
        let halves = Halves::default();
        let [tcp_acceptor, quic_acceptor] = pending.clone().map(|pending| {
            let (ready, halves) = (sender.clone(), halves.clone());
            Acceptor { pending, limits, ready, halves }
        });
        let config = Arc::new(tls::server_config(identity, tls::LINK_ALPN));
        let loops = [
            tokio::spawn(accept_tcp(tcp, config, tcp_acceptor)).abort_handle(),
            tokio::spawn(accept_quic(endpoint.clone(), quic_acceptor)).abort_handle(),
        ];
        Ok(Self { address, endpoint, ready, halves, _open: sender, tasks: Tasks { loops, pending } })
    }

    /// The address on which it listens, with the port that was chosen.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The next client that has proven its key and opened its stream. It may be cancelled without loss.
    pub async fn accept(&mut self) -> Conn {
        match self.ready.recv().await {
            Some(conn) => conn,
            // Cannot be: we hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    /// The connections that show a token, from now on; nothing if this was called before. Without it, they are closed.
    pub fn halves(&self) -> Option<mpsc::Receiver<Half>> {
        let (sender, halves) = mpsc::channel(READY);
        self.halves.set(sender).ok().map(|()| halves)
    }

    /// Stops listening, and waits up to [`CLOSE_TIME`] until the QUIC connections that were closed before have told the
    /// other side. Call it last.
    pub async fn close(self) {
        drop(self.tasks);
        self.endpoint.set_server_config(None);
        let _ = timeout(CLOSE_TIME, self.endpoint.wait_idle()).await;
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.loops.iter().for_each(AbortHandle::abort);
        self.pending.iter().for_each(PendingHandshakes::abort_all);
    }
}

/// What each of the two accept loops needs.
#[derive(Clone)]
struct Acceptor {
    pending: PendingHandshakes,
    limits: ListenLimits,
    ready: mpsc::Sender<Conn>,
    halves: Halves,
}

impl Acceptor {
    /// Runs a handshake in the background, if there is room for it.
    async fn run_handshake(
        &self,
        address: SocketAddr,
        handshake: impl Future<Output = Option<Arrival>> + Send + 'static,
    ) {
        let Some(slot) = self.pending.admit(address.ip()).await else {
            tracing::debug!(%address, "too many handshakes from one address");
            return;
        };
        let (number, deadline) = (slot.number(), self.limits.deadline);
        let (ready, halves) = (self.ready.clone(), self.halves.clone());
        let task = tokio::spawn(async move {
            match timeout(deadline, handshake).await {
                // Keeps the slot until it is taken, so that not more can wait there than may.
                Ok(Some(Arrival::Client(conn))) => {
                    slot.is_shaken();
                    drop(ready.send(conn).await);
                }
                // Anybody can show a token, so this is no success: it may yield to a newcomer while it waits.
                Ok(Some(Arrival::Half(half))) => {
                    if let Some(halves) = halves.get() {
                        drop(halves.send(half).await);
                    }
                }
                Ok(None) => tracing::debug!(%address, "the handshake failed"),
                Err(_) => tracing::debug!(%address, "the handshake took too long"),
            }
            drop(slot);
        });
        self.pending.watch(number, task.abort_handle());
    }
}

async fn accept_tcp(listener: TcpListener, config: Arc<rustls::ServerConfig>, acceptor: Acceptor) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let (config, line) = (config.clone(), acceptor.limits.line);
                let welcome = async move {
                    match greeting::look(stream).await? {
                        Beginning::Half(half) => Some(Arrival::Half(half)),
                        Beginning::Other(stream) => tcp::welcome(stream, config, line).await.map(Arrival::Client),
                    }
                };
                acceptor.run_handshake(address, welcome).await;
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!("cannot accept a connection: {}", cause::of_io(&error));
                acceptor.pending.relieve();
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn accept_quic(endpoint: Endpoint, acceptor: Acceptor) {
    while let Some(incoming) = endpoint.accept().await {
        let address = incoming.remote_address();
        if incoming.may_retry() && !incoming.remote_address_validated() {
            // A forged address never answers this, and nothing is stored for it. Without it, we could send it more than
            // three times the bytes that it sent, because quinn does not count the packets that close a handshake. An
            // honest client loses a round trip.
            let _ = incoming.retry();
            continue;
        }
        let welcome = quic::welcome(incoming, acceptor.limits.line);
        acceptor.run_handshake(address, async move { welcome.await.map(Arrival::Client) }).await;
    }
}

/// Whether an accept error concerns one connection only, so that there is no reason to pause.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

fn bind_both(address: SocketAddr) -> io::Result<(StdTcpListener, UdpSocket)> {
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let tcp: StdTcpListener = socket(address, Type::STREAM)?.into();
        let same = SocketAddr::new(address.ip(), tcp.local_addr()?.port());
        match socket(same, Type::DGRAM) {
            Ok(udp) => return Ok((tcp, udp.into())),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            Err(e) => return Err(e),
        }
    }
}

fn socket(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    if kind == Type::STREAM {
        // Connections of a hub that has just ended must not keep its port; for UDP this would mean sharing.
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if kind == Type::STREAM {
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}

fn bind_failure(address: SocketAddr, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::AddrInUse {
        return Failure::new(ErrorCode::PortInUse, format!("The port of {address} is in use."));
    }
    Failure::new(ErrorCode::BadConfig, format!("Potluck cannot listen on {address}: {}.", cause::of_io(error)))
}
