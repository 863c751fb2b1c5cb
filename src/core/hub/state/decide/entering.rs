//! Judges who may enter under a name without a password.

use super::super::super::Access;
use super::super::State;
use super::logins::check_invite;
use crate::protocol::invite::InviteRecord;
use crate::protocol::limits::HubLimits;
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, Failure, PublicKey, Timestamp};

/// A session that wants to enter under a name, and what only the judging hub knows about it.
#[derive(Debug)]
pub(in crate::core::hub) struct Entrant<'a> {
    /// The name as the request gives it.
    pub(in crate::core::hub) name: &'a str,
    /// The key with which the session has connected.
    pub(in crate::core::hub) key: PublicKey,
    /// The invite that the session has shown, and whether the store knows it as used by this very key.
    pub(in crate::core::hub) invite: Option<(&'a InviteRecord, bool)>,
    /// How many new names its network has taken within a day.
    pub(in crate::core::hub) newcomers: usize,
    /// Whether new names can be stored at the moment.
    pub(in crate::core::hub) can_keep: Result<(), Failure>,
    pub(in crate::core::hub) access: &'a Access,
    pub(in crate::core::hub) limits: &'a HubLimits,
    /// The calendar time.
    pub(in crate::core::hub) today: Timestamp,
}

/// Judges `register`. Returns whether the name belongs to the session's key already; otherwise it is new.
///
/// # Errors
/// `login-required`, `name-taken`, `access-denied`, `too-many`, or why the store cannot keep a new name
pub(in crate::core::hub) fn enter(state: &State, entrant: &Entrant<'_>) -> Result<bool, Failure> {
    let name_key = NameKey::of(entrant.name);
    key_suffices(state, entrant, &name_key)?;
    check_invited(state, entrant)?;
    if state.names.is_taken(&name_key) {
        // A name that is taken already stays valid, whatever it looks like.
        return Ok(true);
    }
    check_new_name(state, entrant)?;
    entrant.can_keep.clone()?;
    if let Some(twin) = state.names.twin(entrant.name) {
        let message = format!("The name {} looks like {}, which is taken.", entrant.name, state.names.shown(twin));
        return Err(Failure::new(ErrorCode::NameTaken, message).at(pointer_at("/name")));
    }
    Ok(false)
}

/// Whether a key needs an invite to come in: the hub asks for invites, and the key owns no name.
pub(in crate::core::hub) fn wants_invite(state: &State, access: &Access, key: &PublicKey) -> bool {
    *access == Access::Invite && !state.names.knows(key)
}

/// Checks whether a key may connect at all, other than as a guest.
///
/// # Errors
/// `access-denied` if the hub is there for another key only.
pub(in crate::core::hub) fn may_connect(access: &Access, key: &PublicKey) -> Result<(), Failure> {
    match access {
        Access::Only(owner) if owner != key => {
            let message = "This hub is there for one sender, and for whoever receives with a code.";
            Err(Failure::new(ErrorCode::AccessDenied, message).hint("`potluck receive CODE` fetches what is sent."))
        }
        Access::Only(_) | Access::Open | Access::Invite | Access::Accounts => Ok(()),
    }
}

/// The failure for a name that belongs to somebody else.
pub(in crate::core::hub) fn name_taken(name: &str) -> Failure {
    Failure::new(ErrorCode::NameTaken, format!("The name {name} is taken.")).at(pointer_at("/name"))
}

/// Checks whether the session's key may enter under a name without a password.
///
/// # Errors
/// `login-required`, `name-taken`
fn key_suffices(state: &State, entrant: &Entrant<'_>, name_key: &NameKey) -> Result<(), Failure> {
    let person = state.names.get(name_key);
    let owns = state.names.owns(&entrant.key, name_key);
    let account = person.is_some_and(|person| person.credential.is_some());
    match (entrant.access, person) {
        (Access::Accounts, _) if account && owns => Ok(()),
        // An unknown account gets the same answer as a known one, so that nobody can find out which exist.
        (Access::Accounts, _) => Err(login_required("This hub wants a login.")),
        (_, None) => Ok(()),
        (_, Some(_)) if owns => Ok(()),
        (_, Some(_)) if account => Err(login_required("The name belongs to an account.")),
        (_, Some(_)) => Err(name_taken(entrant.name)),
    }
}

/// The failure of a client that must log in.
pub(in crate::core::hub) fn login_required(message: &'static str) -> Failure {
    Failure::new(ErrorCode::LoginRequired, message)
}

/// Checks again, when a session takes a name, that its invite is still good: others may have used it up since the
/// hello.
///
/// # Errors
/// `access-denied`
fn check_invited(state: &State, entrant: &Entrant<'_>) -> Result<(), Failure> {
    match entrant.invite {
        _ if !wants_invite(state, entrant.access, &entrant.key) => Ok(()),
        Some((invite, counted)) => check_invite(state, invite, counted, entrant.key, entrant.today),
        None => Err(ErrorCode::AccessDenied.into()),
    }
}

/// Checks whether a session may take a name that nobody has: its key and its network may take only so many.
///
/// # Errors
/// `too-many`
fn check_new_name(state: &State, entrant: &Entrant<'_>) -> Result<(), Failure> {
    let most = entrant.limits.names_per_address;
    if entrant.newcomers >= most {
        let message = format!("From your address {most} names were taken within a day; that is the most.");
        return Err(Failure::new(ErrorCode::TooMany, message).hint("Enter under a name that you have, or tomorrow."));
    }
    let owned = state.names.names_of(&entrant.key).count();
    if owned >= entrant.limits.names_per_key {
        let message = format!("Your key has {owned} names; that is the most.");
        return Err(Failure::new(ErrorCode::TooMany, message).hint("Enter under one of them."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Record;
    use crate::protocol::record::AccountRecord;

    const ANNAS: PublicKey = PublicKey([1; 32]);
    const BENS: PublicKey = PublicKey([2; 32]);

    fn wants<'a>(name: &'a str, key: PublicKey, access: &'a Access, limits: &'a HubLimits) -> Entrant<'a> {
        let (invite, today) = (None, Timestamp(5));
        Entrant { name, key, invite, newcomers: 0, can_keep: Ok(()), access, limits, today }
    }

    /// Anna has a name, and an account is called keeper.
    fn state() -> State {
        let (mut state, keeper) = (State::default(), "keeper".to_owned());
        let (name, name_key, key) = ("Anna".to_owned(), NameKey::of("Anna"), ANNAS);
        state.apply(&Record::Name { name, name_key, key, since: 0, credential: None });
        let (name_key, keys) = (NameKey::of(&keeper), vec![ANNAS]);
        state.apply(&Record::Account(AccountRecord { name_key, name: keeper, credential: Some(1), keys }));
        state
    }

    fn code(result: Result<bool, Failure>) -> Option<ErrorCode> {
        result.err().map(|failure| failure.code)
    }

    #[test]
    fn a_name_is_its_owners_and_a_free_one_whose_it_looks_like_none() {
        let (state, limits) = (state(), HubLimits::default());
        let judged = |name, key, access| enter(&state, &wants(name, key, access, &limits));
        assert_eq!(judged("anna", ANNAS, &Access::Open).ok(), Some(true));
        assert_eq!(judged("Ben", BENS, &Access::Open).ok(), Some(false));
        assert_eq!(code(judged("Anna", BENS, &Access::Open)), Some(ErrorCode::NameTaken));
        assert_eq!(
            code(judged("\u{410}nna", BENS, &Access::Open)),
            Some(ErrorCode::NameTaken),
            "with a Cyrillic letter"
        );
        assert_eq!(code(judged("keeper", BENS, &Access::Open)), Some(ErrorCode::LoginRequired));
        assert_eq!(judged("keeper", ANNAS, &Access::Accounts).ok(), Some(true));
        // Nobody finds out which accounts exist.
        for name in ["keeper", "nobody", "Anna"] {
            let failure = judged(name, BENS, &Access::Accounts).err().unwrap();
            assert_eq!((failure.code, failure.message), (ErrorCode::LoginRequired, "This hub wants a login.".into()));
        }
        assert_eq!(code(judged("Ben", BENS, &Access::Invite)), Some(ErrorCode::AccessDenied));
        assert_eq!(judged("Anna2", ANNAS, &Access::Invite).ok(), Some(false), "a key that is known needs no invite");
    }

    #[test]
    fn limits_and_a_store_in_trouble_keep_new_names_out_and_no_others() {
        let (state, limits) = (state(), HubLimits { names_per_key: 2, ..HubLimits::default() });
        let many =
            |name, key| Entrant { newcomers: limits.names_per_address, ..wants(name, key, &Access::Open, &limits) };
        let degraded = |name, key| Entrant {
            can_keep: Err(ErrorCode::StoreFailed.into()),
            ..wants(name, key, &Access::Open, &limits)
        };
        assert_eq!(code(enter(&state, &many("Ben", BENS))), Some(ErrorCode::TooMany));
        assert_eq!(code(enter(&state, &wants("Third", ANNAS, &Access::Open, &limits))), Some(ErrorCode::TooMany));
        assert_eq!(code(enter(&state, &degraded("Ben", BENS))), Some(ErrorCode::StoreFailed));
        assert_eq!(enter(&state, &many("Anna", ANNAS)).ok(), Some(true));
        assert_eq!(enter(&state, &degraded("Anna", ANNAS)).ok(), Some(true));
    }
}
