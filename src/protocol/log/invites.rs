//! Log events about invites.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::vocabulary::bodies;

bodies! {
    /// An invite has let a key in.
    InviteSpent {
        /// The name of the invite.
        invite: String,
        /// The name of the client that used it.
        name: String,
    }
    /// Somebody has come with the short code of an invite.
    CodeUsed {
        /// The name of the invite.
        invite: String,
        /// The address and port of the client.
        address: String,
    }
    /// Somebody has guessed at the short code of an invite, or broken off: it is void now.
    CodeGuessed {
        /// The name of the invite.
        invite: String,
        /// The address and port of the client.
        address: String,
    }
}
