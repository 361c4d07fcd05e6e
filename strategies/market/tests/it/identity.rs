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
    assert_eq!(error("opt:ES"), InstrumentError::Class("opt".into()));
    assert_eq!(error("fx:AAPL"), InstrumentError::Pair("AAPL".into()));
    assert_eq!(error("fx:EUR/EUR"), InstrumentError::Pair("EUR/EUR".into()));
    assert_eq!(error("EUR/XYZ"), InstrumentError::Pair("EUR/XYZ".into()));
    assert_eq!(error(".."), InstrumentError::Stock("..".into()));
    assert!(Instrument::parse("ABCDEFGHIJKLMNOPQRST").is_ok());
    assert!(matches!(
        error("ABCDEFGHIJKLMNOPQRSTU"),
        InstrumentError::Long { length: 21, .. }
    ));
    // 20 characters, and one more with the point that its id has.
    assert!(matches!(
        error("crypto:ABCDEFGHIJKLMNOPQUSD"),
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
fn keys_that_are_stored_already_keep_their_names() {
    for (text, id, token) in [
        ("stk:AAPL", "stk:AAPL", "stk-aapl"),
        ("stk:BRK.B", "stk:BRK.B", "stk-brk-b"),
        ("stk:BRK-B", "stk:BRK-B", "stk-brk_mb"),
        ("stk:EUR_USD", "stk:EUR_USD", "stk-eur_uusd"),
        ("stk:BTCUSDT", "stk:BTCUSDT", "stk-btcusdt"),
        ("fx:EURUSD", "fx:EUR.USD", "fx-eur-usd"),
        ("crypto:BTCUSDT", "crypto:BTC.USDT", "crypto-btc-usdt"),
        ("crypto:XBT.USD", "crypto:XBT.USD", "crypto-xbt-usd"),
        (
            "crypto:1000SHIBUSDT",
            "crypto:1000SHIB.USDT",
            "crypto-1000shib-usdt",
        ),
        ("crypto:XAU/USD", "crypto:XAU.USD", "crypto-xau-usd"),
    ] {
        assert_eq!(instrument(text).id(), id);
        assert_eq!(instrument(text).token(), token);
        assert_eq!(Instrument::from_token(token).unwrap().id(), id);
    }
}

#[test]
fn every_class_has_ids_tokens_and_short_symbols() {
    for (text, id, token, symbol) in [
        ("fund:vfiax", "fund:VFIAX", "fund-vfiax", "VFIAX"),
        ("idx:^GSPC", "idx:GSPC", "idx-gspc", "GSPC"),
        ("stk:M&M.NS", "stk:M&M.NS", "stk-m_am-ns", "M&M.NS"),
        ("metal:XAUUSD", "metal:XAU.USD", "metal-xau-usd", "XAUUSD"),
        ("fx:XAU/USD", "metal:XAU.USD", "metal-xau-usd", "XAUUSD"),
        ("fx:USDINR", "fx:USD.INR", "fx-usd-inr", "USDINR"),
        ("fut:ES", "fut:ES", "fut-es", "ES"),
        ("fut:es:continuous", "fut:ES", "fut-es", "ES"),
        (
            "fut:ES:202612",
            "fut:ES:202612",
            "fut-es-202612",
            "ES202612",
        ),
        (
            "perp:BTC/USDT",
            "perp:BTC.USDT",
            "perp-btc-usdt",
            "BTCUSDT.P",
        ),
        (
            "perp:BTC-USDT-SWAP",
            "perp:BTC.USDT",
            "perp-btc-usdt",
            "BTCUSDT.P",
        ),
    ] {
        let parsed = instrument(text);
        assert_eq!(
            (
                parsed.id().as_str(),
                parsed.token().as_str(),
                parsed.symbol().as_str()
            ),
            (id, token, symbol)
        );
    }
}

#[test]
fn a_month_that_does_not_exist_is_no_expiry() {
    for text in [
        "fut:ES:202613",
        "fut:ES:202600",
        "fut:ES:2612",
        "fut:ES:H",
        "fut:^ES",
        "fut::",
    ] {
        assert!(
            matches!(Instrument::parse(text), Err(InstrumentError::Future(_))),
            "{text}"
        );
    }
}

#[test]
fn crypto_without_a_separator_is_cut_at_the_coin() {
    for (text, id) in [
        ("crypto:BTCFDUSD", "crypto:BTC.FDUSD"),
        ("crypto:BTCBUSD", "crypto:BTC.BUSD"),
        ("crypto:ARBUSD", "crypto:ARB.USD"),
        ("crypto:USDTUSD", "crypto:USDT.USD"),
        ("crypto:1000PEPEFDUSD", "crypto:1000PEPE.FDUSD"),
        ("crypto:XBTUSD", "crypto:BTC.USD"),
        ("crypto:BTC_USDT", "crypto:BTC.USDT"),
    ] {
        assert_eq!(instrument(text).id(), id);
    }

    // An unknown name may end in the first letters of the quote.
    let error = Instrument::parse("crypto:ZZZBUSD").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`ZZZBUSD` can mean crypto:ZZZ/BUSD or crypto:ZZZB/USD"
    );
}

#[test]
fn the_calendar_follows_exchange_suffix_root_and_class() {
    for (text, calendar) in [
        ("stk:AAPL", "us_equities"),
        ("stk:BRK.B", "us_equities"),
        ("stk:VOD.L", "lse"),
        ("stk:SAP.DE", "xetra"),
        ("stk:AIR.PA", "euronext"),
        ("stk:7203.T", "tse"),
        ("stk:0700.HK", "hkex"),
        ("stk:600519.SS", "sse"),
        ("stk:000001.SZ", "sse"),
        ("stk:BHP.AX", "asx"),
        ("stk:RY.TO", "tsx"),
        ("stk:RELIANCE.NS", "nse"),
        ("stk:PETR4.SA", "b3"),
        ("stk:SAP.F", "always"),
        ("stk:005930.KS", "always"),
        ("fund:SPY", "us_equities"),
        ("idx:GSPC", "us_equities"),
        ("idx:VIX", "us_equities_extended"),
        ("idx:FTSE", "lse"),
        ("idx:US500", "cme_index"),
        ("idx:000001.SS", "sse"),
        ("fx:EURUSD", "fx"),
        ("metal:XAUUSD", "metals"),
        ("fut:ES", "cme_index"),
        ("fut:GC:202612", "cme_energy_metals"),
        ("fut:6E", "weekdays"),
        ("fut:QQQQ", "always"),
        ("crypto:BTCUSD", "always"),
        ("perp:BTCUSDT", "always"),
    ] {
        assert_eq!(instrument(text).calendar_name(), calendar, "{text}");
    }
}

#[test]
fn standard_series_follow_the_asset_class() {
    let prefix = |symbol: &str| {
        SeriesKey::standard("ib", instrument(symbol), Timeframe::HOUR_1)
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

    for (symbol, kind) in [
        ("fund:SPY", "trades-regular-split-session_close"),
        ("idx:GSPC", "trades-regular-raw-session_close"),
        ("metal:XAUUSD", "bid-regular-raw-utc_midnight"),
        ("fut:ES", "trades-regular-raw-session_close"),
        ("perp:BTCUSDT", "trades-regular-raw-utc_midnight"),
    ] {
        let token = instrument(symbol).token();
        assert_eq!(prefix(symbol), format!("bars/ib/{token}/{kind}/1h"));
    }
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
        error("bars/ib/stk-aapl/bid-regular-raw-utc_midnight/2x"),
        SeriesKeyError::Timeframe(_)
    ));
    assert_eq!(
        error("bars/ib/stk-aapl/last-regular-raw-utc_midnight/1h").to_string(),
        "`last` is none of trades, bid, ask, midpoint"
    );
}

/// Names as ids have them, by class.
fn name_of(class: AssetClass) -> BoxedStrategy<String> {
    let pattern = match class {
        AssetClass::Stock | AssetClass::Fund => "[A-Z0-9]([A-Z0-9._&-]{0,18}[A-Z0-9])?",
        AssetClass::Index => "[A-Z0-9]([A-Z0-9._-]{0,18}[A-Z0-9])?",
        AssetClass::Fx => "(EUR|GBP|XAF|INR|CNY|ZWG)[.](USD|BRL|CNH|AED)",
        AssetClass::Metal => "(XAU|XAG|XPT|XPD)[.](USD|EUR|INR)",
        AssetClass::Future => "[A-Z0-9]{1,8}(:20[0-9]{2}(0[1-9]|1[0-2]))?",
        AssetClass::Crypto | AssetClass::Perpetual => {
            "[A-Z0-9]{1,9}[.](USDT|USD|FDUSD|BTC|XBT|EUR)"
        }
    };
    proptest::string::string_regex(pattern).unwrap().boxed()
}

fn any_id() -> impl Strategy<Value = String> {
    prop::sample::select(&AssetClass::ALL[..])
        .prop_flat_map(|class| name_of(class).prop_map(move |name| format!("{class}:{name}")))
        // `fut:ESZ26` is another spelling of an expiry.
        .prop_filter("the code of an expiry", |id| {
            !id.starts_with("fut:") || Instrument::parse(id).is_ok_and(|read| read.id() == *id)
        })
}

#[test]
fn an_asset_under_another_name_is_spelt_as_its_id() {
    // As in an id, `XBT` before a point stays; before a slash it is read as `BTC`.
    let old_name = instrument("crypto:XBT.USD");
    assert_eq!(old_name.spelling(), "crypto:XBT.USD");
    assert_eq!(instrument(&old_name.spelling()), old_name);
    assert_eq!(instrument("crypto:XBT/USD").id(), "crypto:BTC.USD");
}

proptest! {
    #[test]
    fn ids_and_tokens_of_every_class_are_read_back(id in any_id()) {
        let parsed = Instrument::parse(&id).unwrap();
        let token = parsed.token();
        prop_assert_eq!(parsed.id(), id.clone());
        prop_assert_eq!(&Instrument::parse(&id.to_ascii_lowercase()).unwrap(), &parsed);
        prop_assert_eq!(&Instrument::from_token(&token).unwrap(), &parsed);
        prop_assert!(token.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c)));
    }

    #[test]
    fn tokens_of_two_instruments_differ(one in any_id(), other in any_id()) {
        prop_assume!(one != other);
        prop_assert_ne!(instrument(&one).token(), instrument(&other).token());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,30}|[A-Z0-9.:/_=^!#-]{0,24}") {
        if let Ok(parsed) = Instrument::parse(&text) {
            prop_assert_eq!(Instrument::parse(&parsed.id()).unwrap(), parsed);
        }
        if let Ok(parsed) = Instrument::from_token(&text) {
            prop_assert_eq!(parsed.token(), text);
        }
    }

    #[test]
    fn series_keys_are_read_back(
        what in prop::sample::select(PriceKind::ALL), session in prop::sample::select(Session::ALL),
        adjustment in prop::sample::select(Adjustment::ALL), day_boundary in prop::sample::select(DayBoundary::ALL),
        timeframe in prop::sample::select(&Timeframe::COMMON[..]),
    ) {
        let mut key = SeriesKey::standard("file", instrument("stk:BRK-B.X_Y"), timeframe).unwrap();
        (key.what, key.session, key.adjustment, key.day_boundary) = (what, session, adjustment, day_boundary);
        prop_assert_eq!(key.prefix().parse::<SeriesKey>().unwrap(), key.clone());
        let json = serde_json::to_string(&key).unwrap();
        prop_assert_eq!(serde_json::from_str::<SeriesKey>(&json).unwrap(), key);
    }
}
