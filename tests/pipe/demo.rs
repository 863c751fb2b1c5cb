//! `potluck demo`: what the README promises first. Real processes on loopback.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::at_once;
use crate::support::environment::potluck;
use rustix::process::{Pid, Signal, kill_process};

fn demo(temp: &Path) -> Command {
    let mut command = potluck(&std::env::temp_dir());
    command.arg("demo").env("TMPDIR", temp).stdin(Stdio::null());
    command
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn twelve_files_go_round_and_nothing_is_left() {
    let temp = tempfile::tempdir().unwrap();
    let output = demo(temp.path()).output().unwrap();
    let (said, complained) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{said}\n{complained}");
    assert_eq!(complained, "");
    for line in [
        "dora: 8 files equal, byte for byte",
        "erin: 8 files equal, byte for byte",
        "cleo: 8 files equal, byte for byte",
        "Offered: 12 files by 3 people, 71.0 MiB.",
        "All 24 files are equal, byte for byte.",
        "erin | dora has left.",
    ] {
        assert!(said.lines().any(|said| said == line), "no line `{line}` in:\n{said}");
    }
    assert!(is_empty(temp.path()), "something is left in the temporary folder");
}

/// Reads until a line has `what` in it.
fn read_until(output: &mut impl BufRead, what: &str) -> String {
    let mut line = String::new();
    while !line.contains(what) {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the output ended before `{what}`");
    }
    line
}

fn stopped_by(signal: Signal, temp: &Path) -> (Child, u16) {
    let mut child = demo(temp).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let listening = read_until(&mut output, "potluck://127.0.0.1:");
    let port = listening.split("potluck://127.0.0.1:").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    read_until(&mut output, "Each fetches");
    kill_process(Pid::from_child(&child), signal).unwrap();
    // The rest is read, so that nothing but the signal ends it.
    std::io::copy(&mut output, &mut std::io::sink()).unwrap();
    (child, port)
}

#[test]
fn a_signal_ends_everybody_and_leaves_nothing() {
    at_once([(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)], |(signal, code)| {
        let temp = tempfile::tempdir().unwrap();
        let (mut child, port) = stopped_by(signal, temp.path());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(is_empty(temp.path()), "something is left in the temporary folder");
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the hub still runs");
    });
}

#[test]
fn whoever_stops_reading_ends_it_quietly() {
    let temp = tempfile::tempdir().unwrap();
    let mut child = demo(temp.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    read_until(&mut output, "A hub starts");
    drop(output);
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), b"".as_slice()));
    assert!(is_empty(temp.path()), "something is left in the temporary folder");
}

#[test]
fn without_room_for_its_files_it_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let output = demo(&temp.path().join("nowhere")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complained = String::from_utf8(output.stderr).unwrap();
    assert!(complained.starts_with("potluck: demo: no temporary folder could be made: "), "{complained}");
}
