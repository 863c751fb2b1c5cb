//! Judges logins and invites: what a failed login counts for, what a right one changes, and whether an invite is still
//! good.

use super::super::super::LoginPolicy;
use super::super::State;
use crate::protocol::invite::{InviteDigest, InviteOver, InviteRecord};
use crate::protocol::limits::{FAILURES_COUNTED, KEYS_OF_ACCOUNT};
use crate::protocol::name::NameKey;
use crate::protocol::record::{AccountRecord, FailureRecord};
use crate::protocol::{ErrorCode, Failure, PublicKey, Record, Timestamp};

/// The result of a failed login.
#[derive(Debug)]
pub(in crate::core::hub) struct LoginFailed {
    /// The new number of failures in a row, for each name, key or network that it counts for.
    pub(in crate::core::hub) counted: Vec<FailureRecord>,
    /// The records of failures that are forgotten, because there are too many.
    forgotten: Vec<FailureRecord>,
}

impl LoginFailed {
    /// The changes.
    pub(in crate::core::hub) fn records(&self) -> impl Iterator<Item = Record> + use<> {
        let all: Vec<FailureRecord> = self.forgotten.iter().chain(&self.counted).cloned().collect();
        all.into_iter().map(Record::Failures)
    }
}

/// The record that removes the failures of a name, key or network.
fn none(whom: &str, today: Timestamp) -> FailureRecord {
    FailureRecord { whom: whom.to_owned(), count: 0, last: today, locked_for: None }
}

/// A login whose password was right when the driver checked it. The account may have got another one meanwhile.
#[derive(Debug)]
pub(in crate::core::hub) struct CheckedLogin {
    /// The name as the account has it, and as it is compared.
    pub(in crate::core::hub) name: String,
    pub(in crate::core::hub) name_key: NameKey,
    /// The number of the password that was checked.
    pub(in crate::core::hub) credential: u64,
    /// Whether this number may be newer than the one in the state, because the hub has not loaded it yet.
    pub(in crate::core::hub) may_be_newer: bool,
    /// The key of the client that logs in.
    pub(in crate::core::hub) key: PublicKey,
    /// The key of the client that is here under the name. It is not forgotten to make room for this one.
    pub(in crate::core::hub) key_in_use: Option<PublicKey>,
    /// The invite that lets this key in, if no name belongs to it yet.
    pub(in crate::core::hub) invite: Option<InviteDigest>,
}

/// The result of a right login.
#[derive(Debug)]
pub(in crate::core::hub) struct LoginRight {
    pub(in crate::core::hub) records: Vec<Record>,
    /// The password is newer than the one in the state: sessions under the older one must end.
    pub(in crate::core::hub) renewed: bool,
    /// The key belongs to the account already.
    pub(in crate::core::hub) known: bool,
}

/// The changes when a hub starts at `begun`: failures that are dated later are dated at that moment.
pub(in crate::core::hub) fn beginning(state: &State, begun: Timestamp) -> Vec<Record> {
    let ahead = state.failures.dated_after(begun);
    ahead.map(|record| Record::Failures(FailureRecord { last: begun, ..record.clone() })).collect()
}

/// A login has failed: counts this for each of `whom`, and locks out those that have reached their limit.
pub(in crate::core::hub) fn login_failed(
    state: &State,
    today: Timestamp,
    policy: &LoginPolicy,
    whom: &[(String, u32)],
) -> LoginFailed {
    let counted = whom.iter().map(|(whom, most)| {
        let count = state.failures.count(whom, today, policy) + 1;
        let locked_for = (count >= *most).then_some(policy.lockout.as_millis() as u64);
        FailureRecord { whom: whom.clone(), count, last: today, locked_for }
    });
    let counted: Vec<FailureRecord> = counted.collect();
    let fresh = whom.iter().filter(|(whom, _)| !state.failures.has(whom)).count();
    let surplus = (state.failures.len() + fresh).saturating_sub(FAILURES_COUNTED);
    let others = state.failures.oldest().filter(|old| whom.iter().all(|(whom, _)| whom != *old));
    LoginFailed { counted, forgotten: others.take(surplus).map(|old| none(old, today)).collect() }
}

/// A login was right: the record that removes the failures of `whom`, if there are any.
pub(in crate::core::hub) fn login_right(state: &State, today: Timestamp, whom: &String) -> Option<Record> {
    state.failures.has(whom).then(|| Record::Failures(none(whom, today)))
}

/// Judges a login whose password was right when it was checked. `None` if the account has another password by now,
/// or is gone: the login has then failed.
pub(in crate::core::hub) fn checked_login(state: &State, today: Timestamp, login: &CheckedLogin) -> Option<LoginRight> {
    let CheckedLogin { name, name_key, credential, key, .. } = login;
    let there = state.names.get(name_key);
    let renewed = there.is_none_or(|there| there.credential != Some(*credential));
    if renewed && !login.may_be_newer {
        return None;
    }
    let mut records = Vec::new();
    if renewed {
        let (name_key, shown) = (name_key.clone(), there.map_or(name, |there| &there.name).clone());
        let account =
            AccountRecord { name_key: name_key.clone(), name: shown, credential: Some(*credential), keys: Vec::new() };
        records.push(Record::Account(account));
        // Messages to a former owner of the name are not for this one.
        records.extend(there.is_none().then(|| Record::Received { name_key, number: state.mail.last() }));
    }
    let mut keys = if renewed { Vec::new() } else { state.names.keys_of(name_key).to_vec() };
    let known = keys.contains(key);
    if !known {
        // The oldest key that is not in use makes room.
        while keys.len() >= KEYS_OF_ACCOUNT {
            let oldest = keys.iter().position(|key| Some(*key) != login.key_in_use).unwrap_or(0);
            records.push(Record::KeyForgotten { name_key: name_key.clone(), key: keys.remove(oldest) });
        }
        let is_known = state.names.names_of(key).any(|name| !renewed || name != name_key);
        let spent = login.invite.filter(|_| !is_known);
        records.extend(spent.map(|digest| Record::InviteSpent { digest, key: *key }));
        let (name, name_key) = (name.clone(), name_key.clone());
        records.push(Record::Name { name, name_key, key: *key, since: today.0, credential: Some(*credential) });
    }
    Some(LoginRight { records, renewed, known })
}

/// Checks whether an invite lets a key in. The state knows better than the store's record how often the invite was
/// used; `counted` says that the store knows it as used by this very key.
///
/// # Errors
/// `access-denied`
pub(in crate::core::hub) fn check_invite(
    state: &State,
    invite: &InviteRecord,
    counted: bool,
    key: PublicKey,
    today: Timestamp,
) -> Result<(), Failure> {
    let spent = state.invites.count(invite.digest).max(invite.spent);
    match (InviteRecord { spent, ..invite.clone() }).over(today) {
        // The hub crashed before it kept the key's name.
        Some(InviteOver::Spent) if counted || state.invites.has_let_in(invite.digest, key) => Ok(()),
        Some(InviteOver::Spent) => Err(denied("The invite has been used.")),
        Some(InviteOver::Expired) => Err(denied("The invite has expired.")),
        None => Ok(()),
    }
}

fn denied(message: &'static str) -> Failure {
    Failure::new(ErrorCode::AccessDenied, message).hint("Ask the hub's keeper for another one.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(credential: u64, may_be_newer: bool) -> CheckedLogin {
        let (name, key) = ("Anna".to_owned(), PublicKey([200; 32]));
        let name_key = NameKey::of(&name);
        CheckedLogin { name, name_key, credential, may_be_newer, key, key_in_use: None, invite: None }
    }

    /// Anna's account as its keeper has made it.
    fn account(credential: u64, keys: Vec<PublicKey>) -> Record {
        let (name_key, name) = (NameKey::of("anna"), "Anna".to_owned());
        Record::Account(AccountRecord { name_key, name, credential: Some(credential), keys })
    }

    #[test]
    fn a_password_that_was_changed_while_it_was_checked_adds_no_key() {
        let mut state = State::default();
        state.apply(&account(1, vec![PublicKey([1; 32])]));
        let right = checked_login(&state, Timestamp(5), &login(1, false)).unwrap();
        assert!(matches!(right.records[..], [Record::Name { credential: Some(1), .. }]) && !right.renewed);
        // The keeper was faster: the same check is void now, and what it would have written changes nothing.
        state.apply(&account(2, Vec::new()));
        assert!(checked_login(&state, Timestamp(5), &login(1, false)).is_none());
        let before = state.digest();
        right.records.iter().for_each(|record| state.apply(record));
        assert!(state.digest() == before && !state.names().knows(&PublicKey([200; 32])));
        state.apply(&Record::NameGone { name_key: NameKey::of("anna") });
        assert!(checked_login(&state, Timestamp(5), &login(2, false)).is_none());
    }

    #[test]
    fn a_password_that_is_newer_than_what_is_known_takes_all_other_keys_away() {
        let mut state = State::default();
        let keys = (1..=KEYS_OF_ACCOUNT as u8).map(|key| PublicKey([key; 32])).collect::<Vec<_>>();
        state.apply(&account(1, keys));
        // Under the same password the oldest key makes room, but not the one that is in use.
        let in_use = CheckedLogin { key_in_use: Some(PublicKey([1; 32])), ..login(1, false) };
        let right = checked_login(&state, Timestamp(5), &in_use).unwrap();
        let forgets = |record: &Record| matches!(record, Record::KeyForgotten { key, .. } if key.0[0] == 2);
        assert!(right.records.len() == 2 && forgets(&right.records[0]));
        let right = checked_login(&state, Timestamp(5), &login(3, true)).unwrap();
        right.records.iter().for_each(|record| state.apply(record));
        assert!(right.renewed && !right.known);
        assert_eq!(state.names().keys_of(&NameKey::of("anna")), [PublicKey([200; 32])]);
        let again = checked_login(&state, Timestamp(6), &login(3, false)).unwrap();
        assert!(again.records.is_empty() && again.known && !again.renewed);
    }
}
