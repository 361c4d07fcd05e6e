//! Symbol after symbol into one table, then the table into a data set: cut, purged, scaled, counted.

use std::collections::BTreeMap;

use market::{Instrument, Utc};
use schemas::manifests::{ColumnRange, FeatureColumn, FittedThreshold, OutputKind, PartCount};

use super::columns::{Column, Sets, keep};
use super::join::SymbolRows;
use super::workers::Workers;
use super::{DataSet, PARTS};
use crate::resolve::Resolved;
use crate::splits::{self, CutDates, Part, RowTime};

/// The rows of all symbols so far.
pub(super) struct Stack {
    symbols: Vec<StackedSymbol>,
    open_time: Vec<Utc>,
    times: Vec<RowTime>,
    labels: Vec<f32>,
    weights: Option<Vec<f32>>,
    columns: Vec<Column>,
    covered: Vec<Vec<bool>>,
    dropped: BTreeMap<String, u64>,
    leak_test_cuts: u64,
    thresholds: Vec<FittedThreshold>,
}

struct StackedSymbol {
    rows: usize,
    /// Of all base bars.
    close_time: Vec<Utc>,
}

impl Stack {
    pub(super) fn new(resolved: &Resolved, sets: &Sets) -> Self {
        Self {
            symbols: Vec::new(),
            open_time: Vec::new(),
            times: Vec::new(),
            labels: Vec::new(),
            weights: resolved.weighted.then(Vec::new),
            columns: std::iter::repeat_with(Column::default).take(resolved.features.len()).collect(),
            covered: vec![Vec::new(); sets.len()],
            dropped: BTreeMap::new(),
            leak_test_cuts: 0,
            thresholds: Vec::new(),
        }
    }

    /// Appends the next symbol.
    pub(super) fn push(&mut self, mut symbol: SymbolRows) {
        self.symbols.push(StackedSymbol { rows: symbol.times.len(), close_time: symbol.close_time });
        self.open_time.append(&mut symbol.open_time);
        self.times.append(&mut symbol.times);
        self.labels.append(&mut symbol.labels);
        if let (Some(all), Some(weights)) = (&mut self.weights, &mut symbol.weights) {
            all.append(weights);
        }
        self.covered.iter_mut().zip(&mut symbol.covered).for_each(|(all, own)| all.append(own));
        for (reason, count) in symbol.dropped {
            *self.dropped.entry(reason.to_owned()).or_default() += count;
        }
        self.leak_test_cuts = symbol.leak_test_cuts;
        self.thresholds.append(&mut symbol.thresholds);
        self.columns.iter_mut().zip(&mut symbol.columns).for_each(|(all, own)| all.append(own));
    }

    /// The distinct instants at which a row of some symbol was known, ascending.
    pub(super) fn instants(&self) -> Vec<Utc> {
        let mut instants = Vec::new();
        let mut start = 0;
        for symbol in &self.symbols {
            let own = self.times.iter().skip(start).take(symbol.rows).map(|time| time.known_at);
            merge(&mut instants, own);
            start += symbol.rows;
        }
        instants
    }

    /// The data set, cut at `cuts`.
    pub(super) fn finish(mut self, resolved: &Resolved, sets: &Sets, cuts: CutDates, workers: &Workers) -> DataSet {
        let longest = self.symbols.iter().map(|symbol| symbol.rows).max().unwrap_or(0);
        let usual = || longest.div_ceil(100).max(resolved.warm_up_bars());
        let embargo_bars = resolved.embargo_bars.map_or_else(usual, |bars| bars as usize);
        // Bars and not rows: where events are learnt from only, a bar is not a row.
        let embargoes = self.symbols.iter().map(|each| splits::embargo_micros(&each.close_time, &cuts, embargo_bars));
        let embargo_micros = embargoes.max().unwrap_or(0);
        let kept = splits::assign(&self.times, &cuts, embargo_micros);
        let purged = splits::assign(&self.times, &cuts, 0).iter().filter(|part| part.is_none()).count();
        let gone = kept.iter().filter(|part| part.is_none()).count();
        self.dropped.insert("purged".to_owned(), purged as u64);
        self.dropped.insert("embargo".to_owned(), gone.saturating_sub(purged) as u64);
        let rows: Vec<bool> = kept.iter().map(Option::is_some).collect();
        let part: Vec<Part> = kept.into_iter().flatten().collect();
        self.keep(&rows, workers);
        let (features, values) = scaled(resolved, std::mem::take(&mut self.columns), &part, workers);
        let mut symbol = self.numbers();
        keep(&mut symbol, &rows);
        let coverage = sets.coverage(&self.covered);
        drop((std::mem::take(&mut self.covered), rows));
        let mut set = DataSet {
            features,
            output: resolved.output(),
            symbols: resolved.symbols.clone(),
            symbol,
            open_time: self.open_time,
            decision_time: self.times.iter().map(|time| time.known_at).collect(),
            part,
            label: self.labels,
            label_known_at: self.times.into_iter().map(|time| time.label_known_at).collect(),
            weight: self.weights,
            values,
            cuts,
            embargo_micros,
            parts: Vec::new(),
            dropped: self.dropped,
            coverage,
            leak_test_cuts: self.leak_test_cuts,
            thresholds: self.thresholds,
        };
        set.parts = counts(&set);
        set
    }

    /// Leaves the rows whose entry is true.
    fn keep(&mut self, rows: &[bool], workers: &Workers) {
        keep(&mut self.open_time, rows);
        keep(&mut self.times, rows);
        keep(&mut self.labels, rows);
        self.weights.iter_mut().for_each(|weights| keep(weights, rows));
        workers.each(&mut self.covered, |_, covered| keep(covered, rows));
        workers.each(&mut self.columns, |_, column| column.keep(rows));
    }

    /// The position of the symbol of every row.
    fn numbers(&self) -> Vec<u32> {
        let own = |(number, symbol): (u32, &StackedSymbol)| std::iter::repeat_n(number, symbol.rows);
        (0..).zip(&self.symbols).flat_map(own).collect()
    }
}

/// Every column with the scaling that its training rows give.
fn scaled(
    resolved: &Resolved,
    columns: Vec<Column>,
    part: &[Part],
    workers: &Workers,
) -> (Vec<FeatureColumn>, Vec<Vec<f32>>) {
    let mut work: Vec<_> = columns.into_iter().zip(&resolved.features).map(|column| (column, None)).collect();
    workers.each(&mut work, |_, ((column, feature), done)| {
        let fitted = column.fit(feature, part);
        let values = std::mem::take(column).scaled(fitted.normalisation);
        *done = Some((fitted, values));
    });
    work.into_iter().filter_map(|(_, done)| done).unzip()
}

/// Adds instants to others; both ascend.
pub(super) fn merge(instants: &mut Vec<Utc>, more: impl Iterator<Item = Utc>) {
    instants.extend(more);
    // The stable sort sees that these are two ascending runs, and merges them.
    instants.sort();
    instants.dedup();
}

/// Rows per symbol and part, in this order.
fn counts(set: &DataSet) -> Vec<PartCount> {
    let classes = if set.output == OutputKind::Regression { 0 } else { set.output.width() };
    let count = |symbol: &Instrument, part: &str| PartCount {
        symbol: symbol.id(),
        part: part.to_owned(),
        rows: 0,
        classes: vec![0; classes],
        range: None,
    };
    let of_symbol = |symbol: &Instrument| PARTS.map(|(_, name)| count(symbol, name));
    let mut counts: Vec<[PartCount; 3]> = set.symbols.iter().map(of_symbol).collect();
    let rows = set.symbol.iter().zip(&set.part).zip(&set.decision_time).zip(&set.label);
    for (((symbol, part), time), label) in rows {
        let own = counts.get_mut(*symbol as usize).and_then(|own| own.get_mut(*part as usize));
        let Some(count) = own else { continue };
        count.rows += 1;
        let first = count.range.map_or(time.0, |range: ColumnRange| range.first);
        count.range = Some(ColumnRange { first, last: time.0 });
        let class = (0_u16..).zip(&mut count.classes).find(|(class, _)| f32::from(*class) == *label);
        class.into_iter().for_each(|(_, rows)| *rows += 1);
    }
    counts.into_iter().flatten().collect()
}
