//! Guests: clients that are no members of the hub, and come for a parcel. They may knock at the number of a code, talk to
//! whoever has opened it, and meet with whoever has admitted them. Nothing else is answered with more than a refusal.

use super::PeerId;
use super::cx::Cx;
use crate::protocol::wire::Ask;
use crate::protocol::{ErrorCode, Failure, Request};

/// What a guest asks, if it may; otherwise it is refused here, or ignored where there is no answer.
pub(super) fn checked(cx: &mut Cx<'_>, id: PeerId, ask: Ask) -> Option<Ask> {
    let request = match &ask {
        Ask::Knock(_) | Ask::Say(_) | Ask::HangUp(_) | Ask::Meet(_) | Ask::MeetAt(_) => return Some(ask),
        // It is refused where all are that may not send.
        Ask::OpenCode(_) => return Some(ask),
        Ask::Request(line) if matches!(line.request, Request::Quit(_)) => return Some(ask),
        Ask::Request(line) => line.request.name(),
        Ask::Publish(_) => "offer",
        Ask::Push(_) => "push",
        Ask::Gone(_) => "withdraw",
        Ask::Folder(_) => "get",
        Ask::Received(_) | Ask::Unreachable(_) | Ask::Have(_) | Ask::Settled(_) => return None,
        Ask::TakeBack(_) | Ask::NotTaken(_) | Ask::CloseCode(_) | Ask::Admit(_) => return None,
    };
    let denied = Failure::new(ErrorCode::AccessDenied, "A guest can only receive what is sent with a code.");
    let failure = cx.spend_request(id).err().unwrap_or(denied);
    cx.refuse(id, ask.id(), request, failure);
    None
}
