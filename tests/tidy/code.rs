//! Source text reduced to what the compiler sees of the shipped crate: no comments, no contents of literals, no tests.

/// The code of a file, line for line: comments, the contents of literals, and items under `#[cfg(test)]` are blank.
pub fn shipped(text: &str) -> String {
    without_tests(&without_literals(text))
}

/// Blanks comments and the contents of strings and characters; lines stay where they are.
fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = literal(rest, out.chars().next_back());
        if length == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            let (skipped, after) = rest.split_at(length);
            out.extend(skipped.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
    }
    out
}

/// The length in bytes of the comment or literal at the start of `text`, 0 if there is none.
fn literal(text: &str, before: Option<char>) -> usize {
    let to = |end: Option<usize>| end.unwrap_or(text.len());
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if text.starts_with("//") {
        return to(text.find('\n'));
    }
    if text.starts_with("/*") {
        return to(text.find("*/").map(|at| at + 2));
    }
    if text.starts_with('"') {
        return quoted(text, '"');
    }
    if text.starts_with('\'') {
        // A lifetime has no second quote behind one character.
        let mut next = text.chars().skip(1);
        let is_char = match (next.next(), next.next()) {
            (Some('\\'), _) => true,
            (Some(_), end) => end == Some('\''),
            (None, _) => false,
        };
        return if is_char { quoted(text, '\'') } else { 0 };
    }
    let raw = text.strip_prefix('b').unwrap_or(text);
    if let Some(raw) = raw.strip_prefix('r').filter(|_| !in_word) {
        let hashes = raw.bytes().take_while(|b| *b == b'#').count();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = text.len() - raw.len() + hashes + 1;
            return text[start..].find(&end).map_or(text.len(), |at| start + at + end.len());
        }
    }
    0
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Blanks each item that stands under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    const TEST: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(TEST) {
        out.push_str(&rest[..at]);
        let item = &rest[at..at + TEST.len() + item_length(&rest[at + TEST.len()..])];
        out.extend(item.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[at + item.len()..];
    }
    out + rest
}

/// Where an item ends: at its `;` or `,`, or at the brace that closes its body.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && c == '}' {
                    return at + 1;
                }
            }
            ';' | ',' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn code_is_told_from_comments_literals_and_tests() {
    let text = "use a; // use b;\nlet x = \"use c; \\\" {\"; let y = '{'; fn f<'a>(s: &'a str) {}\n/* use d; */ let z = r#\"\"use e\"#;";
    let code = shipped(text);
    assert_eq!(code.lines().count(), 3);
    assert!(code.contains("use a;") && code.contains("fn f<'a>(s: &'a str) {}"), "{code}");
    assert!(!["use b", "use c", "use d", "use e", "'{'"].iter().any(|gone| code.contains(gone)), "{code}");
    let text = "#[cfg(test)]\nmod tests;\nuse a;\n#[cfg(test)]\npub fn only() { if x { y } }\nuse b;\n#[cfg(test)]\nmod tests { use c; }\n";
    let code = shipped(text);
    assert!(code.contains("use a;") && code.contains("use b;") && !code.contains("use c"), "{code}");
    assert!(!code.contains("only") && code.lines().count() == text.lines().count());
}
