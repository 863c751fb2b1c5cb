//! `potluck exec`: one command at a hub.

use std::process::ExitCode;

use clap::{Args, Command};

use super::client::{ClientArgs, RunMode, standard_output, style};
use super::fail;
use crate::io::drive::client::UserInput;
use crate::protocol::limits::PUSH_PATIENCE;
use crate::protocol::line::parse_json;
use crate::protocol::request::OneShot;
use crate::protocol::{ErrorCode, Event, EventLine, Failure, Follows, Id, Request, RequestLine, human};

/// Ask one thing of a hub, and end.
///
/// Prints the events of that one request, as text or as JSON. The exit code says how it went. Options of potluck stand
/// before the command, those of the command behind it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  potluck exec HUB list\n  potluck exec HUB --name bot get notes.txt erin\n  potluck exec HUB --json '{\"request\":\"who\"}'"
)]
pub struct Exec {
    #[command(flatten)]
    client: ClientArgs,
    /// With --json: print the whole session, from `ready` to `bye`, and not only what belongs to the request.
    #[arg(long, requires = "json")]
    all_events: bool,
    /// The command, as it is typed after `join`, or as one JSON object.
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// The `id` of the one request, by which its answer is known.
const REQUEST_ID: &str = "exec";

impl Exec {
    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(&self) -> ExitCode {
        match self.request() {
            Ok(request) => self.ask(request).unwrap_or_else(|failure| fail(&failure)),
            // The request stands on the command line, so a mistake in it is one of usage, whatever its code.
            Err(failure) => {
                fail(&failure);
                ExitCode::from(ErrorCode::BadConfig.exit())
            }
        }
    }

    fn request(&self) -> Result<RequestLine, Failure> {
        // A password on the command line is visible to other users, so it is refused.
        let exposed = || {
            Failure::new(ErrorCode::BadCommand, "A password has no place on a command line.")
                .hint("Log in with --password-file FILE or --password, and ask for something else.")
        };
        let marked = |line: RequestLine| RequestLine { id: line.id.or(Some(Id::Text(REQUEST_ID.into()))), ..line };
        let read = match self.command.as_slice() {
            [json] if json.trim_start().starts_with('{') => parse_json(json).map(marked).map_err(|bad| bad.failure),
            words => human::parse_words(words).map(|request| marked(RequestLine { id: None, request })),
        };
        let secret =
            self.command.first().is_some_and(|word| !word.trim_start().starts_with('{') && human::holds_secret(word));
        match read {
            Ok(RequestLine { request: Request::Login(_), .. }) => Err(exposed()),
            Err(_) if secret => Err(exposed()),
            Err(failure) => Err(self.misplaced().unwrap_or(failure)),
            Ok(line) => makes_sense(&line.request).map(|()| line),
        }
    }

    /// The first option of `exec` that stands after the command, where it would belong to the command.
    fn misplaced(&self) -> Option<Failure> {
        let ours = Self::augment_args(Command::new("exec"));
        let is_ours = |word: &&String| {
            let name = word.strip_prefix("--").and_then(|name| name.split('=').next());
            name.is_some_and(|name| ours.get_arguments().any(|option| option.get_long() == Some(name)))
        };
        let word = self.command.iter().skip(1).find(is_ours)?;
        let message = format!("`{word}` stands behind the command, which does not take it.");
        Some(Failure::new(ErrorCode::BadCommand, message).hint("Options of potluck stand before the command."))
    }

    fn ask(&self, request: RequestLine) -> Result<ExitCode, Failure> {
        let password = self.client.password()?;
        let bars = self.client.bars();
        let sink = standard_output(bars.as_ref());
        // A transfer with a progress bar needs no lines.
        let at_terminal = bars.is_some();
        let shows = move |line: &EventLine| {
            let progress = matches!(line.event, Event::TransferProgress(_) | Event::OfferProgress(_));
            shows(line) && !(progress && at_terminal)
        };
        let told = if self.client.json() && !self.all_events { of_the_request } else { everything };
        let mode = RunMode {
            linger: false,
            fail_fast: true,
            follow: Follows::NOTHING,
            inbox: false,
            told,
            shows: Box::new(shows),
            bars,
            password,
            // The push must wait for its receiver, which is what the user wants. With --timeout, that is the limit.
            push_patience: self.client.timeout().is_none().then_some(PUSH_PATIENCE),
            times: false,
            welcomed: None,
            retold: None,
        };
        self.client.run(
            mode,
            style(),
            sink,
            |_| (),
            |input, _| {
                for step in [UserInput::Request(request), UserInput::End] {
                    // The queue has room for two; if the client has ended, it needs no more input.
                    let _ = input.try_send(step);
                }
            },
        )
    }
}

fn everything(_: &EventLine) -> bool {
    true
}

/// Selects the events for a program that wants only the answer.
fn of_the_request(line: &EventLine) -> bool {
    line.id.is_some()
}

/// Selects the events that belong to the answer, and failures on the way to it.
fn shows(line: &EventLine) -> bool {
    // A failure without an id ends the request, too, and is repeated as its answer.
    line.id.is_some() || matches!(line.event, Event::HubLost(_) | Event::HubBack(_) | Event::Waiting(_))
}

/// Refuses requests that have no effect in a session which ends after them.
fn makes_sense(request: &Request) -> Result<(), Failure> {
    let (message, way) = match (request, request.rules().one_shot) {
        (Request::Offer(offer), _) if !offer.keep => (
            "The offer would be gone at once, with this program.",
            "`potluck join HUB --dir DIR --linger` stays and serves what it offers; `offer FILE --keep` lets the hub keep a copy.",
        ),
        (_, OneShot::Useless(why, instead)) => (why, instead),
        (_, OneShot::Useful) => return Ok(()),
    };
    Err(Failure::new(ErrorCode::BadCommand, message).hint(way))
}
