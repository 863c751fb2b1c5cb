//! People: who has been here, and what has been said to them.

use super::{Hub, PeerId, PendingQuery, roster::Registered};
use crate::core::time::Time;
use crate::protocol::limits::{HISTORY_BYTES, HISTORY_DEFAULT, HISTORY_MESSAGES};
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, is_lobby};
use crate::protocol::record::{Destination, HistoryQuery, People, Query, StoredMessage};
use crate::protocol::types::Said;
use crate::protocol::when::When;
use crate::protocol::{Client, ErrorCode, Event, Failure, Id, Timestamp, event, request};

impl Hub {
    /// The name of somebody who is registered.
    pub(super) fn me(&self, id: PeerId) -> Result<Registered, Failure> {
        self.peers.get(&id).and_then(|peer| peer.name.clone()).ok_or_else(|| ErrorCode::NotRegistered.into())
    }

    /// Whom somebody blocks.
    pub(super) fn blocked_by(&self, id: PeerId) -> Result<event::Blocks, Failure> {
        let me = self.me(id)?;
        let names = self.state.blocks().blocked_by(&me.name_key).map(|whom| self.state.names().shown(whom));
        Ok(event::Blocks { names: names.collect() })
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
        let gone = self.visits.departed().iter().filter(|(_, client)| client.since >= start);
        let gone = gone.filter(|(name_key, _)| !self.is_here(name_key));
        let mut gone: Vec<Client> = gone.map(|(_, client)| client.clone()).collect();
        gone.sort_by_key(|client| (client.since, client.number));
        let mut clients = self.roster();
        clients.sort_by_key(|client| client.number);
        clients.extend(gone);
        event::Roster { revision: self.state.revision(), clients, next: None }.into()
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
        self.query(Query::History(query), PendingQuery::History { peer: id, request_id: request_id.clone(), forward });
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
        match (&request.room, &request.with) {
            (Some(room), _) if is_lobby(room) => lobby = true,
            (Some(room), _) => rooms.push(self.state.own_room(&me.name_key, room)?),
            (None, Some(with)) => people = People::With(self.state.other(&me.name_key, with, "/with")?),
            (None, None) if request.lobby => lobby = true,
            (None, None) => {
                if !request.rooms {
                    (lobby, people) = (true, People::Everybody);
                }
                rooms = self.state.rooms().joined_by(&me.name_key).collect();
            }
        }
        Ok(HistoryQuery {
            without: self.state.blocks().blocked_by(&me.name_key).cloned().collect(),
            name_key: me.name_key,
            lobby,
            rooms,
            people,
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
            Destination::Person { name, .. } => (Some(name), None),
            Destination::Room(room) => (None, Some(self.state.room_name(room))),
        };
        Said { number, to, room, from, text, sent }
    }
}
