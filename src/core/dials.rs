//! Limits dialling of addresses that do not answer. Clients dial the addresses that their hub names, and a malicious
//! hub could aim all of them at one victim, under any number of names. So failures are counted for each address and
//! each host, whoever is said to be there, and the pauses after them grow.
//!
//! An address where the owner of the expected key has answered is no victim. If they are lost, they may be back in a moment,
//! and transfers dial them again and again: for a while the pauses there stay short, and failures there do not count
//! against their host, where they may be back at another port.
//!
//! A client's transfers ask it before each dial, and report whether the dial succeeded. It only counts; it dials
//! nothing itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::time::Time;

/// The failures after which dialling pauses.
const FREE: u32 = 6;
const FREE_OF_HOST: u32 = 16;
/// The first pause. Each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// The longest pause at an address where the owner of the expected key has answered, and for how many failures since.
const LONGEST_PROVED: Duration = Duration::from_secs(2);
const PROVED_FOR: u32 = 40;
/// The age at which a failure is forgotten.
const FORGET: Duration = Duration::from_secs(180);
/// The most addresses that are remembered. With more, only hosts without recent failures are dialled.
const MOST: usize = 4_096;

#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    last: Time,
    /// Whether the owner of the expected key has answered there before.
    proved: bool,
}

impl Failures {
    fn until(&self, free: u32) -> Time {
        let Some(over) = self.count.checked_sub(free) else { return Time(0) };
        let longest = if self.is_proved() { LONGEST_PROVED } else { LONGEST };
        self.last + FIRST.saturating_mul(1 << over.min(16)).min(longest)
    }

    /// Whether whoever has answered there may be back in a moment.
    fn is_proved(&self) -> bool {
        self.proved && self.count < PROVED_FOR
    }
}

/// The addresses and hosts with recent failures.
#[derive(Debug, Default)]
pub struct Dials {
    addresses: HashMap<SocketAddr, Failures>,
    hosts: HashMap<IpAddr, Failures>,
}

impl Dials {
    /// Checks whether this address may be dialled now.
    ///
    /// # Errors
    /// The time to wait.
    pub fn may(&self, now: Time, address: SocketAddr) -> Result<(), Duration> {
        let until = |failures: Option<&Failures>, free| failures.map_or(Time(0), |failures| failures.until(free));
        let host = if self.is_proved(address) { None } else { self.hosts.get(&address.ip()) };
        let host = until(host, FREE_OF_HOST);
        let until = until(self.addresses.get(&address), FREE).max(host);
        if now < until { Err(until - now) } else { Ok(()) }
    }

    /// Dialling failed: nobody answered, or not the owner of the expected key.
    pub fn failed(&mut self, now: Time, address: SocketAddr) {
        if !self.is_proved(address) {
            add(&mut self.hosts, now, address.ip());
        }
        add(&mut self.addresses, now, address);
    }

    /// Dialling succeeded. This clears the failures of the address and of its host.
    pub fn reached(&mut self, address: SocketAddr) {
        self.hosts.remove(&address.ip());
        make_room(&mut self.addresses, Time(0), &address);
        self.addresses.insert(address, Failures { proved: true, ..Failures::default() });
    }

    fn is_proved(&self, address: SocketAddr) -> bool {
        self.addresses.get(&address).is_some_and(Failures::is_proved)
    }
}

fn add<K: Copy + Eq + Hash>(places: &mut HashMap<K, Failures>, now: Time, place: K) {
    make_room(places, now, &place);
    let failures = places.entry(place).or_default();
    if now - failures.last >= FORGET {
        failures.count = 0;
    }
    *failures = Failures { count: failures.count.saturating_add(1), last: now, proved: failures.proved };
}

/// Forgets something if there is no room for one more.
fn make_room<K: Copy + Eq + Hash>(places: &mut HashMap<K, Failures>, now: Time, place: &K) {
    if places.len() < MOST || places.contains_key(place) {
        return;
    }
    places.retain(|_, failures| now - failures.last < FORGET);
    // Naming many addresses makes us forget some, but not for free: their hosts are still counted, and hosts cannot
    // be invented as fast.
    if let Some(oldest) = places.iter().min_by_key(|(_, failures)| failures.last).map(|(place, _)| *place)
        && places.len() >= MOST
    {
        places.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time(millis * 1_000)
    }

    /// The number of dials in a minute, if one is wanted every 10 ms, to the ports that `port` gives.
    fn dials(dials: &mut Dials, port: impl Fn(u64) -> u16) -> usize {
        let mut count = 0;
        for n in 0..6_000 {
            let (now, address) = (at(n * 10), SocketAddr::from(([192, 0, 2, 1], port(n))));
            if dials.may(now, address).is_ok() {
                count += 1;
                dials.failed(now, address);
            }
        }
        count
    }

    #[test]
    fn a_host_is_left_alone_whatever_ports_it_is_said_to_have() {
        assert_eq!(dials(&mut Dials::default(), |_| 80), 6 + 5);
        assert_eq!(dials(&mut Dials::default(), |n| n as u16), 16 + 5);
        let mut many = Dials::default();
        assert!(dials(&mut many, |n| (n * 10) as u16) < 30);
        assert!(many.may(at(60_000), SocketAddr::from(([192, 0, 2, 2], 80))).is_ok(), "another host is another matter");
    }

    #[test]
    fn who_is_there_again_is_dialled_as_before() {
        let mut dials = Dials::default();
        let address = SocketAddr::from(([192, 0, 2, 1], 80));
        (0..8).for_each(|_| dials.failed(at(0), address));
        assert_eq!(dials.may(at(1_000), address), Err(Duration::from_secs(3)));
        assert_eq!(dials.may(at(4_000), address), Ok(()));
        dials.reached(address);
        dials.failed(at(4_000), address);
        assert_eq!(dials.may(at(4_000), address), Ok(()));
        (0..100).for_each(|_| dials.failed(at(5_000), address));
        assert_eq!(dials.may(at(6_000), address), Err(Duration::from_secs(59)), "no pause is longer");
        dials.failed(at(400_000), address);
        assert_eq!(dials.may(at(400_000), address), Ok(()), "what was long ago is forgotten");
    }

    #[test]
    fn who_has_answered_may_be_back_in_a_moment_and_is_not_dialled_for_ever() {
        let (mut dials, address) = (Dials::default(), SocketAddr::from(([192, 0, 2, 1], 80)));
        dials.reached(address);
        let (mut now, mut pauses) = (at(0), Vec::new());
        while now < at(600_000) {
            match dials.may(now, address) {
                Ok(()) => dials.failed(now, address),
                Err(wait) => {
                    pauses.push(wait);
                    now = now + wait;
                }
            }
        }
        assert!(pauses.iter().take(30).all(|pause| *pause <= LONGEST_PROVED), "{pauses:?}");
        assert_eq!(pauses.last(), Some(&LONGEST), "nobody is there any more");
        // Its host has other ports, where the same may be back.
        let mut dials = Dials::default();
        dials.reached(address);
        (0..30).for_each(|second| dials.failed(at(1_000 * second), address));
        assert_eq!(dials.may(at(30_000), SocketAddr::new(address.ip(), 81)), Ok(()));
        // And what others say to be there does not keep us from it.
        (0..100).for_each(|port| dials.failed(at(30_000), SocketAddr::new(address.ip(), 1_000 + port)));
        assert_eq!(dials.may(at(32_000), address), Ok(()));
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let mut dials = Dials::default();
        for n in 0..3 * MOST as u32 {
            dials.failed(at(u64::from(n)), SocketAddr::from((n.to_be_bytes(), 80)));
            dials.reached(SocketAddr::from((n.to_be_bytes(), 81)));
        }
        assert!(dials.addresses.len() <= MOST && dials.hosts.len() <= MOST);
    }
}
