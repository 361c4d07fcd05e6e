//! Which bars of a symbol become rows: those with a value in every feature and with a label that
//! the bars can know.

use std::collections::BTreeMap;

use market::{Bars, Utc};

use super::error::{NO_EVENT, UNDEFINED, UNLABELLED, WARM_UP};
use super::feature_rows::{FeatureRows, IncompleteBars};
use super::labelling::LabelledBars;
use super::rows::SymbolRows;
use super::runs::Runs;
use crate::labels::{BarLabels, LabelError, uniqueness_weights};
use crate::resolve::Resolved;

/// Times of all base bars of a symbol, and the prices at which they closed.
pub(super) struct BarTimes {
    pub(super) open: Vec<Utc>,
    pub(super) close: Vec<Utc>,
    pub(super) close_price: Vec<f64>,
}

impl BarTimes {
    /// The times of bars whose other prices are not needed any more.
    pub(super) fn of(bars: Bars) -> Self {
        Self {
            open: bars.open_time,
            close: bars.close_time,
            close_price: bars.close,
        }
    }
}

/// Joins features and labels by bar, and drops the bars that lack either.
///
/// # Errors
/// Events of other bars than the labels.
pub(super) fn align(
    resolved: &Resolved,
    times: BarTimes,
    labelled: LabelledBars,
    features: FeatureRows<'_, '_>,
) -> Result<SymbolRows, LabelError> {
    let mut labels = labelled.labels;
    let mut kept_rows = complete_and_labelled(&features.is_complete, &labels);
    let mut dropped = count_dropped(&features, &kept_rows);

    if let Some(events) = &labelled.events {
        let rows_before_events = kept_rows.len();
        labels.keep(events)?;
        kept_rows = complete_and_labelled(&features.is_complete, &labels);
        dropped.insert(NO_EVENT, (rows_before_events - kept_rows.len()) as u64);
    }

    // By bar and not by row: concurrency counts the labels of dropped rows, too.
    let weights = resolved.weighted.then(|| weigh_rows(&labels, &kept_rows));

    let mut label_known_at = label_known_times(&times.close, &labels);
    let mut known_at = times.close.clone();
    let mut open_time = times.open;
    let mut label_values = labels.values;
    let mut bars: Vec<u32> = (0..).take(open_time.len()).collect();
    kept_rows.keep(&mut bars);
    kept_rows.keep(&mut open_time);
    kept_rows.keep(&mut known_at);
    kept_rows.keep(&mut label_known_at);
    kept_rows.keep(&mut label_values);

    let FeatureRows {
        mut columns,
        mut coverage,
        leak_test,
        ..
    } = features;
    for column in &mut columns {
        column.keep(&kept_rows);
    }

    Ok(SymbolRows {
        bars,
        open_time,
        known_at,
        label_known_at,
        labels: label_values,
        weights,
        columns,
        coverage: coverage.totals(),
        close_time: times.close,
        close_price: times.close_price,
        dropped,
        leak_test_cuts: leak_test.cuts() as u64,
        thresholds: labelled.thresholds,
        holes: Vec::new(),
    })
}

/// The bars with a value in every column and a label that is known within the series.
fn complete_and_labelled(is_complete: &[bool], labels: &BarLabels) -> Runs {
    let bars = labels.values.len();
    let is_labelled = labels
        .values
        .iter()
        .zip(&labels.look_ahead)
        .enumerate()
        .map(|(bar, (label, look_ahead))| {
            // A label that ends after the last bar is not known yet, however finite its value is.
            label.is_finite() && bar.saturating_add(*look_ahead as usize) < bars
        });

    Runs::of(
        is_complete
            .iter()
            .zip(is_labelled)
            .map(|(is_complete, is_labelled)| *is_complete && is_labelled),
    )
}

/// Bars without a row so far, by reason; `kept_rows` are complete and labelled.
fn count_dropped(features: &FeatureRows<'_, '_>, kept_rows: &Runs) -> BTreeMap<&'static str, u64> {
    let complete_bars = features
        .is_complete
        .iter()
        .filter(|is_complete| **is_complete)
        .count();
    let IncompleteBars { warm_up, undefined } = features.incomplete_bars();

    BTreeMap::from([
        (WARM_UP, warm_up),
        (UNDEFINED, undefined),
        (UNLABELLED, (complete_bars - kept_rows.len()) as u64),
    ])
}

#[expect(clippy::cast_possible_truncation, reason = "weights are stored as f32")]
fn weigh_rows(labels: &BarLabels, kept_rows: &Runs) -> Vec<f32> {
    let mut weights: Vec<f32> = uniqueness_weights(labels)
        .into_iter()
        .map(|weight| weight as f32)
        .collect();
    kept_rows.keep(&mut weights);

    weights
}

/// The close of the last bar that each label depends on. Where that bar is not there, the close of
/// the label's own bar takes its place; such a row is dropped.
fn label_known_times(close_time: &[Utc], labels: &BarLabels) -> Vec<Utc> {
    close_time
        .iter()
        .zip(&labels.look_ahead)
        .enumerate()
        .map(|(bar, (own_close, look_ahead))| {
            let last_bar = bar.saturating_add(*look_ahead as usize);
            *close_time.get(last_bar).unwrap_or(own_close)
        })
        .collect()
}
