//! Folders arrive as they are, from one source or several, in one go or in two.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::Barrier;

use super::*;
use crate::protocol::{Chunking, ContentHash, Timestamp};

/// A file for a job, from the sources with these numbers.
pub(super) fn wanted(name: &str, hashed: &Hashed, sources: &[u32]) -> PlannedFile {
    let modified = Some(Timestamp(1_234_567_890_123));
    let (hash, chunking) = (hashed.hash, hashed.chunking);
    let name = name.to_owned();
    PlannedFile { file: name.clone(), target: name, hash, chunking, modified, sources: sources.to_vec() }
}

/// A folder to get, as a test wants it.
#[derive(Clone)]
pub(super) struct FolderJob {
    pub(super) token: String,
    pub(super) hash: ContentHash,
    pub(super) files: Vec<PlannedFile>,
    pub(super) sources: Vec<Source>,
    pub(super) folder: PathBuf,
    pub(super) on_conflict: OnConflict,
    pub(super) share: bool,
}

pub(super) fn folder_job(files: Vec<PlannedFile>, sources: Vec<Source>, folder: &Path) -> FolderJob {
    let (token, hash, folder) = (TOKEN.to_owned(), ContentHash([3; 32]), folder.to_owned());
    FolderJob { token, hash, files, sources, folder, on_conflict: OnConflict::Fail, share: true }
}

fn fetch_folder(
    job: &FolderJob,
    store: &ContentStore,
    notify: &dyn Fn(TransferNote),
    control: &Control,
) -> Result<Fetched, Failure> {
    let plan = FetchPlan {
        name: "albums/".to_owned(),
        hash: job.hash,
        files: job.files.clone(),
        sources: job.sources.clone(),
        from: None,
        chunks: None,
        on_conflict: job.on_conflict,
        share: job.share,
        by_key: false,
        apart: false,
    };
    let (token, local) = (job.token.clone(), receiver());
    let fetcher = Fetcher { token, seed: 0, folder: &job.folder, local: &local, store };
    crate::io::transfer::fetch(plan.into(), &fetcher, notify, control)
}

/// Fetches, and returns also what was told meanwhile.
pub(super) fn get_folder_with(job: &FolderJob, control: &Control) -> (Result<Fetched, Failure>, Vec<TransferNote>) {
    let notes = Mutex::new(Vec::new());
    let result = fetch_folder(job, &ContentStore::default(), &|note| notes.lock().unwrap().push(note), control);
    (result, notes.into_inner().unwrap())
}

pub(super) fn get_folder(job: &FolderJob) -> (Result<Fetched, Failure>, Vec<TransferNote>) {
    get_folder_with(job, &Control::default())
}

/// The files that failed, with the codes.
pub(super) fn failures(told: &[TransferNote]) -> Vec<(&str, ErrorCode)> {
    let failed = told.iter().filter_map(|n| match n {
        TransferNote::FileFailed { file, failure } => Some((file.as_str(), failure.code)),
        _ => None,
    });
    failed.collect()
}

/// Distinct bytes for each number.
pub(super) fn small(number: usize, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// What a source is, of all that was told of it: the bytes it sent.
fn served(giver: &Giver) -> u64 {
    let bytes = |n: &UploadEvent| match n {
        UploadEvent::Completed { bytes, .. } | UploadEvent::Failed { bytes, .. } => *bytes,
        UploadEvent::Started { .. } | UploadEvent::Way { .. } | UploadEvent::Progress { .. } => 0,
    };
    giver.notes.until_over().iter().map(bytes).sum()
}

#[test]
fn data_folder_comes_back_byte_for_byte_with_its_times() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let lengths = [0, 1, 4096, 300_000, MIB, MIB + 1, 5 * MIB + 3];
    let mut files = Vec::new();
    for (i, len) in lengths.into_iter().enumerate() {
        let name = format!("albums/fünf {}/\"{i}\"/x{i}.bin", i % 3);
        files.push(wanted(&name, &giver.offer(&name, &small(i, len)), &[0]));
    }
    let job = folder_job(files, vec![giver.source("gil")], downloads.path());
    let (contents, notes) = (ContentStore::default(), Mutex::new(Vec::new()));
    let notify = |note| notes.lock().unwrap().push(note);
    let fetched = fetch_folder(&job, &contents, &notify, &Control::default()).unwrap();
    let (told, size) = (notes.into_inner().unwrap(), lengths.iter().sum::<usize>() as u64);
    assert_eq!(fetched.path, downloads.path().join("albums"));
    assert_eq!(from(&fetched), [("gil".to_owned(), size)]);
    let have = told.iter().filter_map(|note| if let TransferNote::Have(have) = note { Some(have) } else { None });
    let mut have: Vec<_> = have.flatten().map(|had| (had.hash, had.chunks.clone())).collect();
    for (i, file) in job.files.iter().enumerate() {
        let path = downloads.path().join(&file.target);
        assert!(fs::read(&path).unwrap() == small(i, lengths[i]), "{i}");
        let meta = path.metadata().unwrap();
        assert_eq!((meta.mtime(), meta.mtime_nsec()), (1_234_567_890, 123_000_000));
        assert_eq!(meta.mode() & 0o7133, 0);
        assert_eq!(path.parent().unwrap().metadata().unwrap().mode() & 0o7022, 0);
        let again = hash_file(&File::open(&path).unwrap(), None, &mut |_| (), &Cancel::default()).unwrap();
        let told = (again.hash, ChunkSet::all(again.chunking.count()));
        have.remove(have.iter().position(|had| *had == told).unwrap());
        // What was told of can be served.
        let served = contents.find((&receiver().key, "rita"), &again.hash, "other name", &[]).unwrap();
        assert_eq!((&served.hashed, &*served.path()), (&again, &*path));
        assert_eq!(names(path.parent().unwrap()).iter().filter(|n| n.starts_with('.')).count(), 0);
    }
    assert!(have.is_empty(), "each is told of once: {have:?}");
    let path = downloads.path().join("albums").to_str().unwrap().to_owned();
    assert_eq!(told[0], TransferNote::Started { path, resumed: 0, route: Some(Route::Direct) });
    let progress = told.iter().rev().find(|n| matches!(n, TransferNote::Progress(_)));
    assert_eq!(progress, Some(&TransferNote::Progress(size)));
}

#[test]
fn data_folder_that_is_for_nobody_else_is_served_to_nobody() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let files =
        [4096, 2 * MIB].map(|len| wanted(&format!("a/{len}"), &giver.offer(&format!("a/{len}"), &small(1, len)), &[0]));
    let job = FolderJob { share: false, ..folder_job(files.to_vec(), vec![giver.source("gil")], downloads.path()) };
    let contents = ContentStore::default();
    // The second time everything is there already.
    for _ in 0..2 {
        fetch_folder(&job, &contents, &|_| (), &Control::default()).unwrap();
        for file in &job.files {
            assert!(contents.find((&receiver().key, "rita"), &file.hash, &file.file, &[]).is_none(), "{}", file.file);
        }
    }
}

#[test]
fn data_folder_is_one_upload_for_who_shares_it() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let files = (0..300).map(|i| format!("albums/{i}")).map(|n| wanted(&n, &giver.offer(&n, n.as_bytes()), &[0]));
    let job = folder_job(files.collect(), vec![giver.source("gil")], downloads.path());
    get_folder(&job).0.unwrap();
    let size = job.files.iter().map(|f| f.chunking.size()).sum();
    let told = giver.notes.until_over();
    let (file, peer_name) = ("albums/".to_owned(), "rita".to_owned());
    let started = UploadEvent::Started {
        upload: 1,
        file,
        peer: receiver().key,
        peer_name,
        size,
        hash: job.hash,
        route: Route::Direct,
    };
    assert_eq!(told[0], started);
    assert!(matches!(told.last(), Some(UploadEvent::Completed { upload: 1, bytes, .. }) if *bytes == size), "{told:?}");
}

#[test]
fn data_folder_has_no_foreign_permissions() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let path = giver.path("tool");
    fs::write(&path, "#!").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o6777)).unwrap();
    let hashed = hash_file(&File::open(&path).unwrap(), None, &mut |_| (), &Cancel::default()).unwrap();
    giver.contents.add("tool", path, hashed.clone());
    let job = folder_job(vec![wanted("tool", &hashed, &[0])], vec![giver.source("gil")], downloads.path());
    get_folder(&job).0.unwrap();
    assert_eq!(downloads.path().join("tool").metadata().unwrap().mode() & 0o7133, 0);
}

#[test]
fn data_folder_that_was_interrupted_goes_on() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let names_of: Vec<_> = (0..100).map(|i| format!("d{}/{i}", i % 7)).collect();
    let file = |i: usize| wanted(&names_of[i], &giver.offer(&names_of[i], &small(i, 1000)), &[0]);
    let files = (0..100).map(file).collect();
    let by_name: HashMap<_, _> = (0..100).map(|i| (names_of[i].clone(), small(i, 1000))).collect();
    let cancel = Control::default();
    let (stop, folder) = (cancel.clone(), downloads.path().to_owned());
    // Sends ten files, waits until they are in place, and no more.
    let slow = fake(9, move |stream, request| {
        let DataRequest::Files { files, .. } = request else { return };
        for (_, name) in &files[..10] {
            stream.send(&[to_line(&DataAnswer::Whole { length: 1000 }), by_name[name].clone()].concat()).unwrap();
        }
        while files[..10].iter().any(|(_, name)| !folder.join(name).exists()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.cancel();
        std::thread::sleep(Duration::from_secs(20));
    });
    let job = folder_job(files, vec![slow], downloads.path());
    let (result, told) = get_folder_with(&job, &cancel);
    assert_eq!(result.unwrap_err().code, ErrorCode::Interrupted);
    let there: usize = told.iter().map(|n| if let TransferNote::Have(a) = n { a.len() } else { 0 }).sum();
    assert_eq!(there, 10);
    let job = FolderJob { sources: vec![giver.source("gil")], token: "f".repeat(16), ..job };
    let (result, told) = get_folder(&job);
    assert_eq!(from(&result.unwrap()), [("gil".to_owned(), 90_000)]);
    assert!(matches!(told[0], TransferNote::Started { resumed: 10_000, .. }), "{told:?}");
    assert_eq!(served(&giver), 90_000);
    for (i, name) in names_of.iter().enumerate() {
        assert!(fs::read(downloads.path().join(name)).unwrap() == small(i, 1000));
    }
    // All is there: nobody is asked.
    let (result, told) = get_folder(&FolderJob { sources: vec![], ..job });
    assert_eq!(from(&result.unwrap()), []);
    assert!(matches!(told[0], TransferNote::Started { resumed: 100_000, .. }), "{told:?}");
}

#[test]
fn data_folder_from_three_sources() {
    let givers = [Giver::new(1), Giver::new(2), Giver::new(3)];
    let downloads = tempfile::tempdir().unwrap();
    // None begins before all are asked.
    let barrier = Arc::new(Barrier::new(3));
    for giver in &givers {
        let barrier = barrier.clone();
        giver.notes.on_start(move || {
            barrier.wait();
        });
    }
    let offer = |i: usize| {
        let name = format!("d{}/{i}", i / 100);
        givers[1..].iter().for_each(|g| drop(g.offer(&name, &small(i, 500))));
        wanted(&name, &givers[0].offer(&name, &small(i, 500)), &[0, 1, 2])
    };
    let sources = vec![givers[0].source("g0"), givers[1].source("g1"), givers[2].source("g2")];
    let job = folder_job((0..3000).map(offer).collect(), sources, downloads.path());
    let fetched = get_folder(&job).0.unwrap();
    assert_eq!(from(&fetched).len(), 3, "{:?}", from(&fetched));
    assert_eq!(from(&fetched).iter().map(|(_, bytes)| bytes).sum::<u64>(), 1_500_000);
    assert_eq!(givers.iter().map(served).sum::<u64>(), 1_500_000, "nothing travels twice");
    for (i, file) in job.files.iter().enumerate() {
        assert!(fs::read(downloads.path().join(&file.target)).unwrap() == small(i, 500));
    }
}

#[test]
fn data_folder_whose_files_are_here_and_there() {
    // More sources than lanes, each with files that nobody else has.
    let givers: Vec<_> = (1..=10).map(Giver::new).collect();
    let downloads = tempfile::tempdir().unwrap();
    let offer = |i: usize| {
        let (name, at) = (format!("{i}"), i % givers.len());
        wanted(&name, &givers[at].offer(&name, &small(i, 50)), &[at as u32])
    };
    let sources = (0..10).map(|i| givers[i].source(&format!("g{i}"))).collect();
    let job = folder_job((0..30).map(offer).collect(), sources, downloads.path());
    let fetched = get_folder(&job).0.unwrap();
    assert_eq!(from(&fetched), (0..10).map(|i| (format!("g{i}"), 150)).collect::<Vec<_>>());
    for giver in &givers {
        let told = giver.notes.until_over();
        assert!(matches!(told.last(), Some(UploadEvent::Completed { bytes: 150, .. })), "{told:?}");
    }
}

#[test]
fn data_folder_without_room_is_not_begun() {
    let giver = Giver::new(1);
    // The only file system whose room a test can know: it has less than a pebibyte.
    let Ok(downloads) = tempfile::tempdir_in("/dev/shm") else { return };
    let hashed = giver.offer("a", b"small");
    let huge = PlannedFile { chunking: Chunking::for_size(1 << 50, None), ..wanted("b", &hashed, &[0]) };
    let files = vec![wanted("a", &hashed, &[0]), huge];
    let failure = get_folder(&folder_job(files, vec![giver.source("gil")], downloads.path())).0.unwrap_err();
    assert_eq!(failure.code, ErrorCode::DiskFull);
    assert!(failure.message.contains("bytes are missing"), "{failure}");
    assert!(names(downloads.path()).is_empty() && giver.notes.all.lock().unwrap().is_empty());
}

#[test]
fn data_folder_file_with_a_time_that_cannot_be_kept_arrives() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let file = |(name, time)| PlannedFile {
        modified: Some(Timestamp(time)),
        ..wanted(name, &giver.offer(name, b"abc"), &[0])
    };
    let files = [("far", i64::MAX), ("long ago", i64::MIN)].map(file).to_vec();
    get_folder(&folder_job(files, vec![giver.source("gil")], downloads.path())).0.unwrap();
    let far = downloads.path().join("far").metadata().unwrap();
    assert!(far.mtime() <= 253_402_300_799, "no later than the year 9999: {}", far.mtime());
}
