//! Connects to a hub: resolves its names, and races addresses and transports, as [`crate::core::happy_eyeballs`] decides.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::identity::Identity;
use super::missed::{Missed, NoConn};
use super::{Conn, quic, tcp};
use crate::core::happy_eyeballs::{Attempt, Input, Output, Race, in_turn};
use crate::core::time::Time;
use crate::io::os::clock::until;
use crate::protocol::{ErrorCode, Failure, HostPort, PublicKey, TransportChoice, TransportKind};

/// The longest time for all names, addresses and transports together. A command that finds no hub must end within 5 s.
pub const CONNECT_TIME: Duration = Duration::from_secs(4);

/// How long one attempt may take where only one is made at a time: TCP must have its time where UDP does not pass.
const ATTEMPT_TIME: Duration = Duration::from_secs(1);

/// Why an attempt was given up at the deadline.
const SILENT: &str = "no answer came in time";

/// Connects to a hub at one address. With `expected`, any other key is refused; without, the caller judges
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
    connect_at(address, Dialler::new(identity, expected), Race::new(1, choice)).await
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
    connect_at(address, Dialler::new(identity, Some(key)), Race::to_peer(choice)).await
}

async fn connect_at(address: SocketAddr, dialler: Dialler, mut race: Race) -> Result<Conn, Failure> {
    race.handle(dialler.now(), Input::Resolved(0, vec![address]));
    dialler.run(race).await.map(|(_, conn)| conn)
}

/// Resolves hosts of one hub and connects to it at whichever answers first, all within [`CONNECT_TIME`]. Returns the
/// host's place among them, too.
///
/// # Errors
/// As for [`connect`]; the message gives the reason for each host and address that was tried.
pub async fn connect_hosts(
    hosts: &[HostPort],
    identity: &Identity,
    expected: Option<PublicKey>,
    choice: TransportChoice,
) -> Result<(usize, Conn), Failure> {
    let mut dialler = Dialler::new(identity, expected);
    for (at, HostPort { host, port }) in hosts.iter().enumerate() {
        let (host, port, deadline) = (host.clone(), *port, dialler.deadline);
        dialler.running.spawn(async move { Ended::Resolved(at, resolve_before(deadline, &host, port).await) });
    }
    dialler.run(Race::new(hosts.len(), choice)).await
}

/// Resolves a host and connects to the hub there over one connection after the other: the next one is opened when the one
/// before has failed. For whoever must not show the same secret to two at once.
///
/// # Errors
/// As for [`connect`], and for [`resolve`].
pub async fn connect_alone(
    host: &HostPort,
    identity: &Identity,
    expected: Option<PublicKey>,
    choice: TransportChoice,
) -> Result<Conn, Failure> {
    let deadline = Instant::now() + CONNECT_TIME;
    let kinds: &[TransportKind] = match choice {
        TransportChoice::Auto => &[TransportKind::Quic, TransportKind::Tcp],
        TransportChoice::Quic => &[TransportKind::Quic],
        TransportChoice::Tcp => &[TransportKind::Tcp],
    };
    let mut all_missed = Vec::new();
    for address in in_turn(resolve_before(deadline, &host.host, host.port).await?) {
        for &transport in kinds {
            let until = deadline.min(Instant::now() + ATTEMPT_TIME);
            let attempt = Attempt { host: 0, address, transport };
            match timeout_at(until, dial(attempt, identity.clone(), expected)).await {
                Ok(Ok(conn)) => return Ok(conn),
                Ok(Err(NoConn::Missed(missed))) => all_missed.extend(missed),
                Ok(Err(refused @ NoConn::Refused(_))) => return Err(refused.into()),
                Err(_) => all_missed.push(Missed { address, transport, cause: SILENT.into() }),
            }
        }
    }
    Err(NoConn::Missed(all_missed).into())
}

/// Resolves a host: a name, or an IPv4 or IPv6 address (brackets allowed). The order is the system's.
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
    if addresses.is_empty() { Err(unreachable(host, "the name has no address")) } else { Ok(addresses) }
}

/// A task of a race that has ended.
enum Ended {
    /// The name of the host in this place was looked up.
    Resolved(usize, Result<Vec<SocketAddr>, Failure>),
    /// The attempt of this number.
    Dialled(usize, Result<Conn, NoConn>),
}

/// Drives a race: does what it says, and remembers why attempts failed. Dropping it cancels them.
struct Dialler {
    identity: Identity,
    expected: Option<PublicKey>,
    began: Instant,
    deadline: Instant,
    running: JoinSet<Ended>,
    /// The attempts by their numbers; none once they have ended.
    attempts: Vec<Option<Attempt>>,
    missed: Vec<Missed>,
    /// Names that are unknown.
    unresolved: Vec<Failure>,
    /// What somebody else has answered.
    refused: Option<Failure>,
}

impl Dialler {
    fn new(identity: &Identity, expected: Option<PublicKey>) -> Self {
        let began = Instant::now();
        Self {
            identity: identity.clone(),
            expected,
            began,
            deadline: began + CONNECT_TIME,
            running: JoinSet::new(),
            attempts: Vec::new(),
            missed: Vec::new(),
            unresolved: Vec::new(),
            refused: None,
        }
    }

    fn now(&self) -> Time {
        Time::default() + self.began.elapsed()
    }

    /// Runs a race to its end. Returns the place of the host that was reached, and the connection.
    async fn run(mut self, mut race: Race) -> Result<(usize, Conn), Failure> {
        let mut won = None;
        loop {
            while let Some(output) = race.poll() {
                match output {
                    Output::Dial(number, attempt) => self.start(number, attempt),
                    Output::Won(_) => return won.ok_or_else(|| Failure::internal("no connection was kept")),
                    Output::Lost => return Err(self.failure()),
                }
            }
            let tick = race.next_timeout().map(|at| self.began + (at - Time::default()));
            let input = tokio::select! {
                Some(ended) = self.running.join_next() => {
                    let ended = ended.map_err(Failure::internal)?;
                    let (input, conn) = self.ended(ended);
                    won = conn.or(won);
                    input
                }
                () = until(tick.map(Instant::into_std)) => Input::Tick,
                () = tokio::time::sleep_until(self.deadline) => return Err(self.failure()),
            };
            race.handle(self.now(), input);
        }
    }

    fn start(&mut self, number: usize, attempt: Attempt) {
        self.attempts.push(Some(attempt));
        let dialled = dial(attempt, self.identity.clone(), self.expected);
        self.running.spawn(async move { Ended::Dialled(number, dialled.await) });
    }

    /// What the race is told of the end of a task, and the connection that came of it.
    fn ended(&mut self, ended: Ended) -> (Input, Option<(usize, Conn)>) {
        let (number, dialled) = match ended {
            Ended::Resolved(host, Ok(addresses)) => return (Input::Resolved(host, addresses), None),
            Ended::Resolved(host, Err(failure)) => {
                self.unresolved.push(failure);
                return (Input::Resolved(host, Vec::new()), None);
            }
            Ended::Dialled(number, dialled) => (number, dialled),
        };
        let attempt = self.attempts.get_mut(number).and_then(Option::take);
        match dialled {
            Ok(conn) => (Input::Connected(number), attempt.map(|attempt| (attempt.host, conn))),
            Err(NoConn::Missed(missed)) => {
                self.missed.extend(missed);
                (Input::Missed(number), None)
            }
            Err(NoConn::Refused(failure)) => {
                self.refused.get_or_insert(failure);
                (Input::Refused(number), None)
            }
        }
    }

    /// Why nothing was reached. What somebody else has answered says more than the silence of others.
    fn failure(mut self) -> Failure {
        if let Some(refused) = self.refused {
            return refused;
        }
        let silent = self.attempts.iter().flatten();
        self.missed.extend(silent.map(|&Attempt { address, transport, .. }| Missed {
            address,
            transport,
            cause: SILENT.into(),
        }));
        let reached = (!self.missed.is_empty()).then(|| Failure::from(NoConn::Missed(self.missed)));
        let all: Vec<_> = reached.into_iter().chain(self.unresolved).map(|failure| failure.message).collect();
        match all.is_empty() {
            true => ErrorCode::HubUnreachable.into(),
            false => Failure::new(ErrorCode::HubUnreachable, all.join(" ")),
        }
    }
}

/// Makes an attempt, and writes its start and end to the diagnostics.
async fn dial(attempt: Attempt, identity: Identity, expected: Option<PublicKey>) -> Result<Conn, NoConn> {
    let Attempt { address, transport, .. } = attempt;
    tracing::debug!(%address, %transport, "connecting");
    let began = Instant::now();
    let ended = match transport {
        TransportKind::Quic => quic::dial(address, identity, expected).await,
        TransportKind::Tcp => tcp::dial(address, identity, expected).await,
    };
    let took = began.elapsed();
    match &ended {
        Ok(conn) => tracing::debug!(%address, %transport, key = %conn.peer, ?took, "connected, the key is proved"),
        Err(why) => tracing::debug!(%address, %transport, ?why, ?took, "not connected"),
    }
    ended
}

/// The failure if a name is unknown, or the system could not resolve it.
fn not_found(host: &str, e: &io::Error) -> Failure {
    tracing::debug!("{host}: {}", crate::protocol::cause::plain(&e.to_string()));
    unreachable(host, "no address is known for that name")
}

fn unreachable(what: &str, cause: &str) -> Failure {
    Failure::new(ErrorCode::HubUnreachable, format!("{what} cannot be reached: {cause}."))
}
