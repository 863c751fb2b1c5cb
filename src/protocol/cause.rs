//! Turns errors of the system and of libraries into words for our users. What a library says is meant for programmers:
//! error numbers, links to manuals, names of Rust types. None of that helps here.
//!
//! Everything that reports an error of the system or of a library uses it.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, ErrorKind};

pub use super::plain::plain;
use super::{ErrorCode, Failure};

/// Explains an I/O error as the end of a sentence, without a full stop: "permission denied".
#[allow(clippy::wildcard_enum_match_arm, reason = "the system has more causes than have words here")]
pub fn of_io(e: &io::Error) -> Cow<'static, str> {
    let known = match e.kind() {
        // An error that we made ourselves already has its words.
        _ if e.get_ref().is_some() => "",
        ErrorKind::NotFound => "there is no such file or folder",
        ErrorKind::PermissionDenied => "that is not permitted",
        ErrorKind::ConnectionRefused => "nothing listens there",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::NotConnected => {
            "the other side closed the connection"
        }
        ErrorKind::UnexpectedEof => "it ended too early",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "no way leads there",
        ErrorKind::NetworkDown => "the network is down",
        ErrorKind::AddrInUse => "the port is in use",
        ErrorKind::AddrNotAvailable => "this machine has no such address",
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "no answer came in time",
        ErrorKind::AlreadyExists => "something of that name is there already",
        ErrorKind::NotADirectory => "a part of the path is not a folder",
        ErrorKind::IsADirectory => "that is a folder",
        ErrorKind::DirectoryNotEmpty => "the folder is not empty",
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "no more room is allowed on that disk",
        ErrorKind::FileTooLarge => "the file system takes no file that large",
        ErrorKind::InvalidFilename => "the file system does not take that name",
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => "something else is using it",
        ErrorKind::StaleNetworkFileHandle => "the network drive has changed meanwhile",
        ErrorKind::OutOfMemory => "there is not enough memory",
        ErrorKind::Unsupported => "the system cannot do that",
        ErrorKind::WriteZero => "nothing more could be written",
        ErrorKind::InvalidData => "what is in it cannot be understood",
        _ => "",
    };
    if known.is_empty() { Cow::Owned(plain(&e.to_string())) } else { Cow::Borrowed(known) }
}

/// Explains why a text is not valid JSON, as the end of a sentence and without a full stop.
pub fn of_json(e: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let place = match (e.line(), e.column()) {
        (0, _) | (_, 0) => String::new(),
        (1, column) => format!(" at column {column}"),
        (line, column) => format!(" at line {line}, column {column}"),
    };
    let said = e.to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    let what = match e.classify() {
        Category::Eof => "it ends too early",
        Category::Io => "it cannot be read",
        Category::Data => match said {
            said if said.starts_with("the key ") => said,
            said if said.starts_with("missing field `") => {
                return format!("the field {} is missing{place}", said.trim_start_matches("missing field "));
            }
            said if said.starts_with("unknown field `") => "there is a field that does not belong there",
            said if said.starts_with("duplicate field `") => "a field stands twice",
            _ => "a value is not what it should be",
        },
        Category::Syntax => match said {
            "key must be a string" | "expected `:`" => "a field's name stands in double quotes, with a colon behind it",
            "expected `,` or `}`" | "expected `,` or `]`" => "a comma or a bracket is missing",
            "trailing comma" => "a comma is one too many",
            "trailing characters" => "something stands behind the end of the object",
            "recursion limit exceeded" => "it is nested too deeply",
            "invalid number" => "a number is not written as one",
            "number out of range" => "a number is too large",
            "invalid escape" => "after a backslash stands what may not",
            "invalid unicode code point" | "unexpected end of hex escape" | "lone leading surrogate in hex escape" => {
                "a `\\u` does not name a character"
            }
            said if said.starts_with("control character") => {
                "a text holds a control character; write it as `\\n` or `\\u0007`"
            }
            "expected value" | "expected ident" => "a value is missing, or a text without its double quotes",
            _ => "it is not written as JSON is",
        },
    };
    format!("{what}{place}")
}

/// The failure for a line from the other side that is not part of the protocol. `what` names the kind of line.
pub fn not_understood(what: &str, e: &serde_json::Error) -> Failure {
    Failure::new(ErrorCode::WrongProtocol, format!("{what}: {}.", of_json(e)))
}

/// Explains clap's error about a command line or a typed command. `None` if the user only asked for help.
pub fn of_arguments(e: &clap::Error) -> Option<String> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let all = |kind| match e.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(all)) => all.clone(),
        _ => Vec::new(),
    };
    let text = |kind| all(kind).into_iter().next().unwrap_or_default();
    let (argument, value) = (option(&text(ContextKind::InvalidArg)), text(ContextKind::InvalidValue));
    Some(match e.kind() {
        ErrorKind::ValueValidation => {
            let why = e.source().map(of_value).unwrap_or_default();
            format!("`{value}` does not fit {argument}: {}.", why.trim_end_matches('.'))
        }
        ErrorKind::InvalidValue if !value.is_empty() => {
            let choice = all(ContextKind::ValidValue).join(", ");
            format!("`{value}` does not fit {argument}: it must be one of {choice}.")
        }
        ErrorKind::InvalidValue | ErrorKind::NoEquals | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("{argument} needs a value.")
        }
        ErrorKind::MissingRequiredArgument => match all(ContextKind::InvalidArg).as_slice() {
            [one] => format!("{one} is missing."),
            several => format!("{} are missing.", several.join(" and ")),
        },
        ErrorKind::UnknownArgument => {
            let near = text(ContextKind::SuggestedArg);
            let near = if near.is_empty() { near } else { format!(" Did you mean `{near}`?") };
            match argument.starts_with('-') {
                true => format!("There is no option `{argument}`.{near}"),
                false => format!("`{argument}` is too much.{near}"),
            }
        }
        ErrorKind::TooManyValues => format!("`{value}` is too much for {argument}."),
        ErrorKind::ArgumentConflict => {
            match all(ContextKind::PriorArg).iter().map(|prior| option(prior)).collect::<Vec<_>>() {
                prior if prior == [argument.clone()] => format!("{argument} stands twice."),
                prior if prior.is_empty() => format!("{argument} does not go with the rest."),
                prior => format!("{argument} does not go with {}.", prior.join(" and ")),
            }
        }
        ErrorKind::InvalidSubcommand => {
            let (name, near) = (text(ContextKind::InvalidSubcommand), text(ContextKind::SuggestedSubcommand));
            let near = if near.is_empty() { near } else { format!(" Did you mean `{near}`?") };
            format!("There is no command `{name}`.{near}")
        }
        ErrorKind::MissingSubcommand => "A command is missing.".to_owned(),
        ErrorKind::InvalidUtf8 => "An argument is not valid UTF-8.".to_owned(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::DisplayVersion => {
            return None;
        }
        // A later version of clap may add kinds.
        ErrorKind::Io | ErrorKind::Format | _ => plain(e.to_string().lines().next().unwrap_or_default()),
    })
}

/// The name of an option, without its value.
fn option(argument: &str) -> String {
    let name = argument.split(' ').next().unwrap_or_default();
    if argument.starts_with('-') { name.to_owned() } else { argument.to_owned() }
}

fn of_value(e: &(dyn Error + 'static)) -> String {
    use std::num::IntErrorKind;
    if let Some(e) = e.downcast_ref::<std::num::ParseIntError>() {
        let is_too_large = matches!(e.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow);
        return if is_too_large { "the number is too large" } else { "it is not a whole number" }.to_owned();
    }
    if e.is::<std::net::AddrParseError>() {
        return "it is not an IP address, such as 127.0.0.1 or ::1".to_owned();
    }
    let said = e.to_string();
    // clap's wording for a number that is outside its range.
    match said.split_once(" is not in ").and_then(|(_, range)| range.split_once("..")) {
        Some((first, last)) => match (first, last.strip_prefix('=').unwrap_or(last)) {
            (first, "") => format!("it must be a whole number of at least {first}"),
            (first, last) => format!("it must be a whole number from {first} to {last}"),
        },
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_speaks_without_its_numbers() {
        for number in 1..134 {
            let e = io::Error::from_raw_os_error(number);
            let told = of_io(&e);
            assert!(!told.contains("os error") && !told.is_empty(), "{number}: {told}");
            assert!(!told.ends_with('.') && !told.starts_with(char::is_uppercase) || told.starts_with("R"), "{told}");
        }
        assert_eq!(of_io(&io::ErrorKind::ConnectionReset.into()), "the other side closed the connection");
        assert_eq!(of_io(&io::Error::other("the key is damaged")), "the key is damaged");
        let tls =
            "peer closed connection without sending TLS close_notify: https://docs.rs/rustls/latest/manual.html#x";
        assert_eq!(plain(tls), "peer closed connection without sending TLS close_notify");
        assert_eq!(plain("cannot read x: Permission denied (os error 13)"), "cannot read x: Permission denied");
    }

    #[test]
    fn json_is_judged_in_words() {
        for (text, told) in [
            (r#"{"a":"#, "it ends too early at column 5"),
            (r#"{"a":nothing}"#, "a value is missing, or a text without its double quotes at column 7"),
            (r#"{a:1}"#, "a field's name stands in double quotes"),
            (r#"{"a":1,}"#, "a comma is one too many"),
            (r#"{"a":1 "b":2}"#, "a comma or a bracket is missing"),
            (r#"{"a":1} x"#, "something stands behind the end"),
            ("{\"a\":\"\u{1}\"}", "control character"),
            (r#"{"a":1,"a":2}"#, "the key \"a\" stands twice"),
            (r#"{"a":"\ud800"}"#, "character"),
            (r#"{"a":"\q"}"#, "after a backslash"),
        ] {
            let said = of_json(&super::super::strict::parse(text).unwrap_err());
            assert!(said.contains(told), "{text}: {said}");
        }
    }
}
