//! What `join` and `exec` share: options, streams, and running a client.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;

use super::duration::{millis, seconds};
use crate::core::session::Replica;
use crate::core::{LinkConfig, outbox::Popped};
use crate::io::client::{ClientDriver, ClientOptions, Message, Reporting, UserInput, mailbox};
use crate::io::files::check_dir;
use crate::io::home::Home;
use crate::io::output::Output;
use crate::io::queued::{BOUNDS, Numbered};
use crate::io::signals::Signals;
use crate::protocol::limits::PASSWORD_BYTES;
use crate::protocol::types::Password;
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
    /// Ask for the password of the name's account, at the terminal, without showing it.
    #[arg(long, conflicts_with = "password_file")]
    password: bool,
    /// Log in with the first line of a file; `-` is the first line of standard input, before the requests.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
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
    /// Whether messages are taken.
    pub(super) inbox: bool,
    /// Which events are shown as text.
    pub(super) shows: Shows,
    /// As [`ClientArgs::password`] gives it: a terminal asks before anything else uses it.
    pub(super) password: Option<Password>,
}

/// Which events are shown as text.
pub(super) type Shows = Box<dyn FnMut(&EventLine) -> bool + Send>;

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

    /// The password to log in with, if there is one: asked for, or read.
    pub(super) fn password(&self) -> Result<Option<Password>, Failure> {
        let bad = |message: String| Failure::new(ErrorCode::BadConfig, message);
        let text = match &self.password_file {
            None if !self.password => return Ok(None),
            None => rpassword::prompt_password(format!("Password of {} at {}: ", self.name()?, self.hub())).map_err(
                |e| match e.kind() {
                    io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => bad("No password was given.".into()),
                    _ => bad(format!("No password can be asked for, there is no terminal: {e}")),
                },
            )?,
            Some(_) if self.password_is_first_line() => {
                let input = io::stdin();
                if input.is_terminal() {
                    return Err(bad("The password would be shown.".to_owned()).hint("Use --password instead."));
                }
                // Locked, not wrapped: what is read ahead stays for the requests.
                first_line(input.lock()).map_err(|e| bad(format!("The password cannot be read: {e}")))?
            }
            Some(path) => File::open(path)
                .and_then(|file| first_line(BufReader::new(file)))
                .map_err(|e| bad(format!("{} cannot be read: {e}", path.display())))?,
        };
        match text.len() {
            0 => Err(bad("The password is empty.".to_owned())),
            1..=PASSWORD_BYTES => Ok(Some(Password(text))),
            _ => Err(bad(format!("A password has at most {PASSWORD_BYTES} bytes."))),
        }
    }

    /// Whether the first line of standard input is not a request.
    pub(super) fn password_is_first_line(&self) -> bool {
        self.password_file.as_deref() == Some(Path::new("-"))
    }

    /// The folder to offer from, by its full name.
    pub(super) fn dir(&self) -> Result<Option<PathBuf>, Failure> {
        self.dir
            .as_deref()
            .map(check_dir)
            .transpose()
            .map_err(|failure| Failure::new(ErrorCode::BadConfig, failure.message))
    }

    fn options(&self, manner: &mut Manner) -> Result<ClientOptions, Failure> {
        if self.ack_timeout.is_zero() {
            return Err(Failure::new(ErrorCode::BadConfig, "--ack-timeout must be more than 0."));
        }
        Ok(ClientOptions {
            hub: self.hub.clone(),
            name: self.name()?,
            password: manner.password.take(),
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
            inbox: manner.inbox,
            link: LinkConfig { ack_timeout: self.ack_timeout, retries: self.retries, ..LinkConfig::client() },
            give_up: self.give_up,
        })
    }

    /// Runs a client that writes to `sink`, with the input that `feed` sends.
    pub(super) fn run<S: Write + Send + 'static>(
        &self,
        mut manner: Manner,
        style: Style,
        sink: S,
        watch: impl FnMut(&Replica),
        feed: impl FnOnce(mpsc::Sender<UserInput>, mpsc::Sender<Message>),
    ) -> Result<ExitCode, Failure> {
        let options = self.options(&mut manner)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
        runtime.block_on(async {
            let local = local_address(&options.hub).await;
            let (broken_sender, mut broken) = mpsc::channel(1);
            let (mailbox, messages) = mailbox();
            let render = Reporting::new(renderer(self.json, manner.shows, style), mailbox.clone());
            let printed = Output::spawn(BOUNDS, sink, render, move |_| {
                let _ = broken_sender.blocking_send(());
            })
            .map_err(Failure::internal)?;
            let driver = ClientDriver::new(options, local, printed.clone(), (mailbox.clone(), messages), watch)?;
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

/// The first line without its end. No more is read of it than a password may have, and what shows that it has more.
fn first_line(source: impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    source.take(PASSWORD_BYTES as u64 + 3).read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8(line.to_vec()).map_err(|_| io::Error::other("it is not valid UTF-8"))
}

fn renderer(json: bool, mut shows: Shows, style: Style) -> impl FnMut(Popped<EventLine>, &mut Vec<u8>) {
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

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_password_is_the_first_line_and_the_rest_stays() {
        for (input, password, rest) in [
            ("secret\nlist\n", "secret", "list\n"),
            ("se cret \r\nlist", "se cret ", "list"),
            ("secret", "secret", ""),
            ("\nlist", "", "list"),
        ] {
            let mut source = BufReader::new(input.as_bytes());
            assert_eq!(first_line(&mut source).unwrap(), password);
            let mut after = String::new();
            source.read_to_string(&mut after).unwrap();
            assert_eq!(after, rest);
        }
        assert_eq!(first_line("x".repeat(PASSWORD_BYTES).as_bytes()).unwrap().len(), PASSWORD_BYTES);
        assert!(first_line("x".repeat(1 << 20).as_bytes()).unwrap().len() > PASSWORD_BYTES);
        assert!(first_line(&b"\xff\n"[..]).is_err());
    }
}
