//! The table: what somebody may offer, and what they take back.

use std::sync::Arc;

use super::super::State;
use super::super::table::key;
use super::pushes::{Holder, check_content};
use crate::protocol::human::quoted;
use crate::protocol::limits::{ANSWER_BYTES, FILES_PER_REQUEST, PUBLISH_FILES};
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::types::Content;
use crate::protocol::{ErrorCode, Failure, request};

/// Somebody offers these contents: all of them or, on an error, none. `more` follow that need room, too, and one may
/// offer so many. Gives those that are not offered just so already.
///
/// # Errors
/// `too-many-offers`, or why one of them cannot be offered.
pub(in crate::core::hub) fn offer(
    state: &State,
    by: &Holder,
    contents: &[Arc<Content>],
    more: u64,
    most: usize,
) -> Result<Vec<Arc<Content>>, Failure> {
    if contents.len() > FILES_PER_REQUEST {
        return Err(ErrorCode::TooManyOffers.into());
    }
    for (i, content) in contents.iter().enumerate() {
        check_content(content).map_err(|failure| failure.at(pointer_at(&format!("/files/{i}"))))?;
    }
    let fresh =
        contents.iter().filter(|content| state.table.offered(by.session, &by.name, &content.file).is_none()).count();
    let more = usize::try_from(more).unwrap_or(usize::MAX);
    if (state.table.count_of(by.session) + fresh).saturating_add(more) > most {
        return Err(Failure::new(ErrorCode::TooManyOffers, format!("A client may offer {most} files.")));
    }
    let changed = contents.iter().filter(|content| {
        state.table.offered(by.session, &by.name, &content.file).is_none_or(|known| known != *content)
    });
    Ok(changed.cloned().collect())
}

/// Somebody takes back what they offer: files, and folders with all that is in them. Gives the files, sorted.
///
/// # Errors
/// `not-offered`, `too-many`
pub(in crate::core::hub) fn withdraw(
    state: &State,
    by: &Holder,
    request: request::Withdraw,
) -> Result<Vec<String>, Failure> {
    request::check_count(&request.files)?;
    let mut files = Vec::with_capacity(request.files.len());
    for (i, file) in request.files.into_iter().enumerate() {
        let before = files.len();
        if file.ends_with('/') {
            // `./` is all there is, as `.` is when it is offered.
            let prefix = if file == "./" { "" } else { &file };
            files.extend(state.table.files_below(by.session, prefix).map(str::to_owned));
            files.extend(state.copies.below(&by.name_key, prefix));
        } else if may_withdraw(state, by, &file) {
            files.push(file.clone());
        }
        if files.len() == before {
            return Err(not_offered_by(state, by, &file).at(pointer_at(&format!("/files/{i}"))));
        }
    }
    files.sort();
    files.dedup();
    if files.iter().map(|file| file.len() + 16).sum::<usize>() > ANSWER_BYTES {
        let message = "That is more than can be taken back at once; name the folders in it one by one.";
        return Err(Failure::new(ErrorCode::TooMany, message));
    }
    Ok(files)
}

/// Files are gone at their owner's: gives those of them that they offer, sorted.
pub(in crate::core::hub) fn files_gone(state: &State, by: &Holder, mut files: Vec<String>) -> Vec<String> {
    files.truncate(PUBLISH_FILES);
    files.retain(|file| may_withdraw(state, by, file));
    files.sort();
    files.dedup();
    files
}

/// What becomes of an offer whose owner does not serve it any more.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::core::hub) enum TakenOff {
    /// It stays in the table: the hub serves its copy of this content.
    Kept(Arc<Content>),
    /// It was this one, and goes.
    Gone(Arc<Content>),
}

/// An offer is taken out of the table, unless there is a copy of it that the hub can serve. `None` if there is neither.
pub(in crate::core::hub) fn taken_off(
    state: &State,
    owner: &str,
    file: &str,
    can_serve: impl Fn(&Content) -> bool,
) -> Option<TakenOff> {
    let copy = state.copies.content(&NameKey::of(owner), file).filter(|content| can_serve(content));
    let offer = || state.table.get(&key(file, owner)).map(|listed| TakenOff::Gone(listed.content.clone()));
    copy.cloned().map(TakenOff::Kept).or_else(offer)
}

/// Whether somebody offers a file, or the hub has a copy of it for them.
fn may_withdraw(state: &State, by: &Holder, file: &str) -> bool {
    state.table.offered(by.session, &by.name, file).is_some() || state.copies.content(&by.name_key, file).is_some()
}

fn not_offered_by(state: &State, by: &Holder, file: &str) -> Failure {
    let folder = format!("{file}/");
    match state.table.files_below(by.session, &folder).next() {
        Some(_) => Failure::new(ErrorCode::NotOffered, format!("{file} is a folder: you offer {folder}."))
            .hint(format!("`withdraw {}` takes back all that is in it.", quoted(&folder))),
        None => Failure::new(ErrorCode::NotOffered, format!("You do not offer {file}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Owner, SessionRecord};
    use super::*;
    use crate::protocol::ContentHash;
    use crate::protocol::record::{CopyRecord, Record};

    #[test]
    fn an_offer_that_is_taken_off_stays_as_long_as_the_hub_can_serve_its_copy() {
        let (mut state, owner, name_key) = (State::default(), "Anna".to_owned(), NameKey::of("Anna"));
        let content = |hash| {
            let (file, hash) = ("a.txt".into(), ContentHash([hash; 32]));
            Content { file, size: 1, hash, chunk_size: 1 << 20, chunks: 1, modified: None }
        };
        let gone = |state: &State, serves| taken_off(state, "Anna", "a.txt", |_: &Content| serves);
        assert_eq!(gone(&state, true), None);
        let (offered, server) = (Arc::new(content(2)), Owner::Client(3));
        let listed = SessionRecord::Listed { owner: "Anna".into(), server, content: offered.clone() };
        state.apply_of_session(&listed);
        assert_eq!(gone(&state, true), Some(TakenOff::Gone(offered.clone())), "there is no copy");
        state.apply(&Record::Copy(CopyRecord { name_key, owner, content: content(1) }));
        assert_eq!(gone(&state, true), Some(TakenOff::Kept(Arc::new(content(1)))));
        assert_eq!(gone(&state, false), Some(TakenOff::Gone(offered)), "its bytes are not there");
    }
}
