//! Parses spans of time on the command line: `500ms`, `30s`, `5m`.

use std::time::Duration;

use crate::protocol::when::short_span;

const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// Parses a span. A number alone is in milliseconds.
pub(super) fn millis(text: &str) -> Result<Duration, String> {
    parse(text, 1)
}

/// Parses a span. A number alone is in seconds.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    parse(text, 1_000)
}

fn parse(text: &str, default: u64) -> Result<Duration, String> {
    let bare = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()?.checked_mul(default));
    let span = bare.map_or_else(|| short_span(text), |millis| millis.map(Duration::from_millis));
    let span = span.ok_or("write a number with ms, s, m or h, such as 500ms or 30s")?;
    if span <= LONGEST { Ok(span) } else { Err("it must be at most 7 days".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        assert_eq!(millis("500"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds("30"), Ok(Duration::from_secs(30)));
        assert_eq!(seconds("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(millis("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(millis("168h"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(seconds("1m30s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "s", "-1", "1 s", "1d", "99999999h", "1.5s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
