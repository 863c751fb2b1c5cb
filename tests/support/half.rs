//! One half of a meeting, played by hand.
#![allow(dead_code)] // no single test file uses all of it

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use serde_json::Value;

use super::PATIENCE;

/// A connection to a hub's TCP port that has shown a token.
pub struct Half(pub TcpStream);

impl Half {
    /// Shows the token of a `meeting` event.
    pub fn of(hub: u16, meeting: &Value) -> Self {
        Self::show(hub, meeting["token"].as_str().unwrap())
    }

    pub fn show(hub: u16, token: &str) -> Self {
        Self::show_at((Ipv4Addr::LOCALHOST, hub), token)
    }

    pub fn show_at(hub: impl Into<SocketAddr>, token: &str) -> Self {
        let mut half = Self::to(hub.into());
        half.send(format!("POTLUCK-RELAY/1 {token}\n"));
        half
    }

    /// A connection that says nothing.
    pub fn silent(hub: u16) -> Self {
        Self::to((Ipv4Addr::LOCALHOST, hub).into())
    }

    fn to(hub: SocketAddr) -> Self {
        let stream = TcpStream::connect(hub).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// The address from which it comes.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// Waits for these bytes, and nothing else.
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let mut got = vec![0; bytes.as_ref().len()];
        self.0.read_exact(&mut got).unwrap();
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(bytes.as_ref()));
    }

    /// Waits until the other side has ended the connection, in order or not, and returns what came before.
    pub fn ended(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        if let Err(e) = self.0.read_to_end(&mut rest) {
            assert_eq!(e.kind(), ErrorKind::ConnectionReset, "{e}");
        }
        rest
    }
}
