//! What `ktrdr data load` says at its end: for each series what was fetched, and what the validator
//! found.

use market::{GapClass, SeriesKey, Utc};
use schemas::commands::{
    FetchBars, FetchOutcome, FetchState, FetchedSeries, FollowOutcome, FollowedSeries,
    UnansweredRange, ValidateOutcome, ValidatedSeries,
};
use schemas::ids::Service;
use schemas::operation::OperationRecord;

use crate::watch::outcome_of;

/// The result of a completed data load; none if its fetcher stored none.
pub(crate) fn describe_load(record: &OperationRecord) -> Option<Vec<(String, String)>> {
    if let Some(outcome) = outcome_of::<FollowOutcome>(record, Service::Fetcher) {
        return Some(outcome.followed.iter().map(describe_followed).collect());
    }
    let fetched: FetchOutcome = outcome_of(record, Service::Fetcher)?;
    let validated = outcome_of::<ValidateOutcome>(record, Service::Validator)
        .map_or_else(Vec::new, |outcome| outcome.series);

    let mut lines = Vec::new();
    for series in &fetched.series {
        let checked = validated.iter().find(|each| each.series == series.series);
        lines.extend(describe_series(series, checked));
        if series.state == FetchState::Partial {
            lines.extend(describe_partial(series, command_of(record).as_ref()));
        }
    }
    Some(lines)
}

/// The command of the fetch; none where this program cannot read it.
fn command_of(record: &OperationRecord) -> Option<FetchBars> {
    let mut steps = record.plan.steps();
    let fetch = steps.find(|step| step.service == Service::Fetcher)?;
    serde_json::from_value(fetch.command.clone()).ok()
}

/// What is left of a series, why, and how to get it.
fn describe_partial(series: &FetchedSeries, command: Option<&FetchBars>) -> Vec<(String, String)> {
    let counts = series.segments;
    let missed = counts.failed + counts.skipped;
    let mut texts = vec![format!(
        "partial: {missed} of {} requests were not answered",
        counts.total
    )];

    texts.extend(series.unanswered.iter().map(describe_unanswered));
    let again = match (series.series.parse::<SeriesKey>(), command) {
        (Ok(key), Some(command)) => format!("`{}`", load_command(&key, command)),
        _ => "the same command".to_owned(),
    };
    texts.push(format!(
        "{again} asks for what is left, and for nothing else"
    ));
    texts
        .into_iter()
        .map(|text| (String::new(), text))
        .collect()
}

fn describe_unanswered(range: &UnansweredRange) -> String {
    let tries = match range.tries {
        0 => String::new(),
        1 => ", 1 try".to_owned(),
        tries => format!(", {tries} tries"),
    };
    let bars = range.bars;
    let start = Utc(range.start).date();
    let end = Utc(range.end).date();
    format!("{start} to {end} ({bars} bars{tries}): {}", range.reason)
}

/// The command that loads what is left of one series.
fn load_command(key: &SeriesKey, command: &FetchBars) -> String {
    let symbol = key.instrument.spelling();
    let timeframe = key.timeframe;
    let provider = &command.provider;
    let mode = command.mode.as_str();
    let mut text = format!(
        "ktrdr data load {symbol} --timeframe {timeframe} --provider {provider} --mode {mode}"
    );

    let start = command.start.map(|start| format!(" --start {start}"));
    let end = command.end.map(|end| format!(" --end {end}"));
    let calendar = command.calendar.as_ref();
    let calendar = calendar.map(|name| format!(" --calendar {name}"));
    text.extend([start, end, calendar].into_iter().flatten());
    text
}

/// `EURUSD 1h` with `3 bars closed, 0 did not come; the last one opened at …`.
fn describe_followed(series: &FollowedSeries) -> (String, String) {
    let last = match series.last {
        Some(last) => format!("; the last one opened at {}", Utc(last)),
        None => String::new(),
    };
    let text = format!(
        "{} stored as they closed, {} did not come{last}",
        series.bars, series.missing
    );
    (name_of(&series.series), text)
}

/// The lines of one series, named on the first.
fn describe_series(
    series: &FetchedSeries,
    checked: Option<&ValidatedSeries>,
) -> Vec<(String, String)> {
    let mut texts = vec![describe_stored(series)];
    if let Some(checked) = checked {
        texts.push(describe_quality(checked));
    }
    texts.extend(series.warnings.iter().cloned());
    if let Some(checked) = checked {
        texts.extend(checked.findings.iter().cloned());
    }

    let names = std::iter::once(name_of(&series.series)).chain(std::iter::repeat(String::new()));
    names.zip(texts).collect()
}

/// `EURUSD 1h`, or the key as it is where this program cannot read it.
fn name_of(series: &str) -> String {
    match series.parse::<SeriesKey>() {
        Ok(key) => format!("{} {}", key.instrument.symbol(), key.timeframe),
        Err(_) => series.to_owned(),
    }
}

fn describe_stored(series: &FetchedSeries) -> String {
    let range = match (series.first, series.last) {
        (Some(first), Some(last)) => format!(", {} to {}", Utc(first), Utc(last)),
        _ => String::new(),
    };
    format!(
        "{} bars{range}; {} new, {} changed, {} still missing{}",
        series.rows,
        series.work.new,
        series.work.changed,
        series.remaining,
        describe_classes(series)
    )
}

/// ` (2 provider_empty, 1 missing_data)`: the classes of the bars that are still missing.
fn describe_classes(series: &FetchedSeries) -> String {
    let with_bars = series
        .gaps
        .remaining
        .iter()
        .filter(|(class, count)| count.bars > 0 && **class != GapClass::BeforeHistory);
    let counts: Vec<String> = with_bars
        .map(|(class, count)| format!("{} {class}", count.bars))
        .collect();

    match counts.as_slice() {
        [] => String::new(),
        counts => format!(" ({})", counts.join(", ")),
    }
}

fn describe_quality(checked: &ValidatedSeries) -> String {
    let verdict = if checked.healthy {
        "healthy"
    } else {
        "look at the findings"
    };
    format!("quality {:.1} of 100 ({verdict})", checked.score)
}

#[cfg(test)]
mod tests {
    use schemas::commands::{FetchCounts, FetchMode, SeriesRequest};
    use schemas::gaps::{FetchedGaps, GapCount};
    use schemas::progress::SegmentCounts;

    use super::*;

    const KEY: &str = "bars/file/fx-eur-usd/bid-regular-raw-utc_midnight/1h";

    fn fetched() -> FetchedSeries {
        FetchedSeries {
            series: KEY.to_owned(),
            revision: 2,
            content_sha256: "c".to_owned(),
            rows: 120,
            // 2020-01-02T00:00:00Z and five days later.
            first: Some(1_577_923_200_000_000),
            last: Some(1_578_355_200_000_000),
            work: FetchCounts {
                fetched: 25,
                new: 24,
                changed: 1,
                segments: 1,
                empty: 0,
            },
            missing: 26,
            remaining: 2,
            gaps: FetchedGaps {
                remaining: [(
                    GapClass::ProviderEmpty,
                    GapCount {
                        stretches: 1,
                        bars: 2,
                    },
                )]
                .into(),
                ..FetchedGaps::default()
            },
            warnings: vec!["the provider has no volume".to_owned()],
            state: FetchState::Completed,
            segments: SegmentCounts::default(),
            unanswered: Vec::new(),
        }
    }

    fn checked() -> ValidatedSeries {
        ValidatedSeries {
            series: KEY.to_owned(),
            revision: 2,
            content_sha256: "c".to_owned(),
            report: "reports/r.json".to_owned(),
            bars: 120,
            score: 99.2,
            healthy: true,
            serious: 0,
            findings: Vec::new(),
        }
    }

    #[test]
    fn a_series_is_described_with_its_new_bars_and_quality() {
        let text: Vec<String> = describe_series(&fetched(), Some(&checked()))
            .iter()
            .map(|(name, text)| format!("{name}|{text}"))
            .collect();

        insta::assert_snapshot!(text.join("\n"), @"
        EURUSD 1h|120 bars, 2020-01-02T00:00:00Z to 2020-01-07T00:00:00Z; 24 new, 1 changed, 2 still missing (2 provider_empty)
        |quality 99.2 of 100 (healthy)
        |the provider has no volume
        ");
    }

    fn partial() -> FetchedSeries {
        let failed = UnansweredRange {
            // 2020-01-03 and the day after it.
            start: 1_578_009_600_000_000,
            end: 1_578_096_000_000_000,
            segments: 1,
            bars: 24,
            tries: 3,
            code: "PROVIDER-Unreachable".to_owned(),
            reason: "binance: https://api.binance.com cannot answer now (HTTP 503)".to_owned(),
        };

        FetchedSeries {
            state: FetchState::Partial,
            segments: SegmentCounts {
                total: 10,
                ok: 9,
                failed: 1,
                ..SegmentCounts::default()
            },
            unanswered: vec![failed],
            ..fetched()
        }
    }

    #[test]
    fn a_partial_load_says_what_is_left_why_and_how_to_get_it() {
        let series = SeriesRequest {
            symbol: "EURUSD".to_owned(),
            timeframe: "1h".to_owned(),
        };
        let command = FetchBars {
            provider: "binance".to_owned(),
            series: vec![series],
            mode: FetchMode::Full,
            start: Some("2020-01-01T00:00:00Z".parse().unwrap()),
            end: None,
            refetch: false,
            calendar: None,
            accept_finer: false,
            accept_stored: false,
        };
        let lines = describe_partial(&partial(), Some(&command));
        let texts: Vec<String> = lines.into_iter().map(|(_, text)| text).collect();

        insta::assert_snapshot!(texts.join("\n"), @"
        partial: 1 of 10 requests were not answered
        2020-01-03 to 2020-01-04 (24 bars, 3 tries): binance: https://api.binance.com cannot answer now (HTTP 503)
        `ktrdr data load EURUSD --timeframe 1h --provider binance --mode full --start 2020-01-01T00:00:00Z` asks for what is left, and for nothing else
        ");
    }
}
