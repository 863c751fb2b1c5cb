//! Progress bars of the running transfers, computed from the events alone. A terminal draws the lines that this module
//! returns.
//!
//! The renderer of a client feeds it, and [`Screen`](super::screen::Screen) draws it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::escape::escape;
use super::progress_bar::progress_bar;
use super::style::Style;
use super::units::{duration, percent, rate, size};
use super::width::{columns, fitted};
use crate::protocol::event::{OfferProgress, TransferProgress, TransferStarted};
use crate::protocol::{Direction, Event, EventLine, Id, Timestamp, event};

pub use super::progress_bar::Glyphs;

/// The most transfers that get a bar of their own. Further ones are only counted.
const SHOWN: usize = 4;
/// Terminal rows that are not for bars: one for hashing, one that counts further transfers, two for the prompt.
const AROUND: usize = 4;
/// The shortest time between two drawings, in milliseconds, if only numbers have changed.
const STILL: i64 = 100;
/// The most columns of a bar's line. Longer lines would only be harder to read.
const WIDEST: usize = 100;
/// The most columns of a file's name.
const NAME: usize = 28;

/// The bars, shared by the thread that feeds events to them and the one that draws them.
#[derive(Debug, Clone)]
pub struct SharedBars(Arc<Mutex<Bars>>);

impl SharedBars {
    /// Without any transfers yet.
    pub fn new(style: Style, glyphs: Glyphs) -> Self {
        let bars =
            Bars { style, glyphs, running: Vec::new(), waiting: BTreeSet::new(), hashing: None, due: false, still: 0 };
        Self(Arc::new(Mutex::new(bars)))
    }

    /// Locks the bars.
    pub fn lock(&self) -> MutexGuard<'_, Bars> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of the bars: what is running, as the events have told.
#[derive(Debug)]
pub struct Bars {
    style: Style,
    glyphs: Glyphs,
    running: Vec<Running>,
    /// The numbers of the queued transfers.
    waiting: BTreeSet<u64>,
    hashing: Option<(Option<Id>, OfferProgress)>,
    due: bool,
    /// The time, in milliseconds, before which changed numbers alone are no reason to draw.
    still: i64,
}

#[derive(Debug)]
struct Running {
    transfer: u64,
    direction: Direction,
    file: String,
    bytes: u64,
    size: u64,
    /// The rate in bytes a second, and the milliseconds that are left, if known.
    pace: Option<(u64, Option<u64>)>,
}

/// The size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// The number of characters in a row.
    pub columns: usize,
    /// The number of rows.
    pub rows: usize,
}

/// One line of the drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarLine {
    /// The text, without a line feed.
    pub text: String,
    /// The most columns that the text takes.
    pub columns: usize,
}

impl Bars {
    /// Updates the bars with an event.
    pub fn hear(&mut self, line: &EventLine) {
        let before = (self.running.len(), self.waiting.len(), self.hashing.is_some());
        let mut moved = false;
        if let Event::TransferStarted(body) = &line.event {
            self.start(body);
        } else if let Event::TransferProgress(body) = &line.event {
            moved = self.go_on(body);
        } else if let Event::TransferStalled(body) = &line.event {
            // The rate at which the file arrived says nothing any more.
            let stalled = self.running.iter_mut().find(|running| running.transfer == body.transfer);
            moved = stalled.is_some_and(|running| running.pace.take().is_some());
        } else if let Event::TransferQueued(body) = &line.event {
            self.waiting.insert(body.transfer);
        } else if let Event::TransferCompleted(event::TransferCompleted { transfer, .. })
        | Event::TransferFailed(event::TransferFailed { transfer, .. })
        | Event::Cancelled(event::Cancelled { transfer }) = &line.event
        {
            self.end(*transfer);
        } else if let Event::OfferProgress(body) = &line.event {
            moved = true;
            self.hashing = (body.bytes < body.size).then(|| (line.id.clone(), body.clone()));
        } else if let Event::ParcelReady(_) = &line.event {
            // Its code is told once everything is hashed; the request ends much later.
            self.hashing = self.hashing.take().filter(|(id, _)| *id != line.id);
        } else if let Event::Gap(_) | Event::Bye(_) = &line.event {
            // The end of a transfer may be among the lost events, so the bars start again from nothing.
            self.running.clear();
            self.waiting.clear();
            self.hashing = None;
        } else if line.last && self.hashing.as_ref().is_some_and(|(id, _)| *id == line.id) {
            self.hashing = None;
        }
        let now = line.time.unwrap_or(Timestamp(0)).0;
        let changed = before != (self.running.len(), self.waiting.len(), self.hashing.is_some());
        // A system clock that was set back must not stop the drawing.
        if changed || (moved && (now >= self.still || now < self.still - STILL)) {
            self.due = true;
            self.still = now + STILL;
        }
    }

    /// Whether something has changed that should be drawn.
    pub fn is_due(&self) -> bool {
        self.due
    }

    /// Remembers that the bars have been drawn as they are.
    pub fn drawn(&mut self) {
        self.due = false;
    }

    fn start(&mut self, body: &TransferStarted) {
        self.end(body.transfer);
        let (transfer, direction, bytes, size) = (body.transfer, body.direction, body.resumed, body.size);
        let file = escape(&body.file).into_owned();
        self.running.push(Running { transfer, direction, file, bytes, size, pace: None });
    }

    fn go_on(&mut self, body: &TransferProgress) -> bool {
        let found = self.running.iter_mut().find(|running| running.transfer == body.transfer);
        let Some(running) = found else { return false };
        (running.bytes, running.size) = (body.bytes, body.size);
        running.pace = Some((body.rate, body.left));
        true
    }

    fn end(&mut self, transfer: u64) {
        self.waiting.remove(&transfer);
        self.running.retain(|running| running.transfer != transfer);
    }

    /// The lines to draw on a terminal of this size. They leave the last column free, and two rows for the prompt.
    pub fn lines(&self, size: TerminalSize) -> Vec<BarLine> {
        let room = size.columns.saturating_sub(1).min(WIDEST);
        let mut lines = Vec::new();
        if room < 12 || size.rows < AROUND {
            return lines;
        }
        let shown = SHOWN.min(size.rows - AROUND);
        if let Some((_, progress)) = &self.hashing {
            lines.push(self.line(("#", "hashing"), (progress.bytes, progress.size), None, room));
        }
        for running in self.running.iter().take(shown) {
            let arrow = self.glyphs.arrow(running.direction);
            // People need the number for `cancel`.
            let mark = format!("{arrow} #{}", running.transfer);
            lines.push(self.line((&mark, &running.file), (running.bytes, running.size), running.pace, room));
        }
        lines.extend(self.others(self.running.len().saturating_sub(shown), room));
        lines
    }

    /// The line that counts the transfers without a bar.
    fn others(&self, running: usize, room: usize) -> Option<BarLine> {
        let mut parts = Vec::new();
        if running > 0 {
            parts.push(format!("and {running} more"));
        }
        if !self.waiting.is_empty() {
            parts.push(format!("{} in the queue", self.waiting.len()));
        }
        let text = fitted(&parts.join(", "), room, self.glyphs.ellipsis());
        let columns = columns(&text);
        (!parts.is_empty()).then(|| BarLine { text: self.style.dim(&text), columns })
    }

    /// One line, with a fixed column for each part, so that nothing moves when numbers grow. Parts that do not fit are
    /// left out, the least important first; a long name is shortened before its transfer's number is.
    fn line(
        &self,
        (mark, what): (&str, &str),
        done: (u64, u64),
        pace: Option<(u64, Option<u64>)>,
        room: usize,
    ) -> BarLine {
        let mut tail = format!(" {:>5}", percent(done.0, done.1));
        if room >= 70 {
            tail += &format!(" {:>11}", size(done.1));
        }
        if room >= 50 {
            tail += &format!(" {:>10}", pace.map_or_else(String::new, |(speed, _)| rate(speed)));
        }
        if room >= 34 {
            tail += &format!(" {:>9}", pace.and_then(|(_, left)| left).map_or_else(String::new, remaining));
        }
        let rest = room.saturating_sub(columns(&tail));
        let name = NAME.min(rest / 2);
        let mut head = fitted(mark, name, self.glyphs.ellipsis());
        let left = name.saturating_sub(columns(&head) + 1);
        if left > 0 {
            head += &format!(" {}", fitted(what, left, self.glyphs.ellipsis()));
        }
        head += &" ".repeat(name - columns(&head));
        let bar = match rest.saturating_sub(name + 1) {
            // A bar of so few cells would be misleading.
            0..5 => " ".repeat(rest - name),
            cells => format!(" {}", progress_bar(done, cells, self.glyphs)),
        };
        BarLine { text: format!("{head}{}{}", self.style.green(&bar), self.style.dim(&tail)), columns: room }
    }
}

/// The time that is left, in whole seconds: decimals would only flicker.
fn remaining(left: u64) -> String {
    match left {
        0..60_000 => format!("{} s", left.div_ceil(1_000)),
        60_000.. => duration(left),
    }
}

#[cfg(test)]
#[path = "bars_tests.rs"]
mod tests;
