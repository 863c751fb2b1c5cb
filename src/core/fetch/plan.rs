//! What is to be fetched, from whom, and what becomes of it.

use std::net::SocketAddr;

use crate::protocol::event::Holder;
use crate::protocol::{ChunkSet, Chunking, ContentHash, ErrorCode, Failure, OnConflict, PublicKey, Timestamp};

/// One transfer: a file, some chunks of one, or a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchPlan {
    /// What it is called: the name under which the file is offered, or a folder's with `/` at its end.
    pub name: String,
    /// The content of the file, or the hash by which the folder is known.
    pub hash: ContentHash,
    /// The files: one, unless it is a folder.
    pub files: Vec<PlannedFile>,
    /// Who has them, the preferred first.
    pub sources: Vec<Source>,
    /// Whose file it shall be, if that was said: without the key that is known for them, nothing is fetched.
    pub from: Option<String>,
    /// The chunks that are wanted of the file; `None` for all. What is not in the content is left out.
    pub chunks: Option<ChunkSet>,
    /// What to do with each file whose name is taken by another content.
    pub on_conflict: OnConflict,
    /// Whether others may fetch from us what we have got of it: not what was given to us alone.
    pub share: bool,
    /// Whether its sources are known by their keys alone: what they are called here is no name that has a key.
    pub by_key: bool,
    /// Whether it goes to the client's private place for what is only passed on, and not to the download folder.
    pub apart: bool,
}

/// One file of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedFile {
    /// The name under which it is offered.
    pub file: String,
    /// The name to save under, relative to the download folder.
    pub target: String,
    /// The content.
    pub hash: ContentHash,
    /// How it is cut. Sources that cut it otherwise serve it too, but not its manifest.
    pub chunking: Chunking,
    /// When its owner says that it was last changed, which is what it shall say here, too.
    pub modified: Option<Timestamp>,
    /// Who has it: places in [`FetchPlan::sources`]. A file that is not part of a folder can be had from all of them.
    pub sources: Vec<u32>,
}

/// Somebody who has some of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// By which it is told about.
    pub name: String,
    /// Where it serves files.
    pub address: SocketAddr,
    /// The key that it must prove to hold.
    pub key: PublicKey,
    /// Which chunks it has; `None` for all. It has the files of a folder whole.
    pub has: Option<ChunkSet>,
}

impl FetchPlan {
    /// All of a file from these sources, under the name by which it is offered; others may have it from us.
    pub fn of_file(name: &str, hash: ContentHash, chunking: Chunking, sources: Vec<Source>) -> Self {
        let (file, target) = (name.to_owned(), name.to_owned());
        let file = PlannedFile { file, target, hash, chunking, modified: None, sources: Vec::new() };
        let (name, files, on_conflict) = (name.to_owned(), vec![file], OnConflict::Fail);
        let (share, by_key, apart) = (true, false, false);
        Self { name, hash, files, sources, from: None, chunks: None, on_conflict, share, by_key, apart }
    }

    /// A content that these people have, the preferred first.
    ///
    /// # Errors
    /// `not-offered` if nobody has it; `peer-broke` if what its offer says of it cannot be true.
    pub fn of_held(holders: &[Holder]) -> Result<Self, Failure> {
        let first = &holders.first().ok_or(ErrorCode::NotOffered)?.offer;
        let chunking = first.chunking().ok_or_else(unfit)?;
        let mut plan = Self::of_file(&first.file, first.hash, chunking, holders.iter().map(Source::from).collect());
        plan.files[0].modified = first.modified;
        Ok(plan)
    }

    /// A folder of these files, known by the hash of what `b3sum` prints for them.
    pub fn of_folder(name: &str, files: Vec<PlannedFile>, sources: Vec<Source>, on_conflict: OnConflict) -> Self {
        let mut hasher = blake3::Hasher::new();
        for PlannedFile { file, hash, .. } in &files {
            hash.with_digits(|digits| hasher.update(digits.as_bytes()).update(b"  "));
            hasher.update(file.as_bytes()).update(b"\n");
        }
        let hash = ContentHash(*hasher.finalize().as_bytes());
        Self {
            name: name.to_owned(),
            hash,
            files,
            sources,
            from: None,
            chunks: None,
            on_conflict,
            share: true,
            by_key: false,
            apart: false,
        }
    }

    /// Keeps the sources for which this says so, in their order. Files name them by their new places.
    pub fn keep_sources(&mut self, keeps: &[bool]) {
        let keeps = |place: u32| keeps.get(place as usize) == Some(&true);
        let mut kept = 0;
        let places: Vec<Option<u32>> = (0..self.sources.len() as u32)
            .map(|place| {
                kept += u32::from(keeps(place));
                keeps(place).then(|| kept - 1)
            })
            .collect();
        let mut place = 0..;
        self.sources.retain(|_| place.next().is_some_and(keeps));
        for file in &mut self.files {
            let new = |place: &u32| places.get(*place as usize).copied().flatten();
            file.sources = file.sources.iter().filter_map(new).collect();
        }
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }

    /// The bytes of all files. What is offered is not to be believed, hence the saturation.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.chunking.size()))
    }

    /// The bytes of what is wanted.
    pub fn wanted_size(&self) -> u64 {
        let (Some(chunks), Some(file)) = (&self.chunks, self.files.first()) else { return self.size() };
        let inside = chunks.iter().filter(|chunk| *chunk < file.chunking.count());
        inside.map(|chunk| file.chunking.range(chunk)).map(|range| range.end - range.start).sum()
    }

    /// The wanted chunks of the file; `None` for all.
    ///
    /// # Errors
    /// `bad-request` if it has none of them.
    pub(super) fn wanted(&self, count: u32) -> Result<Option<ChunkSet>, Failure> {
        let Some(chunks) = &self.chunks else { return Ok(None) };
        let inside: ChunkSet = chunks.iter().filter(|chunk| *chunk < count).collect();
        if inside.len() == count {
            return Ok(None);
        }
        if inside.is_empty() {
            let message = format!("The file has none of these chunks; it has {count}, counted from 0.");
            return Err(Failure::new(ErrorCode::BadRequest, message));
        }
        Ok(Some(inside))
    }
}

impl From<&Holder> for Source {
    fn from(holder: &Holder) -> Self {
        let (name, has) = (holder.offer.owner.clone(), holder.has.clone());
        Self { name, address: SocketAddr::new(holder.offer.address, holder.offer.port), key: holder.key, has }
    }
}

/// Why an offer cannot be fetched.
pub fn unfit() -> Failure {
    Failure::new(ErrorCode::PeerBroke, "The offer's size and chunks do not fit together.")
}

/// Why a source does not go on whose user has ended the upload.
pub fn ended_there() -> Failure {
    let failure = Failure::new(ErrorCode::PeerRefused, "The other client has ended the transfer.");
    failure.hint("Ask them why; `get` again goes on from what is there.")
}
