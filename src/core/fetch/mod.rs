//! Getting contents from those who have them: every decision of a transfer.
//!
//! A [`Fetch`] is one transfer: of a file, of some chunks of one, or of a folder, as its [`FetchPlan`] says. It decides
//! which sources are dialled, over how many connections, what is requested over each and how far ahead, when a source
//! is given up, whether it is dialled again, and when the transfer ends. If two connections deliver the same chunk, it
//! decides which of them writes it. It is driven like every machine of [`core`](super): inputs say what has happened,
//! outputs say what the driver must do. It does no I/O and never sees a byte of content. The driver verifies each chunk
//! and each file against its hash, and only then reports it as arrived.
//!
//! A *lane* is one connection to one source. It begins with [`Output::Dial`] and ends with [`Input::Ended`], which the
//! driver reports exactly once for each lane. Each lane has one [`Job`]: chunks of one file, or small files, which come
//! whole, many for each request (the *stream*). A folder needs both. Its small files come over the lanes of the stream;
//! meanwhile its larger files come in chunks, one file after the other. Each larger file has lanes of its own, and so
//! its source counts one upload for each.
//!
//! | part | decides |
//! |---|---|
//! | `machine` | which file is opened, fetched and placed next, and when the transfer ends |
//! | `content` | for one file that comes in chunks: its sources, its manifest, and when it fails because nobody sends |
//! | `stream` | for small files: their sources, and which idle lane takes over files from a slow one |
//! | `lanes` | for one lane: how far ahead it requests, when it is too slow or silent |
//! | `growth` | whether one more lane to a source is worth it |
//! | `redials` | when a source that was lost is dialled again, and when it is given up |
//! | `renewal` | when a lane is replaced by one over a better way |
//! | [`chunks`], [`small_files`] | which lane fetches which chunk, which file |
//! | `telling` | what the user is told, and how often |
//! | [`invariants`] | nothing; it checks in tests and debug builds what must always hold |

pub mod chunks;
mod content;
mod growth;
pub mod invariants;
mod lanes;
mod machine;
pub mod news;
pub mod plan;
mod redials;
mod renewal;
pub mod small_files;
mod sources;
mod stream;
mod telling;
#[cfg(test)]
mod tests;
mod way;
pub mod words;

pub use machine::{Fetch, Got};
pub use news::TransferNote;
pub use plan::{FetchPlan, PlannedFile, Source};
pub use words::{Found, Input, Job, Lane, LaneError, Opened, Output, Start};

/// Chunks of up to this size, in bytes, are gathered in memory, verified, and then written; two lanes may fetch the
/// same one at once. A larger chunk is written while it comes and verified at its end, so that memory stays small; it
/// counts as arrived only if its hash is right.
pub const GATHERED: u64 = 2 << 20;
