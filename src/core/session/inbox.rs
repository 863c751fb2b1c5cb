//! What others say: told once, in order, and confirmed when the user has it. `focus` holds some of it back.

use std::collections::{BTreeSet, VecDeque};

use super::Output;
use super::context::Context;
use super::pending::RequestId;
use crate::core::time::Time;
use crate::protocol::limits::{FEED_MESSAGES, HELD_BYTES, HELD_MESSAGES};
use crate::protocol::name::NameKey;
use crate::protocol::wire::{Ask, Received};
use crate::protocol::{ErrorCode, Event, EventLine, Failure, event, to_json};

/// Messages that are taken and not written yet. A hub waits for what it has sent to be confirmed long before.
const UNWRITTEN: usize = 4 * FEED_MESSAGES;

/// The user hears only one room; the rest is held back.
struct Focus {
    room: String,
    held: VecDeque<Event>,
    bytes: usize,
}

impl Focus {
    /// How many messages are held back that the user will see. Notices of rooms and connections are none.
    fn messages(&self) -> u64 {
        let said =
            |event: &&Event| matches!(event, Event::Message(_) | Event::RoomMessage(_) | Event::PrivateMessage(_));
        self.held.iter().filter(said).count() as u64
    }
}

/// What the user has, and what is on its way to them.
#[derive(Default)]
pub(super) struct Inbox {
    /// The newest message that was taken from the hub.
    taken: u64,
    /// Messages that are being written to the user.
    unwritten: BTreeSet<u64>,
    /// Messages that are held back, or that the user lacks though they have later ones.
    missing: BTreeSet<u64>,
    /// What the hub was told last.
    confirmed: Option<Received>,
    /// Whose messages they are, once the hub has been told where to begin.
    open: Option<String>,
    /// What was kept for them is on its way.
    catching_up: bool,
    /// The newest message at the hub when we entered.
    newest: u64,
    focus: Option<Focus>,
    /// Whose messages our user does not see.
    blocked: BTreeSet<NameKey>,
}

impl Inbox {
    /// What is with the user.
    fn shown(&self) -> Received {
        let received = self.unwritten.first().map_or(self.taken, |first| first - 1);
        Received { received, except: self.missing.range(..=received).copied().collect() }
    }

    /// Whether what was kept for the user is on its way.
    pub(super) fn is_catching_up(&self) -> bool {
        self.catching_up
    }

    /// Whether the user has everything that was taken.
    pub(super) fn is_all_written(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// Whether the user hears only one room.
    pub(super) fn is_focused(&self) -> bool {
        self.focus.is_some()
    }

    /// Whether our user does not see what this person says.
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

    /// The hub lets us in: it shall learn which messages we have. To be called before the registration is changed.
    pub(super) fn enter(&mut self, cx: &mut Context, welcome: &event::Welcome) {
        if cx.registration.name() != Some(&welcome.name) || welcome.newest < self.taken {
            // Another person's messages; or the hub counts anew, with other messages.
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

    /// We have left the roster: what is held back is told.
    pub(super) fn leave(&mut self, now: Time, cx: &mut Context) {
        self.catching_up = false;
        self.release(now, cx);
    }

    /// This machine knows which messages somebody has had.
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

    /// Everything up to a number that is for us has been sent. What has come since we are leaving was not taken.
    pub(super) fn caught_up(&mut self, number: u64, is_leaving: bool) {
        self.catching_up = false;
        if self.open.is_some() && !is_leaving {
            self.taken = self.taken.max(number);
        }
    }

    /// Somebody has said something. While we are leaving, it is not taken, and kept for the next time.
    ///
    /// # Errors
    /// The hub sends more than it may.
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
        // What is held back has been taken, and is missing only to the user.
        let again = number <= self.taken && (self.is_held(number) || !self.missing.remove(&number));
        if again {
            return Ok(());
        }
        if self.unwritten.len() >= UNWRITTEN {
            return Err(Failure::new(ErrorCode::WrongProtocol, "The hub sends more messages than it may at a time."));
        }
        self.taken = self.taken.max(number);
        // A withheld message goes the same way as any other, so that its sender cannot tell by the time it takes. Only
        // at the very end of it, nothing is written.
        self.tell_unless_held(now, cx, event);
        Ok(())
    }

    fn is_held(&self, number: u64) -> bool {
        let held = self.focus.iter().flat_map(|focus| &focus.held);
        held.into_iter().any(|event| number_of(event) == Some(number))
    }

    /// Messages of these numbers are with the user.
    pub(super) fn written(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.unwritten.remove(number);
        }
    }

    /// Lets the hub, and this machine for the next time, know what the user has.
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

    /// Tells the user what others do, unless they hear only one room, and this is not of it.
    pub(super) fn tell_unless_held(&mut self, now: Time, cx: &mut Context, event: Event) {
        let number = number_of(&event);
        let Some(focus) = &mut self.focus else { return self.tell_message(now, cx, event) };
        let of_room = match &event {
            Event::RoomMessage(said) => said.room == focus.room,
            Event::RoomChanged(changed) => changed.room == focus.room,
            _ => false,
        };
        if of_room {
            return self.tell_message(now, cx, event);
        }
        self.missing.extend(number);
        // Names count as well: how long they are is what the hub says.
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

    /// Whoever has left the room hears everything again.
    pub(super) fn left_room(&mut self, now: Time, cx: &mut Context, room: &str) {
        if self.focus.as_ref().is_some_and(|focus| NameKey::of(&focus.room) == NameKey::of(room)) {
            self.end_focus(now, cx, None, Some("you left the room".into()));
        }
    }

    /// Says that everything is heard again, as the answer to a request or by itself; then what has waited.
    fn end_focus(&mut self, now: Time, cx: &mut Context, asked: Option<RequestId>, reason: Option<String>) {
        let Some(focus) = &self.focus else { return };
        let unfocused = event::Unfocused { room: focus.room.clone(), held: focus.messages(), reason };
        match asked {
            Some(id) => cx.finish(now, id, unfocused),
            None => cx.tell(now, unfocused),
        }
        self.release(now, cx);
    }

    /// Tells what has waited.
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

/// The number by which the hub knows a message, if this is one; the user may not be meant to see it.
pub fn number_of(event: &Event) -> Option<u64> {
    match event {
        Event::Message(message) => Some(message.number),
        Event::RoomMessage(message) => Some(message.number),
        Event::Withheld(message) => Some(message.number).filter(|number| *number > 0),
        _ => None,
    }
}

/// Whether this is a private message, or stands for one that the user is not meant to see.
pub fn is_private(event: &Event) -> bool {
    match event {
        Event::PrivateMessage(_) => true,
        Event::Withheld(message) => message.number == 0,
        _ => false,
    }
}
