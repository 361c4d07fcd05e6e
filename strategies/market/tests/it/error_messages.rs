//! What a person reads when a symbol, a key, a label or a calendar is wrong: the message, its
//! causes, and the hint.

use std::error::Error;
use std::fmt::Write;

use market::{Calendar, Instrument, SeriesKey, Timeframe, Utc, close_times};

#[test]
fn every_error_says_what_is_wrong_and_what_to_do() {
    let mut text = String::new();
    let mut add = |error: &dyn Error, hint: &str| {
        writeln!(text, "{error}").unwrap();
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        causes.for_each(|cause| writeln!(text, "  caused by: {cause}").unwrap());
        writeln!(text, "  hint: {hint}\n").unwrap();
    };

    for symbol in [
        "",
        "ABCDEFGHIJKLMNOPQRSTU",
        "AA*",
        "opt:ES",
        "fut:ES:13",
        "crypto:ZZZBUSD",
        "fx:AAPL",
        "EUR/XYZ",
    ] {
        let error = Instrument::parse(symbol).unwrap_err();
        add(&error, error.hint());
    }
    let error = Instrument::from_token("eurusd").unwrap_err();
    add(&error, error.hint());
    for key in [
        "x",
        "bars/A/stk-aapl/bid-regular-raw-utc_midnight/1h",
        "bars/a/stk-aapl/bid-all-raw-utc_midnight/1h",
        "bars/a/aapl/bid-regular-raw-utc_midnight/1h",
        "bars/a/stk-aapl/bid-regular-raw-utc_midnight/60x",
        "bars/a/stk-aapl/bid-regular-raw-utc_midnight-mars/1h",
    ] {
        let error = key.parse::<SeriesKey>().unwrap_err();
        add(&error, error.hint());
    }
    let week =
        r#""sessions": {"monday": [{"open": "09:00", "close": "17:00", "phase": "regular"}]}"#;
    for calendar in [
        r#"{"name": "x", "holiday": []}"#.to_owned(),
        format!(r#"{{"name": "x", "exchange_time_zone": "Mars/Base", {week}}}"#),
        r#"{"name": "x", "exchange_time_zone": "UTC", "sessions": {}}"#.to_owned(),
        format!(r#"{{"name": "x", "exchange_time_zone": "UTC", {week}}}"#)
            .replace("17:00", "1.25:00"),
        format!(r#"{{"name": "x", "exchange_time_zone": "UTC", {week}}}"#)
            .replace("17:00", "08:00"),
        format!(
            r#"{{"name": "x", "exchange_time_zone": "UTC", "covers": {{"first": "2024-02-01", "last": "2024-01-01"}}, {week}}}"#
        ),
    ] {
        let error = Calendar::from_json(&calendar).unwrap_err();
        add(&error, error.hint());
    }
    let key =
        SeriesKey::standard("file", Instrument::parse("AAPL").unwrap(), Timeframe::DAY_1).unwrap();
    let error = close_times(Calendar::for_key(&key), &key, &[Utc(3_600_000_000)]).unwrap_err();
    add(&error, error.hint());
    insta::assert_snapshot!(text);
}
