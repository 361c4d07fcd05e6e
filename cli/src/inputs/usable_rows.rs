//! Which rows of a file are used: those of bars that are over, each once, in the order of time. The
//! others are counted by reason, with their lines, so that people hear of them.

use std::path::Path;

use market::{Bars, Utc};
use schemas::codes;
use serde_json::{Value, json};
use store::files::FileBars;
use store::{RawBar, RawBars, keep_rows};

use crate::console::{Exit, Failure, count_of, place_of_lines};

/// The rows that are used, with the time from which each is known.
pub(crate) struct UsableRows {
    /// One row per time, ascending.
    pub(crate) bars: RawBars,
    /// From when each of them is known.
    pub(crate) known_at: Vec<Utc>,
    /// The other rows.
    pub(crate) left_out: LeftOut,
}

impl UsableRows {
    /// The rows as bars.
    pub(crate) fn into_bars(self) -> Bars {
        self.bars.with_close_times(self.known_at)
    }
}

/// What to do with several rows of one time whose values differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contradictions {
    /// The last one is taken, after the checks of an import have named them.
    TakeLast,
    /// Nobody has named them: they are refused.
    Refuse,
}

/// Lines of rows that are not used, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The bar ends in the future: its prices are not final.
    pub(crate) not_over: Vec<u64>,
    /// A price is missing.
    pub(crate) without_price: Vec<u64>,
    /// A later row has the same time.
    pub(crate) repeated: Vec<u64>,
}

impl LeftOut {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.not_over.len() + self.without_price.len() + self.repeated.len()
    }

    /// `left out: 1 bar that is not over (line 5), 2 bars without a price (line 7, line 8)`; none
    /// where nothing was left out.
    pub(crate) fn describe(&self) -> Option<String> {
        let reasons = [
            (
                &self.not_over,
                "that end in the future",
                "that ends in the future",
            ),
            (&self.without_price, "without a price", "without a price"),
            (
                &self.repeated,
                "repeated further down",
                "repeated further down",
            ),
        ];

        // A reason without rows is no loss, and would hide those that are.
        let mut texts = Vec::new();
        for (lines, many, one) in reasons {
            let reason = if lines.len() == 1 { one } else { many };
            if !lines.is_empty() {
                let count = count_of(lines.len(), "bar");
                texts.push(format!("{count} {reason}{}", place_of_lines(lines)));
            }
        }
        (!texts.is_empty()).then(|| format!("left out: {}", texts.join(", ")))
    }

    /// The lines of each reason, for programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "not_over": self.not_over,
            "without_price": self.without_price,
            "repeated": self.repeated,
        })
    }
}

/// A row with its line in the file.
struct Row {
    bar: RawBar,
    known_at: Utc,
    line: u64,
}

/// Chooses the rows of bars that are over at `now`, `known_at` being when each of them is known. A
/// row that lacks a price is used only with `keep_holes`. Rows in order are used where they are: a
/// copy would be as large as the series.
///
/// # Errors
/// Rows of one time contradict each other, where that is refused; `file` is named.
pub(crate) fn choose_rows(
    file: &Path,
    mut read: FileBars,
    mut known_at: Vec<Utc>,
    now: Utc,
    keep_holes: bool,
    contradictions: Contradictions,
) -> Result<UsableRows, Failure> {
    let left_out = sift_rows(&mut read, &mut known_at, now, keep_holes);
    let opens = &read.bars.open_time;
    if opens.is_sorted_by(|one, next| one < next) {
        return Ok(UsableRows {
            bars: read.bars,
            known_at,
            left_out,
        });
    }

    // A stable sort keeps rows of one time in the order in which they were given.
    let mut rows = rows_of(&read, &known_at);
    rows.sort_by_key(|row| row.bar.open_time);
    let mut usable = UsableRows {
        bars: RawBars::default(),
        known_at: Vec::with_capacity(rows.len()),
        left_out,
    };
    for same_time in rows.chunk_by(|a, b| a.bar.open_time == b.bar.open_time) {
        let Some((last, earlier)) = same_time.split_last() else {
            continue;
        };
        let other = earlier
            .iter()
            .find(|row| !has_same_values(&row.bar, &last.bar));
        if contradictions == Contradictions::Refuse
            && let Some(other) = other
        {
            return Err(contradiction(file, other, last));
        }

        let lines = earlier.iter().map(|row| row.line);
        usable.left_out.repeated.extend(lines);
        usable.bars.push(last.bar);
        usable.known_at.push(last.known_at);
    }
    Ok(usable)
}

/// Leaves the rows that can be used, in the order of the file; the lines of the others by reason.
fn sift_rows(read: &mut FileBars, known_at: &mut Vec<Utc>, now: Utc, keep_holes: bool) -> LeftOut {
    let mut left_out = LeftOut::default();
    let mut is_used = Vec::with_capacity(read.bars.len());

    // An open bar that also lacks a price counts as open: its price may still come.
    for ((bar, known_at), line) in read.bars.iter().zip(known_at.iter()).zip(&read.lines) {
        let is_over = *known_at <= now;
        let has_prices = keep_holes || bar.prices.iter().all(|price| price.is_finite());
        if !is_over {
            left_out.not_over.push(*line);
        } else if !has_prices {
            left_out.without_price.push(*line);
        }
        is_used.push(is_over && has_prices);
    }

    if left_out.len() > 0 {
        read.bars.keep_rows(&is_used);
        keep_rows(&mut read.lines, &is_used);
        keep_rows(known_at, &is_used);
    }
    left_out
}

fn rows_of(read: &FileBars, known_at: &[Utc]) -> Vec<Row> {
    let rows = read.bars.iter().zip(known_at).zip(&read.lines);
    let rows = rows.map(|((bar, known_at), line)| Row {
        bar,
        known_at: *known_at,
        line: *line,
    });
    rows.collect()
}

/// Equal prices and volume; what both lack is equal.
fn has_same_values(a: &RawBar, b: &RawBar) -> bool {
    let mut pairs = values_of(a).into_iter().zip(values_of(b));
    pairs.all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}

fn values_of(bar: &RawBar) -> [f64; 5] {
    let [open, high, low, close] = bar.prices;
    [open, high, low, close, bar.volume]
}

fn contradiction(file: &Path, earlier: &Row, last: &Row) -> Failure {
    let message = format!(
        "{}: lines {} and {} give the bar of {} with different values",
        file.display(),
        earlier.line,
        last.line,
        last.bar.open_time
    );
    Failure::new(Exit::Usage, codes::DATA_ORDER, message).with_hint(
        "remove the wrong one; `ktrdr data check FILE` lists all that contradict each other",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    /// Bars of these hours and closes, one per line from line 2 on.
    fn read_bars(rows: &[(i64, f64)]) -> FileBars {
        let mut read = FileBars::default();
        for (line, (hour, close)) in (2..).zip(rows) {
            read.bars.push(RawBar {
                open_time: Utc(hour * HOUR),
                prices: [*close; 4],
                volume: f64::NAN,
            });
            read.lines.push(line);
        }
        read
    }

    fn choose(rows: &[(i64, f64)], contradictions: Contradictions) -> Result<UsableRows, Failure> {
        let read = read_bars(rows);
        let ends: Vec<Utc> = rows
            .iter()
            .map(|(hour, _)| Utc((hour + 1) * HOUR))
            .collect();
        let file = Path::new("x.csv");
        choose_rows(file, read, ends, Utc(10 * HOUR), false, contradictions)
    }

    fn hours_of(usable: &UsableRows) -> Vec<i64> {
        let opens = usable.bars.open_time.iter();
        opens.map(|open| open.0 / HOUR).collect()
    }

    #[test]
    fn a_bar_that_ends_in_the_future_is_left_out() {
        let usable = choose(&[(8, 1.0), (9, 1.0), (10, 1.0)], Contradictions::Refuse).unwrap();

        // The bar of 9 ends at 10, which is now.
        assert_eq!(hours_of(&usable), [8, 9]);
        assert_eq!(usable.left_out.not_over, [4]);
        let text = usable.left_out.describe().unwrap();
        assert_eq!(text, "left out: 1 bar that ends in the future (line 4)");
    }

    #[test]
    fn rows_in_order_are_used_without_a_copy() {
        let read = read_bars(&[(1, 1.0), (2, f64::NAN), (3, 3.0)]);
        let closes = read.bars.close.as_ptr();
        let ends = [2, 3, 4].map(|hour| Utc(hour * HOUR)).to_vec();
        let last = Contradictions::TakeLast;
        let file = Path::new("x.csv");

        let usable = choose_rows(file, read, ends, Utc(10 * HOUR), false, last).unwrap();
        assert_eq!(usable.bars.close, [1.0, 3.0]);
        assert_eq!(usable.known_at, [2, 4].map(|hour| Utc(hour * HOUR)));
        assert_eq!(usable.bars.close.as_ptr(), closes);
    }

    #[test]
    fn rows_newest_first_are_used_in_the_order_of_time() {
        let usable = choose(&[(3, 3.0), (2, 2.0), (1, 1.0)], Contradictions::Refuse).unwrap();

        assert_eq!(hours_of(&usable), [1, 2, 3]);
        assert_eq!(usable.bars.close, [1.0, 2.0, 3.0]);
        assert_eq!(usable.known_at, [2, 3, 4].map(|hour| Utc(hour * HOUR)));
        assert_eq!(usable.left_out.describe(), None);
    }

    #[test]
    fn a_row_that_stands_twice_is_used_once() {
        let usable = choose(&[(1, 1.0), (2, 2.0), (2, 2.0)], Contradictions::Refuse).unwrap();

        assert_eq!(hours_of(&usable), [1, 2]);
        assert_eq!(usable.left_out.repeated, [3]);
    }

    #[test]
    fn rows_that_contradict_each_other_are_refused() {
        let rows = [(1, 1.0), (2, 2.0), (2, 2.5)];

        let failure = choose(&rows, Contradictions::Refuse)
            .map(|_| ())
            .unwrap_err();
        assert!(failure.message.contains("lines 3 and 4"), "{failure:?}");

        let usable = choose(&rows, Contradictions::TakeLast).unwrap();
        assert_eq!(usable.bars.close, [1.0, 2.5]);
    }

    #[test]
    fn a_row_without_a_price_is_left_out_with_its_line() {
        let usable = choose(&[(1, f64::NAN), (2, 2.0)], Contradictions::TakeLast).unwrap();

        assert_eq!(hours_of(&usable), [2]);
        assert_eq!(usable.left_out.without_price, [2]);
        assert_eq!(usable.left_out.len(), 1);
    }
}
