//! Files that are for one person: whether one may be given, and who may accept it, decline it, or take it back.

use std::sync::Arc;

use super::super::pushes::{Push, PushEnd};
use super::super::{SessionRecord, State};
use crate::protocol::limits::{PUSHES, PUSHES_TO_ONE};
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_file};
use crate::protocol::types::Content;
use crate::protocol::{ErrorCode, Failure, wire};

/// Who is here under a name, and proposes something that lasts as long as their session.
#[derive(Debug, Clone)]
pub(in crate::core::hub) struct Holder {
    pub(in crate::core::hub) session: u64,
    /// The name as they write it.
    pub(in crate::core::hub) name: String,
    pub(in crate::core::hub) name_key: NameKey,
}

/// What somebody wants done with a file that is for one person.
#[derive(Debug)]
pub(in crate::core::hub) enum PushProposal {
    /// Give one.
    Give(wire::Push),
    /// Have one.
    Accept(u64),
    Decline(u64),
    /// Whoever has accepted it could not fetch it.
    NotTaken(u64),
    /// Whoever gives it does not want to any more, or knows that it has arrived.
    TakeBack(u64),
}

/// Judges what somebody wants done with a file that is for one person: what comes of it, which is nothing if it is too
/// late for that.
///
/// # Errors
/// Why it cannot be so, for whoever asks.
pub(in crate::core::hub) fn push(
    state: &State,
    by: &Holder,
    proposal: PushProposal,
) -> Result<Option<SessionRecord>, Failure> {
    match proposal {
        PushProposal::Give(push) => give(state, by, push).map(Some),
        PushProposal::Accept(number) => {
            let taker = Some(by.session);
            push_for(state, by, number).map(|_| Some(SessionRecord::PushTaken { number, taker }))
        }
        PushProposal::Decline(number) => {
            let why = PushEnd::Declined;
            push_for(state, by, number).map(|_| Some(SessionRecord::PushGone { number, why }))
        }
        PushProposal::NotTaken(number) => {
            let theirs = state.pushes.taken_by(by.session, number);
            Ok(theirs.map(|_| SessionRecord::PushTaken { number, taker: None }))
        }
        PushProposal::TakeBack(number) => {
            let theirs = state.pushes.get(number).filter(|push| push.from == by.session);
            Ok(theirs.map(|_| SessionRecord::PushGone { number, why: PushEnd::TakenBack }))
        }
    }
}

/// A session ends: what it gives goes with it, and what it was about to fetch waits again.
pub(in crate::core::hub) fn pushes_left(state: &State, session: u64) -> Vec<SessionRecord> {
    let given = state.pushes.given_by(session).into_iter();
    let given = given.map(|number| SessionRecord::PushGone { number, why: PushEnd::TakenBack });
    let accepted = state.pushes.accepted_by(session).into_iter();
    given.chain(accepted.map(|number| SessionRecord::PushTaken { number, taker: None })).collect()
}

/// Nobody has a name any more: what is for it will not be taken.
pub(in crate::core::hub) fn pushes_to_nobody(state: &State, name_key: &NameKey) -> Vec<SessionRecord> {
    let meant = state.pushes.meant_for(name_key).into_iter();
    meant.map(|number| SessionRecord::PushGone { number, why: PushEnd::Nobody }).collect()
}

fn give(state: &State, by: &Holder, push: wire::Push) -> Result<SessionRecord, Failure> {
    let to = state.other(&by.name_key, &push.to, "/to")?;
    check_content(&push.push).map_err(|failure| failure.at(pointer_at("/file")))?;
    if push.push.file.contains('/') {
        let failure = Failure::new(ErrorCode::BadName, "A file that is pushed has a name without folders.");
        return Err(failure.at(pointer_at("/file")));
    }
    if state.pushes.count_given(by.session) >= PUSHES {
        return Err(Failure::new(ErrorCode::TooMany, format!("{PUSHES} of your files wait to be accepted.")));
    }
    // Who is blocked shall not keep others out.
    if state.pushes.count_for(&to, state.blocks.blocked_by(&to)) >= PUSHES_TO_ONE {
        let failure = Failure::new(ErrorCode::TooMany, "Too many files wait for that person.");
        return Err(failure.at(pointer_at("/to")));
    }
    let (giver, giver_key, content) = (by.name.clone(), by.name_key.clone(), Arc::new(push.push));
    let push = Push { from: by.session, giver, giver_key, to, content, taker: None };
    Ok(SessionRecord::Pushed { number: state.pushes.last() + 1, push })
}

/// A push that is for somebody and waits.
fn push_for<'a>(state: &'a State, who: &Holder, number: u64) -> Result<&'a Push, Failure> {
    let theirs = |push: &&Push| push.to == who.name_key && !state.blocks.has(&who.name_key, &push.giver_key);
    state.pushes.waiting(number).filter(theirs).ok_or_else(no_such_push)
}

pub(in crate::core::hub) fn no_such_push() -> Failure {
    Failure::from(ErrorCode::NoSuchPush).at(pointer_at("/push"))
}

/// Whether a content can be offered or given.
pub(in crate::core::hub) fn check_content(content: &Content) -> Result<(), Failure> {
    check_file(&content.file)?;
    content.chunking().ok_or_else(|| Failure::new(ErrorCode::BadRequest, "size and chunks do not fit together"))?;
    Ok(())
}
