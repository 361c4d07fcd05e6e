//! Files of several symbols: which of their rows belong to the one that is asked for.

use market::Instrument;

use super::super::FileError;

/// Symbols that a refusal names, at most.
const SYMBOLS_MAX: usize = 12;

/// True if a vendor's `text` names the instrument: by its own spelling, without separators, or
/// before the suffix of an exchange.
pub(super) fn is_symbol_of(text: &str, instrument: Option<&Instrument>) -> bool {
    let Some(instrument) = instrument else {
        return false;
    };
    let is_read_as_it = Instrument::parse(text).is_ok_and(|parsed| parsed == *instrument);
    let symbol = letters_of(&instrument.symbol());
    let before_suffix = text.split_once(['.', ' ', ':']).map(|(before, _)| before);
    is_read_as_it
        || letters_of(text) == symbol
        || before_suffix.is_some_and(|before| letters_of(before) == symbol)
}

/// The refusal of a file of several symbols, of which not one alone is asked for.
pub(super) fn several<'a>(
    file: &str,
    place: &str,
    symbols: impl IntoIterator<Item = &'a String>,
    instrument: Option<&Instrument>,
) -> FileError {
    let symbols: Vec<&str> = symbols.into_iter().map(String::as_str).collect();

    // The list is cut: an exchange has thousands of symbols, and an error is one line.
    let first_symbols: Vec<&str> = symbols.iter().take(SYMBOLS_MAX).copied().collect();
    let more = if symbols.len() > SYMBOLS_MAX {
        ", …"
    } else {
        ""
    };

    FileError::Symbols {
        file: file.to_owned(),
        symbols: format!(
            "{} symbols in {place}: {}{more}",
            symbols.len(),
            first_symbols.join(", ")
        ),
        asked: instrument.map_or_else(|| "asked for".to_owned(), Instrument::symbol),
    }
}

/// Letters and digits in upper case.
fn letters_of(text: &str) -> String {
    let letters = text.chars().filter(|character| character.is_alphanumeric());
    letters.flat_map(char::to_uppercase).collect()
}
