//! Clients that the hub calls because it cannot dial them, and who waits for each.

use std::collections::HashMap;

use tokio::net::TcpStream;

use super::{Mailbox, Message};
use crate::io::transfer::{Call, CallAnswer};

/// Those who wait for a client that was called, by the number of the call.
#[derive(Default)]
pub(super) struct Calls {
    last: u64,
    waiting: HashMap<u64, CallAnswer>,
}

impl Calls {
    /// Has somebody wait, and returns the call's number.
    pub(super) fn add(&mut self, answer: CallAnswer) -> u64 {
        self.last += 1;
        self.waiting.insert(self.last, answer);
        self.last
    }

    /// The client has come, or will not.
    pub(super) fn answer(&mut self, call: u64, stream: Option<TcpStream>) {
        let Some(answer) = self.waiting.remove(&call) else { return };
        // One that has broken meanwhile does not come.
        let stream = stream.and_then(|stream| stream.into_std().ok());
        answer(stream);
    }
}

/// Calls clients by asking the hub.
pub(super) fn caller(mailbox: Mailbox) -> Box<Call> {
    Box::new(move |key, content, answer| {
        // If the hub has ended, dropping the answer says that nobody comes.
        let _ = mailbox.blocking_send(Message::Call { key, content, answer });
    })
}
