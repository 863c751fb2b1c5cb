//! How far a word is from one that was meant: for "did you mean".

/// How many letters of a name are mistyped, if not more than `most`.
pub(super) fn mistakes(known: &str, name: &str, most: usize) -> Option<usize> {
    // Each letter too many is a mistake. To compare all letters takes long where a line is nothing but a name.
    let longest = known.chars().count() + most;
    if name.chars().nth(longest).is_some() {
        return None;
    }
    Some(strsim::damerau_levenshtein(known, name)).filter(|mistakes| *mistakes <= most)
}
