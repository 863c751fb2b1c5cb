//! Asks people who join at a terminal without a name for one.

use std::io::{self, BufRead, Write};

use super::ClientArgs;
use crate::protocol::name::check_person;
use crate::protocol::{ErrorCode, Failure, cause};
use crate::ui::escape::escape;

impl ClientArgs {
    /// Asks for a name unless there is one; proposes the name of the system's user.
    ///
    /// # Errors
    /// `bad-config` if no name is given.
    pub(in crate::cli) fn ask_for_name(&mut self) -> Result<(), Failure> {
        if !self.has_name() {
            let proposed = self.name().ok();
            let asked = asked(&mut io::stdin().lock(), &mut io::stdout(), &self.hub(), proposed.as_deref());
            let asked = asked.map_err(|e| bad(format!("No name can be asked for: {}.", cause::of_io(&e))))?;
            self.set_name(asked.ok_or_else(|| bad("A name is needed.".to_owned()))?);
        }
        Ok(())
    }
}

fn bad(message: String) -> Failure {
    Failure::new(ErrorCode::BadConfig, message).hint("Choose one with --name, or join NAME@HOST.")
}

/// The name that was typed and confirmed; `None` if the input ends.
fn asked(
    input: &mut impl BufRead,
    output: &mut impl Write,
    hub: &str,
    proposed: Option<&str>,
) -> io::Result<Option<String>> {
    let hub = escape(hub);
    loop {
        let shown = proposed.map(|name| format!(" [{name}]")).unwrap_or_default();
        let Some(typed) = answer(input, output, &format!("Your name at {hub}{shown}: "))? else { return Ok(None) };
        let name = if typed.is_empty() { proposed.unwrap_or_default() } else { &typed };
        if let Err(failure) = check_person(name) {
            writeln!(output, "{}", escape(&failure.message))?;
            continue;
        }
        match answer(input, output, &format!("Join as {}? [Y/n] ", escape(name)))? {
            None => return Ok(None),
            Some(yes) if ["", "y", "yes"].iter().any(|word| yes.eq_ignore_ascii_case(word)) => {
                return Ok(Some(name.to_owned()));
            }
            Some(_) => {}
        }
    }
}

/// Reads one line, without its end and the blanks around it.
fn answer(input: &mut impl BufRead, output: &mut impl Write, question: &str) -> io::Result<Option<String>> {
    write!(output, "{question}")?;
    output.flush()?;
    let mut line = Vec::new();
    // Names are short. Of a longer line only this much is read, and the name is refused.
    let read = io::Read::take(&mut *input, 1_024).read_until(b'\n', &mut line)?;
    if read == 0 {
        writeln!(output)?;
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(mut input: &[u8], proposed: Option<&str>) -> (Option<String>, String) {
        let mut output = Vec::new();
        let name = asked(&mut input, &mut output, "hub:7755", proposed).unwrap();
        (name, String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_name_is_asked_for_and_confirmed() {
        let (name, shown) = typed(b"erin\n\n", Some("dora"));
        assert_eq!(name.as_deref(), Some("erin"));
        assert_eq!(shown, "Your name at hub:7755 [dora]: Join as erin? [Y/n] ");
        assert_eq!(typed(b"\ny\n", Some("dora")).0.as_deref(), Some("dora"));
        assert_eq!(typed(b"erni\nn\nerin\nyes\n", Some("dora")).0.as_deref(), Some("erin"));
        let (name, shown) = typed(b"two words\nhub\n\nerin\n\n", None);
        assert_eq!((name.as_deref(), shown.matches("Your name").count()), (Some("erin"), 4));
        for ended in [&b""[..], b"erin\n", b"\xff\n"] {
            assert_eq!(typed(ended, Some("dora")).0, None);
        }
    }
}
