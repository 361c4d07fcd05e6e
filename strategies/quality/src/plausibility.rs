//! Plausibility: values that are possible but unlikely. Nothing here proves an error; markets do
//! jump.

use market::{SeriesKey, Utc};

use crate::checks::{Row, Rows};
use crate::grid::{Grid, Step};
use crate::report::{Check, Draft, Severity};
use crate::rolling::{centre_and_scale, median, rolling};

/// Robust z above which a return is an outlier, and above which it is a spike if the next bar
/// undoes it.
const OUTLIER_Z: f64 = 8.0;
const SPIKE_Z: f64 = 15.0;
/// Multiple of the rolling median volume.
const VOLUME_MULTIPLE: f64 = 100.0;
/// Flat bars in a row from which on a run is severe.
const STALE_HIGH: usize = 50;

/// Relative moves from one close to the next that are worth a look, intraday and per day.
const INTRADAY_MOVES: MoveLimits = MoveLimits {
    medium: 0.1,
    high: 0.2,
};
const DAILY_MOVES: MoveLimits = MoveLimits {
    medium: 0.2,
    high: 0.4,
};
/// Flat bars in a row from which on a run is reported, intraday and per day.
const STALE_INTRADAY: usize = 10;
const STALE_DAILY: usize = 5;

struct MoveLimits {
    medium: f64,
    high: f64,
}

/// Reports everything that is possible but unlikely.
pub(crate) fn check_plausibility(rows: &Rows, grid: &Grid, key: &SeriesKey, draft: &mut Draft) {
    let is_intraday = key.timeframe.is_intraday();
    let moves = if is_intraday {
        INTRADAY_MOVES
    } else {
        DAILY_MOVES
    };
    let stale_min = if is_intraday {
        STALE_INTRADAY
    } else {
        STALE_DAILY
    };

    report_volume_spikes(rows, draft);
    report_price_moves(rows, grid, &moves, draft);
    report_outliers(rows, grid, draft);
    report_stale_runs(rows, grid, stale_min, draft);
}

fn report_volume_spikes(rows: &Rows, draft: &mut Draft) {
    let has_volume = |row: &&Row| row.volume.is_finite() && row.volume >= 0.0;
    let traded: Vec<&Row> = rows.iter().filter(has_volume).collect();
    let volumes: Vec<f64> = traded.iter().map(|row| row.volume).collect();
    let medians = rolling(&volumes, median);

    let mut spikes = Vec::new();
    for (row, median) in traded.iter().zip(medians) {
        let limit = median
            .filter(|median| *median > 0.0)
            .map(|median| VOLUME_MULTIPLE * median);
        if limit.is_some_and(|limit| row.volume > limit) {
            spikes.push((row.row, row.time));
        }
    }

    let text = "with over 100 times the usual volume";
    draft.rows(Check::VolumeSpike, Severity::Medium, &spikes, text);
}

/// A bar with the log return from the bar before it.
struct Return {
    at: (usize, Utc),
    step: Step,
    value: f64,
}

/// The returns of all priced bars that follow a priced bar without missing bars between them.
fn log_returns(rows: &Rows, grid: &Grid) -> Vec<Return> {
    let mut returns = Vec::new();

    let pairs = rows.iter().zip(rows.iter().skip(1)).enumerate();
    for (index, (before, row)) in pairs {
        let step = grid.step(index + 1);
        if step != Step::Apart && before.is_priced() && row.is_priced() {
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

fn report_price_moves(rows: &Rows, grid: &Grid, limits: &MoveLimits, draft: &mut Draft) {
    let mut medium = Vec::new();
    let mut high = Vec::new();
    for bar_return in log_returns(rows, grid) {
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
fn report_outliers(rows: &Rows, grid: &Grid, draft: &mut Draft) {
    let mut returns = log_returns(rows, grid);
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
        if z > SPIKE_Z && is_undone {
            spikes.push(bar_return.at);
        } else if z > OUTLIER_Z {
            outliers.push(bar_return.at);
        }
    }

    let text = "moving more than 8 robust standard deviations";
    draft.rows(Check::Outlier, Severity::Medium, &outliers, text);
    let text = "moving more than 15 robust standard deviations and back";
    draft.rows(Check::Spike, Severity::High, &spikes, text);
}

/// Runs of flat bars, sorted by their length.
struct StaleRuns {
    length_min: usize,
    medium: Vec<(usize, Utc)>,
    high: Vec<(usize, Utc)>,
}

impl StaleRuns {
    /// Ends `run`: it is noted if it is long enough, and empty afterwards.
    fn end(&mut self, run: &mut Vec<(usize, Utc)>) {
        match run.len() {
            length if length >= STALE_HIGH => self.high.append(run),
            length if length >= self.length_min => self.medium.append(run),
            _ => run.clear(),
        }
    }
}

fn report_stale_runs(rows: &Rows, grid: &Grid, length_min: usize, draft: &mut Draft) {
    let mut runs = StaleRuns {
        length_min,
        medium: Vec::new(),
        high: Vec::new(),
    };
    let mut run = Vec::new();
    let mut price = f64::NAN;

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

    let text = "repeating one price, 50 or more in a row";
    draft.rows(Check::Stale, Severity::High, &runs.high, text);
    let text = format!("repeating one price, {length_min} or more in a row");
    draft.rows(Check::Stale, Severity::Medium, &runs.medium, &text);
}

fn is_flat(row: &Row) -> bool {
    row.open == row.close && row.high == row.open && row.low == row.open
}
