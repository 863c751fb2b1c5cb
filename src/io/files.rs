//! The folder that is offered from: looked at, opened and hashed without following links.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::cancel::Cancel;
use super::data::Shelf;
use super::hash::{Hashed, hash_file};
use crate::protocol::line::pointer_at;
use crate::protocol::{Content, ErrorCode, Failure};

/// A folder by its full name.
///
/// # Errors
/// `no-such-dir`, `not-a-dir`, or `not-readable`.
pub fn check_dir(dir: &Path) -> Result<PathBuf, Failure> {
    let shown = dir.display();
    let full = dir.canonicalize().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Failure::new(ErrorCode::NoSuchDir, format!("There is no folder {shown}.")),
        io::ErrorKind::NotADirectory => Failure::new(ErrorCode::NotADir, format!("{shown} is not a folder.")),
        _ => Failure::new(ErrorCode::NotReadable, format!("The folder {shown} cannot be read: {e}.")),
    })?;
    if !full.is_dir() {
        return Err(Failure::new(ErrorCode::NotADir, format!("{shown} is not a folder.")));
    }
    if full.to_str().is_none() {
        return Err(Failure::new(ErrorCode::BadName, "The folder's full name is not UTF-8."));
    }
    Ok(full)
}

/// Hashes files of a folder and puts them on the shelf: all of them, or none.
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
    let mut hashed = Vec::with_capacity(files.len());
    for (i, file) in files.iter().enumerate() {
        let at = |failure: Failure| failure.at(pointer_at(&format!("/files/{i}")));
        let open = open_beneath(dir, file).map_err(at)?;
        hashed.push(hash_file(&open, chunks, &mut |_| (), cancel).map_err(at)?);
    }
    let contents = files.iter().zip(hashed).map(|(file, hashed)| {
        let content = content_of(file, &hashed);
        shelf.add(file, dir.join(file), hashed);
        content
    });
    Ok(contents.collect())
}

fn content_of(file: &str, hashed: &Hashed) -> Content {
    Content {
        file: file.to_owned(),
        size: hashed.chunking.size(),
        hash: hashed.hash,
        chunk_size: hashed.chunking.chunk_size(),
        chunks: hashed.chunking.count().into(),
    }
}

/// Opens a regular file below a folder. No part of its name may be a link: what is outside the folder
/// was not meant to be offered.
fn open_beneath(dir: &Path, file: &str) -> Result<File, Failure> {
    let (folders, name) = file.rsplit_once('/').map_or((None, file), |(folders, name)| (Some(folders), name));
    let refuse = |errno: Errno| refusal(file, errno);
    let base = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    let mut folder: OwnedFd = openat(CWD, dir, base, Mode::empty()).map_err(refuse)?;
    for part in folders.into_iter().flat_map(|folders| folders.split('/')) {
        folder = openat(&folder, part, base | OFlags::NOFOLLOW, Mode::empty()).map_err(refuse)?;
    }
    // Not blocking: opening a pipe must not wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = File::from(openat(&folder, name, flags, Mode::empty()).map_err(refuse)?);
    match open.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(open),
        Ok(_) => Err(Failure::new(ErrorCode::NotAFile, format!("{file} is not a regular file."))),
        Err(e) => Err(Failure::new(ErrorCode::NotReadable, format!("{file} cannot be read: {e}."))),
    }
}

fn refusal(file: &str, errno: Errno) -> Failure {
    match errno {
        Errno::NOENT => Failure::new(ErrorCode::NoSuchFile, format!("There is no file {file}.")),
        Errno::LOOP | Errno::NOTDIR | Errno::NXIO => {
            Failure::new(ErrorCode::NotAFile, format!("{file} is not a regular file, or a part of its name is a link."))
        }
        other => Failure::new(ErrorCode::NotReadable, format!("{file} cannot be read: {other}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_inside_the_folder_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("shared");
        std::fs::create_dir_all(inside.join("sub")).unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        std::fs::write(inside.join("sub/a"), "a").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), inside.join("link")).unwrap();
        std::os::unix::fs::symlink(dir.path(), inside.join("up")).unwrap();
        let code = |file: &str| open_beneath(&inside, file).map(drop).map_err(|failure| failure.code);
        assert_eq!(code("sub/a"), Ok(()));
        assert_eq!(code("nothing"), Err(ErrorCode::NoSuchFile));
        for wrong in ["link", "up/secret", "sub"] {
            assert_eq!(code(wrong), Err(ErrorCode::NotAFile), "{wrong}");
        }
    }
}
