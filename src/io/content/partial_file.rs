//! A file that is not complete yet: hidden, beside its target, locked, and with a note of what is
//! in it.
//!
//! The content lies where it will stay. Behind it, in the same file, is a *trailer*: one byte for
//! each chunk, 1 once it was verified and written, and a header that binds it to content and
//! cutting. The trailer is a hint and nothing more: whoever resumes checks each chunk that it
//! claims against the manifest, while the others are being fetched. So neither a kill at any
//! moment, nor a power failure, nor a forged trailer can make a wrong byte count; and nothing has
//! to be forced to disk before the end.

use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use rustix::fs::{AtFlags, FallocateFlags, FlockOperation, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;

use super::downloads::missing_room;
use super::hash::Fingerprint;
use super::target::{MAX_PART, Target, cut, unwritable};
use crate::protocol::cause;
use crate::protocol::data::is_token;
use crate::protocol::{Chunking, ContentHash, ErrorCode, Failure, Timestamp};

const MAGIC: &[u8; 16] = b"potluck-partial1";
/// Magic, hash, size, chunk size, and the BLAKE3 hash of these.
const HEADER: usize = 16 + 32 + 8 + 8 + 32;
/// What a partial file's name ends in.
const ENDING: &str = ".potluck";
/// A file system in memory (`statfs(2)`). There, reserving room means to clear every page at once,
/// a fifth of the time of a whole transfer; asking whether there is room must do.
const TMPFS: i64 = 0x0102_1994;
/// How often the file may be renamed just before it is locked, until that cannot be chance.
const RACES: u32 = 16;
/// The years 1 to 9999, in milliseconds since 1970: what other programs can show. The file system keeps what it can.
const MODIFIED: RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// The file that is being filled.
pub(in crate::io) struct PartialFile {
    file: Arc<File>,
    folder: OwnedFd,
    name: String,
    hash: ContentHash,
    chunking: Chunking,
}

impl PartialFile {
    /// Opens or makes the partial file for a target and a content, and tells which chunks it claims to have. A new
    /// one has room for all of it if all is to be fetched.
    ///
    /// # Errors
    /// `not-writable`, also if something else has its name or another transfer fills it already;
    /// `disk-full` with the bytes that are missing.
    pub(in crate::io) fn open(
        target: &Target,
        hash: ContentHash,
        chunking: Chunking,
        whole: bool,
    ) -> Result<(Self, Vec<u32>), Failure> {
        let name = hidden_name(target.name(), hash);
        let folder = target.folder().try_clone_to_owned().map_err(|e| failed(&e))?;
        let file = Arc::new(open_locked(&folder, &name)?);
        let partial = Self { file, folder, name, hash, chunking };
        let claimed = match partial.claimed().map_err(|e| failed(&e))? {
            Some(claimed) => claimed,
            None => partial.begin(whole).inspect_err(|_| partial.discard()).map(|()| Vec::new())?,
        };
        Ok((partial, claimed))
    }

    /// Writes content at its place.
    pub(in crate::io) fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all_at(bytes, at).map_err(|e| failed(&e))
    }

    /// Reads back what is there.
    pub(in crate::io) fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, at)
    }

    /// Notes whether a chunk is there. One byte each, so that threads never undo each other's.
    pub(in crate::io) fn mark(&self, chunk: u32, there: bool) -> Result<(), Failure> {
        self.write(self.chunking.size() + u64::from(chunk), &[there.into()])
    }

    /// Makes the file what the target shall be, safe on disk.
    pub(in crate::io) fn finish(&self, modified: Option<Timestamp>) -> Result<(), Failure> {
        self.file.set_len(self.chunking.size()).map_err(|e| failed(&e))?;
        if let Some(modified) = modified {
            set_modified(self.file.as_fd(), modified);
        }
        self.keep()
    }

    /// Makes sure that what there is is on disk.
    pub(in crate::io) fn keep(&self) -> Result<(), Failure> {
        self.file.sync_all().map_err(|e| failed(&e))
    }

    /// The name that it has until it is placed.
    pub(in crate::io) fn name(&self) -> &str {
        &self.name
    }

    /// The open file.
    pub(in crate::io) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// What the file is now.
    pub(in crate::io) fn fingerprint(&self) -> Result<Fingerprint, Failure> {
        Fingerprint::of(&self.file)
    }

    /// Removes it.
    pub(in crate::io) fn discard(&self) {
        // If it cannot be removed, it is found and used by the next attempt.
        let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
    }

    /// What an earlier run left: `None` if that is nothing, or not of this content.
    fn claimed(&self) -> io::Result<Option<Vec<u32>>> {
        let (size, count) = (self.chunking.size(), self.chunking.count());
        let length = self.file.metadata()?.len();
        if length == size && size > 0 {
            // It was finished, but not renamed.
            return Ok(Some((0..count).collect()));
        }
        let whole = size + u64::from(count) + HEADER as u64;
        if length < whole {
            return Ok(None);
        }
        let mut trailer = vec![0; count as usize + HEADER];
        self.file.read_exact_at(&mut trailer, size)?;
        let (marks, header) = trailer.split_at(count as usize);
        if header != self.header() {
            return Ok(None);
        }
        if length > whole {
            // Something was written behind it; that says nothing about what is in it.
            self.file.set_len(whole)?;
        }
        Ok(Some((0..count).zip(marks).filter(|(_, mark)| **mark == 1).map(|(i, _)| i).collect()))
    }

    /// Starts from nothing.
    fn begin(&self, whole: bool) -> Result<(), Failure> {
        let size = self.chunking.size();
        let header_at = size + u64::from(self.chunking.count());
        let length = header_at + HEADER as u64;
        self.file.set_len(0).map_err(|e| failed(&e))?;
        if whole {
            self.reserve(length)?;
        }
        self.write(header_at, &self.header())
    }

    /// Makes sure of room for all of it, as far as the file system can.
    fn reserve(&self, length: u64) -> Result<(), Failure> {
        let free = rustix::fs::fstatvfs(&self.file).map_or(u64::MAX, |s| s.f_bavail.saturating_mul(s.f_frsize));
        let in_memory = rustix::fs::fstatfs(&self.file).is_ok_and(|s| s.f_type == TMPFS);
        let reserved = match in_memory {
            true if free < length => Err(Errno::NOSPC),
            true => Err(Errno::OPNOTSUPP),
            false => rustix::fs::fallocate(&self.file, FallocateFlags::empty(), 0, length),
        };
        match reserved {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.file.set_len(length).map_err(|e| failed(&e)),
            Err(Errno::NOSPC | Errno::DQUOT) => Err(missing_room(length.saturating_sub(free))),
            Err(e) => Err(failed(&e.into())),
        }
    }

    fn header(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..16].copy_from_slice(MAGIC);
        header[16..48].copy_from_slice(&self.hash.0);
        header[48..56].copy_from_slice(&self.chunking.size().to_le_bytes());
        header[56..64].copy_from_slice(&self.chunking.chunk_size().to_le_bytes());
        let check = blake3::hash(&header[..64]);
        header[64..].copy_from_slice(check.as_bytes());
        header
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        // Whoever still reads from it must not keep the next attempt out.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// Says when a file was last changed, as far as the file system keeps that. Some keep no times; the content is right all
/// the same.
pub(in crate::io) fn set_modified(file: BorrowedFd<'_>, modified: Timestamp) {
    let time = modified.0.clamp(*MODIFIED.start(), *MODIFIED.end());
    let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let last_modification = Timespec { tv_sec: time.div_euclid(1000), tv_nsec: time.rem_euclid(1000) * 1_000_000 };
    let _ = rustix::fs::futimens(file, &Timestamps { last_access, last_modification });
}

/// Whether a file that was this before it got its name is still the same: renaming changes nothing but its ctime.
pub(in crate::io) fn is_only_renamed(before: Fingerprint, now: Fingerprint) -> bool {
    before == Fingerprint { ctime_ns: before.ctime_ns, ..now }
}

/// What the partial file of a target of this name is called.
pub(in crate::io) fn hidden_name(target: &str, hash: ContentHash) -> String {
    let digits = &hash.to_string()[..8];
    let stem = cut(target, MAX_PART - digits.len() - ENDING.len() - 2);
    format!(".{stem}.{digits}{ENDING}")
}

/// What a small file of a folder is called until it has its name; each lane of a transfer has its number.
pub(in crate::io) fn hidden_name_in_folder(token: &str, lane: usize) -> String {
    format!(".{token}-{lane}{ENDING}")
}

/// Whether this can be a name that [`hidden_name_in_folder`] gives.
pub(in crate::io) fn is_hidden_in_folder(name: &str) -> bool {
    let parts = inner(name).and_then(|inner| inner.split_once('-'));
    parts.is_some_and(|(token, lane)| {
        is_token(token) && (1..=2).contains(&lane.len()) && lane.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Whether this is the name of a file that we have not fetched completely, which is never offered.
pub(in crate::io) fn is_partial(name: &str) -> bool {
    let digits = inner(name).and_then(|inner| inner.rsplit_once('.')).map(|(_, digits)| digits);
    let of_hash = digits.is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
    of_hash || is_hidden_in_folder(name)
}

fn inner(name: &str) -> Option<&str> {
    name.strip_prefix('.')?.strip_suffix(ENDING)
}

/// Opens the partial file and locks it against other transfers.
fn open_locked(folder: &OwnedFd, name: &str) -> Result<File, Failure> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    for _ in 0..RACES {
        let fd = rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o644)).map_err(|e| match e {
            Errno::LOOP | Errno::ISDIR | Errno::NXIO => in_the_way(name),
            other => unwritable(name, other),
        })?;
        let file = File::from(fd);
        let meta = file.metadata().map_err(|e| failed(&e))?;
        let own = meta.is_file()
            && meta.nlink() <= 1
            && meta.uid() == rustix::process::geteuid().as_raw()
            && meta.mode() & 0o7000 == 0;
        if !own {
            return Err(in_the_way(name));
        }
        if rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Failure::new(ErrorCode::NotWritable, "Another transfer is writing the same file.")
                .hint("Wait until it ends, or choose another name with --to."));
        }
        // The transfer that had the lock may have given the file its final name just before.
        match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(now) if (now.st_dev, now.st_ino) == (meta.dev(), meta.ino()) => return Ok(file),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(e) => return Err(unwritable(name, e)),
        }
    }
    Err(in_the_way(name))
}

fn in_the_way(name: &str) -> Failure {
    Failure::new(ErrorCode::NotWritable, format!("Something that is not a partial file of ours is named `{name}`."))
        .hint("Remove it, or choose another name with --to.")
}

/// What the disk's refusal means.
pub(in crate::io) fn failed(e: &io::Error) -> Failure {
    match Errno::from_io_error(e) {
        Some(Errno::NOSPC | Errno::DQUOT) => ErrorCode::DiskFull.into(),
        Some(Errno::ROFS | Errno::ACCESS | Errno::PERM) => ErrorCode::NotWritable.into(),
        _ => Failure::new(ErrorCode::DiskFailed, format!("The disk reported an error: {}.", cause::of_io(e))),
    }
}
