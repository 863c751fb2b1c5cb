//! Transfers that are broken off go on where they were.

use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

const LEN: usize = 48 * MIB;

/// Fetches from a source that stalls after four chunks, and cancels once one of them is there;
/// returns the partial file.
fn broken_off(hashed: &Hashed, bytes: &[u8], folder: &Path) -> PathBuf {
    let source = {
        let (hashed, bytes) = (hashed.clone(), bytes.to_vec());
        fake(99, move |stream, request| {
            if !matches!(&request, DataRequest::Ranges { ranges, .. } if ranges[0][0] >= 4 * MIB as u64) {
                answer_truly(stream, &hashed, &bytes, &request);
            }
        })
    };
    let job = job(hashed, "a", vec![source], folder);
    let cancel = Control::default();
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| code(fetch(&job, &receiver(), &ContentStore::default(), &|_| (), &cancel)));
        let mut marks = [0; LEN / MIB];
        while marks.iter().all(|m| *m == 0) {
            std::thread::yield_now();
            if let Some(name) = names(folder).first() {
                let _ = File::open(folder.join(name)).unwrap().read_exact_at(&mut marks, LEN as u64);
            }
        }
        cancel.cancel();
        assert_eq!(fetching.join().unwrap(), ErrorCode::Interrupted);
    });
    let left = names(folder);
    assert!(left.len() == 1 && left[0].starts_with('.') && left[0].ends_with(".potluck"), "{left:?}");
    folder.join(&left[0])
}

/// Like [`broken_off`], but exactly these chunks are there.
fn with_chunks(hashed: &Hashed, bytes: &[u8], folder: &Path, chunks: &[u64]) -> PathBuf {
    let partial = broken_off(hashed, bytes, folder);
    let file = File::options().write(true).open(&partial).unwrap();
    file.write_all_at(&vec![0; LEN], 0).unwrap();
    file.write_all_at(&[0; LEN / MIB], LEN as u64).unwrap();
    for chunk in chunks {
        let at = *chunk as usize * MIB;
        file.write_all_at(&bytes[at..at + MIB], at as u64).unwrap();
        file.write_all_at(&[1], LEN as u64 + chunk).unwrap();
    }
    partial
}

fn sent(told: &[UploadEvent]) -> u64 {
    match told.last() {
        Some(UploadEvent::Completed { bytes, .. }) => *bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn data_only_the_rest_is_fetched() {
    fetched_but_for_what_is_there(|_| ());
}

#[test]
fn data_bytes_behind_a_partial_file_cost_nothing() {
    fetched_but_for_what_is_there(|partial| {
        let mut file = File::options().append(true).open(partial).unwrap();
        file.write_all(b"CORRUPT").unwrap();
    });
}

/// Four chunks are there, and something has happened to the file in which they are.
fn fetched_but_for_what_is_there(happened: impl Fn(&Path)) {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let bytes = content(LEN);
    let hashed = giver.offer("a", &bytes);
    let job = job(&hashed, "a", vec![giver.source("gil")], downloads.path());
    happened(&with_chunks(&hashed, &bytes, downloads.path(), &[0, 7, 8, 47]));
    let (result, told) = get_with(&job, &Control::default());
    assert!(matches!(told[0], TransferNote::Started { resumed, .. } if resumed == 4 * MIB as u64), "{:?}", told[0]);
    assert!(fs::read(result.unwrap().path).unwrap() == bytes);
    assert_eq!(sent(&giver.notes.until_over()), (LEN - 4 * MIB) as u64);
    assert_eq!(names(downloads.path()), ["a"]);
}

#[test]
fn data_claims_that_are_wrong_are_fetched_again() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let bytes = content(LEN);
    let hashed = giver.offer("a", &bytes);
    let job = job(&hashed, "a", vec![giver.source("gil")], downloads.path());
    let partial = with_chunks(&hashed, &bytes, downloads.path(), &[3, 4]);
    let file = File::options().write(true).open(partial).unwrap();
    // As after a power failure: said to be there, and only zeros; or one bit is wrong.
    file.write_all_at(&[1; 2], LEN as u64 + 10).unwrap();
    file.write_all_at(&[bytes[4 * MIB] ^ 1], 4 * MIB as u64).unwrap();
    let fetched = get(&job).unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    assert_eq!(sent(&giver.notes.until_over()), (LEN - MIB) as u64);
}

#[test]
fn data_partial_file_that_is_nonsense_is_begun_anew() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let bytes = content(3 * MIB);
    let hashed = giver.offer("a", &bytes);
    let job = job(&hashed, "a", vec![giver.source("gil")], downloads.path());
    let partial = downloads.path().join(format!(".a.{}.potluck", &hashed.hash.to_string()[..8]));
    let length = 3 * MIB + 3 + 96;
    for (nonsense, resumed) in [
        (vec![], 0),
        (vec![1; 10], 0),
        (vec![1; length], 0),
        (vec![0xff; length + 1], 0),
        (content(length), 0),
        // As long as the content: perhaps finished and not renamed.
        (vec![7; 3 * MIB], 3 * MIB as u64),
        (bytes.clone(), 3 * MIB as u64),
    ] {
        fs::write(&partial, nonsense).unwrap();
        let (result, told) = get_with(&job, &Control::default());
        assert!(matches!(told[0], TransferNote::Started { resumed: r, .. } if r == resumed), "{:?}", told[0]);
        let path = result.unwrap().path;
        assert!(fs::read(&path).unwrap() == bytes);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn data_cancel_ends_the_upload_too() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let hashed = giver.offer("a", &content(LEN));
    let (go_on, cancelled) = std::sync::mpsc::channel::<()>();
    let cancel = Control::default();
    let stop = cancel.clone();
    giver.notes.on_start(move || {
        stop.cancel();
        cancelled.recv().unwrap();
    });
    let job = job(&hashed, "a", vec![giver.source("gil")], downloads.path());
    assert_eq!(code(fetch(&job, &receiver(), &ContentStore::default(), &|_| (), &cancel)), ErrorCode::Interrupted);
    assert!(names(downloads.path()).is_empty(), "nothing came, so nothing is kept");
    go_on.send(()).unwrap();
    let told = giver.notes.until_over();
    assert!(matches!(told.last(), Some(UploadEvent::Failed { failure, .. }) if failure.code == ErrorCode::PeerBroke));
}

#[test]
fn data_server_that_stops_interrupts_its_uploads_and_the_next_source_goes_on() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let bytes = content(LEN);
    let hashed = giver.offer("a", &bytes);
    let job = job(&hashed, "a", vec![giver.source("gil")], downloads.path());
    let Giver { server, notes, folder: _folder, .. } = giver;
    let address = job.sources[0].address;
    notes.on_start(move || {
        // It waits for its connections, of which this is one.
        std::thread::spawn(move || server.stop());
        while std::net::TcpStream::connect(address).is_ok() {
            std::thread::yield_now();
        }
    });
    // The second connection may not have been made by then.
    let ended = code(get(&job));
    assert!(matches!(ended, ErrorCode::PeerBroke | ErrorCode::PeerUnreachable), "{ended:?}");
    // The first connection may have ended before anything was asked over it.
    let failed =
        |n: &UploadEvent| matches!(n, UploadEvent::Failed { failure, .. } if failure.code == ErrorCode::Interrupted);
    assert!(notes.all.lock().unwrap().last().is_none_or(failed));
    let other = Giver::new(2);
    other.offer("a", &bytes);
    get(&FetchJob { sources: vec![other.source("other")], ..job }).unwrap();
    assert!(fs::read(downloads.path().join("a")).unwrap() == bytes);
}

#[test]
fn data_progress_only_grows_to_the_size() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let hashed = giver.offer("a", &content(LEN));
    let last = AtomicU64::new(0);
    let notify = |note| {
        if let TransferNote::Progress(bytes) = note {
            assert!(last.swap(bytes, Ordering::Relaxed) < bytes && bytes <= LEN as u64);
        }
    };
    let job = job(&hashed, "a", vec![giver.source("gil")], downloads.path());
    fetch(&job, &receiver(), &ContentStore::default(), &notify, &Control::default()).unwrap();
}
