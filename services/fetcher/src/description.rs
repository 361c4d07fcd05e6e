//! What a fetch leaves behind, in the words of its outcome.

use market::{GapAnalysis, GapClass, Utc};
use schemas::codes::Advice as _;
use schemas::commands::{FetchState, FetchedSeries, UnansweredRange};
use schemas::errors::ErrorRecord;
use schemas::gaps::FetchedGaps;
use schemas::progress::SegmentCounts;
use store::SeriesSnapshot;

use crate::asking::FailedRange;
use crate::fetch::WARNINGS_MAX;
use crate::plan::{FetchPlan, obtainable};
use crate::provider::ProviderError;
use crate::tally::Tally;

/// Ranges that an outcome names.
const UNANSWERED_MAX: usize = 5;

/// The ranges that got no answer, in the order in which they were asked for; neighbours with one
/// reason are one. `bars` is what each of them misses.
pub(crate) fn describe_unanswered(failed: &[(FailedRange, u64)]) -> Vec<UnansweredRange> {
    let mut ranges: Vec<UnansweredRange> = Vec::new();

    for (range, bars) in failed {
        let one = unanswered_range(range, *bars);
        match ranges.last_mut() {
            Some(last) if last.code == one.code && last.reason == one.reason => {
                last.start = last.start.min(one.start);
                last.end = last.end.max(one.end);
                last.bars += one.bars;
                last.segments += 1;
                last.tries = last.tries.max(one.tries);
            }
            _ => ranges.push(one),
        }
    }
    ranges.truncate(UNANSWERED_MAX);
    ranges
}

fn unanswered_range(failed: &FailedRange, bars: u64) -> UnansweredRange {
    let (code, reason) = match &failed.error {
        Some(error) => (error.code().to_string(), reason_of(error)),
        None => (
            String::new(),
            "not asked for, since the provider was given up before".to_owned(),
        ),
    };

    UnansweredRange {
        start: failed.range.start.0,
        end: failed.range.end.0,
        segments: 1,
        bars,
        tries: failed.tries,
        code,
        reason,
    }
}

/// The failure with its causes.
fn reason_of(error: &ProviderError) -> String {
    ErrorRecord::from_advice(error).message
}

/// Says that stored bars are all there is of a series, and how old the newest of them is.
pub(crate) fn stored_warning(
    title: &str,
    opens: &[Utc],
    now: Utc,
    error: &ProviderError,
) -> ErrorRecord {
    let newest = opens.last().copied().unwrap_or(now);

    let message = format!(
        "only the stored bars of {title} are there: the newest one opened at {newest}, {} ago; the \
         provider cannot answer: {}",
        rough_age(now.0 - newest.0),
        reason_of(error)
    );
    let hint = "run the same command again later: it asks only for what is missing";
    ErrorRecord::new(error.code(), message, hint)
}

/// `3 days`, `5 hours`, `2 minutes`: the largest unit that there is one of.
fn rough_age(micros: i64) -> String {
    let minutes = micros.max(0) / 60_000_000;
    let (count, unit) = match minutes {
        ..60 => (minutes, "minute"),
        60..1_440 => (minutes / 60, "hour"),
        1_440.. => (minutes / 1_440, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// The gaps before and after a fetch.
pub(crate) fn compare_gaps(plan: &FetchPlan, tally: Tally, remaining: &GapAnalysis) -> FetchedGaps {
    let mut counts = plan.gaps.counts();
    let missing = tally.missing.unwrap_or(plan.missing);

    // An attempt before this one filled the bars that are not missing any more.
    let filled_before = missing.saturating_sub(plan.missing);
    if filled_before > 0 {
        let missing_data = counts.entry(GapClass::MissingData).or_default();
        missing_data.bars = missing_data.bars.saturating_add(filled_before);
    }

    FetchedGaps {
        found: counts,
        filled: missing.saturating_sub(obtainable(remaining)),
        remaining: remaining.counts(),
    }
}

/// The outcome of one series, without its gaps.
pub(crate) fn fetched_series(
    snapshot: &SeriesSnapshot,
    tally: Tally,
    mut warnings: Vec<String>,
) -> FetchedSeries {
    // The outcome has a share of the operation's record.
    warnings.truncate(WARNINGS_MAX);
    let range = snapshot.manifest.range();

    FetchedSeries {
        series: snapshot.key.prefix(),
        revision: snapshot.manifest.revision,
        content_sha256: snapshot.content_sha256(),
        rows: snapshot.manifest.rows(),
        first: range.map(|(first, _)| first),
        last: range.map(|(_, last)| last),
        work: tally.work,
        missing: tally.missing.unwrap_or(0),
        remaining: 0,
        state: FetchState::Completed,
        segments: SegmentCounts::default(),
        unanswered: Vec::new(),
        gaps: FetchedGaps::default(),
        warnings,
    }
}
