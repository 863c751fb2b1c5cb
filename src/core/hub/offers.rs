//! The table: what is offered, and where it can be had.

use std::sync::Arc;

use super::{Hub, PeerId, Shelved};
use crate::core::time::Time;
use crate::protocol::limits::FILES_PER_REQUEST;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{check_file, fold};
use crate::protocol::transfer::Chunking;
use crate::protocol::types::Content;
use crate::protocol::wire::Publish;
use crate::protocol::{ErrorCode, Event, Failure, event, log, request};

impl Hub {
    pub(super) fn publish(&mut self, now: Time, id: PeerId, request: Publish) -> Result<Event, Failure> {
        let owner = self.me(id)?.name;
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

    pub(super) fn withdraw(&mut self, now: Time, id: PeerId, request: request::Withdraw) -> Result<Event, Failure> {
        let owner = self.me(id)?.name;
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
    pub(super) fn locate(&mut self, now: Time, id: PeerId, request: &request::Get) -> Result<Event, Failure> {
        let me = self.me(id)?.name;
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
}

fn not_offered(request: &request::Get) -> Failure {
    match &request.from {
        Some(from) => Failure::new(ErrorCode::NotOffered, format!("{from} does not offer {}.", request.file)),
        None => Failure::new(ErrorCode::NotOffered, format!("Nobody offers {}.", request.file)),
    }
}
