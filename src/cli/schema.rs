//! `potluck schema`: prints the schemas of all lines, and checks recorded streams against them.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};

use crate::io::drive::stdout::StandardOutput;
use crate::protocol::schema::{self, SchemaFile, Stream};
use crate::ui::escape::escape;
use crate::ui::units::count;
use crate::ui::validate::{LineMistake, Validator};
use crate::ui::whole::Whole;

use super::recording::{Recording, complain, finish, named};

/// Show the JSON Schemas of potluck's lines, or check lines against them.
#[derive(Debug, Clone, Args)]
pub struct Schema {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Subcommand)]
enum Action {
    /// List the schemas: requests, events, what the hub logs, and what answers what.
    List,
    /// Print a schema.
    Show(Show),
    /// Check a recorded stream, line by line.
    Check(Check),
}

/// Print a schema.
#[derive(Debug, Clone, Args)]
struct Show {
    /// As `list` shows it, such as `requests/get` or just `get`; `request`, `event` and `log` are for any line, and
    /// `answers` says which events and errors can answer which request.
    name: String,
}

/// Check a recorded stream, line by line.
///
/// Prints LINE: POINTER: MESSAGE for each mistake. The exit code is 0 if there is none, otherwise 1.
/// Without an option, the first line tells whether it is requests, events or a hub's log. A recording in which
/// there is nothing is a mistake too.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("kind"))]
struct Check {
    /// The recording: one JSON object on each line; `-` is standard input.
    file: PathBuf,
    /// The lines are events.
    #[arg(long, group = "kind")]
    events: bool,
    /// The lines are requests.
    #[arg(long, group = "kind")]
    requests: bool,
    /// The lines are a hub's log.
    #[arg(long, group = "kind")]
    log: bool,
    /// The lines are all events of one session: `ready` comes first, `bye` last, `seq` counts from 1 without a hole,
    /// and whatever has an id is followed by its one final event.
    #[arg(long, group = "kind")]
    stream: bool,
}

impl Schema {
    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(&self) -> ExitCode {
        let mut out = BufWriter::new(StandardOutput);
        let done = match &self.action {
            Action::List => list(&mut out).map(|()| ExitCode::SUCCESS),
            Action::Show(show) => match find(&show.name) {
                Ok(file) => out.write_all(file.text.as_bytes()).map(|()| ExitCode::SUCCESS),
                Err(reason) => {
                    complain(&reason);
                    Ok(ExitCode::from(2))
                }
            },
            Action::Check(check) => check.run(&mut out),
        };
        finish(done.and_then(|code| out.flush().map(|()| code)))
    }
}

fn list(out: &mut impl Write) -> io::Result<()> {
    for stream in Stream::ALL {
        writeln!(out, "{:<32}any of these:", stream.any())?;
        for word in stream.words() {
            writeln!(out, "{:<32}{}", format!("{}/{}", stream.dir(), word.name), word.about.trim())?;
        }
    }
    writeln!(out, "{:<32}Which events and errors can answer which request.", "answers")
}

/// The schema of this name, with or without its folder.
fn find(name: &str) -> Result<SchemaFile, String> {
    let wanted = name.strip_suffix(".json").unwrap_or(name);
    let wanted = wanted.strip_suffix(".schema").unwrap_or(wanted);
    let mut found: Vec<_> = schema::all()
        .into_iter()
        .map(|file| (file.path.trim_end_matches(".json").trim_end_matches(".schema").to_owned(), file))
        .filter(|(path, _)| path == wanted || path.split_once('/').is_some_and(|(_, word)| word == wanted))
        .collect();
    match found.len() {
        1 => Ok(found.remove(0).1),
        0 => Err(format!("there is no schema `{}`; `potluck schema list` shows them", escape(name))),
        _ => {
            let paths: Vec<_> = found.into_iter().map(|(path, _)| format!("`{path}`")).collect();
            Err(format!("`{wanted}` is ambiguous: say {}", paths.join(" or ")))
        }
    }
}

impl Check {
    fn run(&self, out: &mut impl Write) -> io::Result<ExitCode> {
        let recording = Recording::open(&self.file).map_err(named(&self.file))?;
        let checked = check(recording, self.kind(), self.stream.then(Whole::default), out)?;
        out.flush()?;
        let (lines, mistakes) = (count(checked.lines, "line"), checked.mistakes);
        // It goes to standard error, because standard output has only the mistakes.
        complain(&match mistakes {
            0 if checked.is_blank => format!("there is nothing in {}", escape(&self.file.to_string_lossy())),
            0 => format!("{lines}, all valid"),
            _ => format!("{} in {lines}", count(mistakes, "mistake")),
        });
        Ok(ExitCode::from(u8::from(mistakes > 0 || checked.is_blank)))
    }

    fn kind(&self) -> Option<Stream> {
        match (self.events || self.stream, self.requests, self.log) {
            (true, _, _) => Some(Stream::Events),
            (_, true, _) => Some(Stream::Requests),
            (_, _, true) => Some(Stream::Log),
            (false, false, false) => None,
        }
    }
}

/// The result of a check.
#[derive(Debug, PartialEq, Eq)]
struct Checked {
    lines: u64,
    mistakes: u64,
    /// Whether every line was empty, which means that nothing was recorded.
    is_blank: bool,
}

/// Prints and counts the mistakes: those of the lines and, if wanted, those of the session as a whole.
fn check(
    mut recording: Recording,
    kind: Option<Stream>,
    mut whole: Option<Whole>,
    out: &mut impl Write,
) -> io::Result<Checked> {
    let (mut validator, mut mistakes, mut is_blank) = (kind.map(Validator::new), 0, true);
    let mut tell = |found: Vec<LineMistake>, out: &mut dyn Write| -> io::Result<()> {
        for mistake in found {
            mistakes += 1;
            writeln!(out, "{}: {}: {}", mistake.line, escape(&mistake.pointer), escape(&mistake.message))?;
        }
        Ok(())
    };
    while let Some(line) = recording.next_line()? {
        is_blank &= line.trim_ascii().is_empty();
        let validator = validator.get_or_insert_with(|| Validator::new(Validator::detect(&line)));
        tell(validator.validate_line(recording.number, &line).err().unwrap_or_default(), out)?;
        tell(whole.as_mut().map_or_else(Vec::new, |whole| whole.hear(recording.number, &line)), out)?;
        if recording.may_wait() {
            out.flush()?;
        }
    }
    tell(whole.map_or_else(Vec::new, Whole::end), out)?;
    Ok(Checked { lines: recording.number, mistakes, is_blank })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_with_and_without_their_folder() {
        assert_eq!(find("get").unwrap().path, "requests/get.schema.json");
        assert_eq!(find("events/table").unwrap().path, "events/table.schema.json");
        assert_eq!(find("events/table.schema.json").unwrap().path, "events/table.schema.json");
        assert_eq!(find("event").unwrap().path, "event.schema.json");
        assert_eq!(find("status").unwrap_err(), "`status` is ambiguous: say `requests/status` or `events/status`");
        assert!(find("gte").unwrap_err().contains("no schema `gte`"));
    }

    #[test]
    fn every_example_checks_out_and_mistakes_are_told_by_line() {
        for stream in Stream::ALL {
            let lines: String = (1..)
                .zip(stream.words())
                .map(|(seq, word)| {
                    schema::example(stream, word).replace("\"seq\":12", &format!("\"seq\":{seq}")) + "\n"
                })
                .collect();
            let mut out = Vec::new();
            let checked = check(Recording::new(io::Cursor::new(lines)), None, None, &mut out).unwrap();
            let right = Checked { lines: stream.words().len() as u64, mistakes: 0, is_blank: false };
            assert_eq!(checked, right, "{}", String::from_utf8_lossy(&out));
        }
        let mut out = Vec::new();
        let wrong = "{\"request\":\"list\"}\n{\"request\":\"get\",\"file\":7}\n";
        let checked = check(Recording::new(wrong.as_bytes()), None, None, &mut out).unwrap();
        assert_eq!(checked, Checked { lines: 2, mistakes: 1, is_blank: false });
        assert_eq!(String::from_utf8(out).unwrap(), "2: /file: the value is not of type \"string\"\n");
    }

    #[test]
    fn the_list_names_every_schema() {
        let mut out = Vec::new();
        list(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), schema::all().len());
    }
}
