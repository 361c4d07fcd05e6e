//! From stored series to a data set and back: what is stored is what prediction would compute, once
//! per distinct input.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test may fail loudly"
)]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use market::{Instrument, SeriesKey, Timeframe, Utc};
use processor::{Built, Job, ProcessError, build};
use schemas::commands::TrainRequest;
use schemas::errors::ErrorRecord;
use store::{ALL_TIME, DataSetTable, Edit, RawBar, RawBars, Store};
use strategies::{SymbolBars, compute_features};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .parent()
        .unwrap()
}

fn request(strategy: &str, overrides: serde_json::Value) -> TrainRequest {
    let text =
        std::fs::read_to_string(project().join(format!("strategies/catalog/{strategy}.yaml")))
            .unwrap();
    TrainRequest {
        strategy: text,
        overrides,
        model: None,
    }
}

fn key(symbol: &str, timeframe: Timeframe) -> SeriesKey {
    SeriesKey::standard("file", Instrument::parse(symbol).unwrap(), timeframe).unwrap()
}

/// Stores the first `rows` of the bars that ship with the project.
async fn load(store: &Store, symbol: &str, timeframe: Timeframe, rows: usize) -> String {
    let file =
        std::fs::File::open(project().join(format!("tests/bars/{symbol}_{timeframe}.csv.gz")))
            .unwrap();
    let mut bars = RawBars::default();
    for row in csv::Reader::from_reader(GzDecoder::new(file))
        .records()
        .take(rows)
    {
        let row = row.unwrap();
        let number = |index: usize| row[index].parse::<f64>().unwrap();
        let volume = if number(5) > 0.0 { number(5) } else { f64::NAN };
        let prices = [number(1), number(2), number(3), number(4)];
        bars.push(RawBar {
            open_time: Utc::from_timestamp(row[0].parse().unwrap()),
            prices,
            volume,
        });
    }
    let edit = Edit {
        bars,
        empty_intervals: Vec::new(),
        calendar: "sample".to_owned(),
        at: Utc(1),
    };
    let key = key(symbol, timeframe);
    store.series().commit(&key, edit, None).await.unwrap();
    key.prefix()
}

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

async fn built(
    store: &Store,
    request: &TrainRequest,
    series: &[String],
) -> Result<Built, ProcessError> {
    build(
        store,
        &Job::new(request, series)?,
        TWO,
        Utc(7),
        || false,
        |_| (),
    )
    .await
}

#[tokio::test]
async fn what_is_stored_is_what_prediction_computes_from_the_same_bars() {
    let store = Store::open("memory:///").await.unwrap();
    let series = [load(&store, "EURUSD", Timeframe::Hour1, 8_000).await];
    let request = request("eurusd_momentum_regression", serde_json::Value::Null);
    let manifest = built(&store, &request, &series).await.unwrap().manifest;
    let table = store.data_sets().read(&manifest).await.unwrap();
    let (_, bars) = store
        .series()
        .read_newest(&key("EURUSD", Timeframe::Hour1), ALL_TIME)
        .await
        .unwrap();
    let job = Job::new(&request, &series).unwrap();
    let matrix = compute_features(
        &job.resolved,
        &SymbolBars::from([(Timeframe::Hour1, bars)]),
        &manifest.features,
    )
    .unwrap();
    assert_eq!(table.rows() as u64, manifest.rows);
    for row in 0..table.rows() {
        let position = matrix
            .open_time
            .binary_search(&Utc(table.open_time[row]))
            .unwrap();
        let predicted = &matrix.values[position * matrix.width..(position + 1) * matrix.width];
        let stored: Vec<f32> = table.features.iter().map(|column| column[row]).collect();
        assert_eq!(predicted, stored, "row {row}");
        assert_eq!(matrix.known_at[position], Utc(table.known_at[row]));
    }
}

#[tokio::test]
async fn weights_are_a_column_of_the_data_sets_that_ask_for_them_and_of_no_other() {
    let store = Store::open("memory:///").await.unwrap();
    let series = [load(&store, "EURUSD", Timeframe::Hour1, 8_000).await];
    let asked = request("eurusd_events", serde_json::Value::Null);
    let plain = TrainRequest {
        strategy: asked.strategy.replace("compute_weights: true", ""),
        ..asked.clone()
    };
    let (asked, plain) = (
        built(&store, &asked, &series).await.unwrap(),
        built(&store, &plain, &series).await.unwrap(),
    );
    assert_eq!(
        [asked.manifest.weighted, plain.manifest.weighted],
        [true, false]
    );
    assert_ne!(asked.manifest.inputs_sha256, plain.manifest.inputs_sha256);
    assert_eq!(
        serde_json::to_value(&plain.manifest)
            .unwrap()
            .get("weighted"),
        None,
        "an older manifest is the same bytes"
    );
    let weighted = store.data_sets().read(&asked.manifest).await.unwrap();
    let weights = weighted.weight.clone().unwrap();
    assert!(
        weights.len() == weighted.rows()
            && weights.iter().all(|weight| (0.0..=1.0).contains(weight))
    );
    assert_eq!(
        store.data_sets().read(&plain.manifest).await.unwrap(),
        DataSetTable {
            weight: None,
            ..weighted
        }
    );
}

#[tokio::test]
async fn several_symbols_are_stacked_in_the_order_of_the_strategy() {
    let store = Store::open("memory:///").await.unwrap();
    let mut series = Vec::new();
    for symbol in ["SPY", "IBM", "AAPL"] {
        series.push(load(&store, symbol, Timeframe::Day1, 5_000).await);
    }
    let Built { manifest, reused } = built(
        &store,
        &request("us_equities_trend", serde_json::Value::Null),
        &series,
    )
    .await
    .unwrap();
    assert!(!reused);
    let table = store.data_sets().read(&manifest).await.unwrap();
    assert_eq!(table.symbols, ["stk:AAPL", "stk:IBM", "stk:SPY"]);
    assert!(table.symbol.is_sorted());
    assert_eq!(
        manifest
            .series
            .iter()
            .map(|input| input.revision)
            .collect::<Vec<_>>(),
        [1, 1, 1]
    );
    let counted: u64 = ["train", "validation", "test"]
        .iter()
        .map(|part| manifest.rows_of(part))
        .sum();
    assert_eq!(counted, manifest.rows);
    // A daily bar is known when its session closes: 16:00 in New York is 20:00 or 21:00 UTC.
    assert!(
        table
            .known_at
            .iter()
            .all(|known| [17, 18, 20, 21].contains(&(known / 3_600_000_000 % 24)))
    );
}

#[tokio::test]
async fn a_data_set_is_built_once_for_all_that_differ_in_training_only() {
    let store = Store::open("memory:///").await.unwrap();
    let series = [load(&store, "EURUSD", Timeframe::Hour1, 8_000).await];
    let first = built(
        &store,
        &request("eurusd_rsi_macd", serde_json::Value::Null),
        &series,
    )
    .await
    .unwrap();
    let slower = request(
        "eurusd_rsi_macd",
        serde_json::json!({"learning_rate": 0.01, "epochs": 3, "seed": 9}),
    );
    let second = built(&store, &slower, &series).await.unwrap();
    assert_eq!((first.reused, second.reused), (false, true));
    assert_eq!(first.manifest, second.manifest);
    let start = Utc::from_timestamp("2014-02-01T00:00:00Z".parse().unwrap());
    let later = request("eurusd_rsi_macd", serde_json::json!({ "start": start }));
    let third = built(&store, &later, &series).await.unwrap();
    assert!(!third.reused);
    assert_ne!(third.manifest.inputs_sha256, first.manifest.inputs_sha256);
    assert!(third.manifest.series[0].rows < first.manifest.series[0].rows);
    // One more bar is another data set.
    load(&store, "EURUSD", Timeframe::Hour1, 8_001).await;
    assert!(!built(&store, &slower, &series).await.unwrap().reused);
}

#[tokio::test]
async fn two_workers_that_build_the_same_data_set_end_with_one() {
    let store = Store::open("memory:///").await.unwrap();
    let series = [load(&store, "EURUSD", Timeframe::Hour1, 6_000).await];
    let request = request("eurusd_rsi_macd", serde_json::Value::Null);
    let job = Job::new(&request, &series).unwrap();
    let (one, two) = tokio::join!(
        build(&store, &job, TWO, Utc(7), || false, |_| ()),
        build(&store, &job, TWO, Utc(8), || false, |_| ()),
    );
    assert_eq!(one.unwrap().manifest, two.unwrap().manifest);
}

#[tokio::test]
async fn progress_names_symbol_and_indicator_and_never_falls() {
    let store = Store::open("memory:///").await.unwrap();
    let series = [load(&store, "EURUSD", Timeframe::Hour1, 6_000).await];
    let job = Job::new(
        &request("eurusd_rsi_macd", serde_json::Value::Null),
        &series,
    )
    .unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let writer = seen.clone();
    build(
        &store,
        &job,
        TWO,
        Utc(7),
        || false,
        move |progress| writer.lock().unwrap().push(progress),
    )
    .await
    .unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.iter().map(|progress| progress.fraction).is_sorted());
    assert_eq!(
        seen.iter()
            .map(|progress| progress.message.as_str())
            .collect::<Vec<_>>(),
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
    let store = Store::open("memory:///").await.unwrap();
    let series = [load(&store, "EURUSD", Timeframe::Hour1, 6_000).await];
    let job = Job::new(
        &request("eurusd_rsi_macd", serde_json::Value::Null),
        &series,
    )
    .unwrap();
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let stop = move || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 3;
    let error = build(&store, &job, TWO, Utc(7), stop, |_| ())
        .await
        .unwrap_err();
    assert!(matches!(error, ProcessError::Stopped), "{error}");
    assert!(
        !build(&store, &job, TWO, Utc(7), || false, |_| ())
            .await
            .unwrap()
            .reused,
        "nothing stood"
    );
}

#[tokio::test]
async fn every_refusal_says_what_is_wrong_and_what_to_do() {
    let store = Store::open("memory:///").await.unwrap();
    let series = [key("EURUSD", Timeframe::Hour1).prefix()];
    let good = request("eurusd_rsi_macd", serde_json::Value::Null);
    let cases = [
        (
            TrainRequest {
                strategy: "name: x".to_owned(),
                ..good.clone()
            },
            series.to_vec(),
            "STRATEGY-Invalid",
        ),
        (
            request("eurusd_rsi_macd", serde_json::json!({"epochs": "many"})),
            series.to_vec(),
            "STRATEGY-Overrides",
        ),
        (
            request("eurusd_rsi_macd", serde_json::json!({"epochs": 0})),
            series.to_vec(),
            "STRATEGY-Invalid",
        ),
        (good.clone(), vec!["bars/x".to_owned()], "DATA-SeriesKey"),
        (
            good.clone(),
            vec![key("EURUSD", Timeframe::Day1).prefix()],
            "DATA-NoSeries",
        ),
        (good.clone(), series.to_vec(), "DATA-NotStored"),
    ];
    for (request, series, code) in cases {
        let error = built(&store, &request, &series).await.unwrap_err();
        let record = ErrorRecord::from_advice(&error);
        assert_eq!(record.code, code);
        assert!(
            !record.message.is_empty() && !record.hint.is_empty() && !record.retryable,
            "{record:?}"
        );
    }
    load(&store, "EURUSD", Timeframe::Hour1, 300).await;
    let error = built(&store, &good, &series).await.unwrap_err();
    let record = ErrorRecord::from_advice(&error);
    assert_eq!(record.code, "DATA-ShortHistory");
    assert!(
        record.message.contains("300") && record.message.contains("2000"),
        "{record}"
    );
}
