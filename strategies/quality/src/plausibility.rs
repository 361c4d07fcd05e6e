//! Plausibility: values that are possible but unlikely. Nothing here proves an error; markets do
//! jump.

use market::Utc;

use crate::checks::{Row, Rows};
use crate::draft::{Draft, Place};
use crate::grid::{Grid, Step};
use crate::report::{Check, Severity};
use crate::rolling::{centre_and_scale, rolling, sorted_median};

/// Relative moves from one close to the next that are worth a look.
struct MoveLimits {
    medium: f64,
    high: f64,
}

/// Reports everything that is possible but unlikely. A move at one of `splits` is none.
pub(crate) fn check_plausibility(
    rows: &Rows<'_>,
    grid: &Grid,
    splits: &[Utc],
    draft: &mut Draft<'_>,
) {
    let rules = draft.rules();
    let is_intraday = draft.timeframe().is_intraday();

    // An ordinary day moves as far as an extraordinary hour, so each has limits of its own.
    let moves = if is_intraday {
        MoveLimits {
            medium: rules.move_intraday_medium,
            high: rules.move_intraday_high,
        }
    } else {
        MoveLimits {
            medium: rules.move_daily_medium,
            high: rules.move_daily_high,
        }
    };
    let stale_min = if is_intraday {
        rules.stale_intraday
    } else {
        rules.stale_daily
    };

    report_volume_spikes(rows, draft);
    let returns = log_returns(rows, grid, splits);
    report_price_moves(rows, &returns, &moves, draft);
    report_outliers(rows, grid, &returns, draft);
    report_stale_runs(rows, grid, stale_min, draft);
}

fn report_volume_spikes(rows: &Rows<'_>, draft: &mut Draft<'_>) {
    let volumes: Vec<f64> = traded_rows(rows).map(|row| row.volume).collect();
    let medians = rolling(&volumes, sorted_median);

    let multiple = draft.rules().volume_spike;
    let mut spikes = Vec::new();
    for (row, median) in traded_rows(rows).zip(medians) {
        // Where the median is 0 hardly anybody trades, and any volume would be a spike.
        let limit = median
            .filter(|median| *median > 0.0)
            .map(|median| multiple * median);
        if limit.is_some_and(|limit| row.volume > limit) {
            spikes.push((row.row, row.time));
        }
    }

    let text = format!("with over {multiple} times the usual volume");
    draft.rows(Check::VolumeSpike, Severity::Medium, &spikes, &text);
}

/// The rows with a volume that can have been traded.
fn traded_rows(rows: &Rows<'_>) -> impl Iterator<Item = Row> {
    let rows = rows.iter();
    rows.filter(|row| row.volume.is_finite() && row.volume >= 0.0)
}

/// The log return into each row; NaN where the row or the one before it has no price, or where bars
/// are missing between them.
fn log_returns(rows: &Rows<'_>, grid: &Grid, splits: &[Utc]) -> Vec<f64> {
    let mut returns = Vec::with_capacity(rows.len());
    // Nothing leads into the first row.
    returns.push(f64::NAN);

    // A split, and a move over missing bars, say nothing about the usual move of one bar.
    let pairs = rows.iter().zip(rows.iter().skip(1));
    for (index, (before, row)) in (1..).zip(pairs) {
        let is_comparable = grid.step(index) != Step::Apart && !splits.contains(&row.time);
        let is_return = is_comparable && before.is_priced() && row.is_priced();
        returns.push(if is_return {
            (row.close / before.close).ln()
        } else {
            f64::NAN
        });
    }
    returns
}

fn report_price_moves(
    rows: &Rows<'_>,
    returns: &[f64],
    limits: &MoveLimits,
    draft: &mut Draft<'_>,
) {
    let mut medium = Vec::new();
    let mut high = Vec::new();
    for (row, value) in rows.iter().zip(returns) {
        // Limits are shares of the price; the log return of a fall is larger than its share.
        let size = value.exp_m1().abs();
        if size > limits.high {
            high.push((row.row, row.time));
        } else if size > limits.medium {
            medium.push((row.row, row.time));
        }
    }

    let text = price_move_text(limits.high);
    draft.rows(Check::PriceMove, Severity::High, &high, &text);
    let text = price_move_text(limits.medium);
    draft.rows(Check::PriceMove, Severity::Medium, &medium, &text);
}

fn price_move_text(limit: f64) -> String {
    format!(
        "closing over {:.0} % away from the bar before",
        limit * 100.0
    )
}

/// The returns within one session, with their rows: those over a break of trading are distributed
/// differently.
fn session_returns<'a>(
    rows: &'a Rows<'_>,
    grid: &'a Grid,
    returns: &'a [f64],
) -> impl Iterator<Item = (Row, f64)> + 'a {
    let returns = rows.iter().zip(returns.iter().copied()).enumerate();
    let returns =
        returns.filter(|(index, (_, value))| !value.is_nan() && grid.step(*index) == Step::Next);
    returns.map(|(_, bar_return)| bar_return)
}

fn report_outliers(rows: &Rows<'_>, grid: &Grid, returns: &[f64], draft: &mut Draft<'_>) {
    let rules = draft.rules();
    let bar_returns = || session_returns(rows, grid, returns);
    let values: Vec<f64> = bar_returns().map(|(_, value)| value).collect();
    let statistics = rolling(&values, centre_and_scale);

    let mut outliers = Vec::new();
    let mut spikes = Vec::new();
    for (index, ((row, value), statistic)) in bar_returns().zip(statistics).enumerate() {
        let z = statistic.map_or(0.0, |statistic| statistic.z_of(value));

        // Undone: the two returns together move less than half as far as the first.
        let next = values.get(index + 1);
        let is_undone = next.is_some_and(|next| (value + next).abs() < 0.5 * value.abs());
        if z > rules.spike_z && is_undone {
            spikes.push((row.row, row.time));
        } else if z > rules.outlier_z {
            outliers.push((row.row, row.time));
        }
    }

    let text = format!(
        "moving more than {} robust standard deviations",
        rules.outlier_z
    );
    draft.rows(Check::Outlier, Severity::Medium, &outliers, &text);
    let text = format!(
        "moving more than {} robust standard deviations and back",
        rules.spike_z
    );
    draft.rows(Check::Spike, Severity::High, &spikes, &text);
}

/// Runs of flat bars, sorted by their length.
struct StaleRuns {
    length_min: usize,
    length_high: usize,
    medium: Vec<Place>,
    high: Vec<Place>,
}

impl StaleRuns {
    /// Ends `run`: it is noted if it is long enough, and empty afterwards.
    fn end(&mut self, run: &mut Vec<Place>) {
        match run.len() {
            length if length >= self.length_high => self.high.append(run),
            length if length >= self.length_min => self.medium.append(run),
            _ => run.clear(),
        }
    }
}

fn report_stale_runs(rows: &Rows<'_>, grid: &Grid, length_min: usize, draft: &mut Draft<'_>) {
    let mut runs = StaleRuns {
        length_min,
        length_high: draft.rules().stale_high,
        medium: Vec::new(),
        high: Vec::new(),
    };
    let mut run = Vec::new();
    let mut price = f64::NAN;

    // A break of trading ends a run: a market may well reopen at the price it closed at.
    for (index, row) in rows.iter().enumerate() {
        let goes_on = is_flat(&row) && row.close == price && grid.step(index) == Step::Next;
        if !goes_on {
            runs.end(&mut run);
        }
        if is_flat(&row) {
            run.push((row.row, row.time));
        }
        price = row.close;
    }
    runs.end(&mut run);

    let text = format!("repeating one price, {} or more in a row", runs.length_high);
    draft.rows(Check::Stale, Severity::High, &runs.high, &text);
    let text = format!("repeating one price, {length_min} or more in a row");
    draft.rows(Check::Stale, Severity::Medium, &runs.medium, &text);
}

fn is_flat(row: &Row) -> bool {
    row.open == row.close && row.high == row.open && row.low == row.open
}
