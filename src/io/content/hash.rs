//! Names a file by its content: its BLAKE3 hash, and the hash of each of its chunks.
//!
//! A chunk is a whole subtree of BLAKE3's tree, so the list of the chunks' chaining values (the
//! *manifest*) merges to the hash of the file: whoever knows the hash can check a manifest, and
//! then every chunk by itself. BLAKE3 treats the top of its tree differently, hence one rule: the
//! manifest of a file of one chunk is the file's hash itself, and that of an empty file is empty.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use rustix::fs::Stat;

pub use super::manifest::Manifest;
use crate::io::os::cancel::Cancel;
use crate::protocol::cause;
use crate::protocol::{Chunking, Content, ContentHash, DEFAULT_CHUNK, ErrorCode, Failure, MAX_SIZE, Timestamp};

/// How much is read at a time, in bytes: it fits into a core's own cache.
const BUFFER: usize = 256 << 10;
/// More threads than this only wait for the disk.
const MAX_THREADS: usize = 8;
/// Below this size, in bytes, a second thread costs more than it gives.
const WORTH_A_THREAD: u64 = 4 << 20;

/// The result of hashing a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// The content's hash, as `b3sum` prints it.
    pub hash: ContentHash,
    /// How it is cut.
    pub chunking: Chunking,
    /// The hash of each chunk.
    pub manifest: Manifest,
    /// The file that was read, as it was before and after.
    pub fingerprint: Fingerprint,
}

impl Hashed {
    /// The content, as others are told of it, under this name.
    pub(in crate::io) fn content(&self, file: Arc<str>) -> Content {
        let (chunking, modified) = (&self.chunking, self.fingerprint.modified());
        Content {
            file,
            size: chunking.size(),
            hash: self.hash,
            chunk_size: chunking.chunk_size(),
            chunks: chunking.count().into(),
            modified: Some(modified),
        }
    }
}

/// The metadata that shows whether a file was changed or replaced since it was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// The device that holds the file.
    pub dev: u64,
    /// The file's number on that device.
    pub ino: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When its content was last changed, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// When anything about it was last changed, in nanoseconds since 1970; nobody can set it.
    pub ctime_ns: i128,
}

impl Fingerprint {
    /// The fingerprint of an open file.
    ///
    /// # Errors
    /// `not-a-file` for anything but a regular file, `not-readable` if the system does not tell.
    pub fn of(file: &File) -> Result<Self, Failure> {
        let meta = file.metadata().map_err(|e| unreadable(&e))?;
        Self::of_metadata(&meta).ok_or_else(|| ErrorCode::NotAFile.into())
    }

    /// The fingerprint of what is a regular file.
    pub(crate) fn of_metadata(meta: &Metadata) -> Option<Self> {
        let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        meta.is_file().then(|| Self {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            mtime_ns: ns(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: ns(meta.ctime(), meta.ctime_nsec()),
        })
    }

    /// The fingerprint of a regular file that was looked at.
    // The system's types differ between platforms.
    #[allow(clippy::unnecessary_cast)]
    pub(crate) fn of_stat(stat: &Stat) -> Self {
        let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            size: stat.st_size as u64,
            mtime_ns: ns(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ctime_ns: ns(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }

    /// When the content was last changed, as it is told to others.
    pub fn modified(&self) -> Timestamp {
        Timestamp(self.mtime_ns.div_euclid(1_000_000) as i64)
    }
}

/// Hashes a file with as many threads as the machine has (at most 8). `progress` is told the bytes
/// hashed so far, on the calling thread.
///
/// # Errors
/// `not-a-file`, `not-readable`; `source-changed` if the file was changed meanwhile; `interrupted`
/// if `cancel` was raised.
pub fn hash_file(
    file: &File,
    at_most_chunks: Option<u32>,
    progress: &mut dyn FnMut(u64),
    cancel: &Cancel,
) -> Result<Hashed, Failure> {
    hash_by(file, at_most_chunks, cancel, |work| work.manifest(progress))
}

/// Hashes a file on this thread alone. The buffer can be used for many files.
pub(crate) fn hash_alone(
    file: &File,
    at_most_chunks: Option<u32>,
    buffer: &mut Buffer,
    progress: &mut dyn FnMut(u64),
    cancel: &Cancel,
) -> Result<Hashed, Failure> {
    hash_by(file, at_most_chunks, cancel, |work| {
        Ok(work.rows(buffer, progress)?.into_iter().flat_map(|(_, row)| row).collect())
    })
}

fn hash_by(
    file: &File,
    at_most_chunks: Option<u32>,
    cancel: &Cancel,
    hash: impl FnOnce(&Work) -> Result<Manifest, Failure>,
) -> Result<Hashed, Failure> {
    let fingerprint = Fingerprint::of(file)?;
    if fingerprint.size > MAX_SIZE {
        return Err(Failure::new(ErrorCode::NotReadable, "The file is larger than 8 PiB."));
    }
    let chunking = Chunking::for_size(fingerprint.size, at_most_chunks);
    let run = (DEFAULT_CHUNK / chunking.chunk_size()).max(1) as u32;
    let work = Work { file, chunking, run, next: AtomicU32::new(0), hashed: AtomicU64::new(0), cancel };
    let manifest = hash(&work)?;
    if Fingerprint::of(file)? != fingerprint {
        return Err(changed());
    }
    Ok(Hashed { hash: root_of(&manifest), chunking, manifest, fingerprint })
}

/// Whether a manifest is the one of this content, cut this way.
pub fn verify_manifest(hash: ContentHash, chunking: Chunking, manifest: &[[u8; 32]]) -> bool {
    manifest.len() == chunking.count() as usize && root_of(manifest) == hash
}

/// The hash of the content that has this manifest.
fn root_of(manifest: &[[u8; 32]]) -> ContentHash {
    match manifest {
        [] => ContentHash(*blake3::hash(&[]).as_bytes()),
        [only] => ContentHash(*only),
        more => {
            let (left, right) = more.split_at(left_half(more.len()));
            ContentHash(*merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes())
        }
    }
}

/// The chaining value above a row of subtrees; at most 14 levels deep.
fn subtree(row: &[[u8; 32]]) -> [u8; 32] {
    match row {
        [only] => *only,
        more => {
            let (left, right) = more.split_at(left_half(more.len()));
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

/// BLAKE3's shape: the left side is the largest power of two that leaves something for the right.
fn left_half(len: usize) -> usize {
    len.next_power_of_two() / 2
}

/// Hashes one chunk, piece by piece.
pub(crate) struct ChunkHasher {
    hasher: blake3::Hasher,
    is_root: bool,
}

impl ChunkHasher {
    pub(crate) fn new(chunking: Chunking, index: u32) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(chunking.range(index).start);
        Self { hasher, is_root: chunking.count() == 1 }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The chunk's entry in the manifest. No chunk is empty.
    pub(crate) fn finish(&self) -> [u8; 32] {
        if self.is_root { *self.hasher.finalize().as_bytes() } else { self.hasher.finalize_non_root() }
    }
}

/// The buffer that files are read into.
pub(crate) struct Buffer(Vec<u8>);

impl Default for Buffer {
    fn default() -> Self {
        Self(vec![0; BUFFER])
    }
}

/// How many threads hash at once.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)
}

/// A file that several threads hash, run of chunks by run of chunks.
struct Work<'a> {
    file: &'a File,
    chunking: Chunking,
    /// How many chunks a thread takes at a time.
    run: u32,
    next: AtomicU32,
    hashed: AtomicU64,
    cancel: &'a Cancel,
}

/// The hashes of a row of chunks, from the chunk with this index on.
type Row = (u32, Vec<[u8; 32]>);

impl Work<'_> {
    fn manifest(&self, progress: &mut dyn FnMut(u64)) -> Result<Manifest, Failure> {
        let useful = (self.chunking.size() / WORTH_A_THREAD).min(MAX_THREADS as u64) as usize;
        let mut rows = thread::scope(|scope| {
            // A thread that cannot be had is not needed: the others take its share.
            let spawn =
                |_| thread::Builder::new().spawn_scoped(scope, || self.rows(&mut Buffer::default(), &mut |_| ())).ok();
            let helpers: Vec<_> = (1..threads().min(useful)).map_while(spawn).collect();
            let own = self.rows(&mut Buffer::default(), progress);
            let theirs = helpers.into_iter().map(|h| h.join().expect("hashing does not panic"));
            std::iter::once(own).chain(theirs).collect::<Result<Vec<Vec<Row>>, Failure>>()
        })?
        .concat();
        rows.sort_unstable_by_key(|(first, _)| *first);
        Ok(rows.into_iter().flat_map(|(_, row)| row).collect())
    }

    /// Hashes run after run until there is none left.
    fn rows(&self, buffer: &mut Buffer, progress: &mut dyn FnMut(u64)) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        loop {
            let first = self.next.fetch_add(self.run, Ordering::Relaxed);
            if first >= self.chunking.count() {
                return Ok(rows);
            }
            let row = first..(first + self.run).min(self.chunking.count());
            let hashes = row.map(|i| self.chunk(i, &mut buffer.0, progress)).collect::<Result<_, _>>();
            // After a failure nobody needs the rest.
            let hashes = hashes.inspect_err(|_| self.next.store(self.chunking.count(), Ordering::Relaxed))?;
            rows.push((first, hashes));
        }
    }

    fn chunk(&self, index: u32, buffer: &mut [u8], progress: &mut dyn FnMut(u64)) -> Result<[u8; 32], Failure> {
        let mut hasher = ChunkHasher::new(self.chunking, index);
        let mut range = self.chunking.range(index);
        while !range.is_empty() {
            if self.cancel.is_cancelled() {
                return Err(ErrorCode::Interrupted.into());
            }
            let piece = &mut buffer[..(range.end - range.start).min(BUFFER as u64) as usize];
            self.file
                .read_exact_at(piece, range.start)
                .map_err(|e| if e.kind() == std::io::ErrorKind::UnexpectedEof { changed() } else { unreadable(&e) })?;
            hasher.update(piece);
            range.start += piece.len() as u64;
            progress(self.hashed.fetch_add(piece.len() as u64, Ordering::Relaxed) + piece.len() as u64);
        }
        Ok(hasher.finish())
    }
}

fn unreadable(e: &std::io::Error) -> Failure {
    Failure::new(ErrorCode::NotReadable, format!("The file cannot be read: {}.", cause::of_io(e)))
}

fn changed() -> Failure {
    Failure::new(ErrorCode::SourceChanged, "The file was changed while it was being read.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn bytes(len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        blake3::Hasher::new().update(b"test").finalize_xof().fill(&mut out);
        out
    }

    fn hash(file: &File, at_most: Option<u32>) -> Result<Hashed, Failure> {
        hash_file(file, at_most, &mut |_| (), &Cancel::default())
    }

    #[test]
    fn data_hashes_as_b3sum_prints_it_however_it_is_cut() {
        let mib = 1 << 20;
        for len in [0, 1, 1023, 1024, 1025, 4096, mib - 1, mib, mib + 1, 2 * mib, 3 * mib + 5, 9 * mib + 1] {
            let content = bytes(len);
            let file = file_of(&content);
            for at_most in [None, Some(1), Some(2), Some(3), Some(7), Some(100), Some(16_384)] {
                let hashed = hash(&file, at_most).unwrap();
                let whole = ContentHash(*blake3::hash(&content).as_bytes());
                assert_eq!(hashed.hash, whole, "{len} {at_most:?}");
                assert_eq!(hashed.manifest.len(), hashed.chunking.count() as usize);
                assert!(verify_manifest(whole, hashed.chunking, &hashed.manifest));
            }
        }
    }

    #[test]
    fn data_manifest_of_no_chunk_and_of_one() {
        assert_eq!(&*hash(&file_of(b""), None).unwrap().manifest, &[] as &[[u8; 32]]);
        assert_eq!(&*hash(&file_of(b"abc"), None).unwrap().manifest, &[*blake3::hash(b"abc").as_bytes()]);
    }

    #[test]
    fn data_manifest_that_lies_is_refused() {
        let hashed = hash(&file_of(&bytes(3 << 20)), None).unwrap();
        let mut wrong = hashed.manifest.to_vec();
        wrong[1][0] ^= 1;
        assert!(!verify_manifest(hashed.hash, hashed.chunking, &wrong));
        assert!(!verify_manifest(hashed.hash, hashed.chunking, &hashed.manifest[..2]));
        assert!(!verify_manifest(hashed.hash, hashed.chunking, &[]));
    }

    #[test]
    fn data_hashing_can_be_cancelled_and_tells_its_progress() {
        let file = file_of(&bytes(5 << 20));
        let cancel = Cancel::default();
        let mut last = 0;
        let mut stop = |n| {
            last = n;
            cancel.cancel();
        };
        let failure = hash_file(&file, None, &mut stop, &cancel).unwrap_err();
        assert_eq!(failure.code, ErrorCode::Interrupted);
        assert!(last > 0);
    }

    #[test]
    fn data_file_changed_while_it_is_hashed() {
        let mut file = file_of(&bytes(5 << 20));
        let mut writer = file.try_clone().unwrap();
        let mut append = |_| writer.write_all(b"more").unwrap();
        let failure = hash_file(&file, None, &mut append, &Cancel::default()).unwrap_err();
        assert_eq!(failure.code, ErrorCode::SourceChanged);
        file.flush().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let failure = hash(&File::open(folder.path()).unwrap(), None).unwrap_err();
        assert_eq!(failure.code, ErrorCode::NotAFile);
    }
}
