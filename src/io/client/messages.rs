//! Messages on their way to the user: when they have been written, and who has had which.

use super::{ClientDriver, Message};
use crate::core::outbox::Popped;
use crate::core::session::{Input, Replica, number_of};
use crate::io::output::Render;
use crate::io::queued::tell;
use crate::protocol::wire::Received;
use crate::protocol::{Event, EventLine};

/// What the session is to hear once it has said all that it has to say.
pub(super) enum Later {
    /// Which messages somebody has had.
    InboxOpened(String, Received),
    /// This message stands in a gap: the user is told so, and can ask `history` for it.
    InGap(u64),
}

impl Later {
    pub(super) fn input(&self) -> Input<'_> {
        match self {
            Self::InboxOpened(name, shown) => Input::InboxOpened(name, shown),
            Self::InGap(number) => Input::Written(std::slice::from_ref(number)),
        }
    }
}

impl<W: FnMut(&Replica)> ClientDriver<W> {
    pub(super) fn tell(&mut self, line: EventLine) {
        let number = number_of(&line.event);
        if !tell(&self.printed, line) {
            self.later.extend(number.map(Later::InGap));
        }
    }

    pub(super) fn open_inbox(&mut self, name: String) {
        let shown = self.inboxes.as_mut().map_or_else(|| Ok(Received::default()), |inboxes| inboxes.shown(&name));
        let shown = shown.unwrap_or_else(|e| {
            tracing::warn!("what {name} has read cannot be looked up: {e}");
            Received::default()
        });
        self.later.push_back(Later::InboxOpened(name, shown));
    }

    pub(super) fn remember(&mut self, name: &str, shown: &Received) {
        let kept = self.inboxes.as_mut().map_or(Ok(()), |inboxes| inboxes.remember(name, shown));
        if let Err(e) = kept {
            tracing::warn!("what {name} has read cannot be remembered: {e}");
        }
    }
}

/// Renders what is told, and lets the client know which messages its user has.
pub struct Reporting<R> {
    render: R,
    mailbox: tokio::sync::mpsc::Sender<Message>,
    numbers: Vec<u64>,
}

impl<R> Reporting<R> {
    /// Around a renderer.
    pub fn new(render: R, mailbox: tokio::sync::mpsc::Sender<Message>) -> Self {
        Self { render, mailbox, numbers: Vec::new() }
    }
}

impl<R: Render<EventLine>> Render<EventLine> for Reporting<R> {
    fn render(&mut self, popped: Popped<EventLine>, out: &mut Vec<u8>) {
        if let Popped::Item(line) = &popped {
            self.numbers.extend(number_of(&line.event));
            if matches!(line.event, Event::Withheld(_)) {
                return;
            }
        }
        self.render.render(popped, out);
    }

    fn is_due(&self) -> bool {
        !self.numbers.is_empty()
    }

    fn written(&mut self) {
        if !self.numbers.is_empty() {
            // A client that has ended does not listen any more.
            let _ = self.mailbox.blocking_send(Message::Written(std::mem::take(&mut self.numbers)));
        }
    }
}
