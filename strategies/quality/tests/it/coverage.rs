//! Two timeframes of one symbol: which bars of one contradict the other, on days of New York made
//! by hand.

use market::{Timeframe, Utc};
use quality::{Check, CoveredBars, Rules, Severity, check_coverage};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Midnight of the first Monday, 2024-01-08.
fn monday() -> i64 {
    let monday: jiff::Timestamp = "2024-01-08T00:00:00Z".parse().unwrap();
    monday.as_microsecond()
}

/// The closes of `days` sessions, Monday to Friday, at 21:00 UTC.
fn session_closes(days: i64) -> Vec<Utc> {
    let sessions = (0..days).map(|number| number / 5 * 7 + number % 5);
    sessions
        .map(|day| Utc(monday() + day * DAY + 21 * HOUR))
        .collect()
}

/// The ends of the seven bars of an hour in each of these sessions: 15:30 to 20:30, and 21:00.
fn hours_of(closes: &[Utc]) -> Vec<Utc> {
    let hours = |close: &Utc| {
        let close = close.0;
        let whole = (0..6).map(move |hour| Utc(close - 11 * HOUR / 2 + hour * HOUR));
        whole.chain([Utc(close)])
    };
    closes.iter().flat_map(hours).collect()
}

/// What the check says of hours and days, each finding as severity and message.
fn findings_of(hours: &[Utc], days: &[Utc], rules: &Rules) -> Vec<(Severity, String)> {
    let hours = CoveredBars {
        timeframe: Timeframe::HOUR_1,
        known_at: hours,
    };
    let days = CoveredBars {
        timeframe: Timeframe::DAY_1,
        known_at: days,
    };

    let findings = check_coverage(days, hours, rules);
    assert_eq!(findings, check_coverage(hours, days, rules));
    assert!(findings.iter().all(|each| each.check == Check::Coverage));
    findings
        .into_iter()
        .map(|finding| (finding.severity, finding.message))
        .collect()
}

#[test]
fn timeframes_of_the_same_sessions_agree() {
    let days = session_closes(60);
    assert_eq!(findings_of(&hours_of(&days), &days, &Rules::default()), []);
    assert_eq!(findings_of(&[], &days, &Rules::default()), []);
}

#[test]
fn a_day_that_only_one_timeframe_has_is_found() {
    let days = session_closes(101);
    let hours = hours_of(&days);

    // Wednesday of the second week: 1 of the 100 days after the first one.
    let mut without_day = days.clone();
    without_day.remove(7);
    let findings = findings_of(&hours, &without_day, &Rules::default());
    // Of its seven hours the last two end less than 25 hours before the next close.
    let message = "5 of 700 1h bars lie in no 1d bar".to_owned();
    assert_eq!(findings, [(Severity::Low, message)]);

    let mut without_hours = hours;
    without_hours.drain(49..56);
    let findings = findings_of(&without_hours, &days, &Rules::default());
    let message = "1 of 100 1d bars have no 1h bar in them".to_owned();
    assert_eq!(findings, [(Severity::Low, message)]);
}

#[test]
fn the_share_of_contradicted_bars_decides_how_bad_it_is() {
    let days = session_closes(101);
    let mut hours = hours_of(&days);
    hours.drain(49..49 + 5 * 7);

    let severity = |rules: &Rules| findings_of(&hours, &days, rules)[0].0;
    assert_eq!(severity(&Rules::default()), Severity::Medium);
    let strict = Rules::from_toml("coverage_high = 0.04").unwrap();
    assert_eq!(severity(&strict), Severity::High);
    let lenient = Rules::from_toml("coverage_medium = 0.06").unwrap();
    assert_eq!(severity(&lenient), Severity::Low);
}

#[test]
fn too_little_common_time_is_said() {
    let days = session_closes(60);
    let first_hours = hours_of(&days[..4]);
    let findings = findings_of(&first_hours, &days, &Rules::default());
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].0, Severity::Medium);
    let start = "1h and 1d bars have 3 days in common, with 22 and 4 bars: at least 7 days";
    assert!(findings[0].1.starts_with(start), "{}", findings[0].1);

    // Nothing in common at all.
    let later: Vec<Utc> = first_hours
        .iter()
        .map(|time| Utc(time.0 + 200 * DAY))
        .collect();
    let findings = findings_of(&later, &days, &Rules::default());
    assert!(
        findings[0]
            .1
            .contains("0 days in common, with 0 and 0 bars")
    );
}
