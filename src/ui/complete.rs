//! Tab completion: command names first, then the arguments that a command takes: files, people, rooms and local paths.
//!
//! The line editor calls it when Tab is pressed. `cli/known.rs` keeps [`Completions`] up to date from the events of the
//! client.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::protocol::human::{self, Argument};
use crate::protocol::unicode::Unseen;

/// The most entries of a folder that are examined, because Tab must answer at once.
const MAX_ENTRIES: usize = 10_000;

/// What is known for completion at the moment.
#[derive(Debug, Clone, Default)]
pub struct Completions {
    /// Each command with a short description.
    pub commands: Vec<(String, String)>,
    /// The files that are offered, as far as they are known: sorted, each once.
    pub files: Vec<Arc<str>>,
    /// Whether `files` has all offered files.
    pub all_files: bool,
    /// The names of people.
    pub names: Vec<String>,
    /// The names of rooms.
    pub rooms: Vec<String>,
    /// The folder of `setdir`, from which `offer` takes files.
    pub folder: Option<PathBuf>,
}

/// Completions that the application updates while the editor reads them.
pub type SharedCompletions = Arc<RwLock<Completions>>;

/// The source of completions for the editor.
pub struct Tab {
    /// What is known already.
    pub known: SharedCompletions,
    /// Asks the hub for offered files whose names begin with a text, and adds them to `known`. It waits for the answer,
    /// but only briefly.
    pub ask: Box<dyn Fn(&str) + Send>,
}

impl Tab {
    /// Completes like [`complete`], after asking for files that are not known yet.
    pub fn complete(&self, line: &str) -> (usize, Vec<Candidate>) {
        let known = || self.known.read().unwrap_or_else(PoisonError::into_inner);
        let unknown = unknown_file(line, &known());
        if let Some(begun) = unknown {
            (self.ask)(&begun);
        }
        complete(line, &known())
    }
}

/// The part of a file name before the cursor, if not all offered files are known.
fn unknown_file(line: &str, known: &Completions) -> Option<String> {
    let (before, _, word) = split(line);
    let next = human::next_argument(&before).filter(|_| !known.all_files)?;
    let local = matches!(next.command.as_str(), "offer" | "push") || next.option;
    (!local && matches!(next.field.as_str(), "file" | "files")).then_some(word)
}

/// A text that could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What the list of candidates shows.
    pub display: String,
    /// What replaces the typed word, quoted if necessary.
    pub replacement: String,
}

/// The candidates for the last word of `line`, which ends at the cursor, and the byte at which this word starts. Names
/// that are not safe to show are left out.
pub fn complete(line: &str, known: &Completions) -> (usize, Vec<Candidate>) {
    let (before, start, word) = split(line);
    let mut found = match before.as_slice() {
        [] => commands(known, &word),
        [talk] if talk == human::TALK => words(known.rooms.iter().chain([&"lobby".to_owned()]), &word),
        before => human::next_argument(before).map(|next| arguments(&next, known, &word)).unwrap_or_default(),
    };
    found.sort_by(|a, b| a.display.cmp(&b.display));
    found.dedup();
    if let [only] = found.as_mut_slice()
        && !only.display.ends_with('/')
    {
        only.replacement.push(' ');
    }
    (start, found)
}

/// The candidates for an argument, known by the name of its field. The same field names something else in two commands;
/// and `--to` names a file that does not exist yet.
fn arguments(argument: &Argument, known: &Completions, word: &str) -> Vec<Candidate> {
    match (argument.command.as_str(), argument.field.as_str()) {
        ("register" | "login", _) => Vec::new(),
        ("push", "file") => paths(known.folder.as_deref().unwrap_or(Path::new("")), word, false),
        ("offer", "files") => known.folder.as_ref().map(|folder| paths(folder, word, false)).unwrap_or_default(),
        (_, "command") => commands(known, word),
        (_, "dir") => paths(Path::new(""), word, true),
        (_, "file" | "files") => files(&known.files, word),
        (_, "room") => words(known.rooms.iter(), word),
        (_, "to") if argument.option => Vec::new(),
        (_, "to" | "name" | "from" | "members" | "owner" | "with") => words(known.names.iter(), word),
        _ => Vec::new(),
    }
}

fn commands(known: &Completions, word: &str) -> Vec<Candidate> {
    let matching = known.commands.iter().filter(|(name, _)| name.starts_with(word));
    let shown = |(name, about): &(String, String)| Candidate {
        display: format!("{name:<14} {about}").trim_end().into(),
        replacement: name.clone(),
    };
    matching.map(shown).collect()
}

fn words<'a>(all: impl Iterator<Item = &'a String>, word: &str) -> Vec<Candidate> {
    all.filter(|w| w.starts_with(word)).filter_map(|w| candidate(w, w)).collect()
}

/// Offered files: only those are looked at that begin so, since there may be very many.
fn files(all: &[Arc<str>], word: &str) -> Vec<Candidate> {
    let from = all.partition_point(|file| **file < *word);
    let matching = all.iter().skip(from).take_while(|file| file.starts_with(word));
    matching.filter_map(|file| candidate(file, file)).collect()
}

/// The entries of a local folder: only folders, or files too.
fn paths(base: &Path, word: &str, only_folders: bool) -> Vec<Candidate> {
    let (folder, begun) = word.rsplit_once('/').map_or(("", word), |(folder, begun)| (&word[..=folder.len()], begun));
    let looked_at =
        if base.as_os_str().is_empty() && folder.is_empty() { PathBuf::from(".") } else { base.join(folder) };
    let Ok(entries) = std::fs::read_dir(looked_at) else { return Vec::new() };
    let candidates = entries.take(MAX_ENTRIES).flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let hidden = name.starts_with('.') && !begun.starts_with('.');
        if hidden || !name.starts_with(begun) {
            return None;
        }
        match entry.path().is_dir() {
            true => candidate(&format!("{name}/"), &format!("{folder}{name}/")),
            false if only_folders => None,
            false => candidate(&name, &format!("{folder}{name}")),
        }
    });
    candidates.collect()
}

fn candidate(display: &str, word: &str) -> Option<Candidate> {
    if word.contains(|c| Unseen::of(c).is_some()) {
        return None;
    }
    let mut replacement = shlex::try_quote(word).unwrap_or(Cow::Borrowed(word)).into_owned();
    // The quote of a folder stays open, so that its content can follow.
    if word.ends_with('/') && replacement.ends_with(['\'', '"']) {
        replacement.pop();
    }
    Some(Candidate { display: display.into(), replacement })
}

/// Splits a line: the words before the last one, the byte where the last one starts, and its text without quotes.
fn split(line: &str) -> (Vec<String>, usize, String) {
    let (mut words, mut start, mut word) = (Vec::new(), line.len(), String::new());
    let (mut within, mut quote, mut escaped) = (false, None, false);
    for (at, c) in line.char_indices() {
        if !within && !c.is_whitespace() {
            (within, start) = (true, at);
        }
        match (quote, c) {
            _ if escaped => {
                escaped = false;
                word.push(c);
            }
            (None | Some('"'), '\\') => escaped = true,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, c) if c.is_whitespace() => {
                if within {
                    words.push(std::mem::take(&mut word));
                }
                (within, start) = (false, line.len());
            }
            _ => word.push(c),
        }
    }
    (words, start, word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known() -> Completions {
        let command = |name: &str| (name.to_string(), format!("about {name}"));
        Completions {
            commands: ["get", "give", "offer", "setdir"].map(command).into(),
            files: ["\u{1b}[31m", "it's.txt", "my notes.txt", "notes.txt"].map(Arc::from).into(),
            names: ["nora", "erin"].map(String::from).into(),
            rooms: ["kitchen", "nursery"].map(String::from).into(),
            all_files: true,
            folder: None,
        }
    }

    fn replacements(line: &str, known: &Completions) -> (usize, Vec<String>) {
        let (start, found) = complete(line, known);
        (start, found.into_iter().map(|c| c.replacement).collect())
    }

    #[test]
    fn commands_come_first_and_then_what_they_take() {
        let known = known();
        let expect = |line, start, found: &[&str]| {
            assert_eq!(replacements(line, &known), (start, found.iter().map(|f| f.to_string()).collect()), "{line}");
        };
        expect("g", 0, &["get", "give"]);
        expect("  of", 2, &["offer "]);
        expect("help s", 5, &["setdir "]);
        expect("get no", 4, &["notes.txt "]);
        expect("get my", 4, &["'my notes.txt' "]);
        expect("get 'my n", 4, &["'my notes.txt' "]);
        expect("get my\\ no", 4, &["'my notes.txt' "]);
        expect("get it", 4, &["\"it's.txt\" "]);
        expect("get ", 4, &["\"it's.txt\"", "'my notes.txt'", "notes.txt"]);
        expect("get zzz", 4, &[]);
        for (people, start) in [
            ("get notes.txt ", 14),
            ("list --owner ", 13),
            ("message ", 8),
            ("send ", 5),
            ("private-open ", 13),
            ("block ", 6),
            ("unblock ", 8),
            ("room-create garden nora ", 24),
            ("room-invite kitchen ", 20),
            ("history --limit 7 --with ", 25),
        ] {
            expect(people, start, &["erin", "nora"]);
        }
        for (rooms, start) in [("say ", 4), ("room-leave ", 11), ("focus ", 6), ("history --room ", 15)] {
            expect(rooms, start, &["kitchen", "nursery"]);
        }
        for nothing in ["message erin no", "say kitchen n", "broadcast n", "get --to n", "register n", "who n", "x n"] {
            let start = nothing.rfind(' ').unwrap() + 1;
            expect(nothing, start, &[]);
        }
        assert_eq!(complete("se", &known).1[0].display, "setdir         about setdir");
    }

    #[test]
    fn files_that_are_not_known_are_asked_for() {
        let asked = |all_files: bool, line: &str| {
            let known = Arc::new(RwLock::new(Completions { all_files, ..known() }));
            let (heard, asked) = (Arc::clone(&known), Arc::new(RwLock::new(None)));
            let noted = Arc::clone(&asked);
            let ask = Box::new(move |begun: &str| {
                *noted.write().unwrap() = Some(begun.to_owned());
                heard.write().unwrap().files.push("nougat.txt".into());
            });
            let found = Tab { known, ask }.complete(line).1.into_iter().map(|c| c.display).collect::<Vec<_>>();
            (asked.read().unwrap().clone(), found)
        };
        assert_eq!(asked(true, "get no"), (None, vec!["notes.txt".into()]));
        assert_eq!(asked(false, "get no"), (Some("no".into()), vec!["notes.txt".into(), "nougat.txt".into()]));
        assert_eq!(asked(false, "get 'my n").0, Some("my n".into()));
        for line in [
            "ge",
            "get",
            "offer no",
            "push no",
            "get --to no",
            "message no",
            "say kitchen no",
            "get no erin",
            "x no",
            "",
        ] {
            assert_eq!(asked(false, line).0, None, "{line}");
        }
    }

    #[test]
    fn local_paths_for_setdir_and_offer() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["my music", "mail"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        for file in ["my music/a.ogg", "memo.txt", ".hidden", "bad\u{1b}name"] {
            std::fs::write(dir.path().join(file), b"").unwrap();
        }
        let known = Completions { folder: Some(dir.path().into()), ..known() };
        assert_eq!(replacements("offer m", &known).1, ["mail/", "memo.txt", "'my music/"]);
        assert_eq!(replacements("offer 'my music/", &known), (6, vec!["'my music/a.ogg' ".into()]));
        assert_eq!(replacements("offer .", &known).1, [".hidden "]);
        assert_eq!(replacements("offer b", &known).1, [""; 0]);
        let line = format!("setdir {}/m", dir.path().display());
        let base = dir.path().display();
        assert_eq!(replacements(&line, &known).1, [format!("{base}/mail/"), format!("'{base}/my music/")]);
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_panics(line in any::<String>()) {
            let (start, _) = complete(&line, &known());
            prop_assert!(line.is_char_boundary(start));
        }
    }
}
