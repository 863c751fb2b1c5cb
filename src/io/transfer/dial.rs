//! Connecting to a source.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use socket2::{Domain, Protocol, Socket, Type};

use super::local_peer::LocalPeer;
use super::socket::{Broken, Hangup};
use super::stream::ClientStream;
use super::token_bucket::TokenBucket;
use crate::io::net::tls::{self, DATA_ALPN};
use crate::protocol::cause;
use crate::protocol::{ErrorCode, Failure, PublicKey};

/// How long connecting may take, and then the handshake again.
const CONNECT: Duration = Duration::from_secs(5);
/// Below this rate, in bytes a second, the system is to take in no more ahead than half a second's worth.
const SLOW: u64 = 256 << 10;
/// But so much, in bytes.
const NARROW: usize = 8 << 10;

/// An encrypted connection to whoever holds this key.
///
/// # Errors
/// `None` if `hangup` was raised; `peer-unreachable`, also where dialling has failed too often of late; `peer-key-changed`, `peer-broke`.
pub(super) fn dial(
    address: SocketAddr,
    key: PublicKey,
    local: &LocalPeer,
    hangup: &Hangup,
) -> Result<ClientStream, Option<Failure>> {
    if let Err(wait) = local.dialled.may(address) {
        let millis = wait.as_millis() as u64;
        let message =
            format!("{address} did not answer several times, and is left alone for {} s.", wait.as_secs() + 1);
        return Err(Some(Failure::new(ErrorCode::PeerUnreachable, message).wait(millis)));
    }
    tracing::debug!(%address, %key, "dialling for a transfer");
    let began = Instant::now();
    let dialled = dial_untold(address, key, local, hangup);
    let took = began.elapsed();
    match &dialled {
        Ok(_) => {
            local.dialled.reached(address);
            tracing::debug!(%address, ?took, "connected for a transfer, the key is proved");
        }
        Err(Some(failure)) => {
            local.dialled.failed(address);
            tracing::debug!(%address, %failure, ?took, "no connection for a transfer");
        }
        Err(None) => tracing::debug!(%address, ?took, "the transfer was given up"),
    }
    dialled
}

fn dial_untold(
    address: SocketAddr,
    key: PublicKey,
    local: &LocalPeer,
    hangup: &Hangup,
) -> Result<ClientStream, Option<Failure>> {
    let tcp = connect(address, local.rates.down.as_ref(), hangup).map_err(|e| {
        e.map(|e| {
            Failure::new(ErrorCode::PeerUnreachable, format!("{address} cannot be reached: {}.", cause::of_io(&e)))
        })
    })?;
    prove_at(&address.to_string(), tcp, key, local, hangup)
}

/// Has whoever is at the other end of a connection prove this key.
///
/// # Errors
/// As for [`dial`].
pub(super) fn prove(
    tcp: TcpStream,
    key: PublicKey,
    local: &LocalPeer,
    hangup: &Hangup,
) -> Result<ClientStream, Option<Failure>> {
    let address = tcp.peer_addr().map_or_else(|_| "the other end".to_owned(), |address| address.to_string());
    prove_at(&address, tcp, key, local, hangup)
}

fn prove_at(
    address: &str,
    tcp: TcpStream,
    key: PublicKey,
    local: &LocalPeer,
    hangup: &Hangup,
) -> Result<ClientStream, Option<Failure>> {
    let config = Arc::new(tls::client_config(local, Some(key), DATA_ALPN));
    ClientStream::connect(tcp, config, hangup.clone(), Instant::now() + CONNECT).map_err(|broken| match broken {
        Broken::Cancelled => None,
        Broken::Tls(ref e) => Some(match tls::key_mismatch(e) {
            Some(mismatch) => Failure::new(ErrorCode::PeerKeyChanged, format!("The peer's key changed: {mismatch}."))
                .hint("Somebody else has their address by now, or is in between: ask again when they are back."),
            None => Failure::new(
                ErrorCode::PeerBroke,
                format!("What answers at {address} is no client of potluck, or of another version: {}.", tls::cause(e)),
            ),
        }),
        Broken::Closed | Broken::Silent | Broken::LongLine | Broken::Protocol | Broken::Io(_) => {
            Some(Failure::new(ErrorCode::PeerBroke, format!("The peer broke off: {broken}.")))
        }
    })
}

/// A plain connection. The standard library's own way cannot be interrupted.
fn connect(
    address: SocketAddr,
    down: Option<&TokenBucket>,
    hangup: &Hangup,
) -> Result<TcpStream, Option<std::io::Error>> {
    let deadline = Instant::now() + CONNECT;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).map_err(Some)?;
    if let Some(down) = down.filter(|down| down.rate() < SLOW) {
        // Without this the system takes in far more than is read, and the other side waits for ever longer.
        let most = usize::try_from(down.rate() / 2).unwrap_or(NARROW).max(NARROW);
        socket.set_recv_buffer_size(most).map_err(Some)?;
    }
    socket.set_nonblocking(true).map_err(Some)?;
    match socket.connect(&address.into()) {
        Err(e) if e.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => return Err(Some(e)),
        _ => {}
    }
    match hangup.wait(&socket, PollFlags::OUT, deadline) {
        Ok(()) => socket.take_error().map_err(Some)?.map_or(Ok(socket.into()), |e| Err(Some(e))),
        Err(Broken::Cancelled) => Err(None),
        Err(Broken::Io(e)) => Err(Some(e)),
        Err(_) => Err(Some(std::io::ErrorKind::TimedOut.into())),
    }
}
