//! What `ktrdr data load` says when it is done: one line a series, with what was fetched and what
//! the validator found.

use market::{SeriesKey, Utc};
use schemas::commands::{FetchOutcome, FetchedSeries, ValidateOutcome, ValidatedSeries};
use schemas::ids::Service;
use schemas::operation::OperationRecord;

use crate::watch::outcome_of;

/// The result of a completed data load.
pub(crate) fn describe_load(record: &OperationRecord) -> Option<Vec<(String, String)>> {
    let fetched: FetchOutcome = outcome_of(record, Service::Fetcher)?;
    let validated = outcome_of::<ValidateOutcome>(record, Service::Validator)
        .map_or_else(Vec::new, |all| all.series);
    let lines = fetched
        .series
        .iter()
        .flat_map(|series| lines(series, &validated))
        .collect();
    Some(lines)
}

fn lines(series: &FetchedSeries, validated: &[ValidatedSeries]) -> Vec<(String, String)> {
    let name = match series.series.parse::<SeriesKey>() {
        Ok(key) => format!("{} {}", key.instrument.symbol(), key.timeframe),
        Err(_) => series.series.clone(),
    };
    let range = match (series.first, series.last) {
        (Some(first), Some(last)) => format!(", {} to {}", Utc(first), Utc(last)),
        _ => String::new(),
    };
    let work = &series.work;
    let stored = format!(
        "{} bars{range}; {} new, {} changed, {} still missing",
        series.rows, work.new, work.changed, series.remaining
    );
    let mut lines = vec![(name.clone(), stored)];
    let checked = validated.iter().find(|each| each.series == series.series);
    if let Some(checked) = checked {
        let healthy = if checked.healthy {
            "healthy"
        } else {
            "look at the findings"
        };
        lines.push((
            String::new(),
            format!("quality {:.1} of 100 ({healthy})", checked.score),
        ));
    }
    let remarks = series
        .warnings
        .iter()
        .chain(checked.iter().flat_map(|checked| &checked.findings));
    lines.extend(remarks.map(|remark| (String::new(), remark.clone())));
    lines
}

#[cfg(test)]
mod tests {
    use schemas::commands::FetchCounts;

    use super::*;

    #[test]
    fn a_series_is_told_with_what_is_new_and_how_good_it_is() {
        let key = "bars/file/fx-eur-usd/bid-regular-raw-utc_midnight/1h".to_owned();
        let fetched = FetchedSeries {
            series: key.clone(),
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
            warnings: vec!["the provider has no volume".to_owned()],
        };
        let checked = ValidatedSeries {
            series: key,
            revision: 2,
            content_sha256: "c".to_owned(),
            report: "reports/r.json".to_owned(),
            bars: 120,
            score: 99.2,
            healthy: true,
            serious: 0,
            findings: Vec::new(),
        };
        let text: Vec<String> = lines(&fetched, &[checked])
            .iter()
            .map(|(name, text)| format!("{name}|{text}"))
            .collect();
        insta::assert_snapshot!(text.join("\n"), @"
        EURUSD 1h|120 bars, 2020-01-02T00:00:00Z to 2020-01-07T00:00:00Z; 24 new, 1 changed, 2 still missing
        |quality 99.2 of 100 (healthy)
        |the provider has no volume
        ");
    }
}
