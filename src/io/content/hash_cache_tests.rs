//! What is remembered, and what is not believed.

use super::*;
use crate::io::content::hash::hash_file;
use crate::io::os::cancel::Cancel;
use std::os::unix::fs::PermissionsExt;

struct Scene {
    dir: tempfile::TempDir,
    cache: HashCache,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cache = HashCache::new(Some(dir.path()));
        Self { dir, cache }
    }

    fn file(&self, name: &str, len: usize) -> (Wanted, Hashed) {
        let path = self.dir.path().join(name);
        std::fs::write(&path, vec![5; len]).unwrap();
        let hashed = hash_file(&File::open(&path).unwrap(), None, &mut |_| (), &Cancel::default()).unwrap();
        (Wanted { path, fingerprint: hashed.fingerprint, chunks: None }, hashed)
    }

    fn put(&self, file: &(Wanted, Hashed)) {
        self.cache.put(after(&file.1, 5_000), [(file.0.path.clone(), &file.1)].into_iter());
    }

    fn find(&self, wanted: &Wanted) -> Option<Hashed> {
        self.cache.find(std::slice::from_ref(wanted)).pop().unwrap()
    }
}

/// So many milliseconds after a file was changed.
fn after(hashed: &Hashed, millis: u64) -> SystemTime {
    let ctime = Duration::from_nanos(hashed.fingerprint.ctime_ns as u64);
    SystemTime::UNIX_EPOCH + ctime + Duration::from_millis(millis)
}

#[test]
fn hashes_are_remembered_for_the_very_same_file_only() {
    let scene = Scene::new();
    for len in [0, 1, 1 << 20, (5 << 20) + 1] {
        let file = scene.file("a", len);
        assert_eq!(scene.find(&file.0), None);
        scene.put(&file);
        assert_eq!(scene.find(&file.0), Some(file.1.clone()), "{len}");
        let changes: [fn(&mut Wanted); 7] = [
            |w| w.fingerprint.dev += 1,
            |w| w.fingerprint.ino += 1,
            |w| w.fingerprint.size += 1,
            |w| w.fingerprint.mtime_ns += 1,
            |w| w.fingerprint.ctime_ns -= 1,
            |w| w.path = w.path.with_extension("b"),
            |w| w.chunks = Some(16_384),
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let mut other = file.0.clone();
            change(&mut other);
            assert_eq!(scene.find(&other), None, "{len}: {i}");
        }
    }
    let mode = database_in(scene.dir.path()).metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn hashes_of_files_that_may_still_change_unseen_are_not_remembered() {
    let scene = Scene::new();
    let mut file = scene.file("a", 10);
    let put = |file: &(Wanted, Hashed), millis| {
        scene.cache.put(after(&file.1, millis), [(file.0.path.clone(), &file.1)].into_iter());
        scene.find(&file.0).is_some()
    };
    file.1.fingerprint.ctime_ns = 1_700_000_000_000_000_001;
    file.0.fingerprint = file.1.fingerprint;
    assert!(!put(&file, 0) && !put(&file, 99) && put(&file, 101));
    // A clock of whole seconds.
    file.1.fingerprint.ctime_ns -= 1;
    file.0.fingerprint = file.1.fingerprint;
    assert!(!put(&file, 2_000) && put(&file, 3_000));
}

#[test]
fn hashes_of_a_damaged_database_are_not_believed_and_it_is_replaced() {
    let scene = Scene::new();
    let file = scene.file("a", 3 << 20);
    let path = database_in(scene.dir.path());
    for damage in [b"".as_slice(), b"no database", &[0; 5_000], b"SQLite format 3\0 but not really"] {
        std::fs::write(&path, damage).unwrap();
        let _ = std::fs::remove_file(path.with_extension("db-wal"));
        let cache = HashCache::new(Some(scene.dir.path()));
        assert_eq!(cache.find(std::slice::from_ref(&file.0)), [None]);
        cache.put(after(&file.1, 500), [(file.0.path.clone(), &file.1)].into_iter());
        assert_eq!(cache.find(std::slice::from_ref(&file.0)), [Some(file.1.clone())]);
    }
    let database = Connection::open(&path).unwrap();
    database.execute("UPDATE file SET hash = zeroblob(32)", []).unwrap();
    assert_eq!(scene.find(&file.0), None, "an entry that was tampered with");
    database.execute_batch("DROP TABLE file").unwrap();
    assert_eq!(scene.find(&file.0), None);
    scene.put(&file);
    assert_eq!(scene.find(&file.0), Some(file.1.clone()), "it starts anew");
}

#[test]
fn hashes_that_cannot_be_kept_do_no_harm() {
    let scene = Scene::new();
    let file = scene.file("a", 10);
    for dir in [None, Some(scene.dir.path().join("nowhere")), Some(scene.dir.path().join("a"))] {
        let cache = HashCache::new(dir.as_deref());
        cache.put(after(&file.1, 500), [(file.0.path.clone(), &file.1)].into_iter());
        assert_eq!(cache.find(std::slice::from_ref(&file.0)), [None]);
    }
}

#[test]
fn hashes_that_were_not_used_for_longest_go() {
    let mut scene = Scene::new();
    scene.cache.most_rows = 10;
    let file = scene.file("a", 10);
    for i in 0..11 {
        let path = PathBuf::from(format!("/{i}"));
        scene.cache.put(after(&file.1, 5_000 + 1_000 * i), [(path, &file.1)].into_iter());
    }
    let known = |i: u64| scene.find(&Wanted { path: format!("/{i}").into(), ..file.0.clone() }).is_some();
    assert_eq!((0..11).filter(|i| known(*i)).collect::<Vec<_>>(), (2..11).collect::<Vec<_>>());
}

#[test]
fn hashes_are_shared_by_clients_that_run_at_the_same_time() {
    let scene = Scene::new();
    let files: Vec<_> = (0..8).map(|i| scene.file(&i.to_string(), 10)).collect();
    std::thread::scope(|scope| {
        for file in &files {
            let dir = scene.dir.path();
            scope.spawn(move || {
                let cache = HashCache::new(Some(dir));
                cache.put(after(&file.1, 500), [(file.0.path.clone(), &file.1)].into_iter());
            });
        }
    });
    assert!(files.iter().all(|file| scene.find(&file.0).is_some()));
}
