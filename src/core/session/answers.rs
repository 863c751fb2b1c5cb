//! What the hub says.

use super::requests::Pending;
use super::{Event, EventLine, Failure, Id, Origin, Output, Session};
use crate::core::time::Time;
use crate::protocol::wire::Ask;
use crate::protocol::{ErrorCode, Request, event};

impl Session {
    pub(super) fn hub_event(&mut self, now: Time, line: EventLine) {
        match line.id {
            None => self.told(now, line.event),
            // Only our own numbers come back; the answer to something that was given up meanwhile is dropped.
            Some(Id::Number(id)) => {
                if let Some((ask, origin)) = self.asks.remove(&id) {
                    self.answered(now, ask, origin, line.event);
                }
            }
            Some(Id::Text(_)) => {}
        }
    }

    /// The hub tells everybody. It has nothing else to tell: our own goodbye, say, is not its to make.
    fn told(&mut self, now: Time, event: Event) {
        match &event {
            Event::TableUpdated(update) => self.replica.update_table(update),
            Event::RosterUpdated(update) => {
                self.replica.update_roster(update);
                self.private_roster(now, update);
                self.update_peers();
            }
            _ => return,
        }
        self.tell(now, event);
    }

    /// Who is in the roster may fetch from us, as long as we are in it ourselves.
    fn update_peers(&mut self) {
        let peers = if self.registered.is_some() { self.replica.keys() } else { Vec::new() };
        self.out.push_back(Output::Peers(peers));
    }

    fn answered(&mut self, now: Time, ask: Ask, origin: Origin, event: Event) {
        match (origin, event) {
            (Origin::Goodbye, _) => self.goodbye_answered(now),
            (Origin::Enter | Origin::Return, Event::Welcome(welcome)) => {
                self.registered = Some(welcome.name.clone());
                self.privates.peers.enter(&welcome.name, welcome.number);
                self.tell(now, welcome);
                self.ask_again(now);
            }
            (Origin::Enter | Origin::Return, Event::Error(error)) => {
                let failure = Failure::new(error.code, error.message);
                self.leave_refused(now, failure);
            }
            (Origin::OfferAgain, event) => {
                if let Event::Error(error) = event {
                    self.tell(now, error);
                }
                self.offer_next(now);
            }
            (Origin::User(pending), Event::Error(error)) => self.user_refused(now, ask, *pending, error),
            (Origin::User(pending), event) => self.user_answered(now, *pending, event),
            (Origin::Enter | Origin::Return, _) => {}
        }
    }

    /// The hub does not take us under our name: there is nothing to do here.
    fn leave_refused(&mut self, now: Time, failure: Failure) {
        self.tell(now, event::Error::from(failure.clone()));
        self.abandon(now, &failure);
        let code = if failure.code == ErrorCode::BadName { ErrorCode::NameTaken.exit() } else { failure.code.exit() };
        self.leave(now, failure.message.trim_end_matches('.').into(), code, None, false);
    }

    fn user_refused(&mut self, now: Time, ask: Ask, pending: Pending, error: event::Error) {
        if let Ask::Publish(publish) = ask {
            let kept = |file: &String| !self.offered.contains_key(file);
            let files = publish.publish.into_iter().map(|content| content.file).filter(kept).collect();
            self.out.push_back(Output::Unserve(files));
        }
        self.refuse(now, pending.id, error.into());
    }

    fn user_answered(&mut self, now: Time, pending: Pending, event: Event) {
        match (&pending.request, event) {
            (Request::List(list), Event::Synced(synced)) => {
                let table = event::Table { revision: synced.revision, offers: self.replica.list(list) };
                self.finish(now, pending.id, table);
            }
            (Request::Who(_), Event::Synced(synced)) => {
                let roster = event::Roster { revision: synced.revision, clients: self.replica.roster() };
                self.finish(now, pending.id, roster);
            }
            (Request::Get(get), Event::Located(located)) => {
                let get = get.clone();
                self.start_fetch(now, pending, get, located);
            }
            (Request::Register(_) | Request::Rereg(_), Event::Welcome(welcome)) => {
                self.registered = Some(welcome.name.clone());
                self.privates.peers.enter(&welcome.name, welcome.number);
                self.parted = None;
                self.finish(now, pending.id, welcome);
                self.offer_again(now);
                self.update_peers();
            }
            (Request::Dereg(_), Event::Deregistered(answer)) => {
                self.close_privates(now);
                self.parted = self.registered.take();
                self.update_peers();
                self.finish(now, pending.id, answer);
            }
            (Request::Offer(_), Event::OfferAcked(answer)) => {
                for offer in &answer.offers {
                    self.offered.insert(offer.file.clone(), content_of(offer));
                }
                self.finish(now, pending.id, answer);
            }
            (Request::Withdraw(_), Event::Withdrawn(answer)) => {
                self.offered.retain(|file, _| !answer.files.contains(file));
                self.out.push_back(Output::Unserve(answer.files.clone()));
                self.finish(now, pending.id, answer);
            }
            // Everybody who has been told of is in the roster now.
            (Request::Private(_) | Request::PrivateOpen(_), Event::Synced(_)) => {
                self.start_private(now, pending, true);
            }
            (Request::Status(_), Event::Status(answer)) => self.finish(now, pending.id, answer),
            // Passed on as it is, it could be a `bye`, after which nothing more may come.
            (_, event) => {
                let message = format!("The hub's answer does not fit: {}.", event.name());
                self.refuse(now, pending.id, Failure::new(ErrorCode::WrongProtocol, message));
            }
        }
    }
}

fn content_of(offer: &crate::protocol::Offer) -> crate::protocol::Content {
    crate::protocol::Content {
        file: offer.file.clone(),
        size: offer.size,
        hash: offer.hash,
        chunk_size: offer.chunk_size,
        chunks: offer.chunks,
    }
}
