//! What a program waits for of its client: that it has entered, and the answers to requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::io::drive::client::{Message, Observer};
use crate::protocol::{ErrorCode, Event, EventLine, Failure, Id};

/// The answers that somebody waits for. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Awaited>>);

#[derive(Default)]
struct Awaited {
    /// The number of the last request.
    last: i64,
    requests: HashMap<i64, oneshot::Sender<Event>>,
    /// What went wrong last that concerns no request.
    wrong: Option<Failure>,
    /// The client has ended: there are no more answers.
    ended: bool,
}

/// An answer that is waited for. Dropped, nobody waits for it any more.
pub(super) struct Awaiting {
    answers: Answers,
    number: i64,
    answer: oneshot::Receiver<Event>,
}

impl Answers {
    /// A number for a request, and its answer to wait for.
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

    /// Nothing will be answered any more.
    pub(super) fn end(&self) {
        let mut awaited = self.lock();
        awaited.ended = true;
        awaited.requests.clear();
    }

    /// What went wrong last that concerns no request.
    pub(super) fn wrong(&self) -> Option<Failure> {
        self.lock().wrong.clone()
    }

    /// Held for moments only.
    fn lock(&self) -> MutexGuard<'_, Awaited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Awaiting {
    /// The `id` of the request.
    pub(super) fn id(&self) -> Id {
        Id::Number(self.number)
    }

    /// The event that answers it.
    ///
    /// # Errors
    /// Why it was refused, or failed; `interrupted` if the client has ended.
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

/// Takes answers to those who wait for them; all else goes to the reader of events.
pub(super) struct Taking {
    answers: Answers,
    /// Told once: that the client has entered the hub, or why not.
    entered: Option<oneshot::Sender<Result<(), Failure>>>,
    mailbox: mpsc::Sender<Message>,
    /// The client has been told not to wait for the reader: telling it again would put its end off again.
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
            // Who does not wait any more has let go of the client.
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

    /// Answers go to who has asked, so that requests need not wait until events are read.
    fn unread(&self, _waiting: usize) -> usize {
        0
    }

    /// A program that leaves does not have to read what it has not read before: the hub keeps it.
    fn end_waits(&mut self) {
        // If there is no room now, this is called again in a second.
        self.ending = self.ending || self.mailbox.try_send(Message::Interrupt(0)).is_ok();
    }
}
