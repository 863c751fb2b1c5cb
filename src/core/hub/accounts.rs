//! Logins: passwords are checked elsewhere, failures are counted here.
//!
//! An unknown name is treated in every way as a known one with a wrong password: it is checked, counted and locked.

use std::collections::HashMap;
use std::time::Duration;

use super::entry::Entering;
use super::people::Person;
use super::{Access, Held, Hub, Output, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::{FAILURES_COUNTED, LOGINS_WAITING, PASSWORD_BYTES};
use crate::protocol::line::pointer_at;
use crate::protocol::name::{check_person, fold};
use crate::protocol::record::{FailureRecord, Record};
use crate::protocol::{ErrorCode, Failure, Id, Request, Timestamp, log, request};

/// Failures of an address are those of many people, perhaps: so many times more are allowed.
const ADDRESS_FACTOR: u32 = 10;

/// Failures that are longer ago than this, and than the lockout, do not count any more.
const FORGET: Duration = Duration::from_secs(600);

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
    pub fold: String,
    /// Since when there is the account, in milliseconds since 1970 (UTC).
    pub since: i64,
}

/// A login that is being checked.
pub(super) struct Attempt {
    peer: PeerId,
    mark: Option<Id>,
    name: String,
    fold: String,
    address: String,
}

/// Failures in a row, by what [`FailureRecord::whom`] says.
#[derive(Default)]
pub(super) struct Failures(HashMap<String, FailureRecord>);

impl Failures {
    pub(super) fn load(records: Vec<FailureRecord>) -> Self {
        Self(records.into_iter().map(|record| (record.whom.clone(), record)).collect())
    }

    fn count(&self, whom: &str, now: Timestamp, policy: &LoginPolicy) -> u32 {
        let Some(record) = self.0.get(whom) else { return 0 };
        let forget = FORGET.max(policy.lockout).as_millis() as i64;
        let over = record.until.is_some_and(|until| until <= now) || now.0 - record.last.0 >= forget;
        if over { 0 } else { record.count }
    }

    fn locked(&self, whom: &str, now: Timestamp) -> Option<u64> {
        let until = self.0.get(whom)?.until?;
        (until > now).then(|| (until.0 - now.0) as u64)
    }

    /// One more. Gives what is to be kept of it.
    fn add(&mut self, whom: &str, now: Timestamp, max: u32, policy: &LoginPolicy) -> FailureRecord {
        let count = self.count(whom, now, policy) + 1;
        let locks = count >= max;
        let until = locks.then(|| Timestamp(now.0 + policy.lockout.as_millis() as i64));
        let record = FailureRecord { whom: whom.to_owned(), count, last: now, until };
        if self.0.len() >= FAILURES_COUNTED
            && let Some(oldest) = self.0.values().min_by_key(|record| record.last).map(|record| record.whom.clone())
        {
            self.0.remove(&oldest);
        }
        self.0.insert(whom.to_owned(), record.clone());
        record
    }
}

impl Attempt {
    fn whom(&self) -> [String; 2] {
        [format!("name:{}", self.fold), format!("address:{}", self.address)]
    }
}

impl Hub {
    pub(super) fn login(
        &mut self,
        now: Time,
        id: PeerId,
        mark: &Option<Id>,
        request: request::Login,
    ) -> Result<(), Failure> {
        check_person(&request.name).map_err(|failure| failure.at(pointer_at("/name")))?;
        if !(1..=PASSWORD_BYTES).contains(&request.password.0.len()) {
            let message = format!("A password has 1 to {PASSWORD_BYTES} bytes.");
            return Err(Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/password")));
        }
        let folded = fold(&request.name);
        self.may_enter(id, Some(&folded))?;
        let Some(peer) = self.peers.get(&id) else { return Err(ErrorCode::Internal.into()) };
        let address = peer.address.ip().to_string();
        let attempt = Attempt { peer: id, mark: mark.clone(), name: request.name, fold: folded, address };
        self.may_try(now, &attempt)?;
        self.asked += 1;
        let (number, fold) = (self.asked, attempt.fold.clone());
        self.attempts.insert(number, attempt);
        self.out.push_back(Output::Verify { attempt: number, fold, password: request.password });
        Ok(())
    }

    /// No more is checked than may fail: not one after the other, and not at once.
    fn may_try(&self, now: Time, attempt: &Attempt) -> Result<(), Failure> {
        let (today, policy) = (self.calendar(now), &self.config.logins);
        let [name, address] = attempt.whom();
        if let Some(wait) = [&name, &address].into_iter().filter_map(|whom| self.failures.locked(whom, today)).max() {
            return Err(locked_out(wait));
        }
        let names = self.attempts.values().filter(|other| other.fold == attempt.fold).count() as u32;
        let addresses = self.attempts.values().filter(|other| other.address == attempt.address).count() as u32;
        let max = policy.max_failures;
        if self.failures.count(&name, today, policy) + names >= max
            || self.failures.count(&address, today, policy) + addresses >= max.saturating_mul(ADDRESS_FACTOR)
            || self.attempts.len() >= LOGINS_WAITING
        {
            let failure = Failure::new(ErrorCode::SlowDown, "Other logins are being checked.");
            return Err(failure.wait(500));
        }
        Ok(())
    }

    /// A password has been checked.
    pub(super) fn verified(&mut self, now: Time, number: u64, verified: Option<Verified>) {
        let Some(attempt) = self.attempts.remove(&number) else { return };
        match verified {
            Some(verified) => self.let_in(now, attempt, verified),
            None => self.login_failed(now, attempt),
        }
    }

    fn login_failed(&mut self, now: Time, attempt: Attempt) {
        let (today, policy) = (self.calendar(now), self.config.logins.clone());
        let [name, address] = attempt.whom();
        let by_name = self.failures.add(&name, today, policy.max_failures, &policy);
        let most = policy.max_failures.saturating_mul(ADDRESS_FACTOR);
        let by_address = self.failures.add(&address, today, most, &policy);
        let (failures, from) = (by_name.count, attempt.address.clone());
        self.log(log::LoginFailed { name: attempt.name.clone(), address: from, failures });
        let mut failure = Failure::from(ErrorCode::BadLogin);
        for record in [by_name, by_address] {
            if let Some(until) = record.until {
                let (whom, failures) = (record.whom.clone(), record.count);
                self.log(log::LoginLocked { whom, failures, until });
                let wait = policy.lockout.as_millis() as u64;
                let message = format!("The name or the password is wrong. No login is checked for {}.", seconds(wait));
                failure = Failure::new(ErrorCode::BadLogin, message).wait(wait);
            }
            self.persist(Record::Failures(record));
        }
        // Whoever knows that it failed knows that it was counted.
        let commit = self.commit;
        let Attempt { peer, mark, .. } = attempt;
        if !self.health.is_well() {
            // It is counted in memory, and written down when that is possible.
            return self.refuse(now, peer, mark, "login", failure);
        }
        self.held.push_back((commit, Held::Refused { peer, mark, request: "login", failure }));
    }

    fn let_in(&mut self, now: Time, attempt: Attempt, verified: Verified) {
        let [name, _] = attempt.whom();
        if self.failures.0.remove(&name).is_some() {
            let last = self.calendar(now);
            self.persist(Record::Failures(FailureRecord { whom: name, count: 0, last, until: None }));
        }
        let Some(key) = self.peers.get(&attempt.peer).map(|peer| peer.key) else { return };
        let Verified { name, fold, since } = verified;
        let known = self.people.get(&fold).is_some_and(|person| person.keys.contains(&key));
        if let (false, Err(failure)) = (known, self.can_keep()) {
            return self.refuse(now, attempt.peer, attempt.mark, "login", failure);
        }
        let newest = self.recent.newest;
        let person = self.people.entry(fold.clone()).or_insert_with(|| Person::new(name.clone(), newest));
        person.account = true;
        let known = person.keys.contains(&key);
        if !known {
            person.keys.push(key);
            self.keys.insert(key);
            self.persist(Record::Name { name: name.clone(), fold: fold.clone(), key, since });
        }
        let (id, mark) = (attempt.peer, attempt.mark);
        // A session that is already in has shown that it knows the password; nothing else changes.
        if self.me(id).is_ok_and(|mine| mine.fold == fold) {
            return self.welcome_again(now, id, mark);
        }
        let entering = Entering { mark: mark.clone(), name, fold, known };
        if let Err(failure) = self.may_enter(id, None).and_then(|()| self.enter_or_contest(now, id, entering)) {
            self.refuse(now, id, mark, "login", failure);
        }
    }

    /// Whether a client may ask anything but to be let in. At a hub of accounts, who has not logged in sees nothing.
    pub(super) fn may_ask(&self, id: PeerId, request: &Request) -> Result<(), Failure> {
        let enters = matches!(request, Request::Login(_) | Request::Register(_) | Request::Quit(_));
        let known = self.peers.get(&id).is_some_and(|peer| peer.name.is_some() || self.keys.contains(&peer.key));
        if enters || known || self.config.access != Access::Accounts {
            return Ok(());
        }
        Err(login_required("This hub wants a login."))
    }

    /// Whether a name may be entered without a password, by this key.
    pub(super) fn key_suffices(&self, id: PeerId, folded: &str, name: &str) -> Result<(), Failure> {
        let key = self.peers.get(&id).ok_or(ErrorCode::Internal)?.key;
        let person = self.people.get(folded);
        let owns = person.is_some_and(|person| person.keys.contains(&key));
        let account = person.is_some_and(|person| person.account);
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
