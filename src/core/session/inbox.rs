//! Messages from others. Each is told once and in order, and confirmed to the hub once it has been written to the user.
//! In `focus`, the user hears one room, and all other messages are held back.
//!
//! The session hands it the messages that arrive from the hub, and the driver's reports of what was written. It tells
//! the user through the `Context`, confirms to the hub, and has the driver store what was shown. It promises that each
//! message is told at most once on this machine, even after a restart, and that none is confirmed before it was
//! written.

use std::collections::{BTreeSet, VecDeque};

use super::Output;
use super::context::Context;
use super::pending::RequestId;
use crate::core::time::Time;
use crate::protocol::limits::{FEED_MESSAGES, HELD_BYTES, HELD_MESSAGES};
use crate::protocol::name::NameKey;
use crate::protocol::wire::{Ask, Received};
use crate::protocol::{ErrorCode, Event, EventLine, Failure, event, to_json};

/// The most messages that may wait to be written. An honest hub stops sending long before, until earlier ones are
/// confirmed.
const UNWRITTEN: usize = 4 * FEED_MESSAGES;

/// The one room that the user hears, and what is held back meanwhile.
struct Focus {
    room: String,
    held: VecDeque<Event>,
    bytes: usize,
}

impl Focus {
    /// How many of the held-back events are messages that the user will see.
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
    /// Messages up to `taken` that the user does not have: held back, or never written.
    missing: BTreeSet<u64>,
    /// What was confirmed to the hub last.
    confirmed: Option<Received>,
    /// Whose messages these are; none until the hub has been told where to begin.
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

    /// The hub has let us in, under a name that may be new: asks for the messages that this machine remembers for that
    /// name. To be called before the registration changes.
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

    /// We have left the roster: tells what is held back.
    pub(super) fn leave(&mut self, now: Time, cx: &mut Context) {
        self.catching_up = false;
        self.release(now, cx);
    }

    /// The driver has looked which messages this person has had on this machine: the hub sends the others.
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

    /// The hub has sent every older message up to this number. While we are leaving, messages are not taken any more.
    pub(super) fn caught_up(&mut self, number: u64, is_leaving: bool) {
        self.catching_up = false;
        if self.open.is_some() && !is_leaving {
            self.taken = self.taken.max(number);
        }
    }

    /// Takes a message, unless it was taken before. While we are leaving, it stays at the hub for the next time.
    ///
    /// # Errors
    /// The hub sends more messages than it may.
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

    /// These messages have been written to the user.
    pub(super) fn written(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.unwritten.remove(number);
        }
    }

    /// Confirms to the hub what has been written, and has this machine remember it.
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

    /// Ends `focus` without a word, and tells what was held back.
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

/// The hub's number of a message, if this is one. `withheld` stands for the message of somebody who is blocked.
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

/// Whether this is a private message, or stands for one of somebody who is blocked.
pub fn is_private(event: &Event) -> bool {
    matches!(event, Event::PrivateMessage(_) | Event::Withheld(event::Withheld { number: 0 }))
}
