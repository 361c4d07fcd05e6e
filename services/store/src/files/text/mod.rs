//! Texts of bars: one pass over the first rows decides how all are read and says why, then every
//! row is read by that plan.
//!
//! Nothing is guessed that could be wrong: where a cell has two readings, another row has to show
//! which, or the reading is asked for.

mod bulk;
mod columns;
mod cursor;
mod encoding;
mod epoch;
mod frame;
mod iso;
mod names;
mod numbers;
mod plan;
mod presets;
mod rows;
mod rules;
mod symbols;
mod time;

use std::collections::BTreeSet;

use market::Instrument;

use super::sheet::Sheet;
use super::{FileError, Mapping};
use bulk::{Part, RowReader, Stop, SymbolFilter};
use names::Role;
use numbers::{NumberRules, read_number};
use plan::ReadPlan;
use rows::{CellsOf, Rows, clean};
use symbols::{is_symbol_of, several};

pub use plan::Choice;
pub use presets::{FileFormat, PRESETS, Preset};
pub use time::DateOrder;
pub(super) use time::{TimeRules, read_time};

/// Reads the text of a file called `file`, in whatever encoding. Of a file of several symbols the
/// rows of `instrument` are read.
///
/// # Errors
/// See [`FileError`].
pub(super) fn read(
    file: &str,
    bytes: &[u8],
    mapping: &Mapping,
    instrument: Option<&Instrument>,
) -> Result<Sheet, FileError> {
    let decoded = encoding::decode(bytes);
    if decoded.text.trim_ascii().is_empty() {
        return Err(FileError::Empty {
            file: file.to_owned(),
        });
    }

    let plan = plan::decide(file, &decoded.text, decoded.encoding, mapping, instrument)?;
    let filter = match &plan.first_symbol {
        Some(first) => SymbolFilter::Same(first),
        None => SymbolFilter::All,
    };
    let part = match RowReader::new(file, &plan, filter).read() {
        Ok(part) => part,
        Err(Stop::Refused(error)) => return Err(error),
        Err(Stop::OtherSymbol) => return read_one_symbol(file, &plan, instrument),
    };

    // The only symbol is read whatever its name, as vendors differ; people should see which.
    let only_symbol = plan.first_symbol.as_deref().map(String::from_utf8_lossy);
    let symbol = only_symbol.map(|symbol| symbol.into_owned());
    let symbol = symbol.or_else(|| plan.header_symbol.clone());
    let mut notes = Vec::new();
    if let Some(symbol) = symbol.filter(|_| instrument.is_some())
        && !symbol.is_empty()
        && !is_symbol_of(&symbol, instrument)
    {
        notes.push(format!(
            "the file says that its bars are those of `{symbol}`"
        ));
    }
    Ok(finish(&plan, part, notes))
}

/// The rows of one of several symbols.
fn read_one_symbol(
    file: &str,
    plan: &ReadPlan<'_>,
    instrument: Option<&Instrument>,
) -> Result<Sheet, FileError> {
    let symbols = symbols_of(plan);
    let fitting: Vec<&String> = symbols
        .iter()
        .filter(|each| is_symbol_of(each, instrument))
        .collect();
    let [symbol] = fitting.as_slice() else {
        let names = &plan.columns;
        let column = plan.positions.symbol.and_then(|column| names.get(column));
        let column = format!("column `{}`", column.map_or("", String::as_str));
        return Err(several(file, &column, &symbols, instrument));
    };

    // A second pass over the text, for which files of one symbol never pay.
    let filter = SymbolFilter::Only(symbol.as_bytes());
    let part = match RowReader::new(file, plan, filter).read() {
        Ok(part) => part,
        Err(Stop::Refused(error)) => return Err(error),
        Err(Stop::OtherSymbol) => Part::default(),
    };
    let rows = part.lines.len();
    let note = format!(
        "the file holds {} symbols: {rows} rows of `{symbol}` were read, {} rows of others passed \
         over",
        symbols.len(),
        part.other_symbols
    );
    Ok(finish(plan, part, vec![note]))
}

/// A cell as a plain number; NaN if it says that there is none, `None` if it is something else.
pub(super) fn parse_number(text: &str) -> Option<f64> {
    read_number(text.as_bytes(), NumberRules::default())
}

/// All symbols of a file.
fn symbols_of(plan: &ReadPlan<'_>) -> BTreeSet<String> {
    let mut symbols = BTreeSet::new();
    let Some(column) = plan.positions.symbol else {
        return symbols;
    };

    for row in Rows::new(plan.data_text, plan.data_line, plan.dialect) {
        let cell = CellsOf::new(row.bytes, plan.dialect).nth(column);
        let cell = clean(cell.unwrap_or_default());
        let text = String::from_utf8_lossy(cell);

        // Looked up before it is copied: a file has millions of rows and few symbols.
        if !text.is_empty() && !symbols.contains(text.as_ref()) {
            symbols.insert(text.into_owned());
        }
    }
    symbols
}

/// The sheet of the rows that were read, with what is to be said about them.
fn finish(plan: &ReadPlan<'_>, part: Part, mut notes: Vec<String>) -> Sheet {
    // What was passed over has to be seen, or half a file would look like a whole one.
    if let Some((line, text)) = &part.footer {
        notes.push(format!(
            "the table ends at line {line}, which reads `{text}`"
        ));
    }
    if part.repeated_headers > 0 {
        notes.push(format!(
            "the header is repeated further down: {} rows passed over",
            part.repeated_headers
        ));
    }
    if part.stamps.dates_among_times > 0 {
        notes.push(format!(
            "dates among times are read as their midnight ({} rows)",
            part.stamps.dates_among_times
        ));
    }

    let mut sheet = Sheet::empty("csv", plan.columns.clone());
    sheet.delimiter = Some(char::from(plan.dialect.delimiter));
    sheet.zone.clone_from(&plan.zone);
    sheet.written_zone = plan
        .written_zone
        .as_ref()
        .and_then(|written| written.zone.clone());
    sheet.has_date_column = plan.positions.time_of_day.is_some();
    sheet.roles = roles_of(plan);
    sheet.choices.clone_from(&plan.choices);
    sheet.notes = notes;
    part.into_sheet(sheet)
}

/// The role of each column, in the order of the columns.
fn roles_of(plan: &ReadPlan<'_>) -> Vec<Option<&'static str>> {
    let columns = 0..plan.columns.len();
    columns
        .map(|column| plan.role_of(column).map(Role::as_str))
        .collect()
}
