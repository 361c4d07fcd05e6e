//! The reports and outcomes of good bars, doubtful bars and bars that cannot be used.

use market::{Calendar, HourAnchor, Instrument, SeriesKey, Timeframe, Utc, expected};
use quality::{Check, Report, Rules};
use runtime::settings::{self, ServiceSettings};
use runtime::{StepError, StepReporter};
use schemas::progress::Progress;
use store::{Edit, RawBar, RawBars, Store};
use validator::{Request, ValidateError, ValidatorSettings, validate};

/// Shows nothing and never stops.
struct Quiet;

impl StepReporter for Quiet {
    fn report(&self, _: Progress) {}

    fn check_stop(&self) -> Result<(), StepError> {
        Ok(())
    }
}

const NOW: Utc = Utc(1_600_000_000_000_000);

fn utc(text: &str) -> Utc {
    Utc::from_timestamp(text.parse().unwrap())
}

/// A year of EURUSD hours that moves a little each hour.
fn bars(key: &SeriesKey) -> RawBars {
    let range = utc("2018-01-01T00:00:00Z")..utc("2019-01-01T00:00:00Z");
    let slots = expected(
        Calendar::for_key(key),
        key.timeframe,
        key.day_boundary,
        HourAnchor::ClockHour,
        range,
    );

    let mut bars = RawBars::default();
    for (row, slot) in slots.iter().enumerate() {
        let open = price(row);
        let close = price(row + 1);
        bars.push(RawBar {
            open_time: slot.open,
            prices: [
                open,
                open.max(close) + 0.0005,
                open.min(close) - 0.0005,
                close,
            ],
            volume: f64::NAN,
        });
    }
    bars
}

fn price(row: usize) -> f64 {
    1.2 + 0.001 * ((row % 17) as f64 - 8.0).abs()
}

/// A store with the bars after `spoil` has had them, and a request for all of them.
async fn store_bars(spoil: impl Fn(&mut RawBars)) -> (Store, Request) {
    let instrument = Instrument::parse("EURUSD").unwrap();
    let key = SeriesKey::standard("file", instrument, Timeframe::HOUR_1).unwrap();
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
    let request = Request {
        series: vec![key.prefix()],
        start: None,
        end: None,
        rules: Rules::default(),
    };
    (store, request)
}

#[tokio::test]
async fn good_bars_score_one_hundred_and_leave_a_report() {
    let (store, request) = store_bars(|_| {}).await;

    let outcome = validate(&store, &request, NOW, &Quiet).await.unwrap();

    let series = &outcome.series[0];
    assert_eq!(series.score, 100.0, "{series:?}");
    assert!(series.healthy, "{series:?}");
    assert_eq!(series.serious, 0, "{series:?}");
    let report: Report = store.reports().get(&series.report).await.unwrap();
    assert_eq!(report.bars as u64, series.bars);
}

#[tokio::test]
async fn the_same_bars_give_the_same_report_under_the_same_key() {
    let (store, request) = store_bars(|_| {}).await;

    let first = validate(&store, &request, NOW, &Quiet).await.unwrap();
    let second = validate(&store, &request, NOW, &Quiet).await.unwrap();

    assert_eq!(second, first);
}

/// Takes out every fourth bar.
fn thin_out(bars: &mut RawBars) {
    *bars = bars
        .iter()
        .enumerate()
        .filter(|(row, _)| row % 4 != 1)
        .map(|(_, bar)| bar)
        .collect();
}

#[tokio::test]
async fn missing_bars_lower_the_score_and_are_reported() {
    let (store, request) = store_bars(thin_out).await;

    let outcome = validate(&store, &request, NOW, &Quiet).await.unwrap();

    let series = &outcome.series[0];
    assert!(!series.healthy && series.score < 90.0, "{series:?}");
    assert!(series.findings[0].contains("missing"), "{series:?}");
}

#[tokio::test]
async fn only_the_requested_range_is_checked() {
    let (store, request) = store_bars(thin_out).await;
    let day = Request {
        start: Some("2018-03-07T00:00:00Z".parse().unwrap()),
        end: Some("2018-03-08T00:00:00Z".parse().unwrap()),
        ..request
    };

    let outcome = validate(&store, &day, NOW, &Quiet).await.unwrap();

    assert_eq!(outcome.series[0].bars, 18);
}

#[tokio::test]
async fn critical_bars_fail_the_step_after_their_report_is_stored() {
    let (store, request) = store_bars(|bars| {
        bars.low[100] = -1.0;
        bars.high[205] = 0.1;
    })
    .await;

    let error = validate(&store, &request, NOW, &Quiet).await.unwrap_err();

    let ValidateError::Critical { findings } = &error else {
        panic!("{error}")
    };
    let report: Report = store.reports().get(&findings[0].report).await.unwrap();
    let checks: Vec<Check> = report.critical().map(|finding| finding.check).collect();
    assert_eq!(checks, [Check::PriceNotPositive, Check::HighBelowLow]);

    let StepError::Permanent(record) = StepError::from(error) else {
        panic!("must not be retried")
    };
    insta::assert_snapshot!(format!(
        "{}: {}\nhint: {}",
        record.code, record.message, record.hint
    ));
}

/// True if there is nothing to check for this request.
async fn has_no_bars(store: &Store, request: &Request) -> bool {
    let result = validate(store, request, NOW, &Quiet).await;
    matches!(result, Err(ValidateError::NoBars { .. }))
}

#[tokio::test]
async fn a_series_that_is_not_stored_cannot_be_checked() {
    let (store, request) = store_bars(|_| {}).await;
    let other = Request {
        series: vec![request.series[0].replace("eur", "gbp")],
        ..request
    };

    assert!(has_no_bars(&store, &other).await);
}

#[tokio::test]
async fn a_range_without_stored_bars_cannot_be_checked() {
    let (store, request) = store_bars(|_| {}).await;
    let later = Request {
        start: Some("2020-01-01T00:00:00Z".parse().unwrap()),
        ..request
    };

    assert!(has_no_bars(&store, &later).await);
}

#[test]
fn thresholds_are_settings_of_the_validator() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ktrdr.toml");
    std::fs::write(&file, "[validator.rules]\nmissing_high = 0.25\n").unwrap();
    let variable = "KTRDR_VALIDATOR_RULES_STALE_DAILY".to_owned();
    let variables = [(variable, "7".to_owned())].into();
    let defaults = ServiceSettings::<ValidatorSettings>::default();
    let loaded = settings::load("validator", &defaults, Some(&file), &variables, &[]).unwrap();

    let expected = Rules {
        missing_high: 0.25,
        stale_daily: 7,
        ..Rules::default()
    };
    assert_eq!(loaded.value.service.own.rules, expected);
}
