//! Which different names look alike: `ɑlice` and `alice`, `rnodern` and `modern`.
//!
//! A new name that looks like one that is taken is refused. Names that exist already stay, whatever they look like, and
//! nothing of this is stored. So the result may change with the Unicode tables.
//!
//! The hub asks it before it gives away a name or a room, and `potluck user` before it creates an account.

use std::collections::{BTreeSet, HashMap};

use super::name::{NameKey, RESERVED};
use super::name_key::fold;

/// The looks of a name: its skeletons (Unicode UTS #39, section 4) as written and with its case folded. Two names look
/// alike if they have a skeleton in common.
pub fn looks(name: &str) -> BTreeSet<String> {
    let mut looks = BTreeSet::from([look(name)]);
    let folded = fold(name);
    if folded != name {
        looks.insert(look(&folded));
    }
    looks
}

/// How often skeleton and case folding alternate at most. Names that people write are stable after far fewer rounds.
const TURNS: usize = 8;

/// The skeleton of a text without regard to case: that of `d0ra` is `dOra`, which somebody may write as `dora`. Folding
/// can change the skeleton again, so both are repeated until nothing changes.
fn look(text: &str) -> String {
    let skeleton = |text: &str| unicode_security::skeleton(text).collect::<String>();
    let mut look = skeleton(text);
    for _ in 0..TURNS {
        let next = skeleton(&fold(&look));
        if next == look {
            break;
        }
        look = next;
    }
    look
}

/// The taken names, found by what they look like.
#[derive(Debug)]
pub struct Likeness {
    by_look: HashMap<String, BTreeSet<NameKey>>,
}

impl Default for Likeness {
    /// With the names that are reserved for the hub.
    fn default() -> Self {
        let mut this = Self { by_look: HashMap::new() };
        RESERVED.iter().for_each(|name| this.insert(name));
        this
    }
}

impl Likeness {
    /// With these names, and those that are reserved for the hub.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut this = Self::default();
        names.into_iter().for_each(|name| this.insert(name));
        this
    }

    /// Adds a name that is now taken.
    pub fn insert(&mut self, name: &str) {
        for look in looks(name) {
            self.by_look.entry(look).or_default().insert(NameKey::of(name));
        }
    }

    /// Removes a name that is now free.
    pub fn remove(&mut self, name: &str) {
        for look in looks(name) {
            if let Some(names) = self.by_look.get_mut(&look) {
                names.remove(&NameKey::of(name));
                if names.is_empty() {
                    self.by_look.remove(&look);
                }
            }
        }
    }

    /// The key of another taken name that looks like this one, if there is one.
    pub fn twin(&self, name: &str) -> Option<&NameKey> {
        let key = NameKey::of(name);
        let looks = looks(name);
        let mut alike = looks.iter().filter_map(|look| self.by_look.get(look)).flatten();
        alike.find(|other| **other != key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::protocol::name::check_person;

    #[test]
    fn names_that_look_like_taken_ones_are_found() {
        let taken = Likeness::of(["alice", "william", "modern", "Straße", "bob0", "dora", "ERIN"]);
        for (name, twin) in [
            ("ɑlice", "alice"),
            ("wiIliam", "william"),
            ("rnodern", "modern"),
            ("RNODERN", "modern"),
            ("aIice", "alice"),
            ("bobO", "bob0"),
            ("aIl", "all"),
            ("1obby", "lobby"),
            ("d0ra", "dora"),
            ("D0RA", "dora"),
            ("ER1N", "erin"),
        ] {
            assert_eq!(check_person(name), Ok(()), "{name}");
            assert_eq!(taken.twin(name), Some(&NameKey::of(twin)), "{name}");
        }
        for name in ["alice", "ALICE", "Alicia", "rnoderm", "strasse", "bob1", "hu"] {
            assert_eq!(taken.twin(name), None, "{name}");
        }
    }

    #[test]
    fn a_look_looks_like_itself() {
        // Tests every letter that a name can have, alone and between others.
        let letters = (0..=0x1_ffff).filter_map(char::from_u32).map(String::from);
        // What looks like itself does so again, and many look the same.
        let mut seen = HashSet::new();
        for name in letters.filter(|letter| check_person(letter).is_ok()) {
            for name in [format!("a{name}Z"), name] {
                for look in looks(&name) {
                    if look != name && !seen.contains(&look) {
                        assert_eq!(super::look(&look), look, "{name}");
                        seen.insert(look);
                    }
                }
            }
        }
    }

    #[test]
    fn a_name_that_is_free_again_is_in_nobodys_way() {
        let mut taken = Likeness::of(["alice", "aIice"]);
        taken.remove("alice");
        assert_eq!(taken.twin("alice"), Some(&NameKey::of("aiice")));
        taken.remove("aIice");
        assert_eq!(taken.twin("ɑlice"), None);
        taken.remove("aIice");
        assert_eq!(taken.by_look.len(), Likeness::default().by_look.len());
    }
}
