//! Starts the user's requests: checks them, passes them on to the hub, or carries them out.

use super::asks::Origin;
use super::collecting::check_place;
use super::pending::{Pending, RequestId, Waiting};
use super::transfers::check_get;
use super::turns::{has_room_for, next_to_start};
use super::{Entry, Hashed, Offering, Output, Session};
use crate::core::time::Time;
use crate::core::verify::KnownKey;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{HUB, NameKey, check_file};
use crate::protocol::request::{At, ClientRequest};
use crate::protocol::text::check_text;
use crate::protocol::when::When;
use crate::protocol::{Client, Content, ErrorCode, Failure, Request, event, human, request};

impl Session {
    /// Starts every request that may start.
    pub(super) fn advance(&mut self, now: Time) {
        loop {
            self.act_on_failures(now);
            if self.ending.is_leaving() || self.ending.has_ended() {
                return;
            }
            match next_to_start(self).and_then(|at| self.queue.take_at(at)) {
                Some(Waiting::Request(pending)) => match pending.request.rules().at {
                    At::Hub => self.pass_on(now, pending),
                    At::Client | At::Both => self.start_local(now, pending),
                },
                Some(Waiting::Bad(id, failure)) => self.cx.refuse(now, id, failure),
                Some(Waiting::EndOfInput) => self.leave_as_wanted(now, None),
                None => return,
            }
        }
    }

    fn pass_on(&mut self, now: Time, pending: Pending) {
        if let Err(failure) = self.check(&pending.request) {
            return self.cx.refuse(now, pending.id, failure);
        }
        if let (Request::List(list), true) = (&pending.request, self.cx.uplink.is_lost() && self.replica.has_table()) {
            return self.list_without_hub(now, pending.id.clone(), list);
        }
        let request = match (&pending.request, self.cx.registration.parted()) {
            (Request::Rereg(_), Some(name)) => request::Register { name: name.to_owned() }.into(),
            // The hub has numbers of its own for pushes.
            (Request::Accept(accept), _) => {
                request::Accept { push: self.transfers.push_at_hub(accept.push), ..accept.clone() }.into()
            }
            (Request::Decline(decline), _) => {
                request::Decline { push: self.transfers.push_at_hub(decline.push) }.into()
            }
            // `check` has made sure that the name is ours.
            (Request::Dereg(_), _) => request::Dereg::default().into(),
            (other, _) => other.clone(),
        };
        self.cx.ask(now, request, Origin::User(Box::new(pending)));
    }

    /// Refuses a request that the hub would refuse in any case.
    pub(super) fn check(&self, asked: &Request) -> Result<(), Failure> {
        check_entry(&self.cx.config.entry, asked)?;
        if let Request::Rereg(_) = asked {
            return self.check_rereg();
        }
        if let Request::Dereg(request::Dereg { name: Some(name) }) = asked {
            return self.check_own_name(name);
        }
        if let Request::Get(get) = asked {
            return check_get(get);
        }
        if let Request::List(request::List { after: Some(after), .. }) = asked {
            return check_place(after);
        }
        if let Request::Chunks(chunks) = asked {
            return check_file(&chunks.file).map_err(|failure| failure.at(pointer_at("/file")));
        }
        if let Request::Accept(request::Accept { push, .. }) | Request::Decline(request::Decline { push }) = asked {
            self.transfers.check_answer(*push)?;
        }
        if let Request::Accept(request::Accept { to: Some(to), .. }) = asked {
            return check_file(to).map_err(|failure| failure.at(pointer_at("/to")));
        }
        if let Request::Verify(verify) = asked {
            return self.check_verify(verify);
        }
        if let Request::Withdraw(withdraw) = asked {
            return request::check_count(&withdraw.files);
        }
        if let Request::Message(request::Message { to, .. }) | Request::Push(request::Push { to, .. }) = asked {
            self.check_key_of(to)?;
        }
        if let Request::Message(request::Message { text, .. })
        | Request::Broadcast(request::Broadcast { text })
        | Request::Say(request::Say { text, .. }) = asked
        {
            return check_text(text);
        }
        if let Request::History(request::History { since: Some(since), .. }) = asked {
            return When::parse(since).map(drop).map_err(|failure| failure.at(pointer_at("/since")));
        }
        Ok(())
    }

    /// Refuses to send something to whoever is there under a verified name with another key.
    fn check_key_of(&self, to: &str) -> Result<(), Failure> {
        let checked = self.replica.find(to).map_or(Ok(()), |client| self.cx.verified.check(client));
        checked.map_err(|failure| failure.at(pointer_at("/to")))
    }

    fn check_rereg(&self) -> Result<(), Failure> {
        match (self.cx.registration.name(), self.cx.registration.parted()) {
            (Some(name), _) => {
                Err(Failure::new(ErrorCode::AlreadyRegistered, format!("You are registered as {name}.")))
            }
            (None, Some(_)) => Ok(()),
            (None, None) => Err(ErrorCode::NotRegistered.into()),
        }
    }

    /// Refuses a `dereg` of somebody else.
    fn check_own_name(&self, name: &str) -> Result<(), Failure> {
        let registration = &self.cx.registration;
        let ours = registration.name().or(registration.parted()).or(self.cx.config.name()).unwrap_or_default();
        if NameKey::of(ours) == NameKey::of(name) {
            return Ok(());
        }
        let shown: String = name.chars().take(40).collect();
        let failure =
            Failure::new(ErrorCode::BadRequest, format!("You are {ours}, and only {shown} can dereg {shown}."));
        Err(failure.hint("`dereg` alone takes you out of the table.").at(pointer_at("/name")))
    }

    fn check_verify(&self, verify: &request::Verify) -> Result<(), Failure> {
        let name = NameKey::of(&verify.name);
        let ours = self.cx.registration.name().or(self.cx.config.name()).unwrap_or_default();
        if verify.confirm && verify.revoke {
            let failure = Failure::new(ErrorCode::BadRequest, "Both `confirm` and `revoke` cannot be done.");
            return Err(failure.at(pointer_at("/revoke")));
        }
        if name == NameKey::of(ours) {
            return Err(Failure::from(ErrorCode::Yourself).at(pointer_at("/name")));
        }
        if name == NameKey::of(HUB) {
            let failure = Failure::new(ErrorCode::NoSuchPerson, "There is no safety number with the hub.");
            let hint =
                "Its key is in its join link: who joins with that has the right hub. `potluck serve` shows it, too.";
            return Err(failure.hint(hint).at(pointer_at("/name")));
        }
        Ok(())
    }

    /// Carries out a request that this client answers.
    pub(super) fn start_local(&mut self, now: Time, pending: Pending) {
        let id = pending.id.clone();
        let request = pending.request.clone();
        if let Err(failure) = check_entry(&self.cx.config.entry, &request) {
            return self.cx.refuse(now, id, failure);
        }
        // What the hub answers is passed on and never comes here.
        let Some(request) = request.for_client() else { return self.cx.refuse(now, id, ErrorCode::Internal.into()) };
        let result = match request {
            ClientRequest::Rereg(_) => return self.pass_on(now, pending),
            ClientRequest::Setdir(request) => {
                let dir = request.dir.clone();
                return self.queue.start_task(&mut self.cx.effects, pending, |task| Output::CheckDir(task, dir));
            }
            ClientRequest::Offer(request) => return self.start_offer(now, pending, request),
            ClientRequest::Push(request) => return self.start_push(now, pending, request),
            ClientRequest::Verify(request) => return self.start_verify(now, pending, request),
            ClientRequest::ParcelSend(request) => {
                let request = request.clone();
                return self.parcels.start_send(now, &mut self.cx, &mut self.transfers, pending, request);
            }
            ClientRequest::ParcelReceive(request) => {
                let request = request.clone();
                return self.parcels.start_receive(now, &mut self.cx, pending, request);
            }
            ClientRequest::Transfers(_) => Ok(self.transfers.show(self.parcels.show())),
            ClientRequest::Cancel(request) => {
                let transfer = request.transfer;
                return self.cancel(now, pending, transfer);
            }
            ClientRequest::Help(request) => {
                let help = human::help(request.command.as_deref()).map(|commands| event::Help { commands }.into());
                help.map_err(|failure| failure.at(pointer_at("/command")))
            }
            ClientRequest::Unfocus(_) => return self.inbox.unfocus(now, &mut self.cx, id),
            ClientRequest::Private(_) | ClientRequest::PrivateOpen(_) => {
                return self.start_private(now, pending, false);
            }
            ClientRequest::Ping(_) => {
                return self.privates.ping(now, &mut self.cx, &mut self.inbox, &self.replica, pending);
            }
            ClientRequest::PrivateClose(request) => {
                return self.privates.close(now, &mut self.cx, &mut self.inbox, &self.replica, id, &request.to);
            }
            ClientRequest::Wait(_) => Ok(event::Waited {}.into()),
            ClientRequest::Quit(_) => return self.leave_as_wanted(now, Some(id)),
        };
        match result {
            Ok(answer) => self.cx.finish(now, id, answer),
            Err(failure) => self.cx.refuse(now, id, failure),
        }
    }

    /// Starts a `cancel`: of a parcel of ours, or of another transfer.
    fn cancel(&mut self, now: Time, pending: Pending, transfer: u64) {
        if !self.parcels.is_of(transfer) {
            return self.transfers.start_cancel(now, &mut self.cx, pending, transfer);
        }
        // This comes first: the last transfer's end may end the program.
        self.cx.finish(now, pending.id, event::Cancelled { transfer });
        self.parcels.cancel(now, &mut self.cx, &mut self.transfers, transfer);
    }

    /// Starts `private` or `private-open`. `sure` says that the hub has already been asked where the person is.
    pub(super) fn start_private(&mut self, now: Time, pending: Pending, sure: bool) {
        self.privates.start(now, &mut self.cx, &mut self.inbox, &self.replica, pending, sure);
    }

    fn start_offer(&mut self, now: Time, pending: Pending, offer: &request::Offer) {
        match self.offers.to_hash(&self.cx, offer) {
            Ok((dir, files)) => {
                let (chunks, hidden, watch) = (offer.chunks, offer.hidden, offer.watch);
                let hash = |task| Output::Hash(Offering { task, dir, files, chunks, hidden, watch });
                self.queue.start_task(&mut self.cx.effects, pending, hash);
            }
            Err(failure) => self.cx.refuse(now, pending.id, failure),
        }
    }

    fn start_push(&mut self, now: Time, pending: Pending, push: &request::Push) {
        let failure = match self.cx.registration.name() {
            None => ErrorCode::NotRegistered.into(),
            Some(_) if let Err(alarm) = self.check_key_of(&push.to) => alarm,
            Some(name) if NameKey::of(name) == NameKey::of(&push.to) => {
                Failure::from(ErrorCode::Yourself).at(pointer_at("/to"))
            }
            Some(_) => {
                let (dir, file, to) = (self.offers.dir().map(str::to_owned), push.file.clone(), push.to.clone());
                let grant = |task| Output::Grant { task, dir, file, to };
                return self.queue.start_task(&mut self.cx.effects, pending, grant);
            }
        };
        self.cx.refuse(now, pending.id, failure);
    }

    /// Asks the hub for somebody's key. It does not learn what for.
    fn start_verify(&mut self, now: Time, pending: Pending, verify: &request::Verify) {
        if let Err(failure) = self.check_verify(verify) {
            return self.cx.refuse(now, pending.id, failure);
        }
        let whois = request::Whois { name: Some(verify.name.clone()) };
        self.cx.ask(now, whois.into(), Origin::User(Box::new(pending)));
    }

    /// The hub has shown the person of a `verify`, or does not know them.
    pub(super) fn verify(&mut self, now: Time, pending: Pending, shown: Option<&Client>) {
        let Request::Verify(asked) = &pending.request else { return };
        let is_another = |client: &&Client| NameKey::of(&client.name) != NameKey::of(&asked.name);
        if shown.as_ref().is_some_and(is_another) {
            let failure = Failure::new(ErrorCode::WrongProtocol, "The hub has answered with another person.");
            return self.cx.refuse(now, pending.id, failure);
        }
        let name = shown.map_or(&asked.name, |client| &client.name).clone();
        let request = request::Verify { name, ..asked.clone() };
        let shown = shown.map(|client| client.key);
        let task = self.cx.verified.start_task(pending);
        self.cx.output(Output::Verify { task, request, shown });
    }

    /// A `verify` was judged.
    pub(super) fn verified(&mut self, now: Time, task: u64, result: Result<(KnownKey, event::SafetyNumber), Failure>) {
        let Some(pending) = self.cx.verified.end_task(task) else { return };
        match result {
            Ok((known, answer)) => {
                self.cx.verified.learn(&answer.name, known);
                self.cx.finish(now, pending.id, answer);
            }
            Err(failure) => self.cx.refuse(now, pending.id, failure),
        }
    }

    /// The folder of a `setdir` was checked.
    pub(super) fn dir_checked(&mut self, now: Time, task: u64, result: Result<String, Failure>) {
        let Some(pending) = self.queue.end_task(task) else { return };
        match result {
            Ok(dir) => {
                self.offers.choose_dir(dir.clone());
                self.cx.finish(now, pending.id, event::DirSet { dir });
            }
            Err(failure) => self.cx.refuse(now, pending.id, failure.at(pointer_at("/dir"))),
        }
    }

    /// Progress of hashing.
    pub(super) fn hashing(&mut self, now: Time, task: u64, progress: event::OfferProgress) {
        if let Some(id) = self.queue.id_of_task(task) {
            self.cx.tell_for(now, id, false, progress);
        }
    }

    /// Files to offer were hashed.
    pub(super) fn hashed(&mut self, now: Time, task: u64, result: Result<Hashed, Failure>) {
        if let Some(pending) = self.queue.end_task(task) {
            self.offers.hashed(now, &mut self.cx, pending, result);
        }
    }

    /// A file to push was hashed.
    pub(super) fn granted(&mut self, now: Time, task: u64, result: Result<Content, Failure>) {
        let Some(pending) = self.queue.end_task(task) else { return };
        let Request::Push(request) = &pending.request else { return };
        let to = request.to.clone();
        match result {
            Ok(content) => self.transfers.start_push(now, &mut self.cx, pending, to, content),
            Err(failure) => self.cx.refuse(now, pending.id, failure.at(pointer_at("/file"))),
        }
    }

    /// Answers each `list` that waits for the lost hub from our own copy of the table.
    pub(super) fn answer_lists_without_hub(&mut self, now: Time) {
        let is_list = |origin: &Origin| matches!(origin, Origin::User(p) if matches!(p.request, Request::List(_)));
        if !self.replica.has_table() {
            return;
        }
        for origin in self.cx.uplink.asks_mut().take_those(is_list) {
            if let Origin::User(pending) = origin
                && let Request::List(list) = &pending.request
            {
                self.list_without_hub(now, pending.id, list);
            }
        }
    }

    /// Answers `list` with what we know, marked as old.
    pub(super) fn list_without_hub(&mut self, now: Time, id: RequestId, list: &request::List) {
        let table = self.replica.list(self.replica.revision, list);
        self.cx.finish(now, id, event::Table { stale: true, ..table });
    }

    /// Takes a request that was written after a `quit`: transfers can still be listed and cancelled, all else is
    /// refused.
    pub(super) fn enqueue_after_quit(&mut self, pending: Pending) {
        let is_of_transfers = matches!(pending.request, Request::Cancel(_) | Request::Transfers(_));
        self.queue.push(if is_of_transfers && !self.ending.is_leaving() {
            Waiting::Request(pending)
        } else {
            let failure = Failure::new(ErrorCode::Interrupted, "You are leaving: `quit` was asked before it.");
            Waiting::Bad(pending.id, failure.hint("Ask before `quit`, or join again."))
        });
    }

    /// Whether the driver may hand over more requests; otherwise they wait at their source.
    pub fn accepts_requests(&self) -> bool {
        self.queue.has_room()
    }

    /// Whether requests wait because too much of what was told is unread. Then the driver says how much that is
    /// (`Input::Unread`), now and each time that it shrinks.
    pub fn waits_for_reader(&self) -> bool {
        // If nothing is unread, it is the hub's answers that are waited for.
        self.cx.effects.unread() > 0 && self.queue.first().is_some_and(|head| !has_room_for(self, head))
    }
}

/// Refuses what needs a name in a session that is to have none.
fn check_entry(entry: &Entry, asked: &Request) -> Result<(), Failure> {
    let is_of_everybody = matches!(
        asked,
        Request::ParcelReceive(_)
            | Request::Setdir(_)
            | Request::Transfers(_)
            | Request::Cancel(_)
            | Request::Help(_)
            | Request::Wait(_)
            | Request::Quit(_)
    );
    let is_allowed = match entry {
        Entry::Named { .. } => true,
        Entry::Member | Entry::Keeper => is_of_everybody || matches!(asked, Request::ParcelSend(_)),
        Entry::Guest => is_of_everybody,
    };
    if is_allowed {
        return Ok(());
    }
    let failure = Failure::new(ErrorCode::NotRegistered, "This session has no name at the hub.");
    Err(failure.hint("`potluck join` registers one."))
}
