//! Structure: are these rows bars at all?

use market::{Bars, PriceKind, SeriesKey, Utc};

use crate::report::{Check, Draft, Severity};

/// Prices may contradict each other by this share, which is rounding.
const TOLERANCE: f64 = 1e-9;
/// 1970-01-01; no series is older.
const OLDEST: Utc = Utc(0);

/// One row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) row: usize,
    pub(crate) time: Utc,
    pub(crate) known: Utc,
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
    pub(crate) volume: f64,
}

impl Row {
    const fn prices(&self) -> [f64; 4] {
        [self.open, self.high, self.low, self.close]
    }

    /// All four prices are finite and above zero.
    pub(crate) fn is_priced(&self) -> bool {
        self.prices()
            .iter()
            .all(|price| price.is_finite() && *price > 0.0)
    }

    fn same_values(&self, other: &Self) -> bool {
        let bits =
            |row: &Self| [row.open, row.high, row.low, row.close, row.volume].map(f64::to_bits);
        bits(self) == bits(other)
    }
}

/// The rows sorted by label, the last of each label only.
pub(crate) struct Rows(Vec<Row>);

impl Rows {
    /// Sorts and removes duplicates, reporting both and labels that no bar can have; such rows are
    /// left out.
    pub(crate) fn new(bars: &Bars, draft: &mut Draft, now: Option<Utc>) -> Self {
        let newest = now.map_or(Utc(i64::MAX), |now| {
            now.plus_micros(draft.timeframe().micros())
        });
        let (mut rows, mut wrong, mut late, mut latest) =
            (Vec::with_capacity(bars.len()), vec![], vec![], OLDEST);
        for row in all_rows(bars) {
            if row.time < OLDEST || row.time > newest {
                wrong.push((row.row, row.time));
                continue;
            }
            if row.time < latest {
                late.push((row.row, row.time));
            }
            latest = latest.max(row.time);
            rows.push(row);
        }
        draft.rows(
            Check::Timestamp,
            Severity::Critical,
            &wrong,
            "before 1970 or in the future",
        );
        draft.rows(
            Check::Order,
            Severity::Medium,
            &late,
            "older than a bar further up",
        );
        rows.sort_by_key(|row| (row.time, row.row));
        let (mut identical, mut differing) = (Vec::new(), Vec::new());
        for group in rows.chunk_by(|a, b| a.time == b.time) {
            if let Some((last, earlier)) = group.split_last() {
                for row in earlier {
                    let list = if row.same_values(last) {
                        &mut identical
                    } else {
                        &mut differing
                    };
                    list.push((row.row, row.time));
                }
            }
        }
        draft.rows(
            Check::DuplicateIdentical,
            Severity::Low,
            &identical,
            "repeated further down",
        );
        draft.rows(
            Check::DuplicateDiffering,
            Severity::Medium,
            &differing,
            "given again further down with other values",
        );
        let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
        for row in rows {
            match kept.last_mut() {
                Some(last) if last.time == row.time => *last = row,
                _ => kept.push(row),
            }
        }
        if let (Some(first), Some(last)) = (kept.first(), kept.last()) {
            draft.span(first.time, last.time);
        }
        Self(kept)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Row> {
        self.0.iter()
    }

    pub(crate) fn times(&self) -> Vec<Utc> {
        self.iter().map(|row| row.time).collect()
    }

    /// Rows and labels for which `select` holds.
    pub(crate) fn select(&self, select: impl Fn(&Row) -> bool) -> Vec<(usize, Utc)> {
        self.iter()
            .filter(|row| select(row))
            .map(|row| (row.row, row.time))
            .collect()
    }
}

fn all_rows(bars: &Bars) -> impl Iterator<Item = Row> {
    let times = bars.open_time.iter().zip(&bars.close_time);
    let outer = bars.open.iter().zip(&bars.close);
    let rest = bars.high.iter().zip(&bars.low).zip(&bars.volume);
    times.zip(outer).zip(rest).enumerate().map(
        |(row, (((&time, &known), (&open, &close)), ((&high, &low), &volume)))| Row {
            row,
            time,
            known,
            open,
            high,
            low,
            close,
            volume,
        },
    )
}

/// True if there are rows, all of them whole.
pub(crate) fn columns(bars: &Bars, draft: &mut Draft) -> bool {
    let columns = [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume].map(Vec::len);
    if columns.iter().any(|length| *length != bars.len()) || bars.close_time.len() != bars.len() {
        let message = format!(
            "columns differ in length: open_time {}, close_time {}, open {}, high {}, low {}, close {}, volume {}",
            bars.len(),
            bars.close_time.len(),
            columns[0],
            columns[1],
            columns[2],
            columns[3],
            columns[4],
        );
        draft.unchecked(Check::Columns, bars.len(), message);
        return false;
    }
    if bars.is_empty() {
        draft.unchecked(Check::Empty, 0, "there are no bars".to_owned());
    }
    !bars.is_empty()
}

/// Are the four prices possible, alone and together?
pub(crate) fn prices(rows: &Rows, draft: &mut Draft) {
    let finite = |row: &Row| row.prices().iter().all(|price| price.is_finite());
    let found = rows.select(|row| !finite(row));
    draft.rows(
        Check::PriceNotFinite,
        Severity::High,
        &found,
        "with a price that is NaN or infinite",
    );
    let found = rows.select(|row| {
        row.prices()
            .iter()
            .any(|price| price.is_finite() && *price <= 0.0)
    });
    draft.rows(
        Check::PriceNotPositive,
        Severity::Critical,
        &found,
        "with a price of zero or less",
    );

    let above = |a: f64, b: f64| a - b > TOLERANCE * b.abs();
    let crossed = |row: &Row| above(row.low, row.high);
    let found =
        rows.select(|row| finite(row) && !crossed(row) && above(row.open.max(row.close), row.high));
    draft.rows(
        Check::HighTooLow,
        Severity::High,
        &found,
        "with a high below their open or close",
    );
    let found =
        rows.select(|row| finite(row) && !crossed(row) && above(row.low, row.open.min(row.close)));
    draft.rows(
        Check::LowTooHigh,
        Severity::High,
        &found,
        "with a low above their open or close",
    );
    let found = rows.select(|row| finite(row) && crossed(row));
    draft.rows(
        Check::HighBelowLow,
        Severity::Critical,
        &found,
        "with a high below their low",
    );
}

/// Is the volume possible, and is there any? NaN is "not available" and right.
pub(crate) fn volumes(rows: &Rows, key: &SeriesKey, draft: &mut Draft) {
    let unavailable = |row: &Row| row.volume == -1.0;
    let found = rows.select(unavailable);
    draft.rows(
        Check::VolumeUnavailable,
        Severity::Info,
        &found,
        "with volume -1, which stands for not available",
    );
    let found =
        rows.select(|row| row.volume.is_infinite() || row.volume < 0.0 && !unavailable(row));
    draft.rows(
        Check::VolumeNegative,
        Severity::Medium,
        &found,
        "with a negative or infinite volume",
    );

    // Quotes have no volume; a zero there is a gap-filler of the provider.
    if key.what == PriceKind::Trades {
        let found = rows.select(|row| row.volume == 0.0);
        let share =
            found.len() as f64 / rows.iter().filter(|row| row.volume >= 0.0).count().max(1) as f64;
        let severity = match share {
            share if share > 0.5 => Severity::High,
            share if share > 0.2 => Severity::Medium,
            _ => Severity::Low,
        };
        draft.rows(
            Check::VolumeZero,
            severity,
            &found,
            &format!("({:.2} %) without volume", share * 100.0),
        );
    }
}
