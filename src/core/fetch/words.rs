//! What the machine and its driver say to each other.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use super::news::TransferNote;
use super::plan::Source;
use crate::protocol::{Chunking, Failure, PublicKey, Route};

/// One connection to a source, by a number that no other one of the transfer has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(pub u32);

/// What a lane fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Chunks of this file of the plan.
    Chunks(u32),
    /// Small files of a folder, whole.
    Files,
}

/// What is known when a transfer begins.
#[derive(Debug, Clone)]
pub struct Start {
    /// From this follows with which chunk it begins; with 0 it is the first.
    pub seed: u64,
    /// How many cores there are: no more connections than that are worth it to one source.
    pub cores: usize,
    /// Over how long it is looked whether a source sends enough.
    pub trial: Duration,
    /// Whether we are to receive slowly ourselves: then no source is to blame for being slow.
    pub limited: bool,
    /// What was found of each file of a folder, in order; of a single file, it is found out when it is opened.
    pub found: Vec<Result<Found, Failure>>,
    /// Where the folder will be.
    pub path: String,
}

/// What was found of a file of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is in place, cut like this, and is served to others.
    Here(Chunking),
    /// It is to be fetched.
    Missing,
}

/// A file whose chunks can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It is in place already, cut like this, and is served to others if it is shared at all.
    Here {
        /// Where.
        path: String,
        /// How it is cut.
        chunking: Chunking,
    },
    /// It is to be filled.
    Ready {
        /// Where it will be, unless the name is taken by then.
        path: String,
        /// The chunks that an earlier attempt says it has.
        claimed: Vec<u32>,
        /// Whether its manifest is known already.
        manifest: bool,
    },
}

/// Why a lane has ended, if not as it was told.
#[derive(Debug, Clone, PartialEq)]
pub enum LaneError {
    /// The connection could not be made, or broke. Nobody is to blame: its source may be dialled again.
    Lost(Failure),
    /// The same, and it was not heard of its source for long, though something was wanted of it.
    Silent(Failure),
    /// The source does not give what is wanted: it refuses, it holds another key, or what comes is no answer.
    Broke(Failure),
    /// The source sent something wrong: it is not asked again, over any connection.
    Lied(Failure),
    /// Our own side cannot go on; no other source would help.
    Fatal(Failure),
}

/// What has happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// [`Output::Open`] has been done, or cannot be.
    Opened(u32, Result<Opened, Failure>),
    /// The connection of a lane, which will be reported as connected, was kept from an earlier one.
    Kept(Lane),
    /// A lane is connected, this way, and the source has proved its key.
    Connected(Lane, Route),
    /// The source has sent the manifest, which is right; or it cuts the file otherwise.
    Manifest {
        /// Over which lane.
        lane: Lane,
        /// Whether it is cut as the plan says.
        fits: bool,
    },
    /// Some bytes of what was asked for have come.
    Moved {
        /// Over which lane.
        lane: Lane,
        /// How many; none says only that our own limit held it up until now.
        bytes: u64,
    },
    /// What was asked for first has come, whole and right.
    Arrived {
        /// Over which lane.
        lane: Lane,
        /// The chunk or the file.
        piece: u32,
        /// The bytes of it of which no [`Input::Moved`] has told.
        bytes: u64,
    },
    /// [`Output::Write`] has been done.
    Written {
        /// By which lane.
        lane: Lane,
        /// The chunk or the file.
        piece: u32,
        /// Why a file could not be written. For a chunk that ends the lane.
        result: Result<(), Failure>,
    },
    /// The source cannot give the file that was asked for first; it may give the next.
    Refused {
        /// Over which lane.
        lane: Lane,
        /// The file.
        piece: u32,
        /// Why.
        failure: Failure,
    },
    /// A lane is over; there is nothing more to come of it.
    Ended(Lane, Result<(), LaneError>),
    /// A chunk that an earlier attempt left was compared with the manifest.
    Checked {
        /// Which.
        chunk: u32,
        /// Whether it is right.
        right: bool,
    },
    /// [`Output::Place`], [`Output::Make`] or [`Output::Leave`] has been done, or cannot be.
    Placed {
        /// Which file.
        file: u32,
        /// Where it is, which nobody asks of an empty file, and whether all of it is there.
        result: Result<(String, bool), Failure>,
    },
    /// Somebody new has the file, or somebody known has more by now or is elsewhere.
    Learned(Vec<Source>),
    /// Whoever holds this key is there, and serves at this address; or has left for good, and is not waited for if
    /// they are lost.
    Whereabouts(PublicKey, Option<SocketAddr>),
    /// The source with this key can be reached this way now: a lane that goes a worse one is replaced, see
    /// [`Output::Dial`].
    Better(PublicKey, Route),
    /// Our own network has changed, and any connection may be lost: lanes are replaced.
    NetworkChanged,
    /// The user does not want it any more.
    Cancel,
    /// The driver cannot go on.
    Failed(Failure),
    /// It is the time that [`Fetch::next_timeout`](super::Fetch::next_timeout) gave.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Make a file ready for its chunks: see what is there, and what an earlier attempt left.
    Open(u32),
    /// Make a connection, over the best way that there is.
    Dial {
        /// What it is called from now on.
        lane: Lane,
        /// Where.
        address: SocketAddr,
        /// Who must be there.
        key: PublicKey,
        /// What it fetches.
        job: Job,
    },
    /// Ask for the manifest.
    AskManifest(Lane),
    /// Ask for these chunks, in order, after what was asked for before.
    AskChunks(Lane, Range<u32>),
    /// Ask for these files, in order, after what was asked for before.
    AskFiles(Lane, Vec<u32>),
    /// Write what has just come over this lane.
    Write(Lane, u32),
    /// Say over a lane that nothing is asked for that it is still wanted.
    KeepAlive(Lane),
    /// Say over a lane that all is well, and end it. What was asked for and has not come is of no interest.
    Close(Lane),
    /// Cut a lane off.
    Cut(Lane),
    /// Compare a chunk that an earlier attempt left with the manifest.
    Check(u32),
    /// All chunks that are wanted are there.
    Place {
        /// Of which file.
        file: u32,
        /// Whether it is complete, and gets its name; otherwise what there is is kept.
        complete: bool,
    },
    /// Make an empty file.
    Make(u32),
    /// The file will not be complete: keep what there is for the next attempt, or remove it.
    Leave {
        /// Which.
        file: u32,
        /// Nothing in it is worth keeping.
        discard: bool,
    },
    /// Tell the user.
    Note(TransferNote),
}
