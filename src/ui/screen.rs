//! Keeps track of what stands above the line that is being typed: text, which stays, and progress bars, which are
//! redrawn.
//!
//! The bars stand right above the prompt. To draw the prompt again, the cursor moves up by the rows of the bars and
//! everything below is cleared; then follow new text, the bars as they are now, and the prompt. The caller must write
//! every returned text to the terminal, in order. Before it writes anything else there, it must call [`Screen::clear`]
//! or [`Screen::lift`]; if something was written without that, [`Screen::forget`].
//!
//! The editor and the printer share one [`Screen`], inside the terminal's lock; output to a terminal without a prompt
//! (`cli/client/live.rs`) has its own. It writes nothing itself: it returns texts.

use super::bars::{SharedBars, TerminalSize};

/// Moves the cursor up by `rows` lines.
fn up(rows: usize) -> String {
    if rows == 0 { String::new() } else { format!("\x1b[{rows}A") }
}

/// The rows above the prompt. The texts that its methods return hold control sequences (ECMA-48) for the terminal.
#[derive(Debug)]
pub struct Screen {
    bars: Option<SharedBars>,
    text: String,
    /// The columns of each bar that is on the terminal.
    drawn: Vec<usize>,
    /// Whether the current line has been entered: what is drawn next stays on the terminal.
    leaving: bool,
}

impl Screen {
    /// An empty screen. Without `bars` there will only be text.
    pub fn new(bars: Option<SharedBars>) -> Self {
        Self { bars, text: String::new(), drawn: Vec::new(), leaving: false }
    }

    /// Adds text, in whole lines, that is drawn with the next prompt.
    pub fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Whether there is text that has not been drawn.
    pub fn has_text(&self) -> bool {
        !self.text.is_empty()
    }

    /// Takes the text that has not been drawn.
    pub fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Whether bars are on the terminal.
    pub fn has_bars(&self) -> bool {
        !self.drawn.is_empty()
    }

    /// Whether the bars have changed since they were drawn.
    pub fn is_due(&self) -> bool {
        self.bars.as_ref().is_some_and(|bars| bars.lock().is_due())
    }

    /// The line was entered: the next [`Screen::paint`] draws it for the last time, without the bars.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// Leaves the bars on the terminal where they are, because something else may have been written below them, such as
    /// by the shell while the program was stopped. New ones are drawn further down.
    pub fn forget(&mut self) {
        self.drawn.clear();
    }

    /// The text to write instead of `prompt`, with the cursor where the prompt begins: new text, bars and prompt.
    pub fn paint(&mut self, prompt: &str, size: TerminalSize) -> String {
        let mut out = self.clear(size.columns) + &self.take_text();
        if let Some(bars) = self.bars.as_ref().filter(|_| !self.leaving) {
            for line in bars.lock().lines(size) {
                // Automatic wrapping is off, in case the terminal counts columns differently.
                out += &format!("\x1b[?7l{}\x1b[?7h\n", line.text);
                self.drawn.push(line.columns);
            }
        }
        self.leaving = false;
        out + prompt
    }

    /// The text to write where the prompt begins, to remove the bars and the prompt.
    pub fn clear(&mut self, columns: usize) -> String {
        match self.take_rows(columns) {
            0 => String::new(),
            rows => format!("{}\r\x1b[J", up(rows)),
        }
    }

    /// The text to write when the cursor is `below` rows below the beginning of the prompt. It removes the bars, and
    /// moves up everything below them, with the cursor.
    pub fn lift(&mut self, below: usize, columns: usize) -> String {
        match self.take_rows(columns) {
            0 => String::new(),
            rows => format!("\x1b7{}\r\x1b[{rows}M\x1b8{}", up(rows + below), up(rows)),
        }
    }

    /// Returns how many rows the drawn bars take, and forgets the bars. In a terminal that has become narrower, a bar
    /// takes several rows.
    fn take_rows(&mut self, columns: usize) -> usize {
        self.drawn.drain(..).map(|bar| bar.div_ceil(columns.max(1)).max(1)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::bars::Glyphs;
    use super::super::style::Style;
    use super::*;
    use crate::protocol::EventLine;

    fn size(columns: usize) -> TerminalSize {
        TerminalSize { columns, rows: 24 }
    }

    fn bars() -> SharedBars {
        SharedBars::new(Style::Plain, Glyphs::Ascii)
    }

    fn start(bars: &SharedBars, transfer: u64) {
        let hash = "ab".repeat(32);
        let event = format!(
            r#"{{"event":"transfer-started","transfer":{transfer},"direction":"down","file":"f{transfer}","peer":"erin","size":100,"hash":"{hash}","resumed":0}}"#
        );
        bars.lock().hear(&EventLine::parse(&event).unwrap().unwrap());
    }

    #[test]
    fn without_bars_text_goes_before_the_prompt_and_nothing_else() {
        let mut screen = Screen::new(Some(bars()));
        assert_eq!(screen.paint("> ", size(80)), "> ");
        screen.put("one\n");
        screen.put("two\n");
        assert_eq!(screen.paint("> ", size(80)), "one\ntwo\n> ");
        assert_eq!(screen.paint("> ", size(80)), "> ");
        assert_eq!((screen.clear(80), screen.lift(3, 80)), (String::new(), String::new()));
    }

    #[test]
    fn bars_are_replaced_and_text_goes_above_them() {
        let bars = bars();
        let mut screen = Screen::new(Some(bars.clone()));
        start(&bars, 1);
        start(&bars, 2);
        let first = screen.paint("> ", size(80));
        assert!(!first.contains('J') && first.matches('\n').count() == 2 && first.ends_with("> "), "{first:?}");
        screen.put("said\n");
        let second = screen.paint("> ", size(80));
        assert!(
            second.starts_with("\x1b[2A\r\x1b[Jsaid\n\x1b[?7lv #1 f1") && second.ends_with("\x1b[?7h\n> "),
            "{second:?}"
        );
        // In a terminal half as wide, each bar takes two rows.
        assert!(screen.paint("> ", size(40)).starts_with("\x1b[4A\r\x1b[J\x1b[?7lv #1 f1"));
    }

    #[test]
    fn a_line_that_was_typed_takes_no_bars_along() {
        let bars = bars();
        let mut screen = Screen::new(Some(bars.clone()));
        start(&bars, 1);
        screen.paint("> ", size(80));
        screen.leave();
        assert_eq!(screen.paint("> ", size(80)), "\x1b[1A\r\x1b[J> ");
        assert!(!screen.has_bars());
        assert!(screen.paint("> ", size(80)).starts_with("\x1b[?7lv #1 f1"));
        assert_eq!(screen.lift(2, 80), "\x1b7\x1b[3A\r\x1b[1M\x1b8\x1b[1A");
        assert_eq!(screen.lift(2, 80), "");
    }
}
