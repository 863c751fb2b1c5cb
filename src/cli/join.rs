//! `potluck join`: a client for a person at a terminal, or for a program at a pipe.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Args;
use clap::builder::FalseyValueParser;
use tokio::sync::mpsc;

use super::client::{ClientArgs, Face, RunMode, standard_output, style};
use super::fail;
use super::known::KnownNames;
use crate::core::session::Replica;
use crate::io::drive::client::{Message, UserInput};
use crate::io::drive::input::Lines;
use crate::io::os::signals::{Signal, Signals};
use crate::protocol::cause;
use crate::protocol::limits::PUSH_PATIENCE;
use crate::protocol::{Event, EventLine, Failure, Follow, Follows, human};
use crate::ui::complete::Tab;
use crate::ui::editor::{self, Editor, Typed};
use crate::ui::talk::{Meaning, SharedTalk};

/// Join a hub.
///
/// Reads requests from standard input: commands as people type them (`help` lists them), or JSON objects,
/// one a line. Writes events to standard output. When the input ends, what was asked is finished, then the
/// program leaves.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  potluck join erin@127.0.0.1:7755\n  potluck join erin@hub.example 7-crossover-clockwork\n  printf 'offer a.txt\\nlist\\n' | potluck join HUB --name bot --dir . --json"
)]
pub struct Join {
    #[command(flatten)]
    client: ClientArgs,
    /// A short code, such as 7-crossover-clockwork, in place of a join link: `potluck invite add --code` makes one.
    #[arg(num_args = 0..=3)]
    code: Vec<String>,
    /// Stay when the input ends, to serve what is offered, until a signal.
    #[arg(long)]
    linger: bool,
    /// End at the first request that fails, with its exit code.
    #[arg(long)]
    fail_fast: bool,
    /// Which offers are told without asking: none, changes from now on, or the whole table and its changes. What is not
    /// followed is asked of the hub when it is needed.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "table")]
    follow: Follow,
    /// The same for the people who are there.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "table")]
    follow_roster: Follow,
    /// Show when each message was sent, in UTC, and its number, which `history` takes.
    #[arg(long, env = "POTLUCK_TIMES", value_parser = FalseyValueParser::new())]
    times: bool,
}

impl Join {
    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(mut self) -> ExitCode {
        let at_terminal = !self.client.json() && editor::is_usable();
        if let Err(failure) = self.client.take_code(&std::mem::take(&mut self.code)) {
            return fail(&failure);
        }
        let asked = if at_terminal { self.client.ask_for_name() } else { Ok(()) };
        let result = asked.and_then(|()| if at_terminal { self.at_terminal() } else { self.at_pipe() });
        result.unwrap_or_else(|failure| fail(&failure))
    }

    fn mode(&self, shows: impl FnMut(&EventLine) -> bool + Send + 'static) -> Result<RunMode, Failure> {
        let (shows, password, bars) = (Box::new(shows), self.client.password()?, self.client.bars());
        let follow = Follows { table: self.follow, roster: self.follow_roster };
        let Self { linger, fail_fast, times, .. } = *self;
        let push_patience = Some(PUSH_PATIENCE);
        let told = everything;
        let (welcomed, retold, inbox) = (Some(self.client.remember_hub()?), None, true);
        Ok(RunMode {
            linger,
            fail_fast,
            follow,
            inbox,
            told,
            shows,
            bars,
            password,
            push_patience,
            times,
            welcomed,
            retold,
        })
    }

    fn at_pipe(&self) -> Result<ExitCode, Failure> {
        let shows = if io::stdout().is_terminal() { at_a_glance } else { everything };
        let mut mode = self.mode(shows)?;
        // Progress bars would get mixed with what is typed at a terminal.
        mode.bars = mode.bars.filter(|_| !io::stdin().is_terminal());
        let sink = standard_output(mode.bars.as_ref());
        let read = self.client.lines_before_requests();
        self.client.run(
            mode,
            style(),
            sink,
            |_| (),
            |input, _| {
                std::thread::spawn(move || read_all(&input, read));
            },
        )
    }

    fn at_terminal(&self) -> Result<ExitCode, Failure> {
        let talk_help = human::help(Some(human::TALK))?;
        let known = human::help(None)?.into_iter().chain(talk_help);
        let known = known.map(|command| (command.name, command.about)).collect();
        let talk = SharedTalk::new(self.client.name()?, self.client.hub().to_string());
        let (talked, typing) = (talk.clone(), talk.clone());
        let known = KnownNames::new(known, self.client.dir()?);
        let (watched, heard, tabbed) = (known.clone(), known.clone(), known.clone());
        // This must come before the editor takes the terminal.
        let mode = self.mode(move |line| !heard.heard(line) && at_a_glance(line))?;
        let history = self.client.home()?.history();
        let (typed, to_feed) = std::sync::mpsc::channel();
        let bars = mode.bars.clone();
        let mut number = 0;
        Signals::reserve().map_err(Failure::internal)?;
        let asked = typed.clone();
        let ask = move |begun: &str| {
            tabbed.ask(begun, |request| {
                let _ = asked.send(Fed::Input(UserInput::Request(request)));
            });
        };
        let tab = Tab { known: known.completions(), ask: Box::new(ask) };
        let (editor, printer) = Editor::start(talk, Some(history), tab, bars, move |what| {
            let (what, note) = understood(what, &typing, &mut number);
            // A client that has ended takes no more input.
            if let Some(what) = what {
                let _ = typed.send(what);
            }
            note
        })
        .map_err(Failure::internal)?;
        let watch = move |replica: &Replica| watched.update(replica);
        let face = Face::from(style()).dressed(move |line, text| {
            let note = talked.heard(line);
            let text = talked.lock().dressed(line, text);
            note.map_or_else(|| text.clone(), |note| format!("{text}{note}\n"))
        });
        let result = self.client.run(mode, face, printer, watch, |input, mailbox| {
            std::thread::spawn(move || feed(&to_feed, &input, &mailbox));
        });
        drop(editor);
        result
    }
}

fn everything(_: &EventLine) -> bool {
    true
}

/// At a terminal, transfers have bars. Ten lines of progress a second would hide everything else.
fn at_a_glance(line: &EventLine) -> bool {
    !matches!(line.event, Event::TransferProgress(_) | Event::OfferProgress(_))
}

/// Sends all lines of standard input. `before` lines have been read already.
fn read_all(input: &mpsc::Sender<UserInput>, before: u64) {
    let mut lines = Lines::new(io::stdin());
    loop {
        let user = match lines.next_line() {
            Ok(Some(line)) => match line.content {
                Ok(content) => UserInput::Line(before + line.number, content),
                Err(_) => UserInput::TooLong(before + line.number),
            },
            Ok(None) => UserInput::End,
            Err(e) => {
                super::complain(&format!("standard input cannot be read: {}.", cause::of_io(&e)));
                UserInput::End
            }
        };
        let over = matches!(user, UserInput::End);
        if input.blocking_send(user).is_err() || over {
            return;
        }
    }
}

/// An input from the editor's thread.
enum Fed {
    Input(UserInput),
    Interrupt,
}

/// The client's input for what was typed, and what to tell the user at once.
fn understood(what: Typed, talk: &SharedTalk, number: &mut u64) -> (Option<Fed>, Option<String>) {
    match what {
        Typed::Line(text) => {
            *number += 1;
            let (meaning, note) = talk.lock().typed(&text);
            let input = match meaning {
                Meaning::Nothing => None,
                Meaning::Ask(line) => Some(UserInput::Request(line)),
                Meaning::Bad(bad) => Some(UserInput::Bad(*number, bad)),
            };
            (input.map(Fed::Input), note)
        }
        Typed::Interrupt => (Some(Fed::Interrupt), None),
        Typed::End => (Some(Fed::Input(UserInput::End)), None),
    }
}

fn feed(typed: &std::sync::mpsc::Receiver<Fed>, input: &mpsc::Sender<UserInput>, mailbox: &mpsc::Sender<Message>) {
    for what in typed {
        let sent = match what {
            Fed::Input(user) => input.blocking_send(user).is_ok(),
            Fed::Interrupt => mailbox.blocking_send(Message::Interrupt(Signal::Interrupt.exit())).is_ok(),
        };
        if !sent {
            return;
        }
    }
}
