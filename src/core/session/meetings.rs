//! Meetings with other clients: what the driver and the hub say to each other about them, passed on.

use super::context::Context;
use super::notes::MeetingNews;
use super::parcels::Parcels;
use super::words::Output;
use crate::core::time::Time;
use crate::protocol::wire::{Ask, Meet, MeetAt};
use crate::protocol::{ErrorCode, event};

/// Asks the hub for a meeting. Outside its roster there is none, except with whoever sends us a parcel.
pub(super) fn meet(now: Time, cx: &mut Context, parcels: &Parcels, meet: Meet) {
    if cx.registration.is_in() || parcels.are_from(&meet.meet) {
        return cx.uplink.send(now, Ask::Meet(meet));
    }
    let (code, message) = (ErrorCode::NotRegistered, ErrorCode::NotRegistered.sentence().to_owned());
    let refused = event::MeetingRefused { ask: meet.ask, code, message, wait: None };
    cx.output(Output::Meeting(MeetingNews::Refused(refused)));
}

/// Tells the hub where we can be reached at a meeting.
pub(super) fn meet_at(now: Time, cx: &mut Context, parcels: &Parcels, places: MeetAt) {
    if cx.registration.is_in() || !parcels.are_none() {
        cx.uplink.send(now, Ask::MeetAt(places));
    }
}
