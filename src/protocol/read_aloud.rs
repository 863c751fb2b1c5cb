//! The digits of a safety number as people type what is read to them: in groups, with spaces between them.

/// The digits of a safety number.
const DIGITS: usize = 60;

/// The words of a `verify` with the groups after `--number` joined into one word; `None` if there is nothing to join.
pub(super) fn with_whole_number(words: &[String]) -> Option<Vec<String>> {
    let first = words.first().filter(|name| *name == "verify")?;
    let at = words.iter().position(|word| word == "--number")? + 1;
    let (mut number, mut after) = (String::new(), at);
    // A name may consist of digits, too, and follow.
    while let Some(group) = words.get(after).filter(|group| is_group(group) && number.len() < DIGITS) {
        number.push_str(group);
        after += 1;
    }
    if after <= at + 1 {
        return None;
    }
    let before = words.iter().take(at).skip(1);
    Some(std::iter::once(first).chain(before).chain([&number]).chain(words.iter().skip(after)).cloned().collect())
}

fn is_group(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(line: &str) -> Option<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        with_whole_number(&words).map(|words| words.join(" "))
    }

    #[test]
    fn groups_are_joined_up_to_the_whole_number() {
        let (groups, whole) = (vec!["12345"; 12].join(" "), "12345".repeat(12));
        for (line, expected) in [
            (format!("verify erin --confirm --number {groups}"), format!("verify erin --confirm --number {whole}")),
            (format!("verify --number {groups} --confirm erin"), format!("verify --number {whole} --confirm erin")),
            (format!("verify --number {groups} 007"), format!("verify --number {whole} 007")),
            ("verify erin --number 12345 67890".to_owned(), "verify erin --number 1234567890".to_owned()),
        ] {
            assert_eq!(joined(&line), Some(expected), "{line}");
        }
        for line in
            ["verify erin", "verify erin --number", &format!("verify --number {whole} 007"), "get a --number 1 2"]
        {
            assert_eq!(joined(line), None, "{line}");
        }
    }
}
