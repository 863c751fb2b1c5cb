//! A client's data folder: its keys, the pinned keys of others, and which messages its users have seen. What it got
//! for a short code.

pub mod home;
pub mod inbox;
pub mod joined;
mod known_keys;
pub mod pins;
pub mod redeemed;
pub mod sent_codes;
pub mod tickets;
