//! A hub inside a program: see [`Hub`].

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::oneshot;

pub use crate::core::LinkConfig;
pub use crate::core::hub::{Access, Keep as Retention, LoginPolicy};
use crate::io::drive::hub::{HubOptions, Message, OpenHub};
pub use crate::protocol::limits::HubLimits;
use crate::protocol::{ErrorCode, Failure, JoinLink, LogLine};

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
    /// A hub in memory on a free port of this machine, unless the builder is told otherwise.
    pub fn builder() -> HubBuilder {
        HubBuilder { options: HubOptions::default(), bind: None, log: Box::new(drop) }
    }

    /// What clients join with: where the hub is, and its key.
    pub fn link(&self) -> JoinLink {
        self.link.clone()
    }

    /// Where it listens, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the hub: clients are told, and everything that was acknowledged is on the disk.
    ///
    /// # Errors
    /// Why it had ended by itself, or could not write everything at its end.
    pub async fn stop(self) -> Result<(), Failure> {
        // One that has ended by itself says why below.
        let _ = self.stop.send("stopped".to_owned());
        self.ended.await.unwrap_or_else(|_| Err(ErrorCode::Internal.into()))
    }

    /// Waits until the hub ends by itself, as it does when its store fails. It goes on running when this is cancelled.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn ended(&mut self) -> Result<(), Failure> {
        (&mut self.ended).await.unwrap_or_else(|_| Err(ErrorCode::Internal.into()))
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("address", &self.address).finish_non_exhaustive()
    }
}

/// How a hub is to be; made by [`Hub::builder`].
pub struct HubBuilder {
    options: HubOptions,
    /// What is to be listened at, if it was said.
    bind: Option<String>,
    log: Box<dyn FnMut(LogLine) + Send>,
}

impl HubBuilder {
    /// Keeps its key, names, messages and copies in this folder, which is made if it is not there. Without one,
    /// everything is in memory and gone with the hub.
    #[must_use]
    pub fn data(mut self, dir: impl Into<PathBuf>) -> Self {
        self.options.data = Some(dir.into());
        self
    }

    /// Listens at `ADDRESS:PORT`, over UDP and TCP; port 0 takes a free one. The default is
    /// `127.0.0.1:0`.
    #[must_use]
    pub fn bind(mut self, address: impl fmt::Display) -> Self {
        self.bind = Some(address.to_string());
        self
    }

    /// The host in the join link, if it is not the address.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.options.host = Some(host.into());
        self
    }

    /// Who may join. The default is everybody where only this machine can reach the hub, and otherwise who has an invite,
    /// which `potluck invite add` makes.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.options.access = Some(access);
        self
    }

    /// What is allowed: how many clients, names, rooms and messages.
    #[must_use]
    pub fn limits(mut self, limits: HubLimits) -> Self {
        self.options.limits = limits;
        self
    }

    /// How failed logins are met.
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

    /// How long a client that does not answer keeps its place; 30 s by default.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = grace;
        self
    }

    /// What is kept of what was said; all of it by default.
    #[must_use]
    pub fn keep(mut self, keep: Retention) -> Self {
        self.options.keep = Some(keep);
        self
    }

    /// Offers what is in this folder, and what comes into it, as the owner `hub`.
    #[must_use]
    pub fn files(mut self, dir: impl Into<PathBuf>) -> Self {
        self.options.files = Some(dir.into());
        self
    }

    /// Room for copies of what clients offer with `keep`, in bytes. It needs a folder to keep them in.
    #[must_use]
    pub fn keep_files(mut self, bytes: u64) -> Self {
        self.options.copies = Some(bytes);
        self
    }

    /// The TCP port to serve files on; by default a free one.
    #[must_use]
    pub fn files_port(mut self, port: u16) -> Self {
        self.options.files_port = port;
        self
    }

    /// Is told every line of the hub's log, the first of which says where it listens. It holds the hub up for as long
    /// as it takes.
    #[must_use]
    pub fn log(mut self, log: impl FnMut(LogLine) + Send + 'static) -> Self {
        self.log = Box::new(log);
        self
    }

    /// Starts the hub. When this returns, clients can join.
    ///
    /// # Errors
    /// [`PortInUse`](ErrorCode::PortInUse); [`BadConfig`](ErrorCode::BadConfig), if the address or a folder cannot be
    /// used; what the store refuses, such as [`StoreLocked`](ErrorCode::StoreLocked) where another hub has it.
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
                // A hub that has ended need not be stopped.
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

    /// What the builder was told, for who opens the hub itself.
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
