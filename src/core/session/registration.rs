//! Our registration at the hub: our name, or why the hub has refused us.

use crate::protocol::name::NameKey;
use crate::protocol::{Client, ErrorCode, event, request};

/// Our place in the roster. See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Registration {
    /// Our name; none while we are not in the roster.
    name: Option<String>,
    /// The name that we had before `dereg`.
    parted: Option<String>,
    /// Our number in the roster, even after we have left it.
    number: Option<u64>,
    /// Why the hub has not let us in, for the exit code of a program that leaves without having been there.
    refused: Option<ErrorCode>,
}

impl Registration {
    /// Our name while we are in the roster.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether we are in the roster.
    pub(super) fn is_in(&self) -> bool {
        self.name.is_some()
    }

    /// The name that we had before `dereg`.
    pub(super) fn parted(&self) -> Option<&str> {
        self.parted.as_deref()
    }

    /// Whether we have never been in the roster.
    pub(super) fn is_first(&self) -> bool {
        self.name.is_none() && self.parted.is_none()
    }

    /// The hub has let us in.
    pub(super) fn admit(&mut self, name: &str, number: u64) {
        (self.name, self.number, self.refused) = (Some(name.to_owned()), Some(number), None);
    }

    /// The user has registered again after `dereg`.
    pub(super) fn forget_parted(&mut self) {
        self.parted = None;
    }

    /// The hub wants more than our name. The user can still give it.
    pub(super) fn refuse(&mut self, code: ErrorCode) {
        (self.name, self.refused) = (None, Some(code));
    }

    /// The user has asked to be taken out of the roster.
    pub(super) fn leave(&mut self) {
        self.parted = self.name.take();
    }

    /// The hub was restarted: it will number everybody anew.
    pub(super) fn forget_number(&mut self) {
        self.number = None;
    }

    /// Marks which of these is ourselves: nobody is told of their own coming and going.
    pub(super) fn mark_ourselves(&self, clients: &mut [Client]) {
        for client in clients {
            client.you = self.number == Some(client.number);
        }
    }

    /// Who is there, without ourselves if that was asked.
    pub(super) fn roster_for(&self, who: &request::Who, mut roster: event::Roster) -> event::Roster {
        if let Some(name) = self.name.as_ref().filter(|_| who.others) {
            let ours = NameKey::of(name);
            roster.clients.retain(|client| NameKey::of(&client.name) != ours);
        }
        roster
    }

    /// The exit code of a session that ends because its user has nothing more to ask.
    pub(super) fn exit_code(&self) -> u8 {
        self.refused.map_or(0, ErrorCode::exit)
    }
}
