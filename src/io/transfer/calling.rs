//! Fetching from a source that cannot be dialled, and comes when it is called: what a hub does for its copies.

use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::dial::{dial, prove};
use super::driver::Dial;
use super::local_peer::{Call, LocalPeer};
use super::socket::Hangup;
use super::stream::ClientStream;
use crate::protocol::limits::MEETING_TIME;
use crate::protocol::{ContentHash, ErrorCode, Failure, PublicKey};

/// Longer than whoever calls waits for an answer.
const LONGEST: Duration = MEETING_TIME.saturating_add(Duration::from_secs(1));

/// An encrypted connection to a source: dialled, or else called.
///
/// # Errors
/// As for [`dial`].
pub(super) fn dial_or_call(
    to: &Dial,
    content: ContentHash,
    local: &LocalPeer,
    hangup: &Hangup,
) -> Result<ClientStream, Option<Failure>> {
    let failure = match dial(to.address, to.key, local, hangup) {
        Err(Some(failure)) if failure.code == ErrorCode::PeerUnreachable => failure,
        other => return other,
    };
    let Some(call) = local.call() else { return Err(Some(failure)) };
    match called(call, to.key, content, hangup)? {
        Some(tcp) => prove(tcp, to.key, local, hangup),
        None => Err(Some(failure)),
    }
}

/// Calls somebody, and waits until they come.
///
/// # Errors
/// `None` if `hangup` was raised.
fn called(
    call: &Call,
    key: PublicKey,
    content: ContentHash,
    hangup: &Hangup,
) -> Result<Option<TcpStream>, Option<Failure>> {
    let ready = Hangup::waking().map_err(|e| Some(Failure::internal(e)))?;
    let came = Arc::new(Mutex::new(None));
    let answer = Answer { came: came.clone(), ready: ready.clone() };
    call(
        key,
        content,
        Box::new(move |tcp| {
            let answer = answer;
            *answer.came.lock().unwrap_or_else(PoisonError::into_inner) = tcp;
        }),
    );
    // Nobody answering in time is an answer, too.
    let _ = hangup.wait_for(&ready, Instant::now() + LONGEST);
    if hangup.is_raised() {
        return Err(None);
    }
    let came = came.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(came)
}

/// What is left behind for whoever waits, who is woken when this is dropped.
struct Answer {
    came: Arc<Mutex<Option<TcpStream>>>,
    ready: Hangup,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.ready.raise();
    }
}
