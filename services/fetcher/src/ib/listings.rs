//! Contracts that a search finds, as instruments of ours.

use ibapi::contracts::{Contract, ContractDescription, SecurityType};
use market::Instrument;

use super::contracts::suffix_of;
use crate::provider::Listing;

/// Currency pairs that the search of a gateway does not find by their names.
const PAIRS: [&str; 20] = [
    "EUR.USD", "GBP.USD", "USD.JPY", "USD.CHF", "AUD.USD", "USD.CAD", "NZD.USD", "EUR.GBP",
    "EUR.JPY", "GBP.JPY", "EUR.CHF", "AUD.JPY", "CHF.JPY", "EUR.AUD", "EUR.CAD", "GBP.CHF",
    "USD.SEK", "USD.NOK", "USD.MXN", "USD.SGD",
];

/// The currency pairs whose names contain a text; all of them for an empty one.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = Listing> {
    let listings = PAIRS.into_iter().filter_map(|pair| {
        let instrument = Instrument::parse(&format!("fx:{pair}")).ok()?;
        Some(Listing {
            symbol: pair.to_owned(),
            instrument,
            state: "CASH on IDEALPRO".to_owned(),
        })
    });
    listings.filter(move |listing| listing.matches(text))
}

/// A contract as a listing; absent where no bars of it can be asked for.
pub(super) fn listing(description: &ContractDescription) -> Option<Listing> {
    let contract = &description.contract;
    let instrument = Instrument::parse(&spelling(contract)?).ok()?;
    let exchange = exchange_of(contract);
    let kind = contract.security_type.as_str();

    Some(Listing {
        symbol: contract.symbol.as_str().to_owned(),
        instrument,
        state: format!("{kind} on {exchange} in {}", contract.currency),
    })
}

/// The exchange that lists a contract.
pub(super) fn exchange_of(contract: &Contract) -> &str {
    match contract.primary_exchange.as_str() {
        "" => contract.exchange.as_str(),
        primary => primary,
    }
}

/// Our spelling of a contract, with its class.
pub(super) fn spelling(contract: &Contract) -> Option<String> {
    let symbol = contract.symbol.as_str();
    let currency = contract.currency.as_str();

    Some(match contract.security_type {
        SecurityType::Stock => {
            let share = symbol.replace(' ', ".");
            match suffix_of(exchange_of(contract), currency)? {
                "" => format!("stk:{share}"),
                suffix => format!("stk:{share}.{suffix}"),
            }
        }

        SecurityType::Index => format!("idx:{symbol}"),
        SecurityType::ForexPair => format!("fx:{symbol}.{currency}"),
        SecurityType::Crypto => format!("crypto:{symbol}.{currency}"),
        SecurityType::Commodity if symbol.len() == 6 => format!("metal:{symbol}"),
        SecurityType::Future | SecurityType::ContinuousFuture => format!("fut:{symbol}"),
        _ => return None,
    })
}
