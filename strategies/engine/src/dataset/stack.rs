//! Symbol after symbol into one table, then the table into a data set: cut, purged, scaled,
//! counted.

use std::collections::BTreeMap;

use market::{Instrument, Utc};
use schemas::manifests::{
    ColumnRange, FeatureColumn, FittedThreshold, FuzzyHole, OutputKind, PartCount,
};

use super::DataSet;
use super::DataSetError;
use super::columns::{Column, append};
use super::coverage::{CoverageCount, FuzzySets};
use super::forward_returns::{Closes, ForwardReturns, ForwardRow};
use super::rows::SymbolRows;
use super::runs::Runs;
use super::workers::Workers;
use crate::resolve::{Feature, Resolved};
use crate::splits::{self, CutDates, NoPart, Part, RowTime};

/// Embargo where the strategy gives none: this fraction of the rows of the longest symbol, and at
/// least the longest warm-up.
const EMBARGO_FRACTION: usize = 100;

/// The rows of all symbols so far.
pub(super) struct Stack {
    symbols: Vec<StackedSymbol>,
    symbols_to_come: usize,
    /// Number of each row's bar among the base bars of its symbol.
    bars: Vec<u32>,
    open_time: Vec<Utc>,
    known_at: Vec<Utc>,
    label_known_at: Vec<Utc>,
    labels: Vec<f32>,
    weights: Option<Vec<f32>>,
    columns: Vec<Column>,
    coverage: Vec<CoverageCount>,
    dropped: BTreeMap<String, u64>,
    leak_test_cuts: u64,
    thresholds: Vec<FittedThreshold>,
    /// The largest hole of each set.
    holes: BTreeMap<String, FuzzyHole>,
}

struct StackedSymbol {
    rows: usize,
    /// Closes of all base bars, rows or not.
    close_time: Vec<Utc>,
    /// The prices of these closes.
    close_price: Vec<f64>,
}

impl Stack {
    pub(super) fn new(resolved: &Resolved, sets: &FuzzySets) -> Self {
        Self {
            symbols: Vec::new(),
            symbols_to_come: resolved.symbols.len(),
            bars: Vec::new(),
            open_time: Vec::new(),
            known_at: Vec::new(),
            label_known_at: Vec::new(),
            labels: Vec::new(),
            weights: resolved.weighted.then(Vec::new),
            columns: resolved.features.iter().map(Column::of).collect(),
            coverage: vec![CoverageCount::default(); sets.len()],
            dropped: BTreeMap::new(),
            leak_test_cuts: 0,
            thresholds: Vec::new(),
            holes: BTreeMap::new(),
        }
    }

    /// Appends the next symbol. Returns its columns, emptied, for a symbol that is to come.
    pub(super) fn push(&mut self, mut symbol: SymbolRows) -> Vec<Column> {
        let rows = symbol.known_at.len();
        self.symbols.push(StackedSymbol {
            rows,
            close_time: symbol.close_time,
            close_price: symbol.close_price,
        });

        // Symbols mostly have as many rows as each other.
        let expected = rows.saturating_mul(self.symbols_to_come);
        self.symbols_to_come = self.symbols_to_come.saturating_sub(1);
        append(&mut self.bars, &mut symbol.bars, expected);
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
        for (all, column) in self.columns.iter_mut().zip(&mut symbol.columns) {
            all.append(column, expected);
        }

        for (total, count) in self.coverage.iter_mut().zip(symbol.coverage) {
            total.add(count);
        }
        for (reason, count) in symbol.dropped {
            *self.dropped.entry(reason.to_owned()).or_default() += count;
        }
        for hole in symbol.holes {
            self.note_hole(hole);
        }
        self.leak_test_cuts = symbol.leak_test_cuts;
        self.thresholds.append(&mut symbol.thresholds);

        symbol.columns
    }

    /// Of the holes of a set in several symbols the largest is kept, the first one among equals.
    fn note_hole(&mut self, hole: FuzzyHole) {
        let is_largest = self
            .holes
            .get(&hole.set)
            .is_none_or(|largest| largest.share < hole.share);
        if is_largest {
            self.holes.insert(hole.set.clone(), hole);
        }
    }

    /// Some symbol gave a row.
    ///
    /// # Errors
    /// All bars were dropped; the error says why.
    pub(super) fn require_rows(&self) -> Result<(), DataSetError> {
        if !self.known_at.is_empty() {
            return Ok(());
        }
        Err(DataSetError::NoRows {
            dropped: self.dropped.clone(),
        })
    }

    /// The distinct instants at which a row of some symbol became known, ascending.
    pub(super) fn instants(&self) -> Vec<Utc> {
        let mut instants = Vec::new();
        let mut first_row = 0;
        for symbol in &self.symbols {
            let end = first_row + symbol.rows;
            let known_at = self.known_at.get(first_row..end).unwrap_or_default();
            merge_instants(&mut instants, known_at);
            first_row = end;
        }

        instants
    }

    /// The data set, cut at `cuts`.
    pub(super) fn finish(
        mut self,
        resolved: &Resolved,
        sets: &FuzzySets,
        cuts: CutDates,
        workers: &Workers,
    ) -> DataSet {
        let embargo_micros = self.embargo_micros(resolved, &cuts);
        let row_parts = self.row_parts(&cuts, embargo_micros);
        self.count_without_part(&row_parts);

        // The parts come before the scaling, which may learn from training rows only.
        let kept_rows = Runs::of(row_parts.iter().map(Result::is_ok));
        let part: Vec<Part> = row_parts.into_iter().flatten().collect();

        let columns = std::mem::take(&mut self.columns);
        let scaled = scale_columns(&resolved.features, columns, &kept_rows, &part, workers);
        let boundaries = Boundaries {
            cuts,
            embargo_micros,
            horizon: resolved.labels.horizon(),
        };
        self.into_data_set(resolved, sets, boundaries, &kept_rows, part, scaled)
    }

    /// The rows of the sealed period, which begins at `from`, scaled and cut as `open` was; their
    /// part means nothing. The embargo that parts keep lies before their first row, too.
    pub(super) fn finish_sealed(
        mut self,
        resolved: &Resolved,
        sets: &FuzzySets,
        open: &DataSet,
        from: Utc,
    ) -> DataSet {
        let first_known = from.plus_micros(open.embargo_micros.max(0));
        let kept_rows = Runs::of(self.known_at.iter().map(|instant| *instant >= first_known));
        let part = vec![Part::Test; kept_rows.len()];

        let columns = std::mem::take(&mut self.columns);
        let fitted = columns.into_iter().zip(&open.features);
        let values = fitted.map(|(mut column, feature)| {
            column.keep(&kept_rows);
            column.scaled(feature.normalisation)
        });
        let scaled = ScaledColumns {
            features: open.features.clone(),
            values: values.collect(),
        };
        let boundaries = Boundaries {
            cuts: open.cuts,
            embargo_micros: open.embargo_micros,
            horizon: Some(open.forward_bars),
        };
        self.into_data_set(resolved, sets, boundaries, &kept_rows, part, scaled)
    }

    /// The rows of the stack that are kept, with what belongs to them.
    fn into_data_set(
        mut self,
        resolved: &Resolved,
        sets: &FuzzySets,
        boundaries: Boundaries,
        kept_rows: &Runs,
        part: Vec<Part>,
        scaled: ScaledColumns,
    ) -> DataSet {
        let mut symbol = self.symbol_positions();
        let forward = self.forward_returns(&symbol, kept_rows, &part, &boundaries);

        kept_rows.keep_tight(&mut symbol);
        self.keep_rows(kept_rows);

        let mut data_set = DataSet {
            features: scaled.features,
            output: resolved.output(),
            symbols: resolved.symbols.clone(),
            symbol,
            bar: self.bars,
            open_time: self.open_time,
            known_at: self.known_at,
            part,
            label: self.labels,
            label_known_at: self.label_known_at,
            forward_return: forward.values,
            forward_bars: forward.bars,
            weight: self.weights,
            values: scaled.values,
            cuts: boundaries.cuts,
            embargo_micros: boundaries.embargo_micros,
            parts: Vec::new(),
            dropped: self.dropped,
            coverage: sets.by_name(self.coverage.into_iter().map(CoverageCount::share)),
            leak_test_cuts: self.leak_test_cuts,
            thresholds: self.thresholds,
            holes: self.holes.into_values().collect(),
        };
        data_set.parts = count_parts(&data_set);

        data_set
    }

    /// Drops all other rows of every column but those of features, so that one index still means
    /// one row.
    fn keep_rows(&mut self, kept_rows: &Runs) {
        kept_rows.keep_tight(&mut self.bars);
        kept_rows.keep_tight(&mut self.open_time);
        kept_rows.keep_tight(&mut self.known_at);
        kept_rows.keep_tight(&mut self.label_known_at);
        kept_rows.keep_tight(&mut self.labels);
        if let Some(weights) = &mut self.weights {
            kept_rows.keep_tight(weights);
        }
    }

    /// The forward returns of the kept rows, which belong to `part`. `symbol` is the position of
    /// the symbol of every row.
    fn forward_returns(
        &self,
        symbol: &[u32],
        kept_rows: &Runs,
        part: &[Part],
        boundaries: &Boundaries,
    ) -> ForwardReturns {
        let places = kept_rows.pick(symbol).zip(kept_rows.pick(&self.bars));
        let known_and_parts = kept_rows.pick(&self.label_known_at).zip(part);
        let rows = places.zip(known_and_parts);
        let rows = rows.map(|((symbol, bar), (label_known_at, part))| ForwardRow {
            symbol: *symbol as usize,
            bar: *bar as usize,
            label_known_at: *label_known_at,
            part: *part,
        });

        let closes = self.symbols.iter().map(|symbol| Closes {
            time: &symbol.close_time,
            price: &symbol.close_price,
        });
        let closes: Vec<Closes<'_>> = closes.collect();
        ForwardReturns::of(rows, &closes, boundaries.horizon, &boundaries.cuts)
    }

    /// The longest time that the embargo takes at the cuts of any symbol.
    fn embargo_micros(&self, resolved: &Resolved, cuts: &CutDates) -> i64 {
        let embargo_bars = match resolved.embargo_bars {
            Some(bars) => bars as usize,
            None => {
                let rows_max = self.symbols.iter().map(|symbol| symbol.rows).max();
                rows_max
                    .unwrap_or(0)
                    .div_ceil(EMBARGO_FRACTION)
                    .max(resolved.warm_up_bars())
            }
        };

        // Over bars and not rows: where only events are learnt from, a bar is not a row.
        self.symbols
            .iter()
            .map(|symbol| splits::embargo_micros(&symbol.close_time, cuts, embargo_bars))
            .max()
            .unwrap_or(0)
    }

    /// The part of every row, or why it has none.
    fn row_parts(&self, cuts: &CutDates, embargo_micros: i64) -> Vec<Result<Part, NoPart>> {
        self.known_at
            .iter()
            .zip(&self.label_known_at)
            .map(|(&known_at, &label_known_at)| {
                let row = RowTime {
                    known_at,
                    label_known_at,
                };
                splits::assign_part(row, cuts, embargo_micros)
            })
            .collect()
    }

    fn count_without_part(&mut self, row_parts: &[Result<Part, NoPart>]) {
        for (reason, name) in [(NoPart::Purged, "purged"), (NoPart::Embargoed, "embargo")] {
            let rows = row_parts
                .iter()
                .filter(|part| **part == Err(reason))
                .count();
            self.dropped.insert(name.to_owned(), rows as u64);
        }
    }

    /// The position of the symbol of every row.
    fn symbol_positions(&self) -> Vec<u32> {
        let mut positions = Vec::with_capacity(self.known_at.len());
        for (position, symbol) in (0..).zip(&self.symbols) {
            positions.extend(std::iter::repeat_n(position, symbol.rows));
        }

        positions
    }
}

/// Where the parts begin, the gap after each boundary, and how far forward returns look.
#[derive(Clone, Copy)]
struct Boundaries {
    cuts: CutDates,
    embargo_micros: i64,
    /// Bars; absent where the labels of the training part decide.
    horizon: Option<u32>,
}

/// Scaled columns, with the scaling of each.
struct ScaledColumns {
    features: Vec<FeatureColumn>,
    values: Vec<Vec<f32>>,
}

/// A column on its way from stacked values to scaled ones.
struct ColumnWork<'a> {
    column: Column,
    feature: &'a Feature,
    scaled: Option<(FeatureColumn, Vec<f32>)>,
}

/// Keeps the rows that belong to a part, and scales every column by the statistics of its training
/// rows. `part` has one entry per kept row.
fn scale_columns(
    features: &[Feature],
    columns: Vec<Column>,
    kept_rows: &Runs,
    part: &[Part],
    workers: &Workers,
) -> ScaledColumns {
    let training_rows = Runs::of(part.iter().map(|part| *part == Part::Train));
    let mut work: Vec<ColumnWork<'_>> = columns
        .into_iter()
        .zip(features)
        .map(|(column, feature)| ColumnWork {
            column,
            feature,
            scaled: None,
        })
        .collect();

    workers.change_each(&mut work, |work| {
        // Each column is freed as soon as its scaled form exists.
        let mut column = std::mem::take(&mut work.column);
        column.keep(kept_rows);
        let fitted = column.fit(work.feature, &training_rows);
        let values = column.scaled(fitted.normalisation);
        work.scaled = Some((fitted, values));
    });

    let scaled = work.into_iter().filter_map(|work| work.scaled);
    let (features, values) = scaled.unzip();
    ScaledColumns { features, values }
}

/// Adds instants to others; both ascend.
pub(super) fn merge_instants(instants: &mut Vec<Utc>, more: &[Utc]) {
    // Symbols mostly have bars at the same instants.
    let start = more.first().map_or(0, |first| {
        instants.partition_point(|instant| instant < first)
    });
    if instants.get(start..start + more.len()) == Some(more) {
        return;
    }

    // The stable sort sees that these are two ascending runs, and merges them.
    instants.extend_from_slice(more);
    instants.sort();
    instants.dedup();
}

/// Rows per symbol and part, in this order.
fn count_parts(data_set: &DataSet) -> Vec<PartCount> {
    let classes = match data_set.output {
        OutputKind::Regression => 0,
        OutputKind::Classes { .. } => data_set.output.width(),
    };
    // A symbol without rows still has its counts, all zero.
    let mut counts: Vec<[PartCount; 3]> = data_set
        .symbols
        .iter()
        .map(|symbol| Part::ALL.map(|part| empty_count(symbol, part, classes)))
        .collect();

    let rows = data_set
        .symbol
        .iter()
        .zip(&data_set.part)
        .zip(&data_set.known_at)
        .zip(&data_set.label);
    for (((symbol, part), known_at), label) in rows {
        let count = counts
            .get_mut(*symbol as usize)
            .and_then(|parts| parts.get_mut(*part as usize));
        if let Some(count) = count {
            count_row(count, *known_at, *label);
        }
    }

    counts.into_iter().flatten().collect()
}

fn empty_count(symbol: &Instrument, part: Part, classes: usize) -> PartCount {
    PartCount {
        symbol: symbol.id(),
        part: part.name().to_owned(),
        rows: 0,
        classes: vec![0; classes],
        range: None,
    }
}

/// Counts the next row; the rows of a symbol ascend in time.
fn count_row(count: &mut PartCount, known_at: Utc, label: f32) {
    count.rows += 1;

    let first = count.range.map_or(known_at.0, |range| range.first);
    count.range = Some(ColumnRange {
        first,
        last: known_at.0,
    });

    // A class label is the number of its class.
    let class_rows = (0_u16..)
        .zip(&mut count.classes)
        .find(|(class, _)| f32::from(*class) == label);
    if let Some((_, rows)) = class_rows {
        *rows += 1;
    }
}
