//! Renders events about messages, rooms, direct connections, blocking and history.

use crate::protocol::event::{self, Event};
use crate::protocol::types::{RoomAccess, Said};
use crate::protocol::{EventLine, Route, Timestamp};

use super::escape::escape;
use super::phrases::{named, presence};
use super::style::Style;
use super::table::table;
use super::units::{count, moment};

/// The receiver of a message to everybody.
const ALL: &str = "all";

/// The age in milliseconds from which a message is shown with its time, because it was kept or held back.
const OLD: i64 = 60_000;

/// An acknowledgement, which is short because each message has one.
pub(super) fn acked(body: &event::MessageAcked, style: Style) -> String {
    let number = body.number;
    let text = match (&body.room, body.to.as_deref()) {
        (Some(room), _) => format!("Sent {number} to room {} ({} there).", escape(room), body.delivered),
        (None, Some(ALL)) => format!("Sent {number} to all ({} there{}).", body.delivered, blocking(body.blocked)),
        (None, Some(to)) if !body.stored && body.delivered == 0 => {
            format!("Sent {number} to {}, private; they hear only one room now, and see it when that ends.", escape(to))
        }
        (None, Some(to)) if !body.stored => format!("Sent {number} to {}, private.", escape(to)),
        (None, Some(to)) if body.delivered == 0 => format!("Kept {number} for {}.", escape(to)),
        (None, Some(to)) => format!("Sent {number} to {}.", escape(to)),
        (None, None) => format!("Sent {number}."),
    };
    style.dim(&text) + "\n"
}

fn blocking(blocked: Option<u64>) -> String {
    match blocked {
        None | Some(0) => String::new(),
        Some(1) => ", 1 blocks you".to_owned(),
        Some(more) => format!(", {more} block you"),
    }
}

/// `[erin] soup is ready`, with the time if the message is old.
pub(super) fn message(line: &EventLine, body: &event::Message, style: Style) -> String {
    let to = if body.to == ALL { Some(ALL) } else { None };
    said(&from(&body.from, to, None), later(line, body.sent), &body.text, style)
}

/// `[kitchen · erin] soup is ready`.
pub(super) fn room_message(line: &EventLine, body: &event::RoomMessage, style: Style) -> String {
    said(&from(&body.from, None, Some(&body.room)), later(line, body.sent), &body.text, style)
}

/// `[erin, private] between us`, without a time: it did not wait at the hub, and its clock is another one.
pub(super) fn private_message(body: &event::PrivateMessage, style: Style) -> String {
    said(&format!("{}, private", escape(&body.from)), None, &body.text, style)
}

/// A message as `history` shows it, with number and time. A private message is not in the history and has no number;
/// its time is that of its arrival.
pub(super) fn timed(line: &EventLine, style: Style) -> Option<String> {
    let (number, sent, who, text) = if let Event::Message(body) = &line.event {
        let to = if body.to == ALL { Some(ALL) } else { None };
        (Some(body.number), Some(body.sent), from(&body.from, to, None), &body.text)
    } else if let Event::RoomMessage(body) = &line.event {
        (Some(body.number), Some(body.sent), from(&body.from, None, Some(&body.room)), &body.text)
    } else if let Event::PrivateMessage(body) = &line.event {
        (None, line.time, format!("{}, private", escape(&body.from)), &body.text)
    } else {
        return None;
    };
    let number = number.map(|number| format!("{number}  ")).unwrap_or_default();
    let when = style.dim(&format!("{number}{}", sent.map(moment).unwrap_or_default()));
    Some(format!("{when}  {}", said(&who, None, text, style)))
}

pub(super) fn delivered(body: &event::MessageDelivered, style: Style) -> String {
    let private = if body.private { ", private" } else { "" };
    style.dim(&format!("Delivered {} to {}{private}.", body.number, escape(&body.to))) + "\n"
}

/// The part in brackets: who speaks to whom.
fn from(from: &str, to: Option<&str>, room: Option<&str>) -> String {
    match (room, to) {
        (Some(room), _) => format!("{} · {}", escape(room), escape(from)),
        (None, Some(to)) => format!("{} → {}", escape(from), escape(to)),
        (None, None) => escape(from).into_owned(),
    }
}

fn said(who: &str, when: Option<Timestamp>, text: &str, style: Style) -> String {
    let when = when.map(|when| format!(", {}", moment(when))).unwrap_or_default();
    format!("{} {}\n", style.bold(&format!("[{who}{when}]")), escape(text))
}

/// The time of a message, if it was sent long before it is shown.
fn later(line: &EventLine, sent: Timestamp) -> Option<Timestamp> {
    let told = line.time?;
    (told.0.saturating_sub(sent.0) >= OLD).then_some(sent)
}

pub(super) fn private_opened(body: &event::PrivateOpened) -> String {
    let way = match body.route {
        Route::Direct => "",
        Route::Punched => " through both routers",
        Route::Relayed => " through the hub, which cannot read it",
    };
    format!("Direct connection with {}{way}: opened by {}.\n", escape(&body.peer), escape(&body.by))
}

pub(super) fn pong(body: &event::Pong) -> String {
    let way = |how: &str, micros: Option<u64>, failed: &Option<String>| match (micros, failed) {
        (Some(micros), _) => format!("{}.{} ms {how}", micros / 1_000, micros % 1_000 / 100),
        (None, Some(reason)) => format!("not {how}: {}", escape(reason.trim_end_matches('.'))),
        (None, None) => format!("not {how}"),
    };
    let hub = way("through the hub", body.hub_us, &body.hub_failed);
    let direct = way("directly", body.direct_us, &body.direct_failed);
    format!("{} answers: {hub}; {direct}.\n", escape(&body.peer))
}

pub(super) fn private_closed(body: &event::PrivateClosed) -> String {
    let reason = escape(&body.reason);
    let how = if reason.starts_with("closed") { reason.into_owned() } else { format!("closed ({reason})") };
    format!("Direct connection with {}: {how}.\n", escape(&body.peer))
}

/// All blocked people, because the reader looks for one of them.
pub(super) fn blocks(body: &event::Blocks) -> String {
    let names: Vec<_> = body.names.iter().map(|name| escape(name)).collect();
    if names.is_empty() { "You block nobody.\n".to_owned() } else { format!("Blocked: {}.\n", names.join(", ")) }
}

/// A line for each message, with times in UTC, and how to see the rest.
pub(super) fn history(body: &event::History, style: Style) -> String {
    let width = body.messages.iter().map(|said| said.number.to_string().len()).max().unwrap_or(0);
    let mut out: String = body.messages.iter().map(|message| remembered(message, width, style)).collect();
    if body.messages.is_empty() {
        out += "No messages.\n";
    }
    if body.more {
        let on = body.next.map_or_else(String::new, |next| format!(": the same with {}", going_on(body, next)));
        out += &format!("There are more{on}.\n");
    }
    out
}

fn remembered(message: &Said, width: usize, style: Style) -> String {
    let number = format!("{:>width$}  {}", message.number, moment(message.sent));
    let who = from(&message.from, message.to.as_deref(), message.room.as_deref());
    format!("{}  {}", style.dim(&number), said(&who, None, &message.text, style))
}

/// The request for the rest. The event does not say in which direction the request asked, but its numbers mostly do.
fn going_on(body: &event::History, next: u64) -> String {
    let [first, last] = [body.messages.first(), body.messages.last()].map(|said| said.map_or(next, |said| said.number));
    match (next <= first, next >= last) {
        (true, false) => format!("--before {next}"),
        (false, true) => format!("--after {next} in place of --since or --after"),
        _ => format!("--before {next}, or --after {next} if --since or --after was asked for"),
    }
}

pub(super) fn room_created(body: &event::RoomCreated) -> String {
    format!("Made room {} ({}): {}.\n", escape(&body.room), access(body.access), named(&body.members))
}

pub(super) fn room_joined(body: &event::RoomJoined) -> String {
    format!("You are in room {}: {}.\n", escape(&body.room), named(&body.members))
}

pub(super) fn room_invited(body: &event::RoomInvited) -> String {
    format!("Brought into room {}: {}.\n", escape(&body.room), named(&body.members))
}

pub(super) fn rooms(body: &event::Rooms, style: Style) -> String {
    if body.rooms.is_empty() {
        return "There is no room that you can join or are in.\n".to_owned();
    }
    let rows = body.rooms.iter().map(|room| {
        vec![
            escape(&room.room).into_owned(),
            access(room.access).to_owned(),
            room.members.to_string(),
            if room.joined { "yes" } else { "no" }.to_owned(),
        ]
    });
    table(&["ROOM", "ACCESS", "MEMBERS", "JOINED"], &[2], rows.collect(), style)
}

pub(super) fn members(body: &event::Members, style: Style) -> String {
    let heading = format!("Room {}: {}.\n", escape(&body.room), count(body.members.len() as u64, "member"));
    if body.members.is_empty() {
        return heading;
    }
    let rows =
        body.members.iter().map(|member| vec![escape(&member.name).into_owned(), presence(member.state).to_owned()]);
    heading + &table(&["NAME", "STATE"], &[], rows.collect(), style)
}

pub(super) fn room_changed(body: &event::RoomChanged) -> String {
    let joined = (!body.joined.is_empty()).then(|| match &body.by {
        Some(by) => format!("{} brought in {}", escape(by), named(&body.joined)),
        None => format!("{} joined", named(&body.joined)),
    });
    let left = (!body.left.is_empty()).then(|| format!("{} left", named(&body.left)));
    let changes: Vec<_> = joined.into_iter().chain(left).collect();
    format!("Room {}: {}.\n", escape(&body.room), changes.join("; "))
}

pub(super) fn unfocused(body: &event::Unfocused) -> String {
    let held = match body.held {
        0 => String::new(),
        1 => "; 1 message has waited".to_owned(),
        more => format!("; {more} messages have waited"),
    };
    let reason = body.reason.as_ref().map(|reason| format!(" ({})", escape(reason))).unwrap_or_default();
    format!("Hearing everything again, not only room {}{held}{reason}.\n", escape(&body.room))
}

fn access(access: RoomAccess) -> &'static str {
    match access {
        RoomAccess::Open => "open",
        RoomAccess::Invite => "invite",
    }
}
