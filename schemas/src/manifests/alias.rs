//! The name of a role that a version of a model plays, as in `production`, and who gave it when.

use serde::{Deserialize, Serialize};

/// `aliases/<name>/<alias>.<revision>.json`: one change of an alias. The highest revision counts;
/// creating the next one is the compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasChange {
    /// Version of this layout.
    pub v: u16,
    /// Name of the model.
    pub model: String,
    /// Name of the role: 1 to 64 of `a-z`, `0-9`, `_` and `-`, a letter first.
    pub alias: String,
    /// 1 for the first change of this alias.
    pub revision: u32,
    /// The version that plays the role from now on; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Who has changed it.
    pub by: String,
    /// Why they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When, microseconds UTC by the clock of the person's host.
    pub at: i64,
}

impl AliasChange {
    /// Version of the layout written now.
    pub const VERSION: u16 = 1;
}

/// Whether a text can be the name of a role. A number would pass for a version.
pub fn is_alias(text: &str) -> bool {
    let is_allowed = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-".contains(letter)
    };
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_begins_with_a_letter() {
        for text in ["production", "a", "try_2", "eu-west"] {
            assert!(is_alias(text), "{text}");
        }
        for text in ["", "3", "Production", "a b", "a/b", "a.b", &"x".repeat(65)] {
            assert!(!is_alias(text), "{text}");
        }
    }
}
