//! What is found in trees, how it is hashed, and what is refused.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;
use crate::core::session::Offering;
use crate::io::content::hash::{Fingerprint, Hashed};
use crate::io::content::hash_cache::HashCache;
use crate::io::content::store::ContentStore;
use crate::io::os::cancel::Cancel;
use crate::protocol::limits::TREE_DEPTH;
use crate::protocol::line::pointer_at;
use crate::protocol::types::{SkipReason, Skipped};
use crate::protocol::{Chunking, ContentHash, ErrorCode, Failure};

struct Scene {
    _base: tempfile::TempDir,
    dir: PathBuf,
    home: PathBuf,
    contents: ContentStore,
}

impl Scene {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let (dir, home) = (base.path().join("shared"), base.path().join("home"));
        fs::create_dir_all(&home).unwrap();
        fs::create_dir(&dir).unwrap();
        fs::write(base.path().join("secret"), "outside").unwrap();
        Self { dir: dir.canonicalize().unwrap(), home, contents: ContentStore::default(), _base: base }
    }

    fn put(&self, file: &str, bytes: impl AsRef<[u8]>) {
        let path = self.dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn offers(&self) -> Offers {
        Offers::new(self.contents.clone(), Some(&self.home), |_| ())
    }

    fn offering(&self, files: &[&str]) -> Offering {
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        Offering { task: 1, dir: self.dir.to_str().unwrap().into(), files, chunks: None, hidden: false, watch: false }
    }

    fn offer(&self, offering: &Offering) -> Result<crate::core::session::Hashed, Failure> {
        self.offers().offer(offering, &mut |_| (), &Cancel::default())
    }

    fn refused(&self, files: &[&str]) -> (ErrorCode, Option<crate::protocol::At>) {
        let failure = self.offer(&self.offering(files)).unwrap_err();
        (failure.code, failure.at)
    }

    fn names(&self, offering: &Offering) -> Vec<String> {
        self.offer(offering).unwrap().contents.into_iter().map(|content| content.file.to_string()).collect()
    }

    fn pipe(&self, file: &str) {
        mknodat(CWD, self.dir.join(file), FileType::Fifo, Mode::RWXU, 0).unwrap();
    }
}

fn hash_of(bytes: &[u8]) -> ContentHash {
    ContentHash(*blake3::hash(bytes).as_bytes())
}

#[test]
fn only_regular_files_inside_the_folder_are_opened() {
    let scene = Scene::new();
    scene.put("sub/a", "a");
    scene.pipe("pipe");
    symlink("../secret", scene.dir.join("link")).unwrap();
    symlink("..", scene.dir.join("up")).unwrap();
    let code =
        |file: &str| crate::io::fs::open::Opener::new(&scene.dir).open(file).map(drop).map_err(|failure| failure.code);
    assert_eq!(code("sub/a"), Ok(()));
    assert_eq!(code("nothing"), Err(ErrorCode::NoSuchFile));
    for wrong in ["link", "up/secret", "sub", "pipe", "sub/a/b"] {
        assert_eq!(code(wrong), Err(ErrorCode::NotAFile), "{wrong}");
    }
}

#[test]
fn files_of_a_tree_are_offered_and_what_is_left_out_is_told() {
    let scene = Scene::new();
    for file in ["b/deep/two", "b/one", "a.txt", ".hidden", ".git/config", "b/.secret"] {
        scene.put(file, file);
    }
    scene.put(".x.potluck", "only looks like a partial file");
    scene.put("b/.movie.mkv.0123abcd.potluck", "half of it");
    scene.put("b/.0123456789abcdef-3.potluck", "half of a small one");
    scene.put("turned\u{202e}txt", "t");
    symlink("../secret", scene.dir.join("out")).unwrap();
    symlink("a.txt", scene.dir.join("in")).unwrap();
    symlink("..", scene.dir.join("b/up")).unwrap();
    scene.pipe("b/pipe");
    let _socket = UnixListener::bind(scene.dir.join("socket")).unwrap();
    fs::write(scene.dir.join(OsStr::from_bytes(b"caf\xe9")), "c").unwrap();

    let offering = scene.offering(&["."]);
    let hashed = scene.offer(&offering).unwrap();
    let names: Vec<_> = hashed.contents.iter().map(|content| &*content.file).collect();
    assert_eq!(names, ["a.txt", "b/deep/two", "b/one"]);
    assert_eq!(hashed.contents[2].hash, hash_of(b"b/one"));
    let skipped: BTreeMap<_, _> = hashed.skipped.iter().map(|s| (s.file.as_str(), s.reason)).collect();
    let expected = [
        ("out", SkipReason::Link),
        ("in", SkipReason::Link),
        ("b/up", SkipReason::Link),
        ("b/pipe", SkipReason::Special),
        ("socket", SkipReason::Special),
        ("caf\u{fffd}", SkipReason::Name),
        ("turned\u{202e}txt", SkipReason::Name),
    ];
    assert_eq!(skipped, BTreeMap::from(expected));
    for name in names {
        assert!(scene.contents.remove(name), "{name} is served");
    }

    let with_hidden = scene.names(&Offering { hidden: true, ..offering });
    for ours in ["b/.movie.mkv.0123abcd.potluck", "b/.0123456789abcdef-3.potluck"] {
        assert_eq!(scene.offer(&scene.offering(&[ours])).unwrap_err().code, ErrorCode::NotAFile, "{ours}");
    }
    assert_eq!(with_hidden, [".git/config", ".hidden", ".x.potluck", "a.txt", "b/.secret", "b/deep/two", "b/one"]);
}

#[test]
fn a_folder_in_which_keys_lie_is_not_offered() {
    let scene = Scene::new();
    scene.put("a", "a");
    let home = crate::io::state::home::Home::open(Some(&scene.dir.join("sub/data"))).unwrap();
    home.identity("erin").unwrap();
    let hashed = scene.offer(&Offering { hidden: true, ..scene.offering(&["."]) }).unwrap();
    assert_eq!(hashed.contents.len(), 1);
    assert!(matches!(&hashed.skipped[..], [Skipped { file, reason: SkipReason::Unreadable }] if file == "sub/data"));
    for inside in ["sub/data", "sub/data/keys", "sub/data/keys/erin.key"] {
        let refused = scene.offer(&scene.offering(&[inside])).unwrap_err();
        assert!(refused.code == ErrorCode::NotReadable && refused.message.contains("its own keys"), "{refused}");
    }
}

#[test]
fn files_and_folders_are_named_as_one_likes_and_offered_once() {
    let scene = Scene::new();
    for file in ["sub/a", "sub/inner/b", "c", ".hidden"] {
        scene.put(file, file);
    }
    assert_eq!(scene.names(&scene.offering(&["sub"])), ["sub/a", "sub/inner/b"]);
    assert_eq!(scene.names(&scene.offering(&["sub/", "sub/a", "sub/inner", "."])), ["sub/inner/b", "sub/a", "c"]);
    assert_eq!(scene.names(&scene.offering(&[".hidden"])), [".hidden"], "what is named is meant");
}

#[test]
fn files_that_cannot_be_offered_are_refused_at_their_place_and_nothing_is_shelved() {
    let scene = Scene::new();
    scene.put("good", "g");
    fs::create_dir_all(scene.dir.join("empty/inner")).unwrap();
    scene.put("empty/.hidden", "h");
    scene.pipe("pipe");
    symlink("../secret", scene.dir.join("link")).unwrap();
    symlink("..", scene.dir.join("up")).unwrap();
    for (name, code) in [
        ("nothing", ErrorCode::NoSuchFile),
        ("pipe", ErrorCode::NotAFile),
        ("link", ErrorCode::NotAFile),
        ("up", ErrorCode::NotAFile),
        ("up/secret", ErrorCode::NotAFile),
        ("../secret", ErrorCode::BadName),
        ("/etc/passwd", ErrorCode::BadName),
        ("good/", ErrorCode::NotADir),
        ("empty", ErrorCode::EmptyDir),
        ("empty/inner/", ErrorCode::EmptyDir),
    ] {
        assert_eq!(scene.refused(&["good", name]), (code, Some(pointer_at("/files/1"))), "{name}");
    }
    assert!(!scene.contents.remove("good"));
    let watched = Offering { watch: true, ..scene.offering(&["empty"]) };
    assert_eq!(scene.names(&watched), [""; 0]);
}

#[test]
fn files_too_deep_are_too_many() {
    let scene = Scene::new();
    let deepest = "d/".repeat(TREE_DEPTH);
    scene.put(&format!("t/{deepest}file"), "deep");
    assert_eq!(scene.names(&scene.offering(&["t"])).len(), 1);
    fs::create_dir(scene.dir.join(format!("t/{deepest}more"))).unwrap();
    assert_eq!(scene.refused(&["t"]), (ErrorCode::TooMany, Some(pointer_at("/files/0"))));
}

#[test]
fn files_by_the_thousand_hash_as_b3sum_prints_it() {
    let scene = Scene::new();
    for i in 0..2_000 {
        scene.put(&format!("{}/{i}", i % 20), i.to_string().repeat(i));
    }
    scene.put("large", vec![7; 20 << 20]);
    let hashed = scene.offer(&scene.offering(&["."])).unwrap();
    assert_eq!(hashed.contents.len(), 2_001);
    for content in hashed.contents {
        let bytes = fs::read(scene.dir.join(&*content.file)).unwrap();
        assert_eq!((content.hash, content.size), (hash_of(&bytes), bytes.len() as u64), "{}", content.file);
    }
}

#[test]
fn files_that_take_long_are_told_of_and_can_be_cancelled() {
    let scene = Scene::new();
    scene.put("small", "s");
    File::create(scene.dir.join("large")).unwrap().set_len(1 << 40).unwrap();
    let cancel = Cancel::default();
    let mut told = Vec::new();
    let mut progress = |progress| {
        told.push(progress);
        cancel.cancel();
    };
    let refused = scene.offers().offer(&scene.offering(&["."]), &mut progress, &cancel).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Interrupted);
    let first = &told[0];
    assert_eq!((first.files, first.total_files, first.size), (1, 2, (1 << 40) + 1));
    assert!(first.bytes > 0 && first.bytes < first.size);
    assert!(!scene.contents.remove("small"), "all or nothing");
}

#[test]
fn one_file_is_hashed_wherever_it_is() {
    let scene = Scene::new();
    scene.put("sub/a", "a");
    symlink("a", scene.dir.join("sub/link")).unwrap();
    scene.pipe("sub/pipe");
    let offers = scene.offers();
    let one = |dir: Option<&str>, file: &str| offers.hash_one(dir, file, &Cancel::default());
    let dir = scene.dir.to_str().unwrap();
    let absolute = format!("{dir}/sub/a");
    for (dir, file) in [(Some(dir), "sub/a"), (Some(dir), "sub/../sub/a"), (None, &absolute), (Some("/"), &absolute)] {
        let (content, path, hashed) = one(dir, file).unwrap();
        assert_eq!((&*content.file, content.hash), ("a", hash_of(b"a")));
        assert_eq!((path, hashed.hash), (scene.dir.join("sub/a"), content.hash));
    }
    for (file, code) in [
        ("sub/link", ErrorCode::NotAFile),
        ("sub/pipe", ErrorCode::NotAFile),
        ("sub", ErrorCode::NotAFile),
        ("sub/a/", ErrorCode::NotAFile),
        ("..", ErrorCode::NotAFile),
        ("no/a", ErrorCode::NoSuchFile),
        ("sub/b", ErrorCode::NoSuchFile),
    ] {
        let refused = one(Some(dir), file).unwrap_err();
        assert_eq!((refused.code, refused.at), (code, Some(pointer_at("/file"))), "{file}");
    }
    assert!(!scene.contents.remove("a"), "it is not offered");
}

#[test]
fn files_that_have_not_changed_are_not_read_again() {
    let scene = Scene::new();
    scene.put("a", "content");
    // A hash that is remembered wrongly: who shows it has not read the file.
    let wrong = ContentHash([7; 32]);
    let fingerprint = Fingerprint::of(&File::open(scene.dir.join("a")).unwrap()).unwrap();
    let hashed = Hashed { hash: wrong, chunking: Chunking::for_size(7, None), manifest: [wrong.0].into(), fingerprint };
    let later = SystemTime::now() + Duration::from_secs(9);
    HashCache::new(Some(&scene.home)).put(later, [(scene.dir.join("a"), &hashed)].into_iter());
    let hash = |offering: &Offering| scene.offer(offering).unwrap().contents[0].hash;
    let offering = scene.offering(&["."]);
    assert_eq!(hash(&offering), wrong);
    assert_eq!(hash(&scene.offering(&["a"])), wrong);
    let cut = Offering { chunks: Some(3), ..offering.clone() };
    assert_eq!(hash(&cut), hash_of(b"content"), "cut in another way");

    scene.put("a", "CONTENT");
    assert_eq!(hash(&offering), hash_of(b"CONTENT"), "same size, other times");
    fs::write(scene.home.join("hashes.db"), "this is no database").unwrap();
    assert_eq!(hash(&offering), hash_of(b"CONTENT"));
}

#[test]
fn files_are_remembered_once_they_are_clearly_older_than_their_hashing() {
    let scene = Scene::new();
    scene.put("a", "content");
    let path = scene.dir.join("a");
    let settled = path.metadata().unwrap().modified().unwrap() + Duration::from_millis(200);
    while SystemTime::now() < settled {
        std::thread::sleep(Duration::from_millis(10));
    }
    scene.offer(&scene.offering(&["."])).unwrap();
    let database = rusqlite::Connection::open(scene.home.join("hashes.db")).unwrap();
    let mut paths = database.prepare("SELECT path FROM file").unwrap();
    let paths: Vec<Vec<u8>> = paths.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(paths, [path.as_os_str().as_bytes()]);
}
