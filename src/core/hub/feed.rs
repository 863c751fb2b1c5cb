//! What is said reaches who it is for: in order, each message once, no more than their user can take.
//!
//! A client that has registered says with its first `received` up to which number its user has everything. From
//! there it is fed: by what is said from then on, as long as it keeps up, and otherwise by what the hub remembers or
//! the store has. The hub never waits for it and keeps nothing for it in memory but what is on its way.

use std::collections::VecDeque;
use std::sync::Arc;

use super::recent::{Post, Target};
use super::{Hub, Output, PeerId, Question};
use crate::core::time::Time;
use crate::protocol::limits::{FEED_BYTES, FEED_MESSAGES};
use crate::protocol::record::{Destination, Inbox, Query, Record, StoredMessage};
use crate::protocol::wire::Received;
use crate::protocol::{Event, EventLine, Id, Timestamp, event, log, name::NameKey, to_json};

/// How long it may be before it is on disk what somebody has received. What is forgotten in a crash is sent again,
/// and the client, who knows better, drops it.
const FLUSH: std::time::Duration = std::time::Duration::from_secs(1);

/// How far a client has come.
pub(super) struct Feed {
    /// Everything for it up to here is on its way, or has arrived.
    sent: u64,
    /// It gets what is said as it is said: there is nothing else that it does not have.
    live: bool,
    /// It has been told that it has everything that was kept for it.
    caught_up: bool,
    /// The store is being asked what it does not have.
    reading: bool,
    window: VecDeque<Unconfirmed>,
    bytes: usize,
    /// What its user had when it opened, though something before that was missing.
    had: Received,
}

/// A message on its way.
struct Unconfirmed {
    number: u64,
    bytes: usize,
    /// Who sent it, if it is to this client alone.
    direct: Option<NameKey>,
}

/// The sender of a message waits to hear whether it has arrived.
pub(super) struct Awaiting {
    pub(super) peer: PeerId,
    pub(super) request_id: Option<Id>,
    pub(super) to: String,
    pub(super) sent: Timestamp,
    pub(super) deadline: Time,
}

impl Feed {
    fn has_room(&self) -> bool {
        self.window.len() < FEED_MESSAGES && self.bytes < FEED_BYTES
    }
}

impl Hub {
    /// The user of a client has everything up to a number. The first time, this opens the feed.
    pub(super) fn received(&mut self, now: Time, id: PeerId, received: Received) {
        // An implausible list of gaps means that the client has lost its state: everything is sent again.
        let known = received.except.len() <= FEED_MESSAGES && received.except.is_sorted();
        let received = if known { received } else { Received::default() };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(name) = peer.name.clone() else { return };
        let newest = self.recent.newest;
        let Some(before) = self.state.mail().reader(&name.name_key).map(|reader| reader.received) else { return };
        match &mut peer.feed {
            Some(_) => self.confirm(now, id, &received),
            None => {
                // A number that is yet to come was given by another store: one that was lost, say.
                let had = if received.received <= newest { received } else { Received::default() };
                // What it had in a run of ours that was killed has not been counted as received yet.
                let (back_to, up_to) = (had.received, had.all_up_to());
                peer.feed = Some(Feed {
                    sent: before,
                    live: false,
                    caught_up: false,
                    reading: false,
                    window: VecDeque::new(),
                    bytes: 0,
                    had,
                });
                self.has_received(now, &name.name_key, up_to);
                self.was_there(id, back_to);
            }
        }
        self.catch_up(now, id);
    }

    fn confirm(&mut self, now: Time, id: PeerId, received: &Received) {
        let newest = self.recent.newest;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let (Some(feed), Some(name)) = (&mut peer.feed, peer.name.clone()) else { return };
        if feed.reading && (feed.had.received..=newest).contains(&received.received) {
            // What the store is about to find may be with its user by now.
            feed.had = received.clone();
        }
        let mut arrived = Vec::new();
        let count = feed.window.partition_point(|message| message.number <= received.received);
        let mut missing = VecDeque::new();
        for message in feed.window.drain(..count) {
            if received.except.binary_search(&message.number).is_ok() {
                missing.push_back(message);
                continue;
            }
            feed.bytes -= message.bytes;
            arrived.extend(message.direct.map(|from| (message.number, from)));
        }
        while let Some(message) = missing.pop_back() {
            feed.window.push_front(message);
        }
        let number = received.all_up_to().min(feed.sent);
        self.has_received(now, &name.name_key, number);
        self.settle(now, id);
        for (number, from) in arrived {
            self.arrived(now, number, &from, &name.name);
        }
    }

    /// A client that keeps up and has confirmed everything needs nothing up to the newest message any more, also not
    /// what was not for it when it was said: it must not come later, when nobody is blocked any more, say.
    pub(super) fn settle(&mut self, now: Time, id: PeerId) {
        let newest = self.recent.newest;
        let Some(peer) = self.peers.get(&id) else { return };
        let (Some(feed), Some(name)) = (&peer.feed, &peer.name) else { return };
        if !feed.live || !feed.window.is_empty() {
            return;
        }
        let name_key = name.name_key.clone();
        self.has_received(now, &name_key, newest);
    }

    /// A message to one person has arrived: its sender learns of it, in the answer if that is still awaited.
    fn arrived(&mut self, now: Time, number: u64, from: &NameKey, to: &str) {
        if let Some(awaiting) = self.awaiting.remove(&number) {
            return self.answer_awaiting(now, number, awaiting, 1);
        }
        self.log(log::MessageDelivered { number, from: self.state.names().shown(from), to: to.to_owned() });
        if let Some(&sender) = self.online.get(from) {
            self.tell(now, sender, event::MessageDelivered { number, to: to.to_owned(), private: false });
        }
    }

    pub(super) fn answer_awaiting(&mut self, now: Time, number: u64, awaiting: Awaiting, delivered: u64) {
        let Awaiting { peer, request_id, to, sent, .. } = awaiting;
        let acked =
            event::MessageAcked { number, sent, to: Some(to), room: None, stored: true, delivered, blocked: None };
        self.answer(now, peer, request_id, acked);
    }

    /// Somebody has everything up to a number. It is written down with others, a little later.
    fn has_received(&mut self, now: Time, name_key: &NameKey, number: u64) {
        if number <= self.state.mail().received(name_key) {
            return;
        }
        self.state.apply(&Record::Received { name_key: name_key.clone(), number });
        self.unsaved.insert(name_key.clone());
        if self.health.is_well() {
            self.flush_at.get_or_insert(now + FLUSH);
        }
    }

    /// Has it written down who has received what.
    pub(super) fn flush_received(&mut self) {
        self.flush_at = None;
        if !self.health.is_well() {
            return;
        }
        for name_key in std::mem::take(&mut self.unsaved) {
            if let Some(number) = self.state.mail().reader(&name_key).map(|reader| reader.received) {
                self.persist(Record::Received { name_key, number });
            }
        }
    }

    /// Something has been said: whoever keeps up gets it now. Says whether the one it is for alone did.
    pub(super) fn post(&mut self, now: Time, message: &StoredMessage, room: Option<String>) -> bool {
        let post = Arc::new(self.post_of(message, room));
        self.recent.push(Arc::clone(&post));
        let targets: Vec<PeerId> = match &post.target {
            Target::Person(name_key) => self.online.get(name_key).copied().into_iter().collect(),
            Target::Lobby => self.online.values().copied().collect(),
            Target::Room(room) => {
                self.tell_room_news(now, *room);
                self.members_online(*room).map(|(id, _)| id).collect()
            }
        };
        let mut fed = false;
        for id in targets {
            if self.is_for(id, &post) {
                fed = self.feed(now, id, &post);
            }
        }
        fed
    }

    fn feed(&mut self, now: Time, id: PeerId, post: &Post) -> bool {
        let Some(feed) = self.peers.get_mut(&id).and_then(|peer| peer.feed.as_mut()) else { return false };
        if !feed.live || post.number <= feed.sent {
            return false;
        }
        if !feed.has_room() {
            feed.live = false;
            feed.sent = post.number - 1;
            return false;
        }
        self.push(now, id, post);
        true
    }

    fn push(&mut self, now: Time, id: PeerId, post: &Post) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let (Some(feed), Some(name)) = (&mut peer.feed, &peer.name) else { return };
        let direct = matches!(post.target, Target::Person(_)).then(|| post.from.clone());
        if post.number <= feed.had.received && feed.had.except.binary_search(&post.number).is_err() {
            feed.sent = post.number;
            if let Some(from) = direct {
                let to = name.name.clone();
                self.arrived(now, post.number, &from, &to);
            }
            return;
        }
        feed.window.push_back(Unconfirmed { number: post.number, bytes: post.bytes, direct });
        feed.bytes += post.bytes;
        feed.sent = post.number;
        self.send(now, id, post.body.clone());
    }

    /// Gives a client what it does not have, as far as it can take it.
    fn catch_up(&mut self, now: Time, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else { return };
        let (Some(feed), Some(name)) = (&peer.feed, &peer.name) else { return };
        if feed.live || feed.reading || !feed.has_room() {
            return;
        }
        let Some(posts) = self.recent.since(feed.sent) else {
            let query = Query::Inbox(self.inbox(&name.name_key, feed));
            let question = Question::Inbox { peer: id, number: name.number, as_of: self.recent.newest };
            if let Some(feed) = self.peers.get_mut(&id).and_then(|peer| peer.feed.as_mut()) {
                feed.reading = true;
            }
            return self.question(query, question);
        };
        let posts: Vec<Arc<Post>> = posts.filter(|post| self.is_for(id, post)).cloned().collect();
        for post in posts {
            let feed = self.peers.get_mut(&id).and_then(|peer| peer.feed.as_mut());
            if !feed.is_some_and(|feed| feed.has_room()) {
                return;
            }
            self.push(now, id, &post);
        }
        let Some(feed) = self.peers.get_mut(&id).and_then(|peer| peer.feed.as_mut()) else { return };
        feed.live = true;
        if !std::mem::replace(&mut feed.caught_up, true) {
            self.tell(now, id, event::CaughtUp { number: self.recent.newest });
        }
    }

    fn inbox(&self, name_key: &NameKey, feed: &Feed) -> Inbox {
        let rooms = self.state.rooms();
        let since = |room: u64| Some((room, rooms.membership(room, name_key)?.since));
        let attendance = self.state.mail().reader(name_key).map(|reader| reader.attendance.spans().to_vec());
        Inbox {
            name_key: name_key.to_owned(),
            after: feed.sent,
            rooms: rooms.joined_by(name_key).filter_map(since).collect(),
            lobby: attendance.unwrap_or_default(),
            limit: FEED_MESSAGES.saturating_sub(feed.window.len()),
            bytes: FEED_BYTES.saturating_sub(feed.bytes),
        }
    }

    /// The store has read what somebody does not have.
    pub(super) fn inbox_read(
        &mut self,
        now: Time,
        id: PeerId,
        number: u64,
        as_of: u64,
        kept: Vec<StoredMessage>,
        more: bool,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        // They may have left and come back meanwhile.
        if peer.name.as_ref().is_none_or(|name| name.number != number) {
            return;
        }
        let Some(feed) = peer.feed.as_mut() else { return };
        feed.reading = false;
        let mut more = more;
        for kept in kept {
            if !self.peers.get(&id).and_then(|peer| peer.feed.as_ref()).is_some_and(Feed::has_room) {
                // The store counts texts as they were said. The rest is read again.
                more = true;
                break;
            }
            let post = self.post_of(&kept, None);
            if self.is_for(id, &post) {
                self.push(now, id, &post);
            }
            let feed = self.peers.get_mut(&id).and_then(|peer| peer.feed.as_mut());
            let Some(feed) = feed else { return };
            feed.sent = feed.sent.max(post.number);
        }
        if !more && let Some(feed) = self.peers.get_mut(&id).and_then(|peer| peer.feed.as_mut()) {
            feed.sent = feed.sent.max(as_of);
        }
        self.catch_up(now, id);
    }

    /// Whether a message is for the user of a client. One that is withheld from them is: their program takes it.
    fn is_for(&self, id: PeerId, post: &Post) -> bool {
        let Some(peer) = self.peers.get(&id) else { return false };
        let (Some(name), Some(_)) = (&peer.name, &peer.feed) else { return false };
        let others = || post.from != name.name_key && !self.state.blocks().has(&name.name_key, &post.from);
        match &post.target {
            Target::Person(name_key) => *name_key == name.name_key,
            Target::Lobby => {
                let reader = self.state.mail().reader(&name.name_key);
                reader.is_some_and(|reader| reader.attendance.covers(post.number)) && others()
            }
            Target::Room(room) => {
                let member = self.state.rooms().membership(*room, &name.name_key);
                member.is_some_and(|member| post.number > member.since) && others()
            }
        }
    }

    /// A message as clients are told it; `room` is the name of its room, if that may be gone.
    fn post_of(&self, message: &StoredMessage, room: Option<String>) -> Post {
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
                let room = room.unwrap_or_else(|| self.state.room_name(*number_of_room));
                (Target::Room(*number_of_room), event::RoomMessage { number, room, from, text, sent }.into())
            }
        };
        let line = EventLine { seq: None, time: None, id: None, last: false, event };
        let body: Arc<str> = to_json(&line).into();
        // What is sent, and not what was said: a text may become six times as long.
        Post { number, from: from_key, target, bytes: body.len(), body }
    }

    pub(super) fn question(&mut self, query: Query, question: Question) {
        self.asked += 1;
        self.questions.insert(self.asked, question);
        self.out.push_back(Output::Query(self.asked, query));
    }
}
