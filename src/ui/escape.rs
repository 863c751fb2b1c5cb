//! Makes text safe to show on a terminal. Everything that is shown goes through [`escape`].

use std::borrow::Cow;
use std::fmt::Write;

use crate::protocol::unicode::Unseen;

/// The text with each character written out that could control a terminal or deceive its reader: as `
/// `, `\t`, `\r` or `\u{202e}`. Nothing else is changed, backslashes included; so the result is for reading, and cannot
/// be decoded.
///
/// The invisible joiners of emoji (U+FE0F, and U+200D between two of them) are kept where they belong to one.
///
/// ```
/// assert_eq!(potluck::ui::escape::escape("red \u{1b}[31m"), "red \\u{1b}[31m");
/// ```
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| Unseen::of(c).is_none()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        if Unseen::of(c).is_none() || joins_emoji(before, c, chars.peek().copied()) {
            out.push(c);
        } else {
            push_escaped(&mut out, c);
        }
        before = c;
    }
    Cow::Owned(out)
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a String takes all that is written"),
    }
}

/// Whether `c` joins two emoji, or selects the coloured form of the one before it.
fn joins_emoji(before: char, c: char, after: Option<char>) -> bool {
    match c {
        '\u{fe0f}' => is_pictogram(before),
        '\u{200d}' => (is_pictogram(before) || before == '\u{fe0f}') && after.is_some_and(is_pictogram),
        _ => false,
    }
}

/// The blocks that hold the emoji which take part in sequences (Unicode emoji-zwj-sequences.txt).
fn is_pictogram(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_steers_terminals_or_deceives_readers_is_written_out() {
        for (raw, shown) in [
            ("plain text \\ with ünïcödé, 日本語 and 👍🏽", "plain text \\ with ünïcödé, 日本語 and 👍🏽"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("a\r\nb\tc\u{7f}\u{9b}31m", "a\\r\\nb\\tc\\u{7f}\\u{9b}31m"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("a\u{200b}b\u{feff}c\u{2028}", "a\\u{200b}b\\u{feff}c\\u{2028}"),
            ("hidden \u{e0041}\u{e007f} tags", "hidden \\u{e0041}\\u{e007f} tags"),
            ("a\u{200d}b ❤\u{200d}x a\u{fe0f}", "a\\u{200d}b ❤\\u{200d}x a\\u{fe0f}"),
            ("❤\u{fe0f}\u{200d}🔥 👨\u{200d}👩\u{200d}👧", "❤\u{fe0f}\u{200d}🔥 👨\u{200d}👩\u{200d}👧"),
        ] {
            assert_eq!(escape(raw), shown);
        }
        assert!(matches!(escape("nothing to do"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn nothing_that_steers_gets_through(text in any::<String>()) {
            let shown = escape(&text);
            let bad = |c: char| !matches!(Unseen::of(c), None | Some(Unseen::Invisible));
            prop_assert!(!shown.contains(bad), "{:?}", shown);
            prop_assert_eq!(escape(&shown), shown.as_ref());
        }
    }
}
