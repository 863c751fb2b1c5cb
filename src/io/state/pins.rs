//! Pins the keys of hubs and peers: a client trusts a key on first use, and refuses a different one later.
//!
//! The pins are one JSON object in `known_keys.json`, from `"HOST:PORT"` or `"NAME@HUBKEY"` to a key. A file that
//! cannot be understood is an error: if it counted as empty, every key would be trusted again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::io::fs::own_file::{open_own, read_own};
use crate::protocol::cause;
use crate::protocol::name::{MAX_NAME, NameKey};
use crate::protocol::{ErrorCode, Failure, PublicKey};

/// The largest file that is read, in bytes. A hundred thousand keys fit.
const MAX_BYTES: u64 = 16 << 20;

/// How many people's keys are pinned for one hub. The keys of further people are trusted each time.
const PEERS_OF_A_HUB: usize = 10_000;

type KnownKeys = BTreeMap<String, PublicKey>;

/// The pins of one client. Each call reads the file, and each change is made under a lock, so that several processes
/// can share it.
#[derive(Debug, Clone)]
pub struct Pins {
    file: PathBuf,
    lock: PathBuf,
}

impl Pins {
    pub(crate) fn at(dir: &Path) -> Self {
        Self { file: dir.join("known_keys.json"), lock: dir.join("known_keys.lock") }
    }

    /// The pinned key of the hub at `HOST:PORT`, if there is one.
    ///
    /// # Errors
    /// `bad-config`, naming the file, if it is damaged or cannot be read.
    pub fn pinned_hub(&self, host_port: &str) -> Result<Option<PublicKey>, Failure> {
        Ok(self.read()?.get(&hub_entry(host_port)).copied())
    }

    /// Pins `key` for the hub at `HOST:PORT`, replacing any other.
    ///
    /// # Errors
    /// `bad-config` if the file is damaged or cannot be written; then nothing has changed.
    pub fn pin_hub(&self, host_port: &str, key: PublicKey) -> Result<(), Failure> {
        self.change(|known| known.insert(hub_entry(host_port), key).is_none_or(|old| old != key)).map(drop)
    }

    /// The pinned key of the person `name` at the hub with the key `hub`, if there is one.
    ///
    /// # Errors
    /// Those of [`pinned_hub`](Self::pinned_hub).
    pub fn pinned_peer(&self, name: &str, hub: &PublicKey) -> Result<Option<PublicKey>, Failure> {
        Ok(self.read()?.get(&peer_entry(name, hub)).copied())
    }

    /// Pins `key` for the person `name` at the hub with the key `hub`, replacing any other.
    ///
    /// # Errors
    /// Those of [`pin_hub`](Self::pin_hub).
    pub fn pin_peer(&self, name: &str, hub: &PublicKey, key: PublicKey) -> Result<(), Failure> {
        self.change(|known| known.insert(peer_entry(name, hub), key).is_none_or(|old| old != key)).map(drop)
    }

    /// Whether the person `name` shows the key that is known for them; an unknown one becomes known.
    ///
    /// # Errors
    /// `peer-key-changed`; or as for [`pin_hub`](Self::pin_hub).
    pub fn check_peer(&self, name: &str, hub: &PublicKey, shown: PublicKey) -> Result<(), Failure> {
        self.check_peers(hub, &[(name, shown)])?.pop().unwrap_or(Ok(()))
    }

    /// The same for several people, each judged for itself. The file is read once, and written once if any were
    /// unknown.
    ///
    /// # Errors
    /// As for [`pin_hub`](Self::pin_hub).
    pub fn check_peers(
        &self,
        hub: &PublicKey,
        shown: &[(&str, PublicKey)],
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut known = self.read()?;
        let (checked, new) = check_all(&mut known, hub, shown);
        if !new {
            return Ok(checked);
        }
        // Another process may have learned of them meanwhile, so they are judged again under the lock.
        let mut checked = Vec::new();
        self.change(|known| {
            let (again, new) = check_all(known, hub, shown);
            checked = again;
            new
        })?;
        Ok(checked)
    }

    /// Forgets the key of a hub (`HOST:PORT`, or its key with all that was known there) or of a person
    /// (`NAME@HOST:PORT` or `NAME@HUBKEY`). Says whether there was anything to forget.
    ///
    /// # Errors
    /// As for [`pin_hub`](Self::pin_hub).
    pub fn forget(&self, what: &str) -> Result<bool, Failure> {
        self.change(|known| match what.rsplit_once('@') {
            Some((name, hub)) => {
                let key = hub.parse().ok().or_else(|| known.get(&hub_entry(hub)).copied());
                key.is_some_and(|key| known.remove(&peer_entry(name, &key)).is_some())
            }
            None => match what.parse::<PublicKey>() {
                Ok(hub) => forget_all_of(known, &hub),
                Err(_) => known.remove(&hub_entry(what)).is_some(),
            },
        })
    }

    fn change(&self, edit: impl FnOnce(&mut KnownKeys) -> bool) -> Result<bool, Failure> {
        // Held until the end of the change; a lock on the file itself would go with its old inode.
        let _lock = self.locked().map_err(|e| self.cannot("lock", &e))?;
        let mut known = self.read()?;
        let changed = edit(&mut known);
        if changed {
            self.replace(&known).map_err(|e| self.cannot("write", &e))?;
        }
        Ok(changed)
    }

    fn locked(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let lock = open_own(options.create(true).truncate(false).write(true).mode(0o600), &self.lock)?;
        lock.lock()?;
        Ok(lock)
    }

    fn read(&self) -> Result<KnownKeys, Failure> {
        let mut bytes = Vec::new();
        match read_own(&self.file).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)) {
            Ok(_) if bytes.len() as u64 <= MAX_BYTES => {}
            Ok(_) => return Err(self.damaged("it is too large")),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(KnownKeys::new()),
            Err(e) => return Err(self.cannot("read", &e)),
        }
        let known: KnownKeys = serde_json::from_slice(&bytes).map_err(|e| self.damaged(&cause::of_json(&e)))?;
        Ok(folded_anew(known))
    }

    /// Writes another file and renames it over, so that the keys are always there as a whole.
    fn replace(&self, known: &KnownKeys) -> io::Result<()> {
        let fresh = self.file.with_extension("json.new");
        let mut options = OpenOptions::new();
        let mut out = open_own(options.create(true).write(true).truncate(true).mode(0o600), &fresh)?;
        serde_json::to_writer_pretty(&mut out, known)?;
        out.write_all(b"\n")?;
        out.sync_all()?;
        std::fs::rename(&fresh, &self.file)
    }

    fn damaged(&self, what: &str) -> Failure {
        Failure::new(ErrorCode::BadConfig, format!("The known keys in {} are damaged: {what}.", self.file.display()))
            .hint("Mend the file; or remove it, and all hubs and peers are trusted anew at the next contact.")
    }

    fn cannot(&self, verb: &str, e: &io::Error) -> Failure {
        Failure::new(
            ErrorCode::BadConfig,
            format!("Potluck cannot {verb} {}: {}.", self.file.display(), cause::of_io(e)),
        )
    }
}

/// Whether people show the keys that are known for them; unknown ones become known. Says whether there were any.
fn check_all(known: &mut KnownKeys, hub: &PublicKey, shown: &[(&str, PublicKey)]) -> (Vec<Result<(), Failure>>, bool) {
    let ending = format!("@{hub}");
    let mut there = None;
    let before = known.len();
    let check = |(name, shown): &(&str, PublicKey)| {
        let entry = peer_entry(name, hub);
        match known.get(&entry) {
            Some(known) if known != shown => {
                let message = format!("{name} had the key {known} before, and shows {shown} now.");
                return Err(Failure::new(ErrorCode::PeerKeyChanged, message));
            }
            Some(_) => return Ok(()),
            // Names are what a hub says: one that makes them up without end is not to fill the file.
            None if name.chars().nth(MAX_NAME).is_some() => {
                return Err(Failure::new(ErrorCode::BadName, "The hub tells of somebody whose name is too long."));
            }
            None => {}
        }
        let there = there.get_or_insert_with(|| known.keys().filter(|entry| entry.ends_with(&ending)).count());
        if *there < PEERS_OF_A_HUB {
            *there += 1;
            known.insert(entry, *shown);
        }
        Ok(())
    };
    let checked = shown.iter().map(check).collect();
    (checked, known.len() > before)
}

/// Host names are compared without case.
fn hub_entry(host_port: &str) -> String {
    host_port.to_ascii_lowercase()
}

fn peer_entry(name: &str, hub: &PublicKey) -> String {
    format!("{}@{hub}", NameKey::of(name))
}

/// An older potluck may have folded a name otherwise: its key stays known.
fn folded_anew(known: KnownKeys) -> KnownKeys {
    let (others, mut people): (KnownKeys, KnownKeys) = known.into_iter().partition(|(entry, _)| entry.is_ascii());
    people = people
        .into_iter()
        .map(|(entry, key)| match entry.rsplit_once('@') {
            Some((name, hub)) => (format!("{}@{hub}", NameKey::of(name)), key),
            None => (entry, key),
        })
        .collect();
    people.extend(others);
    people
}

fn forget_all_of(known: &mut KnownKeys, hub: &PublicKey) -> bool {
    let before = known.len();
    let there = format!("@{hub}");
    known.retain(|entry, key| !entry.ends_with(&there) && (entry.contains('@') || key != hub));
    known.len() != before
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const HUB: PublicKey = PublicKey([1; 32]);
    const ERIN: PublicKey = PublicKey([2; 32]);

    fn pins() -> (tempfile::TempDir, Pins) {
        let dir = tempfile::tempdir().unwrap();
        let pins = Pins::at(dir.path());
        (dir, pins)
    }

    #[test]
    fn keys_are_kept_and_replaced() {
        let (dir, pins) = pins();
        assert_eq!(pins.pinned_hub("Hub.example:7000"), Ok(None));
        pins.pin_hub("hub.example:7000", HUB).unwrap();
        pins.pin_peer("Erin", &HUB, ERIN).unwrap();
        let again = Pins::at(dir.path());
        assert_eq!(again.pinned_hub("Hub.example:7000"), Ok(Some(HUB)));
        assert_eq!(again.pinned_hub("hub.example:7001"), Ok(None));
        assert_eq!(again.pinned_peer("ERIN", &HUB), Ok(Some(ERIN)));
        assert_eq!(again.pinned_peer("erin", &ERIN), Ok(None));
        pins.pin_hub("hub.example:7000", ERIN).unwrap();
        assert_eq!(again.pinned_hub("hub.example:7000"), Ok(Some(ERIN)));
        assert_eq!(pins.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn one_is_forgotten_and_the_others_stay() {
        let (_dir, pins) = pins();
        let fill = || {
            pins.pin_hub("[::1]:7000", HUB).unwrap();
            pins.pin_peer("erin", &HUB, ERIN).unwrap();
            pins.pin_peer("bob", &HUB, ERIN).unwrap();
            pins.pin_hub("other:1", ERIN).unwrap();
        };
        fill();
        assert_eq!(pins.forget("nobody@[::1]:7000"), Ok(false));
        assert_eq!(pins.forget("Erin@[::1]:7000"), Ok(true));
        assert_eq!(pins.forget(&format!("bob@{HUB}")), Ok(true));
        assert_eq!(pins.forget("[::1]:7000"), Ok(true));
        assert_eq!(pins.forget("[::1]:7000"), Ok(false));
        assert_eq!(pins.read().unwrap().len(), 1);
        fill();
        assert_eq!(pins.forget(&HUB.to_string()), Ok(true));
        assert_eq!(pins.read().unwrap().into_keys().collect::<Vec<_>>(), ["other:1"]);
    }

    #[test]
    fn a_damaged_file_fails_closed_and_is_left_alone() {
        let (_dir, pins) = pins();
        for bad in ["", "{", "[]", r#"{"a:1": "short"}"#, r#"{"a:1": 7}"#] {
            std::fs::write(&pins.file, bad).unwrap();
            let refused = pins.pinned_hub("a:1").unwrap_err();
            assert!(refused.message.contains("known_keys.json"), "{refused}");
            assert!(pins.pin_hub("a:1", HUB).is_err() && pins.forget("a:1").is_err());
            assert_eq!(std::fs::read_to_string(&pins.file).unwrap(), bad);
        }
    }

    #[test]
    fn a_name_that_is_folded_otherwise_now_keeps_its_key() {
        let (_dir, pins) = pins();
        std::fs::write(&pins.file, format!(r#"{{"straße@{HUB}":"{ERIN}","a@{HUB}":"{HUB}"}}"#)).unwrap();
        assert_eq!(pins.pinned_peer("STRAẞE", &HUB), Ok(Some(ERIN)));
        assert_eq!(pins.check_peer("strasse", &HUB, HUB).unwrap_err().code, ErrorCode::PeerKeyChanged);
        assert!(pins.check_peer(&"x".repeat(33), &HUB, HUB).is_err(), "nobody has such a name");
    }

    #[test]
    fn a_hub_that_makes_up_people_fills_no_file_and_those_that_are_known_stay_pinned() {
        let (_dir, pins) = pins();
        let all = (0..PEERS_OF_A_HUB).map(|n| (peer_entry(&format!("n{n}"), &HUB), ERIN)).collect::<KnownKeys>();
        pins.replace(&all).unwrap();
        assert_eq!(pins.check_peer("one-more", &HUB, ERIN), Ok(()));
        assert_eq!(pins.pinned_peer("one-more", &HUB), Ok(None));
        assert_eq!(pins.check_peer("n7", &HUB, HUB).unwrap_err().code, ErrorCode::PeerKeyChanged);
        // At another hub there is room.
        pins.check_peer("one-more", &ERIN, ERIN).unwrap();
        assert_eq!(pins.pinned_peer("one-more", &ERIN), Ok(Some(ERIN)));
        assert_eq!(pins.read().unwrap().len(), PEERS_OF_A_HUB + 1);
    }

    #[test]
    fn clients_that_pin_at_the_same_time_lose_nothing() {
        let (_dir, pins) = pins();
        std::thread::scope(|scope| {
            for port in 0..8 {
                let pins = &pins;
                scope.spawn(move || pins.pin_hub(&format!("hub:{port}"), HUB).unwrap());
            }
        });
        assert_eq!(pins.read().unwrap().len(), 8);
    }
}
