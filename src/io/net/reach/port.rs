//! The fresh port of one meeting: everything is dialled from it, and what comes to it belongs to the meeting.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::protocol::wire::RELAY_GREETING;

/// The connections that the system may queue until they are accepted.
const BACKLOG: u32 = 16;
/// How long connecting to the hub may take.
const CONNECT: Duration = Duration::from_secs(5);

/// A port that is listened on, and from which others are dialled: the same number over IPv4 and IPv6, where both are to
/// be had.
pub(super) struct MeetingPort {
    first: TcpListener,
    second: Option<TcpListener>,
    number: u16,
}

impl MeetingPort {
    /// A port that nobody has used of late, at least for the hub's family of addresses.
    pub(super) fn open(hub: IpAddr) -> io::Result<Self> {
        let hub = hub.to_canonical();
        let socket = socket_at(hub, 0)?;
        let number = socket.local_addr()?.port();
        let other: IpAddr = if hub.is_ipv4() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let second = socket_at(other, number).and_then(|socket| socket.listen(BACKLOG)).ok();
        Ok(Self { first: socket.listen(BACKLOG)?, second, number })
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }

    /// The next connection that comes.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (tcp, from) = match &self.second {
            None => self.first.accept().await?,
            Some(second) => tokio::select! {
                came = self.first.accept() => came?,
                came = second.accept() => came?,
            },
        };
        Ok((tcp, SocketAddr::new(from.ip().to_canonical(), from.port())))
    }
}

/// Dials from the meeting's port of this number; 0 is any other.
pub(super) async fn dial(port: u16, to: SocketAddr) -> io::Result<TcpStream> {
    let tcp = socket_at(to.ip(), port)?.connect(to).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// Connects to the hub from a meeting's port and shows the token.
pub(super) async fn dial_half(port: u16, hub: SocketAddr, token: &str) -> io::Result<TcpStream> {
    let half = async {
        let mut tcp = dial(port, hub).await?;
        tcp.write_all(format!("{RELAY_GREETING} {token}\n").as_bytes()).await?;
        Ok(tcp)
    };
    tokio::time::timeout(CONNECT, half).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// A socket at a port of any address of this family. Several sockets of one meeting share its port.
fn socket_at(family: IpAddr, port: u16) -> io::Result<TcpSocket> {
    let any: IpAddr = match family {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let at = SocketAddr::new(any, port);
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    if at.is_ipv6() {
        // IPv4 has a socket of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    Ok(TcpSocket::from_std_stream(socket.into()))
}
