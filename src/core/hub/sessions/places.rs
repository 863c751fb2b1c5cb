//! Places: how many sessions there may be, whose they are, and for how long one may be without a name.
//!
//! Whoever has no name is nobody yet. Such a session has a deadline, there are few of them for each key and each address,
//! and they make room: when all places are taken, the oldest of them goes, for whoever comes. So thousands of hellos push
//! out each other, and nobody who enters.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use crate::core::hub::PeerId;
use crate::core::time::Time;
use crate::protocol::limits::{HubLimits, NAMELESS_EACH};
use crate::protocol::{ErrorCode, Failure, Network, PublicKey};

/// How long a session may be without a name: somebody may have to type a password.
const NAMELESS: Duration = Duration::from_secs(300);

/// The same for one that had a name and has left: its user may look on for a while, and come back.
const PARTED: Duration = Duration::from_secs(3_600);

/// So long a session without a name keeps its place whoever comes: an honest client enters in a round trip or two.
const GRACE: Duration = Duration::from_secs(1);

/// Who has which places.
#[derive(Default)]
pub(in crate::core::hub) struct Places {
    sessions: HashMap<PeerId, Place>,
    shares: HashMap<Holder, Share>,
    /// Sessions without a name, and since when they are.
    nameless: BTreeSet<(Time, PeerId)>,
    /// The same by when they end.
    due: BTreeSet<(Time, PeerId)>,
}

/// Whoever has a share of the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Key(PublicKey),
    Network(Network),
}

#[derive(Default)]
struct Share {
    sessions: usize,
    nameless: BTreeSet<(Time, PeerId)>,
    /// Those that have no connection, of a key.
    away: BTreeSet<PeerId>,
}

struct Place {
    holders: [Holder; 2],
    /// Since when it has no name, and when it ends because of that.
    nameless: Option<(Time, Time)>,
    /// It never had one.
    new: bool,
}

impl Places {
    pub(in crate::core::hub) fn enter(&mut self, now: Time, id: PeerId, key: PublicKey, address: IpAddr) {
        let holders = [Holder::Key(key), Holder::Network(Network::of(address))];
        self.sessions.insert(id, Place { holders, nameless: None, new: true });
        for holder in holders {
            self.shares.entry(holder).or_default().sessions += 1;
        }
        self.lose_name(now, id, NAMELESS);
    }

    pub(in crate::core::hub) fn leave(&mut self, id: PeerId) {
        self.gain_name(id);
        self.connected(id);
        let Some(place) = self.sessions.remove(&id) else { return };
        place.holders.into_iter().for_each(|holder| self.vacate(holder));
    }

    /// A session has lost its connection.
    pub(in crate::core::hub) fn disconnected(&mut self, id: PeerId) {
        if let Some(share) = self.share_of_key(id) {
            share.away.insert(id);
        }
    }

    /// It has one again, or needs none any more.
    pub(in crate::core::hub) fn connected(&mut self, id: PeerId) {
        if let Some(share) = self.share_of_key(id) {
            share.away.remove(&id);
        }
    }

    fn share_of_key(&mut self, id: PeerId) -> Option<&mut Share> {
        let [of_key, _] = self.sessions.get(&id)?.holders;
        self.shares.get_mut(&of_key)
    }

    /// A session of this key that has no connection.
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

    /// A session goes on from another address. It keeps its place there, whatever else that address has.
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

    /// It has a name now.
    pub(in crate::core::hub) fn named(&mut self, id: PeerId) {
        self.gain_name(id);
        if let Some(place) = self.sessions.get_mut(&id) {
            place.new = false;
        }
    }

    /// It has its name no more, and stays.
    pub(in crate::core::hub) fn parted(&mut self, now: Time, id: PeerId) {
        self.lose_name(now, id, PARTED);
    }

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

    /// When the next session ends that has no name.
    pub(in crate::core::hub) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    pub(in crate::core::hub) fn due(&self, now: Time) -> Option<PeerId> {
        self.due.first().filter(|(due, _)| *due <= now).map(|(_, id)| *id)
    }

    /// Who makes room for a newcomer: nobody, a session without a name, or there is no room.
    ///
    /// # Errors
    /// `hub-full`
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
