//! Checks that a recording is one complete session, which no single line shows.

use std::collections::BTreeMap;

use serde_json::Value;

use super::validate::LineMistake;

/// Follows the events of a session from its `ready` to its `bye`.
#[derive(Debug, Clone, Default)]
pub struct Whole {
    lines: u64,
    /// The number of the line that had `bye`.
    ended: Option<u64>,
    /// The ids of requests that events have mentioned and that have no final event yet, each with the last line about
    /// it.
    open: BTreeMap<String, u64>,
}

impl Whole {
    /// Checks the next line's place in the session and returns the mistakes. Mistakes in the line itself, and in the
    /// order of `seq` after the first line, are found by [`super::validate::Validator`].
    pub fn hear(&mut self, number: u64, line: &[u8]) -> Vec<LineMistake> {
        self.lines += 1;
        let line: Value = serde_json::from_slice(line).unwrap_or_default();
        let (event, mut found) = (line["event"].as_str().unwrap_or_default(), Vec::new());
        let mut wrong = |pointer: &str, message: String| {
            found.push(LineMistake { line: number, pointer: pointer.to_owned(), message });
        };
        match (self.lines, event) {
            (1, "ready") => {}
            (1, _) => wrong("/event", "the first event of a session is `ready`".to_owned()),
            (_, "ready") => wrong("/event", "another session begins before this one is over".to_owned()),
            _ => {}
        }
        if self.lines == 1 && line["seq"] != 1 {
            wrong("/seq", "seq begins with 1".to_owned());
        }
        match self.ended {
            Some(bye) => wrong("", format!("nothing comes after `bye`, which is line {bye}")),
            None if event == "bye" => self.ended = Some(number),
            None => {}
        }
        if let Some(id) = line.get("id") {
            // After its final event, an id may be used for another request.
            match line["final"] == true {
                true => self.open.remove(&id.to_string()),
                false => self.open.insert(id.to_string(), number),
            };
        }
        found
    }

    /// Ends the check; returns what is missing.
    pub fn end(self) -> Vec<LineMistake> {
        let missing = |(id, line)| LineMistake {
            line,
            pointer: "/id".to_owned(),
            message: format!("no final event for the id {id} comes after this"),
        };
        let mut found: Vec<LineMistake> = self.open.into_iter().map(missing).collect();
        found.sort_by_key(|mistake| mistake.line);
        if self.ended.is_none() && self.lines > 0 {
            let message = "the last event of a session is `bye`".to_owned();
            found.push(LineMistake { line: self.lines, pointer: "/event".to_owned(), message });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str]) -> Vec<String> {
        let mut whole = Whole::default();
        let mut found: Vec<_> =
            (1..).zip(lines).flat_map(|(number, line)| whole.hear(number, line.as_bytes())).collect();
        found.extend(whole.end());
        found.into_iter().map(|mistake| format!("{}: {}", mistake.line, mistake.message)).collect()
    }

    #[test]
    fn a_session_is_whole_from_ready_to_bye_with_one_final_for_each_id() {
        let (ready, bye) = (r#"{"event":"ready","seq":1}"#, r#"{"event":"bye","seq":9}"#);
        let (begun, done) = (r#"{"event":"transfer-started","id":1}"#, r#"{"event":"error","id":1,"final":true}"#);
        let other = r#"{"event":"table","id":"1","final":true}"#;
        assert_eq!(check(&[ready, begun, other, done, begun, done, done, bye]), Vec::<String>::new());
        insta::assert_snapshot!(check(&[begun, begun, ready, bye, done, begun]).join("\n"), @r"
        1: the first event of a session is `ready`
        1: seq begins with 1
        3: another session begins before this one is over
        5: nothing comes after `bye`, which is line 4
        6: nothing comes after `bye`, which is line 4
        6: no final event for the id 1 comes after this
        ");
        insta::assert_snapshot!(check(&[ready, done, begun]).join("\n"), @r"
        3: no final event for the id 1 comes after this
        3: the last event of a session is `bye`
        ");
    }
}
