//! The questions whose answer the cells of a file give, and the refusals where they do not.

use market::Utc;

use super::super::{FileError, Mapping};
use super::columns::Positions;
use super::frame::{Frame, SampleRow};
use super::numbers::{DecimalEvidence, NumberRules, read_number};
use super::plan::{Choice, format_name};
use super::presets::{FileFormat, Preset};
use super::rows::{CellsOf, Rows, clean};
use super::time::{DateOrder, ThreeNumbers, TimeRules, read_time, unordered_date};
use crate::files::DAY;
use crate::files::stamp::StampKind;

/// One column of a file.
pub(super) struct Column<'a> {
    pub(super) file: &'a str,
    pub(super) frame: &'a Frame<'a>,
    pub(super) position: usize,
}

impl<'a> Column<'a> {
    /// Its cells with their lines, through the whole file.
    fn cells(&self) -> impl Iterator<Item = (u64, &'a [u8])> {
        let dialect = self.frame.dialect;
        let position = self.position;
        let rows = Rows::new(self.frame.data_text, self.frame.data_line, dialect);
        rows.filter_map(move |row| {
            let mut cells = CellsOf::new(row.bytes, dialect);
            Some((row.line, clean(cells.nth(position)?)))
        })
    }
}

/// The rules of times that the options state.
///
/// # Errors
/// The option is neither an order nor a format.
pub(super) fn stated_times(file: &str, mapping: &Mapping) -> Result<TimeRules, FileError> {
    let mut times = TimeRules::default();
    let Some(text) = &mapping.dates else {
        return Ok(times);
    };

    // Without a `%` it can only be a misspelt order, which must not pass for a format.
    match text.to_ascii_lowercase().as_str() {
        "dmy" => times.order = Some(DateOrder::Dmy),
        "mdy" => times.order = Some(DateOrder::Mdy),
        "ymd" => times.order = Some(DateOrder::Ymd),
        _ if text.contains('%') => times.format = Some(text.clone()),
        _ => {
            return Err(FileError::Unclear {
                file: file.to_owned(),
                line: 1,
                question: format!("`{text}` is no order or format of dates"),
                options: "use --dates dmy, mdy, ymd, or a format such as '%d.%m.%Y %H:%M'"
                    .to_owned(),
            });
        }
    }
    Ok(times)
}

/// Decides the order of dates and the unit of small numbers by the cells of the time column.
///
/// # Errors
/// Every date can be read in two orders.
pub(super) fn complete_times(
    times: &mut TimeRules,
    file: &str,
    frame: &Frame<'_>,
    positions: &Positions,
) -> Result<Option<Choice>, FileError> {
    let column = Column {
        file,
        frame,
        position: positions.time,
    };
    let sample = frame.data.iter();
    let first = sample
        .clone()
        .find_map(|row| row.cells.get(column.position));
    times.small_unit = sample
        .filter_map(|row| row.cells.get(column.position))
        .find_map(|cell| unit_of(cell));

    // A proof may take the whole file, and is only looked for where a date needs it.
    let needs_order = times.order.is_none() && times.format.is_none();
    if !needs_order || first.is_none_or(|cell| unordered_date(cell).is_none()) {
        return Ok(None);
    }
    let (order, line) = prove_order(&column)?;
    times.order = Some(order);
    let reason = format!("line {line} has a day beyond 12");
    Ok(Some(Choice::new("dates", order.as_str(), reason)))
}

/// The unit of a Unix time that shows it, in microseconds; ms and s are found in files.
fn unit_of(cell: &[u8]) -> Option<i64> {
    let number = std::str::from_utf8(cell).ok()?.parse::<f64>().ok()?;
    match number.abs() {
        1e8..1e11 => Some(1_000_000),
        1e11..1e14 => Some(1_000),
        _ => None,
    }
}

/// The order that a date with a day beyond 12 proves, and its line.
fn prove_order(column: &Column<'_>) -> Result<(DateOrder, u64), FileError> {
    let mut first = None;
    for (line, cell) in column.cells() {
        let Some(numbers) = unordered_date(cell) else {
            continue;
        };
        if let Some(order) = only_order(numbers) {
            return Ok((order, line));
        }
        first = first.or(Some((line, cell, numbers)));
    }
    Err(two_readings(column.file, first))
}

/// The one order in which three numbers are a date; `None` for several.
fn only_order(numbers: ThreeNumbers) -> Option<DateOrder> {
    let orders = [DateOrder::Dmy, DateOrder::Mdy, DateOrder::Ymd];
    let mut possible = orders
        .into_iter()
        .filter(|order| numbers.days(*order).is_some());
    let only = possible.next()?;
    possible.next().is_none().then_some(only)
}

fn two_readings(file: &str, first: Option<(u64, &[u8], ThreeNumbers)>) -> FileError {
    let Some((line, cell, numbers)) = first else {
        return FileError::Empty {
            file: file.to_owned(),
        };
    };

    // The dates themselves show what is at stake better than the names of orders.
    let orders = [DateOrder::Dmy, DateOrder::Mdy, DateOrder::Ymd];
    let readings: Vec<String> = orders
        .into_iter()
        .filter_map(|order| {
            let date = Utc(numbers.days(order)? * DAY).date();
            Some(format!("{date} ({})", order.as_str()))
        })
        .collect();

    FileError::Unclear {
        file: file.to_owned(),
        line,
        question: format!(
            "the date `{}` is {}, and no row shows which",
            String::from_utf8_lossy(cell),
            readings.join(" or ")
        ),
        options: "say which with --dates dmy, --dates mdy, --dates ymd, or a format such as \
                  --dates '%d.%m.%Y %H:%M'"
            .to_owned(),
    }
}

/// The rules of numbers: the decimal sign by its option or the cells, the scale by the format.
///
/// # Errors
/// A cell such as `1,234` can be read in two ways, and no other one shows which.
pub(super) fn numbers(
    file: &str,
    frame: &Frame<'_>,
    positions: &Positions,
    mapping: &Mapping,
    preset: Option<&'static Preset>,
    choices: &mut Vec<Choice>,
) -> Result<NumberRules, FileError> {
    let decimal = match mapping.decimal {
        Some(sign) => u8::try_from(sign).unwrap_or(b'.'),
        None => find_decimal(file, frame, positions)?,
    };
    let mut rules = NumberRules {
        decimal,
        ..NumberRules::default()
    };
    if rules.decimal == b',' {
        let reason = if mapping.decimal.is_some() {
            "it was named"
        } else {
            "numbers end in other than three digits behind it"
        };
        choices.push(Choice::new("decimal", ",", reason));
    }

    // Prices with decimal places have been divided already, whatever the format says.
    let divisor = preset.map_or(1.0, |preset| preset.price_divisor);
    if divisor != 1.0 && prices_are_whole(frame, positions) {
        rules.price_divisor = divisor;
        let name = preset.map_or("", |preset| preset.name);
        let reason = format!("whole prices of {name} are prices times that number");
        choices.push(Choice::new(
            "prices",
            format!("divided by {divisor}"),
            reason,
        ));
    }
    Ok(rules)
}

fn find_decimal(file: &str, frame: &Frame<'_>, positions: &Positions) -> Result<u8, FileError> {
    let mut evidence = DecimalEvidence::default();
    let columns = || positions.prices.into_iter().chain(positions.volume);
    for row in &frame.data {
        for cell in columns().filter_map(|column| row.cells.get(column)) {
            evidence.add(cell);
        }
    }

    // The sample showed nothing; the whole text is read only where a comma can matter.
    if !evidence.point && !evidence.comma && cells_may_have_commas(frame) {
        add_whole_file(&mut evidence, frame, positions);
    }

    if evidence.comma && !evidence.point {
        return Ok(b',');
    }
    if evidence.unclear && !evidence.point {
        return Err(unclear_decimal(file, frame, positions));
    }
    Ok(b'.')
}

/// True if a comma of the text may stand inside of a cell.
fn cells_may_have_commas(frame: &Frame<'_>) -> bool {
    let dialect = frame.dialect;
    let cuts_at_commas = dialect.delimiter == b',' && !dialect.has_quotes;
    !cuts_at_commas && memchr::memchr(b',', frame.data_text).is_some()
}

fn add_whole_file(evidence: &mut DecimalEvidence, frame: &Frame<'_>, positions: &Positions) {
    for position in positions.prices.into_iter().chain(positions.volume) {
        let column = Column {
            file: "",
            frame,
            position,
        };
        column.cells().for_each(|(_, cell)| evidence.add(cell));
    }
}

fn unclear_decimal(file: &str, frame: &Frame<'_>, positions: &Positions) -> FileError {
    // A cell of the user's own file makes the question concrete.
    let mut columns = positions.prices.into_iter().chain(positions.volume);
    let first = columns.find_map(|position| {
        let column = Column {
            file,
            frame,
            position,
        };
        let mut cells = column.cells();
        cells.find(|(_, cell)| cell.contains(&b','))
    });
    let (line, cell) = first.unwrap_or_default();
    let text = String::from_utf8_lossy(cell);

    FileError::Unclear {
        file: file.to_owned(),
        line,
        question: format!(
            "`{text}` is {} or {}, and no row shows which",
            text.replace(',', ""),
            text.replace(',', ".")
        ),
        options: "say which sign stands before the fraction, with --decimal . or --decimal ,"
            .to_owned(),
    }
}

/// True if no price of the sample has a point, and all are large.
fn prices_are_whole(frame: &Frame<'_>, positions: &Positions) -> bool {
    let mut cells = frame.data.iter().flat_map(|row| {
        let columns = positions.prices.iter();
        columns.filter_map(|column| row.cells.get(*column))
    });
    cells.all(|cell| cell.is_empty() || cell.iter().all(u8::is_ascii_digit))
}

/// The format of a file without header whose rows show it.
pub(super) fn headerless_format(frame: &Frame<'_>) -> Option<&'static Preset> {
    let first = frame.data.first().filter(|_| frame.header.is_empty())?;
    let first_time = first.cells.first();
    let close_time = first.cells.get(6);
    let mut times = first_time.into_iter().chain(close_time);
    let is_binance = first.cells.len() == 12 && times.all(|cell| is_unix_time(cell));
    is_binance.then(|| FileFormat::Binance.preset())
}

/// True for Unix time in milliseconds or less.
fn is_unix_time(cell: &[u8]) -> bool {
    let time = read_time(cell, &TimeRules::default());
    cell.len() >= 13 && time.is_some_and(|time| time.stamp.kind == StampKind::Instant)
}

/// Checks that the columns of a file without header hold what their order says.
///
/// # Errors
/// The third price is not the lowest, or prices look like those of LEAN.
pub(super) fn check_order_of_prices(
    file: &str,
    frame: &Frame<'_>,
    positions: &Positions,
    mapping: &Mapping,
) -> Result<(), FileError> {
    let is_sure = !frame.header.is_empty() || mapping.columns.open.is_some();
    if is_sure || mapping.format.is_some() {
        return Ok(());
    }

    // Vendors have single bad bars: up to a tenth of the sample may contradict the order.
    let rows = || frame.data.iter().map(|row| RowForm::of(row, positions));
    let rows_in_order = rows().filter(|row| row.is_in_order).count();
    if rows_in_order * 10 < frame.data.len() * 9 {
        return Err(out_of_order(file, frame.data_line));
    }
    if mapping.header != Some(false) && rows().all(|row| row.is_scaled) {
        return Err(scaled(file, frame.data_line));
    }
    Ok(())
}

/// What the numbers of a row show of their order and scale.
struct RowForm {
    /// The second price is the highest, and the third the lowest.
    is_in_order: bool,
    /// Prices are whole and large, and the time is written as by LEAN.
    is_scaled: bool,
}

impl RowForm {
    fn of(row: &SampleRow<'_>, positions: &Positions) -> Self {
        let prices = positions.prices.map(|column| {
            let cell = row.cells.get(column).copied().unwrap_or_default();
            read_number(cell, NumberRules::default()).unwrap_or(f64::NAN)
        });
        let [open, high, low, close] = prices;

        let time = row.cells.get(positions.time);
        let is_whole = |price: &f64| *price >= 1e4 && price % 100.0 == 0.0;
        Self {
            is_in_order: !(high < open.max(close).max(low) || low > open.min(close).min(high)),
            is_scaled: time.is_some_and(|cell| is_lean_time(cell)) && prices.iter().all(is_whole),
        }
    }
}

fn out_of_order(file: &str, line: u64) -> FileError {
    FileError::Unclear {
        file: file.to_owned(),
        line,
        question: "the file has no header, and the prices behind the time are not in the order \
                   open, high, low, close"
            .to_owned(),
        options: format!(
            "name the format, as in --format {}, or the columns by their numbers, as in --column \
             low=2,high=3,open=4,close=5",
            format_name(FileFormat::Coinbase)
        ),
    }
}

fn scaled(file: &str, line: u64) -> FileError {
    FileError::Unclear {
        file: file.to_owned(),
        line,
        question: "the file has no header, and its prices may be those of LEAN, times 10000"
            .to_owned(),
        options: "say so with --format lean, or take them as they are with --no-header".to_owned(),
    }
}

/// `20131001 00:00`, as LEAN writes the days of its daily and hourly files.
fn is_lean_time(cell: &[u8]) -> bool {
    cell.len() == 14 && cell.get(8) == Some(&b' ') && cell.get(11) == Some(&b':')
}

/// True for the name of a zone that means one clock: `US/Eastern`, `EST5EDT`, but not `EST`.
pub(super) fn is_zone_name(name: &str) -> bool {
    // Abbreviations stay out: `IST` is the clock of India, of Israel and of Ireland.
    let single_words = [
        "EST5EDT",
        "CST6CDT",
        "MST7MDT",
        "PST8PDT",
        "CET",
        "EET",
        "MET",
        "WET",
        "Japan",
        "Hongkong",
        "Singapore",
        "Israel",
        "Turkey",
        "Egypt",
        "Iran",
        "Eire",
        "Poland",
        "Portugal",
        "PRC",
        "ROC",
        "ROK",
        "NZ",
        "GB",
        "Universal",
    ];

    name.contains('/')
        || single_words
            .iter()
            .any(|word| word.eq_ignore_ascii_case(name))
}
