//! A client's data folder: its keys, the keys of others that it knows, and what was shown of its messages.

pub mod home;
pub mod inbox;
pub mod pins;
