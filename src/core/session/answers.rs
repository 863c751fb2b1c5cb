//! Handles what the hub tells the client: events for everybody, and the answers to what it was asked.

use super::asks::Origin;
use super::notes::MeetingNews;
use super::paged_answer::PagedAnswer;
use super::pending::Pending;
use super::replica::ChangedKeys;
use super::{Output, Session};
use crate::core::time::Time;
use crate::protocol::wire::Ask;
use crate::protocol::{
    Client, Content, ErrorCode, Event, EventLine, Failure, Id, Offer, Presence, PublicKey, Request, event, request,
};

impl Session {
    pub(super) fn hub_event(&mut self, now: Time, line: EventLine) {
        match line.id {
            None => self.told(now, line.event),
            // Only our own numbers come back; the answer to something that was given up meanwhile is dropped.
            Some(Id::Number(id)) => {
                if let Some((ask, origin)) = self.cx.uplink.asks_mut().take(id) {
                    self.answered(now, ask, origin, line.event);
                }
            }
            Some(Id::Text(_)) => {}
        }
    }

    /// Handles an event that the hub tells everybody. Other events are not the hub's to tell: a `bye`, for example, is
    /// ours.
    fn told(&mut self, now: Time, event: Event) {
        let Some(event) = self.parcels.hub_says(now, &mut self.cx, &mut self.transfers, event) else { return };
        if let Event::TableUpdated(_) = &event {
            self.table_updated(now, event);
        } else if let Event::TableUnfollowed(_) = &event {
            self.replica.unfollow_table();
            self.cx.tell(now, event);
        } else if let Event::RosterUpdated(update) = event {
            self.roster_updated(now, update);
        } else if let Event::Introduced(introduced) = &event {
            let keys = self.replica.meet(&introduced.client);
            self.people_changed(now, std::slice::from_ref(&introduced.client), keys);
        } else if let Event::Meeting(met) = event {
            self.meetings.told(&mut self.cx, MeetingNews::Met(met));
        } else if let Event::MeetingPlaces(places) = event {
            self.meetings.told(&mut self.cx, MeetingNews::Places(places));
        } else if let Event::MeetingRefused(refused) = event {
            self.meetings.told(&mut self.cx, MeetingNews::Refused(refused));
        } else {
            self.told_of_messages(now, event);
        }
    }

    fn told_of_messages(&mut self, now: Time, event: Event) {
        if let Event::Message(event::Message { number, .. })
        | Event::RoomMessage(event::RoomMessage { number, .. })
        | Event::Withheld(event::Withheld { number }) = &event
        {
            self.heard(now, *number, event);
        } else if let Event::CaughtUp(caught_up) = &event {
            self.inbox.caught_up(caught_up.number, self.ending.is_leaving());
        } else if let Event::MessageDelivered(_) | Event::RoomChanged(_) = &event {
            self.inbox.tell_unless_held(now, &mut self.cx, event);
        } else if let Event::Blocks(blocks) = &event {
            self.inbox.set_blocked(&blocks.names);
        } else if let Event::InviteGuessed(_) = &event {
            self.cx.tell(now, event);
        } else {
            self.told_of_files(now, event);
        }
    }

    /// Handles a message from somebody.
    fn heard(&mut self, now: Time, number: u64, event: Event) {
        let is_leaving = self.ending.is_leaving();
        if let Err(failure) = self.inbox.hear(now, &mut self.cx, number, event, is_leaving) {
            self.give_up(now, failure);
        }
    }

    fn table_updated(&mut self, now: Time, mut event: Event) {
        if let Event::TableUpdated(update) = &mut event {
            update.added.iter_mut().for_each(|offer| self.cx.uplink.set_hub_address(offer));
            let (me, offers) = (self.cx.registration.name(), &self.offers);
            let known = |offer: &Offer| offers.name_of(offer).filter(|_| me == Some(offer.owner.as_str()));
            if !self.replica.update_table(update, known) {
                // An honest hub does not send as much. The session goes on, but no longer follows the table.
                let unfollowed = event::TableUnfollowed::too_large(update.total);
                return self.cx.tell(now, unfollowed);
            }
        }
        self.cx.tell(now, event);
    }

    fn roster_updated(&mut self, now: Time, mut update: event::RosterUpdated) {
        let keys = self.replica.update_roster(&update);
        self.people_changed(now, &update.clients, keys);
        self.cx.registration.mark_ourselves(&mut update.clients);
        self.cx.verified.mark(&mut update.clients);
        self.cx.tell(now, update);
    }

    /// Handles changes of the roster, which the replica already has.
    fn people_changed(&mut self, now: Time, changed: &[Client], keys: ChangedKeys) {
        // Before anything that they say or offer.
        self.cx.raise_alarms(now, changed);
        self.privates.roster_changed(now, &mut self.cx, &mut self.inbox, &self.replica, changed);
        match keys {
            ChangedKeys::All => self.set_peers(),
            ChangedKeys::These(keys) if self.cx.registration.is_in() && !keys.is_empty() => {
                self.cx.output(Output::PeersChanged(self.replica.owners_of(keys)));
            }
            ChangedKeys::These(_) => {}
        }
        self.end_uploads_to_those_who_left(changed);
        let replica = &self.replica;
        let is_here = |key: &PublicKey| replica.clients().any(|client| client.key == *key);
        self.transfers.people_changed(&mut self.cx, changed, is_here);
    }

    fn told_of_files(&mut self, now: Time, event: Event) {
        if let Event::SourcesUpdated(update) = event {
            self.transfers.sources_updated(&mut self.cx, update);
        } else if let Event::Stored(stored) = event {
            self.offers.stored(now, &mut self.cx, stored);
        } else if let Event::PushOffered(offered) = event {
            self.transfers.push_offered(now, &mut self.cx, offered);
        } else if let Event::PushGone(gone) = event {
            self.transfers.push_gone(now, &mut self.cx, gone);
        } else if let Event::PushAnswered(answer) = event {
            self.transfers.push_answered(now, &mut self.cx, answer);
        }
    }

    /// People in the roster may fetch from us, as long as we are in it ourselves.
    fn set_peers(&mut self) {
        let peers = self.cx.registration.is_in().then(|| self.replica.keys());
        self.cx.output(Output::Peers(peers));
    }

    /// Ends the uploads to people who have left. People who are only missing from a full roster keep theirs: a
    /// restarted hub tells the roster anew, and they may be back at once.
    fn end_uploads_to_those_who_left(&mut self, changed: &[Client]) {
        let left = changed.iter().filter(|client| client.state == Presence::Offline).map(|client| client.key);
        let left: Vec<_> = left.filter(|key| self.replica.clients().all(|client| client.key != *key)).collect();
        if !left.is_empty() {
            self.cx.output(Output::PeersLeft(left));
        }
    }

    fn answered(&mut self, now: Time, ask: Ask, origin: Origin, event: Event) {
        match (origin, event) {
            (Origin::Goodbye, _) => self.goodbye_answered(now),
            (Origin::Enter | Origin::Return, Event::Welcome(welcome)) => {
                self.entered(&welcome);
                self.cx.tell(now, welcome);
                self.set_peers();
                self.meetings.hub_is_back(now, &mut self.cx, true);
                self.ask_again(now);
            }
            // The user can still log in.
            (Origin::Enter | Origin::Return, Event::Error(error))
                if error.code == ErrorCode::LoginRequired && self.cx.config.inbox =>
            {
                self.cx.registration.refuse(error.code);
                self.cx.tell(now, error);
                self.ask_again(now);
            }
            (origin @ (Origin::Enter | Origin::Return), Event::Error(error)) => {
                self.not_let_in(now, ask, origin, error);
            }
            (Origin::OfferAgain, event) => {
                if let Event::Error(error) = event {
                    self.cx.tell(now, error);
                }
                self.offer_next(now);
            }
            (Origin::Page(so_far), event) => self.page_answered(now, *so_far, event),
            (Origin::User(pending), Event::Error(error)) => self.user_refused(now, *pending, error),
            (Origin::Offer(publishing), Event::OfferAcked(answer)) => {
                self.offers.acked(now, &mut self.cx, publishing, published(ask), answer);
            }
            (Origin::Offer(publishing), event) => {
                self.offers.refused(now, &mut self.cx, *publishing, published(ask), refusal(event).into());
            }
            (Origin::Push(transfer), Event::PushAsked(answer)) => {
                self.transfers.push_asked(now, &mut self.cx, transfer, answer)
            }
            (Origin::Push(transfer), event) => self.transfers.push_refused(now, &mut self.cx, transfer, refusal(event)),
            (Origin::Change, Event::OfferAcked(event::OfferAcked { offers, revision, .. })) => {
                self.cx.tell(now, event::OfferChanged { offers, withdrawn: Vec::new(), revision });
            }
            (Origin::Change, Event::Withdrawn(event::Withdrawn { files, .. })) if files.is_empty() => {}
            (Origin::Change, Event::Withdrawn(event::Withdrawn { files, revision })) => {
                self.cx.tell(now, event::OfferChanged { offers: Vec::new(), withdrawn: files, revision });
            }
            (Origin::Change, event) => self.cx.tell(now, event::Error::from(refusal(event))),
            (Origin::Seek(name), _) => self.privates.sought(now, &mut self.cx, &mut self.inbox, &self.replica, &name),
            (Origin::Forgotten, _) => {}
            (Origin::User(pending), event) => self.user_answered(now, *pending, event),
            (Origin::Enter | Origin::Return, _) => {}
        }
    }

    /// The hub has registered us.
    fn entered(&mut self, welcome: &event::Welcome) {
        self.inbox.enter(&mut self.cx, welcome);
        self.cx.registration.admit(&welcome.name, welcome.number);
        self.cx.uplink.admitted();
        self.privates.enter(welcome);
    }

    /// A page of an answer has arrived.
    fn page_answered(&mut self, now: Time, so_far: PagedAnswer, event: Event) {
        if let Some(folder) = self.cx.page_answered(now, so_far, event) {
            self.transfers.start_listed_folder(now, &mut self.cx, &self.replica, folder);
        }
    }

    fn user_refused(&mut self, now: Time, pending: Pending, error: event::Error) {
        if let Request::Accept(accept) = &pending.request {
            self.transfers.forget_push(accept.push);
        }
        // The key that is known for somebody has its number, even if they have not been here since the hub was started.
        if let (Request::Verify(_), ErrorCode::NoSuchPerson | ErrorCode::NotOnline) = (&pending.request, error.code) {
            return self.verify(now, pending, None);
        }
        self.cx.refuse(now, pending.id, error.into());
    }

    /// Answers a request of the user, or does the client's part of it.
    fn user_answered(&mut self, now: Time, pending: Pending, event: Event) {
        match (&pending.request, event) {
            (Request::List(list), Event::Synced(synced)) => {
                let table = self.replica.list(synced.revision, list);
                self.cx.finish(now, pending.id, table);
            }
            (Request::Who(who), Event::Synced(synced)) => {
                let clients = self.replica.roster(who.after);
                let roster = event::Roster { revision: synced.revision, clients, next: None };
                let roster = self.cx.registration.roster_for(who, roster);
                self.cx.show_people(now, pending.id, roster);
            }
            (Request::Who(who), Event::Roster(roster)) => {
                let roster = self.cx.registration.roster_for(who, roster);
                self.cx.show_people(now, pending.id, roster);
            }
            (_, event @ (Event::TablePage(_) | Event::RosterPage(_)))
            | (Request::Search(_), event @ Event::Found(_)) => {
                self.page_answered(now, PagedAnswer::new(pending), event);
            }
            (Request::Get(get), Event::Located(located)) => {
                let get = get.clone();
                self.transfers.start_get(now, &mut self.cx, pending, get, located);
            }
            // Our table now has everything that was offered when the folder was asked for.
            (Request::Get(get), Event::Synced(_)) if get.file.ends_with('/') => {
                let get = get.clone();
                self.transfers.start_known_folder(now, &mut self.cx, &self.replica, pending, &get);
            }
            (Request::Accept(_), Event::Located(located)) => {
                self.transfers.start_accepted(now, &mut self.cx, pending, located);
            }
            (Request::Decline(request::Decline { push }), Event::Declined(_)) => {
                let push = *push;
                self.transfers.forget_push(push);
                self.cx.finish(now, pending.id, event::Declined { push });
            }
            (Request::Withdraw(withdraw), Event::Withdrawn(answer)) => {
                let asked = withdraw.files.clone();
                self.offers.withdrawn(now, &mut self.cx, pending.id, &asked, answer);
            }
            // The roster is now up to date, so that whoever is missing from it is not there.
            (Request::Private(_) | Request::PrivateOpen(_), Event::Synced(_)) => {
                self.start_private(now, pending, true);
            }
            (_, event) => self.people_answered(now, pending, event),
        }
    }

    /// Answers what is about people: who we are, whom the user hears, and all that the hub answers alone.
    fn people_answered(&mut self, now: Time, pending: Pending, event: Event) {
        match (&pending.request, event) {
            // We were registered already: the login only showed that the password is right.
            (Request::Login(_), Event::Welcome(welcome)) if self.cx.registration.name() == Some(&welcome.name) => {
                self.cx.finish(now, pending.id, welcome);
            }
            (Request::Register(_) | Request::Login(_) | Request::Rereg(_), Event::Welcome(welcome)) => {
                self.entered(&welcome);
                self.cx.registration.forget_parted();
                self.cx.finish(now, pending.id, welcome);
                self.offer_again(now);
                self.set_peers();
            }
            (Request::Dereg(_), Event::Deregistered(answer)) => {
                self.privates.leave(now, &mut self.cx, &mut self.inbox);
                self.cx.registration.leave();
                self.transfers.leave(now, &mut self.cx);
                self.offers.leave(now, &mut self.cx);
                self.inbox.leave(now, &mut self.cx);
                self.set_peers();
                self.cx.finish(now, pending.id, answer);
            }
            (Request::Whois(_), Event::Roster(roster)) => self.cx.show_people(now, pending.id, roster),
            (Request::Verify(_), Event::Roster(roster)) => self.verify(now, pending, roster.clients.first()),
            (Request::Ping(_), Event::Pong(pong)) => {
                self.privates.pinged(now, &mut self.cx, &mut self.inbox, &self.replica, pending, pong);
            }
            (Request::Block(_), Event::Blocked(answer)) => {
                self.inbox.block(&answer.name);
                self.cx.finish(now, pending.id, answer);
            }
            (Request::Unblock(_), Event::Unblocked(answer)) => {
                self.inbox.unblock(&answer.name);
                self.cx.finish(now, pending.id, answer);
            }
            (Request::RoomLeave(_), Event::RoomLeft(answer)) => {
                let room = answer.room.clone();
                self.cx.finish(now, pending.id, answer);
                self.inbox.left_room(now, &mut self.cx, &room);
            }
            (Request::Focus(_), Event::Focused(answer)) => self.inbox.focused(now, &mut self.cx, pending.id, answer),
            // These need nothing of ours: their row says that the hub's answer is the answer.
            (request, event) if request.rules().passes_back(event.kind()) => self.cx.finish(now, pending.id, event),
            // An answer that does not fit is not passed on: it could be a `bye`, after which nothing may follow.
            (_, event) => self.cx.refuse(now, pending.id, refusal(event)),
        }
    }
}

/// The contents of a `publish`.
fn published(ask: Ask) -> Vec<Content> {
    if let Ask::Publish(publish) = ask { publish.publish } else { Vec::new() }
}

/// The failure that an unexpected answer means.
fn refusal(event: Event) -> Failure {
    if let Event::Error(error) = event {
        return error.into();
    }
    Failure::new(ErrorCode::WrongProtocol, format!("The hub's answer does not fit: {}.", event.name()))
}
