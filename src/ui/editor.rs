//! The prompt for people: a line editor on a thread of its own, and a printer that puts what is told
//! above the line that is being typed.
//!
//! Only the editor's thread draws while there is a prompt, since only there it is known where the cursor is: whenever
//! the library draws the prompt, it asks for its colours, and what it gets is the whole [`Screen`] that ends with the
//! prompt. The printer leaves its text there, and has the prompt drawn again.

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
use super::turn::{Turn, TurnOver, Whose};
use crate::protocol::human;

/// How many lines the history keeps.
const HISTORY: usize = 1_000;

/// How long the next prompt may take to come, before the terminal is taken back without it.
const TURNING: Duration = Duration::from_millis(100);

/// How long it takes, generously, until a prompt that was asked for or a text that was handed over is on
/// the terminal. The library does not tell.
const DRAWING: Duration = Duration::from_millis(20);

/// How long the next prompt waits for the hub to say whether one is in the room that it is to show.
const ENTERING: Duration = Duration::from_secs(1);

/// A text for the library's own printer that moves nothing: after it, the prompt is drawn again.
const WAKE: &str = "\x1b[A\n";

/// How large a terminal is that does not say.
const USUAL: TerminalSize = TerminalSize { columns: 80, rows: 24 };

/// What comes from the keyboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// A line, without its end. Pasting several lines gives several of these.
    Line(String),
    /// Ctrl-C on an empty line; on another one it only clears the line.
    Interrupt,
    /// Ctrl-D on an empty line, or the terminal is gone. Nothing comes after.
    End,
}

/// Whether there is a terminal on both sides that can do what an editor needs. Where not (`TERM=dumb`,
/// a pipe), lines are read and text is written plainly, without an editor.
pub fn is_usable() -> bool {
    let able = !matches!(std::env::var("TERM").as_deref(), Err(_) | Ok("" | "dumb" | "cons25" | "emacs"));
    able && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// How large the terminal is.
pub fn terminal_size() -> TerminalSize {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            TerminalSize { columns: size.ws_col.into(), rows: size.ws_row.into() }
        }
        _ => USUAL,
    }
}

/// Keeps the terminal for the editor; when this is dropped, the terminal is as it was before.
pub struct Editor {
    turn: Arc<Turn>,
    before: Termios,
}

impl Editor {
    /// Shows the prompt of `talk`, with `bars` above it, and calls `typed` with what is typed, on the editor's thread;
    /// what that returns is shown. While `typed` runs nothing is printed, so it should only pass on what it gets. The
    /// prompt has no colours. What was typed is kept in `history`, readable by its owner only; lines that start with a
    /// space, or hold a password, are not. A password that is left out is asked for, and so is whether something is to be
    /// said that may have been meant as a command.
    ///
    /// # Errors
    /// When there is no terminal ([`is_usable`] says so beforehand) or no thread.
    pub fn start(
        talk: SharedTalk,
        history: Option<PathBuf>,
        tab: Tab,
        bars: Option<SharedBars>,
        typed: impl FnMut(Typed) -> Option<String> + Send + 'static,
    ) -> io::Result<(Self, Printer)> {
        let before = tcgetattr(io::stdin())?;
        let mut editor = Lines::with_config(config()?).map_err(io_error)?;
        let turn = Arc::new(Turn::new(Screen::new(bars)));
        editor.set_helper(Some(Assistant { tab, talk: talk.clone(), secret: false, turn: Arc::clone(&turn) }));
        editor.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(ClearLine)));
        for key in [KeyEvent(KeyCode::Tab, Modifiers::NONE), KeyEvent::ctrl('L'), KeyEvent::ctrl('Z')] {
            let lift = LiftBars { turn: Arc::clone(&turn) };
            editor.bind_sequence(key, EventHandler::Conditional(Box::new(lift)));
        }
        let history = history.filter(|file| load_history(&mut editor, file));
        let external = Box::new(editor.create_external_printer().map_err(io_error)?);
        let resumed = Box::new(editor.create_external_printer().map_err(io_error)?);
        super::resumed::watch(Arc::clone(&turn), resumed, WAKE)?;
        let turns = Arc::clone(&turn);
        std::thread::Builder::new().name("editor".into()).spawn(move || edit(editor, &turns, &talk, history, typed))?;
        Ok((Self { turn: Arc::clone(&turn), before }, Printer { external, turn, text: Vec::new() }))
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        if self.turn.end(TURNING) == Whose::Editor {
            std::thread::sleep(DRAWING);
            // The editor's thread still waits for a key: take its prompt away, leave bracketed paste.
            let clear = self.turn.lock().screen.clear(terminal_size().columns);
            let _ = show(&(clear + "\r\x1b[K\x1b[?2004l"));
        }
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

type Lines = rustyline::Editor<Assistant, FileHistory>;

fn config() -> io::Result<Config> {
    let config = Config::builder().completion_type(CompletionType::List).history_ignore_space(true);
    // A question whether to list them would take the keys that are typed meanwhile; they fit on the screen.
    let config = config.completion_prompt_limit(usize::MAX);
    // The library draws by colouring, and hides by it, so that must be on. We colour nothing.
    let config = config.color_mode(ColorMode::Forced);
    let config = config.max_history_size(HISTORY).and_then(|c| c.history_ignore_dups(true)).map_err(io_error)?;
    Ok(config.build())
}

/// Makes the file if need be, rather than let the library do it: that changes the umask of the whole
/// process for a moment, under the feet of other threads. An editor without history is better than
/// none, so failures only turn it off.
fn load_history(editor: &mut Lines, file: &Path) -> bool {
    let made = OpenOptions::new().create(true).append(true).mode(0o600).open(file);
    let loaded = made.map_err(ReadlineError::from).and_then(|_| editor.load_history(file));
    loaded.inspect_err(|e| tracing::warn!("no history: {}", crate::protocol::cause::plain(&e.to_string()))).is_ok()
}

fn edit(
    editor: Lines,
    turn: &Arc<Turn>,
    talk: &SharedTalk,
    history: Option<PathBuf>,
    mut typed: impl FnMut(Typed) -> Option<String>,
) {
    // In this order, however it ends: a printer that waits for the editor gets its text back, and then writes it itself.
    let over = TurnOver(turn);
    let mut editor = editor;
    while turn.lock().whose != Whose::Over {
        let prompt = turn.prompt(next_prompt(turn, talk));
        let read = editor.readline(&prompt);
        if read.is_err() {
            // The line was left as it stood, with the bars above; the cursor is below it.
            let _ = show(&turn.lift(&prompt.text, 1, terminal_size().columns));
        }
        turn.set(Whose::Nobody);
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
                    // Of lines that were pasted, each follows the one before as if it had been typed.
                    if number > 0 {
                        next_prompt(turn, talk);
                    }
                    let note = meant(&mut editor, turn, talk, line).and_then(|line| typed(Typed::Line(line)));
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

/// The prompt of the next line, once it is known which room it shows.
fn next_prompt(turn: &Turn, talk: &SharedTalk) -> String {
    if talk.lock().is_entering() {
        turn.set(Whose::Printer);
        talk.settle(ENTERING);
        turn.set(Whose::Nobody);
    }
    talk.lock().prompt()
}

/// Whether a line holds a secret, as a command or as one whose slash was forgotten.
fn holds_secret(talk: &SharedTalk, line: &str) -> bool {
    human::holds_secret(line) || talk.lock().command(line).is_some_and(human::holds_secret)
}

/// The line as it was meant: whether it is to be said is asked where that is doubtful, and a password that it lacks is
/// asked for, and not shown. Nothing if the answer is no, or none: then the line is taken back.
fn meant(editor: &mut Lines, turn: &Arc<Turn>, talk: &SharedTalk, line: &str) -> Option<String> {
    let (doubt, command) = {
        let talk = talk.lock();
        (talk.doubt(line), talk.command(line).map(str::to_owned))
    };
    if let Some(question) = doubt {
        let answer = ask(editor, turn, question).unwrap_or_default();
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
    let read = ask(editor, turn, "Password: ".to_owned());
    hide(editor, false);
    let password = read.filter(|password| !password.is_empty())?;
    Some(format!("{line} -- {}", shlex::try_quote(&password).ok()?))
}

/// The answer to a question, unless there is none.
fn ask(editor: &mut Lines, turn: &Arc<Turn>, question: String) -> Option<String> {
    let read = editor.readline(&turn.prompt(question));
    turn.set(Whose::Nobody);
    read.ok()
}

/// Whether what is typed is hidden.
fn hide(editor: &mut Lines, secret: bool) {
    if let Some(assistant) = editor.helper_mut() {
        assistant.secret = secret;
    }
}

/// Writes to the terminal at once.
fn show(text: &str) -> io::Result<()> {
    let mut terminal = io::stdout().lock();
    terminal.write_all(text.as_bytes())?;
    terminal.flush()
}

/// Puts text above the prompt, and has the bars drawn again if they are due. It is gathered until [`flush`](Write::flush), which ends its last line.
/// Text must have been [escaped](super::escape::escape) where it came from others.
pub struct Printer {
    external: Box<dyn ExternalPrinter + Send>,
    turn: Arc<Turn>,
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
        // Between two prompts text could overtake what the editor has not shown yet, so it waits.
        let mut state = self.turn.wait_while(|state| state.whose == Whose::Nobody);
        if state.whose == Whose::Printer {
            // The next prompt cannot come before this is shown.
            let shown = show(&text);
            drop(state);
            return shown;
        }
        if state.whose == Whose::Editor && (!text.is_empty() || state.screen.is_due()) {
            state.screen.put(&text);
            drop(state);
            // If this fails, there is no editor any more; then the text is still there.
            let _ = self.external.print(WAKE.to_owned());
            state = self.turn.wait_while(|state| state.whose != Whose::Over && state.screen.has_text());
            text = state.screen.take_text();
        }
        drop(state);
        if text.is_empty() { Ok(()) } else { show(&text) }
    }
}

/// Ctrl-C on a line that is not empty.
struct ClearLine;

impl ConditionalEventHandler for ClearLine {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        (!ctx.line().is_empty()).then_some(Cmd::Kill(Movement::WholeBuffer))
    }
}

/// Keys after which something else than the prompt is drawn: the bars must be gone before.
struct LiftBars {
    turn: Arc<Turn>,
}

impl ConditionalEventHandler for LiftBars {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        let before = self.turn.lock().prompt.clone() + ctx.line().get(..ctx.pos()).unwrap_or_default();
        let _ = show(&self.turn.lift(&before, 0, terminal_size().columns));
        None
    }
}

#[derive(Helper, Hinter)]
struct Assistant {
    tab: Tab,
    talk: SharedTalk,
    /// Whether a password is being typed.
    secret: bool,
    turn: Arc<Turn>,
}

impl Validator for Assistant {
    /// Every line is taken. Where there are bars, a message, if only an empty one, has it drawn once more without them.
    fn validate(&self, _: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let screen = &mut self.turn.lock().screen;
        let redraw = screen.has_bars();
        if redraw {
            screen.leave();
        }
        Ok(ValidationResult::Valid(redraw.then(String::new)))
    }
}

impl Highlighter for Assistant {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Owned(self.turn.paint(prompt, terminal_size()))
    }

    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.secret { Cow::Borrowed("") } else { Cow::Borrowed(line) }
    }

    /// Every change is drawn anew, or the library would show the character that was typed.
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
        // What is said is nobody's to complete.
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
