//! Bar files of others: read exactly, or refused with file and line.

use std::path::{Path, PathBuf};

use market::{DayBoundary, Instrument, Timeframe, Utc};
use schemas::codes::Advice as _;
use store::files::{
    BarFolder, ColumnNames, Expected, FileBars, FileError, LabelSide, Mapping, detect, read,
    read_path,
};
use store::{Bytes, Cells, RawBar, RawBars, Table};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/bars")
        .join(name)
}

fn expected(symbol: &str, timeframe: Timeframe) -> Expected {
    let instrument = Instrument::parse(symbol).unwrap();
    let day_boundary = if symbol.contains("USD") {
        DayBoundary::UtcMidnight
    } else {
        DayBoundary::SessionClose
    };
    Expected {
        instrument,
        timeframe,
        day_boundary,
    }
}

fn text(
    csv: &str,
    mapping: &Mapping,
    symbol: &str,
    timeframe: Timeframe,
) -> Result<FileBars, FileError> {
    read(
        "in.csv",
        Bytes::from(csv.to_owned()),
        mapping,
        &expected(symbol, timeframe),
    )
}

fn opens(read: &FileBars) -> Vec<String> {
    read.bars.open_time.iter().map(Utc::to_string).collect()
}

#[test]
fn the_sample_files_read_whole() {
    let apple = read_path(
        &sample("AAPL_1d.csv.gz"),
        &Mapping::default(),
        &expected("AAPL", Timeframe::Day1),
    )
    .unwrap();
    assert_eq!(
        (apple.bars.len(), apple.lines[0], apple.lines[3_334]),
        (3_335, 2, 3_336)
    );
    assert_eq!(
        apple.bars.get(3_334).unwrap(),
        RawBar {
            open_time: Utc::from_timestamp("2021-03-31T00:00:00Z".parse().unwrap()),
            prices: [121.65, 123.54, 121.15, 122.15],
            volume: 109_019_052.0
        }
    );
    assert!(apple.notes.is_empty());
    let euro = read_path(
        &sample("EURUSD_1h.csv.gz"),
        &Mapping::default(),
        &expected("EURUSD", Timeframe::Hour1),
    )
    .unwrap();
    assert_eq!(euro.bars.len(), 30_843);
    assert!(euro.bars.volume.iter().all(|volume| volume.is_nan()));
    insta::assert_debug_snapshot!(euro.notes, @r#"
    [
        "volume 0 of a currency pair means that there is none: stored as not available (30843 rows)",
    ]
    "#);
}

#[test]
fn detection_shows_what_a_file_holds() {
    let found = detect(&sample("EURUSD_1h.csv.gz"), &Mapping::default()).unwrap();
    insta::assert_json_snapshot!(found, @r#"
    {
      "format": "csv",
      "delimiter": ",",
      "columns": [
        "timestamp",
        "open",
        "high",
        "low",
        "close",
        "volume"
      ],
      "times": "instants",
      "timeframe": "1h",
      "rows": 30843,
      "first": 1388613600000000,
      "last": 1546290000000000,
      "issues": [
        "30843 rows have volume 0 (not available for currency pairs)"
      ]
    }
    "#);
}

#[test]
fn every_bad_file_is_refused_with_its_line() {
    let intraday = [
        (
            "missing column",
            "time,open,high,low\n2020-01-02T14:30:00Z,1,2,0.5\n",
        ),
        (
            "unreadable time",
            "time,open,high,low,close\n2020-01-02T14:30:00Z,1,2,0.5,1\nyesterday,1,2,0.5,1\n",
        ),
        (
            "naive time",
            "time,open,high,low,close\n2020-01-02T14:30:00Z,1,2,0.5,1\n2020-01-02 15:30:00,1,2,0.5,1\n",
        ),
        (
            "bad number",
            "time,open,high,low,close\n2020-01-02T14:30:00Z,1,2,\"0,5\",1\n",
        ),
        (
            "short row",
            "time,open,high,low,close\n2020-01-02T14:30:00Z,1,2,0.5,1\n2020-01-02T15:30:00Z,1,2\n",
        ),
        (
            "wrong timeframe",
            "time,open,high,low,close\n2020-01-02,1,2,0.5,1\n2020-01-03,1,2,0.5,1\n",
        ),
        ("no rows", "time,open,high,low,close\n"),
        ("nothing", ""),
    ];
    let utc = Mapping {
        zone: Some("UTC".to_owned()),
        ..Mapping::default()
    };
    let mut said = Vec::new();
    for (what, csv) in intraday {
        let mapping = if what == "wrong timeframe" {
            utc.clone()
        } else {
            Mapping::default()
        };
        let error = text(csv, &mapping, "AAPL", Timeframe::Hour1).unwrap_err();
        said.push(format!("{what}: {error}\n  hint: {}", error.hint()));
    }
    let daily = "time,open,high,low,close\n2020-01-02T14:30:00Z,1,2,0.5,1\n";
    let error = text(daily, &Mapping::default(), "AAPL", Timeframe::Day1).unwrap_err();
    said.push(format!(
        "daily bar at half past two: {error}\n  hint: {}",
        error.hint()
    ));
    let error = read(
        "in.xlsx",
        Bytes::new(),
        &utc,
        &expected("AAPL", Timeframe::Day1),
    )
    .unwrap_err();
    said.push(format!("format: {error}\n  hint: {}", error.hint()));
    let zone = Mapping {
        zone: Some("Mars/Olympus".to_owned()),
        ..Mapping::default()
    };
    let error = text("t,o,h,l,c\n", &zone, "AAPL", Timeframe::Day1).unwrap_err();
    said.push(format!("no time column: {error}"));
    let error = text(
        "time,o,h,l,c\n2020-01-02,1,2,0.5,1\n",
        &zone,
        "AAPL",
        Timeframe::Day1,
    )
    .unwrap_err();
    said.push(format!("zone: {error}\n  hint: {}", error.hint()));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn local_times_become_utc_across_the_change_of_clocks() {
    // New York: UTC−5 until Sunday 2020-03-08, then UTC−4.
    let csv = "Date;O;H;L;Last\n2020-03-06 15:00;1;2;0.5;1\n2020-03-09 09:00;1;2;0.5;1\n2020-03-09 10:00;1;2;0.5;1\n";
    let mapping = Mapping {
        zone: Some("America/New_York".to_owned()),
        ..Mapping::default()
    };
    let read = text(csv, &mapping, "AAPL", Timeframe::Hour1).unwrap();
    assert_eq!(
        opens(&read),
        [
            "2020-03-06T20:00:00Z",
            "2020-03-09T13:00:00Z",
            "2020-03-09T14:00:00Z"
        ]
    );
    let twice = "time,o,h,l,c\n2020-11-01 01:30:00,1,2,0.5,1\n";
    let refused = text(twice, &mapping, "crypto:BTCUSD", Timeframe::Hour1).unwrap_err();
    assert!(
        matches!(refused, FileError::Ambiguous { line: 2, .. }),
        "{refused}"
    );
}

#[test]
fn times_that_name_the_end_of_a_bar_are_moved_to_its_start() {
    let close = Mapping {
        label_side: LabelSide::Close,
        ..Mapping::default()
    };
    let csv = "time,o,h,l,c\n2020-01-02T15:00:00Z,1,2,0.5,1\n2020-01-02T16:00:00Z,1,2,0.5,1\n";
    let read = text(csv, &close, "AAPL", Timeframe::Hour1).unwrap();
    assert_eq!(
        opens(&read),
        ["2020-01-02T14:00:00Z", "2020-01-02T15:00:00Z"]
    );
    // A day bucket in UTC ends at the next midnight; a trading date is itself whichever end is
    // meant.
    let days = "time,o,h,l,c\n2020-01-03,1,2,0.5,1\n2020-01-04,1,2,0.5,1\n";
    assert_eq!(
        opens(&text(days, &close, "EURUSD", Timeframe::Day1).unwrap())[0],
        "2020-01-02T00:00:00Z"
    );
    assert_eq!(
        opens(&text(days, &close, "AAPL", Timeframe::Day1).unwrap())[0],
        "2020-01-03T00:00:00Z"
    );
}

#[test]
fn a_daily_bar_at_local_midnight_is_its_date() {
    let csv =
        "time,o,h,l,c\n2020-01-02T00:00:00-05:00,1,2,0.5,1\n2020-07-02T00:00:00-04:00,1,2,0.5,1\n";
    let mapping = Mapping {
        zone: Some("America/New_York".to_owned()),
        ..Mapping::default()
    };
    let refused = text(csv, &mapping, "AAPL", Timeframe::Day1).unwrap_err();
    assert!(
        matches!(refused, FileError::Timeframe { .. }),
        "two rows half a year apart: {refused}"
    );
    let csv = csv.replace("2020-07-02T00:00:00-04:00", "2020-01-03T00:00:00-05:00");
    assert_eq!(
        opens(&text(&csv, &mapping, "AAPL", Timeframe::Day1).unwrap())[1],
        "2020-01-03T00:00:00Z"
    );
    // Pandas labels weeks by their Sunday; 2020-01-05 ends the week of Monday 2019-12-30.
    let weeks = "time,o,h,l,c\n2020-01-05,1,2,0.5,1\n2020-01-12,1,2,0.5,1\n";
    let read = text(weeks, &mapping, "AAPL", Timeframe::Week1).unwrap();
    assert_eq!(
        opens(&read),
        ["2019-12-30T00:00:00Z", "2020-01-06T00:00:00Z"]
    );
    assert_eq!(read.notes.len(), 1);
}

#[test]
fn rows_come_back_in_file_order_with_what_is_wrong_with_them() {
    let csv = "time,open,high,low,close,volume\n\
        2020-01-02T16:00:00Z,1,2,0.5,1,-1\n2020-01-02T15:00:00Z,,2,0.5,1,7\n2020-01-02T15:00:00Z,1,2,0.5,1,-3\n\
        2020-01-02T17:00:00Z,1,2,0.5,1,0\n";
    let read = text(csv, &Mapping::default(), "AAPL", Timeframe::Hour1).unwrap();
    assert_eq!(read.lines, [2, 3, 4, 5]);
    assert!(read.bars.open[1].is_nan() && read.bars.volume[0].is_nan());
    assert_eq!((read.bars.volume[2], read.bars.volume[3]), (-3.0, 0.0));
    assert_eq!(
        opens(&read)[..2],
        ["2020-01-02T16:00:00Z", "2020-01-02T15:00:00Z"]
    );
}

#[test]
fn columns_can_be_named() {
    let columns = ColumnNames {
        close: Some("px_last".to_owned()),
        ..ColumnNames::default()
    };
    let mapping = Mapping {
        columns,
        ..Mapping::default()
    };
    let csv = "time,o,h,l,c,PX_LAST\n2020-01-02T15:00:00Z,1,2,0.5,1,1.5\n";
    assert_eq!(
        text(csv, &mapping, "AAPL", Timeframe::Hour1)
            .unwrap()
            .bars
            .close,
        [1.5]
    );
    let refused = text("time,o,h,l,c\n", &mapping, "AAPL", Timeframe::Hour1).unwrap_err();
    assert!(refused.to_string().contains("`px_last`"), "{refused}");
}

#[tokio::test]
async fn what_is_exported_as_csv_gzip_or_parquet_reads_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let bars: RawBars = (0..100)
        .map(|k| RawBar {
            open_time: Utc(1_577_975_400_000_000 + k * 3_600_000_000),
            prices: [0.1 + 0.2, 2.0, 1e-9, 1.0 / 3.0],
            volume: if k % 2 == 0 { 12.0 } else { f64::NAN },
        })
        .collect();
    for name in ["AAPL_1h.csv", "AAPL_1h.csv.gz", "AAPL_1h.parquet"] {
        let path = folder.path().join(name);
        Table::bars(&bars).write(&path).unwrap();
        let back = read_path(
            &path,
            &Mapping::default(),
            &expected("AAPL", Timeframe::Hour1),
        )
        .unwrap()
        .bars;
        assert_eq!(
            (back.open_time, back.open, back.low, back.close),
            (
                bars.open_time.clone(),
                bars.open.clone(),
                bars.low.clone(),
                bars.close.clone()
            )
        );
        assert!(
            (0..100).all(|k| back.volume[k].is_nan() == (k % 2 == 1)),
            "{name}"
        );
    }
    let source = BarFolder::open(folder.path().to_str().unwrap()).unwrap();
    let found = source
        .find(&Instrument::parse("AAPL").unwrap(), Timeframe::Hour1)
        .await
        .unwrap();
    assert_eq!(found.as_deref(), Some("AAPL_1h.csv"));
    assert_eq!(source.names().await.unwrap().len(), 3);
    assert!(
        source
            .find(&Instrument::parse("IBM").unwrap(), Timeframe::Hour1)
            .await
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_table_keeps_types_and_refuses_uneven_columns() {
    let table = Table::numbers([("loss".to_owned(), vec![0.5, f64::NAN])])
        .with("epoch", Cells::Integer(vec![1, 2]));
    let table = table.with(
        "part",
        Cells::Text(["train", "a,b"].map(str::to_owned).to_vec()),
    );
    assert_eq!(
        table.to_csv().unwrap(),
        Bytes::from_static(b"loss,epoch,part\n0.5,1,train\n,2,\"a,b\"\n")
    );
    assert!(table.to_parquet().is_ok());
    assert!(
        table
            .with("more", Cells::Number(vec![1.0]))
            .to_csv()
            .is_err()
    );
}
