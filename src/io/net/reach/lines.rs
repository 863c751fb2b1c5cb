//! The connections of one race or meeting: dialled in the background, and kept here while they stand.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::port::{MeetingPort, dial, dial_half};
use crate::core::reach::{Bound, Line, Tokens};
use crate::io::net::reach::surroundings::look_around;
use crate::protocol::{ErrorCode, Failure, cause};

/// The most connections of one meeting that were accepted and wait: whoever dials without end gets no more.
const MOST_LINES: usize = 32;
/// How long to wait after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(20);
/// What may be reported before it is taken in.
const REPORTS: usize = 64;

/// What became of a line.
#[derive(Debug)]
pub(super) enum Report {
    /// It stands.
    Open(Line, TcpStream),
    /// It was accepted, from there.
    Came(TcpStream, SocketAddr),
    /// It does not stand.
    Failed(Line, Failure),
    /// The peer has proved its key on one that is served.
    Proved(Line),
    /// One that was to be served has ended before that.
    Ended(Line),
}

/// Tells what becomes of a connection that is served: whether the peer has proved its key on it.
#[derive(Debug)]
pub struct Served {
    line: Line,
    proved: bool,
    reports: mpsc::Sender<Report>,
}

impl Served {
    /// The peer has proved its key.
    pub fn proved(mut self) {
        self.proved = true;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let report = if self.proved { Report::Proved(self.line) } else { Report::Ended(self.line) };
        // Whoever does not hear of it stays until its time is over.
        let _ = self.reports.try_send(report);
    }
}

/// The lines of one race.
pub(super) struct Lines {
    port: Option<Arc<MeetingPort>>,
    open: HashMap<Line, TcpStream>,
    dialling: HashMap<Line, AbortHandle>,
    tasks: JoinSet<()>,
    came: u32,
    reports: mpsc::Sender<Report>,
}

impl Lines {
    /// No lines yet.
    pub(super) fn new() -> (Self, mpsc::Receiver<Report>) {
        let (reports, incoming) = mpsc::channel(REPORTS);
        let lines = Self {
            port: None,
            open: HashMap::new(),
            dialling: HashMap::new(),
            tasks: JoinSet::new(),
            came: 0,
            reports,
        };
        (lines, incoming)
    }

    /// Opens the meeting's port, accepts on it, and begins to connect to the hub from it.
    pub(super) fn bind(&mut self, hub: &[SocketAddr], Tokens { half, second }: Tokens) -> Bound {
        let (other, hub) = (hub.get(1).copied(), *hub.first().ok_or_else(|| Failure::from(ErrorCode::HubLost))?);
        let port = Arc::new(MeetingPort::open(hub.ip()).map_err(|e| cannot("No port can be had", &e))?);
        let (accepting, reports) = (port.clone(), self.reports.clone());
        self.tasks.spawn(async move {
            loop {
                match accepting.accept().await {
                    Ok((tcp, from)) => match reports.send(Report::Came(tcp, from)).await {
                        Ok(()) => {}
                        Err(_) => return,
                    },
                    // One that has gone meanwhile, or there is no room for another one now.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        });
        let number = port.number();
        self.port = Some(port);
        self.begin(Line::Half, async move { dial_half(number, hub, &half).await });
        if let Some(other) = other {
            self.tasks.spawn(async move {
                // It only shows the hub where this side is over the other family, for as long as the meeting lasts.
                let _observed = dial_half(number, other, &second).await;
                std::future::pending::<()>().await;
            });
        }
        Ok((number, look_around(Some(hub.ip()))))
    }

    /// Dials from the meeting's port, or from one of its own if the line is near.
    pub(super) fn dial(&mut self, line: Line, to: SocketAddr, near: bool) {
        let Some(port) = self.port.as_ref().map(|port| port.number()) else { return };
        self.begin(line, dial(if near { 0 } else { port }, to));
    }

    fn begin(&mut self, line: Line, dialling: impl Future<Output = io::Result<TcpStream>> + Send + 'static) {
        let reports = self.reports.clone();
        let task = self.tasks.spawn(async move {
            let report = match dialling.await {
                Ok(tcp) => Report::Open(line, tcp),
                Err(e) => Report::Failed(line, cannot("The other side does not answer", &e)),
            };
            let _ = reports.send(report).await;
        });
        self.dialling.insert(line, task);
    }

    /// A connection came: it gets a number, unless there are too many.
    pub(super) fn take_in(&mut self, tcp: TcpStream) -> Option<Line> {
        if self.open.len() >= MOST_LINES {
            return None;
        }
        self.came += 1;
        let line = Line::Came(self.came);
        self.open.insert(line, tcp);
        Some(line)
    }

    /// A line stands.
    pub(super) fn stands(&mut self, line: Line, tcp: TcpStream) {
        self.open.insert(line, tcp);
    }

    /// Takes a line that stands, to use it.
    pub(super) fn take(&mut self, line: Line) -> Option<TcpStream> {
        self.open.remove(&line)
    }

    /// What tells how a line is served that was taken.
    pub(super) fn served(&self, line: Line) -> Served {
        Served { line, proved: false, reports: self.reports.clone() }
    }

    /// Closes a line, whatever it is doing.
    pub(super) fn close(&mut self, line: Line) {
        self.open.remove(&line);
        if let Some(task) = self.dialling.remove(&line) {
            task.abort();
        }
    }
}

fn cannot(what: &str, e: &io::Error) -> Failure {
    Failure::new(ErrorCode::PeerUnreachable, format!("{what}: {}.", cause::of_io(e)))
}
