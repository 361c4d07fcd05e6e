//! A timeframe that nobody has is replaced by a finer one, where a command allows it.

use fetcher::FetchError;
use fetcher::GapSettings;
use fetcher::fetch::fetch;
use fetcher::file_provider::FileProvider;
use schemas::commands::{FetchBars, FetchMode, FetchOutcome, SeriesRequest};
use store::files::Mapping;
use store::{ALL_TIME, Store};

use crate::fetching::{hourly, memory};
use crate::scripted::{Runner, utc};

/// Runs a fetch from a folder of files with one hour of EURUSD each.
async fn fetch_from(
    files: &[&str],
    store: &Store,
    command: &FetchBars,
) -> Result<FetchOutcome, FetchError> {
    let folder = tempfile::tempdir().unwrap();
    let bars = "timestamp,open,high,low,close\n2020-01-02T12:00:00Z,1,2,0.5,1\n";
    for file in files {
        std::fs::write(folder.path().join(file), bars).unwrap();
    }

    let provider = FileProvider::open(folder.path().to_str().unwrap(), Mapping::default());
    let now = utc("2026-01-01T00:00:00Z");
    let settings = GapSettings::default();
    fetch(
        store,
        &provider.unwrap(),
        command,
        &settings,
        now,
        &Runner::default(),
    )
    .await
}

/// EURUSD in these timeframes, finer ones allowed.
fn command(timeframes: &[&str], mode: FetchMode) -> FetchBars {
    let series = timeframes.iter().map(|timeframe| SeriesRequest {
        symbol: "EURUSD".to_owned(),
        timeframe: (*timeframe).to_owned(),
    });

    FetchBars {
        series: series.collect(),
        accept_finer: true,
        accept_stored: false,
        ..hourly(mode)
    }
}

/// The timeframes of the series of an outcome.
fn timeframes(outcome: &FetchOutcome) -> Vec<&str> {
    let series = outcome.series.iter();
    series
        .map(|series| series.series.rsplit('/').next().unwrap())
        .collect()
}

#[tokio::test]
async fn the_coarsest_finer_series_is_fetched_and_said() {
    let files = ["EURUSD_5m.csv", "EURUSD_1h.csv", "EURUSD_1w.csv"];

    let outcome = fetch_from(&files, &memory().await, &command(&["1d"], FetchMode::Full)).await;

    let outcome = outcome.unwrap();
    assert_eq!(timeframes(&outcome), ["1h"]);
    assert_eq!(
        outcome.series[0].warnings[0],
        "1d bars of EURUSD are made of its 1h bars: none are stored, and the provider has none"
    );
}

#[tokio::test]
async fn a_finer_series_that_is_wanted_anyway_is_fetched_once() {
    let command = command(&["4h", "1h", "1d"], FetchMode::Full);

    let outcome = fetch_from(&["EURUSD_1h.csv"], &memory().await, &command).await;

    let outcome = outcome.unwrap();
    assert_eq!(timeframes(&outcome), ["1h"]);
    let notes = &outcome.series[0].warnings;
    assert!(
        notes[0].starts_with("4h bars") && notes[1].starts_with("1d bars"),
        "{notes:?}"
    );
}

#[tokio::test]
async fn a_series_that_the_provider_has_is_not_replaced() {
    let files = ["EURUSD_1h.csv", "EURUSD_4h.csv"];
    let store = memory().await;

    let outcome = fetch_from(&files, &store, &command(&["4h"], FetchMode::Full)).await;
    assert_eq!(timeframes(&outcome.unwrap()), ["4h"]);

    // What is stored needs no provider.
    let stored = fetch_from(&[], &store, &command(&["4h"], FetchMode::Local)).await;
    assert_eq!(timeframes(&stored.unwrap()), ["4h"]);
}

#[tokio::test]
async fn a_stored_finer_series_is_enough_without_a_provider() {
    let store = memory().await;
    let hours = command(&["1h"], FetchMode::Full);
    fetch_from(&["EURUSD_1h.csv"], &store, &hours)
        .await
        .unwrap();

    let outcome = fetch_from(&[], &store, &command(&["1d"], FetchMode::Local)).await;

    assert_eq!(timeframes(&outcome.unwrap()), ["1h"]);
}

#[tokio::test]
async fn a_series_whose_bars_were_deleted_is_not_stored() {
    let store = memory().await;
    let files = ["EURUSD_1h.csv", "EURUSD_4h.csv"];
    let loaded = fetch_from(&files, &store, &command(&["1h", "4h"], FetchMode::Full)).await;
    let deleted = loaded.unwrap().series[1].series.parse().unwrap();
    let now = utc("2026-01-02T00:00:00Z");
    let deletion = store.series().delete(&deleted, ALL_TIME, now).await;
    deletion.unwrap();

    // Neither does it keep its own place nor that of a coarser one.
    for timeframe in ["4h", "1d"] {
        let outcome = fetch_from(&[], &store, &command(&[timeframe], FetchMode::Local)).await;
        assert_eq!(timeframes(&outcome.unwrap()), ["1h"]);
    }
}

#[tokio::test]
async fn without_any_finer_series_the_wanted_one_is_missing() {
    let store = memory().await;

    let error = fetch_from(
        &["EURUSD_1w.csv"],
        &store,
        &command(&["1d"], FetchMode::Full),
    )
    .await;

    let FetchError::Provider(unknown) = error.unwrap_err() else {
        panic!("the provider has the bars")
    };
    let text = unknown.to_string();
    assert!(text.starts_with("no file for fx:EUR.USD 1d"), "{text}");
    let only_wanted = FetchBars {
        accept_finer: false,
        accept_stored: false,
        ..command(&["1d"], FetchMode::Full)
    };
    let refused = fetch_from(&["EURUSD_1h.csv"], &store, &only_wanted).await;
    assert!(refused.is_err(), "a plain load takes what it was asked for");
}
