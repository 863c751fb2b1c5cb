//! Meetings with other clients: what the driver and the hub say to each other about them, passed on.

use super::context::Context;
use super::notes::MeetingNews;
use super::words::Output;
use crate::core::time::Time;
use crate::protocol::wire::{Ask, Meet};
use crate::protocol::{ErrorCode, event};

/// Asks the hub for a meeting. Outside its roster there is none.
pub(super) fn meet(now: Time, cx: &mut Context, meet: Meet) {
    if cx.registration.is_in() {
        return cx.uplink.send(now, Ask::Meet(meet));
    }
    let (code, message) = (ErrorCode::NotRegistered, ErrorCode::NotRegistered.sentence().to_owned());
    let refused = event::MeetingRefused { ask: meet.ask, code, message, wait: None };
    cx.output(Output::Meeting(MeetingNews::Refused(refused)));
}
