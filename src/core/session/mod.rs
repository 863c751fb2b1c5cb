//! The session: one client, between its user and the hub.
//!
//! Requests are taken in the order written. What the hub answers is passed on to it, many at a time; what is
//! answered here waits until everything before it is answered; `wait` and `quit` wait for transfers too. The
//! session keeps a replica of the table and the roster, reconnects when the hub is lost, and registers, offers
//! and asks again when the hub has forgotten it.

mod answers;
mod collecting;
mod connection;
mod entry;
mod farewell;
mod folders;
mod giving_up;
mod hashing;
mod holdings;
mod inbox;
mod limit;
mod notes;
mod numbers;
mod offers;
mod pace;
mod private;
mod publishing;
mod pushes;
mod queue;
mod replica;
mod requests;
mod rows;
mod running;
mod silence;
mod timers;
mod transfers;
mod uploads;
mod waits;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::link::Link;
use super::time::{Rng, Time};
use super::timers::Timers;
pub use crate::core::fetch::TransferNote;
use crate::protocol::line::BadLine;
use crate::protocol::name::NameKey;
use crate::protocol::wire::Ask;
use crate::protocol::{At, Content, ErrorCode, Event, EventLine, Failure, Id, Request, RequestLine, Speaker, event};
use collecting::Collecting;
use connection::Connection;
use entry::Entry;
use hashing::Hold;
use holdings::Holdings;
use inbox::{Focus, Inbox};
pub use inbox::{is_private, number_of};
use limit::TimeLimit;
pub use notes::{
    FetchPlan, FilesChanged, FolderFile, FolderPlan, FolderSource, Hashed, Offering, UploadNote, source_of,
};
use numbers::Numbers;
use pace::{Reader, Requests};
use private::Privates;
use publishing::{Again, Offered, Publishing};
use pushes::Pushes;
use queue::Queue;
pub use replica::Replica;
use requests::{Mark, Pending, Waiting};
use running::Running;
use silence::Unanswered;
use timers::Timer;
use uploads::Uploads;
use waits::Waits;
pub use words::{AcceptFrom, Input, Output, SessionConfig};

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
    /// A further page of an answer to the user.
    Page(Box<Collecting>),
    /// A piece of what the user offers.
    Offer(Box<Publishing>),
    /// What we offer has changed on disk.
    Change,
    /// A file for one person, by the number of its transfer.
    Push(u64),
    /// The answer is of no interest.
    Forgotten,
    /// Leaving.
    Goodbye,
}

impl Origin {
    /// Whether a hub that has forgotten it is asked again.
    fn outlives_the_hub(&self) -> bool {
        match self {
            Self::User(_) | Self::Page(_) | Self::Offer(_) | Self::Change | Self::Push(_) => true,
            Self::Enter | Self::Return | Self::OfferAgain | Self::Goodbye | Self::Forgotten => false,
        }
    }

    /// The transfer of the push that is asked.
    fn push(&self) -> Option<u64> {
        match self {
            Self::Push(transfer) => Some(*transfer),
            _ => None,
        }
    }

    /// Whether the user wants to hear one room.
    fn is_focus(&self) -> bool {
        matches!(self, Self::User(pending) if matches!(pending.request, Request::Focus(_)))
    }

    /// Whether it is the user's request to be registered.
    fn is_registration(&self) -> bool {
        matches!(self, Self::User(pending) if matches!(pending.request, Request::Register(_) | Request::Login(_) | Request::Rereg(_)))
    }
}

/// How the program is going to end.
struct Leaving {
    reason: String,
    code: u8,
    id: Mark,
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
    entry: Entry,
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
    /// What we offer, by its names.
    offered: BTreeMap<Arc<str>, Box<Offered>>,
    /// What is offered, and of which the hub is making copies.
    keeping: Vec<Publishing>,
    /// Folders in which new files are offered by themselves: their prefixes.
    watched: BTreeSet<String>,
    /// What has changed on disk and the hub has not been told of; none where it is gone.
    changes: BTreeMap<Arc<str>, Option<Content>>,
    holdings: Holdings,
    pushes: Pushes,
    again: Option<Again>,
    replica: Replica,
    waiting: Requests,
    reader: Reader,
    /// The request that is being worked on here, by its task.
    local: Option<(u64, Pending)>,
    hold: Hold,
    asks: BTreeMap<i64, (Ask, Origin)>,
    unanswered: Unanswered,
    running: BTreeMap<u64, Running>,
    uploads: Uploads,
    queue: Queue,
    /// Where we reach the hub.
    hub_address: Option<IpAddr>,
    privates: Privates,
    /// Whose messages our user does not see.
    blocked: BTreeSet<NameKey>,
    /// Who types the lines of the input.
    speaker: Speaker,
    next_ask: i64,
    next_task: u64,
    numbers: Numbers,
    inbox: Inbox,
    /// The newest message at the hub when we entered.
    newest: u64,
    focus: Option<Focus>,
    limit: TimeLimit,
    /// The end is not to wait for a slow reader.
    hurried: bool,
    leaving: Option<Leaving>,
    waits: Waits,
    ended: bool,
    timers: Timers<Timer>,
    out: VecDeque<Output>,
}

impl Session {
    /// A session that has not started.
    pub fn new(config: SessionConfig) -> Self {
        Self {
            rng: Rng(config.seed),
            connection: Connection::default(),
            entry: Entry::default(),
            link: Link::new(config.link),
            session: None,
            registered: None,
            parted: None,
            settled: false,
            dir: config.settings.dir.clone(),
            offered: BTreeMap::new(),
            keeping: Vec::new(),
            watched: BTreeSet::new(),
            changes: BTreeMap::new(),
            holdings: Holdings::default(),
            pushes: Pushes::default(),
            again: None,
            replica: Replica::new(config.follow),
            waiting: Requests::default(),
            reader: Reader::default(),
            local: None,
            hold: Hold::default(),
            asks: BTreeMap::new(),
            unanswered: Unanswered::default(),
            running: BTreeMap::new(),
            uploads: Uploads::default(),
            queue: Queue::default(),
            hub_address: None,
            privates: Privates::new(config.link, config.epoch),
            blocked: BTreeSet::new(),
            speaker: Speaker::default(),
            next_ask: 1,
            next_task: 1,
            numbers: Numbers::default(),
            inbox: Inbox::default(),
            newest: 0,
            focus: None,
            limit: TimeLimit::default(),
            hurried: false,
            leaving: None,
            waits: Waits::default(),
            ended: false,
            timers: Timers::default(),
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
            Input::Bad(number, bad) => self.bad_line(number, bad),
            Input::LineTooLong(number) => self.bad_line(number, Failure::from(ErrorCode::LineTooLong).into()),
            Input::Request(line) => self.enqueue(now, line, None, 0),
            Input::EndOfInput => self.end_of_input(now),
            Input::Interrupt(code) => self.interrupt(now, code),
            Input::Connected => self.greet(now),
            Input::ConnectFailed(failure) => self.connect_failed(now, failure),
            Input::HubLine(line) => self.hub_line(now, line),
            Input::Disconnected(reason) => self.lose(now, reason),
            Input::DirChecked(task, result) => self.dir_checked(now, task, result),
            Input::HubAt(address) => self.hub_address = Some(address),
            Input::Hashing(task, progress) => self.hashing(now, task, progress),
            Input::Lent(task, result) => self.lent(now, task, result),
            Input::FilesChanged(changes) => self.files_changed(now, changes),
            Input::Hashed(task, result) => self.hashed(now, task, result),
            Input::Transfer(transfer, note) => self.transfer_note(now, transfer, note),
            Input::Upload(upload, note) => self.upload_note(now, upload, note),
            Input::InboxOpened(name, shown) => self.inbox_opened(now, name, shown),
            Input::Unread(bytes) => self.reader.is_at(bytes),
            Input::Written(numbers) => self.written(now, numbers),
            Input::PrivatesWritten(count) => self.privates_written(now, count),
            Input::PrivateLost(from) => self.private_lost(now, from),
            Input::Peer(input) => self.peer_input(now, input),
            Input::Tick => {}
        }
        self.fire_timers(now);
        self.announce(now);
        self.apply_changes(now);
        self.watch_hashing(now);
        self.end_pushes(now);
        self.advance(now);
        if !self.ended {
            self.confirm(now);
            self.watch_for_silence(now);
            self.watch_hashing(now);
        }
        self.say_what_waits(now);
        self.set_timers(now);
    }

    /// The next thing to be done.
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        if let Some(output) = self.out.pop_front() {
            return Some(output);
        }
        if self.ended {
            return None;
        }
        let up = self.connection.is_up();
        let frame = if up { self.link.poll(now).map(Output::Send) } else { None };
        let output = frame.or_else(|| self.privates.peers.poll(now).map(Output::Peer));
        if output.is_none() {
            // What was sent is waited for.
            self.set_timers(now);
        }
        output
    }

    /// When a tick is wanted.
    pub fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// What is offered and who is there, as far as this client knows.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    fn input_line(&mut self, now: Time, number: u64, text: &[u8]) {
        match self.speaker.read(text) {
            Ok(None) => {}
            Ok(Some(request)) => self.enqueue(now, request, Some(number), text.len()),
            Err(bad) => self.bad_line(number, bad),
        }
    }

    fn bad_line(&mut self, number: u64, bad: BadLine) {
        let mut failure = bad.failure;
        failure.at = failure.at.or(Some(At::Line(number)));
        self.waiting.push(Waiting::Bad(Mark { id: bad.id, line: Some(number) }, failure));
    }

    fn enqueue(&mut self, now: Time, line: RequestLine, number: Option<u64>, bytes: usize) {
        let pending = Pending::new(Mark { id: line.id, line: number }, line.request, bytes);
        match &pending.request {
            // This must not wait for what it is to end.
            Request::Quit(quit) if quit.now => self.quit_now(now, pending.id),
            _ if self.is_quitting() => self.enqueue_after_quit(pending),
            Request::Quit(_) => {
                if self.is_lost() {
                    self.give_up_on_hub(now);
                }
                self.waits.end_wanted(now);
                self.waiting.push(Waiting::Request(pending));
            }
            _ => self.waiting.push(Waiting::Request(pending)),
        }
    }

    /// Tells something that no request has caused.
    fn tell(&mut self, now: Time, event: impl Into<Event>) {
        self.tell_for(now, Mark::default(), false, event);
    }

    /// Answers a request: its last event.
    fn finish(&mut self, now: Time, id: Mark, event: impl Into<Event>) {
        self.tell_for(now, id, true, event);
    }

    fn tell_for(&mut self, now: Time, mark: Mark, last: bool, event: impl Into<Event>) {
        let mut event = event.into();
        if let (Event::Error(error), None) = (&mut event, &mark.id) {
            error.line = mark.line;
        }
        let line = EventLine { seq: None, time: Some(self.calendar(now)), id: mark.id, last, event };
        self.reader.told(&line);
        self.out.push_back(Output::Tell(Box::new(line)));
    }

    /// Answers a request with a failure.
    fn refuse(&mut self, now: Time, id: Mark, failure: Failure) {
        let code = failure.code;
        self.finish(now, id, event::Error::from(failure));
        if self.config.fail_fast && self.leaving.is_none() {
            let abandoned = Failure::new(ErrorCode::Interrupted, "A request before this one failed.");
            self.abandon(now, &abandoned);
            self.leave(now, "a request failed".into(), code.exit(), Mark::default(), false);
        }
    }
}

#[cfg(test)]
mod tests;
