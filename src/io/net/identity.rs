//! The key pair of a hub or a client. It is created at first use, in a file that only its owner can read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::SigningKey;

use crate::io::fs::own_file::read_own;
use crate::io::os::clock::random_bytes;
use crate::protocol::PublicKey;

/// PKCS#8 version 1 around an Ed25519 seed (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The bytes before an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410, section 4).
pub(crate) const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A key pair that can prove itself in TLS.
#[derive(Clone)]
pub struct Identity {
    /// The public key, by which others know us.
    pub key: PublicKey,
    pub(crate) signer: Arc<dyn SigningKey>,
}

impl Identity {
    /// The identity that belongs to a secret seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let mut der = PKCS8_PREFIX.to_vec();
        der.extend_from_slice(&seed);
        let signer = any_eddsa_type(&PrivatePkcs8KeyDer::from(der)).expect("every 32 bytes are an Ed25519 seed");
        let spki = signer.public_key().expect("Ed25519 keys have a public half");
        let key = key_from_spki(&spki).expect("rustls encodes Ed25519 keys as RFC 8410 says");
        Self { key, signer }
    }

    /// A new identity from the operating system's randomness, not kept anywhere.
    pub fn ephemeral() -> io::Result<Self> {
        Ok(Self::from_seed(random_bytes()?))
    }

    /// Loads the identity from `file`, or creates it there, with missing folders, if the file does not exist.
    ///
    /// # Errors
    /// If the file cannot be read or created, is no regular file of 32 bytes, or can be read by others.
    pub fn load_or_create(file: &Path) -> io::Result<Self> {
        match read_own(file) {
            Ok(open) => Self::from_seed_file(open),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Self::create(file),
            Err(e) => Err(e),
        }
    }

    fn from_seed_file(mut open: File) -> io::Result<Self> {
        if open.metadata()?.permissions().mode() & 0o077 != 0 {
            let advice = "the key can be read by others: make it 0600, or remove it to get a new one";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, advice));
        }
        let mut seed = Vec::new();
        (&mut open).take(33).read_to_end(&mut seed)?;
        let seed =
            seed.try_into().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the key is not 32 bytes"))?;
        Ok(Self::from_seed(seed))
    }

    /// Writes a new key under a temporary name and links it to `file`, so that two processes that start at the same
    /// time get the same key.
    fn create(file: &Path) -> io::Result<Self> {
        let folder = file.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let seed = random_bytes()?;
        let fresh = file.with_extension(format!("new-{}", std::process::id()));
        let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        let linked = out.write_all(&seed).and_then(|()| out.sync_all()).and_then(|()| std::fs::hard_link(&fresh, file));
        std::fs::remove_file(&fresh)?;
        match linked {
            Ok(()) => Ok(Self::from_seed(seed)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Self::from_seed_file(read_own(file)?),
            Err(e) => Err(e),
        }
    }
}

/// The Ed25519 key in a SubjectPublicKeyInfo; `None` for anything else.
pub(crate) fn key_from_spki(spki: &[u8]) -> Option<PublicKey> {
    spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok().map(PublicKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/b/key");
        let made = Identity::load_or_create(&file).unwrap();
        assert_eq!(Identity::load_or_create(&file).unwrap().key, made.key);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Identity::load_or_create(&file).is_err());
    }
}
