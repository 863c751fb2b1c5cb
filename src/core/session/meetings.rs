//! Meetings with other clients: what the driver and the hub say to each other about them, passed on.

use super::Output;
use super::context::Context;
use crate::core::time::Time;
use crate::protocol::wire::{Ask, Meet};
use crate::protocol::{ErrorCode, Event, event};

/// What the hub says of a meeting.
#[derive(Debug, Clone, PartialEq)]
pub enum MeetingNews {
    /// It has begun.
    Met(event::Meeting),
    /// Where the other side may be reached.
    Places(event::MeetingPlaces),
    /// There is none.
    Refused(event::MeetingRefused),
}

impl MeetingNews {
    /// The news that an event is.
    ///
    /// # Errors
    /// The event, if it is about something else.
    pub(super) fn of(event: Event) -> Result<Self, Event> {
        if let Event::Meeting(met) = event {
            Ok(Self::Met(met))
        } else if let Event::MeetingPlaces(places) = event {
            Ok(Self::Places(places))
        } else if let Event::MeetingRefused(refused) = event {
            Ok(Self::Refused(refused))
        } else {
            Err(event)
        }
    }
}

/// Asks the hub for a meeting. Outside its roster there is none.
pub(super) fn meet(now: Time, cx: &mut Context, meet: Meet) {
    if cx.registration.is_in() {
        return cx.uplink.send(now, Ask::Meet(meet));
    }
    let (code, message) = (ErrorCode::NotRegistered, ErrorCode::NotRegistered.sentence().to_owned());
    let refused = event::MeetingRefused { ask: meet.ask, code, message, wait: None };
    cx.output(Output::Meeting(MeetingNews::Refused(refused)));
}
