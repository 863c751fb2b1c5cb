//! What is offered: folders looked through, files opened and hashed without following links.

mod offering;
#[cfg(test)]
mod tests;
mod walk;
pub mod watch;

use std::path::Path;
use std::sync::Arc;

use super::data::Shelf;
use crate::core::session::Offering;
use crate::io::content::hash::Hashed;
use crate::io::content::hash_cache::HashCache;
use crate::io::os::cancel::Cancel;
use crate::protocol::{Content, Failure};

pub use offering::{Offers, Progress};
pub(crate) use offering::{Ready, hash_or_remember};
pub(crate) use walk::{Found, find_in, is_hidden};

/// Hashes files of a folder and puts them on the shelf, all of them or none; they are not watched.
///
/// # Errors
/// The first failure, with the place of the file in the request.
pub fn shelve(
    dir: &Path,
    files: &[String],
    chunks: Option<u32>,
    shelf: &Shelf,
    cancel: &Cancel,
) -> Result<Vec<Content>, Failure> {
    let (dir, files) = (dir.to_string_lossy().into_owned(), files.to_vec());
    let folder = Path::new(&dir).to_owned();
    let offering = Offering { task: 0, dir, files, chunks, hidden: false, watch: false };
    let ready = offering::prepare(&offering, &HashCache::new(None), &mut |_| (), cancel)?;
    let put = ready.files.into_iter().map(|file| {
        let content = file.content();
        shelf.add(file.name, folder.join(&*content.file), file.hashed);
        content
    });
    Ok(put.collect())
}

/// What a file that was hashed is, under this name.
pub(crate) fn content_of(file: Arc<str>, hashed: &Hashed) -> Content {
    Content {
        file,
        size: hashed.chunking.size(),
        hash: hashed.hash,
        chunk_size: hashed.chunking.chunk_size(),
        chunks: hashed.chunking.count().into(),
        modified: Some(hashed.fingerprint.modified()),
    }
}
