//! What is told of files that change, and what is not.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::SystemTime;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;
use crate::io::content::hash::Fingerprint;
use crate::io::offers::Offers;
use crate::io::os::cancel::Cancel;
use crate::protocol::ContentHash;
use crate::protocol::limits::PUBLISH_FILES;

/// Longer than any machine takes; nothing is told sooner or later because of it.
const PATIENCE: Duration = Duration::from_secs(30);
const NEVER: Duration = Duration::from_secs(3_600);

/// Only what the system tells.
const EVENTS: WatchIntervals =
    WatchIntervals { quiet: Duration::from_millis(200), poll: NEVER, poll_blind: NEVER, events: true };
/// Only what is seen by looking at everything.
const POLLS: WatchIntervals = WatchIntervals {
    quiet: Duration::from_millis(100),
    poll: Duration::from_millis(50),
    poll_blind: Duration::from_millis(50),
    events: false,
};
/// Only what somebody points at.
const ASLEEP: WatchIntervals = WatchIntervals { events: false, ..EVENTS };

struct Scene {
    base: tempfile::TempDir,
    dir: PathBuf,
    contents: ContentStore,
    offers: Offers,
    changes: Receiver<FilesChanged>,
}

impl Scene {
    fn new(intervals: WatchIntervals) -> Self {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().canonicalize().unwrap().join("shared");
        fs::create_dir(&dir).unwrap();
        let contents = ContentStore::default();
        let (told, changes) = channel();
        let changed = move |change| drop(told.send(change));
        let offers = Offers::with_intervals(contents.clone(), None, intervals, changed);
        let scene = Self { base, dir, contents, offers, changes };
        scene.write("a", "a");
        scene.write("end", "e");
        scene
    }

    fn write(&self, file: &str, bytes: &str) {
        let path = self.dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Another name, so that nobody sees half of it.
        let fresh = self.base.path().join("fresh");
        fs::write(&fresh, bytes).unwrap();
        fs::rename(fresh, path).unwrap();
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.dir.join(file)).unwrap();
    }

    /// Offers files, and waits until they are watched.
    fn offer(&self, files: &[&str], watch: bool) {
        self.offer_with(files, watch, false);
    }

    fn offer_with(&self, files: &[&str], watch: bool, hidden: bool) {
        self.write("probe", "p");
        let files = files.iter().copied().chain(["probe"]).map(str::to_owned).collect();
        let dir = self.dir.to_str().unwrap().into();
        let offering = Offering { task: 1, dir, files, chunks: None, hidden, watch };
        self.offers.offer(&offering, &mut |_| (), &Cancel::default()).unwrap();
        self.remove("probe");
        self.offers.suspect("probe");
        assert_eq!(self.next(), FilesChanged { changed: vec![], gone: vec!["probe".into()] });
    }

    fn next(&self) -> FilesChanged {
        self.changes.recv_timeout(PATIENCE).expect("a change is told")
    }

    /// All that is told until the file `end` is gone, which is removed now.
    fn until_end(&self) -> FilesChanged {
        self.remove("end");
        let mut all = FilesChanged::default();
        while !all.gone.contains(&"end".to_owned()) {
            let next = self.next();
            all.changed.extend(next.changed);
            all.gone.extend(next.gone);
        }
        all.gone.retain(|gone| gone != "end");
        all
    }

    fn is_served(&self, file: &str) -> bool {
        self.contents.remove(file)
    }
}

fn hash_of(bytes: &str) -> ContentHash {
    ContentHash(*blake3::hash(bytes.as_bytes()).as_bytes())
}

/// The names and hashes of what has changed, sorted.
fn changed(change: &FilesChanged) -> Vec<(&str, ContentHash)> {
    let mut changed: Vec<_> = change.changed.iter().map(|content| (&*content.file, content.hash)).collect();
    changed.sort();
    changed
}

#[test]
fn changed_files_are_told_with_their_new_hash_and_removed_ones_as_gone() {
    for intervals in [EVENTS, POLLS] {
        let scene = Scene::new(intervals);
        scene.write("sub/b", "b");
        scene.offer(&["a", "sub/b", "end"], false);
        scene.write("a", "A");
        let told = scene.next();
        assert_eq!((changed(&told), &told.gone[..]), (vec![("a", hash_of("A"))], &[][..]));
        fs::OpenOptions::new()
            .append(true)
            .open(scene.dir.join("a"))
            .and_then(|mut f| {
                use std::io::Write;
                f.write_all(b"A")
            })
            .unwrap();
        assert_eq!(changed(&scene.next()), [("a", hash_of("AA"))], "written in place");
        scene.remove("sub/b");
        assert_eq!(scene.next(), FilesChanged { changed: vec![], gone: vec!["sub/b".into()] });
        scene.write("sub/b", "again");
        scene.write("new", "nobody asked for it");
        assert_eq!(scene.until_end(), FilesChanged::default());
        assert!(scene.is_served("a") && !scene.is_served("sub/b"));
    }
}

#[test]
fn files_that_come_back_at_once_have_changed_and_are_not_gone() {
    let scene = Scene::new(WatchIntervals { quiet: Duration::from_secs(1), ..EVENTS });
    scene.offer(&["a", "end"], false);
    scene.remove("a");
    fs::rename(scene.dir.join("end"), scene.dir.join("backup")).unwrap();
    fs::rename(scene.dir.join("backup"), scene.dir.join("end")).unwrap();
    for i in 0..50 {
        scene.write("a", &i.to_string());
    }
    let told = scene.next();
    assert_eq!((changed(&told), &told.gone[..]), (vec![("a", hash_of("49"))], &[][..]), "one change");
    assert_eq!(scene.until_end(), FilesChanged::default());
}

#[test]
fn files_that_are_no_files_any_more_are_gone() {
    let scene = Scene::new(EVENTS);
    let files = ["link", "pipe", "folder", "deep/in/there"];
    for file in files {
        scene.write(file, file);
    }
    scene.offer(&files, false);
    for file in files {
        scene.remove(file);
    }
    fs::write(scene.base.path().join("secret"), "s").unwrap();
    symlink("../secret", scene.dir.join("link")).unwrap();
    mknodat(CWD, scene.dir.join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    fs::create_dir(scene.dir.join("folder")).unwrap();
    fs::remove_dir(scene.dir.join("deep/in")).unwrap();
    fs::create_dir(scene.base.path().join("elsewhere")).unwrap();
    fs::write(scene.base.path().join("elsewhere/there"), "s").unwrap();
    symlink("../../elsewhere", scene.dir.join("deep/in")).unwrap();
    let mut gone = Vec::new();
    while gone.len() < files.len() {
        let next = scene.next();
        assert_eq!(next.changed, []);
        gone.extend(next.gone);
    }
    gone.sort();
    assert_eq!(gone, ["deep/in/there", "folder", "link", "pipe"]);
    assert!(!files.iter().any(|file| scene.is_served(file)));
}

#[test]
fn files_that_are_touched_are_told_only_if_it_shows() {
    let scene = Scene::new(EVENTS);
    scene.write("b", "b");
    scene.offer(&["a", "b", "end"], false);
    fs::set_permissions(scene.dir.join("a"), fs::Permissions::from_mode(0o600)).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
    File::options().write(true).open(scene.dir.join("b")).unwrap().set_modified(long_ago).unwrap();
    let told = scene.until_end();
    assert_eq!((changed(&told), &told.gone[..]), (vec![("b", hash_of("b"))], &[][..]));
    assert_eq!(told.changed[0].modified.unwrap().0, 86_400_000);
    // The other one is served as it is now.
    let now = Fingerprint::of(&File::open(scene.dir.join("a")).unwrap()).unwrap();
    assert!(scene.offers.watcher().shared.index().is_as_offered(&scene.dir.join("a"), Some(&now)));
}

#[test]
fn what_is_being_fetched_is_not_offered_with_hidden_files_either() {
    for intervals in [EVENTS, POLLS] {
        let scene = Scene::new(intervals);
        scene.offer_with(&["."], true, true);
        for file in [".b.0123abcd.potluck", "new/.0123456789abcdef-0.potluck", "new/.hidden"] {
            scene.write(file, file);
        }
        assert_eq!(changed(&scene.next()), [("new/.hidden", hash_of("new/.hidden"))]);
        assert!(scene.until_end().changed.is_empty());
    }
}

#[test]
fn new_files_in_watched_folders_are_offered() {
    for intervals in [EVENTS, POLLS] {
        let scene = Scene::new(intervals);
        scene.offer(&["."], true);
        symlink("a", scene.dir.join("link")).unwrap();
        mknodat(CWD, scene.dir.join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        for file in [".hidden", ".git/config", ".b.0123abcd.potluck", "turned\u{202e}txt"] {
            scene.write(file, "not for others");
        }
        for file in ["b", "new/c", "new/sub/d"] {
            scene.write(file, file);
        }
        let mut all = FilesChanged::default();
        while all.changed.len() < 3 {
            all.changed.extend(scene.next().changed);
        }
        let expected = ["b", "new/c", "new/sub/d"].map(|file| (file, hash_of(file)));
        assert_eq!(changed(&all), expected);
        fs::rename(scene.dir.join("new"), scene.dir.join("moved")).unwrap();
        let told = scene.until_end();
        let (mut known, mut gone) = (told.changed, told.gone);
        while known.len() < 2 || gone.len() < 2 {
            let next = scene.next();
            known.extend(next.changed);
            gone.extend(next.gone);
        }
        gone.sort();
        assert_eq!(gone, ["new/c", "new/sub/d"]);
        let known = FilesChanged { changed: known, gone };
        assert_eq!(changed(&known), [("moved/c", hash_of("new/c")), ("moved/sub/d", hash_of("new/sub/d"))]);
        scene.write("moved/sub/e", "e");
        assert_eq!(changed(&scene.next()), [("moved/sub/e", hash_of("e"))], "folders that were moved are watched");
        for file in ["new/sub/f", "new/sub/g"] {
            scene.write(file, "again");
            assert_eq!(changed(&scene.next()), [(file, hash_of("again"))], "and those that are back, too");
        }
    }
}

#[test]
fn withdrawn_files_are_not_told_of_and_do_not_come_back() {
    let scene = Scene::new(EVENTS);
    for file in ["b", "sub/c", "sub/d", "other/e"] {
        scene.write(file, file);
    }
    scene.offer(&["."], true);
    scene.offer(&["other"], true);
    scene.offers.withdraw(&["b".into(), "sub/".into()]);
    for file in ["b", "sub/c", "sub/new", "sub/deep/new", "other/new"] {
        scene.write(file, "changed");
    }
    let told = scene.until_end();
    assert_eq!((changed(&told), &told.gone[..]), (vec![("other/new", hash_of("changed"))], &[][..]));
    assert!(!["b", "sub/c", "sub/d", "sub/new"].iter().any(|file| scene.is_served(file)));

    scene.write("end", "e");
    assert_eq!(changed(&scene.next()), [("end", hash_of("e"))]);
    scene.offers.withdraw(&["./".into()]);
    assert!(!scene.is_served("a") && !scene.is_served("other/e"));
    scene.offer(&["a", "end"], false);
    scene.write("new", "n");
    assert_eq!(scene.until_end(), FilesChanged::default());
    scene.write("a", "offered again");
    assert_eq!(changed(&scene.next()), [("a", hash_of("offered again"))]);
}

#[test]
fn suspected_files_are_looked_at() {
    let scene = Scene::new(ASLEEP);
    scene.offer(&["a", "end"], false);
    scene.write("a", "A");
    scene.remove("end");
    for name in ["end", "unknown", "a"] {
        scene.offers.suspect(name);
    }
    let mut told = scene.next();
    if told.changed.is_empty() {
        told.changed = scene.next().changed;
    }
    assert_eq!(changed(&told), [("a", hash_of("A"))]);
    assert_eq!(told.gone, ["end"]);
}

#[test]
fn what_changes_before_it_is_watched_is_told() {
    let scene = Scene::new(ASLEEP);
    let ready = |file: &str| {
        let (content, _, hashed) = scene.offers.hash_one(scene.dir.to_str(), file, &Cancel::default()).unwrap();
        crate::io::offers::ready::Ready { name: content.file, hashed }
    };
    let files = vec![ready("a"), ready("end")];
    scene.write("a", "A");
    scene.write("sub/new", "n");
    let dir = scene.dir.to_str().unwrap().to_owned();
    let offering = Offering { task: 1, dir, files: vec!["sub".into()], chunks: None, hidden: false, watch: true };
    scene.offers.watcher().add(&offering, files, vec!["sub/".into()]);
    let mut told = scene.next();
    if told.changed.len() < 2 {
        told.changed.extend(scene.next().changed);
    }
    assert_eq!(changed(&told), [("a", hash_of("A")), ("sub/new", hash_of("n"))]);
}

#[test]
fn many_changes_are_told_in_pieces() {
    let scene = Scene::new(POLLS);
    scene.offer(&["."], true);
    for i in 0..PUBLISH_FILES + 10 {
        scene.write(&format!("{i}"), "x");
    }
    let mut told = 0;
    while told < PUBLISH_FILES + 10 {
        let next = scene.next();
        assert!(next.changed.len() <= PUBLISH_FILES);
        told += next.changed.len();
    }
    assert_eq!(told, PUBLISH_FILES + 10);
}

#[test]
fn watching_ends_with_the_offers() {
    let scene = Scene::new(EVENTS);
    scene.offer(&["."], true);
    drop(scene.offers);
    assert_eq!(scene.changes.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
}

#[test]
fn watch_file_that_cannot_be_looked_at_is_not_gone() {
    let scene = Scene::new(ASLEEP);
    scene.write("sub/b", "b");
    scene.offer(&["sub/b", "end"], false);
    let (sub, aside) = (scene.dir.join("sub"), scene.base.path().join("aside"));
    fs::rename(&sub, &aside).unwrap();
    symlink(&sub, &sub).unwrap();
    scene.offers.suspect("sub/b");
    scene.offers.suspect("end");
    assert_eq!(scene.until_end(), FilesChanged::default());
    fs::remove_file(&sub).unwrap();
    fs::rename(&aside, &sub).unwrap();
    assert!(scene.is_served("sub/b"));
}
