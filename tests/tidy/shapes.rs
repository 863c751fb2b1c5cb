//! How large things may be: functions, structs, and the files over which one type spreads.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, assert_none, sources};

/// The longest function, in lines with its signature and its last brace.
const FUNCTION: usize = 60;
/// The most fields of a struct.
const FIELDS: usize = 14;
/// The most files with an `impl` of one type.
const FILES: usize = 6;

/// Longer functions, up to how many lines, and why.
const LONG_ALL_THE_SAME: &[(&str, usize, &str)] = &[
    ("src/io/store/records.rs store_record", 97, "it is one match with an arm for each record"),
    ("src/sim/store.rs keep", 78, "it is one match with an arm for each record"),
    ("src/ui/human.rs render", 101, "it is one match with an arm for each event"),
    ("src/ui/log.rs text", 95, "it is one match with an arm for each line of the log"),
];

/// Structs with more fields, up to how many, and why.
const WIDE_ALL_THE_SAME: &[(&str, usize, &str)] = &[];

/// Types that spread over more files, up to how many, and why.
const SPREAD_ALL_THE_SAME: &[(&str, usize, &str)] = &[];

/// Compares what was found with what may be, and with the exceptions, which are wrong once nothing needs them.
fn judge(found: &BTreeMap<String, (usize, String)>, most: usize, what: &str, excepted: &[(&str, usize, &str)]) {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for (name, (size, at)) in found.iter().filter(|(_, (size, _))| *size > most) {
        match excepted.iter().find(|(known, ..)| known == name) {
            None => wrong.push(format!("{at}: {name}: {size} {what}; at most {most}, or a reason why not")),
            Some((known, allowed, why)) => {
                used.insert(*known);
                if size > allowed {
                    wrong.push(format!("{at}: {name}: {size} {what}; at most {allowed}, although {why}"));
                }
            }
        }
    }
    for (name, _, why) in excepted.iter().filter(|(name, ..)| !used.contains(name)) {
        wrong.push(format!("{name}: has at most {most} {what} now; take it off the exceptions ({why})"));
    }
    assert_none(&wrong);
}

fn shipped() -> Vec<(Source, String)> {
    let rust = sources("src").into_iter().filter(|source| !source.is_test() && source.name.ends_with(".rs"));
    rust.map(|source| {
        let code = super::code::shipped(&source.text);
        (source, code)
    })
    .collect()
}

/// The word at a place.
fn word(code: &str) -> &str {
    let code = code.trim_start();
    &code[..code.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(code.len())]
}

/// Where the body of an item starts and ends; `None` if it has none.
fn body(code: &str) -> Option<(usize, usize)> {
    let (mut depth, mut open, mut round) = (0_usize, None, 0_usize);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => round += 1,
            ')' | ']' => round = round.saturating_sub(1),
            ';' if depth == 0 && round == 0 => return None,
            '{' => {
                open = open.or(Some(at));
                depth += 1;
            }
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some((open?, at));
                }
            }
            _ => {}
        }
    }
    None
}

/// The functions of a file: name, line, number of lines.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let found = super::words(code, "fn").filter_map(|at| {
        let name = word(&code[at + 2..]);
        let (_, end) = body(&code[at..]).filter(|_| !name.is_empty())?;
        let line = code[..at].matches('\n').count() + 1;
        Some((name.to_owned(), line, code[at..at + end].matches('\n').count() + 1))
    });
    found.collect()
}

/// The structs of a file: name, line, number of named fields.
fn structs(code: &str) -> Vec<(String, usize, usize)> {
    let found = super::words(code, "struct").filter_map(|at| {
        let name = word(&code[at + 6..]);
        let (open, end) = body(&code[at..])?;
        let (mut depth, mut fields, inner) = (0_isize, 0, &code[at + open + 1..at + end]);
        let mut before = ' ';
        for (place, c) in inner.char_indices() {
            match c {
                '(' | '[' | '{' | '<' => depth += 1,
                '>' if before == '-' => {}
                ')' | ']' | '}' | '>' => depth -= 1,
                ':' if depth == 0 && before != ':' && !inner[place + 1..].starts_with(':') => fields += 1,
                _ => {}
            }
            before = c;
        }
        Some((name.to_owned(), code[..at].matches('\n').count() + 1, fields))
    });
    found.collect()
}

/// The types that a file has inherent `impl`s of.
fn implemented(code: &str) -> BTreeSet<String> {
    let starts = super::words(code, "impl").filter(|at| code[..*at].ends_with('\n') || *at == 0);
    let found = starts.filter_map(|at| {
        let head = &code[at + 4..at + code[at..].find('{')?];
        let mut head = head.trim();
        if head.starts_with('<') {
            let mut depth = 0_isize;
            let end = head.char_indices().find(|(place, c)| {
                depth += match c {
                    '<' => 1,
                    '>' if !head[..*place].ends_with('-') => -1,
                    _ => 0,
                };
                depth == 0
            })?;
            head = head[end.0 + 1..].trim();
        }
        let is_trait = super::words(head, "for").next().is_some();
        let path = head.split(['<', ' ', '\n']).next()?;
        (!is_trait).then(|| path.rsplit("::").next().unwrap_or(path).to_owned())
    });
    found.filter(|name| !name.is_empty()).collect()
}

#[test]
fn functions_are_short() {
    let mut found = BTreeMap::new();
    for (source, code) in shipped() {
        for (name, line, lines) in functions(&code) {
            let place = found.entry(format!("{} {name}", source.name)).or_insert((0, String::new()));
            if lines > place.0 {
                *place = (lines, format!("{}:{line}", source.name));
            }
        }
    }
    judge(&found, FUNCTION, "lines", LONG_ALL_THE_SAME);
}

#[test]
fn structs_are_narrow() {
    let mut found = BTreeMap::new();
    // Words of the protocol and command lines are flat for those who write them.
    let inside = |source: &Source| !matches!(source.layer(), Some("protocol" | "cli"));
    for (source, code) in shipped().into_iter().filter(|(source, _)| inside(source)) {
        for (name, line, fields) in structs(&code) {
            found.insert(format!("{} {name}", source.name), (fields, format!("{}:{line}", source.name)));
        }
    }
    judge(&found, FIELDS, "fields", WIDE_ALL_THE_SAME);
}

#[test]
fn no_type_spreads_over_many_files() {
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (source, code) in shipped() {
        let place: Vec<&str> = source.name.trim_end_matches(".rs").split('/').skip(1).take(2).collect();
        for name in implemented(&code) {
            files.entry(format!("{}::{name}", place.join("::"))).or_default().insert(source.name.clone());
        }
    }
    let sized = files.into_iter().map(|(name, files)| (name, (files.len(), files.into_iter().next().unwrap())));
    judge(&sized.collect(), FILES, "files with an `impl`", SPREAD_ALL_THE_SAME);
}

#[test]
fn shapes_are_measured_right() {
    let code = "struct A<T: B> {\n    a: HashMap<u8, fn(x: u8) -> u8>,\n    pub(crate) b: [u8; 2],\n    c: std::net::IpAddr,\n}\nstruct B(u8);\n";
    assert_eq!(structs(code), [("A".to_owned(), 1, 3)]);
    let code = "impl X {\n    fn a(&self) -> [u8; 2] {\n        b\n    }\n    fn b();\n}\nimpl<T: Fn() -> u8> crate::a::Y<T> where T: A {}\nimpl A for Z {}\n";
    assert_eq!(functions(code), [("a".to_owned(), 2, 3)]);
    assert_eq!(implemented(code), BTreeSet::from(["X".to_owned(), "Y".to_owned()]));
}
