//! QUIC over UDP: one connection carries one stream, opened by the client.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use quinn::crypto::rustls::{HandshakeData, QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, ConnectionError, Endpoint, EndpointConfig, ServerConfig, TokioRuntime, TransportConfig};
use quinn::{IdleTimeout, VarInt};
use rustls::AlertDescription;
use rustls::pki_types::CertificateDer;
use socket2::SockRef;

use super::identity::Identity;
use super::lines::{FIRST_WINDOW, LineReader, LineWriter, ReadHalf, WINDOW, WriteHalf};
use super::missed::{NoConn, key_changed, wrong_protocol};
use super::{Conn, LINE_LIMIT, causes, tls};
use crate::protocol::cause;
use crate::protocol::{PublicKey, TransportKind};

/// The idle timeout, in milliseconds. The link sends a probe each second or so, so a longer silence means that the
/// other side has gone.
const IDLE_TIME: VarInt = VarInt::from_u32(10_000);

/// The round trip that is assumed before any was measured. Most hubs are near, and a lost first packet should cost 150
/// ms, not a second.
const FIRST_RTT: Duration = Duration::from_millis(50);

/// The socket's buffer in bytes. A burst to or from thousands of clients goes through one socket.
const SOCKET_BUFFER: usize = 4 << 20;

/// Handshakes that wait to be processed. Each holds the early datagrams, up to `EARLY_BYTES`.
const MAX_INCOMING: usize = 1 << 10;
const EARLY_BYTES: u64 = 16 << 10;
const EARLY_BYTES_TOTAL: u64 = 4 << 20;

/// Packets keep quinn's default sizes: above 6,500 bytes, segmentation offload fails silently.
fn transport(streams_accepted: u32) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(streams_accepted.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(WINDOW.into())
        .receive_window(FIRST_WINDOW.into())
        .send_window(WINDOW.into())
        .initial_rtt(FIRST_RTT)
        .max_idle_timeout(Some(IdleTimeout::from(IDLE_TIME)))
        .keep_alive_interval(None);
    Arc::new(config)
}

/// The hub's endpoint on a bound socket.
pub(super) fn server(socket: UdpSocket, identity: &Identity) -> io::Result<Endpoint> {
    enlarge_buffers(&socket);
    let crypto = QuicServerConfig::try_from(tls::server_config(identity, tls::LINK_ALPN)).map_err(io::Error::other)?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(transport(1))
        .max_incoming(MAX_INCOMING)
        .incoming_buffer_size(EARLY_BYTES)
        .incoming_buffer_size_total(EARLY_BYTES_TOTAL);
    Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))
}

/// The hub's side of a handshake; `None` if the other side breaks it off or does not speak our protocol. It ends with
/// the client's first bytes, because only these open the stream.
pub(super) async fn welcome(incoming: quinn::Incoming, limit: usize) -> Option<Conn> {
    let connection = incoming.accept().ok()?.await.ok()?;
    let peer = proved(&connection)?;
    let (send, receive) = connection.accept_bi().await.ok()?;
    Some(conn(peer, connection, send, receive, limit))
}

/// The client's side of a handshake.
pub(super) async fn dial(address: SocketAddr, identity: Identity, expected: Option<PublicKey>) -> Result<Conn, NoConn> {
    let failed = |cause: Cow<'static, str>| NoConn::missed(address, TransportKind::Quic, cause);
    let mismatch = Arc::new(OnceLock::new());
    let config = tls::client_config_noting(&identity, expected, tls::LINK_ALPN, mismatch.clone());
    let crypto = QuicClientConfig::try_from(config).map_err(|e| failed(cause::plain(&e.to_string()).into()))?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(transport(0));

    let endpoint = client_endpoint(address).map_err(|e| failed(causes::of_socket(&e)))?;
    let connecting = endpoint
        .connect_with(config, address, tls::SERVER_NAME)
        .map_err(|e| failed(cause::plain(&e.to_string()).into()))?;
    let connection = tokio::select! {
        shaken = connecting => shaken.map_err(|e| match mismatch.get() {
            Some(mismatch) => key_changed(address, mismatch).into(),
            None if is_other_protocol(&e) => wrong_protocol(address).into(),
            None => failed(causes::of_quic(&e).into()),
        })?,
        error = refusal(address) => return Err(failed(causes::of_socket(&error))),
    };
    let peer = proved(&connection).ok_or_else(|| wrong_protocol(address))?;
    let (send, receive) = connection.open_bi().await.map_err(|e| failed(causes::of_quic(&e).into()))?;
    Ok(conn(peer, connection, send, receive, LINE_LIMIT))
}

fn conn(
    (peer, exporter): (PublicKey, [u8; 32]),
    connection: quinn::Connection,
    send: quinn::SendStream,
    receive: quinn::RecvStream,
    limit: usize,
) -> Conn {
    let address = connection.remote_address();
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    let reader = LineReader::new(ReadHalf::Quic(receive, connection.clone()), limit);
    let writer = LineWriter::new(WriteHalf::Quic(send, connection));
    Conn { peer, address, transport: TransportKind::Quic, exporter, reader, writer }
}

/// The other side's key and the exporter, if our protocol was negotiated.
fn proved(connection: &quinn::Connection) -> Option<(PublicKey, [u8; 32])> {
    let agreed = connection.handshake_data()?.downcast::<HandshakeData>().ok()?;
    if agreed.protocol.as_deref() != Some(tls::LINK_ALPN) {
        return None;
    }
    let shown = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    let mut exporter = [0; 32];
    connection.export_keying_material(&mut exporter, tls::EXPORTER, &[]).ok()?;
    Some((tls::key_from_certificates(&shown)?, exporter))
}

fn client_endpoint(address: SocketAddr) -> io::Result<Endpoint> {
    let socket = unbound_like(address)?;
    enlarge_buffers(&socket);
    Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))
}

fn unbound_like(address: SocketAddr) -> io::Result<UdpSocket> {
    if address.is_ipv4() {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
    } else {
        UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))
    }
}

/// Systems limit this. A smaller buffer only loses more under load.
fn enlarge_buffers(socket: &UdpSocket) {
    let socket = SockRef::from(socket);
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
}

/// Returns if the other machine reports that nothing accepts our packets on this port. quinn's socket serves any
/// address, so the system cannot tell it; an empty datagram from a connected socket finds out.
async fn refusal(address: SocketAddr) -> io::Error {
    match probe(address).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => error,
        // Only a clear refusal counts: the handshake has its own ways to fail.
        _ => pending().await,
    }
}

async fn probe(address: SocketAddr) -> io::Result<Infallible> {
    let socket = unbound_like(address)?;
    socket.set_nonblocking(true)?;
    socket.connect(address)?;
    let socket = tokio::net::UdpSocket::from_std(socket)?;
    socket.send(&[]).await?;
    loop {
        // The content of an answer would not matter.
        socket.recv(&mut [0; 1]).await?;
    }
}

/// Whether the other side speaks QUIC but not our protocol.
#[allow(clippy::wildcard_enum_match_arm, reason = "a library has more causes than matter here")]
fn is_other_protocol(error: &ConnectionError) -> bool {
    let no_alpn = quinn::TransportErrorCode::crypto(AlertDescription::NoApplicationProtocol.into());
    match error {
        ConnectionError::VersionMismatch => true,
        ConnectionError::TransportError(e) => e.code == no_alpn,
        ConnectionError::ConnectionClosed(close) => close.error_code == no_alpn,
        _ => false,
    }
}
