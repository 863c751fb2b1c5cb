//! A simulated client's disk: its folders and files, and which of them it serves.
//!
//! A simulated client's outputs (hash, serve, grant) act on it; tests write to it by
//! [`Sim::give_file`](super::Sim::give_file) and the like.

use std::collections::{BTreeMap, BTreeSet};

use super::content::content_of;
use super::parcels::Parcels;
use crate::core::session::{FilesChanged, Hashed, Offering};
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::transfer::Chunking;
use crate::protocol::types::{SkipReason, Skipped};
use crate::protocol::{Content, ContentHash, ErrorCode, Failure, Timestamp};

/// The folder in which the program was started.
const HOME: &str = "home";

/// An entry of a folder: a file or a link.
enum Entry {
    Plain(Content),
    Link,
}

/// A file that is served to everybody.
struct Served {
    dir: String,
    chunks: Option<u32>,
    hash: ContentHash,
}

/// A watched folder, whose new files are offered automatically.
struct Watched {
    dir: String,
    prefix: String,
    chunks: Option<u32>,
    hidden: bool,
}

/// The disk of a client.
#[derive(Default)]
pub(super) struct Disk {
    folders: BTreeMap<String, BTreeMap<String, Entry>>,
    served: BTreeMap<String, Served>,
    watched: Vec<Watched>,
    /// Contents that are granted to one person, for a push: the hash and the person's name.
    granted: BTreeSet<(ContentHash, NameKey)>,
    pub(super) parcels: Parcels,
}

/// The same content, divided into at most this many chunks.
fn cut(content: &Content, chunks: Option<u32>) -> Content {
    let chunking = Chunking::for_size(content.size, chunks);
    Content { chunk_size: chunking.chunk_size(), chunks: chunking.count().into(), ..content.clone() }
}

/// Whether a part of a name below the offered folder starts with a dot.
fn is_hidden(below: &str) -> bool {
    below.split('/').any(|part| part.starts_with('.'))
}

/// The prefix of the names of everything in a folder.
fn prefix(folder: &str) -> String {
    match folder {
        "." | "./" => String::new(),
        _ => format!("{}/", folder.trim_end_matches('/')),
    }
}

impl Disk {
    /// Writes a file; returns how this changes the offers.
    pub(super) fn give(&mut self, dir: &str, file: &str, content: &[u8], modified: Timestamp) -> FilesChanged {
        let content = content_of(file, content, modified);
        self.folders.entry(dir.into()).or_default().insert(file.into(), Entry::Plain(content.clone()));
        let chunks = match self.served.get(file) {
            Some(served) if served.dir != dir || served.hash == content.hash => return FilesChanged::default(),
            Some(served) => served.chunks,
            None => {
                let watches = |watched: &&Watched| {
                    let below = file.strip_prefix(&watched.prefix).filter(|_| watched.dir == dir);
                    below.is_some_and(|below| watched.hidden || !is_hidden(below))
                };
                let Some(watched) = self.watched.iter().find(watches) else { return FilesChanged::default() };
                watched.chunks
            }
        };
        self.served.insert(file.into(), Served { dir: dir.into(), chunks, hash: content.hash });
        FilesChanged { changed: vec![cut(&content, chunks)], gone: Vec::new() }
    }

    /// Creates a symbolic link.
    pub(super) fn link(&mut self, dir: &str, file: &str) {
        self.folders.entry(dir.into()).or_default().insert(file.into(), Entry::Link);
    }

    /// Removes a file; returns how this changes the offers.
    pub(super) fn remove(&mut self, dir: &str, file: &str) -> FilesChanged {
        self.folders.entry(dir.into()).or_default().remove(file);
        match self.served.get(file).is_some_and(|served| served.dir == dir) {
            true => {
                self.served.remove(file);
                FilesChanged { changed: Vec::new(), gone: vec![file.into()] }
            }
            false => FilesChanged::default(),
        }
    }

    pub(super) fn check_dir(&self, dir: &str) -> Result<String, Failure> {
        match self.folders.contains_key(dir) {
            true => Ok(dir.to_owned()),
            false => Err(Failure::new(ErrorCode::NoSuchDir, format!("There is no folder {dir}."))),
        }
    }

    /// Hashes files to offer, and serves them from now on.
    pub(super) fn offer(&mut self, offering: &Offering) -> Result<Hashed, Failure> {
        let Offering { dir, files, chunks, hidden, watch, .. } = offering;
        let mut hashed = Hashed::default();
        for (i, name) in files.iter().enumerate() {
            let at = |failure: Failure| failure.at(pointer_at(&format!("/files/{i}")));
            self.find(dir, name, *hidden, *watch, &mut hashed).map_err(at)?;
        }
        let mut seen = BTreeSet::new();
        hashed.contents.retain(|content| seen.insert(content.file.clone()));
        for content in &mut hashed.contents {
            *content = cut(content, *chunks);
            let served = Served { dir: dir.clone(), chunks: *chunks, hash: content.hash };
            self.served.insert(content.file.to_string(), served);
        }
        if *watch {
            let (dir, chunks, hidden) = (dir.clone(), *chunks, *hidden);
            self.watched.extend(files.iter().map(|folder| {
                let (dir, prefix) = (dir.clone(), prefix(folder));
                Watched { dir, prefix, chunks, hidden }
            }));
        }
        Ok(hashed)
    }

    /// Finds a file, or everything in a folder.
    fn find(&self, dir: &str, name: &str, hidden: bool, watch: bool, found: &mut Hashed) -> Result<(), Failure> {
        let folder = self.folders.get(dir);
        match folder.and_then(|entries| entries.get(name)) {
            Some(Entry::Plain(content)) => {
                found.contents.push(content.clone());
                return Ok(());
            }
            Some(Entry::Link) => {
                let message = format!("{name} is not a regular file, or a part of its name is a link.");
                return Err(Failure::new(ErrorCode::NotAFile, message));
            }
            None => {}
        }
        let prefix = prefix(name);
        let entries = || folder.into_iter().flatten().filter(|(file, _)| file.starts_with(&prefix));
        if entries().next().is_none() && !prefix.is_empty() {
            return Err(Failure::new(ErrorCode::NoSuchFile, format!("There is no file {name}.")));
        }
        let before = found.contents.len();
        for (file, entry) in entries().filter(|(file, _)| hidden || !is_hidden(&file[prefix.len()..])) {
            match entry {
                Entry::Plain(content) => found.contents.push(content.clone()),
                Entry::Link => found.skipped.push(Skipped { file: file.clone(), reason: SkipReason::Link }),
            }
        }
        match found.contents.len() > before || watch {
            true => Ok(()),
            false => {
                let shown = if prefix.is_empty() { "the folder" } else { &prefix };
                Err(Failure::new(ErrorCode::EmptyDir, format!("There is nothing in {shown} to offer.")))
            }
        }
    }

    /// Finds files and folders from where the program was started, each under the last part of its name.
    pub(super) fn gather(&self, paths: &[String]) -> Result<Vec<Content>, Failure> {
        let mut files = Vec::new();
        for (place, path) in paths.iter().enumerate() {
            let bare = path.trim_end_matches('/');
            let found = self.at_home(bare).map_err(|failure| failure.at(pointer_at(&format!("/paths/{place}"))))?;
            let name = bare.rsplit('/').next().unwrap_or(bare);
            let renamed = |file: &str| format!("{name}{}", file.strip_prefix(bare).unwrap_or(file));
            files.extend(found.into_iter().map(|file| Content { file: renamed(&file.file).into(), ..file }));
        }
        Ok(files)
    }

    /// A file, or all files of a folder, in the folder in which the program was started.
    fn at_home(&self, name: &str) -> Result<Vec<Content>, Failure> {
        let mut found = Hashed::default();
        let told = |failure: Failure| match failure.code {
            ErrorCode::NoSuchFile => Failure::new(ErrorCode::NoSuchFile, format!("There is no file or folder {name}.")),
            _ => failure,
        };
        self.find(HOME, name, true, false, &mut found).map_err(told)?;
        Ok(found.contents)
    }

    /// Grants one person a file, from the chosen folder or from the one in which the program was started.
    pub(super) fn grant(&mut self, dir: Option<&str>, file: &str, to: &str) -> Result<Content, Failure> {
        match self.folders.get(dir.unwrap_or(HOME)).and_then(|entries| entries.get(file)) {
            Some(Entry::Plain(content)) => {
                self.granted.insert((content.hash, NameKey::of(to)));
                let bare = file.rsplit('/').next().unwrap_or(file);
                Ok(Content { file: bare.into(), ..content.clone() })
            }
            Some(Entry::Link) => Err(Failure::new(ErrorCode::NotAFile, format!("{file} is not a regular file."))),
            None => Err(Failure::new(ErrorCode::NoSuchFile, format!("There is no file {file}."))),
        }
    }

    pub(super) fn revoke(&mut self, hash: ContentHash, to: &str) {
        self.granted.remove(&(hash, NameKey::of(to)));
    }

    /// Stops serving files. `DIR/` means a folder and stops watching it, too.
    pub(super) fn unserve(&mut self, files: &[String]) {
        self.served.retain(|file, _| !files.contains(file));
        self.watched.retain(|watched| !files.contains(&watched.prefix));
    }

    /// Whether `peer` may fetch a content here.
    pub(super) fn serves(&self, hash: &ContentHash, peer: &str) -> bool {
        self.served.values().any(|served| served.hash == *hash) || self.granted.contains(&(*hash, NameKey::of(peer)))
    }
}
