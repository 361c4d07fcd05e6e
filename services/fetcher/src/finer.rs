//! A series that nobody has, and the finer one of which its bars can be made.

use market::{SeriesKey, Timeframe, can_resample};
use store::Store;

use crate::error::FetchError;
use crate::provider::Provider;

/// A series to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceSeries {
    pub(crate) key: SeriesKey,
    /// Timeframes of its instrument that were asked for and are made of its bars.
    pub(crate) stands_for: Vec<Timeframe>,
}

impl SourceSeries {
    /// A series that is fetched because it was asked for.
    pub(crate) fn of(key: SeriesKey) -> Self {
        Self {
            key,
            stands_for: Vec::new(),
        }
    }

    /// Says for each timeframe that it is made of this series.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        let symbol = self.key.instrument.symbol();
        let finer = self.key.timeframe;
        let timeframes = self.stands_for.iter();
        timeframes.map(move |timeframe| {
            format!(
                "{timeframe} bars of {symbol} are made of its {finer} bars: none are stored, and \
                 the provider has none"
            )
        })
    }
}

/// Puts the coarsest finer series, stored or offered, in place of each that is neither; one that
/// has no finer series stays, and the fetch says what is missing.
///
/// # Errors
/// The store or the provider cannot say what it has.
pub(crate) async fn replace_missing<P: Provider + ?Sized>(
    store: &Store,
    provider: &P,
    keys: Vec<SeriesKey>,
) -> Result<Vec<SourceSeries>, FetchError> {
    let mut sources: Vec<SourceSeries> = Vec::with_capacity(keys.len());
    let mut replaced = Vec::new();
    for key in keys {
        match find_finer(store, provider, &key).await? {
            Some(finer) => replaced.push((finer, key.timeframe)),
            None => sources.push(SourceSeries::of(key)),
        }
    }

    // After all that are fetched anyway: a finer series is often one of them.
    for (finer, timeframe) in replaced {
        match sources.iter_mut().find(|source| source.key == finer) {
            Some(source) => source.stands_for.push(timeframe),
            None => sources.push(SourceSeries {
                key: finer,
                stands_for: vec![timeframe],
            }),
        }
    }
    Ok(sources)
}

/// The series in place of `key`; none where that one is stored, is offered, or has no finer one.
async fn find_finer<P: Provider + ?Sized>(
    store: &Store,
    provider: &P,
    key: &SeriesKey,
) -> Result<Option<SeriesKey>, FetchError> {
    // A series whose bars were deleted is there, and holds none.
    let stored = store.series().snapshot(key, None).await?;
    if stored.is_some_and(|snapshot| snapshot.manifest.rows() > 0) {
        return Ok(None);
    }
    let Some(offered) = provider.timeframes(&key.instrument).await? else {
        return Ok(None);
    };
    if offered.contains(&key.timeframe) {
        return Ok(None);
    }

    let stored = store.series().find_finer(key).await?;
    let stored = stored.map(|snapshot| snapshot.key.timeframe);
    let coarsest = offered
        .into_iter()
        .filter(|finer| can_resample(*finer, key.timeframe))
        .chain(stored)
        .max();
    Ok(coarsest.map(|timeframe| key.in_timeframe(timeframe)))
}
