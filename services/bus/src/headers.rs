//! Texts for message headers, which the stock `nats` program shows.

/// Header text: printable ASCII, at most 200 characters; anything else is left out.
pub(crate) fn ascii(text: &str) -> String {
    text.chars()
        .filter(|each| each.is_ascii() && !each.is_ascii_control())
        .take(200)
        .collect::<String>()
        .trim()
        .to_owned()
}
