//! The events of a client, for the program that runs it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::mpsc;

use crate::core::session::{is_private, number_of};
use crate::io::drive::client::Message;
use crate::io::drive::output::Output;
use crate::io::drive::queued::Numbered;
use crate::protocol::{Event, EventLine};

/// The events of a [`Client`](super::Client), as [`Client::events`](super::Client::events) returns them.
///
/// A message that was taken from here counts as delivered. Events that are not taken wait in bounded memory. Of the
/// table, the roster and the progress of transfers, only the newest state waits; if there is no room for other events,
/// a `gap` says how many were dropped.
pub struct Events {
    told: Output<EventLine>,
    mailbox: mpsc::Sender<Message>,
    numbered: Numbered,
    /// Messages that were taken and not yet reported to the client: the numbers of those from the hub, and how many
    /// private ones.
    numbers: Vec<u64>,
    privates: usize,
}

impl Events {
    pub(super) fn new(told: Output<EventLine>, mailbox: mpsc::Sender<Message>) -> Self {
        Self { told, mailbox, numbered: Numbered::default(), numbers: Vec::new(), privates: 0 }
    }

    /// The next event; `None` once the client has ended and all events were taken. It may be cancelled without losing
    /// an event.
    pub async fn next(&mut self) -> Option<EventLine> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Reports to the client which messages have been taken.
    fn report(&mut self) {
        if self.numbers.is_empty() && self.privates == 0 {
            return;
        }
        let taken = Message::Written(std::mem::take(&mut self.numbers), std::mem::take(&mut self.privates));
        if let Err(mpsc::error::TrySendError::Full(Message::Written(numbers, privates))) = self.mailbox.try_send(taken)
        {
            // The client is busy: report them with the next event.
            (self.numbers, self.privates) = (numbers, privates);
        }
    }
}

impl Stream for Events {
    type Item = EventLine;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<EventLine>> {
        let this = self.get_mut();
        loop {
            let polled = this.told.poll_next(cx);
            let Poll::Ready(Some(popped)) = polled else {
                this.report();
                return polled.map(|_| None);
            };
            let mut line = Numbered::line(popped);
            this.numbers.extend(number_of(&line.event));
            this.privates += usize::from(is_private(&line.event));
            this.report();
            // The user must not see this one.
            if !matches!(line.event, Event::Withheld(_)) {
                this.numbered.number(&mut line);
                return Poll::Ready(Some(line));
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.report();
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
