//! Reads the last line of a hub that closes the connection, and explains lines that are not of our protocol.

use crate::protocol::cause;
use crate::protocol::wire::Farewell;
use crate::protocol::{ErrorCode, Failure};

/// The failure of a line that is not of our protocol.
pub(super) fn wrong_protocol(e: serde_json::Error) -> Failure {
    Failure::new(
        ErrorCode::WrongProtocol,
        format!("The hub said something that is not understood: {}.", cause::of_json(&e)),
    )
}

/// The failure that the hub's farewell tells, if this line is one.
pub(super) fn farewell(line: &[u8]) -> Option<Failure> {
    let Farewell { farewell } = serde_json::from_slice(line).ok()?;
    let failure = Failure::new(farewell.code, farewell.message);
    Some(match farewell.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}
