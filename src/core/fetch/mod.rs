//! Getting contents from those who have them: every decision of a transfer.
//!
//! A [`Fetch`] is one transfer: of a file, of some chunks of one, or of a folder, as its [`FetchPlan`] says. It decides
//! who is dialled, over how many connections, what is asked of each and how far ahead, which of two that bring the same
//! is written, when a source is given up, whether it is asked again, and when all of it has come to its end. It is
//! driven like every machine of [`core`](super): inputs say what has happened, outputs say what is to be done. It reads
//! and writes nothing, and never sees a byte: the driver verifies what comes before it says that it has come.
//!
//! A *lane* is one connection to one source, from [`Output::Dial`] to [`Input::Ended`], which the driver says exactly
//! once for each. What a lane fetches is its [`Job`]: chunks of one content, or small files, which come whole and many
//! for each request. A folder has both: its small files come as a stream, its larger ones in chunks, one after the
//! other, each over lanes of its own, so that each is an upload of its own to whoever gives it.
//!
//! | part | decides |
//! |---|---|
//! | `machine` | the order of it all: what is opened, what has ended |
//! | `content` | for one content: sources, manifest, chunks, starvation |
//! | `stream` | for small files: sources, files, who helps whom |
//! | `lanes` | for one lane: how far ahead it asks, when it is too slow or silent |
//! | `growth` | how many lanes are worth it |
//! | [`chunks`], [`small_files`] | which chunk, which file from whom |
//! | `telling` | what the user is told, and how often |
//! | [`invariants`] | nothing: says what always holds |

pub mod chunks;
mod content;
mod growth;
pub mod invariants;
mod lanes;
mod machine;
pub mod news;
pub mod plan;
pub mod small_files;
mod sources;
mod stream;
mod telling;
#[cfg(test)]
mod tests;
pub mod words;

pub use machine::{Fetch, Got};
pub use news::TransferNote;
pub use plan::{FetchPlan, PlannedFile, Source};
pub use words::{Found, Input, Job, Lane, LaneError, Opened, Output, Start};

/// Chunks of up to this size, in bytes, are verified before they are written, and may come over two lanes at once.
/// Larger ones are written as they come, so that memory stays small for any size.
pub const GATHERED: u64 = 2 << 20;
