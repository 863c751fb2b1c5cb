//! The rule for the text of a message, public or private.

use super::limits::MESSAGE_BYTES;
use super::line::pointer_at;
use super::{ErrorCode, Failure};

/// Checks the text of a message.
///
/// # Errors
/// At `/text`: `bad-request` if it is empty, `message-too-long` if it is longer than
/// [`MESSAGE_BYTES`].
pub fn check_text(text: &str) -> Result<(), Failure> {
    let failure = match text.len() {
        0 => Failure::new(ErrorCode::BadRequest, "there is no text"),
        length if length > MESSAGE_BYTES => {
            Failure::new(ErrorCode::MessageTooLong, format!("The message has {length} bytes; 16 KiB is the most."))
        }
        _ => return Ok(()),
    };
    Err(failure.at(pointer_at("/text")))
}
