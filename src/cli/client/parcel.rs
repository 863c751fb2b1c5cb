//! What `send` and `receive` have in common: their options, and the client that runs for one request.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::super::duration::seconds;
use super::{Face, Renderer, Retold, RunMode, bars, run, standard_output, style};
use crate::core::session::PassesOn;
use crate::io::drive::client::{ClientOptions, Ports, UserInput, Who};
use crate::io::state::home::Home;
use crate::protocol::{
    Event, EventLine, Failure, Follows, Id, JoinLink, PublicKey, Request, RequestLine, TransportChoice,
};

/// The `id` of the one request, by which its events are known.
const REQUEST_ID: &str = "parcel";

/// What is told in place of the loss of a hub that the sender is itself, of which its user knows nothing.
const LOST: &str = "Lost the connection; trying again ...\n";
const BACK: &str = "The connection is back.\n";

/// How a client is started that sends or receives by a short code.
#[derive(Debug, Args)]
pub(in crate::cli) struct ParcelArgs {
    #[allow(rustdoc::broken_intra_doc_links, reason = "clap prints it: these are optional parts")]
    /// The hub: a join link, or HOST[:PORT] [default: the one that was joined last]
    #[arg(long, value_name = "LINK|HOST[:PORT]", env = "POTLUCK_HUB", hide_env_values = true)]
    pub(in crate::cli) hub: Option<JoinLink>,
    /// Write events as JSON, one a line, instead of text.
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// With --json: the whole session, from `ready` to `bye`, and not only what belongs to the parcel.
    #[arg(long, requires = "json")]
    all_events: bool,
    /// The key that the hub must have; it replaces the one that was pinned.
    #[arg(long, value_name = "KEY")]
    hub_key: Option<PublicKey>,
    /// How to reach the hub.
    #[arg(long, value_enum, value_name = "WHICH", default_value = "auto")]
    pub(in crate::cli) transport: TransportChoice,
    /// The TCP port to serve files on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The folder with potluck's keys [default: $POTLUCK_HOME, or the platform's data folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How long a lost hub is tried again; a number alone is in seconds.
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = seconds)]
    give_up: Duration,
    /// How long all of it may take; then it ends with exit code 7. A number alone is in seconds.
    #[arg(long, value_name = "SPAN", value_parser = seconds)]
    pub(in crate::cli) timeout: Option<Duration>,
}

/// What is asked, of which hub, and how it is told.
pub(in crate::cli) struct Errand {
    /// The hub.
    pub(in crate::cli) hub: JoinLink,
    /// As whom we come.
    pub(in crate::cli) who: Who,
    /// Whether the hub is there for this time only.
    pub(in crate::cli) passing: bool,
    /// The one request.
    pub(in crate::cli) request: Request,
    /// Where files go.
    pub(in crate::cli) downloads: PathBuf,
    /// What is only passed on, and where it is kept until then.
    pub(in crate::cli) passed_on: Option<(PassesOn, PathBuf)>,
    /// The limits for sending and for fetching, in bytes a second.
    pub(in crate::cli) rates: (Option<u64>, Option<u64>),
    /// Whether text goes to standard error, because standard output is for what is received.
    pub(in crate::cli) aside: bool,
    /// Changes an event before it is told.
    pub(in crate::cli) retold: Option<Retold>,
}

impl ParcelArgs {
    /// The folder with potluck's keys.
    pub(in crate::cli) fn home(&self) -> Result<Home, Failure> {
        Home::open(self.data.as_deref())
    }

    fn options(&self, errand: &Errand) -> Result<ClientOptions, Failure> {
        let mut options = ClientOptions::new(errand.hub.clone(), String::new(), self.home()?);
        options.who = errand.who.clone();
        (options.hub_key, options.passing, options.transport) = (self.hub_key, errand.passing, self.transport);
        options.folders.downloads.clone_from(&errand.downloads);
        if let Some((what, folder)) = &errand.passed_on {
            (options.transfers.passes_on, options.folders.apart) = (*what, Some(folder.clone()));
        }
        options.ports = Ports { files: self.port, link: 0, everywhere: errand.passing };
        (options.transfers.up, options.transfers.down) = errand.rates;
        (options.follow, options.inbox, options.fail_fast) = (Follows::NOTHING, false, true);
        options.patience.give_up = self.give_up;
        (options.patience.timeout, options.patience.push) = (self.timeout, None);
        Ok(options)
    }

    /// Runs a client with the one request to its end.
    pub(in crate::cli) fn run(&self, errand: Errand) -> Result<ExitCode, Failure> {
        let options = self.options(&errand)?;
        let Errand { request, passing, aside, retold, .. } = errand;
        let bars = if aside { None } else { bars(self.json) };
        let mode = RunMode {
            linger: false,
            fail_fast: true,
            follow: Follows::NOTHING,
            inbox: false,
            told: if self.json && !self.all_events { of_the_request } else { everything },
            shows: Box::new(shows),
            bars: bars.clone(),
            password: None,
            push_patience: None,
            times: false,
            welcomed: None,
            retold,
        };
        let face = Face::from(style()).dressed(move |line, text| of_hub(line, passing).unwrap_or(text));
        let renderer = Renderer::new(self.json, mode, face);
        let line = RequestLine { id: Some(parcel_id()), request };
        let feed = |input: tokio::sync::mpsc::Sender<UserInput>, _| {
            for step in [UserInput::Request(line), UserInput::End] {
                // The queue has room for two; if the client has ended, it needs no more input.
                let _ = input.try_send(step);
            }
        };
        if aside {
            return run(options, renderer, std::io::stderr(), |_| (), feed);
        }
        run(options, renderer, standard_output(bars.as_ref()), |_| (), feed)
    }
}

/// The `id` of the request of `send` and `receive`.
pub(in crate::cli) fn parcel_id() -> Id {
    Id::Text(REQUEST_ID.into())
}

/// What is told of the loss and the return of the hub, if that is one `passing`, with its sender.
fn of_hub(line: &EventLine, passing: bool) -> Option<String> {
    let said = match (matches!(line.event, Event::HubLost(_)), matches!(line.event, Event::HubBack(_))) {
        (true, _) => LOST,
        (_, true) => BACK,
        (false, false) => return None,
    };
    passing.then(|| said.to_owned())
}

fn everything(_: &EventLine) -> bool {
    true
}

/// Selects the events for a program that wants only what belongs to the parcel.
fn of_the_request(line: &EventLine) -> bool {
    line.id.is_some()
}

/// Selects the events that are shown as text: what happens to the parcel, and what goes wrong on the way.
fn shows(line: &EventLine) -> bool {
    let event = &line.event;
    // Nobody is leaving: the end of the input was ours. That the hub is lost, or a receiver has left, is said by itself.
    let is_told_elsewhere = matches!(
        event,
        Event::Waiting(_)
            | Event::TransferFailed(_)
            | Event::TransferQueued(_)
            | Event::TransferStarted(_)
            | Event::TransferProgress(_)
            | Event::TransferCompleted(_)
            | Event::OfferProgress(_)
    );
    let is_trouble = matches!(event, Event::HubLost(_) | Event::HubBack(_) | Event::TransferStalled(_));
    is_trouble || (line.id.is_some() && !is_told_elsewhere)
}
