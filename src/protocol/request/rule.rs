//! The properties of a request that do not depend on its fields, declared once in its row in [`request`](super). How
//! the client orders and forwards it, who answers it, the schemas and the README follow from them.

use crate::protocol::event::Kind;
use crate::protocol::{ErrorCode, Event};

/// Which side answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The hub: the client forwards the request and passes the hub's answer back.
    Hub,
    /// The client, alone or with requests of its own to the hub and to other clients.
    Client,
    /// Both: the client does its part and forwards the request to the hub.
    Both,
}

/// When a request may start, relative to the requests of the same program before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// After every earlier request that the client answers itself. The hub keeps the order of the others.
    Passed,
    /// After every earlier request, except for transfers. Later requests wait for its answer, because they depend on
    /// it; a registration may take the hub a while.
    Alone,
    /// After every earlier request, except for transfers.
    Here,
    /// After every earlier request, transfers included.
    Last,
}

/// When a request may be answered, relative to the requests before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// After all earlier requests.
    InOrder,
    /// Once the named event has happened. Later requests may be answered before it.
    Later(&'static str),
    /// In order, except when the answer must report on something that takes longer, which is named. Then later requests
    /// may be answered before it.
    Receipt(&'static str),
}

impl Turn {
    /// What the answer may wait for while later requests are answered; `None` if it never waits.
    pub fn waits_for(self) -> Option<&'static str> {
        match self {
            Self::InOrder => None,
            Self::Later(what) | Self::Receipt(what) => Some(what),
        }
    }

    /// Whether later answers wait for the answer to this request.
    pub fn holds_up(self) -> bool {
        match self {
            Self::InOrder | Self::Receipt(_) => true,
            Self::Later(_) => false,
        }
    }
}

/// The size of an answer, for the memory that is reserved for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bulk {
    /// It has one item.
    Small,
    /// It is a list.
    Large,
}

/// How a request uses direct connections to other clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direct {
    /// It uses none.
    No,
    /// It sends something over one. Several such requests may be in progress; they keep their order.
    Uses,
    /// It opens or closes one. Earlier requests that use this connection are answered first.
    Changes,
    /// It closes all. Earlier requests that use any connection are answered first.
    EndsAll,
}

/// What the client does with a request while the hub is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutHub {
    /// It keeps it until the hub is back, but refuses it at once if the hub's answer could not matter.
    Refusals,
    /// It keeps it until the hub is back. It does not even refuse it, because the reason may be gone by then.
    Waits,
    /// It answers it, since the hub is not needed.
    Answers,
    /// It answers it from the last known table, if it follows the table.
    FromTable,
    /// It answers it, unless an earlier offer is waiting that would change the answer.
    UnlessOffersWait,
    /// It answers it, unless an earlier `focus` is waiting that the request would end.
    UnlessFocusWaits,
}

/// Whether a request makes sense in a session that ends right after its answer, as that of `potluck exec` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneShot {
    /// It does.
    Useful,
    /// It would have no effect: the reason, and what to do instead.
    Useless(&'static str, &'static str),
}

/// The properties of a request, as its row in the vocabulary declares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Which side answers it.
    pub at: At,
    /// When it may start.
    pub starts: Starts,
    /// When it may be answered.
    pub turn: Turn,
    /// The size of its answer.
    pub bulk: Bulk,
    /// How it uses direct connections.
    pub direct: Direct,
    /// Whether it changes the program's offers, and so waits for earlier hashing.
    pub changes_offers: bool,
    /// Whether the hub keeps on disk what came of it, so that it is not carried out twice if it is asked again.
    pub keeps_outcome: bool,
    /// What the client does with it while the hub is lost.
    pub without_hub: WithoutHub,
    /// Whether it makes sense in a session of one request.
    pub one_shot: OneShot,
    /// The events with which the hub answers the client, if they are not those that the program gets.
    pub hub_answers: &'static [Kind],
    /// The events that may be its final one, besides `error`.
    pub answers: &'static [Kind],
    /// The error codes that may answer it, besides [`ANY_REQUEST`].
    pub errors: &'static [ErrorCode],
}

impl Rules {
    /// Whether an event can be the final one.
    pub fn may_be_answered_by(&self, event: &Event) -> bool {
        self.allows(self.answers, event)
    }

    /// Whether the hub can answer the client so.
    pub fn hub_may_answer(&self, event: &Event) -> bool {
        self.allows(if self.hub_answers.is_empty() { self.answers } else { self.hub_answers }, event)
    }

    fn allows(&self, answers: &[Kind], event: &Event) -> bool {
        if let Event::Error(error) = event {
            return self.errors.contains(&error.code) || ANY_REQUEST.contains(&error.code);
        }
        answers.contains(&event.kind())
    }

    /// Whether the client passes this answer of the hub to the program unchanged.
    pub fn passes_back(&self, answer: Kind) -> bool {
        self.at == At::Hub && self.hub_answers.is_empty() && self.answers.contains(&answer)
    }

    /// Whether it may start while files are being hashed: it neither changes offers nor waits for everything.
    pub fn goes_past_hashing(&self) -> bool {
        match self.starts {
            Starts::Passed | Starts::Here => !self.changes_offers,
            Starts::Alone | Starts::Last => false,
        }
    }
}

/// The error codes that may answer any request: it was malformed, exceeded a limit, or the session ended before the
/// answer.
pub const ANY_REQUEST: &[ErrorCode] = &[
    ErrorCode::BadRequest,
    ErrorCode::BadCommand,
    ErrorCode::NotRegistered,
    ErrorCode::LoginRequired,
    ErrorCode::SlowDown,
    ErrorCode::StoreFull,
    ErrorCode::StoreBusy,
    ErrorCode::StoreUnavailable,
    ErrorCode::Interrupted,
    ErrorCode::TimedOut,
    ErrorCode::HubUnreachable,
    ErrorCode::HubKeyChanged,
    ErrorCode::HubLost,
    ErrorCode::HubStopping,
    ErrorCode::HubFull,
    ErrorCode::TooSlow,
    ErrorCode::NoNameInTime,
    ErrorCode::NameTaken,
    ErrorCode::BadName,
    ErrorCode::AccessDenied,
    ErrorCode::AccessRevoked,
    ErrorCode::WrongProtocol,
    ErrorCode::Internal,
];

/// The error codes of fetching a file.
pub(super) const FETCH: &[ErrorCode] = &[
    ErrorCode::NotOffered,
    ErrorCode::Ambiguous,
    ErrorCode::OwnFile,
    ErrorCode::NoSuchChunk,
    ErrorCode::NoSuchPush,
    ErrorCode::TooMany,
    ErrorCode::Exists,
    ErrorCode::NotWritable,
    ErrorCode::NotReadable,
    ErrorCode::DiskFull,
    ErrorCode::DiskFailed,
    ErrorCode::SourceChanged,
    ErrorCode::SourceTooSlow,
    ErrorCode::SourceGone,
    ErrorCode::BadChunk,
    ErrorCode::PeerUnreachable,
    ErrorCode::PeerRefused,
    ErrorCode::PeerKeyChanged,
    ErrorCode::VerifiedKeyChanged,
    ErrorCode::PeerBroke,
    ErrorCode::NotOnline,
];

/// The errors of `parcel-send`, besides those of any request.
pub(super) const PARCEL_SEND: &[ErrorCode] = &[
    ErrorCode::NoSuchFile,
    ErrorCode::NoSuchDir,
    ErrorCode::NotAFile,
    ErrorCode::NotReadable,
    ErrorCode::EmptyDir,
    ErrorCode::SourceChanged,
    ErrorCode::DiskFull,
    ErrorCode::DiskFailed,
    ErrorCode::TooMany,
    ErrorCode::MessageTooLong,
    ErrorCode::BadTime,
    ErrorCode::CodeGuessed,
    ErrorCode::CodeVoid,
    ErrorCode::NotTaken,
];

/// The errors of `parcel-receive`, besides those of any request: those of a fetch, and those of the code.
pub(super) const PARCEL_RECEIVE: &[ErrorCode] = &[
    ErrorCode::BadCode,
    ErrorCode::NoSuchCode,
    ErrorCode::CodeVoid,
    ErrorCode::CodeBusy,
    ErrorCode::WrongCode,
    ErrorCode::ParcelGone,
    ErrorCode::Exists,
    ErrorCode::NotWritable,
    ErrorCode::NotReadable,
    ErrorCode::DiskFull,
    ErrorCode::DiskFailed,
    ErrorCode::SourceChanged,
    ErrorCode::SourceGone,
    ErrorCode::PeerUnreachable,
    ErrorCode::PeerRefused,
    ErrorCode::PeerBroke,
    ErrorCode::BadChunk,
    ErrorCode::TooMany,
];

/// The error codes of reading a file to offer or push it.
pub(super) const OFFER: &[ErrorCode] = &[
    ErrorCode::NoDir,
    ErrorCode::NoSuchDir,
    ErrorCode::NotADir,
    ErrorCode::NoSuchFile,
    ErrorCode::NotAFile,
    ErrorCode::NotReadable,
    ErrorCode::EmptyDir,
    ErrorCode::SourceChanged,
    ErrorCode::DiskFailed,
    ErrorCode::TooMany,
    ErrorCode::TooManyOffers,
    ErrorCode::KeepsNothing,
    ErrorCode::NoRoom,
    ErrorCode::NotOffered,
    ErrorCode::SourceGone,
    ErrorCode::PeerUnreachable,
    ErrorCode::NotOnline,
];
