//! The `costs` section: what a trade costs, for all instruments and for those that differ.

use market::Instrument;

use super::lists::{self, Placed};
use crate::fields::Fields;
use crate::strategy::{Costs, TradeCosts};

/// What a cost may be.
const LEGAL: &str = "a fraction of the price from 0 to below 1";

/// Reads the section; `symbols` are those of the strategy. `None` where it cannot be used, in which
/// case there is a finding.
pub(super) fn read_costs(fields: Fields<'_>, symbols: &[Instrument]) -> Option<Costs> {
    for key in ["commission", "spread", "slippage"] {
        // A cost that is left out would be one of 0, which nobody has stated.
        fields.required(key);
    }
    let general = read_trade_costs(&fields, TradeCosts::default());

    let of_symbols = fields.section("symbols");
    let by_symbol = of_symbols.map(|section| read_symbols(&section, general, symbols));
    let is_legal = !fields.has_finding("commission")
        && !fields.has_finding("spread")
        && !fields.has_finding("slippage");
    fields.finish(&[]);
    is_legal.then(|| Costs {
        general,
        by_symbol: by_symbol.unwrap_or_default(),
    })
}

/// The costs of a mapping; those that it does not have are `others`.
fn read_trade_costs(fields: &Fields<'_>, others: TradeCosts) -> TradeCosts {
    let cost = |key: &'static str| fields.number(key, LEGAL, |value| (0.0..1.0).contains(&value));
    TradeCosts {
        commission: cost("commission").unwrap_or(others.commission),
        spread: cost("spread").unwrap_or(others.spread),
        slippage: cost("slippage").unwrap_or(others.slippage),
    }
}

/// The costs of instruments that differ from the others.
fn read_symbols(
    section: &Fields<'_>,
    general: TradeCosts,
    symbols: &[Instrument],
) -> Vec<(Instrument, TradeCosts)> {
    let mut by_symbol = Vec::new();
    for entry in section.unread_entries() {
        let place = Placed {
            path: section.path_of(&entry.key),
            line: entry.line,
            value: entry.key.as_str(),
        };
        let Some(symbol) = lists::parse_symbol(section, place) else {
            continue;
        };
        if !symbols.is_empty() && !symbols.contains(&symbol.value) {
            let message = format!("{} is not one of the symbols of the strategy", entry.key);
            let finding = symbol.error("value.unknown", message);
            let names = symbols.iter().map(Instrument::symbol);
            section.sink.push(finding.allowing(&entry.key, names));
        }

        let path = section.path_of(&entry.key);
        let fields = Fields::of(&entry.value, path, section.sink);
        by_symbol.push((symbol.value, read_trade_costs(&fields, general)));
        fields.finish(&[]);
    }
    by_symbol
}
