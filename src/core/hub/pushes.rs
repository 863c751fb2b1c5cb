//! Files that are for one person: they wait here until that person takes them or not, as long as who gives them is here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::offers::check_content;
use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::{PUSHES, PUSHES_TO_ONE};
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::types::{Content, PushAnswer};
use crate::protocol::wire;
use crate::protocol::{ErrorCode, Event, Failure, event, log};

/// The pushes that wait, and those that are accepted and may not have been fetched yet.
#[derive(Default)]
pub(super) struct Pushes {
    all: BTreeMap<u64, Push>,
    /// Their numbers by who gives them, by whom they are for, and by who has accepted them.
    given: HashMap<PeerId, BTreeSet<u64>>,
    meant: HashMap<NameKey, Meant>,
    accepted: HashMap<PeerId, BTreeSet<u64>>,
    last: u64,
}

/// What is for one person.
#[derive(Default)]
struct Meant {
    numbers: BTreeSet<u64>,
    /// How many each giver has.
    of: HashMap<NameKey, usize>,
}

/// A push.
struct Push {
    from: PeerId,
    giver: String,
    giver_key: NameKey,
    /// For whom.
    to: NameKey,
    content: Arc<Content>,
    /// Who has accepted it.
    taker: Option<PeerId>,
}

/// Takes a number out of an index that holds no empty sets.
fn unindex(index: &mut HashMap<PeerId, BTreeSet<u64>>, id: PeerId, number: u64) {
    if let Some(numbers) = index.get_mut(&id) {
        numbers.remove(&number);
        if numbers.is_empty() {
            index.remove(&id);
        }
    }
}

impl Pushes {
    pub(super) fn counts(&self) -> [(&'static str, usize); 2] {
        let accepted = self.accepted.values().map(BTreeSet::len).sum();
        [("pushes", self.all.len() - accepted), ("accepted pushes", accepted)]
    }

    fn add(&mut self, push: Push) -> u64 {
        self.last += 1;
        let number = self.last;
        self.given.entry(push.from).or_default().insert(number);
        let meant = self.meant.entry(push.to.clone()).or_default();
        meant.numbers.insert(number);
        *meant.of.entry(push.giver_key.clone()).or_default() += 1;
        self.all.insert(number, push);
        number
    }

    fn remove(&mut self, number: u64) -> Option<Push> {
        let push = self.all.remove(&number)?;
        if let Some(taker) = push.taker {
            unindex(&mut self.accepted, taker, number);
        }
        unindex(&mut self.given, push.from, number);
        if let Some(meant) = self.meant.get_mut(&push.to) {
            meant.numbers.remove(&number);
            if let Some(count) = meant.of.get_mut(&push.giver_key) {
                *count -= 1;
                if *count == 0 {
                    meant.of.remove(&push.giver_key);
                }
            }
            if meant.numbers.is_empty() {
                self.meant.remove(&push.to);
            }
        }
        Some(push)
    }

    /// One that is not accepted.
    fn waiting(&self, number: u64) -> Option<&Push> {
        self.all.get(&number).filter(|push| push.taker.is_none())
    }

    /// One that this client has accepted.
    fn taken_by(&self, id: PeerId, number: u64) -> Option<&Push> {
        self.all.get(&number).filter(|push| push.taker == Some(id))
    }

    fn take(&mut self, id: PeerId, number: u64) {
        if let Some(push) = self.all.get_mut(&number) {
            push.taker = Some(id);
            self.accepted.entry(id).or_default().insert(number);
        }
    }

    /// It waits again.
    fn give_back(&mut self, number: u64) {
        if let Some(taker) = self.all.get_mut(&number).and_then(|push| push.taker.take()) {
            unindex(&mut self.accepted, taker, number);
        }
    }

    fn given_by(&self, id: PeerId) -> Vec<u64> {
        self.given.get(&id).into_iter().flatten().copied().collect()
    }

    fn accepted_by(&self, id: PeerId) -> Vec<u64> {
        self.accepted.get(&id).into_iter().flatten().copied().collect()
    }

    /// Those for one person.
    fn meant_for(&self, name_key: &NameKey) -> Vec<u64> {
        self.meant.get(name_key).into_iter().flat_map(|meant| &meant.numbers).copied().collect()
    }

    /// How many are for one person, but for those of some givers.
    fn count_for<'a>(&self, name_key: &NameKey, but: impl Iterator<Item = &'a NameKey>) -> usize {
        let Some(meant) = self.meant.get(name_key) else { return 0 };
        let others: usize = but.filter_map(|giver| meant.of.get(giver)).sum();
        meant.numbers.len().saturating_sub(others)
    }
}

impl Hub {
    pub(super) fn push_file(&mut self, now: Time, id: PeerId, push: wire::Push) -> Result<Event, Failure> {
        self.spend_message(now, id)?;
        let me = self.me(id)?;
        let to = self.other(&me, &push.to, "/to")?;
        check_content(&push.push).map_err(|failure| failure.at(pointer_at("/file")))?;
        if push.push.file.contains('/') {
            let failure = Failure::new(ErrorCode::BadName, "A file that is pushed has a name without folders.");
            return Err(failure.at(pointer_at("/file")));
        }
        if self.pushes.given.get(&id).map_or(0, BTreeSet::len) >= PUSHES {
            return Err(Failure::new(ErrorCode::TooMany, format!("{PUSHES} of your files wait to be accepted.")));
        }
        // Who is blocked shall not keep others out.
        let blocked = self.people.get(&to).into_iter().flat_map(|person| &person.blocks);
        if self.pushes.count_for(&to, blocked) >= PUSHES_TO_ONE {
            let failure = Failure::new(ErrorCode::TooMany, "Too many files wait for that person.");
            return Err(failure.at(pointer_at("/to")));
        }
        let (file, size) = (push.push.file.to_string(), push.push.size);
        let name = self.name_of(&to);
        let (giver, giver_key) = (me.name.clone(), me.name_key);
        let content = Arc::new(push.push);
        let number = self.pushes.add(Push { from: id, giver, giver_key, to: to.clone(), content, taker: None });
        self.log(log::PushAsked { push: number, from: me.name, to: name.clone(), file: file.clone(), size });
        let online = self.online.get(&to).is_some_and(|id| self.peers.contains_key(id));
        self.offer_push(now, number);
        Ok(event::PushAsked { push: number, transfer: 0, file, to: name, online }.into())
    }

    /// Tells whom a push is for, if they are here and do not block who gives it.
    fn offer_push(&mut self, now: Time, number: u64) {
        let Some(push) = self.pushes.waiting(number) else { return };
        let Some(receiver) = self.receiver(push) else { return };
        let (Content { size, hash, .. }, file) = (&*push.content, push.content.file.to_string());
        let (size, hash) = (*size, *hash);
        let told = event::PushOffered { push: number, from: push.giver.clone(), file, size, hash };
        self.tell(now, receiver, told);
    }

    /// The client of whoever a push is for, if it may be told.
    fn receiver(&self, push: &Push) -> Option<PeerId> {
        let id = *self.online.get(&push.to)?;
        let entered = self.peers.get(&id)?.name.is_some();
        (entered && !self.blocks(&push.to, &push.giver_key)).then_some(id)
    }

    /// Somebody has come: what waits for them is offered to them.
    pub(super) fn offer_pushes_to(&mut self, now: Time, name_key: &NameKey) {
        for number in self.pushes.meant_for(name_key) {
            self.offer_push(now, number);
        }
    }

    /// A push that is for this client and waits.
    fn push_for(&self, id: PeerId, number: u64) -> Result<&Push, Failure> {
        let me = self.me(id)?;
        let theirs = |push: &&Push| push.to == me.name_key && !self.blocks(&me.name_key, &push.giver_key);
        self.pushes.waiting(number).filter(theirs).ok_or_else(no_such_push)
    }

    fn log_end(&mut self, number: u64, from: String, to: &NameKey, how: &str) {
        let to = self.name_of(to);
        self.log(log::PushEnded { push: number, from, to, how: how.to_owned() });
    }

    pub(super) fn accept(&mut self, now: Time, id: PeerId, number: u64) -> Result<Event, Failure> {
        let push = self.push_for(id, number)?;
        let (giver, from, to, content) = (push.giver.clone(), push.from, push.to.clone(), push.content.clone());
        self.log_end(number, giver, &to, "accepted");
        let Some((offer, key)) = self.only_holder(from, &content) else {
            self.pushes.remove(number);
            return Err(no_such_push());
        };
        // Who gives it must know who asks.
        self.introduce(now, from, id);
        self.tell(now, from, event::PushAnswered { push: number, answer: PushAnswer::Accepted });
        self.pushes.take(id, number);
        Ok(event::Located { sources: vec![event::Holder { offer, key, has: None }] }.into())
    }

    pub(super) fn decline(&mut self, now: Time, id: PeerId, number: u64) -> Result<Event, Failure> {
        self.push_for(id, number)?;
        let push = self.pushes.remove(number).ok_or_else(no_such_push)?;
        self.log_end(number, push.giver, &push.to, "declined");
        self.tell(now, push.from, event::PushAnswered { push: number, answer: PushAnswer::Declined });
        Ok(event::Declined { push: number }.into())
    }

    /// Somebody could not fetch what they have accepted: it waits again.
    pub(super) fn not_taken(&mut self, now: Time, id: PeerId, number: u64) {
        let Some(from) = self.pushes.taken_by(id, number).map(|push| push.from) else { return };
        self.tell(now, from, event::PushAnswered { push: number, answer: PushAnswer::Waiting });
        self.pushes.give_back(number);
    }

    /// Who gives it does not want to any more, or knows that it has arrived.
    pub(super) fn take_back(&mut self, now: Time, id: PeerId, number: u64) {
        if self.pushes.all.get(&number).is_some_and(|push| push.from == id) {
            self.push_gone(now, number);
        }
    }

    /// A client is gone, and what it wanted to give with it. What it was about to fetch waits for it.
    pub(super) fn take_all_back(&mut self, now: Time, id: PeerId) {
        for number in self.pushes.given_by(id) {
            self.push_gone(now, number);
        }
        for number in self.pushes.accepted_by(id) {
            self.not_taken(now, id, number);
        }
    }

    /// A name is gone: what is for it will not be taken. Who gives it hears so.
    pub(super) fn drop_pushes_to(&mut self, now: Time, name_key: &NameKey) {
        for number in self.pushes.meant_for(name_key) {
            let Some(push) = self.pushes.remove(number) else { continue };
            self.log_end(number, push.giver, &push.to, "nobody has this name any more");
            self.tell(now, push.from, event::PushAnswered { push: number, answer: PushAnswer::Gone });
        }
    }

    fn push_gone(&mut self, now: Time, number: u64) {
        let Some(push) = self.pushes.remove(number) else { return };
        let (from, file) = (push.giver.clone(), push.content.file.to_string());
        // Whoever has accepted it knows best whether that matters: they may have all of it.
        if let Some(receiver) = self.receiver(&push) {
            self.tell(now, receiver, event::PushGone { push: number, from: from.clone(), file });
        }
        if push.taker.is_none() {
            self.log_end(number, from, &push.to, "taken back");
        }
    }
}

fn no_such_push() -> Failure {
    Failure::from(ErrorCode::NoSuchPush).at(pointer_at("/push"))
}
