//! Calendars: hours, daylight saving, exceptions, and what a calendar file is refused for.

use jiff::civil::{Date, date};
use market::{AssetClass, Calendar, CalendarError, Instrument, SeriesKey, Session, Timeframe};

/// Open and close of each session of one trading date, `HH:MM` UTC, with the UTC dates where they
/// differ.
fn hours(calendar: &Calendar, date: Date) -> Vec<String> {
    let sessions = calendar.sessions(date..date.tomorrow().unwrap());
    sessions
        .iter()
        .map(|s| format!("{:.16} {:.16}", s.open.to_string(), s.close.to_string()))
        .collect()
}

fn equities() -> &'static Calendar {
    Calendar::for_class(AssetClass::Stock)
}

fn fx() -> &'static Calendar {
    Calendar::for_class(AssetClass::Fx)
}

#[test]
fn new_york_opens_at_1430_utc_in_winter_and_1330_in_summer() {
    // US clocks went forward on Sunday 2021-03-14 and back on Sunday 2021-11-07.
    assert_eq!(
        hours(equities(), date(2021, 3, 12)),
        ["2021-03-12T14:30 2021-03-12T21:00"]
    );

    assert_eq!(
        hours(equities(), date(2021, 3, 15)),
        ["2021-03-15T13:30 2021-03-15T20:00"]
    );
    assert_eq!(
        hours(equities(), date(2021, 11, 8)),
        ["2021-11-08T14:30 2021-11-08T21:00"]
    );
    // Until 2006 the change was on the first Sunday of April: 2006-04-02.
    assert_eq!(
        hours(equities(), date(2006, 3, 31)),
        ["2006-03-31T14:30 2006-03-31T21:00"]
    );
    assert_eq!(
        hours(equities(), date(2006, 4, 3)),
        ["2006-04-03T13:30 2006-04-03T20:00"]
    );
}

#[test]
fn the_currency_week_opens_at_2200_utc_or_2100_in_summer() {
    assert_eq!(
        hours(fx(), date(2021, 3, 8)),
        ["2021-03-07T22:00 2021-03-08T22:00"]
    );

    assert_eq!(
        hours(fx(), date(2021, 3, 12)),
        ["2021-03-11T22:00 2021-03-12T22:00"]
    );
    assert_eq!(
        hours(fx(), date(2021, 3, 15)),
        ["2021-03-14T21:00 2021-03-15T21:00"]
    );
    assert_eq!(fx().sessions(date(2021, 3, 13)..date(2021, 3, 15)), []);
}

#[test]
fn the_day_after_thanksgiving_closes_at_1300() {
    assert_eq!(hours(equities(), date(2019, 11, 28)), [""; 0]);
    assert_eq!(
        hours(equities(), date(2019, 11, 29)),
        ["2019-11-29T14:30 2019-11-29T18:00"]
    );
}

#[test]
fn the_exchange_was_closed_from_11_to_14_september_2001() {
    let sessions = equities().sessions(date(2001, 9, 10)..date(2001, 9, 18));
    assert_eq!(
        sessions.iter().map(|s| s.date).collect::<Vec<_>>(),
        [date(2001, 9, 10), date(2001, 9, 17)]
    );
}

#[test]
fn currency_exceptions_close_local_calendar_days() {
    // 2018-12-24 closes at 17:00, 2018-12-25 opens at 17:00: Tuesday the 25th has no session,
    // Wednesday's is whole.
    assert_eq!(hours(fx(), date(2018, 12, 25)), [""; 0]);

    assert_eq!(
        hours(fx(), date(2018, 12, 26)),
        ["2018-12-25T22:00 2018-12-26T22:00"]
    );
    // Thursday 2015-12-24 closes at 14:00 and Friday is closed: nothing is left of Friday's session,
    // half of which lies in Thursday.
    assert_eq!(hours(fx(), date(2015, 12, 25)), [""; 0]);
    // Without the early close the evening before a holiday belongs to the holiday's trading date.
    let evening = r#"{"name": "evening", "exchange_time_zone": "America/New_York",
        "sessions": {"friday": [{"open": "-1.17:00", "close": "17:00"}]}, "holidays": ["2015-12-25"]}"#;
    assert_eq!(
        hours(&Calendar::from_json(evening).unwrap(), date(2015, 12, 25)),
        ["2015-12-24T22:00 2015-12-25T05:00"]
    );
    // Wednesday 2014-12-31 closes at 14:00 and Thursday's session begins as usual.
    assert_eq!(
        hours(fx(), date(2014, 12, 31)),
        ["2014-12-30T22:00 2014-12-31T19:00"]
    );
}

#[test]
fn extended_hours_are_one_session_from_0400_to_2000() {
    let apple = Instrument::parse("AAPL").unwrap();
    let mut key = SeriesKey::standard("file", apple, Timeframe::HOUR_1).unwrap();
    assert_eq!(
        hours(Calendar::for_key(&key), date(2021, 3, 12)),
        ["2021-03-12T14:30 2021-03-12T21:00"]
    );
    key.session = Session::Extended;
    assert_eq!(
        hours(Calendar::for_key(&key), date(2021, 3, 12)),
        ["2021-03-12T09:00 2021-03-13T01:00"]
    );
}

#[test]
fn crypto_never_closes() {
    let always = Calendar::for_class(AssetClass::Crypto);
    assert_eq!(
        hours(always, date(2024, 2, 29)),
        ["2024-02-29T00:00 2024-03-01T00:00"]
    );
    assert!(always.covers(date(1990, 1, 1)));
}

#[test]
fn a_calendar_says_which_dates_it_knows_the_exceptions_of() {
    let edge = [
        date(1997, 12, 31),
        date(1998, 1, 1),
        date(2028, 12, 31),
        date(2029, 1, 1),
    ];

    assert_eq!(
        edge.map(|each| equities().covers(each)),
        [false, true, true, false]
    );
    assert!(!fx().covers(date(1999, 12, 31)) && fx().covers(date(2000, 1, 1)));
    // Beyond, the weekly hours go on.
    assert_eq!(
        hours(equities(), date(2030, 12, 25)),
        ["2030-12-25T14:30 2030-12-25T21:00"]
    );
}

const TOKYO: &str = r#"{"name": "tokyo", "exchange_time_zone": "Asia/Tokyo", "late_opens": {"2024-01-05": "10:00"},
    "early_closes": {"2024-01-09": "12:00"},
    "sessions": {"friday": [{"open": "09:00", "close": "11:30", "phase": "regular"},
                            {"open": "12:30", "close": "15:30", "phase": "regular"}],
                 "tuesday": [{"open": "09:00", "close": "11:30", "phase": "regular"},
                             {"open": "12:30", "close": "15:30", "phase": "regular"}]}}"#;

#[test]
fn a_calendar_file_may_have_breaks_late_opens_and_early_closes() {
    let tokyo = Calendar::from_json(TOKYO).unwrap();
    let late = [
        "2024-01-05T01:00 2024-01-05T02:30",
        "2024-01-05T03:30 2024-01-05T06:30",
    ];

    assert_eq!(hours(&tokyo, date(2024, 1, 5)), late);
    assert_eq!(
        hours(&tokyo, date(2024, 1, 9)),
        ["2024-01-09T00:00 2024-01-09T02:30"]
    );
    assert_eq!(
        (tokyo.name(), tokyo.covers(date(2024, 1, 5))),
        ("tokyo", true)
    );
}

#[test]
fn a_wrong_calendar_file_is_refused_with_its_reason() {
    let error = |from: &str, to: &str| Calendar::from_json(&TOKYO.replace(from, to)).unwrap_err();

    assert!(matches!(
        error("late_opens", "late_open"),
        CalendarError::Json { .. }
    ));
    assert!(matches!(
        error("2024-01-05", "2024-01-32"),
        CalendarError::Json { .. }
    ));
    assert!(matches!(
        error("11:30", "2.11:30"),
        CalendarError::Json { .. }
    ));
    assert!(
        matches!(error("Asia/Tokyo", "Asia/Tokio"), CalendarError::Zone { zone, .. } if zone == "Asia/Tokio")
    );
    assert!(
        matches!(error("11:30", "12:45"), CalendarError::Sessions { weekday } if weekday == "Tuesday")
    );
    assert!(matches!(
        error("15:30", "12:30"),
        CalendarError::Sessions { .. }
    ));
    // No session may reach into the first one of the next week either.
    let monday_overlap = r#"{"name": "x", "exchange_time_zone": "UTC", "sessions": {
        "monday": [{"open": "-1.10:00", "close": "10:00", "phase": "regular"}],
        "sunday": [{"open": "09:00", "close": "11:00", "phase": "regular"}]}}"#;
    assert!(
        matches!(Calendar::from_json(monday_overlap), Err(CalendarError::Sessions { weekday }) if weekday == "Sunday")
    );
    let closed = r#"{"name": "x", "exchange_time_zone": "UTC", "sessions": {}}"#;
    assert!(matches!(
        Calendar::from_json(closed),
        Err(CalendarError::Closed)
    ));
    let covers = TOKYO.replace(
        "\"name\"",
        r#""covers": {"first": "2024-01-02", "last": "2024-01-01"}, "name""#,
    );
    assert!(matches!(
        Calendar::from_json(&covers),
        Err(CalendarError::Coverage { .. })
    ));
}
