//! What integration tests share. Each of them is a crate of its own and uses a part.

pub mod false_hub;
pub mod liar;
pub mod link;
pub mod peers;
pub mod place;
pub mod proxy;
pub mod raw;

pub mod process;
pub mod scene;
