//! The next revision of a series: a change is drafted on top of the newest one, and again if others
//! were faster.

use std::collections::BTreeMap;
use std::time::Duration;

use market::{SeriesKey, Utc};
use schemas::errors::chain;
use schemas::manifests::{BarFile, SeriesManifest};
use tokio::time::Instant;

use super::bar_file::encode_bars;
use super::{CommitOutcome, SeriesSnapshot, StoredSeries, copy_key, manifest_key};
use crate::StoreError;
use crate::object::{Created, reference_to, run_blocking};
use crate::raw_bars::RawBars;

/// How long a commit goes on rebasing on the work of others.
pub const COMMIT_TIME_MAX: Duration = Duration::from_secs(30);

/// Something that makes one revision of a series from another.
pub(super) trait Change: Sync {
    /// Writes the files of the next revision, and makes its manifest. May be called again on top of
    /// a newer base.
    fn draft(
        &self,
        series: StoredSeries<'_>,
        key: &SeriesKey,
        base: Option<&SeriesSnapshot>,
    ) -> impl Future<Output = Result<Draft, StoreError>> + Send;
}

/// The next revision of a series, written but for its manifest.
pub(super) struct Draft {
    pub(super) manifest: SeriesManifest,
    /// Bars that its base does not hold.
    pub(super) new: u64,
    /// Bars that its base holds with other values.
    pub(super) changed: u64,
}

impl Draft {
    /// A revision that holds what `base` holds, but still no files.
    pub(super) fn after(base: Option<&SeriesManifest>, key: &SeriesKey, at: Utc) -> Self {
        // By the nonce a writer knows its own manifest after a write that got no answer.
        let manifest = SeriesManifest {
            v: SeriesManifest::VERSION,
            series: key.prefix(),
            revision: base.map_or(0, |manifest| manifest.revision) + 1,
            nonce: format!("{:032x}", rand::random::<u128>()),
            calendar: base.map_or_else(String::new, |manifest| manifest.calendar.clone()),
            files: Vec::new(),
            empty: base.map_or_else(Vec::new, |manifest| manifest.empty.clone()),
            deletion: None,
            removal: base.and_then(|manifest| manifest.removal.clone()),
            updated_at: at.0,
            written_by: crate::WRITTEN_BY.to_owned(),
        };

        Self {
            manifest,
            new: 0,
            changed: 0,
        }
    }

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
                from_copy: false,
            },
            new: self.new,
            changed: self.changed,
        }
    }
}

/// The files of a revision by the name of their period.
pub(super) fn files_by_period(base: Option<&SeriesManifest>) -> BTreeMap<String, BarFile> {
    let files = base.iter().flat_map(|manifest| &manifest.files);
    files
        .map(|file| (file.period.clone(), file.clone()))
        .collect()
}

impl StoredSeries<'_> {
    /// Creates the next revision by a change, unless it changes nothing. If others create it
    /// first, applies the change on top of theirs, for at most [`COMMIT_TIME_MAX`].
    pub(super) async fn apply(
        self,
        key: &SeriesKey,
        change: &impl Change,
        cached: Option<u64>,
    ) -> Result<CommitOutcome, StoreError> {
        let started = Instant::now();
        let mut last_seen = cached;
        loop {
            let base = self.snapshot(key, last_seen).await?;
            let draft = change.draft(self, key, base.as_ref()).await?;

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
            self.write_copy(key, manifest).await;
            return Ok(true);
        }

        // An earlier request of ours may have been carried out although its answer was lost; then
        // the manifest that exists has our nonce.
        let existing = self.manifest(key, manifest.revision).await?;
        let is_ours = existing.is_some_and(|existing| existing.nonce == manifest.nonce);
        if is_ours {
            self.write_copy(key, manifest).await;
        }
        Ok(is_ours)
    }

    /// Puts a copy beside a manifest that exists. The revision is valid without it.
    async fn write_copy(self, key: &SeriesKey, manifest: &SeriesManifest) {
        let object = copy_key(key, manifest.revision);
        if let Err(error) = self.store.create_document(&object, manifest).await {
            tracing::warn!(object, error = %chain(&error), "a manifest has no copy");
        }
    }

    /// Writes the file of one period; a file that holds the same bars already is used again.
    pub(super) async fn write_file(
        self,
        series: &str,
        period: &str,
        bars: RawBars,
    ) -> Result<BarFile, StoreError> {
        let rows = bars.len() as u64;
        let first = bars.open_time.first().map_or(0, |open| open.0);
        let last = bars.open_time.last().map_or(0, |open| open.0);

        // Encoding keeps every processor busy, which no thread of the runtime can spare.
        let encoded = run_blocking(series, move || {
            let bytes = encode_bars(bars)?;
            let written = reference_to(&bytes);
            Ok((bytes, written))
        });
        let (bytes, written) = encoded.await?;

        // Named by its content, so an attempt that is repeated reuses the file of the earlier one.
        let key = format!("{series}/{period}.{}.parquet", written.sha256);
        self.store.put_verified(&key, &written, bytes).await?;

        Ok(BarFile {
            period: period.to_owned(),
            sha256: written.sha256,
            size_bytes: written.size_bytes,
            rows,
            first,
            last,
        })
    }
}
