//! Announcements and questions over loopback, each test on a port of multicast DNS of its own.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mdns_sd::ServiceEvent;
use tokio::task::AbortHandle;

use super::*;
use crate::core::nearby::{Ended, FoundHub};
use crate::io::net::identity::Identity;
use crate::io::net::{ListenLimits, Listener};
use crate::protocol::code::Nameplate;
use crate::protocol::wire::{SEEK_PROTOCOL, Seek, SeekAnswer};
use crate::protocol::{PublicKey, TransportChoice, to_json};

/// How long what must happen may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn air() -> Air {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    Air { reach: Reach::ThisMachine, port }
}

/// Answers questions with yes for some numbers, and remembers every line that anybody said to it.
struct Fake {
    key: PublicKey,
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    announcement: Option<Announcement>,
    task: AbortHandle,
}

impl Fake {
    fn start(air: Air, has: impl Fn(Nameplate) -> bool + Send + 'static) -> Self {
        let identity = Identity::ephemeral().unwrap();
        let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &identity, ListenLimits::default()).unwrap();
        let port = listener.local_addr().port();
        let announcement = Announcement::start(air, port, identity.key).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = heard.clone();
        let task = tokio::spawn(async move {
            loop {
                let mut conn = listener.accept().await;
                while let Ok(Some(line)) = conn.reader.next().await {
                    let line = String::from_utf8(line.to_vec()).unwrap();
                    if let Ok(seek) = serde_json::from_str::<Seek>(&line) {
                        let answer = to_json(&SeekAnswer { opened: has(seek.nameplate) }) + "\n";
                        let _ = conn.writer.write_all(answer.as_bytes()).await;
                        let _ = conn.writer.flush().await;
                    }
                    hears.lock().unwrap().push(line);
                }
            }
        });
        Self { key: identity.key, port, heard, announcement: Some(announcement), task: task.abort_handle() }
    }

    /// What was said to it, without repetitions.
    fn heard(&self) -> BTreeSet<String> {
        self.heard.lock().unwrap().iter().cloned().collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn question(nameplate: Nameplate) -> String {
    to_json(&Seek { seek: SEEK_PROTOCOL.into(), nameplate })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_three_senders_is_found_by_its_number_and_hears_no_more_than_numbers() {
    let air = air();
    let fakes: Vec<_> = (0..3).map(|n| Fake::start(air, move |number| number == 1_000 + 2 * n)).collect();
    let searches = (0..3).map(|n| search(air, 1_000 + 2 * n, TransportChoice::Auto));
    let searches: Vec<_> = searches.map(tokio::spawn).collect();
    for (search, fake) in searches.into_iter().zip(&fakes) {
        let ended = search.await.unwrap().unwrap();
        assert!(matches!(&ended, Ended::Found(FoundHub { key, .. }) if *key == fake.key), "{ended:?}");
    }
    let numbers: BTreeSet<_> = (0..3).map(|n| question(1_000 + 2 * n)).collect();
    assert!(fakes.iter().all(|fake| fake.heard() == numbers));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_false_announcement_is_asked_for_the_number_and_gets_nothing_else() {
    let air = air();
    let (honest, false_hub) = (Fake::start(air, |number| number == 4_712), Fake::start(air, |_| true));
    let ended = search(air, 4_712, TransportChoice::Auto).await.unwrap();
    let Ended::Several(hubs) = ended else { panic!("{ended:?}") };
    let keys: Vec<_> = hubs.iter().map(|hub| hub.key).collect();
    assert!(keys.len() == 2 && keys.contains(&honest.key) && keys.contains(&false_hub.key));
    assert_eq!(false_hub.heard(), BTreeSet::from([question(4_712)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_announces_the_key_of_another_hub_is_not_taken_for_it() {
    let air = air();
    let (honest, mut false_hub) = (Fake::start(air, |number| number == 4_712), Fake::start(air, |_| true));
    let announcement = Announcement::start(air, false_hub.port, honest.key).unwrap();
    // From now on it announces nothing but the other one's key.
    let own = false_hub.announcement.replace(announcement);
    tokio::task::spawn_blocking(move || drop(own)).await.unwrap();
    let ended = search(air, 4_712, TransportChoice::Auto).await.unwrap();
    let Ended::Found(FoundHub { key, at }) = ended else { panic!("{ended:?}") };
    assert!(key == honest.key && at.iter().all(|place| place.port() == honest.port), "{at:?}");
    assert!(false_hub.heard().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_says_where_and_the_key_and_ends_with_its_hub() {
    let air = air();
    let daemon = air.open().unwrap();
    let events = daemon.browse(SERVICE).unwrap();
    let mut fake = Fake::start(air, |_| true);
    let name = loop {
        if let ServiceEvent::ServiceResolved(service) = events.recv_timeout(PATIENCE).unwrap() {
            let said: BTreeSet<_> = service.txt_properties.iter().map(|text| text.to_string()).collect();
            assert_eq!(said, BTreeSet::from([format!("{KEY}={}", fake.key), format!("{VERSION}={OUR_VERSION}")]));
            let name = service.fullname.strip_suffix(&format!(".{SERVICE}")).unwrap();
            assert!(name.len() == 16 && name.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
            assert_eq!(service.host, format!("{name}.local."));
            assert_eq!(service.port, fake.port);
            break service.fullname.clone();
        }
    };
    let announcement = fake.announcement.take();
    tokio::task::spawn_blocking(move || drop(announcement)).await.unwrap();
    loop {
        if let ServiceEvent::ServiceRemoved(_, gone) = events.recv_timeout(PATIENCE).unwrap() {
            assert_eq!(gone, name);
            break;
        }
    }
    let _ = daemon.shutdown();
}

/// An answer of multicast DNS with so many instances of the service, whose names begin with this number.
fn answer_with(instances: u16, flood: u32) -> Vec<u8> {
    let label = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let service: Vec<u8> = ["_potluck", "_tcp", "local"].iter().flat_map(|part| label(part)).chain([0]).collect();
    // The header: an answer, authoritative, with this many records.
    let mut packet = [&[0, 0, 0x84, 0, 0, 0][..], &instances.to_be_bytes(), &[0; 4]].concat();
    for instance in 0..instances {
        let target = [label(&format!("{flood}-{instance}")), service.clone()].concat();
        packet.extend_from_slice(&service);
        // PTR, IN, for 120 seconds.
        packet.extend_from_slice(&[0, 12, 0, 1, 0, 0, 0, 120]);
        packet.extend_from_slice(&(target.len() as u16).to_be_bytes());
        packet.extend_from_slice(&target);
    }
    packet
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_announcements_ends_the_search_before_anybody_is_believed() {
    let air = air();
    let fake = Fake::start(air, |_| true);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let flood = std::thread::spawn(move || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&std::net::SocketAddr::from(([0, 0, 0, 0], air.port)).into()).unwrap();
        socket.set_multicast_if_v4(&std::net::Ipv4Addr::LOCALHOST).unwrap();
        let group = std::net::SocketAddr::from(([224, 0, 0, 251], air.port)).into();
        for number in 0.. {
            if stopped.load(std::sync::atomic::Ordering::Relaxed) {
                break;
            }
            let _ = socket.send_to(&answer_with(20, number), &group);
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let ended = search(air, 4_712, TransportChoice::Auto).await.unwrap();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    flood.join().unwrap();
    assert_eq!(ended, Ended::Crowded);
    assert!(fake.heard().iter().all(|line| *line == question(4_712)));
}
