//! A hub that runs out of file descriptors. Alone in its file, for the limit is the whole process's.

mod support;

use std::net::TcpStream;

use potluck::protocol::TransportChoice;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::link::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_file_descriptors_it_waits_and_recovers() {
    let listener = listen();
    let address = listener.local_addr();
    echo(listener);
    let mut there_before = [dial(address, BOTH[0]).await.unwrap(), dial(address, BOTH[1]).await.unwrap()];
    for conn in &mut there_before {
        assert_echoes(conn, b"before").await;
    }
    let all = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(100), ..all }).unwrap();
    // Both sides of each connection count, so this ends while the hub has some left to accept.
    let crowd: Vec<_> = std::iter::from_fn(|| TcpStream::connect(address).ok()).collect();
    assert!(crowd.len() < 100);
    for conn in &mut there_before {
        assert_echoes(conn, b"meanwhile").await;
    }
    drop(crowd);
    let mut later = soon(async {
        loop {
            // The crowd's sockets are given back one by one.
            match dial(address, TransportChoice::Tcp).await {
                Ok(conn) => return conn,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    assert_echoes(&mut later, b"after").await;
    setrlimit(Resource::Nofile, all).unwrap();
}
