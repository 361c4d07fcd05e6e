//! From stored series to a data set and back: what is stored is what prediction would compute, once
//! per distinct input.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use market::{Timeframe, Utc};
use processor::{BuiltDataSet, ProcessError, ProcessJob, build_data_set};
use schemas::commands::TrainRequest;
use schemas::progress::Progress;
use serde_json::{Value, json};
use store::{ALL_TIME, DataSetTable};
use strategies::{SymbolBars, compute_features};

use crate::stored_bars::{THREADS, build, empty_store, key, load, request, store_of_eurusd};

const MICROS_PER_HOUR: i64 = 3_600_000_000;

#[tokio::test]
async fn what_is_stored_is_what_prediction_computes() {
    let (store, series) = store_of_eurusd(8_000).await;
    let request = request("eurusd_momentum_regression", Value::Null);
    let manifest = build(&store, &request, &series).await.unwrap().manifest;
    let table = store.data_sets().read(&manifest).await.unwrap();

    let key = key("EURUSD", Timeframe::HOUR_1);
    let (_, bars) = store.series().read_newest(&key, ALL_TIME).await.unwrap();
    let bars = SymbolBars::from([(Timeframe::HOUR_1, bars)]);
    let job = ProcessJob::new(&request, &series).unwrap();
    let matrix = compute_features(&job.resolved, &bars, &manifest.features).unwrap();

    assert_eq!(table.rows() as u64, manifest.rows);
    for row in 0..table.rows() {
        let open_time = Utc(table.open_time[row]);
        let position = matrix.open_time.binary_search(&open_time).unwrap();
        let predicted = &matrix.values[position * matrix.width..(position + 1) * matrix.width];
        let stored: Vec<f32> = table.features.iter().map(|column| column[row]).collect();
        assert_eq!(predicted, stored, "row {row}");
        assert_eq!(matrix.known_at[position], Utc(table.known_at[row]));
    }
}

/// The same data set with weights and without.
struct WeightedAndPlain {
    weighted: BuiltDataSet,
    plain: BuiltDataSet,
    weighted_table: DataSetTable,
    plain_table: DataSetTable,
}

async fn weighted_and_plain() -> WeightedAndPlain {
    let (store, series) = store_of_eurusd(8_000).await;
    let weighted = request("eurusd_events", Value::Null);
    let plain = TrainRequest {
        strategy: weighted.strategy.replace("compute_weights: true", ""),
        ..weighted.clone()
    };
    let weighted = build(&store, &weighted, &series).await.unwrap();
    let plain = build(&store, &plain, &series).await.unwrap();

    let weighted_table = store.data_sets().read(&weighted.manifest).await;
    let plain_table = store.data_sets().read(&plain.manifest).await;
    WeightedAndPlain {
        weighted,
        plain,
        weighted_table: weighted_table.unwrap(),
        plain_table: plain_table.unwrap(),
    }
}

#[tokio::test]
async fn weights_are_a_column_where_the_strategy_asks_for_them() {
    let built = weighted_and_plain().await;

    let weights = built.weighted_table.weight.as_ref().unwrap();
    assert_eq!(weights.len(), built.weighted_table.rows());
    for weight in weights {
        assert!((0.0..=1.0).contains(weight), "{weight}");
    }

    let without_weights = DataSetTable {
        weight: None,
        ..built.weighted_table
    };
    assert_eq!(built.plain_table, without_weights);
}

#[tokio::test]
async fn weights_are_part_of_the_key_of_a_data_set() {
    let built = weighted_and_plain().await;
    assert!(built.weighted.manifest.weighted);
    assert!(!built.plain.manifest.weighted);
    assert_ne!(
        built.weighted.manifest.inputs_sha256,
        built.plain.manifest.inputs_sha256
    );
}

#[tokio::test]
async fn a_manifest_without_weights_does_not_mention_them() {
    let built = weighted_and_plain().await;
    let manifest = serde_json::to_value(&built.plain.manifest).unwrap();
    assert_eq!(
        manifest.get("weighted"),
        None,
        "an older manifest is the same bytes"
    );
}

#[tokio::test]
async fn symbols_are_stacked_in_the_order_of_the_strategy() {
    let store = empty_store().await;
    let mut series = Vec::new();
    for symbol in ["SPY", "IBM", "AAPL"] {
        series.push(load(&store, symbol, Timeframe::DAY_1, 5_000).await);
    }

    let request = request("us_equities_trend", Value::Null);
    let BuiltDataSet { manifest, reused } = build(&store, &request, &series).await.unwrap();

    assert!(!reused);
    let table = store.data_sets().read(&manifest).await.unwrap();
    assert_eq!(table.symbols, ["stk:AAPL", "stk:IBM", "stk:SPY"]);
    assert!(table.symbol.is_sorted());
    let revisions: Vec<u64> = manifest.series.iter().map(|input| input.revision).collect();
    assert_eq!(revisions, [1, 1, 1]);

    let parts = ["train", "validation", "test"];
    let counted: u64 = parts.iter().map(|part| manifest.rows_of(part)).sum();
    assert_eq!(counted, manifest.rows);

    // A daily bar is known when its session closes: 16:00 in New York is 20:00 or 21:00 UTC.
    for known_at in &table.known_at {
        let hour = known_at / MICROS_PER_HOUR % 24;
        assert!([17, 18, 20, 21].contains(&hour), "{hour}");
    }
}

#[tokio::test]
async fn requests_that_differ_in_training_only_share_a_data_set() {
    let (store, series) = store_of_eurusd(8_000).await;
    let plain = request("eurusd_rsi_macd", Value::Null);
    let slower = request(
        "eurusd_rsi_macd",
        json!({"learning_rate": 0.01, "epochs": 3, "seed": 9}),
    );

    let first = build(&store, &plain, &series).await.unwrap();
    let second = build(&store, &slower, &series).await.unwrap();

    assert!(!first.reused);
    assert!(second.reused);
    assert_eq!(first.manifest, second.manifest);
}

#[tokio::test]
async fn other_dates_are_another_data_set() {
    let (store, series) = store_of_eurusd(8_000).await;
    let start = Utc::from_timestamp("2014-02-01T00:00:00Z".parse().unwrap());
    let whole = request("eurusd_rsi_macd", Value::Null);
    let later = request("eurusd_rsi_macd", json!({ "start": start }));

    let whole = build(&store, &whole, &series).await.unwrap();
    let later = build(&store, &later, &series).await.unwrap();

    assert!(!later.reused);
    assert_ne!(later.manifest.inputs_sha256, whole.manifest.inputs_sha256);
    assert!(later.manifest.series[0].rows < whole.manifest.series[0].rows);
}

#[tokio::test]
async fn one_more_bar_is_another_data_set() {
    let (store, series) = store_of_eurusd(8_000).await;
    let request = request("eurusd_rsi_macd", Value::Null);
    build(&store, &request, &series).await.unwrap();

    load(&store, "EURUSD", Timeframe::HOUR_1, 8_001).await;

    assert!(!build(&store, &request, &series).await.unwrap().reused);
}

#[tokio::test]
async fn two_workers_that_build_the_same_data_set_end_with_one() {
    let (store, series) = store_of_eurusd(6_000).await;
    let request = request("eurusd_rsi_macd", Value::Null);
    let job = ProcessJob::new(&request, &series).unwrap();

    let (one, two) = tokio::join!(
        build_data_set(&store, &job, THREADS, Utc(7), || false, |_| ()),
        build_data_set(&store, &job, THREADS, Utc(8), || false, |_| ()),
    );

    assert_eq!(one.unwrap().manifest, two.unwrap().manifest);
}

#[tokio::test]
async fn progress_names_symbol_and_indicator_and_never_falls() {
    let (store, series) = store_of_eurusd(6_000).await;
    let job = ProcessJob::new(&request("eurusd_rsi_macd", Value::Null), &series).unwrap();
    let reports: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let writer = Arc::clone(&reports);
    let report = move |progress| writer.lock().unwrap().push(progress);

    let built = build_data_set(&store, &job, THREADS, Utc(7), || false, report).await;
    built.unwrap();

    let reports = reports.lock().unwrap();
    assert!(reports.iter().map(|progress| progress.fraction).is_sorted());
    let messages: Vec<&str> = reports
        .iter()
        .map(|progress| progress.message.as_str())
        .collect();
    assert_eq!(
        messages,
        [
            "Processing fx:EUR.USD: bars (symbol 1/1)",
            "Processing fx:EUR.USD: rsi_14 [1h] (indicator 1/3) (symbol 1/1)",
            "Processing fx:EUR.USD: macd_12_26_9 [1h] (indicator 2/3) (symbol 1/1)",
            "Processing fx:EUR.USD: adx_14 [1h] (indicator 3/3) (symbol 1/1)",
            "Processing fx:EUR.USD: leak test (symbol 1/1)",
            "Processing fx:EUR.USD: labels (symbol 1/1)",
        ]
    );
}

#[tokio::test]
async fn a_stop_publishes_nothing() {
    let (store, series) = store_of_eurusd(6_000).await;
    let request = request("eurusd_rsi_macd", Value::Null);
    let job = ProcessJob::new(&request, &series).unwrap();
    let questions = AtomicUsize::new(0);
    let stop = move || questions.fetch_add(1, Ordering::Relaxed) == 3;

    let stopped = build_data_set(&store, &job, THREADS, Utc(7), stop, |_| ()).await;

    let error = stopped.unwrap_err();
    assert!(matches!(error, ProcessError::Stopped), "{error}");
    let built = build(&store, &request, &series).await.unwrap();
    assert!(!built.reused, "nothing was stored");
}
