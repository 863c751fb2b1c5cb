//! Files arrive as they are.

use super::*;

#[test]
fn data_files_of_every_size_arrive_byte_for_byte() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    for len in [0, 1, 1023, 1024, 1025, MIB - 1, MIB, MIB + 1, 9 * MIB + 17] {
        let name = format!("fünf {len} Bäume.bin");
        let bytes = content(len);
        let hashed = giver.offer(&name, &bytes);
        let fetched = get(&job(&hashed, &name, vec![giver.source("gil")], downloads.path())).unwrap();
        assert_eq!(fetched.path, downloads.path().join(&name));
        assert!(fs::read(&fetched.path).unwrap() == bytes, "{len}");
        let sent = if len == 0 { vec![] } else { vec![("gil".to_owned(), len as u64)] };
        assert_eq!(from(&fetched), sent);
    }
    assert_eq!(names(downloads.path()).len(), 9, "no partial file is left");
}

#[test]
fn data_files_arrive_however_they_are_cut() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let bytes = content(5 * MIB + 3);
    for at_most in [1, 2, 3, 100, 16_384] {
        let name = format!("cut-{at_most}");
        let hashed = giver.offer_cut(&name, &bytes, Some(at_most));
        let fetched = get(&job(&hashed, &name, vec![giver.source("gil")], downloads.path())).unwrap();
        assert!(fs::read(&fetched.path).unwrap() == bytes, "{at_most}");
    }
}

#[test]
fn data_both_sides_tell_what_happens() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let len = 6 * MIB as u64;
    let hashed = giver.offer("sub/a.bin", &content(len as usize));
    let job = job(&hashed, "sub/a.bin", vec![giver.source("gil")], downloads.path());
    let (result, told) = get_with(&job, &Control::default());
    let path = result.unwrap().path;
    assert_eq!(path, downloads.path().join("sub/a.bin"));
    assert_eq!(
        told[0],
        TransferNote::Started { path: path.to_str().unwrap().to_owned(), resumed: 0, route: Some(Route::Direct) }
    );
    let told = giver.notes.until_over();
    let (file, peer_name) = ("sub/a.bin".to_owned(), "rita".to_owned());
    let started = UploadEvent::Started {
        upload: 1,
        file,
        peer: receiver().key,
        peer_name,
        size: len,
        hash: hashed.hash,
        route: Route::Direct,
    };
    assert_eq!(told[0], started);
    assert!(matches!(told.last(), Some(UploadEvent::Completed { upload: 1, bytes, .. }) if *bytes == len));
}

#[test]
fn data_several_sources_share_the_work_and_may_know_it_by_other_names() {
    let givers = [Giver::new(1), Giver::new(2), Giver::new(3)];
    let downloads = tempfile::tempdir().unwrap();
    let bytes = content(40 * MIB);
    let hashed = givers[0].offer("a", &bytes);
    givers[1].offer("b", &bytes);
    givers[2].offer("c", &bytes);
    let sources = vec![givers[0].source("g1"), givers[1].source("g2"), givers[2].source("g3")];
    let fetched = get(&job(&hashed, "a", sources, downloads.path())).unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    assert_eq!(from(&fetched).iter().map(|(_, n)| n).sum::<u64>(), bytes.len() as u64);
}

#[test]
fn data_source_in_reserve_steps_in() {
    let (gone, here) = (Giver::new(1), Giver::new(2));
    let downloads = tempfile::tempdir().unwrap();
    let hashed = here.offer("a", b"small");
    let sources = vec![gone.source("gone"), here.source("here")];
    let (result, told) = get_with(&job(&hashed, "a", sources, downloads.path()), &Control::default());
    assert_eq!(from(&result.unwrap()), [("here".to_owned(), 5)]);
    let dropped = TransferNote::Dropped { peer: "gone".into(), failure: ErrorCode::SourceGone.into() };
    assert!(told.contains(&dropped), "{told:?}");
}

#[test]
fn data_many_small_files_at_once() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let hashed: Vec<_> = (0..40).map(|i| giver.offer(&format!("f{i}"), &content(i * 100))).collect();
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (giver, hashed, folder) = (&giver, &hashed, downloads.path());
            scope.spawn(move || {
                for i in (part..40).step_by(4) {
                    let mut job = job(&hashed[i], &format!("f{i}"), vec![giver.source("gil")], folder);
                    job.token = format!("{i:016x}");
                    get(&job).unwrap();
                }
            });
        }
    });
    for i in 0..40 {
        assert_eq!(fs::read(downloads.path().join(format!("f{i}"))).unwrap(), content(i * 100));
    }
}

#[test]
fn data_small_file_does_not_wait_for_a_source_that_trickles() {
    let honest = Giver::new(1);
    let bytes = content(MIB);
    let hashed = honest.offer("a", &bytes);
    let trickling = fake(9, |stream, request| {
        if let DataRequest::Ranges { .. } = request {
            let _ = stream.send(&to_line(&DataAnswer::Bytes { length: 1000 })).and_then(|()| stream.send(&[7]));
        }
    });
    let downloads = tempfile::tempdir().unwrap();
    let sources = vec![trickling, honest.source("honest")];
    let (result, told) = get_with(&job(&hashed, "a", sources, downloads.path()), &Control::default());
    let fetched = result.unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    assert_eq!(from(&fetched), [("honest".to_owned(), MIB as u64)]);
    let given_up = |note: &TransferNote| matches!(note, TransferNote::Dropped { .. });
    assert!(!told.iter().any(given_up), "nobody waited so long: {told:?}");
}

#[test]
fn data_source_that_cuts_the_file_otherwise_gives_it_but_not_its_manifest() {
    let bytes = content(9 * MIB);
    let (same, other) = (Giver::new(1), Giver::new(2));
    let hashed = same.offer("a", &bytes);
    assert_ne!(other.offer_cut("a", &bytes, Some(3)).chunking, hashed.chunking);
    let downloads = tempfile::tempdir().unwrap();
    let first = Source { has: Some(std::iter::once(0).collect()), ..same.source("same") };
    let sources = vec![other.source("other"), first];
    let (result, told) = get_with(&job(&hashed, "a", sources, downloads.path()), &Control::default());
    let fetched = result.unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    assert!(from(&fetched).iter().any(|(name, _)| name == "other"), "{:?}", from(&fetched));
    assert!(!told.iter().any(|note| matches!(note, TransferNote::Dropped { .. })), "{told:?}");
    let alone = FetchJob { target: "b".into(), ..job(&hashed, "a", vec![other.source("other")], downloads.path()) };
    assert_eq!(code(get(&alone)), ErrorCode::PeerBroke);
}
