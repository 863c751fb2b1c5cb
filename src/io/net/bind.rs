//! The addresses on which a client opens its ports: reachable for everybody, or only on this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use crate::protocol::cause;
use crate::protocol::{ErrorCode, Failure};

/// The addresses to try, in order: `local` if given, otherwise all interfaces.
pub(crate) fn anywhere(local: Option<IpAddr>) -> Vec<IpAddr> {
    let anywhere = [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
    local.map_or(anywhere.to_vec(), |local| vec![local])
}

/// Opens the port for files at the address that the hub sees: a hub on this machine sees loopback, and then nobody else
/// needs to reach us.
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
