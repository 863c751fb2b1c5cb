//! `potluck replay`: shows a recorded stream as the text that a person would have seen.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::io::drive::stdout::StandardOutput;
use crate::protocol::cause;
use crate::protocol::schema::Stream;
use crate::protocol::{EventLine, LogLine};
use crate::ui::escape::escape;
use crate::ui::human::{render, render_timed};
use crate::ui::log::render_log;
use crate::ui::style::Style;
use crate::ui::validate::Validator;

use super::client::style;
use super::recording::{Recording, complain, finish, named};

/// Show a recorded stream as a person would have seen it.
///
/// Reads events as `potluck --json` writes them, or the hub's log as `potluck serve --log-format
/// json` does, and prints the text that the program without that option prints, byte for byte.
/// Events of newer versions are passed over. Broken lines are named on standard error; the exit
/// code is 1 if there were any.
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// The recording: one JSON object on each line; `-` is standard input.
    pub file: PathBuf,
    /// Show when each message was sent, in UTC, and its number, as `join --times` does.
    #[arg(long, env = "POTLUCK_TIMES", value_parser = FalseyValueParser::new())]
    pub times: bool,
}

impl Replay {
    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(&self) -> ExitCode {
        let (style, times) = (style(), self.times);
        let events = move |line: &EventLine| if times { render_timed(line, style) } else { render(line, style) };
        let mut out = BufWriter::new(StandardOutput);
        let replayed = Recording::open(&self.file)
            .map_err(named(&self.file))
            .and_then(|recording| replay(recording, (&events, style), &mut out, &mut |mistake| complain(mistake)));
        finish(replayed.and_then(|sound| out.flush().map(|()| ExitCode::from(u8::from(!sound)))))
    }
}

/// Renders every line; returns whether all could be read.
fn replay(
    mut recording: Recording,
    how: (&dyn Fn(&EventLine) -> String, Style),
    out: &mut impl Write,
    complain: &mut dyn FnMut(&str),
) -> io::Result<bool> {
    let (mut sound, mut stream) = (true, None);
    while let Some(line) = recording.next_line()? {
        let stream = *stream.get_or_insert_with(|| Validator::detect(&line));
        match text(stream, &line, how) {
            Ok(text) => out.write_all(text.as_bytes())?,
            Err(mistake) => {
                sound = false;
                out.flush()?;
                complain(&format!("line {}: {}", recording.number, escape(&mistake)));
            }
        }
        if recording.may_wait() {
            out.flush()?;
        }
    }
    Ok(sound)
}

fn text(
    stream: Stream,
    line: &[u8],
    (events, style): (&dyn Fn(&EventLine) -> String, Style),
) -> Result<String, String> {
    let line = std::str::from_utf8(line).map_err(|_| "the line is not valid UTF-8".to_owned())?;
    let read = match stream {
        Stream::Events => EventLine::parse(line).map(|line| line.map(|line| events(&line))),
        Stream::Log => LogLine::parse(line).map(|line| line.map(|line| render_log(&line, style))),
        Stream::Requests => return Err("this is a request; events or a hub's log can be replayed".to_owned()),
    };
    read.map(Option::unwrap_or_default).map_err(|e| cause::of_json(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replayed(recording: &'static str) -> (String, Vec<String>) {
        let (mut out, mut mistakes) = (Vec::new(), Vec::new());
        let recording = Recording::new(recording.as_bytes());
        let sound = replay(recording, (&|line| render(line, Style::Plain), Style::Plain), &mut out, &mut |mistake| {
            mistakes.push(mistake.to_owned())
        })
        .unwrap();
        assert_eq!(sound, mistakes.is_empty());
        (String::from_utf8(out).unwrap(), mistakes)
    }

    #[test]
    fn strangers_are_passed_over_and_broken_lines_are_named() {
        let (text, mistakes) = replayed(concat!(
            "\u{feff}{\"event\":\"dir-set\",\"seq\":1,\"dir\":\"music\"}\r\n",
            "{\"event\":\"earthquake\",\"seq\":2}\n",
            "{\"event\":\"cancelled\"}\n",
            "not json\n",
            "{\"event\":\"waited\",\"new\":1}",
        ));
        assert_eq!(text, "Offering from music.\nEverything asked before is done.\n");
        assert_eq!(mistakes.len(), 2);
        assert!(mistakes[0].starts_with("line 3: the field `transfer` is missing at column "), "{mistakes:?}");
        assert!(mistakes[1].starts_with("line 4: "), "{mistakes:?}");
    }

    #[test]
    fn a_log_is_replayed_too() {
        let line = "{\"event\":\"hub-stopped\",\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\"}\n";
        assert_eq!(replayed(line).0, "2026-01-02T03:04:05.678Z info  stopped\n");
    }
}
