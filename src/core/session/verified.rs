//! The people whom the user has verified at this hub: marks them wherever the roster is shown, and raises the alarm when
//! one of them shows another key.

use std::collections::{BTreeMap, BTreeSet};

use super::pending::Pending;
use crate::core::verify::{self, KnownKey};
use crate::protocol::limits::ALARMS;
use crate::protocol::name::NameKey;
use crate::protocol::{Client, Failure, Presence, PublicKey, event};

/// The verified keys, what was alarmed of, and the `verify` that the driver works on. See the [module](self).
#[derive(Default)]
pub(super) struct Verified {
    keys: BTreeMap<NameKey, PublicKey>,
    /// The other keys that the user was told of, at most [`ALARMS`].
    alarmed: BTreeSet<(NameKey, PublicKey)>,
    task: Option<(u64, Pending)>,
    /// The number that was given to a task last.
    last_task: u64,
}

impl Verified {
    /// Takes what the driver has read from the disk, in place of what was known.
    pub(super) fn replace(&mut self, keys: impl IntoIterator<Item = (NameKey, PublicKey)>) {
        self.keys = keys.into_iter().collect();
    }

    /// Takes what is known of one person from now on.
    pub(super) fn learn(&mut self, name: &str, known: KnownKey) {
        let name = NameKey::of(name);
        match known.verified {
            true => drop(self.keys.insert(name, known.key)),
            false => drop(self.keys.remove(&name)),
        }
    }

    /// Marks the verified among these. What the hub says about it does not count.
    pub(super) fn mark(&self, clients: &mut [Client]) {
        for client in clients {
            client.verified = self.keys.get(&NameKey::of(&client.name)).map(|key| *key == client.key);
        }
    }

    /// The alarms for those who are there under a verified name with another key. Each is raised once.
    pub(super) fn alarms<'a>(&mut self, clients: impl IntoIterator<Item = &'a Client>) -> Vec<event::KeyAlarm> {
        let mut alarms = Vec::new();
        for client in clients.into_iter().filter(|client| client.state != Presence::Offline) {
            let name = NameKey::of(&client.name);
            let Some(verified_key) = self.keys.get(&name).copied().filter(|key| *key != client.key) else { continue };
            // A hub that shows ever more keys is not to fill the memory; by then the user knows.
            if self.alarmed.len() < ALARMS && self.alarmed.insert((name, client.key)) {
                let failure = verify::alarm(&client.name, &verified_key, &client.key);
                alarms.push(event::KeyAlarm {
                    name: client.name.clone(),
                    key: client.key,
                    verified_key,
                    message: failure.message.into_owned(),
                    hint: verify::way_out(&client.name),
                });
            }
        }
        alarms
    }

    /// Whether a person who shows this key may be dealt with.
    ///
    /// # Errors
    /// `verified-key-changed`.
    pub(super) fn check(&self, client: &Client) -> Result<(), Failure> {
        match self.keys.get(&NameKey::of(&client.name)) {
            Some(key) => KnownKey { key: *key, verified: true }.check(&client.name, &client.key),
            None => Ok(()),
        }
    }

    /// Notes that the driver works on this `verify`, and gives the task its number.
    pub(super) fn start_task(&mut self, pending: Pending) -> u64 {
        self.last_task += 1;
        self.task = Some((self.last_task, pending));
        self.last_task
    }

    /// A task is done: takes its request, unless that was given up.
    pub(super) fn end_task(&mut self, task: u64) -> Option<Pending> {
        self.task.take_if(|(current, _)| *current == task).map(|(_, pending)| pending)
    }

    /// Gives up the task, if there is one.
    pub(super) fn give_up_task(&mut self) -> Option<Pending> {
        self.task.take().map(|(_, pending)| pending)
    }

    /// Whether the driver works on a `verify`.
    pub(super) fn is_working(&self) -> bool {
        self.task.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::protocol::Timestamp;

    const OURS: PublicKey = PublicKey([1; 32]);

    fn client(name: &str, key: u8) -> Client {
        Client {
            name: name.to_owned(),
            number: 1,
            state: Presence::Online,
            since: Timestamp(0),
            key: PublicKey([key; 32]),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 1,
            link_port: 2,
            you: false,
            verified: Some(true),
        }
    }

    #[test]
    fn what_the_hub_says_of_a_mark_does_not_count() {
        let mut verified = Verified::default();
        verified.replace([(NameKey::of("erin"), OURS)]);
        let mut clients = [client("Erin", 1), client("erin", 2), client("mallory", 1)];
        verified.mark(&mut clients);
        assert_eq!(clients.map(|client| client.verified), [Some(true), Some(false), None]);
    }

    #[test]
    fn an_alarm_is_raised_once_for_each_key_and_not_without_end() {
        let mut verified = Verified::default();
        verified.learn("erin", KnownKey { key: OURS, verified: true });
        let mut raised = |name: &str, key| verified.alarms(&[client(name, key)]).len();
        assert_eq!([raised("erin", 1), raised("erin", 2), raised("ERIN", 2), raised("erin", 3)], [0, 1, 0, 1]);
        assert_eq!(raised("mallory", 2), 0);
        let gone = Client { state: Presence::Offline, ..client("erin", 4) };
        assert!(verified.alarms(&[gone]).is_empty(), "who is not there does nothing");
        let mut all = 0;
        for n in 0..2 * ALARMS {
            let mut key = [9; 32];
            key[..8].copy_from_slice(&(n as u64).to_be_bytes());
            all += verified.alarms(&[Client { key: PublicKey(key), ..client("erin", 0) }]).len();
        }
        assert_eq!(all, ALARMS - 2);
    }
}
