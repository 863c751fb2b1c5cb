//! What a client got for the short code that it used last.
//!
//! A code is spent by the exchange. If the client then cannot enter, because its name is taken, say, the same command
//! with another name must not need another code.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::io::fs::own_file::{read_json, replace_own};
use crate::protocol::{Code, ContentHash, PublicKey, to_json};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 4 << 10;

/// The key of a hub, and the secret of an invite, that were got for a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeemed {
    /// The key that the hub has proved, and confirmed by the code.
    pub key: PublicKey,
    /// The secret of the invite.
    pub invite: String,
}

/// The file with it.
#[derive(Debug, Clone)]
pub struct RedeemedFile(PathBuf);

#[derive(Serialize, Deserialize)]
struct Kept {
    /// The hash of the hub's `HOST:PORT` and the code, so that it is found again for these only.
    of: ContentHash,
    key: PublicKey,
    invite: String,
}

impl RedeemedFile {
    pub(crate) fn at(dir: &Path) -> Self {
        Self(dir.join("redeemed.json"))
    }

    /// What this code was good for at this hub, if it is the one that was used last. A file that cannot be read is as
    /// good as none.
    pub fn get(&self, host_port: &str, code: &Code) -> Option<Redeemed> {
        let Kept { of, key, invite } = read_json(&self.0, MAX_BYTES)?;
        (of == hash(host_port, code)).then_some(Redeemed { key, invite })
    }

    /// Remembers what a code was good for.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn set(&self, host_port: &str, code: &Code, redeemed: &Redeemed) -> io::Result<()> {
        let Redeemed { key, invite } = redeemed.clone();
        replace_own(&self.0, &to_json(&Kept { of: hash(host_port, code), key, invite }))
    }
}

fn hash(host_port: &str, code: &Code) -> ContentHash {
    ContentHash(*blake3::hash(format!("{host_port} {code}").as_bytes()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_found_again_for_the_same_code_at_the_same_hub_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = RedeemedFile::at(dir.path());
        let (code, other) = (Code::new(7, 1), Code::new(7, 2));
        let redeemed = Redeemed { key: PublicKey([1; 32]), invite: "secret".into() };
        assert_eq!(file.get("h:1", &code), None);
        file.set("h:1", &code, &redeemed).unwrap();
        assert_eq!(file.get("h:1", &code), Some(redeemed));
        assert_eq!((file.get("h:1", &other), file.get("h:2", &code)), (None, None));
        assert_eq!(file.0.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file.0, "{").unwrap();
        assert_eq!(file.get("h:1", &code), None);
    }
}
