//! The TCP transport: TLS 1.3 over a TCP connection.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::identity::Identity;
use super::lines::{LineReader, LineWriter, ReadHalf, WriteHalf};
use super::missed::{NoConn, key_changed, wrong_protocol};
use super::tcp_stream::SharedStream;
use super::{Conn, LINE_LIMIT, causes, tls};
use crate::protocol::{PublicKey, TransportKind};

/// The hub's side of a handshake; `None` where the other side does not speak our protocol.
pub(super) async fn welcome(stream: TcpStream, config: Arc<ServerConfig>, limit: usize) -> Option<Conn> {
    // Lines are collected before they are written. Delaying them once more would only add latency.
    stream.set_nodelay(true).ok()?;
    let stream = TlsAcceptor::from(config).accept(stream).await.ok()?;
    let exporter = stream.get_ref().1.export_keying_material([0; 32], tls::EXPORTER, None).ok()?;
    conn(stream.into(), exporter, limit)
}

/// The client's side of a handshake.
pub(super) async fn dial(address: SocketAddr, identity: Identity, expected: Option<PublicKey>) -> Result<Conn, NoConn> {
    let failed = |e: io::Error| NoConn::missed(address, TransportKind::Tcp, causes::of_socket(&e));
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    prove(address, stream, identity, expected).await
}

/// The client's side of a handshake over a connection that stands.
pub(super) async fn prove(
    address: SocketAddr,
    stream: TcpStream,
    identity: Identity,
    expected: Option<PublicKey>,
) -> Result<Conn, NoConn> {
    let failed = |e: io::Error| NoConn::missed(address, TransportKind::Tcp, causes::of_socket(&e));
    stream.set_nodelay(true).map_err(failed)?;
    let mismatch = Arc::new(OnceLock::new());
    let config = tls::client_config_noting(&identity, expected, tls::LINK_ALPN, mismatch.clone());
    let name = ServerName::try_from(tls::SERVER_NAME).expect("the constant is a valid name");
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let stream = shaken.map_err(|e| match (mismatch.get(), causes::tls_error(&e)) {
        (Some(mismatch), _) => key_changed(address, mismatch).into(),
        (None, Some(error)) if is_other_protocol(error) => wrong_protocol(address).into(),
        _ => failed(e),
    })?;
    let exporter = stream.get_ref().1.export_keying_material([0; 32], tls::EXPORTER, None);
    let exporter = exporter.map_err(|_| wrong_protocol(address))?;
    conn(stream.into(), exporter, LINE_LIMIT).ok_or_else(|| wrong_protocol(address).into())
}

fn conn(stream: TlsStream<TcpStream>, exporter: [u8; 32], limit: usize) -> Option<Conn> {
    let (socket, session) = stream.get_ref();
    if session.alpn_protocol() != Some(tls::LINK_ALPN) {
        return None;
    }
    let peer = tls::peer_key(session)?;
    let address = socket.peer_addr().ok()?;
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    let stream = Arc::new(SharedStream::new(stream));
    let reader = LineReader::new(ReadHalf::Tcp(stream.clone()), limit);
    let writer = LineWriter::new(WriteHalf::Tcp(stream));
    Some(Conn { peer, address, transport: TransportKind::Tcp, exporter, reader, writer })
}

/// Whether the other side does not speak our protocol.
#[allow(clippy::wildcard_enum_match_arm, reason = "a library has more causes than matter here")]
fn is_other_protocol(error: &rustls::Error) -> bool {
    use rustls::Error::{AlertReceived, InvalidMessage, NoApplicationProtocol, PeerIncompatible};
    let alerts = [
        AlertDescription::NoApplicationProtocol,
        AlertDescription::ProtocolVersion,
        AlertDescription::HandshakeFailure,
    ];
    match error {
        InvalidMessage(_) | NoApplicationProtocol | PeerIncompatible(_) => true,
        AlertReceived(alert) => alerts.contains(alert),
        _ => false,
    }
}
