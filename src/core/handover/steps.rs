//! What the machines want to be done.

use crate::core::exchange::Share;
use crate::protocol::parcel::{Parcel, Ticket};
use crate::protocol::{Failure, PublicKey};

/// What is to be done for a sender.
#[derive(Debug, Clone, PartialEq)]
pub enum SendingStep {
    /// Say this in a conversation.
    Say(u64, Vec<u8>),
    /// Let the other side of a conversation meet us, and the holder of this key fetch the parcel: the receiver of this
    /// number, from 1.
    Admit {
        /// The conversation.
        conversation: u64,
        /// The receiver's key.
        key: PublicKey,
        /// Which of those who may have it, from 1.
        receiver: u64,
        /// Whether they come back.
        again: bool,
        /// Whether its user is told: of one who comes back again and again, once a minute.
        told: bool,
    },
    /// A receiver has everything.
    Delivered {
        /// The receiver's key.
        key: PublicKey,
        /// Which of those who may have it, from 1.
        receiver: u64,
        /// How many more may have it.
        left: u64,
    },
    /// A receiver has left before it had everything. It may come back.
    Left {
        /// The receiver's key.
        key: PublicKey,
        /// Whether it is gone, and did not end it.
        gone: bool,
    },
    /// End a conversation.
    HangUp {
        /// The conversation.
        conversation: u64,
        /// Whether the other side has guessed at the code.
        guessed: bool,
    },
}

/// What is to be done for a receiver.
#[derive(Debug, Clone, PartialEq)]
pub enum ReceivingStep {
    /// Knock, with this share or, if it was right before, with none.
    Knock(Option<Share>),
    /// Say this in a conversation.
    Say(u64, Vec<u8>),
    /// End a conversation.
    HangUp(u64),
    /// Keep this until everything is here.
    Keep(Box<Ticket>),
    /// Drop what was kept: it is of no use any more.
    Forget,
    /// The code was right: the holder of this key sends this.
    Found(Box<Parcel>, PublicKey),
    /// The sender has come back, and tells the parcel once more: where it is to be had may be another place.
    Again(Box<Parcel>),
    /// The sender has ended before everything was here.
    Gone,
    /// Everything is here, and the sender knows it, or cannot be told.
    Told,
    /// The parcel cannot be had.
    Failed(Failure),
}
