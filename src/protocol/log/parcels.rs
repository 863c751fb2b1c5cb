//! What the hub's log says about parcels that are handed over by a code. Never the words of a code, which the hub does not
//! know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::code::Nameplate;
use crate::protocol::vocabulary::bodies;

bodies! {
    /// Somebody sends a parcel, and has a number for its code.
    ParcelOpened {
        /// The number of the code.
        code: Nameplate,
        /// The name that the sender's key has here; empty if it has none.
        name: String,
        /// The address and port of the sender.
        address: String,
    }
    /// The sender of a parcel has let a receiver in, who knows the code.
    ParcelAdmitted {
        /// The number of the code.
        code: Nameplate,
        /// The name that the receiver's key has here; empty for a guest.
        name: String,
        /// The address of the receiver.
        address: String,
    }
    /// Somebody has guessed at the code of a parcel, or broken off.
    ParcelGuessed {
        /// The number of the code.
        code: Nameplate,
        /// The address of whoever has guessed.
        address: String,
    }
}
