//! What is here already: the content that is wanted, byte for byte, under the name that it is to have.

use std::fs::File;
use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, OFlags};

use super::hash::{Hashed, hash_file};
use crate::io::os::cancel::Cancel;
use crate::protocol::{Chunking, ContentHash};

/// Whether a plain file of this name has the content that is wanted; links are not followed.
pub(in crate::io) fn same(
    folder: BorrowedFd<'_>,
    name: &str,
    (hash, chunking): (ContentHash, Chunking),
    cancel: &Cancel,
) -> Option<Hashed> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let there = File::from(rustix::fs::openat(folder, name, flags, Mode::empty()).ok()?);
    let meta = there.metadata().ok()?;
    if !meta.is_file() || meta.len() != chunking.size() {
        return None;
    }
    let hashed = hash_file(&there, Some(chunking.count().max(1)), &mut |_| (), cancel).ok()?;
    (hashed.hash == hash).then_some(hashed)
}
