//! The limits on sessions: how many there may be in all, for each key and for each network, and how long one may be
//! without a name.
//!
//! A session without a name costs nothing to make, so it is treated as disposable: it has a deadline, a key and a
//! network may have only few of them, and when a limit is reached the oldest of them ends to make room. So thousands of
//! hellos push out one another, but never a client that has registered. A session that sends or receives a parcel holds its
//! place as if it had a name. `Places` decides which session must go; the hub ends it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use crate::core::hub::PeerId;
use crate::core::time::Time;
use crate::protocol::limits::{HubLimits, NAMELESS_EACH};
use crate::protocol::{ErrorCode, Failure, Network, PublicKey};

/// Time that a new session may be without a name: its user may have to type a password.
const NAMELESS: Duration = Duration::from_secs(300);

/// Time that a session may be without a name after it has given one up: its user may look on for a while and come back.
const PARTED: Duration = Duration::from_secs(3_600);

/// Time for which a session without a name is never pushed out. An honest client registers within a round trip or two.
const GRACE: Duration = Duration::from_secs(1);

/// All sessions, and what each key and each network has of them.
#[derive(Default)]
pub(in crate::core::hub) struct Places {
    sessions: HashMap<PeerId, Place>,
    shares: HashMap<Holder, Share>,
    /// Sessions without a name, by the time since when they have none.
    nameless: BTreeSet<(Time, PeerId)>,
    /// Sessions without a name, by the time when they end.
    due: BTreeSet<(Time, PeerId)>,
}

/// A key or a network that has sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Key(PublicKey),
    Network(Network),
}

/// The sessions of one key or one network.
#[derive(Default)]
struct Share {
    sessions: usize,
    nameless: BTreeSet<(Time, PeerId)>,
    /// For a key: its sessions without a connection.
    away: BTreeSet<PeerId>,
}

/// One session.
struct Place {
    /// Its key and its network.
    holders: [Holder; 2],
    /// Since when it has no name, and when it ends because of that; `None` if it has one, or holds its place without.
    nameless: Option<(Time, Time)>,
    /// Whether it has never had a name.
    new: bool,
}

impl Places {
    /// Adds a new session, which has no name yet.
    pub(in crate::core::hub) fn enter(&mut self, now: Time, id: PeerId, key: PublicKey, address: IpAddr) {
        let holders = [Holder::Key(key), Holder::Network(Network::of(address))];
        self.sessions.insert(id, Place { holders, nameless: None, new: true });
        for holder in holders {
            self.shares.entry(holder).or_default().sessions += 1;
        }
        self.lose_name(now, id, NAMELESS);
    }

    /// Removes a session.
    pub(in crate::core::hub) fn leave(&mut self, id: PeerId) {
        self.gain_name(id);
        self.connected(id);
        let Some(place) = self.sessions.remove(&id) else { return };
        place.holders.into_iter().for_each(|holder| self.vacate(holder));
    }

    /// Notes that a session has lost its connection.
    pub(in crate::core::hub) fn disconnected(&mut self, id: PeerId) {
        if let Some(share) = self.share_of_key(id) {
            share.away.insert(id);
        }
    }

    /// Notes that a session has a connection again, or has ended.
    pub(in crate::core::hub) fn connected(&mut self, id: PeerId) {
        if let Some(share) = self.share_of_key(id) {
            share.away.remove(&id);
        }
    }

    fn share_of_key(&mut self, id: PeerId) -> Option<&mut Share> {
        let [of_key, _] = self.sessions.get(&id)?.holders;
        self.shares.get_mut(&of_key)
    }

    /// A session of this key that has no connection, so that another one may take its place.
    pub(in crate::core::hub) fn away(&self, key: PublicKey) -> Option<PeerId> {
        self.shares.get(&Holder::Key(key))?.away.first().copied()
    }

    fn vacate(&mut self, holder: Holder) {
        let Some(share) = self.shares.get_mut(&holder) else { return };
        share.sessions -= 1;
        if share.sessions == 0 {
            self.shares.remove(&holder);
        }
    }

    /// Counts a session for another network from now on. It stays even if that network is above its limit.
    pub(in crate::core::hub) fn moved(&mut self, id: PeerId, address: IpAddr) {
        let Some(place) = self.sessions.get_mut(&id) else { return };
        let there = Holder::Network(Network::of(address));
        let before = std::mem::replace(&mut place.holders[1], there);
        if before == there {
            return;
        }
        let nameless = place.nameless.map(|(since, _)| (since, id));
        if let (Some(entry), Some(share)) = (nameless, self.shares.get_mut(&before)) {
            share.nameless.remove(&entry);
        }
        self.vacate(before);
        let share = self.shares.entry(there).or_default();
        share.sessions += 1;
        share.nameless.extend(nameless);
    }

    /// Notes that a session has a name.
    pub(in crate::core::hub) fn named(&mut self, id: PeerId) {
        self.gain_name(id);
        if let Some(place) = self.sessions.get_mut(&id) {
            place.new = false;
        }
    }

    /// Notes that a session has given up its name and stays.
    pub(in crate::core::hub) fn parted(&mut self, now: Time, id: PeerId) {
        self.lose_name(now, id, PARTED);
    }

    /// Notes that a session may stay without a name, as one that has a name does.
    pub(in crate::core::hub) fn hold(&mut self, id: PeerId) {
        self.gain_name(id);
    }

    /// Notes that a session without a name may not stay without one any more.
    pub(in crate::core::hub) fn release(&mut self, now: Time, id: PeerId) {
        if self.sessions.get(&id).is_some_and(|place| place.nameless.is_none()) {
            self.lose_name(now, id, NAMELESS);
        }
    }

    /// Starts the deadline of a session without a name: it ends after `span`.
    fn lose_name(&mut self, now: Time, id: PeerId, span: Duration) {
        self.gain_name(id);
        let Some(place) = self.sessions.get_mut(&id) else { return };
        place.nameless = Some((now, now + span));
        self.nameless.insert((now, id));
        self.due.insert((now + span, id));
        for holder in place.holders {
            self.shares.entry(holder).or_default().nameless.insert((now, id));
        }
    }

    /// Stops the deadline of a session that has a name or has ended.
    fn gain_name(&mut self, id: PeerId) {
        let Some(place) = self.sessions.get_mut(&id) else { return };
        let Some((since, due)) = place.nameless.take() else { return };
        self.nameless.remove(&(since, id));
        self.due.remove(&(due, id));
        for holder in place.holders {
            if let Some(share) = self.shares.get_mut(&holder) {
                share.nameless.remove(&(since, id));
            }
        }
    }

    /// Whether a session has never had a name.
    pub(in crate::core::hub) fn is_new(&self, id: PeerId) -> bool {
        self.sessions.get(&id).is_some_and(|place| place.new)
    }

    /// When the next session ends because it has no name.
    pub(in crate::core::hub) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A session that must end at `now` because it has been without a name for too long.
    pub(in crate::core::hub) fn due(&self, now: Time) -> Option<PeerId> {
        self.due.first().filter(|(due, _)| *due <= now).map(|(_, id)| *id)
    }

    /// What a newcomer from this key and address needs: `None` if there is room, otherwise the session without a name
    /// that must end first. Clients on the hub's own machine have no limit for their network.
    ///
    /// # Errors
    /// `hub-full` if a limit is reached and no session may be pushed out.
    pub(in crate::core::hub) fn room_for(
        &self,
        now: Time,
        key: PublicKey,
        address: IpAddr,
        limits: &HubLimits,
    ) -> Result<Option<PeerId>, Failure> {
        let network = Network::of(address);
        let nothing = Share::default();
        let share = |holder| self.shares.get(&holder).unwrap_or(&nothing);
        let (of_key, of_network) = (share(Holder::Key(key)), share(Holder::Network(network)));
        let per_address = if network.is_loopback() { usize::MAX } else { limits.clients_per_address };
        let crowded = [
            (of_key.sessions >= limits.clients_per_key, &of_key.nameless, "Your key has all places that one may have."),
            (
                of_key.nameless.len() >= NAMELESS_EACH,
                &of_key.nameless,
                "Your key has too many sessions without a name.",
            ),
            (
                of_network.sessions >= per_address,
                &of_network.nameless,
                "Your address has all places that one may have.",
            ),
            (
                of_network.nameless.len() >= (per_address / 4).max(NAMELESS_EACH),
                &of_network.nameless,
                "Your address has too many sessions without a name.",
            ),
            (self.sessions.len() >= limits.clients, &self.nameless, "The hub is full."),
        ];
        let Some((_, nameless, why)) = crowded.into_iter().find(|(crowded, ..)| *crowded) else { return Ok(None) };
        match nameless.first().filter(|(since, _)| *since + GRACE <= now) {
            Some((_, oldest)) => Ok(Some(*oldest)),
            None => Err(Failure::new(ErrorCode::HubFull, why).wait(1_000)),
        }
    }
}
