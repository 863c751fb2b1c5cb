//! Who enters under which name, and who leaves.

use super::exchange::Exchange;
use super::roster::Registered;
use super::{Held, Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_person};
use crate::protocol::record::Record;
use crate::protocol::{ErrorCode, Event, Failure, Id, Network, PublicKey, event, request};

/// A registration under way.
pub(super) struct Entering {
    pub(super) request_id: Option<Id>,
    pub(super) name: String,
    pub(super) name_key: NameKey,
    /// Whether it is on disk whose name it is.
    pub(super) known: bool,
}

impl Hub {
    pub(super) fn register(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: request::Register,
    ) -> Result<(), Failure> {
        check_person(&request.name).map_err(|failure| failure.at(pointer_at("/name")))?;
        self.may_enter(id, None)?;
        let name_key = NameKey::of(&request.name);
        self.key_suffices(id, &name_key, &request.name)?;
        self.is_invited(now, id)?;
        let known = self.state.names().is_taken(&name_key);
        if !known {
            self.check_new_name(now, id)?;
            self.can_keep()?;
        }
        // Who is known already stays, whatever looks like them.
        let names = self.state.names();
        if let (false, Some(twin)) = (known, names.twin(&request.name)) {
            let message = format!("The name {} looks like {}, which is taken.", request.name, names.shown(twin));
            return Err(Failure::new(ErrorCode::NameTaken, message).at(pointer_at("/name")));
        }
        self.enter_or_contest(now, id, Entering { request_id: request_id.clone(), name: request.name, name_key, known })
    }

    /// Whether a key, and its address, may take one more name.
    pub(super) fn check_new_name(&mut self, now: Time, id: PeerId) -> Result<(), Failure> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        let most = self.config.limits.names_per_address;
        if self.newcomers.count(now, Network::of(peer.address.ip())) >= most {
            let message = format!("From your address {most} names were taken within a day; that is the most.");
            return Err(
                Failure::new(ErrorCode::TooMany, message).hint("Enter under a name that you have, or tomorrow.")
            );
        }
        let most = self.config.limits.names_per_key;
        let owned = self.state.names().names_of(&peer.key).count();
        if owned >= most {
            let message = format!("Your key has {owned} names; that is the most.");
            return Err(Failure::new(ErrorCode::TooMany, message).hint("Enter under one of them."));
        }
        Ok(())
    }

    /// Whether a client is free to enter; `again` is a name that it may have entered already.
    pub(super) fn may_enter(&self, id: PeerId, again: Option<&NameKey>) -> Result<(), Failure> {
        let already = |message: String| Err(Failure::new(ErrorCode::AlreadyRegistered, message));
        match self.peers.get(&id).and_then(|peer| peer.name.as_ref()) {
            Some(name) if again != Some(&name.name_key) => {
                return already(format!("You are registered as {}.", name.name));
            }
            Some(_) | None => {}
        }
        match self.underway.name(id) {
            Some(name) => already(format!("You are about to be registered as {name}.")),
            None => Ok(()),
        }
    }

    pub(super) fn enter_or_contest(&mut self, now: Time, id: PeerId, entering: Entering) -> Result<(), Failure> {
        match self.online.get(&entering.name_key).copied() {
            None => {
                self.enter(now, id, entering);
                Ok(())
            }
            Some(holder) => {
                self.contest(now, id, holder, entering);
                Ok(())
            }
        }
    }

    /// Registers a name that is free: at once if it is known to be this client's, otherwise when that is on disk.
    pub(super) fn enter(&mut self, now: Time, id: PeerId, entering: Entering) {
        let Some(peer) = self.peers.get(&id) else { return };
        if peer.name.is_some() || self.online.contains_key(&entering.name_key) {
            let failure = name_taken(&entering.name);
            return self.refuse(now, id, entering.request_id, "register", failure);
        }
        if entering.known {
            return self.welcome(now, id, entering);
        }
        let (name, name_key, key, since) =
            (entering.name.clone(), entering.name_key.clone(), peer.key, self.calendar(now).0);
        if !self.state.names().is_taken(&name_key) {
            self.newcomers.add(now, Network::of(peer.address.ip()));
        }
        let credential = self.state.names().credential(&name_key);
        if !self.state.names().knows(&key) {
            self.spend_invite(id, &name);
        }
        self.online.insert(name_key.clone(), id);
        self.underway.begin(id, &entering);
        let commit = self.claim_name(name, name_key, key, since, credential);
        self.held.push_back((commit, Held::Entering(id, entering)));
    }

    /// Has it written down that a name belongs to a key; gives the number of the commit.
    pub(super) fn claim_name(
        &mut self,
        name: String,
        name_key: NameKey,
        key: PublicKey,
        since: i64,
        credential: Option<u64>,
    ) -> u64 {
        let commit = self.record(Record::Name { name, name_key: name_key.clone(), key, since, credential });
        self.credentials.claim(commit, name_key, key, credential);
        commit
    }

    /// What waited for its name to be on disk.
    pub(super) fn entered(&mut self, now: Time, id: PeerId, entering: Entering) {
        self.underway.end(id);
        if self.peers.contains_key(&id) {
            self.welcome(now, id, entering);
        } else {
            self.online.remove(&entering.name_key);
        }
    }

    fn welcome(&mut self, now: Time, id: PeerId, entering: Entering) {
        // It is shown as its owner first wrote it.
        let name = self.state.names().shown(&entering.name_key);
        self.arrive(now, id, name, entering.name_key.clone());
        self.welcome_again(now, id, entering.request_id);
        self.tell_blocks(now, id);
        self.begin_following(now, id);
        self.offer_pushes_to(now, &entering.name_key);
    }

    pub(super) fn welcome_again(&mut self, now: Time, id: PeerId, request_id: Option<Id>) {
        let Ok(Registered { name, number, .. }) = self.me(id) else { return };
        let newest = self.recent.newest;
        let (clients, offers, revision) =
            (self.state.roster().len() as u64, self.state.table().len() as u64, self.state.revision());
        self.answer(now, id, request_id, event::Welcome { name, number, revision, clients, offers, newest });
    }

    /// Its program must know whom its user blocks: direct connections do not pass through us.
    fn tell_blocks(&mut self, now: Time, id: PeerId) {
        if let Ok(blocks) = self.blocked_by(id)
            && !blocks.names.is_empty()
        {
            self.tell(now, id, blocks);
        }
    }

    pub(super) fn dereg(&mut self, now: Time, id: PeerId) -> Result<Event, Failure> {
        let name = self.me(id)?.name;
        let withdrawn = self.leave(now, id, "dereg");
        Ok(event::Deregistered { name, withdrawn }.into())
    }

    pub(super) fn quit(&mut self, now: Time, id: PeerId, request_id: &Option<Id>) {
        // Others who measure the way to them are answered.
        self.probes_fail(now, id);
        // What is not answered yet is of no interest any more.
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.exchange = Exchange::default();
        }
        self.answer(
            now,
            id,
            request_id.clone(),
            event::Bye { reason: "quit".into(), code: 0, given_up: Default::default() },
        );
        // The goodbye leaves before the connection does.
        while let Some((conn, frame)) =
            self.peers.get_mut(&id).and_then(|peer| Some((peer.conn?, peer.link.poll(now)?)))
        {
            self.out.push_back(super::Output::Send(conn, frame));
        }
        self.end(now, id, "quit");
    }
}

/// The name is somebody else's.
pub(super) fn name_taken(name: &str) -> Failure {
    Failure::new(ErrorCode::NameTaken, format!("The name {name} is taken.")).at(pointer_at("/name"))
}
