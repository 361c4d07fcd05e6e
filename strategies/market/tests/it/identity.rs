//! Identity: every spelling of an instrument is one instrument, and keys are read back as they were
//! written.

use market::{
    Adjustment, AssetClass, DayBoundary, Instrument, InstrumentError, PriceKind, SeriesKey,
    SeriesKeyError, Session, Timeframe,
};
use proptest::prelude::*;

fn instrument(text: &str) -> Instrument {
    Instrument::parse(text).unwrap()
}

#[test]
fn every_spelling_of_a_currency_pair_is_one_instrument() {
    for spelling in [
        "EURUSD",
        "eur/usd",
        "EUR.USD",
        " EUR-USD ",
        "fx:EURUSD",
        "FX:eur.usd",
    ] {
        let parsed = instrument(spelling);
        assert_eq!(parsed.id(), "fx:EUR.USD", "{spelling}");
        assert_eq!(
            (parsed.symbol().as_str(), parsed.token().as_str()),
            ("EURUSD", "fx-eur-usd")
        );
        assert_eq!(
            (parsed.class(), parsed.pair()),
            (AssetClass::Fx, Some(("EUR", "USD")))
        );
    }
}

#[test]
fn a_dot_alone_makes_no_currency_pair() {
    let parsed = instrument("brk.b");
    assert_eq!(
        (parsed.id().as_str(), parsed.symbol().as_str()),
        ("stk:BRK.B", "BRK.B")
    );
    assert_eq!(
        (parsed.token().as_str(), parsed.pair()),
        ("stk-brk-b", None)
    );
    assert_eq!(instrument("stk:EURUSD").class(), AssetClass::Stock);
    assert_ne!(instrument("stk:EURUSD"), instrument("EURUSD"));
}

#[test]
fn crypto_pairs_are_cut_at_their_quote() {
    for spelling in ["crypto:BTCUSDT", "crypto:btc/usdt", "crypto:BTC-USDT"] {
        assert_eq!(instrument(spelling).id(), "crypto:BTC.USDT");
    }
    assert_eq!(instrument("crypto:BTC/USD").symbol(), "BTCUSD");
}

#[test]
fn what_names_no_instrument_is_refused_with_its_reason() {
    let error = |text: &str| Instrument::parse(text).unwrap_err();

    assert_eq!(error("  "), InstrumentError::Empty);
    assert_eq!(error("fx:"), InstrumentError::Empty);
    assert_eq!(
        error("AA PL"),
        InstrumentError::Character {
            symbol: "AA PL".into(),
            bad: ' '
        }
    );
    assert_eq!(error("fut:ES"), InstrumentError::Class("fut".into()));
    assert_eq!(error("fx:AAPL"), InstrumentError::Pair("AAPL".into()));
    assert_eq!(error("fx:EUR/EUR"), InstrumentError::Pair("EUR/EUR".into()));
    assert_eq!(error("EUR/XYZ"), InstrumentError::Stock("EUR/XYZ".into()));
    assert_eq!(error(".."), InstrumentError::Stock("..".into()));
    assert!(matches!(
        error("ABCDEFGHIJKLMNOPQRSTU"),
        InstrumentError::Long { length: 21, .. }
    ));
    assert!(Instrument::from_token("fx-eur.usd").is_err());
    assert!(Instrument::from_token("FX-EUR-USD").is_err());
}

#[test]
fn an_instrument_is_serialised_as_its_id() {
    assert_eq!(
        serde_json::to_string(&instrument("EURUSD")).unwrap(),
        "\"fx:EUR.USD\""
    );
    assert_eq!(
        serde_json::from_str::<Instrument>("\"EUR/USD\"").unwrap(),
        instrument("EURUSD")
    );
    assert!(serde_json::from_str::<Instrument>("\"*\"").is_err());
}

#[test]
fn standard_series_follow_the_asset_class() {
    let prefix = |symbol: &str| {
        SeriesKey::standard("ib", instrument(symbol), Timeframe::Hour1)
            .unwrap()
            .prefix()
    };

    assert_eq!(
        prefix("AAPL"),
        "bars/ib/stk-aapl/trades-regular-split-session_close/1h"
    );
    assert_eq!(
        prefix("EURUSD"),
        "bars/ib/fx-eur-usd/bid-regular-raw-utc_midnight/1h"
    );
    assert_eq!(
        prefix("crypto:BTCUSD"),
        "bars/ib/crypto-btc-usd/trades-regular-raw-utc_midnight/1h"
    );
}

#[test]
fn a_wrong_key_says_what_is_wrong() {
    let error = |text: &str| text.parse::<SeriesKey>().unwrap_err();

    assert!(matches!(
        error("bars/ib/stk-aapl/1h"),
        SeriesKeyError::Shape(_)
    ));
    assert!(matches!(
        error("bars/IB/stk-aapl/bid-regular-raw-utc_midnight/1h"),
        SeriesKeyError::Provider(_)
    ));
    assert!(matches!(
        error("bars/ib/stk/bid-regular-raw-utc_midnight/1h"),
        SeriesKeyError::Instrument(_)
    ));
    assert!(matches!(
        error("bars/ib/stk-aapl/bid-regular-raw-utc_midnight/2h"),
        SeriesKeyError::Timeframe(_)
    ));
    assert_eq!(
        error("bars/ib/stk-aapl/last-regular-raw-utc_midnight/1h").to_string(),
        "`last` is none of trades, bid, ask, midpoint"
    );
}

proptest! {
    #[test]
    fn ids_and_tokens_are_read_back(name in "[A-Z0-9]([A-Z0-9._-]{0,18}[A-Z0-9])?") {
        let parsed = Instrument::parse(&name).unwrap();
        prop_assert_eq!(&Instrument::parse(&parsed.id()).unwrap(), &parsed);
        prop_assert_eq!(&Instrument::from_token(&parsed.token()).unwrap(), &parsed);
        prop_assert!(parsed.token().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c)));
    }

    #[test]
    fn series_keys_are_read_back(
        what in prop::sample::select(PriceKind::ALL), session in prop::sample::select(Session::ALL),
        adjustment in prop::sample::select(Adjustment::ALL), day_boundary in prop::sample::select(DayBoundary::ALL),
        timeframe in prop::sample::select(&Timeframe::ALL[..]),
    ) {
        let mut key = SeriesKey::standard("file", instrument("BRK-B.X_Y"), timeframe).unwrap();
        (key.what, key.session, key.adjustment, key.day_boundary) = (what, session, adjustment, day_boundary);
        prop_assert_eq!(key.prefix().parse::<SeriesKey>().unwrap(), key.clone());
        let json = serde_json::to_string(&key).unwrap();
        prop_assert_eq!(serde_json::from_str::<SeriesKey>(&json).unwrap(), key);
    }
}
