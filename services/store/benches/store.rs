//! Times of the store on a folder with every write synced, for the table in docs/performance.md.
//!
//! `cargo bench -p store` makes a store in a temporary folder; `KTRDR_BENCH_STORE` names another
//! one, such as `s3://bucket/bench`. It prints and asserts nothing: the figures are those of the
//! machine and its disk.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that fails may panic"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use market::{DayBoundary, Instrument, SeriesKey, Timeframe, Utc};
use schemas::manifests::{DataSetManifest, OutputKind};
use store::files::{Expected, Mapping, read_path};
use store::{ALL_TIME, DataSetTable, Edit, RawBar, RawBars, Store};

const BARS: i64 = 1_500_000;
const BARS_OF_A_WEEK: i64 = 7 * 24 * 12;
const ROWS: usize = 200_000;
const FEATURES: usize = 40;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = std::env::var("KTRDR_BENCH_STORE")
        .unwrap_or_else(|_| format!("file://{}", folder.path().display()));
    println!("store {url}");

    let started = Instant::now();
    let rows = parse_sample();
    print_time(&format!("parse {rows} rows of CSV.gz"), started.elapsed());

    runtime.block_on(async {
        let store = Store::open(&url).await.unwrap();
        time_series(&store).await;
        time_data_set(&store).await;
    });
}

fn print_time(what: &str, time: Duration) {
    println!("{what:<48} {:8.1} ms", time.as_secs_f64() * 1e3);
}

/// Reads the largest file of bars that the tests have; its number of rows.
fn parse_sample() -> usize {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bars/EURUSD_1h.csv.gz");
    let expected = Expected {
        instrument: Instrument::parse("EURUSD").unwrap(),
        timeframe: Timeframe::HOUR_1,
        day_boundary: DayBoundary::UtcMidnight,
    };
    let read = read_path(&file, &Mapping::default(), &expected).unwrap();
    read.bars.len()
}

/// A series of five-minute bars: one large commit, one read, one small commit.
async fn time_series(store: &Store) {
    let key = new_series_key();

    let started = Instant::now();
    let bars = edit(bars_from(0, BARS));
    let outcome = store.series().commit(&key, bars, None).await.unwrap();
    let files = outcome.snapshot.manifest.files.len();
    let what = format!("commit {BARS} five-minute bars into {files} files");
    print_time(&what, started.elapsed());

    let started = Instant::now();
    let read = store.series().raw_bars(&outcome.snapshot, ALL_TIME).await;
    assert_eq!(read.unwrap().len() as i64, BARS);
    print_time("read them back", started.elapsed());

    let started = Instant::now();
    let week = edit(bars_from(BARS, BARS_OF_A_WEEK));
    store.series().commit(&key, week, Some(1)).await.unwrap();
    print_time("append a week", started.elapsed());
}

/// A series that no other run has used.
fn new_series_key() -> SeriesKey {
    let instrument = Instrument::parse("EURUSD").unwrap();
    let provider = format!("bench{:08x}", rand::random::<u32>());
    SeriesKey::standard(&provider, instrument, Timeframe::MINUTE_5).unwrap()
}

fn bars_from(first: i64, count: i64) -> RawBars {
    let start = Utc::from_timestamp("2010-01-01T00:00:00Z".parse().unwrap());
    (first..first + count)
        .map(|k| {
            let price = 1.0 + (k % 997) as f64 * 1e-5;
            RawBar {
                open_time: start.plus_micros(k * 300_000_000),
                prices: [price, price + 1e-4, price - 1e-4, price + 5e-5],
                volume: f64::NAN,
            }
        })
        .collect()
}

fn edit(bars: RawBars) -> Edit {
    Edit {
        bars,
        empty_intervals: Vec::new(),
        calendar: "fx".to_owned(),
        at: Utc(0),
    }
}

/// A data set of 200 000 rows and 40 features, written and read.
async fn time_data_set(store: &Store) {
    let table = table();
    let inputs = format!("{:032x}", rand::random::<u128>());

    let started = Instant::now();
    let manifest = store.data_sets().publish(table, manifest(inputs)).await;
    print_time("publish a data set of 200 000 x 40", started.elapsed());

    let started = Instant::now();
    let read = store.data_sets().read(&manifest.unwrap()).await.unwrap();
    assert_eq!(read.rows(), ROWS);
    print_time("read it", started.elapsed());
}

fn table() -> DataSetTable {
    let times: Vec<i64> = (0..ROWS as i64).map(|row| row * 3_600_000_000).collect();

    DataSetTable {
        symbols: vec!["fx:EUR.USD".to_owned()],
        symbol: vec![0; ROWS],
        open_time: times.clone(),
        known_at: times.clone(),
        part: vec![0; ROWS],
        label: vec![0.5; ROWS],
        label_known_at: times,
        bar: Some((0..).take(ROWS).collect()),
        weight: None,
        forward_return: None,
        feature_names: (0..FEATURES).map(|number| format!("f{number}")).collect(),
        features: (0..FEATURES).map(make_feature).collect(),
    }
}

/// Values that compress about as well as memberships do.
fn make_feature(shift: usize) -> Vec<f32> {
    (0..ROWS)
        .map(|row| ((row * 31 + shift * 17) % 1_009) as f32 / 1_009.0)
        .collect()
}

fn manifest(inputs_sha256: String) -> DataSetManifest {
    DataSetManifest {
        v: DataSetManifest::VERSION,
        inputs_sha256,
        sha256: String::new(),
        size_bytes: 0,
        rows: 0,
        inputs: serde_json::Value::Null,
        series: Vec::new(),
        features: Vec::new(),
        output: OutputKind::Regression,
        weighted: false,
        validation_start: 0,
        test_start: 0,
        embargo_micros: 0,
        parts: Vec::new(),
        dropped: Default::default(),
        coverage: Default::default(),
        holes: Vec::new(),
        thresholds: Vec::new(),
        forward_bars: None,
        leak_test_cuts: 0,
        sealed: None,
        created_at: 0,
        written_by: store::WRITTEN_BY.to_owned(),
    }
}
