//! The sealed period in the store: rows that no training reads, beside a data set that knows nothing
//! of them but that they exist.

use std::sync::{Arc, Mutex};

use market::Utc;
use processor::{ProcessError, ProcessJob, build_data_set};
use schemas::codes::Advice;
use schemas::commands::TrainRequest;
use schemas::progress::Progress;
use serde_json::{Value, json};

use crate::stored_bars::{THREADS, build, request, store_of_eurusd};

/// Within the 8 000 hours of the sample from 2014-01-01 on.
const SEALED_FROM: &str = "2015-02-01";

/// A strategy of the catalogue whose period from `date` on is sealed.
fn sealed_request(date: &str) -> TrainRequest {
    let plain = request("eurusd_rsi_macd", Value::Null);
    let line = format!("training_data:\n  sealed_from: {date}\n");
    TrainRequest {
        strategy: plain.strategy.replace("training_data:\n", &line),
        ..plain
    }
}

fn micros(text: &str) -> i64 {
    Utc::from_timestamp(text.parse().unwrap()).0
}

#[tokio::test]
async fn sealed_rows_are_another_object_than_the_data_set() {
    let (store, series) = store_of_eurusd(8_000).await;
    let from = micros("2015-02-01T00:00:00Z");
    let manifest = build(&store, &sealed_request(SEALED_FROM), &series).await;
    let manifest = manifest.unwrap().manifest;
    let sealed = manifest.sealed.clone().unwrap();

    let open = store.data_sets().read(&manifest).await.unwrap();
    assert!(open.known_at.iter().all(|known| *known < from));
    assert!(open.label_known_at.iter().all(|known| *known < from));
    assert_eq!(open.rows() as u64, manifest.rows);

    let data_sets = store.data_sets();
    let rows = data_sets
        .read_sealed(&manifest.inputs_sha256, &sealed)
        .await;
    let rows = rows.unwrap();
    assert!(
        rows.known_at
            .iter()
            .all(|known| *known >= from + manifest.embargo_micros)
    );
    assert!(rows.part.iter().all(|part| *part == 3));
    assert_eq!((rows.rows() as u64, sealed.from), (sealed.rows, from));
    assert_eq!(rows.feature_names, open.feature_names);

    // What is trained on is named by its inputs, and these do not know the rows.
    assert!(!manifest.inputs.to_string().contains(&sealed.sha256));
    assert_ne!(manifest.sha256, sealed.sha256);
}

#[tokio::test]
async fn without_the_key_a_manifest_does_not_mention_it() {
    let (store, series) = store_of_eurusd(8_000).await;
    let plain = build(&store, &request("eurusd_rsi_macd", Value::Null), &series).await;
    let plain = serde_json::to_value(plain.unwrap().manifest).unwrap();

    assert_eq!(plain.get("sealed"), None);
    assert_eq!(plain["inputs"].get("sealed_from"), None);
}

#[tokio::test]
async fn a_fold_that_ends_before_the_period_has_nothing_to_seal() {
    let (store, series) = store_of_eurusd(8_000).await;
    let fold = TrainRequest {
        overrides: json!({ "end": micros("2015-02-01T00:00:00Z") }),
        ..sealed_request(SEALED_FROM)
    };

    let built = build(&store, &fold, &series).await.unwrap();
    assert_eq!(built.manifest.sealed, None);
    let rows = store.data_sets().read(&built.manifest).await.unwrap();
    assert!(
        rows.known_at
            .iter()
            .all(|known| *known < micros("2015-02-01T00:00:00Z"))
    );
}

#[tokio::test]
async fn a_period_after_the_last_bar_is_refused_with_what_to_change() {
    let (store, series) = store_of_eurusd(8_000).await;

    let refused = build(&store, &sealed_request("2017-06-01"), &series).await;
    let ProcessError::DataSet(error) = refused.unwrap_err() else {
        panic!("another error");
    };
    assert_eq!(
        error.to_string(),
        "no bar from 2017-06-01T00:00:00Z on, where the sealed period begins, gives a row with \
         its label"
    );
    let hint = error.hint();
    assert!(
        hint.starts_with("choose an earlier training_data.sealed_from"),
        "{hint}"
    );
}

#[tokio::test]
async fn progress_goes_on_through_both_sides_of_the_date() {
    let (store, series) = store_of_eurusd(8_000).await;
    let job = ProcessJob::new(&sealed_request(SEALED_FROM), &series).unwrap();
    let reports: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let writer = Arc::clone(&reports);
    let report = move |progress| writer.lock().unwrap().push(progress);

    let built = build_data_set(&store, &job, THREADS, Utc(7), || false, report).await;
    built.unwrap();

    let reports = reports.lock().unwrap();
    let fractions: Vec<f64> = reports.iter().map(|progress| progress.fraction).collect();
    // Six works of one symbol, twice.
    assert_eq!(fractions.len(), 12);
    assert!(fractions.is_sorted(), "{fractions:?}");
    assert!(fractions.iter().all(|fraction| *fraction < 0.95));
}
