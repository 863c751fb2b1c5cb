//! `potluck receive`: what somebody sends under a code.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::came::{Came, TEXT_FILE, TextFile};
use super::client::{Errand, ParcelArgs};
use super::fail_as;
use super::nearby::{find, is_for_this_network};
use super::size::rate;
use crate::core::session::PassesOn;
use crate::io::content::kept::keep;
use crate::io::drive::client::Who;
use crate::io::drive::spool::Passage;
use crate::io::drive::stdout::{StandardOutput, loss};
use crate::io::fs::check_target;
use crate::protocol::{Code, ErrorCode, Failure, JoinLink, OnConflict, cause, event, request};

/// Standard output, as a path.
const STDOUT: &str = "-";

/// The current folder, as a path.
const HERE: &str = ".";

/// How much is copied to standard output at a time, in bytes.
const BUFFER: usize = 256 << 10;

/// Receive what somebody sends under a code.
///
/// The code is looked up at the hub that was joined last, at the one that is named, or, if the sender has none, in this
/// network. Files go to the current folder, a text to the terminal, a stream to standard output if that is no terminal.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  potluck receive 8-crossover-clockwork\n  potluck receive hub.example/8-crossover-clockwork --downloads inbox\n  potluck receive 8 crossover clockwork --output - | tar x"
)]
pub struct Receive {
    #[allow(rustdoc::broken_intra_doc_links, reason = "clap prints it: these are optional parts")]
    /// The code, in capitals or not, with spaces or dashes; before it the hub, if this machine does not know it.
    #[arg(value_name = "[HOST[:PORT]/]CODE", required = true, num_args = 1..=6)]
    code: Vec<String>,
    /// Where to put it: a file's name, a folder, or `-` for standard output.
    #[arg(long, short, value_name = "FILE|DIR|-")]
    output: Option<PathBuf>,
    /// The folder that files go to; it is made when it is needed.
    #[arg(long, value_name = "DIR", default_value = HERE)]
    downloads: PathBuf,
    /// What to do if a file's name exists.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "fail")]
    on_conflict: OnConflict,
    /// Receive no faster than this many bytes a second in all, such as 500k, 10M or 2MiB.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    down: Option<u64>,
    #[command(flatten)]
    client: ParcelArgs,
}

/// Where what is received goes.
struct Destination {
    downloads: PathBuf,
    /// The name there.
    to: Option<String>,
    /// What of it is passed on to standard output, and the private place where that is kept until then.
    passage: Option<(PassesOn, Passage)>,
}

impl Receive {
    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(self) -> ExitCode {
        let (json, came) = (self.client.json, Came::default());
        self.receive(&came).unwrap_or_else(|failure| fail_as(json, came.told(), failure))
    }

    fn receive(self, came: &Came) -> Result<ExitCode, Failure> {
        let (host, code) = parsed(&self.code)?;
        code.check_of_parcel()?;
        let Destination { downloads, to, passage } = self.destination()?;
        let (hub, passing) = self.hub(host, &code)?;
        let on_conflict = Some(self.on_conflict);
        let request = request::ParcelReceive { code: code.to_string(), to, on_conflict }.into();
        // Then standard output is for what is received, and for nothing else.
        let aside = !self.client.json && (passage.is_some() || !io::stdout().is_terminal());
        let private = passage.as_ref().map(|(_, passage)| passage.path());
        let retold = Some(came.retold(self.text_file(), aside, private));
        let (rates, who) = ((None, self.down), Who::Guest);
        let passed_on = passage.as_ref().map(|(what, passage)| (*what, passage.path()));
        let errand = Errand { hub, who, passing, request, downloads, passed_on, rates, aside, retold };
        let ended = self.client.run(errand)?;
        let (received, unkept) = came.take();
        if let Some(received) = received.filter(|_| aside) {
            pass_on(&received, passage.as_ref().map(|(what, _)| *what), &self.downloads)?;
        }
        unkept.map_or(Ok(ended), Err)
    }

    /// The file for a text, if a file or a folder was named.
    fn text_file(&self) -> Option<TextFile> {
        let (folder, name) = match &self.output {
            Some(output) if output.as_os_str() == OsStr::new(STDOUT) => return None,
            Some(output) if is_folder(output) => (output.as_path(), None),
            Some(output) => match output.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                Some(parent) => (parent, output.file_name()),
                None => (self.downloads.as_path(), output.file_name()),
            },
            None if self.downloads == Path::new(HERE) => return None,
            None => (self.downloads.as_path(), None),
        };
        let name = name.and_then(OsStr::to_str).unwrap_or(TEXT_FILE).to_owned();
        Some(TextFile { folder: folder.to_owned(), name, on_conflict: self.on_conflict })
    }

    /// The hub, and whether it is a sender's own.
    fn hub(&self, host: Option<JoinLink>, code: &Code) -> Result<(JoinLink, bool), Failure> {
        if let Some(hub) = host {
            return Ok((hub, false));
        }
        // What is said in this command counts; what the environment says of every command does not know of this sender.
        let named = self.client.hub.as_ref().filter(|hub| from_environment().as_ref() != Some(*hub));
        if named.is_none() && is_for_this_network(code) {
            return Ok((find(code, self.client.transport, self.client.timeout)?, true));
        }
        if let Some(hub) = &self.client.hub {
            return Ok((hub.clone(), false));
        }
        let last = self.client.home()?.joined().last().and_then(|joined| joined.link());
        let unknown = || {
            Failure::new(ErrorCode::BadConfig, "It is not known which hub the code is for.")
                .hint("The sender was told the whole of it: `potluck receive HOST:PORT/CODE`.")
        };
        last.map(|hub| (hub, false)).ok_or_else(unknown)
    }

    fn destination(&self) -> Result<Destination, Failure> {
        let Some(output) = &self.output else {
            let destination = usable(self.downloads.clone(), None)?;
            let to_terminal = self.client.json || io::stdout().is_terminal();
            let passage = (!to_terminal).then(Passage::open).transpose()?;
            return Ok(Destination { passage: passage.map(|passage| (PassesOn::Streams, passage)), ..destination });
        };
        if output.as_os_str() == OsStr::new(STDOUT) {
            if self.client.json {
                return Err(Failure::new(
                    ErrorCode::BadConfig,
                    "Standard output cannot take both the events and the parcel.",
                )
                .hint("Leave out --json, or name a file by --output."));
            }
            let passage = Passage::open()?;
            return Ok(Destination { downloads: passage.path(), to: None, passage: Some((PassesOn::All, passage)) });
        }
        let text =
            output.to_str().ok_or_else(|| Failure::new(ErrorCode::BadConfig, "The name in --output is not UTF-8."))?;
        if is_folder(output) {
            return usable(output.clone(), None);
        }
        if output.metadata().is_ok_and(|found| !found.is_file()) {
            let message = format!("{text} is neither a file nor a folder.");
            return Err(Failure::new(ErrorCode::BadConfig, message)
                .hint(format!("`--output - > {text}` writes one file, a text or a stream to it.")));
        }
        let (parent, name) = (output.parent(), output.file_name().and_then(OsStr::to_str));
        let name = name.ok_or_else(|| Failure::new(ErrorCode::BadConfig, format!("{text} is not a file's name.")))?;
        let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
        usable(parent.map_or_else(|| self.downloads.clone(), Path::to_owned), Some(name.to_owned()))
    }
}

/// Whether a path names a folder: one that is there, or one that ends like one.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// The hub that is named for all commands.
fn from_environment() -> Option<JoinLink> {
    std::env::var("POTLUCK_HUB").ok()?.parse().ok()
}

fn usable(downloads: PathBuf, to: Option<String>) -> Result<Destination, Failure> {
    check_target(&downloads).map_err(|failure| {
        Failure::new(ErrorCode::BadConfig, failure.message).hint("Name another folder by --downloads or --output.")
    })?;
    Ok(Destination { downloads, to, passage: None })
}

/// The hub and the code, as they were typed: in one word or in several.
fn parsed(words: &[String]) -> Result<(Option<JoinLink>, Code), Failure> {
    let words = unpasted(words);
    let typed = words.join("-");
    let (host, code) = match typed.rsplit_once('/') {
        Some((host, code)) => (Some(host), code),
        // As `join` takes it: the host in a word of its own.
        None if words.len() > 1
            && words[0].contains(|c: char| !c.is_ascii_digit())
            && !Code::is_meant_by(&words[0]) =>
        {
            (Some(words[0].as_str()), &typed[words[0].len() + 1..])
        }
        None => (None, typed.as_str()),
    };
    let code = code.parse::<Code>()?;
    let link = |host: &str| {
        host.parse::<JoinLink>().map_err(|e| Failure::new(ErrorCode::BadConfig, format!("{host} names no hub: {e}.")))
    };
    Ok((host.map(link).transpose()?, code))
}

/// The words without the command before them, which the sender's line has, too.
fn unpasted(words: &[String]) -> Vec<String> {
    let all: Vec<_> = words.iter().flat_map(|word| word.split_whitespace()).map(str::to_owned).collect();
    match all.as_slice() {
        [potluck, receive, code @ ..] if potluck == "potluck" && receive == "receive" => code.to_vec(),
        [receive, code @ ..] if receive == "receive" => code.to_vec(),
        _ => all,
    }
}

/// Writes what was received to standard output: a text as it is, and of files what is only passed on. That is in a private
/// place, and whatever was kept is left alone. What standard output does not take is kept in `folder`: its sender has been
/// told that it is here.
fn pass_on(received: &event::ParcelReceived, passed_on: Option<PassesOn>, folder: &Path) -> Result<(), Failure> {
    let event::ParcelReceived { kind, path, text, name, .. } = received;
    let mut out = StandardOutput;
    let passes_on = passed_on.unwrap_or_default().takes(*kind);
    if let Some(text) = text {
        let write = |out: &mut dyn Write| out.write_all(text.as_bytes());
        return write(&mut out).map_err(|e| kept(lost(&e), keep(folder, TEXT_FILE, OnConflict::Rename, write)));
    }
    let Some(path) = path.as_deref().map(Path::new).filter(|_| passes_on) else { return Ok(()) };
    let unread = |e: io::Error| {
        Failure::new(ErrorCode::NotReadable, format!("{} cannot be read: {}.", path.display(), cause::of_io(&e)))
    };
    let mut file = File::open(path).map_err(unread)?;
    copy(&mut file, &mut out).map_err(|e| {
        let again = |out: &mut dyn Write| file.rewind().and_then(|()| copy(&mut file, out));
        kept(lost(&e), keep(folder, name, OnConflict::Rename, again))
    })
}

fn copy(file: &mut File, out: &mut dyn Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            read => out.write_all(&buffer[..read])?,
        }
    }
}

/// The failure of standard output. Nobody can ask again for what was not passed on, so a reader that has closed the pipe
/// is one, too.
fn lost(e: &io::Error) -> Failure {
    match loss(e) {
        Some(Err(failure)) => failure,
        Some(Ok(())) => {
            Failure::new(ErrorCode::OutputLost, "Standard output was closed before everything was passed on.")
        }
        None => Failure::internal(e),
    }
}

/// The failure, with where what was not passed on is kept.
fn kept(failure: Failure, path: Result<PathBuf, Failure>) -> Failure {
    match path {
        Ok(path) => failure.hint(format!("All of it is in {}.", path.display())),
        Err(why) => failure.hint(format!("It could not be kept in a file either: {}", why.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<(Option<String>, String), String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let (host, code) = parsed(&words).map_err(|failure| failure.message.into_owned())?;
        Ok((host.map(|host| host.host_port()), code.to_string()))
    }

    #[test]
    fn a_code_is_read_as_it_is_said_and_typed() {
        let code = "8-crossover-clockwork".to_owned();
        for words in [
            &["8-crossover-clockwork"][..],
            &["8 Crossover CLOCKWORK"],
            &["8", "crossover", "clockwork"],
            &["8", "crossover-clockwork"],
            &["potluck receive 8-crossover-clockwork"],
            &["potluck", "receive", "8-crossover-clockwork"],
        ] {
            assert_eq!(read(words), Ok((None, code.clone())), "{words:?}");
        }
        for words in [
            &["hub.example/8-crossover-clockwork"][..],
            &["hub.example/8", "crossover", "clockwork"],
            &["hub.example", "8", "crossover", "clockwork"],
            &["hub.example:7755", "8-crossover-clockwork"],
        ] {
            assert_eq!(read(words), Ok((Some("hub.example:7755".into()), code.clone())), "{words:?}");
        }
        assert_eq!(read(&["[::1]:9/8-crossover-clockwork"]), Ok((Some("[::1]:9".into()), code)));
        assert!(read(&["8-crosover-clockwork"]).unwrap_err().contains("crosover"));
        assert!(read(&["clockwork"]).is_err() && read(&["8", "crossover"]).is_err());
    }
}
