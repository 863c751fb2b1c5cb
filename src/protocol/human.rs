//! Human commands: the same structs as the JSON requests, read by clap from words and quotes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

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

/// What the last argument is called where it is free text: the rest of the line, whatever stands in it.
const FREE_TEXT: &str = "text";

/// What an argument is called that nobody else shall read.
const SECRET: &str = "password";

/// Spellings of old that are more than another name.
const OLD_SPELLINGS: &[(&str, &[&str])] = &[("whoelsesince", &["who", "--since"])];

/// The commands that end in free text, by all their names, and how many arguments stand before it.
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

/// How many arguments stand before the last one, if that one is called so.
fn before_last(command: &clap::Command, id: &str) -> Option<usize> {
    let before = command.get_positionals().count().checked_sub(1)?;
    (command.get_positionals().last()?.get_id() == id).then_some(before)
}

/// Reads a command as a person types it.
pub fn parse(text: &str) -> Result<Request, Failure> {
    if let Some(words) = spoken(text) {
        return read(&words);
    }
    let words = shlex::split(text).ok_or_else(|| Failure::new(ErrorCode::BadCommand, "a quote is not closed"))?;
    read(&words)
}

/// Reads a command that is already split into words, as `potluck exec` gets it. Free text is its words with one
/// blank between them.
pub fn parse_words(words: &[String]) -> Result<Request, Failure> {
    match words.split_first().and_then(|(name, rest)| Some((name, rest, *SPOKEN.get(name)?))) {
        Some((name, rest, before)) => {
            let (arguments, text) = rest.split_at(before.min(rest.len()));
            read(&with_text(name, arguments.to_vec(), &text.join(" ")))
        }
        None => read(words),
    }
}

/// The words of a line that ends in free text: quotes, backslashes and dashes in it are only that.
fn spoken(line: &str) -> Option<Vec<String>> {
    let (name, mut rest) = first_word(line);
    let name = unquoted(name);
    let mut arguments = Vec::new();
    for _ in 0..*SPOKEN.get(&name)? {
        let (argument, after) = first_word(rest);
        if !argument.is_empty() {
            arguments.push(unquoted(argument));
        }
        rest = after;
    }
    Some(with_text(&name, arguments, rest))
}

fn with_text(name: &str, arguments: Vec<String>, text: &str) -> Vec<String> {
    // `broadcast --help` asks for help; behind other arguments, the same is said to somebody.
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

/// The first word of a line, and what stands behind the blanks after it.
fn first_word(line: &str) -> (&str, &str) {
    let blank = [' ', '\t'];
    let line = line.trim_start_matches(blank);
    let (word, rest) = line.split_once(blank).unwrap_or((line, ""));
    (word, rest.trim_start_matches(blank))
}

/// A word without its quotes, if it has whole ones.
fn unquoted(word: &str) -> String {
    match shlex::split(word).as_deref() {
        Some([one]) => one.clone(),
        Some(_) | None => word.to_owned(),
    }
}

fn read(words: &[String]) -> Result<Request, Failure> {
    if let Some((name, rest)) = words.split_first()
        && let Some((_, new)) = OLD_SPELLINGS.iter().find(|(old, _)| old == name)
    {
        let help = rest.first().is_some_and(|word| word == "--help" || word == "-h");
        let new = new.iter().take(if help { 1 } else { usize::MAX }).map(|word| (*word).to_owned());
        return read(&new.chain(rest.iter().cloned()).collect::<Vec<_>>());
    }
    match HumanLine::try_parse_from(words) {
        Ok(line) => Ok(line.request),
        // `get --help` is `help get`.
        Err(e) if e.kind() == ErrorKind::DisplayHelp => Ok(request::Help { command: words.first().cloned() }.into()),
        Err(e) => Err(refusal(&e, words)),
    }
}

/// Whether a line as it is typed may hold a secret: then it is kept nowhere.
pub fn holds_secret(line: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with('{') { line.contains(SECRET) } else { secret_command(line).is_some() }
}

/// Whether a line is a command that lacks nothing but its secret, which can be asked for.
pub fn lacks_secret(line: &str) -> bool {
    let words = shlex::split(line).unwrap_or_default();
    // What stands behind the name is all that there is: an option could be anything.
    let plain = !words.iter().any(|word| word.starts_with('-'));
    let before = secret_command(line).and_then(|command| before_last(&command, SECRET));
    plain && before.is_some_and(|before| words.len() == before + 1)
}

/// The command of a line, if it takes a secret.
fn secret_command(line: &str) -> Option<clap::Command> {
    let name = unquoted(first_word(line).0);
    let command = command(&name)?;
    let takes = command.get_arguments().any(|argument| argument.get_id() == SECRET);
    takes.then_some(command)
}

fn command(name: &str) -> Option<clap::Command> {
    let all = HumanLine::command();
    all.get_subcommands().find(|c| c.get_name() == name || c.get_all_aliases().any(|a| a == name)).cloned()
}

/// An argument of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The command's name, not another spelling of it.
    pub command: String,
    /// The field that it fills.
    pub field: String,
    /// Whether it is written behind an option, such as `--owner`.
    pub option: bool,
}

/// The argument that comes after these words of a command, if one does.
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

/// Whether there may be more than one of it.
fn many(argument: &clap::Arg) -> bool {
    matches!(argument.get_action(), clap::ArgAction::Append)
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
    let name = name.map(|name| OLD_SPELLINGS.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new[0]));
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

    fn message(to: &str, text: &str) -> Request {
        request::Message { to: to.to_owned(), text: text.to_owned() }.into()
    }

    #[test]
    fn free_text_is_the_rest_of_the_line_as_it_stands() {
        for text in [
            r#"it's "fine" -- really"#,
            "--help",
            "-h",
            "--",
            "-- --",
            "# no comment",
            r"C:\new \' \",
            "two  blanks,\ta tab",
            "soup",
            "{}",
        ] {
            assert_eq!(parse(&format!("message bob {text}")).unwrap(), message("bob", text));
            assert_eq!(parse(&format!("message \t'bob'   {text}")).unwrap(), message("bob", text));
            let private = request::Private { to: "bob".into(), text: text.into() }.into();
            assert_eq!(parse(&format!("send bob {text}")).unwrap(), private);
            let said: Request = request::Say { room: "kitchen".into(), text: text.into() }.into();
            for name in ["say", "SRM", "send_group"] {
                assert_eq!(parse(&format!("{name} kitchen {text}")).unwrap(), said);
            }
        }
        for text in ["it's \"fine\"", "--help me", "-h me", "-1", "--"] {
            let all: Request = request::Broadcast { text: text.into() }.into();
            assert_eq!(parse(&format!("BCM {text}")).unwrap(), all);
        }
    }

    #[test]
    fn what_is_not_text_is_as_in_other_commands() {
        for line in ["message --help", "message -h", "message --help me", "broadcast --help", "broadcast -h"] {
            assert!(matches!(parse(line), Ok(Request::Help(_))), "{line}");
        }
        for line in ["message", "message bob", "broadcast", "message --loud bob hello"] {
            let failure = parse(line).unwrap_err();
            assert_eq!(failure.code, ErrorCode::BadCommand, "{line}");
            assert!(failure.hint.unwrap().contains("Usage: "), "{line}");
        }
    }

    #[test]
    fn words_from_a_shell_are_joined_by_one_blank() {
        let read = |words: &[&str]| parse_words(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(&["message", "erin", "hello", "there"]).unwrap(), message("erin", "hello there"));
        assert_eq!(read(&["message", "erin", "it's  here"]).unwrap(), message("erin", "it's  here"));
        assert_eq!(read(&["message", "erin", "--help"]).unwrap(), message("erin", "--help"));
        assert!(matches!(read(&["message", "--help"]), Ok(Request::Help(_))));
        assert_eq!(read(&["message", "erin"]).unwrap_err().code, ErrorCode::BadCommand);
    }

    #[test]
    fn spellings_of_old() {
        assert_eq!(parse("whoelsesince 600").unwrap(), request::Who { since: Some(600), after: None }.into());
        assert_eq!(parse("whoelse").unwrap(), request::Who::default().into());
        assert!(matches!(parse("whoelsesince --help"), Ok(Request::Help(_))));
        assert_eq!(help(Some("whoelsesince")).unwrap()[0].name, "who");
        assert_eq!(parse("whoelsesince soon").unwrap_err().code, ErrorCode::BadCommand);
    }

    #[test]
    fn secrets_are_known_by_their_command() {
        for line in ["login erin hunter2", "  login", "'login' x", "login 'open", r#"{"password":"x"}"#] {
            assert!(holds_secret(line), "{line}");
        }
        for line in ["list", "message erin login", "logins", ""] {
            assert!(!holds_secret(line), "{line}");
        }
        assert!(lacks_secret("login erin"));
        for line in ["login", "login erin x", "login --help", "message erin", ""] {
            assert!(!lacks_secret(line), "{line}");
        }
    }

    #[test]
    fn the_next_argument_is_known() {
        let next = |line: &str| {
            let found = next_argument(&shlex::split(line).unwrap())?;
            Some(format!("{}{}", if found.option { "--" } else { "" }, found.field))
        };
        for (line, field) in [
            ("message", Some("to")),
            ("message erin", Some("text")),
            ("get", Some("file")),
            ("request a", Some("from")),
            ("get a erin", None),
            ("get --to b a", Some("from")),
            ("get a --to", Some("--to")),
            ("quit --now", None),
            ("offer a b c", Some("files")),
            ("room-invite kitchen erin dora", Some("members")),
            ("history --lobby --with", Some("--with")),
            ("nothing", None),
        ] {
            assert_eq!(next(line).as_deref(), field, "{line}");
        }
    }
}
