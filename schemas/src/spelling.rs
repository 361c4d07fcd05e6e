//! The name that somebody probably meant: one measure for every "did you mean" of the workspace.

/// Jaro-Winkler similarity from which two names are taken for each other.
const SIMILARITY_MIN: f64 = 0.8;
/// Least similarity of a candidate that contains what was written: people shorten names.
const CONTAINED_SIMILARITY: f64 = 0.85;
/// Shorter words are contained in too many names to say anything.
const CONTAINED_CHARS_MIN: usize = 3;

/// The candidate most similar to `written`, whatever the case; none if no candidate is similar.
pub fn nearest_name<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_ascii_lowercase();
    let mut nearest = None;
    let mut best = SIMILARITY_MIN;

    for candidate in candidates {
        let similarity = similarity_of(&written, &candidate.to_ascii_lowercase());
        if similarity > best {
            best = similarity;
            nearest = Some(candidate);
        }
    }
    nearest
}

fn similarity_of(written: &str, candidate: &str) -> f64 {
    let is_contained = written.len() >= CONTAINED_CHARS_MIN && candidate.contains(written);
    let similarity = strsim::jaro_winkler(written, candidate);
    if is_contained {
        similarity.max(CONTAINED_SIMILARITY)
    } else {
        similarity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["bus.url", "store.url", "period"];

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        assert_eq!(nearest_name("perod", NAMES), Some("period"));
        assert_eq!(nearest_name("Store.Ulr", NAMES), Some("store.url"));
    }

    #[test]
    fn a_part_of_a_name_is_recognised() {
        assert_eq!(nearest_name("store", NAMES), Some("store.url"));
        assert_eq!(nearest_name("url", NAMES), Some("bus.url"));
    }

    #[test]
    fn a_different_word_is_like_no_name() {
        assert_eq!(nearest_name("momentum", NAMES), None);
    }
}
