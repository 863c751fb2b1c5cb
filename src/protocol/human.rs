//! Human commands: the same structs as the JSON requests, read by clap from words and quotes.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use super::event::CommandHelp;
use super::line::unknown_request;
use super::request::{self, Request};
use super::{ErrorCode, Failure};

/// A human line: a subcommand without a program's name.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_subcommand = true, color = clap::ColorChoice::Never)]
struct HumanLine {
    #[command(subcommand)]
    request: Request,
}

/// Reads a command as a person types it.
pub fn parse(text: &str) -> Result<Request, Failure> {
    let words = shlex::split(text).ok_or_else(|| Failure::new(ErrorCode::BadCommand, "a quote is not closed"))?;
    parse_words(&words)
}

/// Reads a command that is already split into words, as `potluck exec` gets it.
pub fn parse_words(words: &[String]) -> Result<Request, Failure> {
    match HumanLine::try_parse_from(words) {
        Ok(line) => Ok(line.request),
        // `get --help` is `help get`.
        Err(e) if e.kind() == ErrorKind::DisplayHelp => Ok(request::Help { command: words.first().cloned() }.into()),
        Err(e) => Err(refusal(&e, words)),
    }
}

fn refusal(error: &clap::Error, words: &[String]) -> Failure {
    if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) {
        // There is no field to point to in a line that a person typed.
        return Failure { at: None, ..unknown_request(name) };
    }
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").trim_end_matches(':');
    let missing = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(names)) => format!(": {}", names.join(" ")),
        _ => String::new(),
    };
    let failure = Failure::new(ErrorCode::BadCommand, format!("{first}{missing}"));
    match words.first().and_then(|name| help(Some(name)).ok()).and_then(|mut found| found.pop()) {
        Some(command) => failure.hint(format!("Usage: {}", command.usage)),
        None => failure,
    }
}

/// The help of one command, or a line for each.
///
/// # Errors
/// `unknown-request` if there is no such command.
pub fn help(name: Option<&str>) -> Result<Vec<CommandHelp>, Failure> {
    let mut all = HumanLine::command();
    all.build();
    let wanted = |c: &&mut clap::Command| name.is_none_or(|n| c.get_name() == n || c.get_all_aliases().any(|a| a == n));
    let found: Vec<_> = all.get_subcommands_mut().filter(wanted).map(|c| describe(c, name.is_some())).collect();
    if found.is_empty() { Err(unknown_request(name.unwrap_or_default())) } else { Ok(found) }
}

fn describe(command: &mut clap::Command, details: bool) -> CommandHelp {
    let usage = command.render_usage().to_string();
    CommandHelp {
        name: command.get_name().to_owned(),
        usage: usage.trim_start_matches("Usage: potluck ").trim().to_owned(),
        about: command.get_about().map(ToString::to_string).unwrap_or_default(),
        aliases: command.get_all_aliases().map(str::to_owned).collect(),
        details: details
            .then(|| command.render_long_help().to_string().trim_end().replace("Usage: potluck ", "Usage: ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_its_command() {
        let commands: Vec<_> = help(None).unwrap().into_iter().map(|c| c.name).collect();
        let words: Vec<_> = Request::WORDS.iter().map(|w| w.name.to_owned()).collect();
        assert_eq!(commands, words);
    }

    #[test]
    fn help_shows_usage_and_options() {
        let get = help(Some("request")).unwrap().pop().unwrap();
        assert!(get.usage.starts_with("get "), "{}", get.usage);
        assert!(get.details.unwrap().contains("--on-conflict"));
        assert_eq!(help(Some("gte")).unwrap_err().code, ErrorCode::UnknownRequest);
        assert!(matches!(parse("get --help"), Ok(Request::Help(_))));
    }
}
