//! Who imports whom: no circles between files, and no arrow against the order of the rooms of `io`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, assert_none, sources};

/// The rooms of `io`: each may know those that stand before it.
const ROOMS: [&str; 9] = ["os", "fs", "content", "net", "transfer", "offers", "store", "state", "drive"];

/// How many files of a part may lie on circles, and why. A number only ever goes down.
const CIRCLES_ALL_THE_SAME: &[(&str, usize, &str)] = &[];

/// The path of a module below the crate's root.
type Path = Vec<String>;

/// A file that is a module.
struct Module {
    file: String,
    /// What it imports under which name, by the full path.
    imported: BTreeMap<String, Path>,
    /// Every path that it names, with its line.
    named: Vec<(usize, Path)>,
}

/// The modules of the crate, by their paths.
struct Crate(BTreeMap<Path, Module>);

impl Crate {
    fn read(sources: &[Source]) -> Self {
        let shipped = sources.iter().filter(|source| !source.is_test() && source.name.ends_with(".rs"));
        let modules = shipped.filter_map(|source| {
            let path = module_path(&source.name)?;
            let module = Module::read(source, &path);
            Some((path, module))
        });
        Self(modules.collect())
    }

    /// The module in which stands what a path leads to, through re-exports and aliases.
    fn module_of(&self, path: &[String]) -> Path {
        let mut at = Path::new();
        // An alias leads to another path; circles of aliases do not compile.
        let (mut rest, mut aliases) = (path.to_vec(), 0);
        while !rest.is_empty() {
            let below: Path = at.iter().chain(&rest[..1]).cloned().collect();
            if self.0.contains_key(&below) {
                at = below;
                rest.remove(0);
                continue;
            }
            match self.0.get(&at).and_then(|module| module.imported.get(&rest[0])) {
                Some(target) if aliases < 16 && *target != below => {
                    rest = target.iter().chain(&rest[1..]).cloned().collect();
                    at = Path::new();
                    aliases += 1;
                }
                Some(_) | None => break,
            }
        }
        at
    }

    /// Whom each module knows besides itself, its ancestors and its descendants: those are one concept with it. With the
    /// first line where it does.
    fn arrows(&self) -> BTreeMap<&Path, BTreeMap<Path, usize>> {
        let arrows = |(path, module): (&Path, &Module)| {
            let mut known: BTreeMap<Path, usize> = BTreeMap::new();
            for (line, named) in &module.named {
                let whom = self.module_of(named);
                if !whom.starts_with(path) && !path.starts_with(&whom) {
                    known.entry(whom).or_insert(*line);
                }
            }
            known
        };
        self.0.iter().map(|(path, module)| (path, arrows((path, module)))).collect()
    }
}

impl Module {
    fn read(source: &Source, path: &Path) -> Self {
        let code = super::code::shipped(&source.text);
        let (mut imported, mut named) = (BTreeMap::new(), Vec::new());
        let line_of = |at: usize| code[..at].matches('\n').count() + 1;
        let mut uses = Vec::new();
        for at in super::words(&code, "use").collect::<Vec<_>>() {
            let statement = &code[at + "use".len()..];
            // Not `use<'a>` of a bound.
            let Some(end) = statement.find(';').filter(|_| statement.starts_with(char::is_whitespace)) else {
                continue;
            };
            uses.push(at..at + end + "use".len());
            for (leaf, name) in leaves(&statement[..end]) {
                let Some(leaf) = absolute(path, &leaf) else { continue };
                named.push((line_of(at), leaf.clone()));
                imported.insert(name, leaf);
            }
        }
        for head in ["crate::", "super::"] {
            for at in super::words(&code, head).collect::<Vec<_>>() {
                // `super::super::` is found at its start.
                if code[..at].ends_with("::") || uses.iter().any(|span| span.contains(&at)) {
                    continue;
                }
                let end = code[at..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
                let text = &code[at..end.map_or(code.len(), |end| at + end)];
                named.extend(absolute(path, text).map(|path| (line_of(at), path)));
            }
        }
        Self { file: source.name.clone(), imported, named }
    }
}

/// `src/io/fs/mod.rs` is `io::fs`; what is no module of the library is none.
fn module_path(file: &str) -> Option<Path> {
    let path = file.strip_prefix("src/")?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "main" => None,
        "lib" => Some(Path::new()),
        path => Some(path.split('/').map(str::to_owned).collect()),
    }
}

/// A path as seen from a module, from the crate's root; `None` for other crates. A path that starts with a child's name
/// is below the module itself, and of no interest.
fn absolute(module: &[String], path: &str) -> Option<Path> {
    let path = path.split_whitespace().collect::<String>();
    let mut parts = path.split("::").filter(|part| !part.is_empty() && *part != "*").peekable();
    let mut base = match *parts.peek()? {
        "crate" => Path::new(),
        "super" | "self" => module.to_vec(),
        _ => {
            let child = parts.peek().map(|first| [module, &[(*first).to_owned()]].concat())?;
            return is_local(module, &child).then(|| module.iter().cloned().chain(parts.map(str::to_owned)).collect());
        }
    };
    for part in parts {
        match part {
            "crate" | "self" => {}
            "super" => drop(base.pop()),
            part => base.push(part.to_owned()),
        }
    }
    Some(base)
}

/// Whether a file stands for this module.
fn is_local(module: &[String], child: &[String]) -> bool {
    child.len() > module.len() && {
        let file = super::root().join("src").join(child.join("/"));
        file.with_extension("rs").exists() || file.join("mod.rs").exists()
    }
}

/// The paths of a use tree, each with the name under which it is imported.
fn leaves(tree: &str) -> Vec<(String, String)> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
        let path = path.trim().trim_end_matches("::self").to_owned();
        let last = path.rsplit("::").next().unwrap_or_default().to_owned();
        let name = if alias.is_empty() { last } else { alias.trim().to_owned() };
        return vec![(path, name)];
    };
    let (head, body) = (&tree[..open], &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())]);
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in body.char_indices().chain([(body.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let item = body[start..at].trim();
                if !item.is_empty() {
                    found.extend(leaves(&format!("{head}{item}")));
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// The circles of a graph: each as the modules that lie on it.
fn circles(arrows: &BTreeMap<&Path, BTreeMap<Path, usize>>) -> Vec<Vec<Path>> {
    // Tarjan's strongly connected components.
    struct Walk<'a> {
        arrows: &'a BTreeMap<&'a Path, BTreeMap<Path, usize>>,
        index: BTreeMap<Path, usize>,
        low: BTreeMap<Path, usize>,
        stack: Vec<Path>,
        circles: Vec<Vec<Path>>,
    }
    impl Walk<'_> {
        fn visit(&mut self, path: &Path) {
            let number = self.index.len();
            self.index.insert(path.clone(), number);
            self.low.insert(path.clone(), number);
            self.stack.push(path.clone());
            for whom in self.arrows.get(path).into_iter().flat_map(BTreeMap::keys) {
                if !self.index.contains_key(whom) {
                    self.visit(whom);
                    self.low.insert(path.clone(), self.low[path].min(self.low[whom]));
                } else if self.stack.contains(whom) {
                    self.low.insert(path.clone(), self.low[path].min(self.index[whom]));
                }
            }
            if self.low[path] == self.index[path] {
                let from = self.stack.iter().position(|on| on == path).unwrap();
                let circle = self.stack.split_off(from);
                if circle.len() > 1 {
                    self.circles.push(circle);
                }
            }
        }
    }
    let mut walk =
        Walk { arrows, index: BTreeMap::new(), low: BTreeMap::new(), stack: Vec::new(), circles: Vec::new() };
    for path in arrows.keys() {
        if !walk.index.contains_key(*path) {
            walk.visit(path);
        }
    }
    walk.circles
}

#[test]
fn no_file_imports_one_that_imports_it() {
    let all = Crate::read(&sources("src"));
    let arrows = all.arrows();
    let mut wrong = Vec::new();
    let mut excepted: BTreeMap<&str, usize> = BTreeMap::new();
    for circle in circles(&arrows) {
        let part =
            CIRCLES_ALL_THE_SAME.iter().find(|(part, ..)| circle.iter().all(|path| path.join("::").starts_with(part)));
        if let Some((part, ..)) = part {
            *excepted.entry(part).or_default() += circle.len();
            continue;
        }
        let on: BTreeSet<&Path> = circle.iter().collect();
        let mut text = format!("{} files lie on a circle:", circle.len());
        for path in &circle {
            let module = &all.0[path];
            for (whom, line) in arrows[path].iter().filter(|(whom, _)| on.contains(whom)) {
                text += &format!("\n  {}:{line}: knows {}", module.file, whom.join("::"));
            }
        }
        wrong.push(text);
    }
    for (part, most, why) in CIRCLES_ALL_THE_SAME {
        match excepted.get(part).copied().unwrap_or(0) {
            0 => wrong.push(format!("{part}: has no circles any more; take it off the exceptions ({why})")),
            files if files > *most => {
                wrong.push(format!("{part}: {files} files lie on circles; at most {most}, and less next time ({why})"))
            }
            _ => {}
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_rooms_of_io_stand_in_one_order() {
    let all = Crate::read(&sources("src"));
    let mut wrong = Vec::new();
    let place = |path: &[String]| -> Option<Result<usize, String>> {
        let room = path.get(1).filter(|_| path[0] == "io")?;
        Some(ROOMS.iter().position(|known| known == room).ok_or_else(|| room.clone()))
    };
    for (path, known) in all.arrows() {
        let Some(own) = place(path) else { continue };
        let file = &all.0[path].file;
        let Ok(own) = own else {
            wrong.push(format!("{file}:1: `io` has rooms and no loose files: {}", ROOMS.join(", ")));
            continue;
        };
        for (whom, line) in known {
            if let Some(Ok(theirs)) = place(&whom)
                && theirs > own
            {
                wrong.push(format!(
                    "{file}:{line}: `io::{}` must not know `{}`, which stands after it",
                    ROOMS[own],
                    whom.join("::")
                ));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn imports_are_read_however_they_are_written() {
    let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    let knows = |text: &str| -> BTreeSet<String> {
        let files = [
            source("src/lib.rs", ""),
            source("src/core/mod.rs", "pub use time::Time;"),
            source("src/core/time.rs", ""),
            source("src/core/link.rs", ""),
            source("src/io/mod.rs", ""),
            source("src/io/fs/mod.rs", "pub use open::Opener as Door;"),
            source("src/io/fs/open.rs", ""),
            source("src/io/net.rs", text),
        ];
        let all = Crate::read(&files);
        let known = all.arrows().remove(&vec!["io".to_owned(), "net".to_owned()]).unwrap();
        known.into_keys().map(|path| path.join("::")).collect()
    };
    for (text, whom) in [
        ("use crate::core::link::Link;", &["core::link"][..]),
        ("use crate::core::{link::{self, Link}, Time as T};", &["core::link", "core::time"]),
        ("pub(crate) use super::fs::Door;", &["io::fs::open"]),
        ("fn f(x: super::fs::Unknown) -> crate::core::link::Link {}", &["core::link", "io::fs"]),
        ("use std::fs; // use crate::core::link::Link;", &[]),
        ("#[cfg(test)] mod tests { use crate::core::link::Link; }", &[]),
    ] {
        assert_eq!(knows(text), whom.iter().map(|w| (*w).to_owned()).collect(), "{text}");
    }
    let path = |name: &str| vec![name.to_owned()];
    let (a, b, c) = (path("a"), path("b"), path("c"));
    let to = |whom: &Path| BTreeMap::from([(whom.clone(), 1)]);
    let arrows = BTreeMap::from([(&a, to(&b)), (&b, to(&a)), (&c, to(&a))]);
    assert_eq!(circles(&arrows), [[a.clone(), b.clone()]]);
}
