//! Stored series: snapshots and reading; `commit` adds bars, `removal` takes them away and back.
//!
//! A series is a chain of manifests `manifest.<revision>.json`; creating the next one is the
//! compare-and-set, and the highest revision is the series. A reader holds one manifest, so it sees
//! one revision whatever writers do meanwhile. Beside each manifest lies its copy,
//! `copy.<revision>.json`, from which a reader sees that the newest one is gone, and what it said.

mod bar_file;
mod commit;
mod finer;
mod removal;
mod revision;

use std::collections::BTreeMap;
use std::ops::Range;
use std::pin::pin;
use std::thread::available_parallelism;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use market::{Bars, Calendar, SeriesKey, Utc, close_times};
use schemas::manifests::{BarFile, SeriesManifest};

use crate::object::{form_error, run_blocking, sha256_hex};
use crate::raw_bars::RawBars;
use crate::{Store, StoreError};

pub use commit::{CommitOutcome, Edit};
pub use revision::COMMIT_TIME_MAX;

use bar_file::decode_bars;

/// Objects read at once.
const READS_MAX: usize = 8;

/// One revision of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSnapshot {
    /// Provider, instrument, timeframe, and what the numbers mean.
    pub key: SeriesKey,
    /// Files and empty intervals of this revision.
    pub manifest: SeriesManifest,
    /// True if the manifest itself is gone, and its copy was read.
    pub from_copy: bool,
}

impl SeriesSnapshot {
    /// The keys of the files that hold the bars of this revision, oldest bars first.
    pub fn file_keys(&self) -> Vec<String> {
        let series = self.key.prefix();
        let files = self.manifest.files.iter();
        files.map(|file| file_key(&series, file)).collect()
    }

    /// Says that the manifest is gone, and that its copy stands in for it.
    pub fn describe_loss(&self) -> Option<String> {
        let object = manifest_key(&self.key, self.manifest.revision);
        self.from_copy
            .then(|| format!("`{object}` is gone from the store; its copy was read instead"))
    }

    /// Hash over the files' hashes: equal for equal stored bars, whatever commits led to them.
    pub fn content_sha256(&self) -> String {
        content_sha256(&self.manifest)
    }
}

/// Hash over the files' hashes of a series.
pub fn content_sha256(manifest: &SeriesManifest) -> String {
    let lines: String = manifest
        .files
        .iter()
        .map(|file| format!("{} {}\n", file.period, file.sha256))
        .collect();
    sha256_hex(lines.as_bytes())
}

/// Bars by series: the handle that [`Store::series`] returns.
#[derive(Clone, Copy, Debug)]
pub struct StoredSeries<'a> {
    pub(crate) store: &'a Store,
}

impl StoredSeries<'_> {
    /// The newest revision of a series, `None` if nothing is stored. With the revision last seen
    /// (`cached`) it probes upward from there; only without, or when that one is gone, it lists.
    ///
    /// # Errors
    /// Reading fails or a manifest is damaged.
    pub async fn snapshot(
        self,
        key: &SeriesKey,
        cached: Option<u64>,
    ) -> Result<Option<SeriesSnapshot>, StoreError> {
        let cached = match cached {
            Some(revision) => self.revision(key, revision).await?,
            None => None,
        };
        let mut newest = match cached.filter(|snapshot| !snapshot.from_copy) {
            Some(snapshot) => Some(snapshot),
            None => self.highest_listed(key).await?,
        };

        // Others may have committed since the listing, or since the cached revision.
        while let Some(current) = &newest {
            match self.revision(key, current.manifest.revision + 1).await? {
                Some(next) => newest = Some(next),
                None => break,
            }
        }
        Ok(newest)
    }

    /// The highest revision in a listing of the series.
    async fn highest_listed(self, key: &SeriesKey) -> Result<Option<SeriesSnapshot>, StoreError> {
        let keys = self.store.keys(&key.prefix()).await?;
        let revisions = keys.iter().filter_map(|key| any_revision_of(key));

        match revisions.max() {
            Some(revision) => self.revision(key, revision).await,
            None => Ok(None),
        }
    }

    /// The newest snapshot of every stored series, sorted by key. Prefixes that are not series keys
    /// are left out with a warning in the log.
    ///
    /// # Errors
    /// Listing or reading fails, or a manifest is damaged.
    pub async fn list(self) -> Result<Vec<SeriesSnapshot>, StoreError> {
        self.list_below("bars").await
    }

    /// The newest snapshot of every series with bars that differs from `key` in nothing but its
    /// timeframe, sorted by key.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn in_other_timeframes(
        self,
        key: &SeriesKey,
    ) -> Result<Vec<SeriesSnapshot>, StoreError> {
        let prefix = key.prefix();
        let all_timeframes = prefix.rsplit_once('/').map_or("bars", |(folder, _)| folder);
        let mut stored = self.list_below(all_timeframes).await?;

        // A deletion leaves a series without bars.
        stored.retain(|snapshot| {
            let is_other = snapshot.key.timeframe != key.timeframe;
            let is_alike = snapshot.key.in_timeframe(key.timeframe) == *key;
            is_other && is_alike && snapshot.manifest.rows() > 0
        });
        Ok(stored)
    }

    async fn list_below(self, folder: &str) -> Result<Vec<SeriesSnapshot>, StoreError> {
        // One listing for all: the highest revision of each prefix is the series.
        let mut revisions: BTreeMap<String, u64> = BTreeMap::new();
        for object in self.store.keys(folder).await? {
            let Some(revision) = any_revision_of(&object) else {
                continue;
            };
            if let Some((prefix, _)) = object.rsplit_once('/') {
                let newest = revisions.entry(prefix.to_owned()).or_default();
                *newest = revision.max(*newest);
            }
        }

        // The folder may hold files of other programs, which must not hide the series.
        let mut series = Vec::with_capacity(revisions.len());
        for (prefix, revision) in revisions {
            match prefix.parse::<SeriesKey>() {
                Ok(key) => series.push((key, revision)),
                Err(error) => tracing::warn!(prefix, %error, "not a series"),
            }
        }

        let reads = stream::iter(series)
            .map(|(key, revision)| async move { self.revision(&key, revision).await });
        let snapshots: Vec<_> = reads.buffered(READS_MAX).try_collect().await?;
        Ok(snapshots.into_iter().flatten().collect())
    }

    /// The stored bars of a snapshot whose open lies in `range`, half-open; only the files that
    /// overlap are read.
    ///
    /// # Errors
    /// A file is absent, damaged or of another form.
    pub async fn raw_bars(
        self,
        snapshot: &SeriesSnapshot,
        range: Range<Utc>,
    ) -> Result<RawBars, StoreError> {
        let prefix = snapshot.manifest.series.as_str();

        let mut files = snapshot.manifest.files.clone();
        files.retain(|file| file.last >= range.start.0 && file.first < range.end.0);
        let rows = files
            .iter()
            .map(|file| usize::try_from(file.rows).unwrap_or(0))
            .sum();

        // A server is slow to answer: several files are fetched at a time. Of a disk one for each
        // processor, since each takes memory while it is decoded.
        let reads_at_once = if self.store.is_folder() {
            available_parallelism().map_or(1, usize::from)
        } else {
            READS_MAX
        };
        let pieces = stream::iter(files)
            .map(|file| {
                let range = range.clone();
                async move { Ok(cut_to_range(self.read_file(prefix, &file).await?, &range)) }
            })
            .buffered(reads_at_once);
        let mut pieces = pin!(pieces);

        let mut bars = RawBars::default();
        while let Some(piece) = pieces.try_next().await? {
            // A series in one file, as most daily ones are, is not copied.
            if bars.is_empty() && piece.len() == rows {
                bars = piece;
            } else {
                bars.reserve(rows - bars.len().min(rows));
                bars.extend(&piece);
            }
        }
        Ok(bars)
    }

    /// The stored bars of a snapshot whose open lies in `range`, half-open, with the instants at
    /// which they became known according to the default calendar of the series.
    ///
    /// # Errors
    /// As [`raw_bars`](Self::raw_bars), or a label that the series cannot have.
    pub async fn bars(
        self,
        snapshot: &SeriesSnapshot,
        range: Range<Utc>,
    ) -> Result<Bars, StoreError> {
        let raw = self.raw_bars(snapshot, range).await?;

        // Closes are not stored: they follow from the opens and the calendar.
        let calendar = Calendar::for_key(&snapshot.key);
        match close_times(calendar, &snapshot.key, &raw.open_time) {
            Ok(known_at) => Ok(raw.with_close_times(known_at)),
            Err(source) => Err(StoreError::CloseTimes {
                series: snapshot.key.prefix(),
                source,
            }),
        }
    }

    /// The newest snapshot of a series and its bars in `range`, half-open.
    ///
    /// # Errors
    /// Nothing is stored, or as [`bars`](Self::bars).
    pub async fn read_newest(
        self,
        key: &SeriesKey,
        range: Range<Utc>,
    ) -> Result<(SeriesSnapshot, Bars), StoreError> {
        let snapshot = self.snapshot(key, None).await?;
        let snapshot = snapshot.ok_or_else(|| StoreError::Missing { key: key.prefix() })?;
        let bars = self.bars(&snapshot, range).await?;
        Ok((snapshot, bars))
    }

    /// One revision, `None` if it does not exist: from its manifest, or from the copy of one that
    /// is gone.
    async fn revision(
        self,
        key: &SeriesKey,
        revision: u64,
    ) -> Result<Option<SeriesSnapshot>, StoreError> {
        let manifest = self.manifest(key, revision).await?;
        let from_copy = manifest.is_none();
        let manifest = match manifest {
            Some(manifest) => Some(manifest),
            None => {
                let object = copy_key(key, revision);
                self.manifest_in(&object, key, revision).await?
            }
        };

        Ok(manifest.map(|manifest| SeriesSnapshot {
            key: key.clone(),
            manifest,
            from_copy,
        }))
    }

    /// The manifest of one revision, `None` if it does not exist.
    async fn manifest(
        self,
        key: &SeriesKey,
        revision: u64,
    ) -> Result<Option<SeriesManifest>, StoreError> {
        let object = manifest_key(key, revision);
        self.manifest_in(&object, key, revision).await
    }

    async fn manifest_in(
        self,
        object: &str,
        key: &SeriesKey,
        revision: u64,
    ) -> Result<Option<SeriesManifest>, StoreError> {
        let manifest: Option<SeriesManifest> = self.store.document(object).await?;

        // A file that somebody copied to another place has a valid hash and is still wrong.
        match manifest {
            Some(other) if other.revision != revision || other.series != key.prefix() => {
                let reason = format!("it is revision {} of {}", other.revision, other.series);
                Err(form_error(object, reason))
            }
            manifest => Ok(manifest),
        }
    }

    async fn read_file(self, series: &str, file: &BarFile) -> Result<RawBars, StoreError> {
        let (key, bytes) = self.fetch_file(series, file).await?;
        let name = key.clone();
        run_blocking(&key, move || decode_bars(&name, bytes)).await
    }

    /// A file's key and its bytes, which match their hash.
    async fn fetch_file(self, series: &str, file: &BarFile) -> Result<(String, Bytes), StoreError> {
        let key = file_key(series, file);
        let bytes = self.store.get_checked(&key, &file.sha256).await?;
        Ok((key, bytes))
    }
}

/// Key of a file of bars.
fn file_key(series: &str, file: &BarFile) -> String {
    format!("{series}/{}.{}.parquet", file.period, file.sha256)
}

/// The bars of a file whose open lies in `range`; most files lie in it as a whole.
fn cut_to_range(bars: RawBars, range: &Range<Utc>) -> RawBars {
    let is_inside = |open: Option<&Utc>| open.is_none_or(|open| range.contains(open));
    if is_inside(bars.open_time.first()) && is_inside(bars.open_time.last()) {
        bars
    } else {
        bars.between(range)
    }
}

fn manifest_key(key: &SeriesKey, revision: u64) -> String {
    format!("{}/manifest.{revision}.json", key.prefix())
}

fn copy_key(key: &SeriesKey, revision: u64) -> String {
    format!("{}/copy.{revision}.json", key.prefix())
}

/// The revision in the key of a series manifest.
pub(crate) fn revision_of(object: &str) -> Option<u64> {
    revision_after("manifest.", object)
}

/// The revision in the key of the copy of a series manifest.
pub(crate) fn copy_revision_of(object: &str) -> Option<u64> {
    revision_after("copy.", object)
}

/// The revision in the key of a series manifest or of its copy.
pub(crate) fn any_revision_of(object: &str) -> Option<u64> {
    revision_of(object).or_else(|| copy_revision_of(object))
}

fn revision_after(prefix: &str, object: &str) -> Option<u64> {
    let (_, name) = object.rsplit_once('/')?;
    let revision = name.strip_prefix(prefix)?.strip_suffix(".json")?;
    revision.parse().ok()
}
