//! What a mistyped word was probably meant to be.

/// The nearest of `candidates`, if one is near.
pub fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::suggestion;

    #[test]
    fn a_suggestion_is_close_or_none() {
        assert_eq!(suggestion("lisen", ["listen", "workers"]), Some("listen"));
        assert_eq!(suggestion("Max-Body", ["max_body"]), Some("max_body"));
        assert_eq!(suggestion("zebra", ["listen", "workers"]), None);
    }
}
