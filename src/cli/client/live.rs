//! Standard output on a terminal without a prompt: text is written above the progress bars.

use std::io::{self, Write};

use crate::io::drive::stdout::StandardOutput;
use crate::ui::bars::SharedBars;
use crate::ui::editor::terminal_size;
use crate::ui::screen::Screen;

/// Standard output, with progress bars if there are any.
pub(in crate::cli) fn standard_output(bars: Option<&SharedBars>) -> Box<dyn Write + Send> {
    match bars {
        None => Box::new(StandardOutput),
        Some(bars) => Box::new(Live::new(StandardOutput, bars.clone())),
    }
}

/// A writer to a terminal that nobody else writes to.
struct Live<W: Write> {
    terminal: W,
    screen: Screen,
    text: Vec<u8>,
}

impl<W: Write> Live<W> {
    fn new(terminal: W, bars: SharedBars) -> Self {
        Self { terminal, screen: Screen::new(Some(bars)), text: Vec::new() }
    }
}

impl<W: Write> Write for Live<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() || self.screen.is_due() {
            self.screen.put(&String::from_utf8_lossy(&text));
            let painted = self.screen.paint("", terminal_size());
            self.terminal.write_all(painted.as_bytes())?;
        }
        self.terminal.flush()
    }
}

impl<W: Write> Drop for Live<W> {
    fn drop(&mut self) {
        let clear = self.screen.clear(terminal_size().columns);
        let _ = self.terminal.write_all(clear.as_bytes()).and_then(|()| self.terminal.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::EventLine;
    use crate::ui::bars::Glyphs;
    use crate::ui::style::Style;

    #[test]
    fn text_goes_above_the_bars_and_nothing_of_them_stays() {
        let (bars, mut terminal) = (SharedBars::new(Style::Plain, Glyphs::Ascii), Vec::new());
        let mut live = Live::new(&mut terminal, bars.clone());
        live.write_all(b"before\n").unwrap();
        live.flush().unwrap();
        let queued = r#"{"event":"transfer-queued","transfer":1,"file":"a","position":1}"#;
        bars.lock().hear(&EventLine::parse(queued).unwrap().unwrap());
        live.flush().unwrap();
        bars.lock().drawn();
        live.flush().unwrap();
        live.write_all(b"after\n").unwrap();
        live.flush().unwrap();
        drop(live);
        let bar = "\x1b[?7l1 in the queue\x1b[?7h\n";
        let clear = "\x1b[1A\r\x1b[J";
        assert_eq!(String::from_utf8(terminal).unwrap(), format!("before\n{bar}{clear}after\n{bar}{clear}"));
    }
}
