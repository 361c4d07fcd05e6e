//! What a file seems to hold, shown before it is imported. Nothing here decides how it is read.

use std::collections::BTreeMap;
use std::path::Path;

use market::{Timeframe, TimeframeUnit, Utc};
use schemas::names::MICROS_PER_DAY;
use serde::Serialize;

use super::sheet::Sheet;
use super::stamp::StampKind;
use super::text::Choice;
use super::{BarFile, FileError, Mapping};

/// Format, columns, times and peculiarities of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detected {
    /// `csv`, `parquet`, `arrow` or `arrow stream`.
    pub format: String,
    /// Between cells, for CSV.
    pub delimiter: Option<char>,
    /// Column names in order.
    pub columns: Vec<String>,
    /// What each column is read as, such as `close`; absent for a column that is not read.
    pub roles: Vec<Option<&'static str>>,
    /// What is not plain about the file: what was taken, and why.
    pub choices: Vec<Choice>,
    /// How times are written: `instants` (with offset or Unix time), `local times` (a zone is
    /// needed) or `dates`.
    pub times: String,
    /// Length of the bars by the spacing of the rows, such as `1h`; absent with less than two rows.
    pub timeframe: Option<String>,
    /// Number of rows.
    pub rows: u64,
    /// Smallest timestamp as written, local times taken as UTC.
    pub first: Utc,
    /// Largest timestamp, local times taken as UTC.
    pub last: Utc,
    /// Remarks for the person who imports it, each with the number of rows it concerns.
    pub issues: Vec<String>,
}

/// Looks into a local file, or into a folder of Parquet files that are one table.
///
/// # Errors
/// See [`FileError`]: a file that cannot be read under any zone is refused here too.
pub fn detect(path: &Path, mapping: &Mapping) -> Result<Detected, FileError> {
    Ok(BarFile::open(path, mapping, None)?.detected())
}

/// What a sheet shows, local times taken as UTC.
pub(super) fn describe_sheet(sheet: &Sheet, has_zone: bool) -> Detected {
    let times = sheet.stamps.micros();

    // Rows may be in any order: the first and the last one need not be the ends of the range.
    Detected {
        format: sheet.format.to_owned(),
        delimiter: sheet.delimiter,
        columns: sheet.columns.clone(),
        roles: sheet.roles.clone(),
        choices: sheet.choices.clone(),
        times: kind_of_times(sheet).to_owned(),
        timeframe: spacing_of(times.iter().copied()).map(describe),
        rows: sheet.lines.len() as u64,
        first: Utc(times.iter().min().copied().unwrap_or(0)),
        last: Utc(times.iter().max().copied().unwrap_or(0)),
        issues: find_issues(sheet, has_zone),
    }
}

/// The kind that decides what is needed to read them.
fn kind_of_times(sheet: &Sheet) -> &'static str {
    match sheet.stamps.kind() {
        StampKind::Local if sheet.written_zone.is_some() => "instants",
        StampKind::Local => "local times",
        StampKind::Date => "dates",
        StampKind::Instant => "instants",
    }
}

/// What a person may want to know before they import the file.
fn find_issues(sheet: &Sheet, has_zone: bool) -> Vec<String> {
    let times = sheet.stamps.micros();
    // A zone makes instants of them.
    let needs_zone = kind_of_times(sheet) == "local times" && !has_zone && sheet.zone.is_none();
    let local_times = if needs_zone { times.len() } else { 0 };

    let mut sorted_times = times.to_vec();
    let steps_back = times
        .windows(2)
        .filter(|pair| pair.first() > pair.last())
        .count();
    if steps_back > 0 {
        sorted_times.sort_unstable();
    }
    let repeated_times = sorted_times
        .windows(2)
        .filter(|pair| pair.first() == pair.last())
        .count();

    let lacking_rows = (0..sheet.lines.len())
        .filter(|row| lacks_price(sheet, *row))
        .count();
    let zero_volumes = sheet.volume.iter().filter(|volume| **volume == 0.0).count();

    [
        (local_times, "times have no zone: name it"),
        (steps_back, "rows are earlier than the row before"),
        (repeated_times, "rows repeat a time"),
        (lacking_rows, "rows lack a price"),
        (
            zero_volumes,
            "rows have volume 0 (not available for currency pairs)",
        ),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, issue)| format!("{count} {issue}"))
    .chain(several_symbols(sheet))
    .collect()
}

/// What is said of a file of several symbols.
fn several_symbols(sheet: &Sheet) -> Option<String> {
    let symbols = sheet
        .symbols
        .as_ref()
        .filter(|symbols| symbols.are_several())?;
    Some(format!("{}: name the one to read", symbols.describe()))
}

fn lacks_price(sheet: &Sheet, row: usize) -> bool {
    sheet
        .prices
        .iter()
        .any(|prices| prices.get(row).is_none_or(|price| !price.is_finite()))
}

/// The spacing of bars in microseconds: the smallest distance that at least a tenth of the
/// neighbours have. Nights and weekends are larger, single odd rows are rarer. `None` below two
/// different times.
pub fn timeframe_of(times: &[Utc]) -> Option<i64> {
    spacing_of(times.iter().map(|time| time.0))
}

fn spacing_of(times: impl Iterator<Item = i64> + Clone) -> Option<i64> {
    let distances = Distances::between(times);

    // At least one: two rows have one distance, and it counts.
    let enough = distances.total.div_ceil(10).max(1);
    let mut frequent = distances
        .counts
        .into_iter()
        .filter(|(_, count)| *count >= enough);
    frequent.next().map(|(micros, _)| micros)
}

/// Rows of a regular spacing from which on it says what a file holds.
const REGULAR_MIN: usize = 3;

/// The spacing of `times`, in microseconds, if they cannot be the labels of `timeframe` bars: most
/// of them are closer together, or they are regular, at least half of them, and never closer than
/// twice the timeframe. Weekends, holidays and thin markets prove nothing.
pub(super) fn find_other_spacing(times: &[Utc], timeframe: Timeframe) -> Option<i64> {
    let distances = Distances::between(times.iter().map(|time| time.0));
    let (most_frequent, count) = distances.most_frequent()?;

    let closest = closest_labels(timeframe);
    if distances.count_below(closest) * 2 > distances.total {
        return Some(
            distances
                .most_frequent_below(closest)
                .unwrap_or(most_frequent),
        );
    }

    // Were each of them one bar that was over after the timeframe, the bars would be seen before
    // they end.
    let is_regular = count >= REGULAR_MIN && count * 2 >= distances.total;
    let is_far_apart = distances.count_below(2 * timeframe.micros()) == 0;
    (is_regular && is_far_apart && distances.total > REGULAR_MIN).then_some(most_frequent)
}

/// The closest that labels of two bars in a row usually are: weeks are labelled by their last
/// trading date, too, and months by their first or last one. Only the first bar of a session is
/// closer to the next one, where a provider labels it by the open.
fn closest_labels(timeframe: Timeframe) -> i64 {
    match timeframe.unit() {
        TimeframeUnit::Minute | TimeframeUnit::Day => timeframe.micros(),
        TimeframeUnit::Week => timeframe.micros() - 3 * MICROS_PER_DAY,
        TimeframeUnit::Month => 24 * MICROS_PER_DAY,
    }
}

/// How far apart neighbours are, in the order of time.
struct Distances {
    /// Neighbours by their distance in microseconds; a month is 28 days, however many it has.
    counts: BTreeMap<i64, usize>,
    /// Pairs of neighbours.
    total: usize,
}

impl Distances {
    /// Equal times count as one.
    fn between(times: impl Iterator<Item = i64> + Clone) -> Self {
        if times.clone().is_sorted() {
            return Self::between_sorted(times);
        }
        let mut sorted: Vec<i64> = times.collect();
        sorted.sort_unstable();
        Self::between_sorted(sorted.into_iter())
    }

    /// Nearly every distance is the one before, which is counted without a look-up.
    fn between_sorted(times: impl Iterator<Item = i64> + Clone) -> Self {
        let mut distances = Self {
            counts: BTreeMap::new(),
            total: 0,
        };
        let mut last_micros = 0;
        let mut run = 0_usize;

        for (earlier, later) in times.clone().zip(times.skip(1)) {
            let micros = later.saturating_sub(earlier);
            if micros == last_micros {
                run += 1;
            } else {
                distances.add(last_micros, run);
                last_micros = micros;
                run = 1;
            }
        }

        // The loop counts a run only when the next one begins, which the last one never sees.
        distances.add(last_micros, run);
        distances
    }

    /// Takes `count` neighbours of one distance into account.
    fn add(&mut self, micros: i64, count: usize) {
        if micros == 0 || count == 0 {
            return;
        }
        let micros = match Timeframe::of_spacing(micros) {
            Some(Timeframe::MONTH_1) => 28 * MICROS_PER_DAY,
            _ => micros,
        };
        *self.counts.entry(micros).or_default() += count;
        self.total += count;
    }

    fn count_below(&self, limit: i64) -> usize {
        self.counts.range(..limit).map(|(_, count)| *count).sum()
    }

    /// The distance that most neighbours have, the shortest of several, and how many have it.
    fn most_frequent(&self) -> Option<(i64, usize)> {
        let counts = self.counts.iter().rev();
        let largest = counts.max_by_key(|(_, count)| **count)?;
        Some((*largest.0, *largest.1))
    }

    fn most_frequent_below(&self, limit: i64) -> Option<i64> {
        let counts = self.counts.range(..limit).rev();
        counts
            .max_by_key(|(_, count)| **count)
            .map(|(micros, _)| *micros)
    }
}

/// `1h`, or the length in seconds if no timeframe has it.
pub(super) fn describe(micros: i64) -> String {
    match Timeframe::of_spacing(micros) {
        Some(timeframe) => timeframe.to_string(),
        None => format!("{} s", micros / 1_000_000),
    }
}
