//! Times as people write them.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

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

/// A span of time such as `90s` or `1h30m`: whole numbers, each with `ms`, `s`, `m` or `h`.
pub fn short_span(text: &str) -> Option<Duration> {
    let span: SignedDuration = is_plain(text).then(|| text.parse().ok())??;
    span.try_into().ok()
}

/// A span of time as [`span`] reads it; a number alone is in seconds.
pub fn span_or_seconds(text: &str) -> Option<Duration> {
    match text.parse() {
        Ok(seconds) if is_plain(text) => Some(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => span(text),
    }
}

/// A span of time such as `30d` or `1h30m`, with days of 24 hours besides the units of [`short_span`].
pub fn span(text: &str) -> Option<Duration> {
    let span: Span = is_plain(text).then(|| text.parse().ok())??;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.try_into().ok()
}

/// Only digits and small letters: no signs, fractions, spaces or long names of units, which jiff would read.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b"smhd".contains(&byte))
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
            ("090m", 1_767_323_045_678 - 5_400_000),
            ("1h30m", 1_767_323_045_678 - 5_400_000),
            ("30d", 1_767_323_045_678 - 30 * 86_400_000),
            ("0s", 1_767_323_045_678),
        ] {
            assert_eq!(When::parse(text).unwrap().at(now), Timestamp(at), "{text}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "",
            "m",
            "10",
            "-10m",
            "1.5h",
            "1 h",
            "1H",
            "PT1H",
            "1hour",
            "1y",
            "1h ago",
            "99999999999999999999d",
            "yesterday",
            "32/01/2026 00:00:00",
            "é",
        ] {
            assert_eq!(When::parse(text).unwrap_err().code, ErrorCode::BadTime, "{text}");
        }
    }
}
