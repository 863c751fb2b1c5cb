//! Handles logins. The driver checks the passwords on other threads; the failures are counted in the state.
//!
//! An unknown name is treated in every way as a known one with a wrong password: it is checked, counted and locked. So
//! nobody can find out which accounts exist.

use crate::core::hub::cx::Cx;
use crate::core::hub::entrance::Entrance;
use crate::core::hub::entrance::attempts::Attempt;
use crate::core::hub::journal::commits::AwaitingCommit;
use crate::core::hub::state::decide;
use crate::core::hub::{Access, Output, PeerId};
use crate::protocol::limits::PASSWORD_BYTES;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_person};
use crate::protocol::{ErrorCode, Failure, Id, Network, PublicKey, Request, Timestamp, log, request};

/// How many times more failures a network may have than a name, because many people may share it.
const ADDRESS_FACTOR: u32 = 10;

impl Entrance {
    /// Handles `login`: checks the limits, and has the driver check the password. The answer follows in
    /// `Hub::verified`.
    ///
    /// # Errors
    /// `bad-name`, `bad-request`, `already-registered`, `locked-out`; `slow-down` if too many logins are being checked
    pub(in crate::core::hub) fn login(
        &mut self,
        cx: &mut Cx<'_>,
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
        self.may_enter(cx, id, Some(&name_key))?;
        let Some(peer) = cx.sessions.get(id) else { return Err(ErrorCode::Internal.into()) };
        let (key, network, reloads) = (peer.key, Network::of(peer.at.address.ip()), self.credentials.reloads());
        let attempt = Attempt {
            peer: id,
            request_id: request_id.clone(),
            name: request.name,
            address: peer.at.address.ip().to_string(),
            counted: self.counted(cx, &key, &name_key, network),
            name_key,
            key,
            network,
            reloads,
        };
        self.may_try(cx, &attempt)?;
        let (number, name_key) = (cx.journal.queries.number(), attempt.name_key.clone());
        self.attempts.insert(number, attempt);
        cx.out.push_back(Output::Verify { attempt: number, name_key, password: request.password });
        Ok(())
    }

    /// What a wrong password is counted for, and how many failures each of these may have. A key that the account knows
    /// is counted by itself, so that nobody who guesses passwords elsewhere can lock its owner out. Any other key
    /// counts for the name and for its network.
    fn counted(&self, cx: &Cx<'_>, key: &PublicKey, name_key: &NameKey, from: Network) -> Vec<(String, u32)> {
        let max = cx.config.logins.max_failures;
        let names = cx.journal.state.names();
        match names.credential(name_key).is_some() && names.owns(key, name_key) {
            true => vec![(format!("key:{key}"), max)],
            false => {
                vec![(format!("name:{name_key}"), max), (format!("address:{from}"), max.saturating_mul(ADDRESS_FACTOR))]
            }
        }
    }

    /// Checks that no more passwords are checked than may fail, whether one after the other or at the same time.
    ///
    /// # Errors
    /// `locked-out`, `slow-down`
    fn may_try(&self, cx: &Cx<'_>, attempt: &Attempt) -> Result<(), Failure> {
        let (failures, today, policy) = (cx.journal.state.failures(), cx.today(), &cx.config.logins);
        let locked = attempt.counted.iter().filter_map(|(whom, _)| failures.locked(whom, today, policy)).max();
        if let Some(wait) = locked {
            return Err(locked_out(wait));
        }
        let full =
            |(whom, most): &(String, u32)| failures.count(whom, today, policy) + self.attempts.counted(whom) >= *most;
        if attempt.counted.iter().any(full) || !self.attempts.has_room_for(attempt) {
            let failure = Failure::new(ErrorCode::SlowDown, "Other logins are being checked.");
            return Err(failure.wait(500));
        }
        Ok(())
    }

    /// A password was wrong: counts the failure, locks out if there are too many, and answers.
    pub(in crate::core::hub) fn login_failed(&self, cx: &mut Cx<'_>, attempt: Attempt) {
        let today = cx.today();
        let failed = decide::login_failed(&cx.journal.state, today, &cx.config.logins, &attempt.counted);
        cx.record_together(failed.records());
        let (failures, from) = (failed.counted.first().map_or(0, |first| first.count), attempt.address.clone());
        cx.log(log::LoginFailed { name: attempt.name.clone(), address: from, failures });
        let mut failure = Failure::from(ErrorCode::BadLogin);
        for record in failed.counted {
            if let Some(wait) = record.locked_for {
                let until = Timestamp(today.0.saturating_add_unsigned(wait));
                cx.log(log::LoginLocked { whom: record.whom.clone(), failures: record.count, until });
                let message = format!("The name or the password is wrong. No login is checked for {}.", seconds(wait));
                failure = Failure::new(ErrorCode::BadLogin, message).wait(wait);
            }
        }
        // A client that knows of the failure must not be able to crash the hub and have it uncounted.
        let Attempt { peer, request_id, .. } = attempt;
        if !cx.journal.health.is_well() {
            // The failure is counted in memory, and written down when the store is well again.
            return cx.refuse(peer, request_id, "login", failure);
        }
        cx.journal.commits.hold(AwaitingCommit::Refused { peer, request_id, request: "login", failure });
    }

    /// Checks whether a client may ask anything besides entering. At a hub with accounts, a client that has not logged
    /// in, and whose key owns no name, may not.
    ///
    /// # Errors
    /// `login-required`
    pub(in crate::core::hub) fn may_ask(&self, cx: &Cx<'_>, id: PeerId, request: &Request) -> Result<(), Failure> {
        let enters = matches!(request, Request::Login(_) | Request::Register(_) | Request::Quit(_));
        let known =
            cx.sessions.get(id).is_some_and(|peer| peer.name.is_some() || cx.journal.state.names().knows(&peer.key));
        if enters || known || cx.config.access != Access::Accounts {
            return Ok(());
        }
        Err(decide::login_required("This hub wants a login."))
    }
}

fn locked_out(wait: u64) -> Failure {
    let message = format!("There were too many failed logins. Try again in {}.", seconds(wait));
    Failure::new(ErrorCode::LockedOut, message).wait(wait)
}

fn seconds(millis: u64) -> String {
    format!("{} s", millis.div_ceil(1_000))
}
