//! Deleting bars of a series, and bringing them back. Both are new revisions: no object goes away,
//! until [`Store::find_garbage`](crate::Store::find_garbage) finds the files that nothing needs.

use std::ops::Range;

use market::{SeriesKey, Utc};
use schemas::manifests::{BarFile, Deletion, Removal, SeriesManifest};

use super::revision::{Change, Draft, files_by_period};
use super::{CommitOutcome, SeriesSnapshot, StoredSeries};
use crate::StoreError;
use crate::merge::merge;
use crate::raw_bars::RawBars;

impl StoredSeries<'_> {
    /// Takes the bars whose open lies in `range`, half-open, out of a series. The new revision says
    /// in its `deletion` how many they are; without any there is no new revision.
    ///
    /// # Errors
    /// Nothing is stored, a failed read or write, or endless contention. Whatever fails, the series
    /// is as before or as after.
    pub async fn delete(
        self,
        key: &SeriesKey,
        range: Range<Utc>,
        at: Utc,
    ) -> Result<CommitOutcome, StoreError> {
        let by = None;
        self.apply(key, &Removing { range, at, by }, None).await
    }

    /// The same, and the manifest says who asked for it.
    ///
    /// # Errors
    /// Those of [`Self::delete`].
    pub async fn delete_for(
        self,
        by: &str,
        key: &SeriesKey,
        range: Range<Utc>,
        at: Utc,
    ) -> Result<CommitOutcome, StoreError> {
        let by = Some(by.to_owned());
        self.apply(key, &Removing { range, at, by }, None).await
    }

    /// Brings back the bars that the last deletion of a series took away. Bars that were stored
    /// after it stay as they are. Repeating it changes nothing.
    ///
    /// # Errors
    /// Nothing is stored or nothing was deleted, the revision before the deletion is gone, a failed
    /// read or write, or endless contention.
    pub async fn undelete(self, key: &SeriesKey, at: Utc) -> Result<CommitOutcome, StoreError> {
        let by = None;
        self.apply(key, &Restoring { at, by }, None).await
    }

    /// The same, and the manifest says who asked for it.
    ///
    /// # Errors
    /// Those of [`Self::undelete`].
    pub async fn undelete_for(
        self,
        by: &str,
        key: &SeriesKey,
        at: Utc,
    ) -> Result<CommitOutcome, StoreError> {
        let by = Some(by.to_owned());
        self.apply(key, &Restoring { at, by }, None).await
    }

    /// The newest revision that a deletion made, at or below that of `newest`.
    ///
    /// # Errors
    /// Reading fails or a manifest is damaged.
    pub async fn last_deletion(
        self,
        newest: &SeriesSnapshot,
    ) -> Result<Option<SeriesManifest>, StoreError> {
        let mut snapshot = Some(newest.clone());

        while let Some(SeriesSnapshot { manifest, .. }) = snapshot {
            if manifest.deletion.is_some() {
                return Ok(Some(manifest));
            }
            snapshot = self.revision(&newest.key, manifest.revision - 1).await?;
        }
        Ok(None)
    }
}

/// Takes away the bars of a range.
struct Removing {
    range: Range<Utc>,
    at: Utc,
    by: Option<String>,
}

impl Change for Removing {
    async fn draft(
        &self,
        series: StoredSeries<'_>,
        key: &SeriesKey,
        base: Option<&SeriesSnapshot>,
    ) -> Result<Draft, StoreError> {
        let base = base.map(|snapshot| &snapshot.manifest);
        let base = base.ok_or_else(|| StoreError::Missing { key: key.prefix() })?;
        let mut draft = Draft::after(Some(base), key, self.at);
        let mut taken = RawBars::default();

        for file in &base.files {
            // Files outside of the range are shared with the revision before, not copied.
            if file.last < self.range.start.0 || file.first >= self.range.end.0 {
                draft.manifest.files.push(file.clone());
                continue;
            }

            let stored = series.read_file(&base.series, file).await?;
            taken.extend(&stored.between(&self.range));
            let rest = without(&stored, &self.range);
            if !rest.is_empty() {
                let written = series.write_file(&base.series, &file.period, rest).await?;
                draft.manifest.files.push(written);
            }
        }

        draft.manifest.deletion = deletion_of(&taken);
        note_removal(&mut draft, self.by.as_deref(), false);
        Ok(draft)
    }
}

/// The bars whose open lies outside of `range`.
fn without(bars: &RawBars, range: &Range<Utc>) -> RawBars {
    let mut rest = bars.between(&(Utc(i64::MIN)..range.start));
    rest.extend(&bars.between(&(range.end..Utc(i64::MAX))));
    rest
}

/// Names whoever asks, if that is known.
fn note_removal(draft: &mut Draft, by: Option<&str>, is_undone: bool) {
    if let Some(by) = by {
        draft.manifest.removal = Some(Removal {
            revision: draft.manifest.revision,
            is_undone,
            by: by.to_owned(),
            at: draft.manifest.updated_at,
        });
    }
}

fn deletion_of(taken: &RawBars) -> Option<Deletion> {
    let first = taken.open_time.first()?;
    let last = taken.open_time.last()?;
    Some(Deletion {
        bars: taken.len() as u64,
        first: first.0,
        last: last.0,
    })
}

/// Brings back what the last deletion took away.
struct Restoring {
    at: Utc,
    by: Option<String>,
}

impl Change for Restoring {
    async fn draft(
        &self,
        series: StoredSeries<'_>,
        key: &SeriesKey,
        base: Option<&SeriesSnapshot>,
    ) -> Result<Draft, StoreError> {
        let base = base.ok_or_else(|| StoreError::Missing { key: key.prefix() })?;
        let deleted = series.last_deletion(base).await?;
        let deleted = deleted.ok_or_else(|| StoreError::NothingDeleted { key: key.prefix() })?;

        // The bars are in the revision before, as long as garbage collection has left it.
        let before = series.revision(key, deleted.revision - 1).await?;
        let before = before.ok_or_else(|| StoreError::Collected {
            key: key.prefix(),
            revision: deleted.revision - 1,
        })?;

        let mut draft = Draft::after(Some(&base.manifest), key, self.at);
        let mut files = files_by_period(Some(&base.manifest));
        for old in &before.manifest.files {
            let restored = restore_file(series, old, files.get(&old.period), &draft).await?;
            draft.new += restored.new;
            files.insert(old.period.clone(), restored.file);
        }
        draft.manifest.files = files.into_values().collect();
        note_removal(&mut draft, self.by.as_deref(), true);
        Ok(draft)
    }
}

/// The file of a period with the bars that were deleted from it.
struct RestoredFile {
    file: BarFile,
    /// Bars that were brought back.
    new: u64,
}

/// Puts the bars of `old` beneath those that are stored now, which may be newer.
async fn restore_file(
    series: StoredSeries<'_>,
    old: &BarFile,
    current: Option<&BarFile>,
    draft: &Draft,
) -> Result<RestoredFile, StoreError> {
    let prefix = draft.manifest.series.as_str();
    if let Some(current) = current
        && current.sha256 == old.sha256
    {
        return Ok(RestoredFile {
            file: current.clone(),
            new: 0,
        });
    }

    // Read in any case: a file that is gone must not be named again.
    let bars = series.read_file(prefix, old).await?;
    let Some(current) = current else {
        return Ok(RestoredFile {
            file: old.clone(),
            new: old.rows,
        });
    };
    let merged = merge(bars, &series.read_file(prefix, current).await?);
    let file = series.write_file(prefix, &old.period, merged.bars).await?;
    Ok(RestoredFile {
        new: file.rows - current.rows,
        file,
    })
}
