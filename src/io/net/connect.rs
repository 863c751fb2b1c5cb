//! Connects to a hub: resolves its name, and races addresses and transports. The first connection wins.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::identity::Identity;
use super::missed::{Missed, NoConn};
use super::{Conn, quic, tcp};
use crate::protocol::{ErrorCode, Failure, PublicKey, TransportChoice};

/// The longest time for all names, addresses and transports together. A command that finds no hub must end within 5 s.
pub const CONNECT_TIME: Duration = Duration::from_secs(4);

/// How long QUIC is tried alone before TCP is tried as well.
const QUIC_HEAD_START: Duration = Duration::from_millis(400);
/// The same towards another client: it is over before other ways than its own address are tried, so that where UDP does
/// not pass, TCP gets there first.
const PEER_HEAD_START: Duration = Duration::from_millis(100);

/// How long an address is tried alone before the next one is tried as well (RFC 8305, section 5).
const ADDRESS_HEAD_START: Duration = Duration::from_millis(250);

type Attempt = Pin<Box<dyn Future<Output = Result<Conn, NoConn>> + Send>>;

/// Connects to a hub. With `expected`, any other key is refused; without, the caller judges
/// [`Conn::peer`]. `Auto` tries QUIC first and TCP beside it where QUIC does not answer quickly.
///
/// Over QUIC the hub sees the connection when the first line was written.
///
/// # Errors
/// `hub-unreachable` after [`CONNECT_TIME`] or when it is clear earlier, `hub-key-changed`, `wrong-protocol`.
pub async fn connect(
    address: SocketAddr,
    identity: &Identity,
    expected: Option<PublicKey>,
    choice: TransportChoice,
) -> Result<Conn, Failure> {
    connect_any(&[address], identity, expected, choice).await
}

/// Connects to another client at its own address.
///
/// # Errors
/// Those of [`connect`].
pub async fn connect_peer(
    address: SocketAddr,
    identity: &Identity,
    key: PublicKey,
    choice: TransportChoice,
) -> Result<Conn, Failure> {
    let deadline = Instant::now() + CONNECT_TIME;
    connect_before(deadline, &[address], identity, Some(key), (choice, PEER_HEAD_START)).await
}

/// Connects to a hub that has several addresses. They are tried in order; the next one starts when those before it have
/// failed or are slow.
///
/// # Errors
/// Those of [`connect`]; with several addresses the message gives the reason for each.
pub async fn connect_any(
    addresses: &[SocketAddr],
    identity: &Identity,
    expected: Option<PublicKey>,
    choice: TransportChoice,
) -> Result<Conn, Failure> {
    let deadline = Instant::now() + CONNECT_TIME;
    connect_before(deadline, addresses, identity, expected, (choice, QUIC_HEAD_START)).await
}

/// Resolves a host and connects, both within [`CONNECT_TIME`].
///
/// # Errors
/// As for [`resolve`] and [`connect`].
pub async fn connect_host(
    host: &str,
    port: u16,
    identity: &Identity,
    expected: Option<PublicKey>,
    choice: TransportChoice,
) -> Result<Conn, Failure> {
    let deadline = Instant::now() + CONNECT_TIME;
    let addresses = resolve_before(deadline, host, port).await?;
    connect_before(deadline, &addresses, identity, expected, (choice, QUIC_HEAD_START)).await
}

/// Resolves a host: a name, or an IPv4 or IPv6 address (brackets allowed). Loopback addresses come first; otherwise the
/// order is the system's.
///
/// # Errors
/// `hub-unreachable` if the name is unknown, or is not resolved within [`CONNECT_TIME`].
pub async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    resolve_before(Instant::now() + CONNECT_TIME, host, port).await
}

async fn resolve_before(deadline: Instant, host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = timeout_at(deadline, tokio::net::lookup_host((host, port))).await;
    let found = found.map_err(|_| unreachable(host, "the name was not resolved in time"))?;
    let found = found.map_err(|e| not_found(host, &e))?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.sort_by_key(|address| !address.ip().is_loopback());
    if addresses.is_empty() { Err(unreachable(host, "the name has no address")) } else { Ok(addresses) }
}

/// `Auto` gives QUIC this head start before TCP.
async fn connect_before(
    deadline: Instant,
    addresses: &[SocketAddr],
    identity: &Identity,
    expected: Option<PublicKey>,
    (choice, head_start): (TransportChoice, Duration),
) -> Result<Conn, Failure> {
    let attempt = |&address: &SocketAddr| -> Attempt {
        let identity = identity.clone();
        let quic = || -> Attempt { Box::pin(told("quic", address, quic::dial(address, identity.clone(), expected))) };
        let tcp = || -> Attempt { Box::pin(told("tcp", address, tcp::dial(address, identity.clone(), expected))) };
        let attempts = match choice {
            TransportChoice::Auto => vec![quic(), tcp()],
            TransportChoice::Quic => vec![quic()],
            TransportChoice::Tcp => vec![tcp()],
        };
        Box::pin(race(attempts, head_start))
    };
    let connected = timeout_at(deadline, race(addresses.iter().map(attempt).collect(), ADDRESS_HEAD_START)).await;
    connected.map_or_else(
        |_| {
            let all: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
            Err(unreachable(&all.join(", "), "no answer came in time"))
        },
        |ended| ended.map_err(Failure::from),
    )
}

/// Runs an attempt, and writes its start and end to the diagnostics.
async fn told(
    transport: &'static str,
    address: SocketAddr,
    attempt: impl Future<Output = Result<Conn, NoConn>>,
) -> Result<Conn, NoConn> {
    tracing::debug!(%address, transport, "connecting");
    let began = Instant::now();
    let ended = attempt.await;
    let took = began.elapsed();
    match &ended {
        Ok(conn) => tracing::debug!(%address, transport, key = %conn.peer, ?took, "connected, the key is proved"),
        Err(why) => tracing::debug!(%address, transport, ?why, ?took, "not connected"),
    }
    ended
}

/// Starts the attempts in order: the next one when one has failed or `head_start` has passed. The first success wins
/// and cancels the others; so does a failure after which nothing else may be tried.
async fn race(attempts: Vec<Attempt>, head_start: Duration) -> Result<Conn, NoConn> {
    let mut waiting = attempts.into_iter();
    let mut running = JoinSet::new();
    let mut all_missed: Vec<Missed> = Vec::new();
    loop {
        match waiting.next() {
            Some(attempt) => drop(running.spawn(attempt)),
            None if running.is_empty() => return Err(NoConn::Missed(all_missed)),
            None => {}
        }
        let ended = tokio::select! {
            Some(ended) = running.join_next() => ended,
            () = sleep(head_start), if waiting.len() > 0 => continue,
        };
        match ended {
            Ok(Ok(conn)) => return Ok(conn),
            Ok(Err(NoConn::Missed(missed))) => all_missed.extend(missed),
            Ok(Err(refused @ NoConn::Refused(_))) => return Err(refused),
            Err(panicked) => return Err(Failure::internal(panicked).into()),
        }
    }
}

/// The failure if a name is unknown, or the system could not resolve it.
fn not_found(host: &str, e: &io::Error) -> Failure {
    tracing::debug!("{host}: {}", crate::protocol::cause::plain(&e.to_string()));
    unreachable(host, "no address is known for that name")
}

fn unreachable(what: &str, cause: &str) -> Failure {
    Failure::new(ErrorCode::HubUnreachable, format!("{what} cannot be reached: {cause}."))
}
