//! Draws one progress bar as text, with indicatif.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::protocol::Direction;

/// The characters that a bar is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Glyphs {
    /// ASCII, which every terminal can show.
    #[default]
    Ascii,
    /// Blocks and arrows, for terminals that show UTF-8.
    Unicode,
}

impl Glyphs {
    fn cells(self) -> &'static str {
        match self {
            Self::Ascii => "=>-",
            Self::Unicode => "█▉▊▋▌▍▎▏░",
        }
    }

    pub(super) fn arrow(self, direction: Direction) -> char {
        match (self, direction) {
            (Self::Ascii, Direction::Down) => 'v',
            (Self::Ascii, Direction::Up) => '^',
            (Self::Unicode, Direction::Down) => '↓',
            (Self::Unicode, Direction::Up) => '↑',
        }
    }

    pub(super) fn ellipsis(self) -> &'static str {
        match self {
            Self::Ascii => "...",
            Self::Unicode => "…",
        }
    }
}

/// A bar of `columns` characters, for `part` of `whole`.
pub(super) fn progress_bar((part, whole): (u64, u64), columns: usize, glyphs: Glyphs) -> String {
    let page = Page { text: Arc::default(), columns: u16::try_from(columns).unwrap_or(u16::MAX) };
    let text = Arc::clone(&page.text);
    let style = ProgressStyle::with_template(&format!("[{{bar:{}}}]", columns.saturating_sub(2)));
    let style = style.expect("the template is well formed").progress_chars(glyphs.cells());
    let bar = ProgressBar::with_draw_target(Some(whole), ProgressDrawTarget::term_like(Box::new(page)));
    bar.set_style(style);
    bar.set_position(part.min(whole));
    text.lock().unwrap_or_else(PoisonError::into_inner).clear();
    bar.force_draw();
    let drawn = std::mem::take(&mut *text.lock().unwrap_or_else(PoisonError::into_inner));
    drawn.trim().to_owned()
}

/// A terminal in memory that keeps what indicatif draws.
#[derive(Debug)]
struct Page {
    text: Arc<Mutex<String>>,
    columns: u16,
}

impl TermLike for Page {
    fn width(&self) -> u16 {
        self.columns
    }
    fn write_str(&self, s: &str) -> io::Result<()> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).push_str(s);
        Ok(())
    }
    fn write_line(&self, s: &str) -> io::Result<()> {
        self.write_str(s)
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_from_the_left() {
        assert_eq!(progress_bar((0, 100), 12, Glyphs::Ascii), "[----------]");
        assert_eq!(progress_bar((50, 100), 12, Glyphs::Ascii), "[=====>----]");
        assert_eq!(progress_bar((100, 100), 12, Glyphs::Ascii), "[==========]");
        assert_eq!(progress_bar((7, 0), 12, Glyphs::Ascii), "[==========]");
        assert_eq!(progress_bar((u64::MAX, u64::MAX), 12, Glyphs::Ascii), "[==========]");
        assert_eq!(progress_bar((55, 100), 12, Glyphs::Unicode), "[█████▌░░░░]");
    }
}
