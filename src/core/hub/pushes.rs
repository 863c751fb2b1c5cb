//! Files that are for one person: they wait here until that person takes them or not, as long as who gives them is here.

use std::sync::Arc;

use super::offers::check_content;
use super::state::{Push, SessionRecord};
use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::{PUSHES, PUSHES_TO_ONE};
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::types::{Content, PushAnswer};
use crate::protocol::wire;
use crate::protocol::{ErrorCode, Event, Failure, event, log};

impl Hub {
    fn record_of_push(&mut self, record: &SessionRecord) {
        self.state.apply_of_session(record);
    }

    pub(super) fn push_file(&mut self, now: Time, id: PeerId, push: wire::Push) -> Result<Event, Failure> {
        self.spend_message(now, id)?;
        let me = self.me(id)?;
        let to = self.state.other(&me.name_key, &push.to, "/to")?;
        check_content(&push.push).map_err(|failure| failure.at(pointer_at("/file")))?;
        if push.push.file.contains('/') {
            let failure = Failure::new(ErrorCode::BadName, "A file that is pushed has a name without folders.");
            return Err(failure.at(pointer_at("/file")));
        }
        if self.state.pushes().count_given(id) >= PUSHES {
            return Err(Failure::new(ErrorCode::TooMany, format!("{PUSHES} of your files wait to be accepted.")));
        }
        // Who is blocked shall not keep others out.
        let blocked = self.state.blocks().blocked_by(&to);
        if self.state.pushes().count_for(&to, blocked) >= PUSHES_TO_ONE {
            let failure = Failure::new(ErrorCode::TooMany, "Too many files wait for that person.");
            return Err(failure.at(pointer_at("/to")));
        }
        let (file, size) = (push.push.file.to_string(), push.push.size);
        let name = self.state.names().shown(&to);
        let (giver, giver_key) = (me.name.clone(), me.name_key);
        let content = Arc::new(push.push);
        let number = self.state.pushes().last() + 1;
        let push = Push { from: id, giver, giver_key, to: to.clone(), content, taker: None };
        self.record_of_push(&SessionRecord::Pushed { number, push });
        self.log(log::PushAsked { push: number, from: me.name, to: name.clone(), file: file.clone(), size });
        let online = self.online.get(&to).is_some_and(|id| self.peers.contains_key(id));
        self.offer_push(now, number);
        Ok(event::PushAsked { push: number, transfer: 0, file, to: name, online }.into())
    }

    /// Tells whom a push is for, if they are here and do not block who gives it.
    fn offer_push(&mut self, now: Time, number: u64) {
        let Some(push) = self.state.pushes().waiting(number) else { return };
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
        (entered && !self.state.blocks().has(&push.to, &push.giver_key)).then_some(id)
    }

    /// Somebody has come: what waits for them is offered to them.
    pub(super) fn offer_pushes_to(&mut self, now: Time, name_key: &NameKey) {
        for number in self.state.pushes().meant_for(name_key) {
            self.offer_push(now, number);
        }
    }

    /// A push that is for this client and waits.
    fn push_for(&self, id: PeerId, number: u64) -> Result<&Push, Failure> {
        let me = self.me(id)?;
        let theirs = |push: &&Push| push.to == me.name_key && !self.state.blocks().has(&me.name_key, &push.giver_key);
        self.state.pushes().waiting(number).filter(theirs).ok_or_else(no_such_push)
    }

    fn log_end(&mut self, number: u64, from: String, to: &NameKey, how: &str) {
        let to = self.state.names().shown(to);
        self.log(log::PushEnded { push: number, from, to, how: how.to_owned() });
    }

    pub(super) fn accept(&mut self, now: Time, id: PeerId, number: u64) -> Result<Event, Failure> {
        let push = self.push_for(id, number)?;
        let (giver, from, to, content) = (push.giver.clone(), push.from, push.to.clone(), push.content.clone());
        self.log_end(number, giver, &to, "accepted");
        let Some((offer, key)) = self.only_holder(from, &content) else {
            self.record_of_push(&SessionRecord::PushGone { number });
            return Err(no_such_push());
        };
        // Who gives it must know who asks.
        self.introduce(now, from, id);
        self.tell(now, from, event::PushAnswered { push: number, answer: PushAnswer::Accepted });
        self.record_of_push(&SessionRecord::PushTaken { number, taker: Some(id) });
        Ok(event::Located { sources: vec![event::Holder { offer, key, has: None }] }.into())
    }

    pub(super) fn decline(&mut self, now: Time, id: PeerId, number: u64) -> Result<Event, Failure> {
        let push = self.push_for(id, number)?.clone();
        self.record_of_push(&SessionRecord::PushGone { number });
        self.log_end(number, push.giver, &push.to, "declined");
        self.tell(now, push.from, event::PushAnswered { push: number, answer: PushAnswer::Declined });
        Ok(event::Declined { push: number }.into())
    }

    /// Somebody could not fetch what they have accepted: it waits again.
    pub(super) fn not_taken(&mut self, now: Time, id: PeerId, number: u64) {
        let Some(from) = self.state.pushes().taken_by(id, number).map(|push| push.from) else { return };
        self.tell(now, from, event::PushAnswered { push: number, answer: PushAnswer::Waiting });
        self.record_of_push(&SessionRecord::PushTaken { number, taker: None });
    }

    /// Who gives it does not want to any more, or knows that it has arrived.
    pub(super) fn take_back(&mut self, now: Time, id: PeerId, number: u64) {
        if self.state.pushes().get(number).is_some_and(|push| push.from == id) {
            self.push_gone(now, number);
        }
    }

    /// A client is gone, and what it wanted to give with it. What it was about to fetch waits for it.
    pub(super) fn take_all_back(&mut self, now: Time, id: PeerId) {
        for number in self.state.pushes().given_by(id) {
            self.push_gone(now, number);
        }
        for number in self.state.pushes().accepted_by(id) {
            self.not_taken(now, id, number);
        }
    }

    /// A name is gone: what is for it will not be taken. Who gives it hears so.
    pub(super) fn drop_pushes_to(&mut self, now: Time, name_key: &NameKey) {
        for number in self.state.pushes().meant_for(name_key) {
            let Some(push) = self.state.pushes().get(number).cloned() else { continue };
            self.record_of_push(&SessionRecord::PushGone { number });
            self.log_end(number, push.giver, &push.to, "nobody has this name any more");
            self.tell(now, push.from, event::PushAnswered { push: number, answer: PushAnswer::Gone });
        }
    }

    fn push_gone(&mut self, now: Time, number: u64) {
        let Some(push) = self.state.pushes().get(number).cloned() else { return };
        self.record_of_push(&SessionRecord::PushGone { number });
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
