//! Where files go, and where they never go.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::io::content::hash::Fingerprint;
use crate::io::content::partial_file::is_only_renamed;
use crate::protocol::Chunking;

struct Setting {
    giver: Giver,
    downloads: TempDir,
    hashed: Hashed,
}

impl Setting {
    fn new() -> Self {
        let giver = Giver::new(1);
        let hashed = giver.offer("a.txt", b"new");
        Self { giver, downloads: tempfile::tempdir().unwrap(), hashed }
    }

    fn job(&self, target: &str, on_conflict: OnConflict) -> FetchJob {
        let job = job(&self.hashed, "a.txt", vec![self.giver.source("gil")], self.downloads.path());
        FetchJob { target: target.to_owned(), on_conflict, ..job }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.downloads.path().join(name)).unwrap()
    }

    fn partial(&self, name: &str) -> PathBuf {
        self.downloads.path().join(format!(".{name}.{}.potluck", &self.hashed.hash.to_string()[..8]))
    }
}

#[test]
fn data_name_that_is_taken() {
    let s = Setting::new();
    let old = s.downloads.path().join("a.txt");
    fs::write(&old, "old").unwrap();
    let inode = old.metadata().unwrap().ino();
    assert_eq!(code(get(&s.job("a.txt", OnConflict::Fail))), ErrorCode::Exists);
    assert_eq!((s.read("a.txt"), old.metadata().unwrap().ino()), ("old".to_owned(), inode));
    for expected in ["a (1).txt", "a (2).txt"] {
        let fetched = get(&s.job("a.txt", OnConflict::Rename)).unwrap();
        assert_eq!(fetched.path, s.downloads.path().join(expected));
        assert_eq!(s.read(expected), "new");
    }
    assert_eq!(s.read("a.txt"), "old");
    get(&s.job("a.txt", OnConflict::Overwrite)).unwrap();
    assert_eq!(s.read("a.txt"), "new");
    assert_eq!(names(s.downloads.path()), ["a (1).txt", "a (2).txt", "a.txt"]);
}

#[test]
fn data_name_taken_while_it_was_fetched() {
    let s = Setting::new();
    let job = s.job("a.txt", OnConflict::Fail);
    let taken = s.downloads.path().join("a.txt");
    s.giver.notes.on_start(move || fs::write(taken, "old").unwrap());
    assert_eq!(code(get(&job)), ErrorCode::Exists);
    assert_eq!(s.read("a.txt"), "old");
    // What was fetched is not lost.
    let (result, told) = get_with(&FetchJob { on_conflict: OnConflict::Rename, ..job }, &Control::default());
    assert!(matches!(told[0], TransferNote::Started { resumed: 3, .. }), "{told:?}");
    assert_eq!(result.unwrap().path, s.downloads.path().join("a (1).txt"));
    assert_eq!(s.read("a (1).txt"), "new");
}

#[test]
fn data_folders_are_never_replaced() {
    let s = Setting::new();
    fs::create_dir(s.downloads.path().join("a.txt")).unwrap();
    assert_eq!(code(get(&s.job("a.txt", OnConflict::Overwrite))), ErrorCode::Exists);
    assert!(s.downloads.path().join("a.txt").is_dir());
    fs::write(s.downloads.path().join("file"), "").unwrap();
    assert_eq!(code(get(&s.job("file/a.txt", OnConflict::Overwrite))), ErrorCode::NotWritable);
}

#[test]
fn data_links_are_not_followed() {
    let s = Setting::new();
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(outside.path(), s.downloads.path().join("sub")).unwrap();
    for target in ["sub/a.txt", "sub/deep/a.txt"] {
        assert_eq!(code(get(&s.job(target, OnConflict::Overwrite))), ErrorCode::NotWritable);
    }
    symlink(&victim, s.downloads.path().join("link")).unwrap();
    assert_eq!(code(get(&s.job("link", OnConflict::Fail))), ErrorCode::Exists);
    get(&s.job("link", OnConflict::Overwrite)).unwrap();
    symlink(&victim, s.partial("b")).unwrap();
    assert_eq!(code(get(&s.job("b", OnConflict::Fail))), ErrorCode::NotWritable);
    fs::hard_link(&victim, s.partial("c")).unwrap();
    assert_eq!(code(get(&s.job("c", OnConflict::Fail))), ErrorCode::NotWritable);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(names(outside.path()), ["victim"]);
}

#[test]
fn data_names_that_lead_elsewhere_are_refused() {
    let s = Setting::new();
    for target in ["../x", "/tmp/x", "a/../../x", "", ".", "..\\x", "a\0"] {
        assert_eq!(code(get(&s.job(target, OnConflict::Overwrite))), ErrorCode::BadName, "{target:?}");
    }
    assert!(names(s.downloads.path()).is_empty());
}

#[test]
fn data_folder_that_cannot_be_written() {
    let s = Setting::new();
    let (folder, made) = if rustix::process::geteuid().is_root() {
        // Permissions do not bind root, but the kernel's own file system does.
        (PathBuf::from("/sys/kernel"), false)
    } else {
        (s.downloads.path().to_owned(), true)
    };
    if made {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let job = FetchJob { folder, ..s.job("a.txt", OnConflict::Fail) };
    assert_eq!(code(get(&job)), ErrorCode::NotWritable);
    let job = FetchJob { folder: s.downloads.path().join("none"), ..job };
    assert_eq!(code(get(&job)), ErrorCode::NoSuchDir);
}

#[test]
fn data_file_is_plain_whatever_the_source_has() {
    let s = Setting::new();
    let path = get(&s.job("a.txt", OnConflict::Fail)).unwrap().path;
    assert_eq!(path.metadata().unwrap().mode() & 0o7133, 0);
}

#[test]
fn data_two_transfers_of_one_file_do_not_meet() {
    let s = Setting::new();
    let job = s.job("a.txt", OnConflict::Fail);
    let second = Mutex::new(None);
    let meet = |note| {
        if let TransferNote::Started { .. } = note {
            *second.lock().unwrap() = Some(get(&job));
        }
    };
    fetch(&job, &receiver(), &ContentStore::default(), &meet, &Control::default()).unwrap();
    assert_eq!(code(second.into_inner().unwrap().unwrap()), ErrorCode::NotWritable);
    assert_eq!(s.read("a.txt"), "new");
}

#[test]
fn data_disk_without_room() {
    let s = Setting::new();
    // The only file system whose room a test can know: it has less than a pebibyte.
    let Ok(downloads) = tempfile::tempdir_in("/dev/shm") else { return };
    let chunking = Chunking::for_size(1 << 50, None);
    let job = FetchJob { chunking, folder: downloads.path().to_owned(), ..s.job("a.txt", OnConflict::Fail) };
    let failure = get(&job).unwrap_err();
    assert_eq!(failure.code, ErrorCode::DiskFull);
    assert!(failure.message.contains("bytes are missing"), "{failure}");
    assert!(names(downloads.path()).is_empty());
}

#[test]
fn data_renaming_changes_no_file_and_writing_does() {
    let folder = tempfile::tempdir().unwrap();
    let (hidden, named) = (folder.path().join(".a"), folder.path().join("a"));
    fs::write(&hidden, b"abc").unwrap();
    let file = File::open(&hidden).unwrap();
    let before = Fingerprint::of(&file).unwrap();
    fs::rename(&hidden, &named).unwrap();
    assert!(is_only_renamed(before, Fingerprint::of(&file).unwrap()));
    fs::write(&named, b"abcd").unwrap();
    assert!(!is_only_renamed(before, Fingerprint::of(&file).unwrap()));
    let past = File::options().append(true).open(&named).unwrap();
    past.set_len(3).unwrap();
    past.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(!is_only_renamed(before, Fingerprint::of(&file).unwrap()));
}
