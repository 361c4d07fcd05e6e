//! A folder of bar files called `SYMBOL_TIMEFRAME.csv`, `.parquet` or by another ending of bars, on
//! disk or in an object store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use market::{Instrument, InstrumentError, Timeframe};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;

use super::container::ENDINGS;
use crate::backend::{folder_of, open_backend, process_environment};
use crate::{Store, StoreError};

/// A place to read files from; never written.
#[derive(Clone, Debug)]
pub struct BarFolder {
    store: Store,
    /// The folder on disk, if it is one.
    local: Option<PathBuf>,
}

impl BarFolder {
    /// Opens a path or a URL as in [`Store::open`]; nothing is created.
    ///
    /// # Errors
    /// It does not exist or is not reachable.
    pub fn open(place: &str) -> Result<Self, StoreError> {
        // A path is relative to the working directory, as people expect of a path.
        let mut folder = Some(PathBuf::from(place));
        let objects: Arc<dyn ObjectStore> = if place.contains("://") {
            folder = folder_of(place)?;
            open_backend(place, &process_environment())?
        } else {
            let local = LocalFileSystem::new_with_prefix(Path::new(place));
            Arc::new(local.map_err(|source| StoreError::Open {
                url: place.to_owned(),
                source: Box::new(source),
            })?)
        };

        Ok(Self {
            store: Store::over(objects, place),
            local: folder,
        })
    }

    /// Path or URL of the folder.
    pub fn place(&self) -> &str {
        self.store.url()
    }

    /// Names of the files directly in it, sorted.
    ///
    /// # Errors
    /// It cannot be listed.
    pub async fn names(&self) -> Result<Vec<String>, StoreError> {
        let mut names = match self.local.clone() {
            Some(folder) => self.local_names(folder).await?,
            None => self.remote_names().await?,
        };

        names.sort_unstable();
        Ok(names)
    }

    /// Read from the disk itself: one name that is not UTF-8, which can be no name of a bar file,
    /// must not hide the others.
    async fn local_names(&self, folder: PathBuf) -> Result<Vec<String>, StoreError> {
        let listed = tokio::task::spawn_blocking(move || file_names_in(&folder)).await;
        let names = listed.unwrap_or_else(|stopped| Err(io::Error::other(stopped)));

        names.map_err(|source| StoreError::Open {
            url: self.place().to_owned(),
            source: Box::new(source),
        })
    }

    async fn remote_names(&self) -> Result<Vec<String>, StoreError> {
        let answer = self.store.objects.list_with_delimiter(None).await;
        let listed = answer.map_err(|source| StoreError::List {
            prefix: self.place().to_owned(),
            source: Box::new(source.into()),
        })?;

        let objects = listed.objects.iter();
        Ok(objects
            .filter_map(|object| object.location.filename().map(str::to_owned))
            .collect())
    }

    /// The file that holds `timeframe` bars of `instrument`, if there is one: its name.
    ///
    /// # Errors
    /// It cannot be listed.
    pub async fn find(
        &self,
        instrument: &Instrument,
        timeframe: Timeframe,
    ) -> Result<Option<String>, StoreError> {
        let names = self.names().await?;
        Ok(names.into_iter().find(|name| {
            parse_name(name).is_some_and(|series| series.0 == *instrument && series.1 == timeframe)
        }))
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// It is absent or cannot be read.
    pub async fn read(&self, name: &str) -> Result<Bytes, StoreError> {
        let bytes = self.store.get(name).await?;
        bytes.ok_or_else(|| StoreError::Missing {
            key: format!("{}/{name}", self.place()),
        })
    }
}

/// Names of the files directly in a folder; those that are not UTF-8 are left out.
fn file_names_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A link counts as what it leads to; one that leads nowhere is no file.
        if entry.path().is_file()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// Instrument and timeframe of a file name such as `EURUSD_1h.csv.gz`, `BRK.B_1d.parquet` or
/// `crypto-btc-usd_1h.csv`; none if the name does not say both.
pub fn parse_name(name: &str) -> Option<(Instrument, Timeframe)> {
    let (instrument, timeframe) = read_name(name)?;
    Some((instrument.ok()?, timeframe))
}

/// What a file name says: the timeframe, and the instrument or why its text names none; none if the
/// name is not `TEXT_TIMEFRAME` with a usual ending.
pub fn read_name(name: &str) -> Option<(Result<Instrument, InstrumentError>, Timeframe)> {
    let lower = name.to_ascii_lowercase();
    let ending = ENDINGS.into_iter().find(|ending| lower.ends_with(ending))?;
    let stem = name.get(..name.len() - ending.len())?;
    let (symbol, timeframe) = stem.rsplit_once('_')?;

    // `crypto-btc-usd` is how this system writes an instrument where `/` and `:` may not be.
    let instrument = Instrument::from_token(symbol).or_else(|_| Instrument::parse(symbol));
    Some((instrument, timeframe.parse().ok()?))
}

/// A name for a file of these bars that says what they are of, whatever its symbol alone would
/// mean: `crypto-btc-usd_1h.csv`.
pub fn clear_name(instrument: &Instrument, timeframe: Timeframe) -> String {
    format!("{}_{timeframe}.csv", instrument.token())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Option<String> {
        let (instrument, timeframe) = parse_name(name)?;
        Some(format!("{instrument} {timeframe}"))
    }

    #[test]
    fn file_names_say_instrument_and_timeframe() {
        assert_eq!(read("EURUSD_1h.csv.gz").as_deref(), Some("fx:EUR.USD 1h"));
        assert_eq!(read("BRK.B_1d.parquet").as_deref(), Some("stk:BRK.B 1d"));
        assert_eq!(
            read("crypto-btc-usd_5m.csv").as_deref(),
            Some("crypto:BTC.USD 5m")
        );
        assert_eq!(
            read("BTCUSDT_1h.csv").as_deref(),
            Some("crypto:BTC.USDT 1h")
        );
        assert_eq!(read("EUR_USD_1h.csv").as_deref(), Some("fx:EUR.USD 1h"));
        assert_eq!(read("ES=F_1d.csv").as_deref(), Some("fut:ES 1d"));

        assert_eq!(read("README.md"), None);
        assert_eq!(read("AAPL_2h.csv").as_deref(), Some("stk:AAPL 2h"));
        assert_eq!(read("AAPL_daily.csv").as_deref(), Some("stk:AAPL 1d"));
        assert_eq!(read("AAPL_2x.csv"), None);
    }

    #[test]
    fn a_name_that_can_mean_two_things_has_a_clear_one() {
        let (instrument, timeframe) = read_name("BTCUSD_1h.csv").unwrap();
        assert!(matches!(instrument, Err(InstrumentError::Ambiguous { .. })));

        let coin = Instrument::parse("crypto:BTC/USD").unwrap();
        let name = clear_name(&coin, timeframe);
        assert_eq!(name, "crypto-btc-usd_1h.csv");
        assert_eq!(parse_name(&name), Some((coin, timeframe)));
    }
}
