//! The settings, inputs and outputs of a session.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::notes::{FilesChanged, Hashed, MeetingNews, Offering, UploadNote};
use crate::core::fetch::{FetchPlan, Source, TransferNote};
use crate::core::link::LinkConfig;
use crate::core::peers::{PeerInput, PeerOutput};
use crate::core::verify::KnownKey;
use crate::protocol::event::Settings;
use crate::protocol::line::BadLine;
use crate::protocol::name::NameKey;
use crate::protocol::parcel::{Parcel, ParcelKind, SentCode, Ticket};
use crate::protocol::transfer::OnConflict;
use crate::protocol::types::Password;
use crate::protocol::wire::{Frame, Meet, MeetAt, Received};
use crate::protocol::{
    Code, Content, ContentHash, EventLine, Failure, Follows, PublicKey, RequestLine, Timestamp, event, request,
};

/// Whose pushes are accepted without asking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AcceptFrom {
    /// No pushes are accepted without asking.
    #[default]
    Nobody,
    /// Pushes of these people are.
    Names(Vec<String>),
    /// All pushes are.
    All,
}

/// The timeouts of a session.
#[derive(Debug, Clone, Copy)]
pub struct SessionTimeouts {
    /// How long the session tries to reach a lost hub.
    pub give_up: Duration,
    /// The longest duration of the session, counted from time 0, if there is a limit.
    pub timeout: Option<Duration>,
    /// How long the end waits for receivers of our pushes if nothing else is left; `None` waits until `timeout`.
    pub pushes: Option<Duration>,
}

/// The settings for downloads.
#[derive(Debug, Clone)]
pub struct DownloadConfig {
    /// What happens if a file to be saved exists, unless the request says otherwise.
    pub on_conflict: OnConflict,
    /// How many files or folders are fetched at once; at least one.
    pub max_transfers: usize,
    /// Whose pushes are accepted without asking.
    pub accept_from: AcceptFrom,
    /// What of parcels is only passed on.
    pub passes_on: PassesOn,
}

/// What of the parcels that are received is passed on to the program's standard output, and not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PassesOn {
    /// Nothing.
    #[default]
    Nothing,
    /// Streams.
    Streams,
    /// Everything, so that there must be one file at most.
    All,
}

impl PassesOn {
    /// Whether a parcel of this kind is passed on.
    pub fn takes(self, kind: ParcelKind) -> bool {
        match self {
            Self::Nothing => false,
            Self::Streams => kind == ParcelKind::Stream,
            Self::All => true,
        }
    }
}

/// How a session is at the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// In the roster, under a name.
    Named {
        /// The name to register under.
        name: String,
        /// The account's password, if the session must log in.
        password: Option<Password>,
    },
    /// Without a name, in no roster: a member of the hub, for parcels.
    Member,
    /// The same, at a hub that the program is itself, for one sender.
    Keeper,
    /// Without a name, and no member of the hub: to receive a parcel, and nothing else.
    Guest,
}

/// What is different in each run of the program.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    /// The seed of what may be guessed: the jitter of reconnecting, the name of this run.
    pub seed: u64,
    /// The seed of what nobody else may know: the words of codes.
    pub secrets: [u8; 32],
}

/// The settings of a session.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// How the session is at the hub.
    pub entry: Entry,
    /// Our key, which the hub and others see.
    pub key: PublicKey,
    /// The hub's address, as it is shown to the user.
    pub hub: String,
    /// How the table and the roster are followed.
    pub follow: Follows,
    /// Whether to take messages. Otherwise they stay at the hub for the next time.
    pub inbox: bool,
    /// The secret of the invite in the hub's join link.
    pub invite: Option<String>,
    /// The timing of the link.
    pub link: LinkConfig,
    /// The timeouts.
    pub patience: SessionTimeouts,
    /// Whether the session stays when the input ends.
    pub linger: bool,
    /// Whether the session ends at the first failed request.
    pub fail_fast: bool,
    /// The settings for downloads.
    pub downloads: DownloadConfig,
    /// The settings, as `ready` tells them.
    pub settings: Settings,
    /// The calendar time at time 0.
    pub epoch: Timestamp,
    /// What is different in each run.
    pub chance: Chance,
}

impl SessionConfig {
    /// The name to register under, if there is to be one.
    pub fn name(&self) -> Option<&str> {
        match &self.entry {
            Entry::Named { name, .. } => Some(name),
            Entry::Member | Entry::Keeper | Entry::Guest => None,
        }
    }

    /// The account's password, if the session must log in.
    pub fn password(&self) -> Option<&Password> {
        match &self.entry {
            Entry::Named { password, .. } => password.as_ref(),
            Entry::Member | Entry::Keeper | Entry::Guest => None,
        }
    }
}

/// The inputs of a session.
#[derive(Debug)]
pub enum Input<'a> {
    /// The program has started.
    Start,
    /// A line of input, without its line feed; its number counts from 1.
    Line(u64, &'a [u8]),
    /// A line that the driver has parsed already and that is no request.
    Bad(u64, BadLine),
    /// A line that was too long to be kept.
    LineTooLong(u64),
    /// A request that needs no parsing.
    Request(RequestLine),
    /// The input has ended.
    EndOfInput,
    /// The driver has got an invite for a code: its secret, for the next hello.
    Invited(String),
    /// The user wants to end now, with this exit code.
    Interrupt(u8),
    /// The address under which we reach the hub, and the key that it has proved.
    HubAt(IpAddr, PublicKey),
    /// Our own address has changed: the hub is to see at once from where we come now.
    AddressChanged,
    /// A connection to the hub is open.
    Connected,
    /// The connection could not be made.
    ConnectFailed(Failure),
    /// A line from the hub, without its line feed.
    HubLine(&'a [u8]),
    /// The connection broke, with the reason.
    Disconnected(String),
    /// The task of this number has checked a folder: its absolute path.
    DirChecked(u64, Result<String, Failure>),
    /// Progress of the hashing task of this number.
    Hashing(u64, event::OfferProgress),
    /// The hashing task of this number is done; its files can be fetched from us now.
    Hashed(u64, Result<Hashed, Failure>),
    /// A file for one person was hashed; they can fetch it from us now.
    Granted(u64, Result<Content, Failure>),
    /// The people whom the user has verified at this hub, as stored on this machine, each with the key.
    VerifiedKeys(Vec<(NameKey, PublicKey)>),
    /// The `verify` of this task is done: what is known of the person from now on, and the answer.
    Verified(u64, Result<(KnownKey, event::SafetyNumber), Failure>),
    /// Files that we offer have changed on disk.
    FilesChanged(FilesChanged),
    /// News of a download, by the number of its transfer.
    Transfer(u64, TransferNote),
    /// News of an upload, by the driver's number.
    Upload(u64, UploadNote),
    /// Which messages this name has had, as stored on this machine.
    InboxOpened(&'a str, &'a Received),
    /// The unread bytes of what was told. Wanted while [`Session::waits_for_reader`](super::Session).
    Unread(usize),
    /// The messages with these numbers have been written to the user.
    Written(&'a [u64]),
    /// This many private messages have been written to the user, in the order in which they were told.
    PrivatesWritten(usize),
    /// A private message, by its sender and number, could not be written; `None` if its sender is blocked.
    PrivateLost(Option<(&'a str, u64)>),
    /// An input about a direct connection.
    Peer(PeerInput<'a>),
    /// A meeting with another client is wanted. It is answered by [`Output::Meeting`], unless the hub is lost meanwhile.
    Meet(Meet),
    /// Where we can be reached at a meeting.
    MeetAt(MeetAt),
    /// An input about a parcel.
    Parcel(ParcelInput),
    /// A timer is due.
    Tick,
}

/// The outputs of a session, for its driver.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Tell the user an event. A `withheld` is not shown, but counts as written in its turn.
    Tell(Box<EventLine>),
    /// Connect to the hub.
    Connect,
    /// Close the connection after everything before has been sent.
    Disconnect,
    /// Send a line that is not a frame, without its line feed.
    Say(String),
    /// Send a frame.
    Send(Frame),
    /// Check whether this is a folder.
    CheckDir(u64, String),
    /// Hash files and folders, serve them, and watch them.
    Hash(Offering),
    /// Stop serving these files. A name that ends in `/` means a watched folder, which is no longer watched.
    Unserve(Vec<String>),
    /// Hash a file and serve it to one person; `Granted` answers.
    Grant {
        /// The number of this task.
        task: u64,
        /// The folder that the file is relative to, if one has been chosen.
        dir: Option<String>,
        /// The name of the file.
        file: String,
        /// The person who may fetch it.
        to: String,
    },
    /// Judge a `verify` ([`judge`](crate::core::verify::judge)) with what is known on this machine; `Verified` answers.
    Verify {
        /// The number of this task.
        task: u64,
        /// What was asked; the name as the hub shows it.
        request: request::Verify,
        /// The key that the hub shows; `None` if they have not been there.
        shown: Option<PublicKey>,
    },
    /// Stop serving a content to this person, unless it is offered to everybody.
    Revoke(ContentHash, String),
    /// Who may fetch from us besides the hub, by key and name. `None`: nobody, not even the hub.
    Peers(Option<Vec<(PublicKey, String)>>),
    /// The owners of these keys have changed. Without a name, nobody may fetch with the key any more.
    PeersChanged(Vec<(PublicKey, Option<String>)>),
    /// The owners of these keys have left: end their uploads.
    PeersLeft(Vec<PublicKey>),
    /// Fetch a file or a folder, as the transfer of this number.
    Fetch(u64, Arc<FetchPlan>),
    /// Further sources of a content that is being fetched, or sources that have more of it now.
    Sources(u64, Vec<Source>),
    /// Where the owners of these keys serve files now, or that they have left: for the downloads that are under way.
    Whereabouts(Vec<(PublicKey, Option<SocketAddr>)>),
    /// Stop the download of this number; what has arrived is kept.
    CancelFetch(u64),
    /// Stop the upload of this number, which is the driver's.
    CancelUpload(u64),
    /// Read which messages this name has had on this machine; `InboxOpened` answers.
    OpenInbox(String),
    /// Store which messages this name has had on this machine.
    Shown(String, Received),
    /// An output about a direct connection.
    Peer(PeerOutput),
    /// What the hub says of a meeting.
    Meeting(MeetingNews),
    /// An output about a parcel.
    Parcel(ParcelOutput),
    /// Tell the user, but not on standard output, that the end waits for standard output to be read.
    Unread,
    /// End the program with this exit code.
    End(u8),
}

/// The inputs about parcels.
#[derive(Debug)]
pub enum ParcelInput {
    /// The files of the parcel with this number are hashed; nobody can fetch them yet.
    Prepared(u64, Result<Parcel, Failure>),
    /// What this machine has kept of a code under which the parcel with this number was sent before; `Prepared` follows.
    Recalled(u64, Box<SentCode>),
    /// Progress of hashing the files of the parcel with this number.
    Hashing(u64, event::OfferProgress),
    /// The listing of a parcel that the task of this number has fetched: its files.
    Listed(u64, Result<Vec<Content>, Failure>),
    /// What this machine has kept of a code, for the task of this number.
    TicketFound(u64, Option<Box<Ticket>>),
}

/// The outputs about parcels.
#[derive(Debug, Clone, PartialEq)]
pub enum ParcelOutput {
    /// Hash the files and folders of the parcel with this number; `Prepared` answers.
    Prepare {
        /// Its number.
        parcel: u64,
        /// Absolute paths, or relative to where the program runs.
        paths: Vec<String>,
        /// Whether the one file is a stream.
        stream: bool,
    },
    /// Let the holder of this key fetch the parcel with this number, under this name.
    Serve(u64, PublicKey, String),
    /// Nobody may fetch the parcel with this number any more.
    Drop(u64),
    /// Keep what is known of the code of the parcel with this number until that is dropped. It must be on disk before
    /// what is sent to the hub after it.
    KeepCode(u64, Box<SentCode>),
    /// Fetch the listing of a parcel, as the task of this number; `Listed` answers.
    FetchListing(u64, Arc<FetchPlan>),
    /// Look for what this machine has kept of a code, as the task of this number; `TicketFound` answers.
    FindTicket(u64, Code),
    /// Keep this until it is dropped.
    KeepTicket(Box<Ticket>),
    /// Drop what was kept of a code.
    DropTicket(Code),
}
