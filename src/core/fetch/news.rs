//! What is told of a download, from the machine to the session, which makes events of it.

use crate::protocol::types::Source;
use crate::protocol::wire::Had;
use crate::protocol::{Failure, Route};

/// How a download goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum TransferNote {
    /// It begins.
    Started {
        /// Where the file will be.
        path: String,
        /// Bytes that are there already.
        resumed: u64,
        /// The way that its first connection takes, if there is one by now.
        route: Option<Route>,
    },
    /// This is the best way now that a connection of it takes; told whenever it changes.
    Way(Route),
    /// It is there already, all of it, and is served to others: nothing is fetched, and it is completed.
    Here(Had),
    /// So many bytes are there.
    Progress(u64),
    /// This is there by now, verified, and is served to others. What was told of before is not told again.
    Have(Vec<Had>),
    /// A file of a folder could not be had; the others go on.
    FileFailed {
        /// The name under which it is offered.
        file: String,
        /// Why.
        failure: Failure,
    },
    /// Nobody who is there has what is missing; it waits for somebody who has.
    Stalled {
        /// How long, in milliseconds.
        left: u64,
    },
    /// A source was given up.
    Dropped {
        /// Who.
        peer: String,
        /// Why.
        failure: Failure,
    },
    /// The file is there.
    Completed {
        /// Where.
        path: String,
        /// Whether it is all of it, rather than the chunks that were wanted.
        complete: bool,
        /// Who sent how much.
        sources: Vec<Source>,
    },
    /// It is not.
    Failed(Failure),
}
