//! What was said and is on disk: told to the log, and to its sender once it has arrived or that takes too long.

use super::feed::Awaiting;
use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::record::StoredMessage;
use crate::protocol::{Event, Id, event, log};

impl Hub {
    pub(super) fn said_to_one(
        &mut self,
        now: Time,
        message: &StoredMessage,
        to: String,
        fed: bool,
        (peer, request_id): (PeerId, Option<Id>),
    ) {
        let (number, sent, bytes) = (message.number, message.sent, message.text.len() as u64);
        let (from, delivered) = (message.from.clone(), u64::from(fed));
        self.log(log::MessageStored { number, from, to: Some(to.clone()), room: None, bytes, delivered });
        let deadline = now + self.config.link.ack_timeout;
        let awaiting = Awaiting { peer, request_id, to, sent, deadline };
        if fed {
            let request_id = awaiting.request_id.clone();
            self.awaiting.insert(number, awaiting);
            self.let_others_pass(now, peer, &request_id);
        } else {
            self.answer_awaiting(now, number, awaiting, 0);
        }
    }

    pub(super) fn log_message(&mut self, message: &StoredMessage, acked: &Event) {
        let (number, from, bytes) = (message.number, message.from.clone(), message.text.len() as u64);
        if let Event::MessageAcked(event::MessageAcked { to, room, delivered, .. }) = acked.clone() {
            self.log(log::MessageStored { number, from, to, room, bytes, delivered });
        }
    }
}
