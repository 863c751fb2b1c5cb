//! What is watched: offered files with what was told of them, and folders in which new files count.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::core::few::Few;
use crate::core::session::Offering;
use crate::io::data::Shelf;
use crate::io::data::is_partial;
use crate::io::files::{Ready, is_hidden};
use crate::io::hash::Fingerprint;
use crate::protocol::limits::TREE_ENTRIES;
use crate::protocol::name::check_file;
use crate::protocol::{Content, ContentHash, Timestamp};

/// Keeps the shelf, too, so that both always say the same.
#[derive(Debug)]
pub(super) struct Book {
    shelf: Shelf,
    files: BTreeMap<Arc<str>, Watched>,
    /// The names of each path.
    names: BTreeMap<Arc<Path>, Few<Arc<str>>>,
    folders: BTreeMap<u64, Folder>,
    next: u64,
}

/// An offered file.
#[derive(Debug)]
struct Watched {
    /// The folder to which the name is relative.
    base: Arc<Path>,
    path: Arc<Path>,
    chunks: Option<u32>,
    fingerprint: Fingerprint,
    told: Told,
    /// Changes with each offering.
    serial: u64,
}

/// What was told of a file, besides its name: what follows from this is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    hash: ContentHash,
    chunk_size: u64,
    modified: Option<Timestamp>,
}

impl Told {
    fn of(content: &Content) -> Self {
        Self { hash: content.hash, chunk_size: content.chunk_size, modified: content.modified }
    }
}

/// Where new files are looked for.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// The folder to which names are relative.
    pub(super) base: Arc<Path>,
    /// The part of each name before what is in this folder: `""`, or ends in `/`.
    pub(super) prefix: String,
    pub(super) hidden: bool,
}

/// A folder in which new files are offered.
#[derive(Debug)]
struct Folder {
    scope: Scope,
    chunks: Option<u32>,
    /// Files, and prefixes that end in `/`, that were withdrawn.
    except: BTreeSet<String>,
}

/// A file to hash, and on whose behalf.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) base: Arc<Path>,
    pub(super) chunks: Option<u32>,
    pub(super) name: String,
    pub(super) fingerprint: Fingerprint,
    /// The serial of the file, or the number of the folder in which it is new.
    owner: u64,
    is_new: bool,
}

/// What a settled path calls for.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) tasks: Vec<Task>,
    /// Files that were taken off the shelf.
    pub(super) gone: Vec<String>,
}

impl Folder {
    /// The name that something at this path would be offered by.
    fn name_of(&self, path: &Path) -> Option<String> {
        let name = path.strip_prefix(&self.scope.base).ok()?.to_str()?;
        let below = name.strip_prefix(&self.scope.prefix).filter(|below| !below.is_empty())?;
        let visible = self.scope.hidden || !below.split('/').any(is_hidden);
        let last = below.rsplit('/').next().unwrap_or(below);
        (visible && !is_partial(last) && !self.is_excepted(name)).then(|| name.to_owned())
    }

    fn is_excepted(&self, name: &str) -> bool {
        let prefixes = name.match_indices('/').map(|(slash, _)| &name[..=slash]);
        self.except.contains(name) || prefixes.into_iter().any(|prefix| self.except.contains(prefix))
    }

    /// The folder itself.
    fn path(&self) -> PathBuf {
        self.scope.base.join(self.scope.prefix.trim_end_matches('/'))
    }
}

impl Book {
    pub(super) fn new(shelf: Shelf) -> Self {
        Self { shelf, files: BTreeMap::new(), names: BTreeMap::new(), folders: BTreeMap::new(), next: 0 }
    }

    /// Takes what was offered; gives the paths of the files and the numbers of the folders.
    pub(super) fn add(
        &mut self,
        offering: &Offering,
        files: Vec<Ready>,
        folders: &[String],
    ) -> (Vec<Arc<Path>>, Vec<u64>) {
        let base: Arc<Path> = Path::new(&offering.dir).into();
        let mut paths = Vec::with_capacity(files.len());
        for file in files {
            for folder in self.folders.values_mut() {
                folder.except.remove(&file.content.file);
            }
            paths.push(self.place(base.clone(), offering.chunks, file));
        }
        let added = folders.iter().map(|prefix| {
            self.folders.retain(|_, Folder { scope, .. }| scope.base != base || scope.prefix != *prefix);
            let scope = Scope { base: base.clone(), prefix: prefix.clone(), hidden: offering.hidden };
            self.next += 1;
            self.folders.insert(self.next, Folder { scope, chunks: offering.chunks, except: BTreeSet::new() });
            self.next
        });
        let added = added.collect();
        (paths, added)
    }

    fn place(&mut self, base: Arc<Path>, chunks: Option<u32>, file: Ready) -> Arc<Path> {
        let Ready { content, path, hashed } = file;
        let (name, path): (Arc<str>, Arc<Path>) = (content.file.as_str().into(), path.into());
        // It stays on the shelf until the new one takes its place.
        self.strike(&name);
        self.next += 1;
        match self.names.entry(path.clone()) {
            Entry::Vacant(none) => drop(none.insert(Few::One(name.clone()))),
            Entry::Occupied(mut names) => names.get_mut().insert(name.clone()),
        }
        let (fingerprint, told) = (hashed.fingerprint, Told::of(&content));
        self.shelf.add(name.clone(), path.clone(), hashed);
        self.files.insert(name, Watched { base, path: path.clone(), chunks, fingerprint, told, serial: self.next });
        path
    }

    fn unplace(&mut self, name: &str) -> bool {
        self.strike(name).is_some() && self.shelf.remove(name)
    }

    fn strike(&mut self, name: &str) -> Option<Watched> {
        let old = self.files.remove(name)?;
        if let Some(names) = self.names.get_mut(&old.path) {
            names.remove(name);
            if names.is_empty() {
                self.names.remove(&old.path);
            }
        }
        Some(old)
    }

    /// Takes back what is named; a name that ends in `/` is that of a folder, `./` that of the outermost.
    pub(super) fn forget(&mut self, names: &[String]) {
        for name in names {
            match name.strip_suffix('/') {
                Some("." | "") => self.forget_below(""),
                Some(_) => self.forget_below(name),
                None => {
                    if self.unplace(name) {
                        self.except(name);
                    }
                }
            }
        }
    }

    fn forget_below(&mut self, prefix: &str) {
        let ended = self.folders.values().map(|folder| &folder.scope).filter(|scope| scope.prefix.starts_with(prefix));
        let ended: BTreeSet<Arc<Path>> = ended.map(|scope| scope.base.clone()).collect();
        self.folders.retain(|_, folder| !folder.scope.prefix.starts_with(prefix));
        let below = self.files.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        // What was offered file by file from another folder is not meant by `./`.
        let meant = below
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter(|(_, file)| !prefix.is_empty() || ended.contains(&file.base));
        for name in meant.map(|(name, _)| name.clone()).collect::<Vec<Arc<str>>>() {
            self.unplace(&name);
        }
        self.except(prefix);
    }

    /// Notes in the folders that go on being watched that this was withdrawn.
    fn except(&mut self, name: &str) {
        for folder in self.folders.values_mut().filter(|folder| name.starts_with(&folder.scope.prefix)) {
            // A bound that nobody reaches who does not try to.
            if folder.except.len() < TREE_ENTRIES {
                folder.except.insert(name.to_owned());
            }
        }
    }

    pub(super) fn path_of(&self, name: &str) -> Option<PathBuf> {
        Some(self.files.get(name)?.path.to_path_buf())
    }

    pub(super) fn scope(&self, number: u64) -> Option<Scope> {
        Some(self.folders.get(&number)?.scope.clone())
    }

    pub(super) fn folder_numbers(&self) -> Vec<u64> {
        self.folders.keys().copied().collect()
    }

    /// The watched folders that have this path in them, with its name.
    pub(super) fn folders_around(&self, path: &Path) -> Vec<(u64, String)> {
        let around = self.folders.iter().filter_map(|(number, folder)| Some((*number, folder.name_of(path)?)));
        around.collect()
    }

    /// The offered files at this path or below it, or all.
    pub(super) fn paths_below(&self, path: Option<&Path>) -> Vec<Arc<Path>> {
        let from = path.map_or(Bound::Unbounded, Bound::Included);
        let below = self.names.range::<Path, _>((from, Bound::Unbounded)).map(|(path, _)| path);
        below.take_while(|below| path.is_none_or(|path| below.starts_with(path))).cloned().collect()
    }

    /// Whether this is how the file at a path is offered, under all of its names; true for others.
    pub(super) fn is_as_offered(&self, path: &Path, now: Option<&Fingerprint>) -> bool {
        let names = self.names.get(path).into_iter().flat_map(Few::iter);
        names.filter_map(|name| self.files.get(name)).all(|file| Some(&file.fingerprint) == now)
    }

    /// Whether a file in a watched folder is new or has changed.
    pub(super) fn is_news(&self, path: &Path, now: &Fingerprint) -> bool {
        let is_new = || self.folders_around(path).iter().any(|(_, name)| !self.files.contains_key(name.as_str()));
        !self.is_as_offered(path, Some(now)) || is_new()
    }

    /// Whether a folder is a watched one, or in one.
    pub(super) fn is_in_folder(&self, path: &Path) -> bool {
        self.folders.values().any(|folder| path == folder.path() || folder.name_of(path).is_some())
    }

    /// Decides about a path that has been the same for a moment: a regular file, or none.
    pub(super) fn settle(&mut self, path: &Path, now: Option<&Fingerprint>) -> Settled {
        let mut settled = Settled::default();
        let names = self.names.get(path).into_iter().flat_map(Few::iter);
        let names: Vec<String> = names.map(|name| name.to_string()).collect();
        let Some(now) = now else {
            settled.gone = names.into_iter().filter(|name| self.unplace(name)).collect();
            return settled;
        };
        for name in names {
            if let Some(file) = self.files.get(name.as_str()).filter(|file| file.fingerprint != *now) {
                let (base, chunks, owner) = (file.base.clone(), file.chunks, file.serial);
                settled.tasks.push(Task { base, chunks, name, fingerprint: *now, owner, is_new: false });
            }
        }
        for (owner, name) in self.folders_around(path) {
            let is_known = self.files.contains_key(name.as_str()) || settled.tasks.iter().any(|task| task.name == name);
            if is_known || self.files.len() >= TREE_ENTRIES || check_file(&name).is_err() {
                continue;
            }
            if let Some(Folder { scope, chunks, .. }) = self.folders.get(&owner) {
                let (base, chunks) = (scope.base.clone(), *chunks);
                settled.tasks.push(Task { base, chunks, name, fingerprint: *now, owner, is_new: true });
            }
        }
        settled
    }

    /// Takes a file that was hashed; gives what is to be told of it.
    pub(super) fn replace(&mut self, task: &Task, file: Ready) -> Option<Content> {
        let told = match self.files.get(task.name.as_str()) {
            Some(old) if !task.is_new && old.serial == task.owner => Some(old.told),
            None if task.is_new && self.is_wanted(task, &file.path) => None,
            // It was withdrawn or offered anew meanwhile.
            _ => return None,
        };
        let content = file.content.clone();
        self.place(task.base.clone(), task.chunks, file);
        (told != Some(Told::of(&content))).then_some(content)
    }

    /// Whether a new file is still wanted by the folder in which it was found.
    fn is_wanted(&self, task: &Task, path: &Path) -> bool {
        let folder = self.folders.get(&task.owner);
        folder.is_some_and(|folder| folder.name_of(path).as_ref() == Some(&task.name))
    }

    /// Whether the file that was to be hashed is offered, as it was before.
    pub(super) fn is_offered(&self, task: &Task) -> bool {
        self.files.get(task.name.as_str()).is_some_and(|old| !task.is_new && old.serial == task.owner)
    }

    /// Takes a file that is gone off the shelf; says whether it was offered.
    pub(super) fn drop_failed(&mut self, task: &Task) -> bool {
        self.is_offered(task) && self.unplace(&task.name)
    }
}
