//! Direct connections: accepts and dials them, and moves their lines.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::messages::PeerNote;
use super::{ClientDriver, ConnBox, Message, Observer};
use crate::core::peers::{PeerConn, PeerInput, PeerOutput, Person};
use crate::core::session::Input;
use crate::io::net::bind::anywhere;
use crate::io::net::connection::{Outgoing, run_connection};
use crate::io::net::identity::Identity;
use crate::io::net::line_room::LineRoom;
use crate::io::net::reach::{Serve, TalkProving, welcome, welcome_config};
use crate::io::net::{CLOSE_TIME, Conn, ListenLimits, Listener};
use crate::protocol::limits::{MEETING_TIME, PRIVATE_HANDSHAKES, PRIVATE_LINE, PRIVATE_WINDOW};
use crate::protocol::wire::Purpose;
use crate::protocol::{ErrorCode, Failure, Route};

/// The bytes that may wait for a side that does not read: everything that a link has in flight, and acknowledgements.
const MOST_WAITING: usize = 4 * (PRIVATE_WINDOW + PRIVATE_LINE);

/// The state of a direct connection.
enum PeerConnState {
    Dialling(AbortHandle),
    Open { outgoing: Arc<Outgoing>, closing: Arc<Notify> },
}

/// The port on which others reach this client, and its direct connections.
pub(super) struct PeerPort {
    port: u16,
    listening: AbortHandle,
    /// How many connections were accepted.
    accepted: Arc<AtomicU64>,
    /// How connections are welcomed that come by a meeting.
    config: Arc<ServerConfig>,
    /// Those of them that have not proved their key, the oldest first.
    welcoming: Arc<Mutex<VecDeque<AbortHandle>>>,
    conns: HashMap<PeerConn, PeerConnState>,
    lines: Arc<LineRoom>,
    running: JoinSet<()>,
}

impl Drop for PeerPort {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl PeerPort {
    /// Opens the port, at `local` if only this machine needs to reach it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// `port-in-use`, `bad-config`.
    pub(super) fn open(
        port: u16,
        local: Option<IpAddr>,
        identity: &Identity,
        sender: mpsc::Sender<Message>,
    ) -> Result<Self, Failure> {
        // Honest clients are few, are in the roster, and say at once who they are. So the oldest handshake may be
        // dropped at any time, and a flood of handshakes keeps nobody out.
        let limits = ListenLimits {
            pending: PRIVATE_HANDSHAKES,
            pending_per_address: PRIVATE_HANDSHAKES / 4,
            grace: Duration::ZERO,
            deadline: Duration::from_secs(2),
            line: PRIVATE_LINE,
        };
        let mut listener = Err(ErrorCode::Internal.into());
        for address in anywhere(local) {
            listener = Listener::bind(SocketAddr::new(address, port), identity, limits);
            if listener.is_ok() {
                break;
            }
        }
        let listener = listener.map_err(|failure| {
            let hint = "Choose another with --link-port; --link-port 0 takes a free one.";
            if failure.code == ErrorCode::PortInUse { failure.hint(hint) } else { failure }
        })?;
        let port = listener.local_addr().port();
        let accepted = Arc::new(AtomicU64::new(0));
        let listening = tokio::spawn(accept_all(listener, accepted.clone(), sender)).abort_handle();
        let (lines, config) = (Arc::new(LineRoom::of_many()), welcome_config(identity));
        let (welcoming, conns, running) = (Arc::default(), HashMap::new(), JoinSet::new());
        Ok(Self { port, listening, accepted, config, welcoming, conns, lines, running })
    }

    /// The way in for connections that come by a meeting.
    pub(super) fn door(&self, sender: mpsc::Sender<Message>) -> Arc<Serve> {
        let (accepted, config, welcoming) = (self.accepted.clone(), self.config.clone(), self.welcoming.clone());
        Arc::new(move |tcp, peer, route, served| {
            let (accepted, config, sender) = (accepted.clone(), config.clone(), sender.clone());
            let welcome = tokio::spawn(async move {
                let welcomed = timeout(MEETING_TIME, welcome(tcp, peer, config, PRIVATE_LINE)).await;
                if let Ok(Some(conn)) = welcomed {
                    served.proved();
                    let number = accepted.fetch_add(1, Ordering::Relaxed) + 1;
                    let note = PeerNote::Accepted(number, Box::new(ConnBox(conn)), route);
                    let _ = sender.send(Message::Peer(note)).await;
                }
            });
            let mut welcoming = welcoming.lock().unwrap_or_else(PoisonError::into_inner);
            welcoming.retain(|task| !task.is_finished());
            // A flood of connections at a meeting's port keeps nobody out, as at our own port.
            if welcoming.len() >= PRIVATE_HANDSHAKES {
                welcoming.pop_front().into_iter().for_each(|oldest| oldest.abort());
            }
            welcoming.push_back(welcome.abort_handle());
        })
    }

    /// The port, also if the system has chosen it.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    fn run(&mut self, conn: PeerConn, connection: Conn, sender: mpsc::Sender<Message>) {
        while self.running.try_join_next().is_some() {}
        let (outgoing, closing) = (Arc::new(Outgoing::bounded(MOST_WAITING)), Arc::new(Notify::new()));
        self.conns.insert(conn, PeerConnState::Open { outgoing: outgoing.clone(), closing: closing.clone() });
        let lines = self.lines.clone();
        self.running.spawn(async move {
            let line = |line| Message::Peer(PeerNote::Line(conn, line));
            // A side that has stopped reading must not keep a closed connection alive.
            let given_up = async {
                closing.notified().await;
                tokio::time::sleep(CLOSE_TIME).await;
            };
            let broken = tokio::select! {
                broken = run_connection(connection, &outgoing, PRIVATE_LINE, &lines, &sender, line) => broken,
                () = given_up => None,
            };
            if let Some(reason) = broken {
                let _ = sender.send(Message::Peer(PeerNote::Broken(conn, reason))).await;
            }
        });
    }

    fn with(&self, conn: PeerConn, change: impl FnOnce(&Outgoing)) {
        if let Some(PeerConnState::Open { outgoing, .. }) = self.conns.get(&conn) {
            change(outgoing);
            outgoing.flush();
        }
    }

    fn close(&mut self, conn: PeerConn) {
        match self.conns.remove(&conn) {
            Some(PeerConnState::Dialling(task)) => task.abort(),
            Some(PeerConnState::Open { outgoing, closing }) => {
                outgoing.close();
                closing.notify_one();
            }
            None => {}
        }
    }

    /// Waits until the last lines of closed connections have been sent.
    pub(super) async fn flush_goodbyes(&mut self) {
        let over = async { while self.running.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(CLOSE_TIME, over).await;
    }
}

async fn accept_all(mut listener: Listener, accepted: Arc<AtomicU64>, sender: mpsc::Sender<Message>) {
    loop {
        let conn = listener.accept().await;
        let number = accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let note = PeerNote::Accepted(number, Box::new(ConnBox(conn)), Route::Direct);
        if sender.send(Message::Peer(note)).await.is_err() {
            return;
        }
    }
}

impl<W: Observer> ClientDriver<W> {
    pub(super) fn peer_note(&mut self, note: PeerNote) {
        let input = match note {
            PeerNote::Accepted(number, connection, route) => {
                let key = connection.0.peer;
                self.peers.run(PeerConn::Accepted(number), connection.0, self.sender.clone());
                PeerInput::Accepted(number, key, route)
            }
            PeerNote::Meeting(number) => PeerInput::Meeting(number),
            PeerNote::Dialled(number, connection, route) => {
                let conn = PeerConn::Dialled(number);
                // The connection may have been closed meanwhile.
                if !self.peers.conns.contains_key(&conn) {
                    return;
                }
                self.peers.run(conn, connection.0, self.sender.clone());
                PeerInput::Dialled(number, route)
            }
            PeerNote::DialFailed(number, failure) => PeerInput::DialFailed(number, failure),
            PeerNote::Pinned(number, result) => PeerInput::Pinned(number, result),
            PeerNote::Line(conn, line) => return self.handle(Input::Peer(PeerInput::Line(conn, &line))),
            PeerNote::Broken(conn, reason) => {
                self.peers.conns.remove(&conn);
                PeerInput::Broken(conn, reason)
            }
        };
        self.handle(Input::Peer(input));
    }

    pub(super) fn for_peer(&mut self, output: PeerOutput) {
        match output {
            PeerOutput::Dial(number, person) => self.dial(number, person),
            PeerOutput::Pin(number, name, key) => {
                let (pins, hub) = (self.options.folders.home.pins(), self.hub.key);
                self.on_thread(move || {
                    let pinned = hub.map_or(Ok(()), |hub| pins.check_peer(&name, &hub, key));
                    Message::Peer(PeerNote::Pinned(number, pinned))
                });
            }
            PeerOutput::Say(conn, line) => self.peers.with(conn, |outgoing| outgoing.say(&line)),
            PeerOutput::Send(conn, frame) => self.peers.with(conn, |outgoing| outgoing.push(&frame)),
            PeerOutput::Close(conn) => self.peers.close(conn),
        }
    }

    fn dial(&mut self, number: u64, person: Person) {
        let (pins, hub, sender) = (self.options.folders.home.pins(), self.hub.key, self.sender.clone());
        let (reacher, meets) = (self.hub.reacher.clone(), self.sender.clone());
        let meets = move || drop(meets.try_send(Message::Peer(PeerNote::Meeting(number))));
        let (identity, transport) = (Identity::clone(&self.local), self.options.transport);
        let Person { name, key, address, .. } = person;
        let pinned = {
            let name = name.clone();
            tokio::task::spawn_blocking(move || hub.map_or(Ok(()), |hub| pins.check_peer(&name, &hub, key)))
        };
        let dialling = tokio::spawn(async move {
            let connected = match pinned.await {
                Ok(Ok(())) => {
                    let proving = TalkProving { identity, key, transport, meets: Box::new(meets) };
                    let target = reacher.target(key, address, Purpose::Private);
                    let reached = reacher.reach(target, Arc::new(proving)).recv().await;
                    let reached = reached.unwrap_or_else(|| Err(ErrorCode::PeerUnreachable.into()));
                    reached.map_err(|failure| unreached(&name, &failure))
                }
                Ok(Err(failure)) => Err(failure),
                Err(panicked) => Err(Failure::internal(panicked)),
            };
            let note = match connected {
                Ok((connection, route)) => PeerNote::Dialled(number, Box::new(ConnBox(connection)), route),
                Err(failure) => PeerNote::DialFailed(number, failure),
            };
            let _ = sender.send(Message::Peer(note)).await;
        });
        self.peers.conns.insert(PeerConn::Dialled(number), PeerConnState::Dialling(dialling.abort_handle()));
    }
}

/// Rewrites a failure of the transport, which speaks of a hub, for a peer.
fn unreached(name: &str, failure: &Failure) -> Failure {
    if failure.code == ErrorCode::HubKeyChanged {
        return Failure::new(
            ErrorCode::PeerKeyChanged,
            format!("What answers for {name} has another key than the hub says."),
        )
        .hint("Somebody else has their address by now, or is in between: ask again when they are back.");
    }
    if failure.code == ErrorCode::WrongProtocol {
        let message = format!("Something else than {name} answers on a direct connection. {}", failure.message);
        return Failure::new(ErrorCode::PeerUnreachable, message)
            .hint("Ask again when they are back; `message` reaches them through the hub.");
    }
    let message = format!("{name} does not answer on a direct connection. {}", failure.message);
    Failure::new(ErrorCode::PeerUnreachable, message)
        .hint("Ask again when they are back; `message` reaches them through the hub.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_reached_is_told_in_whole_sentences() {
        let said = "10.0.0.1:7755 cannot be reached: nothing listens there (refused).";
        let told = unreached("dora", &Failure::new(ErrorCode::HubUnreachable, said));
        assert_eq!(told.code, ErrorCode::PeerUnreachable);
        assert_eq!(told.message, format!("dora does not answer on a direct connection. {said}"));
    }
}
