//! Symbols that a command names, on its line and in a file.

use std::path::Path;

use market::Instrument;
use schemas::codes;

use crate::console::{Exit, Failure, count_of};
use crate::context::Context;
use crate::inputs::text_files::read_text;

/// Wrong lines of a file that are named.
const WRONG_LINES_MAX: usize = 10;

/// The symbols of the command line, then those of the file: one a line, empty lines and what
/// follows a `#` left out, each symbol once.
///
/// # Errors
/// The file cannot be read, or a line of it does not name an instrument. All such lines are named,
/// as far as they are few.
pub(crate) fn gather_symbols(
    named: &[Instrument],
    file: Option<&Path>,
    context: &Context,
) -> Result<Vec<Instrument>, Failure> {
    let mut symbols = named.to_vec();
    if let Some(file) = file {
        let path = context.working_directory.join(file);
        let text = read_text(&path).map_err(|error| unreadable(file, &error))?;
        symbols.extend(read_symbols(&text).map_err(|wrong| wrong_lines(file, &wrong))?);
    }

    // A symbol that is named twice is meant once.
    let mut seen = std::collections::BTreeSet::new();
    symbols.retain(|symbol| seen.insert(symbol.id()));
    if symbols.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            codes::DATA_INVALID_REQUEST,
            "no symbol is named",
        )
        .with_hint("name one, as in `ktrdr data load EURUSD`, or write some into the file"));
    }
    Ok(symbols)
}

/// The symbols of a text, or the lines that do not name one, each with its reason.
fn read_symbols(text: &str) -> Result<Vec<Instrument>, Vec<String>> {
    let mut symbols = Vec::new();
    let mut wrong = Vec::new();

    // Windows programs begin a text with a mark of its encoding.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let symbol = line.split('#').next().unwrap_or_default().trim();
        if symbol.is_empty() {
            continue;
        }
        match Instrument::parse(symbol) {
            Ok(symbol) => symbols.push(symbol),
            Err(error) => wrong.push(format!("line {number}: {error}")),
        }
    }

    match wrong.is_empty() {
        true => Ok(symbols),
        false => Err(wrong),
    }
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    let message = format!("the file of symbols {} cannot be read", file.display());
    Failure::new(Exit::Usage, codes::DATA_INVALID_REQUEST, message)
        .with_cause(error)
        .with_hint("name a text file with one symbol a line")
}

fn wrong_lines(file: &Path, wrong: &[String]) -> Failure {
    let count = count_of(wrong.len(), "wrong line");
    let named = wrong.get(..WRONG_LINES_MAX).unwrap_or(wrong).join("; ");
    let message = format!("{count} in {}: {named}", file.display());

    Failure::new(Exit::Usage, codes::DATA_INVALID_SYMBOL, message)
        .with_hint("correct these lines; nothing was started")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_and_empty_lines_are_left_out() {
        let symbols = read_symbols("# majors\nEURUSD\n\n  AAPL  # a share\n").unwrap();
        let symbols: Vec<String> = symbols.iter().map(Instrument::id).collect();
        assert_eq!(symbols, ["fx:EUR.USD", "stk:AAPL"]);
    }

    #[test]
    fn a_file_of_windows_is_read() {
        let symbols = read_symbols("\u{feff}EURUSD\r\nAAPL\r\n").unwrap();
        let symbols: Vec<String> = symbols.iter().map(Instrument::id).collect();
        assert_eq!(symbols, ["fx:EUR.USD", "stk:AAPL"]);
    }

    #[test]
    fn every_wrong_line_is_named() {
        let wrong = read_symbols("EURUSD\n???\nAAPL\n!!\n").unwrap_err();
        assert_eq!(wrong.len(), 2);
        assert!(wrong[0].starts_with("line 2: "), "{wrong:?}");
        assert!(wrong[1].starts_with("line 4: "), "{wrong:?}");
    }
}
