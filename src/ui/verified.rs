//! Renders what is about verified people: their safety numbers, and the alarm when one of them shows another key.

use crate::protocol::event;
use crate::protocol::human::quoted;

use super::escape::escape;
use super::style::Style;

/// How an alarm begins, in place of an ordinary error.
pub(super) const ALARM: &str = "ALARM:";

/// The number in one line, so that it can be copied, and what can be done with it.
pub(super) fn safety_number(body: &event::SafetyNumber, style: Style) -> String {
    let (name, typed) = (escape(&body.name), escape(&quoted(&body.name)).into_owned());
    let (heading, advice) = match (body.verified, body.verified_key, body.known_key) {
        (true, ..) => (format!("Safety number with {name}, verified:"), String::new()),
        (false, Some(_), _) => (
            format!(
                "{} {name} shows another key than the one that you have verified. The safety number with the new one:",
                style.red(ALARM)
            ),
            format!(
                "Trust nothing under this name until you have asked {name} in another way. If they read the same digits to you: `verify {typed} --confirm --number DIGITS`.\n"
            ),
        ),
        (false, None, Some(_)) => (
            format!("{name} shows another key than before. The safety number with the new one:"),
            format!("If {name} reads the same digits to you: `verify {typed} --confirm --number DIGITS`.\n"),
        ),
        (false, None, None) => (
            format!("Safety number with {name}, not verified:"),
            format!(
                "Compare it with {name}, who sees it by `verify` and your name. If it is the same: `verify {typed} --confirm`.\n"
            ),
        ),
    };
    format!("{heading}\n  {}\n{advice}", escape(&body.number))
}

/// Somebody whom the user has verified shows another key.
pub(super) fn alarm(body: &event::KeyAlarm, style: Style) -> String {
    format!("{} {}\n  {}\n", style.red(ALARM), escape(&body.message), escape(&body.hint))
}

/// What the roster says of a key, in its own column.
pub(super) fn mark(verified: Option<bool>) -> &'static str {
    match verified {
        Some(true) => "yes",
        Some(false) => "OTHER KEY",
        None => "-",
    }
}
