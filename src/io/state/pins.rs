//! Pins the keys of hubs and peers: a client trusts a key on first use, and refuses a different one later. A person's key
//! can be marked as verified; then a different one is an alarm.

use std::path::Path;

use super::known_keys::{Entry, KnownKeys, KnownKeysFile};
use crate::core::verify::{KnownKey, Person, judge};
use crate::protocol::name::{MAX_NAME, NameKey};
use crate::protocol::{ErrorCode, Failure, PublicKey, event, request};

/// How many people's keys are pinned for one hub. The keys of further people are trusted each time, unless the user
/// verifies them.
const PEERS_OF_A_HUB: usize = 10_000;

/// The pins of one client. Each call reads the file, and each change is made under a lock, so that several processes
/// can share it.
#[derive(Debug, Clone)]
pub struct Pins {
    file: KnownKeysFile,
}

impl Pins {
    pub(crate) fn at(dir: &Path) -> Self {
        Self { file: KnownKeysFile::at(dir) }
    }

    /// The pinned key of the hub at `HOST:PORT`, if there is one.
    ///
    /// # Errors
    /// `bad-config`, naming the file, if it is damaged or cannot be read.
    pub fn pinned_hub(&self, host_port: &str) -> Result<Option<PublicKey>, Failure> {
        Ok(self.file.read()?.get(&hub_entry(host_port)).map(|entry| entry.key()))
    }

    /// Pins `key` for the hub at `HOST:PORT`, replacing any other.
    ///
    /// # Errors
    /// `bad-config` if the file is damaged or cannot be written; then nothing has changed.
    pub fn pin_hub(&self, host_port: &str, key: PublicKey) -> Result<(), Failure> {
        self.put(hub_entry(host_port), key.into())
    }

    /// The pinned key of the person `name` at the hub with the key `hub`, if there is one.
    ///
    /// # Errors
    /// Those of [`pinned_hub`](Self::pinned_hub).
    pub fn pinned_peer(&self, name: &str, hub: &PublicKey) -> Result<Option<PublicKey>, Failure> {
        Ok(self.file.read()?.get(&peer_entry(name, hub)).map(|entry| entry.key()))
    }

    /// Pins `key` for the person `name` at the hub with the key `hub`, replacing any other.
    ///
    /// # Errors
    /// Those of [`pin_hub`](Self::pin_hub).
    pub fn pin_peer(&self, name: &str, hub: &PublicKey, key: PublicKey) -> Result<(), Failure> {
        self.put(peer_entry(name, hub), key.into())
    }

    /// The people whom the user has verified at the hub with the key `hub`.
    ///
    /// # Errors
    /// Those of [`pinned_hub`](Self::pinned_hub).
    pub fn verified_at(&self, hub: &PublicKey) -> Result<Vec<(NameKey, PublicKey)>, Failure> {
        let ending = format!("@{hub}");
        let known = self.file.read()?.into_iter();
        let verified = known.filter_map(|(entry, key)| {
            let name = entry.strip_suffix(&ending)?;
            key.known().verified.then(|| (NameKey::of(name), key.key()))
        });
        Ok(verified.collect())
    }

    /// Answers a `verify` of somebody at the hub with the key `hub`, and keeps what comes of it. `shown` is the key that
    /// the hub shows for them.
    ///
    /// # Errors
    /// Those of [`judge`], and of [`pin_hub`](Self::pin_hub).
    pub fn verify(
        &self,
        hub: &PublicKey,
        ours: &PublicKey,
        asked: &request::Verify,
        shown: Option<PublicKey>,
    ) -> Result<(KnownKey, event::SafetyNumber), Failure> {
        if is_too_long(&asked.name) {
            return Err(Failure::new(ErrorCode::BadName, "Nobody has a name as long as that."));
        }
        let place = peer_entry(&asked.name, hub);
        self.file.change(|known| {
            let before = known.get(&place).copied();
            let person = Person { name: &asked.name, shown, known: before.map(Entry::known) };
            let judged = judge(ours, person, asked);
            let kept = judged.as_ref().ok().map(|(kept, _)| Entry::from(*kept)).filter(|kept| {
                before != Some(*kept)
                    && (before.is_some() || kept.known().verified || people_of(known, hub) < PEERS_OF_A_HUB)
            });
            let changed = kept.is_some();
            known.extend(kept.map(|kept| (place, kept)));
            (changed, judged)
        })?
    }

    /// Whether the person `name` shows the key that is known for them; an unknown one becomes known.
    ///
    /// # Errors
    /// `peer-key-changed`, `verified-key-changed`; or as for [`pin_hub`](Self::pin_hub).
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
        let mut known = self.file.read()?;
        let (new, checked) = check_all(&mut known, hub, shown);
        if !new {
            return Ok(checked);
        }
        // Another process may have learned of them meanwhile, so they are judged again under the lock.
        self.file.change(|known| check_all(known, hub, shown))
    }

    /// Forgets the key of a hub (`HOST:PORT`, or its key with all that was known there) or of a person
    /// (`NAME@HOST:PORT` or `NAME@HUBKEY`). Says whether there was anything to forget.
    ///
    /// # Errors
    /// As for [`pin_hub`](Self::pin_hub).
    pub fn forget(&self, what: &str) -> Result<bool, Failure> {
        self.file.change(|known| {
            let forgotten = match what.rsplit_once('@') {
                Some((name, hub)) => {
                    let key = hub.parse().ok().or_else(|| known.get(&hub_entry(hub)).map(|entry| entry.key()));
                    key.is_some_and(|key| known.remove(&peer_entry(name, &key)).is_some())
                }
                None => match what.parse::<PublicKey>() {
                    Ok(hub) => forget_all_of(known, &hub),
                    Err(_) => known.remove(&hub_entry(what)).is_some(),
                },
            };
            (forgotten, forgotten)
        })
    }

    fn put(&self, place: String, entry: Entry) -> Result<(), Failure> {
        self.file.change(|known| (known.insert(place, entry) != Some(entry), ()))
    }
}

/// Whether people show the keys that are known for them; unknown ones become known. Says whether there were any.
fn check_all(known: &mut KnownKeys, hub: &PublicKey, shown: &[(&str, PublicKey)]) -> (bool, Vec<Result<(), Failure>>) {
    let mut there = None;
    let before = known.len();
    let check = |(name, shown): &(&str, PublicKey)| {
        let entry = peer_entry(name, hub);
        match known.get(&entry) {
            Some(known) => return known.known().check(name, shown),
            // Names are what a hub says: one that makes them up without end is not to fill the file.
            None if is_too_long(name) => {
                return Err(Failure::new(ErrorCode::BadName, "The hub tells of somebody whose name is too long."));
            }
            None => {}
        }
        let there = there.get_or_insert_with(|| people_of(known, hub));
        if *there < PEERS_OF_A_HUB {
            *there += 1;
            known.insert(entry, (*shown).into());
        }
        Ok(())
    };
    let checked = shown.iter().map(check).collect();
    (known.len() > before, checked)
}

fn is_too_long(name: &str) -> bool {
    name.chars().nth(MAX_NAME).is_some()
}

/// How many people are known at a hub.
fn people_of(known: &KnownKeys, hub: &PublicKey) -> usize {
    let ending = format!("@{hub}");
    known.keys().filter(|entry| entry.ends_with(&ending)).count()
}

/// Host names are compared without case.
fn hub_entry(host_port: &str) -> String {
    host_port.to_ascii_lowercase()
}

fn peer_entry(name: &str, hub: &PublicKey) -> String {
    format!("{}@{hub}", NameKey::of(name))
}

fn forget_all_of(known: &mut KnownKeys, hub: &PublicKey) -> bool {
    let before = known.len();
    let there = format!("@{hub}");
    known.retain(|entry, key| !entry.ends_with(&there) && (entry.contains('@') || key.key() != *hub));
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
        assert_eq!(pins.file.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
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
        assert_eq!(pins.file.read().unwrap().len(), 1);
        fill();
        assert_eq!(pins.forget(&HUB.to_string()), Ok(true));
        assert_eq!(pins.file.read().unwrap().into_keys().collect::<Vec<_>>(), ["other:1"]);
    }

    #[test]
    fn a_damaged_file_fails_closed_and_is_left_alone() {
        let (_dir, pins) = pins();
        for bad in ["", "{", "[]", r#"{"a:1": "short"}"#, r#"{"a:1": 7}"#] {
            std::fs::write(pins.file.path(), bad).unwrap();
            let refused = pins.pinned_hub("a:1").unwrap_err();
            assert!(refused.message.contains("known_keys.json"), "{refused}");
            assert!(pins.pin_hub("a:1", HUB).is_err() && pins.forget("a:1").is_err());
            assert_eq!(std::fs::read_to_string(pins.file.path()).unwrap(), bad);
        }
    }

    #[test]
    fn a_name_that_is_folded_otherwise_now_keeps_its_key() {
        let (_dir, pins) = pins();
        std::fs::write(pins.file.path(), format!(r#"{{"straße@{HUB}":"{ERIN}","a@{HUB}":"{HUB}"}}"#)).unwrap();
        assert_eq!(pins.pinned_peer("STRAẞE", &HUB), Ok(Some(ERIN)));
        assert_eq!(pins.check_peer("strasse", &HUB, HUB).unwrap_err().code, ErrorCode::PeerKeyChanged);
        assert!(pins.check_peer(&"x".repeat(33), &HUB, HUB).is_err(), "nobody has such a name");
    }

    #[test]
    fn a_hub_that_makes_up_people_fills_no_file_and_those_that_are_known_stay_pinned() {
        let (_dir, pins) = pins();
        let all = (0..PEERS_OF_A_HUB).map(|n| (peer_entry(&format!("n{n}"), &HUB), ERIN.into())).collect::<KnownKeys>();
        pins.file.replace(&all).unwrap();
        assert_eq!(pins.check_peer("one-more", &HUB, ERIN), Ok(()));
        assert_eq!(pins.pinned_peer("one-more", &HUB), Ok(None));
        assert_eq!(pins.check_peer("n7", &HUB, HUB).unwrap_err().code, ErrorCode::PeerKeyChanged);
        // At another hub there is room.
        pins.check_peer("one-more", &ERIN, ERIN).unwrap();
        assert_eq!(pins.pinned_peer("one-more", &ERIN), Ok(Some(ERIN)));
        assert_eq!(pins.file.read().unwrap().len(), PEERS_OF_A_HUB + 1);
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
        assert_eq!(pins.file.read().unwrap().len(), 8);
    }

    fn confirm(name: &str) -> request::Verify {
        request::Verify { name: name.into(), confirm: true, ..request::Verify::default() }
    }

    #[test]
    fn a_verified_key_is_kept_for_this_hub_and_another_one_is_an_alarm() {
        let (dir, pins) = pins();
        pins.check_peer("erin", &HUB, ERIN).unwrap();
        assert_eq!(pins.verified_at(&HUB), Ok(Vec::new()));
        assert_eq!(pins.check_peer("erin", &HUB, HUB).unwrap_err().code, ErrorCode::PeerKeyChanged);
        let (_, answer) = pins.verify(&HUB, &HUB, &confirm("Erin"), Some(ERIN)).unwrap();
        assert!(answer.verified);
        let again = Pins::at(dir.path());
        assert_eq!(again.verified_at(&HUB), Ok(vec![(NameKey::of("erin"), ERIN)]));
        assert_eq!(again.verified_at(&ERIN), Ok(Vec::new()), "somebody may have that name at another hub");
        assert_eq!(again.check_peer("ERIN", &HUB, ERIN), Ok(()));
        let alarm = again.check_peer("ERIN", &HUB, HUB).unwrap_err();
        assert_eq!(alarm.code, ErrorCode::VerifiedKeyChanged);
        assert!(!alarm.hint.unwrap().contains("forget"), "nobody forgets a verified key by the way");
        let revoke = request::Verify { name: "erin".into(), revoke: true, ..request::Verify::default() };
        pins.verify(&HUB, &HUB, &revoke, None).unwrap();
        assert_eq!(again.check_peer("erin", &HUB, HUB).unwrap_err().code, ErrorCode::PeerKeyChanged);
        assert_eq!(again.pinned_peer("erin", &HUB), Ok(Some(ERIN)));
        assert!(pins.verify(&HUB, &HUB, &confirm(&"x".repeat(33)), Some(ERIN)).is_err());
    }
}
