//! Where a client listens, and what it says of itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

use clap::ValueEnum;

use super::ClientOptions;
use crate::core::session::AcceptFrom;
use crate::protocol::cause;
use crate::protocol::event::Settings;
use crate::protocol::{ErrorCode, Failure};

/// The addresses to listen at, the first that can be had.
pub(super) fn anywhere(local: Option<IpAddr>) -> Vec<IpAddr> {
    let anywhere = [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
    local.map_or(anywhere.to_vec(), |local| vec![local])
}

/// Files are served where the hub sees us: a hub on this machine sees a loopback address, and nobody else need
/// reach us.
pub(in crate::io) fn listen(port: u16, local: Option<IpAddr>) -> Result<TcpListener, Failure> {
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

pub(super) fn settings(options: &ClientOptions, port: u16, link_port: u16) -> Settings {
    Settings {
        dir: options.dir.as_ref().map(|dir| dir.to_string_lossy().into_owned()),
        downloads: options.downloads.to_string_lossy().into_owned(),
        port,
        link_port,
        transport: options.transport.to_string(),
        on_conflict: options
            .on_conflict
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned()),
        up: options.up,
        down: options.down,
        max_transfers: options.max_transfers as u64,
        follow: options.follow.table,
        follow_roster: options.follow.roster,
        accept_from: match &options.accept_from {
            AcceptFrom::Nobody => Vec::new(),
            AcceptFrom::Names(names) => names.clone(),
            AcceptFrom::All => vec!["all".to_owned()],
        },
    }
}
