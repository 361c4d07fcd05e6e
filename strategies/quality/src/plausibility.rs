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

pub(crate) fn check(rows: &Rows, grid: &Grid, key: &SeriesKey, draft: &mut Draft) {
    let intraday = key.timeframe.is_intraday();
    volume_spikes(rows, draft);
    price_moves(
        rows,
        grid,
        if intraday { [0.1, 0.2] } else { [0.2, 0.4] },
        draft,
    );
    outliers(rows, grid, draft);
    stale_runs(rows, grid, if intraday { 10 } else { 5 }, draft);
}

fn volume_spikes(rows: &Rows, draft: &mut Draft) {
    let traded: Vec<&Row> = rows
        .iter()
        .filter(|row| row.volume.is_finite() && row.volume >= 0.0)
        .collect();
    let volumes: Vec<f64> = traded.iter().map(|row| row.volume).collect();
    let usual = rolling(&volumes, median);
    let spikes = traded.iter().zip(usual).filter(|(row, usual)| {
        usual.is_some_and(|usual| usual > 0.0 && row.volume > VOLUME_MULTIPLE * usual)
    });
    let found: Vec<_> = spikes.map(|(row, _)| (row.row, row.time)).collect();
    draft.rows(
        Check::VolumeSpike,
        Severity::Medium,
        &found,
        "with over 100 times the usual volume",
    );
}

/// A bar with the log return from the bar before it.
struct Return {
    at: (usize, Utc),
    step: Step,
    value: f64,
}

/// The returns of all priced bars that follow a priced bar without missing bars between them.
fn returns(rows: &Rows, grid: &Grid) -> Vec<Return> {
    let pairs = rows.iter().zip(rows.iter().skip(1)).enumerate();
    let following = pairs.map(|(index, (before, row))| (grid.step(index + 1), before, row));
    let priced = following.filter(|(step, before, row)| {
        *step != Step::Apart && before.is_priced() && row.is_priced()
    });
    priced
        .map(|(step, before, row)| Return {
            at: (row.row, row.time),
            step,
            value: (row.close / before.close).ln(),
        })
        .collect()
}

fn price_moves(rows: &Rows, grid: &Grid, [medium, high]: [f64; 2], draft: &mut Draft) {
    let returns = returns(rows, grid);
    let moved = |over: f64, most: f64| -> Vec<_> {
        let size = |each: &&Return| {
            let size = each.value.exp_m1().abs();
            size > over && size <= most
        };
        returns.iter().filter(size).map(|each| each.at).collect()
    };
    let text = |limit: f64| {
        format!(
            "closing over {:.0} % away from the bar before",
            limit * 100.0
        )
    };
    draft.rows(
        Check::PriceMove,
        Severity::High,
        &moved(high, f64::INFINITY),
        &text(high),
    );
    draft.rows(
        Check::PriceMove,
        Severity::Medium,
        &moved(medium, high),
        &text(medium),
    );
}

/// Returns over a break of trading follow another law, and are compared with nothing.
fn outliers(rows: &Rows, grid: &Grid, draft: &mut Draft) {
    let mut returns = returns(rows, grid);
    returns.retain(|each| each.step == Step::Next);
    let values: Vec<f64> = returns.iter().map(|each| each.value).collect();
    let usual = rolling(&values, centre_and_scale);
    let (mut outliers, mut spikes) = (Vec::new(), Vec::new());
    for (index, (each, usual)) in returns.iter().zip(usual).enumerate() {
        let z = usual.map_or(0.0, |(centre, scale)| {
            if scale > 0.0 {
                (each.value - centre).abs() / scale
            } else {
                0.0
            }
        });
        // Undone: the two returns together move less than half as far as the first.
        let next = values.get(index + 1).copied();
        let undone = next.is_some_and(|next| (each.value + next).abs() < 0.5 * each.value.abs());
        if z > SPIKE_Z && undone {
            spikes.push(each.at);
        } else if z > OUTLIER_Z {
            outliers.push(each.at);
        }
    }
    draft.rows(
        Check::Outlier,
        Severity::Medium,
        &outliers,
        "moving more than 8 robust standard deviations",
    );
    draft.rows(
        Check::Spike,
        Severity::High,
        &spikes,
        "moving more than 15 robust standard deviations and back",
    );
}

fn stale_runs(rows: &Rows, grid: &Grid, least: usize, draft: &mut Draft) {
    let flat = |row: &Row| row.open == row.close && row.high == row.open && row.low == row.open;
    let (mut medium, mut high, mut run): (Vec<_>, Vec<_>, Vec<(usize, Utc)>) =
        (Vec::new(), Vec::new(), Vec::new());
    let mut price = f64::NAN;
    let mut flush = |run: &mut Vec<(usize, Utc)>| match run.len() {
        length if length >= STALE_HIGH => high.append(run),
        length if length >= least => medium.append(run),
        _ => run.clear(),
    };
    for (index, row) in rows.iter().enumerate() {
        let goes_on = flat(row) && row.close == price && grid.step(index) == Step::Next;
        if !goes_on {
            flush(&mut run);
        }
        if flat(row) {
            run.push((row.row, row.time));
        }
        price = row.close;
    }
    flush(&mut run);
    draft.rows(
        Check::Stale,
        Severity::High,
        &high,
        "repeating one price, 50 or more in a row",
    );
    draft.rows(
        Check::Stale,
        Severity::Medium,
        &medium,
        &format!("repeating one price, {least} or more in a row"),
    );
}
