//! Colours: one for each meaning, and none where the output is no terminal.

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
    /// Marks something important: headings and names.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Marks success.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Marks failure.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Marks something that may need attention.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Marks something that can be skipped.
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
