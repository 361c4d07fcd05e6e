//! The provider `file`: bars from a folder of files called `SYMBOL_TIMEFRAME.csv`, `.csv.gz` or
//! `.parquet`.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use market::{
    Calendar, Instrument, SeriesKey, SeriesKeyError, Timeframe, Utc, check_hours, close_times,
};
use schemas::names::MICROS_PER_DAY;
use store::files::{
    BarFolder, Expected, FileBars, Mapping, clear_name, parse_name, read, read_name,
};
use store::{RawBars, StoreError};

use crate::plan::RequestCost;
use crate::provider::{Capabilities, Health, Listing, Provider, ProviderError};
use crate::providers::{Providers, Registration};

/// The line that makes it one of the providers.
pub const REGISTRATION: Registration = Registration {
    name: "file",
    hosts: None,
    open,
};

/// Writing one file of the store takes most of a request; how much it holds matters little.
const REQUEST_COST: RequestCost = RequestCost {
    per_request: Duration::from_millis(50),
    per_day: Duration::ZERO,
};

/// Rows named in a note, at most.
const LINES_MAX: usize = 5;

/// 1900-01-01: no series is older.
const OLDEST: Utc = Utc(-2_208_988_800_000_000);
/// Labels lie this far ahead of the clock at most: in Tokyo it is tomorrow already.
const AHEAD_MAX: i64 = MICROS_PER_DAY;

fn open(providers: &Providers) -> Result<Arc<dyn Provider>, ProviderError> {
    let settings = providers.settings();
    let provider = FileProvider::open(&settings.files, settings.mapping())?;
    Ok(Arc::new(provider))
}

/// Reads each file once and answers from memory; make a new one for each command.
#[derive(Debug)]
pub struct FileProvider {
    folder: BarFolder,
    mapping: Mapping,
    last: Mutex<Option<(SeriesKey, Arc<Content>)>>,
}

/// A file's usable bars.
#[derive(Debug, Default)]
struct Content {
    bars: RawBars,
    notes: Vec<String>,
    /// Labels of rows with prices that cannot be used, ascending: a bar is there, and is not known.
    unusable: Vec<Utc>,
}

impl FileProvider {
    /// Reads from a path or URL with a mapping that holds for all its files.
    ///
    /// # Errors
    /// The place does not exist.
    pub fn open(place: &str, mapping: Mapping) -> Result<Self, ProviderError> {
        let folder = BarFolder::open(place).map_err(|source| ProviderError::Place {
            place: place.to_owned(),
            source,
        })?;
        Ok(Self {
            folder,
            mapping,
            last: Mutex::default(),
        })
    }

    async fn content(&self, key: &SeriesKey) -> Result<Arc<Content>, ProviderError> {
        if let Some((_, content)) = self.cached(key) {
            return Ok(content);
        }

        let file_name = self
            .folder
            .find(&key.instrument, key.timeframe)
            .await
            .map_err(|source| self.place_error(source))?;
        let Some(name) = file_name else {
            return Err(self.unknown(key).await?);
        };
        let bytes = self
            .folder
            .read(&name)
            .await
            .map_err(|source| self.place_error(source))?;

        let expected = Expected {
            instrument: key.instrument.clone(),
            timeframe: key.timeframe,
            day_boundary: key.day_boundary,
        };
        let mapping = self.mapping.clone();
        let file = format!("{}/{name}", self.folder.place());
        let series = key.clone();

        // Parsing a large file takes long enough to hold up the other tasks of this thread.
        let work = tokio::task::spawn_blocking(move || {
            let read = read(&file, bytes, &mapping, &expected)?;
            Ok(content_of(&file, read, &series))
        });
        let content = Arc::new(
            work.await
                .unwrap_or(Err(ProviderError::Stopped { file: name }))?,
        );

        // By the calendar of another instrument, bars would be known before they are over.
        check_hours(key, &content.bars.open_time).map_err(|source| ProviderError::Hours {
            place: self.folder.place().to_owned(),
            source: Box::new(source),
        })?;

        *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((key.clone(), Arc::clone(&content)));
        Ok(content)
    }

    fn cached(&self, key: &SeriesKey) -> Option<(SeriesKey, Arc<Content>)> {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .filter(|(cached, _)| cached == key)
    }

    fn place_error(&self, source: StoreError) -> ProviderError {
        ProviderError::Place {
            place: self.folder.place().to_owned(),
            source,
        }
    }

    /// The file whose name can mean this series, and can mean another one as well.
    fn unclear(&self, key: &SeriesKey, names: &[String]) -> Option<ProviderError> {
        names.iter().find_map(|name| {
            let (instrument, timeframe) = read_name(name)?;
            let error = instrument.err()?;
            let can_be_meant = error.candidates().contains(&key.instrument);

            (timeframe == key.timeframe && can_be_meant).then(|| ProviderError::Unclear {
                file: format!("{}/{name}", self.folder.place()),
                clear_name: clear_name(&key.instrument, timeframe),
                source: error,
            })
        })
    }

    async fn unknown(&self, key: &SeriesKey) -> Result<ProviderError, ProviderError> {
        let names = self.folder.names().await;
        let names = names.map_err(|source| self.place_error(source))?;

        // Something else under the name of a file is likely what was meant.
        let odd = self.folder.find_odd(&key.instrument, key.timeframe).await;
        if let Some((name, kind)) = odd.map_err(|source| self.place_error(source))? {
            let file = format!("{}/{name}", self.folder.place());
            return Ok(ProviderError::OddEntry { file, kind });
        }

        // A file whose name has two meanings is likely the one that was asked for.
        if let Some(unclear) = self.unclear(key, &names) {
            return Ok(unclear);
        }

        let list: Vec<String> = names
            .iter()
            .filter_map(|name| parse_name(name))
            .map(|(instrument, timeframe)| format!("{} {timeframe}", instrument.spelling()))
            .collect();
        let mut available = list.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
        if list.is_empty() {
            "no bar file".clone_into(&mut available);
        }

        Ok(ProviderError::Unknown {
            instrument: key.instrument.clone(),
            timeframe: key.timeframe,
            place: self.folder.place().to_owned(),
            available,
        })
    }
}

/// The usable bars of a file, with notes on the others.
fn content_of(file: &str, mut read: FileBars, key: &SeriesKey) -> Content {
    let impossible = take_out_impossible(&mut read);
    let not_over = lines_not_over(&read, key);
    let mut content = select_usable(file, read);

    let text = format!("rows of {file} with times before 1900 or after tomorrow were left out");
    content.notes.extend(note_on_lines(&impossible, &text));
    let text = format!("rows of {file} end in the future and were left out");
    content.notes.extend(note_on_lines(&not_over, &text));
    content
}

/// Takes out the rows with times that no bar can have, so that they do not widen the range that is
/// looked at; returns their lines.
fn take_out_impossible(read: &mut FileBars) -> Vec<u64> {
    let newest = Utc::from_timestamp(Timestamp::now()).plus_micros(AHEAD_MAX);
    let is_possible = |open: &Utc| (OLDEST..=newest).contains(open);
    let rows: Vec<bool> = read.bars.open_time.iter().map(is_possible).collect();
    if rows.iter().all(|is_possible| *is_possible) {
        return Vec::new();
    }

    let lines = read.lines.iter().copied().zip(&rows);
    let (possible, impossible): (Vec<_>, Vec<_>) = lines.partition(|(_, row)| **row);
    read.bars.keep_rows(&rows);
    read.lines = possible.into_iter().map(|(line, _)| line).collect();
    impossible.into_iter().map(|(line, _)| line).collect()
}

/// What a row without four finite prices is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unpriced {
    /// It has none at all: the source has no bar.
    Nothing,
    /// Some are missing or infinite: the source has a bar, and nobody knows which.
    Unusable,
}

fn unpriced(prices: &[f64; 4]) -> Option<Unpriced> {
    if prices.iter().all(|price| price.is_finite()) {
        return None;
    }
    let is_nothing = prices.iter().all(|price| price.is_nan());
    Some(match is_nothing {
        true => Unpriced::Nothing,
        false => Unpriced::Unusable,
    })
}

/// The bars of a file that can be stored: sorted, one bar per label, with prices. Notes name the
/// lines of the others.
fn select_usable(name: &str, file: FileBars) -> Content {
    let FileBars {
        bars,
        lines,
        mut notes,
        ..
    } = file;

    // A bar without a price cannot be stored; its line in the file lets the user look it up.
    let mut empty_lines = Vec::new();
    let mut unusable_lines = Vec::new();
    let mut unusable = Vec::new();
    let mut priced = RawBars::default();
    for (bar, line) in bars.iter().zip(lines) {
        match unpriced(&bar.prices) {
            None => priced.push(bar),
            Some(Unpriced::Nothing) => empty_lines.push(line),
            Some(Unpriced::Unusable) => {
                unusable_lines.push(line);
                unusable.push(bar.open_time);
            }
        }
    }
    let text = format!("rows of {name} without a price were left out");
    notes.extend(note_on_lines(&empty_lines, &text));
    let text = format!("rows of {name} with a price that is missing or infinite were left out");
    notes.extend(note_on_lines(&unusable_lines, &text));

    let rows = priced.len();
    let sorted = priced.sorted();
    if sorted.len() < rows {
        notes.push(format!(
            "{} rows of {name} repeat a time; the last of each was kept",
            rows - sorted.len()
        ));
    }

    unusable.sort_unstable();
    Content {
        bars: sorted,
        notes,
        unusable,
    }
}

/// `2 rows of x.csv without a price were left out: line 3, 5`; none without a line.
fn note_on_lines(lines: &[u64], text: &str) -> Option<String> {
    if lines.is_empty() {
        return None;
    }
    let named: Vec<String> = lines.iter().take(LINES_MAX).map(u64::to_string).collect();
    Some(format!("{} {text}: line {}", lines.len(), named.join(", ")))
}

/// Lines of the bars that end in the future, whose prices are not final: no fetch stores them, and
/// people should hear why. A time that cannot be that of a bar is refused later, with its reason.
fn lines_not_over(read: &FileBars, key: &SeriesKey) -> Vec<u64> {
    let now = Utc::from_timestamp(Timestamp::now());
    let ends = close_times(Calendar::for_key(key), key, &read.bars.open_time).unwrap_or_default();
    let rows = ends.into_iter().zip(&read.lines);
    rows.filter_map(|(end, line)| (end > now).then_some(*line))
        .collect()
}

#[async_trait]
impl Provider for FileProvider {
    fn name(&self) -> &'static str {
        REGISTRATION.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            description: format!("files in {}", self.folder.place()),
            ..Capabilities::default()
        }
    }

    fn request_cost(&self, _: Timeframe) -> RequestCost {
        REQUEST_COST
    }

    fn series(
        &self,
        instrument: Instrument,
        timeframe: Timeframe,
    ) -> Result<SeriesKey, SeriesKeyError> {
        let mut key = SeriesKey::standard(self.name(), instrument, timeframe)?;
        key.day_boundary = self.mapping.day_boundary.unwrap_or(key.day_boundary);
        Ok(key)
    }

    async fn timeframes(
        &self,
        instrument: &Instrument,
    ) -> Result<Option<Vec<Timeframe>>, ProviderError> {
        let names = self.folder.names().await;
        let names = names.map_err(|source| self.place_error(source))?;

        // A file whose name has two meanings may be the one that is wanted: the fetch asks.
        let of_instrument = names.iter().filter_map(|name| read_name(name));
        let timeframes = of_instrument.filter_map(|(meaning, timeframe)| {
            let is_meant = match meaning {
                Ok(of_file) => of_file == *instrument,
                Err(error) => error.candidates().contains(instrument),
            };
            is_meant.then_some(timeframe)
        });
        Ok(Some(timeframes.collect()))
    }

    async fn coverage(&self, key: &SeriesKey) -> Result<Option<Range<Utc>>, ProviderError> {
        let content = self.content(key).await?;
        let first = content.bars.open_time.first();
        let last = content.bars.open_time.last();

        Ok(first
            .zip(last)
            .map(|(first, last)| *first..last.plus_micros(1)))
    }

    async fn bars(&self, key: &SeriesKey, range: Range<Utc>) -> Result<RawBars, ProviderError> {
        Ok(self.content(key).await?.bars.between(&range))
    }

    async fn search(&self, text: &str) -> Result<Vec<Listing>, ProviderError> {
        let names = self.folder.names().await;
        let names = names.map_err(|source| self.place_error(source))?;

        let listings = names.into_iter().filter_map(|name| {
            let (instrument, timeframe) = parse_name(&name)?;
            let state = timeframe.to_string();
            let symbol = name;
            Some(Listing {
                symbol,
                instrument,
                state,
            })
        });
        Ok(listings.filter(|each| each.matches(text)).collect())
    }

    async fn health(&self) -> Result<Health, ProviderError> {
        let names = self.folder.names().await;
        let names = names.map_err(|source| self.place_error(source))?;
        let count = names.iter().filter_map(|name| read_name(name)).count();

        Ok(Health {
            detail: format!("{count} bar files"),
            ..Health::default()
        })
    }

    fn unusable(&self, key: &SeriesKey, range: &Range<Utc>) -> Vec<Utc> {
        let labels = self.cached(key).map(|(_, content)| {
            let unusable = content.unusable.iter().copied();
            unusable.filter(|label| range.contains(label)).collect()
        });
        labels.unwrap_or_default()
    }

    fn notes(&self, key: &SeriesKey) -> Vec<String> {
        self.cached(key)
            .map(|(_, content)| content.notes.clone())
            .unwrap_or_default()
    }
}
