//! Bars that trade when their instrument does not are refused, with what they could be instead; no
//! bar of a symbol whose class was not said is known before it is over.

use market::{
    AssetClass, Calendar, Instrument, SeriesKey, Timeframe, Utc, check_hours, close_times,
};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000_000;

fn key(symbol: &str, timeframe: Timeframe) -> SeriesKey {
    let instrument = Instrument::parse(symbol).unwrap();
    SeriesKey::standard("file", instrument, timeframe).unwrap()
}

fn timeframe(text: &str) -> Timeframe {
    text.parse().unwrap()
}

/// `count` bars of `step` hours from this instant on, without a pause.
fn round_the_clock(start: &str, step: i64, count: i64) -> Vec<Utc> {
    let start = Utc::from_timestamp(start.parse().unwrap());
    (0..count)
        .map(|bar| start.plus_micros(bar * step * HOUR))
        .collect()
}

/// Hourly bars of the hours from Sunday 22:00 to Friday 21:00 UTC, as a gold trader has them in
/// summer, with the daily break from 21:00 on.
fn gold_week() -> Vec<Utc> {
    let hours = round_the_clock("2024-07-07T22:00:00Z", 1, 5 * 24);
    hours
        .into_iter()
        .filter(|hour| (hour.0 / HOUR) % 24 != 21)
        .collect()
}

#[test]
fn a_share_that_trades_all_night_is_refused_as_crypto() {
    let hours = round_the_clock("2024-07-01T00:00:00Z", 4, 24);
    let error = check_hours(&key("stk:BTCUSDT", timeframe("4h")), &hours).unwrap_err();

    assert_eq!((error.outside, error.bars), (18, 24));
    let could_be: Vec<String> = error.could_be.iter().map(Instrument::id).collect();
    assert_eq!(could_be, ["crypto:BTC.USDT", "perp:BTC.USDT"]);
    assert_eq!(
        error.hint(),
        "these are the hours of a crypto pair or a crypto perpetual, unless the zone of the times \
         is wrong: name it crypto:BTC/USDT or perp:BTC/USDT"
    );
}

#[test]
fn days_on_weekends_show_that_a_share_is_none() {
    let days = round_the_clock("2024-07-01T00:00:00Z", 24, 21);
    let error = check_hours(&key("stk:FOO", timeframe("1d")), &days).unwrap_err();
    // Three weekends and the Fourth of July.
    assert_eq!((error.outside, error.bars), (7, 21));
    let could_be: Vec<String> = error.could_be.iter().map(Instrument::id).collect();
    assert_eq!(could_be, ["crypto:FOO.USD", "perp:FOO.USD"]);

    let weekdays: Vec<Utc> = days
        .into_iter()
        .filter(|day| day.date().weekday().to_monday_zero_offset() < 5)
        .collect();
    assert_eq!(
        check_hours(&key("stk:FOO", timeframe("1d")), &weekdays),
        Ok(())
    );
}

#[test]
fn gold_under_the_name_of_a_share_is_refused_as_a_metal() {
    let error = check_hours(&key("stk:XAUUSD", timeframe("1h")), &gold_week()).unwrap_err();
    let could_be: Vec<String> = error.could_be.iter().map(Instrument::id).collect();
    assert_eq!(could_be, ["metal:XAU.USD"]);

    let error = check_hours(&key("stk:ES", timeframe("1h")), &gold_week()).unwrap_err();
    let could_be: Vec<String> = error.could_be.iter().map(Instrument::id).collect();
    assert_eq!(could_be, ["fut:ES"]);
}

#[test]
fn bars_around_the_regular_hours_name_the_longer_calendar() {
    // 04:00 to 20:00 in New York, in summer.
    let hours = round_the_clock("2024-07-08T08:00:00Z", 1, 16);
    let next = round_the_clock("2024-07-09T08:00:00Z", 1, 16);
    let error = check_hours(&key("AAPL", timeframe("1h")), &[hours, next].concat()).unwrap_err();
    assert_eq!((error.outside, error.bars), (18, 32));
    assert_eq!(error.longer_hours, Some("us_equities_extended"));
}

#[test]
fn bars_that_fit_and_single_mistakes_pass() {
    for (symbol, start, count) in [
        ("AAPL", "2024-07-08T13:00:00Z", 7),
        ("fut:ES", "2024-07-08T00:00:00Z", 60),
        ("crypto:BTC/USDT", "2024-07-06T00:00:00Z", 60),
        ("EURUSD", "2024-07-08T00:00:00Z", 60),
        // A share of an exchange whose hours are not kept has no session to miss.
        ("005930.KS", "2024-07-08T00:00:00Z", 6),
        // Four bars outside are a mistake of the file, which `quality` reports.
        ("AAPL", "2024-07-08T09:00:00Z", 4),
    ] {
        let hours = round_the_clock(start, 1, count);
        assert_eq!(
            check_hours(&key(symbol, timeframe("1h")), &hours),
            Ok(()),
            "{symbol}"
        );
    }

    assert_eq!(check_hours(&key("AAPL", timeframe("1h")), &[]), Ok(()));
}

proptest! {
    /// The market may be any: bars follow each other without a pause for four weeks.
    #[test]
    fn no_undeclared_symbol_is_known_before_its_bars_are_over(
        symbol in "[A-Z]{1,6}([-_/.]?(USDT?|EUR|BTC|X|L|F|US|HK))?(m|[.]raw)?|(ES|GC|6E)(=F|1!|Z26)?|[\\^][A-Z]{2,5}",
        hours in prop::sample::select(&[1_i64, 4, 24][..]),
        start in 0_i64..24,
    ) {
        let Ok(instrument) = Instrument::parse(&symbol) else { return Ok(()) };
        // Pairs of currencies and metals are what they say, and shut on weekends.
        prop_assume!(!matches!(instrument.class(), AssetClass::Fx | AssetClass::Metal));

        let timeframe = timeframe(match hours { 1 => "1h", 4 => "4h", _ => "1d" });
        let key = SeriesKey::standard("file", instrument, timeframe).unwrap();
        let first = if hours == 24 { 0 } else { start };
        let labels = round_the_clock(&format!("2024-06-03T{first:02}:00:00Z"), hours, 28 * 24 / hours);
        if check_hours(&key, &labels).is_err() {
            return Ok(());
        }

        let closes = close_times(Calendar::for_key(&key), &key, &labels).unwrap();
        for (open, close) in labels.iter().zip(closes) {
            prop_assert!(close >= open.plus_micros(hours * HOUR), "{} {} {}", symbol, open, close);
        }
    }
}
