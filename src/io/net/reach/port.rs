//! The fresh port of one meeting: everything is dialled from it, and what comes to it belongs to the meeting.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::protocol::wire::RELAY_GREETING;

/// The connections that the system may queue until they are accepted.
const BACKLOG: u32 = 16;
/// How long connecting to the hub may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A port that is listened on, and from which others are dialled.
pub(super) struct MeetingPort {
    listener: TcpListener,
    local: SocketAddr,
}

impl MeetingPort {
    /// A port that nobody has used of late, for the hub's family of addresses.
    pub(super) fn open(hub: IpAddr) -> io::Result<Self> {
        let any: IpAddr = match hub.to_canonical() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = socket_at(SocketAddr::new(any, 0))?;
        let local = socket.local_addr()?;
        Ok(Self { listener: socket.listen(BACKLOG)?, local })
    }

    pub(super) fn number(&self) -> u16 {
        self.local.port()
    }

    /// The next connection that comes.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (tcp, from) = self.listener.accept().await?;
        Ok((tcp, SocketAddr::new(from.ip().to_canonical(), from.port())))
    }

    /// Where dialling begins.
    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }
}

/// Dials from a meeting's port.
pub(super) async fn dial(local: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    if local.is_ipv4() != to.is_ipv4() {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    let tcp = socket_at(local)?.connect(to).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// Connects to the hub from a meeting's port and shows the token.
pub(super) async fn dial_half(local: SocketAddr, hub: SocketAddr, token: &str) -> io::Result<TcpStream> {
    let half = async {
        let mut tcp = dial(local, hub).await?;
        tcp.write_all(format!("{RELAY_GREETING} {token}\n").as_bytes()).await?;
        Ok(tcp)
    };
    tokio::time::timeout(CONNECT, half).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Several sockets of one meeting share its port.
fn socket_at(local: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if local.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(local)?;
    Ok(socket)
}
