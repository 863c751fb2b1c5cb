//! What must not be there is not there: a scan of the tree for what the architecture rules out.
//!
//! A rule is told by `file:line: what is wrong`. An exception names its file and its reason, and is itself wrong
//! once nothing needs it.

#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/granted.rs"]
mod granted;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/shapes.rs"]
mod shapes;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which parts of the crate may know which others. `cli` and the crate's root know all.
const LAYERS: [(&str, &[&str]); 5] = [
    ("protocol", &[]),
    ("core", &["protocol"]),
    ("ui", &["protocol"]),
    ("sim", &["core", "protocol"]),
    ("io", &["core", "protocol"]),
];

/// Parts that decide or describe, and therefore touch nothing outside: time and chance are passed in.
const PURE: [&str; 4] = ["protocol", "core", "sim", "ui"];

/// What the pure parts must not use. `std::net`'s addresses are plain data, and may be used.
const IMPURE: &[(&str, &str)] = &[
    ("tokio", "an async runtime"),
    ("quinn", "a network"),
    ("rustls", "a network"),
    ("socket2", "a network"),
    ("TcpStream", "a network"),
    ("TcpListener", "a network"),
    ("UdpSocket", "a network"),
    ("ToSocketAddrs", "name resolution"),
    ("UnixStream", "a network"),
    ("rusqlite", "a store"),
    ("std::{", "a list in which something impure could hide"),
    ("std::fs", "the disk"),
    ("File", "the disk"),
    ("std::env", "the environment"),
    ("std::process", "processes"),
    ("std::thread", "threads"),
    ("rustix", "the system"),
    ("Instant", "a clock"),
    ("SystemTime", "a clock"),
    ("Zoned", "a clock"),
    ("getrandom", "chance"),
    ("RandomState", "chance"),
    ("println!", "printing"),
    ("print!", "printing"),
    ("eprintln!", "printing"),
    ("eprint!", "printing"),
    ("dbg!", "printing"),
    ("stdout", "printing"),
    ("stderr", "printing"),
];

/// Files that may be impure all the same, what they may use, and why.
const IMPURE_ALL_THE_SAME: &[(&str, &[&str], &str)] = &[
    (
        "src/ui/editor.rs",
        &["std::fs", "std::env", "std::thread", "rustix", "stdout"],
        "it is the terminal: its modes, its history file and the thread that waits for keys",
    ),
    ("src/ui/resumed.rs", &["std::thread"], "it gives the editor its terminal back after Ctrl-Z"),
    ("src/ui/terminal_mode.rs", &["rustix"], "the editor's terminal is given back to it after Ctrl-Z"),
    ("src/ui/complete.rs", &["std::fs"], "it completes the names of local files"),
];

/// The longest file, in lines.
const LONGEST: usize = 400;

/// Files that are longer, up to how long, and why.
const LONG_ALL_THE_SAME: &[(&str, usize, &str)] = &[];

/// The top level. Hidden files that an editor leaves are nobody's business.
const TOP: [&str; 15] = [
    ".cargo",
    ".ci",
    ".gitignore",
    ".rustfmt.toml",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "examples",
    "schemas",
    "snapshots",
    "src",
    "tests",
];

/// Words that stand for something unfinished, or for the machine of whoever wrote them. In pieces, so that this
/// file does not find itself.
const NOWHERE: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!(" /wo", "rk/"),
    concat!("\"/wo", "rk/"),
    concat!("C:", "\\Users"),
];

/// The people of our examples; everybody else's home is a mistake.
const HOMES: [&str; 3] = ["dora/", "erin/", "cleo/"];

struct Source {
    name: String,
    text: String,
}

impl Source {
    /// The first part of the path below `src`.
    fn layer(&self) -> Option<&str> {
        let below = self.name.strip_prefix("src/")?;
        below.split_once('/').map(|(layer, _)| layer)
    }

    fn is_test(&self) -> bool {
        !self.name.starts_with("src/") || self.name.ends_with("tests.rs") || self.name.contains("/tests/")
    }

    /// Lines of code that is shipped, with their numbers: no comments, no literals, no tests.
    fn code(&self) -> Vec<(usize, String)> {
        let lines = if self.is_test() { String::new() } else { code::shipped(&self.text) };
        (1..).zip(lines.lines().map(str::to_owned)).collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source { name, text });
        }
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    assert!(!found.is_empty(), "nothing below {folder}");
    found
}

/// Where a word stands by itself, not as a part of another one.
fn words<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let (before, after) = (&line[..*at], &line[at + word.len()..]);
        !(word.starts_with(letter) && before.ends_with(letter) || word.ends_with(letter) && after.starts_with(letter))
    })
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Where a source knows somebody whom its part must not know.
fn acquaintances(source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some((layer, known)) = LAYERS.iter().find(|(layer, _)| Some(*layer) == source.layer()) else { return wrong };
    // How many `super::` lead to the part's own root.
    let depth = source.name.matches('/').count() - 1 - usize::from(source.name.ends_with("/mod.rs"));
    for (number, line) in source.code() {
        let at = format!("{}:{number}", source.name);
        for start in words(&line, "crate::") {
            let path = &line[start + "crate::".len()..];
            let whom = path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            if whom.is_empty() {
                wrong.push(format!("{at}: whom `{layer}` knows is written out, one `use crate::…` for each"));
            } else if whom != *layer && !known.contains(&whom) {
                wrong.push(format!("{at}: `{layer}` must not know `{whom}`"));
            }
        }
        if line.contains(&"super::".repeat(depth + 1)) {
            wrong.push(format!("{at}: `{layer}` reaches out of itself with `super`"));
        }
        if words(&line, "potluck::").next().is_some() {
            wrong.push(format!("{at}: the crate knows itself as `crate`"));
        }
    }
    wrong
}

/// Where a source of a pure part uses something impure: the line, the word, and what it is.
fn impurities(source: &Source) -> Vec<(usize, &'static str, &'static str)> {
    if !source.layer().is_some_and(|layer| PURE.contains(&layer)) {
        return Vec::new();
    }
    let found = |(number, line): (usize, String)| {
        let here = IMPURE.iter().filter(|(word, _)| words(&line, word).next().is_some());
        here.map(|(word, what)| (number, *word, *what)).collect::<Vec<_>>()
    };
    source.code().into_iter().flat_map(found).collect()
}

#[test]
fn each_part_knows_only_whom_it_may_know() {
    assert_none(&sources("src").iter().flat_map(acquaintances).collect::<Vec<_>>());
}

#[test]
fn pure_parts_touch_nothing_outside() {
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for source in &sources("src") {
        let excepted = IMPURE_ALL_THE_SAME.iter().find(|(file, _, _)| *file == source.name);
        for (number, word, what) in impurities(source) {
            if excepted.is_some_and(|(_, allowed, _)| allowed.contains(&word)) {
                used.insert((source.name.clone(), word));
            } else {
                wrong.push(format!("{}:{number}: `{word}` is {what}, and this part is pure", source.name));
            }
        }
    }
    for (file, allowed, why) in IMPURE_ALL_THE_SAME {
        for word in allowed.iter().filter(|word| !used.contains(&((*file).to_owned(), **word))) {
            wrong.push(format!("{file}:1: does not use `{word}` any more; take it off the exceptions ({why})"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_scan_finds_what_it_looks_for() {
    let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    for (name, text) in [
        ("src/protocol/a.rs", "use crate::core::Time;"),
        ("src/core/mod.rs", "use super::io;"),
        ("src/core/hub/a.rs", "fn f() { super::super::super::io::g() }"),
        ("src/ui/a.rs", "let x = crate::io::f();"),
        ("src/io/a.rs", "use crate::{core, ui};"),
        ("src/sim/a.rs", "use potluck::io;"),
    ] {
        assert_eq!(acquaintances(&source(name, text)).len(), 1, "{name}: {text}");
    }
    for (name, text) in [
        ("src/core/a.rs", "let now = std::time::Instant::now();"),
        ("src/core/hub/a.rs", "use std::{fs, io};"),
        ("src/protocol/a.rs", "println!();"),
        ("src/sim/a.rs", "use std::net::{IpAddr, TcpStream};"),
    ] {
        assert_eq!(impurities(&source(name, text)).len(), 1, "{name}: {text}");
    }
    for (name, text) in [
        ("src/core/hub/a.rs", "use super::super::time::Time; use crate::protocol::Event; // Instant, crate::io"),
        ("src/core/a.rs", "use std::net::SocketAddr; #[cfg(test)]"),
        ("src/core/a.rs", "#[cfg(test)]\nuse std::fs;"),
        ("src/core/a_tests.rs", "use std::fs; use crate::io::f;"),
        ("src/cli/a.rs", "use crate::{core, io}; use std::fs;"),
    ] {
        let source = source(name, text);
        assert!(acquaintances(&source).is_empty() && impurities(&source).is_empty(), "{name}: {text}");
    }
}

#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for source in sources(folder).iter().filter(|source| source.name.ends_with(".rs")) {
            let (name, lines) = (&source.name, source.text.lines().count());
            let excepted = LONG_ALL_THE_SAME.iter().find(|(file, _, _)| file == name);
            match excepted {
                None if lines > LONGEST => {
                    wrong.push(format!("{name}:{lines}: a file has at most {LONGEST} lines, or a reason why not"));
                }
                Some((_, most, why)) if lines > *most => {
                    wrong.push(format!("{name}:{lines}: at most {most} lines, although {why}"));
                }
                Some(_) if lines <= LONGEST => {
                    wrong.push(format!("{name}:{lines}: is short now; take it off the exceptions"));
                }
                None | Some(_) => {}
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn nothing_is_unwrapped_without_a_reason() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        for (number, line) in source.code().into_iter().filter(|(_, line)| line.contains(".unwrap()")) {
            let advice = "say why it cannot fail with `expect`, or handle it";
            wrong.push(format!("{}:{number}: {advice}: {}", source.name, line.trim()));
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (mut wrong, mut section, mut dependencies) = (Vec::new(), "", 0);
    for (number, line) in (1..).zip(manifest.lines()) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if section.ends_with("dependencies") && !line.trim().is_empty() && !line.starts_with('#') {
            dependencies += 1;
            let reason = line.rsplit_once('#').map_or("", |(_, reason)| reason.trim());
            if reason.len() < 5 {
                wrong
                    .push(format!("Cargo.toml:{number}: a dependency needs its reason in a comment behind it: {line}"));
            }
        }
    }
    assert!(dependencies > 10, "the dependencies were not found");
    assert_none(&wrong);
}

#[test]
fn nothing_is_unfinished_and_nothing_names_a_machine() {
    let mut wrong = Vec::new();
    let folders = TOP.iter().filter(|name| root().join(name).is_dir()).flat_map(|folder| sources(folder));
    let files = TOP
        .iter()
        .filter(|name| root().join(name).is_file() && **name != "Cargo.lock")
        .map(|name| Source { name: (*name).to_owned(), text: fs::read_to_string(root().join(name)).unwrap() });
    for source in folders.chain(files) {
        for (number, line) in (1..).zip(source.text.lines()) {
            for word in NOWHERE.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{number}: `{word}` has no place here", source.name));
            }
            let homes = line.split(concat!("/ho", "me/")).skip(1);
            for home in homes.filter(|home| !HOMES.iter().any(|known| home.starts_with(known))) {
                let owner = home.split('/').next().unwrap_or_default();
                wrong.push(format!("{}:{number}: the home of `{owner}` has no place here", source.name));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_top_level_holds_what_it_should() {
    let there: BTreeSet<String> =
        fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut wrong: Vec<String> =
        TOP.iter().filter(|name| !there.contains(**name)).map(|n| format!("{n}:1: is missing")).collect();
    let strangers =
        there.iter().filter(|name| !TOP.contains(&name.as_str()) && !name.starts_with('.') && *name != "target");
    wrong.extend(strangers.map(|name| format!("{name}:1: does not belong to the top level")));
    assert_none(&wrong);
}

/// The lints by which clippy refuses catch-all arms on enums, so that a new word is thought about wherever it matters.
const CATCH_ALL: [&str; 2] = ["clippy::wildcard_enum_match_arm", "clippy::match_wildcard_for_single_variants"];

#[test]
fn catch_all_arms_on_enums_are_denied_and_exceptions_say_why() {
    let (mut wrong, all) = (Vec::new(), sources("src"));
    for source in &all {
        for (number, line) in (1..).zip(source.text.lines()) {
            let names = CATCH_ALL.iter().any(|lint| line.contains(lint));
            let denies = source.name == "src/lib.rs" && line.contains("deny(");
            if names && !denies && !line.contains("reason = ") {
                wrong.push(format!("{}:{number}: an exception says why, on its line", source.name));
            }
        }
    }
    let root = all.iter().find(|source| source.name == "src/lib.rs").expect("the crate has a root");
    for part in ["protocol", "core", "ui", "io"] {
        let above = root.text.split(&format!("pub mod {part};")).next().and_then(|text| text.trim_end().lines().last());
        let denied =
            above.is_some_and(|line| line.contains("deny(") && CATCH_ALL.iter().all(|lint| line.contains(lint)));
        if !denied {
            wrong.push(format!("src/lib.rs:1: `{part}` must deny {}", CATCH_ALL.join(" and ")));
        }
    }
    assert_none(&wrong);
}
