//! Every error code of the workspace, once: programs match on these words, so none is written a
//! second time anywhere.
//!
//! A code is `<FAMILY>-<Name>`. It appears in error records, in events, in dead letters and in the
//! JSON output of `ktrdr`, and never changes its meaning. `docs/error-codes.md` is generated from
//! the table in `codes/table.rs`.

mod table;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::error::Error;
use std::fmt;

use serde::{Serialize, Serializer};

pub use table::*;

/// An error that says which code it has and what a person can do about it.
pub trait Advice: Error {
    /// The code for programs.
    fn code(&self) -> Code;

    /// The next action, as one phrase without a full stop; empty when there is none.
    fn hint(&self) -> Cow<'static, str>;
}

/// A stable error code. Records read from the bus hold its text only, since a newer program may
/// have written a code that this one does not have.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code {
    family: Family,
    text: &'static str,
    meaning: &'static str,
}

impl Code {
    /// The area that the error belongs to.
    pub const fn family(self) -> Family {
        self.family
    }

    /// The whole code, such as `DATA-NotFound`.
    pub const fn as_str(self) -> &'static str {
        self.text
    }

    /// One sentence that says what has happened.
    pub const fn meaning(self) -> &'static str {
        self.meaning
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.text)
    }
}

impl fmt::Debug for Code {
    /// The text in quotation marks, as records show it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text, formatter)
    }
}

impl PartialOrd for Code {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Code {
    /// By the text.
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(other.text)
    }
}

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.text
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.text.to_owned()
    }
}

impl PartialEq<Code> for String {
    fn eq(&self, code: &Code) -> bool {
        self == code.text
    }
}

impl PartialEq<Code> for str {
    fn eq(&self, code: &Code) -> bool {
        self == code.text
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_listed_once_and_in_order() {
        let texts: Vec<&str> = ALL.iter().map(|code| code.as_str()).collect();
        let distinct: BTreeSet<&str> = texts.iter().copied().collect();
        assert_eq!(distinct.len(), texts.len());

        let families: Vec<&str> = Family::ALL.iter().map(|family| family.as_str()).collect();
        assert!(families.is_sorted(), "{families:?}");
    }

    #[test]
    fn a_code_has_the_form_that_programs_expect() {
        for code in ALL {
            let name = code.as_str().strip_prefix(code.family().as_str()).unwrap();
            let name = name.strip_prefix('-').unwrap();

            assert!(
                name.starts_with(|first: char| first.is_ascii_uppercase()),
                "{code}"
            );
            assert!(
                name.chars().all(|each| each.is_ascii_alphabetic()),
                "{code}"
            );
            assert!(code.meaning().ends_with('.'), "{code}");
        }
    }

    #[test]
    fn a_code_is_written_as_its_text() {
        let json = serde_json::to_string(&DATA_NOT_FOUND).unwrap();
        assert_eq!(json, r#""DATA-NotFound""#);
        assert_eq!("DATA-NotFound".to_owned(), DATA_NOT_FOUND);
    }
}
