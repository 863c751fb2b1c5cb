//! Checks folders that are named on the command line or by `setdir` before they are used.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::protocol::cause;
use crate::protocol::{ErrorCode, Failure};

/// The most sibling folders that are compared with a misspelt name.
const NEIGHBOURS: usize = 10_000;

/// Resolves a folder to its absolute path, without links.
///
/// # Errors
/// `no-such-dir`, with a hint if a sibling has nearly the same name; `not-a-dir`, or `not-readable`.
pub fn check_dir(dir: &Path) -> Result<PathBuf, Failure> {
    let shown = dir.display();
    let full = dir.canonicalize().map_err(|e| {
        if e.kind() == io::ErrorKind::NotFound {
            let failure = Failure::new(ErrorCode::NoSuchDir, format!("There is no folder {shown}."));
            return match near(dir) {
                Some(meant) => failure.hint(format!("Did you mean `{}`?", meant.display())),
                None => failure,
            };
        }
        if e.kind() == io::ErrorKind::NotADirectory {
            return not_a_dir(dir);
        }
        Failure::new(ErrorCode::NotReadable, format!("The folder {shown} cannot be read: {}.", cause::of_io(&e)))
    })?;
    if !full.is_dir() {
        return Err(not_a_dir(dir));
    }
    if full.to_str().is_none() {
        return Err(Failure::new(ErrorCode::BadName, "The folder's full name is not UTF-8."));
    }
    Ok(full)
}

/// Checks that files can be written to a folder, or that the folder can be created.
///
/// # Errors
/// `not-a-dir` or `not-writable`, naming the file or folder that is the reason.
pub fn check_target(dir: &Path) -> Result<(), Failure> {
    let cannot =
        |what: String, e: &io::Error| Failure::new(ErrorCode::NotWritable, format!("{what}: {}.", cause::of_io(e)));
    for folder in dir.ancestors() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        match folder.metadata() {
            Ok(found) if !found.is_dir() => return Err(not_a_dir(folder)),
            Ok(_) => {
                let what = match folder == dir {
                    true => format!("The folder {} cannot be written", dir.display()),
                    false => format!("The folder {} cannot be made in {}", dir.display(), folder.display()),
                };
                let usable = access(folder, Access::WRITE_OK | Access::EXEC_OK);
                return usable.map_err(|e| cannot(what, &e.into()));
            }
            // It can be created, unless the path is a link that leads nowhere.
            Err(e) if e.kind() == io::ErrorKind::NotFound && folder.symlink_metadata().is_err() => {}
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => {}
            Err(e) => return Err(cannot(format!("The folder {} cannot be used", folder.display()), &e)),
        }
    }
    Ok(())
}

fn not_a_dir(dir: &Path) -> Failure {
    Failure::new(ErrorCode::NotADir, format!("{} is not a folder.", dir.display()))
}

/// The sibling of a misspelt folder that has nearly the same name.
fn near(dir: &Path) -> Option<PathBuf> {
    let wanted = dir.file_name()?.to_str()?.to_lowercase();
    let beside = dir.parent()?;
    let looked_in = if beside.as_os_str().is_empty() { Path::new(".") } else { beside };
    let entries = looked_in.read_dir().ok()?.take(NEIGHBOURS).flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let near = names.filter_map(|name| {
        let distance = strsim::damerau_levenshtein(&wanted, &name.to_lowercase());
        let few = distance <= 2 && distance < wanted.chars().count().min(name.chars().count());
        (few && looked_in.join(&name).is_dir()).then_some((distance, name))
    });
    near.min().map(|(_, name)| beside.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_folder_has_neighbours() {
        let base = tempfile::tempdir().unwrap();
        std::fs::create_dir(base.path().join("music")).unwrap();
        std::fs::write(base.path().join("musik2"), b"a file").unwrap();
        let hint = |name: &str| check_dir(&base.path().join(name)).unwrap_err().hint;
        let music = format!("Did you mean `{}`?", base.path().join("music").display());
        for name in ["musik", "Musci", "musicx"] {
            assert_eq!(hint(name).as_deref(), Some(music.as_str()), "{name}");
        }
        for name in ["pictures", "music/deep", "no/music", "m"] {
            assert_eq!(hint(name), None, "{name}");
        }
    }

    #[test]
    fn what_cannot_take_files_is_named() {
        let base = tempfile::tempdir().unwrap();
        let at = |path: &str| base.path().join(path);
        std::fs::write(at("file"), b"").unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("link")).unwrap();
        for (path, code) in
            [("file", ErrorCode::NotADir), ("file/deep/er", ErrorCode::NotADir), ("link", ErrorCode::NotWritable)]
        {
            let failure = check_target(&at(path)).unwrap_err();
            assert_eq!(failure.code, code, "{failure}");
            assert!(failure.message.contains(path.split('/').next().unwrap()), "{failure}");
        }
        for path in ["", "new", "new/deep"] {
            assert_eq!(check_target(&at(path)), Ok(()), "{path}");
        }
        assert!(!at("new").exists(), "looking makes nothing");
    }
}
