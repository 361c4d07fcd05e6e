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
pub(crate) fn check_plausibility(rows: &Rows, grid: &Grid, splits: &[Utc], draft: &mut Draft<'_>) {
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
    report_price_moves(&returns, &moves, draft);
    report_outliers(returns, draft);
    report_stale_runs(rows, grid, stale_min, draft);
}

fn report_volume_spikes(rows: &Rows, draft: &mut Draft<'_>) {
    let traded: Vec<&Row> = rows
        .iter()
        .filter(|row| row.volume.is_finite() && row.volume >= 0.0)
        .collect();
    let volumes: Vec<f64> = traded.iter().map(|row| row.volume).collect();
    let medians = rolling(&volumes, sorted_median);

    let multiple = draft.rules().volume_spike;
    let mut spikes = Vec::new();
    for (row, median) in traded.iter().zip(medians) {
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

/// A bar with the log return from the bar before it.
struct Return {
    at: Place,
    step: Step,
    value: f64,
}

/// The returns of all priced bars that follow a priced bar without missing bars between them.
fn log_returns(rows: &Rows, grid: &Grid, splits: &[Utc]) -> Vec<Return> {
    let mut returns = Vec::new();

    // A split, and a move over missing bars, say nothing about the usual move of one bar.
    let pairs = rows.iter().zip(rows.iter().skip(1)).enumerate();
    for (index, (before, row)) in pairs {
        let step = grid.step(index + 1);
        let is_comparable = step != Step::Apart && !splits.contains(&row.time);
        if is_comparable && before.is_priced() && row.is_priced() {
            let value = (row.close / before.close).ln();
            returns.push(Return {
                at: (row.row, row.time),
                step,
                value,
            });
        }
    }
    returns
}

fn report_price_moves(returns: &[Return], limits: &MoveLimits, draft: &mut Draft<'_>) {
    let mut medium = Vec::new();
    let mut high = Vec::new();
    for bar_return in returns {
        // Limits are shares of the price; the log return of a fall is larger than its share.
        let size = bar_return.value.exp_m1().abs();
        if size > limits.high {
            high.push(bar_return.at);
        } else if size > limits.medium {
            medium.push(bar_return.at);
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

/// Returns over a break of trading are distributed differently, so they are left out.
fn report_outliers(mut returns: Vec<Return>, draft: &mut Draft<'_>) {
    let rules = draft.rules();
    returns.retain(|bar_return| bar_return.step == Step::Next);
    let values: Vec<f64> = returns.iter().map(|bar_return| bar_return.value).collect();
    let statistics = rolling(&values, centre_and_scale);

    let mut outliers = Vec::new();
    let mut spikes = Vec::new();
    for (index, (bar_return, statistic)) in returns.iter().zip(statistics).enumerate() {
        let z = statistic.map_or(0.0, |statistic| statistic.z_of(bar_return.value));

        // Undone: the two returns together move less than half as far as the first.
        let next = values.get(index + 1);
        let is_undone =
            next.is_some_and(|next| (bar_return.value + next).abs() < 0.5 * bar_return.value.abs());
        if z > rules.spike_z && is_undone {
            spikes.push(bar_return.at);
        } else if z > rules.outlier_z {
            outliers.push(bar_return.at);
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

fn report_stale_runs(rows: &Rows, grid: &Grid, length_min: usize, draft: &mut Draft<'_>) {
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
        let goes_on = is_flat(row) && row.close == price && grid.step(index) == Step::Next;
        if !goes_on {
            runs.end(&mut run);
        }
        if is_flat(row) {
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
