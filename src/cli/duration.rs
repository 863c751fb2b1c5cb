//! Parses spans of time on the command line: `500ms`, `30s`, `5m`.

use std::time::Duration;

/// Parses a span. A number alone is in milliseconds.
pub(super) fn millis(text: &str) -> Result<Duration, String> {
    parse(text, 1)
}

/// Parses a span. A number alone is in seconds.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    parse(text, 1_000)
}

fn parse(text: &str, default: u64) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match &text[digits..] {
        "" => default,
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("write a number with ms, s, m or h, such as 500ms or 30s".into()),
    };
    let number: u64 =
        text[..digits].parse().map_err(|_| "write a number with ms, s, m or h, such as 500ms or 30s".to_owned())?;
    number
        .checked_mul(unit)
        .filter(|ms| *ms <= 7 * 86_400_000)
        .map(Duration::from_millis)
        .ok_or("it must be at most 7 days".into())
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
        for wrong in ["", "s", "-1", "1 s", "1d", "99999999h", "1.5s"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
