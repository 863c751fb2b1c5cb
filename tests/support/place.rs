//! The folders of a client.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

/// The folders of one client. They outlive its process.
#[derive(Clone)]
pub struct Place {
    path: PathBuf,
    /// Keeps the scene's folder while this exists.
    _scene: Option<Arc<TempDir>>,
}

impl Place {
    /// The folders of this name in a scene. Files to offer can be put there at once.
    pub fn new(scene: &Arc<TempDir>, name: &str) -> Self {
        let path = scene.path().join(name);
        fs::create_dir_all(path.join("shared")).unwrap();
        Self { path, _scene: Some(scene.clone()) }
    }

    /// The folder of a process that is no client.
    pub fn at(folder: &Path) -> Self {
        Self { path: folder.to_owned(), _scene: None }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The client's data folder: keys, pins, its inbox.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// The path of a file to offer.
    pub fn shared(&self, file: &str) -> PathBuf {
        self.path.join("shared").join(file)
    }

    pub fn downloads(&self) -> PathBuf {
        self.path.join("downloads")
    }

    /// Writes a file to offer.
    pub fn put(&self, file: &str, bytes: &[u8]) {
        let path = self.shared(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Reads a downloaded file.
    pub fn got(&self, file: &str) -> Vec<u8> {
        fs::read(self.downloads().join(file)).unwrap()
    }

    /// Every file below the download folder, hidden ones included.
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
