//! Everything that is shown on a terminal goes through [`escape`].

use std::borrow::Cow;
use std::fmt::Write;

/// The text with each character that could steer a terminal or deceive its reader written out.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unseen(c) {
            write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a String takes all that is written");
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}
