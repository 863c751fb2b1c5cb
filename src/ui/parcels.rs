//! Renders events about parcels.

use crate::protocol::event;
use crate::protocol::parcel::ParcelKind;

use super::escape::escape;
use super::style::Style;
use super::units::size;

/// The code, and what to tell whoever is to have the parcel.
pub(super) fn ready(body: &event::ParcelReady, style: Style) -> String {
    let event::ParcelReady { code, hub, kind, name, files, size, times, until, .. } = body;
    let what = what(*kind, name, *files, *size);
    let many = if *times == 1 { String::new() } else { format!(", to {times}") };
    let until = until.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
    let code = escape(code);
    format!(
        "Sending {what}{many}{until}. On the other machine:\n  potluck receive {}\nor, if it does not know this hub:\n  potluck receive {}/{code}\n",
        style.bold(&code),
        escape(hub),
    )
}

/// Somebody has typed the code.
pub(super) fn claimed(body: &event::ParcelClaimed) -> String {
    match body.again {
        false => "The code was typed right. Sending ...\n".to_owned(),
        true => "They are back. Sending the rest ...\n".to_owned(),
    }
}

/// Somebody has everything.
pub(super) fn delivered(body: &event::ParcelDelivered) -> String {
    match body.left {
        0 => "They have everything.\n".to_owned(),
        left => format!("They have everything. {left} more may have it.\n"),
    }
}

/// All have everything.
pub(super) fn sent(body: &event::ParcelSent) -> String {
    let event::ParcelSent { name, times, .. } = body;
    match times {
        1 => format!("Sent: {}\n", escape(name)),
        times => format!("Sent {times} times: {}\n", escape(name)),
    }
}

/// What the sender gives.
pub(super) fn found(body: &event::ParcelFound) -> String {
    let event::ParcelFound { kind, name, files, size, .. } = body;
    format!("The code was right. Receiving {} ...\n", what(*kind, name, *files, *size))
}

/// It is here.
pub(super) fn received(body: &event::ParcelReceived) -> String {
    match (&body.text, &body.path) {
        (Some(text), _) => format!("{}\n", escape(text)),
        (None, Some(path)) => format!("Received: {}\n", escape(path)),
        (None, None) => format!("Received: {}\n", escape(&body.name)),
    }
}

fn what(kind: ParcelKind, name: &str, files: u64, bytes: u64) -> String {
    match (kind, files) {
        (ParcelKind::Text, _) => "a text".to_owned(),
        (ParcelKind::Stream, _) => format!("a stream ({})", size(bytes)),
        (ParcelKind::Files, 1) => format!("{} ({})", escape(name), size(bytes)),
        (ParcelKind::Files, files) => format!("{} ({files} files, {})", escape(name), size(bytes)),
    }
}
