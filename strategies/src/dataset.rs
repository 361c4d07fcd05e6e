//! From bars of several symbols to a data set: features and labels joined by row, split in time, leak-tested, counted.
//!
//! Every symbol runs through the whole chain alone, with fresh indicator state; rows are stacked symbol after symbol and
//! never mixed. All symbols are cut at the same instants. Scaling is fitted on the rows of the training part.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use market::{Bars, Instrument, Timeframe, Utc};
use schemas::manifests::{ColumnRange, FeatureColumn, Normalisation, OutputKind, PartCount};
use thiserror::Error;

use crate::features::{Columns, FeatureError, SymbolBars, columns};
use crate::grammar::{Scaling, Split};
use crate::labels::{self, LabelError};
use crate::leak::{Leak, leak_test};
use crate::resolve::{Feature, FeatureKind, Resolved};
use crate::splits::{self, CutDates, Part, RowTime, SplitError};

/// Fewest rows of the training part.
pub const TRAIN_ROWS_MIN: usize = 100;

/// Fewest rows of the validation and of the test part.
pub const HELD_OUT_ROWS_MIN: usize = 20;

/// Largest share of rows after the warm-up that may lack a value, per symbol.
pub const UNDEFINED_SHARE_MAX: f64 = 0.2;

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

/// Why no data set can be made.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum DataSetError {
    /// A symbol of the strategy has no bars.
    #[error("there are no bars of {symbol}")]
    NoSymbol {
        /// Instrument id.
        symbol: String,
    },
    /// Fewer base bars than the strategy asks for.
    #[error("{symbol} has {bars} {timeframe} bars in the date range, the strategy requires {required}")]
    ShortHistory {
        /// Instrument id.
        symbol: String,
        /// The base timeframe.
        timeframe: Timeframe,
        /// Bars in the range.
        bars: usize,
        /// `training_data.history_required`.
        required: u32,
    },
    /// Features of a symbol cannot be computed.
    #[error("the features of {symbol} cannot be computed")]
    Features {
        /// Instrument id.
        symbol: String,
        /// Why.
        source: FeatureError,
    },
    /// Labels of a symbol cannot be computed.
    #[error("the labels of {symbol} cannot be computed")]
    Labels {
        /// Instrument id.
        symbol: String,
        /// Why.
        source: LabelError,
    },
    /// A feature knew the future.
    #[error("the feature `{feature}` of {symbol} at {} is {} when bars after {} are known and {} when they are not", .leak.row, .leak.with, .leak.cut, .leak.without)]
    Leak {
        /// Instrument id.
        symbol: String,
        /// Its name.
        feature: String,
        /// Where.
        leak: Leak,
    },
    /// Too many rows lack a value after the warm-up.
    #[error("{undefined} of {rows} rows of {symbol} lack a value after the warm-up, most in `{feature}`")]
    Undefined {
        /// Instrument id.
        symbol: String,
        /// Incomplete rows.
        undefined: u64,
        /// All rows after the warm-up.
        rows: u64,
        /// The column with most gaps.
        feature: String,
    },
    /// The rows cannot be cut into parts.
    #[error("the rows cannot be split")]
    Split(#[from] SplitError),
    /// A part is too small.
    #[error("the {part} part has {rows} rows, the fewest is {required}; {}", counts(.dropped))]
    FewRows {
        /// Its name.
        part: &'static str,
        /// Rows left.
        rows: usize,
        /// Fewest rows.
        required: usize,
        /// Rows dropped, by reason.
        dropped: BTreeMap<String, u64>,
    },
    /// A part lacks a class.
    #[error("no row of the {part} part is labelled {class}; its classes are {}", counts(.classes))]
    NoClass {
        /// Its name.
        part: &'static str,
        /// The class without a row.
        class: String,
        /// Rows per class.
        classes: BTreeMap<String, u64>,
    },
    /// The progress callback asked to stop.
    #[error("stopped on request")]
    Stopped,
}

fn counts(rows: &BTreeMap<String, u64>) -> String {
    rows.iter().map(|(name, rows)| format!("{name} {rows}")).collect::<Vec<_>>().join(", ")
}

impl DataSetError {
    /// A word for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSymbol { .. } => "DATA-NoSymbol",
            Self::ShortHistory { .. } => "DATA-ShortHistory",
            Self::Features { .. } => "PROC-Features",
            Self::Labels { .. } => "PROC-Labels",
            Self::Leak { .. } => "PROC-Leak",
            Self::Undefined { .. } => "PROC-Undefined",
            Self::Split(_) => "PROC-Split",
            Self::FewRows { .. } => "PROC-FewRows",
            Self::NoClass { .. } => "PROC-NoClass",
            Self::Stopped => "PROC-Stopped",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::NoSymbol { .. } => "load it with `ktrdr data load <symbol> --timeframe <timeframe>`".to_owned(),
            Self::ShortHistory { .. } => {
                "load more history, widen the dates, or lower training_data.history_required".to_owned()
            }
            Self::Features { source, .. } => source.hint().to_owned(),
            Self::Labels { source, .. } => source.hint(),
            Self::Leak { .. } => {
                "this is a defect of the program: report it with the strategy and the dates".to_owned()
            }
            Self::Undefined { .. } => "look at that indicator: a flat or missing input leaves it undefined".to_owned(),
            Self::Split(source) => source.hint().to_owned(),
            Self::FewRows { .. } => {
                "use more history, other split dates, or a smaller training.embargo_bars".to_owned()
            }
            Self::NoClass { .. } => {
                "use other label parameters or split dates, so that every part holds every class".to_owned()
            }
            Self::Stopped => "run the operation again or resume it".to_owned(),
        }
    }
}

/// The joined rows of one symbol.
struct SymbolRows {
    columns: Columns,
    /// Positions of the rows that are complete and labelled.
    rows: Vec<usize>,
    times: Vec<RowTime>,
    labels: Vec<f32>,
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
    for (index, symbol) in resolved.symbols.iter().enumerate() {
        let id = symbol.id();
        let input = inputs.iter().find(|input| input.symbol == *symbol);
        let input = input.ok_or_else(|| DataSetError::NoSymbol { symbol: id.clone() })?;
        let mut report = |number: usize, work: &str| {
            let (symbols, works) = (resolved.symbols.len(), resolved.indicators.len() + 2);
            progress(Step { symbol: &id, symbol_number: index + 1, symbols, work, work_number: number, works })
        };
        let (rows, cuts) = symbol_rows(resolved, &id, &input.bars, &mut dropped, &mut report)?;
        leak_test_cuts = cuts;
        symbols.push(rows);
    }
    let known = |rows: &SymbolRows| rows.times.iter().map(|time| time.known_at).collect::<Vec<_>>();
    let cuts = match resolved.split {
        Split::Dates { validation_start, test_start } => CutDates { validation_start, test_start },
        Split::Fractions { train, validation, .. } => {
            splits::cut_dates(splits::Fractions { train, validation }, symbols.iter().flat_map(known))?
        }
    };
    let longest = symbols.iter().map(|rows| rows.rows.len()).max().unwrap_or(0);
    let embargo_bars =
        resolved.embargo_bars.map_or_else(|| longest.div_ceil(100).max(resolved.warm_up_bars()), |bars| bars as usize);
    let embargoes = symbols.iter().map(|rows| splits::embargo_micros(&known(rows), &cuts, embargo_bars));
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

/// Features, leak test and labels of one symbol, joined by row.
fn symbol_rows(
    resolved: &Resolved,
    symbol: &str,
    bars: &SymbolBars,
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
    let labels = labels::compute(&resolved.labels, base);
    let labels = labels.map_err(|source| DataSetError::Labels { symbol: symbol.to_owned(), source })?;
    let complete = columns.complete_rows();
    check_gaps(resolved, symbol, &columns, complete.undefined, complete.warm_up)?;
    let mut joined = SymbolRows { rows: Vec::new(), times: Vec::new(), labels: Vec::new(), columns };
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

/// The unscaled values of a feature on the rows for which `wanted` holds, over all symbols in order.
fn values_of<'a>(
    symbols: &'a [SymbolRows],
    kept: &'a [Vec<Option<Part>>],
    position: usize,
    wanted: impl Fn(Part) -> bool + Copy + 'a,
) -> impl Iterator<Item = f64> + Clone + 'a {
    symbols.iter().zip(kept).flat_map(move |(symbol, parts)| {
        let column: &[f64] = symbol.columns.values.get(position).map_or(&[], Vec::as_slice);
        let rows = symbol.rows.iter().zip(parts).filter(move |(_, part)| part.is_some_and(wanted));
        rows.filter_map(move |(row, _)| column.get(*row).copied())
    })
}

/// Scaling fitted on the rows of the training part of all symbols.
fn fit(resolved: &Resolved, symbols: &[SymbolRows], kept: &[Vec<Option<Part>>]) -> Vec<FeatureColumn> {
    let fitted = resolved.features.iter().enumerate().map(|(position, feature)| {
        let values = values_of(symbols, kept, position, |part| part == Part::Train);
        FeatureColumn { name: feature.name.clone(), normalisation: normalisation(feature, values) }
    });
    fitted.collect()
}

#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn normalisation(feature: &Feature, values: impl Iterator<Item = f64> + Clone) -> Option<Normalisation> {
    let FeatureKind::Raw { scaling: Some(scaling) } = &feature.kind else { return None };
    let count = values.clone().count();
    if count == 0 {
        return None;
    }
    Some(match scaling {
        Scaling::Minmax => {
            let min = values.clone().fold(f64::INFINITY, f64::min);
            Normalisation::Minmax { min, max: values.fold(f64::NEG_INFINITY, f64::max) }
        }
        Scaling::Zscore => {
            let mean = values.clone().sum::<f64>() / count as f64;
            let squares = values.map(|value| (value - mean) * (value - mean)).sum::<f64>();
            let std = if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 };
            Normalisation::Zscore { mean, std }
        }
    })
}

/// Share of kept rows on which some membership of a set is positive.
#[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^53")]
fn coverage(resolved: &Resolved, symbols: &[SymbolRows], kept: &[Vec<Option<Part>>]) -> BTreeMap<String, f64> {
    let mut positions: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (position, feature) in resolved.features.iter().enumerate() {
        if let FeatureKind::Membership { set, .. } = &feature.kind {
            positions.entry(format!("{}_{set}", feature.timeframe)).or_default().push(position);
        }
    }
    let share = |positions: &Vec<usize>| {
        let mut best: Vec<f64> = Vec::new();
        for &position in positions {
            let values = values_of(symbols, kept, position, |_| true);
            if best.is_empty() {
                best = values.collect();
            } else {
                best.iter_mut().zip(values).for_each(|(best, value)| *best = best.max(value));
            }
        }
        best.iter().filter(|degree| **degree > 0.0).count() as f64 / best.len().max(1) as f64
    };
    positions.iter().map(|(prefix, positions)| (prefix.clone(), share(positions))).collect()
}

impl DataSet {
    /// Appends the kept rows of one symbol.
    fn stack(&mut self, index: usize, rows: &SymbolRows, parts: &[Option<Part>]) {
        let labelled = rows.rows.iter().zip(&rows.labels).zip(parts);
        for ((&row, &label), part) in labelled {
            let times = (rows.columns.open_time.get(row), rows.columns.close_time.get(row));
            let (Some(part), (Some(open), Some(close))) = (*part, times) else { continue };
            self.symbol.push(u32::try_from(index).unwrap_or(u32::MAX));
            self.open_time.push(*open);
            self.decision_time.push(*close);
            self.part.push(part);
            self.label.push(label);
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
