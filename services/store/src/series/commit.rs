//! Commits: an edit merged into the files of the periods that it touches.

use std::thread::available_parallelism;

use futures::{StreamExt, TryStreamExt, stream};
use market::{SeriesKey, Utc};
use schemas::manifests::{BarFile, EmptyInterval};

use super::revision::{Change, Draft, files_by_period};
use super::{SeriesSnapshot, StoredSeries};
use crate::StoreError;
use crate::merge::{cut_by_period, find_unstorable, merge, merge_empty};
use crate::raw_bars::RawBars;

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
        let Edit {
            bars,
            empty_intervals,
            calendar,
            at,
        } = edit;
        let bars = bars.sorted();

        // Checked before anything is written, so that a bad bar leaves no file behind.
        if let Some(unstorable) = find_unstorable(&bars) {
            return Err(StoreError::Edit {
                series: key.prefix(),
                reason: unstorable.to_string(),
            });
        }

        // Only the pieces are needed from here on, and the bars may fill half of the memory.
        let pieces = cut_by_period(key.timeframe, &bars);
        drop(bars);
        let merging = Merging {
            pieces,
            empty_intervals,
            calendar,
            at,
        };
        self.apply(key, &merging, cached).await
    }
}

/// An edit, cut by the files that it touches.
struct Merging {
    /// Bars by the name of their period, oldest first.
    pieces: Vec<(String, RawBars)>,
    empty_intervals: Vec<EmptyInterval>,
    calendar: String,
    at: Utc,
}

impl Change for Merging {
    /// Writes the files that the edit touches, merged with what they held.
    async fn draft(
        &self,
        series: StoredSeries<'_>,
        key: &SeriesKey,
        base: Option<&SeriesSnapshot>,
    ) -> Result<Draft, StoreError> {
        let base = base.map(|snapshot| &snapshot.manifest);
        let mut draft = Draft::after(base, key, self.at);
        let prefix = draft.manifest.series.clone();
        let mut files = files_by_period(base);

        // A server, or a disk that syncs, is slow to answer: several files are written at a time.
        let writes_at_once = available_parallelism().map_or(1, usize::from);
        let mut merges = Vec::with_capacity(self.pieces.len());
        for (period, piece) in &self.pieces {
            let file = files.get(period);
            merges.push(merge_piece(series, &prefix, period, file, piece));
        }
        let merges = stream::iter(merges).buffered(writes_at_once);
        let merged_pieces: Vec<MergedPiece> = merges.try_collect().await?;

        // Bars that are stored already keep the file that they are in.
        for merged in merged_pieces {
            draft.new += merged.new;
            draft.changed += merged.changed;
            if let Some(file) = merged.file {
                files.insert(file.period.clone(), file);
            }
        }
        draft.manifest.files = files.into_values().collect();

        // An edit without a calendar says nothing about it.
        if !self.calendar.is_empty() {
            draft.manifest.calendar.clone_from(&self.calendar);
        }
        draft.manifest.empty = merge_empty(&draft.manifest.empty, &self.empty_intervals);
        Ok(draft)
    }
}

/// One file of a revision after an edit.
struct MergedPiece {
    /// Absent if the stored file holds every bar already.
    file: Option<BarFile>,
    new: u64,
    changed: u64,
}

/// Merges the bars of one period into its file, if it has one, and writes what comes of it.
async fn merge_piece(
    series: StoredSeries<'_>,
    prefix: &str,
    period: &str,
    file: Option<&BarFile>,
    piece: &RawBars,
) -> Result<MergedPiece, StoreError> {
    let stored = match file {
        Some(file) => series.read_file(prefix, file).await?,
        None => RawBars::default(),
    };
    let merged = merge(stored, piece);

    // What is stored already keeps its file, so that a repeated edit writes nothing.
    let file = if merged.new + merged.changed > 0 {
        Some(series.write_file(prefix, period, merged.bars).await?)
    } else {
        None
    };
    Ok(MergedPiece {
        file,
        new: merged.new,
        changed: merged.changed,
    })
}
