//! The visits of this run, which `status` shows, and the clients that have left. Each registration is a visit. The last
//! visit of each person, also of earlier runs, is kept in the state.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use crate::protocol::limits::{STATUS_CLIENTS, VISITS_LOADED};
use crate::protocol::name::NameKey;
use crate::protocol::record::VisitRecord;
use crate::protocol::{Client, Presence, PublicKey, Timestamp, event};

/// The newest visits of this run, at most [`STATUS_CLIENTS`], and the clients that have left.
#[derive(Default)]
pub(in crate::core::hub) struct Visits {
    newest: VecDeque<Visit>,
    /// The number of visits in this run.
    count: u64,
    /// The clients that have left in this run, by name, as the roster showed them last.
    departed: HashMap<NameKey, Client>,
}

/// One registration, until it ends and after.
struct Visit {
    name: String,
    number: u64,
    address: SocketAddr,
    state: Presence,
    opened: Timestamp,
    closed: Option<Timestamp>,
    /// The number of messages that it has sent.
    messages: u64,
    key: PublicKey,
}

impl Visits {
    /// The number of visits in this run.
    pub(in crate::core::hub) fn count(&self) -> u64 {
        self.count
    }

    /// The number of visits that `status` shows.
    pub(in crate::core::hub) fn len(&self) -> usize {
        self.newest.len()
    }

    /// The number of clients that are known to have left.
    pub(in crate::core::hub) fn departed_len(&self) -> usize {
        self.departed.len()
    }

    /// The clients that left at `start` or later, by name: those of this run, and those that are in `last`, the last
    /// visits of earlier runs.
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

    /// Begins a visit, and returns its number.
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

    /// Changes the presence that `status` shows for a visit.
    pub(in crate::core::hub) fn set_state(&mut self, number: u64, state: Presence) {
        if let Some(visit) = self.get_mut(number) {
            visit.state = state;
        }
    }

    /// Counts a message that was sent in a visit.
    pub(in crate::core::hub) fn count_message(&mut self, number: u64) {
        if let Some(visit) = self.get_mut(number) {
            visit.messages += 1;
        }
    }

    /// Ends a visit.
    pub(in crate::core::hub) fn close(&mut self, number: u64, closed: Timestamp) {
        if let Some(visit) = self.get_mut(number) {
            visit.closed = Some(closed);
        }
    }

    /// Notes a client that has left, with its last line in the roster. When twice [`VISITS_LOADED`] are known, only the
    /// newest [`VISITS_LOADED`] are kept.
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

    /// The newest visits, as `status` shows them.
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

/// A visit of an earlier run as the roster would have shown its client when it left.
fn as_departed(visit: &VisitRecord) -> Option<Client> {
    let address = visit.address.parse::<SocketAddr>().ok()?.ip();
    // A hub that was killed has not stored when the visit ended.
    let since = visit.closed.unwrap_or(visit.opened);
    let (name, number, key, state) = (visit.name.clone(), visit.number, visit.key, Presence::Offline);
    Some(Client { name, number, state, since, key, address, port: 0, link_port: 0, you: false, verified: None })
}
