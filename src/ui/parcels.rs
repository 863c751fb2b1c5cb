//! Renders events about parcels.

use std::fmt::Write;

use crate::protocol::code::OWN_NAMEPLATES;
use crate::protocol::event;
use crate::protocol::parcel::ParcelKind;

use super::escape::escape;
use super::style::Style;
use super::units::size;

/// The code, and what to tell whoever is to have the parcel.
pub(super) fn ready(body: &event::ParcelReady, style: Style) -> String {
    let event::ParcelReady { code, hub, kind, name, files, size, times, until, again, .. } = body;
    let (code, hub) = (escape(code), escape(hub));
    let mut out = format!("Sending {}", what(*kind, name, *files, *size));
    if *times != 1 {
        let _ = write!(out, ", to {times}");
    }
    if let Some(until) = until {
        let _ = write!(out, ", until {until}");
    }
    if *again {
        out += ", under the code of before";
    }
    let (whose, unknown) = match is_nearby(&code) {
        true => ("On another machine in this network", "if it is not found there"),
        false => ("On the other machine", "if it does not know this hub"),
    };
    let _ = write!(
        out,
        ". {whose}:\n\n  {}\n\nor, {unknown}:\n\n  potluck receive {hub}/{code}\n\n",
        style.bold(&format!("potluck receive {code}"))
    );
    out
}

/// Whether the code is one of a hub that its sender is.
fn is_nearby(code: &str) -> bool {
    code.split('-').next().and_then(|number| number.parse().ok()).is_some_and(|number| OWN_NAMEPLATES.contains(&number))
}

/// Somebody has typed the code.
pub(super) fn claimed(body: &event::ParcelClaimed) -> String {
    match body.again {
        false => "Somebody has typed the code. Sending ...\n".to_owned(),
        true => "They are back. Sending the rest ...\n".to_owned(),
    }
}

/// Somebody has gone without having everything.
pub(super) fn left(body: &event::ParcelLeft) -> String {
    let how = if body.gone { "are gone" } else { "have stopped" };
    format!("They {how} before they had everything. With the same code they can go on; waiting for them ...\n")
}

/// Somebody has everything. Of the last one, the end of the request says it.
pub(super) fn delivered(body: &event::ParcelDelivered) -> String {
    match body.left {
        0 => String::new(),
        1 => "They have everything. One more may have it.\n".to_owned(),
        left => format!("They have everything. {left} more may have it.\n"),
    }
}

/// All have everything.
pub(super) fn sent(body: &event::ParcelSent) -> String {
    let event::ParcelSent { name, files, size, times, .. } = body;
    let what = what(ParcelKind::Files, name, *files, *size);
    match times {
        1 => format!("Sent: {what}. They have everything.\n"),
        times => format!("Sent {times} times: {what}.\n"),
    }
}

/// What the sender gives.
pub(super) fn found(body: &event::ParcelFound) -> String {
    let event::ParcelFound { kind, name, files, size, .. } = body;
    match kind {
        ParcelKind::Text => "The code was right.\n".to_owned(),
        ParcelKind::Files | ParcelKind::Stream => {
            format!("The code was right. Receiving {} ...\n", what(*kind, name, *files, *size))
        }
    }
}

/// It is here. The lines of a text stay lines.
pub(super) fn received(body: &event::ParcelReceived) -> String {
    let event::ParcelReceived { kind, files, size, path, text, name } = body;
    if let Some(text) = text {
        return text.lines().fold(String::new(), |out, line| out + &escape(line) + "\n");
    }
    let place = path.as_deref().unwrap_or(name);
    let place = escape(place.strip_prefix("./").filter(|below| !below.is_empty()).unwrap_or(place));
    if *kind == ParcelKind::Text && path.is_none() {
        return format!("Received a text ({}).\n", self::size(*size));
    }
    let (size, verified) = (self::size(*size), "every byte verified");
    match (kind, place.as_ref()) {
        (ParcelKind::Files, "." | "./") => format!("Received {}: {files} files, {size}, {verified}.\n", escape(name)),
        (ParcelKind::Files, _) if *files > 1 => format!("Received {place}: {files} files, {size}, {verified}.\n"),
        _ => format!("Received {place}: {size}, {verified}.\n"),
    }
}

fn what(kind: ParcelKind, name: &str, files: u64, bytes: u64) -> String {
    match (kind, files) {
        (ParcelKind::Text, _) => "a text".to_owned(),
        (ParcelKind::Stream, _) => format!("a stream ({})", size(bytes)),
        (ParcelKind::Files, 0 | 1) => format!("{} ({})", escape(name), size(bytes)),
        (ParcelKind::Files, files) => format!("{} ({files} files, {})", escape(name), size(bytes)),
    }
}
