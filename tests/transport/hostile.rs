//! What the link's transports meet from those who do not play by the rules.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::time::Duration;

use crate::support::link::*;
use potluck::io::net::{LineFault, ListenLimits};
use potluck::protocol::{ErrorCode, TransportChoice};

#[tokio::test]
async fn garbage_gets_no_answer_and_harms_nobody() {
    let listener = listen();
    let address = listener.local_addr();
    echo(listener);
    // A ClientHello that knows nothing newer than TLS 1.2: version 3.3, 32 bytes of random, one suite.
    let mut tls12 = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    tls12.extend([0x5a; 32]);
    tls12.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    // The second one begins like a half of a meeting.
    let inputs = [
        b"GET /secret HTTP/1.1\r\nHost: hub\r\n\r\n".to_vec(),
        b"POST /secret HTTP/1.1\r\nHost: hub\r\n\r\n".to_vec(),
        b"POTLUCK-RELAY/1 0123456789abcdef0123456789abcdef\r\n".to_vec(),
        vec![0xff; 4096],
        tls12,
    ];
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

/// What a client sends first over QUIC.
async fn first_datagram() -> Vec<u8> {
    let nobody = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = nobody.local_addr().unwrap();
    let dialling = tokio::spawn(dial(address, TransportChoice::Quic));
    let mut datagram = vec![0; 65_535];
    loop {
        // Before it, an empty one looks whether anybody is there.
        let length = soon(nobody.recv(&mut datagram)).await.unwrap();
        if length >= 1_200 {
            dialling.abort();
            datagram.truncate(length);
            return datagram;
        }
    }
}

#[tokio::test]
async fn whoever_sends_one_datagram_gets_at_most_three_times_its_bytes() {
    let listener = listen_with(ListenLimits { deadline: Duration::from_millis(200), ..ListenLimits::default() });
    let address = listener.local_addr();
    echo(listener);
    let initial = first_datagram().await;
    let unknown_version = [&[0xc0, 0x1a, 0x2a, 0x3a, 0x4a], &initial[5..]].concat();
    let garbage = vec![0x5a; 1_200];
    for (datagram, answered) in [
        (&initial[..], true),
        (&initial[..600], false),
        (&unknown_version, true),
        (&garbage, false),
        (&[0x40; 30], false),
    ] {
        let sender = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        sender.send_to(datagram, address).await.unwrap();
        let (mut bytes, mut buffer) = (0, vec![0; 65_535]);
        // Long enough for the handshake to end, and for what is sent then.
        while let Ok(length) = tokio::time::timeout(Duration::from_secs(1), sender.recv(&mut buffer)).await {
            bytes += length.unwrap();
        }
        assert!(bytes <= 3 * datagram.len(), "{bytes} bytes for {}", datagram.len());
        assert_eq!(bytes > 0, answered, "{} bytes", datagram.len());
    }
    assert_echoes(&mut soon(dial(address, TransportChoice::Quic)).await.unwrap(), b"good").await;
}

#[tokio::test]
async fn stalled_handshakes_do_not_keep_others_out() {
    let listener = listen_with(ListenLimits { pending: 64, ..ListenLimits::default() });
    let address = listener.local_addr();
    echo(listener);
    let mut stalled: Vec<_> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
    for (number, stream) in stalled[..200].iter_mut().enumerate() {
        // A record is announced, and never comes; or the token of a half.
        let begun: &[u8] = if number % 2 == 0 { &[0x16, 3, 1, 1, 0] } else { b"POTLUCK-RELAY/1 0123" };
        let _ = stream.write_all(begun);
    }
    for choice in BOTH {
        assert_echoes(&mut soon(dial(address, choice)).await.unwrap(), b"good").await;
    }
}

#[tokio::test]
async fn a_stalled_handshake_ends_at_its_deadline() {
    let listener = listen_with(ListenLimits { deadline: Duration::from_millis(200), ..ListenLimits::default() });
    for begun in [&b""[..], b"POTLUCK-RELAY/1 0123"] {
        let mut stream = TcpStream::connect(listener.local_addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(begun).unwrap();
        let read = tokio::task::spawn_blocking(move || stream.read(&mut [0; 16]));
        assert_eq!(read.await.unwrap().unwrap(), 0);
    }
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
async fn a_stranger_costs_no_more_than_a_hello() {
    use potluck::io::net::connection::{Outgoing, run_connection};
    use potluck::io::net::line_room::LineRoom;
    use potluck::protocol::limits::{HELLO_BYTES, MAX_FRAME};
    let room = std::sync::Arc::new(LineRoom::of_many());
    for choice in BOTH {
        // A first line without end.
        let mut listener = listen();
        let address = listener.local_addr();
        let (mut client, hub) = meet(&mut listener, address, choice).await;
        let (sender, mut lines) = tokio::sync::mpsc::channel(4);
        let endless = tokio::spawn(async move { while client.writer.write_all(&[b'x'; 65536]).await.is_ok() {} });
        let reason =
            soon(run_connection(hub, &Outgoing::default(), MAX_FRAME, &room, &sender, |line| line)).await.unwrap();
        assert!(reason.contains(&format!("longer than {HELLO_BYTES} bytes")), "{reason}");
        soon(endless).await.unwrap();
        assert!(lines.try_recv().is_err());

        // A hello, and then very much before it is answered: nothing of that is taken.
        let (mut client, hub) = meet(&mut listener, address, choice).await;
        let outgoing = std::sync::Arc::new(Outgoing::default());
        let carried = {
            let (outgoing, room, sender) = (outgoing.clone(), room.clone(), sender.clone());
            tokio::spawn(async move { run_connection(hub, &outgoing, MAX_FRAME, &room, &sender, |line| line).await })
        };
        let long = [&[b'y'; 1 << 20][..], b"\n"].concat();
        let more = tokio::spawn(async move {
            client.writer.write_all(b"hello\n").await.unwrap();
            client.writer.write_all(&long).await.unwrap();
            client.writer.flush().await.unwrap();
            client
        });
        assert_eq!(&*soon(lines.recv()).await.unwrap(), b"hello");
        assert!(tokio::time::timeout(Duration::from_millis(300), lines.recv()).await.is_err());
        if choice == TransportChoice::Quic {
            assert!(!more.is_finished(), "the other side is held up");
        }
        outgoing.say("welcome");
        outgoing.flush();
        assert_eq!(soon(lines.recv()).await.unwrap().len(), 1 << 20);
        drop(soon(more).await.unwrap());
        assert!(soon(carried).await.unwrap().is_some());
    }
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
async fn a_client_of_another_protocol_is_told_so_by_both_transports() {
    use potluck::io::net::tls::{DATA_ALPN, SERVER_NAME, client_config, server_config};
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
