//! The threads that drive a transfer: one for each lane, one for the disk, and the caller's, which tells the user.

use std::sync::{Arc, PoisonError};
use std::thread::{self, Scope};
use std::time::Duration;

use super::control::Control;
use super::driver::Driver;
use super::lane::run_lane;
use crate::core::fetch::{Got, Input, LaneError, Output, TransferNote};
use crate::io::content::{Incoming, no_room};
use crate::protocol::{ErrorCode, Failure};

/// How often it is looked at the latest whether the user wants it to end, or has told of new sources.
const LOOK: Duration = Duration::from_millis(100);

/// Runs all threads to their end.
pub(super) fn run(driver: &Driver<'_>, notify: &dyn Fn(TransferNote), control: &Control) -> Result<Got, Failure> {
    let outcome = thread::scope(|scope| {
        let named = thread::Builder::new().name("data-disk".into());
        if let Err(e) = named.spawn_scoped(scope, || run_disk(driver)) {
            return Err(no_thread(&e));
        }
        driver.drain(&mut driver.lock());
        watch(driver, scope, notify, control)
    });
    let machine = &driver.lock().machine;
    let Some(downloads) = driver.downloads else { return outcome };
    match outcome {
        Err(failure) if failure.code == ErrorCode::DiskFull && machine.is_broken_off() => {
            Err(no_room(machine.missing(), downloads.free()).unwrap_or(failure))
        }
        Err(failure) if machine.is_broken_off() => Err(failure),
        other => downloads.sync().and(other),
    }
}

/// Starts the lanes, and tells the user how it goes, until the end has come.
fn watch<'scope, 'env>(
    driver: &'env Driver<'_>,
    scope: &'scope Scope<'scope, 'env>,
    notify: &dyn Fn(TransferNote),
    control: &Control,
) -> Result<Got, Failure> {
    let mut cancelled = false;
    loop {
        let news = control.take_news();
        let mut state = driver.lock();
        if !cancelled && control.is_cancelled() {
            cancelled = true;
            driver.stop.cancel();
            driver.handle(&mut state, Input::Cancel);
        }
        for news in news {
            driver.fetcher.local.pool.heed(&news);
            driver.handle(&mut state, news);
        }
        let now = driver.now();
        let due = state.machine.next_timeout();
        if due.is_some_and(|at| at <= now) {
            driver.handle(&mut state, Input::Tick);
        }
        let (dials, notes) = (std::mem::take(&mut state.dials), std::mem::take(&mut state.notes));
        if dials.is_empty() && notes.is_empty() {
            if let Some(outcome) = state.machine.outcome() {
                return outcome;
            }
            let wait = state.machine.next_timeout().map_or(LOOK, |at| (at - driver.now()).min(LOOK));
            drop(driver.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner));
            continue;
        }
        drop(state);
        for (dial, hangup) in dials {
            let (lane, named) = (dial.lane, thread::Builder::new().name("data-fetch".into()));
            if let Err(e) = named.spawn_scoped(scope, move || run_lane(driver, dial, hangup)) {
                driver.report(Input::Ended(lane, Err(LaneError::Fatal(no_thread(&e)))));
            }
        }
        notes.into_iter().for_each(notify);
    }
}

/// Does what takes its time on the disk, one after the other.
fn run_disk(driver: &Driver<'_>) {
    loop {
        let mut state = driver.lock();
        let order = loop {
            if let Some(order) = state.disk.pop_front() {
                break order;
            }
            if state.machine.outcome().is_some() {
                return;
            }
            state = driver.disk.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        let incoming = state.incoming.clone();
        drop(state);
        if let Some(input) = do_on_disk(driver, order, incoming) {
            driver.report(input);
        }
    }
}

fn do_on_disk(driver: &Driver<'_>, order: Output, incoming: Option<Arc<Incoming>>) -> Option<Input> {
    let of = |file: u32| incoming.as_ref().filter(|incoming| incoming.file == file);
    match order {
        Output::Open(file) => {
            let planned = driver.plan.files.get(file as usize)?;
            let at = (driver.fetcher.folder, driver.fetcher.store);
            let opened = Incoming::open(&driver.plan, (file, planned), at, &driver.stop);
            let opened = opened.map(|(opened, incoming)| {
                driver.lock().incoming = incoming.map(Arc::new);
                opened
            });
            Some(Input::Opened(file, opened))
        }
        Output::Check(chunk) => {
            let right = incoming.is_some_and(|incoming| incoming.check(chunk, &driver.stop));
            Some(Input::Checked { chunk, right })
        }
        Output::Place { file, complete } => {
            let placed = of(file).ok_or_else(|| Failure::from(ErrorCode::Internal)).and_then(|of| of.place(complete));
            let result = placed.map(|path| (path.to_string_lossy().into_owned(), complete));
            Some(Input::Placed { file, result })
        }
        Output::Leave { file, discard } => {
            of(file).into_iter().for_each(|of| of.leave(discard));
            Some(Input::Placed { file, result: Err(ErrorCode::Interrupted.into()) })
        }
        Output::Make(file) => {
            let result = make(driver, file).map(|()| (String::new(), true));
            Some(Input::Placed { file, result })
        }
        Output::Dial { .. }
        | Output::AskManifest(_)
        | Output::AskChunks(..)
        | Output::AskFiles(..)
        | Output::Write(..)
        | Output::KeepAlive(_)
        | Output::Close(_)
        | Output::Cut(_)
        | Output::Note(_) => None,
    }
}

/// Makes an empty file.
fn make(driver: &Driver<'_>, file: u32) -> Result<(), Failure> {
    let mut writer = driver.writer().ok_or(ErrorCode::Internal)?;
    if driver.stop.is_cancelled() {
        return Err(ErrorCode::Interrupted.into());
    }
    driver.write_file(&mut writer, file, &[])
}

fn no_thread(e: &std::io::Error) -> Failure {
    Failure::internal(format!("no thread can be had: {e}"))
}
