//! Matches what the client tells with what the program waits for: that the client has entered the hub, and the answers
//! to its requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::io::drive::client::{Message, Observer};
use crate::protocol::{ErrorCode, Event, EventLine, Failure, Id};

/// The answers that are awaited. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Awaited>>);

#[derive(Default)]
struct Awaited {
    /// The number of the newest request.
    last: i64,
    requests: HashMap<i64, oneshot::Sender<Event>>,
    /// The newest failure that belongs to no request.
    wrong: Option<Failure>,
    /// Whether the client has ended, so that there are no more answers.
    ended: bool,
}

/// An answer that is awaited. Dropping it stops waiting.
pub(super) struct Awaiting {
    answers: Answers,
    number: i64,
    answer: oneshot::Receiver<Event>,
}

impl Answers {
    /// Numbers a new request, and returns its awaited answer.
    pub(super) fn await_one(&self) -> Awaiting {
        let (tell, answer) = oneshot::channel();
        let mut awaited = self.lock();
        awaited.last += 1;
        let number = awaited.last;
        if !awaited.ended {
            awaited.requests.insert(number, tell);
        }
        Awaiting { answers: self.clone(), number, answer }
    }

    /// Ends all waiting: there are no more answers.
    pub(super) fn end_all(&self) {
        let mut awaited = self.lock();
        awaited.ended = true;
        awaited.requests.clear();
    }

    /// The newest failure that belongs to no request.
    pub(super) fn wrong(&self) -> Option<Failure> {
        self.lock().wrong.clone()
    }

    /// Locks the table. It is never held for long.
    fn lock(&self) -> MutexGuard<'_, Awaited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaiting {
    /// The `id` for the request.
    pub(super) fn id(&self) -> Id {
        Id::Number(self.number)
    }

    /// Waits for the final event of the request.
    ///
    /// # Errors
    /// The failure with which the request was answered; `interrupted` if the client has ended.
    pub(super) async fn event(&mut self) -> Result<Event, Failure> {
        match (&mut self.answer).await {
            Ok(Event::Error(error)) => Err(error.into()),
            Ok(event) => Ok(event),
            Err(_) => Err(Failure::new(ErrorCode::Interrupted, "The client has ended.")),
        }
    }
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        self.answers.lock().requests.remove(&self.number);
    }
}

/// The reader of the client's events: passes answers to those who wait for them, and everything else to
/// [`Events`](super::Events).
pub(super) struct Taking {
    answers: Answers,
    /// Gets the result of entering the hub, once.
    entered: Option<oneshot::Sender<Result<(), Failure>>>,
    mailbox: mpsc::Sender<Message>,
    /// Whether the client has been told not to wait for the reader. Telling it again would postpone its end.
    ending: bool,
}

impl Taking {
    pub(super) fn new(
        answers: Answers,
        entered: oneshot::Sender<Result<(), Failure>>,
        mailbox: mpsc::Sender<Message>,
    ) -> Self {
        Self { answers, entered: Some(entered), mailbox, ending: false }
    }

    fn enter(&mut self, how: Result<(), Failure>) {
        if let Some(entered) = self.entered.take() {
            // If the receiver has gone, the program has dropped the client.
            let _ = entered.send(how);
        }
    }
}

impl Observer for Taking {
    fn told(&mut self, line: EventLine) -> Option<EventLine> {
        if let (Event::Error(error), None) = (&line.event, &line.id) {
            self.answers.lock().wrong = Some(error.clone().into());
        } else if let Event::Welcome(_) = &line.event {
            self.enter(Ok(()));
        } else if let Event::Bye(_) = &line.event {
            self.enter(Err(self.answers.wrong().unwrap_or_else(|| ErrorCode::Interrupted.into())));
        }
        let asked = match (&line.id, line.last) {
            (Some(Id::Number(number)), true) => self.answers.lock().requests.remove(number),
            (Some(_) | None, _) => None,
        };
        match asked {
            Some(asked) => {
                let _ = asked.send(line.event);
                None
            }
            None => Some(line),
        }
    }

    /// Answers are delivered as they arrive, so a request need not wait until events have been read.
    fn unread(&self, _waiting: usize) -> usize {
        0
    }

    /// A program that leaves need not read the remaining events. The hub keeps the messages among them.
    fn end_waits(&mut self) {
        // If the queue is full, this is called again a second later.
        self.ending = self.ending || self.mailbox.try_send(Message::Interrupt(0)).is_ok();
    }
}
