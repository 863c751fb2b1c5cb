//! The folders of a client.
#![allow(dead_code)] // no single test file uses all of it

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

/// The folders of one client: they outlive the process.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("shared")).unwrap();
        Arc::new(Self { dir })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A file to offer.
    pub fn shared(&self, file: &str) -> PathBuf {
        self.dir.path().join("shared").join(file)
    }

    pub fn downloads(&self) -> PathBuf {
        self.dir.path().join("downloads")
    }

    pub fn put(&self, file: &str, bytes: &[u8]) {
        let path = self.shared(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

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
