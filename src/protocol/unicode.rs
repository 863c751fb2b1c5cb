//! Characters that must never reach a reader raw: one classification for names, which refuse them,
//! and for the terminal, which shows them escaped.

/// Why a character is kept away from readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// C0, DEL and C1: they steer terminals.
    Control,
    /// U+2028 and U+2029: they end lines for some readers and not for others.
    LineSeparator,
    /// Marks, embeddings, overrides and isolates that reorder what is read (Unicode UAX #9).
    Bidirectional,
    /// Takes part in a text without being seen: zero-width, filler, tag and format characters.
    Invisible,
}

impl Unseen {
    /// The class of `c`, `None` for a character that may be shown as it is.
    ///
    /// ```
    /// use potluck::protocol::unicode::Unseen;
    ///
    /// assert_eq!(Unseen::of('\u{1b}'), Some(Unseen::Control));
    /// assert_eq!(Unseen::of('é'), None);
    /// ```
    pub fn of(c: char) -> Option<Self> {
        match c {
            _ if c.is_control() => Some(Self::Control),
            '\u{2028}' | '\u{2029}' => Some(Self::LineSeparator),
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                Some(Self::Bidirectional)
            }
            _ if is_invisible(c) => Some(Self::Invisible),
            _ => None,
        }
    }

    /// The class in words, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::LineSeparator => "line separator",
            Self::Bidirectional => "bidirectional",
            Self::Invisible => "invisible",
        }
    }
}

/// The rest of Default_Ignorable_Code_Point (Unicode DerivedCoreProperties), the format characters
/// that are not part of it, and the noncharacters.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}'
        | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}
