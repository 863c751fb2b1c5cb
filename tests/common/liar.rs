//! An owner that keeps to the hub's protocol and lies to its peers.
#![allow(dead_code)] // no single test file uses all of it

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use super::peers::PATIENCE;
use potluck::io::cancel::Cancel;
use potluck::io::hash::{Hashed, hash_file};
use potluck::io::identity::Identity;
use potluck::io::tls::{DATA_ALPN, server_config};
use potluck::io::transport::connect;
use potluck::protocol::data::{DataAnswer, DataRequest, MAX_SEGMENT, to_line};
use potluck::protocol::wire::{Ask, ClientHello, Frame, FrameIn, LINK_PROTOCOL, Publish};
use potluck::protocol::{Content, Id, RequestLine, TransportChoice, request, to_json};
use rustls::{ServerConnection, StreamOwned};

/// What it does when it is asked for bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Sends other bytes, of the right length.
    Bytes,
    /// Sends a list of chunks that is not the file's.
    Manifest,
    /// Says that more follows than a segment may have.
    Length,
    /// Ends in the middle.
    Short,
}

/// What it shows its peers.
pub struct Liar {
    pub content: Content,
    /// The requests that it was asked, each as it was read.
    pub asked: Arc<Mutex<Vec<DataRequest>>>,
}

impl Liar {
    /// Registers under a name and offers `file` with the hash of `promised`. The hub sees the key of `seed`; the data
    /// server has that of `data_seed`.
    pub fn join(hub: u16, name: &str, seed: [u8; 2], file: &str, promised: &[u8], lie: Lie) -> Self {
        let [own, data] = seed.map(|seed| Identity::from_seed([seed; 32]));
        let mut whole = tempfile::tempfile().unwrap();
        whole.write_all(promised).unwrap();
        let hashed = hashed(&whole);
        let content = Content {
            file: file.to_owned(),
            size: hashed.chunking.size(),
            hash: hashed.hash,
            chunk_size: hashed.chunking.chunk_size(),
            chunks: hashed.chunking.count().into(),
            modified: None,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (record, config) = (asked.clone(), Arc::new(server_config(&data, DATA_ALPN)));
        std::thread::spawn(move || {
            for tcp in listener.incoming() {
                let tls = ServerConnection::new(config.clone()).unwrap();
                let (stream, hashed, record) = (StreamOwned::new(tls, tcp.unwrap()), hashed.clone(), record.clone());
                std::thread::spawn(move || deceive(stream, &hashed, lie, &record));
            }
        });
        let offered = register(hub, name.to_owned(), own, port, content.clone());
        offered.recv_timeout(PATIENCE).expect("the hub takes the offer");
        Self { content, asked }
    }

    pub fn was_asked(&self) -> bool {
        !self.asked.lock().unwrap().is_empty()
    }
}

fn hashed(file: &File) -> Hashed {
    hash_file(file, None, &mut |_| (), &Cancel::default()).unwrap()
}

/// Speaks to the hub on a thread of its own until the test ends; tells when the offer has been taken.
fn register(hub: u16, name: String, identity: Identity, port: u16, content: Content) -> Receiver<()> {
    let (taken, offered) = channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, hub));
            let mut conn = connect(address, &identity, None, TransportChoice::Tcp).await.unwrap();
            let hello = ClientHello {
                hello: LINK_PROTOCOL.into(),
                session: None,
                received: 0,
                port,
                link_port: 0,
                instance: String::new(),
                asked: 0,
                invite: None,
            };
            let enter = RequestLine { id: Some(Id::Number(1)), request: request::Register { name }.into() };
            let offer = Publish { id: 2, publish: vec![content], more: 0, keep: false };
            let (enter, offer) = (Ask::Request(enter).to_body(), Ask::Publish(offer).to_body());
            let mut out = (to_json(&hello) + "\n").into_bytes();
            Frame { body: Some((1, enter)), ack: 0, probe: false }.write(&mut out);
            let (mut ack, mut greeted) = (0, false);
            loop {
                conn.writer.write_all(&out).await.unwrap();
                conn.writer.flush().await.unwrap();
                out.clear();
                let Ok(Some(line)) = conn.reader.next().await else { return };
                if !std::mem::replace(&mut greeted, true) {
                    continue;
                }
                let frame: FrameIn<'_> = serde_json::from_slice(line).unwrap();
                ack = frame.n.unwrap_or(ack);
                let told = |word: &str| frame.body.is_some_and(|body| body.get().contains(word));
                if told(r#""event":"welcome""#) {
                    Frame { body: Some((2, offer.clone())), ack, probe: false }.write(&mut out);
                } else if frame.n.is_some() || frame.probe {
                    Frame { body: None, ack, probe: false }.write(&mut out);
                }
                if told(r#""event":"offer-acked""#) {
                    taken.send(()).unwrap();
                }
            }
        });
    });
    offered
}

/// Answers a peer's requests in its own way, until the peer has had enough.
fn deceive(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    hashed: &Hashed,
    lie: Lie,
    asked: &Mutex<Vec<DataRequest>>,
) {
    while let Some(line) = read_line(&mut stream) {
        let request: DataRequest = serde_json::from_slice(&line).unwrap();
        asked.lock().unwrap().push(request.clone());
        let mut out = Vec::new();
        match request {
            DataRequest::Manifest { .. } => {
                let (size, chunk_size) = (hashed.chunking.size(), hashed.chunking.chunk_size());
                out = to_line(&DataAnswer::Manifest { size, chunk_size, chunks: hashed.chunking.count().into() });
                let mut manifest = hashed.manifest.as_flattened().to_vec();
                manifest[5] ^= u8::from(lie == Lie::Manifest);
                out.extend(manifest);
            }
            DataRequest::Ranges { ranges, .. } if lie == Lie::Length => {
                let length = u64::MAX - ranges[0][0];
                out = to_line(&DataAnswer::Bytes { length });
                out.extend([7; 1000]);
            }
            DataRequest::Ranges { ranges, .. } => {
                let bytes: u64 = ranges.iter().map(|[start, end]| end - start).sum();
                for at in (0..bytes).step_by(MAX_SEGMENT) {
                    let length = (bytes - at).min(MAX_SEGMENT as u64);
                    out.extend(to_line(&DataAnswer::Bytes { length }));
                    out.extend(vec![7; length as usize]);
                }
                if lie == Lie::Short {
                    out.truncate(out.len() / 2);
                    let _ = stream.write_all(&out);
                    return;
                }
            }
            DataRequest::Files { files, .. } => {
                for _ in files {
                    out.extend(to_line(&DataAnswer::Whole { length: 1000 }));
                    out.extend([7; 1000]);
                }
            }
            DataRequest::Wait { .. } | DataRequest::Done { .. } => {}
        }
        // The peer may have hung up on us already.
        if stream.write_all(&out).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

fn read_line(stream: &mut impl Read) -> Option<Vec<u8>> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while stream.read_exact(&mut byte).is_ok() {
        if byte[0] == b'\n' {
            return Some(line);
        }
        line.push(byte[0]);
    }
    None
}
