//! The object store of a command, and the series in it.

use market::{Instrument, SeriesKey, Timeframe};
use schemas::codes;
use store::Store;

use crate::console::{Exit, Failure};
use crate::context::Context;

/// Days for which nothing that was deleted or replaced is garbage.
pub(crate) const GRACE_DAYS: u16 = 7;

/// Opens the object store that the settings name.
///
/// # Errors
/// The settings are wrong, or the store cannot be opened.
pub(crate) async fn open_store(context: &Context) -> Result<Store, Failure> {
    Ok(Store::open(&context.store_url()?).await?)
}

/// The key of the series that a provider's bars of a symbol are stored under.
///
/// # Errors
/// The provider's name cannot be part of a key.
pub(crate) fn series_key(
    provider: &str,
    instrument: &Instrument,
    timeframe: Timeframe,
) -> Result<SeriesKey, Failure> {
    SeriesKey::standard(provider, instrument.clone(), timeframe).map_err(|error| {
        Failure::of(Exit::Usage, codes::DATA_SERIES_KEY, &error).with_hint(error.hint())
    })
}

/// There are no stored bars of this series; the hint says how to get some.
pub(crate) fn no_stored_bars(symbol: &Instrument, timeframe: Timeframe) -> Failure {
    let name = symbol.spelling();
    let message = format!("no bars of {name} ({timeframe}) are stored");
    Failure::new(Exit::NotFound, codes::DATA_NOT_FOUND, message).with_hint(format!(
        "`ktrdr data load {name} --timeframe {timeframe} --mode full` fetches them"
    ))
}
