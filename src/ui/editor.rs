//! The interactive terminal: a line editor on a thread of its own, and a [`Printer`] that shows text above the line
//! that is being typed.
//!
//! While there is a prompt, only the editor's thread draws, because only it knows where the cursor is. Whenever
//! rustyline draws the prompt, it asks for a coloured version of it; what it gets is the whole [`Screen`], which ends
//! with the prompt. The printer puts its text into the screen and makes rustyline draw the prompt again.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Context, Event, EventContext, EventHandler,
    ExternalPrinter, Helper, Hinter, KeyCode, KeyEvent, Modifiers, Movement, RepeatCount,
};

use super::bars::{SharedBars, TerminalSize};
use super::candidates::fit;
use super::complete::Tab;
use super::screen::Screen;
use super::talk::SharedTalk;
use super::terminal_owner::{EndOfEditor, Owner, TerminalOwner};
use crate::protocol::human;

/// Lines in the history file.
const HISTORY: usize = 1_000;

/// How long the end of the session waits for the next prompt, before it takes the terminal back without it.
const TURNING: Duration = Duration::from_millis(100);

/// A generous bound for the time until a prompt or a text is on the terminal, because rustyline does not report that.
const DRAWING: Duration = Duration::from_millis(20);

/// How long the next prompt waits for the hub to confirm that the user has entered the room that it shows.
const ENTERING: Duration = Duration::from_secs(1);

/// A text for rustyline's own printer that moves nothing. It only makes it draw the prompt again.
const WAKE: &str = "\x1b[A\n";

/// The size of a terminal that does not report one.
const USUAL: TerminalSize = TerminalSize { columns: 80, rows: 24 };

/// What the user has typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// A line, without its line feed. A paste of several lines gives several of these.
    Line(String),
    /// Ctrl-C on an empty line. On another line, Ctrl-C only clears the line.
    Interrupt,
    /// Ctrl-D on an empty line, or the terminal has gone. Nothing follows.
    End,
}

/// Whether standard input and output are terminals that an editor can use. If not (`TERM=dumb`, a pipe), the caller
/// must read and write plain lines.
pub fn is_usable() -> bool {
    let able = !matches!(std::env::var("TERM").as_deref(), Err(_) | Ok("" | "dumb" | "cons25" | "emacs"));
    able && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The size of the terminal on standard output.
pub fn terminal_size() -> TerminalSize {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            TerminalSize { columns: size.ws_col.into(), rows: size.ws_row.into() }
        }
        _ => USUAL,
    }
}

/// The running editor. Dropping it restores the terminal.
pub struct Editor {
    terminal: Arc<TerminalOwner>,
    before: Termios,
}

impl Editor {
    /// Starts the editor. It shows the prompt of `talk`, with `bars` above it, and calls `typed` with what the user
    /// types, on the editor's thread; the text that `typed` returns is shown. Nothing is printed while `typed` runs, so
    /// it must not block. `history` is a file that only its owner can read; lines that start with a blank or hold a
    /// password are not stored in it. The editor asks for a missing password, and asks before it sends a line that
    /// looks like a forgotten command.
    ///
    /// # Errors
    /// If there is no usable terminal (see [`is_usable`]), or no thread can be started.
    pub fn start(
        talk: SharedTalk,
        history: Option<PathBuf>,
        tab: Tab,
        bars: Option<SharedBars>,
        typed: impl FnMut(Typed) -> Option<String> + Send + 'static,
    ) -> io::Result<(Self, Printer)> {
        let before = tcgetattr(io::stdin())?;
        let mut editor = Lines::with_config(config()?).map_err(io_error)?;
        let terminal = Arc::new(TerminalOwner::new(Screen::new(bars)));
        editor.set_helper(Some(Assistant { tab, talk: talk.clone(), secret: false, terminal: Arc::clone(&terminal) }));
        editor.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(ClearLine)));
        for key in [KeyEvent(KeyCode::Tab, Modifiers::NONE), KeyEvent::ctrl('L'), KeyEvent::ctrl('Z')] {
            let lift = LiftBars { terminal: Arc::clone(&terminal) };
            editor.bind_sequence(key, EventHandler::Conditional(Box::new(lift)));
        }
        let history = history.filter(|file| load_history(&mut editor, file));
        let external = Box::new(editor.create_external_printer().map_err(io_error)?);
        let resumed = Box::new(editor.create_external_printer().map_err(io_error)?);
        super::resumed::watch(Arc::clone(&terminal), resumed, WAKE)?;
        let owner = Arc::clone(&terminal);
        std::thread::Builder::new().name("editor".into()).spawn(move || edit(editor, &owner, &talk, history, typed))?;
        Ok((Self { terminal: Arc::clone(&terminal), before }, Printer { external, terminal, text: Vec::new() }))
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        if self.terminal.end_editing(TURNING) == Owner::Editor {
            std::thread::sleep(DRAWING);
            // The editor's thread still waits for a key. Remove its prompt, and leave bracketed paste.
            let clear = self.terminal.lock().screen.clear(terminal_size().columns);
            let _ = show(&(clear + "\r\x1b[K\x1b[?2004l"));
        }
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

type Lines = rustyline::Editor<Assistant, FileHistory>;

fn config() -> io::Result<Config> {
    let config = Config::builder().completion_type(CompletionType::List).history_ignore_space(true);
    // rustyline would ask whether to list many candidates, and take the typed keys as the answer. Ours always fit on
    // the screen.
    let config = config.completion_prompt_limit(usize::MAX);
    // rustyline lets us draw, and hide a password, through its colouring, so colouring must be on. We do not colour.
    let config = config.color_mode(ColorMode::Forced);
    let config = config.max_history_size(HISTORY).and_then(|c| c.history_ignore_dups(true)).map_err(io_error)?;
    Ok(config.build())
}

/// Reads the history; false if it cannot be used, which only owner it off. The file is created here, because rustyline
/// would change the umask of the whole process for a moment, which affects other threads.
fn load_history(editor: &mut Lines, file: &Path) -> bool {
    let made = OpenOptions::new().create(true).append(true).mode(0o600).open(file);
    let loaded = made.map_err(ReadlineError::from).and_then(|_| editor.load_history(file));
    loaded.inspect_err(|e| tracing::warn!("no history: {}", crate::protocol::cause::plain(&e.to_string()))).is_ok()
}

fn edit(
    editor: Lines,
    terminal: &Arc<TerminalOwner>,
    talk: &SharedTalk,
    history: Option<PathBuf>,
    mut typed: impl FnMut(Typed) -> Option<String>,
) {
    // This must be dropped first, however the function ends: a waiting printer then gets its text back and writes it
    // itself.
    let over = EndOfEditor(terminal);
    let mut editor = editor;
    while terminal.lock().owner != Owner::Over {
        let prompt = terminal.prompt(next_prompt(terminal, talk));
        let read = editor.readline(&prompt);
        if read.is_err() {
            // The cursor is below the line, which was left with the bars above it.
            let _ = show(&terminal.lift(&prompt.text, 1, terminal_size().columns));
        }
        terminal.set(Owner::Nobody);
        match read {
            Ok(text) => {
                let lines = || text.split(['\n', '\r']);
                let kept = !lines().any(|line| holds_secret(talk, line));
                let added = kept && editor.add_history_entry(text.as_str()).unwrap_or(false);
                if let (true, Some(file)) = (added, &history) {
                    let _ = editor
                        .append_history(file)
                        .inspect_err(|e| tracing::warn!("history: {}", crate::protocol::cause::plain(&e.to_string())));
                }
                for (number, line) in lines().enumerate() {
                    // Each line of a paste gets its own prompt, as if it had been typed.
                    if number > 0 {
                        next_prompt(terminal, talk);
                    }
                    let note = meant(&mut editor, terminal, talk, line).and_then(|line| typed(Typed::Line(line)));
                    if let Some(note) = note {
                        let _ = show(&(note + "\n"));
                    }
                }
            }
            Err(ReadlineError::Interrupted) => drop(typed(Typed::Interrupt)),
            Err(ReadlineError::Signal(_)) => {}
            Err(ReadlineError::Eof) => break,
            Err(e) => {
                tracing::warn!("the terminal: {}", crate::protocol::cause::plain(&e.to_string()));
                break;
            }
        }
    }
    drop(editor);
    drop(over);
    typed(Typed::End);
}

/// The prompt of the next line. It first waits until it is known which room the prompt must show.
fn next_prompt(terminal: &TerminalOwner, talk: &SharedTalk) -> String {
    if talk.lock().is_entering() {
        terminal.set(Owner::Printer);
        talk.wait_until_entered(ENTERING);
        terminal.set(Owner::Nobody);
    }
    talk.lock().prompt()
}

/// Whether a line holds a password, also if its slash was forgotten.
fn holds_secret(talk: &SharedTalk, line: &str) -> bool {
    human::holds_secret(line) || talk.lock().command(line).is_some_and(human::holds_secret)
}

/// The line to send. If it looks like a forgotten command, the user is asked first; if it lacks a password, the user is
/// asked for it without echo. `None` if the user declines; then the line is dropped.
fn meant(editor: &mut Lines, terminal: &Arc<TerminalOwner>, talk: &SharedTalk, line: &str) -> Option<String> {
    let (doubt, command) = {
        let talk = talk.lock();
        (talk.doubt(line), talk.command(line).map(str::to_owned))
    };
    if let Some(question) = doubt {
        let answer = ask(editor, terminal, question).unwrap_or_default();
        let yes = ["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes));
        if !yes {
            let _ = show("It was not said.\n");
        }
        return yes.then(|| line.to_owned());
    }
    if !command.is_some_and(|command| human::lacks_secret(&command)) {
        return Some(line.to_owned());
    }
    hide(editor, true);
    let read = ask(editor, terminal, "Password: ".to_owned());
    hide(editor, false);
    let password = read.filter(|password| !password.is_empty())?;
    Some(format!("{line} -- {}", shlex::try_quote(&password).ok()?))
}

/// The user's answer to a question; `None` if there is none.
fn ask(editor: &mut Lines, terminal: &Arc<TerminalOwner>, question: String) -> Option<String> {
    let read = editor.readline(&terminal.prompt(question));
    terminal.set(Owner::Nobody);
    read.ok()
}

/// Sets whether typed characters are hidden.
fn hide(editor: &mut Lines, secret: bool) {
    if let Some(assistant) = editor.helper_mut() {
        assistant.secret = secret;
    }
}

/// Writes to the terminal and flushes.
fn show(text: &str) -> io::Result<()> {
    let mut terminal = io::stdout().lock();
    terminal.write_all(text.as_bytes())?;
    terminal.flush()
}

/// Writes text above the prompt, and makes the bars be drawn again if they have changed. Text is collected until
/// [`flush`](Write::flush), which completes its last line. Text from others must be [escaped](super::escape::escape) by
/// the caller.
pub struct Printer {
    external: Box<dyn ExternalPrinter + Send>,
    terminal: Arc<TerminalOwner>,
    text: Vec<u8>,
}

impl Write for Printer {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut text = String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        // Between two prompts, text could appear before earlier text that the editor has not shown yet, so it waits.
        let mut state = self.terminal.wait_while(|state| state.owner == Owner::Nobody);
        if state.owner == Owner::Printer {
            // The next prompt cannot appear before this text does.
            let shown = show(&text);
            drop(state);
            return shown;
        }
        if state.owner == Owner::Editor && (!text.is_empty() || state.screen.is_due()) {
            state.screen.put(&text);
            drop(state);
            // If this fails, the editor has ended, and the text is still in the screen.
            let _ = self.external.print(WAKE.to_owned());
            state = self.terminal.wait_while(|state| state.owner != Owner::Over && state.screen.has_text());
            text = state.screen.take_text();
        }
        drop(state);
        if text.is_empty() { Ok(()) } else { show(&text) }
    }
}

/// Handles Ctrl-C on a line that is not empty: clears it.
struct ClearLine;

impl ConditionalEventHandler for ClearLine {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        (!ctx.line().is_empty()).then_some(Cmd::Kill(Movement::WholeBuffer))
    }
}

/// Handles keys that make rustyline draw something other than the prompt: the bars are removed first.
struct LiftBars {
    terminal: Arc<TerminalOwner>,
}

impl ConditionalEventHandler for LiftBars {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        let before = self.terminal.lock().prompt.clone() + ctx.line().get(..ctx.pos()).unwrap_or_default();
        let _ = show(&self.terminal.lift(&before, 0, terminal_size().columns));
        None
    }
}

#[derive(Helper, Hinter)]
struct Assistant {
    tab: Tab,
    talk: SharedTalk,
    /// Whether the user is typing a password.
    secret: bool,
    terminal: Arc<TerminalOwner>,
}

impl Validator for Assistant {
    /// Accepts every line. If there are bars, the message, even an empty one, makes rustyline draw once more, without
    /// them.
    fn validate(&self, _: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let screen = &mut self.terminal.lock().screen;
        let redraw = screen.has_bars();
        if redraw {
            screen.leave();
        }
        Ok(ValidationResult::Valid(redraw.then(String::new)))
    }
}

impl Highlighter for Assistant {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Owned(self.terminal.paint(prompt, terminal_size()))
    }

    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.secret { Cow::Borrowed("") } else { Cow::Borrowed(line) }
    }

    /// Asks for a full drawing after each key. Otherwise rustyline would echo the typed character, which may belong to
    /// a password.
    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        self.secret
    }
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        if self.secret {
            return Ok((pos, Vec::new()));
        }
        let typed = line.get(..pos).unwrap_or(line);
        // A line of talk is not completed.
        let Some(command) = self.talk.lock().command(typed).map(str::to_owned) else { return Ok((pos, Vec::new())) };
        let (start, found) = self.tab.complete(&command);
        let start = start + typed.len() - command.len();
        let pair = |c: super::complete::Candidate| Pair { display: c.display, replacement: c.replacement };
        Ok((start, fit(found, terminal_size()).into_iter().map(pair).collect()))
    }
}

fn io_error(e: ReadlineError) -> io::Error {
    if let ReadlineError::Io(e) = e { e } else { io::Error::other(e) }
}
