//! What holds for a request as such, whoever carries it out. The rows in [`request`](super) say it once; who passes
//! requests on, who answers them, the schemas and the README follow from it.

use crate::protocol::event::Kind;
use crate::protocol::{ErrorCode, Event};

/// Who answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The hub: the client passes it on, and its answer back.
    Hub,
    /// The client, by itself or with requests of its own to the hub and to others.
    Client,
    /// The client does its part and asks the hub the same.
    Both,
}

/// When a request may start, of those that one program asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// When everything before it that the client answers has been answered; the hub keeps the order of the rest.
    Passed,
    /// When everything before it has been answered, but for transfers; and what comes after it waits for its answer. A
    /// registration may take the hub a while, and what comes after depends on it.
    Alone,
    /// When everything before it has been answered, but for transfers.
    Here,
    /// When everything before it is final, transfers too.
    Last,
}

/// When a request may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// After everything that was asked before it.
    InOrder,
    /// When what it waits for has come, named here; what was asked after it is answered meanwhile.
    Later(&'static str),
    /// In order, unless the hub has it and waits for something else, named here, that the answer is to tell.
    Receipt(&'static str),
}

impl Turn {
    /// What the answer may wait for while others pass it.
    pub fn waits_for(self) -> Option<&'static str> {
        match self {
            Self::InOrder => None,
            Self::Later(what) | Self::Receipt(what) => Some(what),
        }
    }

    /// Whether the answers to what was asked later wait for this one.
    pub fn holds_up(self) -> bool {
        match self {
            Self::InOrder | Self::Receipt(_) => true,
            Self::Later(_) => false,
        }
    }
}

/// How large an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bulk {
    /// It says one thing.
    Small,
    /// It lists things.
    Large,
}

/// What a request has to do with direct connections to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direct {
    /// Nothing.
    No,
    /// It goes over one: several at a time, in their order.
    Uses,
    /// It opens or closes one: what goes over it is answered first.
    Changes,
    /// It closes all of them: everything that goes over one is answered first.
    EndsAll,
}

/// Whether the client can answer a request while the hub is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutHub {
    /// It waits, but if it is refused whatever the hub says, that is said at once.
    Refusals,
    /// It waits: even what it would be refused for may change before its turn.
    Waits,
    /// It needs no hub.
    Answers,
    /// From the table that the client has, as it was, if it has one.
    FromTable,
    /// If no offer waits before it, which it would change.
    UnlessOffersWait,
    /// If no `focus` waits before it, which it would end.
    UnlessFocusWaits,
}

/// Whether a request makes sense in a session that ends with its answer, as `potluck exec` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneShot {
    /// It does.
    Useful,
    /// It could have no effect: why, and what to do instead.
    Useless(&'static str, &'static str),
}

/// A request's row in the vocabulary, beside its name and body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Who answers it.
    pub at: At,
    /// When it may start.
    pub starts: Starts,
    /// When it may be answered.
    pub turn: Turn,
    /// How large the answer may be.
    pub bulk: Bulk,
    /// What it has to do with direct connections.
    pub direct: Direct,
    /// Whether it changes what the program offers, and keeps its order with hashing.
    pub changes_offers: bool,
    /// Whether the hub keeps on disk what came of it, so that it is not carried out twice if it is asked again.
    pub keeps_outcome: bool,
    /// Whether it is answered while the hub is lost.
    pub without_hub: WithoutHub,
    /// Whether it makes sense alone.
    pub one_shot: OneShot,
    /// What the hub answers to the client, where that is not the answer that the program gets.
    pub hub_answers: &'static [Kind],
    /// The events that can be the final one of it, besides `error`.
    pub answers: &'static [Kind],
    /// The errors that can be the answer, besides [`ANY_REQUEST`].
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

    /// Whether the hub's answer goes to the program as it is.
    pub fn passes_back(&self, answer: Kind) -> bool {
        self.at == At::Hub && self.hub_answers.is_empty() && self.answers.contains(&answer)
    }

    /// Whether it may start while files are being hashed: not what keeps its order with offers, nor what waits for all.
    pub fn goes_past_hashing(&self) -> bool {
        match self.starts {
            Starts::Passed | Starts::Here => !self.changes_offers,
            Starts::Alone | Starts::Last => false,
        }
    }
}

/// The errors that may answer any request: it could not be read, was too much, or the session ended before its answer.
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

/// The errors of a file that is fetched.
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
    ErrorCode::PeerBroke,
    ErrorCode::NotOnline,
];

/// The errors of a file that is read to be offered or pushed.
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
