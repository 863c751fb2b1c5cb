//! Renders tables: a heading and aligned columns, as wide as their content, whatever the width of the terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::style::Style;

/// The most characters of a cell, more than any path has. comfy-table would break a cell of 65,535 columns, and the
/// second part could be mistaken for a line of our own.
const LONGEST: usize = 4096;

/// Renders rows under a heading. `numbers` lists the columns that are aligned to the right.
pub fn table(heading: &[&str], numbers: &[usize], rows: Vec<Vec<String>>, style: Style) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // Wrapping or colouring would make the text depend on the terminal.
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heading.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>());
    table.add_rows(rows.into_iter().map(|row| row.into_iter().map(cut).collect::<Vec<_>>()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for &index in numbers {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut out = String::new();
    for (index, line) in table.lines().enumerate() {
        let line = line.trim_end();
        out += &if index == 0 { style.bold(line) } else { line.to_owned() };
        out.push('\n');
    }
    out
}

fn cut(mut cell: String) -> String {
    if let Some((end, _)) = cell.char_indices().nth(LONGEST) {
        cell.truncate(end);
        cell.push('…');
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_breaks_into_lines() {
        let rows = vec![vec!["語".repeat(200_000), "1".into()], vec!["y".into(), "22".into()]];
        let text = table(&["NAME", "N"], &[1], rows, Style::Plain);
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|line| !line.ends_with(' ')));
    }
}
