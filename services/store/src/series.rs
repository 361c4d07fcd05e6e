//! Stored series: snapshots, reading, and commits that never lose another writer's bars.
//!
//! A series is a chain of manifests `manifest.<revision>.json`; creating the next one is the
//! compare-and-set, and the highest revision is the series. A reader holds one manifest, so it sees
//! one revision whatever writers do meanwhile.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use arrow_array::Float64Array;
use arrow_array::types::Float64Type;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use market::{Bars, Calendar, SeriesKey, Utc, close_times};
use schemas::manifests::{BarFile, EmptyInterval, SeriesManifest};
use tokio::time::Instant;

use crate::merge::{by_period, merge, merge_empty, refused};
use crate::object::{Created, form, reference, sha256_hex};
use crate::parquet_file::{Decoded, encode, instants, nullable};
use crate::raw_bars::RawBars;
use crate::{Store, StoreError};

/// How long a commit goes on rebasing on the work of others.
pub const COMMIT_TIME_MAX: Duration = Duration::from_secs(30);

/// Objects read at once.
const READS_MAX: usize = 8;

/// One revision of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSnapshot {
    /// What the numbers mean.
    pub key: SeriesKey,
    /// Files and empty intervals of this revision.
    pub manifest: SeriesManifest,
}

impl SeriesSnapshot {
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

/// What a commit adds. Bars not named in it stay as they are, whatever their time.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Bars to add or to replace, in any order; of two with one open the last counts.
    pub bars: RawBars,
    /// Intervals for which the provider answered that it has nothing.
    pub empty_intervals: Vec<EmptyInterval>,
    /// Name of the calendar the bars were checked against.
    pub calendar: String,
    /// Commit time from the caller's clock.
    pub at: Utc,
}

/// What a commit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitOutcome {
    /// The series after the commit; unchanged, with the revision that stood, if there was nothing
    /// to do.
    pub snapshot: SeriesSnapshot,
    /// Bars that were not stored before.
    pub new: u64,
    /// Bars stored before with other values.
    pub changed: u64,
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
        let mut newest = match cached {
            Some(revision) => self.manifest(key, revision).await?,
            None => None,
        };
        if newest.is_none() {
            let listed = self.store.keys(&key.prefix()).await?;
            let Some(revision) = listed.iter().filter_map(|object| revision_of(object)).max()
            else {
                return Ok(None);
            };
            newest = self.manifest(key, revision).await?;
        }
        while let Some(found) = &newest {
            match self.manifest(key, found.revision + 1).await? {
                Some(next) => newest = Some(next),
                None => break,
            }
        }
        Ok(newest.map(|manifest| SeriesSnapshot {
            key: key.clone(),
            manifest,
        }))
    }

    /// The newest snapshot of every stored series, sorted by key. Prefixes that are no series key
    /// are left out with a warning in the log.
    ///
    /// # Errors
    /// Listing or reading fails, or a manifest is damaged.
    pub async fn list(self) -> Result<Vec<SeriesSnapshot>, StoreError> {
        let mut newest: BTreeMap<String, u64> = BTreeMap::new();
        for object in self.store.keys("bars").await? {
            if let (Some(revision), Some((prefix, _))) =
                (revision_of(&object), object.rsplit_once('/'))
            {
                let seen = newest.entry(prefix.to_owned()).or_default();
                *seen = revision.max(*seen);
            }
        }
        let known =
            newest
                .into_iter()
                .filter_map(|(prefix, revision)| match prefix.parse::<SeriesKey>() {
                    Ok(key) => Some((key, revision)),
                    Err(error) => {
                        tracing::warn!(prefix, %error, "not a series");
                        None
                    }
                });
        let snapshots = stream::iter(known)
            .map(|(key, revision)| async move { self.snapshot(&key, Some(revision)).await });
        Ok(snapshots
            .buffered(READS_MAX)
            .try_collect::<Vec<_>>()
            .await?
            .into_iter()
            .flatten()
            .collect())
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
        let mut wanted = snapshot.manifest.files.clone();
        wanted.retain(|file| file.last >= range.start.0 && file.first < range.end.0);
        let rows = wanted
            .iter()
            .map(|file| usize::try_from(file.rows).unwrap_or(0))
            .sum();
        let files =
            stream::iter(wanted).map(|file| async move { self.fetch_file(prefix, &file).await });
        // A service is slow to answer, so several files are on their way at a time. A disk is not:
        // there each would only take memory, of which the threads that read keep a part.
        let files = files.buffered(if self.store.is_folder() { 1 } else { READS_MAX });
        let mut bars = RawBars::default();
        let mut files = std::pin::pin!(files);
        // No more than one is decoded at a time: that takes many times the memory.
        while let Some((key, bytes)) = files.try_next().await? {
            let piece = decode_bars(&key, bytes)?;
            let inside = |open: Option<&Utc>| open.is_none_or(|open| range.contains(open));
            let whole = inside(piece.open_time.first()) && inside(piece.open_time.last());
            let piece = if whole { piece } else { piece.between(&range) };
            if bars.is_empty() && piece.len() == rows {
                bars = piece;
            } else {
                bars.reserve(rows - bars.len().min(rows));
                bars.extend(&piece);
            }
        }
        Ok(bars)
    }

    /// The stored bars of a snapshot whose open lies in `range`, with the instants at which they
    /// became known according to the default calendar of the series.
    ///
    /// # Errors
    /// As [`raw_bars`](Self::raw_bars), or a label that the series cannot have.
    pub async fn bars(
        self,
        snapshot: &SeriesSnapshot,
        range: Range<Utc>,
    ) -> Result<Bars, StoreError> {
        let raw = self.raw_bars(snapshot, range).await?;
        let known = close_times(
            Calendar::for_key(&snapshot.key),
            &snapshot.key,
            &raw.open_time,
        )
        .map_err(|source| StoreError::CloseTimes {
            series: snapshot.key.prefix(),
            source,
        })?;
        Ok(raw.with_close_times(known))
    }

    /// The newest snapshot of a series and its bars in `range`.
    ///
    /// # Errors
    /// Nothing is stored, or as [`bars`](Self::bars).
    pub async fn read_newest(
        self,
        key: &SeriesKey,
        range: Range<Utc>,
    ) -> Result<(SeriesSnapshot, Bars), StoreError> {
        let snapshot = self
            .snapshot(key, None)
            .await?
            .ok_or_else(|| StoreError::Missing { key: key.prefix() })?;
        let bars = self.bars(&snapshot, range).await?;
        Ok((snapshot, bars))
    }

    /// Merges an edit into a series: only the files of the periods it touches are written anew,
    /// then the next revision is created. If others commit meanwhile, merges again on top of
    /// theirs, for at most [`COMMIT_TIME_MAX`]. Committing the same edit twice changes nothing the
    /// second time.
    ///
    /// # Errors
    /// A bar without finite prices, a failed read or write, or endless contention. Whatever fails,
    /// the series is as before or as after.
    pub async fn commit(
        self,
        key: &SeriesKey,
        edit: Edit,
        cached: Option<u64>,
    ) -> Result<CommitOutcome, StoreError> {
        let edit = Edit {
            bars: edit.bars.sorted(),
            ..edit
        };
        if let Some((bar, reason)) = refused(&edit.bars) {
            let reason = format!("the bar at {} has {reason}", bar.open_time);
            return Err(StoreError::Edit {
                series: key.prefix(),
                reason,
            });
        }
        let pieces = by_period(key.timeframe, &edit.bars);
        let started = Instant::now();
        let mut cached = cached;
        loop {
            let base = self.snapshot(key, cached).await?;
            let (draft, new, changed) = self.draft(key, base.as_ref(), &pieces, &edit).await?;
            if let Some(snapshot) = base
                && snapshot.manifest.files == draft.files
                && snapshot.manifest.empty == draft.empty
                && snapshot.manifest.calendar == draft.calendar
            {
                return Ok(CommitOutcome {
                    snapshot,
                    new,
                    changed,
                });
            }
            let object = manifest_key(key, draft.revision);
            if self.store.create_document(&object, &draft).await? == Created::New {
                return Ok(CommitOutcome {
                    snapshot: SeriesSnapshot {
                        key: key.clone(),
                        manifest: draft,
                    },
                    new,
                    changed,
                });
            }
            cached = Some(draft.revision);
            if self
                .manifest(key, draft.revision)
                .await?
                .is_some_and(|standing| standing.nonce == draft.nonce)
            {
                return Ok(CommitOutcome {
                    snapshot: SeriesSnapshot {
                        key: key.clone(),
                        manifest: draft,
                    },
                    new,
                    changed,
                });
            }
            if started.elapsed() > COMMIT_TIME_MAX {
                return Err(StoreError::Contended {
                    key: object,
                    seconds: started.elapsed().as_secs(),
                });
            }
        }
    }

    /// Writes the files of the next revision and returns its manifest, with the counts of new and
    /// changed bars.
    async fn draft(
        self,
        key: &SeriesKey,
        base: Option<&SeriesSnapshot>,
        pieces: &[(String, RawBars)],
        edit: &Edit,
    ) -> Result<(SeriesManifest, u64, u64), StoreError> {
        let series = key.prefix();
        let standing = base.map(|snapshot| &snapshot.manifest);
        let mut files: BTreeMap<String, BarFile> = standing
            .iter()
            .flat_map(|manifest| &manifest.files)
            .map(|file| (file.period.clone(), file.clone()))
            .collect();
        let (mut new, mut changed) = (0, 0);
        for (period, piece) in pieces {
            let stored = match files.get(period) {
                Some(file) => self.read_file(&series, file).await?,
                None => RawBars::default(),
            };
            let merged = merge(&stored, piece);
            if merged.new + merged.changed > 0 {
                files.insert(
                    period.clone(),
                    self.write_file(&series, period, &merged.bars).await?,
                );
                new += merged.new;
                changed += merged.changed;
            }
        }
        let calendar = if edit.calendar.is_empty() {
            standing
                .map(|manifest| manifest.calendar.clone())
                .unwrap_or_default()
        } else {
            edit.calendar.clone()
        };
        let draft = SeriesManifest {
            v: SeriesManifest::VERSION,
            series,
            revision: standing.map_or(0, |manifest| manifest.revision) + 1,
            nonce: format!("{:032x}", rand::random::<u128>()),
            calendar,
            files: files.into_values().collect(),
            empty: merge_empty(
                standing
                    .map(|manifest| manifest.empty.as_slice())
                    .unwrap_or_default(),
                &edit.empty_intervals,
            ),
            updated_at: edit.at.0,
            written_by: crate::WRITTEN_BY.to_owned(),
        };
        Ok((draft, new, changed))
    }

    async fn manifest(
        self,
        key: &SeriesKey,
        revision: u64,
    ) -> Result<Option<SeriesManifest>, StoreError> {
        let object = manifest_key(key, revision);
        let found: Option<SeriesManifest> = self.store.document(&object).await?;
        if let Some(manifest) = &found
            && (manifest.revision != revision || manifest.series != key.prefix())
        {
            return Err(form(
                &object,
                format!(
                    "it is revision {} of {}",
                    manifest.revision, manifest.series
                ),
            ));
        }
        Ok(found)
    }

    async fn read_file(self, series: &str, file: &BarFile) -> Result<RawBars, StoreError> {
        let (key, bytes) = self.fetch_file(series, file).await?;
        decode_bars(&key, bytes)
    }

    /// A file's key and its bytes, which match their hash.
    async fn fetch_file(self, series: &str, file: &BarFile) -> Result<(String, Bytes), StoreError> {
        let key = format!("{series}/{}.{}.parquet", file.period, file.sha256);
        let bytes = self.store.get_checked(&key, &file.sha256).await?;
        Ok((key, bytes))
    }

    async fn write_file(
        self,
        series: &str,
        period: &str,
        bars: &RawBars,
    ) -> Result<BarFile, StoreError> {
        let bytes = encode_bars(bars)?;
        let written = reference(&bytes);
        self.store
            .put_verified(
                &format!("{series}/{period}.{}.parquet", written.sha256),
                &written,
                bytes,
            )
            .await?;
        let edge = |open: Option<&Utc>| open.map_or(0, |open| open.0);
        Ok(BarFile {
            period: period.to_owned(),
            sha256: written.sha256,
            size_bytes: written.size_bytes,
            rows: bars.len() as u64,
            first: edge(bars.open_time.first()),
            last: edge(bars.open_time.last()),
        })
    }
}

fn manifest_key(key: &SeriesKey, revision: u64) -> String {
    format!("{}/manifest.{revision}.json", key.prefix())
}

/// The revision in the key of a series manifest.
fn revision_of(object: &str) -> Option<u64> {
    let (_, name) = object.rsplit_once('/')?;
    name.strip_prefix("manifest.")?
        .strip_suffix(".json")?
        .parse()
        .ok()
}

/// Parquet bytes: `ts` timestamp(us, UTC), `open`, `high`, `low`, `close` float64, `volume` float64
/// or null.
pub(crate) fn encode_bars(bars: &RawBars) -> Result<Bytes, StoreError> {
    let price = |name: &str, values: &[f64]| {
        (
            name.to_owned(),
            false,
            std::sync::Arc::new(Float64Array::from(values.to_vec())) as arrow_array::ArrayRef,
        )
    };
    let columns = vec![
        (
            "ts".to_owned(),
            false,
            instants(bars.open_time.iter().map(|open| open.0).collect()),
        ),
        price("open", &bars.open),
        price("high", &bars.high),
        price("low", &bars.low),
        price("close", &bars.close),
        ("volume".to_owned(), true, nullable(&bars.volume)),
    ];
    encode("bars", columns, None)
}

fn decode_bars(key: &str, bytes: Bytes) -> Result<RawBars, StoreError> {
    let file = Decoded::read(key, bytes)?;
    let price = |name: &str, null| file.values::<Float64Type>(key, name, null);
    Ok(RawBars {
        open_time: file.instants(key, "ts")?.into_iter().map(Utc).collect(),
        open: price("open", None)?,
        high: price("high", None)?,
        low: price("low", None)?,
        close: price("close", None)?,
        volume: price("volume", Some(f64::NAN))?,
    })
}
