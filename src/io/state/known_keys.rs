//! The file of known keys: one JSON object in `known_keys.json`, from `"HOST:PORT"` or `"NAME@HUBKEY"` to a key. A key
//! that the user has verified is written as `{"verified": KEY}`.
//!
//! A file that cannot be understood is an error: if it counted as empty, every key would be trusted again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::core::verify::KnownKey;
use crate::io::fs::own_file::{open_own, read_own, replace_own};
use crate::protocol::cause;
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, Failure, PublicKey};

/// The largest file that is read, in bytes. A hundred thousand keys fit.
const MAX_BYTES: u64 = 16 << 20;

/// The known keys, by what they are known for.
pub(super) type KnownKeys = BTreeMap<String, Entry>;

/// A known key as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Entry {
    /// It was shown at first contact.
    Shown(PublicKey),
    /// The user has verified it.
    Verified { verified: PublicKey },
}

impl Entry {
    /// The key.
    pub(super) fn key(self) -> PublicKey {
        match self {
            Self::Shown(key) | Self::Verified { verified: key } => key,
        }
    }

    /// What is known.
    pub(super) fn known(self) -> KnownKey {
        match self {
            Self::Shown(key) => KnownKey { key, verified: false },
            Self::Verified { verified: key } => KnownKey { key, verified: true },
        }
    }
}

impl From<PublicKey> for Entry {
    fn from(key: PublicKey) -> Self {
        Self::Shown(key)
    }
}

impl From<KnownKey> for Entry {
    fn from(known: KnownKey) -> Self {
        match known {
            KnownKey { key, verified: true } => Self::Verified { verified: key },
            KnownKey { key, verified: false } => Self::Shown(key),
        }
    }
}

/// The file, and the lock under which it is changed, so that several processes can share it.
#[derive(Debug, Clone)]
pub(super) struct KnownKeysFile {
    file: PathBuf,
    lock: PathBuf,
}

impl KnownKeysFile {
    pub(super) fn at(dir: &Path) -> Self {
        Self { file: dir.join("known_keys.json"), lock: dir.join("known_keys.lock") }
    }

    /// The path of the file.
    #[cfg(test)]
    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    /// Changes the keys as `edit` says, which returns whether there is anything to write and what to return.
    ///
    /// # Errors
    /// `bad-config` if the file is damaged or cannot be written; then nothing has changed.
    pub(super) fn change<T>(&self, edit: impl FnOnce(&mut KnownKeys) -> (bool, T)) -> Result<T, Failure> {
        // Held until the end of the change; a lock on the file itself would go with its old inode.
        let _lock = self.locked().map_err(|e| self.cannot("lock", &e))?;
        let mut known = self.read()?;
        let (changed, result) = edit(&mut known);
        if changed {
            self.replace(&known).map_err(|e| self.cannot("write", &e))?;
        }
        Ok(result)
    }

    fn locked(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let lock = open_own(options.create(true).truncate(false).write(true).mode(0o600), &self.lock)?;
        lock.lock()?;
        Ok(lock)
    }

    /// All keys.
    ///
    /// # Errors
    /// `bad-config`, naming the file, if it is damaged or cannot be read.
    pub(super) fn read(&self) -> Result<KnownKeys, Failure> {
        let mut bytes = Vec::new();
        match read_own(&self.file).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)) {
            Ok(_) if bytes.len() as u64 <= MAX_BYTES => {}
            Ok(_) => return Err(self.damaged("it is too large")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(KnownKeys::new()),
            Err(e) => return Err(self.cannot("read", &e)),
        }
        let known: KnownKeys = serde_json::from_slice(&bytes).map_err(|e| self.damaged(&cause::of_json(&e)))?;
        Ok(folded_anew(known))
    }

    /// Replaces all keys.
    pub(super) fn replace(&self, known: &KnownKeys) -> io::Result<()> {
        replace_own(&self.file, &(serde_json::to_string_pretty(known)? + "\n"))
    }

    fn damaged(&self, what: &str) -> Failure {
        Failure::new(ErrorCode::BadConfig, format!("The known keys in {} are damaged: {what}.", self.file.display()))
            .hint("Mend the file; or remove it, and all hubs and peers are trusted anew at the next contact.")
    }

    fn cannot(&self, verb: &str, e: &io::Error) -> Failure {
        Failure::new(
            ErrorCode::BadConfig,
            format!("Potluck cannot {verb} {}: {}.", self.file.display(), cause::of_io(e)),
        )
    }
}

/// An older potluck may have folded a name otherwise: its key stays known.
fn folded_anew(known: KnownKeys) -> KnownKeys {
    let (others, mut people): (KnownKeys, KnownKeys) = known.into_iter().partition(|(entry, _)| entry.is_ascii());
    people = people
        .into_iter()
        .map(|(entry, key)| match entry.rsplit_once('@') {
            Some((name, hub)) => (format!("{}@{hub}", NameKey::of(name)), key),
            None => (entry, key),
        })
        .collect();
    people.extend(others);
    people
}
