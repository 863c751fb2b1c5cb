//! A hub's store in memory. It answers every query like the real one.

mod invites;
mod keeper;

use std::collections::{BTreeMap, BTreeSet};

use crate::core::digest::Digest;
use crate::protocol::limits::{FAILURES_COUNTED, REQUESTS_IN_FLIGHT, VISITS_LOADED};
use crate::protocol::name::NameKey;
use crate::protocol::record::{
    CopyRecord, Destination, FailureRecord, Found, HistoryQuery, IdempotencyKey, Inbox, Loaded, NameRecord, PastAnswer,
    People, Query, RoomRecord, Span, StoredMessage, VisitRecord, WaitingRecord,
};
use crate::protocol::types::Password;
use crate::protocol::{PublicKey, Record, Timestamp};
use invites::Invites;

/// The bytes that a stored message takes besides twice its text.
const MESSAGE_SIZE: u64 = 256;

/// Everything that was stored.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    names: BTreeMap<NameKey, Owner>,
    messages: BTreeMap<u64, StoredMessage>,
    asked: BTreeSet<(NameKey, IdempotencyKey)>,
    there: BTreeMap<NameKey, BTreeMap<u64, u64>>,
    blocks: BTreeSet<(NameKey, NameKey)>,
    rooms: BTreeMap<u64, RoomRecord>,
    last: Last,
    said: Digest,
    answers: BTreeMap<NameKey, BTreeMap<IdempotencyKey, String>>,
    visits: BTreeMap<(u64, u64), VisitRecord>,
    failures: BTreeMap<String, FailureRecord>,
    copies: BTreeMap<(NameKey, String), CopyRecord>,
    invites: Invites,
}

/// The highest numbers that were ever given.
#[derive(Debug, Clone, Default)]
struct Last {
    /// Messages below this number are not kept any more.
    trimmed: u64,
    room: u64,
    credential: u64,
}

#[derive(Debug, Clone)]
struct Owner {
    name: String,
    since: i64,
    /// The password and its number, for an account.
    password: Option<(Password, u64)>,
    received: u64,
    keys: BTreeSet<PublicKey>,
}

impl MemoryStore {
    /// Stores a record. Storing it twice has the same effect as once.
    pub fn keep(&mut self, record: &Record) {
        match record {
            Record::InviteSpent { digest, key } => self.invites.spend(*digest, *key),
            Record::Invite(made) => self.invites.add(made),
            Record::InviteRevoked { name } => self.invites.revoke(name),
            Record::Code { nameplate, right, answered, void } => {
                self.invites.use_code(*nameplate, *right, *answered, *void)
            }
            Record::Name { name, name_key, key, since, credential } => {
                self.keep_name(name, name_key, *key, *since, *credential)
            }
            Record::KeyForgotten { name_key, key } => {
                if let Some(owner) = self.names.get_mut(name_key) {
                    owner.keys.remove(key);
                }
            }
            Record::Message(kept) => self.keep_message(kept),
            Record::Received { name_key, number } => {
                if let Some(owner) = self.names.get_mut(name_key) {
                    owner.received = owner.received.max(*number);
                }
            }
            Record::There { name_key, spans } => {
                self.there.remove(name_key);
                if self.names.contains_key(name_key) && !spans.is_empty() {
                    let spans = spans.iter().map(|span| (span.after, span.until));
                    self.there.insert(name_key.clone(), spans.collect());
                }
            }
            Record::Block { by, whom } => drop(self.blocks.insert((by.clone(), whom.clone()))),
            Record::Unblock { by, whom } => drop(self.blocks.remove(&(by.clone(), whom.clone()))),
            Record::Room { room, name, name_key, access, owner } => {
                let members = self.rooms.remove(room).map(|room| room.members).unwrap_or_default();
                let (name, name_key, owner) = (name.clone(), name_key.clone(), owner.clone());
                let record = RoomRecord { room: *room, name, name_key, access: *access, owner, members };
                self.rooms.insert(*room, record);
                self.last.room = self.last.room.max(*room);
            }
            Record::RoomGone { room } => drop(self.rooms.remove(room)),
            Record::Member { room, name_key, since, by } => {
                if let Some(room) = self.rooms.get_mut(room) {
                    room.members.retain(|(member, ..)| member != name_key);
                    room.members.push((name_key.clone(), *since, by.clone()));
                    room.members.sort_unstable();
                }
            }
            Record::MemberGone { room, name_key } => {
                if let Some(room) = self.rooms.get_mut(room) {
                    room.members.retain(|(member, ..)| member != name_key);
                }
            }
            Record::Answered(record) => {
                let of = self.answers.entry(record.name_key.clone()).or_default();
                of.insert(record.idempotency_key.clone(), record.answer.clone());
            }
            // The keeper's command has stored the first two itself; an abandoned message was never stored.
            Record::Account(_) | Record::NameGone { .. } | Record::MessageAbandoned(_) => {}
            Record::Visit(visit) => drop(self.visits.insert((visit.run, visit.number), visit.clone())),
            Record::Failures(record) if record.count == 0 => drop(self.failures.remove(&record.whom)),
            Record::Failures(record) => drop(self.failures.insert(record.whom.clone(), record.clone())),
            Record::Copy(copy) => {
                drop(self.copies.insert((copy.name_key.clone(), copy.content.file.to_string()), copy.clone()));
            }
            Record::CopyGone { name_key, file } => drop(self.copies.remove(&(name_key.clone(), file.clone()))),
            Record::Trim { below } => {
                let newest = self.messages.keys().next_back().copied().unwrap_or_default();
                self.last.trimmed = self.last.trimmed.max(newest.min(*below));
                let gone: Vec<u64> = self.messages.range(..self.last.trimmed).map(|(number, _)| *number).collect();
                gone.into_iter().for_each(|number| self.forget(number));
            }
        }
    }

    fn keep_name(&mut self, name: &str, name_key: &NameKey, key: PublicKey, since: i64, credential: Option<u64>) {
        let there = self.names.get_mut(name_key);
        match (there.as_ref().and_then(|owner| Some(owner.password.as_ref()?.1)), there) {
            // The account has another password by now, or the name is no account any more.
            (now, _) if now != credential => {}
            (_, None) => {
                let keys = BTreeSet::from([key]);
                let received = self.messages.keys().next_back().copied().unwrap_or_default();
                let owner = Owner { name: name.to_owned(), since, password: None, received, keys };
                self.names.insert(name_key.to_owned(), owner);
            }
            (Some(_), Some(owner)) => drop(owner.keys.insert(key)),
            (None, Some(owner)) if owner.keys.contains(&key) => {
                (owner.name, owner.since) = (name.to_owned(), since);
            }
            // The name belongs to somebody else.
            (None, Some(_)) => {}
        }
    }

    fn keep_message(&mut self, kept: &StoredMessage) {
        let asked = (kept.from_key.clone(), kept.idempotency_key.clone());
        let gone = kept.number < self.last.trimmed || self.messages.contains_key(&kept.number);
        if !gone && self.asked.insert(asked) {
            self.said.add(kept);
            self.messages.insert(kept.number, kept.clone());
        }
    }

    /// Deletes a message, unless it is the newest.
    fn forget(&mut self, number: u64) {
        if self.messages.keys().next_back() == Some(&number) {
            return;
        }
        if let Some(kept) = self.messages.remove(&number) {
            self.asked.remove(&(kept.from_key, kept.idempotency_key));
        }
    }

    fn name(&self, name_key: &NameKey, owner: &Owner) -> NameRecord {
        let theirs =
            self.messages.range(owner.received + 1..).filter(|(_, kept)| recipient(kept).as_ref() == Some(name_key));
        NameRecord {
            name: owner.name.clone(),
            name_key: name_key.to_owned(),
            keys: owner.keys.iter().copied().collect(),
            credential: owner.password.as_ref().map(|(_, number)| *number),
            since: owner.since,
            received: owner.received,
            unread: theirs.count() as u64,
        }
    }

    /// The state for a hub that starts.
    pub fn load(&self) -> Loaded {
        let mut visits: Vec<VisitRecord> = self.visits.values().cloned().collect();
        visits.sort_by_key(|visit| (visit.opened, visit.run as i64, visit.number));
        let last: BTreeMap<&str, (u64, u64)> =
            visits.iter().map(|visit| (visit.name.as_str(), (visit.run, visit.number))).collect();
        let last: BTreeSet<(u64, u64)> = last.into_values().collect();
        let older = visits.len().saturating_sub(VISITS_LOADED);
        let visits = visits.into_iter().enumerate();
        let visits = visits.filter(|(at, visit)| *at >= older || last.contains(&(visit.run, visit.number)));
        let visits = visits.map(|(_, visit)| visit).collect();
        let mut failures: Vec<FailureRecord> = self.failures.values().cloned().collect();
        failures.sort_by_key(|record| std::cmp::Reverse(record.last));
        failures.truncate(FAILURES_COUNTED);
        failures.sort_by(|a, b| a.whom.cmp(&b.whom));
        Loaded {
            names: self.names.iter().map(|(name_key, owner)| self.name(name_key, owner)).collect(),
            blocks: self.blocks.iter().cloned().collect(),
            rooms: self.rooms.values().cloned().collect(),
            visits,
            failures,
            invited: self.invites.invited.iter().copied().collect(),
            copies: self.copies.values().cloned().collect(),
            waiting: self.waiting(),
            there: self.there.iter().map(|(name_key, spans)| (name_key.clone(), as_spans(spans))).collect(),
            last_message: self.messages.keys().next_back().copied().unwrap_or_default(),
            trimmed: self.last.trimmed,
            said: self.said.to_bytes(),
            last_room: self.last.room,
            last_nameplate: self.invites.last_nameplate,
        }
    }

    fn waiting(&self) -> Vec<WaitingRecord> {
        let waiting = self.messages.values().filter_map(|kept| {
            let name_key = recipient(kept)?;
            let (number, bytes) = (kept.number, kept.text.len() as u64);
            let missed = self.names.get(&name_key).is_some_and(|owner| owner.received < number);
            let from = kept.from_key.clone();
            missed.then_some(WaitingRecord { name_key, number, from, bytes, withheld: kept.withheld })
        });
        waiting.collect()
    }

    fn trim_point(&self, since: Option<Timestamp>, bytes: Option<u64>) -> u64 {
        let newest = self.messages.keys().next_back().copied().unwrap_or_default();
        let young = since.map(|since| self.messages.values().find(|kept| kept.sent >= since).map(|kept| kept.number));
        let mut point = young.map_or(0, |first| first.unwrap_or(newest));
        let mut rest: u64 = self.messages.values().map(size).sum();
        for kept in self.messages.values().filter(|kept| kept.number != newest) {
            if bytes.is_some_and(|bytes| rest > bytes) {
                point = point.max(kept.number + 1);
                rest -= size(kept);
            }
        }
        point
    }

    /// Answers a query.
    pub fn find(&self, query: &Query) -> Found {
        match query {
            Query::Inbox(inbox) => {
                let found = self.messages.values().filter(|kept| is_for(inbox, kept));
                take(found, inbox.limit, inbox.bytes)
            }
            Query::History(query) => {
                let found = self.messages.values().filter(|kept| is_seen(query, kept));
                if query.oldest {
                    return take(found, query.limit, query.bytes);
                }
                match take(found.rev(), query.limit, query.bytes) {
                    Found::Messages(newest, more) => Found::Messages(newest.into_iter().rev().collect(), more),
                    other @ (Found::PastAnswers(_)
                    | Found::TrimPoint(_)
                    | Found::Invite(_)
                    | Found::Code(_)
                    | Found::Invites(_)) => other,
                }
            }
            Query::PastAnswers { instance, name_key: by } => {
                let theirs = |kept: &&StoredMessage| kept.idempotency_key.instance == *instance && kept.from_key == *by;
                let newest = self.messages.values().rev().filter(theirs).take(REQUESTS_IN_FLIGHT);
                let said = newest.map(|kept| {
                    let (number, sent) = (kept.number, kept.sent);
                    (kept.idempotency_key.ask, PastAnswer::Said { number, sent })
                });
                let answers = self.answers.get(by).into_iter().flatten().rev();
                let answers = answers.filter(|(key, _)| key.instance == *instance).take(REQUESTS_IN_FLIGHT);
                let answers = answers.map(|(key, answer)| (key.ask, PastAnswer::Answer(answer.clone())));
                let mut past: Vec<_> = said.chain(answers).collect();
                past.sort_by_key(|(ask, _)| *ask);
                Found::PastAnswers(past)
            }
            Query::TrimPoint { since, bytes } => Found::TrimPoint(self.trim_point(*since, *bytes)),
            Query::Invites(maker) => Found::Invites(self.invites.made_by(maker)),
            Query::Code(nameplate) => Found::Code(self.invites.code(*nameplate).map(Box::new)),
            Query::Invite { digest, key } => {
                let counted = self.invites.invited.contains(&(*digest, *key));
                Found::Invite(self.invites.all.get(digest).map(|invite| (invite.clone(), counted)))
            }
        }
    }
}

fn as_spans(spans: &BTreeMap<u64, u64>) -> Vec<Span> {
    spans.iter().map(|(after, until)| Span { after: *after, until: *until }).collect()
}

fn size(kept: &StoredMessage) -> u64 {
    MESSAGE_SIZE + 2 * kept.text.len() as u64
}

fn recipient(kept: &StoredMessage) -> Option<NameKey> {
    match &kept.destination {
        Destination::Person { name_key, .. } => Some(name_key.clone()),
        Destination::Lobby | Destination::Room(_) => None,
    }
}

fn take<'a>(mut found: impl Iterator<Item = &'a StoredMessage>, limit: usize, bytes: usize) -> Found {
    let (mut taken, mut size) = (Vec::new(), 0);
    loop {
        let full = taken.len() >= limit || size >= bytes;
        match found.next() {
            Some(kept) if !full => {
                size += kept.text.len();
                taken.push(kept.clone());
            }
            next => return Found::Messages(taken, next.is_some()),
        }
    }
}

fn is_for(inbox: &Inbox, kept: &StoredMessage) -> bool {
    let new = |after: u64| kept.number > after.max(inbox.after);
    let theirs = match &kept.destination {
        Destination::Lobby => {
            let inside = |span: &Span| new(span.after) && kept.number <= span.until;
            inbox.lobby.iter().any(inside)
        }
        Destination::Room(room) => inbox.rooms.iter().any(|(of, after)| of == room && new(*after)),
        Destination::Person { name_key, .. } => *name_key == inbox.name_key && new(0),
    };
    theirs && kept.from_key != inbox.name_key
}

fn is_seen(query: &HistoryQuery, kept: &StoredMessage) -> bool {
    let from = kept.from_key.clone();
    let heard = !query.without.contains(&from);
    let place = match &kept.destination {
        Destination::Lobby => query.lobby && heard,
        Destination::Room(room) => query.rooms.contains(room) && heard,
        Destination::Person { name_key: to, .. } => {
            let (mine, to_me) = (from == query.name_key, *to == query.name_key && !kept.withheld);
            match &query.people {
                People::Nobody => false,
                People::With(other) => mine && to == other || from == *other && to_me,
                People::Everybody => mine || to_me,
            }
        }
    };
    place
        && query.since.is_none_or(|since| kept.sent >= since)
        && query.after.is_none_or(|after| kept.number > after)
        && query.before.is_none_or(|before| kept.number < before)
        && query.words.as_deref().is_none_or(|words| has_words(&kept.text, words))
}

/// Whether every word of `words`, and at least one, is a word of the text.
fn has_words(text: &str, words: &str) -> bool {
    let split = |text: &str| -> BTreeSet<String> {
        let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        parts.map(str::to_lowercase).collect()
    };
    let (wanted, there) = (split(words), split(text));
    !wanted.is_empty() && wanted.is_subset(&there)
}
