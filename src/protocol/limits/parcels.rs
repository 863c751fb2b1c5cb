//! The limits of parcels that are handed over by short codes.

use std::time::Duration;

/// Codes of one client that are open at a hub for its parcels.
pub const CODES_EACH: usize = 16;

/// Codes of all clients that are open at a hub for their parcels.
pub const CODES_OPEN: usize = 4_096;

/// Receivers that a sender's code names as admitted: those that have not received everything yet.
pub const CODE_ADMITTED: usize = 64;

/// The longest thing that is said at once in a conversation about a parcel, in bytes.
pub const SAY_BYTES: usize = 32 << 10;

/// What each thing that is said counts besides its own bytes, so that not very many can be said.
pub const SAY_OVERHEAD: usize = 64;

/// Everything that both sides may say in one conversation about a parcel, in bytes.
pub const CONVERSATION_BYTES: usize = 256 << 10;

/// What the receiver may say of it, with its share: all of that is short, and anybody may knock.
pub const RECEIVER_BYTES: usize = 4 << 10;

/// How long a receiver that has knocked may take until the sender admits it.
pub const KNOCK_TIME: Duration = Duration::from_secs(60);

/// The longest text that is sent as a parcel, in bytes.
pub const PARCEL_TEXT: usize = 16 << 10;

/// Files that the first word about a parcel names; more are in a listing of their own.
pub const PARCEL_INLINE: usize = 64;

/// Files in one parcel.
pub const PARCEL_FILES: usize = 250_000;

/// The longest listing of the files in a parcel, in bytes.
pub const PARCEL_LISTING: u64 = 128 << 20;
