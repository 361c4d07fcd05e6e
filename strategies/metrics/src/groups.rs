//! The figures of a part's rows by symbol and by month.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemas::metrics::{GroupMetrics, Grouping};

use super::Tally;

/// Where the rows of a part come from, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowOrigins {
    /// Ids of the instruments.
    pub symbols: Vec<String>,
    /// Index into `symbols`, `[rows]`.
    pub symbol: Vec<u16>,
    /// Instant at which the features of the row were known, microseconds UTC, `[rows]`.
    pub known_at: Vec<i64>,
}

impl RowOrigins {
    /// The groups of each row, `[rows]`.
    fn groups(&self) -> impl Iterator<Item = [Group; 2]> + '_ {
        let rows = self.symbol.iter().zip(&self.known_at);
        rows.map(|(symbol, known_at)| [Group::Symbol(*symbol), Group::of_month(*known_at)])
    }
}

/// What rows have in common: symbols first, months in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    /// Index of the instrument.
    Symbol(u16),
    /// Year, then month from 1.
    Month(i16, i8),
}

impl Group {
    /// The month of an instant, microseconds UTC; month 0 of year 0 beyond the calendar.
    fn of_month(micros: i64) -> Self {
        match Timestamp::from_microsecond(micros) {
            Ok(instant) => {
                let date = TimeZone::UTC.to_datetime(instant).date();
                Self::Month(date.year(), date.month())
            }
            Err(_) => Self::Month(0, 0),
        }
    }

    fn by(self) -> Grouping {
        match self {
            Self::Symbol(_) => Grouping::Symbol,
            Self::Month(..) => Grouping::Month,
        }
    }

    /// `2024-03`, or the id of the instrument.
    fn name(self, symbols: &[String]) -> String {
        match self {
            Self::Symbol(symbol) => symbols
                .get(usize::from(symbol))
                .cloned()
                .unwrap_or_default(),
            Self::Month(year, month) => format!("{year:04}-{month:02}"),
        }
    }
}

/// The figures of the rows of each symbol, then of each month.
pub(super) fn groups_of<T: Tally>(
    empty: &T,
    rows: &[T::Row],
    origins: &RowOrigins,
) -> Vec<GroupMetrics> {
    let mut tallies: BTreeMap<Group, GroupTally<T>> = BTreeMap::new();
    for (row, groups) in rows.iter().zip(origins.groups()) {
        for group in groups {
            let tally = tallies.entry(group).or_insert_with(|| GroupTally {
                rows: 0,
                sums: empty.clone(),
            });
            tally.rows += 1;
            tally.sums.add(row);
        }
    }

    let groups = tallies.into_iter().map(|(group, tally)| GroupMetrics {
        by: group.by(),
        name: group.name(&origins.symbols),
        rows: tally.rows,
        figures: tally.named_figures(),
    });
    groups.collect()
}

struct GroupTally<T> {
    rows: u64,
    sums: T,
}

impl<T: Tally> GroupTally<T> {
    fn named_figures(&self) -> BTreeMap<String, f64> {
        let figures = self.sums.figures().into_iter();
        figures
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}
