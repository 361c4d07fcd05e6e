//! Files of columns and packed files, as pandas, polars, DuckDB, Spark and vendors write them.
//! `columnar_cases/make_more.py` made most of them; the rest came from elsewhere. pyarrow reads the
//! same five bars in every file of the first two lists.

use std::path::{Path, PathBuf};

use market::{Timeframe, Utc};
use schemas::codes::Advice as _;
use store::files::{FileBars, FileError, Mapping, detect, read_path};
use store::{RawBar, RawBars};

use crate::files::expected;

/// Files of the bars of 14:30 to 18:30 UTC.
const HOURLY: &[&str] = &[
    "arrow_binary_time.parquet",
    "arrow_byte_stream_split.parquet",
    "arrow_decimal256.parquet",
    "arrow_decimal_small.parquet",
    "arrow_decimal_volume.parquet",
    "arrow_dictionary_timestamp.parquet",
    "arrow_float16_all.parquet",
    "arrow_float64_s.parquet",
    "arrow_int32_s.parquet",
    "arrow_int64_ms.parquet",
    "arrow_int64_ns.parquet",
    "arrow_int8_volume.parquet",
    "arrow_offset_zone.parquet",
    "arrow_other_time_name.parquet",
    "arrow_page_v2_delta.parquet",
    "arrow_snappy_hadoop_lz4.parquet",
    "arrow_string_view_time.parquet",
    "arrow_timestamp_ns.parquet",
    "arrow_timestamp_s.parquet",
    "arrow_uint16_volume.parquet",
    "arrow_uint32_s.parquet",
    "arrow_uint64_us.parquet",
    "arrow_uint8_volume.parquet",
    "category_symbol.parquet",
    "category_time.parquet",
    "comp_brotli.parquet",
    "comp_gzip.parquet",
    "comp_lz4.parquet",
    "comp_none.parquet",
    "comp_zstd.parquet",
    "decimal_prices.parquet",
    "dir_dataset",
    "duckdb_hugeint.parquet",
    "duckdb_ubigint.parquet",
    "duckdb_utinyint.parquet",
    "float16.parquet",
    "float32.parquet",
    "freqtrade_ms.parquet",
    "int16_volume.parquet",
    "large_string_time.parquet",
    "long_two_symbols.parquet",
    "naive.parquet",
    "ny_tz.parquet",
    "pandas.feather",
    "pandas_category.feather",
    "pandas_lz4.feather",
    "pandas_named_index.parquet",
    "pandas_nullable_uint32.parquet",
    "pandas_zstd.feather",
    "polars.arrow",
    "polars.parquet",
    "polars_decimal_category.parquet",
    "polars_stream.arrow",
    "polars_text_time.arrow",
    "reset_index.parquet",
    "spark_parts",
    "string_volume.parquet",
    "uint32_volume.parquet",
    "unnamed_tz_index.parquet",
    "yfinance_named.parquet",
];

/// Files of the bars of 2 to 5 and of 8 January.
const DAILY: &[&str] = &[
    "daily_date64.parquet",
    "daily_int_digits.parquet",
    "daily_new_york_midnight.parquet",
    "date32.parquet",
];

/// Files that cannot be read as bars, each for a reason of its own.
const REFUSED: &[&str] = &[
    "arrow_empty_time.parquet",
    "arrow_list_price.parquet",
    "arrow_time_of_day.parquet",
    "cut_off.xlsx",
    "int32_seconds.parquet",
    "rate_limit.csv",
    "uint64_seconds.parquet",
    "version_1.feather",
    "web_page.csv",
];

fn case(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/columnar_cases");
    folder.join(name)
}

/// Reads a case, local times being those of UTC.
fn read_case(name: &str, symbol: &str, timeframe: Timeframe) -> Result<FileBars, FileError> {
    let mapping = Mapping {
        zone: (timeframe != Timeframe::DAY_1).then(|| "UTC".to_owned()),
        ..Mapping::default()
    };
    read_path(&case(name), &mapping, &expected(symbol, timeframe))
}

/// The five bars of every file: open k, high k + 1, low k - 0.5, close k + 0.5, volume 10 k.
fn five_bars(opens: [&str; 5]) -> RawBars {
    let numbers = (1..=5).map(f64::from);
    numbers.zip(opens).map(|(k, open)| bar(k, open)).collect()
}

fn bar(k: f64, open: &str) -> RawBar {
    RawBar {
        open_time: Utc::from_timestamp(open.parse().unwrap()),
        prices: [k, k + 1.0, k - 0.5, k + 0.5],
        volume: 10.0 * k,
    }
}

fn hourly_bars() -> RawBars {
    five_bars([
        "2024-01-02T14:30:00Z",
        "2024-01-02T15:30:00Z",
        "2024-01-02T16:30:00Z",
        "2024-01-02T17:30:00Z",
        "2024-01-02T18:30:00Z",
    ])
}

#[test]
fn every_way_to_write_hourly_bars_gives_the_same_bars() {
    for name in HOURLY {
        let read = read_case(name, "AAPL", Timeframe::HOUR_1)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.bars, hourly_bars(), "{name}");
        assert_eq!(read.lines, [1, 2, 3, 4, 5], "{name}");
    }
}

#[test]
fn every_way_to_write_daily_bars_gives_the_same_bars() {
    let expected = five_bars([
        "2024-01-02T00:00:00Z",
        "2024-01-03T00:00:00Z",
        "2024-01-04T00:00:00Z",
        "2024-01-05T00:00:00Z",
        "2024-01-08T00:00:00Z",
    ]);

    for name in DAILY {
        let read = read_case(name, "AAPL", Timeframe::DAY_1)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.bars, expected, "{name}");
    }
}

#[test]
fn a_column_without_any_number_is_not_available() {
    let read = read_case("null_volume.parquet", "AAPL", Timeframe::HOUR_1).unwrap();

    assert_eq!(read.bars.close, hourly_bars().close);
    assert!(read.bars.volume.iter().all(|volume| volume.is_nan()));
}

#[test]
fn an_empty_whole_number_is_not_available() {
    let read = read_case("nullable_int.parquet", "AAPL", Timeframe::HOUR_1).unwrap();

    assert_eq!(read.bars.close, hourly_bars().close);
    assert_eq!(read.bars.volume[..2], [10.0, 20.0]);
    assert!(read.bars.volume[2].is_nan());
}

#[test]
fn bars_that_are_stored_newest_first_come_in_that_order() {
    let read = read_case("newest_first.parquet", "AAPL", Timeframe::HOUR_1).unwrap();

    assert_eq!(read.bars.close, [5.5, 4.5, 3.5, 2.5, 1.5]);
    assert_eq!(read.bars.sorted(), hourly_bars());
}

#[test]
fn seconds_in_whole_numbers_are_instants() {
    let read = read_case("int_seconds.parquet", "AAPL", Timeframe::HOUR_1).unwrap();

    assert_eq!(read.bars.open_time, hourly_bars().open_time);
    assert_eq!(read.bars.open, [100.0, 101.0, 102.0, 103.0, 104.0]);
}

#[test]
fn only_the_rows_of_the_asked_symbol_are_read() {
    // The rows of MSFT come second, 100 higher.
    let read = read_case("long_two_symbols.parquet", "MSFT", Timeframe::HOUR_1).unwrap();
    assert_eq!(read.bars.close, [101.5, 102.5, 103.5, 104.5, 105.5]);
    assert_eq!(read.lines, [6, 7, 8, 9, 10]);

    // A text file that has the two symbols in turn.
    let mapping = Mapping {
        columns: store::files::ColumnNames {
            time: Some("window_start".to_owned()),
            ..Default::default()
        },
        ..Mapping::default()
    };
    let file = case("polygon_two_symbols.csv");
    let apple = read_path(&file, &mapping, &expected("AAPL", Timeframe::MINUTE_1)).unwrap();
    assert_eq!(apple.bars.open[0], 200.29);
    assert!(apple.bars.high.iter().all(|high| *high < 300.0));
    assert_eq!(apple.bars.len(), 2);

    let other = read_path(&file, &mapping, &expected("TSLA", Timeframe::MINUTE_1)).unwrap_err();
    insta::assert_snapshot!(words(&other));
}

#[test]
fn packed_and_renamed_files_are_read_for_what_they_are() {
    let mut notes = Vec::new();
    for name in [
        "gzip_named.csv",
        "csv_named.parquet",
        "binance.zip",
        "binance.csv.zip",
    ] {
        let symbol = if name.starts_with("binance") {
            "crypto:BTC/USDT"
        } else {
            "AAPL"
        };
        let read = read_case(name, symbol, Timeframe::DAY_1)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.bars.open, [100.5, 101.3, 101.3], "{name}");
        assert_eq!(read.bars.volume, [1000.0, 1100.0, 1100.0], "{name}");
        notes.extend(read.notes.iter().map(|note| without_folder(note)));
    }

    insta::assert_snapshot!(notes.join("\n"));
}

#[test]
fn what_is_not_a_file_of_bars_is_refused_for_what_it_is() {
    let refusals = REFUSED.iter().map(|name| {
        let refused = read_case(name, "AAPL", Timeframe::HOUR_1);
        let error = refused.err().unwrap_or_else(|| panic!("{name} was read"));
        words(&error)
    });
    insta::assert_snapshot!(refusals.collect::<Vec<_>>().join("\n"));
}

#[test]
fn detection_names_the_form_of_a_file_of_columns() {
    let forms = [
        "polars.parquet",
        "polars.arrow",
        "polars_stream.arrow",
        "reset_index.parquet",
    ];
    let detections = forms.map(|name| {
        let detected = detect(&case(name), &Mapping::default()).unwrap();
        let columns = detected.columns.join(" ");
        format!("{name}: {}, {}, {columns}", detected.format, detected.times)
    });
    insta::assert_snapshot!(detections.join("\n"));
}

/// An error and its hint, without the folder of the cases.
fn words(error: &FileError) -> String {
    let text = without_folder(&error.to_string());
    format!("{text}\n  hint: {}", error.hint())
}

fn without_folder(text: &str) -> String {
    let folder = format!("{}/", case("").display().to_string().trim_end_matches('/'));
    text.replace(&folder, "")
}
