//! Bars that ship with the project in a store in memory, and requests over them.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use market::{Instrument, SeriesKey, Timeframe, Utc};
use processor::{BuiltDataSet, ProcessError, ProcessJob, build_data_set};
use schemas::commands::TrainRequest;
use serde_json::Value;
use store::{Edit, RawBar, RawBars, Store};

/// Threads of every build.
pub(crate) const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn project_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name)
}

/// A request of a strategy of the catalogue.
pub(crate) fn request(strategy: &str, overrides: Value) -> TrainRequest {
    let file = project_file(&format!("strategies/catalog/{strategy}.yaml"));
    TrainRequest {
        strategy: std::fs::read_to_string(file).unwrap(),
        overrides,
        model: None,
    }
}

pub(crate) fn key(symbol: &str, timeframe: Timeframe) -> SeriesKey {
    SeriesKey::standard("file", Instrument::parse(symbol).unwrap(), timeframe).unwrap()
}

pub(crate) async fn empty_store() -> Store {
    Store::open("memory:///").await.unwrap()
}

/// A store with that many hourly bars of EURUSD, and their key.
pub(crate) async fn store_of_eurusd(rows: usize) -> (Store, Vec<String>) {
    let store = empty_store().await;
    let key = load(&store, "EURUSD", Timeframe::HOUR_1, rows).await;
    (store, vec![key])
}

/// Stores the first `rows` of the bars that ship with the project.
pub(crate) async fn load(store: &Store, symbol: &str, timeframe: Timeframe, rows: usize) -> String {
    let edit = Edit {
        bars: sample_bars(symbol, timeframe, rows),
        empty_intervals: Vec::new(),
        calendar: "sample".to_owned(),
        at: Utc(1),
    };
    let key = key(symbol, timeframe);
    store.series().commit(&key, edit, None).await.unwrap();
    key.prefix()
}

fn sample_bars(symbol: &str, timeframe: Timeframe, rows: usize) -> RawBars {
    let file = project_file(&format!("tests/bars/{symbol}_{timeframe}.csv.gz"));
    let unpacked = GzDecoder::new(std::fs::File::open(file).unwrap());

    let mut bars = RawBars::default();
    for row in csv::Reader::from_reader(unpacked).records().take(rows) {
        let row = row.unwrap();
        let number = |index: usize| row[index].parse::<f64>().unwrap();
        let volume = if number(5) > 0.0 { number(5) } else { f64::NAN };
        bars.push(RawBar {
            open_time: Utc::from_timestamp(row[0].parse().unwrap()),
            prices: [number(1), number(2), number(3), number(4)],
            volume,
        });
    }
    bars
}

/// Builds what a request asks for, uninterrupted.
pub(crate) async fn build(
    store: &Store,
    request: &TrainRequest,
    series: &[String],
) -> Result<BuiltDataSet, ProcessError> {
    let job = ProcessJob::new(request, series)?;
    build_data_set(store, &job, THREADS, Utc(7), || false, |_| ()).await
}
