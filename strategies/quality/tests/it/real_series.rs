//! Real series: published bars are healthy, and the report is stable, serialisable and quick to
//! read.

use market::{Bars, Calendar, Instrument, SeriesKey, Timeframe, Utc, close_times};
use quality::{Check, Options, Report, check};

/// A file of `tests/data`.
fn load(symbol: &str, timeframe: Timeframe) -> (SeriesKey, Bars) {
    let key = SeriesKey::standard("file", Instrument::parse(symbol).unwrap(), timeframe).unwrap();
    let path = format!(
        "{}/tests/data/{symbol}_{timeframe}.csv.gz",
        env!("CARGO_MANIFEST_DIR")
    );
    let file = std::fs::File::open(path).unwrap();
    let mut bars = Bars::default();

    for row in csv::Reader::from_reader(flate2::read::GzDecoder::new(file)).records() {
        let row = row.unwrap();
        let number = |column: usize| row[column].parse::<f64>().unwrap();
        bars.open_time
            .push(Utc::from_timestamp(row[0].parse().unwrap()));
        bars.open.push(number(1));
        bars.high.push(number(2));
        bars.low.push(number(3));
        bars.close.push(number(4));
        // The file writes 0 where a currency pair has no volume.
        bars.volume.push(if key.instrument.pair().is_some() {
            f64::NAN
        } else {
            number(5)
        });
    }
    bars.close_time = close_times(Calendar::for_key(&key), &key, &bars.open_time).unwrap();
    (key, bars)
}

fn report(symbol: &str, timeframe: Timeframe) -> Report {
    let (key, bars) = load(symbol, timeframe);
    check(&bars, &key, Calendar::for_key(&key), &Options::default())
}

#[test]
fn a_year_of_currency_hours_is_healthy() {
    let report = report("EURUSD", Timeframe::HOUR_1);
    assert!(
        report.healthy && report.score.completeness > 0.99 && report.score.total > 98.0,
        "{report:#?}"
    );
}

#[test]
fn nine_years_of_stock_days_are_healthy_and_complete() {
    let report = report("AAPL", Timeframe::DAY_1);
    assert!(
        report.healthy && report.missing == 0 && report.score.total > 99.0,
        "{report:#?}"
    );
    assert_eq!((report.bars, report.expected), (2_326, 2_326));
}

#[test]
fn the_same_bars_give_the_same_report_and_json_reads_back() {
    let one = report("EURUSD", Timeframe::HOUR_1);
    let two = report("EURUSD", Timeframe::HOUR_1);
    let json = serde_json::to_string(&one).unwrap();
    assert_eq!(json, serde_json::to_string(&two).unwrap());
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), one);
}

#[test]
fn findings_come_in_the_order_of_the_checks() {
    let (key, mut bars) = load("AAPL", Timeframe::DAY_1);
    (bars.volume[3], bars.high[2], bars.low[1]) = (-1.0, f64::NAN, 0.0);
    let report = check(
        &bars.slice(0..1_000),
        &key,
        Calendar::for_key(&key),
        &Options::default(),
    );
    let checks: Vec<Check> = report
        .findings
        .iter()
        .map(|finding| finding.check)
        .collect();

    assert!(
        checks.is_sorted() && checks.starts_with(&[Check::PriceNotFinite, Check::PriceNotPositive]),
        "{checks:?}"
    );
}
