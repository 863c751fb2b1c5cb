//! Answers about people: who was here (`status`, `who --since`), whom somebody blocks, and the history of messages.

use super::PeerId;
use super::cx::Cx;
use super::journal::queries::PendingQuery;
use crate::protocol::limits::{HISTORY_BYTES, HISTORY_DEFAULT, HISTORY_MESSAGES};
use crate::protocol::line::pointer_at;
use crate::protocol::name::is_lobby;
use crate::protocol::record::{Destination, HistoryQuery, People, Query, StoredMessage};
use crate::protocol::types::Said;
use crate::protocol::when::When;
use crate::protocol::{Client, ErrorCode, Event, Failure, Id, Timestamp, event, request};

/// Handles `blocks`: the names that the client's user blocks.
pub(super) fn blocked_by(cx: &Cx<'_>, id: PeerId) -> Result<event::Blocks, Failure> {
    let me = cx.sessions.me(id)?;
    let names = cx.journal.state.blocks().blocked_by(&me.name_key).map(|whom| cx.journal.state.names().shown(whom));
    Ok(event::Blocks { names: names.collect() })
}

/// Handles `who` with a time: everybody who is here, and then those who left within the last `seconds`, by the time
/// when they left.
pub(super) fn here_since(cx: &Cx<'_>, seconds: u64) -> Event {
    let millis = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let start = Timestamp(cx.today().0.saturating_sub(millis));
    let gone = cx.sessions.visits.departed_since(start, cx.journal.state.visits().iter());
    let gone = gone.into_iter().filter(|(name_key, _)| !cx.sessions.is_here(name_key));
    let mut gone: Vec<Client> = gone.map(|(_, client)| client).collect();
    gone.sort_by_key(|client| (client.since, client.number));
    let mut clients: Vec<Client> = cx.journal.state.roster().lines().cloned().collect();
    clients.sort_by_key(|client| client.number);
    clients.extend(gone);
    event::Roster { revision: cx.journal.state.revision(), clients, next: None }.into()
}

/// Handles `history`: checks the request, and asks the store for the messages that this client may see.
///
/// # Errors
/// `not-registered`; `bad-request` for conditions that exclude each other or a wrong limit; what is wrong with a room
/// or a person that it names.
pub(super) fn history(
    cx: &mut Cx<'_>,
    id: PeerId,
    request_id: &Option<Id>,
    request: &request::History,
) -> Result<(), Failure> {
    let query = history_query(cx, id, request)?;
    if let Some(peer) = cx.sessions.get_mut(id) {
        peer.exchange.reading_begins();
    }
    let forward = query.oldest;
    cx.query(Query::History(query), PendingQuery::History { peer: id, request_id: request_id.clone(), forward });
    Ok(())
}

/// The store's query for a `history`. Without a place it covers the lobby, the person's own messages, and all rooms
/// that they are in.
fn history_query(cx: &Cx<'_>, id: PeerId, request: &request::History) -> Result<HistoryQuery, Failure> {
    let me = cx.sessions.me(id)?;
    let wrong = |at: &str, what: &str| Failure::new(ErrorCode::BadRequest, what.to_owned()).at(pointer_at(at));
    let places = [request.lobby, request.rooms, request.room.is_some(), request.with.is_some()];
    if places.into_iter().filter(|place| *place).count() > 1 {
        return Err(wrong("", "Only one of `lobby`, `rooms`, `room` and `with` can be asked for."));
    }
    if request.before.is_some() && (request.since.is_some() || request.after.is_some()) {
        return Err(wrong("/before", "`before` goes back from the newest: it does not go with `since` or `after`."));
    }
    let limit = request.limit.map_or(HISTORY_DEFAULT, |limit| limit as usize);
    if !(1..=HISTORY_MESSAGES).contains(&limit) {
        return Err(wrong("/limit", "One `history` has 1 to 500 messages."));
    }
    let since = request.since.as_deref().map(When::parse).transpose().map_err(|f| f.at(pointer_at("/since")))?;
    let (mut lobby, mut rooms, mut people) = (false, Vec::new(), People::Nobody);
    match (&request.room, &request.with) {
        (Some(room), _) if is_lobby(room) => lobby = true,
        (Some(room), _) => rooms.push(cx.journal.state.own_room(&me.name_key, room)?),
        (None, Some(with)) => people = People::With(cx.journal.state.other(&me.name_key, with, "/with")?),
        (None, None) if request.lobby => lobby = true,
        (None, None) => {
            if !request.rooms {
                (lobby, people) = (true, People::Everybody);
            }
            rooms = cx.journal.state.rooms().joined_by(&me.name_key).collect();
        }
    }
    Ok(HistoryQuery {
        without: cx.journal.state.blocks().blocked_by(&me.name_key).cloned().collect(),
        name_key: me.name_key,
        lobby,
        rooms,
        people,
        since: since.map(|since| since.at(cx.today())),
        after: request.after,
        before: request.before,
        words: request.r#match.clone(),
        oldest: request.since.is_some() || request.after.is_some(),
        limit,
        bytes: HISTORY_BYTES,
    })
}

/// The answer to a `history` from what the store has found. `forward` says that the query went from the oldest message
/// on; `next` is where the following page goes on.
pub(super) fn recalled(cx: &Cx<'_>, messages: Vec<StoredMessage>, more: bool, forward: bool) -> event::History {
    let edge = if forward { messages.last() } else { messages.first() };
    let next = edge.filter(|_| more).map(|message| message.number);
    event::History { messages: messages.into_iter().map(|message| as_said(cx, message)).collect(), more, next }
}

/// A stored message as a `history` shows it.
fn as_said(cx: &Cx<'_>, message: StoredMessage) -> Said {
    let StoredMessage { number, sent, from, destination, text, .. } = message;
    let (to, room) = match destination {
        Destination::Lobby => (Some("all".to_owned()), None),
        Destination::Person { name, .. } => (Some(name), None),
        Destination::Room(room) => (None, Some(cx.journal.state.room_name(room))),
    };
    Said { number, to, room, from, text, sent }
}

/// Handles `status`: the newest visits, how many there were, whether the store is in trouble, and what is relayed.
pub(super) fn status(cx: &Cx<'_>, relay: Option<event::RelayFigures>) -> Event {
    event::Status {
        relay,
        clients: cx.sessions.visits.shown(),
        total: cx.sessions.visits.count(),
        store: cx.journal.health.told(),
    }
    .into()
}
