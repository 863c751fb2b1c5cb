//! The hub's driver: connections, store, log, clock and shelf around [`Hub`].

mod connections;
mod copies;
mod files;
mod open;

use std::collections::VecDeque;
use std::net::SocketAddr;

use tokio::sync::mpsc;

use crate::core::hub::HubConfig;
use crate::core::hub::{ConnId, Hub, Input, Output, Verified};
use crate::core::session::FilesChanged;
use crate::io::net::line_room::Line;
use crate::io::net::{Conn, Listener};
use crate::io::os::clock::{Clock, until};
use crate::io::store::passwords::{Attempt, Checker};
use crate::io::store::writer::{Batch, Job, NotTaken, StoreWriter, Told};
use crate::protocol::record::Loaded;
use crate::protocol::{ContentHash, Failure, LogEvent, LogLine, TransportKind};
use connections::Connections;
pub use files::{FilesOptions, HubShelf};
pub use open::{HubOptions, OpenHub};

/// How many messages may wait for the hub. When the queue is full, connections are not read, and their clients wait.
const QUEUE: usize = 4_096;

/// How many messages are handled before anything is sent, so that a client gets all that they cause in one write.
const BATCH: usize = 512;

/// Something for the hub.
pub enum Message {
    /// Somebody connected.
    Connected(Conn),
    /// A line arrived.
    Line(ConnId, Line),
    /// A connection broke.
    Disconnected(ConnId, String),
    /// What the store has done or found.
    Store(Told),
    /// A password has been checked.
    Checked(u64, Option<Verified>),
    /// A copy was made, or could not be.
    Copied(u64, Result<(), Failure>),
    /// A copy from before can be served.
    CopyFound(ContentHash, u64),
    /// A copy is not what it was.
    CopyLost(ContentHash),
    /// The hub's own files have changed.
    ShelfChanged(FilesChanged),
    /// The hub shall end, and why.
    Stop(String),
}

/// Sends messages to a hub.
pub type Mailbox = mpsc::Sender<Message>;

/// A mailbox with its receiver.
pub fn mailbox() -> (Mailbox, mpsc::Receiver<Message>) {
    mpsc::channel(QUEUE)
}

/// A running hub.
pub struct HubDriver<L> {
    hub: Hub,
    clock: Clock,
    mailbox: Mailbox,
    messages: mpsc::Receiver<Message>,
    store: StoreWriter,
    passwords: Checker,
    shelf: Option<HubShelf>,
    /// Jobs that the store had no room for yet.
    unwritten: VecDeque<Job>,
    log: L,
    connections: Connections,
    stopped: bool,
    /// Why the hub ends, if it was not told to.
    failure: Option<Failure>,
}

impl<L: FnMut(LogLine)> HubDriver<L> {
    /// A hub with its store, and its shelf if it serves files; the log gets every line.
    pub fn new(
        config: HubConfig,
        loaded: Loaded,
        clock: Clock,
        (store, passwords, shelf): (StoreWriter, Checker, Option<HubShelf>),
        (mailbox, messages): (Mailbox, mpsc::Receiver<Message>),
        log: L,
    ) -> Self {
        Self {
            hub: Hub::new(config, loaded),
            clock,
            connections: Connections::new(mailbox.clone()),
            mailbox,
            messages,
            store,
            passwords,
            shelf,
            unwritten: VecDeque::new(),
            log,
            stopped: false,
            failure: None,
        }
    }

    /// Writes a line to the log.
    pub fn log(&mut self, event: impl Into<LogEvent>) {
        (self.log)(LogLine { time: self.clock.calendar(), event: event.into() });
    }

    /// Runs until the hub has been stopped and everybody has been told.
    ///
    /// # Errors
    /// Why it ended by itself, or could not write everything at its end.
    pub async fn run(mut self, mut listener: Listener) -> Result<(), Failure> {
        // Before anybody asks for them.
        let (found, lost) = self.shelf.as_mut().map(HubShelf::take_copies).unwrap_or_default();
        found.into_iter().for_each(|(hash, size)| self.handle(Input::CopyFound(hash, size)));
        lost.into_iter().for_each(|hash| self.handle(Input::CopyLost(hash)));
        let mailbox = self.mailbox.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let conn = listener.accept().await;
                if mailbox.send(Message::Connected(conn)).await.is_err() {
                    return;
                }
            }
        });
        let mut batch = Vec::with_capacity(BATCH);
        while !self.stopped {
            let timeout = self.hub.next_timeout().map(|at| self.clock.instant(at));
            tokio::select! {
                _ = self.messages.recv_many(&mut batch, BATCH) => {}
                () = until(timeout) => self.handle(Input::Tick),
            }
            for message in batch.drain(..) {
                self.take(message);
            }
            self.connections.flush();
        }
        accepting.abort();
        self.messages.close();
        self.connections.farewell().await;
        drop(self.shelf);
        self.passwords.close();
        let closed = self.store.close(self.unwritten);
        self.failure.map_or(closed, Err)
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Connected(conn) => self.connected(conn),
            Message::Line(conn, line) => self.handle(Input::Line { conn, line: &line }),
            Message::Disconnected(conn, reason) => {
                self.connections.forget(conn);
                tracing::debug!(conn, %reason, "disconnected");
                self.handle(Input::Disconnected { conn, reason });
            }
            Message::Store(told) => self.store_told(told),
            Message::Checked(attempt, verified) => self.handle(Input::Verified(attempt, verified)),
            Message::Copied(copy, result) => self.handle(Input::Copied(copy, result)),
            Message::CopyFound(hash, size) => self.handle(Input::CopyFound(hash, size)),
            Message::CopyLost(hash) => self.handle(Input::CopyLost(hash)),
            Message::ShelfChanged(FilesChanged { changed, gone }) => self.handle(Input::ShelfChanged(changed, gone)),
            Message::Stop(reason) => self.handle(Input::Stop(reason)),
        }
    }

    fn store_told(&mut self, told: Told) {
        while let Some(job) = self.unwritten.pop_front() {
            if !self.write(job) {
                break;
            }
        }
        match told {
            Told::Committed(commit) => self.handle(Input::Committed(commit)),
            Told::Found(question, found) => self.handle(Input::Found(question, found)),
            Told::Names(names) => self.handle(Input::Names(names)),
            Told::Degraded(failure) => self.handle(Input::StoreDegraded(failure)),
            Told::Abandoned(commits) => self.handle(Input::StoreAbandoned(commits)),
            Told::Recovered => self.handle(Input::StoreRecovered),
            Told::Refused(commit, failure) => self.handle(Input::StoreRefused(commit, failure)),
            Told::Failed(failure) => {
                self.failure.get_or_insert_with(|| failure.clone());
                self.handle(Input::StoreFailed(failure));
            }
        }
    }

    fn connected(&mut self, connection: Conn) {
        let (key, address) = (connection.peer, plain(connection.address));
        let transport = match connection.transport {
            TransportKind::Quic => "quic",
            TransportKind::Tcp => "tcp",
        };
        let conn = self.connections.add(connection);
        tracing::debug!(conn, %key, %address, transport, "connected");
        self.handle(Input::Connected { conn, key, address, transport });
    }

    fn handle(&mut self, input: Input<'_>) {
        let now = self.clock.now();
        self.hub.handle(now, input);
        // Records with the same number are kept together.
        let mut together: Option<Batch> = None;
        while let Some(output) = self.hub.poll(now) {
            match (output, &mut together) {
                (Output::Persist(number, record), Some(batch)) if batch.number == number => batch.records.push(record),
                (Output::Persist(number, record), _) => {
                    let before = together.replace(Batch { number, records: vec![record] });
                    before.into_iter().for_each(|batch| self.submit(Job::Keep(batch)));
                }
                (output, _) => {
                    together.take().into_iter().for_each(|batch| self.submit(Job::Keep(batch)));
                    self.perform(output);
                }
            }
        }
        together.into_iter().for_each(|batch| self.submit(Job::Keep(batch)));
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Send(conn, frame) => self.connections.write(conn, |outgoing| outgoing.push(&frame)),
            Output::Say(conn, line) => self.connections.write(conn, |outgoing| outgoing.say(&line)),
            Output::Close(conn) => self.connections.close(conn),
            Output::Persist(number, record) => self.submit(Job::Keep(Batch { number, records: vec![record] })),
            Output::Abandon(commits) => self.store.abandon(commits),
            Output::Query(number, query) => self.submit(Job::Find(number, Box::new(query))),
            Output::Verify { attempt, name_key, password } => {
                // The hub has no more under way than may wait there, so it is only refused at the end.
                let _ = self.passwords.submit(Attempt { number: attempt, name_key, password });
            }
            Output::Copy(plan) => self.with_shelf(|shelf| shelf.copy(plan)),
            Output::Discard(hash) => self.with_shelf(|shelf| shelf.discard(hash)),
            Output::MayFetch(key, name) => self.with_shelf(|shelf| shelf.set_peer(key, Some(name))),
            Output::MayNotFetch(key) => self.with_shelf(|shelf| shelf.set_peer(key, None)),
            Output::Log(event) => self.log(event),
            Output::Stopped => self.stopped = true,
        }
    }

    fn with_shelf(&self, change: impl FnOnce(&HubShelf)) {
        if let Some(shelf) = &self.shelf {
            change(shelf);
        }
    }

    /// Gives the store a job; jobs keep their order.
    fn submit(&mut self, job: Job) {
        if self.unwritten.is_empty() {
            self.write(job);
        } else {
            self.unwritten.push_back(job);
        }
    }

    /// Returns whether the store took the job.
    fn write(&mut self, job: Job) -> bool {
        match self.store.submit(job) {
            Ok(()) => true,
            Err(NotTaken::Full(job)) => {
                self.unwritten.push_front(job);
                false
            }
            // The store has said so itself, and the hub is about to hear of it.
            Err(NotTaken::Stopped(_)) => false,
        }
    }
}

/// Shows an IPv4 client of a dual-stack socket with its IPv4 address.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
