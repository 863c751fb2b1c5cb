//! The library's hub: see [`Hub`].

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::oneshot;

pub use crate::core::LinkConfig;
pub use crate::core::hub::{Access, Inviters, LoginPolicy, Retention};
pub use crate::io::drive::hub::RelayOptions;
use crate::io::drive::hub::{HubOptions, Message, OpenHub};
pub use crate::protocol::limits::HubLimits;
use crate::protocol::{ErrorCode, Failure, JoinLink, LogLine, PublicKey};

/// A running hub. It knows who is there and what is offered, and carries what people say; files go past it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), potluck::Failure> {
/// let hub = potluck::Hub::builder().bind("127.0.0.1:0").start().await?;
/// println!("join with: potluck join {}", hub.link());
/// hub.stop().await?;
/// # Ok(())
/// # }
/// ```
///
/// The hub runs on threads of its own. Dropping this stops it: clients are told, the store is closed, and the threads
/// end within seconds. [`Hub::stop`] does the same and waits for it.
pub struct Hub {
    link: JoinLink,
    address: SocketAddr,
    stop: oneshot::Sender<String>,
    ended: oneshot::Receiver<Result<(), Failure>>,
}

impl Hub {
    /// Starts to build a hub. Without further options it keeps everything in memory and listens on a free port of this
    /// machine.
    pub fn builder() -> HubBuilder {
        HubBuilder { options: HubOptions::default(), bind: None, log: Box::new(drop) }
    }

    /// The link with which clients join: the hub's address and its key.
    pub fn link(&self) -> JoinLink {
        self.link.clone()
    }

    /// The address on which it listens, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the hub: it tells its clients, and writes everything that was acknowledged to disk.
    ///
    /// # Errors
    /// The reason if it had ended by itself, or could not write everything.
    pub async fn stop(self) -> Result<(), Failure> {
        // If it has ended by itself, waiting for it gives the reason.
        let _ = self.stop.send("stopped".to_owned());
        self.ended.await.unwrap_or_else(|_| Err(ErrorCode::Internal.into()))
    }

    /// Waits until the hub ends by itself, for example because its store failed. Cancelling this does not stop the hub.
    ///
    /// # Errors
    /// The reason why it ended.
    pub async fn ended(&mut self) -> Result<(), Failure> {
        (&mut self.ended).await.unwrap_or_else(|_| Err(ErrorCode::Internal.into()))
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The options of a hub, made by [`Hub::builder`].
pub struct HubBuilder {
    options: HubOptions,
    /// The address to listen on, if one was given.
    bind: Option<String>,
    log: Box<dyn FnMut(LogLine) + Send>,
}

impl HubBuilder {
    /// The folder for the hub's key, names, messages and copies; it is created if it does not exist. Without one,
    /// everything is in memory and lost when the hub ends.
    #[must_use]
    pub fn data(mut self, dir: impl Into<PathBuf>) -> Self {
        self.options.data = Some(dir.into());
        self
    }

    /// Listens on `ADDRESS:PORT`, over UDP and TCP; port 0 takes a free one. The default is `127.0.0.1:0`.
    #[must_use]
    pub fn bind(mut self, address: impl fmt::Display) -> Self {
        self.bind = Some(address.to_string());
        self
    }

    /// A host in the join link, if it differs from the address. Each call adds one, up to 8; clients try all at once.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.options.hosts.push(host.into());
        self
    }

    /// Who may join. By default everybody, if only this machine can reach the hub; otherwise clients with an invite,
    /// which `potluck invite add` makes.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.options.access = Some(access);
        self
    }

    /// Lets in nobody but the holder of this key, and guests who receive what it sends by a code: the hub of a program
    /// that sends something and has no other hub. It gives codes other numbers than hubs that stay
    /// ([`OWN_NAMEPLATES`](crate::protocol::code::OWN_NAMEPLATES)).
    #[must_use]
    pub fn only_for(self, key: PublicKey) -> Self {
        self.access(Access::Only(key))
    }

    /// Which members may make invites by `invite-add`; none by default.
    #[must_use]
    pub fn may_invite(mut self, inviters: Inviters) -> Self {
        self.options.inviters = inviters;
        self
    }

    /// Limits on clients, names, rooms and messages.
    #[must_use]
    pub fn limits(mut self, limits: HubLimits) -> Self {
        self.options.limits = limits;
        self
    }

    /// What happens after failed logins.
    #[must_use]
    pub fn logins(mut self, logins: LoginPolicy) -> Self {
        self.options.logins = logins;
        self
    }

    /// The timers of the links to clients.
    #[must_use]
    pub fn link_timers(mut self, link: LinkConfig) -> Self {
        self.options.link = link;
        self
    }

    /// How long the hub keeps the place of a client that does not answer; 30 s by default.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = grace;
        self
    }

    /// Which messages are kept; all by default.
    #[must_use]
    pub fn keep(mut self, keep: Retention) -> Self {
        self.options.keep = Some(keep);
        self
    }

    /// Offers the files in this folder, and files that are added later, as the owner `hub`.
    #[must_use]
    pub fn files(mut self, dir: impl Into<PathBuf>) -> Self {
        self.options.files = Some(dir.into());
        self
    }

    /// Space in bytes for copies of what clients offer with `keep`. It needs [`HubBuilder::data`].
    #[must_use]
    pub fn keep_files(mut self, bytes: u64) -> Self {
        self.options.copies = Some(bytes);
        self
    }

    /// The TCP port to serve files on; any free one by default.
    #[must_use]
    pub fn files_port(mut self, port: u16) -> Self {
        self.options.files_port = port;
        self
    }

    /// Whether the hub relays between clients that cannot reach each other, and how much of it.
    #[must_use]
    pub fn relay(mut self, relay: RelayOptions) -> Self {
        self.options.relay = relay;
        self
    }

    /// Called with every line of the hub's log; the first says where it listens. The hub waits while it runs.
    #[must_use]
    pub fn log(mut self, log: impl FnMut(LogLine) + Send + 'static) -> Self {
        self.log = Box::new(log);
        self
    }

    /// Starts the hub. When this returns, clients can join.
    ///
    /// # Errors
    /// [`PortInUse`](ErrorCode::PortInUse); [`BadConfig`](ErrorCode::BadConfig), if the address or a folder cannot be
    /// used; or the store's failure, such as [`StoreLocked`](ErrorCode::StoreLocked) if another hub uses it.
    pub async fn start(mut self) -> Result<Hub, Failure> {
        let mut log = std::mem::replace(&mut self.log, Box::new(drop));
        let options = self.options()?;
        let (tell_ready, ready) = oneshot::channel();
        let (tell_ended, ended) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<String>();
        let serve = async move |tell_ready: oneshot::Sender<Result<_, Failure>>| {
            let hub = match OpenHub::open(options) {
                Ok(hub) => hub,
                Err(failure) => return drop(tell_ready.send(Err(failure))),
            };
            let mailbox = hub.mailbox();
            tokio::spawn(async move {
                let reason = stopped.await.unwrap_or_else(|_| "the program let go of the hub".to_owned());
                // If the hub has ended, it need not be stopped.
                let _ = mailbox.send(Message::Stop(reason)).await;
            });
            log(hub.listening());
            let _ = tell_ready.send(Ok((hub.link().clone(), hub.address())));
            let _ = tell_ended.send(hub.run(log).await);
        };
        let run = move || match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(serve(tell_ready)),
            Err(e) => drop(tell_ready.send(Err(Failure::internal(e)))),
        };
        std::thread::Builder::new().name("hub".into()).spawn(run).map_err(Failure::internal)?;
        let (link, address) = ready.await.unwrap_or_else(|_| Err(ErrorCode::Internal.into()))?;
        Ok(Hub { link, address, stop, ended })
    }

    /// The options as they were set, for a caller that opens the hub itself.
    pub(crate) fn options(self) -> Result<HubOptions, Failure> {
        let mut options = self.options;
        if let Some(bind) = self.bind {
            options.address = bind.parse().map_err(|_| {
                Failure::new(ErrorCode::BadConfig, format!("{bind} is no address to listen at."))
                    .hint("Write an IP address and a port, such as 127.0.0.1:7755.")
            })?;
        }
        if options.link.ack_timeout.is_zero() {
            return Err(Failure::new(ErrorCode::BadConfig, "The time for an acknowledgement must be more than 0."));
        }
        Ok(options)
    }
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}
