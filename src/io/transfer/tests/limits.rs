//! Limits hold transfers up, and change nothing else.

use std::sync::mpsc;

use super::*;

/// A limit that has given everything away for years.
fn exhausted() -> Option<TokenBucket> {
    let throttle = TokenBucket::new(SLOWEST);
    assert!(throttle.take(1 << 45, &Cancel::default()));
    Some(throttle)
}

#[test]
fn data_limits_hold_up_what_they_are_for() {
    let bytes = content(8 * MIB);
    let free = Giver::new(1);
    let hashed = free.offer("a", &bytes);
    for (up, down) in [(exhausted(), None), (None, exhausted())] {
        let giver = Giver::limited(2, Rates { up: up.clone(), down: None });
        giver.offer("a", &bytes);
        let (folder, cancel) = (tempfile::tempdir().unwrap(), Control::default());
        let identity = receiver().limited(Rates { up: None, down });
        let (tell, told) = mpsc::channel();
        std::thread::scope(|scope| {
            let job = job(&hashed, "a", vec![giver.source("giver")], folder.path());
            let notify = move |note| drop(tell.send(note));
            let fetching = scope.spawn({
                let (cancel, identity) = (&cancel, &identity);
                move || fetch(&job, identity, &ContentStore::default(), &notify, cancel)
            });
            let begun = giver.notes.more.wait_while(giver.notes.all.lock().unwrap(), |all| all.is_empty());
            drop(begun.unwrap());
            // Whoever is not held up gets all of it meanwhile.
            let other = tempfile::tempdir().unwrap();
            let job = self::job(&hashed, "a", vec![free.source("free")], other.path());
            fetch(&job, &receiver(), &ContentStore::default(), &|_| (), &cancel).unwrap();
            cancel.cancel();
            assert!(fetching.join().unwrap().is_err(), "up: {up:?}");
        });
        assert!(!told.iter().any(|note| matches!(note, TransferNote::Progress(_))), "up: {up:?}");
        assert_eq!(names(folder.path()), Vec::<String>::new(), "up: {up:?}");
    }
}

#[test]
fn data_limited_files_arrive_byte_for_byte() {
    let bytes = content(150_000);
    let limit = || Some(TokenBucket::new(400_000));
    let giver = Giver::limited(1, Rates { up: limit(), down: None });
    let hashed = giver.offer("a", &bytes);
    let folder = tempfile::tempdir().unwrap();
    let identity = receiver().limited(Rates { up: None, down: limit() });
    let job = job(&hashed, "a", vec![giver.source("giver")], folder.path());
    let fetched = fetch(&job, &identity, &ContentStore::default(), &|_| (), &Control::default()).unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
}
