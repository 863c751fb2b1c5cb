//! `potluck invite`: creates, lists and revokes invites of a hub, whether the hub runs or not.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::hub_folder::HubFolder;
use super::recording::{complain, print};
use crate::io::os::clock::{Clock, random};
use crate::io::store::InviteBook;
use crate::protocol::code::Nameplate;
use crate::protocol::invite::{CodeRecord, InviteDigest, InviteInfo, InviteRecord, invite_secret};
use crate::protocol::name::{NameKey, check_person};
use crate::protocol::when::span;
use crate::protocol::{ErrorCode, Failure, JoinLink, Timestamp, to_json};
use crate::ui::escape::escape;
use crate::ui::style::Style;
use crate::ui::table;

/// Manage the invites of a hub: join links that let in people who have not been there before.
///
/// An invite is spent when somebody takes a name with it; they need none from then on. The hub may be running: what is
/// changed holds at once. `join --invite-file FILE` reads an invite from a file, where others do not see it.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 done, 1 a failure, 2 usage.")]
pub struct Invite {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    folder: HubFolder,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make an invite, and print its join link. The link is shown this once: the hub keeps only a hash of it.
    Add {
        /// What to call it, for `list` and `revoke` [default: invite-1, invite-2 and so on].
        name: Option<String>,
        /// How many it lets in; `any` sets no bound.
        #[arg(long, visible_alias = "times", value_name = "N", default_value = "1", value_parser = uses)]
        uses: Bound<u64>,
        /// For how long it is good, such as 12h or 30d; `never` sets no end.
        #[arg(long, visible_alias = "until", value_name = "SPAN", default_value = "7d", value_parser = expires)]
        expires: Bound<Duration>,
        /// Print a short code in its place, which can be said on the phone: 7-crossover-clockwork. It is void after one
        /// wrong guess. Until then, whoever can read the hub's data can read it.
        #[arg(long)]
        code: bool,
        /// The hosts and ports in the link, with commas between them [default: those of the hub's own link].
        #[arg(long, value_name = "HOST[:PORT]", value_parser = host)]
        host: Option<JoinLink>,
    },
    /// Show all invites.
    ///
    /// With --json one object a line: `name`, `uses` (absent: any number), `spent`, `until` (absent: without end),
    /// `made`, `state` (`good`, `spent`, `expired`, or `guessed` for a code that somebody has guessed at), `code` (the
    /// number of its short code, if it has one), `maker` (the member who made it, if it was not the keeper).
    List {
        /// Write JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Make an invite worthless. Whom it has let in stays; `potluck user remove` ends that.
    Revoke {
        /// The name of the invite.
        name: String,
    },
}

/// A bound that may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bound<T>(Option<T>);

fn uses(text: &str) -> Result<Bound<u64>, String> {
    let wrong = || "expected a number from 1 to 1000000, or `any`".to_owned();
    match text {
        "any" => Ok(Bound(None)),
        _ => text.parse().ok().filter(|uses| (1..=1_000_000).contains(uses)).map(|n| Bound(Some(n))).ok_or_else(wrong),
    }
}

fn expires(text: &str) -> Result<Bound<Duration>, String> {
    if text == "never" {
        return Ok(Bound(None));
    }
    let span = span(text).filter(|span| !span.is_zero() && *span <= Duration::from_secs(10 * 365 * 86_400));
    span.map(|span| Bound(Some(span))).ok_or_else(|| "expected a span such as 12h or 30d, or `never`".to_owned())
}

fn host(text: &str) -> Result<JoinLink, String> {
    let link = text.parse::<JoinLink>().map_err(|e| e.to_string())?;
    let plain = link.name.is_none() && link.key.is_none() && !text.contains("//");
    plain.then_some(link).ok_or_else(|| "expected HOST or HOST:PORT".to_owned())
}

/// An invite as `list --json` shows it.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uses: Option<u64>,
    spent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    made: Timestamp,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Nameplate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maker: Option<&'a str>,
}

impl Invite {
    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(&self) -> ExitCode {
        print(self.text().map_err(|failure| self.folder.leads_here(failure)))
    }

    /// Does what was asked; returns the text to print.
    fn text(&self) -> Result<String, Failure> {
        let now = Clock::start().epoch();
        match &self.what {
            What::Add { name, uses, expires, code, host } => {
                name.as_deref().map_or(Ok(()), check_person)?;
                let mut book = match (self.folder.find(InviteBook::find)?, host) {
                    (Some(book), _) => book,
                    (None, Some(_)) => self.folder.made(InviteBook::open)?,
                    (None, None) => return Err(not_run()),
                };
                let name = name.clone().map_or_else(|| free_name(&book), Ok)?;
                let link = join_link(&book, host.as_ref())?;
                let until = expires.0.map(|span| Timestamp(now.0 + span.as_millis() as i64));
                let (secret, invite) = new(name, uses.0, until, now)?;
                if *code {
                    let words = random().map_err(Failure::internal)? as u16;
                    let code = book.add_with_code(&invite, &secret, words)?;
                    complain(&format!("the code is for `potluck join {} {code}`.", link.host_port()));
                    return Ok(format!("{code}\n"));
                }
                book.add(&invite)?;
                Ok(format!("{}\n", JoinLink { invite: Some(secret), ..link }))
            }
            What::List { json } => {
                let book = self.folder.existing(InviteBook::find)?;
                let (invites, mut codes) = (book.list()?, book.codes()?);
                let listed = |invite: InviteRecord| (codes.remove(&invite.digest), invite);
                let all: Vec<_> = invites.into_iter().map(listed).collect();
                Ok(if *json { all.iter().map(|both| json_line(both, now)).collect() } else { table(&all, now) })
            }
            What::Revoke { name } => {
                self.folder.existing(InviteBook::find)?.revoke(name).map(|()| format!("Revoked: {}\n", escape(name)))
            }
        }
    }
}

/// A new invite, and its secret.
pub(super) fn new(
    name: String,
    uses: Option<u64>,
    until: Option<Timestamp>,
    made: Timestamp,
) -> Result<(String, InviteRecord), Failure> {
    let half = || random().map(u128::from).map_err(Failure::internal);
    let secret = invite_secret((half()? << 64) | half()?);
    let digest = InviteDigest::of(&secret);
    Ok((secret, InviteRecord { name, digest, uses, spent: 0, until, made, maker: None }))
}

fn free_name(book: &InviteBook) -> Result<String, Failure> {
    let taken = book.list()?;
    let names = (1..).map(|n| format!("invite-{n}"));
    Ok(names.into_iter().find(|name| taken.iter().all(|invite| invite.name != *name)).unwrap_or_default())
}

/// The hub's join link, without a secret.
fn join_link(book: &InviteBook, host: Option<&JoinLink>) -> Result<JoinLink, Failure> {
    let (last, key) = book.hub()?;
    let last = last.and_then(|address| address.parse::<JoinLink>().ok());
    match host.cloned().or(last) {
        Some(link) => Ok(JoinLink { key: Some(key), ..link }),
        None => Err(not_run()),
    }
}

fn not_run() -> Failure {
    Failure::new(ErrorCode::BadConfig, "The hub has not run yet, so it is not known where it will be.")
        .hint("Start it first with `potluck serve`, or say where with --host HOST:PORT.")
}

/// An invite with its code, if it has one.
type WithCode = (Option<CodeRecord>, InviteRecord);

fn state((code, invite): &WithCode, now: Timestamp) -> &'static str {
    InviteInfo::of(invite, code.as_ref(), now).state.name()
}

fn json_line(both: &WithCode, now: Timestamp) -> String {
    let (code, InviteRecord { name, uses, spent, until, made, maker, .. }) = both;
    let maker = maker.as_ref().map(NameKey::as_str);
    let code = code.as_ref().map(|code| code.nameplate);
    let (uses, spent, until, made) = (*uses, *spent, *until, *made);
    to_json(&Listed { name, uses, spent, until, made, state: state(both, now), code, maker }) + "\n"
}

fn table(invites: &[WithCode], now: Timestamp) -> String {
    let rows = invites.iter().map(|both| {
        let (code, invite) = both;
        let of = invite.uses.map_or_else(|| "any".to_owned(), |uses| uses.to_string());
        let until = invite.until.map_or_else(|| "never".to_owned(), |until| until.to_string());
        let code = code.as_ref().map_or_else(String::new, |code| code.nameplate.to_string());
        vec![escape(&invite.name).into_owned(), state(both, now).to_owned(), invite.spent.to_string(), of, until, code]
    });
    table::table(&["NAME", "STATE", "SPENT", "OF", "UNTIL", "CODE"], &[2, 3, 5], rows.collect(), Style::Plain)
}
