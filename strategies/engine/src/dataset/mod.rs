//! From bars of several symbols to a data set: features and labels joined by row, split in time,
//! leak-tested, counted.
//!
//! Every symbol runs through the whole chain alone, with fresh indicator state; rows are stacked
//! symbol after symbol and never mixed. All symbols are cut at the same instants. Scaling is fitted
//! on the rows of the training part.
//!
//! [`rows`] makes the rows of one symbol: its features, then its labels ([`labelling`]), joined
//! ([`alignment`]). [`stack`] puts the symbols together, cuts and scales them.

mod alignment;
mod columns;
mod coverage;
mod data_set;
mod error;
mod feature_rows;
mod forward_returns;
mod labelling;
mod progress;
mod rows;
mod runs;
mod spare_columns;
mod stack;
mod workers;

use market::{Instrument, Timeframe, Utc};

use crate::features::SymbolBars;
use crate::resolve::Resolved;
use crate::splits::{self, CutDates};
use crate::strategy::Split;
use coverage::FuzzySets;
pub use data_set::DataSet;
pub use error::DataSetError;
pub use progress::AssemblyStep;
use progress::{ProgressReceiver, ProgressReporter};
use rows::SymbolAssembly;
use spare_columns::SpareColumns;
use stack::{Stack, merge_instants};
use workers::Workers;

/// Builds the data set of a resolved strategy on `threads` threads; the result does not depend on
/// their number.
///
/// `read` gives the bars of a symbol in these timeframes when its turn comes; bars outside the date
/// range are left out here. Where a threshold is to be fitted and the strategy gives no cut dates,
/// `read` is called once more before, for the base bars of every symbol. `progress` is called
/// before each piece of work and may stop the assembly. If several symbols fail, the error is that
/// of the first one in order.
///
/// # Memory
/// Let R be the rows of all symbols, F the features, Z those of them that are scaled, T the
/// threads, b the base bars and B all bars of a symbol, and O the outputs of its widest indicator.
///
/// - The stacked rows take `R · (4 F + 4 Z + 73)` bytes: the columns, and per row four times,
///   label, weight, symbol, number of the bar and part, close and forward return.
/// - At most 5 T symbols are at work, wait to be stacked, or are being stacked; each takes as much
///   per base bar as a stacked row.
/// - T of them hold their bars, 56 bytes each, and for an indicator on another timeframe or a
///   search for holes 8 bytes per output and bar.
///
/// So the peak is below
///
/// ```text
/// R · (4 F + 4 Z + 73)  +  5 T · b · (4 F + 4 Z + 73)  +  T · B · (56 + 8 O + 24)
/// ```
///
/// # Errors
/// Those of `read`; missing or short series, a leak, too few rows or a missing class in a part, a
/// stop.
pub fn assemble_data_set<E: From<DataSetError> + Send>(
    resolved: &Resolved,
    threads: usize,
    read: impl Fn(&Instrument, &[Timeframe]) -> Result<SymbolBars, E> + Sync,
    progress: ProgressReceiver<'_>,
) -> Result<DataSet, E> {
    let workers = Workers::new(threads)?;
    let sets = FuzzySets::of(resolved);

    // A threshold is fitted on the training part, so its end must be known before any label is.
    let early_cuts = find_early_cuts(resolved, &workers, &read)?;

    let assembly = Assembly {
        resolved,
        sets: &sets,
        reporter: ProgressReporter::new(resolved, progress),
        training_end: early_cuts
            .filter(|_| resolved.needs_fit())
            .map(|cuts| cuts.validation_start),
    };
    let stack = assembly.stack_symbols(&workers, &read)?;
    stack.require_rows()?;

    let cuts = match early_cuts {
        Some(cuts) => cuts,
        None => cut_instants(resolved, stack.instants())?,
    };
    let data_set = stack.finish(resolved, &sets, cuts, &workers);
    data_set.check_parts()?;

    Ok(data_set)
}

/// The rows of the sealed period of a resolved strategy, whose data set is `open`: known from its
/// begin on and later than the embargo, and scaled and labelled by what was fitted for `open`.
/// `None` where the strategy seals nothing. The arguments are those of [`assemble_data_set`].
///
/// Nothing of `open` can depend on them, because it was made without the bars of that period.
///
/// # Errors
/// Those of [`assemble_data_set`], and no row.
pub fn assemble_sealed_rows<E: From<DataSetError> + Send>(
    resolved: &Resolved,
    open: &DataSet,
    threads: usize,
    read: impl Fn(&Instrument, &[Timeframe]) -> Result<SymbolBars, E> + Sync,
    progress: ProgressReceiver<'_>,
) -> Result<Option<DataSet>, E> {
    let Some(from) = resolved.sealed_start() else {
        return Ok(None);
    };
    let unsealed = resolved.unsealed();
    let workers = Workers::new(threads)?;
    let sets = FuzzySets::of(&unsealed);

    let assembly = Assembly {
        resolved: &unsealed,
        sets: &sets,
        reporter: ProgressReporter::new(&unsealed, progress),
        training_end: unsealed.needs_fit().then_some(open.cuts.validation_start),
    };
    let stack = assembly.stack_symbols(&workers, &read)?;
    let rows = stack.finish_sealed(&unsealed, &sets, open, from);
    if rows.rows() == 0 {
        return Err(DataSetError::NoSealedRows { from }.into());
    }
    Ok(Some(rows))
}

/// The cuts that are known before there are rows: those of the strategy, or, where a threshold is
/// to be fitted, those by the closes of all base bars.
fn find_early_cuts<E: From<DataSetError> + Send>(
    resolved: &Resolved,
    workers: &Workers,
    read: impl Fn(&Instrument, &[Timeframe]) -> Result<SymbolBars, E> + Sync,
) -> Result<Option<CutDates>, E> {
    match resolved.split {
        Split::Dates {
            validation_start,
            test_start,
        } => Ok(Some(CutDates {
            validation_start,
            test_start,
        })),
        Split::Fractions { .. } if resolved.needs_fit() => {
            // Fractions count the base bars of all symbols, so these are read once before the fit.
            let mut instants = Vec::new();
            workers.map_in_order(
                &resolved.symbols,
                |symbol| {
                    let mut bars = read(symbol, &[resolved.base])?;
                    let base = bars.remove(&resolved.base).unwrap_or_default();
                    Ok::<_, E>(resolved.clip(&base).close_time)
                },
                |close_times| merge_instants(&mut instants, &close_times),
            )?;
            Ok(Some(cut_instants(resolved, instants)?))
        }
        Split::Fractions { .. } => Ok(None),
    }
}

/// Where validation and test begin, by the strategy's shares of these instants or by its dates.
fn cut_instants(resolved: &Resolved, instants: Vec<Utc>) -> Result<CutDates, DataSetError> {
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
        } => {
            let fractions = splits::Fractions { train, validation };
            Ok(splits::cut_dates(fractions, instants)?)
        }
    }
}

/// What all symbols of an assembly share.
struct Assembly<'a> {
    resolved: &'a Resolved,
    sets: &'a FuzzySets,
    reporter: ProgressReporter<'a>,
    /// Thresholds are fitted on the bars known before this instant; `None` = nothing is fitted.
    training_end: Option<Utc>,
}

impl Assembly<'_> {
    /// Stacks the rows of all symbols in their order.
    fn stack_symbols<E: From<DataSetError> + Send>(
        &self,
        workers: &Workers,
        read: impl Fn(&Instrument, &[Timeframe]) -> Result<SymbolBars, E> + Sync,
    ) -> Result<Stack, E> {
        let mut stack = Stack::new(self.resolved, self.sets);
        let spare_columns = SpareColumns::default();
        let numbered_symbols: Vec<(usize, &Instrument)> =
            (1..).zip(&self.resolved.symbols).collect();

        workers.map_in_order(
            &numbered_symbols,
            |(number, symbol)| {
                let id = symbol.id();
                let symbol_assembly = SymbolAssembly {
                    resolved: self.resolved,
                    sets: self.sets,
                    symbol: &id,
                    progress: self.reporter.of_symbol(&id, *number),
                    training_end: self.training_end,
                };

                symbol_assembly.progress.begin_bars()?;
                let bars = read(symbol, &self.resolved.timeframes)?;
                Ok::<_, E>(symbol_assembly.make_rows(bars, spare_columns.take())?)
            },
            |rows| spare_columns.put_back(stack.push(rows)),
        )?;

        Ok(stack)
    }
}
