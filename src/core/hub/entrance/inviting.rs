//! Invites that members make, list and revoke by requests, if the hub's keeper lets them.
//!
//! Like the keeper's they are in the store, where they are looked up when somebody shows one.

use std::time::Duration;

use data_encoding::BASE32_NOPAD;

use super::codes::Codes;
use crate::core::hub::PeerId;
use crate::core::hub::config::Inviters;
use crate::core::hub::cx::Cx;
use crate::core::hub::journal::queries::PendingQuery;
use crate::core::hub::sessions::registered::Registered;
use crate::protocol::code::{Code, MAX_NAMEPLATE, Nameplate, OWN_NAMEPLATES, PARCEL_NAMEPLATES};
use crate::protocol::invite::{CodeRecord, InviteDigest, InviteInfo, InviteRecord, invite_secret};
use crate::protocol::limits::{INVITE_SPAN, INVITE_TIMES, INVITES};
use crate::protocol::line::pointer_at;
use crate::protocol::record::{MadeInvite, Query, Record};
use crate::protocol::when::span;
use crate::protocol::{ErrorCode, Event, Failure, Id, JoinLink, Timestamp, event, request};

/// How long an invite is good if nothing is said.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

const DAY: Duration = Duration::from_secs(86_400);

/// People whose invites of today are counted. Only reachable by abuse.
const COUNTED: usize = 65_536;

impl Codes {
    /// Handles `invite-add`. The answer comes when the invite is on disk.
    ///
    /// # Errors
    /// `not-registered`, `not-allowed`, `bad-request`, `bad-time`, `too-many`, or why the store cannot keep it
    pub(in crate::core::hub) fn add(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        request_id: &Option<Id>,
        request: &request::InviteAdd,
    ) -> Result<(), Failure> {
        let me = cx.sessions.me(id)?;
        let may = match &cx.config.inviters {
            Inviters::Nobody => false,
            Inviters::Names(names) => names.contains(&me.name_key),
            Inviters::All => true,
        };
        if !may {
            return Err(ErrorCode::NotAllowed.into());
        }
        let (times, span) = (times(request)?, lasts(request)?);
        cx.journal.can_keep()?;
        self.count(cx, &me)?;
        let code = request.code.then(|| self.next_code()).transpose()?;
        let secret = invite_secret(u128::from_be_bytes(self.secrets.bytes()));
        let ending = BASE32_NOPAD.encode(&self.secrets.bytes::<5>()).to_ascii_lowercase();
        let (name, digest, made) = (format!("{}-{ending}", me.name), InviteDigest::of(&secret), cx.today());
        let until = Timestamp(made.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)));
        let link = JoinLink { invite: Some(secret.clone()), ..cx.config.keys.link.clone() };
        let answer = event::InviteAdded {
            invite: name.clone(),
            link: code.is_none().then(|| link.to_string()),
            code: code.as_ref().map(Code::to_string),
            hub: link.host_port(),
            times,
            until,
        };
        let (uses, maker, code) = (times, me.name_key, code.map(|code| (code, secret)));
        cx.record(Record::Invite(Box::new(MadeInvite { name, digest, uses, until, made, maker, code })));
        cx.hold_answer(id, request_id, answer, None);
        Ok(())
    }

    /// Handles `invite-list`, and `invite-revoke` of the invite that is named: the store is asked for all that the
    /// client's user has made.
    ///
    /// # Errors
    /// `not-registered`
    pub(in crate::core::hub) fn look_up(
        &self,
        cx: &mut Cx<'_>,
        id: PeerId,
        request_id: &Option<Id>,
        revoke: Option<String>,
    ) -> Result<(), Failure> {
        let me = cx.sessions.me(id)?;
        if let Some(peer) = cx.sessions.get_mut(id) {
            peer.exchange.reading_begins();
        }
        let pending = PendingQuery::Invites { peer: id, request_id: request_id.clone(), revoke };
        cx.query(Query::Invites(me.name_key), pending);
        Ok(())
    }

    /// Counts an invite of today.
    fn count(&mut self, cx: &Cx<'_>, me: &Registered) -> Result<(), Failure> {
        self.made.retain(|_, (since, _)| *since + DAY > cx.now);
        let full = self.made.len() >= COUNTED;
        let (_, count) = self.made.entry(me.name_key.clone()).or_insert((cx.now, 0));
        if *count >= INVITES || (full && *count == 0) {
            return Err(Failure::new(
                ErrorCode::TooMany,
                format!("You have made {count} invites today; that is the most."),
            ));
        }
        *count += 1;
        Ok(())
    }

    /// A new code. Its number is even, and none of a parcel; the keeper's command gives odd ones, so that they never give the
    /// same.
    fn next_code(&mut self) -> Result<Code, Failure> {
        let after: Nameplate = self.last_nameplate + 1;
        let next = after + (PARCEL_NAMEPLATES + 2 - after % PARCEL_NAMEPLATES) % PARCEL_NAMEPLATES;
        // Those in between say to look in the network.
        let next = if OWN_NAMEPLATES.contains(&next) { OWN_NAMEPLATES.end() + 3 } else { next };
        if next > MAX_NAMEPLATE {
            return Err(Failure::new(ErrorCode::TooMany, "This hub has no more numbers for codes."));
        }
        self.last_nameplate = next;
        Ok(Code::new(next, u16::from_be_bytes(self.secrets.bytes())))
    }
}

/// The store has the invites of a client's user: they are answered, or the one to be revoked is.
pub(in crate::core::hub) fn looked_up(
    cx: &mut Cx<'_>,
    id: PeerId,
    request_id: Option<Id>,
    revoke: Option<String>,
    found: &[(InviteRecord, Option<CodeRecord>)],
) {
    let today = cx.today();
    let Some(name) = revoke else {
        let invites = found.iter().map(|(invite, code)| InviteInfo::of(invite, code.as_ref(), today)).collect();
        return cx.answer(id, request_id, Event::from(event::Invites { invites }));
    };
    if let Err(failure) = cx.journal.can_keep() {
        return cx.refuse(id, request_id, "invite-revoke", failure);
    }
    if !found.iter().any(|(invite, _)| invite.name == name) {
        let failure = Failure::new(ErrorCode::NoSuchInvite, format!("You have made no invite called {name}."))
            .at(pointer_at("/invite"))
            .hint("`invite-list` shows yours.");
        return cx.refuse(id, request_id, "invite-revoke", failure);
    }
    cx.record(Record::InviteRevoked { name: name.clone() });
    cx.hold_answer(id, &request_id, event::InviteRevoked { invite: name }, None);
}

fn times(request: &request::InviteAdd) -> Result<u64, Failure> {
    let times = request.times.unwrap_or(1);
    if (1..=INVITE_TIMES).contains(&times) {
        return Ok(times);
    }
    let message = format!("An invite lets in 1 to {INVITE_TIMES}.");
    Err(Failure::new(ErrorCode::TooMany, message).at(pointer_at("/times")))
}

fn lasts(request: &request::InviteAdd) -> Result<Duration, Failure> {
    let Some(text) = &request.until else { return Ok(WEEK) };
    let usable = span(text).filter(|span| !span.is_zero() && *span <= INVITE_SPAN);
    usable.ok_or_else(|| {
        let message = "An invite is good for a span such as 1h or 30d, of at most 366 days.";
        Failure::new(ErrorCode::BadTime, message).at(pointer_at("/until")).hint("Write 1h, 12h or 30d.")
    })
}
