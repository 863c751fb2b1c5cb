//! The address of a hub as users write it: `potluck://HOST:PORT/#HUBKEY[.INVITE]`, or `[NAME@]HOST[:PORT][/CODE]`.
//!
//! A hub that can be reached at several hosts has them all in its link, with commas between them:
//! `potluck://HOST:PORT,HOST2:PORT2/#HUBKEY`. IPv6 addresses stand in brackets if a port follows: `[2001:db8::1]:7755`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::limits::LINK_HOSTS;
use super::{Code, PublicKey};

/// The port of an address that names none.
pub const DEFAULT_PORT: u16 = 7755;

/// A host and a port there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// A host name or an IP address; IPv6 without brackets.
    pub host: String,
    /// The port, for UDP and TCP.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// The parts of a hub's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinLink {
    /// The name to register under, if the address has one.
    pub name: Option<String>,
    /// A host name or an IP address; IPv6 without brackets.
    pub host: String,
    /// The port, for UDP and TCP.
    pub port: u16,
    /// Further hosts at which the same hub can be reached. All are tried at once.
    pub others: Vec<HostPort>,
    /// The public key that the hub must prove. Without it, the first key seen is trusted and pinned.
    pub key: Option<PublicKey>,
    /// The secret of an invite, if the link has one.
    pub invite: Option<String>,
    /// A short code, to be exchanged for the hub's key and an invite. It is never displayed.
    pub code: Option<Code>,
}

/// The error for a text that is no hub address; it carries the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write potluck://HOST:PORT/#KEY.INVITE as `potluck serve` prints it, or [NAME@]HOST[:PORT]")]
pub struct BadLink(Cow<'static, str>);

fn bad(reason: &'static str) -> BadLink {
    BadLink(reason.into())
}

impl JoinLink {
    /// `HOST:PORT` of the first host, as it is shown to users.
    pub fn host_port(&self) -> String {
        HostPort { host: self.host.clone(), port: self.port }.to_string()
    }

    /// All hosts, in the order of the link; at least one.
    pub fn hosts(&self) -> Vec<HostPort> {
        let first = HostPort { host: self.host.clone(), port: self.port };
        std::iter::once(first).chain(self.others.iter().cloned()).collect()
    }

    /// All hosts as `HOST:PORT`, with commas between them.
    pub fn all_hosts(&self) -> String {
        self.hosts().iter().map(HostPort::to_string).collect::<Vec<_>>().join(",")
    }
}

impl FromStr for JoinLink {
    type Err = BadLink;

    fn from_str(text: &str) -> Result<Self, BadLink> {
        let (address, secret) = match text.strip_prefix("potluck://") {
            Some(rest) => rest.split_once('#').map_or((rest, None), |(address, secret)| (address, Some(secret))),
            None => (text, None),
        };
        // Behind a host without a scheme stands nothing else.
        let (address, code) = match address.trim_end_matches('/').split_once('/') {
            Some((address, code)) if secret.is_none() && !text.starts_with("potluck://") => {
                let code =
                    code.parse::<Code>().map_err(|wrong| BadLink(format!("{wrong} ({})", wrong.hint()).into()))?;
                (address, Some(code))
            }
            _ => (address, None),
        };
        let (name, address) = match address.trim_end_matches('/').rsplit_once('@') {
            Some((name, address)) => (Some(name.to_owned()), address),
            None => (None, address.trim_end_matches('/')),
        };
        let mut hosts = Vec::new();
        for host in address.split(',') {
            let host = host_of(host)?;
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        if hosts.len() > LINK_HOSTS {
            return Err(bad("it has more than 8 hosts"));
        }
        let mut hosts = hosts.into_iter();
        let HostPort { host, port } = hosts.next().ok_or_else(|| bad("the host is missing or not a host"))?;
        let (key, invite) =
            match secret.map(|secret| secret.split_once('.').map_or((secret, None), |(k, i)| (k, Some(i)))) {
                Some((key, invite)) => (Some(key.parse().map_err(|_| bad("the hub's key is damaged"))?), invite),
                None => (None, None),
            };
        Ok(Self { name, host, port, others: hosts.collect(), key, invite: invite.map(str::to_owned), code })
    }
}

impl TryFrom<&str> for JoinLink {
    type Error = BadLink;

    fn try_from(text: &str) -> Result<Self, BadLink> {
        text.parse()
    }
}

impl TryFrom<String> for JoinLink {
    type Error = BadLink;

    fn try_from(text: String) -> Result<Self, BadLink> {
        text.parse()
    }
}

fn host_of(address: &str) -> Result<HostPort, BadLink> {
    let (host, port) = split_port(address)?;
    // An IPv6 scope follows a `%`.
    let ip = host.split('%').next().unwrap_or_default();
    if host.contains(':') && ip.parse::<std::net::Ipv6Addr>().is_err() {
        return Err(bad("more than one colon is for an IPv6 address, which this is not"));
    }
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
        return Err(bad("the host is missing or not a host"));
    }
    Ok(HostPort { host: host.to_owned(), port })
}

fn split_port(address: &str) -> Result<(&str, u16), BadLink> {
    let port =
        |text: &str| text.parse().ok().filter(|port| *port != 0).ok_or(bad("the port is not a number from 1 to 65535"));
    if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(bad("a bracket is not closed"))?;
        return match rest.strip_prefix(':') {
            Some(text) => Ok((host, port(text)?)),
            None if rest.is_empty() => Ok((host, DEFAULT_PORT)),
            None => Err(bad("after the bracket comes the port")),
        };
    }
    match address.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => Ok((address, DEFAULT_PORT)),
        Some((host, text)) => Ok((host, port(text)?)),
        None => Ok((address, DEFAULT_PORT)),
    }
}

impl fmt::Display for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "potluck://{}/", self.all_hosts())?;
        match (&self.key, &self.invite) {
            (Some(key), Some(invite)) => write!(f, "#{key}.{invite}"),
            (Some(key), None) => write!(f, "#{key}"),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_read_back() {
        let key = PublicKey([3; 32]);
        for text in [
            format!("potluck://hub.example:7755/#{key}.abc"),
            format!("potluck://[::1]:1/#{key}"),
            "potluck://h:9/".into(),
            format!("potluck://hub.example:7755,[2001:db8::1]:7756,192.0.2.7:7755/#{key}.abc"),
        ] {
            assert_eq!(text.parse::<JoinLink>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn short_forms_are_understood() {
        let link: JoinLink = "erin@hub.example".parse().unwrap();
        assert_eq!((link.name.as_deref(), link.host_port().as_str()), (Some("erin"), "hub.example:7755"));
        assert_eq!("::1".parse::<JoinLink>().unwrap().host_port(), "[::1]:7755");
        assert_eq!("[fe80::1%eth0]:80".parse::<JoinLink>().unwrap().host_port(), "[fe80::1%eth0]:80");
        assert_eq!("[::1]:80".parse::<JoinLink>().unwrap().host_port(), "[::1]:80");
        let several: JoinLink = "erin@hub.example,[::1]:80,::2,hub.example:7755".parse().unwrap();
        assert_eq!((several.name.as_deref(), several.host_port().as_str()), (Some("erin"), "hub.example:7755"));
        assert_eq!(several.all_hosts(), "hub.example:7755,[::1]:80,[::2]:7755");
        assert_eq!(several.hosts().len(), 3);
        let link: JoinLink = "erin@hub.example:80/7 Crossover-clockwork".parse().unwrap();
        assert_eq!(
            (link.host_port().as_str(), link.code),
            ("hub.example:80", Some("7-crossover-clockwork".parse().unwrap()))
        );
        let wrong = "hub.example/7-crosover-clockwork".parse::<JoinLink>().unwrap_err().to_string();
        assert!(wrong.contains("Did you mean `crossover`?"), "{wrong}");
        let many = |n: u16| (1..=n).map(|port| format!("h:{port}")).collect::<Vec<_>>().join(",");
        assert!(many(8).parse::<JoinLink>().is_ok() && many(9).parse::<JoinLink>().is_err());
        for wrong in [
            "a,",
            ",a",
            "a,,b",
            "a,b:x",
            "",
            ":1",
            "h:0",
            "h:x",
            "h:70000",
            "potluck://h:1/#zz",
            "[::1",
            "a b:1",
            "h:1:x",
            "127.0.0.1:1:2",
            "[h:1]",
        ] {
            assert!(wrong.parse::<JoinLink>().is_err(), "{wrong}");
        }
    }
}
