//! The object store of a command, and the series in it.

use market::{Calendar, Instrument, SeriesKey, SeriesKeyError, Timeframe};
use schemas::codes;
use store::Store;

use crate::console::{Exit, Failure};
use crate::context::Context;

/// Days for which nothing that was deleted or replaced is garbage.
pub(crate) const GRACE_DAYS: u16 = 7;

/// Opens the object store that the settings name, with the calendars that users added to it; a
/// folder that does not exist is created, so this is for commands that store something.
///
/// # Errors
/// The settings are wrong, or the store cannot be opened or read.
pub(crate) async fn open_store(context: &Context) -> Result<Store, Failure> {
    let store = Store::open(&context.store_url()?).await?;
    store.calendars().load().await?;
    Ok(store)
}

/// [`open_store`] for commands that look at what is there: a folder that does not exist is an empty
/// store, and stays so.
///
/// # Errors
/// As [`open_store`].
pub(crate) async fn open_existing_store(context: &Context) -> Result<Store, Failure> {
    let store = Store::open_existing(&context.store_url()?).await?;
    store.calendars().load().await?;
    Ok(store)
}

/// The calendar of this name; those of the store are read if no calendar of this program has it.
///
/// # Errors
/// There is no such calendar, the settings are wrong, or the store cannot be opened or read.
pub(crate) async fn require_calendar(
    name: &str,
    context: &Context,
) -> Result<&'static Calendar, Failure> {
    if Calendar::named(name).is_none() {
        open_existing_store(context).await?;
    }

    Calendar::named(name).ok_or_else(|| {
        let error = SeriesKeyError::Calendar(name.to_owned());
        Failure::of(Exit::NotFound, codes::DATA_CALENDAR, &error).with_hint(error.hint())
    })
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
    SeriesKey::standard(provider, instrument.clone(), timeframe).map_err(wrong_key)
}

/// The series with the trading hours of a calendar, if one was named.
///
/// # Errors
/// There is no calendar of that name.
pub(crate) fn with_calendar(key: SeriesKey, name: Option<&str>) -> Result<SeriesKey, Failure> {
    match name {
        Some(name) => key.with_calendar(name).map_err(wrong_key),
        None => Ok(key),
    }
}

fn wrong_key(error: SeriesKeyError) -> Failure {
    Failure::of(Exit::Usage, codes::DATA_SERIES_KEY, &error).with_hint(error.hint())
}

/// There are no stored bars of this series; the hint says how to get some.
pub(crate) fn no_stored_bars(symbol: &Instrument, timeframe: Timeframe) -> Failure {
    let name = symbol.spelling();
    let message = format!("no bars of {name} ({timeframe}) are stored");
    Failure::new(Exit::NotFound, codes::DATA_NOT_FOUND, message).with_hint(format!(
        "`ktrdr data load {name} --timeframe {timeframe} --mode full` fetches them"
    ))
}
