//! What the hub says.

use super::requests::{Mark, Pending};
use super::{Collecting, Event, EventLine, Failure, Id, Origin, Output, Session};
use crate::core::time::Time;
use crate::protocol::name::NameKey;
use crate::protocol::wire::Ask;
use crate::protocol::{Client, Content, ErrorCode, Offer, Request, event, request};

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
            Event::TableUpdated(_) => return self.table_updated(now, event),
            Event::TableUnfollowed(_) => self.replica.unfollow_table(),
            Event::RosterUpdated(_) => return self.roster_updated(now, event),
            Event::Introduced(introduced) => {
                self.replica.meet(&introduced.client);
                self.private_roster(now, std::slice::from_ref(&introduced.client));
                self.update_peers();
                return self.end_uploads_to_those_who_left(std::slice::from_ref(&introduced.client));
            }
            Event::Message(event::Message { number, .. })
            | Event::RoomMessage(event::RoomMessage { number, .. })
            | Event::Withheld(event::Withheld { number }) => return self.heard(now, *number, event),
            Event::CaughtUp(caught_up) => return self.caught_up(caught_up.number),
            Event::MessageDelivered(_) | Event::RoomChanged(_) => return self.tell_unless_held(now, event),
            Event::Blocks(blocks) => {
                self.blocked = blocks.names.iter().map(|name| NameKey::of(name)).collect();
                return;
            }
            _ => return self.told_of_files(now, event),
        }
        self.tell(now, event);
    }

    fn table_updated(&mut self, now: Time, mut event: Event) {
        if let Event::TableUpdated(update) = &mut event {
            update.added.iter_mut().for_each(|offer| self.place(offer));
            let (me, offered) = (self.registered.as_deref(), &self.offered);
            let known = |offer: &Offer| {
                let ours = offered.get_key_value(offer.file.as_str()).filter(|_| me == Some(offer.owner.as_str()));
                ours.map(|(file, _)| file.clone())
            };
            if !self.replica.update_table(update, known) {
                // The hub should not have told as much: it does not end here, but it is not kept.
                let unfollowed = event::TableUnfollowed::too_large(update.total);
                return self.tell(now, unfollowed);
            }
        }
        self.tell(now, event);
    }

    fn roster_updated(&mut self, now: Time, event: Event) {
        let Event::RosterUpdated(mut update) = event else { return };
        self.replica.update_roster(&update);
        self.private_roster(now, &update.clients);
        self.update_peers();
        self.end_uploads_to_those_who_left(&update.clients);
        self.entry.mark_ourselves(&mut update.clients);
        self.tell(now, update);
    }

    fn told_of_files(&mut self, now: Time, event: Event) {
        match event {
            Event::SourcesUpdated(update) => self.sources_updated(update),
            Event::Stored(stored) => self.stored(now, stored),
            Event::PushOffered(offered) => self.push_offered(now, offered),
            Event::PushGone(gone) => self.push_gone(now, gone),
            Event::PushAnswered(answer) => self.push_answered(now, answer),
            _ => {}
        }
    }

    /// Who is in the roster may fetch from us, as long as we are in it ourselves.
    fn update_peers(&mut self) {
        let peers = self.registered.is_some().then(|| self.replica.keys());
        self.out.push_back(Output::Peers(peers));
    }

    /// Whose key was told to have left is sent nothing more, not even what they have asked for already. Who is only
    /// missing, since the hub was started anew and tells everything again, may be back before they ask again.
    fn end_uploads_to_those_who_left(&mut self, changed: &[Client]) {
        let left =
            changed.iter().filter(|client| client.state == crate::protocol::Presence::Offline).map(|client| client.key);
        let left: Vec<_> = left.filter(|key| self.replica.clients().all(|client| client.key != *key)).collect();
        if !left.is_empty() {
            self.out.push_back(Output::PeersLeft(left));
        }
    }

    fn answered(&mut self, now: Time, ask: Ask, origin: Origin, event: Event) {
        match (origin, event) {
            (Origin::Goodbye, _) => self.goodbye_answered(now),
            (Origin::Enter | Origin::Return, Event::Welcome(welcome)) => {
                self.entered(&welcome);
                self.tell(now, welcome);
                self.update_peers();
                self.ask_again(now);
            }
            // Our user, or their program, can still do that.
            (Origin::Enter | Origin::Return, Event::Error(error))
                if error.code == ErrorCode::LoginRequired && self.config.inbox =>
            {
                self.registered = None;
                self.entry.refuse(error.code);
                self.tell(now, error);
                self.ask_again(now);
            }
            (origin @ (Origin::Enter | Origin::Return), Event::Error(error)) => {
                self.not_let_in(now, ask, origin, error);
            }
            (Origin::OfferAgain, event) => {
                if let Event::Error(error) = event {
                    self.tell(now, error);
                }
                self.offer_next(now);
            }
            (Origin::Page(so_far), event) => self.page_answered(now, *so_far, event),
            (Origin::User(pending), Event::Error(error)) => self.user_refused(now, *pending, error),
            (Origin::Offer(publishing), Event::OfferAcked(answer)) => {
                self.offer_acked(now, publishing, published(ask), answer);
            }
            (Origin::Offer(publishing), event) => {
                self.offer_refused(now, *publishing, published(ask), refusal(event).into());
            }
            (Origin::Push(transfer), Event::PushAsked(answer)) => self.push_asked(now, transfer, answer),
            (Origin::Push(transfer), event) => self.push_refused(now, transfer, refusal(event)),
            (Origin::Change, Event::OfferAcked(event::OfferAcked { offers, revision, .. })) => {
                self.tell(now, event::OfferChanged { offers, withdrawn: Vec::new(), revision });
            }
            (Origin::Change, Event::Withdrawn(event::Withdrawn { files, .. })) if files.is_empty() => {}
            (Origin::Change, Event::Withdrawn(event::Withdrawn { files, revision })) => {
                self.tell(now, event::OfferChanged { offers: Vec::new(), withdrawn: files, revision });
            }
            (Origin::Change, event) => self.tell(now, event::Error::from(refusal(event))),
            (Origin::Forgotten, _) => {}
            (Origin::User(pending), event) => self.user_answered(now, *pending, event),
            (Origin::Enter | Origin::Return, _) => {}
        }
    }

    /// The hub does not take us under our name: there is nothing to do here.
    pub(super) fn leave_refused(&mut self, now: Time, mut failure: Failure) {
        // No request of our user has a place in it that is wrong.
        failure.at = None;
        if !self.abandon(now, &failure) {
            self.tell(now, event::Error::from(failure.clone()));
        }
        let code = if failure.code == ErrorCode::BadName { ErrorCode::NameTaken.exit() } else { failure.code.exit() };
        self.leave(now, failure.code.in_short(), code, Mark::default(), false);
    }

    fn user_refused(&mut self, now: Time, pending: Pending, error: event::Error) {
        if let Request::Accept(accept) = &pending.request {
            self.forget_push(accept.push);
        }
        self.refuse(now, pending.id, error.into());
    }

    /// Who is there, without ourselves if that was asked.
    pub(super) fn roster_for(&self, who: &request::Who, mut roster: event::Roster) -> event::Roster {
        if let Some(name) = self.registered.as_ref().filter(|_| who.others) {
            let ours = NameKey::of(name);
            roster.clients.retain(|client| NameKey::of(&client.name) != ours);
        }
        roster
    }

    fn user_answered(&mut self, now: Time, pending: Pending, event: Event) {
        match (&pending.request, event) {
            (Request::List(list), Event::Synced(synced)) => {
                let table = self.replica.list(synced.revision, list);
                self.finish(now, pending.id, table);
            }
            (Request::Who(who), Event::Synced(synced)) => {
                let clients = self.replica.roster(who.after);
                let roster = event::Roster { revision: synced.revision, clients, next: None };
                let roster = self.roster_for(who, roster);
                self.finish(now, pending.id, roster);
            }
            (Request::Who(who), Event::Roster(roster)) => {
                let roster = self.roster_for(who, roster);
                self.finish(now, pending.id, roster);
            }
            (_, event @ (Event::TablePage(_) | Event::RosterPage(_))) => {
                self.page_answered(now, Collecting::new(pending), event);
            }
            (Request::Search(_), Event::Found(found)) => self.found(now, Collecting::new(pending), found),
            (Request::Get(get), Event::Located(located)) => {
                let get = get.clone();
                self.start_get(now, pending, get, located);
            }
            // Everything that was offered when the folder was asked for is in our table now.
            (Request::Get(get), Event::Synced(_)) if get.file.ends_with('/') => {
                let get = get.clone();
                self.start_known_folder(now, pending, &get);
            }
            (Request::Accept(_), Event::Located(located)) => self.start_accepted(now, pending, located),
            (Request::Decline(request::Decline { push }), Event::Declined(_)) => {
                let push = *push;
                self.forget_push(push);
                self.finish(now, pending.id, event::Declined { push });
            }
            // A login in a session that is in already has only shown that the password is right.
            (Request::Login(_), Event::Welcome(welcome)) if self.registered.as_ref() == Some(&welcome.name) => {
                self.finish(now, pending.id, welcome);
            }
            (Request::Register(_) | Request::Login(_) | Request::Rereg(_), Event::Welcome(welcome)) => {
                self.entered(&welcome);
                self.parted = None;
                self.finish(now, pending.id, welcome);
                self.offer_again(now);
                self.update_peers();
            }
            (Request::Dereg(_), Event::Deregistered(answer)) => {
                self.close_privates(now);
                self.parted = self.registered.take();
                self.leave_pushes(now);
                self.leave_copies(now);
                self.holdings.untell();
                self.inbox.catching_up = false;
                self.release(now);
                self.update_peers();
                self.finish(now, pending.id, answer);
            }
            (Request::Withdraw(withdraw), Event::Withdrawn(answer)) => {
                let asked = withdraw.files.clone();
                self.withdrawn(now, pending.id, &asked, answer);
            }
            // Everybody who has been told of is in the roster now.
            (Request::Private(_) | Request::PrivateOpen(_), Event::Synced(_)) => {
                self.start_private(now, pending, true);
            }
            (Request::Ping(_), Event::Pong(answer)) => self.pinged_by_hub(now, pending, answer),
            (Request::Block(_), Event::Blocked(answer)) => {
                self.blocked.insert(NameKey::of(&answer.name));
                self.finish(now, pending.id, answer);
            }
            (Request::Unblock(_), Event::Unblocked(answer)) => {
                self.blocked.remove(&NameKey::of(&answer.name));
                self.finish(now, pending.id, answer);
            }
            (Request::RoomLeave(_), Event::RoomLeft(answer)) => {
                let room = answer.room.clone();
                self.finish(now, pending.id, answer);
                self.left_room(now, &room);
            }
            (Request::Focus(_), Event::Focused(answer)) => self.focused(now, pending.id, answer),
            // These need nothing of ours: their row says that the hub's answer is the answer.
            (request, event) if request.rules().passes_back(event.kind()) => self.finish(now, pending.id, event),
            // Passed on as it is, it could be a `bye`, after which nothing more may come.
            (_, event) => self.refuse(now, pending.id, refusal(event)),
        }
    }
}

/// What was to be published.
fn published(ask: Ask) -> Vec<Content> {
    match ask {
        Ask::Publish(publish) => publish.publish,
        _ => Vec::new(),
    }
}

/// What an answer says that is not the wanted one.
fn refusal(event: Event) -> Failure {
    match event {
        Event::Error(error) => error.into(),
        other => {
            let message = format!("The hub's answer does not fit: {}.", other.name());
            Failure::new(ErrorCode::WrongProtocol, message)
        }
    }
}
