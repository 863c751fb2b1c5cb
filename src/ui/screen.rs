//! What stands on the terminal above the line that is being typed: text that stays, and bars that are drawn anew.
//!
//! The bars stand right above the prompt. Before the prompt is drawn again, the cursor goes up as many rows as they
//! take, and everything from there on is cleared: text goes first, then the bars as they are now, then the prompt.
//! This keeps account of those rows, so it must hear of everything that moves the prompt, and all that it says must be
//! written to the terminal in that order.

use super::bars::{SharedBars, TerminalSize};

/// Up so many rows, if any.
fn up(rows: usize) -> String {
    if rows == 0 { String::new() } else { format!("\x1b[{rows}A") }
}

/// The rows above the prompt. All texts that it returns hold control sequences of ECMA-48, and are for the terminal.
#[derive(Debug)]
pub struct Screen {
    bars: Option<SharedBars>,
    text: String,
    /// The columns of each bar that stands there.
    drawn: Vec<usize>,
    /// The line has been typed: what is drawn next stays.
    leaving: bool,
}

impl Screen {
    /// An empty one; without bars there will only be text.
    pub fn new(bars: Option<SharedBars>) -> Self {
        Self { bars, text: String::new(), drawn: Vec::new(), leaving: false }
    }

    /// Has text, in whole lines, drawn with the next prompt.
    pub fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Whether text waits.
    pub fn has_text(&self) -> bool {
        !self.text.is_empty()
    }

    /// The text that waits; it is not drawn any more.
    pub fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Whether bars stand there.
    pub fn has_bars(&self) -> bool {
        !self.drawn.is_empty()
    }

    /// Whether bars should be drawn, or drawn otherwise than they stand there.
    pub fn is_due(&self) -> bool {
        self.bars.as_ref().is_some_and(|bars| bars.lock().is_due())
    }

    /// The next prompt is the last one before its line goes up: no bars are to go with it.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// The bars that stood there are out of reach: new ones are drawn below them.
    pub fn forget(&mut self) {
        self.drawn.clear();
    }

    /// What to write in place of `prompt`, where it begins.
    pub fn paint(&mut self, prompt: &str, size: TerminalSize) -> String {
        let mut out = self.clear(size.columns) + &self.take_text();
        if let Some(bars) = self.bars.as_ref().filter(|_| !self.leaving) {
            for line in bars.lock().lines(size) {
                // A terminal that counts columns in another way must not begin a new row on its own.
                out += &format!("\x1b[?7l{}\x1b[?7h\n", line.text);
                self.drawn.push(line.columns);
            }
        }
        self.leaving = false;
        out + prompt
    }

    /// What to write where the prompt begins, so that neither bars nor prompt are there any more.
    pub fn clear(&mut self, columns: usize) -> String {
        match self.take_rows(columns) {
            0 => String::new(),
            rows => format!("{}\r\x1b[J", up(rows)),
        }
    }

    /// What to write with the cursor so many rows below the beginning of the prompt, so that the bars are gone and all
    /// that is below them, the cursor too, has moved up.
    pub fn lift(&mut self, below: usize, columns: usize) -> String {
        match self.take_rows(columns) {
            0 => String::new(),
            rows => format!("\x1b7{}\r\x1b[{rows}M\x1b8{}", up(rows + below), up(rows)),
        }
    }

    /// The rows of the bars. In a terminal that is narrower than it was, lines that did not fit go on in the next row.
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
        // Half as wide, each bar takes two rows.
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
