//! Finds out whether only this machine needs to reach the client's ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::io::net::resolve;
use crate::protocol::{HostPort, JoinLink};

/// Loopback, used until it is known where the hub is.
const LOOPBACK: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

/// The address at which the hub sees this client, if the hub is on this machine: then nobody else needs to reach our
/// files. A hub whose name is not resolved within this time will not be found by the session either, which reports it.
pub async fn reach(hub: &JoinLink, within: Option<Duration>) -> Option<IpAddr> {
    let address = local_address(hub);
    match within {
        Some(within) => tokio::time::timeout(within, address).await.unwrap_or(LOOPBACK),
        None => address.await,
    }
}

/// A host name for both kinds of loopback does not say which will be used.
async fn local_address(hub: &JoinLink) -> Option<IpAddr> {
    let hosts = hub.hosts();
    let mut resolving: JoinSet<_> =
        hosts.into_iter().map(|HostPort { host, port }| async move { resolve(&host, port).await }).collect();
    let mut addresses = Vec::new();
    while let Some(resolved) = resolving.join_next().await {
        addresses.extend(resolved.into_iter().flatten().flatten());
    }
    if addresses.is_empty() {
        return LOOPBACK;
    }
    // Whichever part of 127.0.0.0/8 the hub listens on, the system connects from 127.0.0.1.
    let ours = |address: IpAddr| match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() => Some(IpAddr::from(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(v6) if v6.is_loopback() => Some(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    };
    let first = ours(addresses.first()?.ip())?;
    addresses.iter().all(|address| ours(address.ip()) == Some(first)).then_some(first)
}
