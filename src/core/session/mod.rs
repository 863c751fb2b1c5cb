//! The session: one client, between its user and the hub.
//!
//! Requests begin in the order in which they were written. Requests that the hub answers are passed on to it, many at a
//! time; requests that are answered here wait until everything before them is answered; `wait` and `quit` wait for
//! transfers too. The session keeps a replica of the table and the roster and reconnects when the hub is lost. When the
//! hub has forgotten it, it registers again, offers its files again, and asks its open requests again.
//!
//! # Parts
//! Each part owns its state. [`Session`] dispatches inputs to the parts and passes them what they need: the `Context`,
//! which leads to the hub (`uplink`) and to the user and the driver (`effects`), and sometimes another part.
//!
//! | part | owns |
//! |---|---|
//! | `uplink` | the connection and the link to the hub, and what the hub was asked |
//! | `queue` | requests that have not begun, and the task that is being worked on |
//! | `offers` | the offered files and folders, and their changes on disk |
//! | `transfers` | downloads, uploads, pushes in both directions |
//! | `inbox` | messages on their way to the user, `focus`, blocks |
//! | `parcels` | what is sent and received by short codes |
//! | `privates` | direct connections and the requests about them |
//! | `verified` | whom the user has verified, and the alarm when one of them shows another key |
//! | `replica` | the copy of the table and the roster |
//! | `ending` | whether the program ends, and what it waits for |

mod answers;
mod asks;
mod collecting;
mod connecting;
mod context;
mod effects;
mod ending;
mod hashing_hold;
mod inbox;
mod meetings;
mod notes;
mod offers;
mod paged_answer;
mod parcels;
mod pending;
mod pending_offer;
mod privates;
mod queue;
mod registration;
mod replica;
mod requests;
mod timers;
mod transfers;
mod turns;
mod uplink;
mod verified;
mod waits;
mod words;

use super::time::Time;
use super::timers::Timers;
pub use crate::core::fetch::TransferNote;
use crate::protocol::line::BadLine;
use crate::protocol::{At, ErrorCode, Failure, Request, RequestLine, Speaker};
use context::Context;
use ending::Ending;
use inbox::Inbox;
pub use inbox::{is_private, number_of};
use meetings::Meetings;
pub use notes::{FilesChanged, Hashed, MeetingNews, Offering, UploadNote};
use offers::Offers;
use parcels::Parcels;
use pending::{Pending, RequestId, Waiting};
use privates::Privates;
use queue::Queue;
pub use replica::Replica;
use timers::Timer;
use transfers::Transfers;
pub use words::{
    AcceptFrom, Chance, DownloadConfig, Entry, Input, Output, ParcelInput, ParcelOutput, PassesOn, SessionConfig,
    SessionTimeouts,
};

/// The client's machine. See the [module](self).
pub struct Session {
    cx: Context,
    /// Remembers what a line may leave out because an earlier line has said it.
    speaker: Speaker,
    queue: Queue,
    offers: Offers,
    transfers: Transfers,
    inbox: Inbox,
    parcels: Parcels,
    privates: Privates,
    meetings: Meetings,
    replica: Replica,
    ending: Ending,
    timers: Timers<Timer>,
}

impl Session {
    /// A session that has not started.
    pub fn new(config: SessionConfig) -> Self {
        Self {
            speaker: Speaker::default(),
            queue: Queue::default(),
            offers: Offers::new(config.settings.dir.clone()),
            transfers: Transfers::default(),
            inbox: Inbox::default(),
            parcels: Parcels::new(config.key, config.chance.secrets),
            privates: Privates::new(config.link, config.epoch),
            meetings: Meetings::default(),
            replica: Replica::new(config.follow),
            ending: Ending::default(),
            timers: Timers::default(),
            cx: Context::new(config),
        }
    }

    /// Takes an input. See the drain contract in [`crate::core`].
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        if self.ending.has_ended() {
            return;
        }
        self.dispatch(now, input);
        self.act_on_failures(now);
        self.cx.uplink.asks_mut().watch_oldest(now);
        self.fire_timers(now);
        self.transfers.announce(now, &mut self.cx);
        self.parcels.go_on(now, &mut self.cx, &mut self.transfers);
        self.offers.tell_changes(now, &mut self.cx, self.queue.is_working());
        self.queue.watch_hashing(now);
        self.end_pushes(now);
        self.advance(now);
        if !self.ending.has_ended() {
            self.inbox.confirm(now, &mut self.cx);
            self.watch_for_silence(now);
            self.queue.watch_hashing(now);
        }
        self.act_on_failures(now);
        self.say_what_waits(now);
        self.set_timers(now);
    }

    fn dispatch(&mut self, now: Time, input: Input<'_>) {
        let cx = &mut self.cx;
        match input {
            Input::Start => self.start(now),
            Input::Line(number, line) => self.input_line(now, number, line),
            Input::Bad(number, bad) => self.bad_line(number, bad),
            Input::LineTooLong(number) => self.bad_line(number, Failure::from(ErrorCode::LineTooLong).into()),
            Input::Request(line) => self.enqueue(now, line, None, 0),
            Input::EndOfInput => self.end_of_input(now),
            Input::Interrupt(code) => self.interrupt(now, code),
            Input::Invited(secret) => self.cx.config.invite = Some(secret),
            Input::AddressChanged => cx.uplink.probe(now),
            Input::Connected => self.connected(now),
            Input::ConnectFailed(failure) => self.connect_failed(now, failure),
            Input::HubLine(line) => self.hub_line(now, line),
            Input::Disconnected(reason) => self.lose(now, reason),
            Input::DirChecked(task, result) => self.dir_checked(now, task, result),
            Input::HubAt(address, key) => cx.uplink.found_at(address, key),
            Input::Hashing(task, progress) => self.hashing(now, task, progress),
            Input::Granted(task, result) => self.granted(now, task, result),
            Input::Verified(task, result) => self.verified(now, task, result),
            Input::VerifiedKeys(keys) => {
                cx.verified.replace(keys);
                cx.raise_alarms(now, self.replica.clients());
            }
            Input::FilesChanged(changes) => self.offers.files_changed(changes),
            Input::Hashed(task, result) => self.hashed(now, task, result),
            Input::Transfer(transfer, note) => self.transfers.transfer_note(now, cx, transfer, note),
            Input::Upload(upload, note) => self.transfers.upload_note(now, cx, upload, note),
            Input::InboxOpened(name, shown) => self.inbox.opened(now, cx, name, shown),
            Input::Unread(bytes) => cx.effects.set_unread(bytes),
            Input::Written(numbers) => self.written(now, numbers),
            Input::PrivatesWritten(count) => self.privates.written(now, count),
            Input::PrivateLost(from) => self.privates.lost(now, cx, &mut self.inbox, from),
            Input::Peer(input) => self.privates.handle(now, cx, &mut self.inbox, &self.replica, input),
            Input::Meet(meet) => self.meetings.meet(now, cx, &self.parcels, meet),
            Input::MeetAt(places) => meetings::meet_at(now, cx, &self.parcels, places),
            Input::Parcel(input) => self.parcels.handle(now, cx, &mut self.transfers, input),
            Input::Tick => {}
        }
    }

    /// The next output for the driver.
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        if let Some(output) = self.cx.effects.pop() {
            return Some(output);
        }
        if self.ending.has_ended() {
            return None;
        }
        let frame = self.cx.uplink.poll(now).map(Output::Send);
        let output = frame.or_else(|| self.privates.poll(now));
        if output.is_none() {
            // Frames that were just sent have set timers of the link.
            self.set_timers(now);
        }
        output
    }

    /// When a tick is wanted.
    pub fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Sets each timer to its deadline.
    fn set_timers(&mut self, now: Time) {
        for timer in Timer::ALL {
            let deadline = if self.ending.has_ended() { None } else { self.deadline(now, timer) };
            self.timers.set_or_stop(timer, deadline);
        }
    }

    /// When a timer fires, by the present state of the parts.
    fn deadline(&self, now: Time, timer: Timer) -> Option<Time> {
        // These are checked after every input, so once they are past, no timer is needed.
        let later = |at: &Time| *at > now;
        let uplink = &self.cx.uplink;
        match timer {
            Timer::Reconnect => uplink.reconnects_at(),
            Timer::Hello => uplink.hello_due(),
            Timer::Link => uplink.link_due(),
            Timer::Limit => self.ending.limit(),
            Timer::Enter => uplink.enters_at(),
            Timer::Peers => self.privates.next_timeout(),
            Timer::Places => self.transfers.places_due(),
            Timer::Goodbye => self.ending.goodbye_due(),
            Timer::Parcels => self.parcels.next_timeout(&self.cx).filter(later),
            Timer::Answer => uplink.answer_due().filter(|_| !self.ending.is_leaving()),
            Timer::Hashing => self.queue.hold_ends(),
            Timer::RequestsWait => self.requests_wait_until().filter(later),
            Timer::EndWaits => self.ending.waits_until().filter(later),
            Timer::UntakenPushes => self.ending.pushes_wait_until(self.cx.config.patience.pushes).filter(later),
            Timer::Unread => self.ending.unread_until(),
        }
    }

    /// Fires the timers that are due.
    fn fire_timers(&mut self, now: Time) {
        self.set_timers(now);
        while let Some(timer) = self.timers.pop_due(now) {
            // A timer that fired before this one may have stopped it.
            if !self.ending.has_ended() && self.deadline(now, timer).is_some_and(|at| at <= now) {
                self.fire(now, timer);
                self.act_on_failures(now);
            }
        }
    }

    fn fire(&mut self, now: Time, timer: Timer) {
        match timer {
            Timer::Reconnect => {
                self.cx.uplink.try_again();
                self.cx.output(Output::Connect);
            }
            Timer::Hello => self.lose(now, "the hub does not say hello".into()),
            Timer::Link => {
                if !self.cx.uplink.tick(now) {
                    let patience = self.cx.config.link.patience().as_millis();
                    self.lose(now, format!("no answer for {patience} ms"));
                }
            }
            Timer::Limit => self.time_out(now),
            Timer::Enter => self.cx.uplink.enter_again(now),
            Timer::Peers => self.privates.tick(now, &mut self.cx, &mut self.inbox),
            Timer::Places => self.transfers.tell_places(now, &mut self.cx),
            Timer::Goodbye => drop(self.end_without_answer(now)),
            Timer::Unread => self.say_unread(),
            // These are checked after every input, so a tick is enough.
            Timer::Answer | Timer::Hashing | Timer::RequestsWait | Timer::EndWaits | Timer::UntakenPushes => {}
            Timer::Parcels => {}
        }
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
        self.queue.push(Waiting::Bad(RequestId { id: bad.id, line: Some(number) }, failure));
    }

    fn enqueue(&mut self, now: Time, line: RequestLine, number: Option<u64>, bytes: usize) {
        let pending = Pending::new(RequestId { id: line.id, line: number }, line.request, bytes);
        // It must not wait for what it is meant to end.
        if matches!(&pending.request, Request::Quit(quit) if quit.now) {
            return self.quit_now(now, pending.id);
        }
        if self.is_quitting() {
            return self.enqueue_after_quit(pending);
        }
        if let Request::Quit(_) = &pending.request {
            if self.cx.uplink.is_lost() {
                self.give_up_on_hub(now);
            }
            self.ending.want(now);
        }
        self.queue.push(Waiting::Request(pending));
    }
}

#[cfg(test)]
mod tests;
