//! Files that are for one person: they wait here until that person takes them or not, as long as who gives them is here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::offers::check_content;
use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::{PUSHES, PUSHES_TO_ONE};
use crate::protocol::line::pointer_at;
use crate::protocol::types::{Content, PushAnswer};
use crate::protocol::wire;
use crate::protocol::{ErrorCode, Event, Failure, event, log};

/// The pushes that wait.
#[derive(Default)]
pub(super) struct Pushes {
    waiting: BTreeMap<u64, Push>,
    /// Those that are accepted, and may not have been fetched yet; with whom they were accepted by.
    accepted: BTreeMap<u64, (PeerId, Push)>,
    last: u64,
}

/// A push.
struct Push {
    from: PeerId,
    giver: String,
    giver_fold: String,
    /// For whom, folded.
    to: String,
    content: Arc<Content>,
}

impl Pushes {
    pub(super) fn counts(&self) -> [(&'static str, usize); 2] {
        [("pushes", self.waiting.len()), ("accepted pushes", self.accepted.len())]
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
        let waiting = self.pushes.waiting.values().chain(self.pushes.accepted.values().map(|(_, push)| push));
        let (mine, theirs) = waiting.fold((0, 0), |(mine, theirs), push| {
            // Who is blocked shall not keep others out.
            let counts = push.to == to && !self.blocks(&to, &push.giver_fold);
            (mine + usize::from(push.from == id), theirs + usize::from(counts))
        });
        if mine >= PUSHES {
            return Err(Failure::new(ErrorCode::TooMany, format!("{PUSHES} of your files wait to be accepted.")));
        }
        if theirs >= PUSHES_TO_ONE {
            let failure = Failure::new(ErrorCode::TooMany, "Too many files wait for that person.");
            return Err(failure.at(pointer_at("/to")));
        }
        self.pushes.last += 1;
        let number = self.pushes.last;
        let (file, size) = (push.push.file.to_string(), push.push.size);
        let name = self.name_of(&to);
        let (giver, giver_fold) = (me.name.clone(), me.fold);
        let content = Arc::new(push.push);
        let waits = Push { from: id, giver, giver_fold, to: to.clone(), content };
        self.pushes.waiting.insert(number, waits);
        self.log(log::PushAsked { push: number, from: me.name, to: name.clone(), file: file.clone(), size });
        let online = self.online.get(&to).is_some_and(|id| self.peers.contains_key(id));
        self.offer_push(now, number);
        Ok(event::PushAsked { push: number, transfer: 0, file, to: name, online }.into())
    }

    /// Tells whom a push is for, if they are here and do not block who gives it.
    fn offer_push(&mut self, now: Time, number: u64) {
        let Some(push) = self.pushes.waiting.get(&number) else { return };
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
        (entered && !self.blocks(&push.to, &push.giver_fold)).then_some(id)
    }

    /// Somebody has come: what waits for them is offered to them.
    pub(super) fn offer_pushes_to(&mut self, now: Time, fold: &str) {
        let theirs = self.pushes.waiting.iter().filter(|(_, push)| push.to == fold);
        for number in theirs.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.offer_push(now, number);
        }
    }

    /// Takes a push that is for this client out of those that wait.
    fn take_push(&mut self, id: PeerId, number: u64, how: &str) -> Result<Push, Failure> {
        let me = self.me(id)?;
        let theirs = |push: &&Push| push.to == me.fold && !self.blocks(&me.fold, &push.giver_fold);
        if self.pushes.waiting.get(&number).filter(theirs).is_none() {
            return Err(no_such_push());
        }
        let push = self.pushes.waiting.remove(&number).ok_or_else(no_such_push)?;
        let (from, to) = (push.giver.clone(), me.name);
        self.log(log::PushEnded { push: number, from, to, how: how.to_owned() });
        Ok(push)
    }

    pub(super) fn accept(&mut self, now: Time, id: PeerId, number: u64) -> Result<Event, Failure> {
        let push = self.take_push(id, number, "accepted")?;
        let (offer, key) = self.only_holder(push.from, &push.content).ok_or_else(no_such_push)?;
        // Who gives it must know who asks.
        self.introduce(now, push.from, id);
        self.tell(now, push.from, event::PushAnswered { push: number, answer: PushAnswer::Accepted });
        self.pushes.accepted.insert(number, (id, push));
        Ok(event::Located { sources: vec![event::Holder { offer, key, has: None }] }.into())
    }

    pub(super) fn decline(&mut self, now: Time, id: PeerId, number: u64) -> Result<Event, Failure> {
        let push = self.take_push(id, number, "declined")?;
        self.tell(now, push.from, event::PushAnswered { push: number, answer: PushAnswer::Declined });
        Ok(event::Declined { push: number }.into())
    }

    /// Somebody could not fetch what they have accepted: it waits again.
    pub(super) fn not_taken(&mut self, now: Time, id: PeerId, number: u64) {
        if self.pushes.accepted.get(&number).is_none_or(|(by, _)| *by != id) {
            return;
        }
        if let Some((_, push)) = self.pushes.accepted.remove(&number) {
            self.tell(now, push.from, event::PushAnswered { push: number, answer: PushAnswer::Waiting });
            self.pushes.waiting.insert(number, push);
        }
    }

    /// Who gives it does not want to any more, or knows that it has arrived.
    pub(super) fn take_back(&mut self, now: Time, id: PeerId, number: u64) {
        if self.pushes.accepted.get(&number).is_some_and(|(_, push)| push.from == id) {
            self.pushes.accepted.remove(&number);
        }
        if self.pushes.waiting.get(&number).is_some_and(|push| push.from == id) {
            self.push_gone(now, number);
        }
    }

    /// A client is gone, and what it wanted to give with it. What it was about to fetch waits for it.
    pub(super) fn take_all_back(&mut self, now: Time, id: PeerId) {
        self.pushes.accepted.retain(|_, (_, push)| push.from != id);
        let taken = self.pushes.accepted.iter().filter(|(_, (by, _))| *by == id);
        for number in taken.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.not_taken(now, id, number);
        }
        let own = self.pushes.waiting.iter().filter(|(_, push)| push.from == id);
        for number in own.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.push_gone(now, number);
        }
    }

    fn push_gone(&mut self, now: Time, number: u64) {
        let Some(push) = self.pushes.waiting.remove(&number) else { return };
        let (from, file) = (push.giver.clone(), push.content.file.to_string());
        if let Some(receiver) = self.receiver(&push) {
            self.tell(now, receiver, event::PushGone { push: number, from: from.clone(), file });
        }
        let to = self.name_of(&push.to);
        self.log(log::PushEnded { push: number, from, to, how: "taken back".into() });
    }
}

fn no_such_push() -> Failure {
    Failure::from(ErrorCode::NoSuchPush).at(pointer_at("/push"))
}
