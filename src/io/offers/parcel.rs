//! Finds and hashes what is to go into a parcel: files and folders anywhere on this machine, each under the name that it
//! gets at the receiver.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::empty::empty_folders;
use super::offering::Offers;
use super::walk::{FoundFile, find};
use crate::io::content::hash::Hashed;
use crate::io::content::hash_cache::HashCache;
use crate::io::content::hash_many::{Meter, Progress, TOGETHER, hash_some};
use crate::io::content::stored_content::{Holds, Place, StoredContent};
use crate::io::os::cancel::Cancel;
use crate::protocol::limits::PARCEL_FILES;
use crate::protocol::line::pointer_at;
use crate::protocol::name::check_file;
use crate::protocol::parcel::{name_of, stream_name};
use crate::protocol::types::{SkipReason, Skipped};
use crate::protocol::{Content, ErrorCode, Failure, cause};

/// How many empty folders are told of for each folder that is named.
const TOLD_EMPTY: usize = 10;

/// The files of a parcel, hashed.
#[derive(Debug)]
pub struct Gathered {
    /// What the parcel is called: by its file, its folder, or the first of several.
    pub name: String,
    /// The files. None has another one's name, nor is it a folder of another one.
    pub files: Vec<ParcelFile>,
    /// What was left out of the folders: links, and what is neither a file nor a folder.
    pub skipped: Vec<Skipped>,
    /// The folders in it in which there is nothing, so that they do not arrive; a few of them if there are many.
    pub empty: Vec<String>,
}

/// One file of a parcel.
#[derive(Debug, Clone)]
pub struct ParcelFile {
    /// The name that it gets at the receiver.
    pub name: Arc<str>,
    path: PathBuf,
    hashed: Hashed,
}

impl ParcelFile {
    /// The content, as the receiver is told of it.
    pub fn content(&self) -> Content {
        self.hashed.content(self.name.clone())
    }

    pub(in crate::io) fn stored(self) -> StoredContent {
        let Self { name, path, hashed } = self;
        StoredContent { name, place: Place::At(path.into()), hashed, holds: Holds::All }
    }
}

/// A path that was named, and where that is.
struct Named {
    /// The folder that it is in, without links.
    dir: PathBuf,
    /// Its name there.
    here: String,
    /// Its name at the receiver.
    there: String,
}

impl Offers {
    /// Finds and hashes files and folders, those with hidden names included. What is named may be a link; links in folders
    /// are left out. Nothing of it is offered or watched.
    ///
    /// # Errors
    /// With the place in the request: `no-such-file`, `not-a-file`, `not-readable`, `bad-name`, `empty-dir`, or
    /// `bad-request` if two have the same name; `too-many`; `source-changed`; `interrupted` if `cancel` was raised.
    pub fn gather(
        &self,
        paths: &[String],
        stream: bool,
        progress: &mut Progress<'_>,
        cancel: &Cancel,
    ) -> Result<Gathered, Failure> {
        let mut named = Vec::with_capacity(paths.len());
        for (place, path) in paths.iter().enumerate() {
            named.push(locate(path).map_err(|failure| failure.at(place_at(place)))?);
        }
        no_two_alike(paths, &named)?;
        let (found, skipped) = find_all(&named, cancel)?;
        let mut files = hash_all(&named, found, self.cache(), progress, cancel)?;
        if stream {
            for file in &mut files {
                file.name = stream_name(&file.hashed.hash).into();
            }
        }
        let name = name_of(files.iter().map(|file| &*file.name));
        // Of a file there is nothing to find.
        let empty = |one: &Named| empty_folders(&one.dir.join(&one.here), &one.there, TOLD_EMPTY);
        let empty = named.iter().flat_map(empty).collect();
        Ok(Gathered { name, files, skipped, empty })
    }

    /// Hashes one file that is no part of what the user named.
    pub(in crate::io) fn gather_one(&self, path: &Path, name: &str, cancel: &Cancel) -> Result<ParcelFile, Failure> {
        let unnamed = || Failure::from(ErrorCode::Internal);
        let dir = path.parent().and_then(Path::to_str).ok_or_else(unnamed)?;
        let file = path.file_name().and_then(|file| file.to_str()).ok_or_else(unnamed)?;
        let (_, path, hashed) = self.hash_one(Some(dir), file, cancel)?;
        Ok(ParcelFile { name: name.into(), path, hashed })
    }
}

/// Where a path leads.
fn locate(given: &str) -> Result<Named, Failure> {
    let path = Path::new(given);
    let missing = |e: io::Error| match [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&e.kind()) {
        true => Failure::new(ErrorCode::NoSuchFile, format!("There is no file or folder {given}."))
            .hint("Names are relative to where potluck was started."),
        false => Failure::new(ErrorCode::NotReadable, format!("{given} cannot be read: {}.", cause::of_io(&e))),
    };
    let meta = path.metadata().map_err(missing)?;
    let full = path.canonicalize().map_err(missing)?;
    // What is named is what the user sees, even if it is a link; of `.` and `..` it is what they are.
    let there = path.file_name().or(full.file_name());
    let (Some(dir), Some(here), Some(there)) = (full.parent(), full.file_name(), there) else {
        return Err(Failure::new(ErrorCode::NotReadable, "The whole file system cannot be sent.")
            .hint("Name the files and folders in it."));
    };
    let no_text = || Failure::new(ErrorCode::BadName, format!("The name of {given} is not UTF-8."));
    let here = here.to_str().ok_or_else(no_text)?.to_owned();
    let there = there.to_str().ok_or_else(no_text)?.to_owned();
    check_file(&there).map_err(|failure| {
        Failure::new(ErrorCode::BadName, format!("{given} has a name that others cannot take: {}.", failure.message))
            .hint("Give it another name, or send it with `potluck send - < FILE`.")
    })?;
    check_usable(given, &meta)?;
    Ok(Named { dir: dir.to_owned(), here, there })
}

fn check_usable(given: &str, meta: &Metadata) -> Result<(), Failure> {
    if !meta.is_dir() && !meta.is_file() {
        return Err(Failure::new(ErrorCode::NotAFile, format!("{given} is neither a file nor a folder."))
            .hint("What comes out of a pipe or a device can be sent with `potluck send -`."));
    }
    Ok(())
}

/// Everything arrives in one folder, under the last part of its name.
fn no_two_alike(paths: &[String], named: &[Named]) -> Result<(), Failure> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (place, one) in named.iter().enumerate() {
        if let Some(before) = seen.insert(&one.there, place) {
            let message = format!("{} and {} would both arrive as {}.", paths[before], paths[place], one.there);
            return Err(Failure::new(ErrorCode::BadRequest, message)
                .hint("Send them one after the other, or put them into a folder.")
                .at(place_at(place)));
        }
    }
    Ok(())
}

/// A file that was found, and which of the named paths it belongs to.
struct FoundOf {
    named: usize,
    file: FoundFile,
}

fn find_all(named: &[Named], cancel: &Cancel) -> Result<(Vec<FoundOf>, Vec<Skipped>), Failure> {
    let (mut files, mut skipped) = (Vec::new(), Vec::new());
    for (place, one) in named.iter().enumerate() {
        let found = find(&one.dir, std::slice::from_ref(&one.here), true, cancel);
        let found = found.map_err(|failure| failure.at(place_at(place)))?;
        for left in found.skipped {
            let file = renamed(one, &left.file);
            match left.reason {
                SkipReason::Link | SkipReason::Special => skipped.push(Skipped { file, ..left }),
                SkipReason::Name => {
                    let message = format!("{} has a name that others cannot take.", left.file);
                    let failure = Failure::new(ErrorCode::BadName, message);
                    return Err(failure
                        .hint("Give it another name: without control characters or backslashes, in UTF-8 (NFC)."));
                }
                SkipReason::Unreadable => {
                    let message = format!("{} cannot be read.", left.file);
                    let failure = Failure::new(ErrorCode::NotReadable, message);
                    return Err(failure.hint("Make it readable, or send the others without it."));
                }
            }
        }
        if found.files.is_empty() {
            let message = format!("There is nothing in {} to send.", one.there);
            return Err(Failure::new(ErrorCode::EmptyDir, message)
                .hint("Folders are sent with the files in them.")
                .at(place_at(place)));
        }
        files.extend(found.files.into_iter().map(|file| FoundOf { named: place, file }));
        if files.len() > PARCEL_FILES {
            let message = format!("There are more than {PARCEL_FILES} files.");
            return Err(Failure::new(ErrorCode::TooMany, message).hint("Pack them: `tar c FOLDER | potluck send -`."));
        }
    }
    Ok((files, skipped))
}

fn hash_all(
    named: &[Named],
    found: Vec<FoundOf>,
    cache: &HashCache,
    progress: &mut Progress<'_>,
    cancel: &Cancel,
) -> Result<Vec<ParcelFile>, Failure> {
    let size = found.iter().fold(0_u64, |sum, found| sum.saturating_add(found.file.fingerprint.size));
    let meter = Meter::new(found.len() as u64, size, progress);
    let mut files: Vec<Option<ParcelFile>> = Vec::new();
    files.resize_with(found.len(), || None);
    // Those in one folder are hashed side by side, whichever path named them.
    let mut by_dir: HashMap<&Path, Vec<usize>> = HashMap::new();
    for (at, found) in found.iter().enumerate() {
        by_dir.entry(&named[found.named].dir).or_default().push(at);
    }
    for (dir, all) in by_dir {
        for some in all.chunks(TOGETHER) {
            let jobs: Vec<_> =
                some.iter().map(|at| &found[*at].file).map(|file| (&*file.name, file.fingerprint)).collect();
            for (at, hashed) in some.iter().zip(hash_some(dir, &jobs, None, cache, &meter, cancel)) {
                let FoundOf { named: of, file } = &found[*at];
                let hashed = hashed.map_err(|failure| of_file(failure, &file.name).at(place_at(*of)))?;
                let name = renamed(&named[*of], &file.name).into();
                files[*at] = Some(ParcelFile { name, path: dir.join(&*file.name), hashed });
            }
        }
    }
    Ok(files.into_iter().flatten().collect())
}

/// Names the file in a failure that does not.
fn of_file(failure: Failure, file: &str) -> Failure {
    if matches!(failure.code, ErrorCode::SourceChanged | ErrorCode::NoSuchFile) {
        let message = format!("{file} was changed or removed while it was being read.");
        return Failure::new(ErrorCode::SourceChanged, message)
            .hint("Send it again when nothing writes to it any more.");
    }
    if failure.code == ErrorCode::NotReadable && !failure.message.contains(file) {
        return Failure { message: format!("{file}: {}", failure.message).into(), ..failure };
    }
    failure
}

/// The name at the receiver of a file that was found below a path.
fn renamed(named: &Named, file: &str) -> String {
    match file.strip_prefix(&named.here) {
        Some(below) => format!("{}{below}", named.there),
        None => file.to_owned(),
    }
}

fn place_at(place: usize) -> crate::protocol::At {
    pointer_at(&format!("/paths/{place}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::content::store::ContentStore;

    fn gathered(paths: &[&Path]) -> Result<Gathered, Failure> {
        let paths: Vec<String> = paths.iter().map(|path| path.to_str().unwrap().to_owned()).collect();
        let offers = Offers::new(ContentStore::default(), None, |_| ());
        offers.gather(&paths, false, &mut |_| (), &Cancel::default())
    }

    fn names(gathered: &Gathered) -> Vec<&str> {
        gathered.files.iter().map(|file| &*file.name).collect()
    }

    #[test]
    fn what_is_named_arrives_under_the_last_part_of_its_name() {
        let base = tempfile::tempdir().unwrap();
        let at = |path: &str| base.path().join(path);
        std::fs::create_dir_all(at("deep/photos/.hidden")).unwrap();
        for file in ["deep/photos/a b.jpg", "deep/photos/.hidden/b", "talk.mp4", "deep/é.txt"] {
            std::fs::write(at(file), file).unwrap();
        }
        std::os::unix::fs::symlink(at("talk.mp4"), at("deep/photos/link")).unwrap();
        std::os::unix::fs::symlink(at("deep/photos"), at("pictures")).unwrap();
        let one = gathered(&[&at("talk.mp4")]).unwrap();
        assert_eq!((one.name.as_str(), names(&one)), ("talk.mp4", vec!["talk.mp4"]));
        let folder = gathered(&[&at("deep/photos/../photos/.")]).unwrap();
        assert_eq!(folder.name, "photos/");
        assert_eq!(names(&folder), ["photos/.hidden/b", "photos/a b.jpg"]);
        assert_eq!(folder.skipped, [Skipped { file: "photos/link".into(), reason: SkipReason::Link }]);
        let several = gathered(&[&at("pictures"), &at("talk.mp4"), &at("deep/é.txt")]).unwrap();
        assert_eq!(several.name, "pictures and 2 more");
        assert_eq!(names(&several), ["pictures/.hidden/b", "pictures/a b.jpg", "talk.mp4", "é.txt"]);
        let stored = several.files.into_iter().next().unwrap().stored();
        assert_eq!(stored.path(), at("deep/photos/.hidden/b").canonicalize().unwrap());
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        let base = tempfile::tempdir().unwrap();
        let at = |path: &str| base.path().join(path);
        std::fs::create_dir_all(at("one/empty")).unwrap();
        std::fs::create_dir_all(at("strange")).unwrap();
        for file in ["a.txt", "one/a.txt", "strange/a\u{1b}b", "back\\slash"] {
            std::fs::write(at(file), file).unwrap();
        }
        for (paths, code, told) in [
            (vec![at("none")], ErrorCode::NoSuchFile, "There is no file or folder"),
            (vec![at("one/empty")], ErrorCode::EmptyDir, "nothing in empty"),
            (vec![at("a.txt"), at("one/a.txt")], ErrorCode::BadRequest, "would both arrive as a.txt"),
            (vec![PathBuf::from("/")], ErrorCode::NotReadable, "whole file system"),
            (vec![PathBuf::from("/dev/null")], ErrorCode::NotAFile, "neither a file nor a folder"),
            (vec![at("strange")], ErrorCode::BadName, "others cannot take"),
            (vec![at("back\\slash")], ErrorCode::BadName, "backslash"),
        ] {
            let failure = gathered(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>()).unwrap_err();
            assert!(failure.code == code && failure.message.contains(told), "{failure}");
        }
    }
}
