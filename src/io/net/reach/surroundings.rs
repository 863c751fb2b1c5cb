//! The addresses of this machine, and the routers that it sends through.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::core::reach::{Interface, Surroundings};

/// Where this machine stands now, as seen from a hub at this address.
pub(in crate::io::net) fn look_around(hub: Option<IpAddr>) -> Surroundings {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let interfaces = interfaces.into_iter().map(|interface| match interface.addr {
        if_addrs::IfAddr::V4(v4) => Interface { address: v4.ip.into(), prefix: v4.prefixlen },
        if_addrs::IfAddr::V6(v6) => Interface { address: v6.ip.into(), prefix: v6.prefixlen },
    });
    let gateways = gateways_v4().into_iter().map(IpAddr::from).chain(gateways_v6().into_iter().map(IpAddr::from));
    Surroundings { interfaces: interfaces.collect(), gateways: gateways.collect(), hub }
}

/// Linux tells its routes in a file; elsewhere no gateway is known, and none is left out.
fn gateways_v4() -> Vec<Ipv4Addr> {
    let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let gateway = |line: &str| u32::from_str_radix(line.split_whitespace().nth(2)?, 16).ok();
    let found = routes.lines().skip(1).filter_map(gateway).map(|raw| Ipv4Addr::from(raw.to_ne_bytes()));
    found.filter(|gateway| !gateway.is_unspecified()).collect()
}

fn gateways_v6() -> Vec<Ipv6Addr> {
    let routes = std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    let gateway = |line: &str| u128::from_str_radix(line.split_whitespace().nth(4)?, 16).ok();
    let found = routes.lines().filter_map(gateway).map(Ipv6Addr::from_bits);
    found.filter(|gateway| !gateway.is_unspecified()).collect()
}
