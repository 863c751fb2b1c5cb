//! Remembers which messages this machine's users have seen: a number for each name at each hub. So no message is shown
//! twice, even if the hub or the client is killed before the hub has learnt of it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::io::fs::own_file::{file_of, open_own};
use crate::protocol::PublicKey;
use crate::protocol::name::check_person;
use crate::protocol::wire::Received;

/// The largest file that is read, in bytes: a number and its exceptions.
const MOST: u64 = 64 << 10;

/// The seen messages of all names at one hub.
pub struct Inboxes {
    dir: PathBuf,
    /// The file of the name that was used last.
    open: Option<(String, File)>,
}

impl Inboxes {
    /// The inboxes for the hub with this key, in a client's data folder.
    pub fn at(home: &Path, hub: &PublicKey) -> Self {
        Self { dir: home.join("inbox").join(hub.to_string()), open: None }
    }

    /// Which messages `name` has seen; none if nothing is stored.
    ///
    /// # Errors
    /// If the file cannot be opened or read. A file that cannot be understood counts as empty.
    pub fn shown(&mut self, name: &str) -> io::Result<Received> {
        let mut text = Vec::new();
        self.file(name)?.take(MOST).read_to_end(&mut text)?;
        Ok(std::str::from_utf8(&text).ok().and_then(read).unwrap_or_default())
    }

    /// Stores which messages `name` has seen. This survives the process but not a power cut, after which the hub's own
    /// memory counts.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn remember(&mut self, name: &str, shown: &Received) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|(open, _)| open != name) {
            self.open = Some((name.to_owned(), self.file(name)?));
        }
        match &self.open {
            Some((_, file)) => file.write_all_at(write(shown).as_bytes(), 0),
            None => Ok(()),
        }
    }

    fn file(&self, name: &str) -> io::Result<File> {
        // A valid name has no character with a meaning in paths.
        check_person(name).map_err(|failure| io::Error::other(failure.to_string()))?;
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let mut options = OpenOptions::new();
        open_own(options.read(true).write(true).create(true).truncate(false).mode(0o600), &file_of(&self.dir, name, ""))
    }
}

/// The number, how many exceptions there are, and these. Bytes of a longer earlier text may follow.
fn write(shown: &Received) -> String {
    let mut text = format!("{} {} ", shown.received, shown.except.len());
    for number in &shown.except {
        text += &format!("{number} ");
    }
    text
}

fn read(text: &str) -> Option<Received> {
    let mut numbers = text.split(' ').map(|number| number.parse::<u64>().ok());
    let (received, count) = (numbers.next()??, numbers.next()??);
    let except: Vec<u64> = numbers.take(usize::try_from(count).ok()?).collect::<Option<_>>()?;
    (except.len() as u64 == count).then_some(Received { received, except })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_remembered_for_each_name_and_hub() {
        let home = tempfile::tempdir().unwrap();
        let (one, other) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let mut inboxes = Inboxes::at(home.path(), &one);
        let upto = |received, except: &[u64]| Received { received, except: except.to_vec() };
        assert_eq!(inboxes.shown("erin").unwrap(), Received::default());
        inboxes.remember("erin", &upto(u64::MAX, &[1, 2, 3])).unwrap();
        inboxes.remember("erin", &upto(41, &[40])).unwrap();
        inboxes.remember("dora", &upto(7, &[])).unwrap();
        assert_eq!(inboxes.shown("Erin").unwrap(), upto(41, &[40]));
        assert_eq!(inboxes.shown("dora").unwrap(), upto(7, &[]));
        assert_eq!(Inboxes::at(home.path(), &other).shown("erin").unwrap(), Received::default());
        assert!(inboxes.shown("../erin").is_err());
    }

    #[test]
    fn damage_counts_as_nothing() {
        let home = tempfile::tempdir().unwrap();
        let mut inboxes = Inboxes::at(home.path(), &PublicKey([1; 32]));
        inboxes.remember("erin", &Received { received: 41, except: Vec::new() }).unwrap();
        for damage in [&b"\xff\xfe"[..], b"forty-one", b"", b"7 2 1 "] {
            std::fs::write(inboxes.dir.join("erin"), damage).unwrap();
            assert_eq!(inboxes.shown("erin").unwrap(), Received::default());
        }
    }
}
