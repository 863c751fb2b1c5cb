//! The words of potluck: requests, events, frames of the link, records of the store, error codes and limits. They are
//! plain types that can be read and written as text.
//!
//! Nothing here reads a clock, opens a file or draws a random number.

mod bytes32;
pub mod cause;
mod chunk_set;
pub mod code;
mod code_words;
pub mod data;
mod error;
pub mod event;
mod follow;
pub mod human;
pub mod invite;
pub mod join_link;
mod json;
pub mod likeness;
pub mod limits;
pub mod line;
pub mod log;
mod mistake;
pub mod name;
mod name_key;
mod network;
pub mod old_spellings;
pub mod parcel;
mod plain;
mod read_aloud;
pub mod record;
pub mod request;
mod request_id;
mod route;
pub mod schema;
mod speaker;
mod spelling;
pub mod strict;
pub mod text;
mod timestamp;
pub mod transfer;
mod transport;
pub mod types;
pub mod unicode;
mod usage;
pub mod vocabulary;
pub mod when;
pub mod wire;

pub use bytes32::{ContentHash, NotBytes32, PublicKey};
pub use chunk_set::ChunkSet;
pub use code::Code;
pub use error::{At, ErrorCode, Failure, Retry};
pub use event::Event;
pub use follow::{Follow, Follows};
pub use join_link::{BadLink, DEFAULT_PORT, HostPort, JoinLink};
pub use json::{append_json, to_json};
pub use line::{BadLine, EventLine, RequestLine};
pub use log::{LogEvent, LogLine};
pub use network::Network;
pub use record::{NameRecord, Record};
pub use request::Request;
pub use route::Route;
pub use speaker::Speaker;
pub use timestamp::Timestamp;
pub use transfer::{Chunking, DEFAULT_CHUNK, MAX_CHUNKS, MAX_SIZE, OnConflict};
pub use transport::{TransportChoice, TransportKind};
pub use types::{Client, Content, Direction, Id, Offer, OfferName, Presence, Transfer};
