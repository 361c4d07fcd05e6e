//! Sessions of the built-in calendars: how a test reads them, what holds for all of them, and what
//! a name leads to.

use jiff::civil::{Date, date};
use market::{
    Calendar, CalendarError, ExceptionKind, Instrument, SeriesKey, Session, Timeframe, Utc,
};

/// Compares the sessions of dates, in UTC, with what is expected: `closed`, or `open-close` of each
/// session with the difference of days before a time where there is one, as in `-1.23:00-22:00`.
pub(crate) fn check_dates(calendar: &str, expected: &[(&str, &str)]) {
    let calendar = Calendar::named(calendar).unwrap();
    let written = expected.iter().map(|(date, _)| {
        let sessions = sessions_of(calendar, date.parse().unwrap());
        format!("{date} {sessions}")
    });

    let expected = expected
        .iter()
        .map(|(date, hours)| format!("{date} {hours}"));
    assert_eq!(written.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// Calendars that another test of this process added have no description.
fn built_in() -> Vec<&'static Calendar> {
    let mut calendars = Calendar::all();
    calendars.retain(|calendar| !calendar.description().is_empty());
    calendars
}

fn sessions_of(calendar: &Calendar, date: Date) -> String {
    let time_of = |instant: Utc| {
        let days = (instant.date() - date).get_days();
        let time = instant.timestamp().strftime("%H:%M");
        if days == 0 {
            time.to_string()
        } else {
            format!("{days}.{time}")
        }
    };

    let sessions = calendar.sessions(date..date.tomorrow().unwrap());
    let written = sessions
        .iter()
        .map(|session| format!("{}-{}", time_of(session.open), time_of(session.close)));
    let written = written.collect::<Vec<_>>().join(" ");
    if written.is_empty() {
        "closed".to_owned()
    } else {
        written
    }
}

#[test]
fn sessions_are_in_order_and_close_to_the_date_they_name() {
    for calendar in built_in() {
        let sessions = calendar.sessions(date(1998, 1, 1)..date(2031, 1, 1));
        assert!(sessions.len() > 7_000, "{}", calendar.name());

        let mut last_close = Utc(i64::MIN);
        for session in &sessions {
            let name = calendar.name();
            assert!(session.open < session.close, "{name} {session:?}");
            assert!(last_close <= session.open, "{name} {session:?}");
            last_close = session.close;

            // In local time a session reaches into the day before, or ends at the next midnight.
            let open = calendar.local(session.open).date();
            let close = calendar.local(session.close.plus_micros(-1)).date();
            assert!(
                open >= session.date.yesterday().unwrap(),
                "{name} {session:?}"
            );
            assert!(
                open <= session.date && close <= session.date,
                "{name} {session:?}"
            );
        }
    }
}

#[test]
fn a_session_keeps_its_local_hours_over_both_changes_of_clock() {
    // New York and Chicago: 2024-03-10 and 2024-11-03; London, Frankfurt and Paris: 2024-03-31 and
    // 2024-10-27; Sydney: 2024-04-07 and 2024-10-06. The weeks around all of them, at the exchange.
    for (name, open, close) in [
        ("us_equities", "09:30", "16:00"),
        ("fx", "17:00", "17:00"),
        ("metals", "18:00", "17:00"),
        ("cme_index", "17:00", "16:00"),
        ("lse", "08:00", "16:30"),
        ("xetra", "09:00", "17:30"),
        ("euronext", "09:00", "17:30"),
        ("asx", "10:00", "16:00"),
    ] {
        let calendar = Calendar::named(name).unwrap();
        let local = |instant| calendar.local(instant).strftime("%H:%M").to_string();
        for week in [
            date(2024, 3, 4)..date(2024, 4, 13),
            date(2024, 10, 1)..date(2024, 11, 9),
        ] {
            for session in calendar.sessions(week) {
                assert_eq!(
                    (local(session.open), local(session.close)),
                    (open.into(), close.into())
                );
            }
        }
    }
}

#[test]
fn london_and_new_york_change_their_clocks_in_different_weeks() {
    // From 10 to 31 March 2024 and from 27 October to 3 November, New York is four hours behind.
    let hours = [
        date(2024, 3, 7),
        date(2024, 3, 14),
        date(2024, 4, 4),
        date(2024, 10, 30),
    ]
    .map(|date| {
        let of = |name| sessions_of(Calendar::named(name).unwrap(), date);
        (of("lse"), of("us_equities"), of("fx"))
    });
    let expected = [
        ("08:00-16:30", "14:30-21:00", "-1.22:00-22:00"),
        ("08:00-16:30", "13:30-20:00", "-1.21:00-21:00"),
        ("07:00-15:30", "13:30-20:00", "-1.21:00-21:00"),
        ("08:00-16:30", "13:30-20:00", "-1.21:00-21:00"),
    ];

    let expected = expected.map(|(lse, us, fx)| (lse.to_owned(), us.to_owned(), fx.to_owned()));
    assert_eq!(hours, expected);
}

#[test]
fn every_calendar_says_what_it_is_and_where_it_is_from() {
    let names: Vec<&str> = built_in().iter().map(|each| each.name()).collect();
    let expected = "us_equities us_equities_extended fx metals cme_index cme_energy_metals lse xetra \
                    euronext tse hkex sse asx tsx nse b3 weekdays always";
    assert_eq!(names.join(" "), expected);

    for calendar in built_in() {
        let name = calendar.name();
        assert_eq!(Calendar::named(name).unwrap().name(), name);
        if name != "always" && name != "weekdays" {
            assert!(!calendar.sources().is_empty(), "{name}");
            assert!(calendar.covers(date(2000, 1, 1)) && calendar.covers(date(2028, 12, 31)));
            assert!(
                calendar.projected_from().unwrap() > date(2026, 11, 1),
                "{name}"
            );
        }
    }
}

#[test]
fn the_page_on_calendars_has_a_row_for_each() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/calendars.md");
    let page = std::fs::read_to_string(page).unwrap();

    // Extended hours are described with the regular ones.
    for calendar in built_in()
        .iter()
        .filter(|each| each.hours() == Session::Regular)
    {
        let row = format!(
            "| `{}` | {} | {} |",
            calendar.name(),
            calendar.zone_name(),
            calendar.description()
        );
        assert!(page.contains(&row), "docs/calendars.md lacks: {row}");
    }
}

#[test]
fn the_calendar_of_every_instrument_exists() {
    let symbols = "stk:AAPL stk:VOD.L stk:SAP.DE stk:MC.PA stk:7203.T stk:0700.HK stk:600000.SS \
                   stk:BHP.AX stk:SHOP.TO stk:INFY.NS stk:PETR4.SA fx:EURUSD metal:XAUUSD \
                   crypto:BTCUSD fut:ES fut:CL fut:ZC idx:GSPC idx:VIX idx:N225";

    for symbol in symbols.split_whitespace() {
        let instrument = Instrument::parse(symbol).unwrap();
        let name = instrument.calendar_name();
        assert!(Calendar::named(name).is_some(), "{symbol} {name}");

        let key = SeriesKey::standard("file", instrument, Timeframe::HOUR_1).unwrap();
        assert_eq!(Calendar::for_key(&key).name(), name, "{symbol}");
    }
}

#[test]
fn exceptions_have_names() {
    let exceptions = |name: &str, day: Date| {
        let dated = Calendar::named(name)
            .unwrap()
            .exceptions(day..day.tomorrow().unwrap());
        dated
            .iter()
            .map(|each| (each.kind, each.name.clone()))
            .collect::<Vec<_>>()
    };
    let close = ExceptionKind::ClosesAt(jiff::civil::time(12, 30, 0, 0));
    let open = ExceptionKind::OpensAt(jiff::civil::time(13, 0, 0, 0));

    let christmas_eve = [(close, "before Christmas".to_owned())];
    assert_eq!(exceptions("lse", date(2024, 12, 24)), christmas_eve);
    let christmas = [(ExceptionKind::Closed, "Christmas".to_owned())];
    assert_eq!(exceptions("cme_index", date(2024, 12, 25)), christmas);
    let ash_wednesday = [(open, "Ash Wednesday".to_owned())];
    assert_eq!(exceptions("b3", date(2024, 2, 14)), ash_wednesday);
    let thanksgiving = [(ExceptionKind::Hours, "Thanksgiving".to_owned())];
    assert_eq!(exceptions("cme_index", date(2024, 11, 28)), thanksgiving);
    assert_eq!(exceptions("lse", date(2024, 12, 23)), []);
}

#[test]
fn a_series_is_as_its_calendar_says() {
    let instrument = Instrument::parse("stk:SAP").unwrap();
    let standard = SeriesKey::standard("file", instrument, Timeframe::HOUR_1).unwrap();
    let frankfurt = standard.clone().with_calendar("xetra").unwrap();
    let text = "bars/file/stk-sap/trades-regular-split-session_close-xetra/1h";

    assert_eq!(frankfurt.to_string(), text);
    assert_eq!(text.parse::<SeriesKey>().unwrap(), frankfurt);
    assert_eq!(Calendar::for_key(&frankfurt).name(), "xetra");
    assert_ne!(frankfurt, standard);

    // The calendar of the instrument itself is not written, and extended hours are the session's.
    assert_eq!(
        standard.clone().with_calendar("us_equities").unwrap(),
        standard
    );
    let extended = standard
        .clone()
        .with_calendar("us_equities_extended")
        .unwrap();
    assert_eq!(
        (extended.session, extended.calendar()),
        (Session::Extended, None)
    );
    assert_eq!(Calendar::for_key(&extended).name(), "us_equities_extended");

    // A calendar that this process does not know is never replaced by another one.
    let unknown = standard.with_calendar("frankfurt").unwrap_err();
    assert_eq!(unknown.to_string(), "there is no calendar `frankfurt`");
    assert_eq!(
        text.replace("xetra", "frankfurt")
            .parse::<SeriesKey>()
            .unwrap_err(),
        unknown
    );
}

#[test]
fn a_calendar_can_be_added_once_under_a_name_of_its_own() {
    let text = r#"{"name": "lab", "exchange_time_zone": "UTC", "sessions": {
        "monday": [{"open": "10:00", "close": "11:00"}]}}"#;

    assert_eq!(Calendar::add(text).unwrap().name(), "lab");
    assert_eq!(Calendar::add(text).unwrap().name(), "lab");
    assert_eq!(
        sessions_of(Calendar::named("lab").unwrap(), date(2024, 1, 1)),
        "10:00-11:00"
    );

    let other = text.replace("11:00", "12:00");
    assert!(matches!(Calendar::add(&other), Err(CalendarError::Taken { name }) if name == "lab"));
    let built_in = text.replace("lab", "lse");
    assert!(matches!(
        Calendar::add(&built_in),
        Err(CalendarError::Taken { .. })
    ));
}

const CHANGED: &str = r#"{"name": "changed", "exchange_time_zone": "UTC",
    "sessions": {"monday": [{"open": "09:00", "close": "17:00"}],
                 "tuesday": [{"open": "09:00", "close": "17:00"}]},
    "hours": [{"from": "2024-01-09", "sessions": {"monday": [{"open": "08:00", "close": "12:00"}],
                                                  "tuesday": [{"open": "08:00", "close": "12:00"}]}}],
    "holidays": ["2024-01-23"],
    "special_sessions": {"2024-01-20": {"name": "test", "sessions": [{"open": "10:00", "close": "11:00"}]},
                         "2024-01-22": {"sessions": []}}}"#;

#[test]
fn a_calendar_file_may_change_hours_and_have_special_dates() {
    let calendar = Calendar::from_json(CHANGED).unwrap();
    let hours = |day: i8| sessions_of(&calendar, date(2024, 1, day));

    assert_eq!(
        [hours(8), hours(9), hours(15)],
        ["09:00-17:00", "08:00-12:00", "08:00-12:00"]
    );
    // Saturday the 20th trades, and neither Monday nor Tuesday after it.
    assert_eq!(
        [hours(20), hours(22), hours(23)],
        ["10:00-11:00", "closed", "closed"]
    );
    assert_eq!(hours(29), "08:00-12:00");
}

#[test]
fn wrong_dated_hours_are_refused_with_their_date() {
    let error = |from: &str, to: &str| Calendar::from_json(&CHANGED.replace(from, to)).unwrap_err();

    assert!(matches!(
        error("changed", "Changed"),
        CalendarError::Name { .. }
    ));
    assert!(matches!(
        error("changed", "x_extended"),
        CalendarError::Name { .. }
    ));
    // A special day that ends before it opens, and one that reaches into the next day's session.
    let dated = error("\"11:00\"", "\"09:00\"");
    assert!(matches!(dated, CalendarError::Dated { date: day } if day == date(2024, 1, 20)));
    let moved = CHANGED
        .replace("2024-01-20", "2024-01-14")
        .replace("\"11:00\"", "\"1.09:00\"");
    assert!(matches!(
        Calendar::from_json(&moved),
        Err(CalendarError::Dated { .. })
    ));
    // What the parser refuses has its line.
    let unknown = error("\"from\"", "\"since\"");
    let source = std::error::Error::source(&unknown).unwrap().to_string();
    assert!(
        source.contains("unknown field `since`") && source.contains("line 4"),
        "{source}"
    );
}
