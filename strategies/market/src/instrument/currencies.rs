//! Codes of what pairs are made of: currencies, metals, coins, and what coins are priced in.

/// The currencies of ISO 4217 in alphabetical order, with `CNH` (the offshore renminbi) and two
/// that left it but have a history (`ANG`, `HRK`).
const CURRENCIES: [&str; 159] = [
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
    "BGN", "BHD", "BIF", "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD",
    "CDF", "CHF", "CLP", "CNH", "CNY", "COP", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP",
    "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF",
    "GTQ", "GYD", "HKD", "HNL", "HRK", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK",
    "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK",
    "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU",
    "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR",
    "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR",
    "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP",
    "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD",
    "UYU", "UZS", "VED", "VES", "VND", "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER",
    "ZAR", "ZMW", "ZWG",
];

/// The metals of ISO 4217 that trade against currencies: gold, silver, platinum, palladium.
pub(super) const METALS: [&str; 4] = ["XAU", "XAG", "XPT", "XPD"];

/// Coins that are known by name, in alphabetical order. A pair of a coin that is not here is read
/// where its quote is one that only crypto has, and asked about elsewhere.
const COINS: [&str; 98] = [
    "1INCH", "AAVE", "ADA", "ALGO", "APE", "APT", "AR", "ARB", "ATOM", "AVAX", "AXS", "BAT", "BCH",
    "BNB", "BONK", "BTC", "CAKE", "CHZ", "COMP", "CRO", "CRV", "DAI", "DASH", "DOGE", "DOT",
    "EGLD", "ENA", "ENJ", "ENS", "EOS", "ETC", "ETH", "FET", "FIL", "FLOKI", "FLOW", "FTM", "GALA",
    "GRT", "HBAR", "HYPE", "ICP", "IMX", "INJ", "IOTA", "JUP", "KAS", "KSM", "LDO", "LINK", "LTC",
    "LUNA", "MANA", "MATIC", "MKR", "MNT", "NEAR", "NEO", "OKB", "OM", "ONDO", "OP", "PAXG",
    "PEPE", "POL", "QNT", "RENDER", "RUNE", "SAND", "SEI", "SHIB", "SNX", "SOL", "STX", "SUI",
    "SUSHI", "TAO", "THETA", "TIA", "TON", "TRUMP", "TRX", "UNI", "USDC", "USDT", "VET", "WBTC",
    "WIF", "WLD", "XAUT", "XBT", "XDG", "XLM", "XMR", "XRP", "XTZ", "YFI", "ZEC",
];

/// Coins whose name alone is taken for the coin by as many people as for a share.
const MAJOR_COINS: [&str; 22] = [
    "ADA", "AVAX", "BCH", "BNB", "BTC", "DOGE", "DOT", "ETH", "LTC", "MATIC", "PEPE", "SHIB",
    "SOL", "TRX", "USDC", "USDT", "XBT", "XDG", "XLM", "XMR", "XRP", "ZEC",
];

/// Assets that nothing but crypto is priced in. A longer one stands before those it ends with, so
/// that `BTCFDUSD` is cut before `FDUSD`.
pub(super) const CRYPTO_QUOTES: [&str; 12] = [
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "USDE", "PYUSD", "DAI", "BTC", "ETH", "BNB",
];

/// Names that vendors have for an asset, and the usual one.
const ASSET_ALIASES: [(&str, &str); 3] = [("XBT", "BTC"), ("XDG", "DOGE"), ("BCHABC", "BCH")];

/// True for a code of the currency table, in upper case.
pub(super) fn is_currency(code: &str) -> bool {
    CURRENCIES.binary_search(&code).is_ok()
}

/// True for gold, silver, platinum and palladium.
pub(super) fn is_metal(code: &str) -> bool {
    METALS.contains(&code)
}

/// True for a coin that is known by name; exchanges trade the cheapest by the thousand.
pub(super) fn is_coin(code: &str) -> bool {
    let one = code.strip_prefix("1000").unwrap_or(code);
    COINS.binary_search(&one).is_ok()
}

/// True for a coin whose name alone may mean the coin.
pub(super) fn is_major_coin(code: &str) -> bool {
    MAJOR_COINS.contains(&code)
}

/// True for an asset that nothing but crypto is priced in.
pub(super) fn is_crypto_quote(code: &str) -> bool {
    CRYPTO_QUOTES.contains(&code)
}

/// The usual name of an asset: `BTC` of Kraken's `XBT`.
pub(super) fn usual_asset(code: &str) -> &str {
    let mut aliases = ASSET_ALIASES.iter();
    let alias = aliases.find(|(vendor_name, _)| *vendor_name == code);
    alias.map_or(code, |(_, usual_name)| usual_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_codes_are_sorted_as_their_search_needs() {
        assert!(CURRENCIES.is_sorted());
        assert!(COINS.is_sorted());
    }
}
