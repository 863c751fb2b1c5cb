//! A parcel is handed over by a short code: the decisions of its sender ([`Sending`]) and of its receiver
//! ([`Receiving`]), each for itself. How both talk by way of the hub stands in
//! [`wire::OpenCode`](crate::protocol::wire::OpenCode).
//!
//! Neither trusts the hub. The sender counts by itself who was right and who was not ([`Life`](super::exchange::Life)):
//! one exchange that does not end well ends its code, however it failed. Both bind the keys of both to the exchange, so a
//! hub that names other keys gets an exchange that fails. The parcel is sealed, and what is then fetched comes from
//! whoever proves the sender's key, and is compared with the hashes that were sealed. So a hub that lies, repeats,
//! reorders or invents can end a handover, and gets nothing of it.
//!
//! **Returns.** Whoever was right once may come back without an exchange, by its key, as often as it must: its
//! connection or the hub's memory may be lost, or its process killed (it has a
//! [`Ticket`](crate::protocol::parcel::Ticket)). The receiver then says a nonce, the sender says one, and both come to a
//! channel of its own from what they have kept of the first one ([`Resumption`](super::exchange::Resumption)). Only in
//! such a channel, or the first, can it be said that everything has arrived.
//!
//! **In each conversation** the receiver speaks first, and each side says what follows, in this order:
//!
//! | | receiver | sender |
//! |---|---|---|
//! | the first time | share, with the knock | share |
//! | | confirmation | confirmation, then the parcel, sealed |
//! | a return | nonce | nonce, then the parcel, sealed |
//! | at the end | `received`, sealed | hangs up |
//!
//! Both follow the drain contract of [`core`](super): inputs are method calls, and `poll` gives the steps until there are
//! none.

mod checking;
mod receiving;
mod returning;
mod sending;
mod steps;

use std::time::Duration;

pub use checking::{check_files, check_not_hidden, check_parcel};
pub use receiving::Receiving;
pub use sending::Sending;
pub use steps::{ReceivingStep, SendingStep};

/// How long the other side may take for its next message of an exchange. What takes longer is a guess.
pub const CONFIRM_TIME: Duration = Duration::from_secs(30);

/// How long the hub may take for an answer to what a sender or receiver asks it.
pub const HUB_TIME: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests;
