//! Renders the events about waiting: for the hub, for other transfers, or at the end of the input.

use std::fmt::Write;

use crate::protocol::Transfer;
use crate::protocol::event::{self, WaitsFor};
use crate::protocol::types::Stage;

use super::escape::escape;
use super::units::{duration, percent};

/// The most transfers that are named. Further ones are counted.
const NAMED: usize = 3;

pub(super) fn waiting(body: &event::Waiting) -> String {
    let quits = body.request.as_deref() == Some("quit");
    if let Some(request) = body.request.as_deref().filter(|_| !quits) {
        return format!("`{}` waits for the hub.\n", escape(request));
    }
    let given = |transfer: &&Transfer| transfer.state == Stage::Waiting;
    let mut parts = Vec::new();
    for what in &body.r#for {
        match what {
            WaitsFor::Hub => parts.push("the hub".to_owned()),
            WaitsFor::Answers => parts.push("answers".to_owned()),
            WaitsFor::Transfers => name(&mut parts, body.transfers.iter().filter(|t| !given(t)), |t| {
                let done = if t.state == Stage::Queued { "queued".to_owned() } else { percent(t.bytes, t.size) };
                format!("transfer {} ({}, {done})", t.transfer, escape(&t.file))
            }),
            WaitsFor::Pushes => name(&mut parts, body.transfers.iter().filter(given), |t| {
                format!("{} to take {} (transfer {})", escape(&t.peer), escape(&t.file), t.transfer)
            }),
            WaitsFor::Copies => parts.push("the hub's copies".to_owned()),
            WaitsFor::Messages => parts.push("messages that were kept for you".to_owned()),
        }
    }
    let mut out = format!("Leaving waits for {}", parts.join(", "));
    if let Some(left) = body.left {
        let _ = write!(out, ", for at most {}", duration(left));
    }
    out + if quits { ". `quit --now` or Ctrl-C leaves now.\n" } else { ". Ctrl-C leaves now.\n" }
}

/// Names the first items and counts the others.
fn name<'a>(
    parts: &mut Vec<String>,
    transfers: impl Iterator<Item = &'a Transfer>,
    named: impl Fn(&Transfer) -> String,
) {
    let transfers: Vec<&Transfer> = transfers.collect();
    parts.extend(transfers.iter().take(NAMED).map(|transfer| named(transfer)));
    if let Some(more) = transfers.len().checked_sub(NAMED).filter(|more| *more > 0) {
        parts.push(format!("{more} more"));
    }
}
