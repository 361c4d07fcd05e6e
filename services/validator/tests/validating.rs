//! What a validation tells about good bars, doubtful bars and bars that cannot be used.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use market::{Calendar, HourAnchor, Instrument, SeriesKey, Timeframe, Utc, expected};
use quality::{Check, Report};
use runtime::StepError;
use schemas::progress::Progress;
use store::{Edit, RawBar, RawBars, Store};
use validator::{Attempt, Request, ValidateError, validate};

struct Quiet;

impl Attempt for Quiet {
    fn report(&self, _: Progress) {}

    fn check_stop(&self) -> Result<(), StepError> {
        Ok(())
    }
}

fn utc(text: &str) -> Utc {
    Utc::from_timestamp(text.parse().unwrap())
}

/// A year of EURUSD hours that moves a little each hour.
fn bars(key: &SeriesKey) -> RawBars {
    let calendar = Calendar::for_key(key);
    let range = utc("2018-01-01T00:00:00Z")..utc("2019-01-01T00:00:00Z");
    let slots = expected(
        calendar,
        key.timeframe,
        key.day_boundary,
        HourAnchor::ClockHour,
        range,
    );
    let price = |row: usize| 1.2 + 0.001 * ((row % 17) as f64 - 8.0).abs();
    let row = |(row, slot): (usize, &market::Slot)| {
        let (open, close) = (price(row), price(row + 1));
        let prices = [
            open,
            open.max(close) + 0.0005,
            open.min(close) - 0.0005,
            close,
        ];
        RawBar {
            open_time: slot.open,
            prices,
            volume: f64::NAN,
        }
    };
    slots.iter().enumerate().map(row).collect()
}

async fn stored(spoil: impl Fn(&mut RawBars)) -> (Store, Request) {
    let key = SeriesKey::standard(
        "file",
        Instrument::parse("EURUSD").unwrap(),
        Timeframe::Hour1,
    )
    .unwrap();
    let store = Store::open("memory:///").await.unwrap();
    let mut bars = bars(&key);
    spoil(&mut bars);
    let edit = Edit {
        bars,
        empty_intervals: Vec::new(),
        calendar: String::new(),
        at: Utc(0),
    };
    store.series().commit(&key, edit, None).await.unwrap();
    (
        store,
        Request {
            series: vec![key.prefix()],
            start: None,
            end: None,
        },
    )
}

const NOW: Utc = Utc(1_600_000_000_000_000);

#[tokio::test]
async fn good_bars_score_one_hundred_and_leave_a_report() {
    let (store, request) = stored(|_| {}).await;
    let outcome = validate(&store, &request, NOW, &Quiet).await.unwrap();
    let series = &outcome.series[0];
    assert_eq!(
        (series.score, series.healthy, series.serious),
        (100.0, true, 0),
        "{series:?}"
    );
    let report: Report = store.reports().get(&series.report).await.unwrap();
    assert_eq!(report.bars as u64, series.bars);
    // The same bars give the same report, under the same key.
    assert_eq!(
        validate(&store, &request, NOW, &Quiet).await.unwrap(),
        outcome
    );
}

#[tokio::test]
async fn missing_bars_lower_the_score_and_are_told() {
    let (store, request) = stored(|bars| {
        *bars = bars
            .iter()
            .enumerate()
            .filter(|(row, _)| row % 4 != 1)
            .map(|(_, bar)| bar)
            .collect()
    })
    .await;
    let series = validate(&store, &request, NOW, &Quiet)
        .await
        .unwrap()
        .series
        .remove(0);
    assert!(!series.healthy && series.score < 90.0, "{series:?}");
    assert!(series.findings[0].contains("missing"), "{series:?}");
    // Only the range asked for is checked.
    let day = Request {
        start: Some("2018-03-07T00:00:00Z".parse().unwrap()),
        end: Some("2018-03-08T00:00:00Z".parse().unwrap()),
        ..request
    };
    assert_eq!(
        validate(&store, &day, NOW, &Quiet).await.unwrap().series[0].bars,
        18
    );
}

#[tokio::test]
async fn critical_bars_fail_the_step_and_are_named_after_their_report_is_stored() {
    let (store, request) = stored(|bars| {
        bars.low[100] = -1.0;
        bars.high[205] = 0.1;
    })
    .await;
    let error = validate(&store, &request, NOW, &Quiet).await.unwrap_err();
    let ValidateError::Critical { found } = &error else {
        panic!("{error}")
    };
    let report: Report = store.reports().get(&found[0].1).await.unwrap();
    assert_eq!(
        report
            .critical()
            .map(|finding| finding.check)
            .collect::<Vec<_>>(),
        [Check::PriceNotPositive, Check::HighBelowLow]
    );
    let StepError::Permanent(record) = StepError::from(error) else {
        panic!("must not be retried")
    };
    insta::assert_snapshot!(format!(
        "{}: {}\nhint: {}",
        record.code, record.message, record.hint
    ));
}

#[tokio::test]
async fn what_is_not_stored_cannot_be_checked() {
    let (store, request) = stored(|_| {}).await;
    let other = Request {
        series: vec![request.series[0].replace("eur", "gbp")],
        ..request.clone()
    };
    assert!(matches!(
        validate(&store, &other, NOW, &Quiet).await,
        Err(ValidateError::NoBars { .. })
    ));
    let later = Request {
        start: Some("2020-01-01T00:00:00Z".parse().unwrap()),
        ..request
    };
    assert!(matches!(
        validate(&store, &later, NOW, &Quiet).await,
        Err(ValidateError::NoBars { .. })
    ));
}
