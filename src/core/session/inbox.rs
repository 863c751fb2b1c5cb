//! The numbered messages that the hub sends to our user: told in order, and confirmed after they have been written. In
//! `focus`, the user hears one room, and all other messages are held back.
//!
//! The session hands the inbox the messages of the hub, and the driver's reports of what was written to the user's
//! output. The inbox tells messages through the `Context`. After a message was written, the driver first stores its
//! number on this machine, then the hub is sent the confirmation. The hub sends unconfirmed messages again; the inbox
//! leaves out those that it has told already, and, after a restart, those whose numbers are stored.
//!
//! So no message is lost: none is confirmed before it was written. None is told twice, with one exception: if the
//! client is killed between writing a message and storing its number, the message is told again after the restart.

use std::collections::{BTreeSet, VecDeque};

use super::Output;
use super::context::Context;
use super::pending::RequestId;
use crate::core::time::Time;
use crate::protocol::limits::{FEED_MESSAGES, HELD_BYTES, HELD_MESSAGES};
use crate::protocol::name::NameKey;
use crate::protocol::wire::{Ask, Received};
use crate::protocol::{ErrorCode, Event, EventLine, Failure, event, to_json};

/// The most messages that may wait to be written. A hub that keeps to the protocol sends at most [`FEED_MESSAGES`]
/// before they are confirmed.
const UNWRITTEN: usize = 4 * FEED_MESSAGES;

/// The one room that the user hears, and what is held back meanwhile.
struct Focus {
    room: String,
    held: VecDeque<Event>,
    bytes: usize,
}

impl Focus {
    /// The number of held-back messages, without other events and without messages of people whom the user blocks.
    fn messages(&self) -> u64 {
        let said =
            |event: &&Event| matches!(event, Event::Message(_) | Event::RoomMessage(_) | Event::PrivateMessage(_));
        self.held.iter().filter(said).count() as u64
    }
}

/// Which messages have been written to the user, and which are on their way. See the [module](self).
#[derive(Default)]
pub(super) struct Inbox {
    /// The newest message that was taken from the hub.
    taken: u64,
    /// Messages that are being written to the user.
    unwritten: BTreeSet<u64>,
    /// The numbers up to `taken` of messages that the user has not got: held back, or dropped before they were written.
    missing: BTreeSet<u64>,
    /// What was confirmed to the hub last.
    confirmed: Option<Received>,
    /// Our user's name, once the hub was told which messages that user has. Until then no message is taken.
    open: Option<String>,
    /// Whether the hub is still sending older messages that it has kept for the user.
    catching_up: bool,
    /// The number of the newest message at the hub when it let us in.
    newest: u64,
    focus: Option<Focus>,
    /// The people whom our user has blocked.
    blocked: BTreeSet<NameKey>,
}

impl Inbox {
    /// Which messages have been written to the user.
    fn shown(&self) -> Received {
        let received = self.unwritten.first().map_or(self.taken, |first| first - 1);
        Received { received, except: self.missing.range(..=received).copied().collect() }
    }

    /// Whether the hub is still sending older messages.
    pub(super) fn is_catching_up(&self) -> bool {
        self.catching_up
    }

    /// Whether every message that was taken has been written.
    pub(super) fn is_all_written(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// Whether the user is in `focus`.
    pub(super) fn is_focused(&self) -> bool {
        self.focus.is_some()
    }

    /// Whether our user has blocked this person.
    pub(super) fn is_blocked(&self, name: &NameKey) -> bool {
        self.blocked.contains(name)
    }

    /// The user has blocked somebody.
    pub(super) fn block(&mut self, name: &str) {
        self.blocked.insert(NameKey::of(name));
    }

    /// The user has unblocked somebody.
    pub(super) fn unblock(&mut self, name: &str) {
        self.blocked.remove(&NameKey::of(name));
    }

    /// The hub says whom the user has blocked.
    pub(super) fn set_blocked(&mut self, names: &[String]) {
        self.blocked = names.iter().map(|name| NameKey::of(name)).collect();
    }

    /// The hub has registered us, under a name that may be new. Asks the driver which messages of that name were shown
    /// on this machine; [`Inbox::opened`] takes the answer. Must be called before `Context::registration` takes the new
    /// name, because a change of the name empties the inbox.
    pub(super) fn enter(&mut self, cx: &mut Context, welcome: &event::Welcome) {
        if cx.registration.name() != Some(&welcome.name) || welcome.newest < self.taken {
            // Another person's messages, or a hub with other messages.
            let (focus, blocked) = (self.focus.take(), std::mem::take(&mut self.blocked));
            *self = Self { focus, blocked, ..Self::default() };
        }
        self.open = None;
        self.catching_up = cx.config.inbox;
        self.newest = welcome.newest;
        if cx.config.inbox {
            cx.output(Output::OpenInbox(welcome.name.clone()));
        }
    }

    /// We have left the roster, which ends `focus`: tells what was held back.
    pub(super) fn leave(&mut self, now: Time, cx: &mut Context) {
        self.catching_up = false;
        self.release(now, cx);
    }

    /// The driver's answer: `shown` are the messages that our user `name` has seen on this machine. Confirms them to
    /// the hub, which then sends the others. Ignored if our name has changed since it was asked.
    pub(super) fn opened(&mut self, now: Time, cx: &mut Context, name: &str, shown: &Received) {
        if cx.registration.name() != Some(name) {
            return;
        }
        if shown.received <= self.newest && shown.received > self.taken {
            self.taken = shown.received;
            self.missing = shown.except.iter().copied().collect();
        }
        self.open = Some(name.to_owned());
        let shown = self.shown();
        self.confirmed = Some(shown.clone());
        cx.uplink.send(now, Ask::Received(shown));
    }

    /// The hub has sent every message that it has kept for us, up to this number. While we are leaving, the number is
    /// not noted, because messages are not taken any more.
    pub(super) fn caught_up(&mut self, number: u64, is_leaving: bool) {
        self.catching_up = false;
        if self.open.is_some() && !is_leaving {
            self.taken = self.taken.max(number);
        }
    }

    /// Takes a message from the hub: tells it, or holds it back. Ignores a message that was taken before. While we are
    /// leaving, it is not taken and not confirmed, so the hub sends it again after the next registration.
    ///
    /// # Errors
    /// `wrong-protocol` if [`UNWRITTEN`] messages wait to be written already.
    pub(super) fn hear(
        &mut self,
        now: Time,
        cx: &mut Context,
        number: u64,
        event: Event,
        is_leaving: bool,
    ) -> Result<(), Failure> {
        if self.open.is_none() || is_leaving {
            return Ok(());
        }
        // A held-back message was taken already; only the user does not have it.
        let again = number <= self.taken && (self.is_held(number) || !self.missing.remove(&number));
        if again {
            return Ok(());
        }
        if self.unwritten.len() >= UNWRITTEN {
            return Err(Failure::new(ErrorCode::WrongProtocol, "The hub sends more messages than it may at a time."));
        }
        self.taken = self.taken.max(number);
        // A message of somebody who is blocked goes the same way as any other, so that they cannot tell by the time
        // that it takes. Only at the very end, nothing is written.
        self.tell_unless_held(now, cx, event);
        Ok(())
    }

    fn is_held(&self, number: u64) -> bool {
        let held = self.focus.iter().flat_map(|focus| &focus.held);
        held.into_iter().any(|event| number_of(event) == Some(number))
    }

    /// The driver has written the messages with these numbers to the user. [`Inbox::confirm`] follows.
    pub(super) fn written(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.unwritten.remove(number);
        }
    }

    /// Has the driver store which messages were written, and then confirms them to the hub, if there are new ones.
    /// Called after each input.
    pub(super) fn confirm(&mut self, now: Time, cx: &mut Context) {
        let Some(name) = self.open.clone() else { return };
        if self.confirmed.as_ref().is_some_and(|c| c.except.is_empty() && c.received == self.taken) {
            return;
        }
        let shown = self.shown();
        if self.confirmed.as_ref() == Some(&shown) {
            return;
        }
        self.confirmed = Some(shown.clone());
        cx.output(Output::Shown(name, shown.clone()));
        cx.send_if_in(now, Ask::Received(shown));
    }

    /// Tells an event that others have caused; in `focus`, holds it back if it is not of the focused room.
    pub(super) fn tell_unless_held(&mut self, now: Time, cx: &mut Context, event: Event) {
        let number = number_of(&event);
        let Some(focus) = &mut self.focus else { return self.tell_message(now, cx, event) };
        if let Event::RoomMessage(event::RoomMessage { room, .. }) | Event::RoomChanged(event::RoomChanged { room, .. }) =
            &event
            && *room == focus.room
        {
            return self.tell_message(now, cx, event);
        }
        self.missing.extend(number);
        // The whole event counts, since a hub can make names long.
        focus.bytes += to_json(&EventLine { seq: None, time: None, id: None, last: false, event: event.clone() }).len();
        focus.held.push_back(event);
        if focus.held.len() > HELD_MESSAGES || focus.bytes > HELD_BYTES {
            self.end_focus(now, cx, None, Some("more waits than can be held back".into()));
        }
    }

    pub(super) fn focused(&mut self, now: Time, cx: &mut Context, id: RequestId, answer: event::Focused) {
        self.release(now, cx);
        self.focus = Some(Focus { room: answer.room.clone(), held: VecDeque::new(), bytes: 0 });
        cx.finish(now, id, answer);
    }

    pub(super) fn unfocus(&mut self, now: Time, cx: &mut Context, id: RequestId) {
        if self.focus.is_none() {
            return cx.refuse(now, id, Failure::from(ErrorCode::NotFocused));
        }
        self.end_focus(now, cx, Some(id), None);
    }

    /// The user has left a room: if it was the focused one, `focus` ends.
    pub(super) fn left_room(&mut self, now: Time, cx: &mut Context, room: &str) {
        if self.focus.as_ref().is_some_and(|focus| NameKey::of(&focus.room) == NameKey::of(room)) {
            self.end_focus(now, cx, None, Some("you left the room".into()));
        }
    }

    /// Ends `focus`: says so, as the answer to a request if there is one, and tells what was held back.
    fn end_focus(&mut self, now: Time, cx: &mut Context, asked: Option<RequestId>, reason: Option<String>) {
        let Some(focus) = &self.focus else { return };
        let unfocused = event::Unfocused { room: focus.room.clone(), held: focus.messages(), reason };
        match asked {
            Some(id) => cx.finish(now, id, unfocused),
            None => cx.tell(now, unfocused),
        }
        self.release(now, cx);
    }

    /// Ends `focus`, if there is one, and tells what was held back. The user gets no event for the end itself.
    pub(super) fn release(&mut self, now: Time, cx: &mut Context) {
        for event in self.focus.take().into_iter().flat_map(|focus| focus.held) {
            self.tell_message(now, cx, event);
        }
    }

    fn tell_message(&mut self, now: Time, cx: &mut Context, event: Event) {
        if let Some(number) = number_of(&event) {
            self.missing.remove(&number);
            self.unwritten.insert(number);
        }
        cx.tell(now, event);
    }
}

/// The hub's number of a message; `None` for other events and for private messages. The event `withheld` takes the
/// place of a message of somebody whom the user blocks, and has its number.
pub fn number_of(event: &Event) -> Option<u64> {
    if let Event::Withheld(message) = event {
        return Some(message.number).filter(|number| *number > 0);
    }
    let (Event::Message(event::Message { number, .. }) | Event::RoomMessage(event::RoomMessage { number, .. })) = event
    else {
        return None;
    };
    Some(*number)
}

/// Whether this is a private message, or a `withheld` in place of one.
pub fn is_private(event: &Event) -> bool {
    matches!(event, Event::PrivateMessage(_) | Event::Withheld(event::Withheld { number: 0 }))
}
