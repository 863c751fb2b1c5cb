//! The options of `join` and `exec`, and the client's options that follow from them.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::super::duration::{millis, seconds};
use super::super::first_line::first_line;
use super::super::size::rate;
use super::{RunMode, Welcomed};
use crate::client::Client;
use crate::core::LinkConfig;
use crate::core::session::AcceptFrom;
use crate::io::drive::client::{ClientOptions, ClientTimeouts, Folders, Who};
use crate::io::fs::{check_dir, check_target};
use crate::io::state::home::Home;
use crate::protocol::cause;
use crate::protocol::invite::INVITE_BYTES;
use crate::protocol::limits::MAX_TRANSFERS;
use crate::protocol::name::{NameKey, check_person};
use crate::protocol::types::Password;
use crate::protocol::{Code, ErrorCode, Failure, JoinLink, OnConflict, PublicKey, TransportChoice};

/// The default folder for downloads.
const HERE: &str = ".";

/// The value of `--accept-from` that means everybody.
const EVERYBODY: &str = "all";

/// How a client is started.
#[derive(Debug, Args)]
pub(in crate::cli) struct ClientArgs {
    #[allow(rustdoc::broken_intra_doc_links, reason = "clap prints it: these are optional parts")]
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
    /// Come in with the invite, the short code, or the whole join link, in the first line of a file; `-` is the first line of standard
    /// input, before the requests. Others cannot see it there, as they can on the command line.
    #[arg(long, value_name = "FILE")]
    invite_file: Option<PathBuf>,
    /// Write events as JSON, one a line, instead of text.
    #[arg(long)]
    json: bool,
    /// The folder to offer files from, as `setdir` does.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The folder that downloads go to; it is made when it is needed.
    #[arg(long, value_name = "DIR", default_value = HERE)]
    downloads: PathBuf,
    /// What to do if a downloaded file's name exists.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "fail")]
    on_conflict: OnConflict,
    /// Send files no faster than this many bytes a second in all, such as 500k, 10M or 2MiB.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    up: Option<u64>,
    /// Fetch files no faster than this many bytes a second in all.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    down: Option<u64>,
    /// How many files or folders are fetched at once; others are queued.
    #[arg(long, value_name = "N", default_value_t = MAX_TRANSFERS as u8, value_parser = clap::value_parser!(u8).range(1..=64))]
    max_transfers: u8,
    /// Take what these people push without asking; `all` takes from everybody. Can be given more than once.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = accepted)]
    accept_from: Vec<String>,
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
    /// How long the session may take in all; then it ends with exit code 7, and what is not answered fails with
    /// `timed-out`. A number alone is in seconds.
    #[arg(long, value_name = "SPAN", value_parser = seconds)]
    timeout: Option<Duration>,
}

impl ClientArgs {
    pub(in crate::cli) fn json(&self) -> bool {
        self.json
    }

    pub(in crate::cli) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    pub(in crate::cli) fn hub(&self) -> String {
        self.hub.host_port()
    }

    /// Takes the words of a short code from behind the hub's address.
    ///
    /// # Errors
    /// `bad-config` if they are no code, or the address has a code or an invite as well.
    pub(in crate::cli) fn take_code(&mut self, words: &[String]) -> Result<(), Failure> {
        if words.is_empty() {
            return self.hub.code.as_ref().map_or(Ok(()), Code::check_of_invite);
        }
        if self.hub.code.is_some() || self.hub.invite.is_some() || self.invite_file.is_some() {
            return Err(bad("There is a code, and another code or invite.").hint("Leave one of them out."));
        }
        let code = words.join("-").parse::<Code>()?;
        code.check_of_invite()?;
        self.hub.code = Some(code);
        Ok(())
    }

    /// Remembers the hub when it was joined, so that `send` and `receive` find it.
    pub(in crate::cli) fn remember_hub(&self) -> Result<Welcomed, Failure> {
        let (joined, hub) = (self.home()?.joined(), self.hub.clone());
        Ok(Box::new(move |name| {
            if let Err(e) = joined.add(&hub, name) {
                tracing::debug!("the hub is not remembered: {e}");
            }
        }))
    }

    pub(in crate::cli) fn home(&self) -> Result<Home, Failure> {
        Home::open(self.data.as_deref())
    }

    pub(super) fn has_name(&self) -> bool {
        self.name.is_some() || self.hub.name.is_some()
    }

    pub(super) fn set_name(&mut self, name: String) {
        self.name = Some(name);
    }

    pub(in crate::cli) fn name(&self) -> Result<String, Failure> {
        if let (Some(name), Some(linked)) = (&self.name, &self.hub.name)
            && NameKey::of(name) != NameKey::of(linked)
        {
            return Err(bad(format!("There are two names: {linked} before the `@`, and {name} by --name."))
                .hint("Leave one of them out."));
        }
        if let Some(name) = self.name.clone().or(self.hub.name.clone()) {
            let usable = check_person(&name);
            return usable.map(|()| name).map_err(|failure| Failure::new(ErrorCode::BadConfig, failure.message));
        }
        let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
        let name: String = user.chars().filter(|c| c.is_alphanumeric() || "_-.".contains(*c)).take(32).collect();
        match check_person(&name) {
            Ok(()) => Ok(name),
            Err(_) => Err(Failure::new(ErrorCode::BadConfig, "A name is needed.")
                .hint("Choose one with --name, or join NAME@HOST.")),
        }
    }

    /// The password to log in with, if one was asked for: typed, or read from a file.
    pub(in crate::cli) fn password(&self) -> Result<Option<Password>, Failure> {
        let text = match &self.password_file {
            None if !self.password => return Ok(None),
            None => rpassword::prompt_password(format!("Password of {} at {}: ", self.name()?, self.hub())).map_err(
                |e| match e.kind() {
                    io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => bad("No password was given."),
                    _ => bad("No password can be asked for: there is no terminal."),
                },
            )?,
            Some(_) if is_stdin(self.invite_file.as_deref()) && is_stdin(self.password_file.as_deref()) => {
                return Err(bad("Only one of the invite and the password can be the first line of standard input.")
                    .hint("Put the other one into a file."));
            }
            Some(file) => secret_line(file, "password", "Use --password instead.")?,
        };
        let password = Password(text);
        password.check().map(|()| Some(password))
    }

    /// The hub's address, with the invite if there is one.
    fn invited(&self) -> Result<JoinLink, Failure> {
        let Some(file) = &self.invite_file else { return Ok(self.hub.clone()) };
        let line = secret_line(file, "invite", "Join with the whole link instead.")?;
        let line = line.trim();
        if Code::is_meant_by(line) {
            return Ok(JoinLink { code: Some(line.parse()?), ..self.hub.clone() });
        }
        let (key, invite) = match line.strip_prefix("potluck://") {
            Some(_) => line.parse::<JoinLink>().map(|link| (link.key, link.invite)).map_err(|e| bad(e.to_string()))?,
            None => (None, Some(line.to_owned())),
        };
        match invite {
            Some(invite) if (1..=INVITE_BYTES).contains(&invite.len()) => {
                Ok(JoinLink { key: self.hub.key.or(key), invite: Some(invite), ..self.hub.clone() })
            }
            Some(_) | None => Err(bad(format!("There is no invite in {}.", file.display())).hint(
                "`potluck invite add` prints a join link; the file holds it, or what stands in it behind the dot.",
            )),
        }
    }

    /// How many lines of standard input are not requests, because they hold a password or an invite.
    pub(in crate::cli) fn lines_before_requests(&self) -> u64 {
        u64::from(is_stdin(self.password_file.as_deref()) || is_stdin(self.invite_file.as_deref()))
    }

    /// The absolute path of the folder to offer from.
    pub(in crate::cli) fn dir(&self) -> Result<Option<PathBuf>, Failure> {
        self.dir.as_deref().map(check_dir).transpose().map_err(|failure| unusable(failure, "dir"))
    }

    /// The folder for downloads. If it cannot be written, the user is told now, and not after the first download.
    fn downloads(&self) -> Result<PathBuf, Failure> {
        // The current folder is only the default; its user need not want to download anything.
        if self.downloads != Path::new(HERE) {
            check_target(&self.downloads).map_err(|failure| unusable(failure, "downloads"))?;
        }
        Ok(self.downloads.clone())
    }

    /// `all` includes all named people.
    fn accept_from(&self) -> AcceptFrom {
        match self.accept_from.as_slice() {
            [] => AcceptFrom::Nobody,
            names if names.iter().any(|name| name == EVERYBODY) => AcceptFrom::All,
            names => AcceptFrom::Names(names.to_vec()),
        }
    }

    pub(super) fn options(&self, mode: &mut RunMode) -> Result<ClientOptions, Failure> {
        if self.ack_timeout.is_zero() {
            return Err(Failure::new(ErrorCode::BadConfig, "--ack-timeout must be more than 0."));
        }
        let link = LinkConfig { ack_timeout: self.ack_timeout, retries: self.retries, ..LinkConfig::client() };
        let (hub, name, home, dir) = (self.invited()?, self.name()?, self.home()?, self.dir()?);
        let client = Client::connect(hub)
            .name(name)
            .downloads(self.downloads()?)
            .transport(self.transport)
            .on_conflict(self.on_conflict)
            .max_transfers(self.max_transfers.into())
            .accept_from(self.accept_from())
            .ports(self.port, self.link_port)
            .rates(self.up, self.down)
            .follow(mode.follow)
            .inbox(mode.inbox)
            .link_timers(link)
            .give_up(self.give_up);
        let options = client.options(home)?;
        let who = match (options.who, mode.password.take()) {
            (Who::Named { name, .. }, password) => Who::Named { name, password },
            (nameless @ (Who::Member { .. } | Who::Guest), _) => nameless,
        };
        Ok(ClientOptions {
            who,
            hub_key: self.hub_key,
            folders: Folders { dir, ..options.folders },
            linger: mode.linger,
            fail_fast: mode.fail_fast,
            patience: ClientTimeouts { timeout: self.timeout, push: mode.push_patience, ..options.patience },
            ..options
        })
    }
}

fn bad(message: impl Into<Cow<'static, str>>) -> Failure {
    Failure::new(ErrorCode::BadConfig, message)
}

/// Adds to a failure the option that names the folder.
fn unusable(failure: Failure, option: &str) -> Failure {
    let way = failure.hint.unwrap_or_else(|| format!("Name another folder with --{option}.").into());
    bad(failure.message).hint(way)
}

fn is_stdin(file: Option<&Path>) -> bool {
    file == Some(Path::new("-"))
}

/// The first line of a file or of standard input, which holds a secret. `instead` tells what to do at a terminal.
fn secret_line(file: &Path, what: &str, instead: &'static str) -> Result<String, Failure> {
    if is_stdin(Some(file)) {
        let input = io::stdin();
        if input.is_terminal() {
            return Err(bad(format!("The {what} would be shown.")).hint(instead));
        }
        // Locked, not wrapped: what is read ahead stays for the requests.
        return first_text(input.lock()).map_err(|e| bad(format!("The {what} cannot be read: {}.", cause::of_io(&e))));
    }
    let read = File::open(file).and_then(|file| first_text(BufReader::new(file)));
    read.map_err(|e| bad(format!("{} cannot be read: {}.", file.display(), cause::of_io(&e))))
}

/// Checks a value of `--accept-from`: a valid name, or everybody.
fn accepted(text: &str) -> Result<String, String> {
    let usable = check_person(text).map_err(|failure| failure.message.into_owned());
    if text == EVERYBODY { Ok(text.to_owned()) } else { usable.map(|()| text.to_owned()) }
}

/// The first line as text; empty if there is none.
fn first_text(source: impl BufRead) -> io::Result<String> {
    let line = first_line(source)?.unwrap_or_default();
    String::from_utf8(line).map_err(|_| io::Error::other("it is not valid UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_text() {
        assert_eq!(first_text(&b"caf\xc3\xa9\r\nlist"[..]).unwrap(), "café");
        assert_eq!(first_text(&b""[..]).unwrap(), "");
        assert!(first_text(&b"\xff\n"[..]).is_err());
    }
}
