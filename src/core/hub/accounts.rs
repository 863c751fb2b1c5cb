//! Logins: passwords are checked elsewhere, and their failures counted ([`super::failures`]).
//!
//! An unknown name is treated in every way as a known one with a wrong password: it is checked, counted and locked.

use std::time::Duration;

use super::attempts::Attempt;
use super::commits::AwaitingCommit;
use super::underway::Entering;
use super::{Access, Hub, Output, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::{KEYS_OF_ACCOUNT, PASSWORD_BYTES};
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_person};
use crate::protocol::record::{FailureRecord, Record};
use crate::protocol::{ErrorCode, Failure, Id, Network, PublicKey, Request, Timestamp, log, request};

/// Failures of an address are those of many people, perhaps: so many times more are allowed.
const ADDRESS_FACTOR: u32 = 10;

/// How failed logins are met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginPolicy {
    /// After so many failures in a row an account is locked.
    pub max_failures: u32,
    /// For how long.
    pub lockout: Duration,
}

impl Default for LoginPolicy {
    fn default() -> Self {
        Self { max_failures: 3, lockout: Duration::from_secs(10) }
    }
}

/// A name with the right password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The name as it was given to the account.
    pub name: String,
    /// The same as it is compared.
    pub name_key: NameKey,
    /// The number of the password, see [`NameRecord::credential`](crate::protocol::record::NameRecord::credential).
    pub credential: u64,
}

impl Hub {
    pub(super) fn login(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: request::Login,
    ) -> Result<(), Failure> {
        check_person(&request.name).map_err(|failure| failure.at(pointer_at("/name")))?;
        if request.password.check().is_err() {
            let message = format!("A password has 1 to {PASSWORD_BYTES} bytes.");
            return Err(Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/password")));
        }
        let name_key = NameKey::of(&request.name);
        self.may_enter(id, Some(&name_key))?;
        let Some(peer) = self.peers.get(&id) else { return Err(ErrorCode::Internal.into()) };
        let (key, network, reloads) = (peer.key, Network::of(peer.address.ip()), self.credentials.reloads());
        let attempt = Attempt {
            peer: id,
            request_id: request_id.clone(),
            name: request.name,
            address: peer.address.ip().to_string(),
            counted: self.counted(&key, &name_key, network),
            name_key,
            key,
            network,
            reloads,
        };
        self.may_try(now, &attempt)?;
        let (number, name_key) = (self.queries.number(), attempt.name_key.clone());
        self.attempts.insert(number, attempt);
        self.out.push_back(Output::Verify { attempt: number, name_key, password: request.password });
        Ok(())
    }

    /// Whose failure a wrong password would be, and how many are allowed. Who has been in with a key shows it: it is
    /// counted by itself, so that nobody else can lock it out, from wherever they guess.
    fn counted(&self, key: &PublicKey, name_key: &NameKey, from: Network) -> Vec<(String, u32)> {
        let max = self.config.logins.max_failures;
        let names = self.state.names();
        match names.credential(name_key).is_some() && names.owns(key, name_key) {
            true => vec![(format!("key:{key}"), max)],
            false => {
                vec![(format!("name:{name_key}"), max), (format!("address:{from}"), max.saturating_mul(ADDRESS_FACTOR))]
            }
        }
    }

    /// No more is checked than may fail: not one after the other, and not at once.
    fn may_try(&self, now: Time, attempt: &Attempt) -> Result<(), Failure> {
        let locked = attempt.counted.iter().filter_map(|(whom, _)| self.failures.locked(whom, now)).max();
        if let Some(wait) = locked {
            return Err(locked_out(wait));
        }
        let full = |(whom, most): &(String, u32)| self.failures.count(whom, now) + self.attempts.counted(whom) >= *most;
        if attempt.counted.iter().any(full) || !self.attempts.has_room_for(attempt) {
            let failure = Failure::new(ErrorCode::SlowDown, "Other logins are being checked.");
            return Err(failure.wait(500));
        }
        Ok(())
    }

    /// A password has been checked.
    pub(super) fn verified(&mut self, now: Time, number: u64, verified: Option<Verified>) {
        let Some(attempt) = self.attempts.remove(number) else { return };
        match verified {
            Some(verified) if self.is_current(&verified.name_key, verified.credential, attempt.reloads) => {
                self.let_in(now, attempt, verified);
            }
            Some(_) | None => self.login_failed(now, attempt),
        }
    }

    fn login_failed(&mut self, now: Time, attempt: Attempt) {
        let (today, policy) = (self.calendar(now), self.config.logins.clone());
        let mut records: Vec<FailureRecord> = Vec::new();
        for (whom, max) in &attempt.counted {
            records.push(self.failures.add(whom, now, today, *max, &policy));
        }
        let (failures, from) = (records.first().map_or(0, |first| first.count), attempt.address.clone());
        self.log(log::LoginFailed { name: attempt.name.clone(), address: from, failures });
        let mut failure = Failure::from(ErrorCode::BadLogin);
        for record in records {
            if let Some(wait) = record.locked_for {
                let until = Timestamp(today.0.saturating_add_unsigned(wait));
                self.log(log::LoginLocked { whom: record.whom.clone(), failures: record.count, until });
                let message = format!("The name or the password is wrong. No login is checked for {}.", seconds(wait));
                failure = Failure::new(ErrorCode::BadLogin, message).wait(wait);
            }
            self.persist(Record::Failures(record));
        }
        // Whoever knows that it failed knows that it was counted.
        let Attempt { peer, request_id, .. } = attempt;
        if !self.health.is_well() {
            // It is counted in memory, and written down when that is possible.
            return self.refuse(now, peer, request_id, "login", failure);
        }
        self.commits.hold(AwaitingCommit::Refused { peer, request_id, request: "login", failure });
    }

    fn let_in(&mut self, now: Time, attempt: Attempt, verified: Verified) {
        let last = self.calendar(now);
        if let Some((whom, _)) = attempt.counted.first()
            && self.failures.forget(whom)
        {
            self.persist(Record::Failures(FailureRecord { whom: whom.clone(), count: 0, last, locked_for: None }));
        }
        let Some(key) = self.peers.get(&attempt.peer).map(|peer| peer.key) else { return };
        let Verified { name, name_key, credential } = verified;
        let known = self.state.names().owns(&key, &name_key);
        if let (false, Err(failure)) = (known, self.can_keep()) {
            return self.refuse(now, attempt.peer, attempt.request_id, "login", failure);
        }
        let since = self.calendar(now).0;
        let (id, request_id) = (attempt.peer, attempt.request_id);
        self.note_credential(now, id, &name_key, &name, credential);
        let known = self.state.names().owns(&key, &name_key);
        if !known {
            while self.state.names().keys_of(&name_key).len() >= KEYS_OF_ACCOUNT {
                self.forget_a_key(&name_key);
            }
            if !self.state.names().knows(&key) {
                self.spend_invite(id, &name);
            }
            self.claim_name(name.clone(), name_key.clone(), key, since, Some(credential));
        }
        // A session that is already in has shown that it knows the password; nothing else changes.
        if self.me(id).is_ok_and(|mine| mine.name_key == name_key) {
            return self.welcome_again(now, id, request_id);
        }
        let entering = Entering { request_id: request_id.clone(), name, name_key, known };
        if let Err(failure) = self.may_enter(id, None).and_then(|()| self.enter_or_contest(now, id, entering)) {
            self.refuse(now, id, request_id, "login", failure);
        }
    }

    /// Whether a client may ask anything but to be let in. At a hub of accounts, who has not logged in sees nothing.
    pub(super) fn may_ask(&self, id: PeerId, request: &Request) -> Result<(), Failure> {
        let enters = matches!(request, Request::Login(_) | Request::Register(_) | Request::Quit(_));
        let known = self.peers.get(&id).is_some_and(|peer| peer.name.is_some() || self.state.names().knows(&peer.key));
        if enters || known || self.config.access != Access::Accounts {
            return Ok(());
        }
        Err(login_required("This hub wants a login."))
    }

    /// Whether a name may be entered without a password, by this key.
    pub(super) fn key_suffices(&self, id: PeerId, name_key: &NameKey, name: &str) -> Result<(), Failure> {
        let key = self.peers.get(&id).ok_or(ErrorCode::Internal)?.key;
        let person = self.state.names().get(name_key);
        let owns = self.state.names().owns(&key, name_key);
        let account = person.is_some_and(|person| person.credential.is_some());
        match (&self.config.access, person) {
            (Access::Accounts, _) if account && owns => Ok(()),
            // Whether there is such an account is nobody's business.
            (Access::Accounts, _) => Err(login_required("This hub wants a login.")),
            (_, None) => Ok(()),
            (_, Some(_)) if owns => Ok(()),
            (_, Some(_)) if account => Err(login_required("The name belongs to an account.")),
            (_, Some(_)) => Err(super::entry::name_taken(name)),
        }
    }
}

fn login_required(message: &'static str) -> Failure {
    Failure::new(ErrorCode::LoginRequired, message)
}

fn locked_out(wait: u64) -> Failure {
    let message = format!("There were too many failed logins. Try again in {}.", seconds(wait));
    Failure::new(ErrorCode::LockedOut, message).wait(wait)
}

fn seconds(millis: u64) -> String {
    format!("{} s", millis.div_ceil(1_000))
}
