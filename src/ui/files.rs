//! Renders events about offers, and about who has which content.

use std::fmt::Write;

use super::escape::escape;
use super::phrases::{listed, named};
use super::style::Style;
use super::table::table;
use super::units::{count, percent, size};
use crate::protocol::ChunkSet;
use crate::protocol::event;
use crate::protocol::types::{SkipReason, Skipped};

/// The most items of a list that are named.
const NAMED: usize = 20;

pub(super) fn offer_acked(body: &event::OfferAcked, style: Style) -> String {
    let offers = body.offers.iter().map(|offer| {
        let cut = match body.at_most.map(|_| offer.chunks) {
            None => String::new(),
            Some(0) => ", no chunk".to_owned(),
            Some(1) => ", 1 chunk".to_owned(),
            Some(chunks) => format!(", {chunks} chunks of {}", size(offer.chunk_size)),
        };
        format!("{} ({}{cut})", escape(&offer.file), size(offer.size))
    });
    if body.offers.is_empty() {
        let out = "Nothing is there to be offered yet; what is put there will be.\n".to_owned();
        return out + &skipped(&body.skipped);
    }
    let mut out = format!("{} {}.\n", style.green("Offered:"), listed(offers, body.offers.len()));
    if let Some(at_most) = body.at_most
        && body.offers.iter().any(|offer| offer.chunks != u64::from(at_most))
    {
        let asked = count(at_most.into(), "chunk");
        let _ = writeln!(out, "  Not {asked}: a chunk's size is a power of two, of 1 KiB or more, so there are fewer.");
    }
    out + &skipped(&body.skipped)
}

pub(super) fn offer_progress(body: &event::OfferProgress, style: Style) -> String {
    let (done, files) = (percent(body.bytes, body.size), count(body.total_files, "file"));
    style.dim(&format!("Hashing: {done} of {} in {files}.", size(body.size))) + "\n"
}

pub(super) fn skipped(skipped: &[Skipped]) -> String {
    let mut out = String::new();
    for skipped in skipped.iter().take(NAMED) {
        let why = match skipped.reason {
            SkipReason::Link => "a link, and links are not followed",
            SkipReason::Special => "not a regular file",
            SkipReason::Name => "its name cannot be offered",
            SkipReason::Unreadable => "it cannot be read",
        };
        let _ = writeln!(out, "  left out {}: {why}", escape(&skipped.file));
    }
    if skipped.len() > NAMED {
        let _ = writeln!(out, "  left out {} more", skipped.len() - NAMED);
    }
    out
}

pub(super) fn offer_changed(body: &event::OfferChanged) -> String {
    let mut out = String::new();
    if !body.offers.is_empty() {
        let files: Vec<String> = body.offers.iter().map(|offer| offer.file.clone()).collect();
        let _ = writeln!(out, "New or changed, and offered: {}.", named(&files));
    }
    if !body.withdrawn.is_empty() {
        let _ = writeln!(out, "Gone, and offered no more: {}.", named(&body.withdrawn));
    }
    out
}

pub(super) fn offer_kept(body: &event::OfferKept) -> String {
    format!("The hub keeps a copy of {} ({}).\n", named(&body.files), size(body.bytes))
}

pub(super) fn found(body: &event::Found, style: Style) -> String {
    if body.files.is_empty() {
        return format!("Nobody has {}.\n", escape(&body.text));
    }
    let rows = body.files.iter().map(|file| {
        let holders = file.holders.iter().map(|holder| match holder.chunks == file.chunks {
            true => escape(&holder.name).into_owned(),
            false => format!("{} ({})", escape(&holder.name), percent(holder.chunks, file.chunks)),
        });
        vec![
            escape(&file.file).into_owned(),
            size(file.size),
            file.hash.to_string().chars().take(16).collect(),
            listed(holders, file.holders.len()),
        ]
    });
    let more = if body.more { "There is more; search for a longer part of the name.\n" } else { "" };
    table(&["FILENAME", "SIZE", "HASH", "WHO HAS IT"], &[1], rows.collect(), style) + more
}

pub(super) fn chunks(body: &event::Chunks, style: Style) -> String {
    let file = escape(&body.file);
    let mut out = match body.chunks {
        0 => return format!("{file} is empty and has no chunks.\n"),
        1 => format!("{file}: 1 chunk of {}.\n", size(body.size)),
        more => format!("{file}: {} of {} each.\n", count(more, "chunk"), size(body.chunk_size)),
    };
    if body.holders.is_empty() {
        return out + "Nobody has these.\n";
    }
    let rows = body.holders.iter().map(|holder| vec![escape(&holder.name).into_owned(), ranges(&holder.has)]);
    out += &table(&["NAME", "CHUNKS"], &[], rows.collect(), style);
    out
}

/// A set of chunks as text, such as `0-4, 7`.
pub(super) fn ranges(set: &ChunkSet) -> String {
    let one = |range: std::ops::Range<u32>| match range.len() {
        1 => range.start.to_string(),
        _ => format!("{}-{}", range.start, range.end - 1),
    };
    let mut shown: Vec<String> = set.ranges().take(NAMED + 1).map(one).collect();
    if shown.len() > NAMED {
        shown.truncate(NAMED);
        shown.push(format!("… ({} in all)", set.len()));
    }
    shown.join(", ")
}
