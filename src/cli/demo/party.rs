//! The processes of the demo: sends their requests, reads their events, and waits for them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::Stop;
use super::heard::Heard;
use super::process::Process;
use crate::io::drive::stdout::StandardOutput;
use crate::protocol::{Event, EventLine, Id, LogEvent, LogLine, Request, RequestLine, cause, to_json};
use crate::ui::human::render;
use crate::ui::log::render_log;
use crate::ui::style::Style;

/// The longest wait for anything. It is far longer than anything takes, except on a very slow machine or because of a
/// fault.
const PATIENCE: Duration = Duration::from_secs(120);

/// The hub's name in the output.
pub(super) const HUB: &str = "hub";

/// The client whose events are all shown. Of the others, only answers are shown.
pub(super) const NARRATOR: &str = "erin";

/// The state of one client, as its events tell.
#[derive(Default)]
pub(super) struct Guest {
    /// Whether the hub has registered it.
    pub(super) welcome: bool,
    /// The number of offers that it knows of.
    pub(super) total: Option<u64>,
    /// The number of people that it knows of.
    pub(super) people: Option<u64>,
    /// The final event of each request.
    pub(super) answers: BTreeMap<String, Event>,
    /// The exit code in its `bye`.
    pub(super) bye: Option<u8>,
}

pub(super) struct Party {
    folder: PathBuf,
    style: Style,
    sender: Sender<Heard>,
    heard: Receiver<Heard>,
    processes: BTreeMap<&'static str, Process>,
    ended: Vec<&'static str>,
    pub(super) guests: BTreeMap<&'static str, Guest>,
    pub(super) link: Option<String>,
}

impl Party {
    pub(super) fn new(folder: &Path, style: Style, (sender, heard): (Sender<Heard>, Receiver<Heard>)) -> Self {
        let (processes, guests) = (BTreeMap::new(), BTreeMap::new());
        Self { folder: folder.to_owned(), style, sender, heard, processes, ended: Vec::new(), guests, link: None }
    }

    /// A folder of one of the processes.
    pub(super) fn folder(&self, who: &str, what: &str) -> PathBuf {
        self.folder.join(who).join(what)
    }

    /// Starts a process of this program.
    pub(super) fn start(&mut self, who: &'static str, args: Vec<OsString>) -> Result<(), Stop> {
        let started = Process::start(who, args, self.sender.clone());
        let process = started.map_err(Stop::failed(&format!("{who} cannot be started")))?;
        self.processes.insert(who, process);
        Ok(())
    }

    pub(super) fn process(&mut self, who: &'static str) -> Result<&mut Process, Stop> {
        self.processes.get_mut(who).ok_or_else(|| Stop::Failed(format!("{who} is not there")))
    }

    /// Sends a request with this id to a client.
    pub(super) fn ask(&mut self, who: &'static str, id: &str, request: impl Into<Request>) -> Result<(), Stop> {
        let line = to_json(&RequestLine { id: Some(Id::Text(id.into())), request: request.into() });
        self.show(who, '<', &line)?;
        self.process(who)?.write(&line).map_err(Stop::failed(&format!("{who} takes no requests")))
    }

    /// Waits for the answer to a request.
    pub(super) fn answer(&mut self, who: &'static str, id: &str) -> Result<Event, Stop> {
        self.wait(&format!("{who}'s answer to `{id}`"), |party| party.guests[who].answers.contains_key(id))?;
        let answer = self.guests.get_mut(who).and_then(|guest| guest.answers.remove(id));
        match answer {
            Some(Event::Error(error)) => Err(Stop::Failed(format!("{who}'s `{id}` failed: {}", error.message))),
            Some(answer) => Ok(answer),
            None => Err(Stop::Failed(format!("{who} did not answer `{id}`"))),
        }
    }

    /// Waits until a condition holds. `what` names it, in case it never does.
    pub(super) fn wait(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> Result<(), Stop> {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            match self.heard.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(heard) => self.take(heard)?,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Stop::Failed(format!("waited {} s in vain for {what}", PATIENCE.as_secs())));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Stop::Failed("nobody is left".into())),
            }
        }
        Ok(())
    }

    /// Checks whether the user wants the demo to end, for work that does not wait for anything.
    pub(super) fn look_up(&mut self) -> Result<(), Stop> {
        while let Ok(heard) = self.heard.try_recv() {
            self.take(heard)?;
        }
        Ok(())
    }

    /// Waits until a process has ended by itself, which must be with exit code 0.
    pub(super) fn see_off(&mut self, who: &'static str) -> Result<(), Stop> {
        self.wait(&format!("the end of {who}"), |party| party.ended.contains(&who))?;
        let status = self.process(who)?.wait().map_err(Stop::failed(&format!("{who} cannot be waited for")))?;
        self.processes.remove(who);
        if status.success() { Ok(()) } else { Err(Stop::Failed(format!("{who} ended with {status}"))) }
    }

    fn take(&mut self, heard: Heard) -> Result<(), Stop> {
        match heard {
            Heard::Signal(signal) => Err(Stop::Signal(signal)),
            Heard::Line(HUB, line) => self.hub_line(&line),
            Heard::Line(who, line) => self.client_line(who, &line),
            Heard::End(who) => {
                self.ended.push(who);
                // A client must say `bye`; the hub is the last process, and is waited for.
                let agreed = who == HUB && self.processes.len() == 1
                    || self.guests.get(who).is_some_and(|guest| guest.bye == Some(0));
                if agreed { Ok(()) } else { Err(Stop::Failed(format!("{who} ended too early"))) }
            }
        }
    }

    fn hub_line(&mut self, text: &str) -> Result<(), Stop> {
        let line =
            LogLine::parse(text).map_err(|e| Stop::Failed(format!("the hub's log: {}: {text}", cause::of_json(&e))))?;
        let Some(line) = line else { return Ok(()) };
        if let LogEvent::HubListening(listening) = &line.event {
            self.link = Some(listening.link.clone());
        }
        self.show(HUB, '|', &render_log(&line, self.style))
    }

    fn client_line(&mut self, who: &'static str, text: &str) -> Result<(), Stop> {
        let line = EventLine::parse(text)
            .map_err(|e| Stop::Failed(format!("{who}'s events: {}: {text}", cause::of_json(&e))))?;
        let Some(line) = line else { return Ok(()) };
        if shows(who, &line) {
            let text = render(&line, self.style);
            // The paths of files are not shown: they will soon be removed.
            let most = if matches!(line.event, Event::TransferCompleted(_)) { 1 } else { usize::MAX };
            text.lines().take(most).try_for_each(|shown| self.show(who, '|', shown))?;
        }
        let guest = self.guests.entry(who).or_default();
        match &line.event {
            Event::Welcome(_) => guest.welcome = true,
            Event::TableUpdated(update) => guest.total = Some(update.total),
            Event::RosterUpdated(update) => guest.people = Some(update.total),
            Event::Bye(bye) => guest.bye = Some(bye.code),
            _ => {}
        }
        if let (Some(Id::Text(id)), true) = (line.id, line.last) {
            guest.answers.insert(id, line.event);
        }
        Ok(())
    }

    /// Prints a headline between two parts.
    pub(super) fn headline(&self, text: &str) -> Result<(), Stop> {
        writeln!(StandardOutput, "\n{}", self.style.bold(text)).map_err(Stop::Unread)
    }

    /// Prints what a process says or is asked, with its name before each line.
    fn show(&self, who: &str, mark: char, text: &str) -> Result<(), Stop> {
        let mut out = StandardOutput;
        let before = self.style.dim(&format!("{who:<4} {mark}"));
        text.lines().try_for_each(|line| writeln!(out, "{before} {line}")).map_err(Stop::Unread)
    }
}

/// Of the narrator, everything is shown except fast progress; of the others, only answers.
fn shows(who: &str, line: &EventLine) -> bool {
    match line.event {
        Event::TransferProgress(_) | Event::TransferStarted(_) => false,
        _ => who == NARRATOR || line.last || matches!(line.event, Event::Bye(_)),
    }
}
