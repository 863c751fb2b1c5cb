//! `potluck send`: files, folders, a stream or a text for whoever is told a code.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::client::{Errand, ParcelArgs};
use super::fail_as;
use super::nearby::OwnHub;
use super::size::rate;
use crate::io::drive::client::Who;
use crate::io::drive::spool::Spooled;
use crate::protocol::limits::CODE_ADMITTED;
use crate::protocol::when::span_or_seconds;
use crate::protocol::{ErrorCode, Event, EventLine, Failure, JoinLink, Request, request};

/// Standard input, as a path.
const STDIN: &str = "-";

/// Send files, folders or a text to whoever is told the code.
///
/// Prints a code, waits until somebody types it after `potluck receive`, and ends when they have everything. Without a
/// hub, it is one for as long as it runs, for others in the same network.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  potluck send talk.mp4 slides/\n  tar c photos | potluck send\n  potluck send --text 'soup at noon'\n  potluck send --hub hub.example --times 3 --until 2h notes.txt"
)]
pub struct Send {
    /// The files and folders; `-` is standard input, which is also taken if nothing is named and it is no terminal.
    #[arg(value_name = "PATH", conflicts_with = "text")]
    paths: Vec<String>,
    /// A text, in place of files.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// One may have it. This is the default.
    #[arg(long, conflicts_with = "times")]
    once: bool,
    /// So many may have it, from 1 to 64, each with the same code.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=CODE_ADMITTED as u64))]
    times: Option<u64>,
    /// For how long the code is good, such as 2h; a number alone is in seconds [default: as long as this runs].
    #[arg(long, value_name = "SPAN", value_parser = is_span)]
    until: Option<String>,
    /// Send in this network, without a hub, even if one was joined before.
    #[arg(long)]
    no_hub: bool,
    /// Send no faster than this many bytes a second in all, such as 500k, 10M or 2MiB.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    up: Option<u64>,
    #[command(flatten)]
    client: ParcelArgs,
}

impl Send {
    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(self) -> ExitCode {
        let json = self.client.json;
        self.send().unwrap_or_else(|failure| fail_as(json, 0, failure))
    }

    fn send(self) -> Result<ExitCode, Failure> {
        let hub = self.hub()?;
        // It is removed when this function ends.
        let spooled = self.spooled()?;
        let request = self.request(spooled.as_ref())?;
        match hub {
            Some((hub, who)) => self.client.run(self.errand(hub, who, request)),
            None => self.send_here(request),
        }
    }

    /// The hub, and as whom we come to it; nothing if it is to be in this process.
    fn hub(&self) -> Result<Option<(JoinLink, Who)>, Failure> {
        let joined = self.client.home()?.joined();
        let hub = match &self.client.hub {
            _ if self.no_hub => None,
            Some(hub) => Some(hub.clone()),
            None => joined.last().and_then(|joined| joined.link()),
        };
        Ok(hub.map(|hub| {
            let key_of = hub.name.clone().or_else(|| joined.find(&hub).map(|joined| joined.name));
            (hub, Who::Member { key_of })
        }))
    }

    /// Sends with a hub in this process.
    fn send_here(&self, request: Request) -> Result<ExitCode, Failure> {
        let own = OwnHub::start(self.client.home()?.sender_identity()?.key)?;
        let place = own.addresses().first().map(ToString::to_string);
        let retold = Box::new(move |line: &mut EventLine| told_at(line, place.as_deref()));
        let errand = self.errand(own.link(), Who::Member { key_of: None }, request);
        self.client.run(Errand { passing: true, retold: Some(retold), ..errand })
    }

    fn errand(&self, hub: JoinLink, who: Who, request: Request) -> Errand {
        let (downloads, rates) = (PathBuf::from("."), (self.up, None));
        let (aside, passed_on, retold) = (false, None, None);
        Errand { hub, who, passing: false, request, downloads, passed_on, rates, aside, retold }
    }

    fn request(&self, spooled: Option<&Spooled>) -> Result<Request, Failure> {
        let paths = match spooled.map(Spooled::path) {
            None => self.paths.clone(),
            Some(path) => {
                let path = path.into_os_string().into_string();
                vec![path.map_err(|_| Failure::new(ErrorCode::BadConfig, "The name in TMPDIR is not UTF-8."))?]
            }
        };
        let (text, stream) = (self.text.clone(), spooled.is_some());
        Ok(request::ParcelSend { paths, text, stream, times: self.times, until: self.until.clone() }.into())
    }

    /// What came on standard input, if that is to be sent.
    fn spooled(&self) -> Result<Option<Spooled>, Failure> {
        let asked = match self.paths.as_slice() {
            [only] if only == STDIN => true,
            [] if self.text.is_none() => false,
            some if some.iter().any(|path| path == STDIN) => {
                return Err(Failure::new(ErrorCode::BadConfig, "Standard input (`-`) is sent alone.")
                    .hint("Send the files by another `potluck send`."));
            }
            _ => return Ok(None),
        };
        let nothing =
            |why: &str, way| Failure::new(ErrorCode::BadConfig, format!("There is nothing to send{why}.")).hint(way);
        let input = io::stdin();
        if !asked && input.is_terminal() {
            return Err(nothing("", "Name files or folders, `-` for standard input, or give a text by --text."));
        }
        if input.is_terminal() {
            // Nobody reads standard error if it is closed.
            let _ = writeln!(io::stderr(), "Reading standard input until Ctrl-D; then there is a code.");
        }
        let spooled = Spooled::read(&mut input.lock())?;
        if !asked && spooled.bytes == 0 {
            return Err(nothing(
                ": standard input was empty",
                "Name files or folders, or `-` to send it all the same.",
            ));
        }
        Ok(Some(spooled))
    }
}

/// Whether it is a span at all; how long it may be is the session's matter.
fn is_span(text: &str) -> Result<String, String> {
    let said = || "write a number with s, m, h or d, such as 10m or 2h".to_owned();
    span_or_seconds(text).map(|_| text.to_owned()).ok_or_else(said)
}

/// A hub in this process is reached by others where this machine is, and not over loopback.
fn told_at(line: &mut EventLine, place: Option<&str>) {
    if let (Event::ParcelReady(ready), Some(place)) = (&mut line.event, place) {
        place.clone_into(&mut ready.hub);
    }
}
