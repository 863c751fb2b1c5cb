//! Direct ways between clients: introduces two clients to each other for a private connection, and measures for `ping`
//! how long the way from the hub to a client takes.

use std::time::Duration;

use super::PeerId;
use super::cx::Cx;
use super::sessions::exchange::Ping;
use crate::protocol::limits::PINGS;
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, Failure, Id, Presence, event, request};

/// Time that a probe for `ping` may take while its client keeps sending other frames. A client that sends nothing is
/// covered by the deadline of its link.
const PING_PATIENCE: Duration = Duration::from_secs(2);

/// Handles `private-open`: tells both clients where the other one is, so that they can connect directly.
///
/// # Errors
/// `not-registered`, `no-such-person`, `yourself`; `not-online` if the other one is not here.
pub(super) fn vouch(
    cx: &mut Cx<'_>,
    id: PeerId,
    request_id: &Option<Id>,
    request: &request::PrivateOpen,
) -> Result<(), Failure> {
    let me = cx.sessions.me(id)?;
    let name = cx.journal.state.names().shown(&cx.journal.state.other(&me.name_key, &request.to, "/to")?);
    if cx.presence(&name) != Presence::Online {
        let failure = Failure::new(ErrorCode::NotOnline, format!("{name} is not there."));
        return Err(failure.at(pointer_at("/to")));
    }
    let other = cx.sessions.named(&NameKey::of(&name));
    if let Some(other) = other {
        cx.introduce(id, other);
        cx.introduce(other, id);
    }
    cx.sync(id, request_id)
}

/// Handles `ping`: probes a client's link, and tells both clients where the other one is, for their direct way. The
/// answer comes from [`probed`] or [`probes_fail`].
///
/// # Errors
/// Those of [`vouch`]; `slow-down` if [`PINGS`] others wait for a probe of this client already.
pub(super) fn ping(
    cx: &mut Cx<'_>,
    id: PeerId,
    request_id: &Option<Id>,
    request: &request::Ping,
) -> Result<(), Failure> {
    let me = cx.sessions.me(id)?;
    let key = cx.journal.state.other(&me.name_key, &request.to, "/to")?;
    let name = cx.journal.state.names().shown(&key);
    let away = || Failure::new(ErrorCode::NotOnline, format!("{name} is not there.")).at(pointer_at("/to"));
    let other = cx.sessions.named(&key).filter(|_| cx.presence(&name) == Presence::Online);
    let other = other.ok_or_else(away)?;
    // A client whose registration is under way has a name, but may have lost its connection.
    let here = cx.sessions.get_mut(other).filter(|peer| peer.conn.is_some());
    let Some(peer) = here else { return Err(away()) };
    if peer.exchange.pings.len() >= PINGS {
        let message = format!("{name} is measured by {PINGS} others at this moment.");
        return Err(Failure::new(ErrorCode::SlowDown, message).wait(1_000));
    }
    peer.link.probe(cx.now);
    let number = peer.link.last_sent();
    peer.exchange.pings.push_back(Ping { by: id, request_id: request_id.clone(), since: cx.now, number });
    cx.sessions.talks(other);
    cx.introduce(id, other);
    cx.introduce(other, id);
    Ok(())
}

/// A frame has come from a client: answers the pings that wait for it. The frame `answers` a probe if it carries no
/// body and is no probe itself. A ping that has waited longer than [`PING_PATIENCE`] fails.
pub(super) fn probed(cx: &mut Cx<'_>, id: PeerId, answers: bool) {
    while let Some(peer) = cx.sessions.get_mut(id) {
        let acknowledged = peer.link.acknowledged();
        let late = |ping: &Ping| cx.now - ping.since > PING_PATIENCE;
        let over = |ping: &mut Ping| (answers && ping.number <= acknowledged) || late(ping);
        let Some(ping) = peer.exchange.pings.pop_front_if(over) else { return };
        let failed = late(&ping).then(|| "their connection to the hub is too busy to measure it".to_owned());
        answer_ping(cx, id, ping, failed);
    }
}

/// A client has lost its connection: answers the pings that wait for it with a failure.
pub(super) fn probes_fail(cx: &mut Cx<'_>, id: PeerId) {
    while let Some(ping) = cx.sessions.get_mut(id).and_then(|peer| peer.exchange.pings.pop_front()) {
        answer_ping(cx, id, ping, Some("they have stopped answering the hub".to_owned()));
    }
}

/// Answers a `ping`. The asking client knows when it asked, so the time is not in the answer.
fn answer_ping(cx: &mut Cx<'_>, id: PeerId, ping: Ping, failed: Option<String>) {
    let name = cx.sessions.get(id).and_then(|peer| peer.name.as_ref()).map(|name| name.name.clone());
    let (peer, hub_failed) = (name.unwrap_or_default(), failed);
    let pong = event::Pong { peer, hub_us: None, hub_failed, direct_us: None, direct_failed: None };
    cx.answer(ping.by, ping.request_id, pong);
}
