//! Connections of lines, as those of `private`, over what a race or a meeting has brought.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::ServerConfig;

use super::{Boxed, Proving};
use crate::io::net::identity::Identity;
use crate::io::net::{Conn, connect_peer, tcp, tls};
use crate::protocol::{Failure, PublicKey, TransportChoice};

/// Makes a connection of lines to whoever holds this key.
pub struct TalkProving {
    /// Our key pair.
    pub identity: Identity,
    /// The key that the other side must prove.
    pub key: PublicKey,
    /// How its own address is dialled.
    pub transport: TransportChoice,
    /// Called when a meeting is asked for: it takes longer now.
    pub meets: Box<dyn Fn() + Send + Sync>,
}

impl Proving for TalkProving {
    type Stream = Conn;

    fn dial(&self, address: SocketAddr) -> Boxed<Result<Conn, Failure>> {
        let (identity, key, transport) = (self.identity.clone(), self.key, self.transport);
        Box::pin(async move { connect_peer(address, &identity, key, transport).await })
    }

    fn prove(&self, stream: TcpStream) -> Boxed<Result<Conn, Failure>> {
        let (identity, key) = (self.identity.clone(), self.key);
        Box::pin(async move {
            let address = stream.peer_addr().map_err(Failure::internal)?;
            let stream = tokio::net::TcpStream::from_std(stream).map_err(Failure::internal)?;
            Ok(tcp::prove(address, stream, identity, Some(key)).await?)
        })
    }

    fn meets(&self) {
        (self.meets)();
    }
}

/// The settings of TLS for [`welcome`].
pub fn welcome_config(identity: &Identity) -> Arc<ServerConfig> {
    Arc::new(tls::server_config(identity, tls::LINK_ALPN))
}

/// The side that was asked: a connection of lines with whoever holds this key, and with nobody else. The longest line
/// has `limit` bytes.
pub async fn welcome(stream: TcpStream, key: PublicKey, config: Arc<ServerConfig>, limit: usize) -> Option<Conn> {
    let stream = tokio::net::TcpStream::from_std(stream).ok()?;
    tcp::welcome(stream, config, limit).await.filter(|conn| conn.peer == key)
}
