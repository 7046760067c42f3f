//! What somebody probably meant.

/// The candidate nearest to `word`, if one is near enough to be meant: by edits with transpositions, ignoring case and
/// the difference between `-` and `_`.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let word = plain(word);
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let other = plain(candidate);
            let edits = strsim::damerau_levenshtein(&word, &other);
            // One word inside the other counts as near: `norm` for `layernorm`, `heads` for `n_heads`.
            let inside = other.len() >= 3 && word.len() >= 3 && (word.contains(&other) || other.contains(&word));
            (if inside { edits.min(limit) } else { edits }, edits, candidate)
        })
        .filter(|(distance, ..)| *distance <= limit)
        .min_by_key(|(distance, edits, _)| (*distance, *edits))
        .map(|(.., candidate)| candidate)
}

/// A value as people write it: words without quotes.
pub fn written(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

/// `a`, `b` or `c`.
pub(super) fn listed(words: impl IntoIterator<Item = impl AsRef<str>>, last: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| word.as_ref().to_string()).collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_typos_and_stays_silent_otherwise() {
        let kinds = ["rms", "layer", "dyt", "none"];
        assert_eq!(nearest("layr", kinds), Some("layer"));
        assert_eq!(nearest("LayerNorm", kinds), Some("layer"));
        assert_eq!(nearest("rsm", kinds), Some("rms"));
        assert_eq!(nearest("batch", kinds), None);
        assert_eq!(nearest("kv-heads", ["heads", "kv_heads"]), Some("kv_heads"));
    }

    #[test]
    fn lists_read_as_prose() {
        assert_eq!(listed(["a", "b", "c"], "or"), "a, b or c");
        assert_eq!(listed(["a"], "or"), "a");
    }
}
