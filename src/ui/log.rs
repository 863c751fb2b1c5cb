//! Renders the hub's log as text for people: one line for each event.

use crate::protocol::log::{self, Level, LogEvent, LogLine};

use super::escape::escape;
use super::phrases::{address_and_port, named};
use super::style::Style;
use super::units::{count, duration, size};

/// The text of a log line, made from it alone: `TIME LEVEL text`.
pub fn render_log(line: &LogLine, style: Style) -> String {
    let level = match line.event.level() {
        Level::Debug => style.dim("debug"),
        Level::Info => style.green("info "),
        Level::Warn => style.yellow("warn "),
        Level::Error => style.red("error"),
    };
    format!("{} {level} {}\n", style.dim(&line.time.to_string()), text(&line.event))
}

fn text(event: &LogEvent) -> String {
    match event {
        LogEvent::HubListening(body) => listening(body),
        LogEvent::HubStopping(body) => {
            format!("stopping ({}); {} told", escape(&body.reason), count(body.clients, "client"))
        }
        LogEvent::HubStopped(_) => "stopped".to_owned(),
        LogEvent::ClientConnected(body) => format!(
            "connection {} from {} over {}, key {}",
            body.connection,
            escape(&body.address),
            escape(&body.transport),
            body.key
        ),
        LogEvent::ClientRefused(body) => format!(
            "connection {} from {} refused: {} ({})",
            body.connection,
            escape(&body.address),
            escape(&body.message),
            body.code
        ),
        LogEvent::ClientRegistered(body) => {
            format!("{} registered as number {} from {}", escape(&body.name), body.number, escape(&body.address))
        }
        LogEvent::ClientAway(body) => {
            format!("{} (number {}) is away: {}", escape(&body.name), body.number, escape(&body.reason))
        }
        LogEvent::ClientBack(body) => {
            format!("{} (number {}) is back after {}", escape(&body.name), body.number, duration(body.away))
        }
        LogEvent::ClientLeft(body) => {
            format!("{} (number {}) left: {}", escape(&body.name), body.number, escape(&body.reason))
        }
        LogEvent::OffersAdded(body) => {
            format!("{} offers {} (revision {})", escape(&body.name), named(&body.files), body.revision)
        }
        LogEvent::OffersRemoved(body) => {
            format!("{} no longer offers {} (revision {})", escape(&body.name), named(&body.files), body.revision)
        }
        LogEvent::RequestRefused(body) => refused(body),
        LogEvent::PushAsked(body) => push_asked(body),
        LogEvent::PushEnded(body) => {
            format!("push {} from {} to {} {}", body.push, escape(&body.from), escape(&body.to), escape(&body.how))
        }
        LogEvent::ParcelOpened(body) => {
            format!("{} sends a parcel under code number {}", somebody(&body.name, &body.address), body.code)
        }
        LogEvent::ParcelAdmitted(body) => {
            format!("{} receives the parcel of code number {}", somebody(&body.name, &body.address), body.code)
        }
        LogEvent::ParcelGuessed(body) => parcel_guessed(body),
        LogEvent::MeetingBegun(body) => meeting_begun(body),
        LogEvent::RelayEnded(body) => relay_ended(body),
        LogEvent::FileKept(body) => format!(
            "keeps {} of {} ({}); {} in all",
            escape(&body.file),
            escape(&body.name),
            size(body.size),
            size(body.total)
        ),
        LogEvent::FileNotKept(body) => format!(
            "does not keep {} of {}: {} ({})",
            escape(&body.file),
            escape(&body.name),
            escape(&body.message),
            body.code
        ),
        LogEvent::LoginFailed(body) => login_failed(body),
        LogEvent::LoginLocked(body) => format!(
            "logins of {} are locked until {}, after {} in a row",
            escape(&body.whom),
            body.until,
            count(body.failures.into(), "failure")
        ),
        LogEvent::InviteSpent(body) => {
            format!("invite {} has let {} in", escape(&body.invite), escape(&body.name))
        }
        LogEvent::CodeUsed(body) => code_used(body),
        LogEvent::CodeGuessed(body) => code_guessed(body),
        LogEvent::MessageStored(body) => stored(body),
        LogEvent::MessageDelivered(body) => {
            format!("message {} from {} delivered to {}", body.number, escape(&body.from), escape(&body.to))
        }
        LogEvent::RoomChanged(body) => room_changed(body),
        LogEvent::PeerDoubted(body) => format!("{} cannot reach {}", escape(&body.by), escape(&body.name)),
        LogEvent::NamesReloaded(body) => format!("names read again, {} known", count(body.names, "name")),
        LogEvent::LogGap(body) => format!("the log was not read: {} lines dropped", body.dropped),
        LogEvent::StoreDegraded(body) => {
            format!("nothing new can be kept for now: {} ({})", escape(&body.message), body.code)
        }
        LogEvent::StoreRecovered(body) => format!("the store can be written again, after {} ms", body.after),
        LogEvent::StoreFailed(body) => format!("the store failed: {} ({})", escape(&body.message), body.code),
    }
}

fn code_used(body: &log::CodeUsed) -> String {
    format!("{} has come with the code of invite {}", escape(&body.address), escape(&body.invite))
}

fn code_guessed(body: &log::CodeGuessed) -> String {
    let (invite, address) = (escape(&body.invite), escape(&body.address));
    format!("the code of invite {invite} is void: a wrong guess from {address}, or it broke off")
}

fn parcel_guessed(body: &log::ParcelGuessed) -> String {
    format!("a wrong guess at code number {} from {}, or it broke off", body.code, escape(&body.address))
}

/// A client by its name, if it has any, and its address.
fn somebody(name: &str, address: &str) -> String {
    match name.is_empty() {
        true => format!("a guest at {}", escape(address)),
        false => format!("{} at {}", escape(name), escape(address)),
    }
}

fn login_failed(body: &log::LoginFailed) -> String {
    let (name, address) = (escape(&body.name), escape(&body.address));
    format!("login of {name} from {address} failed ({} in a row)", body.failures)
}

fn listening(body: &log::HubListening) -> String {
    let files = body.files_port.map_or_else(String::new, |port| format!(", files on port {port}"));
    let link = escape(&body.link);
    let how = match body.access.as_str() {
        "invite" => format!("`potluck invite add` lets somebody join {link}"),
        _ => format!("join with {link}"),
    };
    format!(
        "potluck {} listening on {}{files}, access {}; {how}",
        escape(&body.version),
        address_and_port(&body.address, body.port),
        escape(&body.access),
    )
}

fn stored(body: &log::MessageStored) -> String {
    let whom = match (&body.room, &body.to) {
        (Some(room), _) => format!(" to room {}", escape(room)),
        (None, Some(to)) => format!(" to {}", escape(to)),
        (None, None) => String::new(),
    };
    let (from, bytes) = (escape(&body.from), count(body.bytes, "byte"));
    format!("message {} from {from}{whom} stored: {bytes}, sent to {} at once", body.number, body.delivered)
}

fn room_changed(body: &log::RoomChanged) -> String {
    let now = if body.members == 0 { "gone".to_owned() } else { count(body.members, "member") };
    format!("room {} changed by {}: {now}", escape(&body.room), escape(&body.by))
}

fn push_asked(body: &log::PushAsked) -> String {
    let (file, from, to) = (escape(&body.file), escape(&body.from), escape(&body.to));
    format!("push {} of {file} from {from} to {to}: {}", body.push, size(body.size))
}

fn meeting_begun(body: &log::MeetingBegun) -> String {
    let what = body.content.map_or_else(|| "a private connection".to_owned(), |hash| format!("content {hash}"));
    let relay = if body.relays { "" } else { ", without relay" };
    format!("meeting {} of {} with {} for {what}{relay}", body.meeting, escape(&body.by), escape(&body.with))
}

fn relay_ended(body: &log::RelayEnded) -> String {
    let (by, with, why) = (escape(&body.by), escape(&body.with), escape(&body.why));
    let (bytes, took) = (size(body.bytes), duration(body.took));
    format!("relayed {bytes} for {by} in its meeting {} with {with}, in {took}: {why}", body.meeting)
}

fn refused(body: &log::RequestRefused) -> String {
    let who = if body.name.is_empty() { "somebody unregistered".into() } else { escape(&body.name) };
    let more = body.more.map(|more| format!(", and {more} more")).unwrap_or_default();
    format!("refused {} of {who}: {} ({}){more}", escape(&body.request), escape(&body.message), body.code)
}
