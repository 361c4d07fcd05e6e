//! From bars of several symbols to a data set: features and labels joined by row, split in time,
//! leak-tested, counted.
//!
//! Every symbol runs through the whole chain alone, with fresh indicator state; rows are stacked
//! symbol after symbol and never mixed. All symbols are cut at the same instants. Scaling is fitted
//! on the rows of the training part.

mod columns;
mod error;
mod join;
mod runs;
mod stack;
mod workers;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use market::{Instrument, Timeframe, Utc};
use schemas::manifests::{FeatureColumn, FittedThreshold, FuzzyHole, OutputKind, PartCount};

use crate::features::SymbolBars;
use crate::resolve::Resolved;
use crate::splits::{self, CutDates, Part, SplitError};
use crate::strategy::Split;
use columns::Sets;
pub use error::DataSetError;
use join::symbol_rows;
use stack::{Stack, merge};
use workers::Workers;

/// Fewest rows of the training part.
pub const TRAIN_ROWS_MIN: usize = 100;

/// Fewest rows of the validation and of the test part.
pub const HELD_OUT_ROWS_MIN: usize = 20;

/// All parts in order, with their names in manifests.
const PARTS: [(Part, &str); 3] = [
    (Part::Train, "train"),
    (Part::Validation, "validation"),
    (Part::Test, "test"),
];

/// Symbols per thread that may be at work or wait until those before them are stacked. More would
/// let a thread run further ahead of a slow symbol and take more memory.
const WAITING: usize = 4;

/// What is about to be done, for progress. With several threads symbols take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Instrument id.
    pub symbol: &'a str,
    /// 1-based position of the symbol.
    pub symbol_number: usize,
    /// Number of symbols.
    pub symbols: usize,
    /// `bars`, or the id of the indicator, or `leak test`, or `labels`.
    pub work: &'a str,
    /// 1-based position of the work within the symbol.
    pub work_number: usize,
    /// Pieces of work of a symbol: indicators + 3.
    pub works: usize,
    /// Pieces of work of all symbols that began before this one.
    pub begun: usize,
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
    /// How often each row is drawn in training, beside others: the uniqueness of its label, where
    /// the strategy asks for it.
    pub weight: Option<Vec<f32>>,
    /// Scaled features `[feature][row]`.
    pub values: Vec<Vec<f32>>,
    /// Where validation and test begin.
    pub cuts: CutDates,
    /// Gap kept after each of them, microseconds.
    pub embargo_micros: i64,
    /// Rows per symbol and part.
    pub parts: Vec<PartCount>,
    /// Rows dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Share of the bars with a value on which a membership of the set is positive, by
    /// `{timeframe}_{set}`.
    pub coverage: BTreeMap<String, f64>,
    /// Cuts of the leak test, per symbol.
    pub leak_test_cuts: u64,
    /// Thresholds of labels and events that were fitted on the training part, symbol after symbol.
    pub thresholds: Vec<FittedThreshold>,
    /// Fuzzy sets with a hole in the central 98 % of the values of their indicator, each with the
    /// symbol where it is largest.
    pub holes: Vec<FuzzyHole>,
}

impl DataSet {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.label.len()
    }

    /// The name of a part in manifests and files.
    pub fn part_name(part: Part) -> &'static str {
        PARTS
            .iter()
            .find(|(each, _)| *each == part)
            .map_or("", |(_, name)| name)
    }
}

/// Builds the data set of a resolved strategy on `threads` threads; the result does not depend on
/// their number.
///
/// `read` gives the bars of a symbol in these timeframes when its turn comes; those outside the
/// date range are left out here. Where a threshold is to be fitted and the strategy gives no cut
/// dates it is asked for the base bars of every symbol once before. `progress` hears of each piece
/// of work before it begins and may stop it. Of several symbols that fail the error of the first
/// one is given.
///
/// # Memory
/// The rows of all symbols, R in number and with F features of which Z are scaled, take
/// `R · (4 F + 4 Z + 53)` bytes at most: four times, label, weight, symbol and part beside the
/// columns. Beside them, with T threads, at most 4 T symbols are at work or wait to be stacked, and
/// one is being stacked, whose emptied columns serve a later one. The bars of a symbol take 56
/// bytes each, its columns as much as its rows, and its widest indicator on another timeframe, or a
/// search for holes, 8 bytes an output and bar. So with b base bars and B bars a symbol, and O
/// outputs at most, the peak is below
///
/// ```text
/// R · (4 F + 4 Z + 53)  +  5 T · b · (4 F + 4 Z + 53)  +  T · B · (56 + 8 O + 24)
/// ```
///
/// # Errors
/// What `read` says; missing or short series, a leak, too few rows or a missing class in a part, a
/// stop.
pub fn assemble<E: From<DataSetError> + Send>(
    resolved: &Resolved,
    threads: usize,
    read: impl Fn(&Instrument, &[Timeframe]) -> Result<SymbolBars, E> + Sync,
    progress: &mut (dyn FnMut(Step<'_>) -> ControlFlow<()> + Send),
) -> Result<DataSet, E> {
    let (workers, sets, desk) = (
        Workers::new(threads)?,
        Sets::new(resolved),
        Desk::new(resolved, progress),
    );
    let numbered: Vec<(usize, &Instrument)> = (1..).zip(&resolved.symbols).collect();
    let ahead = threads.max(1) * WAITING;
    // A threshold that is fitted needs to know where the training part ends before there are
    // labels.
    let early_cuts = match resolved.split {
        Split::Dates {
            validation_start,
            test_start,
        } => Some(CutDates {
            validation_start,
            test_start,
        }),
        Split::Fractions { .. } if resolved.needs_fit() => {
            let mut instants = Vec::new();
            for wave in numbered.chunks(ahead) {
                let closes = workers.map(wave, |(_, symbol)| {
                    let mut bars = read(symbol, &[resolved.base])?;
                    let base = bars.remove(&resolved.base).unwrap_or_default();
                    Ok::<_, E>(resolved.clip(&base).close_time)
                });
                closes
                    .into_iter()
                    .try_for_each(|closes| closes.map(|own| merge(&mut instants, &own)))?;
            }
            Some(cuts(resolved, instants).map_err(DataSetError::from)?)
        }
        Split::Fractions { .. } => None,
    };
    let training_end = early_cuts
        .filter(|_| resolved.needs_fit())
        .map(|cuts| cuts.validation_start);
    let mut stack = Stack::new(resolved, &sets);
    // Columns go round: memory that is given back and asked for again has to be cleared by the
    // system each time.
    let spare = Mutex::new(Vec::new());
    let spares = || spare.lock().unwrap_or_else(PoisonError::into_inner);
    workers.in_order(
        &numbered,
        ahead,
        |(number, symbol)| {
            let id = symbol.id();
            if desk.report(&id, *number, 1, "bars").is_break() {
                return Err(DataSetError::Stopped.into());
            }
            let bars = read(symbol, &resolved.timeframes)?;
            let mut report =
                |work_number: usize, work: &str| desk.report(&id, *number, work_number, work);
            let columns = spares().pop().unwrap_or_default();
            Ok::<_, E>(symbol_rows(
                resolved,
                &sets,
                columns,
                (&id, bars),
                training_end,
                &mut report,
            )?)
        },
        |rows| {
            let columns = stack.push(rows);
            spares().push(columns);
        },
    )?;
    drop(spare);
    let cuts = match early_cuts {
        Some(cuts) => cuts,
        None => cuts(resolved, stack.instants()).map_err(DataSetError::from)?,
    };
    let set = stack.finish(resolved, &sets, cuts, &workers);
    set.check()?;
    Ok(set)
}

/// Where progress is reported: one piece of work at a time, whichever thread it is on.
struct Desk<'a> {
    symbols: usize,
    works: usize,
    heard: Mutex<Heard<'a>>,
}

struct Heard<'a> {
    receiver: &'a mut (dyn FnMut(Step<'_>) -> ControlFlow<()> + Send),
    begun: usize,
    /// What the receiver said last.
    said: ControlFlow<()>,
}

impl<'a> Desk<'a> {
    fn new(
        resolved: &Resolved,
        receiver: &'a mut (dyn FnMut(Step<'_>) -> ControlFlow<()> + Send),
    ) -> Self {
        let (symbols, works) = (resolved.symbols.len(), resolved.indicators.len() + 3);
        Self {
            symbols,
            works,
            heard: Mutex::new(Heard {
                receiver,
                begun: 0,
                said: ControlFlow::Continue(()),
            }),
        }
    }

    /// Once the receiver has said stop, nothing begins any more.
    fn report(
        &self,
        symbol: &str,
        symbol_number: usize,
        work_number: usize,
        work: &str,
    ) -> ControlFlow<()> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.said.is_continue() {
            let (symbols, works, begun) = (self.symbols, self.works, heard.begun);
            heard.begun += 1;
            heard.said = (heard.receiver)(Step {
                symbol,
                symbol_number,
                symbols,
                work,
                work_number,
                works,
                begun,
            });
        }
        heard.said
    }
}

/// Where validation and test begin, from dates or from the instants of the rows.
fn cuts(resolved: &Resolved, times: Vec<Utc>) -> Result<CutDates, SplitError> {
    match resolved.split {
        Split::Dates {
            validation_start,
            test_start,
        } => Ok(CutDates {
            validation_start,
            test_start,
        }),
        Split::Fractions {
            train, validation, ..
        } => splits::cut_dates(splits::Fractions { train, validation }, times),
    }
}

impl DataSet {
    /// Every part large enough and with every class.
    fn check(&self) -> Result<(), DataSetError> {
        for (kind, part) in PARTS {
            let own = || self.parts.iter().filter(|count| count.part == part);
            let rows =
                usize::try_from(own().map(|count| count.rows).sum::<u64>()).unwrap_or(usize::MAX);
            let required = if kind == Part::Train {
                TRAIN_ROWS_MIN
            } else {
                HELD_OUT_ROWS_MIN
            };
            if rows < required {
                return Err(DataSetError::FewRows {
                    part,
                    rows,
                    required,
                    dropped: self.dropped.clone(),
                });
            }
            let OutputKind::Classes { names } = &self.output else {
                continue;
            };
            let sum = |class: usize| {
                own()
                    .filter_map(|count| count.classes.get(class))
                    .sum::<u64>()
            };
            let classes: BTreeMap<String, u64> = names
                .iter()
                .enumerate()
                .map(|(class, name)| (name.clone(), sum(class)))
                .collect();
            if let Some(class) = names
                .iter()
                .find(|name| classes.get(*name) == Some(&0))
                .cloned()
            {
                return Err(DataSetError::NoClass {
                    part,
                    class,
                    classes,
                });
            }
        }
        Ok(())
    }
}
