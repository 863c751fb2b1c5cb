//! Folders meet sources that lie, names that lead elsewhere, and what is in the way.

use std::os::unix::fs::symlink;
use std::sync::mpsc;

use rustix::fs::FlockOperation;

use super::folder::{failures, folder_job, get_folder, small, wanted};
use super::*;
use crate::io::transfer::dial::dial;

use crate::io::transfer::stream::ClientStream;
use crate::protocol::ContentHash;

/// A source that has told `asked` of its first request when it answers each file with `answer`.
fn first_asked(answer: Vec<u8>) -> (Source, mpsc::Receiver<()>) {
    let (sender, asked) = mpsc::channel();
    let source = fake(9, move |stream, request| {
        let DataRequest::Files { files, .. } = request else { return };
        let _ = sender.send(());
        let _ = stream.send(&answer.repeat(files.len()));
    });
    (source, asked)
}

#[test]
fn data_folder_source_that_lies_or_breaks_off_is_dropped_and_named_once() {
    let lie = [to_line(&DataAnswer::Whole { length: 1000 }), vec![7; 1000]].concat();
    let refused = DataAnswer::Error { code: "peer-refused".into(), message: String::new() };
    for (answer, expected) in [
        (lie, ErrorCode::BadChunk),
        (to_line(&DataAnswer::Whole { length: 0 }), ErrorCode::BadChunk),
        (to_line(&DataAnswer::Whole { length: MIB as u64 + 1 }), ErrorCode::PeerBroke),
        (to_line(&DataAnswer::Bytes { length: 1000 }), ErrorCode::PeerBroke),
        (b"{\n".to_vec(), ErrorCode::PeerBroke),
        (to_line(&refused), ErrorCode::PeerRefused),
    ] {
        let honest = Giver::new(1);
        let downloads = tempfile::tempdir().unwrap();
        let (liar, asked) = first_asked(answer);
        honest.notes.on_start(move || asked.recv().unwrap());
        let files = (0..200).map(|i| wanted(&format!("{i}"), &honest.offer(&format!("{i}"), &small(i, 1000)), &[0, 1]));
        let job = folder_job(files.collect(), vec![liar, honest.source("honest")], downloads.path());
        let (result, told) = get_folder(&job);
        assert_eq!(from(&result.unwrap()), [("honest".to_owned(), 200_000)]);
        let dropped = told.iter().filter_map(|n| match n {
            TransferNote::Dropped { peer: name, failure } => Some((name.as_str(), failure.code)),
            _ => None,
        });
        assert_eq!(dropped.collect::<Vec<_>>(), [("fake", expected)]);
        for i in 0..200 {
            assert!(fs::read(downloads.path().join(format!("{i}"))).unwrap() == small(i, 1000));
        }
    }
}

#[test]
fn data_folder_from_a_liar_alone_leaves_nothing() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    // Enough for two connections, over both of which it lies.
    let files = (0..500).map(|i| wanted(&format!("{i}"), &giver.offer(&format!("{i}"), &small(i, 9)), &[0]));
    let (liar, _asked) = first_asked([to_line(&DataAnswer::Whole { length: 9 }), vec![7; 9]].concat());
    let (result, told) = get_folder(&folder_job(files.collect(), vec![liar], downloads.path()));
    let failure = result.unwrap_err();
    assert_eq!(failure.code, ErrorCode::BadChunk);
    assert!(failure.message.starts_with("500 of 500 files could not be had"), "{failure}");
    assert_eq!(failures(&told).len(), 500);
    assert_eq!(told.iter().filter(|n| matches!(n, TransferNote::Dropped { .. })).count(), 1);
    assert!(names(downloads.path()).is_empty());
}

#[test]
fn data_folder_files_that_changed_or_are_gone_fail_alone() {
    let (giver, other) = (Giver::new(1), Giver::new(2));
    let downloads = tempfile::tempdir().unwrap();
    let mut files: Vec<_> =
        (0..50).map(|i| wanted(&format!("{i}"), &giver.offer(&format!("{i}"), &small(i, 70)), &[0])).collect();
    fs::write(giver.path("10"), "other").unwrap();
    fs::remove_file(giver.path("20")).unwrap();
    giver.contents.remove("30");
    fs::remove_file(giver.path("40")).unwrap();
    symlink("/etc/hostname", giver.path("40")).unwrap();
    // Somebody else has this one, too.
    fs::write(giver.path("45"), "other").unwrap();
    other.offer("45", &small(45, 70));
    files[45].sources = vec![0, 1];
    let job = folder_job(files, vec![giver.source("gil"), other.source("olga")], downloads.path());
    let (result, told) = get_folder(&job);
    assert!(result.unwrap_err().message.starts_with("4 of 50 files could not be had"));
    let mut failed = failures(&told);
    failed.sort_unstable();
    let (changed, gone) = (ErrorCode::SourceChanged, ErrorCode::SourceGone);
    assert_eq!(failed, [("10", changed), ("20", gone), ("30", gone), ("40", changed)]);
    assert!(!told.iter().any(|n| matches!(n, TransferNote::Dropped { .. })), "{told:?}");
    let told = giver.notes.until_over();
    assert!(matches!(told.last(), Some(UploadEvent::Failed { failure, .. }) if failure.code == changed), "{told:?}");
    assert_eq!(names(downloads.path()).len(), 46);
    assert!(fs::read(downloads.path().join("45")).unwrap() == small(45, 70));
}

#[test]
fn data_folder_goes_through_no_link_and_to_no_other_place() {
    let giver = Giver::new(1);
    let (downloads, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(outside.path(), downloads.path().join("sub")).unwrap();
    fs::create_dir(downloads.path().join("real")).unwrap();
    symlink(outside.path().join("new"), downloads.path().join("real/link")).unwrap();
    let hashed = giver.offer("a", b"evil");
    let large = giver.offer("large", &content(2 * MIB));
    let mut files: Vec<_> = ["sub/a", "sub/deep/a", "../x", "/tmp/potluck-x", "a/../../x", "a\0", "real/link", "fine"]
        .map(|target| PlannedFile { target: target.into(), ..wanted("a", &hashed, &[0]) })
        .into();
    files.push(PlannedFile { target: "sub/large".into(), ..wanted("large", &large, &[0]) });
    let mut job = folder_job(files, vec![giver.source("gil")], downloads.path());
    for (on_conflict, link) in [(OnConflict::Fail, true), (OnConflict::Overwrite, false)] {
        job.on_conflict = on_conflict;
        let (result, told) = get_folder(&job);
        assert!(result.is_err());
        let codes: Vec<_> = failures(&told).into_iter().map(|(_, code)| code).collect();
        let (unwritable, bad) = (ErrorCode::NotWritable, ErrorCode::BadName);
        let exists = if link { vec![ErrorCode::Exists] } else { vec![] };
        assert_eq!(codes, [vec![unwritable, unwritable, bad, bad, bad, bad], exists, vec![unwritable]].concat());
        assert_eq!(fs::read(downloads.path().join("fine")).unwrap(), b"evil");
        assert_eq!(downloads.path().join("real/link").is_symlink(), link);
        assert!(names(outside.path()).is_empty());
        assert_eq!(names(downloads.path()), ["fine", "real", "sub"]);
    }
}

#[test]
fn data_folder_turned_into_a_link_while_it_is_filled() {
    let giver = Giver::new(1);
    let (downloads, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(downloads.path().join("d")).unwrap();
    let files = (0..20).map(|i| wanted(&format!("d/{i}"), &giver.offer(&format!("d/{i}"), &small(i, 70)), &[0]));
    let (at, to) = (downloads.path().join("d"), outside.path().to_owned());
    giver.notes.on_start(move || {
        fs::remove_dir(&at).unwrap();
        symlink(to, at).unwrap();
    });
    let (result, told) = get_folder(&folder_job(files.collect(), vec![giver.source("gil")], downloads.path()));
    assert_eq!(result.unwrap_err().code, ErrorCode::NotWritable);
    assert_eq!(failures(&told).len(), 20);
    assert!(names(outside.path()).is_empty());
}

#[test]
fn data_folder_names_that_are_taken() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let of = |name: &str| downloads.path().join(name);
    let read = |name: &str| fs::read_to_string(of(name)).unwrap();
    let large = content(2 * MIB);
    let files = vec![
        wanted("a.txt", &giver.offer("a.txt", b"new"), &[0]),
        wanted("b.txt", &giver.offer("b.txt", b"same"), &[0]),
        wanted("c", &giver.offer("c", &large), &[0]),
        wanted("e", &giver.offer("e", b""), &[0]),
    ];
    fs::write(of("a.txt"), "old").unwrap();
    fs::write(of("b.txt"), "same").unwrap();
    fs::write(of("c"), "old").unwrap();
    fs::write(of("e"), "old").unwrap();
    let mut job = folder_job(files, vec![giver.source("gil")], downloads.path());
    let (result, told) = get_folder(&job);
    assert_eq!(result.unwrap_err().code, ErrorCode::Exists);
    let exists = ErrorCode::Exists;
    assert_eq!(failures(&told), [("a.txt", exists), ("c", exists), ("e", exists)]);
    assert_eq!((read("a.txt"), read("c"), read("e")), ("old".into(), "old".into(), "old".into()));
    job.on_conflict = OnConflict::Rename;
    // The second time it is there already, under its other name.
    for served in [3 + large.len() as u64, 0] {
        let fetched = get_folder(&job).0.unwrap();
        assert_eq!(from(&fetched).iter().map(|(_, bytes)| bytes).sum::<u64>(), served);
        assert_eq!(names(downloads.path()), ["a (1).txt", "a.txt", "b.txt", "c", "c (1)", "e", "e (1)"]);
        assert_eq!((read("a.txt"), read("a (1).txt"), read("e")), ("old".into(), "new".into(), "old".into()));
        assert!(fs::read(of("c (1)")).unwrap() == large);
    }
    job.on_conflict = OnConflict::Overwrite;
    get_folder(&job).0.unwrap();
    assert_eq!((read("a.txt"), read("b.txt"), read("e")), ("new".into(), "same".into(), "".into()));
    assert!(fs::read(of("c")).unwrap() == large);
}

#[test]
fn data_folder_sweeps_away_what_a_killed_run_left_and_nothing_else() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let of = |name: &str| downloads.path().join(name);
    fs::write(of(".0011223344556677-3.potluck"), "left").unwrap();
    let busy = File::create(of(".0011223344556677-4.potluck")).unwrap();
    rustix::fs::flock(&busy, FlockOperation::LockExclusive).unwrap();
    fs::write(of("victim"), "precious").unwrap();
    symlink(of("victim"), of(".0011223344556677-5.potluck")).unwrap();
    fs::hard_link(of("victim"), of(".0011223344556677-6.potluck")).unwrap();
    fs::write(of(".mine-3.potluck"), "mine").unwrap();
    let job = folder_job(vec![wanted("a", &giver.offer("a", b"new"), &[0])], vec![giver.source("g")], downloads.path());
    get_folder(&job).0.unwrap();
    let numbered = |n: u8| format!(".0011223344556677-{n}.potluck");
    assert_eq!(
        names(downloads.path()),
        [numbered(4), numbered(5), numbered(6), ".mine-3.potluck".into(), "a".into(), "victim".into()]
    );
}

fn dialled(giver: &Giver) -> ClientStream {
    let source = giver.source("gil");
    let mut stream = dial(source.address, source.key, &receiver(), &Hangup::default()).unwrap();
    stream.set_patience(Duration::from_secs(20));
    stream
}

fn files_request(folder: &str, size: u64, files: Vec<(ContentHash, String)>) -> Vec<u8> {
    let (transfer, hash) = (TOKEN.to_owned(), ContentHash([3; 32]));
    to_line(&DataRequest::Files { transfer, folder: folder.into(), hash, size, files })
}

#[test]
fn data_source_refuses_folders_that_are_none() {
    let giver = Giver::new(1);
    let hashed = giver.offer("a", b"abc");
    let long = format!("{}/", "x".repeat(256));
    let names = ["", "/", "a", "../", "a\u{1b}[2J/", "a\u{202e}/", &long].map(|name| (name, 3));
    for (folder, size) in names.into_iter().chain([("a/", u64::MAX)]) {
        let mut stream = dialled(&giver);
        stream.send(&files_request(folder, size, vec![(hashed.hash, "a".into())])).unwrap();
        let line = stream.read_line().unwrap().unwrap();
        let answer = serde_json::from_slice(&line).unwrap();
        assert!(matches!(answer, DataAnswer::Error { code, .. } if code == "bad-request"), "{folder:?}");
        assert!(stream.read_line().unwrap().is_none(), "it is closed");
    }
    assert!(giver.notes.all.lock().unwrap().is_empty());
}

#[test]
fn data_source_answers_each_file_by_itself() {
    let giver = Giver::new(1);
    let (first, last, empty) = (giver.offer("a", b"abc"), giver.offer("z", b"xyz"), giver.offer("e", b""));
    let large = giver.offer("large", &content(MIB + 1));
    let mut stream = dialled(&giver);
    let unknown = (ContentHash([9; 32]), "a".to_owned());
    // Nothing that it has: nobody is told of an upload.
    stream.send(&files_request("d/", 9, vec![unknown.clone()])).unwrap();
    stream.read_line().unwrap();
    assert!(giver.notes.all.lock().unwrap().is_empty());
    let named = |hashed: &Hashed, name: &str| (hashed.hash, name.to_owned());
    let files = vec![named(&first, "a"), unknown, named(&large, "large"), named(&empty, "e"), named(&last, "z")];
    stream.send(&files_request("d/", 9, files)).unwrap();
    let mut bytes = [0; 3];
    for expected in [Some("abc"), None, None, Some(""), Some("xyz")] {
        let line = stream.read_line().unwrap().unwrap();
        match (serde_json::from_slice(&line).unwrap(), expected) {
            (DataAnswer::Whole { length }, Some(text)) => {
                stream.read_exact(&mut bytes[..length as usize]).unwrap();
                assert_eq!(&bytes[..length as usize], text.as_bytes());
            }
            (DataAnswer::Error { code, .. }, None) => assert_eq!(code, "source-gone"),
            (answer, _) => panic!("{answer:?} instead of {expected:?}"),
        }
    }
}
