//! Links over real sockets on loopback: both transports, and what they must withstand.

mod common;

use std::future::Future;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use common::proxy::Proxy;
use potluck::io::identity::Identity;
use potluck::io::transport::{Conn, LINE_LIMIT, LineFault, ListenLimits, Listener, connect, connect_host, resolve};
use potluck::protocol::{ErrorCode, Failure, PublicKey, TransportChoice, TransportKind};

const BOTH: [TransportChoice; 2] = [TransportChoice::Quic, TransportChoice::Tcp];
/// Nothing here takes long; this only ends a test that would hang.
const PATIENCE: Duration = Duration::from_secs(60);

fn hub_identity() -> Identity {
    Identity::from_seed([7; 32])
}

fn client_identity() -> Identity {
    Identity::from_seed([8; 32])
}

fn listen_with(limits: ListenLimits) -> Listener {
    Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), &hub_identity(), limits).unwrap()
}

fn listen() -> Listener {
    listen_with(ListenLimits::default())
}

async fn dial(address: SocketAddr, choice: TransportChoice) -> Result<Conn, Failure> {
    connect(address, &client_identity(), Some(hub_identity().key), choice).await
}

/// Both ends of one connection, after the client's first line.
async fn meet(listener: &mut Listener, address: SocketAddr, choice: TransportChoice) -> (Conn, Conn) {
    let mut client = dial(address, choice).await.unwrap();
    say(&mut client, b"hello\n").await;
    let mut hub = soon(listener.accept()).await;
    assert_eq!(hub.reader.next().await.unwrap().unwrap(), b"hello");
    (client, hub)
}

async fn say(conn: &mut Conn, bytes: &[u8]) {
    conn.writer.write_all(bytes).await.unwrap();
    conn.writer.flush().await.unwrap();
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it should not take that long")
}

/// Waits for both ends before either is dropped, for that would abort the other.
async fn together([one, two]: [tokio::task::JoinHandle<Conn>; 2]) {
    let (one, two) = soon(async { tokio::join!(one, two) }).await;
    drop((one.unwrap(), two.unwrap()));
}

/// Serves every connection by sending its lines back.
fn echo(mut listener: Listener) {
    tokio::spawn(async move {
        loop {
            let mut conn = listener.accept().await;
            tokio::spawn(async move {
                while let Ok(Some(line)) = conn.reader.next().await {
                    let answer = [line, b"\n"].concat();
                    conn.writer.write_all(&answer).await.unwrap();
                    conn.writer.flush().await.unwrap();
                }
                let _ = conn.writer.shutdown().await;
            });
        }
    });
}

async fn assert_echoes(conn: &mut Conn, line: &[u8]) {
    say(conn, &[line, b"\n"].concat()).await;
    assert_eq!(soon(conn.reader.next()).await.unwrap().unwrap(), line);
}

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

#[tokio::test]
async fn a_network_that_answers_nothing_is_given_up_in_time() {
    let listener = listen();
    let proxy = Proxy::start(listener.local_addr(), 1);
    proxy.cut();
    let begun = Instant::now();
    let failure = dial(proxy.address, TransportChoice::Auto).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::HubUnreachable);
    assert!(failure.message.contains(&proxy.address.to_string()), "{failure}");
    assert!(begun.elapsed() < Duration::from_secs(10));
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
        let begun = Instant::now();
        let failure = dial(address, choice).await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::HubUnreachable);
        assert!(failure.message.contains("refused") && failure.message.contains(&address.to_string()), "{failure}");
        assert!(begun.elapsed() < Duration::from_secs(3), "it did not wait for the deadline");
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
async fn a_client_of_another_protocol_is_told_so_by_both_transports() {
    use potluck::io::tls::{DATA_ALPN, SERVER_NAME, client_config, server_config};
    use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
    // A hub of another protocol version, as our client meets it.
    let config = server_config(&hub_identity(), DATA_ALPN);
    let crypto = QuicServerConfig::try_from(config).unwrap();
    let config = quinn::ServerConfig::with_crypto(std::sync::Arc::new(crypto));
    let other = quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = other.local_addr().unwrap();
    tokio::spawn(async move { drop(other.accept().await.unwrap().await) });
    assert_eq!(dial(address, TransportChoice::Quic).await.unwrap_err().code, ErrorCode::WrongProtocol);

    // A client of another protocol version, as our hub meets it.
    let listener = listen();
    let address = listener.local_addr();
    echo(listener);
    let crypto = QuicClientConfig::try_from(client_config(&client_identity(), None, DATA_ALPN)).unwrap();
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let config = quinn::ClientConfig::new(std::sync::Arc::new(crypto));
    assert!(soon(endpoint.connect_with(config, address, SERVER_NAME).unwrap()).await.is_err());
    assert_echoes(&mut dial(address, TransportChoice::Auto).await.unwrap(), b"still here").await;
}

#[tokio::test]
async fn garbage_gets_no_answer_and_harms_nobody() {
    let listener = listen();
    let address = listener.local_addr();
    echo(listener);
    // A ClientHello that knows nothing newer than TLS 1.2: version 3.3, 32 bytes of random, one suite.
    let mut tls12 = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    tls12.extend([0x5a; 32]);
    tls12.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    let inputs = [b"GET /secret HTTP/1.1\r\nHost: hub\r\n\r\n".to_vec(), vec![0xff; 4096], tls12];
    for input in inputs {
        let sent = input.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&sent).unwrap();
            let mut answer = Vec::new();
            // Closed or reset, but not left open.
            if let Err(e) = stream.read_to_end(&mut answer) {
                assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset);
            }
            answer
        });
        let answer = answer.await.unwrap();
        assert!(answer.len() <= 7, "at most a TLS alert: {answer:02x?}");
        assert!(!answer.windows(4).any(|part| input.windows(4).any(|sent| sent == part)));
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(&input, address).unwrap();
        for choice in BOTH {
            assert_echoes(&mut dial(address, choice).await.unwrap(), b"good").await;
        }
    }
}

#[tokio::test]
async fn stalled_handshakes_do_not_keep_others_out() {
    let listener = listen_with(ListenLimits { pending: 64, ..ListenLimits::default() });
    let address = listener.local_addr();
    echo(listener);
    let mut stalled: Vec<_> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
    for stream in &mut stalled[..150] {
        // A record is announced, and never comes.
        let _ = stream.write_all(&[0x16, 3, 1, 1, 0]);
    }
    for choice in BOTH {
        assert_echoes(&mut soon(dial(address, choice)).await.unwrap(), b"good").await;
    }
}

#[tokio::test]
async fn a_stalled_handshake_ends_at_its_deadline() {
    let listener = listen_with(ListenLimits { deadline: Duration::from_millis(200), ..ListenLimits::default() });
    let mut stream = TcpStream::connect(listener.local_addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let read = tokio::task::spawn_blocking(move || stream.read(&mut [0; 16]));
    assert_eq!(read.await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_line_over_the_limit_is_a_fault_before_it_is_kept() {
    for choice in BOTH {
        let mut listener = listen_with(ListenLimits { line: 1000, ..ListenLimits::default() });
        let address = listener.local_addr();
        let (mut client, mut hub) = meet(&mut listener, address, choice).await;
        say(&mut client, &[&[b'a'; 1000][..], b"\n", &[b'b'; 1001], b"\n"].concat()).await;
        assert_eq!(hub.reader.next().await.unwrap().unwrap(), [b'a'; 1000]);
        assert_eq!(hub.reader.next().await, Err(LineFault::TooLong(1000)));
        assert_eq!(hub.reader.next().await, Err(LineFault::TooLong(1000)));

        // A line without end: the reader takes no more than its limit, so the sender is held up and told.
        let (mut client, mut hub) = meet(&mut listener, address, choice).await;
        hub.reader.set_limit(100_000);
        let endless = tokio::spawn(async move { while client.writer.write_all(&[b'x'; 65536]).await.is_ok() {} });
        assert_eq!(soon(hub.reader.next()).await, Err(LineFault::TooLong(100_000)));
        let kept: usize =
            format!("{:?}", hub.reader).chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
        assert_eq!(kept, 100_001);
        drop(hub);
        soon(endless).await.unwrap();
    }
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
async fn an_abrupt_end_is_seen_by_the_other_side() {
    for choice in BOTH {
        let mut listener = listen();
        let address = listener.local_addr();
        let (mut client, hub) = meet(&mut listener, address, choice).await;
        drop(hub);
        assert!(matches!(soon(client.reader.next()).await, Err(LineFault::Broken(_))));

        let (client, mut hub) = meet(&mut listener, address, choice).await;
        drop(client.writer);
        assert!(matches!(soon(hub.reader.next()).await, Err(LineFault::Broken(_))));
        let mut reader = client.reader;
        assert!(matches!(soon(reader.next()).await, Err(LineFault::Broken(_))), "its own reader is woken too");

        let (mut client, mut hub) = meet(&mut listener, address, choice).await;
        say(&mut client, b"half a li").await;
        client.writer.shutdown().await.unwrap();
        assert_eq!(soon(hub.reader.next()).await, Err(LineFault::Cut));
    }
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
    let conn = connect_host("localhost", port, &client_identity(), None, TransportChoice::Auto).await;
    assert_echoes(&mut conn.unwrap(), b"found").await;
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
