//! `potluck serve`: runs a hub.

mod relay;

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration::{millis, seconds};
use super::fail;
use super::recording::{complain, output_lost};
use crate::core::LinkConfig;
use crate::core::hub::{Access, Inviters, LoginPolicy, Retention};
use crate::core::outbox::Popped;
use crate::hub::Hub;
use crate::io::drive::hub::{HubOptions, Mailbox, Message, OpenHub};
use crate::io::drive::output::Output;
use crate::io::drive::queued::BOUNDS;
use crate::io::drive::stdout::{LogOutput, StandardOutput, loss};
use crate::io::fs::check_dir;
use crate::io::os::signals::{OnHangup, Signal, Signals};
use crate::io::state::home::Home;
use crate::protocol::limits::{HubLimits, LINK_HOSTS};
use crate::protocol::name::{NameKey, check_person};
use crate::protocol::{DEFAULT_PORT, ErrorCode, Failure, JoinLink, LogLine, Timestamp, log, to_json};
use crate::ui::log::render_log;
use relay::Relay;

/// Start a hub.
///
/// The first line says where it listens and how to join. It runs until SIGINT (Ctrl-C) or SIGTERM.
#[derive(Debug, Args)]
pub struct Serve {
    /// The port, for UDP and TCP alike; 0 takes a free one.
    #[arg(long, short, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// The address to listen on. Only this machine can join unless you name another, such as 0.0.0.0.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_parser = address)]
    listen: IpAddr,
    /// The hosts in the join link, with commas between them; all are tried at once [default: the address, or, if it is
    /// 0.0.0.0 or ::, the name and the addresses of this machine].
    #[arg(long, value_name = "NAME", value_parser = host, value_delimiter = ',')]
    host: Vec<String>,
    /// Where the hub keeps its key and the names [default: the platform's data folder].
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    data: Option<PathBuf>,
    /// Keep everything in memory: a new key and no names at each start.
    #[arg(long)]
    ephemeral: bool,
    /// Who may join [default: open on loopback, otherwise invite].
    #[arg(long, value_name = "WHO")]
    access: Option<AccessChoice>,
    /// Members who may make invites, by `invite-add`: names with commas between them, or `all`.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = inviter)]
    may_invite: Vec<String>,
    /// How many clients may be registered at once.
    #[arg(long, value_name = "N", default_value_t = HubLimits::default().clients, value_parser = at_least_one)]
    max_clients: usize,
    /// How many of them may come from one address (for IPv6, one /64); this machine itself is not counted.
    #[arg(long, value_name = "N", default_value_t = HubLimits::default().clients_per_address, value_parser = at_least_one)]
    max_clients_per_address: usize,
    /// How many names one key may take.
    #[arg(long, value_name = "N", default_value_t = HubLimits::default().names_per_key, value_parser = at_least_one)]
    max_names: usize,
    /// Names that may be taken from one address in a day, of IPv6 from one /64; this machine itself is not counted.
    #[arg(long, value_name = "N", default_value_t = HubLimits::default().names_per_address, value_parser = at_least_one)]
    max_names_per_address: usize,
    /// How many rooms one key or account may have created.
    #[arg(long, value_name = "N", default_value_t = HubLimits::default().rooms_per_key, value_parser = at_least_one)]
    max_rooms: usize,
    /// Lock an account for a while after this many failed logins in a row; an address after ten times as many.
    #[arg(long, value_name = "N", default_value_t = LoginPolicy::default().max_failures, value_parser = clap::value_parser!(u32).range(1..))]
    max_failures: u32,
    /// How long such a lock lasts; a number alone is in seconds.
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = seconds)]
    lockout: Duration,
    /// Keep only messages up to this age (30d), or the newest up to this much text in all (500MB) [default: all].
    #[arg(long, value_name = "SPAN|SIZE", value_parser = retention)]
    keep: Option<Retention>,
    /// Offer the files in this folder, new ones too, as the owner `hub`; not hidden files, and no links.
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Room for copies of what is offered with `offer --keep`, such as 10GB; they can be had when their owners are gone.
    #[arg(long, value_name = "SIZE", conflicts_with = "ephemeral", value_parser = bytes)]
    keep_files: Option<u64>,
    /// The TCP port to serve these files on; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    files_port: u16,
    #[command(flatten)]
    relay: Relay,
    /// Messages that one client may send in a second; ten seconds' worth at once.
    #[arg(long, value_name = "N", default_value_t = HubLimits::default().message_rate, value_parser = clap::value_parser!(u32).range(1..))]
    message_rate: u32,
    /// Requests of any kind that one client may make in a second; ten seconds' worth at once.
    #[arg(long, value_name = "N", default_value_t = HubLimits::default().request_rate, value_parser = clap::value_parser!(u32).range(1..))]
    request_rate: u32,
    /// How many messages are kept for one person until they come.
    #[arg(long, value_name = "N", default_value_t = HubLimits::default().mailbox)]
    mailbox: u64,
    /// Room for the texts of these messages, such as 16MiB.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = bytes)]
    mailbox_size: u64,
    /// How long an acknowledgement may take before it is asked for; a number alone is in milliseconds.
    #[arg(long, value_name = "SPAN", default_value = "500ms", value_parser = millis)]
    ack_timeout: Duration,
    /// How often it is asked for before a client counts as away.
    #[arg(long, value_name = "N", default_value_t = LinkConfig::hub().retries)]
    retries: u32,
    /// How long a client that is away keeps its place; a number alone is in seconds.
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = seconds)]
    grace: Duration,
    /// How the log on standard output is written.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    log_format: LogFormat,
    /// The least important events that are logged.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: log::Level,
}

/// The value of `--may-invite` that means everybody.
const EVERYBODY: &str = "all";

/// How long the first invite is valid.
const FIRST_INVITE: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AccessChoice {
    /// Who shows an invite, and keys that have been here before; see `potluck invite`.
    Invite,
    /// Everybody who can reach the hub.
    Open,
    /// Who has an account; see `potluck user`.
    Accounts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// A sentence a line.
    Human,
    /// A JSON object a line.
    Json,
}

/// Checks that a join link can hold this host.
fn host(text: &str) -> Result<String, String> {
    let link = text.parse::<JoinLink>().ok().filter(|link| link.host == text);
    link.map(|link| link.host).ok_or_else(|| "expected a host name or an IP address, without a port".to_owned())
}

/// Checks a value of `--may-invite`: a name, or everybody.
fn inviter(text: &str) -> Result<String, String> {
    let usable = check_person(text).map_err(|failure| failure.message.into_owned());
    if text == EVERYBODY { Ok(text.to_owned()) } else { usable.map(|()| text.to_owned()) }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "it must be a whole number of at least 1".to_owned())
}

/// Reads the value of `--keep`: a span of time, or a size with a unit.
fn retention(text: &str) -> Result<Retention, String> {
    match crate::protocol::when::span(text) {
        Some(span) if !span.is_zero() => Ok(Retention::For(span)),
        Some(_) => Err("write an age such as 30d or 12h, or a size such as 500MB or 1GiB".to_owned()),
        None => bytes(text).map(Retention::Bytes).map_err(|wrong| format!("{wrong}, or an age such as 30d or 12h")),
    }
}

/// Reads a size with a unit.
fn bytes(text: &str) -> Result<u64, String> {
    let bytes = super::size::size(text).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "write a size such as 500MB or 1GiB".to_owned())
}

impl Serve {
    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(&self) -> ExitCode {
        let started = Cell::new(false);
        match self.serve(&started) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) if failure.code == ErrorCode::OutputLost => output_lost(&failure),
            // Its data cannot be opened or written, whatever the reason: that is one exit code for scripts.
            Err(failure) if !started.get() && failure.code.exit() == 1 => {
                fail(&failure);
                ExitCode::from(ErrorCode::StoreFailed.exit())
            }
            Err(failure) => fail(&failure),
        }
    }

    fn serve(&self, started: &Cell<bool>) -> Result<(), Failure> {
        let options = self.options()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::internal)?;
        runtime.block_on(async {
            let mut hub = OpenHub::open(options)?;
            if *hub.access() == Access::Invite {
                self.first_invite(&mut hub)?;
            }
            let any_lost = Arc::new(AtomicBool::new(false));
            let printed = self.log(&any_lost, &hub.mailbox())?;
            let _signals = stop_at_signals(hub.mailbox())?;
            started.set(true);
            let level = self.log_level;
            let log = printed.clone();
            let write = move |line: LogLine| {
                if line.event.level() >= level {
                    log.push_fact(line);
                }
            };
            // The first line, which says how to join, is printed at every log level.
            printed.push_fact(hub.listening());
            let ended = hub.run(write).await;
            // A log that nobody reads must not keep the hub from ending.
            let closed = printed.close(Some(Duration::from_secs(2)));
            ended?;
            match closed.err().and_then(|e| loss(&e)) {
                Some(Err(failure)) => Err(failure),
                _ if any_lost.load(Ordering::Relaxed) => {
                    Err(Failure::new(ErrorCode::OutputLost, "Some of what the hub logged could not be written."))
                }
                _ => Ok(()),
            }
        })
    }

    fn dir(&self) -> Result<Option<PathBuf>, Failure> {
        Ok(match (&self.data, self.ephemeral) {
            (_, true) => None,
            (Some(dir), false) => Some(dir.clone()),
            (None, false) => Some(Home::open(None)?.dir().join("hub")),
        })
    }

    fn options(&self) -> Result<HubOptions, Failure> {
        let files = self.files.as_deref().map(check_dir).transpose().map_err(unusable)?;
        if self.host.len() > LINK_HOSTS {
            let message = format!("--host names {} hosts; a join link has at most {LINK_HOSTS}.", self.host.len());
            return Err(Failure::new(ErrorCode::BadConfig, message));
        }
        if self.ack_timeout.is_zero() {
            return Err(Failure::new(ErrorCode::BadConfig, "--ack-timeout must be more than 0."));
        }
        let hub = Hub::builder()
            .bind(SocketAddr::new(self.listen, self.port))
            .limits(HubLimits {
                clients: self.max_clients,
                clients_per_address: self.max_clients_per_address,
                names_per_key: self.max_names,
                names_per_address: self.max_names_per_address,
                rooms_per_key: self.max_rooms,
                message_rate: self.message_rate,
                request_rate: self.request_rate,
                mailbox: self.mailbox,
                mailbox_bytes: self.mailbox_size,
                ..HubLimits::default()
            })
            .logins(LoginPolicy { max_failures: self.max_failures, lockout: self.lockout })
            .link_timers(LinkConfig { ack_timeout: self.ack_timeout, retries: self.retries, ..LinkConfig::hub() })
            .grace(self.grace)
            .relay(self.relay.options())
            .files_port(self.files_port);
        let access = self.access.map(|access| match access {
            AccessChoice::Open => Access::Open,
            AccessChoice::Invite => Access::Invite,
            AccessChoice::Accounts => Access::Accounts,
        });
        Ok(HubOptions {
            data: self.dir()?,
            hosts: self.host.clone(),
            access,
            inviters: self.inviters(),
            keep: self.keep,
            files,
            copies: self.keep_files,
            ..hub.options()?
        })
    }

    fn inviters(&self) -> Inviters {
        match self.may_invite.as_slice() {
            [] => Inviters::Nobody,
            names if names.iter().any(|name| name == EVERYBODY) => Inviters::All,
            names => Inviters::Names(names.iter().map(|name| NameKey::of(name)).collect()),
        }
    }

    /// Creates the hub's first invite, once, and prints it on standard error, because the log must not have secrets.
    /// For a hub in memory the invite is valid as long as it runs, because no other can be created.
    fn first_invite(&self, hub: &mut OpenHub) -> Result<(), Failure> {
        if !self.ephemeral && !std::io::stderr().is_terminal() {
            return Ok(());
        }
        let (link, now) = (hub.link().clone(), hub.now());
        let (uses, until) = match self.ephemeral {
            true => (None, None),
            false => (Some(1), Some(Timestamp(now.0 + FIRST_INVITE.as_millis() as i64))),
        };
        let (secret, invite) = super::invite::new("first".to_owned(), uses, until, now)?;
        if hub.store().first_invite(&invite)? {
            let link = JoinLink { invite: Some(secret), ..link };
            let how = if self.ephemeral { "" } else { " (for one, within a day; `potluck invite add` makes more)" };
            // Nobody reads standard error if it is closed.
            let _ = writeln!(std::io::stderr(), "potluck: the first invite{how}:\n  {link}");
        }
        Ok(())
    }

    fn log(&self, any_lost: &Arc<AtomicBool>, mailbox: &Mailbox) -> Result<Output<LogLine>, Failure> {
        let format = self.log_format;
        let style = super::client::style();
        let render = move |popped: Popped<LogLine>, out: &mut Vec<u8>| {
            let line = match popped {
                Popped::Item(line) => line,
                Popped::Gap(gap) => crate::io::drive::queued::log_gap(gap),
            };
            match format {
                LogFormat::Human => out.extend_from_slice(render_log(&line, style).as_bytes()),
                LogFormat::Json => {
                    out.extend_from_slice(to_json(&line).as_bytes());
                    out.push(b'\n');
                }
            }
        };
        let sink = LogOutput::new(
            StandardOutput,
            |failure| complain(&format!("{failure} The hub goes on; what it logs until there is room is lost.")),
            Arc::clone(any_lost),
        );
        let mailbox = mailbox.clone();
        let unsaid = move |_: &std::io::Error| {
            let _ = mailbox.blocking_send(Message::Stop("standard output cannot be written".into()));
        };
        Output::spawn(BOUNDS, sink, render, unsaid).map_err(Failure::internal)
    }
}

/// Stops the hub when a signal asks the program to end.
fn stop_at_signals(mailbox: Mailbox) -> Result<Signals, Failure> {
    let attended = std::io::stdin().is_terminal() || std::io::stdout().is_terminal();
    let stop = move |signal| {
        let reason = match signal {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
            // The terminal has gone, and with it whoever could stop the hub.
            Signal::Hangup if attended => "SIGHUP",
            // There is no configuration file to read again.
            Signal::Hangup => return,
        };
        let _ = mailbox.blocking_send(Message::Stop(reason.into()));
    };
    Signals::install(OnHangup::Told, stop).map_err(Failure::internal)
}

/// The failure for a folder that cannot be offered.
fn unusable(failure: Failure) -> Failure {
    let way = failure.hint.unwrap_or("Name another folder with --files.".into());
    Failure::new(ErrorCode::BadConfig, failure.message).hint(way)
}

/// The address of `--listen`, which is without a port.
fn address(text: &str) -> Result<IpAddr, String> {
    let with_port = || match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && !host.is_empty() => {
            format!("the port has an option of its own, --port {port}")
        }
        Some(_) | None => "it is not an IP address, such as 127.0.0.1 or ::1".to_owned(),
    };
    text.parse().map_err(|_| with_port())
}
