//! Potluck shares files and messages among people and programs: a [`Hub`] knows who is there and what is offered, and a
//! [`Client`] joins it. Files go straight from client to client, encrypted and verified; the hub only says who has what.
//!
//! The program `potluck` is made of these two; `README.md` says how it is used. As a library, they put a hub into a
//! test, or a bot into a program:
//!
//! ```
//! use potluck::protocol::request;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), potluck::Failure> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let (dir, data) = (folder.path().join("hub"), folder.path().join("bot"));
//! # std::fs::write(folder.path().join("notes.txt"), "soup at eight").unwrap();
//! # let music = folder.path();
//! let hub = potluck::Hub::builder().data(dir).bind("127.0.0.1:0").start().await?;
//! let client = potluck::Client::connect(hub.link()).name("bot").data(data).offer_from(music).await?;
//!
//! client.request(request::Offer { files: vec!["notes.txt".into()], ..request::Offer::default() }).await?;
//! let table = client.request(request::List::default()).await?;
//! assert_eq!(table.offers[0].file, "notes.txt");
//!
//! client.leave().await?;
//! hub.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! What can be asked stands in [`protocol::request`], what is told in [`protocol::event`]; both are the same words that
//! people type and programs pipe. Whatever goes wrong is a [`Failure`], whose [`ErrorCode`] says what and whether asking
//! again can help.
//!
//! Hub and client run on threads of their own, whichever runtime they are awaited on. `examples/` has a bot
//! (`greeter.rs`) and a hub inside a test (`hub_in_a_test.rs`).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod client;
mod guide;
pub mod hub;
#[cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants))]
pub mod protocol;

// The rooms behind the doors. They are no part of the library: they are public only because this package's own program,
// tests and benches are crates of their own, which drive the machines of `core` by hand, play `sim`, and attack `io` at
// its sockets. They change without notice.
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
#[cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants))]
pub mod core;
#[doc(hidden)]
#[cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants))]
pub mod io;
#[doc(hidden)]
pub mod sim;
#[doc(hidden)]
#[cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants))]
pub mod ui;

pub use client::Client;
pub use hub::Hub;
pub use protocol::{ErrorCode, Failure};
