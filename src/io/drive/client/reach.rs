//! Finds out whether only this machine needs to reach the client's ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::io::net::{CONNECT_TIME, resolve};
use crate::protocol::{HostPort, JoinLink};

/// Loopback, used until it is known where the hub is.
const LOOPBACK: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

/// How long the names of several hosts are waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// The address at which the hub sees this client, if the hub is on this machine: then nobody else needs to reach our
/// files. A hub whose name is not resolved within this time will not be found by the session either, which reports it.
pub async fn reach(hub: &JoinLink, within: Option<Duration>) -> Option<IpAddr> {
    let address = local_address(hub);
    match within {
        Some(within) => tokio::time::timeout(within, address).await.unwrap_or(LOOPBACK),
        None => address.await,
    }
}

/// A host name for both kinds of loopback does not say which will be used; nor do several hosts, unless all are the same
/// loopback.
async fn local_address(hub: &JoinLink) -> Option<IpAddr> {
    let hosts = hub.hosts();
    // Whichever host answers is joined, so a name that takes long does not hold that up.
    let patience = if hosts.len() > 1 { PATIENCE } else { CONNECT_TIME };
    let mut resolving: JoinSet<_> =
        hosts.into_iter().map(|HostPort { host, port }| async move { resolve(&host, port).await }).collect();
    let all = async {
        let mut found = None;
        while let Some(resolved) = resolving.join_next().await {
            for address in resolved.into_iter().flatten().flatten() {
                let ours = loopback(address.ip())?;
                if *found.get_or_insert(ours) != ours {
                    return None;
                }
            }
        }
        found.or(LOOPBACK)
    };
    tokio::time::timeout(patience, all).await.unwrap_or(None)
}

/// The address from which the system connects to this one, if it is loopback. Whichever part of 127.0.0.0/8 the hub
/// listens on, that is 127.0.0.1.
fn loopback(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() => Some(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(v6) if v6.is_loopback() => Some(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_hub_at_one_loopback_is_reached_from_there() {
        let reached = async |hosts: &str| reach(&hosts.parse().unwrap(), None).await;
        let v6 = Some(IpAddr::from(Ipv6Addr::LOCALHOST));
        assert_eq!(reached("127.0.0.1:1").await, LOOPBACK);
        assert_eq!(reached("127.0.0.1:1,127.3.2.1:7").await, LOOPBACK);
        assert_eq!(reached("[::1]:1").await, v6);
        assert_eq!(reached("[::1]:1,127.0.0.1:1").await, None);
        assert_eq!(reached("127.0.0.1:1,192.0.2.7:1").await, None);
        assert_eq!(reached("192.0.2.7").await, None);
        assert_eq!(reached("no-such-host.invalid").await, LOOPBACK);
    }
}
