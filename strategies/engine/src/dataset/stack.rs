//! Symbol after symbol into one table, then the table into a data set: cut, purged, scaled,
//! counted.

use std::collections::BTreeMap;

use market::{Instrument, Utc};
use schemas::manifests::{
    ColumnRange, FeatureColumn, FittedThreshold, FuzzyHole, OutputKind, PartCount,
};

use super::columns::{Column, Coverage, Sets, append};
use super::join::SymbolRows;
use super::runs::Runs;
use super::workers::Workers;
use super::{DataSet, PARTS};
use crate::resolve::Resolved;
use crate::splits::{self, CutDates, Dropped, Part, RowTime};

/// The rows of all symbols so far.
pub(super) struct Stack {
    symbols: Vec<StackedSymbol>,
    /// Symbols that are still to come.
    left: usize,
    open_time: Vec<Utc>,
    known_at: Vec<Utc>,
    label_known_at: Vec<Utc>,
    labels: Vec<f32>,
    weights: Option<Vec<f32>>,
    columns: Vec<Column>,
    coverage: Vec<Coverage>,
    dropped: BTreeMap<String, u64>,
    leak_test_cuts: u64,
    thresholds: Vec<FittedThreshold>,
    /// The worst one of each set.
    holes: BTreeMap<String, FuzzyHole>,
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
            left: resolved.symbols.len(),
            open_time: Vec::new(),
            known_at: Vec::new(),
            label_known_at: Vec::new(),
            labels: Vec::new(),
            weights: resolved.weighted.then(Vec::new),
            columns: resolved.features.iter().map(Column::of).collect(),
            coverage: vec![Coverage::default(); sets.len()],
            dropped: BTreeMap::new(),
            leak_test_cuts: 0,
            thresholds: Vec::new(),
            holes: BTreeMap::new(),
        }
    }

    /// Appends the next symbol. Its columns come back empty, for one that is to come.
    pub(super) fn push(&mut self, mut symbol: SymbolRows) -> Vec<Column> {
        let rows = symbol.known_at.len();
        let expected = rows.saturating_mul(self.left);
        self.left = self.left.saturating_sub(1);
        self.symbols.push(StackedSymbol {
            rows,
            close_time: symbol.close_time,
        });
        append(&mut self.open_time, &mut symbol.open_time, expected);
        append(&mut self.known_at, &mut symbol.known_at, expected);
        append(
            &mut self.label_known_at,
            &mut symbol.label_known_at,
            expected,
        );
        append(&mut self.labels, &mut symbol.labels, expected);
        if let (Some(all), Some(weights)) = (&mut self.weights, &mut symbol.weights) {
            append(all, weights, expected);
        }
        self.coverage
            .iter_mut()
            .zip(symbol.coverage)
            .for_each(|(all, own)| all.add(own));
        for (reason, count) in symbol.dropped {
            *self.dropped.entry(reason.to_owned()).or_default() += count;
        }
        self.leak_test_cuts = symbol.leak_test_cuts;
        self.thresholds.append(&mut symbol.thresholds);
        for hole in symbol.holes {
            if self
                .holes
                .get(&hole.set)
                .is_none_or(|worst| worst.share < hole.share)
            {
                self.holes.insert(hole.set.clone(), hole);
            }
        }
        self.columns
            .iter_mut()
            .zip(&mut symbol.columns)
            .for_each(|(all, own)| all.append(own, expected));
        symbol.columns
    }

    /// The distinct instants at which a row of some symbol was known, ascending.
    pub(super) fn instants(&self) -> Vec<Utc> {
        let mut instants = Vec::new();
        let mut start = 0;
        for symbol in &self.symbols {
            merge(
                &mut instants,
                self.known_at
                    .get(start..start + symbol.rows)
                    .unwrap_or_default(),
            );
            start += symbol.rows;
        }
        instants
    }

    /// The data set, cut at `cuts`.
    pub(super) fn finish(
        mut self,
        resolved: &Resolved,
        sets: &Sets,
        cuts: CutDates,
        workers: &Workers,
    ) -> DataSet {
        let longest = self
            .symbols
            .iter()
            .map(|symbol| symbol.rows)
            .max()
            .unwrap_or(0);
        let usual = || longest.div_ceil(100).max(resolved.warm_up_bars());
        let embargo_bars = resolved
            .embargo_bars
            .map_or_else(usual, |bars| bars as usize);
        // Bars and not rows: where events are learnt from only, a bar is not a row.
        let embargoes = self
            .symbols
            .iter()
            .map(|each| splits::embargo_micros(&each.close_time, &cuts, embargo_bars));
        let embargo_micros = embargoes.max().unwrap_or(0);
        let (part, rows) = self.parts(&cuts, embargo_micros);
        let training = Runs::of(part.iter().map(|part| *part == Part::Train));
        let (features, values) = scaled(
            resolved,
            std::mem::take(&mut self.columns),
            [&rows, &training],
            workers,
        );
        let times = [
            &mut self.open_time,
            &mut self.known_at,
            &mut self.label_known_at,
        ];
        times.into_iter().for_each(|all| rows.keep_tight(all));
        rows.keep_tight(&mut self.labels);
        self.weights
            .iter_mut()
            .for_each(|weights| rows.keep_tight(weights));
        let mut symbol = self.numbers();
        rows.keep_tight(&mut symbol);
        let mut set = DataSet {
            features,
            output: resolved.output(),
            symbols: resolved.symbols.clone(),
            symbol,
            open_time: self.open_time,
            decision_time: self.known_at,
            part,
            label: self.labels,
            label_known_at: self.label_known_at,
            weight: self.weights,
            values,
            cuts,
            embargo_micros,
            parts: Vec::new(),
            dropped: self.dropped,
            coverage: sets.named(self.coverage.into_iter().map(Coverage::share)),
            leak_test_cuts: self.leak_test_cuts,
            thresholds: self.thresholds,
            holes: self.holes.into_values().collect(),
        };
        set.parts = counts(&set);
        set
    }

    /// The parts of the rows that have one, and which rows have one; counts the others.
    fn parts(&mut self, cuts: &CutDates, embargo_micros: i64) -> (Vec<Part>, Runs) {
        let times = self.known_at.iter().zip(&self.label_known_at);
        let times = times.map(|(&known_at, &label_known_at)| RowTime {
            known_at,
            label_known_at,
        });
        let parts: Vec<_> = times
            .map(|row| splits::part_of(row, cuts, embargo_micros))
            .collect();
        for (reason, why) in [("purged", Dropped::Purged), ("embargo", Dropped::Embargoed)] {
            let count = parts.iter().filter(|part| **part == Err(why)).count();
            self.dropped.insert(reason.to_owned(), count as u64);
        }
        (
            parts.iter().filter_map(|part| part.ok()).collect(),
            Runs::of(parts.iter().map(Result::is_ok)),
        )
    }

    /// The position of the symbol of every row.
    fn numbers(&self) -> Vec<u32> {
        let own =
            |(number, symbol): (u32, &StackedSymbol)| std::iter::repeat_n(number, symbol.rows);
        (0..).zip(&self.symbols).flat_map(own).collect()
    }
}

/// The rows of every column that stay, with the scaling that those of them give which train.
fn scaled(
    resolved: &Resolved,
    columns: Vec<Column>,
    [rows, training]: [&Runs; 2],
    workers: &Workers,
) -> (Vec<FeatureColumn>, Vec<Vec<f32>>) {
    let mut work: Vec<_> = columns
        .into_iter()
        .zip(&resolved.features)
        .map(|column| (column, None))
        .collect();
    workers.each(&mut work, |((column, feature), done)| {
        column.keep(rows);
        let fitted = column.fit(feature, training);
        let values = std::mem::take(column).scaled(fitted.normalisation);
        *done = Some((fitted, values));
    });
    work.into_iter().filter_map(|(_, done)| done).unzip()
}

/// Adds instants to others; both ascend.
pub(super) fn merge(instants: &mut Vec<Utc>, more: &[Utc]) {
    // Symbols mostly have bars at the same instants.
    let first = more.first().map_or(0, |first| {
        instants.partition_point(|instant| instant < first)
    });
    if instants.get(first..first + more.len()) == Some(more) {
        return;
    }
    instants.extend_from_slice(more);
    // The stable sort sees that these are two ascending runs, and merges them.
    instants.sort();
    instants.dedup();
}

/// Rows per symbol and part, in this order.
fn counts(set: &DataSet) -> Vec<PartCount> {
    let classes = if set.output == OutputKind::Regression {
        0
    } else {
        set.output.width()
    };
    let count = |symbol: &Instrument, part: &str| PartCount {
        symbol: symbol.id(),
        part: part.to_owned(),
        rows: 0,
        classes: vec![0; classes],
        range: None,
    };
    let of_symbol = |symbol: &Instrument| PARTS.map(|(_, name)| count(symbol, name));
    let mut counts: Vec<[PartCount; 3]> = set.symbols.iter().map(of_symbol).collect();
    let rows = set
        .symbol
        .iter()
        .zip(&set.part)
        .zip(&set.decision_time)
        .zip(&set.label);
    for (((symbol, part), time), label) in rows {
        let own = counts
            .get_mut(*symbol as usize)
            .and_then(|own| own.get_mut(*part as usize));
        let Some(count) = own else { continue };
        count.rows += 1;
        let first = count.range.map_or(time.0, |range: ColumnRange| range.first);
        count.range = Some(ColumnRange {
            first,
            last: time.0,
        });
        let class = (0_u16..)
            .zip(&mut count.classes)
            .find(|(class, _)| f32::from(*class) == *label);
        class.into_iter().for_each(|(_, rows)| *rows += 1);
    }
    counts.into_iter().flatten().collect()
}
