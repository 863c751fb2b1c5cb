//! Fits the candidates of a completion on the screen. The line editor would show a longer list page by page, and take
//! the keys typed meanwhile as answers; so it never gets one.

use super::bars::TerminalSize;
use super::complete::Candidate;
use super::width::{columns, fitted};

/// The blanks between two columns, as the editor sets them.
const GAP: usize = 2;

/// The candidates to list: with their descriptions if all fit, else by name only, else as many as fit. The prefix that
/// all candidates have in common, which the editor completes, is preserved.
pub(super) fn fit(mut found: Vec<Candidate>, terminal: TerminalSize) -> Vec<Candidate> {
    // One row is for the prompt; the editor does not use another.
    let rows = terminal.rows.saturating_sub(2).max(1);
    let room = terminal.columns.saturating_sub(GAP).max(1);
    let shorten = |candidate: &mut Candidate| candidate.display = fitted(&candidate.display, room, "…");
    found.iter_mut().for_each(shorten);
    if found.len() <= rows * abreast(&found, terminal) {
        return found;
    }
    for candidate in &mut found {
        if let Some((name, _)) = candidate.display.split_once("  ") {
            candidate.display = name.to_owned();
        }
    }
    let most = rows * abreast(&found, terminal);
    if found.len() > most {
        let more = format!("… {} more", found.len() - (most - 1));
        let other = least_alike(&found);
        let mut last = found[other].clone();
        last.display = fitted(&more, room, "");
        found.truncate(most - 1);
        found.push(last);
    }
    found
}

/// How many candidates fit in one row.
fn abreast(found: &[Candidate], terminal: TerminalSize) -> usize {
    let widest = found.iter().map(|candidate| columns(&candidate.display)).max().unwrap_or(0);
    (terminal.columns / (widest + GAP).min(terminal.columns).max(1)).max(1)
}

/// The candidate that has the shortest prefix in common with the first one. These two have the same common prefix as
/// all of them.
fn least_alike(found: &[Candidate]) -> usize {
    let first = &found[0].replacement;
    let alike = |other: &Candidate| first.chars().zip(other.replacement.chars()).take_while(|(a, b)| a == b).count();
    (0..found.len()).rev().min_by_key(|index| alike(&found[*index])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(columns: usize, rows: usize) -> TerminalSize {
        TerminalSize { columns, rows }
    }

    fn commands(count: usize) -> Vec<Candidate> {
        let one = |n: usize| Candidate {
            display: format!("command-{n:05}  what it does"),
            replacement: format!("command-{n:05}"),
        };
        (0..count).map(one).collect()
    }

    fn common(found: &[Candidate]) -> usize {
        let first = found[0].replacement.as_bytes();
        let with =
            |other: &Candidate| first.iter().zip(other.replacement.as_bytes()).take_while(|(a, b)| a == b).count();
        found.iter().map(with).min().unwrap()
    }

    #[test]
    fn a_list_never_takes_more_rows_than_there_are() {
        for (columns, rows) in [(80, 24), (40, 10), (20, 3), (5, 2), (1, 1), (200, 60)] {
            for count in [1, 2, 22, 23, 40, 150, 70_000] {
                let all = commands(count);
                let fits = fit(all.clone(), size(columns, rows));
                let lines = fits.len().div_ceil(abreast(&fits, size(columns, rows)));
                assert!(lines <= rows.saturating_sub(2).max(1), "{count} in {columns} × {rows}: {lines}");
                if fits.len() > 1 {
                    assert_eq!(common(&fits), common(&all), "{count} in {columns} × {rows}");
                }
            }
        }
        assert_eq!(fit(commands(44), size(80, 24)), commands(44), "with a few words about each");
        assert_eq!(fit(commands(45), size(80, 24))[0].display, "command-00000");
        assert_eq!(fit(commands(70_000), size(80, 24)).last().unwrap().display, "… 69891 more");
    }
}
