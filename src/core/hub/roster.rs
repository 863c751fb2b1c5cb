//! The roster: who is here under which name. Writes a client's line in it, and the visits that end.

use super::PeerId;
use super::cx::Cx;
use super::sessions::Peer;
use super::state::decide;
use crate::core::hub::sessions::registered::Registered;
use crate::protocol::name::{LOBBY, NameKey};
use crate::protocol::record::Record;
use crate::protocol::types::Member;
use crate::protocol::{Client, Event, Presence, Timestamp, event, log};

/// Writes a client's line in the roster anew, with this presence from now on.
pub(super) fn set_presence(cx: &mut Cx<'_>, id: PeerId, state: Presence) {
    show(cx, id, state, cx.today());
}

/// A client reports that it cannot reach another one (`unreachable`). The hub probes that other client's link; only if
/// that stays silent, too, does its own deadline end the connection. Further reports are ignored until the client is
/// heard again.
pub(super) fn doubt(cx: &mut Cx<'_>, by: PeerId, name: &str) {
    let Some(by) = cx.sessions.get(by).and_then(|peer| peer.name.as_ref()).map(|name| name.name.clone()) else {
        return;
    };
    let Some(id) = cx.sessions.named(&NameKey::of(name)) else { return };
    let Some(peer) = cx.sessions.get_mut(id) else { return };
    let Some(Registered { name, .. }) = peer.name.clone() else { return };
    if peer.conn.is_none() || std::mem::replace(&mut peer.at.doubted, true) {
        return;
    }
    peer.link.probe(cx.now);
    cx.sessions.talks(id);
    cx.log(log::PeerDoubted { name, by });
}

/// Writes a client's line in the roster: its name, keys and ports, and its presence since a time.
pub(super) fn show(cx: &mut Cx<'_>, id: PeerId, state: Presence, since: Timestamp) {
    let Some(peer) = cx.sessions.get(id) else { return };
    let Some(registered) = peer.name.clone() else { return };
    let client = roster_line(peer, &registered, state, since);
    if let Some(here) = decide::show(&cx.journal.state, id, &registered.name_key, client) {
        cx.record_of_session(&here);
    }
    let number = registered.number;
    cx.sessions.visits.set_state(number, state);
}

/// The members of the lobby: everybody in the roster, by name.
pub(super) fn everybody(cx: &Cx<'_>) -> Event {
    let mut members: Vec<Member> = cx
        .journal
        .state
        .roster()
        .lines()
        .map(|client| Member { state: client.state, name: client.name.clone() })
        .collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    event::Members { room: LOBBY.to_owned(), members }.into()
}

/// Ends the visits with these numbers and writes them down, because the hub ends.
pub(super) fn close_visits(cx: &mut Cx<'_>, numbers: Vec<u64>) {
    let closed = cx.today();
    for number in numbers {
        cx.sessions.visits.close(number, closed);
        keep_visit(cx, number);
    }
}

/// Writes a visit of this run to the store.
pub(super) fn keep_visit(cx: &mut Cx<'_>, number: u64) {
    if let Some(record) = cx.sessions.visits.record(number, cx.config.run) {
        cx.record(Record::Visit(record));
    }
}

/// A client's line in the roster, from its session and its name.
pub(super) fn roster_line(peer: &Peer, name: &Registered, state: Presence, since: Timestamp) -> Client {
    let (name, number) = (name.name.clone(), name.number);
    Client {
        name,
        number,
        state,
        since,
        key: peer.key,
        address: peer.at.address.ip(),
        port: peer.at.port,
        link_port: peer.at.link_port,
        you: false,
        verified: None,
    }
}
