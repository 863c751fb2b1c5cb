//! Requests without a final event, started or not.

use serde_json::Value;

use crate::core::time::Time;
use crate::protocol::human::quoted;
use crate::protocol::limits::{ANSWER_LARGE, ANSWER_SMALL};
use crate::protocol::request::Bulk;
use crate::protocol::{ErrorCode, Failure, Id, Request, RequestLine};

/// The most characters of a request that are shown.
const SHOWN: usize = 60;

/// How a caller recognizes the events of a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct RequestId {
    /// The id that the caller gave it.
    pub(super) id: Option<Id>,
    /// The line of the input on which it was written. Errors tell it if there is no id.
    pub(super) line: Option<u64>,
}

/// A request that is not answered yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pending {
    pub(super) id: RequestId,
    pub(super) request: Request,
    /// Its size as it was written.
    pub(super) bytes: usize,
    /// When the hub was asked, where the time that it takes is the answer.
    pub(super) started: Time,
    /// Whether the user has been told that it waits for the hub.
    pub(super) said_to_wait: bool,
}

/// Something that was written and has not begun.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Waiting {
    Request(Pending),
    /// A line that is no request. The error waits for its turn, so that answers keep the order of the lines.
    Bad(RequestId, Failure),
    EndOfInput,
}

impl Pending {
    /// A request that was written in so many bytes.
    pub(super) fn new(id: RequestId, request: Request, bytes: usize) -> Self {
        Self { id, request, bytes, started: Time(0), said_to_wait: false }
    }

    /// Whether it becomes a transfer once the hub has located the content.
    pub(super) fn starts_a_transfer(&self) -> bool {
        matches!(self.request, Request::Get(_) | Request::Accept(_))
    }

    /// Whether what is asked later may be answered before it, and does not depend on it.
    pub(super) fn may_be_passed(&self) -> bool {
        !self.request.rules().turn.holds_up() && !self.starts_a_transfer()
    }

    /// How much room its answer may need, in bytes.
    pub(super) fn answer_room(&self) -> usize {
        match self.request.rules().bulk {
            Bulk::Small => ANSWER_SMALL,
            Bulk::Large => ANSWER_LARGE,
        }
    }

    /// Notes that the user is told that it waits for the hub. True the first time.
    pub(super) fn say_to_wait(&mut self) -> bool {
        !std::mem::replace(&mut self.said_to_wait, true)
    }

    /// The failure as this request tells it: a `get` that was broken off can be resumed.
    pub(super) fn failed(&self, failure: Failure) -> Failure {
        match (failure.code, &failure.hint) {
            (ErrorCode::Interrupted, None) if self.starts_a_transfer() => {
                let mut failure = failure;
                // Says which one, since several may have been under way.
                if let Request::Get(get) = &self.request
                    && failure == ErrorCode::Interrupted.into()
                {
                    failure = Failure::new(ErrorCode::Interrupted, format!("{} was broken off.", get.file));
                }
                failure.hint("`get` again goes on from what is there.")
            }
            _ => failure,
        }
    }

    /// The failure as it is told when several requests are given up at once: names this request.
    pub(super) fn given_up(&self, failure: Failure) -> Failure {
        // This failure names the push already.
        if failure.code == ErrorCode::NotTaken {
            return self.failed(failure);
        }
        if let Some((doing, again)) = of_parcel(&self.request) {
            let needs_hint = matches!(failure.code, ErrorCode::Interrupted | ErrorCode::HubLost | ErrorCode::TimedOut);
            let message = format!("{doing}: {}", failure.message);
            let hint = failure.hint.clone().or(needs_hint.then(|| again.into()));
            return Failure { message: message.into(), hint, ..failure };
        }
        let message = format!("`{}`: {}", in_short(&self.request), failure.message);
        self.failed(Failure { message: message.into(), ..failure })
    }
}

impl Waiting {
    /// Whether it is a `quit`.
    pub(super) fn is_quit(&self) -> bool {
        match self {
            Self::Request(pending) => matches!(pending.request, Request::Quit(_)),
            Self::Bad(..) | Self::EndOfInput => false,
        }
    }

    /// Whether the program ends after it.
    pub(super) fn ends_the_session(&self) -> bool {
        match self {
            Self::Request(_) | Self::Bad(..) => self.is_quit(),
            Self::EndOfInput => true,
        }
    }

    /// How large it is, as it was written.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Request(pending) => pending.bytes,
            Self::Bad(..) => ANSWER_SMALL,
            Self::EndOfInput => 0,
        }
    }

    /// How much room its answer may need, in bytes.
    pub(super) fn answer_room(&self) -> usize {
        match self {
            Self::Request(pending) => pending.answer_room(),
            Self::Bad(..) => ANSWER_SMALL,
            Self::EndOfInput => 0,
        }
    }
}

/// What is done by a request about a parcel, and how to do it again. `potluck send` and `potluck receive` have no other
/// request, and whoever types them knows nothing of its name.
fn of_parcel(request: &Request) -> Option<(&'static str, &'static str)> {
    if matches!(request, Request::ParcelSend(_)) {
        return Some(("Sending", "Send it again, for another code."));
    }
    let receives = matches!(request, Request::ParcelReceive(_));
    receives.then_some(("Receiving", "Try again with the same code, as long as its sender waits."))
}

/// A request's name and its main field. Texts and passwords are never shown.
fn in_short(request: &Request) -> String {
    let fields = serde_json::to_value(RequestLine { id: None, request: request.clone() }).unwrap_or_default();
    let mut about = ["file", "files", "dir", "to", "room", "name", "push", "transfer", "command"].iter();
    let about = about.find_map(|field| match fields.get(*field)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(several) => several.first().and_then(Value::as_str).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    });
    let about = about.map(|about| about.chars().take(SHOWN).collect::<String>());
    about.map_or_else(|| request.name().to_owned(), |about| format!("{} {}", request.name(), quoted(&about)))
}
