//! One symbol: its features, their leak test, its labels, joined by row.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use market::{Bars, Utc};

use super::DataSetError;
use crate::features::{Columns, FeatureError, SymbolBars, columns};
use crate::labels::{self, LabelError, Labels, uniqueness};
use crate::leak::leak_test;
use crate::resolve::Resolved;
use crate::splits::RowTime;

/// Largest share of rows after the warm-up that may lack a value, per symbol.
pub const UNDEFINED_SHARE_MAX: f64 = 0.2;

/// The joined rows of one symbol.
pub(super) struct SymbolRows {
    pub(super) columns: Columns,
    /// Positions of the rows that are complete and labelled.
    pub(super) rows: Vec<usize>,
    pub(super) times: Vec<RowTime>,
    pub(super) labels: Vec<f32>,
    /// By bar and not by row: concurrency counts labels of rows that are dropped, too.
    pub(super) weights: Option<Vec<f64>>,
}

/// Features, leak test and labels of one symbol, joined by row. Bars known before `training_end` fit what is to be fitted.
pub(super) fn symbol_rows(
    resolved: &Resolved,
    (symbol, bars): (&str, &SymbolBars),
    training_end: Option<Utc>,
    dropped: &mut BTreeMap<String, u64>,
    report: &mut dyn FnMut(usize, &str) -> ControlFlow<()>,
) -> Result<(SymbolRows, u64), DataSetError> {
    let failed = |source| match source {
        FeatureError::Stopped => DataSetError::Stopped,
        source => DataSetError::Features { symbol: symbol.to_owned(), source },
    };
    let bars: SymbolBars = bars.iter().map(|(timeframe, bars)| (*timeframe, resolved.clip(bars))).collect();
    let none = Bars::default();
    let base = bars.get(&resolved.base).unwrap_or(&none);
    if base.len() < resolved.history_required as usize {
        let (timeframe, required) = (resolved.base, resolved.history_required);
        return Err(DataSetError::ShortHistory { symbol: symbol.to_owned(), timeframe, bars: base.len(), required });
    }
    let columns =
        columns(resolved, &bars, &mut |position, planned| report(position + 1, &planned.id)).map_err(failed)?;
    let works = resolved.indicators.len();
    if report(works + 1, "leak test").is_break() {
        return Err(DataSetError::Stopped);
    }
    let at = |row: usize| columns.close_time.get(row).copied();
    let rows = base.len();
    let cuts: Vec<Utc> = [rows / 3, rows / 3 * 2, rows.saturating_sub(2)].into_iter().filter_map(at).collect();
    let without =
        |truncated: &SymbolBars| crate::features::columns(resolved, truncated, &mut |_, _| ControlFlow::Continue(()));
    if let Some(leak) = leak_test(&columns, &bars, &cuts, without).map_err(failed)? {
        let feature = resolved.features.get(leak.feature).map_or_else(String::new, |feature| feature.name.clone());
        return Err(DataSetError::Leak { symbol: symbol.to_owned(), feature, leak });
    }
    if report(works + 2, "labels").is_break() {
        return Err(DataSetError::Stopped);
    }
    let labels = labels_of(resolved, base, training_end);
    let labels = labels.map_err(|source| DataSetError::Labels { symbol: symbol.to_owned(), source })?;
    let complete = columns.complete_rows();
    check_gaps(resolved, symbol, &columns, complete.undefined, complete.warm_up)?;
    let weights = resolved.weighted.then(|| uniqueness(&labels));
    let mut joined = SymbolRows { rows: Vec::new(), times: Vec::new(), labels: Vec::new(), weights, columns };
    let mut unlabelled = 0;
    for &row in &complete.rows {
        let ahead = labels.look_ahead.get(row).map_or(0, |ahead| *ahead as usize);
        let times = (base.close_time.get(row), base.close_time.get(row + ahead));
        match (labels.values.get(row), times) {
            (Some(label), (Some(known_at), Some(label_known_at))) if label.is_finite() => {
                joined.rows.push(row);
                joined.times.push(RowTime { known_at: *known_at, label_known_at: *label_known_at });
                joined.labels.push(*label);
            }
            _ => unlabelled += 1,
        }
    }
    for (reason, count) in
        [("warm_up", complete.warm_up), ("undefined", complete.undefined), ("unlabelled", unlabelled)]
    {
        *dropped.entry(reason.to_owned()).or_default() += count;
    }
    Ok((joined, cuts.len() as u64))
}

/// Labels of the bars, thresholds fitted on those known before `training_end`; only events keep theirs.
fn labels_of(resolved: &Resolved, base: &Bars, training_end: Option<Utc>) -> Result<Labels, LabelError> {
    let end = training_end.map_or(0, |end| base.close_time.partition_point(|close| *close < end));
    let training = base.slice(0..end);
    let mut labels = labels::compute(&resolved.labels.fitted(&training)?, base)?;
    if let Some(events) = resolved.events {
        labels.keep(&events.fitted(&training)?.events(base)?)?;
    }
    Ok(labels)
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn check_gaps(
    resolved: &Resolved,
    symbol: &str,
    columns: &Columns,
    undefined: u64,
    warm_up: u64,
) -> Result<(), DataSetError> {
    let rows = (columns.open_time.len() as u64).saturating_sub(warm_up);
    if undefined as f64 <= rows as f64 * UNDEFINED_SHARE_MAX {
        return Ok(());
    }
    let gaps = |column: &Vec<f64>| column.iter().filter(|value| !value.is_finite()).count();
    let worst = columns.values.iter().zip(&resolved.features).max_by_key(|(column, _)| gaps(column));
    let feature = worst.map_or_else(String::new, |(_, feature)| feature.name.clone());
    Err(DataSetError::Undefined { symbol: symbol.to_owned(), undefined, rows, feature })
}
