//! Characters that must not be shown to people as they are. Names refuse them; the terminal shows them escaped.

/// Why a character must not be shown as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// C0, DEL and C1: they control terminals.
    Control,
    /// U+2028 and U+2029: they end a line for some readers and not for others.
    LineSeparator,
    /// Marks, embeddings, overrides and isolates that change the order in which text is read (Unicode UAX #9).
    Bidirectional,
    /// Characters without a visible form: zero-width, filler, tag and format characters.
    Invisible,
}

impl Unseen {
    /// The class of `c`; `None` if the character may be shown as it is.
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

    /// The name of the class, for messages.
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
