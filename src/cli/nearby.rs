//! Sending and receiving without a hub, in one network: a hub inside the sender's process, and the search for it.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::runtime;
use tokio::time::timeout;

use crate::core::nearby::{Ended, FoundHub, LOWEST_PORT, Reach};
use crate::hub::Hub;
use crate::io::net::nearby::{Air, Announcement, MDNS_PORT, own_places, search};
use crate::protocol::code::{Nameplate, OWN_NAMEPLATES};
use crate::protocol::limits::LINK_HOSTS;
use crate::protocol::{Code, ErrorCode, Failure, HostPort, JoinLink, PublicKey, TransportChoice};

/// Where tests announce and look: `loopback` or `loopback:PORT`, and then nothing of it leaves this machine.
const NEARBY: &str = "POTLUCK_NEARBY";

/// How long the end waits until the hub has told whoever is there.
const STOP_TIME: Duration = Duration::from_secs(2);

/// How many ports the system is asked for until one is high enough. Few systems give low ones.
const PORT_TRIES: usize = 16;

/// Hubs that a failure names.
const NAMED: usize = 4;

/// Whether a code that was typed without a host is looked for in this network.
pub(in crate::cli) fn is_for_this_network(code: &Code) -> bool {
    OWN_NAMEPLATES.contains(&code.nameplate())
}

/// A hub for as long as one `send` runs: in this process and in memory, for the sender and for guests who know the code.
/// It is announced in the networks of this machine. Dropping this takes the announcement back and stops the hub, which
/// takes three seconds at most.
#[derive(Debug)]
pub(in crate::cli) struct OwnHub {
    /// Dropped first: nobody shall come to a hub that is gone.
    announcement: Option<Announcement>,
    hub: Option<Hub>,
    link: JoinLink,
    addresses: Vec<HostPort>,
}

impl OwnHub {
    /// Starts the hub on a free port of all interfaces, and announces it. Besides guests it lets in `sender` alone. May be
    /// called inside and outside of a runtime.
    ///
    /// # Errors
    /// `bad-config` if [`NEARBY`] is set to something else; those of [`HubBuilder::start`](crate::hub::HubBuilder::start).
    pub(in crate::cli) fn start(sender: PublicKey) -> Result<Self, Failure> {
        let air = air()?;
        let hub = in_runtime(start(sender, air.reach))?;
        let (port, key) = (hub.address().port(), hub.link().key.ok_or(ErrorCode::Internal)?);
        let own = HostPort { host: Ipv4Addr::LOCALHOST.to_string(), port };
        let addresses: Vec<_> = match air.reach {
            Reach::Network => own_places(port).iter().map(host_port).collect(),
            Reach::ThisMachine => vec![own.clone()],
        };
        let announcement = Announcement::start(air, port, key)?;
        let link = JoinLink { host: own.host, port, key: Some(key), ..link_to(Vec::new()) };
        Ok(Self { announcement: Some(announcement), hub: Some(hub), link, addresses })
    }

    /// The link by which the sender's own client joins: over loopback. Its ports must be open to all the same
    /// ([`Ports::everywhere`](crate::io::drive::client::Ports::everywhere)).
    pub(in crate::cli) fn link(&self) -> JoinLink {
        self.link.clone()
    }

    /// Where others in the network reach the hub, the likeliest first: for `receive HOST:PORT/CODE`. None if this machine
    /// is in no network.
    pub(in crate::cli) fn addresses(&self) -> &[HostPort] {
        &self.addresses
    }
}

impl Drop for OwnHub {
    fn drop(&mut self) {
        drop(self.announcement.take());
        let Some(hub) = self.hub.take() else { return };
        // Whatever keeps it from ending in time, the process ends it.
        let _ = in_runtime(async { timeout(STOP_TIME, hub.stop()).await.unwrap_or(Ok(())) });
    }
}

/// Starts the hub at a port that whoever hears of it asks.
async fn start(sender: PublicKey, reach: Reach) -> Result<Hub, Failure> {
    let mut hub = start_at_any_port(sender, reach).await?;
    for _ in 1..PORT_TRIES {
        if hub.address().port() >= LOWEST_PORT {
            break;
        }
        // It is dropped once there is another one, so that its port is not given again.
        hub = start_at_any_port(sender, reach).await?;
    }
    Ok(hub)
}

async fn start_at_any_port(sender: PublicKey, reach: Reach) -> Result<Hub, Failure> {
    let listening = |address: &str| Hub::builder().bind(address).only_for(sender).start();
    match reach {
        Reach::ThisMachine => listening("127.0.0.1:0").await,
        // Where there is no IPv6 at all, only IPv4 can be listened at.
        Reach::Network => match listening("[::]:0").await {
            Ok(hub) => Ok(hub),
            Err(_) => listening("0.0.0.0:0").await,
        },
    }
}

/// Looks in this network for the hub of whoever made a code, for 15 s at most and never less than 1.8 s. Nobody learns more
/// of the code than its number. May be called inside and outside of a runtime.
///
/// The link names the hub's key, so that there is an exchange with this hub and with no other one.
///
/// # Errors
/// `no-such-code` if nobody has it; `several-found` if more than one say so; `timed-out` after `within`; `bad-config` if
/// [`NEARBY`] is set to something else.
pub(in crate::cli) fn find(
    code: &Code,
    transport: TransportChoice,
    within: Option<Duration>,
) -> Result<JoinLink, Failure> {
    let (air, number) = (air()?, code.nameplate());
    let ended = in_runtime(async {
        let searched = search(air, number, transport);
        match within {
            Some(within) => timeout(within, searched).await.unwrap_or_else(|_| Err(ErrorCode::TimedOut.into())),
            None => searched.await,
        }
    })?;
    match ended {
        Ended::Found(FoundHub { key, at }) => {
            Ok(JoinLink { key: Some(key), ..link_to(at.iter().map(host_port).collect()) })
        }
        Ended::Several(hubs) => Err(several(number, &hubs)),
        Ended::Crowded => Err(crowded(number)),
        Ended::Nobody { others, silent } => Err(nobody(number, others, &silent)),
    }
}

/// A link to a hub at these hosts, of which there is one at least where it is used.
fn link_to(hosts: Vec<HostPort>) -> JoinLink {
    let mut hosts = hosts.into_iter().take(LINK_HOSTS);
    let HostPort { host, port } = hosts.next().unwrap_or(HostPort { host: String::new(), port: 0 });
    JoinLink { name: None, host, port, others: hosts.collect(), key: None, invite: None, code: None }
}

fn host_port(place: &SocketAddr) -> HostPort {
    HostPort { host: place.ip().to_canonical().to_string(), port: place.port() }
}

/// Runs something to its end on a thread of its own, whatever the caller's thread is in the middle of.
fn in_runtime<T: Send>(work: impl Future<Output = Result<T, Failure>> + Send) -> Result<T, Failure> {
    let run = || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
        runtime.block_on(work)
    };
    std::thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|_| Err(ErrorCode::Internal.into()))
}

/// Where to announce and to look.
fn air() -> Result<Air, Failure> {
    let Some(said) = std::env::var_os(NEARBY) else { return Ok(Air::NETWORK) };
    let port = match said.to_str().map(|said| said.split_once(':').unwrap_or((said, ""))) {
        Some(("loopback", "")) => Some(MDNS_PORT),
        Some(("loopback", port)) => port.parse().ok().filter(|port| *port != 0),
        Some(_) | None => None,
    };
    let port = port.ok_or_else(|| {
        Failure::new(ErrorCode::BadConfig, format!("{NEARBY} is neither `loopback` nor `loopback:PORT`."))
    })?;
    Ok(Air { reach: Reach::ThisMachine, port })
}

fn several(number: Nameplate, hubs: &[FoundHub]) -> Failure {
    let places: Vec<_> = hubs.iter().filter_map(|hub| hub.at.first()).map(|at| host_port(at).to_string()).collect();
    let message =
        format!("{} hubs in this network say that they have code {number}: {}.", places.len(), listed(&places));
    Failure::new(ErrorCode::SeveralFound, message).hint(format!(
        "One may be false, so none was told anything. Ask the sender which address `potluck send` shows, and write \
         `potluck receive HOST:PORT/{number}-…`; the code is as good as before."
    ))
}

fn crowded(number: Nameplate) -> Failure {
    let message = "More hubs announce themselves in this network than can be asked: somebody may be flooding it.";
    Failure::new(ErrorCode::SeveralFound, message).hint(format!(
        "Ask the sender which address `potluck send` shows, and write `potluck receive HOST:PORT/{number}-…`; the code is \
         as good as before."
    ))
}

fn nobody(number: Nameplate, others: usize, silent: &[SocketAddr]) -> Failure {
    let silent: Vec<_> = silent.iter().map(|at| host_port(at).to_string()).collect();
    let asked = match (others, silent.as_slice()) {
        (0, []) => "nobody announces anything here".to_owned(),
        (_, []) => format!("of {others} that send, none has it"),
        (0, silent) => format!("{} is announced and does not answer", listed(silent)),
        (_, silent) => {
            format!("of {others} that send, none has it, and {} is announced and does not answer", listed(silent))
        }
    };
    let hint = match silent.is_empty() {
        true => format!(
            "Both must be in the same network, which must let its devices talk to each other (multicast, UDP port \
             5353), and `potluck send` must still be running. With an address that it shows, write `potluck receive HOST:PORT/{number}-…`."
        ),
        false => format!(
            "A firewall at the sender may be in the way. With another address that `potluck send` shows, write `potluck \
             receive HOST:PORT/{number}-…`."
        ),
    };
    let message = format!("Nobody in this network sends under the number {number}: {asked}.");
    Failure::new(ErrorCode::NoSuchCode, message).hint(hint)
}

fn listed(places: &[String]) -> String {
    match places.get(..NAMED) {
        Some(first) if places.len() > NAMED => format!("{} and {} more", first.join(", "), places.len() - NAMED),
        Some(_) | None => places.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: &str) -> SocketAddr {
        place.parse().unwrap()
    }

    #[test]
    fn a_failure_names_where_and_says_how_to_choose() {
        let hub = |n: u8, place| FoundHub { key: PublicKey([n; 32]), at: vec![at(place)] };
        let failure = several(4_712, &[hub(1, "10.0.0.1:5000"), hub(2, "[2600::1]:6000")]);
        assert_eq!(failure.code, ErrorCode::SeveralFound);
        assert_eq!(
            failure.message,
            "2 hubs in this network say that they have code 4712: 10.0.0.1:5000, [2600::1]:6000."
        );
        assert!(failure.hint.unwrap().contains("`potluck receive HOST:PORT/4712-…`"));
        let many: Vec<_> = (1..=9).map(|n| hub(n, "10.0.0.1:5000")).collect();
        assert!(several(4_712, &many).message.ends_with("10.0.0.1:5000 and 5 more."));
    }

    #[test]
    fn nobody_found_is_told_with_what_was_found() {
        let told = |others, silent: &[&str]| {
            let silent: Vec<_> = silent.iter().map(|place| at(place)).collect();
            let failure = nobody(4_712, others, &silent);
            assert_eq!(failure.code, ErrorCode::NoSuchCode);
            format!("{} {}", failure.message, failure.hint.unwrap())
        };
        assert!(told(0, &[]).contains("nobody announces anything here. Both must be in the same network"));
        assert!(told(2, &[]).contains("of 2 that send, none has it."));
        assert!(told(0, &["10.0.0.1:5000"]).contains("10.0.0.1:5000 is announced and does not answer. A firewall"));
    }
}
