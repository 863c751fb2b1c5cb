//! Direct connections between simulated clients.

use super::run::text_of;
use super::{ClientId, Happening, LINK_PORT, Sim};
use crate::core::peers::{PeerConn, PeerInput, PeerOutput, Person};
use crate::core::session::Input;
use crate::core::time::Time;
use crate::protocol::Route;
use crate::protocol::{ErrorCode, Failure};

/// A direct connection between two clients.
pub(super) struct Pair {
    /// The client that made it, and the client that accepted it.
    ends: [(usize, PeerConn); 2],
    /// Whether lines are lost without anybody being told.
    silent: bool,
    /// When the last line to each end arrives, because a connection keeps the order.
    free: [Time; 2],
}

/// A scheduled event of a direct connection.
pub(super) enum Happens {
    /// An attempt to connect arrives.
    Arrives { from: usize, number: u64, person: Person },
    /// The attempt was refused.
    Refused { from: usize, number: u64, code: ErrorCode },
    /// A line arrives at one end.
    Line { pair: u64, end: usize, line: String },
    /// The connection breaks.
    Breaks(u64),
}

impl Sim {
    /// Breaks a client's direct connections. Both sides notice.
    pub fn break_private(&mut self, client: ClientId) {
        self.break_pairs(client);
    }

    /// Silences a client's direct connections: lines are lost and nobody is told.
    pub fn silence_private(&mut self, client: ClientId) {
        self.silence_pairs(client);
    }

    pub(super) fn break_pairs(&mut self, client: ClientId) {
        let pairs: Vec<u64> = self.actors[client.0].direct.values().copied().collect();
        for pair in pairs {
            let at = self.now + self.config.latency.0;
            self.later(at, Happening::Peer(Happens::Breaks(pair)));
        }
    }

    pub(super) fn silence_pairs(&mut self, client: ClientId) {
        for pair in self.actors[client.0].direct.values() {
            if let Some(pair) = self.network.pairs.get_mut(pair) {
                pair.silent = true;
            }
        }
    }

    pub(super) fn do_for_peer(&mut self, client: usize, output: PeerOutput) {
        match output {
            PeerOutput::Dial(number, person) => {
                let at = self.now + self.between(self.config.latency) * 2;
                self.later(at, Happening::Peer(Happens::Arrives { from: client, number, person }));
            }
            PeerOutput::Pin(number, ..) => {
                let at = self.now + self.config.latency.0;
                self.later(at, Happening::Local(client, super::done::Done::Pinned(number)));
            }
            PeerOutput::Say(conn, line) => self.line_to_peer(client, conn, line),
            PeerOutput::Send(conn, frame) => self.line_to_peer(client, conn, text_of(&frame)),
            PeerOutput::Close(conn) => {
                if let Some(pair) = self.actors[client].direct.remove(&conn) {
                    let sent = self.now + self.between(self.config.latency);
                    let free =
                        self.network.pairs.get(&pair).map_or(sent, |pair| pair.free[0].max(pair.free[1]).max(sent));
                    self.later(free, Happening::Peer(Happens::Breaks(pair)));
                }
            }
        }
    }

    fn line_to_peer(&mut self, client: usize, conn: PeerConn, line: String) {
        let delay = self.between(self.config.latency);
        let now = self.now;
        let Some(&number) = self.actors[client].direct.get(&conn) else { return };
        let Some(pair) = self.network.pairs.get_mut(&number) else { return };
        let end = usize::from(pair.ends[0] == (client, conn));
        pair.free[end] = pair.free[end].max(now + delay);
        let at = pair.free[end];
        self.later(at, Happening::Peer(Happens::Line { pair: number, end, line }));
    }

    pub(super) fn peer_happens(&mut self, happens: Happens) {
        match happens {
            Happens::Arrives { from, number, person } => self.peer_arrives(from, number, &person),
            Happens::Refused { from, number, code } => {
                let failure = Failure::new(code, "Nothing answers there.");
                self.tell_client(from, Input::Peer(PeerInput::DialFailed(number, failure)));
            }
            Happens::Line { pair, end, line } => {
                let Some(Pair { ends, silent: false, .. }) = self.network.pairs.get(&pair) else { return };
                let (client, conn) = ends[end];
                if self.actors[client].direct.get(&conn) == Some(&pair) {
                    self.tell_client(client, Input::Peer(PeerInput::Line(conn, line.as_bytes())));
                }
            }
            Happens::Breaks(number) => {
                let Some(pair) = self.network.pairs.remove(&number) else { return };
                for (client, conn) in pair.ends {
                    if self.actors[client].direct.remove(&conn).is_some() && !pair.silent {
                        self.tell_client(client, Input::Peer(PeerInput::Broken(conn, "connection reset".into())));
                    }
                }
            }
        }
    }

    fn peer_arrives(&mut self, from: usize, number: u64, person: &Person) {
        if self.actors[from].ended.is_some() {
            return;
        }
        let to = usize::from(person.address.port().saturating_sub(LINK_PORT));
        let delay = self.now + self.config.latency.0;
        let refused = |code| Happening::Peer(Happens::Refused { from, number, code });
        match self.actors.get(to) {
            // A machine without power does not answer.
            Some(actor) if actor.off => {}
            Some(actor) if actor.ended.is_some() => self.later(delay, refused(ErrorCode::PeerUnreachable)),
            Some(actor) if actor.key != person.key => self.later(delay, refused(ErrorCode::PeerKeyChanged)),
            Some(_) => {
                let pair = self.network.number();
                let ends = [(from, PeerConn::Dialled(number)), (to, PeerConn::Accepted(pair))];
                self.network.pairs.insert(pair, Pair { ends, silent: false, free: [self.now; 2] });
                for (client, conn) in ends {
                    self.actors[client].direct.insert(conn, pair);
                }
                let key = self.actors[from].key;
                self.tell_client(to, Input::Peer(PeerInput::Accepted(pair, key, Route::Direct)));
                self.tell_client(from, Input::Peer(PeerInput::Dialled(number, Route::Direct)));
            }
            None => self.later(delay, refused(ErrorCode::PeerUnreachable)),
        }
    }
}
