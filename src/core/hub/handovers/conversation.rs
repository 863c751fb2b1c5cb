//! One conversation: the sender that has opened a number, and whoever has knocked there.

use std::net::IpAddr;

use crate::core::hub::PeerId;
use crate::core::time::Time;
use crate::protocol::PublicKey;
use crate::protocol::code::Nameplate;
use crate::protocol::limits::{CONVERSATION_BYTES, RECEIVER_BYTES, SAY_BYTES, SAY_OVERHEAD};

/// Two sessions of which one has knocked at a number of the other.
pub(super) struct Conversation {
    pub(super) since: Time,
    pub(super) nameplate: Nameplate,
    pub(super) sender: Side,
    pub(super) receiver: Side,
    /// From where the receiver has knocked.
    pub(super) address: IpAddr,
    /// The bytes that both have said, and those of the receiver.
    pub(super) said: usize,
    pub(super) of_receiver: usize,
    /// The receiver has knocked with a share, and the sender has answered: the receiver can guess now.
    pub(super) can_guess: bool,
    /// The receiver has knocked with a share.
    pub(super) exchanges: bool,
    /// The sender has let the receiver meet it.
    pub(super) admitted: bool,
}

/// One side of a conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub(super) id: PeerId,
    pub(super) key: PublicKey,
}

/// Why a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// This side has hung up.
    HungUp(PeerId),
    /// The session of this side has ended, or it has come anew.
    Left(PeerId),
    /// It took too long, or they said too much.
    Stopped,
}

impl Conversation {
    /// One that begins with a share of so many bytes, or without one. The sides are the sender and the receiver.
    pub(super) fn new(
        since: Time,
        nameplate: Nameplate,
        [sender, receiver]: [Side; 2],
        address: IpAddr,
        share: Option<usize>,
    ) -> Self {
        let (said, exchanges) = (share.unwrap_or(0), share.is_some());
        let (of_receiver, can_guess, admitted) = (said, false, false);
        Self { since, nameplate, sender, receiver, address, said, of_receiver, can_guess, exchanges, admitted }
    }

    /// The other side; `None` if this session is none of the two.
    pub(super) fn other(&self, id: PeerId) -> Option<Side> {
        match id {
            _ if id == self.sender.id => Some(self.receiver),
            _ if id == self.receiver.id => Some(self.sender),
            _ => None,
        }
    }

    /// Counts what a side says. Returns whether it may be said.
    pub(super) fn count(&mut self, id: PeerId, bytes: usize) -> bool {
        self.said += bytes + SAY_OVERHEAD;
        if id == self.receiver.id {
            self.of_receiver += bytes + SAY_OVERHEAD;
        }
        bytes <= SAY_BYTES && self.said <= CONVERSATION_BYTES && self.of_receiver <= RECEIVER_BYTES
    }

    /// Whom its end is told, and whether the other side of that one is gone and has not ended it.
    pub(super) fn told_of(&self, end: End) -> Vec<(PeerId, bool)> {
        let (sender, receiver) = (self.sender.id, self.receiver.id);
        let other = |id| if id == sender { receiver } else { sender };
        match end {
            End::HungUp(id) => vec![(other(id), false)],
            End::Left(id) => vec![(other(id), true)],
            End::Stopped => vec![(sender, true), (receiver, true)],
        }
    }

    /// Whether the receiver has guessed at the code and has ended it before that was found out.
    pub(super) fn breaks_off(&self, end: End) -> bool {
        let ends = match end {
            End::HungUp(id) | End::Left(id) => id == self.receiver.id,
            End::Stopped => false,
        };
        ends && self.can_guess && !self.admitted
    }
}
