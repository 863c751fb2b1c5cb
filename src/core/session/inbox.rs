//! What others say: told once, in order, and confirmed when the user has it. `focus` holds some of it back.

use std::collections::{BTreeSet, VecDeque};

use super::requests::Mark;
use super::{Event, EventLine, Output, Session};
use crate::core::time::Time;
use crate::protocol::limits::{FEED_MESSAGES, HELD_BYTES, HELD_MESSAGES};
use crate::protocol::name::NameKey;
use crate::protocol::wire::{Ask, Received};
use crate::protocol::{ErrorCode, Failure, event, to_json};

/// Messages that are taken and not written yet. A hub waits for what it has sent to be confirmed long before.
const UNWRITTEN: usize = 4 * FEED_MESSAGES;

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
    pub(super) catching_up: bool,
}

impl Inbox {
    /// What is with the user.
    fn shown(&self) -> Received {
        let received = self.unwritten.first().map_or(self.taken, |first| first - 1);
        Received { received, except: self.missing.range(..=received).copied().collect() }
    }
}

/// The user hears only one room.
pub(super) struct Focus {
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

impl Session {
    /// The hub knows us: it shall learn which messages we have.
    pub(super) fn entered(&mut self, welcome: &event::Welcome) {
        if self.registered.as_ref() != Some(&welcome.name) || welcome.newest < self.inbox.taken {
            // Another person's messages; or the hub counts anew, with other messages.
            self.inbox = Inbox::default();
        }
        self.registered = Some(welcome.name.clone());
        self.entry.admit(welcome.number);
        self.privates.peers.enter(&welcome.name, welcome.number);
        self.inbox.open = None;
        self.inbox.catching_up = self.config.inbox;
        self.newest = welcome.newest;
        if self.config.inbox {
            self.out.push_back(Output::OpenInbox(welcome.name.clone()));
        }
    }

    /// This machine knows which messages somebody has had.
    pub(super) fn inbox_opened(&mut self, now: Time, name: &str, shown: &Received) {
        if self.registered.as_deref() != Some(name) {
            return;
        }
        if shown.received <= self.newest && shown.received > self.inbox.taken {
            self.inbox.taken = shown.received;
            self.inbox.missing = shown.except.iter().copied().collect();
        }
        self.inbox.open = Some(name.to_owned());
        let shown = self.inbox.shown();
        self.inbox.confirmed = Some(shown.clone());
        self.send(now, Ask::Received(shown).to_body());
    }

    /// Everything up to a number that is for us has been sent.
    pub(super) fn caught_up(&mut self, number: u64) {
        self.inbox.catching_up = false;
        // What has come since we are leaving was not taken.
        if self.inbox.open.is_some() && self.leaving.is_none() {
            self.inbox.taken = self.inbox.taken.max(number);
        }
    }

    /// Somebody has said something.
    pub(super) fn heard(&mut self, now: Time, number: u64, event: Event) {
        // What is not taken any more is kept for the next time.
        if self.inbox.open.is_none() || self.leaving.is_some() {
            return;
        }
        // What is held back has been taken, and is missing only to the user.
        let again = number <= self.inbox.taken && (self.is_held(number) || !self.inbox.missing.remove(&number));
        if again {
            return;
        }
        if self.inbox.unwritten.len() >= UNWRITTEN {
            let failure = Failure::new(ErrorCode::WrongProtocol, "The hub sends more messages than it may at a time.");
            return self.give_up(now, failure);
        }
        self.inbox.taken = self.inbox.taken.max(number);
        // A withheld message goes the same way as any other, so that its sender cannot tell by the time it takes. Only
        // at the very end of it, nothing is written.
        self.tell_unless_held(now, event);
    }

    fn is_held(&self, number: u64) -> bool {
        let held = self.focus.iter().flat_map(|focus| &focus.held);
        held.into_iter().any(|event| number_of(event) == Some(number))
    }

    /// Messages of these numbers are with the user.
    pub(super) fn written(&mut self, now: Time, numbers: &[u64]) {
        for number in numbers {
            self.inbox.unwritten.remove(number);
        }
        if self.inbox.unwritten.is_empty()
            && let Some(leaving) = &mut self.leaving
            && leaving.waits_for_output
        {
            leaving.waits_for_output = false;
            leaving.deadline = now + self.config.link.patience();
            self.confirm(now);
            self.say_goodbye(now);
        }
    }

    /// Whether the user has everything that was taken.
    pub(super) fn is_all_written(&self) -> bool {
        self.inbox.unwritten.is_empty()
    }

    /// Lets the hub, and this machine for the next time, know what the user has.
    pub(super) fn confirm(&mut self, now: Time) {
        let Some(name) = self.inbox.open.clone() else { return };
        if self.inbox.confirmed.as_ref().is_some_and(|c| c.except.is_empty() && c.received == self.inbox.taken) {
            return;
        }
        let shown = self.inbox.shown();
        if self.inbox.confirmed.as_ref() == Some(&shown) {
            return;
        }
        self.inbox.confirmed = Some(shown.clone());
        self.out.push_back(Output::Shown(name, shown.clone()));
        if self.registered.is_some() {
            self.send(now, Ask::Received(shown).to_body());
        }
    }

    /// Tells the user what others do, unless they hear only one room, and this is not of it.
    pub(super) fn tell_unless_held(&mut self, now: Time, event: Event) {
        let number = number_of(&event);
        let Some(focus) = &mut self.focus else { return self.tell_message(now, event) };
        let of_room = match &event {
            Event::RoomMessage(said) => said.room == focus.room,
            Event::RoomChanged(changed) => changed.room == focus.room,
            _ => false,
        };
        if of_room {
            return self.tell_message(now, event);
        }
        self.inbox.missing.extend(number);
        // Names count as well: how long they are is what the hub says.
        focus.bytes += to_json(&EventLine { seq: None, time: None, id: None, last: false, event: event.clone() }).len();
        focus.held.push_back(event);
        if focus.held.len() > HELD_MESSAGES || focus.bytes > HELD_BYTES {
            self.end_focus(now, None, Some("more waits than can be held back".into()));
        }
    }

    pub(super) fn focused(&mut self, now: Time, id: Mark, answer: event::Focused) {
        self.release(now);
        self.focus = Some(Focus { room: answer.room.clone(), held: VecDeque::new(), bytes: 0 });
        self.finish(now, id, answer);
    }

    pub(super) fn unfocus(&mut self, now: Time, id: Mark) {
        if self.focus.is_none() {
            return self.refuse(now, id, Failure::from(ErrorCode::NotFocused));
        }
        self.end_focus(now, Some(id), None);
    }

    /// Whoever has left the room hears everything again.
    pub(super) fn left_room(&mut self, now: Time, room: &str) {
        if self.focus.as_ref().is_some_and(|focus| NameKey::of(&focus.room) == NameKey::of(room)) {
            self.end_focus(now, None, Some("you left the room".into()));
        }
    }

    /// Says that everything is heard again, as the answer to a request or by itself; then what has waited.
    fn end_focus(&mut self, now: Time, asked: Option<Mark>, reason: Option<String>) {
        let Some(focus) = &self.focus else { return };
        let unfocused = event::Unfocused { room: focus.room.clone(), held: focus.messages(), reason };
        match asked {
            Some(id) => self.finish(now, id, unfocused),
            None => self.tell(now, unfocused),
        }
        self.release(now);
    }

    /// Tells what has waited.
    pub(super) fn release(&mut self, now: Time) {
        for event in self.focus.take().into_iter().flat_map(|focus| focus.held) {
            self.tell_message(now, event);
        }
    }

    fn tell_message(&mut self, now: Time, event: Event) {
        if let Some(number) = number_of(&event) {
            self.inbox.missing.remove(&number);
            self.inbox.unwritten.insert(number);
        }
        self.tell(now, event);
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
