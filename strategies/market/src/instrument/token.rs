//! Names within `[a-z0-9_-]`: the form that object keys and subjects have.
//!
//! Dots become `-`; what has no place of its own is escaped: `-` as `_m`, `_` as `_u`, `&` as
//! `_a`.

/// The name as part of a token.
pub(super) fn encode(name: &str) -> String {
    let mut token = String::with_capacity(name.len() + 2);
    for character in name.chars() {
        match character {
            '.' => token.push('-'),
            '-' => token.push_str("_m"),
            '_' => token.push_str("_u"),
            '&' => token.push_str("_a"),
            other => token.push(other.to_ascii_lowercase()),
        }
    }
    token
}

/// The name of a part of a token, in lower case; none if an escape is unknown.
pub(super) fn decode(token: &str) -> Option<String> {
    let mut name = String::with_capacity(token.len());
    let mut characters = token.chars();

    // To guess at an unknown escape could name another instrument, with bars of its own.
    while let Some(character) = characters.next() {
        match character {
            '-' => name.push('.'),
            '_' => name.push(match characters.next()? {
                'm' => '-',
                'u' => '_',
                'a' => '&',
                _ => return None,
            }),
            other => name.push(other),
        }
    }
    Some(name)
}
