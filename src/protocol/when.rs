//! Times as people write them.

use std::time::Duration;

use super::{ErrorCode, Failure, Timestamp};

/// A time, absolute or relative to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// A point in time.
    At(Timestamp),
    /// A time this long before now.
    Ago(Duration),
}

impl When {
    /// Reads a time: RFC 3339 (`2026-01-02T03:04:05Z`, with any offset), `dd/mm/yyyy hh:mm:ss` (UTC), or a span before
    /// now as a whole number and `s`, `m`, `h` or `d`.
    ///
    /// # Errors
    /// `bad-time`, which lists the formats.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        on_calendar(text).map(Self::At).or_else(|| span(text).map(Self::Ago)).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            Failure::new(ErrorCode::BadTime, format!("`{shown}` is not a time."))
        })
    }

    /// The absolute time, for the current time `now`.
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::Ago(span) => Timestamp(now.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))),
        }
    }
}

fn on_calendar(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let moment = jiff::civil::DateTime::strptime("%d/%m/%Y %H:%M:%S", text).ok()?;
    let moment = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(moment.timestamp().as_millisecond()))
}

/// Reads a span: a whole number and its unit.
pub fn span(text: &str) -> Option<Duration> {
    let unit = match text.chars().next_back()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    let count: u64 = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok())??;
    Some(Duration::from_secs(count.checked_mul(unit)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_formats_are_read() {
        let now = Timestamp(1_767_323_045_678);
        for (text, at) in [
            ("2026-01-02T03:04:05Z", 1_767_323_045_000),
            ("2026-01-02T04:04:05.500+01:00", 1_767_323_045_500),
            ("02/01/2026 03:04:05", 1_767_323_045_000),
            ("10m", 1_767_323_045_678 - 600_000),
            ("30d", 1_767_323_045_678 - 30 * 86_400_000),
            ("0s", 1_767_323_045_678),
        ] {
            assert_eq!(When::parse(text).unwrap().at(now), Timestamp(at), "{text}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for text in ["", "m", "10", "-10m", "1.5h", "99999999999999999999d", "yesterday", "32/01/2026 00:00:00", "é"] {
            assert_eq!(When::parse(text).unwrap_err().code, ErrorCode::BadTime, "{text}");
        }
    }
}
