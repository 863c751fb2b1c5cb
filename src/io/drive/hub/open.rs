//! Everything that a hub needs, opened in its order: store, port, files, threads.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{FilesOptions, HubDriver, HubShelf, Mailbox, Message, mailbox};
use crate::core::LinkConfig;
use crate::core::hub::{Access, HubConfig, Keep, LoginPolicy};
use crate::io::fs::check_dir;
use crate::io::net::identity::Identity;
use crate::io::net::{ListenLimits, Listener};
use crate::io::os::clock::{Clock, random};
use crate::io::store::Store;
use crate::io::store::passwords::Checker;
use crate::io::store::writer::StoreWriter;
use crate::protocol::limits::HubLimits;
use crate::protocol::record::Loaded;
use crate::protocol::{Failure, JoinLink, LogLine, Timestamp, log};

/// What a hub is started with.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// The folder of its store; without one, everything is in memory.
    pub data: Option<PathBuf>,
    /// Where it listens, over UDP and TCP; port 0 takes a free one.
    pub address: SocketAddr,
    /// The host in its join link, if that is not the address.
    pub host: Option<String>,
    /// Who may join; if it is not said, everybody where only this machine can reach the hub, else who has an invite.
    pub access: Option<Access>,
    /// What is allowed.
    pub limits: HubLimits,
    /// How failed logins are met.
    pub logins: LoginPolicy,
    /// The link's timers.
    pub link: LinkConfig,
    /// How long a client that does not answer keeps its place.
    pub grace: Duration,
    /// What is kept of what was said; everything, unless this says otherwise.
    pub keep: Option<Keep>,
    /// A folder whose files the hub offers itself.
    pub files: Option<PathBuf>,
    /// Room for copies of what others offer, in bytes; none without it.
    pub copies: Option<u64>,
    /// The TCP port to serve files on; 0 takes a free one.
    pub files_port: u16,
}

impl Default for HubOptions {
    /// A hub in memory, on a free port, for this machine.
    fn default() -> Self {
        Self {
            data: None,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            host: None,
            access: None,
            limits: HubLimits::default(),
            logins: LoginPolicy::default(),
            link: LinkConfig::hub(),
            grace: Duration::from_secs(30),
            keep: None,
            files: None,
            copies: None,
            files_port: 0,
        }
    }
}

/// A hub whose store and ports are open; nobody is let in before it runs.
pub struct OpenHub {
    config: HubConfig,
    clock: Clock,
    store: Store,
    loaded: Loaded,
    listener: Listener,
    link: JoinLink,
    mailbox: Mailbox,
    messages: mpsc::Receiver<Message>,
    shelf: Option<HubShelf>,
}

impl OpenHub {
    /// Opens the store, then the ports. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// What the store refuses (`store-failed`, `store-busy`, `store-corrupt` and the like); `port-in-use`; `bad-config`,
    /// if the address or the folder of files cannot be used.
    pub fn open(options: HubOptions) -> Result<Self, Failure> {
        let clock = Clock::start();
        let files = options.files.as_deref().map(check_dir).transpose()?;
        let (mut store, loaded) = options.data.as_deref().map_or_else(Store::ephemeral, Store::open)?;
        let identity = store.identity()?;
        let listener = Listener::bind(options.address, &identity, ListenLimits::default())?;
        let link = join_link(options.host.clone(), listener.local_addr(), &identity);
        store.remember_address(&link.host_port())?;
        let (mailbox, messages) = mailbox();
        let shelf = match (&files, options.copies) {
            (None, None) => None,
            (Some(_), _) | (_, Some(_)) => {
                let (address, port, room) = (options.address.ip(), options.files_port, options.copies.unwrap_or(0));
                let serve = FilesOptions { address, port, dir: files, room };
                Some(HubShelf::open(&serve, options.data.as_deref(), &loaded.copies, &identity, &mailbox)?)
            }
        };
        let loopback = if options.address.ip().is_loopback() { Access::Open } else { Access::Invite };
        let config = HubConfig {
            files: shelf.as_ref().map(HubShelf::config),
            link: options.link,
            grace: options.grace,
            limits: options.limits,
            access: options.access.unwrap_or(loopback),
            logins: options.logins,
            keep: options.keep,
            run: random().map_err(Failure::internal)?,
            epoch: clock.epoch(),
        };
        Ok(Self { config, clock, store, loaded, listener, link, mailbox, messages, shelf })
    }

    /// What clients join with: where the hub is reached, and its key.
    pub fn link(&self) -> &JoinLink {
        &self.link
    }

    /// Where it listens, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Who may join.
    pub fn access(&self) -> &Access {
        &self.config.access
    }

    /// The store, until the hub runs.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// The way to the hub, also while it runs.
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// What the calendar says.
    pub fn now(&self) -> Timestamp {
        self.clock.calendar()
    }

    /// What the log says first: where to join.
    pub fn listening(&self) -> LogLine {
        let access = match self.config.access {
            Access::Open => "open",
            Access::Invite => "invite",
            Access::Accounts => "accounts",
        };
        let event = log::HubListening {
            address: self.address().ip().to_string(),
            port: self.address().port(),
            link: self.link.to_string(),
            key: self.link.key.expect("our own link names our key"),
            access: access.into(),
            files_port: self.config.files.as_ref().map(|files| files.port),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        LogLine { time: self.clock.calendar(), event: event.into() }
    }

    /// Lets clients in, until the hub has been stopped and everybody has been told; the log gets every line but
    /// [`OpenHub::listening`].
    ///
    /// # Errors
    /// Why it ended by itself, or could not write everything at its end.
    pub async fn run(self, log: impl FnMut(LogLine)) -> Result<(), Failure> {
        // A hub that ends does not wait for what is told here.
        let checked = self.mailbox.clone();
        let checked = Box::new(move |attempt, account| {
            let _ = checked.blocking_send(Message::Checked(attempt, account));
        });
        let passwords = Checker::spawn(&self.store, checked)?;
        let told = self.mailbox.clone();
        let told = Box::new(move |what| drop(told.blocking_send(Message::Store(what))));
        let store = StoreWriter::spawn(self.store, told)?;
        let (parts, mail) = ((store, passwords, self.shelf), (self.mailbox, self.messages));
        HubDriver::new(self.config, self.loaded, self.clock, parts, mail, log).run(self.listener).await
    }
}

fn join_link(host: Option<String>, address: SocketAddr, identity: &Identity) -> JoinLink {
    let host = host.unwrap_or_else(|| match address.ip().is_unspecified() {
        true => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        false => address.ip().to_string(),
    });
    JoinLink { name: None, host, port: address.port(), key: Some(identity.key), invite: None }
}
