//! Connecting to the hub: which key it must prove, what to tell the user if it proves another one, and what follows when it
//! is reached from another address of ours.

use std::net::SocketAddr;

use super::code::redeem;
use super::{ClientDriver, ConnBox, Message, Observer, meetings};
use crate::core::session::{Input, MeetingNews};
use crate::io::net::connect_hosts;
use crate::io::state::home::Home;
use crate::io::transfer::Control;
use crate::protocol::{ErrorCode, Failure, HostPort, PublicKey, TransportKind};

/// Where the expected key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyOrigin {
    /// The option `--hub-key`.
    Option,
    /// The join link.
    Link,
    /// It was pinned on an earlier connection.
    Pin,
    /// An earlier connection of this session.
    Session,
}

impl<W: Observer> ClientDriver<W> {
    pub(super) fn connect(&mut self) {
        let conn = self.hub.next_conn;
        self.hub.next_conn += 1;
        let (sender, identity, transport) = (self.sender.clone(), self.local.clone(), self.options.transport);
        let (hub, home) = (self.options.hub.clone(), self.options.folders.home.clone());
        let hosts = hub.hosts();
        let (expected, code) = (self.expected(&hosts), self.hub.code.clone());
        tokio::spawn(async move {
            let connected = async {
                let (mut key, source, known) = expected?;
                let told = |failure| explained(failure, source, &known, &home);
                if let Some(code) = code {
                    let (file, place) = (home.redeemed(), hub.host_port());
                    let redeemed = match file.get(&place, &code) {
                        Some(redeemed) => redeemed,
                        None => redeem(&hub, &code, &identity, key, transport).await.map_err(told)?,
                    };
                    // Without it, the code could not be used again after a name that is taken.
                    let _ = file.set(&place, &code, &redeemed);
                    key = Some(redeemed.key);
                    let _ = sender.send(Message::Redeemed(redeemed)).await;
                }
                connect_hosts(&hosts, &identity, key, transport).await.map_err(told)
            };
            let message = match connected.await {
                Ok((host, connection)) => {
                    // The place is one among them.
                    let host = hosts.into_iter().nth(host).map_or_else(String::new, |host| host.to_string());
                    Message::Connected(conn, Box::new(ConnBox(connection)), host)
                }
                Err(failure) => Message::ConnectFailed(failure),
            };
            let _ = sender.send(message).await;
        });
    }

    /// The hub was reached. If that was from another address than before, connections to others are lost, too.
    pub(super) fn hub_is_at(&mut self, hub: SocketAddr, transport: TransportKind) {
        if self.hub.own.hub_is_at(hub, transport) {
            self.renew_transfers();
        }
    }

    /// Looks whether our own address has changed. A connection from one that is gone is given up; over QUIC the hub only
    /// has to see where we are now.
    pub(super) fn look_at_own_address(&mut self) {
        let Some(before) = self.hub.own.changed() else { return };
        tracing::debug!(%before, "our own address has changed");
        self.hub.reacher.network_changed();
        self.renew_transfers();
        match self.hub.outgoing.is_some() && self.hub.own.ends_with(before) {
            true => self.handle(Input::Disconnected("our own address has changed".into())),
            false => self.handle(Input::AddressChanged),
        }
    }

    fn renew_transfers(&self) {
        self.local.network_changed();
        self.fetching.running.values().for_each(Control::network_changed);
    }

    /// The hub has said something of a meeting.
    pub(super) fn meeting(&self, news: MeetingNews) {
        let serve = meetings::serve_at(&news, self.serving.server.door(), &self.peers, &self.sender);
        self.hub.reacher.hear(news, serve);
    }

    /// The expected key, if there is one, where it comes from, and what `potluck forget` would have to forget.
    fn expected(&self, hosts: &[HostPort]) -> Result<(Option<PublicKey>, KeyOrigin, String), Failure> {
        let options = &self.options;
        let all = options.hub.all_hosts();
        Ok(match self.hub.key {
            None => match pinned(&options.folders.home, hosts)? {
                Some((key, host)) => (Some(key), KeyOrigin::Pin, host),
                None => (None, KeyOrigin::Pin, all),
            },
            Some(key) if options.hub_key.is_some() => (Some(key), KeyOrigin::Option, all),
            Some(key) if options.hub.key.is_some() => (Some(key), KeyOrigin::Link, all),
            Some(key) => (Some(key), KeyOrigin::Session, all),
        })
    }
}

/// The key that is pinned for hosts that are said to be one hub, and one of the hosts that have it.
fn pinned(home: &Home, hosts: &[HostPort]) -> Result<Option<(PublicKey, String)>, Failure> {
    let mut found: Option<(PublicKey, String)> = None;
    for host in hosts.iter().map(HostPort::to_string) {
        let Some(key) = home.pins().pinned_hub(&host)? else { continue };
        if let Some((other, at)) = found.as_ref().filter(|(other, _)| *other != key) {
            let message =
                format!("{at} and {host} are not the same hub: the first had the key {other}, the second {key}.");
            let hint = format!(
                "Name one of them; or, if one was set up anew, `{}`.",
                home.command("potluck forget HOST:PORT")
            );
            return Err(Failure::new(ErrorCode::HubKeyChanged, message).hint(hint));
        }
        found = found.or(Some((key, host)));
    }
    Ok(found)
}

/// Adds to a failure where the expected key comes from, and what the user can do.
fn explained(failure: Failure, source: KeyOrigin, hub: &str, home: &Home) -> Failure {
    if failure.code != ErrorCode::HubKeyChanged {
        return failure;
    }
    let anew = || {
        let forget = home.command(&format!("potluck forget {hub}"));
        format!("If the hub was set up anew, join with its new link or with --hub-key, or after `{forget}`")
    };
    let (from, way) = match source {
        KeyOrigin::Option => (
            "which --hub-key names",
            "Compare it with the key that the hub's log says in its first line, or leave --hub-key out".to_owned(),
        ),
        KeyOrigin::Link => (
            "which the link names",
            "Ask whoever runs the hub for its link of today, or for its key and give that with --hub-key".to_owned(),
        ),
        KeyOrigin::Pin => ("which was pinned at an earlier time", anew()),
        KeyOrigin::Session => ("which it had until now", anew()),
    };
    let message = format!("{}, {from}.", failure.message.trim_end_matches('.'));
    Failure::new(failure.code, message).hint(format!("{way}; if you expected no change, someone may be in between."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_is_told_with_where_the_expected_one_came_from() {
        let base = tempfile::tempdir().unwrap();
        let home = Home::open(Some(&base.path().join("my data"))).unwrap();
        let told = |source| {
            let failure = Failure::new(ErrorCode::HubKeyChanged, "The hub at h:1 shows the key a instead of b.");
            let failure = explained(failure, source, "h:1", &home);
            (failure.message.into_owned(), failure.hint.unwrap().into_owned())
        };
        for (source, from, way) in [
            (KeyOrigin::Option, "instead of b, which --hub-key names.", "leave --hub-key out"),
            (KeyOrigin::Link, "instead of b, which the link names.", "link of today"),
            (KeyOrigin::Pin, "which was pinned at an earlier time.", "`potluck forget h:1 --data '"),
            (KeyOrigin::Session, "which it had until now.", "/my data'`"),
        ] {
            let (message, hint) = told(source);
            assert!(message.contains(from) && hint.contains(way), "{message} {hint}");
            let pinned = matches!(source, KeyOrigin::Pin | KeyOrigin::Session);
            assert_eq!(hint.contains("forget"), pinned, "there is nothing to forget: {hint}");
        }
        let hosts = ["a", "b", "c"].map(|host| HostPort { host: host.into(), port: 1 });
        assert_eq!(pinned(&home, &hosts), Ok(None));
        home.pins().pin_hub("b:1", PublicKey([1; 32])).unwrap();
        assert_eq!(pinned(&home, &hosts), Ok(Some((PublicKey([1; 32]), "b:1".into()))));
        home.pins().pin_hub("c:1", PublicKey([2; 32])).unwrap();
        assert_eq!(pinned(&home, &hosts).unwrap_err().code, ErrorCode::HubKeyChanged);
        let other = Failure::from(ErrorCode::HubUnreachable);
        assert_eq!(explained(other.clone(), KeyOrigin::Link, "h:1", &home), other);
    }
}
