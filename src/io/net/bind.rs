//! Where a port is opened: for everybody, or only for this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use crate::protocol::cause;
use crate::protocol::{ErrorCode, Failure};

/// The addresses to listen at, the first that can be had.
pub(crate) fn anywhere(local: Option<IpAddr>) -> Vec<IpAddr> {
    let anywhere = [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
    local.map_or(anywhere.to_vec(), |local| vec![local])
}

/// Files are served where the hub sees us: a hub on this machine sees a loopback address, and nobody else need
/// reach us.
pub(crate) fn listen(port: u16, local: Option<IpAddr>) -> Result<TcpListener, Failure> {
    let mut last = None;
    for address in anywhere(local) {
        match TcpListener::bind((address, port)) {
            Ok(listener) => return Ok(listener),
            Err(e) => last = Some(e),
        }
    }
    Err(match last {
        Some(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
            Failure::new(ErrorCode::PortInUse, format!("The TCP port {port} is in use."))
        }
        Some(e) => {
            Failure::new(ErrorCode::BadConfig, format!("The TCP port {port} cannot be used: {}.", cause::of_io(&e)))
        }
        None => ErrorCode::Internal.into(),
    })
}
