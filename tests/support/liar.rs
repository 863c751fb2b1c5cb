//! A client that keeps to the hub's protocol, and lies to the peers that fetch from it.
#![allow(dead_code)] // no single test file uses all of it

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use potluck::io::content::hash::{Hashed, hash_file};
use potluck::io::net::identity::Identity;
use potluck::io::net::tls::{DATA_ALPN, server_config};
use potluck::io::os::cancel::Cancel;
use potluck::protocol::Content;
use potluck::protocol::data::{DataAnswer, DataRequest, MAX_SEGMENT, to_line};
use rustls::{ServerConnection, StreamOwned};
use serde_json::json;

use super::raw::Raw;

/// What it does when it is asked for bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Sends other bytes, of the right length.
    Bytes,
    /// Sends a list of chunk hashes that is not the file's.
    Manifest,
    /// Announces more bytes than a segment may have.
    Length,
    /// Ends in the middle of an answer.
    Short,
    /// Says that it does not have the content.
    Absent,
}

/// A running liar.
pub struct Liar {
    pub content: Content,
    /// The requests that peers have made, as they were read.
    pub asked: Arc<Mutex<Vec<DataRequest>>>,
    /// Its connection to the hub.
    pub link: Raw,
}

impl Liar {
    /// Registers under a name and offers `file` with the hash of `promised`. The hub sees the key of the first seed;
    /// the data server proves that of the second.
    pub fn join(hub: u16, name: &str, seeds: [u8; 2], file: &str, promised: &[u8], lie: Lie) -> Self {
        let mut liar = Self::enter(hub, name, seeds, file, promised, None, lie);
        liar.publish();
        liar
    }

    /// Registers without offering anything yet. The file is divided into at most `chunks` chunks.
    pub fn enter(
        hub: u16,
        name: &str,
        seeds: [u8; 2],
        file: &str,
        promised: &[u8],
        chunks: Option<u32>,
        lie: Lie,
    ) -> Self {
        let [own, data] = seeds.map(|seed| Identity::from_seed([seed; 32]));
        let (hashed, content) = content_of(file, promised, chunks);
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
        Self { content, asked, link: Raw::enter(hub, name, own, port) }
    }

    /// Offers the file.
    pub fn publish(&mut self) {
        self.link.say(&json!({"id": 2, "publish": [self.content]}));
        self.link.expect("offer-acked");
    }

    /// Claims to have every chunk of the file.
    pub fn claim(&mut self) {
        let Content { hash, size, chunk_size, chunks, .. } = &self.content;
        let had = json!({"hash": hash, "size": size, "chunk_size": chunk_size, "chunks": [[0, chunks]]});
        self.link.say(&json!({"have": [had]}));
        // The answer to this request comes after the claim has been handled.
        self.link.ask(3, &json!({"id": 3, "request": "list"}));
    }

    pub fn was_asked(&self) -> bool {
        !self.asked.lock().unwrap().is_empty()
    }
}

/// A file's hashes, and how it is offered.
fn content_of(file: &str, promised: &[u8], chunks: Option<u32>) -> (Hashed, Content) {
    let mut whole = tempfile::tempfile().unwrap();
    whole.write_all(promised).unwrap();
    let hashed = hash_file(&whole, chunks, &mut |_| (), &Cancel::default()).unwrap();
    let content = Content {
        file: file.into(),
        size: hashed.chunking.size(),
        hash: hashed.hash,
        chunk_size: hashed.chunking.chunk_size(),
        chunks: hashed.chunking.count().into(),
        modified: None,
    };
    (hashed, content)
}

/// How a file of so many sevens is offered.
pub fn sevens(file: &str, length: usize) -> Content {
    content_of(file, &vec![7; length], None).1
}

/// Serves a file of so many sevens over this connection. What would be a lie of others is the truth here.
pub fn serve_sevens(tcp: TcpStream, identity: &Identity, length: usize) {
    let tls = ServerConnection::new(Arc::new(server_config(identity, DATA_ALPN))).unwrap();
    let (hashed, _) = content_of("sevens", &vec![7; length], None);
    std::thread::spawn(move || deceive(StreamOwned::new(tls, tcp), &hashed, Lie::Bytes, &Mutex::default()));
}

/// Answers a peer's requests with lies, until the peer gives up.
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
            DataRequest::Ranges { .. } if lie == Lie::Absent => {
                out = to_line(&DataAnswer::Error { code: "source-gone".into(), message: "\u{1b}[31mno".into() });
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
        // The peer may have closed the connection already.
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
