//! Peers that lie, break off or send what they like.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::fs::{CWD, FileType, Mode};

use super::*;
use crate::io::content::hash::Fingerprint;
use crate::io::net::tls::{LINK_ALPN, client_config};
use crate::io::transfer::dial::dial;
use crate::io::transfer::socket::Broken;
use crate::io::transfer::stream::ClientStream;
use crate::protocol::ContentHash;

#[test]
fn data_source_with_another_key_gets_and_gives_nothing() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let hashed = giver.offer("a", b"secret");
    let source = Source { key: PublicKey([5; 32]), ..giver.source("gil") };
    let (result, told) = get_with(&job(&hashed, "a", vec![source], downloads.path()), &Control::default());
    assert_eq!(code(result), ErrorCode::PeerKeyChanged);
    assert!(
        matches!(&told[..], [TransferNote::Started { .. }, TransferNote::Dropped { peer: name, .. }] if name == "gil")
    );
    assert!(names(downloads.path()).is_empty() && giver.notes.all.lock().unwrap().is_empty());
}

#[test]
fn data_stranger_gets_nothing() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let hashed = giver.offer("a", b"secret");
    giver.contents.set_peers(HashMap::new());
    let job = job(&hashed, "a", vec![giver.source("gil")], downloads.path());
    assert_eq!(code(get(&job)), ErrorCode::PeerRefused);
    assert!(names(downloads.path()).is_empty() && giver.notes.all.lock().unwrap().is_empty());
    giver.contents.set_peers(HashMap::from([(receiver().key, "rita".to_owned())]));
    assert!(get(&job).is_ok());
}

#[test]
fn data_peer_who_is_missing_from_the_roster_of_a_hub_that_has_just_come_back_is_waited_for() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let hashed = giver.offer("a", &content(3 * MIB));
    let contents = giver.contents.clone();
    giver.notes.on_start(move || {
        contents.set_peers(HashMap::new());
        let contents = contents.clone();
        std::thread::spawn(move || {
            // Long enough that more is asked meanwhile, and shorter than who is not announced is waited for.
            std::thread::sleep(Duration::from_millis(100));
            contents.set_peers(HashMap::from([(receiver().key, "rita".to_owned())]));
        });
    });
    assert!(get(&job(&hashed, "a", vec![giver.source("gil")], downloads.path())).is_ok());
}

/// Changes an offered file, and what the content store knows of it, so that the source does not notice.
pub(super) fn forge(giver: &Giver, name: &str, hashed: &Hashed, bytes: &[u8]) {
    fs::write(giver.path(name), bytes).unwrap();
    let fingerprint = Fingerprint::of(&File::open(giver.path(name)).unwrap()).unwrap();
    giver.contents.add(name, giver.path(name), Hashed { fingerprint, ..hashed.clone() });
}

#[test]
fn data_wrong_bytes_are_never_kept() {
    for len in [5, MIB, 7 * MIB] {
        for at_most in [None, Some(1)] {
            let giver = Giver::new(1);
            let downloads = tempfile::tempdir().unwrap();
            let hashed = giver.offer_cut("a", &content(len), at_most);
            forge(&giver, "a", &hashed, &vec![7; len]);
            let (result, told) =
                get_with(&job(&hashed, "a", vec![giver.source("gil")], downloads.path()), &Control::default());
            assert_eq!(code(result), ErrorCode::BadChunk);
            let named = |n: &TransferNote| matches!(n, TransferNote::Dropped { peer: name, failure } if name == "gil" && failure.code == ErrorCode::BadChunk);
            assert_eq!(told.iter().filter(|n| named(n)).count(), 1, "{told:?}");
            assert!(names(downloads.path()).is_empty());
        }
    }
}

#[test]
fn data_liar_is_named_and_the_honest_one_completes_it() {
    let (liar, honest) = (Giver::new(1), Giver::new(2));
    let downloads = tempfile::tempdir().unwrap();
    let bytes = content(30 * MIB);
    let hashed = honest.offer("a", &bytes);
    let mut wrong = bytes.clone();
    wrong.iter_mut().step_by(MIB).for_each(|b| *b ^= 1);
    liar.offer("a", &bytes);
    forge(&liar, "a", &hashed, &wrong);
    let sources = vec![liar.source("liar"), honest.source("honest")];
    let (result, told) = get_with(&job(&hashed, "a", sources, downloads.path()), &Control::default());
    let fetched = result.unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    assert_eq!(from(&fetched), [("honest".to_owned(), bytes.len() as u64)]);
    let others = |n: &TransferNote| matches!(n, TransferNote::Dropped { peer: name, .. } if name != "liar");
    assert!(!told.iter().any(others), "{told:?}");
}

#[test]
fn data_manifest_that_lies_is_found_out_before_content_is_asked_for() {
    let giver = Giver::new(1);
    let bytes = content(5 * MIB);
    let hashed = giver.offer("a", &bytes);
    let mut manifest = hashed.manifest.to_vec();
    manifest[2][31] ^= 0x80;
    let lie = Hashed { manifest: manifest.into(), ..hashed.clone() };
    let source = fake(9, move |stream, request| {
        assert!(matches!(request, DataRequest::Manifest { .. }));
        answer_truly(stream, &lie, &[], &request);
    });
    let downloads = tempfile::tempdir().unwrap();
    assert_eq!(code(get(&job(&hashed, "a", vec![source], downloads.path()))), ErrorCode::BadChunk);
    assert!(names(downloads.path()).is_empty());
}

#[test]
fn data_sources_that_break_the_protocol_are_dropped() {
    let giver = Giver::new(1);
    let hashed = giver.offer("a", &content(5 * MIB));
    let huge = DataAnswer::Manifest { size: 1 << 62, chunk_size: 1 << 20, chunks: 1 << 42 };
    let segment = |length| to_line(&DataAnswer::Bytes { length });
    let error = |code: &str| to_line(&DataAnswer::Error { code: code.into(), message: "\u{1b}[31m".into() });
    for (answer, expected) in [
        (to_line(&huge), ErrorCode::PeerBroke),
        (segment(1), ErrorCode::PeerBroke),
        (segment(u64::MAX), ErrorCode::PeerBroke),
        (b"{\"answer\":\"manifest\",\"size\":-1}\n".to_vec(), ErrorCode::PeerBroke),
        (b"\xff\xfe\n".to_vec(), ErrorCode::PeerBroke),
        ([b"[".repeat(60_000), b"\n".to_vec()].concat(), ErrorCode::PeerBroke),
        (vec![b'x'; 300_000], ErrorCode::PeerBroke),
        (error("source-gone"), ErrorCode::SourceGone),
        (error("nobody-knows"), ErrorCode::PeerBroke),
        (error("exists"), ErrorCode::PeerBroke),
    ] {
        let source = fake(9, move |stream, _| {
            let _ = stream.send(&answer);
        });
        let downloads = tempfile::tempdir().unwrap();
        let failure = get(&job(&hashed, "a", vec![source], downloads.path())).unwrap_err();
        assert_eq!(failure.code, expected);
        assert!(!failure.message.contains('\u{1b}'));
    }
}

#[test]
fn data_segments_that_are_empty_or_too_long_end_it() {
    let giver = Giver::new(1);
    let bytes = content(MIB);
    let hashed = giver.offer("a", &bytes);
    for length in [0, MAX_SEGMENT as u64 + 1, u64::MAX] {
        let source = fake(9, move |stream, _| {
            let _ = stream.send(&to_line(&DataAnswer::Bytes { length }));
        });
        let downloads = tempfile::tempdir().unwrap();
        assert_eq!(code(get(&job(&hashed, "a", vec![source], downloads.path()))), ErrorCode::PeerBroke);
    }
}

#[test]
fn data_file_changed_while_it_is_sent() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let hashed = giver.offer("a", &content(9 * MIB));
    let path = giver.path("a");
    giver.notes.on_start(move || File::options().append(true).open(path).unwrap().write_all(b"x").unwrap());
    let job = job(&hashed, "a", vec![giver.source("gil")], downloads.path());
    assert_eq!(code(get(&job)), ErrorCode::SourceChanged);
    assert!(names(downloads.path()).is_empty());
    // A connection that asks after the first was told so counts as an upload of its own.
    let failed =
        |n: &UploadEvent| matches!(n, UploadEvent::Failed { failure, .. } if failure.code == ErrorCode::SourceChanged);
    let told = giver.notes.until_over();
    assert!(told.iter().any(failed), "{told:?}");
}

#[test]
fn data_only_the_regular_file_that_was_offered_is_sent() {
    let giver = Giver::new(1);
    let downloads = tempfile::tempdir().unwrap();
    let hashed = giver.offer("a", b"abc");
    let (path, aside) = (giver.path("a"), giver.path("b"));
    let job = job(&hashed, "a", vec![giver.source("gil")], downloads.path());
    fs::rename(&path, &aside).unwrap();
    assert_eq!(code(get(&job)), ErrorCode::SourceGone);
    std::os::unix::fs::symlink(&aside, &path).unwrap();
    assert_eq!(code(get(&job)), ErrorCode::SourceChanged);
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    assert_eq!(code(get(&job)), ErrorCode::SourceChanged);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"abc").unwrap();
    assert_eq!(code(get(&job)), ErrorCode::SourceChanged, "the same bytes in another file");
}

fn still_serves(giver: &Giver) {
    let downloads = tempfile::tempdir().unwrap();
    let hashed = giver.offer("alive", b"alive");
    get(&job(&hashed, "alive", vec![giver.source("gil")], downloads.path())).unwrap();
}

fn connect(giver: &Giver) -> ClientStream {
    let source = giver.source("gil");
    dial(source.address, source.key, &receiver(), &Hangup::default()).ok().unwrap()
}

#[test]
fn data_server_closes_on_what_is_not_its_protocol() {
    let giver = Giver::new(1);
    for words in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0; 100], &[0x16, 3, 1, 0xff, 0xff], &[0xff; 40_000]] {
        let mut tcp = TcpStream::connect(giver.source("gil").address).unwrap();
        // It may close before it has read all.
        let _ = tcp.write_all(words);
        let _ = tcp.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = tcp.read_to_end(&mut answer);
        assert!(answer.len() <= 7, "no more than a TLS alert: {answer:?}");
    }
    still_serves(&giver);
}

#[test]
fn data_server_refuses_requests_that_are_wrong() {
    let giver = Giver::new(1);
    let hash = giver.offer("a", b"abc").hash;
    let ranges = |ranges: &str| {
        format!(r#"{{"request":"ranges","transfer":"{TOKEN}","hash":"{hash}","file":"a","ranges":{ranges}}}"#)
    };
    let pairs = vec!["[0,4]"; 10_000].join(",");
    for line in [
        ranges("[]"),
        ranges("[[0,0]]"),
        ranges("[[2,1]]"),
        ranges("[[0,4]]"),
        ranges("[[-1,2]]"),
        ranges("[[9223372036854775808,9223372036854775809]]"),
        ranges("[[0,18446744073709551615]]"),
        ranges("[[0,18446744073709551616]]"),
        ranges(&format!("[{pairs}]")),
        r#"{"request":"done","transfer":"short"}"#.to_owned(),
        "{}".to_owned(),
        "[".repeat(60_000),
        "x".repeat(70_000),
        String::new(),
    ] {
        let mut stream = connect(&giver);
        let _ = stream.send(line.as_bytes()).and_then(|()| stream.send(b"\n"));
        let answer = stream.read_line().ok().flatten().map(|l| String::from_utf8(l).unwrap());
        assert!(answer.as_deref().is_none_or(|a| a.contains("bad-request")), "{answer:?}");
        assert!(!matches!(stream.read_line(), Ok(Some(_))), "closed after it");
    }
    still_serves(&giver);
}

#[test]
fn data_unknown_content_is_gone_and_the_connection_stays() {
    let giver = Giver::new(1);
    let hashed = giver.offer("a", b"abc");
    let mut stream = connect(&giver);
    let mut ask = |hash| {
        let (transfer, file) = (TOKEN.to_owned(), "a".to_owned());
        stream.send(&to_line(&DataRequest::Ranges { transfer, hash, file, ranges: vec![[1, 3]] })).unwrap();
        String::from_utf8(stream.read_line().unwrap().unwrap()).unwrap()
    };
    assert!(ask(ContentHash([1; 32])).contains("source-gone"));
    assert_eq!(ask(hashed.hash), r#"{"answer":"bytes","length":2}"#);
}

#[test]
fn data_strangers_who_stall_make_room_for_peers() {
    let giver = Giver::new(1);
    let address = giver.source("gil").address;
    let stalled: Vec<_> = (0..100).map(|_| TcpStream::connect(address).unwrap()).collect();
    still_serves(&giver);
    drop(stalled);
    still_serves(&giver);
}

#[test]
fn data_one_peer_cannot_take_all_connections() {
    let giver = Giver::new(1);
    let ask = |stream: &mut ClientStream| {
        let (transfer, file, hash) = (TOKEN.to_owned(), "a".to_owned(), ContentHash([1; 32]));
        stream.send(&to_line(&DataRequest::Manifest { transfer, hash, file })).unwrap();
    };
    let answered = |stream: &mut ClientStream| String::from_utf8(stream.read_line().unwrap().unwrap()).unwrap();
    let mut held: Vec<_> = (0..32).map(|_| connect(&giver)).collect();
    // Each has been let in once it is answered.
    for stream in &mut held {
        ask(stream);
        assert!(answered(stream).contains("source-gone"));
    }
    // One more waits until another leaves.
    let mut waiting = connect(&giver);
    ask(&mut waiting);
    held.pop();
    assert!(answered(&mut waiting).contains("source-gone"));
    assert!(answered(&mut connect(&giver)).contains("peer-refused"));
}

#[test]
fn data_upload_is_over_when_the_peer_says_so() {
    let giver = Giver::new(1);
    let hash = giver.offer("a", b"abc").hash;
    let mut stream = connect(&giver);
    let mut get = |transfer: &str| {
        let (transfer, file) = (transfer.to_owned(), "a".to_owned());
        stream
            .send(&to_line(&DataRequest::Ranges { transfer: transfer.clone(), hash, file, ranges: vec![[0, 3]] }))
            .unwrap();
        let answer = String::from_utf8(stream.read_line().unwrap().unwrap()).unwrap();
        if answer.contains("bytes") {
            stream.read_exact(&mut [0; 3]).unwrap();
            stream.send(&to_line(&DataRequest::Done { transfer })).unwrap();
        }
        answer
    };
    // The same token is another upload then; and so many over one connection are none of any use.
    let answers: Vec<_> = (0..65).map(|_| get(TOKEN)).collect();
    assert!(answers[..64].iter().all(|answer| answer.contains("bytes")));
    assert!(answers[64].contains("bad-request"), "{}", answers[64]);
    let told = giver.notes.all.lock().unwrap();
    assert_eq!(told.iter().filter(|note| matches!(note, UploadEvent::Started { .. })).count(), 64);
    assert_eq!(told.iter().filter(|note| matches!(note, UploadEvent::Completed { bytes: 3, .. })).count(), 64);
}

/// Both ends of a connection whose accepting end is in our hands.
fn pair(alpn: Option<&[u8]>) -> (Result<ClientStream, Broken>, Result<ServerStream, Broken>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = Arc::new(listener.accept().unwrap().0);
    let identity = Identity::from_seed([1; 32]);
    let mut config = client_config(&receiver(), Some(identity.key), DATA_ALPN);
    config.alpn_protocols = alpn.map(<[u8]>::to_vec).into_iter().collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    std::thread::scope(|scope| {
        let server = scope.spawn(move || {
            let config = Arc::new(server_config(&identity, DATA_ALPN));
            ServerStream::accept(far, config, Cancel::default(), deadline)
        });
        let client = ClientStream::connect(near, Arc::new(config), Hangup::default(), deadline);
        (client, server.join().unwrap())
    })
}

#[test]
fn data_receiver_that_does_not_read_is_not_waited_for() {
    let (client, server) = pair(Some(DATA_ALPN));
    let (client, mut server) = (client.ok().unwrap(), server.ok().unwrap());
    server.set_patience(Duration::from_millis(200));
    let block = vec![0; MAX_SEGMENT];
    let ended = loop {
        if let Err(broken) = server.send(&block) {
            break broken;
        }
    };
    assert!(matches!(ended, Broken::Silent), "{ended}");
    drop(client);
}

#[test]
fn data_other_protocols_are_refused_by_both_sides() {
    for alpn in [None, Some(LINK_ALPN)] {
        let (client, server) = pair(alpn);
        assert!(client.is_err() && server.is_err());
    }
}

#[test]
fn data_source_that_stalls_does_not_hold_up_the_others() {
    let honest = Giver::new(1);
    let bytes = content(20 * MIB);
    let hashed = honest.offer("a", &bytes);
    let known = hashed.clone();
    let stalling = fake(9, move |stream, request| {
        if let DataRequest::Manifest { .. } = request {
            answer_truly(stream, &known, &[], &request);
        }
    });
    let downloads = tempfile::tempdir().unwrap();
    let fetched = get(&job(&hashed, "a", vec![stalling, honest.source("honest")], downloads.path())).unwrap();
    assert!(fs::read(&fetched.path).unwrap() == bytes);
    assert_eq!(from(&fetched), [("honest".to_owned(), bytes.len() as u64)]);
}
