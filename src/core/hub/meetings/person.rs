//! Who may meet whom: members by their names, and the two sides of a parcel's handover without.

use super::shares::Payer;
use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::core::hub::handovers::{Partner, known_as};
use crate::protocol::PublicKey;
use crate::protocol::name::NameKey;

/// How a client is called whose key has no name here. No name looks like this.
const GUEST: &str = "(guest)";

/// A client that may meet another.
pub(super) struct Person {
    pub(super) id: PeerId,
    pub(super) key: PublicKey,
    /// Its name, if it is registered.
    pub(super) registered: Option<NameKey>,
    /// What it is called.
    pub(super) name: String,
}

/// A session that is registered.
pub(super) fn member(cx: &Cx<'_>, id: PeerId) -> Option<Person> {
    person(cx, id).filter(|person| person.registered.is_some())
}

/// The other side of a handover, if it is connected.
pub(super) fn partner_of(cx: &Cx<'_>, partner: Partner) -> Option<Person> {
    let here = cx.sessions.get(partner.id).is_some_and(|peer| peer.conn.is_some());
    person(cx, partner.id).filter(|_| here)
}

/// Any session. One without a name is called as its key is otherwise.
pub(super) fn person(cx: &Cx<'_>, id: PeerId) -> Option<Person> {
    let peer = cx.sessions.get(id)?;
    let name = Some(known_as(cx, id)).filter(|name| !name.is_empty()).unwrap_or_else(|| GUEST.to_owned());
    Some(Person { id, key: peer.key, registered: peer.name.as_ref().map(|name| name.name_key.clone()), name })
}

/// Who pays for what is relayed for a session: an account of its own, or else its key.
pub(super) fn payer(cx: &Cx<'_>, id: PeerId) -> Payer {
    let Some(peer) = cx.sessions.get(id) else { return Payer::Key(PublicKey([0; 32])) };
    let (names, key) = (cx.journal.state.names(), peer.key);
    let own = peer.name.as_ref().map(|name| name.name_key.clone());
    let account = match own {
        Some(own) => Some(own).filter(|own| names.credential(own).is_some()),
        None => names.names_of(&key).find(|name| names.credential(name).is_some()).cloned(),
    };
    account.map_or(Payer::Key(key), Payer::Account)
}
