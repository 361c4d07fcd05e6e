//! Whatever a text is, reading it as a symbol, a timeframe or a date ends in a value or in a
//! refusal; and what was read is written so that it is read as the same again.
//!
//! A run of the suite tries the same texts each time. `PROPTEST_CASES=10000000` tries more of them,
//! and `PROPTEST_RNG_SEED=7` others: `PROPTEST_CASES=10000000 cargo test --release -p market --test
//! it text_fuzz`.

use jiff::Timestamp;
use market::{Instrument, InstrumentError, Moment, SPELLINGS, Timeframe, Utc};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Ways in which a date or an instant is written.
const MOMENTS: [&str; 12] = [
    "2024-01-31",
    "2024-02-29 14:30",
    "2024-05-04T02:00:00Z",
    "2024-05-04 02:00:00.123456789",
    "2024-05-04T02:00:00+02:00",
    "2024-10-27T02:30:00-04:30",
    "2024-11-03T01:30:00[America/New_York]",
    "2024-11-03T01:30:00-05:00[America/New_York]",
    "-009999-01-01",
    "+009999-12-31",
    "9999-12-31T23:59:60Z",
    "20240131T143000Z",
];

/// Ways in which a length of bars is written.
const TIMEFRAMES: [&str; 12] = [
    "1m", "5min", "90m", "1h", "4H", "1d", "1D", "daily", "1w", "1M", "1 day", "3mo",
];

/// Characters that texts of these kinds have, and some that none has.
const CHARACTERS: &str = "AZaz09 .:/-_=^#&+[]TZ\u{0}\u{e9}\u{20ac}\u{130}\u{df}";

/// The same texts in each run, unless a seed is named.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        named => named,
    };
    ProptestConfig {
        rng_seed,
        failure_persistence: None,
        ..default
    }
}

/// One of `samples` with up to five characters changed, put in, cut off or repeated.
fn damaged(samples: Vec<&'static str>) -> impl Strategy<Value = String> {
    let change = (
        any::<prop::sample::Index>(),
        0..5_u8,
        any::<prop::sample::Index>(),
    );
    let changes = prop::collection::vec(change, 0..6);

    (prop::sample::select(samples), changes).prop_map(|(sample, changes)| {
        let mut text: Vec<char> = sample.chars().collect();
        for (place, kind, which) in changes {
            let place = place.index(text.len() + 1);
            let character = *which.get(&CHARACTERS.chars().collect::<Vec<_>>());
            match kind {
                0 if place < text.len() => text[place] = character,
                1 => text.truncate(place),
                2 => text.extend_from_within(place..),
                3 if place < text.len() => drop(text.remove(place)),
                _ => text.insert(place, character),
            }
        }
        text.into_iter().collect()
    })
}

/// Every text of the table of spellings, and symbols of each class.
fn symbols() -> Vec<&'static str> {
    let mut symbols = vec![
        "EURUSD",
        "eur/usd",
        "AAPL",
        "BRK.B",
        "stk:SPY",
        "crypto:BTC-USD",
        "fut:ES:202612",
        "ES=F",
        "^GSPC",
        "BTCUSDT",
        "XAUUSD",
        "7203.T",
        "EUR_USD",
        "EURUSD.m",
        "ESZ6",
        "AAPL.US",
    ];

    // A test of the page of symbols holds that each row of the table has examples.
    symbols.extend(
        SPELLINGS
            .iter()
            .flat_map(|spelling| spelling.examples.iter().copied()),
    );
    symbols
}

/// Whatever is written of a symbol is read as the same symbol.
fn check_instrument(instrument: &Instrument) {
    assert_eq!(Instrument::parse(&instrument.id()).as_ref(), Ok(instrument));
    assert_eq!(
        Instrument::parse(&instrument.spelling()).as_ref(),
        Ok(instrument)
    );
    assert_eq!(
        Instrument::from_token(&instrument.token()).as_ref(),
        Ok(instrument)
    );
}

/// A refusal has words, and each way out that it names can be typed.
fn check_refusal(error: &InstrumentError) {
    assert!(!error.to_string().is_empty());
    assert!(!error.hint().is_empty());
    error.candidates().iter().for_each(check_instrument);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_symbol_is_read_back_or_refused(text in damaged(symbols())) {
        match Instrument::parse(&text) {
            Ok(instrument) => check_instrument(&instrument),
            Err(error) => check_refusal(&error),
        }
    }

    #[test]
    fn any_text_as_a_symbol_is_read_back_or_refused(text in ".{0,24}") {
        match Instrument::parse(&text) {
            Ok(instrument) => check_instrument(&instrument),
            Err(error) => check_refusal(&error),
        }
    }

    #[test]
    fn a_timeframe_is_read_back_or_refused(text in damaged(TIMEFRAMES.to_vec())) {
        if let Ok(timeframe) = text.parse::<Timeframe>() {
            prop_assert_eq!(timeframe.to_string().parse(), Ok(timeframe));
        }
    }

    #[test]
    fn a_date_is_read_back_or_refused(text in damaged(MOMENTS.to_vec())) {
        if let Some(moment) = Moment::parse(&text) {
            prop_assert!(moment.start() <= moment.end(), "{}", text);
            // The last day of the year 9999 is a date that no instant can be written of.
            let start = moment.start();
            if start <= Utc::from_timestamp(Timestamp::MAX) {
                let read = Moment::parse(&start.to_string());
                prop_assert_eq!(read, Some(Moment::Instant(start)), "{}", text);
            }
        }
    }
}

#[test]
fn the_mark_of_a_perpetual_is_no_quote() {
    for text in ["BTCUSDTAPER/P-PERP", "perp:BTC/P", "crypto:BTC/P"] {
        let refused = Instrument::parse(text).unwrap_err();
        check_refusal(&refused);
    }
}
