//! The index of watched files and folders: offered files as they were published, and folders whose new files are
//! offered too.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::core::session::Offering;
use crate::io::content::hash::{Fingerprint, Hashed};
use crate::io::content::partial_file::is_partial;
use crate::io::content::store::ContentStore;
use crate::io::content::stored_content::{Place, StoredContent};
use crate::io::offers::ready::Ready;
use crate::io::offers::walk::is_hidden;
use crate::protocol::limits::TREE_ENTRIES;
use crate::protocol::name::check_file;
use crate::protocol::{Content, ContentHash, Timestamp};

/// The index. It also updates the content store, so that both always agree.
#[derive(Debug)]
pub(super) struct WatchIndex {
    contents: ContentStore,
    files: BTreeMap<Arc<str>, Watched>,
    /// The folders to which file names are relative, with the number of files of each.
    bases: BTreeMap<Arc<Path>, usize>,
    folders: BTreeMap<u64, Folder>,
    next: u64,
}

/// An offered file.
#[derive(Debug)]
struct Watched {
    /// The file in the content store: where it is, and what was published of it.
    file: Arc<StoredContent>,
    chunks: Option<u32>,
    /// A new number each time that the file is offered.
    serial: u64,
}

impl Watched {
    fn fingerprint(&self) -> &Fingerprint {
        &self.file.hashed.fingerprint
    }

    /// Whether its name is relative to this folder.
    fn is_in(&self, base: &Path) -> bool {
        matches!(&self.file.place, Place::In(folder) if **folder == *base)
    }
}

/// What was published of a file, besides its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Published {
    hash: ContentHash,
    chunk_size: u64,
    modified: Timestamp,
}

impl Published {
    fn of(hashed: &Hashed) -> Self {
        let (chunk_size, modified) = (hashed.chunking.chunk_size(), hashed.fingerprint.modified());
        Self { hash: hashed.hash, chunk_size, modified }
    }
}

/// A folder in which new files are looked for.
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

/// A file to hash, and the offer that it is hashed for.
#[derive(Debug)]
pub(super) struct HashTask {
    pub(super) base: Arc<Path>,
    pub(super) chunks: Option<u32>,
    pub(super) name: Arc<str>,
    pub(super) fingerprint: Fingerprint,
    /// The serial of the file, or the number of the folder in which it is new.
    owner: u64,
    is_new: bool,
}

/// What must be done about a path that has settled.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) tasks: Vec<HashTask>,
    /// Files that were removed from the content store.
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

impl WatchIndex {
    pub(super) fn new(contents: ContentStore) -> Self {
        Self { contents, files: BTreeMap::new(), bases: BTreeMap::new(), folders: BTreeMap::new(), next: 0 }
    }

    /// Adds offered files and folders. Returns the files as they are in the content store, and the numbers of the
    /// folders.
    pub(super) fn add(
        &mut self,
        offering: &Offering,
        files: Vec<Ready>,
        folders: &[String],
    ) -> (Vec<Arc<StoredContent>>, Vec<u64>) {
        let base = self.base(Path::new(&offering.dir));
        let mut placed = Vec::with_capacity(files.len());
        self.contents.reserve(files.iter().filter(|file| !self.files.contains_key(&file.name)).count());
        for file in files {
            for folder in self.folders.values_mut() {
                folder.except.remove(&*file.name);
            }
            placed.push(self.place(base.clone(), offering.chunks, file));
        }
        let added = folders.iter().map(|prefix| {
            self.folders.retain(|_, Folder { scope, .. }| scope.base != base || scope.prefix != *prefix);
            let scope = Scope { base: base.clone(), prefix: prefix.clone(), hidden: offering.hidden };
            self.next += 1;
            self.folders.insert(self.next, Folder { scope, chunks: offering.chunks, except: BTreeSet::new() });
            self.next
        });
        let added = added.collect();
        (placed, added)
    }

    /// The shared path of a folder to which names are relative.
    fn base(&self, folder: &Path) -> Arc<Path> {
        self.bases.get_key_value(folder).map_or_else(|| folder.into(), |(known, _)| known.clone())
    }

    fn place(&mut self, base: Arc<Path>, chunks: Option<u32>, file: Ready) -> Arc<StoredContent> {
        let Ready { name, hashed } = file;
        // It stays in the content store until the new one replaces it.
        self.strike(&name);
        self.next += 1;
        *self.bases.entry(base.clone()).or_default() += 1;
        let file = self.contents.add_in(base, name.clone(), hashed);
        self.files.insert(name, Watched { file: file.clone(), chunks, serial: self.next });
        file
    }

    fn unplace(&mut self, name: &str) -> bool {
        self.strike(name).is_some() && self.contents.remove(name)
    }

    fn strike(&mut self, name: &str) -> Option<Watched> {
        let old = self.files.remove(name)?;
        if let Place::In(base) = &old.file.place
            && let Some(files) = self.bases.get_mut(base)
        {
            *files -= 1;
            if *files == 0 {
                self.bases.remove(base);
            }
        }
        Some(old)
    }

    /// The offered files at a path: one for each base folder above it under which it was offered.
    fn at<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a Arc<str>, &'a Watched)> {
        let bases = path.ancestors().filter(|folder| self.bases.contains_key(*folder));
        bases.filter_map(move |base| {
            let name = path.strip_prefix(base).ok()?.to_str()?;
            self.files.get_key_value(name).filter(|(_, file)| file.is_in(base))
        })
    }

    /// Withdraws files. A name that ends in `/` means a folder, `./` the outermost folder.
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
        // `./` does not mean files that were offered one by one from another folder.
        let meant = below
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter(|(_, file)| !prefix.is_empty() || ended.iter().any(|base| file.is_in(base)));
        for name in meant.map(|(name, _)| name.clone()).collect::<Vec<Arc<str>>>() {
            self.unplace(&name);
        }
        self.except(prefix);
    }

    /// Excludes a withdrawn name from the folders that are still watched.
    fn except(&mut self, name: &str) {
        for folder in self.folders.values_mut().filter(|folder| name.starts_with(&folder.scope.prefix)) {
            // Only reachable by abuse.
            if folder.except.len() < TREE_ENTRIES {
                folder.except.insert(name.to_owned());
            }
        }
    }

    #[cfg(test)]
    pub(super) fn path_of(&self, name: &str) -> Option<PathBuf> {
        Some(self.files.get(name)?.file.path().into_owned())
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

    /// All offered files.
    pub(super) fn all(&self) -> Vec<Arc<StoredContent>> {
        self.files.values().map(|file| file.file.clone()).collect()
    }

    /// The offered files at this path or below it.
    pub(super) fn below(&self, path: &Path) -> Vec<Arc<StoredContent>> {
        let mut below: Vec<_> = self.at(path).map(|(_, file)| file.file.clone()).collect();
        for base in self.bases.keys() {
            // Either all that is relative to a folder is below the path, or some of it, or none.
            let prefix = match path.strip_prefix(base).map(Path::to_str) {
                Ok(Some("")) => String::new(),
                Ok(Some(folder)) => format!("{folder}/"),
                Err(_) if base.starts_with(path) => String::new(),
                Ok(None) | Err(_) => continue,
            };
            let names = self.files.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
            let names = names.take_while(|(name, _)| name.starts_with(prefix.as_str()));
            below.extend(names.filter(|(_, file)| file.is_in(base)).map(|(_, file)| file.file.clone()));
        }
        below
    }

    /// Whether the file at a path is still as it was offered, under all of its names; true if it is not offered.
    pub(super) fn is_as_offered(&self, path: &Path, now: Option<&Fingerprint>) -> bool {
        self.at(path).all(|(_, file)| Some(file.fingerprint()) == now)
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

    /// Decides what to do about a path that has not changed for a moment. `now` is `None` if there is no regular file.
    pub(super) fn judge_settled(&mut self, path: &Path, now: Option<&Fingerprint>) -> Settled {
        let mut settled = Settled::default();
        let names: Vec<Arc<str>> = self.at(path).map(|(name, _)| name.clone()).collect();
        let Some(now) = now else {
            settled.gone = names.iter().filter(|name| self.unplace(name)).map(|name| name.to_string()).collect();
            return settled;
        };
        for name in names {
            if let Some(file) = self.files.get(&name).filter(|file| file.fingerprint() != now)
                && let Place::In(base) = &file.file.place
            {
                let (base, chunks, owner) = (base.clone(), file.chunks, file.serial);
                settled.tasks.push(HashTask { base, chunks, name, fingerprint: *now, owner, is_new: false });
            }
        }
        for (owner, name) in self.folders_around(path) {
            let is_known =
                self.files.contains_key(name.as_str()) || settled.tasks.iter().any(|task| *task.name == *name);
            if is_known || self.files.len() >= TREE_ENTRIES || check_file(&name).is_err() {
                continue;
            }
            if let Some(Folder { scope, chunks, .. }) = self.folders.get(&owner) {
                let (base, chunks, name) = (scope.base.clone(), *chunks, name.into());
                settled.tasks.push(HashTask { base, chunks, name, fingerprint: *now, owner, is_new: true });
            }
        }
        settled
    }

    /// Replaces a file by its newly hashed version. Returns what must be published, if anything.
    pub(super) fn replace(&mut self, task: &HashTask, file: Ready) -> Option<Content> {
        let told = match self.files.get(&task.name) {
            Some(old) if !task.is_new && old.serial == task.owner => Some(Published::of(&old.file.hashed)),
            None if task.is_new && self.is_wanted(task) => None,
            // It was withdrawn or offered again meanwhile.
            _ => return None,
        };
        let is_news = told != Some(Published::of(&file.hashed));
        let content = file.content();
        self.place(task.base.clone(), task.chunks, file);
        is_news.then_some(content)
    }

    /// Whether a new file is still wanted by the folder in which it was found.
    fn is_wanted(&self, task: &HashTask) -> bool {
        let (folder, path) = (self.folders.get(&task.owner), task.base.join(&*task.name));
        folder.and_then(|folder| folder.name_of(&path)).is_some_and(|name| *name == *task.name)
    }

    /// Whether the file that was to be hashed is still offered.
    pub(super) fn is_offered(&self, task: &HashTask) -> bool {
        self.files.get(&task.name).is_some_and(|old| !task.is_new && old.serial == task.owner)
    }

    /// Removes a file that has gone from the content store. Returns whether it was offered.
    pub(super) fn drop_failed(&mut self, task: &HashTask) -> bool {
        self.is_offered(task) && self.unplace(&task.name)
    }
}
