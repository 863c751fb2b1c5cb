//! Which hubs this person has joined, and under which name: where `send` and `receive` go if nobody says.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::io::fs::own_file::{read_json, replace_own};
use crate::protocol::{HostPort, JoinLink, to_json};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 256 << 10;
/// How many hubs are remembered.
const MAX_HUBS: usize = 32;

/// A hub that was joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// All its hosts, as `HOST:PORT,…`.
    hub: String,
    /// The name under which it was joined; the key of this name is known there.
    pub name: String,
}

impl Joined {
    /// Where the hub is.
    pub fn link(&self) -> Option<JoinLink> {
        self.hub.parse().ok()
    }

    fn is_at(&self, hosts: &[HostPort]) -> bool {
        self.link().is_some_and(|link| link.hosts().iter().any(|host| hosts.contains(host)))
    }
}

/// The hubs that were joined, the last one at the end of the file.
#[derive(Debug, Clone)]
pub struct JoinedHubs(PathBuf);

impl JoinedHubs {
    pub(crate) fn at(dir: &Path) -> Self {
        Self(dir.join("joined.json"))
    }

    /// The hub that was joined last.
    pub fn last(&self) -> Option<Joined> {
        self.read().pop()
    }

    /// What is known of the hub at one of these hosts.
    pub fn find(&self, hub: &JoinLink) -> Option<Joined> {
        let hosts = hub.hosts();
        self.read().into_iter().rev().find(|joined| joined.is_at(&hosts))
    }

    /// Remembers that a hub was joined now.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&self, hub: &JoinLink, name: &str) -> io::Result<()> {
        let (mut all, hosts) = (self.read(), hub.hosts());
        let added = Joined { hub: hub.all_hosts(), name: name.to_owned() };
        if all.last() == Some(&added) {
            return Ok(());
        }
        all.retain(|joined| !joined.is_at(&hosts));
        all.push(added);
        let surplus = all.len().saturating_sub(MAX_HUBS);
        replace_own(&self.0, &to_json(&all.split_off(surplus)))
    }

    fn read(&self) -> Vec<Joined> {
        read_json(&self.0, MAX_BYTES).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_is_known_and_each_hub_has_the_name_of_its_last_time() {
        let dir = tempfile::tempdir().unwrap();
        let hubs = JoinedHubs::at(dir.path());
        let link = |text: &str| text.parse::<JoinLink>().unwrap();
        assert_eq!(hubs.last(), None);
        hubs.add(&link("erin@a:1,b:2"), "erin").unwrap();
        hubs.add(&link("c"), "dora").unwrap();
        assert_eq!(hubs.last().unwrap().link(), Some(link("c:7755")));
        assert_eq!(hubs.find(&link("potluck://b:2/")).unwrap().name, "erin");
        hubs.add(&link("b:2"), "frida").unwrap();
        assert_eq!((hubs.find(&link("b:2")).unwrap().name, hubs.find(&link("a:1"))), ("frida".into(), None));
        for port in 1..=2 * MAX_HUBS {
            hubs.add(&link(&format!("d:{port}")), "erin").unwrap();
        }
        assert_eq!(hubs.read().len(), MAX_HUBS);
        std::fs::write(&hubs.0, "{").unwrap();
        assert_eq!(hubs.last(), None);
    }
}
