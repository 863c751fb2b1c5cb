//! The prompt for people: a line editor on a thread of its own, and a printer that puts what is told
//! above the line that is being typed.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::completion::{Completer, Pair};
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, Context, Event, EventContext, EventHandler,
    ExternalPrinter, Helper, Hinter, KeyEvent, Movement, Prompt, RepeatCount, Validator,
};

use super::complete::{SharedCompletions, complete};
use crate::protocol::human;

/// How many lines the history keeps.
const HISTORY: usize = 1_000;

/// How long the next prompt may take to come, before the terminal is taken back without it.
const TURNING: Duration = Duration::from_millis(100);

/// How long it takes, generously, until a prompt that was asked for or a text that was handed over is on
/// the terminal. The library does not tell.
const DRAWING: Duration = Duration::from_millis(20);

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

/// Keeps the terminal for the editor; when this is dropped, the terminal is as it was before.
pub struct Editor {
    turn: Arc<Turn>,
    before: Termios,
}

impl Editor {
    /// Shows `prompt` and calls `typed` with what is typed, on the editor's thread. While `typed` runs
    /// nothing is printed, so it should only pass on what it gets. The prompt has no colours. What was
    /// typed is kept in `history`, readable by its owner only; lines that start with a space, or hold a password,
    /// are not. A password that is left out is asked for.
    ///
    /// # Errors
    /// When there is no terminal ([`is_usable`] says so beforehand) or no thread.
    pub fn start(
        prompt: String,
        history: Option<PathBuf>,
        completions: SharedCompletions,
        typed: impl FnMut(Typed) + Send + 'static,
    ) -> io::Result<(Self, Printer)> {
        let before = tcgetattr(io::stdin())?;
        let mut editor = Lines::with_config(config()?).map_err(io_error)?;
        editor.set_helper(Some(Assistant { completions, secret: false }));
        editor.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(ClearLine)));
        let history = history.filter(|file| load_history(&mut editor, file));
        let external = Box::new(editor.create_external_printer().map_err(io_error)?);
        let turn = Arc::new(Turn::default());
        let prompt = TurnPrompt { text: prompt, turn: Arc::clone(&turn) };
        std::thread::Builder::new().name("editor".into()).spawn(move || edit(editor, &prompt, history, typed))?;
        Ok((Self { turn: Arc::clone(&turn), before }, Printer { external, turn, text: Vec::new() }))
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        if self.turn.end(TURNING) == Whose::Editor {
            // The editor's thread still waits for a key: take its prompt away, leave bracketed paste.
            let _ = io::stdout().write_all(b"\r\x1b[K\x1b[?2004l").and_then(|()| io::stdout().flush());
        }
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

type Lines = rustyline::Editor<Assistant, FileHistory>;

fn config() -> io::Result<Config> {
    let config = Config::builder().completion_type(CompletionType::List).history_ignore_space(true);
    let config = config.max_history_size(HISTORY).and_then(|c| c.history_ignore_dups(true)).map_err(io_error)?;
    Ok(config.build())
}

/// Makes the file if need be, rather than let the library do it: that changes the umask of the whole
/// process for a moment, under the feet of other threads. An editor without history is better than
/// none, so failures only turn it off.
fn load_history(editor: &mut Lines, file: &Path) -> bool {
    let made = OpenOptions::new().create(true).append(true).mode(0o600).open(file);
    let loaded = made.map_err(ReadlineError::from).and_then(|_| editor.load_history(file));
    loaded.inspect_err(|e| tracing::warn!("no history: {e}")).is_ok()
}

fn edit(mut editor: Lines, prompt: &TurnPrompt, history: Option<PathBuf>, mut typed: impl FnMut(Typed)) {
    while *prompt.turn.lock() != Whose::Over {
        let read = editor.readline(prompt);
        prompt.turn.set(Whose::Nobody);
        match read {
            Ok(text) => {
                let lines = || text.split(['\n', '\r']);
                let kept = !lines().any(human::holds_secret);
                let added = kept && editor.add_history_entry(text.as_str()).unwrap_or(false);
                if let (true, Some(file)) = (added, &history) {
                    let _ = editor.append_history(file).inspect_err(|e| tracing::warn!("history: {e}"));
                }
                for line in lines().filter_map(|line| with_secret(&mut editor, &prompt.turn, line)) {
                    typed(Typed::Line(line));
                }
            }
            Err(ReadlineError::Interrupted) => typed(Typed::Interrupt),
            Err(ReadlineError::Signal(_)) => {}
            Err(ReadlineError::Eof) => break,
            Err(e) => {
                tracing::warn!("the terminal: {e}");
                break;
            }
        }
    }
    // In this order: a printer that waits for the editor gets its text back, and then writes it itself.
    drop(editor);
    prompt.turn.set(Whose::Over);
    typed(Typed::End);
}

/// The line as it was meant: a password that it lacks is asked for, and not shown. Nothing if none is given: then
/// the line is taken back.
fn with_secret(editor: &mut Lines, turn: &Arc<Turn>, line: &str) -> Option<String> {
    if !human::lacks_secret(line) {
        return Some(line.to_owned());
    }
    hide(editor, true);
    let read = editor.readline(&TurnPrompt { text: "Password: ".to_owned(), turn: Arc::clone(turn) });
    turn.set(Whose::Nobody);
    hide(editor, false);
    let password = read.ok().filter(|password| !password.is_empty())?;
    Some(format!("{line} -- {}", shlex::try_quote(&password).ok()?))
}

/// Whether what is typed is hidden. The library hides by colouring, so that must be on, whatever the terminal.
fn hide(editor: &mut Lines, secret: bool) {
    editor.set_color_mode(if secret { ColorMode::Forced } else { ColorMode::Enabled });
    if let Some(assistant) = editor.helper_mut() {
        assistant.secret = secret;
    }
}

/// Puts text above the prompt. It is gathered until [`flush`](Write::flush), which ends its last line.
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
        if text.is_empty() {
            return Ok(());
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        // Between two prompts text could overtake what the editor has not shown yet, so it waits.
        if self.turn.wait_for_someone() == Whose::Editor && self.external.print(text.clone()).is_ok() {
            return Ok(());
        }
        let mut terminal = io::stdout().lock();
        terminal.write_all(text.as_bytes())?;
        terminal.flush()
    }
}

/// Who may write to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Whose {
    /// A line was read, or none yet: the next prompt is about to come.
    #[default]
    Nobody,
    /// The prompt is there.
    Editor,
    /// There will be no more prompts.
    Over,
}

#[derive(Default)]
struct Turn {
    whose: Mutex<Whose>,
    changed: Condvar,
}

impl Turn {
    fn lock(&self) -> MutexGuard<'_, Whose> {
        self.whose.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes the turn on; once it is over it stays so.
    fn set(&self, next: Whose) {
        let mut whose = self.lock();
        if *whose != Whose::Over {
            *whose = next;
            self.changed.notify_all();
        }
    }

    /// Ends all turns, and says whose the last one was. What is just coming is waited for, since it
    /// would turn up on the terminal after that was given back.
    fn end(&self, patience: Duration) -> Whose {
        let wait = self.changed.wait_timeout_while(self.lock(), patience, |whose| *whose == Whose::Nobody);
        let was = std::mem::replace(&mut *wait.unwrap_or_else(PoisonError::into_inner).0, Whose::Over);
        self.changed.notify_all();
        if was == Whose::Editor {
            std::thread::sleep(DRAWING);
        }
        was
    }

    fn wait_for_someone(&self) -> Whose {
        let wait = self.changed.wait_while(self.lock(), |whose| *whose == Whose::Nobody);
        *wait.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The library asks for the prompt once it has set up the terminal: then the editor's turn begins.
struct TurnPrompt {
    text: String,
    turn: Arc<Turn>,
}

impl Prompt for TurnPrompt {
    fn raw(&self) -> &str {
        self.turn.set(Whose::Editor);
        &self.text
    }
}

/// Ctrl-C on a line that is not empty.
struct ClearLine;

impl ConditionalEventHandler for ClearLine {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext) -> Option<Cmd> {
        (!ctx.line().is_empty()).then_some(Cmd::Kill(Movement::WholeBuffer))
    }
}

#[derive(Helper, Hinter, Validator)]
struct Assistant {
    completions: SharedCompletions,
    /// Whether a password is being typed.
    secret: bool,
}

impl Highlighter for Assistant {
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
        let known = self.completions.read().unwrap_or_else(PoisonError::into_inner);
        let (start, found) = complete(line.get(..pos).unwrap_or(line), &known);
        let pair = |c: super::complete::Candidate| Pair { display: c.display, replacement: c.replacement };
        Ok((start, found.into_iter().map(pair).collect()))
    }
}

fn io_error(e: ReadlineError) -> io::Error {
    match e {
        ReadlineError::Io(e) => e,
        e => io::Error::other(e),
    }
}
