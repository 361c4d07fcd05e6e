//! Bar files of others: read exactly, or refused with file and line.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use market::{Instrument, SeriesKey, Timeframe, Utc};
use schemas::codes::Advice as _;
use store::files::{
    BarFolder, ColumnNames, Expected, FILE_BYTES_MAX, FileBars, FileError, LabelSide, Mapping,
    detect, read, read_path,
};
use store::{Bytes, Cells, RawBar, RawBars, Table};

fn sample(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bars");
    folder.join(name)
}

/// The standard series of a symbol, as what a file is expected to hold.
pub(crate) fn expected(symbol: &str, timeframe: Timeframe) -> Expected {
    let instrument = Instrument::parse(symbol).unwrap();
    let key = SeriesKey::standard("file", instrument, timeframe).unwrap();
    Expected {
        instrument: key.instrument,
        timeframe,
        day_boundary: key.day_boundary,
    }
}

fn read_sample(name: &str, symbol: &str, timeframe: Timeframe) -> FileBars {
    let expected = expected(symbol, timeframe);
    read_path(&sample(name), &Mapping::default(), &expected).unwrap()
}

fn read_text(
    csv: &str,
    mapping: &Mapping,
    symbol: &str,
    timeframe: Timeframe,
) -> Result<FileBars, FileError> {
    let bytes = Bytes::from(csv.to_owned());
    read("in.csv", bytes, mapping, &expected(symbol, timeframe))
}

fn in_zone(zone: &str) -> Mapping {
    Mapping {
        zone: Some(zone.to_owned()),
        ..Mapping::default()
    }
}

fn opens(read: &FileBars) -> Vec<String> {
    read.bars.open_time.iter().map(Utc::to_string).collect()
}

#[test]
fn a_sample_of_daily_bars_reads_whole() {
    let apple = read_sample("AAPL_1d.csv.gz", "AAPL", Timeframe::DAY_1);

    assert_eq!(apple.bars.len(), 3_335);
    assert_eq!((apple.lines[0], apple.lines[3_334]), (2, 3_336));
    let last = RawBar {
        open_time: Utc::from_timestamp("2021-03-31T00:00:00Z".parse().unwrap()),
        prices: [121.65, 123.54, 121.15, 122.15],
        volume: 109_019_052.0,
    };
    assert_eq!(apple.bars.get(3_334).unwrap(), last);
    assert!(apple.notes.is_empty());
}

#[test]
fn volume_zero_of_a_currency_pair_is_not_available() {
    let euro = read_sample("EURUSD_1h.csv.gz", "EURUSD", Timeframe::HOUR_1);

    assert_eq!(euro.bars.len(), 30_843);
    assert!(euro.bars.volume.iter().all(|volume| volume.is_nan()));
    insta::assert_snapshot!(euro.notes.join("\n"));
}

#[test]
fn detection_shows_what_a_file_holds() {
    let detected = detect(&sample("EURUSD_1h.csv.gz"), &Mapping::default()).unwrap();

    insta::assert_json_snapshot!(detected, @r#"
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
      "roles": [
        "time",
        "open",
        "high",
        "low",
        "close",
        "volume"
      ],
      "choices": [],
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

const HEADER: &str = "time,open,high,low,close";
const GOOD_ROW: &str = "2020-01-02T14:30:00Z,1,2,0.5,1";

/// What is said of a file of intraday bars with this header and these rows.
fn refusal(what: &str, header: &str, rows: &[&str]) -> String {
    refusal_in(&Mapping::default(), what, header, rows)
}

fn refusal_in(mapping: &Mapping, what: &str, header: &str, rows: &[&str]) -> String {
    let csv = format!("{header}\n{}\n", rows.join("\n"));
    let refused = read_text(&csv, mapping, "AAPL", Timeframe::HOUR_1);
    words(what, &refused.unwrap_err())
}

fn words(what: &str, error: &FileError) -> String {
    format!("{what}: {error}\n  hint: {}", error.hint())
}

#[test]
fn every_bad_file_is_refused_with_its_line() {
    let utc = in_zone("UTC");
    let mars = in_zone("Mars/Olympus");
    let days = ["2020-01-02,1,2,0.5,1", "2020-01-03,1,2,0.5,1"];
    let mut refusals = vec![
        refusal(
            "missing column",
            "time,open,high,low",
            &["2020-01-02T14:30:00Z,1,2,0.5"],
        ),
        refusal(
            "unreadable time",
            HEADER,
            &[GOOD_ROW, "yesterday,1,2,0.5,1"],
        ),
        refusal(
            "naive time",
            HEADER,
            &[GOOD_ROW, "2020-01-02 15:30:00,1,2,0.5,1"],
        ),
        refusal(
            "bad number",
            HEADER,
            &["2020-01-02T14:30:00Z,1,2,\"0.5x\",1"],
        ),
        refusal("short row", HEADER, &[GOOD_ROW, "2020-01-02T15:30:00Z,1,2"]),
        refusal(
            "wrong timeframe",
            HEADER,
            &[GOOD_ROW, "2020-01-02T14:45:00Z,1,2,0.5,1"],
        ),
        refusal("no rows", HEADER, &[]),
        refusal("nothing", "", &[]),
        refusal_in(&mars, "no time column", "t,o,h,l,c", &[]),
        refusal_in(&mars, "zone", HEADER, &days),
    ];

    let half_past_two = format!("{HEADER}\n{GOOD_ROW}\n");
    let daily = read_text(
        &half_past_two,
        &Mapping::default(),
        "AAPL",
        Timeframe::DAY_1,
    );
    refusals.push(words("daily bar at half past two", &daily.unwrap_err()));
    let sheet = read(
        "in.xlsx",
        Bytes::new(),
        &utc,
        &expected("AAPL", Timeframe::DAY_1),
    );
    refusals.push(words("format", &sheet.unwrap_err()));

    insta::assert_snapshot!(refusals.join("\n"));
}

#[test]
fn a_text_without_a_table_of_prices_lacks_more_than_a_time() {
    let read = read_text(
        "ts,o\n2024-01-02,2\n",
        &Mapping::default(),
        "AAPL",
        Timeframe::DAY_1,
    );
    let text = read.unwrap_err().to_string();
    assert!(
        text.contains("no column for time and prices; the columns are: ts, o"),
        "{text}"
    );
}

#[test]
fn local_times_become_utc_across_the_change_of_clocks() {
    // New York: UTC−5 until Sunday 2020-03-08, then UTC−4.
    let csv = "Date;O;H;L;Last\n\
        2020-03-06 15:00;1;2;0.5;1\n\
        2020-03-09 09:00;1;2;0.5;1\n\
        2020-03-09 10:00;1;2;0.5;1\n";

    let read = read_text(csv, &in_zone("America/New_York"), "AAPL", Timeframe::HOUR_1);

    let utc = [
        "2020-03-06T20:00:00Z",
        "2020-03-09T13:00:00Z",
        "2020-03-09T14:00:00Z",
    ];
    assert_eq!(opens(&read.unwrap()), utc);
}

#[test]
fn a_local_time_that_happens_twice_is_refused() {
    let csv = "time,o,h,l,c\n2020-11-01 01:30:00,1,2,0.5,1\n";
    let zone = in_zone("America/New_York");

    let refused = read_text(csv, &zone, "crypto:BTCUSD", Timeframe::HOUR_1);

    assert!(matches!(refused, Err(FileError::Repeated { line: 2, .. })));
}

fn closing_labels() -> Mapping {
    Mapping {
        label_side: LabelSide::Close,
        ..Mapping::default()
    }
}

#[test]
fn times_that_name_the_end_of_a_bar_are_moved_to_its_start() {
    let csv = "time,o,h,l,c\n2020-01-02T15:00:00Z,1,2,0.5,1\n2020-01-02T16:00:00Z,1,2,0.5,1\n";

    let read = read_text(csv, &closing_labels(), "AAPL", Timeframe::HOUR_1);

    let starts = ["2020-01-02T14:00:00Z", "2020-01-02T15:00:00Z"];
    assert_eq!(opens(&read.unwrap()), starts);
}

#[test]
fn the_end_of_a_day_is_the_next_midnight_or_its_own_date() {
    let days = "time,o,h,l,c\n2020-01-03,1,2,0.5,1\n2020-01-04,1,2,0.5,1\n";
    let closing = closing_labels();

    // A day bucket in UTC ends at the next midnight.
    let bucket = read_text(days, &closing, "EURUSD", Timeframe::DAY_1);
    assert_eq!(opens(&bucket.unwrap())[0], "2020-01-02T00:00:00Z");

    // A trading date is itself, whichever end is meant.
    let session = read_text(days, &closing, "AAPL", Timeframe::DAY_1);
    assert_eq!(opens(&session.unwrap())[0], "2020-01-03T00:00:00Z");
}

#[test]
fn a_daily_bar_at_local_midnight_is_its_date() {
    let csv =
        "time,o,h,l,c\n2020-01-02T00:00:00-05:00,1,2,0.5,1\n2020-01-03T00:00:00-05:00,1,2,0.5,1\n";
    let zone = in_zone("America/New_York");

    let read = read_text(csv, &zone, "AAPL", Timeframe::DAY_1).unwrap();
    assert_eq!(opens(&read)[1], "2020-01-03T00:00:00Z");
}

/// Opens of a file of dates, or the spacing for which it is refused.
fn read_dates(dates: &[&str], mapping: &Mapping, timeframe: &str) -> Result<Vec<String>, String> {
    let rows: Vec<String> = dates
        .iter()
        .map(|date| format!("{date},1,2,0.5,1"))
        .collect();
    let csv = format!("{HEADER}\n{}\n", rows.join("\n"));

    let date_of = |open: &String| open[..10].to_owned();
    match read_text(&csv, mapping, "AAPL", timeframe.parse().unwrap()) {
        Ok(read) => Ok(opens(&read).iter().map(date_of).collect()),
        Err(FileError::Timeframe { actual, .. }) => Err(actual),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_weekend_or_a_thin_market_does_not_contradict_a_day() {
    let utc = Mapping::default();

    // A Friday and its Monday; then a share that trades every other week.
    let weekend = ["2024-01-05", "2024-01-08"];
    assert_eq!(read_dates(&weekend, &utc, "1d").unwrap(), weekend);
    let thin = ["2014-06-13", "2014-06-26", "2014-07-02", "2014-07-11"];
    assert_eq!(read_dates(&thin, &utc, "1d").unwrap(), thin);
}

#[test]
fn bars_closer_together_than_asked_are_refused() {
    let days = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"];
    let utc = Mapping::default();

    assert_eq!(read_dates(&days, &utc, "1w").unwrap_err(), "1d");
    assert_eq!(read_dates(&days, &utc, "1mo").unwrap_err(), "1d");
    assert_eq!(read_dates(&days, &utc, "2d").unwrap_err(), "1d");
}

#[test]
fn regular_bars_that_last_longer_than_asked_are_refused() {
    // As bars of a day, each would be known weeks before it is over.
    let months = [
        "2023-01-01",
        "2023-02-01",
        "2023-03-01",
        "2023-04-01",
        "2023-05-01",
    ];
    let utc = Mapping::default();

    assert_eq!(read_dates(&months, &utc, "1d").unwrap_err(), "1mo");
    assert_eq!(read_dates(&months, &utc, "1w").unwrap_err(), "1mo");
    assert_eq!(read_dates(&months, &utc, "1mo").unwrap(), months);
}

#[test]
fn months_are_labelled_by_their_first_day() {
    let ends = ["2023-01-31", "2023-02-28", "2023-03-31"];
    let firsts = ["2023-01-01", "2023-02-01", "2023-03-01"];

    assert_eq!(
        read_dates(&ends, &Mapping::default(), "1mo").unwrap(),
        firsts
    );
    assert_eq!(read_dates(&ends, &closing_labels(), "1mo").unwrap(), firsts);
}

#[test]
fn weekly_bars_are_moved_to_their_monday() {
    let fridays = "time,o,h,l,c\n2020-01-03,1,2,0.5,1\n2020-01-10,1,2,0.5,1\n";

    let read = read_text(fridays, &Mapping::default(), "AAPL", Timeframe::WEEK_1).unwrap();

    let mondays = ["2019-12-30T00:00:00Z", "2020-01-06T00:00:00Z"];
    assert_eq!(opens(&read), mondays);
    assert_eq!(read.notes.len(), 1);
}

#[test]
fn a_sunday_begins_a_week_unless_it_is_said_to_end_one() {
    // MetaTrader labels weeks by the Sunday before them, pandas by the Sunday that ends them.
    let sundays = ["2020-01-05", "2020-01-12"];

    let begins = read_dates(&sundays, &Mapping::default(), "1w").unwrap();
    assert_eq!(begins, ["2020-01-06", "2020-01-13"]);
    let ends = read_dates(&sundays, &closing_labels(), "1w").unwrap();
    assert_eq!(ends, ["2019-12-30", "2020-01-06"]);
}

#[test]
fn rows_come_back_in_file_order_with_all_their_faults() {
    let csv = "time,open,high,low,close,volume\n\
        2020-01-02T16:00:00Z,1,2,0.5,1,-1\n\
        2020-01-02T15:00:00Z,,2,0.5,1,7\n\
        2020-01-02T15:00:00Z,1,2,0.5,1,-3\n\
        2020-01-02T17:00:00Z,1,2,0.5,1,0\n";

    let read = read_text(csv, &Mapping::default(), "AAPL", Timeframe::HOUR_1).unwrap();

    assert_eq!(read.lines, [2, 3, 4, 5]);
    let descending = ["2020-01-02T16:00:00Z", "2020-01-02T15:00:00Z"];
    assert_eq!(opens(&read)[..2], descending);
    assert!(read.bars.open[1].is_nan());

    // −1 is how one provider writes that there is no volume; every other number stays.
    assert!(read.bars.volume[0].is_nan());
    assert_eq!(read.bars.volume[1..], [7.0, -3.0, 0.0]);
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

    let read = read_text(csv, &mapping, "AAPL", Timeframe::HOUR_1);
    assert_eq!(read.unwrap().bars.close, [1.5]);

    let absent = read_text("time,o,h,l,c\n", &mapping, "AAPL", Timeframe::HOUR_1);
    let text = absent.unwrap_err().to_string();
    assert!(text.contains("`px_last`"), "{text}");
}

/// 100 hourly bars whose prices need every digit; every second volume is unknown.
fn exact_bars() -> RawBars {
    (0..100)
        .map(|k| RawBar {
            open_time: Utc(1_577_975_400_000_000 + k * 3_600_000_000),
            prices: [0.1 + 0.2, 2.0, 1e-9, 1.0 / 3.0],
            volume: if k % 2 == 0 { 12.0 } else { f64::NAN },
        })
        .collect()
}

#[test]
fn exported_bars_read_back_the_same_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let bars = exact_bars();
    for name in ["AAPL_1h.csv", "AAPL_1h.csv.gz", "AAPL_1h.parquet"] {
        let path = folder.path().join(name);
        Table::bars(&bars).write(&path).unwrap();

        let expected = expected("AAPL", Timeframe::HOUR_1);
        let back = read_path(&path, &Mapping::default(), &expected).unwrap();

        assert_eq!(back.bars.open_time, bars.open_time, "{name}");
        assert_eq!(back.bars.open, bars.open, "{name}");
        assert_eq!(back.bars.low, bars.low, "{name}");
        assert_eq!(back.bars.close, bars.close, "{name}");
        let volumes = back.bars.volume.iter().zip(&bars.volume);
        let mut both = volumes.map(|(back, written)| (back.is_nan(), written.is_nan()));
        assert!(both.all(|(back, written)| back == written), "{name}");
    }
}

#[tokio::test]
async fn a_folder_finds_the_file_of_a_series() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["AAPL_1h.csv", "AAPL_1h.parquet", "README.md"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    // A name that is not UTF-8 cannot be that of a series, and hides no other file.
    let foreign = OsStr::from_bytes(b"\xf6_1h.csv");
    std::fs::write(folder.path().join(foreign), "").unwrap();
    let source = BarFolder::open(folder.path().to_str().unwrap()).unwrap();
    let apple = Instrument::parse("AAPL").unwrap();
    let ibm = Instrument::parse("IBM").unwrap();

    assert_eq!(source.names().await.unwrap().len(), 3);
    let file = source.find(&apple, Timeframe::HOUR_1).await.unwrap();
    assert_eq!(file.as_deref(), Some("AAPL_1h.csv"));
    let absent = source.find(&ibm, Timeframe::HOUR_1).await.unwrap();
    assert_eq!(absent, None);
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("AAPL_1h.csv");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    symlink("IBM_1h.csv", folder.path().join("IBM_1h.csv")).unwrap();
    symlink("/dev/zero", folder.path().join("SPY_1h.csv")).unwrap();
    std::fs::write(folder.path().join("QQQ_1h.csv"), "time").unwrap();
    let source = BarFolder::open(folder.path().to_str().unwrap()).unwrap();

    // One entry that leads nowhere does not hide the others.
    assert_eq!(source.names().await.unwrap(), ["QQQ_1h.csv"]);
    assert_eq!(source.read("QQQ_1h.csv").await.unwrap(), "time");
    let odd = [
        ("AAPL", "a named pipe"),
        ("IBM", "a link that leads to no file"),
        ("SPY", "a device"),
    ];
    for (symbol, kind) in odd {
        let name = format!("{symbol}_1h.csv");
        let instrument = Instrument::parse(symbol).unwrap();
        let entry = source
            .find_odd(&instrument, Timeframe::HOUR_1)
            .await
            .unwrap();
        assert_eq!(entry, Some((name.clone(), kind)));

        // Even where it has become one after the folder was listed.
        let error = source.read(&name).await.unwrap_err();
        assert!(
            !error.hint().is_empty() && error.to_string().contains(&name),
            "{error}"
        );
    }
    let absent = source.read("GONE_1h.csv").await.unwrap_err();
    assert_eq!(absent.code(), schemas::codes::STORE_MISSING);
}

#[test]
fn a_table_keeps_types_and_refuses_uneven_columns() {
    let parts = ["train", "a,b"].map(str::to_owned).to_vec();
    let table = Table::numbers([("loss".to_owned(), vec![0.5, f64::NAN])])
        .with("epoch", Cells::Integer(vec![1, 2]))
        .with("part", Cells::Text(parts));

    let csv = Bytes::from_static(b"loss,epoch,part\n0.5,1,train\n,2,\"a,b\"\n");
    assert_eq!(table.to_csv().unwrap(), csv);
    assert!(table.to_parquet().is_ok());

    let uneven = table.with("more", Cells::Number(vec![1.0]));
    assert!(uneven.to_csv().is_err());
}

#[test]
fn a_file_of_more_than_four_gibibytes_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("EURUSD_1h.csv");
    // Zeros that take no room on the disk.
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(FILE_BYTES_MAX + 1).unwrap();

    let eurusd = expected("EURUSD", Timeframe::HOUR_1);
    let error = read_path(&path, &Mapping::default(), &eurusd).unwrap_err();

    let expected = format!(
        "`{}` has 4294967297 bytes, at most 4294967296 are read",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.hint(), "make several files of it, such as one a year");
}
