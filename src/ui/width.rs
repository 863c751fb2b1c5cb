//! The number of terminal columns that a text takes, and ways to shorten text to a number of columns.

use unicode_width::UnicodeWidthChar;

/// The most columns that a text can take. Each character counts alone; a terminal that joins some of them needs fewer.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(wide).sum()
}

fn wide(c: char) -> usize {
    // The character before U+FE0F may become wide by it.
    if c == '\u{fe0f}' { 1 } else { c.width().unwrap_or(0) }
}

/// The text shortened in its middle to `room` columns, because the end of a name says what kind of file it is.
pub(super) fn fitted(text: &str, room: usize, ellipsis: &str) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let kept = room.saturating_sub(columns(ellipsis));
    let head = taken(text.chars(), kept.div_ceil(2));
    let tail: Vec<char> = taken(text.chars().rev(), kept / 2).chars().rev().collect();
    let ellipsis = if columns(ellipsis) <= room { ellipsis } else { "" };
    head + ellipsis + &String::from_iter(tail)
}

fn taken(text: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    text.take_while(|c| {
        used += wide(*c);
        used <= room
    })
    .collect()
}

/// How many rows the end of a text is below its beginning, on a terminal of `terminal` columns.
pub(super) fn rows_below(text: &str, terminal: usize) -> usize {
    let (mut row, mut column) = (0, 0);
    for c in text.chars() {
        if c == '\n' {
            (row, column) = (row + 1, 0);
            continue;
        }
        column += wide(c);
        if column > terminal {
            (row, column) = (row + 1, wide(c));
        }
    }
    row + usize::from(column == terminal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_shortened_in_the_middle() {
        for (name, room, shown) in [
            ("notes.txt", 9, "notes.txt"),
            ("holiday-in-the-mountains.jpeg", 15, "holiday…ns.jpeg"),
            ("日本語の長い名前.txt", 11, "日本….txt"),
            ("日本語", 5, "日…語"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ] {
            assert_eq!(fitted(name, room, "…"), shown, "{name} in {room}");
        }
        assert_eq!(fitted("holiday-in-the-mountains.jpeg", 15, "..."), "holida...s.jpeg");
    }

    #[test]
    fn rows_are_counted_as_the_editor_counts_them() {
        for (text, rows) in
            [("", 0), ("123456789", 0), ("1234567890", 1), ("12345678901", 1), ("123456789語", 1), ("a\nb", 1)]
        {
            assert_eq!(rows_below(text, 10), rows, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_room(text in any::<String>(), room in 0_usize..40) {
            prop_assert!(columns(&fitted(&text, room, "…")) <= room);
            prop_assert!(columns(&fitted(&text, room, "...")) <= room);
        }
    }
}
