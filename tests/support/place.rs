//! The folders of a client.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

/// The folders of one client, which outlive its process.
#[derive(Clone)]
pub struct Place {
    path: PathBuf,
    /// Keeps the scene's folder as long as somebody is there.
    _scene: Option<Arc<TempDir>>,
}

impl Place {
    /// The folders of this name in a scene. What is to be shared may be put there at once.
    pub fn new(scene: &Arc<TempDir>, name: &str) -> Self {
        let path = scene.path().join(name);
        fs::create_dir_all(path.join("shared")).unwrap();
        Self { path, _scene: Some(scene.clone()) }
    }

    /// A folder in which a process runs that is no client.
    pub fn at(folder: &Path) -> Self {
        Self { path: folder.to_owned(), _scene: None }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the client keeps for itself: keys, pins, its inbox.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// A file to offer.
    pub fn shared(&self, file: &str) -> PathBuf {
        self.path.join("shared").join(file)
    }

    pub fn downloads(&self) -> PathBuf {
        self.path.join("downloads")
    }

    /// Writes a file that can be offered.
    pub fn put(&self, file: &str, bytes: &[u8]) {
        let path = self.shared(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Reads a file that was downloaded.
    pub fn got(&self, file: &str) -> Vec<u8> {
        fs::read(self.downloads().join(file)).unwrap()
    }

    /// Every file below the download folder, hidden ones too.
    pub fn downloaded(&self) -> BTreeSet<String> {
        fn walk(dir: &Path, base: &Path, out: &mut BTreeSet<String>) {
            for entry in fs::read_dir(dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, base, out);
                } else {
                    out.insert(path.strip_prefix(base).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        let mut out = BTreeSet::new();
        walk(&self.downloads(), &self.downloads(), &mut out);
        out
    }
}
