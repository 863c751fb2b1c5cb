//! What is scarce: places at a server, and the patience of whoever is dialled.

use std::net::TcpStream;

use super::*;
use crate::io::transfer::dial::dial;

#[test]
fn data_idle_connections_of_peers_make_room_for_others() {
    let giver = Giver::new(1);
    let hash = giver.offer("a", b"abc").hash;
    let keys: Vec<LocalPeer> = (100..=108).map(|seed| LocalPeer::new(Identity::from_seed([seed; 32]))).collect();
    giver.contents.set_peers(keys.iter().map(|peer| (peer.key, format!("p{}", peer.key))).collect());
    let source = giver.source("gil");
    let ask = |peer: &LocalPeer| {
        let mut stream = dial(source.address, source.key, peer, &Hangup::default()).ok().unwrap();
        let (transfer, file) = (TOKEN.to_owned(), "a".to_owned());
        stream.send(&to_line(&DataRequest::Ranges { transfer, hash, file, ranges: vec![[0, 3]] })).unwrap();
        let answer = String::from_utf8(stream.read_line().unwrap().unwrap()).unwrap();
        assert!(answer.contains("bytes"), "{answer}");
        stream
    };
    let (newcomer, greedy) = keys.split_last().unwrap();
    let _held: Vec<_> = greedy.iter().flat_map(|peer| (0..32).map(|_| ask(peer)).collect::<Vec<_>>()).collect();
    for _ in 0..3 {
        ask(newcomer);
    }
}

#[test]
fn data_many_names_for_one_address_are_not_dialled_each() {
    let giver = Giver::new(1);
    let hashed = giver.offer("a", b"abc");
    let victim = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = victim.local_addr().unwrap();
    let sources = (0..200).map(|n| {
        let name = format!("n{n}");
        Source { name, address, key: PublicKey([n as u8; 32]), has: None }
    });
    let downloads = tempfile::tempdir().unwrap();
    let dialled = std::thread::scope(|scope| {
        let counting = scope
            .spawn(|| victim.incoming().take_while(|tcp| tcp.as_ref().unwrap().peek(&mut [0]).unwrap() > 0).count());
        let failure = get(&job(&hashed, "a", sources.collect(), downloads.path())).unwrap_err();
        assert_eq!(failure.code, ErrorCode::PeerUnreachable, "{failure}");
        assert!(failure.wait.is_some());
        // Who says nothing is us.
        drop(TcpStream::connect(address).unwrap());
        counting.join().unwrap()
    });
    assert!((1..30).contains(&dialled), "{dialled}");
}

#[test]
fn data_source_that_drips_is_given_up_if_it_is_the_only_one() {
    let giver = Giver::new(1);
    let bytes = content(5 * MIB);
    let hashed = giver.offer("a", &bytes);
    let known = hashed.clone();
    let dripping = fake(9, move |stream, request| match request {
        DataRequest::Ranges { .. } => {
            let mut sent = stream.send(&to_line(&DataAnswer::Bytes { length: MAX_SEGMENT as u64 }));
            while sent.is_ok() {
                std::thread::sleep(Duration::from_millis(50));
                sent = stream.send(&[0]);
            }
        }
        other => answer_truly(stream, &known, &[], &other),
    });
    let downloads = tempfile::tempdir().unwrap();
    let job = job(&hashed, "a", vec![dripping], downloads.path());
    // It is looked at much more often than it is in truth, so that nobody waits for a minute.
    let impatient = receiver().trying(Duration::from_millis(100));
    let given_up = fetch(&job, &impatient, &ContentStore::default(), &|_| (), &Control::default());
    assert_eq!(code(given_up), ErrorCode::SourceTooSlow);
    get(&FetchJob { sources: vec![giver.source("gil")], ..job }).unwrap();
}
