//! Which messages this machine's users have had: a number for each name at each hub, so that nothing is shown twice
//! even when hub or client are killed before the hub has learnt of it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::protocol::PublicKey;
use crate::protocol::name::{check_person, fold};

/// Digits of a number in its file: all that a `u64` can have, so that a later number covers an earlier one.
const DIGITS: usize = 20;

/// The numbers of one hub.
pub struct Inboxes {
    dir: PathBuf,
    /// The file of the name that was used last.
    open: Option<(String, File)>,
}

impl Inboxes {
    /// Those of the hub with this key, below a client's data folder.
    pub fn at(home: &Path, hub: &PublicKey) -> Self {
        Self { dir: home.join("inbox").join(hub.to_string()), open: None }
    }

    /// Up to which number `name` has had all messages; 0 if nothing is known.
    ///
    /// # Errors
    /// When the file cannot be opened or read. What stands in it and is no number counts as nothing.
    pub fn shown(&mut self, name: &str) -> io::Result<u64> {
        let mut text = String::new();
        let file = self.file(name)?;
        let end = file.take(DIGITS as u64).read_to_string(&mut text);
        match end {
            Ok(_) => Ok(text.trim().parse().unwrap_or(0)),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => Ok(0),
            Err(e) => Err(e),
        }
    }

    /// Remembers that `name` has had all messages up to `number`. It outlives this process; a power cut may take it
    /// back, and then the hub's own memory counts.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remember(&mut self, name: &str, number: u64) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|(open, _)| open != name) {
            self.open = Some((name.to_owned(), self.file(name)?));
        }
        match &self.open {
            Some((_, file)) => file.write_all_at(format!("{number:0DIGITS$}").as_bytes(), 0),
            None => Ok(()),
        }
    }

    fn file(&self, name: &str) -> io::Result<File> {
        // A name that passes has no character that means something in a path.
        check_person(name).map_err(|failure| io::Error::other(failure.to_string()))?;
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(self.dir.join(fold(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_remembered_for_each_name_and_hub() {
        let home = tempfile::tempdir().unwrap();
        let (one, other) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let mut inboxes = Inboxes::at(home.path(), &one);
        assert_eq!(inboxes.shown("erin").unwrap(), 0);
        inboxes.remember("erin", u64::MAX).unwrap();
        inboxes.remember("erin", 41).unwrap();
        inboxes.remember("dora", 7).unwrap();
        assert_eq!((inboxes.shown("Erin").unwrap(), inboxes.shown("dora").unwrap()), (41, 7));
        assert_eq!(Inboxes::at(home.path(), &other).shown("erin").unwrap(), 0);
        assert!(inboxes.shown("../erin").is_err());
    }

    #[test]
    fn damage_counts_as_nothing() {
        let home = tempfile::tempdir().unwrap();
        let mut inboxes = Inboxes::at(home.path(), &PublicKey([1; 32]));
        inboxes.remember("erin", 41).unwrap();
        for damage in [&b"\xff\xfe"[..], b"forty-one", b""] {
            std::fs::write(inboxes.dir.join("erin"), damage).unwrap();
            assert_eq!(inboxes.shown("erin").unwrap(), 0);
        }
    }
}
