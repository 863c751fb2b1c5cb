//! What an idle connection costs whoever accepts it, in memory, for each transport: `cargo bench --bench transport`.
//! The bench `people` has the same for a client of a whole hub.
//!
//! Both sides are processes of their own, so that only the accepting side counts.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use potluck::io::net::identity::Identity;
use potluck::io::net::{Conn, ListenLimits, Listener, connect};
use potluck::protocol::TransportChoice;

/// The first hundred pay for what is made once.
const CLIENTS: [usize; 2] = [100, 1_000];

/// Long enough for what was freed to be given back.
const SETTLES: Duration = Duration::from_secs(2);

/// The first arguments of the two processes.
const HUB: &str = "hub";
const DIALLERS: &str = "clients";

fn main() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let named = |choice: &str| if choice == "quic" { TransportChoice::Quic } else { TransportChoice::Tcp };
    let number = |count: &str| count.parse().expect("a number");
    match std::env::args().collect::<Vec<_>>().as_slice() {
        [_, what, choice] if what == HUB => runtime.block_on(hub(named(choice))),
        [_, what, choice, count, address] if what == DIALLERS => {
            runtime.block_on(clients(address.parse().expect("an address"), named(choice), number(count)));
        }
        _ => {
            for choice in ["quic", "tcp"] {
                let ended = this_program().args([HUB, choice]).status().expect("a process");
                assert!(ended.success(), "{ended}");
            }
        }
    }
}

fn this_program() -> Command {
    Command::new(std::env::current_exe().expect("this program"))
}

async fn hub(choice: TransportChoice) {
    let any_port = (Ipv4Addr::LOCALHOST, 0).into();
    let mut listener =
        Listener::bind(any_port, &Identity::from_seed([7; 32]), ListenLimits::default()).expect("a port");
    let mut before = resident_kib();
    for count in CLIENTS {
        let mut clients = this_program()
            .args([DIALLERS, &choice.to_string(), &count.to_string(), &listener.local_addr().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        for _ in 0..count {
            let conn = listener.accept().await;
            tokio::spawn(serve(conn));
        }
        let mut ready = BufReader::new(clients.stdout.take().expect("its output"));
        let waited = tokio::task::spawn_blocking(move || ready.read_line(&mut String::new()));
        waited.await.expect("a thread").expect("they are there");
        tokio::time::sleep(SETTLES).await;
        let each = resident_kib().saturating_sub(before) as f64 / count as f64;
        println!("{choice}: {each:.1} KiB for each of {count} connections");
        drop(clients.stdin.take());
        clients.wait().expect("they end");
        tokio::time::sleep(SETTLES).await;
        before = resident_kib();
        println!("{choice}: {before} KiB resident after they left");
    }
}

/// Answers the first line with one of a usual size, and reads on.
async fn serve(mut conn: Conn) {
    conn.reader.next().await.expect("a line");
    conn.writer.write_all(&[&[b'x'; 2_000][..], b"\n"].concat()).await.expect("they read");
    conn.writer.flush().await.expect("they read");
    while let Ok(Some(_)) = conn.reader.next().await {}
}

async fn clients(address: SocketAddr, choice: TransportChoice, count: usize) {
    let mut kept = Vec::new();
    for _ in 0..count {
        let mut conn = connect(address, &Identity::from_seed([8; 32]), None, choice).await.expect("it listens");
        conn.writer.write_all(b"hello\n").await.expect("it reads");
        conn.writer.flush().await.expect("it reads");
        conn.reader.next().await.expect("an answer");
        kept.push(conn);
    }
    println!("ready");
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    ended.expect("a thread").expect("it ends");
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
