//! What a file seems to hold, shown before it is imported. Nothing here decides how it is read.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::tz::TimeZone;
use market::{Timeframe, Utc};
use serde::Serialize;

use super::sheet::Sheet;
use super::stamp::Stamp;
use super::{FileError, Mapping};

/// What was found in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detected {
    /// `csv` or `parquet`.
    pub format: String,
    /// Between cells, for CSV.
    pub delimiter: Option<char>,
    /// Column names in order.
    pub columns: Vec<String>,
    /// How times are written: `instants` (with offset or Unix time), `local times` (a zone is
    /// needed) or `dates`.
    pub times: String,
    /// Length of the bars by the spacing of the rows, such as `1h`; absent with less than two rows.
    pub timeframe: Option<String>,
    /// Number of rows.
    pub rows: u64,
    /// Smallest timestamp as written, local times taken as UTC.
    pub first: Utc,
    /// Largest timestamp.
    pub last: Utc,
    /// What needs attention.
    pub issues: Vec<String>,
}

/// Looks into a local file.
///
/// # Errors
/// See [`FileError`]: a file that cannot be read under any zone is refused here too.
pub fn detect(path: &Path, mapping: &Mapping) -> Result<Detected, FileError> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| FileError::Open {
        file: name.clone(),
        source,
    })?;
    let sheet = Sheet::read(&name, bytes.into(), mapping)?;
    let times: Vec<Utc> = sheet
        .stamps
        .iter()
        .filter_map(|stamp| stamp.instant(Some(&TimeZone::UTC)).ok())
        .collect();
    let count = |test: fn(&Stamp) -> bool| sheet.stamps.iter().filter(|stamp| test(stamp)).count();
    let (local, dates) = (
        count(|stamp| matches!(stamp, Stamp::Civil(_))),
        count(|stamp| matches!(stamp, Stamp::Date(_))),
    );
    let mut issues = Vec::new();
    let mut note = |number: usize, text: &str| {
        if number > 0 {
            issues.push(format!("{number} {text}"));
        }
    };
    if mapping.zone.is_none() {
        note(local, "times have no zone: name it");
    }
    note(
        times
            .windows(2)
            .filter(|pair| pair.first() > pair.last())
            .count(),
        "rows are earlier than the row before",
    );
    let mut sorted = times.clone();
    sorted.sort_unstable();
    note(
        sorted
            .windows(2)
            .filter(|pair| pair.first() == pair.last())
            .count(),
        "rows repeat a time",
    );
    let missing = (0..sheet.lines.len()).filter(|row| {
        sheet
            .prices
            .iter()
            .any(|prices| prices.get(*row).is_none_or(|price| !price.is_finite()))
    });
    note(missing.count(), "rows lack a price");
    note(
        sheet.volume.iter().filter(|volume| **volume == 0.0).count(),
        "rows have volume 0 (not available for currency pairs)",
    );
    Ok(Detected {
        format: sheet.format.to_owned(),
        delimiter: sheet.delimiter,
        times: if local > 0 {
            "local times"
        } else if dates > 0 {
            "dates"
        } else {
            "instants"
        }
        .to_owned(),
        timeframe: timeframe_of(&times).map(describe),
        rows: sheet.lines.len() as u64,
        first: sorted.first().copied().unwrap_or(Utc(0)),
        last: sorted.last().copied().unwrap_or(Utc(0)),
        columns: sheet.columns,
        issues,
    })
}

/// The spacing of bars in microseconds: the smallest distance that at least a tenth of the
/// neighbours have. Nights and weekends are larger, single odd rows are rarer. `None` below two
/// different times.
pub fn timeframe_of(times: &[Utc]) -> Option<i64> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for (earlier, later) in sorted.iter().zip(sorted.iter().skip(1)) {
        *counts.entry(later.0 - earlier.0).or_default() += 1;
    }
    let enough = (sorted.len() - 1).div_ceil(10);
    counts
        .into_iter()
        .find(|(_, count)| *count >= enough.max(1))
        .map(|(micros, _)| micros)
}

/// `1h`, or the length in words if no timeframe has it.
pub(super) fn describe(micros: i64) -> String {
    let known = Timeframe::ALL
        .into_iter()
        .find(|timeframe| timeframe.micros() == micros);
    known.map_or_else(
        || format!("{} s", micros / 1_000_000),
        |timeframe| timeframe.to_string(),
    )
}
