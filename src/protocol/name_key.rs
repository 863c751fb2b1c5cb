//! How names are compared: the key under which a name is stored and looked up.
//!
//! Keys are made where a name arrives from outside, and from then on the hub, the store and the client look names up by
//! them. What is shown to people is always the name itself.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

/// Letters of other scripts that look like a Latin letter, in lower or in upper case. In each pair,
/// the first text has those letters, and the second the Latin letter for each, at the same position.
const LOOKALIKES: [(&str, &str); 5] = [
    ("авсеёнһіїјкӏмоԛрѕтуүѵԝхԁ", "abceëhhiïjklmoqpstyyvwxd"),
    ("αβεζηικμνορςτυχϲϳ", "abezhikmvopctyxcj"),
    ("հոսօցզ", "hnuogq"),
    ("ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ", "abcdefghijklmnoprstuvwxyz"),
    ("ᎠᎡᎢᎪᎫᎬᎳᎷᎻᏀᏃᏎᏏᏒᏕᏙᏚᏞᏟᏢᏦ", "drtajewmhgz4brsvslcpk"),
];

/// How often a name is folded at most. Two rounds are enough for every name; the bound only guarantees an end.
const FOLDS: usize = 8;

/// A name in the form in which names are compared: two names with the same key are the same name. The key has no case
/// and no compatibility forms (`Ａ`, `ﬁ`), and letters of other scripts that look Latin are replaced by the Latin ones,
/// so that `сара` (Cyrillic) cannot register beside `capa`.
///
/// It is a type of its own, so that a name as its owner writes it cannot be mistaken for a key, nor the other way
/// round. The default is the empty key, which belongs to no name.
///
/// ```
/// use potluck::protocol::name::NameKey;
///
/// assert_eq!(NameKey::of("ALICE"), NameKey::of("alice"));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NameKey(Arc<str>);

impl NameKey {
    /// The key of a name as somebody writes it.
    pub fn of(name: &str) -> Self {
        Self(fold(name).into())
    }

    /// A key from the store, unchanged. An older version may have made it by other rules; the store makes its keys
    /// anew when it is opened and [`tables`] has changed.
    pub fn from_stored(key: &str) -> Self {
        Self(key.into())
    }

    /// The key under which the messages of this name are kept once its owner has lost the name. The key begins with a
    /// blank, which no name can have. So the next owner of the name does not inherit the messages.
    pub fn without_owner(&self) -> Self {
        Self(format!(" {}", self.0).into())
    }

    /// The text of the key, for the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the empty key, which belongs to no name.
    pub fn is_nobody(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for NameKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Reads a key unchanged, as [`NameKey::from_stored`] does.
impl<'de> Deserialize<'de> for NameKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|key| Self::from_stored(&key))
    }
}

impl fmt::Display for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// The version of the rules and tables that a [`NameKey`] is made by. The store keeps it with its keys. Unicode
/// promises that the case folding of assigned characters never changes. The number in front counts the versions of our
/// own rules.
pub fn tables() -> String {
    let (major, minor, patch) = unicode_normalization::UNICODE_VERSION;
    let (letters, _, _) = char::UNICODE_VERSION;
    format!("2, letters of Unicode {letters}, forms of Unicode {major}.{minor}.{patch}")
}

/// The text of the [`NameKey`] of a name.
pub(super) fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let mut folded = fold_once(name);
    // Some need two rounds: the lower case of `ẞ` is `ß`, and that folds to `ss`. None needs more.
    for _ in 0..FOLDS {
        let again = fold_once(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

fn fold_once(name: &str) -> String {
    let small = name.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    small.nfkc().map(latin_twin).collect()
}

fn latin_twin(c: char) -> char {
    if c.is_ascii() {
        return c;
    }
    // Cherokee and Lisu letters look like Latin capitals, and Cherokee has a lower case of its own.
    let capital = c.to_uppercase().next().unwrap_or(c);
    for (theirs, latin) in LOOKALIKES {
        if let Some(at) = theirs.chars().position(|t| t == c || t == capital) {
            return latin.chars().nth(at).unwrap_or(c);
        }
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_look_the_same_are_the_same() {
        for (one, other) in [
            ("alice", "ALICE"),
            ("straße", "STRASSE"),
            ("STRAẞE", "strasse"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ﬁn", "fin"),
            ("сара", "capa"),
            ("ВОВ", "bob"),
            ("ᎪᏞᎬ", "ale"),
            ("ꓮꓡꓰ", "ale"),
            ("ёе", "ëe"),
            ("I", "ı"),
        ] {
            assert_eq!(NameKey::of(one), NameKey::of(other), "{one} {other}");
        }
        for (one, other) in [("rn", "m"), ("al1ce", "alice"), ("bob", "bob."), ("é", "e")] {
            assert_ne!(NameKey::of(one), NameKey::of(other), "{one} {other}");
        }
        for (theirs, latin) in LOOKALIKES {
            assert_eq!(theirs.chars().count(), latin.chars().count());
        }
    }

    #[test]
    fn every_character_folds_once_and_for_all_in_any_case() {
        let letters = (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|c| c.is_alphabetic());
        for c in letters {
            let (folded, capital) = (fold(&c.to_string()), c.to_uppercase().collect::<String>());
            if folded == capital {
                continue;
            }
            assert_eq!(fold(&folded), folded, "U+{:04X}", u32::from(c));
            assert_eq!(fold(&capital), folded, "U+{:04X}", u32::from(c));
        }
    }

    proptest! {
        #[test]
        fn folding_once_is_enough(name in "[A-Za-zа-яА-Яα-ωİßŉǰΐ]{1,8}") {
            prop_assert_eq!(fold(&fold(&name)), fold(&name));
        }
    }
}
