//! The session: one client, between its user and the hub.
//!
//! Requests are taken in the order written. What the hub answers is passed on to it, many at a time; what is
//! answered here waits until everything before it is answered; `wait` and `quit` wait for transfers too. The
//! session keeps a replica of the table and the roster, reconnects when the hub is lost, and registers, offers
//! and asks again when the hub has forgotten it.

mod answers;
mod connection;
mod inbox;
mod notes;
mod private;
mod replica;
mod requests;
mod transfers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::link::{Link, LinkConfig};
use super::peers::{PeerInput, PeerOutput};
use super::time::{Rng, Time};
use crate::protocol::event::Settings;
use crate::protocol::limits::REQUESTS_WAITING;
use crate::protocol::line::BadLine;
use crate::protocol::transfer::OnConflict;
use crate::protocol::types::Password;
use crate::protocol::wire::{Ask, Frame, Received};
use crate::protocol::{
    At, Content, ErrorCode, Event, EventLine, Failure, Id, PublicKey, Request, RequestLine, Timestamp, event, line,
};
use connection::Connection;
pub use inbox::number_of;
use inbox::{Focus, Inbox};
pub use notes::{FetchPlan, TransferNote, UploadNote};
use private::Privates;
pub use replica::Replica;
use requests::{Pending, Waiting};
use transfers::Running;

/// A client's settings.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The name to register.
    pub name: String,
    /// The hub's address, as it is shown.
    pub hub: String,
    /// The account's password, to log in with.
    pub password: Option<Password>,
    /// Whether to take messages. Who does not leaves them for the next time.
    pub inbox: bool,
    /// What the hub's join link carried.
    pub invite: Option<String>,
    /// The link's timers.
    pub link: LinkConfig,
    /// How long a lost hub is tried again.
    pub give_up: Duration,
    /// Whether to stay when the input ends.
    pub linger: bool,
    /// Whether to end at the first request that fails.
    pub fail_fast: bool,
    /// What happens when a file exists, unless the request says.
    pub on_conflict: OnConflict,
    /// The settings, as they are shown.
    pub settings: Settings,
    /// What the calendar said at time 0.
    pub epoch: Timestamp,
    /// For the jitter of reconnecting.
    pub seed: u64,
}

/// What a session is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// The program has started.
    Start,
    /// A line of input, without its line feed; its number counts from 1.
    Line(u64, &'a [u8]),
    /// A line that was too long to be kept.
    LineTooLong(u64),
    /// A request that needs no parsing.
    Request(RequestLine),
    /// There is no more input.
    EndOfInput,
    /// The user wants to end now; the exit code is given.
    Interrupt(u8),
    /// A connection to the hub is there.
    Connected,
    /// It could not be made.
    ConnectFailed(Failure),
    /// A line from the hub, without its line feed.
    HubLine(&'a [u8]),
    /// The connection broke.
    Disconnected(String),
    /// A folder was looked at: its full name.
    DirChecked(u64, Result<String, Failure>),
    /// Files were hashed, and can be fetched from us from now on.
    Hashed(u64, Result<Vec<Content>, Failure>),
    /// A transfer goes on.
    Transfer(u64, TransferNote),
    /// An upload goes on; the number is the driver's.
    Upload(u64, UploadNote),
    /// Which messages somebody has had, as far as this machine knows.
    InboxOpened(&'a str, &'a Received),
    /// Messages of these numbers have been written to the user.
    Written(&'a [u64]),
    /// Something of a direct connection.
    Peer(PeerInput<'a>),
    /// Time has passed.
    Tick,
}

/// What a session wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Tell the user; `withheld` alone is not shown, but it takes its place in what is written.
    Tell(Box<EventLine>),
    /// Connect to the hub.
    Connect,
    /// Close the connection once everything before has been sent.
    Disconnect,
    /// Send a line that is not a frame, without its line feed.
    Say(String),
    /// Send a frame.
    Send(Frame),
    /// Look whether this is a folder.
    CheckDir(u64, String),
    /// Hash files of a folder, and serve them.
    Hash {
        /// The number of this task.
        task: u64,
        /// The folder.
        dir: String,
        /// The files.
        files: Vec<String>,
        /// At most so many chunks for each.
        chunks: Option<u32>,
    },
    /// Do not serve these files any more.
    Unserve(Vec<String>),
    /// Who may fetch from us.
    Peers(Vec<(PublicKey, String)>),
    /// Fetch a content.
    Fetch(FetchPlan),
    /// Stop fetching.
    CancelFetch(u64),
    /// Look which messages this person has had: `InboxOpened` is wanted.
    OpenInbox(String),
    /// Remember which messages this person has had.
    Shown(String, Received),
    /// Something is to be done with a direct connection.
    Peer(PeerOutput),
    /// End the program with this code.
    End(u8),
}

/// Why an ask is on its way to the hub.
#[derive(Debug, Clone, PartialEq)]
enum Origin {
    /// The first registration.
    Enter,
    /// The registration with a hub that has forgotten us.
    Return,
    /// Our offers, again.
    OfferAgain,
    /// A request of the user.
    User(Box<Pending>),
    /// Leaving.
    Goodbye,
}

impl Origin {
    /// Whether it is the user's request to be registered.
    fn is_registration(&self) -> bool {
        matches!(self, Self::User(pending) if matches!(pending.request, Request::Register(_) | Request::Login(_) | Request::Rereg(_)))
    }
}

/// Offers on their way to a hub that does not have them, a piece after the other.
struct Again {
    pieces: VecDeque<Vec<Content>>,
    /// Whether the user's requests follow, because the hub has forgotten these too.
    then_ask: bool,
}

/// How the program is going to end.
struct Leaving {
    reason: String,
    code: u8,
    id: Option<Id>,
    asked_for: bool,
    /// Messages are still being written to the user: the hub shall know that they have been.
    waits_for_output: bool,
    deadline: Time,
}

/// The client's machine.
pub struct Session {
    config: SessionConfig,
    rng: Rng,
    connection: Connection,
    link: Link,
    /// The hub's name for this session.
    session: Option<String>,
    /// Our name while we are in the table.
    registered: Option<String>,
    /// The name that we had before `dereg`.
    parted: Option<String>,
    /// Whether requests may be passed on: the hub knows us, or is not to know us.
    settled: bool,
    dir: Option<String>,
    offered: BTreeMap<String, Content>,
    again: Option<Again>,
    replica: Replica,
    waiting: VecDeque<Waiting>,
    /// The request that is being worked on here, by its task.
    local: Option<(u64, Pending)>,
    asks: BTreeMap<i64, (Ask, Origin)>,
    running: BTreeMap<u64, Running>,
    uploads: BTreeMap<u64, u64>,
    privates: Privates,
    /// Whose messages our user does not see, folded.
    blocked: BTreeSet<String>,
    next_ask: i64,
    next_task: u64,
    next_transfer: u64,
    inbox: Inbox,
    /// The newest message at the hub when we entered.
    newest: u64,
    focus: Option<Focus>,
    /// The end is not to wait for a slow reader.
    hurried: bool,
    leaving: Option<Leaving>,
    ended: bool,
    out: VecDeque<Output>,
}

impl Session {
    /// A session that has not started.
    pub fn new(config: SessionConfig) -> Self {
        Self {
            rng: Rng(config.seed),
            connection: Connection::default(),
            link: Link::new(config.link),
            session: None,
            registered: None,
            parted: None,
            settled: false,
            dir: config.settings.dir.clone(),
            offered: BTreeMap::new(),
            again: None,
            replica: Replica::default(),
            waiting: VecDeque::new(),
            local: None,
            asks: BTreeMap::new(),
            running: BTreeMap::new(),
            uploads: BTreeMap::new(),
            privates: Privates::new(config.link, config.epoch),
            blocked: BTreeSet::new(),
            next_ask: 1,
            next_task: 1,
            next_transfer: 1,
            inbox: Inbox::default(),
            newest: 0,
            focus: None,
            hurried: false,
            leaving: None,
            ended: false,
            out: VecDeque::new(),
            config,
        }
    }

    /// Takes an input. See the drain contract in [`crate::core`].
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        if self.ended {
            return;
        }
        match input {
            Input::Start => self.start(now),
            Input::Line(number, line) => self.input_line(now, number, line),
            Input::LineTooLong(number) => self.bad_line(number, Failure::from(ErrorCode::LineTooLong).into()),
            Input::Request(line) => self.enqueue(now, line),
            Input::EndOfInput => self.end_of_input(),
            Input::Interrupt(code) => self.interrupt(now, code),
            Input::Connected => self.greet(now),
            Input::ConnectFailed(failure) => self.connect_failed(now, failure),
            Input::HubLine(line) => self.hub_line(now, line),
            Input::Disconnected(reason) => self.lose(now, reason),
            Input::DirChecked(task, result) => self.dir_checked(now, task, result),
            Input::Hashed(task, result) => self.hashed(now, task, result),
            Input::Transfer(transfer, note) => self.transfer_note(now, transfer, note),
            Input::Upload(upload, note) => self.upload_note(now, upload, note),
            Input::InboxOpened(name, shown) => self.inbox_opened(now, name, shown),
            Input::Written(numbers) => self.written(now, numbers),
            Input::Peer(input) => self.peer_input(now, input),
            Input::Tick => {}
        }
        self.tick(now);
        self.advance(now);
        if !self.ended {
            self.confirm(now);
        }
    }

    /// The next thing to be done.
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        if let Some(output) = self.out.pop_front() {
            return Some(output);
        }
        if self.ended {
            return None;
        }
        let up = matches!(self.connection, Connection::Up);
        let frame = if up { self.link.poll(now).map(Output::Send) } else { None };
        frame.or_else(|| self.privates.peers.poll(now).map(Output::Peer))
    }

    /// When a tick is wanted.
    pub fn next_timeout(&self) -> Option<Time> {
        if self.ended {
            return None;
        }
        let leaving = self.leaving.as_ref().map(|leaving| leaving.deadline);
        let peers = self.privates.peers.next_timeout();
        [self.connection.deadline(), self.link.next_timeout(), leaving, peers].into_iter().flatten().min()
    }

    /// Whether more requests can be taken; otherwise they wait at their source.
    pub fn accepts_requests(&self) -> bool {
        self.waiting.len() < REQUESTS_WAITING
    }

    /// What is offered and who is there, as far as this client knows.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    fn input_line(&mut self, now: Time, number: u64, text: &[u8]) {
        match line::parse(text) {
            Ok(None) => {}
            Ok(Some(request)) => self.enqueue(now, request),
            Err(bad) => self.bad_line(number, bad),
        }
    }

    fn bad_line(&mut self, number: u64, bad: BadLine) {
        let mut failure = bad.failure;
        failure.at = failure.at.or(Some(At::Line(number)));
        self.waiting.push_back(Waiting::Bad(bad.id, failure));
    }

    fn enqueue(&mut self, now: Time, line: RequestLine) {
        let pending = Pending { id: line.id, request: line.request };
        match &pending.request {
            // This must not wait for what it is to end.
            Request::Quit(quit) if quit.now => self.quit_now(now, pending.id),
            _ => self.waiting.push_back(Waiting::Request(pending)),
        }
    }

    fn end_of_input(&mut self) {
        if !self.config.linger {
            self.waiting.push_back(Waiting::EndOfInput);
        }
    }

    fn calendar(&self, now: Time) -> Timestamp {
        Timestamp(self.config.epoch.0 + (now.0 / 1_000) as i64)
    }

    /// Tells something that no request has caused.
    fn tell(&mut self, now: Time, event: impl Into<Event>) {
        self.tell_for(now, None, false, event);
    }

    /// Answers a request: its last event.
    fn finish(&mut self, now: Time, id: Option<Id>, event: impl Into<Event>) {
        self.tell_for(now, id, true, event);
    }

    fn tell_for(&mut self, now: Time, id: Option<Id>, last: bool, event: impl Into<Event>) {
        let line = EventLine { seq: None, time: Some(self.calendar(now)), id, last, event: event.into() };
        self.out.push_back(Output::Tell(Box::new(line)));
    }

    /// Answers a request with a failure.
    fn refuse(&mut self, now: Time, id: Option<Id>, failure: Failure) {
        let code = failure.code;
        self.finish(now, id, event::Error::from(failure));
        if self.config.fail_fast && self.leaving.is_none() {
            let abandoned = Failure::new(ErrorCode::Interrupted, "A request before this one failed.");
            self.abandon(now, &abandoned);
            self.leave(now, "a request failed".into(), code.exit(), None, false);
        }
    }
}

#[cfg(test)]
mod tests;
