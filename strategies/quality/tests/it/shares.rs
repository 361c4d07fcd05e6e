//! How the share of rows decides severity, score and health.

use market::{Calendar, Timeframe, Utc};
use quality::{Check, Options, Report, Severity, check};

use crate::findings::{clean, findings_of, hours, key, report, utc};

/// The severity of a check in a report; none if it found nothing.
fn severity_of(report: &Report, check: Check) -> Option<Severity> {
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.check == check);
    finding.map(|finding| finding.severity)
}

#[test]
fn nearly_all_bars_given_twice_are_critical() {
    let report_of = |repeated: usize| {
        let (key, mut bars) = hours();
        let mut again = bars.slice(0..repeated);
        again.close.iter_mut().for_each(|close| *close *= 2.1);
        again.high.iter_mut().for_each(|high| *high *= 2.2);
        bars.extend(&again);
        report(&key, &bars)
    };
    let differing = Check::DuplicateDiffering;

    assert_eq!(
        severity_of(&report_of(4), differing),
        Some(Severity::Medium)
    );
    assert_eq!(severity_of(&report_of(50), differing), Some(Severity::High));
    let all = report_of(1_000);
    assert_eq!(severity_of(&all, differing), Some(Severity::Critical));
    assert!(
        !all.healthy && all.score.integrity <= 0.5,
        "{:?}",
        all.score
    );
}

#[test]
fn a_market_that_trades_all_night_is_not_healthy() {
    // Bars of each hour of a day under the hours of the NYSE: 7 of 24 lie in a session.
    let crypto = key("crypto:BTC/USD", Timeframe::HOUR_1);
    let share = key("AAPL", Timeframe::HOUR_1);
    let bars = clean(&crypto, 240);
    let report = report(&share, &bars);

    assert_eq!(
        severity_of(&report, Check::OffSession),
        Some(Severity::High)
    );
    assert!(!report.healthy);
    assert!(report.score.total < 80.0, "{:?}", report.score);
}

#[test]
fn few_bars_outside_of_sessions_are_low_unless_half() {
    let key = key("AAPL", Timeframe::DAY_1);
    let severity = |weekdays: usize| {
        let mut bars = clean(&key, weekdays);
        let saturday = clean(&key, 1);
        bars.extend(&saturday);
        bars.open_time[weekdays] = utc("2019-01-12T00:00Z");
        bars.close_time[weekdays] = utc("2019-01-13T00:00Z");
        severity_of(&report(&key, &bars), Check::OffSession)
    };

    assert_eq!(severity(5), Some(Severity::Low));
    assert_eq!(severity(1), Some(Severity::High));
}

#[test]
fn bars_that_mostly_contradict_themselves_are_critical() {
    let report_of = |rows: usize| {
        let (key, mut bars) = hours();
        for row in 0..rows {
            bars.high[row] = bars.open[row].max(bars.close[row]) * 0.9999;
        }
        report(&key, &bars)
    };

    let half = report_of(500);
    assert_eq!(severity_of(&half, Check::HighTooLow), Some(Severity::High));
    assert!(!half.healthy);
    let most = report_of(501);
    assert_eq!(
        severity_of(&most, Check::HighTooLow),
        Some(Severity::Critical)
    );
}

#[test]
fn one_bad_bar_of_two_is_not_healthy() {
    let (key, bars) = hours();
    let mut bars = bars.slice(0..2);
    bars.high[0] = f64::NAN;
    assert!(!report(&key, &bars).healthy);
}

#[test]
fn digits_without_their_point_are_critical() {
    let (key, mut bars) = hours();
    for column in [
        &mut bars.open,
        &mut bars.high,
        &mut bars.low,
        &mut bars.close,
    ] {
        column.iter_mut().for_each(|price| *price *= 1e9);
    }

    let report = report(&key, &bars);
    assert_eq!(
        findings_of(&report),
        [(Check::PriceTooLarge, Severity::Critical, 1_000)]
    );
}

#[test]
fn bars_of_another_timeframe_are_spaced_wrongly() {
    // Every other hour of a series that is said to be hourly.
    let key = key("EURUSD", Timeframe::HOUR_1);
    let all = clean(&key, 400);
    let mut bars = all.slice(0..0);
    for row in (0..400).step_by(2) {
        bars.extend(&all.slice(row..row + 1));
    }
    let report = report(&key, &bars);
    assert_eq!(severity_of(&report, Check::Spacing), Some(Severity::High));
}

#[test]
fn bars_of_1962_are_no_mistake() {
    let key = key("AAPL", Timeframe::DAY_1);
    let mut bars = clean(&key, 2);
    bars.open_time = vec![utc("1962-01-02T00:00Z"), utc("1962-01-03T00:00Z")];
    bars.close_time = vec![utc("1962-01-02T21:00Z"), utc("1962-01-03T21:00Z")];

    let report = report(&key, &bars);
    assert_eq!(severity_of(&report, Check::Timestamp), None);
    assert_eq!(report.critical().count(), 0);
}

#[test]
fn findings_name_their_first_and_last_time() {
    let (key, mut bars) = hours();
    for row in [7, 300, 900] {
        bars.low[row] = 0.0;
    }
    let report = check(&bars, &key, Calendar::for_key(&key), &Options::default());
    let finding = &report.findings[0];

    let ends = [finding.first, finding.last];
    let times: Vec<Option<Utc>> = [7, 900].map(|row| Some(bars.open_time[row])).to_vec();
    assert_eq!(ends.to_vec(), times);
}
