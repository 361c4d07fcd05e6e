//! The stored series of a job, each at its newest revision.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use market::{Instrument, Timeframe, Utc};
use schemas::manifests::SeriesInput;
use store::{SeriesSnapshot, Store};
use strategies::SymbolBars;
use tokio::runtime::Handle;

use crate::{ProcessError, ProcessJob};

/// The series of a job. Their bars are read when the turn of their symbol comes, so that only the
/// symbols at work take memory.
pub(crate) struct StoredSource {
    store: Store,
    runtime: Handle,
    /// Bars outside of it are not read.
    range: Range<Utc>,
    series: Vec<SourceSeries>,
    /// Bars read so far, by the place of their series.
    rows: Mutex<BTreeMap<usize, u64>>,
}

/// A series of the source at one revision.
struct SourceSeries {
    symbol: Instrument,
    /// Timeframe of the bars that the strategy sees; those of the series may be finer.
    timeframe: Timeframe,
    snapshot: SeriesSnapshot,
}

impl SourceSeries {
    /// The series as a manifest lists it, with the bars that were read of it.
    fn input(&self, rows: u64) -> SeriesInput {
        let manifest = &self.snapshot.manifest;
        let is_finer = self.snapshot.key.timeframe != self.timeframe;

        SeriesInput {
            series: self.snapshot.key.prefix(),
            revision: manifest.revision,
            content_sha256: self.snapshot.content_sha256(),
            resampled_to: is_finer.then(|| self.timeframe.to_string()),
            rows,
        }
    }
}

impl StoredSource {
    /// Finds the newest revision of every series.
    ///
    /// # Errors
    /// A series is not stored, or the store fails.
    pub(crate) async fn open(store: &Store, job: &ProcessJob) -> Result<Self, ProcessError> {
        let start = job.resolved.start.unwrap_or(Utc(i64::MIN));
        let end = job.resolved.end.unwrap_or(Utc(i64::MAX));

        // All of them before any bar is read: a series that is not stored is reported at once.
        let mut series = Vec::with_capacity(job.series.len());
        for needed in &job.series {
            let snapshot = store.series().snapshot(&needed.key, None).await?;
            let snapshot = snapshot.ok_or_else(|| ProcessError::NotStored {
                series: needed.key.prefix(),
            })?;
            series.push(SourceSeries {
                symbol: needed.symbol.clone(),
                timeframe: needed.timeframe,
                snapshot,
            });
        }

        Ok(Self {
            store: store.clone(),
            runtime: Handle::current(),
            range: start..end,
            series,
            rows: Mutex::default(),
        })
    }

    /// The bars of a symbol in these timeframes. For a thread that may block: it waits until the
    /// runtime has read them.
    ///
    /// # Errors
    /// Reading fails.
    pub(crate) fn read_symbol(
        &self,
        symbol: &Instrument,
        timeframes: &[Timeframe],
    ) -> Result<SymbolBars, ProcessError> {
        let mut bars_of_symbol = SymbolBars::new();
        for (place, series) in self.series.iter().enumerate() {
            if series.symbol != *symbol || !timeframes.contains(&series.timeframe) {
                continue;
            }

            let stored = self.store.series();
            let reading = stored.bars_in(&series.snapshot, series.timeframe, self.range.clone());
            let bars = self.runtime.block_on(reading)?;
            self.count_rows(place, bars.len());
            bars_of_symbol.insert(series.timeframe, bars);
        }
        Ok(bars_of_symbol)
    }

    fn count_rows(&self, place: usize, rows: usize) {
        // A thread that panicked left at most one count out.
        let mut counts = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        counts.insert(place, rows as u64);
    }

    /// Bars read so far, of all series.
    pub(crate) fn bars_read(&self) -> u64 {
        let counts = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        counts.values().sum()
    }

    /// Hashes of what the series hold, by their labels in a manifest.
    pub(crate) fn contents(&self) -> BTreeMap<String, String> {
        let inputs = self.series.iter().map(|series| series.input(0));
        inputs
            .map(|input| (input.label(), input.content_sha256))
            .collect()
    }

    /// The series as a manifest lists them, with the bars that were read of each.
    pub(crate) fn inputs(&self) -> Vec<SeriesInput> {
        let counts = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let series = self.series.iter().enumerate();
        series
            .map(|(place, series)| series.input(counts.get(&place).copied().unwrap_or(0)))
            .collect()
    }
}
