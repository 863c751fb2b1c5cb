//! `potluck exec`: one command at a hub.

use std::process::ExitCode;

use clap::Args;

use super::client::{ClientArgs, Manner, standard_output, style};
use super::fail;
use crate::io::client::UserInput;
use crate::protocol::line::parse_json;
use crate::protocol::{ErrorCode, Event, EventLine, Failure, Follows, Id, Request, RequestLine, human};

/// Ask one thing of a hub, and end.
///
/// Prints the answer alone; with --json, all events. The exit code says how it went.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  potluck exec HUB -- list\n  potluck exec HUB --name bot -- get notes.txt erin\n  potluck exec HUB -- '{\"request\":\"who\"}'"
)]
pub struct Exec {
    #[command(flatten)]
    client: ClientArgs,
    /// The command, as it is typed after `join`, or as one JSON object.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// The mark by which the answer is known.
const MARK: &str = "exec";

impl Exec {
    /// Runs the subcommand.
    pub fn run(&self) -> ExitCode {
        match self.request() {
            Ok(request) => self.ask(request).unwrap_or_else(|failure| fail(&failure)),
            // It was written on the command line, so it is a mistake of usage, whatever its code.
            Err(failure) => {
                fail(&failure);
                ExitCode::from(ErrorCode::BadConfig.exit())
            }
        }
    }

    fn request(&self) -> Result<RequestLine, Failure> {
        // Who sees a command line sees what is on it.
        let exposed = || {
            Failure::new(ErrorCode::BadCommand, "A password has no place on a command line.")
                .hint("Log in with --password-file FILE or --password, and ask for something else.")
        };
        let marked = |line: RequestLine| RequestLine { id: line.id.or(Some(Id::Text(MARK.into()))), ..line };
        let read = match self.command.as_slice() {
            [json] if json.trim_start().starts_with('{') => parse_json(json).map(marked).map_err(|bad| bad.failure),
            words => human::parse_words(words).map(|request| marked(RequestLine { id: None, request })),
        };
        let secret =
            self.command.first().is_some_and(|word| !word.trim_start().starts_with('{') && human::holds_secret(word));
        match read {
            Ok(RequestLine { request: Request::Login(_), .. }) => Err(exposed()),
            Err(_) if secret => Err(exposed()),
            read => read,
        }
    }

    fn ask(&self, request: RequestLine) -> Result<ExitCode, Failure> {
        let password = self.client.password()?;
        let bars = self.client.bars();
        let sink = standard_output(bars.as_ref());
        // What has a bar needs no lines.
        let at_terminal = bars.is_some();
        let shows = move |line: &EventLine| {
            let progress = matches!(line.event, Event::TransferProgress(_) | Event::OfferProgress(_));
            shows(line) && !(progress && at_terminal)
        };
        let manner = Manner {
            linger: false,
            fail_fast: true,
            follow: Follows::NOTHING,
            inbox: false,
            shows: Box::new(shows),
            bars,
            password,
        };
        self.client.run(
            manner,
            style(),
            sink,
            |_| (),
            |input, _| {
                tokio::spawn(async move {
                    for step in [UserInput::Request(request), UserInput::End] {
                        // A client that has ended already wants no more.
                        let _ = input.send(step).await;
                    }
                });
            },
        )
    }
}

/// What belongs to the answer, and what went wrong on the way to it.
fn shows(line: &EventLine) -> bool {
    // A failure that concerns nothing in particular ends the request too, and is told again as its answer.
    line.id.is_some() || matches!(line.event, Event::HubLost(_) | Event::HubBack(_))
}
