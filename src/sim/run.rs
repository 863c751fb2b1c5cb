//! The loop of the simulation: takes the scheduled events in their order and carries out what the machines want.

use std::time::Duration;

use super::done::Done;
use super::hub_files::{HUB_ADDRESS, HUB_KEY};
use super::{Conn, EPOCH, Happening, Sim};
use crate::core::fetch;
use crate::core::hub::{self, Verified};
use crate::core::session::{Hashed, Input, Offering, Output, is_private, number_of};
use crate::core::time::Time;
use crate::protocol::record::NameRecord;
use crate::protocol::{ErrorCode, Event, Failure, LogLine, Offer, PublicKey, Timestamp, event};

/// How long a local task takes.
pub(super) const TASK: Duration = Duration::from_micros(500);

/// The revision up to which [`Sim::offered_at`] remembers the table.
const REMEMBERED: u64 = 10_000;

/// The most bytes that are hashed in one step; with more, progress is told in between.
const MUCH: u64 = 1 << 20;

impl Sim {
    /// Runs the next scheduled event, if it is before `end`.
    pub(super) fn step(&mut self, end: Time) -> bool {
        let agenda = self.agenda.next_at();
        let hub = self.host.hub.as_ref().and_then(hub::Hub::next_timeout);
        let clients =
            self.actors.iter().filter(|actor| actor.ended.is_none()).filter_map(|a| a.session.next_timeout()).min();
        let Some(next) = [agenda, hub, clients].into_iter().flatten().min() else { return false };
        if next > end {
            return false;
        }
        self.now = self.now.max(next);
        if agenda == Some(next) {
            let Some(happening) = self.agenda.pop() else { return false };
            self.happen(happening);
        } else if hub == Some(next) {
            self.tell_hub(hub::Input::Tick);
        } else {
            let due = |index: &usize| {
                let actor = &self.actors[*index];
                actor.ended.is_none() && actor.session.next_timeout().is_some_and(|at| at <= next)
            };
            if let Some(index) = (0..self.actors.len()).find(due) {
                self.tell_client(index, Input::Tick);
            }
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Connects(client) => self.connect(client),
            Happening::LineToHub(conn, line) => {
                if self.network.conns.get(&conn).is_some_and(|conn| !conn.silent) {
                    self.tell_hub(hub::Input::Line { conn, line: line.as_bytes() });
                }
            }
            Happening::LineToClient(conn, line) => {
                if let Some(Conn { client, silent: false, .. }) = self.network.conns.get(&conn) {
                    self.tell_client(*client, Input::HubLine(line.as_bytes()));
                }
            }
            Happening::Breaks(conn) => self.breaks(conn),
            Happening::Committed(run, commit) => self.committed(run, commit),
            Happening::Found(run, number, query) if run == self.host.runs => {
                let found = self.host.disk.find(&query);
                self.tell_hub(hub::Input::Found(number, found));
            }
            Happening::Verified(run, attempt, name_key, password) if run == self.host.runs => {
                let account = self.host.disk.check(&name_key, &password);
                let verified = account.and_then(|NameRecord { name, name_key, credential, .. }| {
                    Some(Verified { name, name_key, credential: credential? })
                });
                self.tell_hub(hub::Input::Verified(attempt, verified));
            }
            Happening::Copied(run, plan) if run == self.host.runs => self.copied(plan),
            // It was meant for an earlier run of the hub.
            Happening::Found(..) | Happening::Verified(..) | Happening::Copied(..) => {}
            Happening::Local(client, done) => self.local_done(client, done),
            Happening::Peer(happens) => self.peer_happens(happens),
            Happening::Transfer(client, transfer, step) => self.transfer_step(client, transfer, step),
        }
    }

    fn connect(&mut self, client: usize) {
        if self.actors[client].ended.is_some() {
            return;
        }
        if self.host.hub.is_none() || !self.network.reachable {
            let failure = Failure::new(ErrorCode::HubUnreachable, "Nothing answers at hub.example:7755.");
            return self.tell_client(client, Input::ConnectFailed(failure));
        }
        let conn = self.network.number();
        let (key, address) = (self.actors[client].key, self.actors[client].address);
        self.network
            .conns
            .insert(conn, Conn { client, silent: false, to_hub_free: self.now, to_client_free: self.now });
        self.actors[client].conn = Some(conn);
        self.tell_hub(hub::Input::Connected { conn, key, address, transport: "quic", exporter: None });
        self.tell_client(client, Input::HubAt(HUB_ADDRESS, HUB_KEY));
        self.tell_client(client, Input::Connected);
    }

    fn breaks(&mut self, conn: u64) {
        let Some(Conn { client, .. }) = self.network.conns.remove(&conn) else { return };
        self.tell_hub(hub::Input::Disconnected { conn, reason: "connection reset".into() });
        if self.actors[client].conn == Some(conn) {
            self.actors[client].conn = None;
            self.tell_client(client, Input::Disconnected("connection reset".into()));
        }
    }

    fn committed(&mut self, run: u64, commit: u64) {
        if run != self.host.runs || self.host.hub.is_none() {
            return;
        }
        self.host.writing.committed(commit, &mut self.host.disk);
        self.tell_hub(hub::Input::Committed(commit));
    }

    fn local_done(&mut self, client: usize, done: Done) {
        if self.actors[client].ended.is_none() {
            let now = self.now;
            self.actors[client].done(now, done);
            self.drain_client(client);
        }
    }

    pub(super) fn tell_client(&mut self, client: usize, input: Input<'_>) {
        if self.actors[client].ended.is_none() {
            self.actors[client].session.handle(self.now, input);
            self.drain_client(client);
        }
    }

    pub(super) fn drain_client(&mut self, client: usize) {
        loop {
            while let Some(output) = self.actors[client].session.poll(self.now) {
                self.do_for_client(client, output);
            }
            // In the simulation, an event is written and its number stored at once, before anything else happens.
            let actor = &mut self.actors[client];
            if !actor.output.reads {
                return;
            }
            if actor.ended.is_none() && actor.session.waits_for_reader() {
                actor.session.handle(self.now, Input::Unread(0));
                continue;
            }
            actor.output.read = actor.output.told.len();
            let (written, privates) =
                (std::mem::take(&mut actor.output.written), std::mem::take(&mut actor.output.privates));
            if (written.is_empty() && privates == 0) || actor.ended.is_some() {
                return;
            }
            actor.session.handle(self.now, Input::Written(&written));
            while let Some(output) = self.actors[client].session.poll(self.now) {
                self.do_for_client(client, output);
            }
            if self.actors[client].ended.is_none() {
                self.actors[client].session.handle(self.now, Input::PrivatesWritten(privates));
            }
        }
    }

    fn do_for_client(&mut self, client: usize, output: Output) {
        let soon = self.now + TASK;
        match output {
            Output::Parcel(output) => self.do_for_parcel(client, output),
            Output::Tell(mut line) => {
                let actor = &mut self.actors[client];
                assert_eq!(actor.asked.mistake(&line), None);
                actor.output.written.extend(number_of(&line.event));
                actor.output.privates += usize::from(is_private(&line.event));
                if !matches!(line.event, Event::Withheld(_)) {
                    line.seq = Some(actor.output.told.len() as u64 + 1);
                    actor.output.told.push(*line);
                }
            }
            Output::Connect => {
                let at = self.now + self.config.latency.1;
                self.later(at, Happening::Connects(client));
            }
            Output::Disconnect => {
                if let Some(conn) = self.actors[client].conn.take() {
                    let free = self.network.conns.get(&conn).map_or(self.now, |conn| conn.to_hub_free);
                    self.later(free, Happening::Breaks(conn));
                }
            }
            Output::Say(line) => self.line_to_hub(client, line),
            Output::Send(frame) => self.line_to_hub(client, text_of(&frame)),
            Output::OpenInbox(name) => self.open_inbox(client, name),
            Output::Shown(name, number) => drop(self.shown.insert((self.actors[client].key, name), number)),
            Output::CheckDir(task, dir) => {
                let result = self.actors[client].disk.check_dir(&dir);
                self.later(soon, Happening::Local(client, Done::Dir(task, result)));
            }
            Output::Grant { task, dir, file, to } => {
                let result = self.actors[client].disk.grant(dir.as_deref(), &file, &to);
                self.later(soon, Happening::Local(client, Done::Granted(task, result)));
            }
            Output::Verify { task, request, shown } => {
                let result = self.actors[client].verify(&request, shown);
                self.later(soon, Happening::Local(client, Done::Verified(task, result)));
            }
            Output::Revoke(hash, to) => self.actors[client].disk.revoke(hash, &to),
            Output::Sources(transfer, sources) => self.tell_machine(client, transfer, fetch::Input::Learned(sources)),
            Output::Whereabouts(whereabouts) => self.tell_whereabouts(client, &whereabouts),
            Output::Hash(offering) => self.hash(client, &offering),
            Output::Unserve(files) => self.actors[client].disk.unserve(&files),
            Output::Peers(peers) => self.actors[client].peers = peers.into_iter().flatten().collect(),
            Output::PeersChanged(changes) => self.peers_changed(client, changes),
            // A simulated upload ends with its receiver's transfer.
            Output::PeersLeft(_) => {}
            Output::Fetch(transfer, plan) => self.fetch(client, transfer, plan),
            Output::CancelFetch(transfer) => self.cancel_fetch(client, transfer),
            Output::CancelUpload(upload) => self.cancel_upload(client, upload),
            Output::Meeting(_) => {}
            Output::Peer(output) => self.do_for_peer(client, output),
            Output::Unread => {}
            Output::End(code) => self.actors[client].ended = Some(code),
        }
    }

    fn open_inbox(&mut self, client: usize, name: String) {
        let shown = self.shown.get(&(self.actors[client].key, name.clone())).cloned().unwrap_or_default();
        self.later(self.now + TASK, Happening::Local(client, Done::Inbox(name, shown)));
    }

    fn peers_changed(&mut self, client: usize, changes: Vec<(PublicKey, Option<String>)>) {
        let peers = &mut self.actors[client].peers;
        for (key, owner) in changes {
            match owner {
                Some(owner) => drop(peers.insert(key, owner)),
                None => drop(peers.remove(&key)),
            }
        }
    }

    /// Hashes files to offer, and reports progress if they are large.
    fn hash(&mut self, client: usize, offering: &Offering) {
        let result = self.actors[client].disk.offer(offering);
        let mut done = self.now + TASK;
        if let Ok(Hashed { contents, .. }) = &result {
            let size: u64 = contents.iter().map(|content| content.size).sum();
            if size >= MUCH {
                let (bytes, total_files) = (size / 2, contents.len() as u64);
                let progress = event::OfferProgress { files: total_files / 2, total_files, bytes, size };
                self.later(done, Happening::Local(client, Done::Hashing(offering.task, progress)));
                done = done + TASK;
            }
        }
        self.later(done, Happening::Local(client, Done::Hashed(offering.task, result)));
    }

    fn line_to_hub(&mut self, client: usize, line: String) {
        let delay = self.between(self.config.latency);
        let now = self.now;
        let Some(id) = self.actors[client].conn else { return };
        let Some(conn) = self.network.conns.get_mut(&id) else { return };
        conn.to_hub_free = conn.to_hub_free.max(now + delay);
        let at = conn.to_hub_free;
        self.later(at, Happening::LineToHub(id, line));
    }

    pub(super) fn tell_hub(&mut self, input: hub::Input<'_>) {
        let Some(hub) = &mut self.host.hub else { return };
        hub.handle(self.now, input);
        while let Some(output) = self.host.hub.as_mut().and_then(|hub| hub.poll(self.now)) {
            self.do_for_hub(output);
        }
        if let Some(hub) = &self.host.hub
            && hub.revision() <= REMEMBERED
        {
            self.host.tables.entry((hub.revision(), self.host.runs)).or_insert_with(|| hub.offers());
        }
    }

    /// The table at a revision, as each run of the hub had it. Only early revisions are remembered.
    pub fn offered_at(&self, revision: u64) -> impl Iterator<Item = &[Offer]> {
        self.host.tables.range((revision, 0)..=(revision, u64::MAX)).map(|(_, offers)| offers.as_slice())
    }

    fn do_for_hub(&mut self, output: hub::Output) {
        match output {
            hub::Output::Send(conn, frame) => self.line_to_client(conn, text_of(&frame)),
            hub::Output::Say(conn, line) | hub::Output::SayToStranger(conn, line) => self.line_to_client(conn, line),
            hub::Output::Close(conn) => {
                let at = self.network.conns.get(&conn).map_or(self.now, |conn| conn.to_client_free);
                self.later(at, Happening::Breaks(conn));
            }
            hub::Output::Persist(commit, record) => {
                self.host.writing.write(commit, record);
                let mut delay = self.between(self.config.commit);
                if self.config.commit.0 < self.config.commit.1 && self.rng.chance(2) {
                    // Now and then the disk is ten times slower.
                    delay *= 10;
                }
                let at = self.host.on_disk.max(self.now + delay);
                self.host.on_disk = at;
                self.later(at, Happening::Committed(self.host.runs, commit));
            }
            // The simulated disk is never full.
            hub::Output::Abandon(_) => {}
            hub::Output::Query(number, query) => {
                // The query is answered after everything before it was written.
                let at = self.host.on_disk.max(self.now) + self.between(self.config.commit);
                self.later(at, Happening::Found(self.host.runs, number, query));
            }
            hub::Output::Verify { attempt, name_key, password } => {
                let at = self.now + self.between(self.config.commit);
                self.later(at, Happening::Verified(self.host.runs, attempt, name_key, password));
            }
            hub::Output::Copy(plan) => self.copy(plan),
            hub::Output::Discard(hash) => self.served.discard(&hash),
            // The simulated hub serves everybody.
            hub::Output::MayFetch(..) | hub::Output::MayNotFetch(_) => {}
            // Nobody shows it a token.
            hub::Output::Join { .. } | hub::Output::Cut(_) => {}
            hub::Output::Called(..) | hub::Output::DropHalf(_) => {}
            hub::Output::Log(event) => {
                let time = Timestamp(EPOCH.0 + (self.now.0 / 1_000) as i64);
                self.log.push(LogLine { time, event });
            }
            hub::Output::Stopped => self.host.hub = None,
        }
    }

    fn line_to_client(&mut self, id: u64, line: String) {
        let delay = self.between(self.config.latency);
        let now = self.now;
        let Some(conn) = self.network.conns.get_mut(&id) else { return };
        conn.to_client_free = conn.to_client_free.max(now + delay);
        let at = conn.to_client_free;
        self.later(at, Happening::LineToClient(id, line));
    }
}

pub(super) fn text_of(frame: &crate::protocol::wire::Frame) -> String {
    let mut line = Vec::new();
    frame.write(&mut line);
    line.pop();
    String::from_utf8(line).expect("frames are text")
}
