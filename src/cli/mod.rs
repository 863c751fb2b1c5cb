//! The command line: one file for each subcommand, which is a clap struct with its help and a `run` that returns the
//! exit code.

mod client;
pub mod completions;
pub mod demo;
mod duration;
pub mod exec;
mod first_line;
pub mod forget;
mod hub_folder;
pub mod invite;
pub mod join;
mod known;
mod nearby;
pub mod receive;
mod recording;
pub mod replay;
pub mod schema;
pub mod send;
pub mod serve;
mod size;
pub mod user;

use std::borrow::Cow;
use std::io::Write;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::io::drive::stdout::{StandardOutput, loss};
use crate::protocol::{Code, ErrorCode, Failure, cause};
use crate::ui::escape::escape;
use crate::ui::style::Style;
use recording::complain;

/// Share files and talk, by hand or from a pipe.
///
/// `potluck send` sends files to whoever types its code after `potluck receive`. `potluck serve` starts a hub, where many
/// share files and talk; `potluck join` joins one. Files go straight from peer to peer, encrypted
/// and verified. Everything that a person types can be written by a program as JSON, one object a line.
#[derive(Debug, Parser)]
#[command(name = "potluck", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub struct Potluck {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0 done                          4 refused (name, access, full, another key)
  1 a request failed              5 hub lost
  2 usage                         6 transfer failed or interrupted
  3 hub not reachable             7 timed out
  8 output lost                   9 cannot start (port, store)
  129, 130, 143 ended by SIGHUP, SIGINT, SIGTERM";

#[derive(Debug, Subcommand)]
enum Command {
    Send(send::Send),
    Receive(receive::Receive),
    Serve(serve::Serve),
    User(user::User),
    Invite(invite::Invite),
    Join(join::Join),
    Exec(exec::Exec),
    Demo(demo::Demo),
    Schema(schema::Schema),
    Replay(replay::Replay),
    Forget(forget::Forget),
    Completions(completions::Completions),
}

impl Potluck {
    /// Parses the command line. If it is invalid or asks for help, prints that and exits.
    pub fn from_command_line() -> Self {
        Self::try_parse().unwrap_or_else(|error| {
            let text = in_words(&error);
            if !error.use_stderr() {
                std::process::exit(say(&error.render()));
            }
            if text.lines().all(|line| matches!(escape(line), Cow::Borrowed(_))) {
                if text == error.render().to_string() {
                    error.exit();
                }
                let _ = write!(std::io::stderr(), "{text}");
                std::process::exit(error.exit_code());
            }
            // The message quotes the mistake, which may contain control characters.
            let lines: Vec<_> = text.lines().map(escape).collect();
            let _ = writeln!(std::io::stderr(), "{}", lines.join("\n"));
            std::process::exit(error.exit_code());
        })
    }

    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Send(send) => send.run(),
            Command::Receive(receive) => receive.run(),
            Command::Serve(serve) => serve.run(),
            Command::User(user) => user.run(),
            Command::Invite(invite) => invite.run(),
            Command::Join(join) => join.run(),
            Command::Exec(exec) => exec.run(),
            Command::Demo(demo) => demo.run(),
            Command::Schema(schema) => schema.run(),
            Command::Replay(replay) => replay.run(),
            Command::Forget(forget) => forget.run(),
            Command::Completions(completions) => completions.run(Self::command()),
        }
    }
}

/// Prints what the command line asked for, such as help; returns the exit code.
fn say(text: &StyledStr) -> i32 {
    let text = match client::style() {
        Style::Colour => text.ansi().to_string(),
        Style::Plain => text.to_string(),
    };
    match StandardOutput.write_all(text.as_bytes()).err().and_then(|e| loss(&e)) {
        Some(Err(failure)) => {
            complain(&failure.to_string());
            failure.code.exit().into()
        }
        Some(Ok(())) | None => 0,
    }
}

/// Explains what is wrong with the command line.
fn in_words(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let Some(mistake) = cause::of_arguments(error) else { return text };
    let usage = text.lines().find(|line| line.starts_with("Usage: ")).map(|usage| format!("\n\n{usage}"));
    if let (ErrorKind::InvalidSubcommand, Some(receive)) = (error.kind(), receiving()) {
        return format!("error: {mistake}\n  hint: It looks like a code. `{receive}` fetches what is sent under it.\n");
    }
    format!("error: {mistake}{}\n  hint: `{} --help` explains it.\n", usage.unwrap_or_default(), called())
}

/// The command that was probably meant by a code in place of a command.
fn receiving() -> Option<String> {
    let words: Vec<_> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let code = words.join(" ");
    let typed = code.rsplit_once('/').map_or(code.as_str(), |(_, code)| code);
    Code::is_meant_by(typed).then(|| format!("potluck receive {code}"))
}

/// The subcommand as far as it exists: `potluck user add`.
fn called() -> String {
    let (mut command, mut words) = (Potluck::command(), vec!["potluck".to_owned()]);
    for word in std::env::args_os().skip(1) {
        let Some(below) = command.find_subcommand(&word) else { break };
        words.push(below.get_name().to_owned());
        command = below.clone();
    }
    words.join(" ")
}

/// Reports a failure before there is a stream for it.
fn fail(failure: &Failure) -> ExitCode {
    let hint = match &failure.hint {
        Some(hint) => hint.clone(),
        // Only here it is known which subcommand was called.
        None if failure.code == ErrorCode::BadConfig => {
            format!("`{} --help` explains what can be set.", called()).into()
        }
        None => failure.code.advice().into(),
    };
    complain(&format!("{}\n  hint: {}", escape(&failure.to_string()), escape(&hint)));
    ExitCode::from(failure.code.exit())
}
