//! Who has a name: when a session leaves it, and what comes of one that two of its owner's sessions want.
//!
//! What comes in here was seen outside: a grace that ran out, a session that did not answer in time. It was seen of a
//! session as it was then, which [`InUse::generation`] tells: whoever has come back since keeps the name.

use super::super::presence::InUse;
use super::super::{SessionRecord, State};
use crate::protocol::name::NameKey;
use crate::protocol::{Client, Timestamp};

/// Who has a name that two sessions of its owner want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core::hub) enum Contest {
    /// The session that has it keeps it.
    Holder,
    /// The one that wants it gets it.
    Challenger,
}

/// A session has a name from now on, or is connected anew: nobody else has it.
pub(in crate::core::hub) fn hold_name(state: &State, name_key: &NameKey, session: u64) -> SessionRecord {
    let generation = state.roster.generations().saturating_add(1);
    SessionRecord::Held { name_key: name_key.clone(), by: InUse { session, generation } }
}

/// A session leaves its name: nothing happens if another one has it by now, or if the session has come back since it
/// was seen as `seen`.
pub(in crate::core::hub) fn free_name(state: &State, name_key: &NameKey, seen: InUse) -> Option<SessionRecord> {
    let stands = state.roster.holder(name_key) == Some(seen);
    stands.then(|| SessionRecord::Freed { name_key: name_key.clone() })
}

/// The session that had a name when it was contested has shown that it lives, or has not.
pub(in crate::core::hub) fn contest(state: &State, name_key: &NameKey, seen: InUse, alive: bool) -> Contest {
    let came_back = state.roster.holder(name_key).is_some_and(|held| held != seen);
    if alive || came_back { Contest::Holder } else { Contest::Challenger }
}

/// A session has entered, or its line in the roster has changed: nothing happens if another one has the name by now.
pub(in crate::core::hub) fn show(
    state: &State,
    session: u64,
    name_key: &NameKey,
    client: Client,
) -> Option<SessionRecord> {
    let has_it = state.roster.holder(name_key).is_some_and(|held| held.session == session);
    has_it.then_some(SessionRecord::Here { client })
}

/// A session that has left its name leaves the roster: nothing happens if another one has the name by now.
pub(in crate::core::hub) fn leave(
    state: &State,
    name_key: &NameKey,
    name: &str,
    closed: Timestamp,
) -> Option<SessionRecord> {
    let stands = state.roster.holder(name_key).is_none() && state.roster.get(name).is_some();
    stands.then(|| SessionRecord::Left { name: name.to_owned(), closed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Presence, PublicKey};

    #[test]
    fn only_the_session_that_has_a_name_writes_its_line_in_the_roster() {
        let (mut state, anna, closed) = (State::default(), NameKey::of("anna"), Timestamp(9));
        let (name, address, key) = ("Anna".to_owned(), [10, 0, 0, 1].into(), PublicKey([1; 32]));
        let (state_of, since) = (Presence::Online, Timestamp(5));
        let line = Client {
            name,
            number: 1,
            state: state_of,
            since,
            key,
            address,
            port: 1,
            link_port: 2,
            you: false,
            verified: None,
        };
        assert_eq!(show(&state, 3, &anna, line.clone()), None, "it has not entered");
        let held = hold_name(&state, &anna, 3);
        state.apply_of_session(&held);
        let here = show(&state, 3, &anna, line.clone()).unwrap();
        state.apply_of_session(&here);
        assert_eq!(show(&state, 4, &anna, line), None);
        assert_eq!(leave(&state, &anna, "Anna", closed), None, "somebody is here under the name");
        let freed = free_name(&state, &anna, state.roster().holder(&anna).unwrap()).unwrap();
        state.apply_of_session(&freed);
        let left = leave(&state, &anna, "Anna", closed).unwrap();
        state.apply_of_session(&left);
        assert_eq!(leave(&state, &anna, "Anna", closed), None, "it has left");
    }

    #[test]
    fn what_was_seen_of_a_session_does_not_end_it_once_it_has_come_back() {
        let (mut state, anna) = (State::default(), NameKey::of("anna"));
        let hold = |state: &mut State, session| {
            let record = hold_name(state, &anna, session);
            state.apply_of_session(&record);
            state.roster().holder(&anna).unwrap()
        };
        let (before, back) = (hold(&mut state, 3), hold(&mut state, 3));
        assert_eq!(free_name(&state, &anna, before), None);
        assert_eq!(contest(&state, &anna, before, false), Contest::Holder);
        assert_eq!(contest(&state, &anna, back, false), Contest::Challenger);
        assert_eq!(contest(&state, &anna, back, true), Contest::Holder);
        // Another session has the name by now, and then the same one once more.
        hold(&mut state, 4);
        assert_eq!(free_name(&state, &anna, back), None);
        let record = free_name(&state, &anna, state.roster().holder(&anna).unwrap()).unwrap();
        state.apply_of_session(&record);
        assert_eq!(state.roster().holder(&anna), None);
        hold(&mut state, 3);
        assert!([before, back].iter().all(|seen| free_name(&state, &anna, *seen).is_none()));
    }
}
