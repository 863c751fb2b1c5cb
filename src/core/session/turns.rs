//! Decides when a request may start. Requests start in the order in which they were written, unless one may pass
//! another; not faster than their answers are read; and not more at once than the hub accepts.
//!
//! It only looks at the parts of the session and returns a place in the queue; `requests` then starts that request.

use std::collections::BTreeSet;

use super::Session;
use super::asks::Origin;
use super::collecting::is_paged;
use super::pending::{Pending, Waiting};
use crate::protocol::limits::{ANSWER_SMALL, UNREAD_BYTES};
use crate::protocol::request::{Starts, WithoutHub};
use crate::protocol::{Request, request};

/// When a request may start.
enum Start {
    /// When its row says.
    Request(Starts),
    /// When everything before it has been answered, even if the hub is not there.
    Refused,
}

impl Waiting {
    fn start(&self) -> Start {
        match self {
            Self::Request(pending) => Start::Request(pending.request.rules().starts),
            Self::Bad(..) => Start::Refused,
            Self::EndOfInput => Start::Request(Starts::Last),
        }
    }
}

/// The place in the queue of the next request that may begin, if one may.
pub(super) fn next_to_start(session: &Session) -> Option<usize> {
    let head = session.queue.first()?;
    if !has_room_for(session, head) {
        return None;
    }
    if may_start(session, head) {
        return Some(0);
    }
    // `transfers` and `cancel` go past what waits for transfers or for a lost hub. But they must see a `get` before
    // them, so they wait until the hub has located its content.
    let locates = |origin: &Origin| origin.user().is_some_and(Pending::starts_a_transfer);
    let locating = session.cx.uplink.asks().origins().any(locates);
    let waits = matches!(head.start(), Start::Request(Starts::Last)) && !locating;
    let is_transferring = !session.transfers.is_empty() || !session.parcels.are_none();
    let held_up = waits || (!session.cx.uplink.takes_requests() && is_transferring);
    let over = |waiting: &Waiting| {
        matches!(waiting, Waiting::Request(pending)
            if matches!(pending.request, Request::Cancel(_) | Request::Transfers(_)))
    };
    let at = session.queue.iter().position(over).filter(|_| held_up);
    at.or_else(|| next_after_quit(session)).or_else(|| next_private(session)).or_else(|| next_without_hub(session))
}

fn may_start(session: &Session, head: &Waiting) -> bool {
    let (uplink, fail_fast) = (&session.cx.uplink, session.cx.config.fail_fast);
    let free = session.queue.is_free_for(head, fail_fast) && !session.cx.verified.is_working();
    let answered = free && is_answered(session);
    // A refusal must not overtake an answer, which may change it: `rereg` after `dereg`.
    if let Waiting::Request(pending) = head
        && !answered
        && session.check(&pending.request).is_err()
    {
        return false;
    }
    if !session.privates.permit(&session.cx, head) {
        return false;
    }
    match head.start() {
        Start::Request(Starts::Passed) => {
            // A large offer goes in pieces, and what comes after it sees all of it.
            let holds_up = |origin: &Origin| {
                let goes_on = matches!(origin, Origin::Offer(offer) if offer.goes_on());
                goes_on || origin.is_registration() || origin.is_verify() || is_paged(origin, &session.replica)
            };
            let held_up = uplink.asks().origins().any(holds_up);
            uplink.takes_requests() && free && uplink.may_ask_more(fail_fast) && !held_up
        }
        // A message on an open direct connection does not need the hub.
        Start::Request(Starts::Here)
            if !uplink.takes_requests() && session.privates.go_past_the_hub(&session.cx, head) =>
        {
            free
        }
        Start::Request(Starts::Alone) => uplink.takes_requests() && answered && uplink.asks().is_empty(),
        Start::Request(Starts::Here) => uplink.takes_requests() && answered,
        Start::Request(Starts::Last) => {
            let is_giving = session.transfers.is_giving() || session.parcels.is_giving();
            free && session.is_over_but_for_pushes() && !is_giving
        }
        Start::Refused => answered,
    }
}

/// While the hub is lost, the next request that can be answered here goes past those that wait for the hub, unless it
/// would change what those mean.
fn next_without_hub(session: &Session) -> Option<usize> {
    if !session.cx.uplink.is_lost() || session.queue.is_working() || session.cx.verified.is_working() {
        return None;
    }
    let (mut offers, mut focuses) = (false, session.cx.uplink.asks().origins().any(Origin::is_focus));
    for (at, waiting) in session.queue.iter().enumerate() {
        let Waiting::Request(pending) = waiting else {
            if matches!(waiting, Waiting::Bad(..)) {
                return Some(at);
            }
            continue;
        };
        let local = match pending.request.rules().without_hub {
            WithoutHub::Answers => true,
            WithoutHub::FromTable => session.replica.has_table(),
            WithoutHub::UnlessOffersWait => !offers,
            WithoutHub::UnlessFocusWaits => !focuses,
            WithoutHub::Waits => false,
            WithoutHub::Refusals => {
                session.check(&pending.request).is_err()
                    || (session.privates.go_past_the_hub(&session.cx, waiting)
                        && session.privates.permit(&session.cx, waiting))
            }
        };
        if local {
            return Some(at);
        }
        offers |= matches!(pending.request, Request::Offer(_) | Request::Push(_));
        focuses |= matches!(pending.request, Request::Focus(_));
    }
    None
}

/// A refusal behind a waiting `quit` does not wait with it.
fn next_after_quit(session: &Session) -> Option<usize> {
    let last = |waiting: &Waiting| {
        matches!(waiting, Waiting::Request(Pending { request: Request::Wait(_) | Request::Quit(_), .. }))
    };
    let at = session.queue.iter().position(|waiting| !last(waiting))?;
    let refused = session.queue.iter().nth(at).filter(|waiting| matches!(waiting, Waiting::Bad(..)))?;
    let quit = session.queue.iter().take(at).any(Waiting::is_quit);
    (quit && may_start(session, refused)).then_some(at)
}

/// While no more can be sent to one person, messages to others go past: the next one, if only private messages are
/// before it.
fn next_private(session: &Session) -> Option<usize> {
    // Each person is looked at once, however many messages wait.
    let mut seen = BTreeSet::new();
    for (at, waiting) in session.queue.iter().enumerate() {
        let Waiting::Request(Pending { request: Request::Private(request::Private { to, .. }), .. }) = waiting else {
            return None;
        };
        if seen.insert(to.as_str()) && may_start(session, waiting) {
            return Some(at);
        }
    }
    None
}

/// Whether there is room for the answer. A request that waits alone always has room.
pub(super) fn has_room_for(session: &Session, head: &Waiting) -> bool {
    let before = session.cx.effects.unread() + answers_under_way(session);
    head.ends_the_session() || before == 0 || before + head.answer_room() <= UNREAD_BYTES
}

/// How many bytes the answers may need that are still to come.
fn answers_under_way(session: &Session) -> usize {
    let asked = session.cx.uplink.asks().answer_room() + session.queue.answer_room();
    asked + session.parcels.answer_room() + ANSWER_SMALL * session.transfers.count()
}

/// Whether the hub has answered everything whose answer must not be overtaken.
fn is_answered(session: &Session) -> bool {
    let asks = session.cx.uplink.asks();
    asks.is_empty() || (!session.cx.config.fail_fast && asks.may_be_passed())
}
