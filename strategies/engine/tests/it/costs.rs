//! The section `costs`: what it says of each instrument, and what it may not say.

use market::Instrument;
use strategies::{Overrides, TradeCosts};

use crate::good_strategy::{Case, report_cases, resolve_after};

const SECTION: &str = "training: {";

fn costs_after(section: &'static str, symbol: &str) -> Option<TradeCosts> {
    let resolved = resolve_after(&[(SECTION, section)], &Overrides::default());
    let symbol = Instrument::parse(symbol).unwrap();
    resolved.costs.map(|costs| costs.of(&symbol))
}

#[test]
fn a_symbol_pays_its_own_costs_and_otherwise_those_of_all() {
    let section = "costs:\n  commission: 0.0001\n  spread: 0.0002\n  slippage: 0\n  \
                   symbols: {EURUSD: {spread: 0.0003}}\ntraining: {";

    let general = TradeCosts {
        commission: 0.0001,
        spread: 0.0002,
        slippage: 0.0,
    };
    let own_costs = TradeCosts {
        spread: 0.0003,
        ..general
    };
    assert_eq!(costs_after(section, "EURUSD"), Some(own_costs));
    assert_eq!(costs_after(section, "GBPUSD"), Some(general));
}

#[test]
fn a_strategy_without_the_section_states_no_costs() {
    assert_eq!(costs_after(SECTION, "EURUSD"), None);
}

const WRONG: &[Case] = &[
    Case {
        name: "a cost that is left out",
        edits: &[(SECTION, "costs: {commission: 0, spread: 0}\ntraining: {")],
    },
    Case {
        name: "costs that are no fraction of the price",
        edits: &[(
            SECTION,
            "costs: {commission: 1, spread: -0.1, slippage: low}\ntraining: {",
        )],
    },
    Case {
        name: "a symbol that the strategy does not have, and a key",
        edits: &[(
            SECTION,
            "costs: {commission: 0, spread: 0, slippage: 0, symbols: {GBPUSD: {spread: 0.1}, \
             EURUSD: {fee: 1}}}\ntraining: {",
        )],
    },
];

#[test]
fn costs_are_all_stated_and_of_symbols_of_the_strategy() {
    insta::assert_snapshot!(report_cases(WRONG), @"
    # a cost that is left out
      error[key.missing] line 18, costs.slippage: the key `slippage` is missing

    # costs that are no fraction of the price
      error[value.range] line 18, costs.commission: 1 is not a fraction of the price from 0 to below 1
      error[value.type] line 18, costs.slippage: expected a fraction of the price from 0 to below 1, found a text
      error[value.range] line 18, costs.spread: -0.1 is not a fraction of the price from 0 to below 1

    # a symbol that the strategy does not have, and a key
      error[key.unknown] line 18, costs.symbols.EURUSD.fee: unknown key [allowed: commission, slippage, spread]
      error[value.unknown] line 18, costs.symbols.GBPUSD: GBPUSD is not one of the symbols of the strategy [allowed: EURUSD]
    ");
}
