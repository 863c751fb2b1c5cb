//! TLS 1.3 over TCP.

use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ServerConfig};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::connect::{key_changed, wrong_protocol};
use super::lines::{LineReader, LineWriter, Sink, Source};
use super::missed::NoConn;
use super::{Conn, LINE_LIMIT};
use crate::io::net::identity::Identity;
use crate::io::net::tls;
use crate::protocol::cause;
use crate::protocol::{PublicKey, TransportKind};

/// A stream that a reader and a writer share. Neither holds the lock while it waits.
pub(super) struct Stream(Mutex<TlsStream<TcpStream>>);

impl Stream {
    fn lock(&self) -> MutexGuard<'_, TlsStream<TcpStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn poll_read(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(cx, into)
    }

    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match poll_fn(|cx| Pin::new(&mut *self.lock()).poll_write(cx, bytes)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => bytes = &bytes[written..],
            }
        }
        Ok(())
    }

    pub(super) async fn flush(&self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self.lock()).poll_flush(cx)).await
    }

    pub(super) async fn shutdown(&self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self.lock()).poll_shutdown(cx)).await
    }

    /// Ends both directions. Without lingering the system also drops what it has not sent yet, once the
    /// socket is closed. Failing means that the connection is gone already.
    pub(super) fn abort(&self) {
        let stream = self.lock();
        let socket = SockRef::from(stream.get_ref().0);
        let _ = socket.set_linger(Some(Duration::ZERO));
        let _ = socket.shutdown(std::net::Shutdown::Both);
    }
}

/// The hub's side of a handshake; `None` where the other side does not speak our protocol.
pub(super) async fn welcome(stream: TcpStream, config: Arc<ServerConfig>, limit: usize) -> Option<Conn> {
    // Lines are gathered before they are written; holding them back again only adds delay.
    stream.set_nodelay(true).ok()?;
    let stream = TlsAcceptor::from(config).accept(stream).await.ok()?;
    conn(stream.into(), limit)
}

/// The client's side of a handshake.
pub(super) async fn dial(address: SocketAddr, identity: Identity, expected: Option<PublicKey>) -> Result<Conn, NoConn> {
    let failed = |e: io::Error| NoConn::missed(address, TransportKind::Tcp, describe(&e));
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let mismatch = Arc::new(OnceLock::new());
    let config = tls::client_config_noting(&identity, expected, tls::LINK_ALPN, mismatch.clone());
    let name = ServerName::try_from(tls::SERVER_NAME).expect("the constant is a valid name");
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let stream = shaken.map_err(|e| match (mismatch.get(), tls_error(&e)) {
        (Some(mismatch), _) => key_changed(address, mismatch).into(),
        (None, Some(error)) if is_other_protocol(error) => wrong_protocol(address).into(),
        _ => failed(e),
    })?;
    conn(stream.into(), LINE_LIMIT).ok_or_else(|| wrong_protocol(address).into())
}

fn conn(stream: TlsStream<TcpStream>, limit: usize) -> Option<Conn> {
    let (socket, session) = stream.get_ref();
    if session.alpn_protocol() != Some(tls::LINK_ALPN) {
        return None;
    }
    let peer = tls::peer_key(session)?;
    let address = socket.peer_addr().ok()?;
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    let stream = Arc::new(Stream(Mutex::new(stream)));
    let reader = LineReader::new(Source::Tcp(stream.clone()), limit);
    let writer = LineWriter::new(Sink::Tcp(stream));
    Some(Conn { peer, address, transport: TransportKind::Tcp, reader, writer })
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Says whether it was no hub of ours that answered.
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

/// The cause in words that do not depend on the operating system.
pub(super) fn describe(error: &io::Error) -> Cow<'static, str> {
    match (error.kind(), tls_error(error)) {
        (io::ErrorKind::ConnectionRefused, _) => "nothing listens there (refused)".into(),
        // The greeting was cut off: for whoever connects, that is the same.
        (io::ErrorKind::UnexpectedEof, _) => "the other side closed the connection".into(),
        (_, Some(error)) => tls::cause(error).into(),
        (_, None) => cause::of_io(error),
    }
}
