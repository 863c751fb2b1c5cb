//! The client's driver: connects [`Session`] with the user's streams, the hub, the disk and transfers.

mod code;
mod files;
mod hub_key;
mod meetings;
mod messages;
mod network;
mod observer;
mod options;
mod parcel_news;
mod parcels;
mod peers;
mod reach;
mod serving;
mod transfers;
mod verify;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::core::Rng;
use crate::core::fetch::Source;
use crate::core::session::{Chance, Input, Output, Session, TransferNote};
use crate::io::drive::output::Output as Printed;
use crate::io::fs::check_dir;
use crate::io::net::Conn;
use crate::io::net::connection::{Outgoing, run_connection};
use crate::io::net::line_room::LineRoom;
use crate::io::net::reach::{Reacher, ToHub};
use crate::io::os::clock::until;
use crate::io::state::inbox::Inboxes;
use crate::io::transfer::{Control, LocalPeer, Rates, TokenBucket};
use crate::protocol::limits::MAX_FRAME;
use crate::protocol::name::HUB;
use crate::protocol::{Code, EventLine, Failure, PublicKey, request};
use network::OwnAddress;
use peers::PeerPort;
use serving::Serving;
use verify::{Verifying, complain, verified_at};

use messages::Later;
pub use messages::{ConnBox, Message, Reporting, mailbox};
pub use observer::{Observer, UNREAD};
pub use options::{ClientOptions, ClientTimeouts, Folders, Ports, TransferOptions, UserInput, Who};
pub use reach::reach;

/// A running client.
pub struct ClientDriver<W> {
    session: Session,
    local: LocalPeer,
    options: ClientOptions,
    sender: mpsc::Sender<Message>,
    messages: mpsc::Receiver<Message>,
    printed: Printed<EventLine>,
    watch: W,
    serving: Serving,
    peers: PeerPort,
    hub: HubSocket,
    inboxes: Option<Inboxes>,
    later: VecDeque<Later>,
    fetching: Fetching,
    end: Option<u8>,
}

/// The connection to the hub.
struct HubSocket {
    /// From which of our addresses it is reached.
    own: OwnAddress,
    /// Gives connections to other clients, with the hub's help where it is needed.
    reacher: Reacher,
    /// The hub's key: proven or expected.
    key: Option<PublicKey>,
    /// The number of the present connection, and what waits to be written to it.
    outgoing: Option<(u64, Arc<Outgoing>)>,
    next_conn: u64,
    /// The code to be exchanged before the first connection.
    code: Option<Code>,
}

/// The downloads.
struct Fetching {
    running: HashMap<u64, Control>,
    /// Downloads whose further sources' keys are being looked up, with the sources that were reported meanwhile.
    checking: HashMap<u64, Vec<Source>>,
    tokens: Rng,
}

impl<W: Observer> ClientDriver<W> {
    /// Opens the port for files (at `reach` if only this machine needs to reach it, and `options` do not say otherwise) and prepares everything. `watch` is
    /// called when the replica has changed.
    ///
    /// # Errors
    /// `port-in-use`, or the failure of opening the data folder.
    pub fn new(
        options: ClientOptions,
        reach: Option<IpAddr>,
        printed: Printed<EventLine>,
        (sender, messages): (mpsc::Sender<Message>, mpsc::Receiver<Message>),
        watch: W,
    ) -> Result<Self, Failure> {
        let reach = reach.filter(|_| !options.ports.everywhere);
        let limit = |rate: Option<u64>| rate.map(TokenBucket::new);
        let rates = Rates { up: limit(options.transfers.up), down: limit(options.transfers.down) };
        let seed = crate::io::os::clock::random().map_err(Failure::internal)?;
        let reacher = meetings::open(seed, sender.clone());
        let identity = options.who.identity(&options.folders.home)?;
        let key = identity.key;
        let local = LocalPeer::new(identity).limited(rates).reaching(reacher.clone());
        let serving = Serving::open(&options, reach, &local, &sender, seed.rotate_left(16))?;
        let peers = PeerPort::open(options.ports.link, reach, &local, sender.clone())?;
        let ports = Ports { files: serving.server.port(), link: peers.port(), ..options.ports };
        let secrets = crate::io::os::clock::random_bytes().map_err(Failure::internal)?;
        let config = options.session(ports, key, Chance { seed, secrets });
        let code = options.hub.code.clone();
        let tokens = Rng(seed.rotate_left(32));
        Ok(Self {
            session: Session::new(config),
            local,
            sender,
            messages,
            printed,
            watch,
            serving,
            peers,
            hub: HubSocket {
                key: options.hub_key.or(options.hub.key),
                outgoing: None,
                own: OwnAddress::new(),
                next_conn: 1,
                reacher,
                code,
            },
            options,
            inboxes: None,
            later: VecDeque::new(),
            fetching: Fetching { running: HashMap::new(), checking: HashMap::new(), tokens },
            end: None,
        })
    }

    /// Runs until the session ends, and returns the exit code.
    pub async fn run(mut self, mut input: mpsc::Receiver<UserInput>) -> u8 {
        self.handle(Input::Start);
        // Requests that are there already get their answer, however short the time limit.
        while self.session.accepts_requests()
            && let Ok(user) = input.try_recv()
        {
            self.take_input(user);
        }
        let mut input_open = true;
        loop {
            if let Some(code) = self.end {
                self.wait_for_transfers().await;
                return code;
            }
            if self.session.waits_for_reader() {
                self.handle(Input::Unread(self.watch.unread(self.printed.unread())));
                self.flush();
            }
            let unread = self.session.waits_for_reader();
            let takes = input_open && self.session.accepts_requests();
            let timeout = self.session.next_timeout().map(|at| self.options.clock.instant(at));
            tokio::select! {
                Some(message) = self.messages.recv() => self.take(message),
                user = input.recv(), if takes => match user {
                    Some(user) => self.take_input(user),
                    None => input_open = false,
                },
                () = self.printed.taken(), if unread => {}
                () = self.hub.own.look() => self.look_at_own_address(),
                () = until(timeout) => self.handle(Input::Tick),
            }
            self.flush();
        }
    }

    fn take_input(&mut self, user: UserInput) {
        match user {
            UserInput::Line(number, line) => self.handle(Input::Line(number, &line)),
            UserInput::Bad(number, bad) => self.handle(Input::Bad(number, bad)),
            UserInput::TooLong(number) => self.handle(Input::LineTooLong(number)),
            UserInput::Request(request) => self.handle(Input::Request(request)),
            UserInput::End => self.handle(Input::EndOfInput),
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Interrupt(code) => self.handle(Input::Interrupt(code)),
            Message::Connected(conn, connection, host) => self.connected(conn, connection.0, &host),
            Message::Redeemed(redeemed) => {
                (self.hub.code, self.hub.key) = (None, Some(redeemed.key));
                self.handle(Input::Invited(redeemed.invite));
            }
            Message::ConnectFailed(failure) => self.handle(Input::ConnectFailed(failure)),
            Message::HubLine(conn, line) if self.is_current(conn) => {
                let before = self.session.replica().updates;
                self.handle(Input::HubLine(&line));
                if self.session.replica().updates != before {
                    self.watch.updated(self.session.replica());
                }
            }
            Message::Disconnected(conn, reason) if self.is_current(conn) => {
                self.hub.outgoing = None;
                self.handle(Input::Disconnected(reason));
            }
            // From a connection that was given up.
            Message::HubLine(..) | Message::Disconnected(..) => {}
            Message::Written(numbers, privates) => {
                self.handle(Input::Written(&numbers));
                self.handle(Input::PrivatesWritten(privates));
            }
            Message::Dir(task, result) => self.handle(Input::DirChecked(task, result)),
            Message::Hashed(task, result) => self.handle(Input::Hashed(task, result)),
            Message::Hashing(task, progress) => self.handle(Input::Hashing(task, progress)),
            Message::Parcel(news) => {
                let place = || (self.serving.server.port(), self.hub.reacher.own_addresses());
                for input in self.serving.parcels.hear(news, self.hub.key, place) {
                    self.handle(Input::Parcel(input));
                }
            }
            Message::Granted(task, result) => self.handle(Input::Granted(task, result)),
            Message::Verified(task, result) => self.handle(Input::Verified(task, result)),
            Message::FilesChanged(changes) => self.handle(Input::FilesChanged(changes)),
            Message::Transfer(transfer, note) => {
                if matches!(note, TransferNote::Completed { .. } | TransferNote::Failed(_)) {
                    self.fetching.running.remove(&transfer);
                }
                self.handle(Input::Transfer(transfer, note));
            }
            Message::SourcesChecked(transfer) => self.sources_checked(transfer),
            Message::Upload(upload, note) => self.handle(Input::Upload(upload, note)),
            Message::Peer(note) => self.peer_note(note),
            Message::ToHub(ToHub::Meet(meet)) => self.handle(Input::Meet(meet)),
            Message::ToHub(ToHub::MeetAt(places)) => self.handle(Input::MeetAt(places)),
        }
    }

    fn is_current(&self, conn: u64) -> bool {
        self.hub.outgoing.as_ref().is_some_and(|(current, _)| *current == conn)
    }

    fn connected(&mut self, conn: u64, connection: Conn, host: &str) {
        let (key, address) = (connection.peer, connection.address.ip().to_canonical());
        let reached = SocketAddr::new(address, connection.address.port());
        meetings::find_hub(&self.hub.reacher, reached, self.options.hub.hosts());
        self.hub_is_at(reached, connection.transport);
        let hub = &self.options.hub;
        let named = self.options.hub_key.is_some() || hub.key.is_some() || hub.code.is_some();
        if (self.hub.key.replace(key) != Some(key) || named) && !self.options.passing {
            // Only for the host that was reached: a link can name hosts of others, whose pins are not its to change.
            // Without a pin, another key would not be noticed the next time, so the user must be told.
            if let Err(failure) = self.options.folders.home.pins().pin_hub(host, key) {
                complain("the hub's key cannot be remembered", &failure);
            }
        }
        self.inboxes.get_or_insert_with(|| Inboxes::at(self.options.folders.home.dir(), &key));
        let outgoing = Arc::new(Outgoing::default());
        self.hub.outgoing = Some((conn, Arc::clone(&outgoing)));
        let sender = self.sender.clone();
        tokio::spawn(async move {
            let (line, room) = (|line| Message::HubLine(conn, line), Arc::new(LineRoom::of_one()));
            let broken = run_connection(connection, &outgoing, MAX_FRAME, &room, &sender, line).await;
            let _ = sender.send(Message::Disconnected(conn, broken.unwrap_or_else(|| "closed".into()))).await;
        });
        self.handle(Input::HubAt(address, key));
        self.handle(Input::VerifiedKeys(verified_at(&self.options.folders.home.pins(), &key)));
        self.handle(Input::Connected);
    }

    fn handle(&mut self, input: Input<'_>) {
        self.handle_one(input);
        while let Some(later) = self.later.pop_front() {
            self.handle_one(later.input());
        }
    }

    fn handle_one(&mut self, input: Input<'_>) {
        let now = self.options.clock.now();
        self.session.handle(now, input);
        while let Some(output) = self.session.poll(now) {
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Tell(line) => self.tell(*line),
            Output::Parcel(output) => {
                let without = self.serving.parcels.perform(output, self.hub.key);
                without.iter().for_each(|key| self.serving.server.cancel_all_of(key));
            }
            Output::OpenInbox(name) => self.open_inbox(name),
            Output::Shown(name, shown) => self.remember(&name, &shown),
            Output::Connect => self.connect(),
            Output::Disconnect => {
                if let Some((_, outgoing)) = self.hub.outgoing.take() {
                    outgoing.close();
                }
            }
            Output::Say(line) => {
                // The hello's text is not logged, because it has the secret of an invite.
                tracing::debug!("saying hello to the hub");
                self.with_hub(|outgoing| outgoing.say(&line));
            }
            Output::Send(frame) => self.with_hub(|outgoing| outgoing.push(&frame)),
            Output::CheckDir(task, dir) => {
                let check = move || check_dir(&PathBuf::from(dir)).map(|dir| dir.to_string_lossy().into_owned());
                self.on_thread(move || Message::Dir(task, check()));
            }
            Output::Hash(offering) => self.on_thread(self.serving.hash(offering, self.sender.clone())),
            Output::Unserve(files) => self.serving.offers.withdraw(&files),
            Output::Peers(peers) => {
                // The hub must be able to fetch the files of which it keeps copies.
                let hub = self.hub.key.map(|key| (key, HUB.to_owned())).filter(|_| peers.is_some());
                self.serving.contents.set_peers(peers.into_iter().flatten().chain(hub).collect());
            }
            Output::PeersChanged(changes) => {
                for (key, owner) in changes.into_iter().filter(|(key, _)| Some(*key) != self.hub.key) {
                    self.serving.contents.set_peer(key, owner);
                }
            }
            Output::PeersLeft(keys) => keys.iter().for_each(|key| self.serving.server.cancel_all_of(key)),
            Output::Grant { task, dir, file, to } => {
                let known = (self.options.folders.home.pins(), self.hub.key);
                self.on_thread(self.serving.grant((task, dir, file, to), known));
            }
            Output::Verify { task, request, shown } => self.verify(task, request, shown),
            Output::Revoke(hash, to) => self.serving.contents.revoke(&hash, &to),
            Output::Sources(transfer, sources) => self.add_sources(transfer, sources),
            Output::Whereabouts(whereabouts) => self.tell_whereabouts(&whereabouts),
            Output::CancelUpload(upload) => self.serving.server.cancel(upload),
            Output::Fetch(transfer, plan) => self.fetch(transfer, plan),
            Output::CancelFetch(transfer) => {
                if let Some(control) = self.fetching.running.get(&transfer) {
                    control.cancel();
                }
            }
            Output::Peer(output) => self.for_peer(output),
            Output::Meeting(news) => self.meeting(news),
            Output::Unread => self.watch.end_waits(),
            Output::End(code) => self.end = Some(code),
        }
    }

    fn verify(&self, task: u64, asked: request::Verify, shown: Option<PublicKey>) {
        let (pins, hub, ours) = (self.options.folders.home.pins(), self.hub.key, self.local.key);
        let verifying = Verifying { pins, hub, ours, asked, shown };
        self.on_thread(move || Message::Verified(task, verifying.judge()));
    }

    fn on_thread(&self, work: impl FnOnce() -> Message + Send + 'static) {
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            let message = work();
            let _ = sender.blocking_send(message);
        });
    }

    fn with_hub(&self, change: impl FnOnce(&Outgoing)) {
        if let Some((_, outgoing)) = &self.hub.outgoing {
            change(outgoing);
        }
    }

    fn flush(&self) {
        self.with_hub(Outgoing::flush);
    }
}
