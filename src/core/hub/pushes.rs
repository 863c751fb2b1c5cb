//! Files that are for one person: they wait here until that person takes them or not, as long as who gives them is here.
//! What may be done with one is judged by the state; here it is proposed, and those whom it concerns are told of what came
//! of it.

use super::PeerId;
use super::cx::Cx;
use super::state::{Push, PushEnd, PushProposal, SessionRecord, no_such_push};
use crate::protocol::name::NameKey;
use crate::protocol::types::{Content, PushAnswer};
use crate::protocol::{Event, Failure, event, log, wire};

/// Has judged what a client wants done with a push, and carries it out. Gives the record, if anything has changed.
fn propose(cx: &mut Cx<'_>, id: PeerId, proposal: PushProposal) -> Result<Option<SessionRecord>, Failure> {
    let record = cx.journal.state.decide_push(&cx.sessions.holder(id)?, proposal)?;
    if let Some(record) = &record {
        carry_out(cx, record);
    }
    Ok(record)
}

/// Applies a record about a push, and tells of it.
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
            // Whoever has accepted it knows best whether that matters: they may have all of it.
            if let Some(receiver) = receiver(cx, &push) {
                cx.tell(receiver, event::PushGone { push: number, from: from.clone(), file });
            }
            if push.taker.is_none() {
                log_end(cx, number, from, &push.to, "taken back");
            }
        }
    }
}

pub(super) fn push_file(cx: &mut Cx<'_>, id: PeerId, push: wire::Push) -> Result<Event, Failure> {
    cx.spend_message(id)?;
    let Some(SessionRecord::Pushed { number, push }) = propose(cx, id, PushProposal::Give(push))? else {
        return Err(no_such_push());
    };
    let (file, name) = (push.content.file.to_string(), cx.journal.state.names().shown(&push.to));
    let online = cx.sessions.named(&push.to).is_some_and(|id| cx.sessions.has(id));
    Ok(event::PushAsked { push: number, transfer: 0, file, to: name, online }.into())
}

/// Tells whom a push is for, if they are here and do not block who gives it.
fn offer_push(cx: &mut Cx<'_>, number: u64) {
    let Some(push) = cx.journal.state.pushes().waiting(number) else { return };
    let Some(receiver) = receiver(cx, push) else { return };
    let (Content { size, hash, .. }, file) = (&*push.content, push.content.file.to_string());
    let (size, hash) = (*size, *hash);
    let told = event::PushOffered { push: number, from: push.giver.clone(), file, size, hash };
    cx.tell(receiver, told);
}

/// The client of whoever a push is for, if it may be told.
fn receiver(cx: &Cx<'_>, push: &Push) -> Option<PeerId> {
    let id = cx.sessions.named(&push.to)?;
    let entered = cx.sessions.get(id)?.name.is_some();
    (entered && !cx.journal.state.blocks().has(&push.to, &push.giver_key)).then_some(id)
}

/// Somebody has come: what waits for them is offered to them.
pub(super) fn offer_pushes_to(cx: &mut Cx<'_>, name_key: &NameKey) {
    for number in cx.journal.state.pushes().meant_for(name_key) {
        offer_push(cx, number);
    }
}

fn log_end(cx: &mut Cx<'_>, number: u64, from: String, to: &NameKey, how: &str) {
    let to = cx.journal.state.names().shown(to);
    cx.log(log::PushEnded { push: number, from, to, how: how.to_owned() });
}

pub(super) fn accept(cx: &mut Cx<'_>, id: PeerId, number: u64) -> Result<Event, Failure> {
    propose(cx, id, PushProposal::Accept(number))?;
    let push = cx.journal.state.pushes().get(number).ok_or_else(no_such_push)?;
    let (offer, key) = cx.only_holder(push.from, &push.content).ok_or_else(no_such_push)?;
    Ok(event::Located { sources: vec![event::Holder { offer, key, has: None }] }.into())
}

pub(super) fn decline(cx: &mut Cx<'_>, id: PeerId, number: u64) -> Result<Event, Failure> {
    propose(cx, id, PushProposal::Decline(number))?;
    Ok(event::Declined { push: number }.into())
}

/// Somebody could not fetch what they have accepted: it waits again. Who has left has nothing to say any more.
pub(super) fn not_taken(cx: &mut Cx<'_>, id: PeerId, number: u64) {
    let _ = propose(cx, id, PushProposal::NotTaken(number));
}

/// Who gives it does not want to any more, or knows that it has arrived.
pub(super) fn take_back(cx: &mut Cx<'_>, id: PeerId, number: u64) {
    let _ = propose(cx, id, PushProposal::TakeBack(number));
}

/// A client is gone, and what it wanted to give with it. What it was about to fetch waits for it.
pub(super) fn take_all_back(cx: &mut Cx<'_>, id: PeerId) {
    for record in cx.journal.state.decide_pushes_left(id) {
        carry_out(cx, &record);
    }
}

/// A name is gone: what is for it will not be taken. Who gives it hears so.
pub(super) fn drop_pushes_to(cx: &mut Cx<'_>, name_key: &NameKey) {
    for record in cx.journal.state.decide_pushes_to_nobody(name_key) {
        carry_out(cx, &record);
    }
}
