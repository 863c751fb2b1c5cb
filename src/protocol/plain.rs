//! What libraries say of failures, made fit for a sentence of ours.

/// A library's message without the system's error number and without links to manuals.
pub fn plain(said: &str) -> String {
    let mut text = said.to_owned();
    while let Some(start) = text.find(" (os error ") {
        let end = text[start..].find(')').map_or(text.len(), |end| start + end + 1);
        text.replace_range(start..end, "");
    }
    if let Some(start) = text.find("http") {
        text.truncate(start);
    }
    let text = text.trim().trim_end_matches([':', '.', ';']);
    let mut letters = text.chars();
    // The message becomes the end of a sentence, so its first letter is made small; but `TLS` stays as it is.
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}
