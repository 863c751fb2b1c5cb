//! Renders events about transfers. Sender and receiver are both told of the connection, the start and the end.

use std::fmt::Write;

use crate::protocol::event;
use crate::protocol::types::{Stage, Transfer};
use crate::protocol::{Direction, ErrorCode, Route};

use super::escape::escape;
use super::files::ranges;
use super::phrases::listed;
use super::style::Style;
use super::table::table;
use super::units::{count, duration, exact_size, percent, rate, size};
use super::verified::ALARM;

pub(super) fn list(body: &event::Transfers, style: Style) -> String {
    if body.transfers.is_empty() {
        return "No transfer is under way.\n".to_owned();
    }
    let rows = body.transfers.iter().map(|transfer| {
        let direction = match transfer.direction {
            Direction::Down => "down",
            Direction::Up => "up",
        };
        vec![
            transfer.transfer.to_string(),
            direction.to_owned(),
            escape(&transfer.file).into_owned(),
            escape(&transfer.peer).into_owned(),
            match transfer.state {
                Stage::Running => percent(transfer.bytes, transfer.size),
                Stage::Queued => "queued".to_owned(),
                Stage::Waiting => "waiting".to_owned(),
            },
            size(transfer.size),
            transfer.route.map_or("", Route::name).to_owned(),
        ]
    });
    let titles = ["TRANSFER", "DIRECTION", "FILENAME", "PEER", "DONE", "SIZE", "ROUTE"];
    let rows = table(&titles, &[0, 4, 5], rows.collect(), style);
    let wants_us = |transfer: &&Transfer| (transfer.direction, transfer.state) == (Direction::Down, Stage::Waiting);
    match body.transfers.iter().find(wants_us) {
        Some(Transfer { transfer: n, .. }) => {
            rows + &format!("What waits for you is taken by its number: `accept {n}`, or not: `decline {n}`.\n")
        }
        None => rows,
    }
}

pub(super) fn started(body: &event::TransferStarted) -> String {
    let (file, peer, way) = (escape(&body.file), escape(&body.peer), way(body.route.unwrap_or_default()));
    let mut out = match body.direction {
        Direction::Down => format!("Transfer {}: connected to {peer}{way}, fetching {file}", body.transfer),
        Direction::Up => format!("Transfer {}: {peer} connected{way}, sending {file}", body.transfer),
    };
    let files = body.files.map(|files| count(files, "file") + ", ").unwrap_or_default();
    let _ = write!(out, " ({files}{})", size(body.size));
    if body.resumed > 0 {
        let _ = write!(out, ", going on from {}", size(body.resumed));
    }
    out + ".\n"
}

/// How a connection goes, in words, unless it is the usual way.
fn way(route: Route) -> &'static str {
    match route {
        Route::Direct => "",
        Route::Punched => " through both routers",
        Route::Relayed => " through the hub, which cannot read it",
    }
}

/// The same in short.
pub(super) fn short_way(route: Option<Route>) -> &'static str {
    match route {
        None | Some(Route::Direct) => "",
        Some(Route::Punched) => "through both routers",
        Some(Route::Relayed) => "through the hub",
    }
}

pub(super) fn progress(body: &event::TransferProgress, style: Style) -> String {
    let done = percent(body.bytes, body.size);
    let mut out = format!("Transfer {}: {done} of {} at {}", body.transfer, size(body.size), rate(body.rate));
    if let Some(left) = body.left.filter(|left| *left > 0) {
        let _ = write!(out, ", {} left", duration(left));
    }
    if !short_way(body.route).is_empty() {
        let _ = write!(out, ", {}", short_way(body.route));
    }
    style.dim(&(out + ".")) + "\n"
}

pub(super) fn completed(body: &event::TransferCompleted, style: Style) -> String {
    let (done, file, peer) = (style.green("done"), escape(&body.file), escape(&body.peer));
    let was_here = body.direction == Direction::Down && body.bytes == 0 && body.resumed == body.size;
    if let (true, Some(path)) = (was_here && body.size > 0, &body.path) {
        let size = size(body.size);
        let text = format!("Transfer {} {done}: {file} is here already, byte for byte ({size}).\n", body.transfer);
        return text + &format!("  it is {}\n", escape(path));
    }
    let mut out = match body.direction {
        // The peer of a download is the source that was asked first, which need not be the one that sent it.
        Direction::Down => {
            let from = match body.sources.as_slice() {
                [] => peer,
                [one] => escape(&one.peer) + way(one.route),
                several => format!("{} sources", several.len()).into(),
            };
            let files = body.files.map(|files| count(files, "file") + ", ").unwrap_or_default();
            format!("Transfer {} {done}: {file} from {from}, {files}", body.transfer)
        }
        Direction::Up => {
            format!("Transfer {} {done}: {file} to {peer}{}, ", body.transfer, way(body.route.unwrap_or_default()))
        }
    };
    // The sent bytes are shown only if they differ visibly from the size.
    if body.direction == Direction::Up && size(body.bytes) != size(body.size) {
        let _ = write!(out, "{} of ", size(body.bytes));
    }
    let _ = write!(out, "{} in {}", exact_size(body.size), duration(body.elapsed));
    let rate_over = (u128::from(body.bytes) * 1000).checked_div(u128::from(body.elapsed));
    if let Some(bytes_a_second) = rate_over.and_then(|rate| u64::try_from(rate).ok()) {
        let _ = write!(out, " at {}", rate(bytes_a_second));
    }
    out += match body.direction {
        Direction::Down => ", verified; connection closed.\n",
        Direction::Up => "; connection closed.\n",
    };
    match (&body.path, &body.chunks) {
        (Some(path), Some(chunks)) => {
            let (shown, path) = (ranges(chunks), escape(path));
            let lie = match chunks.len() {
                1 => format!("chunk {shown} is in its place"),
                _ => format!("chunks {shown} are in their places"),
            };
            let _ = writeln!(out, "  {lie} in {path}; `get` without --chunks fetches the rest");
        }
        (Some(path), None) => drop(writeln!(out, "  saved as {}", escape(path))),
        (None, _) => {}
    }
    if body.sources.len() > 1 {
        let sources = body.sources.iter().map(|source| {
            let sent = format!("{} {}", escape(&source.peer), size(source.bytes));
            if source.route == Route::Direct { sent } else { format!("{sent} {}", short_way(Some(source.route))) }
        });
        let _ = writeln!(out, "  sources: {}", listed(sources, body.sources.len()));
    }
    out
}

pub(super) fn queued(body: &event::TransferQueued) -> String {
    format!("Transfer {}: {} waits, number {} in the queue.\n", body.transfer, escape(&body.file), body.position)
}

pub(super) fn file_failed(body: &event::FileFailed, style: Style) -> String {
    let (file, message) = (escape(&body.file), escape(&body.message));
    let (n, failed, code) = (body.transfer, style.red("failed:"), body.code);
    match message.starts_with(&*file) {
        true => format!("Transfer {n}: {failed} {message} ({code})\n"),
        false => format!("Transfer {n}: {file} {failed} {message} ({code})\n"),
    }
}

pub(super) fn push_asked(body: &event::PushAsked) -> String {
    let (file, to) = (escape(&body.file), escape(&body.to));
    match body.online {
        true => format!("Transfer {}: asked {to} to take {file}.\n", body.transfer),
        false => format!(
            "Transfer {}: {to} is not there; {file} waits until they come, or until you leave.\n",
            body.transfer
        ),
    }
}

pub(super) fn push_offered(body: &event::PushOffered, style: Style) -> String {
    let (from, file) = (escape(&body.from), escape(&body.file));
    let offers = format!("{} wants to give you {file} ({}).", style.bold(&from), size(body.size));
    format!("{offers} `accept {}` takes it, `decline {}` does not.\n", body.push, body.push)
}

pub(super) fn push_gone(body: &event::PushGone) -> String {
    format!("{} does not offer you {} any more.\n", escape(&body.from), escape(&body.file))
}

/// The end of a failed transfer. The reason is told here only if nobody asked for the transfer; otherwise the answer to
/// the request follows, with reason and hint.
pub(super) fn failed(body: &event::TransferFailed, asked_for: bool, style: Style) -> String {
    let (failed, file, peer) = (style.red("failed:"), escape(&body.file), escape(&body.peer));
    let (n, there, all) = (body.transfer, size(body.bytes), size(body.size));
    match body.direction {
        // The user has cancelled it and sees the answer to `cancel`, which names the file.
        Direction::Down if body.code == ErrorCode::Interrupted => String::new(),
        Direction::Down => {
            format!("Transfer {n} {failed} {file} from {peer}, {there} of {all} here; connection closed.\n")
        }
        // Sent bytes need not have arrived.
        Direction::Up => {
            let out = format!("Transfer {n} {failed} {file} to {peer}, {there} of {all} sent; connection closed.\n");
            match asked_for {
                true => out,
                false => out + &format!("  {} ({})\n", escape(&body.message), body.code),
            }
        }
    }
}

pub(super) fn stalled(body: &event::TransferStalled, style: Style) -> String {
    let (file, stalled, left) = (escape(&body.file), style.yellow("stalled"), duration(body.left));
    format!(
        "Transfer {} {stalled}: nobody who is there has the rest of {file}; waiting for somebody, {left} at most.\n",
        body.transfer
    )
}

pub(super) fn source_dropped(body: &event::SourceDropped, style: Style) -> String {
    let (n, peer, gave_up, code) = (body.transfer, escape(&body.peer), style.yellow("gave up"), body.code);
    // It is not to be trusted, even if others give the rest.
    if matches!(code, ErrorCode::BadChunk | ErrorCode::PeerKeyChanged | ErrorCode::VerifiedKeyChanged) {
        let verified = code == ErrorCode::VerifiedKeyChanged;
        let alarm = if verified { format!("{} ", style.red(ALARM)) } else { String::new() };
        return format!("{alarm}Transfer {n}: {gave_up} {peer} as a source: {} ({code})\n", escape(&body.message));
    }
    // If it was the last one, the answer says why.
    format!("Transfer {n}: {gave_up} {peer} as a source ({code}).\n")
}
