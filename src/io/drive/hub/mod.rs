//! The hub's driver: connects [`Hub`] with connections, the store, the log, the clock and the files that it serves.

mod calls;
mod connections;
mod copies;
mod files;
mod open;
mod relays;

use std::collections::VecDeque;
use std::net::SocketAddr;

use tokio::sync::mpsc;

use crate::core::hub::HubConfig;
use crate::core::hub::{ConnId, Hub, Input, Output, Verified};
use crate::core::session::FilesChanged;
use crate::io::net::line_room::Line;
use crate::io::net::relay::Half;
use crate::io::net::{Conn, Listener};
use crate::io::os::clock::{Clock, until};
use crate::io::store::passwords::{Attempt, Checker};
use crate::io::store::writer::{Batch, Job, NotTaken, StoreReport, StoreWriter};
use crate::io::transfer::CallAnswer;
use crate::protocol::record::Loaded;
use crate::protocol::{ContentHash, Failure, LogEvent, LogLine, PublicKey, TransportKind};
use calls::Calls;
use connections::Connections;
pub use files::{FilesOptions, HubFileServer};
pub use open::{HubOptions, OpenHub};
use relays::Relays;
pub use relays::{RelayOptions, RelayRates};

/// The messages that may wait for the hub. While the queue is full, connections are not read, and their clients wait.
const QUEUE: usize = 4_096;

/// The messages that are handled before anything is sent, so that each client gets what they cause in one write.
const BATCH: usize = 512;

/// A message to the hub's driver.
pub enum Message {
    /// A client has connected.
    Connected(Conn),
    /// A line arrived.
    Line(ConnId, Line),
    /// A connection broke, with the reason.
    Disconnected(ConnId, String),
    /// A connection has shown a token.
    Half(Half),
    /// The joined halves of a meeting have moved so many bytes.
    Relayed(u64, u64),
    /// The joined halves of a meeting have ended, after so many bytes, for this reason.
    RelayEnded(u64, u64, String),
    /// The hub itself wants a connection with the holder of this key, whom it cannot dial, to fetch a content.
    Call {
        /// Whose client is called.
        key: PublicKey,
        /// What is wanted.
        content: ContentHash,
        /// Takes the connection.
        answer: CallAnswer,
    },
    /// The store has done a job, or answers a query.
    Store(StoreReport),
    /// The login of this number was checked; the account if the password is right.
    Checked(u64, Option<Verified>),
    /// The copy of this number was made, or could not be.
    Copied(u64, Result<(), Failure>),
    /// A copy from an earlier run can be served; its size.
    CopyFound(ContentHash, u64),
    /// A copy is damaged or gone.
    CopyLost(ContentHash),
    /// The hub's own files have changed.
    HubFilesChanged(FilesChanged),
    /// Stop the hub, for this reason.
    Stop(String),
}

/// Sends messages to a hub's driver.
pub type Mailbox = mpsc::Sender<Message>;

/// A mailbox and its receiver.
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
    files: Option<HubFileServer>,
    /// Jobs for the store that did not fit into its queue yet.
    unwritten: VecDeque<Job>,
    log: L,
    connections: Connections,
    relays: Relays,
    calls: Calls,
    stopped: bool,
    /// The reason if the hub ends without having been told to.
    failure: Option<Failure>,
}

impl<L: FnMut(LogLine)> HubDriver<L> {
    /// A hub with its store, and with files if it serves any. `log` is called with every line.
    pub fn new(
        config: HubConfig,
        loaded: Loaded,
        clock: Clock,
        (store, passwords, files): (StoreWriter, Checker, Option<HubFileServer>),
        (mailbox, messages): (Mailbox, mpsc::Receiver<Message>),
        rates: RelayRates,
        log: L,
    ) -> Self {
        Self {
            hub: Hub::new(config, loaded),
            clock,
            connections: Connections::new(mailbox.clone()),
            relays: Relays::new(mailbox.clone(), rates),
            calls: Calls::default(),
            mailbox,
            messages,
            store,
            passwords,
            files,
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

    /// Runs until the hub has stopped and all clients have been told.
    ///
    /// # Errors
    /// The reason if the hub ended by itself, or could not write everything.
    pub async fn run(mut self, mut listener: Listener) -> Result<(), Failure> {
        // The machine must know the copies before anybody asks for them.
        let (found, lost) = self.files.as_mut().map(HubFileServer::take_copies).unwrap_or_default();
        found.into_iter().for_each(|(hash, size)| self.handle(Input::CopyFound(hash, size)));
        lost.into_iter().for_each(|hash| self.handle(Input::CopyLost(hash)));
        if let Some(mut halves) = listener.halves() {
            let mailbox = self.mailbox.clone();
            // It ends with the listener.
            tokio::spawn(async move {
                while let Some(half) = halves.recv().await {
                    if mailbox.send(Message::Half(half)).await.is_err() {
                        return;
                    }
                }
            });
        }
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
        drop(self.files);
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
            Message::Half(half) => {
                let (token, address) = (half.token.clone(), half.address);
                let half = self.relays.add(half);
                self.handle(Input::Half { half, token: &token, address });
            }
            Message::Call { key, content, answer } => {
                let call = self.calls.add(answer);
                self.handle(Input::Call { call, key, content });
            }
            Message::Relayed(meeting, bytes) => self.handle(Input::Relayed { meeting, bytes }),
            Message::RelayEnded(meeting, bytes, why) => {
                self.relays.end(meeting);
                self.handle(Input::RelayEnded { meeting, bytes, why });
            }
            Message::Store(told) => self.store_told(told),
            Message::Checked(attempt, verified) => self.handle(Input::Verified(attempt, verified)),
            Message::Copied(copy, result) => self.handle(Input::Copied(copy, result)),
            Message::CopyFound(hash, size) => self.handle(Input::CopyFound(hash, size)),
            Message::CopyLost(hash) => self.handle(Input::CopyLost(hash)),
            Message::HubFilesChanged(FilesChanged { changed, gone }) => {
                self.handle(Input::HubFilesChanged(changed, gone))
            }
            Message::Stop(reason) => self.handle(Input::Stop(reason)),
        }
    }

    fn store_told(&mut self, told: StoreReport) {
        while let Some(job) = self.unwritten.pop_front() {
            if !self.write(job) {
                break;
            }
        }
        match told {
            StoreReport::Committed(commit) => self.handle(Input::Committed(commit)),
            StoreReport::Found(question, found) => self.handle(Input::Found(question, found)),
            StoreReport::Names(names) => self.handle(Input::Names(names)),
            StoreReport::Degraded(failure) => self.handle(Input::StoreDegraded(failure)),
            StoreReport::Abandoned(commits) => self.handle(Input::StoreAbandoned(commits)),
            StoreReport::Recovered => self.handle(Input::StoreRecovered),
            StoreReport::Refused(commit, failure) => self.handle(Input::StoreRefused(commit, failure)),
            StoreReport::Failed(failure) => {
                self.failure.get_or_insert_with(|| failure.clone());
                self.handle(Input::StoreFailed(failure));
            }
        }
    }

    fn connected(&mut self, connection: Conn) {
        let (key, address, exporter) = (connection.peer, plain(connection.address), Some(connection.exporter));
        let transport = match connection.transport {
            TransportKind::Quic => "quic",
            TransportKind::Tcp => "tcp",
        };
        let conn = self.connections.add(connection);
        tracing::debug!(conn, %key, %address, transport, "connected");
        self.handle(Input::Connected { conn, key, address, transport, exporter });
    }

    fn handle(&mut self, input: Input<'_>) {
        let now = self.clock.now();
        self.hub.handle(now, input);
        // Records of one decision have one number and are stored in one transaction.
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
            Output::SayToStranger(conn, line) => {
                self.connections.write(conn, |outgoing| outgoing.say_to_stranger(&line));
            }
            Output::Close(conn) => self.connections.close(conn),
            Output::Persist(number, record) => self.submit(Job::Keep(Batch { number, records: vec![record] })),
            Output::Abandon(commits) => self.store.abandon(commits),
            Output::Query(number, query) => self.submit(Job::Find(number, Box::new(query))),
            Output::Verify { attempt, name_key, password } => {
                // The machine has no more logins in progress than fit the queue, so this fails only at the end.
                let _ = self.passwords.submit(Attempt { number: attempt, name_key, password });
            }
            Output::Copy(plan) => self.with_files(|files| files.copy(plan)),
            Output::Discard(hash) => self.with_files(|files| files.discard(hash)),
            Output::MayFetch(key, name) => self.with_files(|files| files.set_peer(key, Some(name))),
            Output::MayNotFetch(key) => self.with_files(|files| files.set_peer(key, None)),
            Output::Join { meeting, halves, payer } => self.relays.join(meeting, halves, payer),
            Output::Called(call, half) => {
                let stream = half.and_then(|half| self.relays.take(half));
                self.calls.answer(call, stream);
            }
            Output::Cut(meeting) => self.relays.end(meeting),
            Output::DropHalf(half) => drop(self.relays.take(half)),
            Output::Log(event) => self.log(event),
            Output::Stopped => self.stopped = true,
        }
    }

    fn with_files(&self, change: impl FnOnce(&HubFileServer)) {
        if let Some(files) = &self.files {
            change(files);
        }
    }

    /// Gives the store a job, behind all earlier ones.
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
            // The store has stopped and has reported that, so the hub is about to be told.
            Err(NotTaken::Stopped(_)) => false,
        }
    }
}

/// Shows an IPv4 client of a dual-stack socket with its IPv4 address.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
