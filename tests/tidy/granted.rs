//! What comes from outside may be anything: `core` takes nothing for granted.

use std::collections::BTreeSet;

use super::{assert_none, sources, words};

/// Files of `core` that may index, and why.
const INDEXES_ALL_THE_SAME: &[(&str, &str)] = &[
    (
        "src/core/fetch/small_files/mod.rs",
        "by the numbers of its own files, sources and lanes; the adversary tries others",
    ),
    ("src/core/fetch/chunks/mod.rs", "by the numbers of its own chunks and lanes; the adversary tries others"),
    ("src/core/fetch/chunks/holders.rs", "by the numbers of its own chunks and sources; the adversary tries others"),
    ("src/core/fetch/chunks/invariants.rs", "it checks the chunks in tests"),
];

/// Whether a line takes something out of a map, a list or a text as if it had to be there: `peers[&id]`, `list[n..]`.
/// A literal number is about an array, and checked by the compiler, or is a mistake that each run shows.
fn indexes(line: &str) -> bool {
    line.match_indices('[').any(|(at, _)| {
        let indexed = line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ')' || c == ']');
        let by = line[at + 1..].split(']').next().unwrap_or_default();
        indexed && !by.is_empty() && !by.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Whether a line gives up where something is not as it was thought to be.
fn gives_up(line: &str) -> bool {
    let words = [".expect(", ".unwrap()", "unreachable!(", "panic!(", ".swap_remove(", ".split_at("];
    words.iter().any(|word| line.contains(word))
        || ["assert!(", "assert_eq!("].iter().any(|word| words_alone(line, word))
}

fn words_alone(line: &str, word: &str) -> bool {
    words(line, word).next().is_some()
}

#[test]
fn nothing_in_core_is_indexed_or_taken_for_granted() {
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for source in sources("src").iter().filter(|source| source.layer() == Some("core")) {
        let excepted = INDEXES_ALL_THE_SAME.iter().any(|(file, _)| *file == source.name);
        for (number, line) in source.code() {
            let at = format!("{}:{number}", source.name);
            if gives_up(&line) {
                wrong.push(format!("{at}: whatever comes, `core` goes on: {}", line.trim()));
            } else if indexes(&line) && !excepted {
                wrong.push(format!("{at}: it may not be there; ask with `get`: {}", line.trim()));
            } else if indexes(&line) {
                used.insert(source.name.clone());
            }
        }
    }
    for (file, why) in INDEXES_ALL_THE_SAME.iter().filter(|(file, _)| !used.contains(*file)) {
        wrong.push(format!("{file}:1: does not index any more; take it off the exceptions ({why})"));
    }
    assert_none(&wrong);
    for line in ["let key = self.peers[&id].key;", "&text[at..]", "list[i + 1]", "a(b)[n]", "x[0][n]"] {
        assert!(indexes(line), "{line}");
    }
    for line in ["for id in [&a, &b] {", "place.holders[1]", "fn f(x: [u8; 32], y: &[T])", "#[derive(Debug)]", "[n; 2]"]
    {
        assert!(!indexes(line), "{line}");
    }
    assert!(gives_up("x.unwrap()") && gives_up("assert!(x)") && !gives_up("debug_assert!(x)"));
}
