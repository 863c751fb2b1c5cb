//! What integration tests share.

pub mod proxy;
