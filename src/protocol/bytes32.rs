//! The two 32-byte identifiers of the protocol: the hash of a content, and the public key of a hub or client.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The BLAKE3 hash of a content, the same that `b3sum` prints: 64 lower-case hex digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

/// An Ed25519 public key, the identity of a hub or a client: 52 lower-case base32 digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// The error for a text that is neither a hash nor a key; it carries the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be {0}")]
pub struct NotBytes32(&'static str);

const HASH_FORM: &str = "64 lower-case hex digits";
const KEY_FORM: &str = "52 base32 digits";

impl ContentHash {
    /// Passes its digits on without an allocation: lists of files have very many hashes.
    pub(crate) fn with_digits<T>(&self, take: impl FnOnce(&str) -> T) -> T {
        let mut digits = [0; 64];
        HEXLOWER.encode_mut(&self.0, &mut digits);
        take(str::from_utf8(&digits).unwrap_or_default())
    }
}

impl PublicKey {
    fn with_digits<T>(&self, take: impl FnOnce(&str) -> T) -> T {
        let mut digits = [0; 52];
        BASE32_NOPAD.encode_mut(&self.0, &mut digits);
        digits.make_ascii_lowercase();
        take(str::from_utf8(&digits).unwrap_or_default())
    }
}

impl FromStr for ContentHash {
    type Err = NotBytes32;

    fn from_str(text: &str) -> Result<Self, NotBytes32> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NotBytes32(HASH_FORM))?;
        bytes.try_into().map(Self).map_err(|_| NotBytes32(HASH_FORM))
    }
}

impl FromStr for PublicKey {
    type Err = NotBytes32;

    fn from_str(text: &str) -> Result<Self, NotBytes32> {
        let upper = text.to_ascii_uppercase();
        let bytes = BASE32_NOPAD.decode(upper.as_bytes()).map_err(|_| NotBytes32(KEY_FORM))?;
        bytes.try_into().map(Self).map_err(|_| NotBytes32(KEY_FORM))
    }
}

macro_rules! text_form {
    ($Type:ident, $name:literal, $pattern:literal, $about:literal) => {
        impl fmt::Display for $Type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.with_digits(|digits| f.write_str(digits))
            }
        }
        impl fmt::Debug for $Type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl Serialize for $Type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.with_digits(|digits| serializer.serialize_str(digits))
            }
        }
        impl<'de> Deserialize<'de> for $Type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl JsonSchema for $Type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $about })
            }
        }
    };
}

text_form!(ContentHash, "content-hash", "^[0-9a-f]{64}$", "BLAKE3 hash of the content");
text_form!(PublicKey, "public-key", "^[a-z2-7]{52}$", "Ed25519 public key in base32");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_read_back_and_refuse_others() {
        let key = PublicKey([7; 32]);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.to_string().to_uppercase().parse(), Ok(key));
        let hash = ContentHash([0xab; 32]);
        assert_eq!(hash.to_string(), "ab".repeat(32));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for wrong in ["", "ab", &"AB".repeat(32), &"ab".repeat(33), &"zz".repeat(32)] {
            assert!(wrong.parse::<ContentHash>().is_err(), "{wrong}");
        }
    }
}
