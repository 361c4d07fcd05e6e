//! The error record: what failed, why, and what to do next, as records, events and dead letters
//! hold it.

use serde::{Deserialize, Serialize};

use crate::codes::Advice;

/// Longest code, in bytes.
const CODE_BYTES_MAX: usize = 64;
/// Longest message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1_000;
/// Longest hint, in bytes.
pub const HINT_BYTES_MAX: usize = 500;
/// Largest details, in packed bytes.
pub const DETAILS_BYTES_MAX: usize = 600;

/// A failure that a person reads. Bounded, so that a record always fits its message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorRecord {
    /// The text of a [`crate::codes::Code`]; one that this program does not know when a newer one
    /// wrote the record.
    pub code: String,
    /// What failed, on what, why.
    pub message: String,
    /// What to do next; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// True when the same command may succeed later.
    #[serde(default)]
    pub retryable: bool,
    /// Facts for programs.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

impl ErrorRecord {
    /// A permanent error, cut to the bounds.
    pub fn new(code: impl AsRef<str>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code: shortened(code.as_ref(), CODE_BYTES_MAX),
            message: shortened(&message.into(), MESSAGE_BYTES_MAX),
            hint: shortened(&hint.into(), HINT_BYTES_MAX),
            retryable: false,
            details: serde_json::Value::Null,
        }
    }

    /// The error and its causes, `: `-separated, as one permanent record.
    pub fn from_error(
        code: impl AsRef<str>,
        error: &dyn std::error::Error,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(code, chain(error), hint)
    }

    /// An error that brings its own code and hint, as one permanent record.
    pub fn from_advice(error: &impl Advice) -> Self {
        Self::from_error(error.code(), error, error.hint())
    }

    /// The same, marked as worth another try.
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Adds facts; left out when larger than [`DETAILS_BYTES_MAX`].
    pub fn with_details(mut self, details: serde_json::Value) -> Self {
        if crate::codec::packed_bytes(&details) <= DETAILS_BYTES_MAX {
            self.details = details;
        }
        self
    }
}

impl std::fmt::Display for ErrorRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ({})", self.message, self.code)
    }
}

/// An error and its sources in one line. The chain is joined here, at the top, and nowhere else.
pub fn chain(error: &dyn std::error::Error) -> String {
    messages(error).join(": ")
}

/// The messages of an error and of its sources, outermost first. Some libraries repeat the words of
/// their source in their own message: they are left out the second time.
pub fn messages(error: &dyn std::error::Error) -> Vec<String> {
    let mut messages = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        let is_repeated = messages.last().is_some_and(|last| last.contains(&text));
        if !is_repeated {
            messages.push(text);
        }
        source = cause.source();
    }
    messages
}

/// `text` cut to at most `max` bytes at a character boundary, with an ellipsis when something is
/// missing.
pub fn shortened(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }

    // The ellipsis takes three bytes.
    let mut end = max.saturating_sub("…".len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: std::io::Error,
    }

    fn disk_full_under(text: &'static str) -> Layer {
        Layer {
            text,
            source: std::io::Error::other("disk full"),
        }
    }

    #[test]
    fn every_cause_has_its_message() {
        let error = disk_full_under("cannot copy");
        assert_eq!(messages(&error), ["cannot copy", "disk full"]);
    }

    #[test]
    fn words_that_a_library_repeats_are_left_out() {
        let error = disk_full_under("cannot copy: disk full");
        assert_eq!(chain(&error), "cannot copy: disk full");
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        assert_eq!(shortened("äöü", 6), "äöü");
        assert_eq!(shortened("äöüß", 7), "äö…");
    }
}
