//! The rows of a text into columns, in one pass without an allocation for a cell.

use std::num::NonZero;
use std::thread;

use super::super::sheet::Sheet;
use super::super::stamp::{Stamp, StampKind, Stamps};
use super::super::{FileActions, FileError};
use super::names::Role;
use super::numbers::read_number;
use super::plan::ReadPlan;
use super::rows::{CellsOf, Row, Rows, clean};
use super::time::{TimeCell, read_only_time_of_day, read_time};

/// Smallest part of a text for which a thread is worth its start, in bytes.
const PART_BYTES_MIN: usize = 1 << 20;
/// Parts of a text, at most.
const PARTS_MAX: usize = 8;
/// Columns that are read: time, time of day, symbol, four prices, volume, four actions.
const SLOTS: usize = 12;
/// Slot of the first action.
const ACTION_SLOT: u8 = 8;
/// Slot of a column that is not read.
const NO_SLOT: u8 = u8::MAX;
/// Rows at the end of a file that may be text, such as the name of its source.
const FOOTER_ROWS_MAX: usize = 6;

/// Which rows are read, by their symbol.
#[derive(Clone, Copy, Debug)]
pub(super) enum SymbolFilter<'a> {
    /// All of them.
    All,
    /// All, as long as each has this symbol.
    Same(&'a [u8]),
    /// Those of this symbol.
    Only(&'a [u8]),
}

/// The first row that ends the reading.
#[derive(Debug)]
pub(super) enum Stop {
    /// It holds another symbol than the first row.
    OtherSymbol,
    /// It is refused.
    Refused(FileError),
}

/// The rows of one part of a text.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) lines: Vec<u64>,
    pub(super) stamps: Stamps,
    pub(super) prices: [Vec<f64>; 4],
    pub(super) volume: Vec<f64>,
    /// Adjusted close, dividend, split, capital gain; empty where there is no such column.
    actions: [Vec<f64>; 4],
    /// Rows of other symbols.
    pub(super) other_symbols: usize,
    /// Rows that repeat the header.
    pub(super) repeated_headers: usize,
    /// Line and text of the first row below the data.
    pub(super) footer: Option<(u64, String)>,
}

/// Reads rows by a plan.
#[derive(Debug)]
pub(super) struct RowReader<'a> {
    file: &'a str,
    plan: &'a ReadPlan<'a>,
    filter: SymbolFilter<'a>,
    /// Slot of each column.
    slots: Vec<u8>,
    has_time_of_day: bool,
    has_volume: bool,
}

/// The cells of a row that are read, by slot.
type RowCells<'t> = [&'t [u8]; SLOTS];

impl<'a> RowReader<'a> {
    pub(super) fn new(file: &'a str, plan: &'a ReadPlan<'a>, filter: SymbolFilter<'a>) -> Self {
        // Looked up once for all rows, so that a cell finds its place by its number alone.
        let mut slots = vec![NO_SLOT; plan.columns.len()];
        for (column, role) in plan.positions.roles() {
            if let Some(slot) = slots.get_mut(column) {
                *slot = slot_of(role);
            }
        }
        for (slot, column) in (ACTION_SLOT..).zip(plan.actions) {
            let place = column.and_then(|column| slots.get_mut(column));
            if let Some(place) = place {
                *place = slot;
            }
        }

        Self {
            file,
            plan,
            filter,
            slots,
            has_time_of_day: plan.positions.time_of_day.is_some(),
            has_volume: plan.positions.volume.is_some(),
        }
    }

    /// All rows of the text, by as many threads as it is worth.
    pub(super) fn read(&self) -> Result<Part, Stop> {
        let text = self.plan.data_text;
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let worth = (text.len() / PART_BYTES_MIN).clamp(1, PARTS_MAX);
        // A quoted cell may hold a line end, so that such a text is read in one go.
        let count = if self.plan.dialect.has_quotes {
            1
        } else {
            worth.min(threads)
        };

        let texts = split_at_lines(text, count);
        let [only] = texts.as_slice() else {
            return join(self.file, self.read_parts(&texts));
        };
        self.read_part(only.text, only.line + self.plan.data_line)
    }

    fn read_parts(&self, texts: &[PartText<'_>]) -> Vec<Result<Part, Stop>> {
        thread::scope(|scope| {
            let workers: Vec<_> = texts
                .iter()
                .map(|part| {
                    let line = part.line + self.plan.data_line;
                    scope.spawn(move || self.read_part(part.text, line))
                })
                .collect();

            // A thread that panics fails the reading of this file, not the whole process.
            let parts = workers.into_iter().map(|worker| {
                worker.join().unwrap_or_else(|_| {
                    Err(Stop::Refused(
                        self.row_error(1, "its reader stopped".to_owned()),
                    ))
                })
            });
            parts.collect()
        })
    }

    fn read_part(&self, text: &[u8], line: u64) -> Result<Part, Stop> {
        let mut part = Part::default();
        part.reserve(self.rows_in(text));
        let mut rows = Rows::new(text, line, self.plan.dialect);

        while let Some(row) = rows.next() {
            let Err(stop) = self.add_row(&mut part, row) else {
                continue;
            };
            let Stop::Refused(error) = stop else {
                return Err(stop);
            };

            // Odd rows are few: what they are is asked only where one could not be read.
            match self.judge_odd_row(row, rows) {
                OddRow::Blank => {}
                OddRow::Header => part.repeated_headers += 1,
                OddRow::Footer if !part.lines.is_empty() => {
                    let text = String::from_utf8_lossy(row.bytes).trim().to_owned();
                    part.footer = Some((row.line, text));
                    return Ok(part);
                }
                OddRow::Footer | OddRow::Wrong => return Err(Stop::Refused(error)),
            }
        }
        Ok(part)
    }

    /// About as many rows as `text` has, by the length of the first ones.
    fn rows_in(&self, text: &[u8]) -> usize {
        let head = text.get(..text.len().min(1 << 14)).unwrap_or_default();
        let head_rows = memchr::memchr_iter(b'\n', head).count().max(1);
        let estimate = text.len() * (head_rows + 1) / head.len().max(1);
        estimate + estimate / 64 + 1
    }

    /// Appends one row, or leaves `part` as it is.
    fn add_row(&self, part: &mut Part, row: Row<'_>) -> Result<(), Stop> {
        let cells = self.cells_of(row)?;
        let [
            time,
            time_of_day,
            symbol,
            open,
            high,
            low,
            close,
            volume,
            actions @ ..,
        ] = cells;
        let stamp = self.time_of(row, clean(time), time_of_day)?;
        if !self.has_symbol(symbol)? {
            part.other_symbols += 1;
            return Ok(());
        }

        let mut numbers = [f64::NAN; 4];
        let roles = Role::PRICES.into_iter().zip([open, high, low, close]);
        for (number, (role, cell)) in numbers.iter_mut().zip(roles) {
            *number = self.number(row, role, cell)?;
        }
        let volume = if self.has_volume {
            self.number(row, Role::Volume, volume)?
        } else {
            f64::NAN
        };

        // The last check comes before the columns grow: a refused row leaves none of them longer.
        if !part.stamps.push(stamp) {
            return Err(Stop::Refused(self.mixed_times(row, time)));
        }
        let divisor = self.plan.price_divisor();
        for (column, number) in part.prices.iter_mut().zip(numbers) {
            column.push(if divisor == 1.0 {
                number
            } else {
                number / divisor
            });
        }
        part.volume.push(volume);
        self.add_actions(part, actions);
        part.lines.push(row.line);
        Ok(())
    }

    /// Appends the actions of a row: a cell without a number says nothing about its bar.
    fn add_actions(&self, part: &mut Part, cells: [&[u8]; 4]) {
        let columns = part.actions.iter_mut().zip(self.plan.actions);
        for ((values, column), cell) in columns.zip(cells) {
            if column.is_some() {
                let number = read_number(clean(cell), self.plan.numbers);
                values.push(number.unwrap_or(f64::NAN));
            }
        }
    }

    /// The cells that are read; a row that is too short or too long is refused.
    #[inline]
    fn cells_of<'t>(&self, row: Row<'t>) -> Result<RowCells<'t>, Stop> {
        let mut cells: RowCells<'t> = [&[]; SLOTS];
        let mut count = 0;
        let mut extra = false;
        for cell in CellsOf::new(row.bytes, self.plan.dialect) {
            match self.slots.get(count) {
                Some(slot) => {
                    if let Some(place) = cells.get_mut(usize::from(*slot)) {
                        *place = cell;
                    }
                }
                // Many programs end each row with a delimiter, and so with an empty cell too many.
                None => extra |= !clean(cell).is_empty(),
            }
            count += 1;
        }

        if count < self.plan.width || extra {
            let columns = self.plan.columns.len();
            let reason = format!("{count} cells where the header has {columns}");
            return Err(Stop::Refused(self.row_error(row.line, reason)));
        }
        Ok(cells)
    }

    /// Whether a row is one of those that are read; of a row with another symbol than the first,
    /// where all are read, the reading stops.
    #[inline]
    fn has_symbol(&self, symbol: &[u8]) -> Result<bool, Stop> {
        match self.filter {
            SymbolFilter::All => Ok(true),
            SymbolFilter::Same(first) => {
                let symbol = clean(symbol);
                if symbol == first || symbol.is_empty() {
                    Ok(true)
                } else {
                    Err(Stop::OtherSymbol)
                }
            }
            SymbolFilter::Only(only) => Ok(clean(symbol) == only),
        }
    }

    /// The time of a row, from one cell or two.
    #[inline]
    fn time_of(&self, row: Row<'_>, time: &[u8], time_of_day: &[u8]) -> Result<Stamp, Stop> {
        let Some(TimeCell { stamp, zone }) = read_time(time, &self.plan.times) else {
            return Err(Stop::Refused(self.time_error(row.line, time)));
        };

        // A row without the zone of the others would quietly be read by another clock.
        if let Some(zone) = zone {
            self.check_zone(row, zone)?;
        } else if self.plan.written_zone.is_some() && stamp.kind != StampKind::Instant {
            return Err(Stop::Refused(self.time_error(row.line, time)));
        }
        if !self.has_time_of_day || time_of_day.is_empty() {
            return Ok(stamp);
        }

        match read_only_time_of_day(clean(time_of_day)) {
            Some(clock) if stamp.kind == StampKind::Date => Ok(Stamp::local(stamp.micros + clock)),
            _ => Err(Stop::Refused(self.time_error(row.line, time_of_day))),
        }
    }

    /// Every time has the zone of the first one.
    fn check_zone(&self, row: Row<'_>, zone: &[u8]) -> Result<(), Stop> {
        let first = self.plan.written_zone.as_ref();
        if first.is_some_and(|first| first.name == zone || first.zone.is_none()) {
            return Ok(());
        }

        let zone = String::from_utf8_lossy(zone);
        let reason = match first {
            Some(first) => format!(
                "the zone `{zone}`, where the rows before are in `{}`",
                String::from_utf8_lossy(&first.name)
            ),
            None => format!("the zone `{zone}`, where the rows before have none"),
        };
        Err(Stop::Refused(self.row_error(row.line, reason)))
    }

    #[inline]
    fn number(&self, row: Row<'_>, role: Role, cell: &[u8]) -> Result<f64, Stop> {
        let cell = clean(cell);

        read_number(cell, self.plan.numbers).ok_or_else(|| {
            Stop::Refused(FileError::Number {
                file: self.file.to_owned(),
                line: row.line,
                column: role.as_str().to_owned(),
                text: String::from_utf8_lossy(cell).into_owned(),
            })
        })
    }

    fn time_error(&self, line: u64, cell: &[u8]) -> FileError {
        FileError::Time {
            file: self.file.to_owned(),
            line,
            text: String::from_utf8_lossy(cell).into_owned(),
        }
    }

    fn row_error(&self, line: u64, reason: String) -> FileError {
        FileError::Row {
            file: self.file.to_owned(),
            line,
            reason,
        }
    }

    /// Some times have a zone and others have none.
    fn mixed_times(&self, row: Row<'_>, cell: &[u8]) -> FileError {
        let text = String::from_utf8_lossy(clean(cell)).into_owned();
        let has_zone = read_time(clean(cell), &self.plan.times)
            .is_some_and(|time| time.stamp.kind == StampKind::Instant);
        let file = self.file.to_owned();
        let line = row.line;
        if has_zone {
            let reason = format!("the time `{text}` has a zone, and those before have none");
            FileError::Row { file, line, reason }
        } else {
            FileError::Naive { file, line, text }
        }
    }

    /// What a row is that cannot be read; `behind` are the rows behind it.
    fn judge_odd_row(&self, row: Row<'_>, behind: Rows<'_>) -> OddRow {
        let mut cells = CellsOf::new(row.bytes, self.plan.dialect).map(clean);
        let is_blank = cells.all(<[u8]>::is_empty);
        let is_comment = row.bytes.trim_ascii_start().starts_with(b"#");
        if is_blank || is_comment {
            return OddRow::Blank;
        }
        if self.plan.header_rows.contains(&row.bytes) {
            return OddRow::Header;
        }

        // Text in the middle of a table is damage; only at its end it can be a remark.
        let mut last_rows = std::iter::once(row).chain(behind).take(FOOTER_ROWS_MAX + 1);
        let count = last_rows.clone().count();
        let is_end = count <= FOOTER_ROWS_MAX && last_rows.all(|row| self.is_text(row));
        if is_end {
            OddRow::Footer
        } else {
            OddRow::Wrong
        }
    }

    /// True for a row without a time in the column of times, and without a price.
    fn is_text(&self, row: Row<'_>) -> bool {
        let mut has_value = false;

        for (column, cell) in CellsOf::new(row.bytes, self.plan.dialect).enumerate() {
            let cell = clean(cell);
            let has_digit = cell.iter().any(u8::is_ascii_digit);
            has_value |= match self.plan.role_of(column) {
                Some(Role::Time) => read_time(cell, &self.plan.times).is_some(),
                Some(Role::Open | Role::High | Role::Low | Role::Close) => {
                    has_digit && read_number(cell, self.plan.numbers).is_some()
                }
                // Other columns prove nothing: a footer may hold the number of rows or a total.
                _ => false,
            };
        }
        !has_value
    }
}

/// A row that cannot be read as bars.
enum OddRow {
    /// Cells without content, or a comment.
    Blank,
    /// The header again, where files were put together.
    Header,
    /// Words below the data.
    Footer,
    Wrong,
}

fn slot_of(role: Role) -> u8 {
    match role {
        Role::Time => 0,
        Role::TimeOfDay => 1,
        Role::Symbol => 2,
        Role::Open => 3,
        Role::High => 4,
        Role::Low => 5,
        Role::Close => 6,
        Role::Volume => 7,
    }
}

/// A part of a text, and the number of lines before it.
struct PartText<'a> {
    text: &'a [u8],
    line: u64,
}

/// Cuts a text at line ends into parts of about one length.
fn split_at_lines(text: &[u8], count: usize) -> Vec<PartText<'_>> {
    let mut parts = Vec::with_capacity(count);
    let mut rest = text;
    let mut line = 0;

    for parts_left in (2..=count).rev() {
        // A cut inside of a row would break it in two, so that a part ends at the next line end.
        let middle = rest.len() / parts_left;
        let end = rest
            .get(middle..)
            .and_then(|tail| memchr::memchr(b'\n', tail));
        let Some((part, behind)) = end.and_then(|end| rest.split_at_checked(middle + end + 1))
        else {
            break;
        };
        parts.push(PartText { text: part, line });
        line += memchr::memchr_iter(b'\n', part).count() as u64;
        rest = behind;
    }
    parts.push(PartText { text: rest, line });
    parts
}

/// The parts in order; the first one that stopped decides.
fn join(file: &str, parts: Vec<Result<Part, Stop>>) -> Result<Part, Stop> {
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap_or_else(|| Ok(Part::default()))?;

    // In file order: with any number of threads, the first error of the file is reported.
    for part in parts {
        let part = part?;
        let line = part.lines.first().copied().unwrap_or(1);
        if !whole.append(part) {
            return Err(Stop::Refused(FileError::Row {
                file: file.to_owned(),
                line,
                reason: "times with a zone and times without one in one file".to_owned(),
            }));
        }
    }
    Ok(whole)
}

/// Appends `others`, with no more room than that takes.
fn append_column<T: Copy>(column: &mut Vec<T>, others: Vec<T>) {
    column.reserve_exact(others.len());
    column.extend_from_slice(&others);
}

impl Part {
    fn reserve(&mut self, rows: usize) {
        self.lines.reserve_exact(rows);
        self.stamps.reserve(rows);
        self.volume.reserve_exact(rows);
        for column in &mut self.prices {
            column.reserve_exact(rows);
        }
    }

    /// Appends the rows of `other`; false if their times do not fit. Each column of it goes as soon
    /// as it is copied, so that no two copies of all rows are held beside the text.
    fn append(&mut self, other: Self) -> bool {
        append_column(&mut self.lines, other.lines);
        append_column(&mut self.volume, other.volume);
        for (column, others) in self.prices.iter_mut().zip(other.prices) {
            append_column(column, others);
        }
        for (column, others) in self.actions.iter_mut().zip(other.actions) {
            append_column(column, others);
        }

        self.other_symbols += other.other_symbols;
        self.repeated_headers += other.repeated_headers;
        self.footer = self.footer.take().or(other.footer);
        self.stamps.append(other.stamps)
    }

    /// The sheet of these rows.
    pub(super) fn into_sheet(self, sheet: Sheet) -> Sheet {
        Sheet {
            lines: self.lines,
            stamps: self.stamps,
            prices: self.prices,
            volume: self.volume,
            actions: FileActions::from_columns(self.actions),
            ..sheet
        }
    }
}
