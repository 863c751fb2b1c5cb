//! Finds the folders in which there is no file, so that whoever sends a folder learns what does not arrive.

use std::path::Path;

/// The most levels that are looked at.
const DEPTH: usize = 64;

/// The names of the folders below `folder` in which there is nothing at all, as paths that begin with `name`; at most
/// `most`. What cannot be read is left out.
pub(super) fn empty_folders(folder: &Path, name: &str, most: usize) -> Vec<String> {
    let mut found = Vec::new();
    look(folder, name, DEPTH, most, &mut found);
    found.sort_unstable();
    found
}

fn look(folder: &Path, name: &str, depth: usize, most: usize, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut is_empty = true;
    for entry in entries.flatten() {
        is_empty = false;
        // Links are not followed.
        if depth > 0 && found.len() < most && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let below = format!("{name}/{}", entry.file_name().to_string_lossy());
            look(&entry.path(), &below, depth - 1, most, found);
        }
    }
    if is_empty && found.len() < most {
        found.push(format!("{name}/"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_without_anything_in_them_are_found() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["full", "none", "deep/none"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        std::fs::write(dir.path().join("full/a"), b"a").unwrap();
        std::os::unix::fs::symlink("none", dir.path().join("link")).unwrap();
        assert_eq!(empty_folders(dir.path(), "all", 9), ["all/deep/none/", "all/none/"]);
        assert_eq!(empty_folders(dir.path(), "all", 1).len(), 1);
    }
}
