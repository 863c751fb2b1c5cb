//! What a hub says last, or wrongly.

use crate::protocol::cause;
use crate::protocol::wire::Farewell;
use crate::protocol::{ErrorCode, Failure};

/// A line that is none of our protocol's.
pub(super) fn wrong_protocol(e: serde_json::Error) -> Failure {
    Failure::new(
        ErrorCode::WrongProtocol,
        format!("The hub said something that is not understood: {}.", cause::of_json(&e)),
    )
}

/// The hub's last line, if this is one.
pub(super) fn farewell(line: &[u8]) -> Option<Failure> {
    let Farewell { farewell } = serde_json::from_slice(line).ok()?;
    let failure = Failure::new(farewell.code, farewell.message);
    Some(match farewell.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}
