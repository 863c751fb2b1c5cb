use std::io::{BufRead, BufReader};
use std::sync::mpsc::channel;

use super::*;

struct Word(u64);

impl Queued for Word {
    fn stamp(&self) -> u64 {
        self.0
    }
    fn bytes(&self) -> usize {
        8
    }
}

const BOUNDS: Bounds = Bounds { facts: 100, bytes: 1 << 20 };

fn render(popped: Popped<Word>, text: &mut Vec<u8>) {
    match popped {
        Popped::Item(Word(n)) => writeln!(text, "{n}").unwrap(),
        Popped::Gap(gap) => writeln!(text, "gap {} {}", gap.first, gap.last).unwrap(),
    }
}

#[test]
fn all_that_was_told_is_there_after_closing() {
    let (reader, writer) = io::pipe().unwrap();
    let output = Output::spawn(BOUNDS, writer, render, |e| panic!("{e}")).unwrap();
    for n in 0..50 {
        output.push_fact(Word(n));
    }
    output.close(None).unwrap();
    output.close(None).unwrap();
    output.push_fact(Word(99));
    let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
    assert_eq!(lines, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_closed_pipe_is_said_and_everything_goes_on() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let (told, heard) = channel();
    let output = Output::spawn(BOUNDS, writer, render, move |e| told.send(e.kind()).unwrap()).unwrap();
    output.push_fact(Word(1));
    assert_eq!(heard.recv().unwrap(), io::ErrorKind::BrokenPipe);
    for n in 0..10_000 {
        output.push_fact(Word(n));
    }
    assert_eq!(output.close(None).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

/// Takes nothing until it is allowed to, and says when it is asked first.
struct Stalled(std::sync::mpsc::Sender<()>, std::sync::mpsc::Receiver<()>, io::PipeWriter);

impl Write for Stalled {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(());
        let _ = self.1.recv();
        self.2.write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.2.flush()
    }
}

#[test]
fn a_reader_that_stalls_stops_nobody_and_learns_of_the_gap() {
    let ((asked, was_asked), (allow, allowed)) = (channel(), channel());
    let (reader, writer) = io::pipe().unwrap();
    let output = Output::spawn(BOUNDS, Stalled(asked, allowed, writer), render, |e| panic!("{e}")).unwrap();
    output.push_fact(Word(0));
    was_asked.recv().unwrap();
    for n in 1..=1000 {
        output.push_fact(Word(n));
    }
    assert!(output.unread() > 0);
    assert_eq!(output.close(Some(Duration::from_millis(20))).unwrap_err().kind(), io::ErrorKind::TimedOut);
    drop(allow);
    output.close(None).unwrap();
    let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 102);
    assert_eq!(lines[100..], ["100", "gap 101 1000"]);
}

#[test]
fn a_panic_while_rendering_leaves_nobody_waiting() {
    let output =
        Output::spawn(BOUNDS, io::sink(), |_: Popped<Word>, _: &mut Vec<u8>| panic!("on purpose"), |_| ()).unwrap();
    output.push_fact(Word(1));
    assert!(output.close(None).is_err());
    output.push_fact(Word(2));
    let _ = output.close(None); // It comes back at all.
}
