//! Who has been here in this run: each registration is a visit, which `status` shows. The last one of everybody, of earlier
//! runs too, is in the state.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use crate::protocol::limits::{STATUS_CLIENTS, VISITS_LOADED};
use crate::protocol::name::NameKey;
use crate::protocol::record::VisitRecord;
use crate::protocol::{Client, Presence, PublicKey, Timestamp, event};

/// The newest visits of this run, in the order of their numbers, and those who have left.
#[derive(Default)]
pub(in crate::core::hub) struct Visits {
    newest: VecDeque<Visit>,
    /// How many there were.
    count: u64,
    /// Those who have left, by the keys of their names, as the roster showed them last.
    departed: HashMap<NameKey, Client>,
}

struct Visit {
    name: String,
    number: u64,
    address: SocketAddr,
    state: Presence,
    opened: Timestamp,
    closed: Option<Timestamp>,
    /// How many messages were sent.
    messages: u64,
    key: PublicKey,
}

impl Visits {
    /// How many visits there were.
    pub(in crate::core::hub) fn count(&self) -> u64 {
        self.count
    }

    /// How many of them are shown.
    pub(in crate::core::hub) fn len(&self) -> usize {
        self.newest.len()
    }

    /// How many of those who have left are known.
    pub(in crate::core::hub) fn departed_len(&self) -> usize {
        self.departed.len()
    }

    /// Who has left at this time or later, in this run or, as far as `last` says, before.
    pub(in crate::core::hub) fn departed_since<'a>(
        &'a self,
        start: Timestamp,
        last: impl Iterator<Item = &'a VisitRecord>,
    ) -> HashMap<NameKey, Client> {
        let mut departed: HashMap<NameKey, Client> = HashMap::new();
        for client in last.filter_map(as_departed).filter(|client| client.since >= start) {
            let name_key = NameKey::of(&client.name);
            if departed.get(&name_key).is_none_or(|other| other.since <= client.since) {
                departed.insert(name_key, client);
            }
        }
        departed.extend(self.departed.iter().map(|(name_key, client)| (name_key.clone(), client.clone())));
        departed.retain(|_, client| client.since >= start);
        departed
    }

    /// Somebody comes. Gives the number of their visit.
    pub(in crate::core::hub) fn begin(
        &mut self,
        name: &str,
        key: PublicKey,
        address: SocketAddr,
        opened: Timestamp,
    ) -> u64 {
        self.count += 1;
        if self.newest.len() >= STATUS_CLIENTS {
            self.newest.pop_front();
        }
        let (name, number, state) = (name.to_owned(), self.count, Presence::Online);
        self.newest.push_back(Visit { name, number, address, state, opened, closed: None, messages: 0, key });
        number
    }

    /// Whether they are here has changed.
    pub(in crate::core::hub) fn set_state(&mut self, number: u64, state: Presence) {
        if let Some(visit) = self.get_mut(number) {
            visit.state = state;
        }
    }

    /// They have sent a message.
    pub(in crate::core::hub) fn count_message(&mut self, number: u64) {
        if let Some(visit) = self.get_mut(number) {
            visit.messages += 1;
        }
    }

    /// The visit is over.
    pub(in crate::core::hub) fn close(&mut self, number: u64, closed: Timestamp) {
        if let Some(visit) = self.get_mut(number) {
            visit.closed = Some(closed);
        }
    }

    /// Somebody has left; this is their last line in the roster. Of very many, those who left longest ago are forgotten.
    pub(in crate::core::hub) fn left(&mut self, client: Client) {
        if self.departed.len() >= 2 * VISITS_LOADED {
            let mut times: Vec<Timestamp> = self.departed.values().map(|client| client.since).collect();
            times.sort_unstable();
            let kept = times.iter().rev().nth(VISITS_LOADED - 1).copied();
            self.departed.retain(|_, client| Some(client.since) >= kept);
        }
        self.departed.insert(NameKey::of(&client.name), client);
    }

    /// A visit as the store keeps it.
    pub(in crate::core::hub) fn record(&self, number: u64, run: u64) -> Option<VisitRecord> {
        let at = self.newest.binary_search_by_key(&number, |visit| visit.number).ok()?;
        let Visit { name, address, opened, closed, messages, key, .. } = self.newest.get(at)?;
        let (name, address) = (name.clone(), address.to_string());
        let (key, opened, closed, messages) = (*key, *opened, *closed, *messages);
        Some(VisitRecord { run, number, name, key, address, opened, closed, messages })
    }

    /// As `status` shows them.
    pub(in crate::core::hub) fn shown(&self) -> Vec<event::Visit> {
        let shown = self.newest.iter().map(|visit| event::Visit {
            name: visit.name.clone(),
            number: visit.number,
            address: visit.address.to_string(),
            state: visit.state,
            opened: visit.opened,
            closed: visit.closed,
            messages: visit.messages,
        });
        shown.collect()
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut Visit> {
        let at = self.newest.binary_search_by_key(&number, |visit| visit.number).ok()?;
        self.newest.get_mut(at)
    }
}

/// Somebody whose last visit this was, as the roster would have shown them when they left.
fn as_departed(visit: &VisitRecord) -> Option<Client> {
    let address = visit.address.parse::<SocketAddr>().ok()?.ip();
    // A hub that was killed has not written when they left.
    let since = visit.closed.unwrap_or(visit.opened);
    let (name, number, key, state) = (visit.name.clone(), visit.number, visit.key, Presence::Offline);
    Some(Client { name, number, state, since, key, address, port: 0, link_port: 0, you: false })
}
