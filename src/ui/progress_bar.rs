//! One bar as text: the only drawing there is, wherever the bar stands in the end.

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
    fn cells(self) -> Cells {
        match self {
            Self::Ascii => Cells { full: '=', edge: &['>'], empty: '-' },
            Self::Unicode => {
                Cells { full: '█', edge: &['▉', '▊', '▋', '▌', '▍', '▎', '▏'], empty: '░' }
            }
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

/// What a bar is filled with. The cell between the two parts has the fullest of its glyphs first.
struct Cells {
    full: char,
    edge: &'static [char],
    empty: char,
}

/// A bar of so many columns, for so much of the whole.
pub(super) fn progress_bar((part, whole): (u64, u64), columns: usize, glyphs: Glyphs) -> String {
    let cells = glyphs.cells();
    let width = columns.saturating_sub(2);
    // Of nothing, all is done. The cell at the edge has a glyph for each step between empty and full.
    let (part, whole) = if whole == 0 { (1, 1) } else { (u128::from(part.min(whole)), u128::from(whole)) };
    let (filled, rest) = (part * width as u128 / whole, part * width as u128 % whole);
    let filled = filled as usize;
    let steps = cells.edge.len() as u128;
    let edge = cells.edge.iter().rev().nth((rest * steps / whole) as usize);
    let edge = edge.filter(|_| part > 0 && filled < width).copied();
    let empty = width.saturating_sub(filled + usize::from(edge.is_some()));
    let [full, blank] =
        [(cells.full, filled), (cells.empty, empty)].map(|(cell, times)| cell.to_string().repeat(times));
    format!("[{full}{}{blank}]", edge.map(String::from).unwrap_or_default())
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
        assert_eq!(progress_bar((1, u64::MAX), 12, Glyphs::Unicode), "[▏░░░░░░░░░]");
        assert_eq!(progress_bar((999, 1_000), 12, Glyphs::Unicode), "[█████████▉]");
        assert_eq!(progress_bar((1, 2), 2, Glyphs::Ascii), "[]");
    }
}
