//! People: who is known by which name, whom they block, when they were here, what was said to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::lobby;
use super::mailbox::Mailbox;
use super::quotas::Bringer;
use super::{Hub, PeerId, Question, roster::Registered};
use crate::core::time::Time;
use crate::protocol::likeness::Likeness;
use crate::protocol::limits::{BLOCKS, HISTORY_BYTES, HISTORY_DEFAULT, HISTORY_MESSAGES, VISITS_LOADED};
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, is_lobby};
use crate::protocol::record::{
    Destination, HistoryQuery, NameRecord, People, Query, Record, RoomRecord, Span, StoredMessage, VisitRecord,
    WaitingRecord,
};
use crate::protocol::types::Said;
use crate::protocol::when::When;
use crate::protocol::{Client, ErrorCode, Event, Failure, Id, Presence, PublicKey, Timestamp, event, request};

/// Somebody whose name is known, here or not.
pub(super) struct Person {
    /// The name as its owner writes it.
    pub(super) name: String,
    pub(super) keys: Vec<PublicKey>,
    /// If it is an account, the number of its password.
    pub(super) credential: Option<u64>,
    /// They have every message up to this number.
    pub(super) received: u64,
    /// Messages to them alone that they do not have.
    pub(super) mailbox: Mailbox,
    /// When they were here, as far as they lack what was said to everybody.
    pub(super) there: lobby::Presence,
    /// Whom they block.
    pub(super) blocks: BTreeSet<NameKey>,
    /// The rooms that they are in.
    pub(super) rooms: BTreeSet<u64>,
    /// Those of them that others have brought them into.
    pub(super) brought: BTreeMap<u64, Bringer>,
}

impl Person {
    /// Somebody new, for whom nothing was said up to this number.
    pub(super) fn new(name: String, received: u64) -> Self {
        Self {
            name,
            keys: Vec::new(),
            credential: None,
            received,
            mailbox: Mailbox::default(),
            there: lobby::Presence::default(),
            blocks: BTreeSet::new(),
            rooms: BTreeSet::new(),
            brought: BTreeMap::new(),
        }
    }

    /// They have everything up to this number.
    pub(super) fn has_received(&mut self, number: u64) {
        self.received = self.received.max(number);
        self.mailbox.taken(self.received);
        self.there.received(self.received);
    }
}

impl From<NameRecord> for Person {
    fn from(record: NameRecord) -> Self {
        let NameRecord { name, keys, credential, received, .. } = record;
        Self { keys, credential, received, ..Self::new(name, received) }
    }
}

/// What the taken names look like, of people and of rooms.
pub(super) struct Looks {
    pub(super) people: Likeness,
    pub(super) rooms: Likeness,
}

impl Looks {
    pub(super) fn new(people: &HashMap<NameKey, Person>, rooms: &[RoomRecord]) -> Self {
        Self {
            people: Likeness::of(people.values().map(|person| person.name.as_str())),
            rooms: Likeness::of(rooms.iter().map(|room| room.name.as_str())),
        }
    }
}

/// Everybody whom the store knows, by the keys of their names.
pub(super) fn load(
    names: Vec<NameRecord>,
    blocks: Vec<(NameKey, NameKey)>,
    rooms: &[RoomRecord],
    waiting: Vec<WaitingRecord>,
) -> HashMap<NameKey, Person> {
    let mut people: HashMap<NameKey, Person> =
        names.into_iter().map(|record| (record.name_key.clone(), record.into())).collect();
    for (by, whom) in blocks {
        if let Some(person) = people.get_mut(&by) {
            person.blocks.insert(whom);
        }
    }
    for room in rooms {
        for (name_key, _) in &room.members {
            if let Some(person) = people.get_mut(name_key) {
                person.rooms.insert(room.room);
            }
        }
    }
    for (room, (name_key, by)) in rooms.iter().flat_map(|room| room.brought.iter().map(|brought| (room.room, brought)))
    {
        if let Some(person) = people.get_mut(name_key) {
            person.brought.insert(room, Bringer { by: by.clone(), network: None });
        }
    }
    for WaitingRecord { name_key, number, from, bytes, withheld } in waiting {
        if let Some(person) = people.get_mut(&name_key) {
            person.mailbox.put(number, &from, bytes as usize, withheld);
        }
    }
    people
}

/// When they were here, as far as they lack what was said to everybody.
pub(super) fn load_presence(people: &mut HashMap<NameKey, Person>, there: Vec<(NameKey, Vec<Span>)>, newest: u64) {
    for (name_key, spans) in there {
        if let Some(person) = people.get_mut(&name_key) {
            person.there = lobby::Presence::load(spans, newest);
            person.there.received(person.received);
        }
    }
}

/// Those who have left, by the keys of their names, as the roster showed them last.
#[derive(Default)]
pub(super) struct Departed(HashMap<NameKey, Client>);

impl Departed {
    /// From the visits of earlier runs, oldest first.
    pub(super) fn load(visits: Vec<VisitRecord>) -> Self {
        let mut departed = Self::default();
        for visit in visits {
            let Ok(address) = visit.address.parse::<std::net::SocketAddr>() else { continue };
            // A hub that was killed has not written when they left.
            let since = visit.closed.unwrap_or(visit.opened);
            let (name, number, key) = (visit.name, visit.number, visit.key);
            departed.insert(Client {
                name,
                number,
                state: Presence::Offline,
                since,
                key,
                address: address.ip(),
                port: 0,
                link_port: 0,
                you: false,
            });
        }
        departed
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn insert(&mut self, client: Client) {
        if self.0.len() >= 2 * VISITS_LOADED {
            let mut times: Vec<Timestamp> = self.0.values().map(|client| client.since).collect();
            times.sort_unstable();
            let kept = times.iter().rev().nth(VISITS_LOADED - 1).copied();
            self.0.retain(|_, client| Some(client.since) >= kept);
        }
        self.0.insert(NameKey::of(&client.name), client);
    }
}

impl Hub {
    /// The name of somebody who is registered.
    pub(super) fn me(&self, id: PeerId) -> Result<Registered, Failure> {
        self.peers.get(&id).and_then(|peer| peer.name.clone()).ok_or_else(|| ErrorCode::NotRegistered.into())
    }

    /// The name key of somebody else who is known, named in a request at `at`.
    pub(super) fn other(&self, me: &Registered, name: &str, at: &str) -> Result<NameKey, Failure> {
        let name_key = NameKey::of(name);
        let failure = if name_key == me.name_key {
            ErrorCode::Yourself.into()
        } else if !self.people.contains_key(&name_key) {
            let shown: String = name.chars().take(40).collect();
            Failure::new(ErrorCode::NoSuchPerson, format!("Nobody called {shown} is known here."))
        } else {
            return Ok(name_key);
        };
        Err(failure.at(pointer_at(at)))
    }

    /// The name of somebody as they write it.
    pub(super) fn name_of(&self, name_key: &NameKey) -> String {
        self.people.get(name_key).map_or_else(|| name_key.to_string(), |person| person.name.clone())
    }

    /// Whether `by` blocks `whom`.
    pub(super) fn blocks(&self, by: &NameKey, whom: &NameKey) -> bool {
        self.people.get(by).is_some_and(|person| person.blocks.contains(whom))
    }

    pub(super) fn block(&mut self, id: PeerId, request_id: &Option<Id>, name: &str) -> Result<(), Failure> {
        let me = self.me(id)?;
        let whom = self.other(&me, name, "/name")?;
        self.can_keep()?;
        let again = self.is_repeated(id, request_id);
        let shown = self.name_of(&whom);
        let Some(person) = self.people.get_mut(&me.name_key) else { return Err(ErrorCode::Internal.into()) };
        if person.blocks.len() >= BLOCKS {
            return Err(Failure::new(ErrorCode::TooMany, format!("One can block {BLOCKS} people.")));
        }
        if !person.blocks.insert(whom.clone()) && !again {
            let failure = Failure::new(ErrorCode::AlreadyBlocked, format!("You block {shown} already."));
            return Err(failure.at(pointer_at("/name")));
        }
        let record = Record::Block { by: me.name_key, whom };
        self.keep_and_answer(id, request_id, record, event::Blocked { name: shown });
        Ok(())
    }

    pub(super) fn unblock(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        name: &str,
    ) -> Result<(), Failure> {
        let me = self.me(id)?;
        let whom = self.other(&me, name, "/name")?;
        self.can_keep()?;
        let again = self.is_repeated(id, request_id);
        let shown = self.name_of(&whom);
        let Some(person) = self.people.get_mut(&me.name_key) else { return Err(ErrorCode::Internal.into()) };
        if !person.blocks.remove(&whom) && !again {
            let failure = Failure::new(ErrorCode::NotBlocked, format!("You do not block {shown}."));
            return Err(failure.at(pointer_at("/name")));
        }
        self.settle(now, id);
        self.flush_received();
        let record = Record::Unblock { by: me.name_key, whom };
        self.keep_and_answer(id, request_id, record, event::Unblocked { name: shown });
        Ok(())
    }

    pub(super) fn blocked_by(&self, id: PeerId) -> Result<event::Blocks, Failure> {
        let me = self.me(id)?;
        let blocks = self.people.get(&me.name_key).map(|person| &person.blocks);
        Ok(event::Blocks { names: blocks.into_iter().flatten().map(|whom| self.name_of(whom)).collect() })
    }

    /// Whether somebody is here under this name. A name whose registration is on its way to the disk is in use,
    /// but its owner is not here yet, and may be gone before.
    fn is_here(&self, name_key: &NameKey) -> bool {
        let peer = self.online.get(name_key).and_then(|id| self.peers.get(id));
        peer.is_some_and(|peer| peer.name.is_some())
    }

    /// Everybody who is here, and who was within so many seconds.
    pub(super) fn here_since(&self, now: Time, seconds: u64) -> Event {
        let millis = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let start = Timestamp(self.calendar(now).0.saturating_sub(millis));
        let gone = self.departed.0.iter().filter(|(name_key, client)| client.since >= start && !self.is_here(name_key));
        let mut gone: Vec<Client> = gone.map(|(_, client)| client.clone()).collect();
        gone.sort_by_key(|client| (client.since, client.number));
        let mut clients = self.roster();
        clients.sort_by_key(|client| client.number);
        clients.extend(gone);
        event::Roster { revision: self.revision, clients, next: None }.into()
    }

    /// Asks the store what has been said, as far as this client may see it.
    pub(super) fn history(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: &request::History,
    ) -> Result<(), Failure> {
        let query = self.history_query(now, id, request)?;
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.exchange.reading_begins();
        }
        let forward = query.oldest;
        self.question(Query::History(query), Question::History { peer: id, request_id: request_id.clone(), forward });
        Ok(())
    }

    fn history_query(&self, now: Time, id: PeerId, request: &request::History) -> Result<HistoryQuery, Failure> {
        let me = self.me(id)?;
        let wrong = |at: &str, what: &str| Failure::new(ErrorCode::BadRequest, what.to_owned()).at(pointer_at(at));
        let places = [request.lobby, request.rooms, request.room.is_some(), request.with.is_some()];
        if places.into_iter().filter(|place| *place).count() > 1 {
            return Err(wrong("", "Only one of `lobby`, `rooms`, `room` and `with` can be asked for."));
        }
        if request.before.is_some() && (request.since.is_some() || request.after.is_some()) {
            return Err(wrong(
                "/before",
                "`before` goes back from the newest: it does not go with `since` or `after`.",
            ));
        }
        let limit = request.limit.map_or(HISTORY_DEFAULT, |limit| limit as usize);
        if !(1..=HISTORY_MESSAGES).contains(&limit) {
            return Err(wrong("/limit", "One `history` has 1 to 500 messages."));
        }
        let since = request.since.as_deref().map(When::parse).transpose().map_err(|f| f.at(pointer_at("/since")))?;
        let (mut lobby, mut rooms, mut people) = (false, Vec::new(), People::Nobody);
        let person = self.people.get(&me.name_key);
        match (&request.room, &request.with) {
            (Some(room), _) if is_lobby(room) => lobby = true,
            (Some(room), _) => rooms.push(self.room_of(&me, room)?),
            (None, Some(with)) => people = People::With(self.other(&me, with, "/with")?),
            (None, None) if request.lobby => lobby = true,
            (None, None) => {
                if !request.rooms {
                    (lobby, people) = (true, People::Everybody);
                }
                rooms = person.into_iter().flat_map(|person| person.rooms.iter().copied()).collect();
            }
        }
        Ok(HistoryQuery {
            name_key: me.name_key,
            lobby,
            rooms,
            people,
            without: person.into_iter().flat_map(|person| person.blocks.iter().cloned()).collect(),
            since: since.map(|since| since.at(self.calendar(now))),
            after: request.after,
            before: request.before,
            words: request.r#match.clone(),
            oldest: request.since.is_some() || request.after.is_some(),
            limit,
            bytes: HISTORY_BYTES,
        })
    }

    /// What the store has found of the past.
    pub(super) fn recalled(&self, messages: Vec<StoredMessage>, more: bool, forward: bool) -> event::History {
        let edge = if forward { messages.last() } else { messages.first() };
        let next = edge.filter(|_| more).map(|kept| kept.number);
        event::History { messages: messages.into_iter().map(|kept| self.as_said(kept)).collect(), more, next }
    }

    fn as_said(&self, kept: StoredMessage) -> Said {
        let StoredMessage { number, sent, from, destination, text, .. } = kept;
        let (to, room) = match destination {
            Destination::Lobby => (Some("all".to_owned()), None),
            Destination::Person(name) => (Some(name), None),
            Destination::Room(room) => (None, Some(self.room_name(room))),
        };
        Said { number, to, room, from, text, sent }
    }
}
