//! Delivers messages: each one to everybody it is for, in order, once, and no faster than their programs confirm.
//!
//! A client that has registered reports with its first `received` up to which number its user has everything, which
//! opens its feed (`sessions::feed`). From then on it gets each message as soon as it is on disk, while it keeps up. A
//! client that does not keep up, or was away, gets what it lacks from the newest messages in memory ([`Recent`]) or
//! from the store. The hub never waits for a client, and keeps nothing for it in memory except the numbers of what is
//! on its way.
//!
//! [`Feeds`] owns the newest messages, the senders that wait for a receipt, and who has received more than is written
//! down. `proposing` carries out the requests that change the state; `attending` records when people are here for the
//! lobby's messages.

pub(in crate::core::hub) mod attending;
pub(in crate::core::hub) mod proposing;
pub(in crate::core::hub) mod recent;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::hub::cx::Cx;
use crate::core::hub::feeds::recent::{Post, Recent, Target};
use crate::core::hub::journal::queries::PendingQuery;
use crate::core::hub::sessions::feed::Feed;
use crate::core::hub::{PeerId, rooms};
use crate::core::time::Time;
use crate::protocol::limits::FEED_MESSAGES;
use crate::protocol::name::NameKey;
use crate::protocol::record::{Destination, Inbox, Query, Record, StoredMessage};
use crate::protocol::wire::Received;
use crate::protocol::{Event, EventLine, Id, Timestamp, event, log, to_json};

/// Time until it is written down what people have received. What a crash loses of this is sent again, and the client
/// drops it by its number.
const FLUSH: std::time::Duration = std::time::Duration::from_secs(1);

/// The newest messages, and what is known of their delivery.
pub(in crate::core::hub) struct Feeds {
    recent: Recent,
    /// Senders whose answers wait until the receiver has confirmed the message, by the message's number.
    pub(in crate::core::hub) awaiting: BTreeMap<u64, Awaiting>,
    /// People who have received more than is written down.
    unsaved: BTreeSet<NameKey>,
    /// When that is written down; `None` if all is, or the store is in trouble.
    flush_at: Option<Time>,
}

/// A sender whose answer waits until the receiver has confirmed the message.
pub(in crate::core::hub) struct Awaiting {
    pub(in crate::core::hub) peer: PeerId,
    pub(in crate::core::hub) request_id: Option<Id>,
    pub(in crate::core::hub) to: String,
    pub(in crate::core::hub) sent: Timestamp,
    pub(in crate::core::hub) deadline: Time,
}

impl Feeds {
    /// `newest` is the newest message of earlier runs; 0 if there is none.
    pub(in crate::core::hub) fn new(newest: u64) -> Self {
        Self { recent: Recent::new(newest), awaiting: BTreeMap::new(), unsaved: BTreeSet::new(), flush_at: None }
    }

    /// The newest message that is on disk.
    pub(in crate::core::hub) fn newest(&self) -> u64 {
        self.recent.newest
    }

    /// The newest message to the lobby that is on disk.
    pub(in crate::core::hub) fn newest_to_all(&self) -> u64 {
        self.recent.newest_to_all
    }

    /// When the oldest waiting sender is answered without a receipt.
    pub(in crate::core::hub) fn receipt_due(&self) -> Option<Time> {
        self.awaiting.values().next().map(|awaiting| awaiting.deadline)
    }

    /// The receiver has not confirmed a message in time: answers its sender that it is stored.
    pub(in crate::core::hub) fn receipt_is_late(&mut self, cx: &mut Cx<'_>) {
        if let Some(late) = self.awaiting.first_entry().filter(|first| first.get().deadline <= cx.now) {
            let (number, awaiting) = late.remove_entry();
            self.answer_awaiting(cx, number, awaiting, 0);
        }
    }

    /// When it is written down what people have received.
    pub(in crate::core::hub) fn flush_due(&self) -> Option<Time> {
        self.flush_at
    }

    /// The store writes again: writes down soon what could not be written meanwhile.
    pub(in crate::core::hub) fn flush_soon(&mut self, now: Time) {
        if !self.unsaved.is_empty() {
            self.flush_at = Some(now);
        }
    }

    /// The sizes of the collections, for `Hub::counts`.
    pub(in crate::core::hub) fn counts(&self) -> [(&'static str, usize); 2] {
        [("awaiting", self.awaiting.len()), ("unsaved", self.unsaved.len())]
    }

    /// Handles `received`: the client's user has everything up to a number, except what is listed. The first one opens
    /// the feed.
    pub(in crate::core::hub) fn received(&mut self, cx: &mut Cx<'_>, id: PeerId, received: Received) {
        // An implausible list of gaps means that the client has lost its state: everything is sent again.
        let known = received.except.len() <= FEED_MESSAGES && received.except.is_sorted();
        let received = if known { received } else { Received::default() };
        let Some(peer) = cx.sessions.get_mut(id) else { return };
        let Some(name) = peer.name.clone() else { return };
        let newest = self.recent.newest;
        let Some(before) = cx.journal.state.mail().reader(&name.name_key).map(|reader| reader.received) else { return };
        match &mut peer.feed {
            Some(_) => self.confirm(cx, id, &received),
            None => {
                // A number that no message has yet comes from another store, for example one that was lost.
                let had = if received.received <= newest { received } else { Received::default() };
                // The user may have received messages in a run that was killed before it wrote that down.
                let (back_to, up_to) = (had.received, had.all_up_to());
                peer.feed = Some(Feed::new(before, had));
                self.has_received(cx, &name.name_key, up_to);
                self.was_there(cx, id, back_to);
            }
        }
        self.catch_up(cx, id);
    }

    /// Takes a client's confirmation: notes what its user has received, and tells the senders of the messages that were
    /// to this user alone.
    fn confirm(&mut self, cx: &mut Cx<'_>, id: PeerId, received: &Received) {
        let newest = self.recent.newest;
        let Some(peer) = cx.sessions.get_mut(id) else { return };
        let (Some(feed), Some(name)) = (&mut peer.feed, peer.name.clone()) else { return };
        let arrived = feed.confirm(newest, received);
        let number = received.all_up_to().min(feed.sent());
        self.has_received(cx, &name.name_key, number);
        self.settle(cx, id);
        for (number, from) in arrived {
            self.arrived(cx, number, &from, &name.name);
        }
    }

    /// Notes that the user of a client that has confirmed everything needs nothing up to the newest message, also not
    /// what was not for them when it was sent. Otherwise they would get it later, for example after they have unblocked
    /// its sender.
    pub(in crate::core::hub) fn settle(&mut self, cx: &mut Cx<'_>, id: PeerId) {
        let newest = self.recent.newest;
        let Some(peer) = cx.sessions.get(id) else { return };
        let (Some(feed), Some(name)) = (&peer.feed, &peer.name) else { return };
        if !feed.is_settled() {
            return;
        }
        let name_key = name.name_key.clone();
        self.has_received(cx, &name_key, newest);
    }

    /// A message to one person has arrived: its sender learns this from the answer if that still waits, otherwise from
    /// an event.
    fn arrived(&mut self, cx: &mut Cx<'_>, number: u64, from: &NameKey, to: &str) {
        if let Some(awaiting) = self.awaiting.remove(&number) {
            return self.answer_awaiting(cx, number, awaiting, 1);
        }
        cx.log(log::MessageDelivered { number, from: cx.journal.state.names().shown(from), to: to.to_owned() });
        if let Some(sender) = cx.sessions.named(from) {
            cx.tell(sender, event::MessageDelivered { number, to: to.to_owned(), private: false });
        }
    }

    /// Answers the sender of a message to one person. `delivered` is 1 if it has arrived, otherwise 0.
    pub(in crate::core::hub) fn answer_awaiting(
        &mut self,
        cx: &mut Cx<'_>,
        number: u64,
        awaiting: Awaiting,
        delivered: u64,
    ) {
        let Awaiting { peer, request_id, to, sent, .. } = awaiting;
        let acked =
            event::MessageAcked { number, sent, to: Some(to), room: None, stored: true, delivered, blocked: None };
        cx.answer(peer, request_id, acked);
    }

    /// Notes that somebody has received everything up to a number. This is written down together with others', after at
    /// most [`FLUSH`].
    fn has_received(&mut self, cx: &mut Cx<'_>, name_key: &NameKey, number: u64) {
        if number <= cx.journal.state.mail().received(name_key) {
            return;
        }
        cx.journal.state.apply(&Record::Received { name_key: name_key.clone(), number });
        self.unsaved.insert(name_key.clone());
        if cx.journal.health.is_well() {
            self.flush_at.get_or_insert(cx.now + FLUSH);
        }
    }

    /// Writes down what people have received, unless the store is in trouble.
    pub(in crate::core::hub) fn flush_received(&mut self, cx: &mut Cx<'_>) {
        self.flush_at = None;
        if !cx.journal.health.is_well() {
            return;
        }
        for name_key in std::mem::take(&mut self.unsaved) {
            if let Some(number) = cx.journal.state.mail().reader(&name_key).map(|reader| reader.received) {
                cx.persist(Record::Received { name_key, number });
            }
        }
    }

    /// Sends a message that is on disk to all clients that it is for and that keep up. For a message to one person,
    /// returns whether it was sent.
    pub(in crate::core::hub) fn post(
        &mut self,
        cx: &mut Cx<'_>,
        message: &StoredMessage,
        room: Option<String>,
    ) -> bool {
        let post = Arc::new(self.post_of(cx, message, room));
        self.recent.push(Arc::clone(&post));
        let targets: Vec<PeerId> = match &post.target {
            Target::Person(name_key) => cx.sessions.named(name_key).into_iter().collect(),
            Target::Lobby => cx.sessions.all_named().map(|(_, id)| id).collect(),
            Target::Room(room) => rooms::members_online(cx, *room).map(|(id, _)| id).collect(),
        };
        let mut fed = false;
        for id in targets {
            if self.is_for(cx, id, &post) {
                fed = self.feed(cx, id, &post);
            }
        }
        fed
    }

    /// Sends a message to a client if its feed is live. Returns whether it did.
    fn feed(&mut self, cx: &mut Cx<'_>, id: PeerId, post: &Post) -> bool {
        if !cx.sessions.feed_mut(id).is_some_and(|feed| feed.takes_live(post.number)) {
            return false;
        }
        self.push(cx, id, post);
        true
    }

    /// Sends a message to a client. If the user has it already, it only counts as arrived.
    fn push(&mut self, cx: &mut Cx<'_>, id: PeerId, post: &Post) {
        let Some(peer) = cx.sessions.get_mut(id) else { return };
        let (Some(feed), Some(name)) = (&mut peer.feed, &peer.name) else { return };
        let direct = matches!(post.target, Target::Person(_)).then_some(&post.from);
        if !feed.send(post.number, post.bytes, direct) {
            if let Some(from) = direct {
                let to = name.name.clone();
                self.arrived(cx, post.number, from, &to);
            }
            return;
        }
        cx.send(id, post.body.clone());
    }

    /// Sends a client the messages that it lacks, as far as there is room: from memory if all of them are there,
    /// otherwise the store is asked first.
    fn catch_up(&mut self, cx: &mut Cx<'_>, id: PeerId) {
        let Some(peer) = cx.sessions.get(id) else { return };
        let (Some(feed), Some(name)) = (&peer.feed, &peer.name) else { return };
        if !feed.may_catch_up() {
            return;
        }
        let Some(posts) = self.recent.since(feed.sent()) else {
            let query = Query::Inbox(self.inbox(cx, &name.name_key, feed));
            let pending = PendingQuery::Inbox { peer: id, number: name.number, as_of: self.recent.newest };
            if let Some(feed) = cx.sessions.feed_mut(id) {
                feed.reading_begins();
            }
            return cx.query(query, pending);
        };
        let posts: Vec<Arc<Post>> = posts.filter(|post| self.is_for(cx, id, post)).cloned().collect();
        for post in posts {
            if !cx.sessions.feed_mut(id).is_some_and(|feed| feed.has_room()) {
                return;
            }
            self.push(cx, id, &post);
        }
        if cx.sessions.feed_mut(id).is_some_and(Feed::goes_live) {
            cx.tell(id, event::CaughtUp { number: self.recent.newest });
        }
    }

    /// The query for the messages that somebody lacks.
    fn inbox(&self, cx: &Cx<'_>, name_key: &NameKey, feed: &Feed) -> Inbox {
        let rooms = cx.journal.state.rooms();
        let since = |room: u64| Some((room, rooms.membership(room, name_key)?.since));
        let (limit, bytes) = feed.room();
        let attendance = cx.journal.state.mail().reader(name_key).map(|reader| reader.attendance.spans().to_vec());
        Inbox {
            name_key: name_key.to_owned(),
            after: feed.sent(),
            rooms: rooms.joined_by(name_key).filter_map(since).collect(),
            lobby: attendance.unwrap_or_default(),
            limit,
            bytes,
        }
    }

    /// The store has answered the query for the messages that a client lacks in its visit `number`: sends them. The
    /// `messages` are complete up to message `as_of`, unless there are `more`.
    pub(in crate::core::hub) fn inbox_read(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        number: u64,
        as_of: u64,
        messages: Vec<StoredMessage>,
        more: bool,
    ) {
        let Some(peer) = cx.sessions.get_mut(id) else { return };
        // The client may have left and registered again meanwhile.
        if peer.name.as_ref().is_none_or(|name| name.number != number) {
            return;
        }
        let Some(feed) = peer.feed.as_mut() else { return };
        feed.reading_ends();
        let mut more = more;
        for message in messages {
            if !cx.sessions.feed_mut(id).is_some_and(|feed| feed.has_room()) {
                // The store counts the bytes of texts, and the feed those of events. The rest is read again.
                more = true;
                break;
            }
            let post = self.post_of(cx, &message, None);
            if self.is_for(cx, id, &post) {
                self.push(cx, id, &post);
            }
            let Some(feed) = cx.sessions.feed_mut(id) else { return };
            feed.skip_to(post.number);
        }
        if !more && let Some(feed) = cx.sessions.feed_mut(id) {
            feed.skip_to(as_of);
        }
        self.catch_up(cx, id);
    }

    /// Whether a message is for the user of a client. One that is withheld from them is, too: their program confirms
    /// it.
    fn is_for(&self, cx: &Cx<'_>, id: PeerId, post: &Post) -> bool {
        let Some(peer) = cx.sessions.get(id) else { return false };
        let (Some(name), Some(_)) = (&peer.name, &peer.feed) else { return false };
        let others = || post.from != name.name_key && !cx.journal.state.blocks().has(&name.name_key, &post.from);
        match &post.target {
            Target::Person(name_key) => *name_key == name.name_key,
            Target::Lobby => {
                let reader = cx.journal.state.mail().reader(&name.name_key);
                reader.is_some_and(|reader| reader.attendance.covers(post.number)) && others()
            }
            Target::Room(room) => {
                let member = cx.journal.state.rooms().membership(*room, &name.name_key);
                member.is_some_and(|member| post.number > member.since) && others()
            }
        }
    }

    /// A message as clients are told it. `room` is the name of its room, if that may be gone by now.
    fn post_of(&self, cx: &Cx<'_>, message: &StoredMessage, room: Option<String>) -> Post {
        let StoredMessage { number, sent, from, from_key, text, .. } = message.clone();
        let (target, event): (Target, Event) = match &message.destination {
            Destination::Person { name_key, .. } if message.withheld => {
                (Target::Person(name_key.clone()), event::Withheld { number }.into())
            }
            Destination::Person { name, name_key } => {
                let to = name.clone();
                (Target::Person(name_key.clone()), event::Message { number, from, to, text, sent }.into())
            }
            Destination::Lobby => (Target::Lobby, event::Message { number, from, to: "all".into(), text, sent }.into()),
            Destination::Room(number_of_room) => {
                let room = room.unwrap_or_else(|| cx.journal.state.room_name(*number_of_room));
                (Target::Room(*number_of_room), event::RoomMessage { number, room, from, text, sent }.into())
            }
        };
        let line = EventLine { seq: None, time: None, id: None, last: false, event };
        let body: Arc<str> = to_json(&line).into();
        // The size of the event, not of the text, which may be six times as long when it is escaped.
        Post { number, from: from_key, target, bytes: body.len(), body }
    }
}
