//! Meetings with other clients: what the driver and the hub say to each other about them, passed on.
//!
//! What is asked while the hub is lost waits here and not in the link: it is worth asking only as long as somebody waits
//! for the answer, and each meeting counts. A hub that has forgotten us is asked again for what it has not answered.

use std::collections::BTreeMap;

use super::context::Context;
use super::notes::MeetingNews;
use super::parcels::Parcels;
use super::words::Output;
use crate::core::reach::ANSWER;
use crate::core::time::Time;
use crate::protocol::wire::{Ask, Meet, MeetAt};
use crate::protocol::{ErrorCode, event};

/// The meetings that were asked for and not answered.
#[derive(Default)]
pub(super) struct Meetings {
    open: BTreeMap<u64, OpenAsk>,
}

struct OpenAsk {
    meet: Meet,
    since: Time,
    /// Whether the hub has been asked.
    said: bool,
}

impl Meetings {
    /// Asks the hub for a meeting, or keeps that until the hub is back. Outside its roster there is none, except with
    /// whoever sends us a parcel.
    pub(super) fn meet(&mut self, now: Time, cx: &mut Context, parcels: &Parcels, meet: Meet) {
        if !cx.registration.is_in() && !parcels.are_from(&meet.meet) {
            let (code, message) = (ErrorCode::NotRegistered, ErrorCode::NotRegistered.sentence().to_owned());
            let refused = event::MeetingRefused { ask: meet.ask, code, message, wait: None };
            return cx.output(Output::Meeting(MeetingNews::Refused(refused)));
        }
        self.forget_late(now);
        let said = !cx.uplink.is_lost() && !cx.uplink.is_entering();
        if said {
            cx.uplink.send(now, Ask::Meet(meet.clone()));
        }
        self.open.insert(meet.ask, OpenAsk { meet, since: now, said });
    }

    /// The hub has said something of a meeting.
    pub(super) fn told(&mut self, cx: &mut Context, news: MeetingNews) {
        let answered = match &news {
            MeetingNews::Met(met) => met.ask,
            MeetingNews::Refused(refused) => Some(refused.ask),
            MeetingNews::Places(_) => None,
        };
        answered.map(|ask| self.open.remove(&ask));
        cx.output(Output::Meeting(news));
    }

    /// The hub is back; `forgot` says whether it has forgotten what it was asked.
    pub(super) fn hub_is_back(&mut self, now: Time, cx: &mut Context, forgot: bool) {
        self.forget_late(now);
        for ask in self.open.values_mut().filter(|ask| forgot || !ask.said) {
            ask.said = true;
            cx.uplink.send(now, Ask::Meet(ask.meet.clone()));
        }
    }

    /// Forgets those for whose answer nobody waits any more.
    fn forget_late(&mut self, now: Time) {
        self.open.retain(|_, ask| now - ask.since < ANSWER);
    }
}

/// Tells the hub where we can be reached at a meeting.
pub(super) fn meet_at(now: Time, cx: &mut Context, parcels: &Parcels, places: MeetAt) {
    if cx.registration.is_in() || !parcels.are_none() {
        cx.uplink.send(now, Ask::MeetAt(places));
    }
}
