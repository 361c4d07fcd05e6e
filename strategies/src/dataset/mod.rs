//! From bars of several symbols to a data set: features and labels joined by row, split in time, leak-tested, counted.
//!
//! Every symbol runs through the whole chain alone, with fresh indicator state; rows are stacked symbol after symbol and
//! never mixed. All symbols are cut at the same instants. Scaling is fitted on the rows of the training part.

mod error;
mod join;
mod scale;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use market::{Instrument, Utc};
use schemas::manifests::{ColumnRange, FeatureColumn, OutputKind, PartCount};

use crate::features::SymbolBars;
use crate::grammar::Split;
use crate::resolve::Resolved;
use crate::splits::{self, CutDates, Part, SplitError};
pub use error::DataSetError;
use join::{SymbolRows, symbol_rows};
use scale::{coverage, fit};

/// Fewest rows of the training part.
pub const TRAIN_ROWS_MIN: usize = 100;

/// Fewest rows of the validation and of the test part.
pub const HELD_OUT_ROWS_MIN: usize = 20;

/// All parts in order, with their names in manifests.
const PARTS: [(Part, &str); 3] = [(Part::Train, "train"), (Part::Validation, "validation"), (Part::Test, "test")];

/// The bars of one symbol.
#[derive(Clone, Debug)]
pub struct SymbolInput {
    /// Which instrument.
    pub symbol: Instrument,
    /// Its bars by timeframe; those outside the date range are left out by the assembly.
    pub bars: SymbolBars,
}

/// What is about to be done, for progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Instrument id.
    pub symbol: &'a str,
    /// 1-based position of the symbol.
    pub symbol_number: usize,
    /// Number of symbols.
    pub symbols: usize,
    /// Id of the indicator, or `labels`, or `leak test`.
    pub work: &'a str,
    /// 1-based position of the work within the symbol.
    pub work_number: usize,
    /// Pieces of work of a symbol: indicators + 2.
    pub works: usize,
}

/// Rows ready to train on.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// Columns in contract order, with fitted scaling.
    pub features: Vec<FeatureColumn>,
    /// Meaning of the label.
    pub output: OutputKind,
    /// Instruments in stacking order.
    pub symbols: Vec<Instrument>,
    /// Position of each row's instrument.
    pub symbol: Vec<u32>,
    /// Open of each row's base bar.
    pub open_time: Vec<Utc>,
    /// When each row was known: the close of its bar.
    pub decision_time: Vec<Utc>,
    /// What each row is used for.
    pub part: Vec<Part>,
    /// Class number or forward return.
    pub label: Vec<f32>,
    /// When each label became known.
    pub label_known_at: Vec<Utc>,
    /// How often each row is drawn in training, beside others: the uniqueness of its label, where the strategy asks for it.
    pub weight: Option<Vec<f32>>,
    /// Scaled features, row-major `[row, feature]`.
    pub values: Vec<f32>,
    /// Where validation and test begin.
    pub cuts: CutDates,
    /// Gap kept after each of them, microseconds.
    pub embargo_micros: i64,
    /// Rows per symbol and part.
    pub parts: Vec<PartCount>,
    /// Rows dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Share of rows on which a membership of the set is positive, by `{timeframe}_{set}`.
    pub coverage: BTreeMap<String, f64>,
    /// Cuts of the leak test, per symbol.
    pub leak_test_cuts: u64,
}

impl DataSet {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.label.len()
    }

    /// The values of one feature, row after row.
    pub fn feature(&self, position: usize) -> impl Iterator<Item = f32> {
        self.values.iter().skip(position).step_by(self.features.len().max(1)).copied()
    }

    /// The name of a part in manifests and files.
    pub fn part_name(part: Part) -> &'static str {
        PARTS.iter().find(|(each, _)| *each == part).map_or("", |(_, name)| name)
    }
}

/// Builds the data set of a resolved strategy. `progress` hears of each piece of work before it begins and may stop it.
///
/// # Errors
/// Missing or short series, a leak, too few rows or a missing class in a part, a stop.
pub fn assemble(
    resolved: &Resolved,
    inputs: &[SymbolInput],
    progress: &mut dyn FnMut(Step<'_>) -> ControlFlow<()>,
) -> Result<DataSet, DataSetError> {
    let mut dropped: BTreeMap<String, u64> = BTreeMap::new();
    let mut symbols = Vec::with_capacity(resolved.symbols.len());
    let mut leak_test_cuts = 0;
    // A threshold that is fitted needs to know where the training part ends before there are labels.
    let early_cuts = if resolved.needs_fit() { Some(cuts_of_bars(resolved, inputs)?) } else { None };
    let training_end = early_cuts.map(|cuts| cuts.validation_start);
    for (index, symbol) in resolved.symbols.iter().enumerate() {
        let id = symbol.id();
        let input = inputs.iter().find(|input| input.symbol == *symbol);
        let input = input.ok_or_else(|| DataSetError::NoSymbol { symbol: id.clone() })?;
        let mut report = |number: usize, work: &str| {
            let (symbols, works) = (resolved.symbols.len(), resolved.indicators.len() + 2);
            progress(Step { symbol: &id, symbol_number: index + 1, symbols, work, work_number: number, works })
        };
        let (rows, cuts) = symbol_rows(resolved, (&id, &input.bars), training_end, &mut dropped, &mut report)?;
        leak_test_cuts = cuts;
        symbols.push(rows);
    }
    let known = |rows: &SymbolRows| rows.times.iter().map(|time| time.known_at).collect::<Vec<_>>();
    let cuts = match early_cuts {
        Some(cuts) => cuts,
        None => cuts(resolved, symbols.iter().flat_map(known))?,
    };
    let longest = symbols.iter().map(|rows| rows.rows.len()).max().unwrap_or(0);
    let embargo_bars =
        resolved.embargo_bars.map_or_else(|| longest.div_ceil(100).max(resolved.warm_up_bars()), |bars| bars as usize);
    // Bars and not rows: where events are learnt from only, a bar is not a row.
    let embargoes = symbols.iter().map(|rows| splits::embargo_micros(&rows.columns.close_time, &cuts, embargo_bars));
    let embargo_micros = embargoes.max().unwrap_or(0);
    let kept: Vec<Vec<Option<Part>>> =
        symbols.iter().map(|rows| splits::assign(&rows.times, &cuts, embargo_micros)).collect();
    for (rows, parts) in symbols.iter().zip(&kept) {
        let purged = splits::assign(&rows.times, &cuts, 0).iter().filter(|part| part.is_none()).count();
        let gone = parts.iter().filter(|part| part.is_none()).count();
        *dropped.entry("purged".to_owned()).or_default() += purged as u64;
        *dropped.entry("embargo".to_owned()).or_default() += gone.saturating_sub(purged) as u64;
    }
    let features = fit(resolved, &symbols, &kept);
    let mut set = DataSet {
        features,
        output: resolved.output(),
        symbols: resolved.symbols.clone(),
        symbol: Vec::new(),
        open_time: Vec::new(),
        decision_time: Vec::new(),
        part: Vec::new(),
        label: Vec::new(),
        label_known_at: Vec::new(),
        weight: resolved.weighted.then(Vec::new),
        values: Vec::new(),
        cuts,
        embargo_micros,
        parts: Vec::new(),
        dropped,
        coverage: coverage(resolved, &symbols, &kept),
        leak_test_cuts,
    };
    for (index, (rows, parts)) in symbols.iter().zip(&kept).enumerate() {
        set.stack(index, rows, parts);
    }
    set.count();
    set.check()?;
    Ok(set)
}

/// Where validation and test begin, from dates or from the instants of the rows.
fn cuts(resolved: &Resolved, times: impl Iterator<Item = Utc>) -> Result<CutDates, SplitError> {
    match resolved.split {
        Split::Dates { validation_start, test_start } => Ok(CutDates { validation_start, test_start }),
        Split::Fractions { train, validation, .. } => splits::cut_dates(splits::Fractions { train, validation }, times),
    }
}

/// The same from all base bars, before it is known which of them become rows.
fn cuts_of_bars(resolved: &Resolved, inputs: &[SymbolInput]) -> Result<CutDates, SplitError> {
    let used = inputs.iter().filter(|input| resolved.symbols.contains(&input.symbol));
    let bars = used.filter_map(|input| input.bars.get(&resolved.base));
    cuts(resolved, bars.flat_map(|bars| resolved.clip(bars).close_time))
}

impl DataSet {
    /// Appends the kept rows of one symbol.
    #[expect(clippy::cast_possible_truncation, reason = "weights are stored as f32")]
    fn stack(&mut self, index: usize, rows: &SymbolRows, parts: &[Option<Part>]) {
        let labelled = rows.rows.iter().zip(&rows.labels).zip(&rows.times).zip(parts);
        for (((&row, &label), times_of), part) in labelled {
            let times = (rows.columns.open_time.get(row), rows.columns.close_time.get(row));
            let (Some(part), (Some(open), Some(close))) = (*part, times) else { continue };
            self.symbol.push(u32::try_from(index).unwrap_or(u32::MAX));
            self.open_time.push(*open);
            self.decision_time.push(*close);
            self.part.push(part);
            self.label.push(label);
            self.label_known_at.push(times_of.label_known_at);
            if let (Some(kept), Some(weights)) = (&mut self.weight, &rows.weights) {
                kept.push(weights.get(row).copied().unwrap_or(0.0) as f32);
            }
            rows.columns.push_scaled(row, &self.features, &mut self.values);
        }
    }

    /// Fills in the counts per symbol and part.
    fn count(&mut self) {
        let classes = if self.output == OutputKind::Regression { 0 } else { self.output.width() };
        for (index, symbol) in self.symbols.iter().enumerate() {
            for (part, name) in PARTS {
                let of_symbol = |(position, _): &(usize, &u32)| self.part.get(*position) == Some(&part);
                let own = self.symbol.iter().enumerate().filter(|(_, each)| **each as usize == index).filter(of_symbol);
                let mut count = PartCount {
                    symbol: symbol.id(),
                    part: name.to_owned(),
                    rows: 0,
                    classes: vec![0; classes],
                    range: None,
                };
                for (position, _) in own {
                    count.rows += 1;
                    let time = self.decision_time.get(position).map_or(0, |time| time.0);
                    let first = count.range.map_or(time, |range: ColumnRange| range.first);
                    count.range = Some(ColumnRange { first, last: time });
                    let label = self.label.get(position).copied().unwrap_or(f32::NAN);
                    let class = (0_u16..).zip(&mut count.classes).find(|(class, _)| f32::from(*class) == label);
                    if let Some((_, rows)) = class {
                        *rows += 1;
                    }
                }
                self.parts.push(count);
            }
        }
    }

    /// Every part large enough and with every class.
    fn check(&self) -> Result<(), DataSetError> {
        for (kind, part) in PARTS {
            let own = || self.parts.iter().filter(|count| count.part == part);
            let rows = usize::try_from(own().map(|count| count.rows).sum::<u64>()).unwrap_or(usize::MAX);
            let required = if kind == Part::Train { TRAIN_ROWS_MIN } else { HELD_OUT_ROWS_MIN };
            if rows < required {
                return Err(DataSetError::FewRows { part, rows, required, dropped: self.dropped.clone() });
            }
            let OutputKind::Classes { names } = &self.output else { continue };
            let sum = |class: usize| own().filter_map(|count| count.classes.get(class)).sum::<u64>();
            let classes: BTreeMap<String, u64> =
                names.iter().enumerate().map(|(class, name)| (name.clone(), sum(class))).collect();
            if let Some(class) = names.iter().find(|name| classes.get(*name) == Some(&0)).cloned() {
                return Err(DataSetError::NoClass { part, class, classes });
            }
        }
        Ok(())
    }
}
