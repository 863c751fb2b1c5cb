//! What clients ask, one handler for each request.

use std::sync::Arc;

use super::{Hub, PeerId, Shelved};
use crate::core::link::LinkFault;
use crate::core::time::Time;
use crate::protocol::limits::{FILES_PER_REQUEST, LINK_FRAMES};
use crate::protocol::line::pointer_at;
use crate::protocol::name::{check_file, check_person, fold};
use crate::protocol::record::{NameRecord, Record};
use crate::protocol::transfer::Chunking;
use crate::protocol::types::Content;
use crate::protocol::wire::{Ask, Publish};
use crate::protocol::{ErrorCode, Event, Failure, Id, Request, event, log, request};

/// A registration under way.
pub(super) struct Entering {
    mark: Option<Id>,
    name: String,
    fold: String,
}

/// Somebody with the same key wants a name that is in use: granted only if its holder does not live.
pub(super) struct Challenge {
    pub(super) by: PeerId,
    pub(super) entering: Entering,
}

impl Hub {
    pub(super) fn ask(&mut self, now: Time, id: PeerId, body: &str) {
        let ask = match Ask::parse(body) {
            Ok(ask) => ask,
            Err(bad) => return self.refuse(now, id, bad.id, "", bad.failure),
        };
        let mark = ask.id();
        let (name, result) = match ask {
            Ask::Request(line) => (line.request.name(), self.request(now, id, &mark, line.request)),
            Ask::Publish(publish) => ("offer", self.publish(now, id, publish).map(Some)),
            Ask::Unreachable(doubt) => return self.doubt(now, id, &doubt.unreachable),
            Ask::Received(_) => return,
        };
        match result {
            Ok(Some(answer)) => self.answer(now, id, mark, answer),
            Ok(None) => {}
            Err(failure) => self.refuse(now, id, mark, name, failure),
        }
    }

    /// Carries out a request; no answer now means that it comes later.
    fn request(
        &mut self,
        now: Time,
        id: PeerId,
        mark: &Option<Id>,
        request: Request,
    ) -> Result<Option<Event>, Failure> {
        match request {
            Request::Register(request) => self.register(now, id, mark, request),
            Request::Dereg(_) => self.dereg(now, id).map(Some),
            Request::Status(_) => Ok(Some(self.status())),
            Request::List(_) | Request::Who(_) => {
                self.sync(now, id, mark);
                Ok(None)
            }
            Request::Withdraw(request) => self.withdraw(now, id, request).map(Some),
            Request::Get(request) => self.locate(now, id, &request).map(Some),
            Request::Quit(_) => {
                self.quit(now, id, mark);
                Ok(None)
            }
            Request::Login(_)
            | Request::Message(_)
            | Request::Broadcast(_)
            | Request::Block(_)
            | Request::Unblock(_)
            | Request::Blocks(_)
            | Request::History(_)
            | Request::RoomCreate(_)
            | Request::Rooms(_)
            | Request::RoomJoin(_)
            | Request::RoomInvite(_)
            | Request::RoomLeave(_)
            | Request::Members(_)
            | Request::Say(_)
            | Request::Focus(_)
            | Request::Rereg(_)
            | Request::Unfocus(_)
            | Request::PrivateOpen(_)
            | Request::Private(_)
            | Request::PrivateClose(_)
            | Request::Setdir(_)
            | Request::Offer(_)
            | Request::Transfers(_)
            | Request::Cancel(_)
            | Request::Wait(_)
            | Request::Help(_) => {
                Err(Failure::new(ErrorCode::UnknownRequest, "that is for the client to answer, not for the hub"))
            }
        }
    }

    fn refuse(&mut self, now: Time, id: PeerId, mark: Option<Id>, request: &str, failure: Failure) {
        let name = self.peers.get(&id).and_then(|peer| peer.name.as_ref()).map(|name| name.name.clone());
        self.log(log::RequestRefused {
            name: name.unwrap_or_default(),
            request: request.to_owned(),
            code: failure.code,
            message: failure.message.clone().into_owned(),
        });
        self.answer(now, id, mark, event::Error::from(failure));
    }

    fn register(
        &mut self,
        now: Time,
        id: PeerId,
        mark: &Option<Id>,
        request: request::Register,
    ) -> Result<Option<Event>, Failure> {
        check_person(&request.name).map_err(|failure| failure.at(pointer_at("/name")))?;
        if let Some(name) = &self.peers[&id].name {
            return Err(Failure::new(ErrorCode::AlreadyRegistered, format!("You are registered as {}.", name.name)));
        }
        if let Some(name) = self.entering(id) {
            return Err(Failure::new(
                ErrorCode::AlreadyRegistered,
                format!("You are about to be registered as {name}."),
            ));
        }
        let (key, fold) = (self.peers[&id].key, fold(&request.name));
        let entering = Entering { mark: mark.clone(), name: request.name, fold };
        if self.owners.get(&entering.fold).is_some_and(|owner| !owner.keys.contains(&key)) {
            return Err(name_taken(&entering.name));
        }
        match self.online.get(&entering.fold).copied() {
            None => self.enter(now, id, entering),
            Some(holder) => self.contest(now, id, holder, entering)?,
        }
        Ok(None)
    }

    /// The name that a client has asked for and not been answered about: one at a time, or the first would stay
    /// behind in the roster when the second comes.
    fn entering(&self, id: PeerId) -> Option<&str> {
        let held = self.held.iter().filter(|(_, peer, _)| *peer == id).map(|(.., entering)| entering);
        let challenges = self.peers.values().filter_map(|peer| peer.challenge.as_ref());
        let challenging = challenges.filter(|challenge| challenge.by == id).map(|challenge| &challenge.entering);
        held.chain(challenging).next().map(|entering| entering.name.as_str())
    }

    /// The name is ours by its key, but in use: by a process that was killed, or by another one that lives.
    fn contest(&mut self, now: Time, id: PeerId, holder: PeerId, entering: Entering) -> Result<(), Failure> {
        match self.peers.get_mut(&holder) {
            Some(peer) if peer.conn.is_some() => {
                if peer.challenge.is_some() {
                    return Err(name_taken(&entering.name));
                }
                peer.link.probe(now);
                peer.challenge = Some(Challenge { by: id, entering });
                self.talking.insert(holder);
            }
            Some(_) | None => self.take_over(now, holder, id, entering),
        }
        Ok(())
    }

    /// A name goes from one session to another of the same key. If it is not on disk yet, the new one waits for that
    /// as the old one did.
    pub(super) fn take_over(&mut self, now: Time, holder: PeerId, by: PeerId, entering: Entering) {
        self.end(now, holder, "replaced");
        match self.held.iter_mut().find(|(.., held)| held.fold == entering.fold) {
            Some((_, id, held)) => {
                self.online.insert(entering.fold.clone(), by);
                (*id, *held) = (by, entering);
            }
            None => self.enter(now, by, entering),
        }
    }

    /// The holder of a contested name has shown that it lives.
    pub(super) fn answer_challenge(&mut self, now: Time, holder: PeerId) {
        let challenge = self.peers.get_mut(&holder).and_then(|peer| peer.challenge.take());
        if let Some(Challenge { by, entering }) = challenge {
            let failure = name_taken(&entering.name);
            self.refuse(now, by, entering.mark, "register", failure);
        }
    }

    /// Registers a name that is free: at once if it is known to be this client's, otherwise when that is on disk.
    pub(super) fn enter(&mut self, now: Time, id: PeerId, entering: Entering) {
        let Some(peer) = self.peers.get(&id) else { return };
        if peer.name.is_some() || self.online.contains_key(&entering.fold) {
            let failure = name_taken(&entering.name);
            return self.refuse(now, id, entering.mark, "register", failure);
        }
        if self.owners.contains_key(&entering.fold) {
            return self.welcome(now, id, entering);
        }
        let (name, fold, key, since) = (entering.name.clone(), entering.fold.clone(), peer.key, self.calendar(now).0);
        self.owners.insert(
            fold.clone(),
            NameRecord {
                name: name.clone(),
                fold: fold.clone(),
                keys: vec![key],
                account: false,
                since,
                received: 0,
                unread: 0,
            },
        );
        self.online.insert(fold.clone(), id);
        self.commit += 1;
        self.out.push_back(super::Output::Persist(self.commit, Record::Name { name, fold, key, since }));
        self.held.push_back((self.commit, id, entering));
    }

    pub(super) fn committed(&mut self, now: Time, commit: u64) {
        while let Some((_, id, entering)) = self.held.pop_front_if(|(held, ..)| *held <= commit) {
            if self.peers.contains_key(&id) {
                self.welcome(now, id, entering);
            } else {
                self.online.remove(&entering.fold);
            }
        }
    }

    fn welcome(&mut self, now: Time, id: PeerId, entering: Entering) {
        self.arrive(now, id, entering.name.clone(), entering.fold);
        let Some(number) = self.peers.get(&id).and_then(|peer| peer.name.as_ref()).map(|name| name.number) else {
            return;
        };
        let (clients, offers) = (self.roster.len() as u64, self.table.len() as u64);
        let revision = self.revision;
        let welcome = event::Welcome { name: entering.name, number, revision, clients, offers };
        self.answer(now, id, entering.mark, welcome);
        self.tell_everything(now, id);
    }

    fn dereg(&mut self, now: Time, id: PeerId) -> Result<Event, Failure> {
        let name = self.registered(id)?;
        let withdrawn = self.leave(now, id, "dereg");
        Ok(event::Deregistered { name, withdrawn }.into())
    }

    fn quit(&mut self, now: Time, id: PeerId, mark: &Option<Id>) {
        self.answer(now, id, mark.clone(), event::Bye { reason: "quit".into(), code: 0 });
        // The goodbye leaves before the connection does.
        while let Some((conn, frame)) =
            self.peers.get_mut(&id).and_then(|peer| Some((peer.conn?, peer.link.poll(now)?)))
        {
            self.out.push_back(super::Output::Send(conn, frame));
        }
        self.end(now, id, "quit");
    }

    fn sync(&mut self, now: Time, id: PeerId, mark: &Option<Id>) {
        let revision = self.revision;
        if self.peers.get(&id).is_some_and(|peer| peer.table_seen.is_none()) {
            // Somebody who has not registered in this session looks on from here.
            self.tell_everything(now, id);
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        // They wait while the client takes no updates, so they are bounded as its link is.
        if peer.syncs.len() >= LINK_FRAMES {
            return self.expel(now, id, super::clients::fault(LinkFault::Overflow));
        }
        peer.syncs.push_back((revision, mark.clone()));
    }

    fn status(&self) -> Event {
        let clients = self.visits.iter().map(|visit| event::Visit {
            name: visit.name.clone(),
            number: visit.number,
            address: visit.address.to_string(),
            state: visit.state,
            opened: visit.opened,
            closed: visit.closed,
            messages: 0,
        });
        event::Status { clients: clients.collect(), total: self.visitors }.into()
    }

    fn publish(&mut self, now: Time, id: PeerId, request: Publish) -> Result<Event, Failure> {
        let owner = self.registered(id)?;
        let limit = self.config.limits.offers;
        if request.publish.len() > FILES_PER_REQUEST {
            return Err(ErrorCode::TooManyOffers.into());
        }
        for (i, content) in request.publish.iter().enumerate() {
            let at = |failure: Failure| failure.at(pointer_at(&format!("/files/{i}")));
            check_file(&content.file).map_err(at)?;
            Chunking::checked(content.size, content.chunk_size, content.chunks)
                .ok_or_else(|| at(Failure::new(ErrorCode::BadRequest, "size and chunks do not fit together")))?;
        }
        let offers = &self.peers[&id].offers;
        let fresh = request.publish.iter().filter(|content| !offers.contains_key(&content.file)).count();
        if offers.len() + fresh > limit {
            return Err(Failure::new(ErrorCode::TooManyOffers, format!("A client may offer {limit} files.")));
        }
        let files: Vec<String> = request.publish.iter().map(|content| content.file.clone()).collect();
        let added: Vec<String> = request.publish.into_iter().filter_map(|c| self.shelve(now, id, &owner, c)).collect();
        let revision = self.revision;
        if !added.is_empty() {
            self.log(log::OffersAdded { name: owner.clone(), files: added, revision });
        }
        let shelved = files.into_iter().filter_map(|file| self.table.get(&(file, owner.clone())));
        Ok(event::OfferAcked { offers: shelved.map(|s| self.offer(s)).collect(), revision }.into())
    }

    /// Puts a content into the table; gives its name if that changed anything.
    fn shelve(&mut self, now: Time, id: PeerId, owner: &str, content: Content) -> Option<String> {
        let peer = self.peers.get_mut(&id)?;
        if peer.offers.get(&content.file).is_some_and(|known| **known == content) {
            return None;
        }
        let (file, content) = (content.file.clone(), Arc::new(content));
        peer.offers.insert(file.clone(), content.clone());
        let revision = self.changed(now);
        self.table.set(revision, (file.clone(), owner.to_owned()), Shelved { owner: id, content });
        Some(file)
    }

    fn withdraw(&mut self, now: Time, id: PeerId, request: request::Withdraw) -> Result<Event, Failure> {
        let owner = self.registered(id)?;
        request::check_count(&request.files)?;
        let peer = self.peers.get_mut(&id).ok_or(ErrorCode::Internal)?;
        if let Some(i) = request.files.iter().position(|file| !peer.offers.contains_key(file)) {
            let failure = Failure::new(ErrorCode::NotOffered, format!("You do not offer {}.", request.files[i]));
            return Err(failure.at(pointer_at(&format!("/files/{i}"))));
        }
        let mut files = request.files;
        files.sort();
        files.dedup();
        for file in &files {
            peer.offers.remove(file);
        }
        self.unlist(now, &owner, files.clone());
        Ok(event::Withdrawn { files, revision: self.revision }.into())
    }

    /// Takes offers out of the table.
    pub(super) fn unlist(&mut self, now: Time, owner: &str, files: Vec<String>) {
        if files.is_empty() {
            return;
        }
        for file in &files {
            let revision = self.changed(now);
            self.table.remove(revision, &(file.clone(), owner.to_owned()), |_| ());
        }
        let revision = self.revision;
        self.log(log::OffersRemoved { name: owner.to_owned(), files, revision });
    }

    /// The client's address has changed, and so have its offers and its line in the roster.
    pub(super) fn moved(&mut self, now: Time, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else { return };
        let Some(name) = peer.name.clone() else { return };
        for (file, content) in peer.offers.clone() {
            let revision = self.changed(now);
            self.table.set(revision, (file, name.name.clone()), Shelved { owner: id, content });
        }
        if let Some((state, since)) = self.roster.get(&name.name).map(|client| (client.state, client.since)) {
            self.show(now, id, state, since);
        }
    }

    /// Who holds what is asked for: all of them hold the same content.
    fn locate(&mut self, now: Time, id: PeerId, request: &request::Get) -> Result<Event, Failure> {
        let me = self.registered(id)?;
        let from = request.from.as_deref().map(fold);
        let named = self.table.range_from(&(request.file.clone(), String::new()));
        let offers: Vec<(&str, &Shelved)> = named
            .take_while(|((file, _), _)| *file == request.file)
            .map(|((_, owner), shelved)| (owner.as_str(), shelved))
            .filter(|(owner, _)| from.as_ref().is_none_or(|from| fold(owner) == *from))
            .collect();
        if offers.is_empty() {
            return Err(not_offered(request));
        }
        let others: Vec<&Shelved> = offers.into_iter().filter(|(owner, _)| *owner != me).map(|(_, s)| s).collect();
        let Some(first) = others.first() else { return Err(ErrorCode::OwnFile.into()) };
        if others.iter().any(|other| other.content.hash != first.content.hash) {
            return Err(Failure::from(ErrorCode::Ambiguous).at(pointer_at("/from")));
        }
        // Who does not answer the hub is asked last.
        let mut others = others;
        others.sort_by_key(|shelved| self.peers[&shelved.owner].conn.is_none());
        let owners: Vec<PeerId> = others.iter().map(|shelved| shelved.owner).collect();
        let holder =
            |shelved: &&Shelved| event::Holder { offer: self.offer(shelved), key: self.peers[&shelved.owner].key };
        let sources = others.iter().map(holder).collect();
        // Who is about to be asked must know who asks.
        for owner in owners {
            self.tell_newest(now, owner);
        }
        Ok(event::Located { sources }.into())
    }

    fn registered(&self, id: PeerId) -> Result<String, Failure> {
        let name = self.peers.get(&id).and_then(|peer| peer.name.as_ref());
        name.map(|name| name.name.clone()).ok_or_else(|| ErrorCode::NotRegistered.into())
    }
}

fn name_taken(name: &str) -> Failure {
    Failure::new(ErrorCode::NameTaken, format!("The name {name} is taken."))
}

fn not_offered(request: &request::Get) -> Failure {
    match &request.from {
        Some(from) => Failure::new(ErrorCode::NotOffered, format!("{from} does not offer {}.", request.file)),
        None => Failure::new(ErrorCode::NotOffered, format!("Nobody offers {}.", request.file)),
    }
}
