//! Judges messages: whether they may be sent, and to whom. Also the trimming of old ones.

use super::super::State;
use super::super::mailbox::Full;
use super::{Decision, Judge, Outcome};
use crate::protocol::line::pointer_at;
use crate::protocol::name::is_lobby;
use crate::protocol::record::{Destination, StoredMessage};
use crate::protocol::text::check_text;
use crate::protocol::{ErrorCode, Failure, Record, request};

/// Judges a trimming below this number. `None` if that much is trimmed already; the newest message always stays.
pub(in crate::core::hub) fn trim(state: &State, below: u64) -> Option<Record> {
    let below = below.min(state.mail.last());
    (below > state.mail.trimmed()).then_some(Record::Trim { below })
}

impl Judge<'_> {
    /// Judges `message`. A message from somebody whom the receiver blocks is accepted and marked as withheld.
    ///
    /// # Errors
    /// What is wrong with the text, `yourself`, `no-such-person`, `mailbox-full`
    pub(super) fn message(&self, message: request::Message) -> Result<Decision, Failure> {
        check_text(&message.text)?;
        let to = self.state.other(&self.author.name_key, &message.to, "/to")?;
        let name = self.state.names.shown(&to);
        let withheld = self.state.blocks.has(&to, &self.author.name_key);
        let most = (self.terms.limits.mailbox, self.terms.limits.mailbox_bytes);
        let full = self
            .state
            .mail
            .mailbox(&to)
            .and_then(|mailbox| mailbox.is_full(message.text.len(), withheld, self.names_of_author(), most));
        if let Some(full) = full {
            return Err(mailbox_full(&full, &name, most));
        }
        Ok(self.said(Destination::Person { name, name_key: to }, message.text, withheld))
    }

    /// Judges `broadcast`: a message to the lobby.
    pub(super) fn broadcast(&self, text: String) -> Result<Decision, Failure> {
        check_text(&text)?;
        Ok(self.said(Destination::Lobby, text, false))
    }

    /// Judges `say`: a message to a room, or to the lobby.
    ///
    /// # Errors
    /// What is wrong with the text, `no-such-room`, `not-a-member`
    pub(super) fn say(&self, say: request::Say) -> Result<Decision, Failure> {
        if is_lobby(&say.room) {
            return self.broadcast(say.text);
        }
        check_text(&say.text)?;
        let room = self.state.own_room(&self.author.name_key, &say.room)?;
        Ok(self.said(Destination::Room(room), say.text, false))
    }

    /// The decision to send a message, with the next number.
    fn said(&self, destination: Destination, text: String, withheld: bool) -> Decision {
        let message = StoredMessage {
            number: self.state.mail.last() + 1,
            sent: self.terms.today,
            from: self.author.name.clone(),
            from_key: self.author.name_key.clone(),
            destination,
            text,
            withheld,
            idempotency_key: self.author.idempotency_key.clone(),
        };
        Decision { records: vec![Record::Message(message)], outcome: Outcome::Said }
    }
}

fn mailbox_full(full: &Full, name: &str, (most, most_bytes): (u64, u64)) -> Failure {
    let message = match full {
        Full::Messages(Some(share)) => {
            format!("{share} messages of yours may be kept for {name} at the moment; there is no room for more.")
        }
        Full::Bytes(Some(share)) => format!(
            "Messages of yours of {share} bytes may be kept for {name} at the moment; that is not enough for this one."
        ),
        Full::Messages(None) => format!("{most} messages are kept for {name}; there is no room for more."),
        Full::Bytes(None) => {
            format!("Messages of {most_bytes} bytes may be kept for {name}; that is not enough for this one.")
        }
    };
    Failure::new(ErrorCode::MailboxFull, message).at(pointer_at("/to"))
}
