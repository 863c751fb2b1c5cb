//! Links over real sockets on loopback: both transports, one after the other.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::support::link::*;
use crate::support::proxy::Proxy;
use potluck::io::net::{
    CONNECT_TIME, LINE_LIMIT, ListenLimits, Listener, connect, connect_alone, connect_hosts, resolve,
};
use potluck::protocol::{ErrorCode, HostPort, PublicKey, TransportChoice, TransportKind};

#[tokio::test]
async fn both_transports_share_one_port_and_know_both_keys() {
    let mut listener = listen();
    let address = listener.local_addr();
    for (choice, kind) in BOTH.into_iter().zip([TransportKind::Quic, TransportKind::Tcp]) {
        let (mut client, mut hub) = meet(&mut listener, address, choice).await;
        assert_eq!((client.transport, hub.transport), (kind, kind));
        assert_eq!((client.peer, hub.peer), (hub_identity().key, client_identity().key));
        assert_eq!(client.address, address);
        say(&mut hub, b"one\n\ntwo\n").await;
        for line in ["one", "", "two"] {
            assert_eq!(client.reader.next().await.unwrap().unwrap(), line.as_bytes());
        }
        say(&mut hub, b"last\n").await;
        let (closed, ended) = soon(async {
            tokio::join!(hub.close(), async {
                assert_eq!(client.reader.next().await.unwrap().unwrap(), b"last");
                let ended = client.reader.next().await.map(|line| line.map(<[u8]>::to_vec));
                client.writer.shutdown().await.unwrap();
                ended
            })
        })
        .await;
        assert_eq!((closed, ended), (Ok(()), Ok(None)), "{kind}");
    }
    soon(listener.close()).await;
    assert_eq!(dial(address, TransportChoice::Auto).await.unwrap_err().code, ErrorCode::HubUnreachable);
}

#[tokio::test]
async fn auto_prefers_quic_and_takes_tcp_where_udp_is_cut() {
    let listener = listen();
    let proxy = Proxy::start(listener.local_addr(), 1);
    echo(listener);
    let mut conn = dial(proxy.address, TransportChoice::Auto).await.unwrap();
    assert_eq!(conn.transport, TransportKind::Quic);
    assert_echoes(&mut conn, b"by quic").await;
    proxy.set_loss(1.0);
    let mut conn = dial(proxy.address, TransportChoice::Auto).await.unwrap();
    assert_eq!(conn.transport, TransportKind::Tcp);
    assert_echoes(&mut conn, b"by tcp").await;
}

/// Who waits is told within five seconds.
const _: () = assert!(CONNECT_TIME.as_secs() < 5);

#[tokio::test]
async fn a_network_that_answers_nothing_is_given_up() {
    let listener = listen();
    let proxy = Proxy::start(listener.local_addr(), 1);
    proxy.cut();
    let failure = soon(dial(proxy.address, TransportChoice::Auto)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::HubUnreachable);
    assert!(failure.message.contains(&proxy.address.to_string()), "{failure}");
}

#[tokio::test]
async fn another_key_than_the_pinned_one_is_final() {
    let listener = listen();
    let address = listener.local_addr();
    echo(listener);
    for choice in [TransportChoice::Quic, TransportChoice::Tcp, TransportChoice::Auto] {
        let expected = PublicKey([9; 32]);
        let failure = connect(address, &client_identity(), Some(expected), choice).await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::HubKeyChanged, "{failure}");
        for part in [expected.to_string(), hub_identity().key.to_string(), address.to_string()] {
            assert!(failure.message.contains(&part), "{failure}");
        }
    }
    let conn = connect(address, &client_identity(), None, TransportChoice::Auto).await.unwrap();
    assert_eq!(conn.peer, hub_identity().key, "without a pin the caller learns the key");
}

#[tokio::test]
async fn where_nothing_listens_it_is_said_at_once() {
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            break (tcp, udp);
        }
    };
    let address = tcp.local_addr().unwrap();
    drop((tcp, udp));
    for choice in [TransportChoice::Quic, TransportChoice::Tcp, TransportChoice::Auto] {
        let failure = soon(dial(address, choice)).await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::HubUnreachable);
        // What had run into its deadline would not say so.
        assert!(failure.message.contains("refused") && failure.message.contains(&address.to_string()), "{failure}");
    }
}

#[tokio::test]
async fn a_port_that_speaks_something_else_is_the_wrong_protocol() {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = other.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    assert_eq!(dial(address, TransportChoice::Tcp).await.unwrap_err().code, ErrorCode::WrongProtocol);
}

#[tokio::test]
async fn a_port_in_use_by_either_transport_is_named() {
    let listener = listen();
    let bind = |address| Listener::bind(address, &hub_identity(), ListenLimits::default());
    let failure = bind(listener.local_addr()).unwrap_err();
    assert_eq!(failure.code, ErrorCode::PortInUse);
    assert!(failure.message.contains(&listener.local_addr().to_string()), "{failure}");
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    assert_eq!(bind(udp.local_addr().unwrap()).unwrap_err().code, ErrorCode::PortInUse);
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 0));
    assert_eq!(bind(elsewhere).unwrap_err().code, ErrorCode::BadConfig);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_mebibytes_go_both_ways_at_once() {
    let mut listener = listen();
    let address = listener.local_addr();
    let mut batch = Vec::new();
    for number in 0.. {
        batch.extend_from_slice(format!("{number:>99}\n").as_bytes());
        if batch.len() >= 8 << 20 {
            break;
        }
    }
    // One line that is as long as may be.
    batch.extend(std::iter::repeat_n(b'z', LINE_LIMIT));
    batch.push(b'\n');
    for choice in BOTH {
        let (client, hub) = meet(&mut listener, address, choice).await;
        let ends = [client, hub].map(|mut conn| {
            let batch = batch.clone();
            tokio::spawn(async move {
                let write = async {
                    conn.writer.write_all(&batch).await.unwrap();
                    conn.writer.flush().await.unwrap();
                };
                let read = async {
                    let mut expected = batch.split(|&byte| byte == b'\n');
                    for _ in 0..batch.iter().filter(|&&byte| byte == b'\n').count() {
                        assert_eq!(conn.reader.next().await.unwrap().unwrap(), expected.next().unwrap());
                    }
                };
                tokio::join!(write, read);
                conn
            })
        });
        together(ends).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fifth_of_the_packets_lost_leaves_every_line_in_order() {
    let mut listener = listen();
    let proxy = Proxy::start(listener.local_addr(), 42);
    let (client, hub) = meet(&mut listener, proxy.address, TransportChoice::Quic).await;
    proxy.set_loss(0.2);
    let ends = [client, hub].map(|mut conn| {
        tokio::spawn(async move {
            let write = async {
                for number in 0..200 {
                    conn.writer.write_all(format!("line {number}\n").as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
            };
            let read = async {
                for number in 0..200 {
                    assert_eq!(conn.reader.next().await.unwrap().unwrap(), format!("line {number}").as_bytes());
                }
            };
            tokio::join!(write, read);
            conn
        })
    });
    together(ends).await;
}

#[tokio::test]
async fn a_reader_that_is_cancelled_loses_nothing() {
    for choice in BOTH {
        let mut listener = listen();
        let address = listener.local_addr();
        let (mut client, mut hub) = meet(&mut listener, address, choice).await;
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for part in ["on", "e\ntw", "o\n"] {
            say(&mut client, part.as_bytes()).await;
            // Polled once and dropped, whatever has arrived by then.
            tokio::select! { biased;
                line = hub.reader.next() => lines.push(line.unwrap().unwrap().to_vec()),
                () = tokio::task::yield_now() => {}
            }
        }
        while lines.len() < 2 {
            lines.push(soon(hub.reader.next()).await.unwrap().unwrap().to_vec());
        }
        assert_eq!(lines, [b"one", b"two"]);
    }
}

#[tokio::test]
async fn names_and_literal_addresses_resolve() {
    assert_eq!(resolve("[::1]", 5).await.unwrap(), ["[::1]:5".parse().unwrap()]);
    assert_eq!(resolve("127.0.0.1", 5).await.unwrap(), ["127.0.0.1:5".parse().unwrap()]);
    assert!(resolve("localhost", 5).await.unwrap().iter().all(|address| address.ip().is_loopback()));
    assert_eq!(resolve("no such name", 5).await.unwrap_err().code, ErrorCode::HubUnreachable);
    // Only one of the addresses that `localhost` may have is listened on.
    let listener = listen();
    let port = listener.local_addr().port();
    echo(listener);
    let hosts = [HostPort { host: "localhost".to_owned(), port }];
    let conn = connect_hosts(&hosts, &client_identity(), None, TransportChoice::Auto).await;
    assert_echoes(&mut conn.unwrap().1, b"found").await;
}

#[tokio::test]
async fn connections_that_must_be_alone_are_opened_one_after_the_other() {
    let host = |port| HostPort { host: "localhost".to_owned(), port };
    let identity = &client_identity();
    let mut listener = listen();
    let at = host(listener.local_addr().port());
    for choice in [TransportChoice::Auto, TransportChoice::Quic, TransportChoice::Tcp] {
        let mut client = soon(connect_alone(&at, identity, None, choice)).await.unwrap();
        say(&mut client, b"alone\n").await;
        let mut hub = soon(listener.accept()).await;
        assert_eq!((hub.transport, hub.reader.next().await.unwrap().unwrap()), (client.transport, &b"alone"[..]));
    }
    // Where UDP does not pass, TCP is next.
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = tokio::net::UdpSocket::bind(("127.0.0.1", port)).await.unwrap();
    let at = host(port);
    let (mut alone, mut packet) = (Box::pin(connect_alone(&at, identity, None, TransportChoice::Auto)), [0; 1]);
    tokio::select! {
        biased;
        _ = &mut alone => panic!("nobody answers"),
        _ = tcp.accept() => panic!("TCP before QUIC"),
        received = udp.recv_from(&mut packet) => drop(received.unwrap()),
    }
    tokio::select! {
        _ = &mut alone => panic!("nobody answers"),
        accepted = tcp.accept() => drop(accepted.unwrap()),
    }
}

#[tokio::test]
async fn an_ipv6_wildcard_takes_ipv4_too() {
    let Ok(listener) = Listener::bind("[::]:0".parse().unwrap(), &hub_identity(), ListenLimits::default()) else {
        return; // a machine without IPv6
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr().port()));
    let mut listener = listener;
    for choice in BOTH {
        let (_client, hub) = meet(&mut listener, address, choice).await;
        assert_eq!(hub.address.ip(), Ipv4Addr::LOCALHOST, "not as an IPv6-mapped address");
    }
}
