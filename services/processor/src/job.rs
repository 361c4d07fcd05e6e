//! The job: a train request that was understood, and the series that it needs.

use market::{Instrument, SeriesKey, Timeframe, can_resample};
use schemas::commands::TrainRequest;
use strategies::{Findings, Resolved, ResolvedRequest};

use crate::ProcessError;

/// A data set to be built, and the series that it is built from.
#[derive(Clone, Debug)]
pub struct ProcessJob {
    /// The strategy with the request applied.
    pub resolved: Resolved,
    /// What the author of the strategy should look at.
    pub warnings: Findings,
    /// Every series needed: symbols in order, each with its timeframes, the base first.
    pub series: Vec<NeededSeries>,
}

/// A series that the strategy needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededSeries {
    /// The instrument whose bars they are.
    pub symbol: Instrument,
    /// Length of the bars.
    pub timeframe: Timeframe,
    /// Where the bars are stored, or finer ones of which they are made.
    pub key: SeriesKey,
}

impl ProcessJob {
    /// Understands a request. `series` are keys of what may be read; they must hold all that the
    /// strategy needs.
    ///
    /// # Errors
    /// Every finding of a strategy that is wrong or does not fit the request; an unreadable key; a
    /// missing series.
    pub fn new(request: &TrainRequest, series: &[String]) -> Result<Self, ProcessError> {
        let ResolvedRequest { resolved, warnings } = Resolved::from_request(request)?;

        let mut keys: Vec<SeriesKey> = Vec::with_capacity(series.len());
        for text in series {
            keys.push(text.parse()?);
        }

        // Every symbol needs every timeframe: rows without one of them could not be stacked.
        let mut needed = Vec::new();
        for symbol in &resolved.symbols {
            for timeframe in &resolved.timeframes {
                needed.push(find_series(&keys, symbol, *timeframe)?);
            }
        }

        Ok(Self {
            resolved,
            warnings,
            series: needed,
        })
    }
}

/// The first of `keys` that names the bars of `symbol` in `timeframe`, or the coarsest of those of
/// which they can be made.
fn find_series(
    keys: &[SeriesKey],
    symbol: &Instrument,
    timeframe: Timeframe,
) -> Result<NeededSeries, ProcessError> {
    let of_symbol = || keys.iter().filter(|key| key.instrument == *symbol);
    let exact = of_symbol().find(|key| key.timeframe == timeframe);
    let finer = of_symbol()
        .filter(|key| can_resample(key.timeframe, timeframe))
        .max_by_key(|key| key.timeframe);

    match exact.or(finer) {
        Some(key) => Ok(NeededSeries {
            symbol: symbol.clone(),
            timeframe,
            key: key.clone(),
        }),
        None => Err(ProcessError::NoSeries {
            symbol: symbol.id(),
            timeframe,
        }),
    }
}
