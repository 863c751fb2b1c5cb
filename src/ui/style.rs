//! Colour, used sparingly: what went well, what went wrong, what matters, what can be skipped.

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// For files, pipes and `NO_COLOR`.
    #[default]
    Plain,
    /// For terminals: ANSI escapes (ECMA-48 SGR).
    Colour,
}

impl Style {
    /// What matters: headings and names.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What went well.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What went wrong.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// What may need attention.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// What can be skipped.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
