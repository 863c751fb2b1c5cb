//! Formats numbers for people.

use crate::protocol::Timestamp;

/// A size in bytes, in powers of 1024: `5 B`, `3.4 MiB`.
pub fn size(bytes: u64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

/// A size, with the exact number where the short form hides it: `3.4 MiB (3565158 bytes)`.
pub fn exact_size(bytes: u64) -> String {
    if bytes < 1024 { size(bytes) } else { format!("{} ({bytes} bytes)", size(bytes)) }
}

/// A rate in bytes a second, in powers of 1000, as networks are measured: `12.5 MB/s`.
pub fn rate(bytes_a_second: u64) -> String {
    scaled(bytes_a_second, 1000.0, &["B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s", "EB/s"])
}

/// A duration in milliseconds: `12 ms`, `1.5 s`, `2 min 5 s`, `3 h 20 min`.
pub fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        60_000..3_600_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600_000.. => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A percentage: `25 %`. For a whole of 0 it is 100 %; it is rounded down, so that only a complete whole has 100 %.
pub fn percent(part: u64, whole: u64) -> String {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    format!("{} %", if whole == 0 { 100 } else { percent.min(100) })
}

/// A count with its noun: `1 file`, `2 files`.
pub fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A time, to the second: `2026-01-02 03:04:05Z`.
pub fn moment(time: Timestamp) -> String {
    let text = time.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    format!("{}Z", seconds.replace('T', " "))
}

fn scaled(number: u64, step: f64, units: &[&str]) -> String {
    let (mut value, mut units) = (number as f64, units.iter());
    let mut unit = units.next().copied().unwrap_or_default();
    if value < step {
        return format!("{number} {unit}");
    }
    // One decimal is shown, so a value that would round up to a whole unit is shown in that unit.
    for next in units {
        if value < step - 0.05 {
            break;
        }
        value /= step;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_at_their_edges() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (3_565_158, "3.4 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(exact_size(5), "5 B");
        assert_eq!(exact_size(4096), "4.0 KiB (4096 bytes)");
        assert_eq!(rate(102_400), "102.4 kB/s");
        assert_eq!(rate(12_500_000), "12.5 MB/s");
        assert_eq!(duration(999), "999 ms");
        assert_eq!(duration(1_550), "1.5 s");
        assert_eq!(duration(125_000), "2 min 5 s");
        assert_eq!(duration(12_000_000), "3 h 20 min");
        assert_eq!(percent(999, 1000), "99 %");
        assert_eq!(percent(0, 0), "100 %");
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(moment(Timestamp(1_767_323_045_678)), "2026-01-02 03:04:05Z");
    }
}
