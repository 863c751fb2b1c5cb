//! Typed commands: clap reads words and quotes into the same structs as the JSON requests.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use super::cause;
use super::error::pointer_at;
use super::event::CommandHelp;
use super::old_spellings::{self, SEND_GROUP, rewritten};
use super::read_aloud::with_whole_number;
use super::request::{self, Request};
use super::spelling::mistakes;
pub use super::usage::TALK;
use super::usage::{about_talk, describe, whole_usage};
use super::{ErrorCode, Failure};

/// A typed line: a subcommand without a program name before it.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_subcommand = true, color = clap::ColorChoice::Never)]
struct HumanLine {
    #[command(subcommand)]
    request: Request,
}

/// The id of a last argument that is free text: the rest of the line, whatever characters it has.
const FREE_TEXT: &str = "text";

/// The id of an argument that must not be shown or remembered.
const SECRET: &str = "password";

/// Every name of every command in lower case, aliases too, with the command's own name.
static NAMES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let named = |command: &clap::Command| {
        let names: Vec<_> = std::iter::once(command.get_name()).chain(command.get_all_aliases()).collect();
        names.into_iter().map(|name| (name.to_lowercase(), command.get_name().to_owned())).collect::<Vec<_>>()
    };
    HumanLine::command().get_subcommands().flat_map(named).collect()
});

/// The commands that end in free text, by all their names, with the number of arguments before the text.
static SPOKEN: LazyLock<BTreeMap<String, usize>> = LazyLock::new(|| {
    let all = HumanLine::command();
    let mut spoken = BTreeMap::new();
    for command in all.get_subcommands() {
        if let Some(before) = before_last(command, FREE_TEXT) {
            let names = std::iter::once(command.get_name()).chain(command.get_all_aliases());
            spoken.extend(names.map(|name| (name.to_owned(), before)));
        }
    }
    spoken
});

/// The number of arguments before the last one, if the last one has this id.
fn before_last(command: &clap::Command, id: &str) -> Option<usize> {
    let before = command.get_positionals().count().checked_sub(1)?;
    (command.get_positionals().last()?.get_id() == id).then_some(before)
}

/// Quotes a word where that is needed, so that a line can be typed as it is shown.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:,".contains(c);
    if word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")).into() }
}

/// Reads a command that was typed by somebody who talks in `room`, if any: some commands mean that room if they name
/// none.
///
/// # Errors
/// `unknown-request`, or `bad-command` with the usage.
pub fn parse(text: &str, room: Option<&str>) -> Result<Request, Failure> {
    if let Some(words) = spoken(text, room) {
        return read(&words).map_err(|failure| with_old_usage(failure, &words));
    }
    let unclosed = || {
        Failure::new(ErrorCode::BadCommand, "A quote is not closed.")
            .hint("Close it, or put `\\` before it.".to_owned())
    };
    let words = shlex::split(text).ok_or_else(unclosed)?;
    match rewritten(&words, room) {
        Some(new) => read(&new).map_err(|failure| with_old_usage(failure, &words)),
        None => read(&words).map_err(|failure| with_old_usage(failure, &words)),
    }
}

/// Explains a mistake in a line of an old system by that system's usage.
fn with_old_usage(failure: Failure, words: &[String]) -> Failure {
    let old = words.first().and_then(|name| old_spellings::usage_of(name));
    match (old, &failure.hint) {
        (Some(old), Some(hint)) if failure.code == ErrorCode::BadCommand => {
            let hint = format!("{}; in the old spelling: {old}", hint.trim_end_matches('.'));
            failure.hint(hint)
        }
        _ => failure,
    }
}

/// Reads a command that is split into words already, as `potluck exec` gets it. The words of free text are joined by
/// single blanks.
pub fn parse_words(words: &[String]) -> Result<Request, Failure> {
    // There are no earlier lines that could have joined a room.
    let short = words.first().is_some_and(|name| name == SEND_GROUP || name.eq_ignore_ascii_case(TALK));
    read_words(words).map_err(|failure| match short && failure.code == ErrorCode::BadCommand {
        true => failure.hint("`say ROOM TEXT` says something in a room, `broadcast TEXT` to everybody."),
        false => failure,
    })
}

fn read_words(words: &[String]) -> Result<Request, Failure> {
    match words.split_first().and_then(|(name, rest)| Some((name, rest, *SPOKEN.get(name)?))) {
        Some((name, rest, before)) => {
            let (arguments, text) = rest.split_at(before.min(rest.len()));
            read(&with_text(name, arguments.to_vec(), &text.join(" ")))
        }
        None => match rewritten(words, None) {
            Some(new) => read(&new).map_err(|failure| with_old_usage(failure, words)),
            None => read(words).map_err(|failure| with_old_usage(failure, words)),
        },
    }
}

/// The words of a line that ends in free text. Quotes, backslashes and dashes in the text have no meaning.
fn spoken(line: &str, room: Option<&str>) -> Option<Vec<String>> {
    let (name, mut rest) = first_word(line);
    let name = unquoted(name);
    let mut arguments = Vec::new();
    let mut named = *SPOKEN.get(&name)?;
    if let Some(room) = room.filter(|_| name == SEND_GROUP) {
        arguments.push(room.to_owned());
        named = 0;
    }
    for _ in 0..named {
        let (argument, after) = first_word(rest);
        if !argument.is_empty() {
            arguments.push(unquoted(argument));
        }
        rest = after;
    }
    Some(with_text(&name, arguments, rest))
}

fn with_text(name: &str, arguments: Vec<String>, text: &str) -> Vec<String> {
    // `broadcast --help` asks for help; after other arguments, the same text is a message.
    let help = arguments.is_empty() && matches!(text, "--help" | "-h");
    let mut words = vec![name.to_owned()];
    words.extend(arguments);
    match text {
        "" => {}
        text if help => words.push(text.to_owned()),
        text => words.extend(["--".to_owned(), text.to_owned()]),
    }
    words
}

/// Splits a line into its first word and the rest, without the blanks between them.
fn first_word(line: &str) -> (&str, &str) {
    let blank = [' ', '\t'];
    let line = line.trim_start_matches(blank);
    let (word, rest) = line.split_once(blank).unwrap_or((line, ""));
    (word, rest.trim_start_matches(blank))
}

/// A word without its quotes, if it begins and ends with them.
fn unquoted(word: &str) -> String {
    match shlex::split(word).as_deref() {
        Some([one]) => one.clone(),
        Some(_) | None => word.to_owned(),
    }
}

fn read(words: &[String]) -> Result<Request, Failure> {
    if words.first().is_some_and(|name| name.eq_ignore_ascii_case(TALK)) {
        return Err(Failure::new(ErrorCode::BadCommand, "`talk` is for people at a terminal.")
            .hint("`say ROOM TEXT` says a line in a room, `broadcast TEXT` to everybody; after `join_group ROOM`, `send_group TEXT` does too."));
    }
    // A word that is longer than any name is refused at once: clap would compare all of it with each name.
    if let Some(name) = words.first().filter(|name| NAMES.iter().all(|(known, _)| known.len() < name.len())) {
        return Err(unknown(name));
    }
    let whole = with_whole_number(words);
    let words = whole.as_deref().unwrap_or(words);
    match HumanLine::try_parse_from(words) {
        Ok(line) => Ok(line.request),
        // `get --help` is the same as `help get`.
        Err(e) if e.kind() == ErrorKind::DisplayHelp => Ok(request::Help { command: words.first().cloned() }.into()),
        Err(e) => Err(refusal(&e, words)),
    }
}

/// Whether a typed line may hold a password, and so must not be kept in the history. A mistyped command counts, too:
/// other case, a slash before it, or a word that is nearly right.
pub fn holds_secret(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| c == '/' || c.is_whitespace());
    if line.starts_with('{') {
        return line.to_lowercase().contains(SECRET);
    }
    let name = unquoted(first_word(line).0);
    secret_command(line).is_some() || meant(&name).and_then(command).is_some_and(|command| takes_secret(&command))
}

/// Whether a line is a complete command but for its password, which can then be asked for.
pub fn lacks_secret(line: &str) -> bool {
    let words = shlex::split(line).unwrap_or_default();
    // The line may have nothing but positional arguments: an option could take the place of any of them.
    let plain = !words.iter().any(|word| word.starts_with('-'));
    let before = secret_command(line).and_then(|command| before_last(&command, SECRET));
    plain && before.is_some_and(|before| words.len() == before + 1)
}

/// The command of a line, if it takes a password.
fn secret_command(line: &str) -> Option<clap::Command> {
    let name = unquoted(first_word(line).0);
    command(&name).filter(takes_secret)
}

fn takes_secret(command: &clap::Command) -> bool {
    command.get_arguments().any(|argument| argument.get_id() == SECRET)
}

fn command(name: &str) -> Option<clap::Command> {
    let all = HumanLine::command();
    all.get_subcommands().find(|c| c.get_name() == name || c.get_all_aliases().any(|a| a == name)).cloned()
}

/// An argument of a command, for completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The command's own name, never an alias.
    pub command: String,
    /// The field of the request that the argument fills.
    pub field: String,
    /// Whether it is written after an option, such as `--owner`.
    pub option: bool,
}

/// The argument that comes after these words of a command; `None` if there is none.
pub fn next_argument(words: &[String]) -> Option<Argument> {
    let (name, rest) = words.split_first()?;
    let command = command(name)?;
    let (mut behind, mut option) = (0, None);
    for word in rest {
        match (option.take(), word.strip_prefix("--")) {
            (Some(_), _) => {}
            (None, Some(long)) => {
                let taken = command.get_arguments().find(|argument| argument.get_long() == Some(long));
                option = taken.filter(|argument| argument.get_action().takes_values());
            }
            (None, None) => behind += 1,
        }
    }
    let last = || command.get_positionals().last().filter(|argument| many(argument));
    let argument = option.or_else(|| command.get_positionals().nth(behind)).or_else(last)?;
    Some(Argument {
        command: command.get_name().to_owned(),
        field: argument.get_id().to_string(),
        option: option.is_some(),
    })
}

/// Whether the argument may be given more than once.
fn many(argument: &clap::Arg) -> bool {
    matches!(argument.get_action(), clap::ArgAction::Append)
}

/// Whether this is the name of a command as people type it, including those of old systems.
pub fn is_command(name: &str) -> bool {
    NAMES.iter().any(|(known, _)| *known == name.to_lowercase()) || old_spellings::usage_of(name).is_some()
}

/// The command that has this name, in any case, or a name that is nearly the same.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    // A short word may have one mistake, a longer one two.
    let most = if name.chars().count() <= 5 { 1 } else { 2 };
    let near = NAMES.iter().filter_map(|(known, now)| Some((mistakes(known, &name, most)?, now)));
    near.min().map(|(_, now)| now.as_str())
}

/// The command that has this name or alias.
pub(super) fn called(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, now)| now.as_str())
}

/// The failure for an unknown command: it suggests a similar one, or says what a message needs.
fn unknown(name: &str) -> Failure {
    let shown: String = name.chars().take(40).collect();
    let failure = Failure::new(ErrorCode::UnknownRequest, format!("There is no command `{shown}`."));
    match meant(name) {
        Some(meant) => failure.hint(format!(
            "Did you mean `{meant}`? `help` lists the commands, `broadcast TEXT` says something to everybody."
        )),
        None => failure.hint("`help` lists the commands; `broadcast TEXT` says something to everybody."),
    }
}

fn refusal(error: &clap::Error, words: &[String]) -> Failure {
    if let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) {
        return unknown(name);
    }
    let wrong = cause::of_arguments(error).unwrap_or_else(|| ErrorCode::BadCommand.sentence().to_owned());
    let failure = Failure::new(ErrorCode::BadCommand, wrong);
    if lacks_secret(&words.join(" ")) {
        let hint = "At a terminal, `login NAME` asks for it. In a pipe it is a word of the line, `login NAME PASSWORD`, or join with --password-file.";
        return Failure { message: "The password is missing.".into(), ..failure }.hint(hint);
    }
    if let Some(line) = one_name(error, words) {
        return failure.hint(format!("A name with spaces stands in quotes: `{line}`"));
    }
    match words.first().and_then(|name| command(name)) {
        // Outside of `join`, `send` is for files.
        Some(command) if words.first().is_some_and(|name| name == "send") => {
            let usage = whole_usage(command);
            failure.hint(format!("Usage: {usage}; `parcel-send PATH…` sends files to whoever is told a code."))
        }
        Some(command) => failure.hint(format!("Usage: {}", whole_usage(command))),
        None => failure,
    }
}

/// Commands that take a file name: the command, and how many words follow the name.
const NAMES_FILES: [(&str, usize); 3] = [("get", 0), ("push", 1), ("chunks", 0)];

/// The line that was probably meant if there are too many words: together they are one file name, without its quotes.
fn one_name(error: &clap::Error, words: &[String]) -> Option<String> {
    let (name, rest) = words.split_first()?;
    let now = command(name)?.get_name().to_owned();
    let (_, behind) = NAMES_FILES.iter().find(|(known, _)| *known == now)?;
    let too_many = matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::ValueValidation);
    let (file, others) = rest.split_at(rest.len().checked_sub(*behind)?);
    let plain = file.len() > 1 && !rest.iter().any(|word| word.starts_with('-'));
    if !too_many || !plain || file.iter().skip(1).all(|word| word.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let line = [name.clone(), quoted(&file.join(" ")).into_owned()];
    Some(line.into_iter().chain(others.iter().map(|word| quoted(word).into_owned())).collect::<Vec<_>>().join(" "))
}

/// The help of one command, or one line for each command.
///
/// # Errors
/// `unknown-request` if there is no such command.
pub fn help(name: Option<&str>) -> Result<Vec<CommandHelp>, Failure> {
    let mut all = HumanLine::command();
    all.build();
    if name.is_some_and(|name| name.eq_ignore_ascii_case(TALK)) {
        return Ok(vec![about_talk()]);
    }
    let wanted = |c: &&mut clap::Command| name.is_none_or(|n| c.get_name() == n || c.get_all_aliases().any(|a| a == n));
    let mut found: Vec<_> = all.get_subcommands_mut().filter(wanted).map(|c| describe(c, name.is_some())).collect();
    if let Some(old) = name.and_then(old_spellings::usage_of) {
        for details in found.iter_mut().filter_map(|command| command.details.as_mut()) {
            details.push_str(&format!("\n\nIn the old spelling: {old}"));
        }
    }
    match name {
        Some(name) if found.is_empty() => {
            let hint = meant(name).map_or_else(String::new, |meant| format!("Did you mean `{meant}`? "));
            Err(unknown(name).hint(hint + "`help` lists what can be asked.").at(pointer_at("/command")))
        }
        _ => Ok(found),
    }
}

#[cfg(test)]
#[path = "human_tests.rs"]
mod tests;
