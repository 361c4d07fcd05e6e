//! Commits: new files for the periods an edit touches, then the next revision of the series.

use std::collections::BTreeMap;
use std::time::Duration;

use market::{SeriesKey, Utc};
use schemas::manifests::{BarFile, EmptyInterval, SeriesManifest};
use tokio::time::Instant;

use super::bar_file::encode_bars;
use super::{SeriesSnapshot, StoredSeries, manifest_key};
use crate::StoreError;
use crate::merge::{cut_by_period, find_unstorable, merge, merge_empty};
use crate::object::{Created, reference_to};
use crate::raw_bars::RawBars;

/// How long a commit goes on rebasing on the work of others.
pub const COMMIT_TIME_MAX: Duration = Duration::from_secs(30);

/// What a commit adds. Bars not named in it stay as they are, whatever their time.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Bars to add or to replace, in any order; of two with one open the last counts.
    pub bars: RawBars,
    /// Intervals for which the provider answered that it has nothing.
    pub empty_intervals: Vec<EmptyInterval>,
    /// Name of the calendar the bars were checked against; empty keeps the stored one.
    pub calendar: String,
    /// Commit time from the caller's clock.
    pub at: Utc,
}

/// What a commit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitOutcome {
    /// The series after the commit; its revision is unchanged if there was nothing to do.
    pub snapshot: SeriesSnapshot,
    /// Bars that were not stored before.
    pub new: u64,
    /// Bars stored before with other values.
    pub changed: u64,
}

/// The next revision of a series, written but for its manifest.
struct Draft {
    manifest: SeriesManifest,
    new: u64,
    changed: u64,
}

impl Draft {
    /// True if the draft holds what its base holds.
    fn changes_nothing_of(&self, base: &SeriesManifest) -> bool {
        base.files == self.manifest.files
            && base.empty == self.manifest.empty
            && base.calendar == self.manifest.calendar
    }

    fn into_outcome(self, key: &SeriesKey) -> CommitOutcome {
        CommitOutcome {
            snapshot: SeriesSnapshot {
                key: key.clone(),
                manifest: self.manifest,
            },
            new: self.new,
            changed: self.changed,
        }
    }
}

impl StoredSeries<'_> {
    /// Merges an edit into a series: only the files of the periods it touches are written again,
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
        if let Some(unstorable) = find_unstorable(&edit.bars) {
            return Err(StoreError::Edit {
                series: key.prefix(),
                reason: unstorable.to_string(),
            });
        }

        let pieces = cut_by_period(key.timeframe, &edit.bars);

        let started = Instant::now();
        let mut last_seen = cached;
        loop {
            let base = self.snapshot(key, last_seen).await?;
            let draft = self.draft(key, base.as_ref(), &pieces, &edit).await?;

            // A revision without a change would only make readers probe further.
            if let Some(snapshot) = base
                && draft.changes_nothing_of(&snapshot.manifest)
            {
                return Ok(CommitOutcome {
                    snapshot,
                    new: draft.new,
                    changed: draft.changed,
                });
            }

            if self.publish(key, &draft.manifest).await? {
                return Ok(draft.into_outcome(key));
            }

            // Somebody else's revision has that number: merge on top of it.
            last_seen = Some(draft.manifest.revision);
            if started.elapsed() > COMMIT_TIME_MAX {
                return Err(StoreError::Contended {
                    key: manifest_key(key, draft.manifest.revision),
                    seconds: started.elapsed().as_secs(),
                });
            }
        }
    }

    /// Creates the manifest of a revision; false if another writer's has that number.
    async fn publish(self, key: &SeriesKey, manifest: &SeriesManifest) -> Result<bool, StoreError> {
        let object = manifest_key(key, manifest.revision);
        if self.store.create_document(&object, manifest).await? == Created::New {
            return Ok(true);
        }

        // An earlier request of ours may have been carried out although its answer was lost; then
        // the manifest that exists has our nonce.
        let existing = self.manifest(key, manifest.revision).await?;
        Ok(existing.is_some_and(|existing| existing.nonce == manifest.nonce))
    }

    /// Writes the files of the next revision and makes its manifest.
    async fn draft(
        self,
        key: &SeriesKey,
        base: Option<&SeriesSnapshot>,
        pieces: &[(String, RawBars)],
        edit: &Edit,
    ) -> Result<Draft, StoreError> {
        let base = base.map(|snapshot| &snapshot.manifest);
        let mut draft = Draft {
            manifest: next_manifest(key, base, edit),
            new: 0,
            changed: 0,
        };
        let series = &draft.manifest.series;

        let mut files: BTreeMap<String, BarFile> = base
            .iter()
            .flat_map(|manifest| &manifest.files)
            .map(|file| (file.period.clone(), file.clone()))
            .collect();

        for (period, piece) in pieces {
            let stored = match files.get(period) {
                Some(file) => self.read_file(series, file).await?,
                None => RawBars::default(),
            };
            let merged = merge(&stored, piece);

            // Bars that are stored already keep the file that they are in.
            if merged.new + merged.changed > 0 {
                let file = self.write_file(series, period, &merged.bars).await?;
                files.insert(period.clone(), file);
                draft.new += merged.new;
                draft.changed += merged.changed;
            }
        }

        draft.manifest.files = files.into_values().collect();
        Ok(draft)
    }

    async fn write_file(
        self,
        series: &str,
        period: &str,
        bars: &RawBars,
    ) -> Result<BarFile, StoreError> {
        let bytes = encode_bars(bars)?;
        let written = reference_to(&bytes);

        // Named by its content, so an attempt that is repeated reuses the file of the earlier one.
        let key = format!("{series}/{period}.{}.parquet", written.sha256);
        self.store.put_verified(&key, &written, bytes).await?;

        Ok(BarFile {
            period: period.to_owned(),
            sha256: written.sha256,
            size_bytes: written.size_bytes,
            rows: bars.len() as u64,
            first: bars.open_time.first().map_or(0, |open| open.0),
            last: bars.open_time.last().map_or(0, |open| open.0),
        })
    }
}

/// The manifest after `base`, still without files.
fn next_manifest(key: &SeriesKey, base: Option<&SeriesManifest>, edit: &Edit) -> SeriesManifest {
    let stored_empty = base.map_or(&[][..], |manifest| &manifest.empty);
    let stored_calendar = base.map_or("", |manifest| &manifest.calendar);

    // An edit without a calendar says nothing about it.
    let calendar = if edit.calendar.is_empty() {
        stored_calendar
    } else {
        &edit.calendar
    };

    SeriesManifest {
        v: SeriesManifest::VERSION,
        series: key.prefix(),
        revision: base.map_or(0, |manifest| manifest.revision) + 1,
        nonce: format!("{:032x}", rand::random::<u128>()),
        calendar: calendar.to_owned(),
        files: Vec::new(),
        empty: merge_empty(stored_empty, &edit.empty_intervals),
        updated_at: edit.at.0,
        written_by: crate::WRITTEN_BY.to_owned(),
    }
}
