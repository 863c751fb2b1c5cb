//! What a sender keeps of the codes that it has told, so that the same `send` goes on under the same code over a kill of
//! its process.
//!
//! Each is a file of its own, readable for its owner only, whose name is a hash of the hub's key, our own, and what is
//! sent. It is locked as long as a process sends that, and removed when the process has ended it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use crate::io::fs::own_file::{open_own, read_json, replace_own};
use crate::protocol::parcel::SentCode;
use crate::protocol::{ContentHash, PublicKey, to_json};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 256 << 10;
/// How long a code is kept that nobody sends any more.
const LONGEST: Duration = Duration::from_hours(24);
/// What the names of the files end in.
const ENDING: &str = ".code";
const LOCK: &str = ".lock";

/// The codes of one client.
#[derive(Debug, Clone)]
pub struct SentCodes(PathBuf);

/// The place of one code. It is locked.
#[derive(Debug)]
pub struct SentCodeFile {
    file: PathBuf,
    _lock: File,
}

impl SentCodes {
    pub(crate) fn at(dir: &Path) -> Self {
        Self(dir.join("sent"))
    }

    /// The place of what is sent at a hub by the holder of a key; `None` if another process sends the same, or there is no
    /// place.
    pub fn open(&self, hub: &PublicKey, ours: &PublicKey, what: &ContentHash) -> Option<SentCodeFile> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).ok()?;
        self.prune();
        let hash = blake3::hash(format!("{hub} {ours} {what}").as_bytes()).to_hex();
        let file = self.0.join(format!("{}{ENDING}", &hash[..32]));
        let lock = file.with_extension(&LOCK[1..]);
        let lock = open_own(OpenOptions::new().write(true).create(true).truncate(false).mode(0o600), &lock).ok()?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some(SentCodeFile { file, _lock: lock })
    }

    /// Removes what nobody has gone on with.
    fn prune(&self) {
        for entry in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let path = entry.path();
            let ours = path.extension().is_some_and(|ending| ending == &ENDING[1..] || ending == &LOCK[1..]);
            let age = entry.metadata().and_then(|meta| meta.modified()).map(|at| SystemTime::now().duration_since(at));
            if ours && age.is_ok_and(|age| age.is_ok_and(|age| age > LONGEST)) && !is_locked(&path) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// Whether a process sends what this file is about.
fn is_locked(path: &Path) -> bool {
    let lock = open_own(OpenOptions::new().write(true), &path.with_extension(&LOCK[1..]));
    lock.is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err())
}

impl SentCodeFile {
    /// What was kept, if it is not too old. A file that cannot be read is as good as none.
    pub fn read(&self) -> Option<SentCode> {
        let kept = self.file.symlink_metadata().and_then(|kept| kept.modified()).ok()?;
        if kept.elapsed().is_ok_and(|age| age > LONGEST) {
            return None;
        }
        read_json(&self.file, MAX_BYTES)
    }

    /// Keeps a code, on disk when this returns.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, code: &SentCode) -> io::Result<()> {
        replace_own(&self.file, &to_json(code))
    }

    /// Forgets it.
    pub fn remove(self) {
        let _ = std::fs::remove_file(&self.file);
        let _ = std::fs::remove_file(self.file.with_extension(&LOCK[1..]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Code;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_code_is_kept_for_what_was_sent_until_it_is_removed_and_one_process_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let codes = SentCodes::at(dir.path());
        let (hub, ours, what) = (PublicKey([1; 32]), PublicKey([2; 32]), ContentHash([3; 32]));
        let file = codes.open(&hub, &ours, &what).unwrap();
        assert_eq!(file.read(), None);
        assert!(codes.open(&hub, &ours, &what).is_none(), "another one sends it");
        let code =
            SentCode { code: Code::new(8, 7), times: 1, right: 0, answered: false, until: None, admitted: vec![] };
        file.keep(&code).unwrap();
        assert_eq!(file.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        drop(file);
        assert!(codes.open(&hub, &ours, &ContentHash([4; 32])).unwrap().read().is_none());
        let file = codes.open(&hub, &ours, &what).unwrap();
        assert_eq!(file.read(), Some(code));
        file.remove();
        assert_eq!(codes.open(&hub, &ours, &what).unwrap().read(), None);
    }
}
