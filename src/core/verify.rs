//! Verifying people: what is known of somebody's key, and what becomes of it when their safety number is looked at,
//! confirmed, or their mark is taken back.
//!
//! A key is *known* from the first contact on, and *verified* once the user has said that both ends show the same
//! [safety number](super::safety_number). A mark holds for that key alone.

use super::safety_number::{read_safety_number, safety_number};
use crate::protocol::line::pointer_at;
use crate::protocol::{ErrorCode, Failure, PublicKey, event, request};

/// The key that is known for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownKey {
    /// The key.
    pub key: PublicKey,
    /// Whether the user has verified it.
    pub verified: bool,
}

impl KnownKey {
    /// A key at first contact.
    pub fn unverified(key: PublicKey) -> Self {
        Self { key, verified: false }
    }

    /// Whether somebody shows this key.
    ///
    /// # Errors
    /// `verified-key-changed` if they show another one and this one is verified, else `peer-key-changed`.
    pub fn check(&self, name: &str, shown: &PublicKey) -> Result<(), Failure> {
        match self.key == *shown {
            true => Ok(()),
            false if self.verified => Err(alarm(name, &self.key, shown)),
            false => {
                let message = format!("{name} had the key {} before, and shows {shown} now.", self.key);
                Err(Failure::new(ErrorCode::PeerKeyChanged, message))
            }
        }
    }
}

/// The failure if somebody whose key was verified shows another one.
pub fn alarm(name: &str, verified: &PublicKey, shown: &PublicKey) -> Failure {
    let message = format!(
        "{name} shows another key than the one that you have verified: somebody else may be using this name, or be in between. It is {shown}, and was {verified}."
    );
    Failure::new(ErrorCode::VerifiedKeyChanged, message).hint(way_out(name))
}

/// What to do about the key of a verified name that has changed. It does not say how to forget the old key: that would
/// be done without looking.
pub fn way_out(name: &str) -> String {
    format!(
        "Trust nothing under this name until you have asked {name} in another way. If the key is theirs, `verify {name}` shows its number, and `verify {name} --confirm --number DIGITS` takes the one that they read to you."
    )
}

/// Whose safety number is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// The name, as the hub shows it.
    pub name: &'a str,
    /// The key that the hub shows for it; `None` if they have not been there.
    pub shown: Option<PublicKey>,
    /// The key that is known for it.
    pub known: Option<KnownKey>,
}

/// Judges a `verify`. Returns what is known of the person from now on, and the answer.
///
/// Whoever only looks learns the key, so that a confirmation marks the key that was looked at, and no other one that the
/// hub shows meanwhile. A key that has changed is confirmed only together with its number.
///
/// # Errors
/// `no-such-person` without any key, `bad-request` for what is no safety number, `number-differs`, and for a
/// confirmation without a number `peer-key-changed` or `verified-key-changed`.
pub fn judge(
    ours: &PublicKey,
    person: Person<'_>,
    asked: &request::Verify,
) -> Result<(KnownKey, event::SafetyNumber), Failure> {
    let Person { name, shown, known } = person;
    let Some(key) = shown.or(known.map(|known| known.key)) else {
        return Err(
            Failure::new(ErrorCode::NoSuchPerson, format!("No key is known for {name}.")).at(pointer_at("/name"))
        );
    };
    let number = safety_number(ours, &key);
    if let Some(typed) = &asked.number {
        compare(name, typed, &number)?;
    }
    let known = known.unwrap_or(KnownKey::unverified(key));
    let changed = known.check(name, &key);
    let kept = if asked.confirm {
        match changed {
            Err(failure) if asked.number.is_none() => return Err(failure.hint(way_out(name))),
            Err(_) | Ok(()) => KnownKey { key, verified: true },
        }
    } else {
        KnownKey { verified: known.verified && !asked.revoke, ..known }
    };
    let other = (kept.key != key).then_some(kept.key);
    let (known_key, verified_key) = if kept.verified { (None, other) } else { (other, None) };
    let verified = kept.verified && other.is_none();
    Ok((kept, event::SafetyNumber { name: name.to_owned(), number, key, verified, known_key, verified_key }))
}

fn compare(name: &str, typed: &str, number: &str) -> Result<(), Failure> {
    let place = pointer_at("/number");
    match read_safety_number(typed) {
        Some(typed) if typed == number => Ok(()),
        Some(_) => {
            let message = format!("That is not the safety number that you have with {name}.");
            Err(Failure::new(ErrorCode::NumberDiffers, message).at(place))
        }
        None => {
            let failure = Failure::new(ErrorCode::BadRequest, "A safety number has 60 digits.");
            Err(failure.hint(format!("`verify {name}` shows yours.")).at(place))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: PublicKey = PublicKey([1; 32]);
    const ERIN: PublicKey = PublicKey([2; 32]);
    const MALLORY: PublicKey = PublicKey([3; 32]);

    fn verify(options: &str) -> request::Verify {
        let number = options.contains("number").then(|| safety_number(&OURS, &MALLORY));
        let name = "erin".to_owned();
        request::Verify { name, confirm: options.contains("confirm"), number, revoke: options.contains("revoke") }
    }

    fn erin(shown: Option<PublicKey>, known: Option<(PublicKey, bool)>) -> Person<'static> {
        let known = known.map(|(key, verified)| KnownKey { key, verified });
        Person { name: "erin", shown, known }
    }

    #[test]
    fn a_key_is_learned_confirmed_and_taken_back() {
        let (kept, seen) = judge(&OURS, erin(Some(ERIN), None), &verify("")).unwrap();
        assert_eq!((kept, seen.verified), (KnownKey::unverified(ERIN), false));
        let (kept, seen) = judge(&OURS, erin(Some(ERIN), Some((ERIN, false))), &verify("confirm")).unwrap();
        assert_eq!((kept, seen.verified), (KnownKey { key: ERIN, verified: true }, true));
        // They need not be there for it.
        let (kept, seen) = judge(&OURS, erin(None, Some((ERIN, true))), &verify("")).unwrap();
        assert_eq!((kept.verified, seen.verified, seen.key), (true, true, ERIN));
        let (kept, seen) = judge(&OURS, erin(Some(ERIN), Some((ERIN, true))), &verify("revoke")).unwrap();
        assert_eq!((kept, seen.verified), (KnownKey::unverified(ERIN), false));
        assert_eq!(judge(&OURS, erin(None, None), &verify("")).unwrap_err().code, ErrorCode::NoSuchPerson);
    }

    #[test]
    fn another_key_is_never_confirmed_without_its_number() {
        for (verified, code) in [(true, ErrorCode::VerifiedKeyChanged), (false, ErrorCode::PeerKeyChanged)] {
            let changed = || erin(Some(MALLORY), Some((ERIN, verified)));
            // Looking at it changes nothing that is known.
            let (kept, seen) = judge(&OURS, changed(), &verify("")).unwrap();
            assert_eq!(kept, KnownKey { key: ERIN, verified });
            assert_eq!((seen.key, seen.verified), (MALLORY, false));
            assert_eq!(
                [seen.known_key, seen.verified_key],
                if verified { [None, Some(ERIN)] } else { [Some(ERIN), None] }
            );
            let refused = judge(&OURS, changed(), &verify("confirm")).unwrap_err();
            assert_eq!(refused.code, code);
            assert!(!refused.hint.unwrap().contains("forget"));
            let (kept, seen) = judge(&OURS, changed(), &verify("confirm number")).unwrap();
            assert_eq!((kept, seen.verified), (KnownKey { key: MALLORY, verified: true }, true));
        }
    }

    #[test]
    fn a_number_is_compared() {
        let known = || erin(Some(ERIN), Some((ERIN, false)));
        let differs = judge(&OURS, known(), &verify("confirm number")).unwrap_err();
        assert_eq!((differs.code, differs.at), (ErrorCode::NumberDiffers, Some(pointer_at("/number"))));
        let other = request::Verify { number: Some("12345".into()), ..verify("") };
        assert_eq!(judge(&OURS, known(), &other).unwrap_err().code, ErrorCode::BadRequest);
        let (kept, _) = judge(&OURS, erin(Some(MALLORY), None), &verify("number")).unwrap();
        assert!(!kept.verified, "comparing is not yet confirming");
    }
}
