//! "Did you mean": the known word that is closest to an unknown one.

/// The word of `known` that `word` was most likely meant to be.
pub(super) fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Long words are no slips, and comparing them takes time that grows with their product.
    if word.len() > 128 {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let word = plain(word);
    known
        .into_iter()
        .map(|known| {
            let distance = strsim::osa_distance(&word, &plain(known));
            (distance, known)
        })
        // One slip in three letters, and at least one.
        .filter(|(distance, known)| *distance <= (known.chars().count() / 3).clamp(1, 3))
        // Of two that are equally close, always the same one.
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_seen_through() {
        let known = ["protected", "api_key_header", "per", "keys"];
        for (word, meant) in [
            ("protcted", Some("protected")),
            ("Protected", Some("protected")),
            ("api-key-header", Some("api_key_header")),
            ("pre", Some("per")),
            ("key", Some("keys")),
            ("window", None),
            ("", None),
        ] {
            assert_eq!(closest(word, known), meant, "{word}");
        }
        assert_eq!(closest(&"protected".repeat(1000), known), None);
    }
}
