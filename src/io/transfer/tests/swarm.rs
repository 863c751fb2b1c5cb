//! Many sources, some of them bad, some with parts; and receivers that are sources themselves.

use std::os::unix::fs::MetadataExt;

use super::*;
use crate::protocol::{ChunkSet, Timestamp};

const CHUNKS: u32 = 9;
const LEN: usize = CHUNKS as usize * MIB;

fn set(chunks: &[u32]) -> ChunkSet {
    chunks.iter().copied().collect()
}

/// A gate that fakes wait at.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<u32>, Condvar)>);

impl Gate {
    fn step(&self) {
        *self.0.0.lock().unwrap() += 1;
        self.0.1.notify_all();
    }

    fn wait_for(&self, steps: u32) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |done| *done < steps).unwrap());
    }
}

/// A true source that sends chunks from `first` on only when the gate has been stepped through so often.
fn held(seed: u8, hashed: &Hashed, bytes: &[u8], first: u64, gate: (&Gate, u32)) -> Source {
    let (hashed, bytes, (gate, steps)) = (hashed.clone(), bytes.to_vec(), (gate.0.clone(), gate.1));
    fake(seed, move |stream, request| {
        if matches!(&request, DataRequest::Ranges { ranges, .. } if ranges[0][1] > first * MIB as u64) {
            gate.wait_for(steps);
        }
        answer_truly(stream, &hashed, &bytes, &request);
    })
}

/// All chunks that were said to be there.
fn have(told: &[TransferNote]) -> ChunkSet {
    let mut all = ChunkSet::default();
    for note in told {
        if let TransferNote::Have(have) = note {
            let chunks = &have[0].chunks;
            assert!(!chunks.is_empty() && chunks.iter().all(|chunk| all.insert(chunk)), "told once: {told:?}");
        }
    }
    all
}

#[test]
fn data_who_lies_and_who_leaves_is_named_once_and_the_rest_goes_on() {
    let (liar, honest) = (Giver::new(1), Giver::new(2));
    let bytes = content(LEN);
    let hashed = honest.offer("a", &bytes);
    let mut wrong = bytes.clone();
    wrong.iter_mut().step_by(MIB).for_each(|b| *b ^= 1);
    super::hostile::forge(&liar, "a", &hashed, &wrong);
    let leaving = {
        let (hashed, bytes) = (hashed.clone(), bytes.clone());
        fake_while(3, move |stream, request| {
            answer_truly(stream, &hashed, &bytes, &request);
            !matches!(request, DataRequest::Ranges { .. })
        })
    };
    let gate = Gate::default();
    let mut sources = vec![liar.source("liar"), leaving, held(4, &hashed, &bytes, 0, (&gate, 2))];
    (sources[1].name, sources[2].name) = ("leaving".into(), "honest".into());
    let downloads = tempfile::tempdir().unwrap();
    let told = Mutex::new(Vec::new());
    let notify = |note| {
        if let TransferNote::Dropped { .. } = note {
            gate.step();
        }
        told.lock().unwrap().push(note);
    };
    let job = job(&hashed, "a", sources, downloads.path());
    let fetched = fetch(&job, &receiver(), &ContentStore::default(), &notify, &Control::default()).unwrap();
    assert!(fetched.complete && fs::read(&fetched.path).unwrap() == bytes);
    assert!(from(&fetched).iter().all(|(name, _)| name != "liar"), "{:?}", from(&fetched));
    let told = told.into_inner().unwrap();
    let named = |note: &TransferNote| match note {
        TransferNote::Dropped { peer: name, failure } => Some((name.clone(), failure.code)),
        _ => None,
    };
    let mut dropped: Vec<_> = told.iter().filter_map(named).collect();
    dropped.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(dropped, [("leaving".to_owned(), ErrorCode::PeerBroke), ("liar".to_owned(), ErrorCode::BadChunk)]);
    assert_eq!(have(&told), ChunkSet::all(CHUNKS));
}

#[test]
fn data_some_chunks_end_in_their_places_and_the_rest_comes_later() {
    let downloads = tempfile::tempdir().unwrap();
    let bytes = content(LEN);
    let (first, second) = (Giver::new(1), Giver::new(2));
    let hashed = first.offer("a", &bytes);
    second.offer("a", &bytes);
    let whole = job(&hashed, "a", vec![first.source("first")], downloads.path());
    let some = FetchJob { chunks: Some(set(&[0, 4, 7, 99])), ..whole.clone() };
    let (result, told) = get_with(&some, &Control::default());
    let fetched = result.unwrap();
    assert_eq!((fetched.complete, from(&fetched)), (false, vec![("first".to_owned(), 3 * MIB as u64)]));
    assert_eq!(names(downloads.path()), [fetched.path.file_name().unwrap().to_str().unwrap()]);
    let partial = fs::read(&fetched.path).unwrap();
    for chunk in [0, 4, 7] {
        assert!(partial[chunk * MIB..][..MIB] == bytes[chunk * MIB..][..MIB], "chunk {chunk}");
    }
    assert_eq!(have(&told), set(&[0, 4, 7]));
    assert!(
        matches!(first.notes.until_over()[..], [UploadEvent::Started { .. }, .., UploadEvent::Completed { bytes, .. }] if bytes == 3 * MIB as u64)
    );
    // Two more, of which one is there; then all that are left.
    let more = FetchJob { chunks: Some(set(&[4, 5])), ..whole.clone() };
    let (result, told) = get_with(&more, &Control::default());
    assert_eq!((from(&result.unwrap()), have(&told)), (vec![("first".to_owned(), MIB as u64)], set(&[4, 5])));
    let rest = FetchJob { sources: vec![second.source("second")], ..whole };
    let (result, told) = get_with(&rest, &Control::default());
    let fetched = result.unwrap();
    assert!(fetched.complete && fs::read(&fetched.path).unwrap() == bytes);
    assert_eq!((fetched.path.clone(), have(&told)), (downloads.path().join("a"), ChunkSet::all(CHUNKS)));
    assert_eq!(from(&fetched), [("second".to_owned(), 5 * MIB as u64)]);
}

#[test]
fn data_the_last_wanted_chunks_complete_the_file() {
    let downloads = tempfile::tempdir().unwrap();
    let bytes = content(LEN);
    let giver = Giver::new(1);
    let hashed = giver.offer("a", &bytes);
    let job = job(&hashed, "a", vec![giver.source("gil")], downloads.path());
    for (chunks, complete) in [(0..3, false), (3..9, true)] {
        let some = FetchJob { chunks: Some(chunks.collect()), ..job.clone() };
        assert_eq!(get(&some).unwrap().complete, complete);
    }
    assert!(fs::read(downloads.path().join("a")).unwrap() == bytes);
    let none = FetchJob { chunks: Some(set(&[CHUNKS])), target: "b".into(), ..job };
    assert_eq!(code(get(&none)), ErrorCode::BadRequest);
    assert_eq!(names(downloads.path()), ["a"]);
}

#[test]
fn data_receiver_serves_what_it_has_while_it_fetches_and_when_it_is_done() {
    let bytes = content(LEN);
    // It offers nothing: what it serves is what it fetches.
    let relay = Giver::new(5);
    let hashed = Giver::new(1).offer("a", &bytes);
    let gate = Gate::default();
    let slow = held(9, &hashed, &bytes, 4, (&gate, 1));
    let (folder, downloads) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (got, half) = (Mutex::new(ChunkSet::default()), Gate::default());
    let notify = |note| {
        if let TransferNote::Have(have) = note {
            let mut got = got.lock().unwrap();
            got.add(&have[0].chunks);
            if got.len() == 4 {
                half.step();
            }
        }
    };
    let first = job(&hashed, "relayed", vec![slow], folder.path());
    let from_relay = |has: Option<ChunkSet>, chunks: Option<ChunkSet>| {
        let source = Source { has, ..relay.source("relay") };
        FetchJob { chunks, ..job(&hashed, "a", vec![source], downloads.path()) }
    };
    let (identity, contents) = (LocalPeer::new(Identity::from_seed([5; 32])), relay.contents.clone());
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| fetch(&first, &identity, &contents, &notify, &Control::default()));
        half.wait_for(1);
        let four = ChunkSet::all(4);
        let fetched = get(&from_relay(Some(four.clone()), Some(four.clone()))).unwrap();
        assert_eq!((fetched.complete, from(&fetched)), (false, vec![("relay".to_owned(), 4 * MIB as u64)]));
        assert_eq!(code(get(&from_relay(None, Some(set(&[8]))))), ErrorCode::SourceGone, "not there yet");
        gate.step();
        assert!(fetching.join().unwrap().unwrap().complete);
    });
    let fetched = get(&from_relay(None, None)).unwrap();
    assert!(fetched.complete && fs::read(&fetched.path).unwrap() == bytes);
    assert_eq!(from(&fetched), [("relay".to_owned(), 5 * MIB as u64)]);
    let again = FetchJob { target: "again".into(), ..from_relay(None, None) };
    fs::write(folder.path().join("relayed"), b"something else").unwrap();
    assert!(get(&again).is_err());
    assert_eq!(code(get(&again)), ErrorCode::SourceGone, "it is not tried again");
}

#[test]
fn data_what_was_got_of_a_file_is_served_and_then_gone_on_with() {
    let bytes = content(LEN);
    let (giver, relay) = (Giver::new(1), Giver::new(5));
    let hashed = giver.offer("a", &bytes);
    let (folder, downloads) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let identity = LocalPeer::new(Identity::from_seed([5; 32]));
    let whole = job(&hashed, "relayed", vec![Source { has: None, ..giver.source("gil") }], folder.path());
    // The giver must know the relay.
    giver.contents.set_peers(HashMap::from([(identity.key, "relay".to_owned())]));
    let some = FetchJob { chunks: Some(set(&[2, 3])), ..whole.clone() };
    let relay_fetches = |job: &FetchJob| fetch(job, &identity, &relay.contents, &|_| (), &Control::default()).unwrap();
    relay_fetches(&some);
    let wanted = |chunks: &[u32]| {
        let job = job(&hashed, "a", vec![relay.source("relay")], downloads.path());
        FetchJob { chunks: Some(set(chunks)), ..job }
    };
    assert!(!get(&wanted(&[2, 3])).unwrap().complete);
    assert_eq!(code(get(&wanted(&[4]))), ErrorCode::SourceGone);
    assert!(relay_fetches(&whole).complete);
    assert!(get(&FetchJob { chunks: None, ..wanted(&[]) }).unwrap().complete);
    assert!(fs::read(downloads.path().join("a")).unwrap() == bytes);
}

#[test]
fn data_source_that_comes_later_takes_over_from_one_that_stalls() {
    let honest = Giver::new(1);
    let bytes = content(LEN);
    let hashed = honest.offer("a", &bytes);
    let control = Control::default();
    let stalled = {
        let (control, later, hashed) = (control.clone(), honest.source("honest"), hashed.clone());
        fake(9, move |stream, request| {
            answer_truly(stream, &hashed, &[], &request);
            control.update(vec![later.clone()]);
            Gate::default().wait_for(1);
        })
    };
    let downloads = tempfile::tempdir().unwrap();
    let job = job(&hashed, "a", vec![stalled], downloads.path());
    let fetched = fetch(&job, &receiver(), &ContentStore::default(), &|_| (), &control).unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    assert_eq!(from(&fetched), [("honest".to_owned(), LEN as u64)]);
}

#[test]
fn data_source_that_was_lost_is_asked_again_when_it_is_back_but_never_one_that_lied() {
    let (honest, liar) = (Giver::new(1), Giver::new(2));
    let bytes = content(LEN);
    let hashed = honest.offer("a", &bytes);
    // The same key, somewhere else, where it breaks off after the first chunks.
    let leaving = {
        let (hashed, bytes) = (hashed.clone(), bytes.clone());
        fake_while(1, move |stream, request| {
            answer_truly(stream, &hashed, &bytes, &request);
            !matches!(request, DataRequest::Ranges { .. })
        })
    };
    let mut wrong = bytes.clone();
    wrong.iter_mut().step_by(MIB).for_each(|b| *b ^= 1);
    super::hostile::forge(&liar, "a", &hashed, &wrong);
    // Somebody stays who has only a part, or it would all be over.
    let part = Giver::new(3);
    part.offer("a", &bytes);
    let part = Source { has: Some(set(&[0])), ..part.source("part") };
    let downloads = tempfile::tempdir().unwrap();
    let (control, dropped) = (Control::default(), Mutex::new(Vec::new()));
    let notify = |note| {
        let TransferNote::Dropped { peer: name, .. } = note else { return };
        let mut dropped = dropped.lock().unwrap();
        dropped.push(name);
        if dropped.len() == 2 {
            control.update(vec![liar.source("liar"), honest.source("gil")]);
        }
    };
    let sources = vec![Source { name: "gil".into(), ..leaving }, liar.source("liar"), part];
    let job = job(&hashed, "a", sources, downloads.path());
    let fetched = fetch(&job, &receiver(), &ContentStore::default(), &notify, &control).unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    let mut dropped = dropped.into_inner().unwrap();
    dropped.sort();
    assert_eq!(dropped, ["gil", "liar"]);
}

#[test]
fn data_source_that_has_more_by_now_is_asked_for_it() {
    let giver = Giver::new(1);
    let bytes = content(LEN);
    let hashed = giver.offer("a", &bytes);
    let source = |has| Source { has, ..giver.source("gil") };
    let downloads = tempfile::tempdir().unwrap();
    let control = Control::default();
    let notify = |note| {
        if let TransferNote::Have(have) = note {
            let more = have[0].chunks.end() + 4;
            control.update(vec![source((more < CHUNKS).then(|| ChunkSet::all(more)))]);
        }
    };
    let job = job(&hashed, "a", vec![source(Some(set(&[0])))], downloads.path());
    let fetched = fetch(&job, &receiver(), &ContentStore::default(), &notify, &control).unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
}

#[test]
fn data_more_sources_than_connections_that_have_one_chunk_each() {
    let givers: Vec<_> = (1..=12).map(Giver::new).collect();
    let bytes = content(12 * MIB);
    let hashed: Vec<_> = givers.iter().map(|giver| giver.offer("a", &bytes)).collect();
    let downloads = tempfile::tempdir().unwrap();
    let only = |(chunk, giver): (u32, &Giver)| Source { has: Some(set(&[chunk])), ..giver.source(&chunk.to_string()) };
    let job = job(&hashed[0], "a", (0..).zip(&givers).map(only).collect(), downloads.path());
    let (result, told) = get_with(&job, &Control::default());
    let fetched = result.unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    assert!(!told.iter().any(|note| matches!(note, TransferNote::Dropped { .. })), "{told:?}");
    assert_eq!(from(&fetched), (0..12).map(|chunk| (chunk.to_string(), MIB as u64)).collect::<Vec<_>>());
}

#[test]
fn data_finished_file_says_when_it_was_modified() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let hashed = giver.offer("a", b"abc");
    for (number, time, expected) in [
        (1, 1_000_000_000_123, Some((1_000_000_000, 123_000_000))),
        (2, i64::MAX, None),
        (3, i64::MIN, None),
        (4, -1, None),
    ] {
        let job = job(&hashed, "a", vec![giver.source("gil")], downloads.path());
        let job = FetchJob { modified: Some(Timestamp(time)), target: number.to_string(), ..job };
        let meta = get(&job).unwrap().path.metadata().unwrap();
        assert!(expected.is_none_or(|expected| expected == (meta.mtime(), meta.mtime_nsec())), "{meta:?}");
    }
}
