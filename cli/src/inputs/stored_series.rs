//! The object store of a command, and the series in it.

use market::{Calendar, Instrument, SeriesKey, SeriesKeyError, Timeframe};
use schemas::codes;
use schemas::spelling::nearest_name;
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
    let store = context.store().await?;
    store.calendars().load().await?;
    Ok(store)
}

/// [`open_store`] for commands that look at what is there: a folder that does not exist is an empty
/// store, and stays so.
///
/// # Errors
/// As [`open_store`].
pub(crate) async fn open_existing_store(context: &Context) -> Result<Store, Failure> {
    let store = context.existing_store().await?;
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
        let hint = match nearest_calendar(name) {
            Some(nearest) => format!("did you mean `{nearest}`? {}", error.hint()),
            None => error.hint().to_owned(),
        };
        Failure::of(Exit::NotFound, codes::DATA_CALENDAR, &error).with_hint(hint)
    })
}

/// The calendar that was probably meant: one that says this word about itself, such as `NYSE`, or
/// one of a similar name.
fn nearest_calendar(name: &str) -> Option<&'static str> {
    let calendars = Calendar::all();
    let names = calendars.iter().map(|calendar| calendar.name());

    let mut describing = calendars
        .iter()
        .filter(|calendar| says_word(calendar, name));
    let described = describing.next().map(|calendar| calendar.name());
    described.or_else(|| nearest_name(name, names))
}

/// True if the description of the calendar has this word, in upper or lower case.
fn says_word(calendar: &Calendar, word: &str) -> bool {
    let description = calendar.description();
    let mut words = description.split(|letter: char| !letter.is_alphanumeric());
    words.any(|each| each.eq_ignore_ascii_case(word))
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

/// There are no stored bars of this series; the hint names what is stored that resembles it, or
/// says how to get some.
pub(crate) async fn no_stored_bars(
    store: &Store,
    symbol: &Instrument,
    timeframe: Timeframe,
) -> Failure {
    let name = symbol.spelling();
    let message = format!("no bars of {name} ({timeframe}) are stored");

    // The list is an extra: without it the failure is still one.
    let all = store.series().list().await.unwrap_or_default();
    let stored: Vec<StoredName> = all
        .iter()
        .filter(|series| series.manifest.rows() > 0)
        .map(|series| StoredName {
            symbol: series.key.instrument.spelling(),
            timeframe: series.key.timeframe.to_string(),
        })
        .collect();
    Failure::new(Exit::NotFound, codes::DATA_NOT_FOUND, message)
        .with_hint(hint_for_missing(&name, timeframe, &stored))
}

/// A stored series as people name it.
struct StoredName {
    symbol: String,
    timeframe: String,
}

fn hint_for_missing(name: &str, timeframe: Timeframe, stored: &[StoredName]) -> String {
    let load = format!("`ktrdr data load {name} --timeframe {timeframe} --mode full` fetches them");
    let timeframes: Vec<&str> = stored
        .iter()
        .filter(|series| series.symbol == name)
        .map(|series| series.timeframe.as_str())
        .collect();
    if !timeframes.is_empty() {
        return format!("stored are bars of {}; {load}", timeframes.join(", "));
    }

    match nearest_name(name, stored.iter().map(|series| series.symbol.as_str())) {
        Some(nearest) => {
            format!("did you mean `{nearest}`? `ktrdr data list` shows what is stored")
        }
        None => load,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(name: &str, timeframe: Timeframe) -> String {
        let stored = [("EURUSD", "1h"), ("EURUSD", "4h"), ("AAPL", "1d")];
        let stored = stored.map(|(symbol, timeframe)| StoredName {
            symbol: symbol.to_owned(),
            timeframe: timeframe.to_owned(),
        });
        hint_for_missing(name, timeframe, &stored)
    }

    #[test]
    fn a_misspelt_symbol_is_answered_with_the_stored_one() {
        assert_eq!(
            hint("EURUSDD", Timeframe::HOUR_1),
            "did you mean `EURUSD`? `ktrdr data list` shows what is stored"
        );
    }

    #[test]
    fn another_timeframe_of_the_symbol_is_named() {
        assert!(hint("EURUSD", Timeframe::DAY_1).starts_with("stored are bars of 1h, 4h; "));
    }

    #[test]
    fn a_symbol_like_no_other_is_to_be_loaded() {
        assert_eq!(
            hint("TSLA", Timeframe::DAY_1),
            "`ktrdr data load TSLA --timeframe 1d --mode full` fetches them"
        );
    }
}
