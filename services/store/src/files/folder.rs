//! A folder of bar files called `SYMBOL_TIMEFRAME.csv`, `.parquet` or by another ending of bars, on
//! disk or in an object store.

use std::fs::{File, FileType};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use market::{Instrument, InstrumentError, Timeframe};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use rustix::fs::{Mode, OFlags};

use super::FILE_BYTES_MAX;
use super::container::ENDINGS;
use crate::backend::{folder_of, open_backend, process_environment};
use crate::{Store, StoreError};

/// Bytes that are read from a disk before a look whether anybody still waits for them.
const CHUNK_BYTES: u64 = 4 << 20;

/// A place to read files from; never written. On disk only regular files are read, and none is
/// waited for: one odd entry concerns nobody but those who ask for it.
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
        names.map_err(|source| self.open_error(source))
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

    /// An entry on disk that has the name of `timeframe` bars of `instrument` and is no regular
    /// file: its name, and what it is.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub async fn find_odd(
        &self,
        instrument: &Instrument,
        timeframe: Timeframe,
    ) -> Result<Option<(String, &'static str)>, StoreError> {
        let Some(folder) = self.local.clone() else {
            return Ok(None);
        };
        let series = (instrument.clone(), timeframe);
        let looked = tokio::task::spawn_blocking(move || {
            let names = names_in(&folder)?.into_iter();
            let mut of_series = names.filter(|name| parse_name(name).as_ref() == Some(&series));
            Ok(of_series.find_map(|name| Some((kind_if_odd(&folder.join(&name))?, name))))
        });

        let odd_entry = looked
            .await
            .unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
        let odd_entry = odd_entry.map_err(|source| self.open_error(source))?;
        Ok(odd_entry.map(|(kind, name)| (name, kind)))
    }

    /// The bytes of a file. Whoever drops this ends the reading as well.
    ///
    /// # Errors
    /// It is absent, no regular file, or cannot be read.
    pub async fn read(&self, name: &str) -> Result<Bytes, StoreError> {
        let key = format!("{}/{name}", self.place());
        let Some(folder) = &self.local else {
            let bytes = self.store.get(name).await?;
            return bytes.ok_or(StoreError::Missing { key });
        };

        let path = folder.join(name);
        let reader = Arc::new(());
        let waits = Arc::downgrade(&reader);
        let read = tokio::task::spawn_blocking(move || read_regular(&path, &waits));
        let bytes = read
            .await
            .unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
        drop(reader);
        bytes
            .map(Bytes::from)
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => StoreError::Missing { key },
                _ => StoreError::LocalRead { key, source },
            })
    }

    fn open_error(&self, source: io::Error) -> StoreError {
        StoreError::Open {
            url: self.place().to_owned(),
            source: Box::new(source),
        }
    }
}

/// Reads a regular file to its end, as long as somebody waits for it. A pipe without a writer and a
/// device are opened without waiting, and refused.
fn read_regular(path: &Path, waits: &Weak<()>) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        let kind = name_kind(metadata.file_type());
        return Err(io::Error::other(format!(
            "it is {kind}, not a regular file"
        )));
    }

    if metadata.len() > FILE_BYTES_MAX {
        let gib_max = FILE_BYTES_MAX >> 30;
        return Err(io::Error::other(format!("it has more than {gib_max} GiB")));
    }

    let mut bytes = Vec::new();
    bytes.try_reserve(usize::try_from(metadata.len()).unwrap_or(0))?;
    while waits.strong_count() > 0 {
        let chunk = (&mut file).take(CHUNK_BYTES).read_to_end(&mut bytes)?;
        if chunk == 0 {
            return Ok(bytes);
        }
    }
    Err(io::Error::other("nobody waits for it any more"))
}

/// What an entry is that is no regular file, nor a link to one.
fn kind_if_odd(path: &Path) -> Option<&'static str> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(metadata) => Some(name_kind(metadata.file_type())),
        Err(_) => Some("a link that leads to no file"),
    }
}

/// What is no regular file, in a sentence.
fn name_kind(file_type: FileType) -> &'static str {
    match file_type {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    }
}

/// Names of the files directly in a folder. A link counts as what it leads to; one that leads
/// nowhere is no file.
fn file_names_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = names_in(folder)?;
    names.retain(|name| folder.join(name).is_file());
    Ok(names)
}

/// Names of everything directly in a folder; those that are not UTF-8 are left out.
fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
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
    fn a_file_is_read_only_while_somebody_waits_for_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("EURUSD_1h.csv");
        std::fs::write(&path, "time").unwrap();

        let reader = Arc::new(());
        let waits = Arc::downgrade(&reader);
        assert_eq!(read_regular(&path, &waits).unwrap(), b"time");
        drop(reader);
        let error = read_regular(&path, &waits).unwrap_err();
        assert_eq!(error.to_string(), "nobody waits for it any more");

        // Never read into memory: it would not fit.
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(5 << 30)
            .unwrap();
        let error = read_regular(&path, &waits).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 4 GiB");
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
