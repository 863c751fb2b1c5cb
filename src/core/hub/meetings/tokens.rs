//! The tokens that a client's connections to the hub's TCP port show, so that the hub knows which side of which meeting
//! they belong to.

use std::fmt;

use data_encoding::HEXLOWER;

/// 128 bits that nobody can guess, and whose use says nothing about another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::core::hub) struct Token([u8; 16]);

impl Token {
    /// The token of a seat. The `secret` is the hub's own, new in each run.
    pub(in crate::core::hub) fn of(secret: &[u8; 32], seat: Seat) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(secret);
        hasher.update(&seat.meeting.to_le_bytes());
        hasher.update(&[u8::from(seat.asker), u8::from(seat.observes)]);
        let mut token = [0; 16];
        hasher.finalize_xof().fill(&mut token);
        Self(token)
    }

    /// Reads the 32 hex digits of a token; `None` for anything else.
    pub(in crate::core::hub) fn parse(text: &str) -> Option<Self> {
        HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// What a token is for: one connection of one side of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core::hub) struct Seat {
    /// The number of the meeting.
    pub(in crate::core::hub) meeting: u64,
    /// Whether it belongs to the side that has asked for the meeting.
    pub(in crate::core::hub) asker: bool,
    /// Whether the connection only shows an address of the other family, and is never joined.
    pub(in crate::core::hub) observes: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seat_of_each_meeting_and_run_has_a_token_of_its_own() {
        let mut all = std::collections::BTreeSet::new();
        for secret in [[1; 32], [2; 32]] {
            for meeting in [1, 2, 256] {
                for (asker, observes) in [(true, true), (true, false), (false, true), (false, false)] {
                    let token = Token::of(&secret, Seat { meeting, asker, observes });
                    assert_eq!(Token::parse(&token.to_string()), Some(token));
                    all.insert(token);
                }
            }
        }
        assert_eq!(all.len(), 24);
        for wrong in ["", "00", "0011223344556677889900112233445g", "00112233445566778899AABBCCDDEEFF"] {
            assert_eq!(Token::parse(wrong), None);
        }
    }
}
