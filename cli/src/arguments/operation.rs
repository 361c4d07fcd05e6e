//! How people name an operation: by its id, by the end of its id, or as the last one.

use std::fmt;
use std::str::FromStr;

use schemas::ids::OperationId;

/// Fewest characters of the end of an id: shorter ones are slips of the finger.
const ENDING_CHARS_MIN: usize = 3;
/// What an operation is written as, for people.
const FORM: &str = "expected an operation: its id, the end of its id (3 characters or more), or \
                    `last`";

/// An operation as it was written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OperationArg {
    /// The one that a person started last.
    Last,
    /// The one with this id.
    Id(OperationId),
    /// The only one whose id ends like this.
    Ending(String),
}

impl FromStr for OperationArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "last" {
            return Ok(Self::Last);
        }
        if let Ok(op) = text.parse() {
            return Ok(Self::Id(op));
        }

        if is_ending(text) {
            Ok(Self::Ending(text.to_owned()))
        } else {
            Err(FORM.to_owned())
        }
    }
}

/// True for text that the id of an operation can end with: its last part is hexadecimal.
fn is_ending(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let random = text.rsplit('_').next().unwrap_or_default();
    let before = text.strip_suffix(random).unwrap_or_default();

    // Eight digits are whole, so that only then something may stand before them.
    let has_room = random.len() == 8 || (before.is_empty() && random.len() < 8);
    let before_is_id =
        |byte: u8| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() >= ENDING_CHARS_MIN
        && has_room
        && random.bytes().all(is_hex)
        && before.bytes().all(before_is_id)
}

impl fmt::Display for OperationArg {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last => formatter.write_str("last"),
            Self::Id(op) => op.fmt(formatter),
            Self::Ending(ending) => formatter.write_str(ending),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_its_id_the_end_of_it_or_the_last() {
        let id = "op_train_20260301_142233_9f3a01bc";
        assert_eq!("last".parse(), Ok(OperationArg::Last));
        assert_eq!(id.parse(), Ok(OperationArg::Id(id.parse().unwrap())));

        for ending in [
            "1bc",
            "9f3a01bc",
            "142233_9f3a01bc",
            "train_20260301_142233_9f3a01bc",
        ] {
            let arg = OperationArg::Ending(ending.to_owned());
            assert_eq!(ending.parse(), Ok(arg), "{ending}");
        }
    }

    #[test]
    fn what_no_id_can_end_with_is_refused_with_the_form() {
        for text in [
            "",
            "bc",
            "latest",
            "9F3A01BC",
            "x_1bc",
            "op_train",
            "../1bc",
            "1 bc",
            "09f3a01bc",
        ] {
            assert_eq!(text.parse::<OperationArg>(), Err(FORM.to_owned()), "{text}");
        }
    }
}
