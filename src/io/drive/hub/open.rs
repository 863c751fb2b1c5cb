//! Opens everything that a hub needs, in order: store, port, files, threads.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{FilesOptions, HubDriver, HubFileServer, Mailbox, Message, RelayOptions, RelayRates, mailbox};
use crate::core::LinkConfig;
use crate::core::hub::{Access, HubConfig, HubKeys, Inviters, LoginPolicy, Retention};
use crate::core::secrets::Secrets;
use crate::io::fs::check_dir;
use crate::io::net::identity::Identity;
use crate::io::net::{ListenLimits, Listener};
use crate::io::os::clock::{Clock, random, random_bytes};
use crate::io::store::Store;
use crate::io::store::passwords::Checker;
use crate::io::store::writer::StoreWriter;
use crate::protocol::limits::{HubLimits, LINK_HOSTS};
use crate::protocol::record::Loaded;
use crate::protocol::{Failure, HostPort, JoinLink, LogLine, Timestamp, log};

/// The addresses of this machine that are in a join link beside its name. Whoever has more says which with `--host`.
const MOST_ADDRESSES: usize = 3;

/// The options of a hub.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// The folder of the store. Without one, everything is in memory.
    pub data: Option<PathBuf>,
    /// The address to listen on, for UDP and TCP. Port 0 takes a free one.
    pub address: SocketAddr,
    /// The hosts in the join link, if they differ from the address.
    pub hosts: Vec<String>,
    /// Who may join. By default everybody, if only this machine can reach the hub; otherwise clients with an invite.
    pub access: Option<Access>,
    /// Which members may make invites, besides the hub's keeper.
    pub inviters: Inviters,
    /// The limits for clients.
    pub limits: HubLimits,
    /// What happens after failed logins.
    pub logins: LoginPolicy,
    /// The timing of the links.
    pub link: LinkConfig,
    /// How long the hub keeps the place of a client that does not answer.
    pub grace: Duration,
    /// Which messages are kept; all by default.
    pub keep: Option<Retention>,
    /// A folder whose files the hub offers.
    pub files: Option<PathBuf>,
    /// The space for copies of what others offer, in bytes. Without it, the hub keeps none.
    pub copies: Option<u64>,
    /// The TCP port to serve files on; 0 takes a free one.
    pub files_port: u16,
    /// What the hub relays between clients that cannot reach each other.
    pub relay: RelayOptions,
}

impl Default for HubOptions {
    /// A hub in memory on a free port of this machine.
    fn default() -> Self {
        Self {
            data: None,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            hosts: Vec::new(),
            access: None,
            inviters: Inviters::Nobody,
            limits: HubLimits::default(),
            logins: LoginPolicy::default(),
            link: LinkConfig::hub(),
            grace: Duration::from_secs(30),
            keep: None,
            files: None,
            copies: None,
            files_port: 0,
            relay: RelayOptions::default(),
        }
    }
}

/// A hub whose store and ports are open. Clients are let in once it runs.
pub struct OpenHub {
    config: HubConfig,
    clock: Clock,
    store: Store,
    loaded: Loaded,
    listener: Listener,
    link: JoinLink,
    mailbox: Mailbox,
    messages: mpsc::Receiver<Message>,
    files: Option<HubFileServer>,
    rates: RelayRates,
}

impl OpenHub {
    /// Opens the store, then the ports. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The store's failure (`store-failed`, `store-busy`, `store-corrupt` and the like); `port-in-use`; `bad-config` if
    /// the address or the folder of files cannot be used.
    pub fn open(options: HubOptions) -> Result<Self, Failure> {
        let clock = Clock::start();
        let files = options.files.as_deref().map(check_dir).transpose()?;
        let (mut store, loaded) = options.data.as_deref().map_or_else(Store::ephemeral, Store::open)?;
        let identity = store.identity()?;
        let listener = Listener::bind(options.address, &identity, ListenLimits::default())?;
        let link = join_link(options.hosts.clone(), listener.local_addr(), &identity);
        store.remember_address(&link.all_hosts())?;
        let (mailbox, messages) = mailbox();
        let files = match (&files, options.copies) {
            (None, None) => None,
            (Some(_), _) | (_, Some(_)) => {
                let (address, port, room) = (options.address.ip(), options.files_port, options.copies.unwrap_or(0));
                let serve = FilesOptions { address, port, dir: files, room };
                Some(HubFileServer::open(&serve, options.data.as_deref(), &loaded.copies, &identity, &mailbox)?)
            }
        };
        let loopback = if options.address.ip().is_loopback() { Access::Open } else { Access::Invite };
        let access = options.access.unwrap_or(loopback);
        let rates = options.relay.rates();
        let config = HubConfig {
            meetings: options.relay.meetings(&access, options.address.ip())?,
            files: files.as_ref().map(HubFileServer::config),
            link: options.link,
            grace: options.grace,
            limits: options.limits,
            access,
            logins: options.logins,
            keep: options.keep,
            inviters: options.inviters,
            keys: HubKeys {
                link: link.clone(),
                key: identity.key,
                secrets: Secrets::new(random_bytes().map_err(Failure::internal)?),
            },
            run: random().map_err(Failure::internal)?,
            epoch: clock.epoch(),
        };
        Ok(Self { config, clock, store, loaded, listener, link, mailbox, messages, files, rates })
    }

    /// The link with which clients join: the hub's address and its key.
    pub fn link(&self) -> &JoinLink {
        &self.link
    }

    /// The address on which it listens, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Who may join.
    pub fn access(&self) -> &Access {
        &self.config.access
    }

    /// The store, which can be used directly until the hub runs.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Sends messages to the hub, also while it runs.
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// The calendar time.
    pub fn now(&self) -> Timestamp {
        self.clock.calendar()
    }

    /// The first line of the log, which says how to join.
    pub fn listening(&self) -> LogLine {
        let access = match self.config.access {
            Access::Open => "open",
            Access::Invite => "invite",
            Access::Accounts => "accounts",
            Access::Only(_) => "only",
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

    /// Lets clients in, until the hub has stopped and all have been told. `log` is called with every line but
    /// [`OpenHub::listening`].
    ///
    /// # Errors
    /// The reason if the hub ended by itself, or could not write everything.
    pub async fn run(self, log: impl FnMut(LogLine)) -> Result<(), Failure> {
        // If the hub has ended, nobody needs the message.
        let checked = self.mailbox.clone();
        let checked = Box::new(move |attempt, account| {
            let _ = checked.blocking_send(Message::Checked(attempt, account));
        });
        let passwords = Checker::spawn(&self.store, checked)?;
        let told = self.mailbox.clone();
        let told = Box::new(move |what| drop(told.blocking_send(Message::Store(what))));
        let store = StoreWriter::spawn(self.store, told)?;
        let (parts, mail) = ((store, passwords, self.files), (self.mailbox, self.messages));
        HubDriver::new(self.config, self.loaded, self.clock, parts, mail, self.rates, log).run(self.listener).await
    }
}

fn join_link(hosts: Vec<String>, address: SocketAddr, identity: &Identity) -> JoinLink {
    let port = address.port();
    let hosts = match (hosts.is_empty(), address.ip().is_unspecified()) {
        (false, _) => hosts,
        (true, true) => hosts_of_this_machine(address.is_ipv6()),
        (true, false) => vec![address.ip().to_string()],
    };
    let mut hosts = hosts.into_iter().map(|host| HostPort { host, port }).take(LINK_HOSTS);
    let host = hosts.next().map_or_else(String::new, |first| first.host);
    JoinLink { name: None, host, port, others: hosts.collect(), key: Some(identity.key), invite: None, code: None }
}

/// The name of this machine, which may be known in its network, and addresses at which it can be reached from there.
fn hosts_of_this_machine(with_ipv6: bool) -> Vec<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    // Without them, the name is all that there is to say.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces.iter().map(if_addrs::Interface::ip).filter(|ip| is_for_others(*ip, with_ipv6));
    std::iter::once(name).chain(addresses.take(MOST_ADDRESSES).map(|ip| ip.to_string())).collect()
}

/// Whether others can reach this address of ours.
fn is_for_others(ip: IpAddr, with_ipv6: bool) -> bool {
    match ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local() && !v4.is_unspecified(),
        IpAddr::V6(v6) => with_ipv6 && !v6.is_loopback() && !v6.is_unicast_link_local() && !v6.is_unspecified(),
    }
}
