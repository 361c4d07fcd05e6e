//! The contract that each instrument is.

use fetcher::ib::contracts::{contract_of, volume_of, what_to_show};
use ibapi::contracts::Contract;
use market::{Instrument, PriceKind};

fn contract(text: &str) -> Contract {
    contract_of(&Instrument::parse(text).unwrap()).unwrap()
}

/// Kind, symbol, exchange, currency and month.
fn facts(text: &str) -> String {
    let contract = contract(text);
    format!(
        "{} {} {} {} {}",
        contract.security_type.as_str(),
        contract.symbol,
        contract.exchange,
        contract.currency,
        contract.last_trade_date_or_contract_month
    )
}

#[test]
fn each_class_has_its_contract() {
    let table = [
        ("AAPL", "STK AAPL SMART USD "),
        ("BRK.B", "STK BRK B SMART USD "),
        ("VOD.L", "STK VOD LSE GBP "),
        ("SAP.DE", "STK SAP IBIS EUR "),
        ("fund:SPY", "STK SPY SMART USD "),
        ("EURUSD", "CASH EUR IDEALPRO USD "),
        ("EUR/USD", "CASH EUR IDEALPRO USD "),
        ("metal:XAU/USD", "CMDTY XAUUSD SMART USD "),
        ("crypto:BTC/USD", "CRYPTO BTC PAXOS USD "),
        ("idx:SPX", "IND SPX CBOE  "),
        ("fut:ES:202612", "FUT ES CME  202612"),
        ("fut:ES", "CONTFUT ES CME  "),
        ("fut:6E:202612", "FUT EUR CME  202612"),
        ("fut:CL", "CONTFUT CL NYMEX  "),
    ];

    for (text, expected) in table {
        assert_eq!(facts(text), expected, "{text}");
    }
}

#[test]
fn a_future_of_a_month_may_have_expired() {
    assert!(contract("fut:ES:202312").include_expired);
    assert!(!contract("fut:ES").include_expired);
    assert_eq!(contract("fut:6E:202612").trading_class, "6E");
}

#[test]
fn perpetuals_have_no_contract() {
    let perpetual = Instrument::parse("perp:BTC/USDT").unwrap();
    assert_eq!(contract_of(&perpetual), None);
}

#[test]
fn prices_are_those_that_the_class_has() {
    let word = |text: &str, price| {
        let instrument = Instrument::parse(text).unwrap();
        what_to_show(instrument.class(), price).to_string()
    };

    assert_eq!(word("AAPL", PriceKind::Trades), "TRADES");
    assert_eq!(word("EURUSD", PriceKind::Midpoint), "MIDPOINT");
    assert_eq!(word("EURUSD", PriceKind::Bid), "BID");
    assert_eq!(word("crypto:BTC/USD", PriceKind::Trades), "AGGTRADES");
}

#[test]
fn no_volume_is_not_a_volume_of_zero() {
    assert!(volume_of(-1.0).is_nan());
    assert_eq!(volume_of(0.0), 0.0);
    assert_eq!(volume_of(125.0), 125.0);
}
