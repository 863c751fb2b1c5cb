//! Both ends of a link on loopback.
#![allow(dead_code)] // no single test file uses all of it

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};

use potluck::io::net::identity::Identity;
use potluck::io::net::{Conn, ListenLimits, Listener, connect};
use potluck::protocol::{Failure, TransportChoice};

pub const BOTH: [TransportChoice; 2] = [TransportChoice::Quic, TransportChoice::Tcp];
pub use super::PATIENCE;

pub fn hub_identity() -> Identity {
    Identity::from_seed([7; 32])
}

pub fn client_identity() -> Identity {
    Identity::from_seed([8; 32])
}

pub fn listen_with(limits: ListenLimits) -> Listener {
    Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), &hub_identity(), limits).unwrap()
}

pub fn listen() -> Listener {
    listen_with(ListenLimits::default())
}

pub async fn dial(address: SocketAddr, choice: TransportChoice) -> Result<Conn, Failure> {
    connect(address, &client_identity(), Some(hub_identity().key), choice).await
}

/// Both ends of a new connection, after the client's first line.
pub async fn meet(listener: &mut Listener, address: SocketAddr, choice: TransportChoice) -> (Conn, Conn) {
    let mut client = dial(address, choice).await.unwrap();
    say(&mut client, b"hello\n").await;
    let mut hub = soon(listener.accept()).await;
    assert_eq!(hub.reader.next().await.unwrap().unwrap(), b"hello");
    (client, hub)
}

pub async fn say(conn: &mut Conn, bytes: &[u8]) {
    conn.writer.write_all(bytes).await.unwrap();
    conn.writer.flush().await.unwrap();
}

pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it should not take that long")
}

/// Waits for both ends before either is dropped, because that would abort the other.
pub async fn together([one, two]: [tokio::task::JoinHandle<Conn>; 2]) {
    let (one, two) = soon(async { tokio::join!(one, two) }).await;
    drop((one.unwrap(), two.unwrap()));
}

/// Serves every connection by sending its lines back.
pub fn echo(mut listener: Listener) {
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

pub async fn assert_echoes(conn: &mut Conn, line: &[u8]) {
    say(conn, &[line, b"\n"].concat()).await;
    assert_eq!(soon(conn.reader.next()).await.unwrap().unwrap(), line);
}
