//! Files that one client pushes to one person. A push waits in the state until the person accepts or declines it, and
//! only while the pushing client is here. An accepted file is then fetched like any other.
//!
//! The state judges what may be done with a push. This file proposes it, and tells those whom the outcome concerns.

use super::PeerId;
use super::cx::Cx;
use super::state::{Push, PushEnd, PushProposal, SessionRecord, decide, no_such_push};
use crate::protocol::name::NameKey;
use crate::protocol::types::{Content, PushAnswer};
use crate::protocol::{Event, Failure, event, log, wire};

/// Has the state judge what a client wants done with a push, and carries that out. Returns the record, if anything has
/// changed.
///
/// # Errors
/// Why it cannot be so, for the client.
fn propose(cx: &mut Cx<'_>, id: PeerId, proposal: PushProposal) -> Result<Option<SessionRecord>, Failure> {
    let record = decide::push(&cx.journal.state, &cx.sessions.holder(id)?, proposal)?;
    if let Some(record) = &record {
        carry_out(cx, record);
    }
    Ok(record)
}

/// Applies a record about a push, and tells those whom it concerns.
fn carry_out(cx: &mut Cx<'_>, record: &SessionRecord) {
    match record {
        SessionRecord::Pushed { number, push } => {
            cx.journal.state.apply_of_session(record);
            let (from, to) = (push.giver.clone(), cx.journal.state.names().shown(&push.to));
            let (file, size) = (push.content.file.to_string(), push.content.size);
            cx.log(log::PushAsked { push: *number, from, to, file, size });
            offer_push(cx, *number);
        }
        SessionRecord::PushTaken { number, taker } => {
            cx.journal.state.apply_of_session(record);
            let Some(push) = cx.journal.state.pushes().get(*number).cloned() else { return };
            let answer = match taker {
                Some(taker) => {
                    log_end(cx, *number, push.giver, &push.to, "accepted");
                    // Who gives it must know who asks.
                    cx.introduce(push.from, *taker);
                    PushAnswer::Accepted
                }
                None => PushAnswer::Waiting,
            };
            cx.tell(push.from, event::PushAnswered { push: *number, answer });
        }
        SessionRecord::PushGone { number, why } => {
            let push = cx.journal.state.pushes().get(*number).cloned();
            cx.journal.state.apply_of_session(record);
            if let Some(push) = push {
                tell_end(cx, *number, push, *why);
            }
        }
        SessionRecord::Held { .. }
        | SessionRecord::Freed { .. }
        | SessionRecord::Here { .. }
        | SessionRecord::Left { .. }
        | SessionRecord::Listed { .. }
        | SessionRecord::Unlisted { .. }
        | SessionRecord::CopyWished { .. }
        | SessionRecord::CopyUnwished { .. } => {}
    }
}

/// Tells how a push has ended.
fn tell_end(cx: &mut Cx<'_>, number: u64, push: Push, why: PushEnd) {
    match why {
        PushEnd::Declined => {
            log_end(cx, number, push.giver, &push.to, "declined");
            cx.tell(push.from, event::PushAnswered { push: number, answer: PushAnswer::Declined });
        }
        PushEnd::Nobody => {
            log_end(cx, number, push.giver, &push.to, "nobody has this name any more");
            cx.tell(push.from, event::PushAnswered { push: number, answer: PushAnswer::Gone });
        }
        PushEnd::TakenBack => {
            let (from, file) = (push.giver.clone(), push.content.file.to_string());
            // A receiver that has accepted it is told, too: only its client knows whether it has the whole file.
            if let Some(receiver) = receiver(cx, &push) {
                cx.tell(receiver, event::PushGone { push: number, from: from.clone(), file });
            }
            if push.taker.is_none() {
                log_end(cx, number, from, &push.to, "taken back");
            }
        }
    }
}

/// Handles `push`: the file waits for its receiver, and is offered to them if they are here.
///
/// # Errors
/// `not-registered`, `slow-down`, `yourself`, `no-such-person`, `bad-name`, `bad-request`; `too-many` if too many of this
/// client or to this person wait
pub(super) fn push_file(cx: &mut Cx<'_>, id: PeerId, push: wire::Push) -> Result<Event, Failure> {
    cx.spend_message(id)?;
    let Some(SessionRecord::Pushed { number, push }) = propose(cx, id, PushProposal::Give(push))? else {
        return Err(no_such_push());
    };
    let (file, name) = (push.content.file.to_string(), cx.journal.state.names().shown(&push.to));
    let online = cx.sessions.named(&push.to).is_some_and(|id| cx.sessions.has(id));
    Ok(event::PushAsked { push: number, transfer: 0, file, to: name, online }.into())
}

/// Offers a push to its receiver, if they are here and do not block its giver.
fn offer_push(cx: &mut Cx<'_>, number: u64) {
    let Some(push) = cx.journal.state.pushes().waiting(number) else { return };
    let Some(receiver) = receiver(cx, push) else { return };
    let (Content { size, hash, .. }, file) = (&*push.content, push.content.file.to_string());
    let (size, hash) = (*size, *hash);
    let told = event::PushOffered { push: number, from: push.giver.clone(), file, size, hash };
    cx.tell(receiver, told);
}

/// The client of a push's receiver, if it may be told.
fn receiver(cx: &Cx<'_>, push: &Push) -> Option<PeerId> {
    let id = cx.sessions.named(&push.to)?;
    let entered = cx.sessions.get(id)?.name.is_some();
    (entered && !cx.journal.state.blocks().has(&push.to, &push.giver_key)).then_some(id)
}

/// Offers everything that waits for somebody who has entered.
pub(super) fn offer_pushes_to(cx: &mut Cx<'_>, name_key: &NameKey) {
    for number in cx.journal.state.pushes().meant_for(name_key) {
        offer_push(cx, number);
    }
}

fn log_end(cx: &mut Cx<'_>, number: u64, from: String, to: &NameKey, how: &str) {
    let to = cx.journal.state.names().shown(to);
    cx.log(log::PushEnded { push: number, from, to, how: how.to_owned() });
}

/// Handles `accept`: the answer says where the file can be fetched. The push stays until it has arrived.
pub(super) fn accept(cx: &mut Cx<'_>, id: PeerId, number: u64) -> Result<Event, Failure> {
    propose(cx, id, PushProposal::Accept(number))?;
    let push = cx.journal.state.pushes().get(number).ok_or_else(no_such_push)?;
    let (offer, key) = cx.only_holder(push.from, &push.content).ok_or_else(no_such_push)?;
    Ok(event::Located { sources: vec![event::Holder { offer, key, has: None }] }.into())
}

/// Handles `decline`: the push is gone, and its giver is told.
pub(super) fn decline(cx: &mut Cx<'_>, id: PeerId, number: u64) -> Result<Event, Failure> {
    propose(cx, id, PushProposal::Decline(number))?;
    Ok(event::Declined { push: number }.into())
}

/// The receiver could not fetch a file that it has accepted: the push waits again.
pub(super) fn not_taken(cx: &mut Cx<'_>, id: PeerId, number: u64) {
    let _ = propose(cx, id, PushProposal::NotTaken(number));
}

/// The giver takes a push back, or knows that the file has arrived: the push is gone.
pub(super) fn take_back(cx: &mut Cx<'_>, id: PeerId, number: u64) {
    let _ = propose(cx, id, PushProposal::TakeBack(number));
}

/// A client leaves: its pushes are gone, and those that it was about to fetch wait again.
pub(super) fn take_all_back(cx: &mut Cx<'_>, id: PeerId) {
    for record in decide::pushes_left(&cx.journal.state, id) {
        carry_out(cx, &record);
    }
}

/// Nobody has this name any more: the pushes to it are gone, and their givers are told.
pub(super) fn drop_pushes_to(cx: &mut Cx<'_>, name_key: &NameKey) {
    for record in decide::pushes_to_nobody(&cx.journal.state, name_key) {
        carry_out(cx, &record);
    }
}
