//! The job: a train request that was understood, and the series that it needs.

use market::{Instrument, SeriesKey, Timeframe};
use schemas::commands::TrainRequest;
use strategies::{Findings, Resolved, ResolvedRequest};

use crate::ProcessError;

/// What is to be built from what.
#[derive(Clone, Debug)]
pub struct Job {
    /// The strategy with the request applied.
    pub resolved: Resolved,
    /// What the author of the strategy should look at.
    pub warnings: Findings,
    /// Every series needed: symbols in order, each with its timeframes, the base first.
    pub series: Vec<(Instrument, Timeframe, SeriesKey)>,
}

impl Job {
    /// Understands a request. `series` are keys of what may be read; they must hold all that the
    /// strategy needs.
    ///
    /// # Errors
    /// Every finding of a strategy that is wrong or does not fit the request; an unreadable key; a
    /// missing series.
    pub fn new(request: &TrainRequest, series: &[String]) -> Result<Self, ProcessError> {
        let ResolvedRequest { resolved, warnings } = Resolved::from_request(request)?;
        let keys: Vec<SeriesKey> = series
            .iter()
            .map(|key| key.parse())
            .collect::<Result<_, _>>()?;
        let needed = resolved.symbols.iter().flat_map(|symbol| {
            resolved
                .timeframes
                .iter()
                .map(move |timeframe| (symbol.clone(), *timeframe))
        });
        let find = |(symbol, timeframe): (Instrument, Timeframe)| {
            let found = keys
                .iter()
                .find(|key| key.instrument == symbol && key.timeframe == timeframe);
            match found {
                Some(key) => Ok((symbol, timeframe, key.clone())),
                None => Err(ProcessError::NoSeries {
                    symbol: symbol.id(),
                    timeframe,
                }),
            }
        };
        let series = needed.map(find).collect::<Result<_, _>>()?;
        Ok(Self {
            resolved,
            warnings,
            series,
        })
    }
}
