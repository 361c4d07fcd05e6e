//! Which column of a text holds what, and why.

use market::Instrument;

use super::super::{FileError, Mapping};
use super::frame::{Frame, SampleRow, is_same_name, name_of};
use super::names::{ACTIONS, Role, plain_name, rank_of};
use super::presets::Preset;
use super::symbols::{is_symbol_of, several};
use super::time::{TimeRules, looks_like_time, read_only_time_of_day, read_time};
use crate::files::stamp::StampKind;

/// The column of each role, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Positions {
    pub(super) time: usize,
    pub(super) time_of_day: Option<usize>,
    /// Open, high, low, close.
    pub(super) prices: [usize; 4],
    pub(super) volume: Option<usize>,
    pub(super) symbol: Option<usize>,
}

impl Positions {
    /// The columns that are read, with their roles.
    pub(super) fn roles(&self) -> Vec<(usize, Role)> {
        let mut roles = vec![(self.time, Role::Time)];

        let optional = [
            (self.time_of_day, Role::TimeOfDay),
            (self.volume, Role::Volume),
            (self.symbol, Role::Symbol),
        ];
        roles.extend(
            optional
                .into_iter()
                .filter_map(|(column, role)| Some((column?, role))),
        );
        roles.extend(self.prices.into_iter().zip(Role::PRICES));
        roles
    }
}

/// Columns of adjusted closes, dividends, splits and capital gains.
pub(super) type ActionPositions = [Option<usize>; 4];

/// The columns of actions by their usual names, of those that hold nothing else: a file whose only
/// close is adjusted has no adjusted close beside it.
pub(super) fn find_actions(plain_names: &[String], positions: &Positions) -> ActionPositions {
    let roles = positions.roles();
    let is_free = |column: &usize| roles.iter().all(|(taken, _)| taken != column);

    ACTIONS.map(|names| {
        let mut columns = 0..plain_names.len();
        columns.find(|column| {
            let name = plain_names.get(*column);
            is_free(column) && name.is_some_and(|name| names.contains(&name.as_str()))
        })
    })
}

/// The names of the columns of a file with header, and the symbol that stands above each.
#[derive(Clone, Debug, Default)]
pub(super) struct HeaderNames {
    /// As they are written.
    pub(super) names: Vec<String>,
    /// For comparison with the usual names; empty for a column of another symbol.
    pub(super) plain: Vec<String>,
    /// The symbol above the columns that are read, if the header names one.
    pub(super) symbol: Option<String>,
}

impl HeaderNames {
    /// Reads all rows of the header.
    ///
    /// # Errors
    /// The columns belong to several symbols, and none of them is the one that is asked for.
    pub(super) fn read(
        file: &str,
        frame: &Frame<'_>,
        instrument: Option<&Instrument>,
    ) -> Result<Self, FileError> {
        let Some((first, others)) = frame.header.split_first() else {
            return Ok(Self::default());
        };
        let mut names: Vec<String> = first.cells.iter().map(|cell| name_of(cell)).collect();

        // The index of a table of pandas has its name in a row of its own.
        for (column, name) in names.iter_mut().enumerate() {
            let below = others.iter().filter_map(|row| row.cells.get(column));
            let mut below = below.map(|cell| name_of(cell));
            let is_time = |name: &String| {
                !name.is_empty() && rank_of(Role::Time, &plain_name(name)).is_some()
            };
            if !is_time(name)
                && let Some(time) = below.find(is_time)
            {
                *name = time;
            }
        }

        let mut header = Self {
            plain: names.iter().map(|name| plain_name(name)).collect(),
            names,
            symbol: None,
        };
        let symbols = symbols_above(first, others);
        header.take_symbol(file, &symbols, instrument)?;
        Ok(header)
    }

    /// Leaves only the columns of one symbol under their usual names.
    fn take_symbol(
        &mut self,
        file: &str,
        symbols: &[String],
        instrument: Option<&Instrument>,
    ) -> Result<(), FileError> {
        let mut distinct: Vec<&String> = symbols.iter().filter(|each| !each.is_empty()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let chosen = match distinct.as_slice() {
            [] => return Ok(()),
            [only] => *only,
            many => {
                let fitting = many.iter().find(|each| is_symbol_of(each, instrument));
                let several = || several(file, "the header", many.iter().copied(), instrument);
                *fitting.ok_or_else(several)?
            }
        };

        // A name without a role keeps a column from being taken; messages show the written one.
        for (plain, symbol) in self.plain.iter_mut().zip(symbols) {
            if !symbol.is_empty() && symbol != chosen {
                plain.clear();
                plain.push_str("of another symbol");
            }
        }
        self.symbol = Some(chosen.clone());
        Ok(())
    }

    /// The column called `name`, which may be its number in a file without header.
    fn position_of(&self, name: &str) -> Option<usize> {
        if self.names.is_empty() {
            return name.parse::<usize>().ok()?.checked_sub(1);
        }
        let mut names = self.names.iter();
        let exact = names.position(|each| is_same_name(each, name));
        let plain = plain_name(name);
        exact.or_else(|| self.plain.iter().position(|each| *each == plain))
    }

    /// The columns that have a usual name of `role`, the best first.
    fn candidates(&self, role: Role) -> Vec<usize> {
        let ranks = self.plain.iter().enumerate();
        let mut ranked: Vec<(usize, usize)> = ranks
            .filter_map(|(column, name)| Some((rank_of(role, name)?, column)))
            .collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, column)| column).collect()
    }
}

/// The symbol above each column: in a row that starts with `Ticker`, or in the pairs of pandas.
fn symbols_above(first: &SampleRow<'_>, others: &[SampleRow<'_>]) -> Vec<String> {
    let pairs = first.cells.iter().map(|cell| {
        let text = String::from_utf8_lossy(cell);
        let pair = text.strip_prefix('(').and_then(|pair| pair.split_once(','));
        let symbol = pair.map(|(_, symbol)| symbol.trim_matches([')', '\'', '"', ' ']).to_owned());
        symbol.unwrap_or_default()
    });
    let mut symbols: Vec<String> = pairs.collect();

    // yfinance writes the symbols in a row of their own, below the names of the columns.
    for row in others {
        let mut cells = row
            .cells
            .iter()
            .map(|cell| String::from_utf8_lossy(cell).into_owned());
        let title = cells.next().unwrap_or_default();
        if rank_of(Role::Symbol, &plain_name(&title)).is_some() {
            symbols = std::iter::once(String::new()).chain(cells).collect();
        }
    }
    symbols
}

/// Finds the columns of a text.
pub(super) struct ColumnFinder<'a> {
    file: &'a str,
    frame: &'a Frame<'a>,
    header: &'a HeaderNames,
    mapping: &'a Mapping,
    times: &'a TimeRules,
    preset: Option<&'static Preset>,
}

impl<'a> ColumnFinder<'a> {
    /// Over everything that is decided before the columns are.
    pub(super) fn new(
        file: &'a str,
        frame: &'a Frame<'a>,
        header: &'a HeaderNames,
        mapping: &'a Mapping,
        times: &'a TimeRules,
        preset: Option<&'static Preset>,
    ) -> Self {
        Self {
            file,
            frame,
            header,
            mapping,
            times,
            preset,
        }
    }

    /// The columns by the names that are asked for, by the usual names, or by their order.
    ///
    /// # Errors
    /// A column is absent.
    pub(super) fn find(&self) -> Result<Positions, FileError> {
        let names = &self.mapping.columns;
        let is_headerless = self.frame.header.is_empty();
        let time = self.time()?;
        let time_of_day = self.time_of_day(time)?;
        let by_order = PositionsByOrder::of(self, time, time_of_day);

        let prices = [
            self.price(Role::Open, names.open.as_deref(), &by_order)?,
            self.price(Role::High, names.high.as_deref(), &by_order)?,
            self.price(Role::Low, names.low.as_deref(), &by_order)?,
            self.price(Role::Close, names.close.as_deref(), &by_order)?,
        ];

        // A volume that was named and is absent is a mistake; without a name it is optional.
        let volume = match &names.volume {
            Some(name) => Some(self.named(Role::Volume, name)?),
            None if is_headerless => by_order.position(Role::Volume),
            None => self.volume(),
        };
        let symbol = match &names.symbol {
            Some(name) => Some(self.named(Role::Symbol, name)?),
            None if is_headerless => time.checked_sub(1).filter(|column| self.has_words(*column)),
            None => self.header.candidates(Role::Symbol).first().copied(),
        };
        Ok(Positions {
            time,
            time_of_day,
            prices,
            volume,
            symbol,
        })
    }

    /// The column of a price: by the name that was given, by its order, or by a usual name.
    fn price(
        &self,
        role: Role,
        name: Option<&str>,
        by_order: &PositionsByOrder,
    ) -> Result<usize, FileError> {
        match name {
            Some(name) => self.named(role, name),
            None if self.frame.header.is_empty() => {
                let position = by_order.position(role);
                position.ok_or_else(|| self.absent(role, None))
            }
            None => self.by_usual_name(role),
        }
    }

    fn named(&self, role: Role, name: &str) -> Result<usize, FileError> {
        let position = self.header.position_of(name);
        position.ok_or_else(|| self.absent(role, Some(name)))
    }

    fn by_usual_name(&self, role: Role) -> Result<usize, FileError> {
        let candidates = self.header.candidates(role);
        candidates
            .first()
            .copied()
            .ok_or_else(|| self.absent(role, None))
    }

    fn absent(&self, role: Role, name: Option<&str>) -> FileError {
        let column = match name {
            Some(name) => format!("{}, `{name}`", role.as_str()),
            None => role.as_str().to_owned(),
        };
        let file = self.file.to_owned();

        // Without a header there are no names to offer: people have to count columns.
        match self.frame.header.first() {
            Some(header) => FileError::Column {
                file,
                column,
                existing: self.header.names.join(", "),
                line: header.row.line,
            },
            None => FileError::Headerless {
                file,
                column,
                line: self.frame.data_line,
            },
        }
    }

    /// The column of times: an instant before a local time before a date, and of those the best
    /// name.
    fn time(&self) -> Result<usize, FileError> {
        let names = &self.mapping.columns;
        if let Some(name) = names.date.as_ref().or(names.time.as_ref()) {
            return self.named(Role::Time, name);
        }
        if self.frame.header.is_empty() {
            let first = self.frame.data.first();
            let mut cells = first.iter().flat_map(|row| &row.cells);
            let position = cells.position(|cell| looks_like_time(cell, self.times));
            return position.ok_or_else(|| self.absent(Role::Time, None));
        }

        let candidates = self.header.candidates(Role::Time);
        let best = candidates
            .iter()
            .min_by_key(|column| self.distance_from_instant(**column));
        best.copied().ok_or_else(|| self.absent(Role::Time, None))
    }

    /// 0 for a column of instants, more for what needs more to be known.
    fn distance_from_instant(&self, column: usize) -> u8 {
        let mut cells = self.cells(column);
        let Some(cell) = cells.find(|cell| !cell.is_empty()) else {
            return 4;
        };
        match read_time(cell, self.times).map(|time| time.stamp.kind) {
            Some(StampKind::Instant) => 0,
            Some(StampKind::Local | StampKind::Date) => 1,
            None if looks_like_time(cell, self.times) => 1,
            None if read_only_time_of_day(cell).is_some() => 3,
            None => 2,
        }
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = &[u8]> {
        let rows = self.frame.data.iter();
        rows.filter_map(move |row| row.cells.get(column).copied())
    }

    /// A column of times of day beside a column of dates.
    fn time_of_day(&self, date: usize) -> Result<Option<usize>, FileError> {
        let names = &self.mapping.columns;
        if names.date.is_some()
            && let Some(name) = &names.time
        {
            return self.named(Role::TimeOfDay, name).map(Some);
        }

        let is_time_of_day = |column: &usize| {
            *column != date && self.cells(*column).next().is_some_and(is_only_time_of_day)
        };
        let has_dates = self
            .cells(date)
            .next()
            .is_some_and(|cell| self.is_date(cell));

        // Without names only the neighbour of the date is taken: others may hold times of anything.
        let mut candidates = if self.frame.header.is_empty() {
            vec![date + 1]
        } else {
            self.header.candidates(Role::TimeOfDay)
        };
        candidates.retain(is_time_of_day);
        Ok(candidates.first().copied().filter(|_| has_dates))
    }

    fn is_date(&self, cell: &[u8]) -> bool {
        match read_time(cell, self.times) {
            Some(time) => time.stamp.kind == StampKind::Date,
            None => !cell.contains(&b':') && looks_like_time(cell, self.times),
        }
    }

    /// The volume: the first by its name that is not 0 throughout, as MetaTrader writes the real
    /// volume of currencies.
    fn volume(&self) -> Option<usize> {
        let candidates = self.header.candidates(Role::Volume);
        let best = candidates.iter().find(|column| self.has_values(**column));
        best.or(candidates.first()).copied()
    }

    /// True if the first cell of the column starts with a letter: an index of rows is no symbol.
    fn has_words(&self, column: usize) -> bool {
        let first = self.cells(column).next();
        first.is_some_and(|cell| cell.first().is_some_and(u8::is_ascii_alphabetic))
    }

    /// True if a cell of the column has another digit than 0.
    fn has_values(&self, column: usize) -> bool {
        let mut cells = self.cells(column);
        cells.any(|cell| cell.iter().any(|byte| matches!(byte, b'1'..=b'9')))
    }
}

/// A time of day such as `09:30` or `093000`; a price has a point, and a count other digits.
fn is_only_time_of_day(cell: &[u8]) -> bool {
    let has_form = cell.contains(&b':') || matches!(cell.len(), 4..=6);
    has_form && read_only_time_of_day(cell).is_some()
}

/// The columns of a file without header: in the order of its format, else behind the time.
struct PositionsByOrder {
    preset: Option<&'static Preset>,
    /// Column behind the time.
    start: usize,
    width: usize,
}

impl PositionsByOrder {
    fn of(finder: &ColumnFinder<'_>, time: usize, time_of_day: Option<usize>) -> Self {
        let first = finder.frame.data.first();
        Self {
            preset: finder.preset,
            start: time_of_day.unwrap_or(time) + 1,
            width: first.map_or(0, |row| row.cells.len()),
        }
    }

    fn position(&self, role: Role) -> Option<usize> {
        let preset_order = self.preset.and_then(|preset| preset.order_of(role));
        let usual_order = [Role::Open, Role::High, Role::Low, Role::Close, Role::Volume];
        let order = preset_order.or_else(|| usual_order.iter().position(|each| *each == role));
        let position = self.start + order?;
        (position < self.width).then_some(position)
    }
}
