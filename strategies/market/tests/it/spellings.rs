//! Spellings of vendors: what each text is taken for, what is asked about, and what is never taken
//! for a share.

use market::{AssetClass, Instrument, InstrumentError, SPELLINGS, SYMBOL_LENGTH_MAX};
use proptest::prelude::*;

/// The id of a text, or the candidates that the error lists.
fn reading(text: &str) -> String {
    match Instrument::parse(text) {
        Ok(instrument) => instrument.id(),
        Err(InstrumentError::Ambiguous { candidates, .. }) => {
            format!("? {}", candidates.join(" "))
        }
        Err(error) => format!("! {error}"),
    }
}

fn assert_readings(readings: &[(&str, &str)]) {
    let wrong: Vec<String> = readings
        .iter()
        .filter(|(text, expected)| reading(text) != *expected)
        .map(|(text, expected)| format!("{text}: {} instead of {expected}", reading(text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn plain_shares_and_currency_pairs_need_no_prefix() {
    assert_readings(&[
        ("AAPL", "stk:AAPL"),
        ("spy", "stk:SPY"),
        ("IBM", "stk:IBM"),
        ("MSFT", "stk:MSFT"),
        ("F", "stk:F"),
        ("T", "stk:T"),
        ("CLX", "stk:CLX"),
        ("GOOGLE", "stk:GOOGLE"),
        ("BRK.B", "stk:BRK.B"),
        ("BF.B", "stk:BF.B"),
        ("GBTC", "stk:GBTC"),
        ("S000", "stk:S000"),
        ("AMD", "stk:AMD"),
        ("DASH", "stk:DASH"),
        ("EURUSD", "fx:EUR.USD"),
        ("USDTRY", "fx:USD.TRY"),
        ("USDINR", "fx:USD.INR"),
        ("USDCNY", "fx:USD.CNY"),
        ("USDCNH", "fx:USD.CNH"),
        ("USDBRL", "fx:USD.BRL"),
    ]);
}

#[test]
fn one_symbol_is_one_series_whatever_its_separator() {
    for text in [
        "EURUSD", "EUR/USD", "EUR.USD", "EUR-USD", "EUR_USD", "eurusd",
    ] {
        assert_eq!(Instrument::parse(text).unwrap().token(), "fx-eur-usd");
    }
    for text in ["BRK.B", "BRK-B", "BRK/B", "BRK B", "BRK-B.US"] {
        assert_eq!(Instrument::parse(text).unwrap().token(), "stk-brk-b");
    }
}

#[test]
fn currencies_and_metals_are_read_as_vendors_write_them() {
    assert_readings(&[
        ("EURUSD=X", "fx:EUR.USD"),
        ("JPY=X", "fx:USD.JPY"),
        ("EURUSD.m", "fx:EUR.USD"),
        ("EURUSDm", "fx:EUR.USD"),
        ("EURUSD.pro", "fx:EUR.USD"),
        ("GBPJPY.raw", "fx:GBP.JPY"),
        ("EURUSD-ECN", "fx:EUR.USD"),
        ("EURUSD#", "fx:EUR.USD"),
        ("OANDA:EUR_USD", "fx:EUR.USD"),
        ("C:EURUSD", "fx:EUR.USD"),
        ("FX:EURUSD", "fx:EUR.USD"),
    ]);

    // Metals are priced as currencies are, and are none.
    assert_readings(&[
        ("XAUUSD", "metal:XAU.USD"),
        ("XAU_USD", "metal:XAU.USD"),
        ("XAGEURm", "metal:XAG.EUR"),
        ("OANDA:XAUUSD", "metal:XAU.USD"),
        ("XPTUSD", "metal:XPT.USD"),
    ]);
}

#[test]
fn crypto_pairs_are_read_as_vendors_write_them() {
    assert_readings(&[
        ("BTC-USD", "crypto:BTC.USD"),
        ("BTCUSDT", "crypto:BTC.USDT"),
        ("BTCFDUSD", "crypto:BTC.FDUSD"),
        ("1INCHUSDT", "crypto:1INCH.USDT"),
        ("1000SHIBUSDT", "crypto:1000SHIB.USDT"),
        ("ZZZUSDT", "crypto:ZZZ.USDT"),
        ("EURUSDT", "crypto:EUR.USDT"),
        ("EUR/USDC", "crypto:EUR.USDC"),
        ("XAUUSDT", "crypto:XAU.USDT"),
        ("BTC/USDT", "crypto:BTC.USDT"),
        ("XBT/USD", "crypto:BTC.USD"),
        ("XXBTZUSD", "crypto:BTC.USD"),
        ("X:BTCUSD", "crypto:BTC.USD"),
        ("BINANCE:BTCUSDT", "crypto:BTC.USDT"),
        ("KRAKEN:XBTUSD", "crypto:BTC.USD"),
        // A perpetual says so.
        ("BTCUSDT.P", "perp:BTC.USDT"),
        ("BYBIT:ETHUSDT.P", "perp:ETH.USDT"),
        ("BTCUSDT-PERP", "perp:BTC.USDT"),
        ("BTCUSD_PERP", "perp:BTC.USD"),
        ("BTC/USDT:USDT", "perp:BTC.USDT"),
        ("BTC/USD:BTC", "perp:BTC.USD"),
        ("BTC-USDT-SWAP", "perp:BTC.USDT"),
        ("PF_XBTUSD", "perp:BTC.USD"),
    ]);
}

#[test]
fn futures_indices_and_exchanges_are_read_as_vendors_write_them() {
    assert_readings(&[
        ("ES=F", "fut:ES"),
        ("6E=F", "fut:6E"),
        ("ES1!", "fut:ES"),
        ("CME_MINI:ES1!", "fut:ES"),
        ("COMEX:GC1!", "fut:GC"),
        ("/ES", "fut:ES"),
        ("ESZ26", "fut:ES:202612"),
        ("ESH1998", "fut:ES:199803"),
        ("CLF27.NYM", "fut:CL:202701"),
        ("NQ 03-24", "fut:NQ:202403"),
        ("fut:ESZ26", "fut:ES:202612"),
        ("fut:ES=F", "fut:ES"),
        ("^GSPC", "idx:GSPC"),
        ("$SPX", "idx:SPX"),
        ("I:SPX", "idx:SPX"),
        ("SP:SPX", "idx:SPX"),
        ("NASDAQ:NDX", "idx:NDX"),
        ("US500", "idx:US500"),
        ("US30.cash", "idx:US30"),
        ("SPX500_USD", "idx:SPX500"),
        ("NAS100USD", "idx:NAS100"),
        ("000001.SS", "idx:000001.SS"),
        ("NASDAQ:AAPL", "stk:AAPL"),
        ("NYSE:BRK.B", "stk:BRK.B"),
        ("LSE:VOD", "stk:VOD.L"),
        ("TSE:7203", "stk:7203.T"),
        ("AAPL.US", "stk:AAPL"),
        ("VOD.L", "stk:VOD.L"),
        ("VOD.UK", "stk:VOD.L"),
        ("7203.T", "stk:7203.T"),
        ("0700.HK", "stk:0700.HK"),
        ("HKEX:700", "stk:0700.HK"),
        ("RELIANCE.NS", "stk:RELIANCE.NS"),
        ("M&M.NS", "stk:M&M.NS"),
        ("BAC-PL", "stk:BAC-PL"),
        ("VOLV-B.ST", "stk:VOLV-B.ST"),
    ]);
}

#[test]
fn an_expiry_is_no_continuous_future_whatever_its_mark() {
    let three = "? fut:ES:202012 fut:ES:201012 fut:ES:203012";
    assert_readings(&[
        ("ESZ26=F", "fut:ES:202612"),
        ("/ESZ26", "fut:ES:202612"),
        ("ESZ26.c.0", "fut:ES:202612"),
        ("ESZ0=F", three),
        ("ESZ0", three),
    ]);
}

#[test]
fn what_can_be_two_things_is_asked_about_with_candidates() {
    assert_readings(&[
        ("ES", "? stk:ES fut:ES fut:ES:202612"),
        ("CL", "? stk:CL fut:CL fut:CL:202612"),
        ("GC", "? stk:GC fut:GC fut:GC:202612"),
        ("BTCUSD", "? crypto:BTC/USD perp:BTC/USD"),
        ("BTCUSDm", "? crypto:BTC/USD perp:BTC/USD"),
        ("XBTUSD", "? crypto:BTC/USD perp:BTC/USD"),
        ("BTC", "? crypto:BTC/USD fut:BTC stk:BTC"),
        ("DOGE", "? crypto:DOGE/USD stk:DOGE"),
        ("ZZZUSD", "? crypto:ZZZ/USD stk:ZZZUSD"),
        ("ZZZ-USD", "? crypto:ZZZ/USD stk:ZZZ-USD"),
        ("ZZZ_USD", "? crypto:ZZZ/USD stk:ZZZ_USD"),
        ("EURUSDC", "? fx:EUR/USD crypto:EUR/USDC"),
        ("MNTUSD", "? fx:MNT/USD crypto:MNT/USD"),
        ("ESH4", "? fut:ES:202403 fut:ES:201403 fut:ES:203403"),
        ("GOLD", "? metal:XAU/USD fut:GC stk:GOLD"),
        ("USOIL", "? fut:CL stk:USOIL"),
        ("SPX", "? idx:SPX stk:SPX"),
        ("BTC-PERP", "? perp:BTC/USDT perp:BTC/USDC perp:BTC/USD"),
        ("XBTUSDTM", "? crypto:BTC/USDT perp:BTC/USDT"),
        ("EUR", "? fx:EUR/USD stk:EUR"),
        ("JPY", "? fx:USD/JPY stk:JPY"),
        ("BTC.D", "? stk:BTC.D"),
        ("CL.F", "? fut:CL stk:CL.F"),
        ("BTC.V", "? crypto:BTC/USD stk:BTC.V"),
        ("FOO_BAR", "? stk:FOO_BAR"),
    ]);
}

#[test]
fn kinds_without_bars_are_refused_with_their_name() {
    assert_readings(&[
        (
            "AAPL240119C00190000",
            "! `AAPL240119C00190000` is an option, of which no bars are kept",
        ),
        (
            "BTCUSDT_240927",
            "! `BTCUSDT_240927` is a crypto future with an expiry, of which no bars are kept",
        ),
        (
            "ES2!",
            "! `ES2!` is a later contract of a continuous future, of which no bars are kept",
        ),
        (
            "crypto:BTC-PERP",
            "! `BTC-PERP` is not a pair of assets that are known",
        ),
        ("ÄÖÜ", "! symbol `ÄÖÜ` contains 'Ä'"),
        ("XYZW:AAPL", "! `xyzw:` is not an asset class"),
    ]);
}

#[test]
fn the_first_example_of_every_spelling_is_read_by_it() {
    for spelling in &SPELLINGS {
        for text in spelling.examples {
            let read_by = Instrument::explain(text).spelling.unwrap();
            assert_eq!(read_by.form, spelling.form, "{text}");
        }
    }
}

#[test]
fn every_candidate_works_when_it_is_typed() {
    let texts = SPELLINGS.iter().flat_map(|spelling| spelling.examples);
    for text in texts.chain(&["MNTUSD", "ZZZBUSD", "TSE:RY", "EURONEXT:ASML", "ES.FUT"]) {
        if let Err(InstrumentError::Ambiguous { candidates, .. }) = Instrument::parse(text) {
            for candidate in candidates {
                let instrument = Instrument::parse(&candidate).unwrap();
                assert_eq!(
                    Instrument::parse(&instrument.spelling()).unwrap(),
                    instrument
                );
            }
        }
    }
}

#[test]
fn the_shortest_spelling_is_read_as_the_instrument() {
    for (id, spelling) in [
        ("stk:AAPL", "AAPL"),
        ("stk:ES", "stk:ES"),
        ("fx:EUR.USD", "EURUSD"),
        ("metal:XAU.USD", "XAUUSD"),
        ("crypto:BTC.USDT", "BTCUSDT"),
        ("crypto:BTC.USD", "crypto:BTC/USD"),
        ("perp:BTC.USDT", "BTCUSDT.P"),
        ("fut:ES", "fut:ES"),
        ("fut:ES:202612", "ES202612"),
        ("idx:GSPC", "idx:GSPC"),
        ("fund:SPY", "fund:SPY"),
    ] {
        assert_eq!(Instrument::parse(id).unwrap().spelling(), spelling);
    }
}

/// What brokers and vendors put behind a pair.
const TAILS: [&str; 9] = ["", "m", ".m", ".pro", ".raw", "-ECN", "#", "_i", ".cash"];

proptest! {
    #[test]
    fn what_looks_like_a_pair_never_becomes_a_share(
        base in "[A-Z]{2,6}", separator in "[-_/.]?", quote in "USDT|USDC|FDUSD|BUSD|USD",
        tail in prop::sample::select(&TAILS[..]),
    ) {
        let text = format!("{base}{separator}{quote}{tail}");
        prop_assume!(text.len() <= SYMBOL_LENGTH_MAX);
        if let Ok(instrument) = Instrument::parse(&text) {
            prop_assert_ne!(instrument.class(), AssetClass::Stock, "{}", text);
        }
    }

    #[test]
    fn metals_never_become_shares(
        metal in "XAU|XAG|XPT|XPD", separator in "[-_/.]?", quote in "[A-Z]{3}",
        tail in prop::sample::select(&TAILS[..]),
    ) {
        let text = format!("{metal}{separator}{quote}{tail}");
        if let Ok(instrument) = Instrument::parse(&text) {
            prop_assert_ne!(instrument.class(), AssetClass::Stock, "{}", text);
        }
    }

    #[test]
    fn an_underscore_never_makes_a_share(text in "[A-Z]{1,6}_[A-Z0-9]{1,6}") {
        if let Ok(instrument) = Instrument::parse(&text) {
            prop_assert_ne!(instrument.class(), AssetClass::Stock, "{}", text);
        }
    }
}
