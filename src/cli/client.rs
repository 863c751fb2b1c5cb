//! What `join` and `exec` share: options, streams, and running a client.

use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;

use super::duration::{millis, seconds};
use crate::core::session::Replica;
use crate::core::{LinkConfig, outbox::Popped};
use crate::io::client::{ClientDriver, ClientOptions, Message, UserInput};
use crate::io::files::check_dir;
use crate::io::home::Home;
use crate::io::output::Output;
use crate::io::queued::{BOUNDS, Numbered};
use crate::io::signals::Signals;
use crate::protocol::{ErrorCode, EventLine, Failure, JoinLink, OnConflict, PublicKey, TransportChoice, to_json};
use crate::ui::human::render;
use crate::ui::style::Style;

/// How a client is started.
#[derive(Debug, Args)]
pub(super) struct ClientArgs {
    /// The hub: a join link as `potluck serve` prints it, or [NAME@]HOST[:PORT].
    #[arg(value_name = "LINK|[NAME@]HOST[:PORT]")]
    hub: JoinLink,
    /// The name to go by: 1 to 32 letters, digits, `_`, `-` or `.` [default: your user name].
    #[arg(long, short)]
    name: Option<String>,
    /// Write events as JSON, one a line, instead of text.
    #[arg(long)]
    json: bool,
    /// The folder to offer files from, as `setdir` does.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The folder that downloads go to; it is made when it is needed.
    #[arg(long, value_name = "DIR", default_value = ".")]
    downloads: PathBuf,
    /// What to do if a downloaded file's name exists.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "fail")]
    on_conflict: OnConflict,
    /// The key that the hub must have; it replaces the one that was pinned.
    #[arg(long, value_name = "KEY")]
    hub_key: Option<PublicKey>,
    /// How to reach the hub.
    #[arg(long, value_enum, value_name = "WHICH", default_value = "auto")]
    transport: TransportChoice,
    /// The TCP port to serve files on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The port to take direct connections on, UDP and TCP; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    link_port: u16,
    /// The folder with this client's key and the keys that it knows [default: $POTLUCK_HOME, or the platform's data folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How long the hub may take to answer before it is asked again; a number alone is in milliseconds.
    #[arg(long, value_name = "SPAN", default_value = "500ms", value_parser = millis)]
    ack_timeout: Duration,
    /// How often it is asked again before it counts as lost.
    #[arg(long, value_name = "N", default_value_t = LinkConfig::client().retries)]
    retries: u32,
    /// How long a lost hub is tried again; a number alone is in seconds.
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = seconds)]
    give_up: Duration,
}

/// What a subcommand adds to the options.
pub(super) struct Manner {
    pub(super) linger: bool,
    pub(super) fail_fast: bool,
    /// Which events are shown as text.
    pub(super) shows: fn(&EventLine) -> bool,
}

/// Colour where there is a terminal that shows it to somebody who wants it.
pub(super) fn style() -> Style {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if io::stdout().is_terminal() && !unwanted && !dumb { Style::Colour } else { Style::Plain }
}

impl ClientArgs {
    pub(super) fn json(&self) -> bool {
        self.json
    }

    pub(super) fn hub(&self) -> String {
        self.hub.host_port()
    }

    pub(super) fn home(&self) -> Result<Home, Failure> {
        Home::open(self.data.as_deref())
    }

    pub(super) fn name(&self) -> Result<String, Failure> {
        if let Some(name) = self.name.clone().or(self.hub.name.clone()) {
            let usable = crate::protocol::name::check_person(&name);
            return usable.map(|()| name).map_err(|failure| Failure::new(ErrorCode::BadConfig, failure.message));
        }
        let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
        let name: String = user.chars().filter(|c| c.is_alphanumeric() || "_-.".contains(*c)).take(32).collect();
        match crate::protocol::name::check_person(&name) {
            Ok(()) => Ok(name),
            Err(_) => Err(Failure::new(ErrorCode::BadConfig, "A name is needed.")
                .hint("Choose one with --name, or join NAME@HOST.")),
        }
    }

    /// The folder to offer from, by its full name.
    pub(super) fn dir(&self) -> Result<Option<PathBuf>, Failure> {
        self.dir
            .as_deref()
            .map(check_dir)
            .transpose()
            .map_err(|failure| Failure::new(ErrorCode::BadConfig, failure.message))
    }

    fn options(&self, manner: &Manner) -> Result<ClientOptions, Failure> {
        if self.ack_timeout.is_zero() {
            return Err(Failure::new(ErrorCode::BadConfig, "--ack-timeout must be more than 0."));
        }
        Ok(ClientOptions {
            hub: self.hub.clone(),
            name: self.name()?,
            hub_key: self.hub_key,
            home: self.home()?,
            dir: self.dir()?,
            downloads: self.downloads.clone(),
            transport: self.transport,
            port: self.port,
            link_port: self.link_port,
            on_conflict: self.on_conflict,
            linger: manner.linger,
            fail_fast: manner.fail_fast,
            link: LinkConfig { ack_timeout: self.ack_timeout, retries: self.retries, ..LinkConfig::client() },
            give_up: self.give_up,
        })
    }

    /// Runs a client that writes to `sink`, with the input that `feed` sends.
    pub(super) fn run<S: Write + Send + 'static>(
        &self,
        manner: &Manner,
        style: Style,
        sink: S,
        watch: impl FnMut(&Replica),
        feed: impl FnOnce(mpsc::Sender<UserInput>, mpsc::Sender<Message>),
    ) -> Result<ExitCode, Failure> {
        let options = self.options(manner)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
        runtime.block_on(async {
            let local = local_address(&options.hub).await;
            let (broken_sender, mut broken) = mpsc::channel(1);
            let render = renderer(self.json, manner.shows, style);
            let printed = Output::spawn(BOUNDS, sink, render, move |_| {
                let _ = broken_sender.blocking_send(());
            })
            .map_err(Failure::internal)?;
            let driver = ClientDriver::new(options, local, printed.clone(), watch)?;
            let mailbox = driver.mailbox();
            let stopping = mailbox.clone();
            let _signals = Signals::install(false, move |signal| {
                let _ = stopping.blocking_send(Message::Interrupt(signal.exit()));
            })
            .map_err(Failure::internal)?;
            // Whoever closed our output wants nothing more.
            let unread = mailbox.clone();
            tokio::spawn(async move {
                if broken.recv().await.is_some() {
                    let _ = unread.send(Message::Interrupt(0)).await;
                }
            });
            let (sender, input) = mpsc::channel(64);
            feed(sender, mailbox);
            let code = driver.run(input).await;
            // Everything that was told is read, unless somebody wants to end now.
            let _ = printed.close((code >= 128).then_some(Duration::from_secs(1)));
            Ok(ExitCode::from(code))
        })
    }
}

fn renderer(json: bool, shows: fn(&EventLine) -> bool, style: Style) -> impl FnMut(Popped<EventLine>, &mut Vec<u8>) {
    let mut numbered = Numbered::default();
    move |popped, out| {
        let line = numbered.number(popped);
        if json {
            out.extend_from_slice(to_json(&line).as_bytes());
            out.push(b'\n');
        } else if shows(&line) {
            out.extend_from_slice(render(&line, style).as_bytes());
        }
    }
}

/// The address at which a hub on this machine sees us, if it is on this machine: then nobody else need reach our
/// files. A name for loopback of both kinds does not say which it will be.
async fn local_address(hub: &JoinLink) -> Option<IpAddr> {
    let Ok(addresses) = crate::io::transport::resolve(&hub.host, hub.port).await else {
        return Some(Ipv4Addr::LOCALHOST.into());
    };
    // Whatever part of 127.0.0.0/8 the hub listens on, the system connects from 127.0.0.1.
    let ours = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() => Some(IpAddr::from(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(v6) if v6.is_loopback() => Some(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    };
    let first = ours(addresses.first()?.ip())?;
    addresses.iter().all(|address| ours(address.ip()) == Some(first)).then_some(first)
}
