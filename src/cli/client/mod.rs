//! Code that `join`, `exec`, `send` and `receive` have in common: options, streams, and running a client.

mod live;
mod name;
mod options;
mod parcel;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::mpsc;

use super::recording::output_lost;
use crate::core::outbox::Popped;
use crate::core::session::Replica;
use crate::io::drive::client::{ClientDriver, ClientOptions, Message, Reporting, UNREAD, UserInput, mailbox, reach};
use crate::io::drive::output::{Output, Render};
use crate::io::drive::queued::{BOUNDS, Numbered};
use crate::io::drive::stdout::loss;
use crate::io::os::signals::{OnHangup, Signals};
use crate::protocol::types::Password;
use crate::protocol::{ErrorCode, Event, EventLine, Failure, Follows, append_json};
use crate::ui::bars::{Glyphs, SharedBars};
use crate::ui::human::{render, render_timed};
use crate::ui::style::Style;
pub(in crate::cli) use live::standard_output;
pub(in crate::cli) use options::ClientArgs;
pub(in crate::cli) use parcel::{Errand, ParcelArgs, parcel_id};

/// What a subcommand decides about the run, besides the options.
pub(in crate::cli) struct RunMode {
    pub(in crate::cli) linger: bool,
    pub(in crate::cli) fail_fast: bool,
    /// How the table and the roster are followed.
    pub(in crate::cli) follow: Follows,
    /// Whether the client takes messages.
    pub(in crate::cli) inbox: bool,
    /// Selects the events that are written, and numbered.
    pub(in crate::cli) told: fn(&EventLine) -> bool,
    /// Selects the events that are shown as text.
    pub(in crate::cli) shows: Shows,
    /// The progress bars, if there is a terminal for them.
    pub(in crate::cli) bars: Option<SharedBars>,
    /// The result of [`ClientArgs::password`], which must ask before anything else uses the terminal.
    pub(in crate::cli) password: Option<Password>,
    /// How long the end waits for receivers of pushes; `None` waits until `--timeout`.
    pub(in crate::cli) push_patience: Option<Duration>,
    /// Whether text shows the time and number of messages.
    pub(in crate::cli) times: bool,
    /// Called with the name that the hub has given us, at the first welcome.
    pub(in crate::cli) welcomed: Option<Welcomed>,
    /// Changes an event before anybody is told of it.
    pub(in crate::cli) retold: Option<Retold>,
}

/// What is changed in an event before it is told.
pub(in crate::cli) type Retold = Box<dyn FnMut(&mut EventLine) + Send>;

/// What is done when the client is in.
pub(in crate::cli) type Welcomed = Box<dyn FnOnce(&str) + Send>;

/// Selects the events that are shown as text.
pub(in crate::cli) type Shows = Box<dyn FnMut(&EventLine) -> bool + Send>;

/// How events are written: as JSON or as text.
pub(in crate::cli) struct Face {
    style: Style,
    dress: Option<Dress>,
}

/// Changes the text of an event for this terminal.
type Dress = Box<dyn FnMut(&EventLine, String) -> String + Send>;

impl From<Style> for Face {
    fn from(style: Style) -> Self {
        Self { style, dress: None }
    }
}

impl Face {
    /// The same, with the text changed by `dress` for somebody who talks at this terminal.
    pub(in crate::cli) fn dressed(self, dress: impl FnMut(&EventLine, String) -> String + Send + 'static) -> Self {
        Self { dress: Some(Box::new(dress)), ..self }
    }

    fn text(&mut self, line: &EventLine, times: bool) -> String {
        let text = if times { render_timed(line, self.style) } else { render(line, self.style) };
        match &mut self.dress {
            Some(dress) => dress(line, text),
            None => text,
        }
    }
}

/// Colour if standard output is a terminal and its user has not turned colour off.
pub(in crate::cli) fn style() -> Style {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if io::stdout().is_terminal() && !unwanted && !dumb { Style::Colour } else { Style::Plain }
}

/// The characters that the terminal can show, by the locale (POSIX: the first of these variables that is set counts).
fn glyphs() -> Glyphs {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
    let locale = locale.into_iter().find(|value| !value.is_empty()).unwrap_or_default().to_ascii_lowercase();
    if locale.ends_with("utf-8") || locale.ends_with("utf8") { Glyphs::Unicode } else { Glyphs::Ascii }
}

/// Progress bars, if standard output is a terminal and shows text.
fn bars(json: bool) -> Option<SharedBars> {
    let able = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    (!json && able && io::stdout().is_terminal()).then(|| SharedBars::new(style(), glyphs()))
}

impl ClientArgs {
    /// Progress bars, if standard output is a terminal and shows text.
    pub(in crate::cli) fn bars(&self) -> Option<SharedBars> {
        bars(self.json())
    }

    /// Runs a client that writes to `sink`. `feed` sends its input.
    pub(in crate::cli) fn run<S: Write + Send + 'static>(
        &self,
        mut mode: RunMode,
        face: impl Into<Face>,
        sink: S,
        watch: impl FnMut(&Replica),
        feed: impl FnOnce(mpsc::Sender<UserInput>, mpsc::Sender<Message>),
    ) -> Result<ExitCode, Failure> {
        let options = self.options(&mut mode)?;
        run(options, Renderer::new(self.json(), mode, face.into()), sink, watch, feed)
    }
}

/// Runs a client that writes to `sink`. `feed` sends its input.
pub(in crate::cli) fn run<S: Write + Send + 'static>(
    options: ClientOptions,
    renderer: Renderer,
    sink: S,
    watch: impl FnMut(&Replica),
    feed: impl FnOnce(mpsc::Sender<UserInput>, mpsc::Sender<Message>),
) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    runtime.block_on(async {
        let local = reach(&options.hub, options.patience.timeout).await;
        let (broken_sender, mut broken) = mpsc::channel(1);
        let (mailbox, messages) = mailbox();
        let render = Reporting::new(renderer, mailbox.clone());
        let printed = Output::spawn(BOUNDS, sink, render, move |e| {
            let code = loss(e).and_then(Result::err).map_or(0, |failure| failure.code.exit());
            let _ = broken_sender.blocking_send(code);
        })
        .map_err(Failure::internal)?;
        let driver = ClientDriver::new(options, local, printed.clone(), (mailbox.clone(), messages), watch)?;
        let stopping = mailbox.clone();
        let _signals = Signals::install(OnHangup::Ends, move |signal| {
            if stopping.blocking_send(Message::Interrupt(signal.exit())).is_err() {
                // The client has ended, and only its output waits to be read.
                std::process::exit(signal.exit().into());
            }
        })
        .map_err(Failure::internal)?;
        // If the reader of our output has gone, the client ends: answers that cannot be read are of no use.
        let unread = mailbox.clone();
        tokio::spawn(async move {
            if let Some(code) = broken.recv().await {
                let _ = unread.send(Message::Interrupt(code)).await;
            }
        });
        let (sender, input) = mpsc::channel(64);
        feed(sender, mailbox);
        let code = driver.run(input).await;
        // Everything that was told is read, unless the user wants to end now, or a time limit has passed.
        let now = code >= 128 || code == ErrorCode::TimedOut.exit();
        let closed = match printed.close(Some(Duration::from_secs(1))) {
            Err(e) if e.kind() == io::ErrorKind::TimedOut && !now => {
                let _ = writeln!(io::stderr(), "{UNREAD}");
                printed.close(None)
            }
            closed => closed,
        };
        Ok(match closed.err().and_then(|e| loss(&e)).and_then(Result::err) {
            Some(failure) => output_lost(&failure),
            None => ExitCode::from(code),
        })
    })
}

/// Renders events as text, and updates the progress bars.
pub(in crate::cli) struct Renderer {
    numbered: Numbered,
    json: bool,
    told: fn(&EventLine) -> bool,
    shows: Shows,
    bars: Option<SharedBars>,
    face: Face,
    times: bool,
    welcomed: Option<Welcomed>,
    retold: Option<Retold>,
}

impl Renderer {
    /// Renders as JSON or as text.
    pub(in crate::cli) fn new(json: bool, mode: RunMode, face: Face) -> Self {
        let RunMode { told, shows, bars, times, welcomed, retold, .. } = mode;
        Self { numbered: Numbered::default(), json, told, shows, bars, face, times, welcomed, retold }
    }
}

impl Render<EventLine> for Renderer {
    fn render(&mut self, popped: Popped<EventLine>, out: &mut Vec<u8>) {
        let mut line = Numbered::line(popped);
        if let Event::Welcome(welcome) = &line.event
            && let Some(welcomed) = self.welcomed.take()
        {
            welcomed(&welcome.name);
        }
        if !(self.told)(&line) {
            return;
        }
        if let Some(retold) = &mut self.retold {
            retold(&mut line);
        }
        self.numbered.number(&mut line);
        if let Some(bars) = &self.bars {
            bars.lock().hear(&line);
        }
        if self.json {
            append_json(&line, out);
            out.push(b'\n');
        } else if (self.shows)(&line) {
            out.extend_from_slice(self.face.text(&line, self.times).as_bytes());
        }
    }

    fn is_due(&self) -> bool {
        self.bars.as_ref().is_some_and(|bars| bars.lock().is_due())
    }

    fn written(&mut self) {
        if let Some(bars) = &self.bars {
            bars.lock().drawn();
        }
    }
}
