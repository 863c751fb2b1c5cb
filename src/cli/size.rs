//! Parses sizes and rates on the command line: `500MB`, `1GiB`, `10M`, `1.5MB`.

use crate::io::transfer::SLOWEST;

/// Parses a rate in bytes a second. The unit may be short, as in `10M`, or missing.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let bytes = match unit.strip_suffix("/s").unwrap_or(unit) {
        "" | "B" => scaled(number, 1),
        unit => scale(unit).or_else(|| scale(&format!("{unit}B"))).and_then(|scale| scaled(number, scale)),
    };
    match bytes {
        Some(bytes) if bytes < SLOWEST => Err(format!("it must be at least {SLOWEST} bytes a second")),
        Some(bytes) => Ok(bytes),
        None => Err("write bytes a second, such as 500k, 10M, 1.5MB or 2MiB".into()),
    }
}

/// Parses a size in bytes. The unit is required.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text);
    scaled(number, scale(unit)?)
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()))
}

/// Powers of ten and of two (IEC 80000-13). Lower-case prefixes are accepted, too.
fn scale(unit: &str) -> Option<u64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "kb" => 1_000,
        "kib" => 1 << 10,
        "mb" => 1_000_000,
        "mib" => 1 << 20,
        "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        _ => return None,
    })
}

/// The whole bytes in a decimal number of units.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    // Nobody means a size with more decimals than that.
    if part.is_empty() || part.len() > 9 || part.contains('.') {
        return None;
    }
    let part = part.parse::<u64>().ok()?.checked_mul(scale)? / 10_u64.pow(part.len() as u32);
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units_or_none() {
        for (text, bytes) in [
            ("1024", 1_024),
            ("2000B", 2_000),
            ("500k", 500_000),
            ("500kB/s", 500_000),
            ("10M", 10_000_000),
            ("1.5MB", 1_500_000),
            ("2MiB", 2 << 20),
            ("2mi", 2 << 20),
            ("1.5Ki", 1_536),
            ("0.000001g", 0),
            ("1G", 1_000_000_000),
            ("10Gi", 10 << 30),
        ] {
            let read = rate(text);
            assert!(if bytes == 0 { read.is_err() } else { read == Ok(bytes) }, "{text}: {read:?}");
        }
    }

    #[test]
    fn nonsense_is_told() {
        for text in
            ["", "fast", "-1", "M", "1 M", "10Mbit", "1.M", ".5M", "1.2.3M", "1e6", "10MM", "99999999999G", "١M"]
        {
            assert!(rate(text).unwrap_err().contains("such as"), "{text}");
        }
        for text in ["0", "1023", "1k", "0.5k"] {
            assert!(rate(text).unwrap_err().contains("at least 1024"), "{text}");
        }
    }

    #[test]
    fn sizes_need_their_unit() {
        assert_eq!(size("500MB"), Some(500_000_000));
        assert_eq!(size("1.5GiB"), Some(3 << 29));
        for text in ["", "5", "5M", "MB", "99999999999GB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
