//! Short codes, which can be said on the phone: `7-crossover-clockwork`.
//!
//! The number, the *nameplate*, says which code is meant, and everybody may know it. The two words are a secret of 16
//! bits. They are never sent: both sides prove to each other that they know them
//! ([`core::exchange`](crate::core)), and one wrong guess ends the code. So a code is told to whom it is for, and to
//! nobody else: it is in no log, and in no event but its maker's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::code_words::WORDS;
use super::{ErrorCode, Failure};

/// The highest nameplate. Who makes a code takes the lowest that is free.
pub const MAX_NAMEPLATE: u32 = 999_999;

/// The numbers of codes that a program draws which is a hub of its own while it sends a parcel: the even ones of these. No
/// other hub gives them to a parcel, so that they say to look for the sender in this network.
pub const OWN_NAMEPLATES: std::ops::RangeInclusive<Nameplate> = 1_000..=9_999;

/// A hub that stays gives to parcels the multiples of this, and to the invites of members the other even numbers; the
/// keeper's invites have odd ones. So no number is that of a parcel and of an invite.
pub const PARCEL_NAMEPLATES: Nameplate = 4;

/// The longest text that is read as a code, in bytes.
const MAX_TEXT: usize = 128;

/// What can be put between the parts of a code: dashes as phones and editors write them, and what is typed instead.
const BETWEEN: [char; 8] = ['-', ' ', '_', '.', '\u{2010}', '\u{2011}', '\u{2013}', '\u{2014}'];

/// The number of a code, from 1 to [`MAX_NAMEPLATE`].
pub type Nameplate = u32;

/// A short code. Its debug form leaves the words out.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    nameplate: Nameplate,
    words: [u8; 2],
}

/// Why a text is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCode {
    /// It does not have the form of a code.
    #[error("that is no code")]
    Form,
    /// A word is not in the list, so the code cannot be right.
    #[error("`{word}` is no word of a code")]
    Word {
        /// The word.
        word: String,
        /// The word that was probably meant.
        nearest: Option<&'static str>,
    },
}

impl BadCode {
    /// What the user can do about it.
    pub fn hint(&self) -> String {
        let meant = |word: &&str| format!("Did you mean `{word}`? ");
        match self {
            Self::Form => "A code is a number and two words, such as 7-crossover-clockwork.".into(),
            Self::Word { nearest, .. } => {
                nearest.as_ref().map_or_else(String::new, meant) + "Nothing was sent, so the code is as good as before."
            }
        }
    }
}

impl From<BadCode> for Failure {
    fn from(bad: BadCode) -> Self {
        let message = bad.to_string();
        let message = message.replacen("that", "That", 1) + ".";
        Self::new(ErrorCode::BadConfig, message).hint(bad.hint())
    }
}

impl Code {
    /// Checks that it can be the code of a parcel: at the wrong command, it would be spent for nothing.
    ///
    /// # Errors
    /// `bad-code`, with the command that takes it.
    pub fn check_of_parcel(&self) -> Result<(), Failure> {
        if !self.is_of_invite() {
            return Ok(());
        }
        let message = format!("{}-… is the code of an invite, not of a parcel. Nothing was sent.", self.nameplate);
        Err(Failure::new(ErrorCode::BadCode, message).hint("`potluck join HOST CODE` takes it."))
    }

    /// Checks that it can be the code of an invite.
    ///
    /// # Errors
    /// `bad-code`, with the command that takes it.
    pub fn check_of_invite(&self) -> Result<(), Failure> {
        if self.is_of_invite() {
            return Ok(());
        }
        let message = format!("{}-… is the code of a parcel, not of an invite. Nothing was sent.", self.nameplate);
        Err(Failure::new(ErrorCode::BadCode, message).hint("`potluck receive HOST/CODE` takes it."))
    }

    fn is_of_invite(&self) -> bool {
        let is_drawn = OWN_NAMEPLATES.contains(&self.nameplate) && self.nameplate.is_multiple_of(2);
        !is_drawn && !self.nameplate.is_multiple_of(PARCEL_NAMEPLATES)
    }

    /// The code with this number, whose words follow from random bits. The number must be from 1 to
    /// [`MAX_NAMEPLATE`].
    pub fn new(nameplate: Nameplate, random: u16) -> Self {
        Self { nameplate, words: random.to_be_bytes() }
    }

    /// The number that says which code is meant.
    pub fn nameplate(&self) -> Nameplate {
        self.nameplate
    }

    /// The words with a dash between them: the secret.
    pub fn words(&self) -> String {
        let [first, second] = self.words.map(|place| WORDS[usize::from(place)]);
        format!("{first}-{second}")
    }

    /// Whether a text is meant as a code, right or wrong: a number, then something that is neither a host nor a port.
    pub fn is_meant_by(text: &str) -> bool {
        let (number, rest) = text.trim().split_once(BETWEEN).unwrap_or_default();
        let letters = rest.chars().all(|c| c.is_alphabetic() || BETWEEN.contains(&c));
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && !rest.is_empty() && letters
    }
}

impl FromStr for Code {
    type Err = BadCode;

    /// Reads a code as people type it: in capitals, with spaces or other dashes.
    fn from_str(text: &str) -> Result<Self, BadCode> {
        let whole = Some(text).filter(|text| text.len() <= MAX_TEXT).ok_or(BadCode::Form)?;
        let mut parts = whole.split(BETWEEN).filter(|part| !part.is_empty());
        let number = parts.next().filter(|number| number.bytes().all(|b| b.is_ascii_digit())).ok_or(BadCode::Form)?;
        let nameplate = number.parse().ok().filter(|number| (1..=MAX_NAMEPLATE).contains(number));
        let (first, second) = (parts.next().ok_or(BadCode::Form)?, parts.next().ok_or(BadCode::Form)?);
        if parts.next().is_some() {
            return Err(BadCode::Form);
        }
        Ok(Self { nameplate: nameplate.ok_or(BadCode::Form)?, words: [place(first)?, place(second)?] })
    }
}

/// The place of a word in the list.
fn place(word: &str) -> Result<u8, BadCode> {
    let word = word.trim().to_ascii_lowercase();
    if let Ok(place) = WORDS.binary_search(&word.as_str()) {
        return Ok(u8::try_from(place).expect("there are 256 words"));
    }
    if !word.chars().all(char::is_alphabetic) {
        return Err(BadCode::Form);
    }
    let distance = |known: &&str| strsim::damerau_levenshtein(&word, known);
    let nearest = WORDS.into_iter().min_by_key(distance).filter(|known| distance(known) <= 2);
    Err(BadCode::Word { word, nearest })
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.nameplate, self.words())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {}-…", self.nameplate)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(text: &str) -> String {
        let bad = text.parse::<Code>().unwrap_err();
        format!("{bad}: {}", bad.hint())
    }

    #[test]
    fn the_number_says_what_a_code_is_for() {
        let code = |number| Code::new(number, 0);
        for number in [1, 2, 7, 10, 998, 999, 1_001, 9_999, 10_002, 999_999] {
            assert!(code(number).check_of_invite().is_ok(), "{number}");
            let told = code(number).check_of_parcel().unwrap_err().to_string();
            assert!(told.contains("code of an invite"), "{told}");
        }
        for number in [4, 8, 996, 1_000, 1_002, 4_712, 9_998, 10_000] {
            assert!(code(number).check_of_parcel().is_ok(), "{number}");
            let told = code(number).check_of_invite().unwrap_err().to_string();
            assert!(told.contains("code of a parcel"), "{told}");
        }
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code: Code = "7-crossover-clockwork".parse().unwrap();
        assert_eq!((code.nameplate(), code.words().as_str()), (7, "crossover-clockwork"));
        for typed in [
            "7 crossover clockwork",
            "7-CROSSOVER-Clockwork",
            "  7 – crossover—clockwork ",
            "07_crossover.clockwork",
            "7\u{2011}crossover\u{2011}clockwork-",
        ] {
            assert_eq!(typed.parse::<Code>().as_ref(), Ok(&code), "{typed}");
        }
        assert_eq!(code.to_string(), "7-crossover-clockwork");
        assert_eq!(serde_json::from_str::<Code>("\"7-crossover-clockwork\"").unwrap(), code);
    }

    #[test]
    fn every_code_reads_back_and_none_is_shown_by_accident() {
        for random in 0..=u16::MAX {
            let code = Code::new(1 + u32::from(random), random);
            assert_eq!(code.to_string().parse::<Code>(), Ok(code));
        }
        assert_eq!(format!("{:?}", Code::new(7, 0)), "code 7-…");
    }

    #[test]
    fn a_word_that_is_not_in_the_list_is_told_with_the_one_that_was_meant() {
        let told = bad("7-crosover-clockwork");
        assert!(told.starts_with("`crosover` is no word of a code: Did you mean `crossover`? Nothing"), "{told}");
        let told = bad("7-crossover-blockchain");
        assert!(told.starts_with("`blockchain` is no word of a code: Nothing was sent"), "{told}");
    }

    #[test]
    fn what_is_no_code_is_told_with_what_a_code_is() {
        let long = "7-".to_owned() + &"a".repeat(1 << 20);
        for text in ["", "7", "7-crossover", "crossover-clockwork", "0-crossover-clockwork", "7-a-b-c", &long] {
            assert!(bad(text).contains("such as 7-crossover-clockwork"), "{text}");
        }
        for text in ["1000000-crossover-clockwork", "99999999999-crossover-clockwork", "7-cross\u{1b}-clockwork"] {
            assert!(bad(text).contains("such as 7-crossover-clockwork"), "{text}");
        }
    }

    #[test]
    fn codes_and_hosts_are_told_apart() {
        for code in ["7-crossover-clockwork", "7 crossover clockwork", "12-no-such", "7-crossover"] {
            assert!(Code::is_meant_by(code), "{code}");
        }
        for other in ["127.0.0.1", "hub.example", "7", "erin@10.0.0.1", "7-eleven:7755", "::1", "crossover-clockwork"] {
            assert!(!Code::is_meant_by(other), "{other}");
        }
    }
}
