//! A session's settings, inputs and outputs.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::notes::{FilesChanged, Hashed, Offering, UploadNote};
use crate::core::fetch::{FetchPlan, Source, TransferNote};
use crate::core::link::LinkConfig;
use crate::core::peers::{PeerInput, PeerOutput};
use crate::protocol::event::Settings;
use crate::protocol::line::BadLine;
use crate::protocol::transfer::OnConflict;
use crate::protocol::types::Password;
use crate::protocol::wire::{Frame, Received};
use crate::protocol::{Content, ContentHash, EventLine, Failure, Follows, PublicKey, RequestLine, Timestamp, event};

/// Whose pushes are accepted without asking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AcceptFrom {
    /// Nobody's.
    #[default]
    Nobody,
    /// These people's.
    Names(Vec<String>),
    /// Everybody's.
    All,
}

/// How long a session waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long a lost hub is tried again.
    pub give_up: Duration,
    /// How long the session may take, counted from time 0, if there is a limit.
    pub timeout: Option<Duration>,
    /// How long the end waits for somebody to take our pushes when nothing else is left; until `timeout` if absent.
    pub pushes: Option<Duration>,
}

/// How a session fetches files.
#[derive(Debug, Clone)]
pub struct DownloadConfig {
    /// What happens when a file exists, unless the request says.
    pub on_conflict: OnConflict,
    /// How many files or folders are fetched at once; at least one.
    pub max_transfers: usize,
    /// Whose pushes are accepted without asking.
    pub accept_from: AcceptFrom,
}

/// A client's settings.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// The name to register.
    pub name: String,
    /// The hub's address, as it is shown.
    pub hub: String,
    /// The account's password, to log in with.
    pub password: Option<Password>,
    /// What of the table and the roster is followed.
    pub follow: Follows,
    /// Whether to take messages. Otherwise they stay at the hub for the next time.
    pub inbox: bool,
    /// What the hub's join link carried.
    pub invite: Option<String>,
    /// The link's timers.
    pub link: LinkConfig,
    /// How long the session waits for what.
    pub patience: Patience,
    /// Whether to stay when the input ends.
    pub linger: bool,
    /// Whether to end at the first request that fails.
    pub fail_fast: bool,
    /// How files are fetched.
    pub downloads: DownloadConfig,
    /// The settings, as they are shown.
    pub settings: Settings,
    /// The calendar's time at time 0.
    pub epoch: Timestamp,
    /// For the jitter of reconnecting.
    pub seed: u64,
}

/// What a session is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// The program has started.
    Start,
    /// A line of input, without its line feed; its number counts from 1.
    Line(u64, &'a [u8]),
    /// A line that the driver has found to be no request.
    Bad(u64, BadLine),
    /// A line that was too long to be kept.
    LineTooLong(u64),
    /// A request that needs no parsing.
    Request(RequestLine),
    /// There is no more input.
    EndOfInput,
    /// The user wants to end now; the exit code is given.
    Interrupt(u8),
    /// The hub is reached under this address, and has proved that it holds this key.
    HubAt(IpAddr, PublicKey),
    /// A connection to the hub is there.
    Connected,
    /// The connection could not be made.
    ConnectFailed(Failure),
    /// A line from the hub, without its line feed.
    HubLine(&'a [u8]),
    /// The connection broke.
    Disconnected(String),
    /// A folder was looked at: its full name.
    DirChecked(u64, Result<String, Failure>),
    /// How far hashing is.
    Hashing(u64, event::OfferProgress),
    /// Files were hashed, and can be fetched from us from now on.
    Hashed(u64, Result<Hashed, Failure>),
    /// A file was hashed that is for one person, who can fetch it from us from now on.
    Lent(u64, Result<Content, Failure>),
    /// Files that we offer have changed.
    FilesChanged(FilesChanged),
    /// News of a download, by the number of its transfer.
    Transfer(u64, TransferNote),
    /// News of an upload, by the driver's number.
    Upload(u64, UploadNote),
    /// Which messages somebody has had, as far as this machine knows.
    InboxOpened(&'a str, &'a Received),
    /// This many bytes of what was told are unread. Wanted while [`Session::waits_for_reader`](super::Session).
    Unread(usize),
    /// The messages with these numbers have been written to the user.
    Written(&'a [u64]),
    /// This many private messages have been written to the user, in the order in which they were told.
    PrivatesWritten(usize),
    /// A private message, by its sender and number, could not be written; none for one of somebody who is blocked.
    PrivateLost(Option<(&'a str, u64)>),
    /// An input about a direct connection.
    Peer(PeerInput<'a>),
    /// Time has passed.
    Tick,
}

/// What a session wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Tell the user. A `withheld` is not shown, but counts as written in its turn.
    Tell(Box<EventLine>),
    /// Connect to the hub.
    Connect,
    /// Close the connection once everything before has been sent.
    Disconnect,
    /// Send a line that is not a frame, without its line feed.
    Say(String),
    /// Send a frame.
    Send(Frame),
    /// Look whether this is a folder.
    CheckDir(u64, String),
    /// Hash files of a folder, serve them, and watch them.
    Hash(Offering),
    /// Stop serving these files. A name that ends in `/` stands for a watched folder, which is not watched any more.
    Unserve(Vec<String>),
    /// Hash a file and serve it to one person; `Lent` answers.
    Lend {
        /// The number of this task.
        task: u64,
        /// The folder that the file is relative to, if one has been chosen.
        dir: Option<String>,
        /// The file.
        file: String,
        /// Who may fetch it.
        to: String,
    },
    /// Stop serving a content to this person, unless it is offered to everybody.
    Unlend(ContentHash, String),
    /// Who may fetch from us besides the hub, by key and name. None: nobody, not even the hub.
    Peers(Option<Vec<(PublicKey, String)>>),
    /// The owners of these keys have changed; none means that nobody may fetch with the key any more.
    PeersChanged(Vec<(PublicKey, Option<String>)>),
    /// The owners of these keys have left: end their uploads.
    PeersLeft(Vec<PublicKey>),
    /// Fetch a file or a folder; the number is the transfer's.
    Fetch(u64, Arc<FetchPlan>),
    /// Further sources of a content that is being fetched, or sources that have more of it by now.
    Sources(u64, Vec<Source>),
    /// Stop fetching.
    CancelFetch(u64),
    /// Stop an upload; the number is the driver's.
    CancelUpload(u64),
    /// Look which messages this person has had on this machine; `InboxOpened` answers.
    OpenInbox(String),
    /// Remember which messages this person has had on this machine.
    Shown(String, Received),
    /// An output about a direct connection.
    Peer(PeerOutput),
    /// Say outside of standard output that the end waits for standard output to be read.
    Unread,
    /// End the program with this code.
    End(u8),
}
