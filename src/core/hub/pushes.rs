//! Files that are for one person: they wait here until that person takes them or not, as long as who gives them is here.

use std::sync::Arc;

use super::PeerId;
use super::cx::Cx;
use super::files::check_content;
use super::state::{Push, SessionRecord};
use crate::protocol::limits::{PUSHES, PUSHES_TO_ONE};
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::types::{Content, PushAnswer};
use crate::protocol::{ErrorCode, Event, Failure, event, log, wire};

fn record_of_push(cx: &mut Cx<'_>, record: &SessionRecord) {
    cx.journal.state.apply_of_session(record);
}

pub(super) fn push_file(cx: &mut Cx<'_>, id: PeerId, push: wire::Push) -> Result<Event, Failure> {
    cx.spend_message(id)?;
    let me = cx.sessions.me(id)?;
    let to = cx.journal.state.other(&me.name_key, &push.to, "/to")?;
    check_content(&push.push).map_err(|failure| failure.at(pointer_at("/file")))?;
    if push.push.file.contains('/') {
        let failure = Failure::new(ErrorCode::BadName, "A file that is pushed has a name without folders.");
        return Err(failure.at(pointer_at("/file")));
    }
    if cx.journal.state.pushes().count_given(id) >= PUSHES {
        return Err(Failure::new(ErrorCode::TooMany, format!("{PUSHES} of your files wait to be accepted.")));
    }
    // Who is blocked shall not keep others out.
    let blocked = cx.journal.state.blocks().blocked_by(&to);
    if cx.journal.state.pushes().count_for(&to, blocked) >= PUSHES_TO_ONE {
        let failure = Failure::new(ErrorCode::TooMany, "Too many files wait for that person.");
        return Err(failure.at(pointer_at("/to")));
    }
    let (file, size) = (push.push.file.to_string(), push.push.size);
    let name = cx.journal.state.names().shown(&to);
    let (giver, giver_key) = (me.name.clone(), me.name_key);
    let content = Arc::new(push.push);
    let number = cx.journal.state.pushes().last() + 1;
    let push = Push { from: id, giver, giver_key, to: to.clone(), content, taker: None };
    record_of_push(cx, &SessionRecord::Pushed { number, push });
    cx.log(log::PushAsked { push: number, from: me.name, to: name.clone(), file: file.clone(), size });
    let online = cx.sessions.named(&to).is_some_and(|id| cx.sessions.has(id));
    offer_push(cx, number);
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

/// A push that is for this client and waits.
fn push_for<'a>(cx: &'a Cx<'_>, id: PeerId, number: u64) -> Result<&'a Push, Failure> {
    let me = cx.sessions.me(id)?;
    let theirs = |push: &&Push| push.to == me.name_key && !cx.journal.state.blocks().has(&me.name_key, &push.giver_key);
    cx.journal.state.pushes().waiting(number).filter(theirs).ok_or_else(no_such_push)
}

fn log_end(cx: &mut Cx<'_>, number: u64, from: String, to: &NameKey, how: &str) {
    let to = cx.journal.state.names().shown(to);
    cx.log(log::PushEnded { push: number, from, to, how: how.to_owned() });
}

pub(super) fn accept(cx: &mut Cx<'_>, id: PeerId, number: u64) -> Result<Event, Failure> {
    let push = push_for(cx, id, number)?;
    let (giver, from, to, content) = (push.giver.clone(), push.from, push.to.clone(), push.content.clone());
    log_end(cx, number, giver, &to, "accepted");
    let Some((offer, key)) = cx.only_holder(from, &content) else {
        record_of_push(cx, &SessionRecord::PushGone { number });
        return Err(no_such_push());
    };
    // Who gives it must know who asks.
    cx.introduce(from, id);
    cx.tell(from, event::PushAnswered { push: number, answer: PushAnswer::Accepted });
    record_of_push(cx, &SessionRecord::PushTaken { number, taker: Some(id) });
    Ok(event::Located { sources: vec![event::Holder { offer, key, has: None }] }.into())
}

pub(super) fn decline(cx: &mut Cx<'_>, id: PeerId, number: u64) -> Result<Event, Failure> {
    let push = push_for(cx, id, number)?.clone();
    record_of_push(cx, &SessionRecord::PushGone { number });
    log_end(cx, number, push.giver, &push.to, "declined");
    cx.tell(push.from, event::PushAnswered { push: number, answer: PushAnswer::Declined });
    Ok(event::Declined { push: number }.into())
}

/// Somebody could not fetch what they have accepted: it waits again.
pub(super) fn not_taken(cx: &mut Cx<'_>, id: PeerId, number: u64) {
    let Some(from) = cx.journal.state.pushes().taken_by(id, number).map(|push| push.from) else { return };
    cx.tell(from, event::PushAnswered { push: number, answer: PushAnswer::Waiting });
    record_of_push(cx, &SessionRecord::PushTaken { number, taker: None });
}

/// Who gives it does not want to any more, or knows that it has arrived.
pub(super) fn take_back(cx: &mut Cx<'_>, id: PeerId, number: u64) {
    if cx.journal.state.pushes().get(number).is_some_and(|push| push.from == id) {
        push_gone(cx, number);
    }
}

/// A client is gone, and what it wanted to give with it. What it was about to fetch waits for it.
pub(super) fn take_all_back(cx: &mut Cx<'_>, id: PeerId) {
    for number in cx.journal.state.pushes().given_by(id) {
        push_gone(cx, number);
    }
    for number in cx.journal.state.pushes().accepted_by(id) {
        not_taken(cx, id, number);
    }
}

/// A name is gone: what is for it will not be taken. Who gives it hears so.
pub(super) fn drop_pushes_to(cx: &mut Cx<'_>, name_key: &NameKey) {
    for number in cx.journal.state.pushes().meant_for(name_key) {
        let Some(push) = cx.journal.state.pushes().get(number).cloned() else { continue };
        record_of_push(cx, &SessionRecord::PushGone { number });
        log_end(cx, number, push.giver, &push.to, "nobody has this name any more");
        cx.tell(push.from, event::PushAnswered { push: number, answer: PushAnswer::Gone });
    }
}

fn push_gone(cx: &mut Cx<'_>, number: u64) {
    let Some(push) = cx.journal.state.pushes().get(number).cloned() else { return };
    record_of_push(cx, &SessionRecord::PushGone { number });
    let (from, file) = (push.giver.clone(), push.content.file.to_string());
    // Whoever has accepted it knows best whether that matters: they may have all of it.
    if let Some(receiver) = receiver(cx, &push) {
        cx.tell(receiver, event::PushGone { push: number, from: from.clone(), file });
    }
    if push.taker.is_none() {
        log_end(cx, number, from, &push.to, "taken back");
    }
}

fn no_such_push() -> Failure {
    Failure::from(ErrorCode::NoSuchPush).at(pointer_at("/push"))
}
