//! Several symbols in one file: each row belongs to one of them, and only the rows of the asked one
//! are read.

use std::collections::BTreeMap;

use market::Instrument;

use super::FileError;

/// Names of columns that say whose row it is, most telling first.
const COLUMN_NAMES: [&str; 14] = [
    "symbol",
    "ticker",
    "<ticker>",
    "<symbol>",
    "sym",
    "code",
    "instrument",
    "pair",
    "asset",
    "raw_symbol",
    "contract",
    "market",
    "secid",
    "instrument_id",
];

/// Symbols that an error lists.
const NAMES_MAX: usize = 12;

/// Whose row each one is.
#[derive(Clone, Debug)]
pub(super) struct Symbols {
    /// Name of the column.
    pub(super) column: String,
    /// The different texts in it, in the order in which they first appear.
    names: Vec<String>,
    /// Index into `names` of each of them.
    index: BTreeMap<String, u32>,
    /// Index into `names` of every row.
    codes: Vec<u32>,
}

/// Position of the column that says whose row it is, if the file has one.
pub(super) fn find_symbol_column(columns: &[String]) -> Option<usize> {
    COLUMN_NAMES.iter().find_map(|name| {
        let mut columns = columns.iter();
        columns.position(|column| column.trim().eq_ignore_ascii_case(name))
    })
}

impl Symbols {
    pub(super) fn new(column: &str) -> Self {
        Self {
            column: column.to_owned(),
            names: Vec::new(),
            index: BTreeMap::new(),
            codes: Vec::new(),
        }
    }

    /// Adds a row; an empty cell is a symbol like any other.
    pub(super) fn push(&mut self, text: &str) {
        // Rows of one symbol mostly follow each other.
        let last = self.codes.last().copied();
        let last_name = last.and_then(|code| self.names.get(code as usize));
        if let Some(code) = last.filter(|_| last_name.is_some_and(|name| name == text)) {
            self.codes.push(code);
            return;
        }

        let code = self.index.get(text).copied().unwrap_or_else(|| {
            // A file has fewer symbols than u32 has numbers, as it has fewer bytes.
            let code = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
            self.names.push(text.to_owned());
            self.index.insert(text.to_owned(), code);
            code
        });
        self.codes.push(code);
    }

    /// Adds the rows of another file with the same column.
    pub(super) fn extend(&mut self, other: &Self) {
        for code in &other.codes {
            let name = other.names.get(*code as usize);
            self.push(name.map_or("", String::as_str));
        }
    }

    /// True if the file is about more than one.
    pub(super) fn are_several(&self) -> bool {
        self.names.len() > 1
    }

    /// The symbols in words, with their number.
    pub(super) fn describe(&self) -> String {
        let first_names: Vec<&str> = self
            .names
            .iter()
            .take(NAMES_MAX)
            .map(String::as_str)
            .collect();
        let more = if self.names.len() > NAMES_MAX {
            ", …"
        } else {
            ""
        };

        let count = self.names.len();
        let list = first_names.join(", ");
        format!("{count} symbols in column `{}`: {list}{more}", self.column)
    }

    /// Whether each row belongs to the instrument that is asked for. A file of one symbol is
    /// taken as a whole, whatever it calls it.
    ///
    /// # Errors
    /// The file called `name` has several symbols, and none or more than one of them fits.
    pub(super) fn rows_of(
        &self,
        name: &str,
        instrument: &Instrument,
    ) -> Result<Option<Vec<bool>>, FileError> {
        if !self.are_several() {
            return Ok(None);
        }

        let names = self.names.iter().enumerate();
        let fitting: Vec<usize> = names
            .filter(|(_, symbol)| is_name_of(symbol, instrument))
            .map(|(code, _)| code)
            .collect();

        // Two names that fit, such as `BTC-USD` and `BTCUSD`, may be two series: nobody can choose.
        let [only] = fitting.as_slice() else {
            return Err(FileError::Symbols {
                file: name.to_owned(),
                symbols: self.describe(),
                asked: instrument.symbol(),
            });
        };

        let codes = self.codes.iter();
        Ok(Some(codes.map(|code| *code as usize == *only).collect()))
    }
}

/// True if a file may mean the instrument by this text: `BTC-USD` is `BTC.USD`.
fn is_name_of(text: &str, instrument: &Instrument) -> bool {
    let parsed = Instrument::parse(text.trim());
    parsed.is_ok_and(|parsed| parsed == *instrument)
        || letters(text) == letters(&instrument.symbol())
}

fn letters(text: &str) -> String {
    let characters = text.chars().filter(|character| character.is_alphanumeric());
    characters.flat_map(char::to_uppercase).collect()
}
