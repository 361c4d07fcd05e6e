//! The page of symbols is generated from the table of spellings; this test fails while it is out of
//! date.
//!
//! To write it: `KTRDR_WRITE_DOCS=1 cargo test -p market --test it symbols_page`.

use std::fmt::Write;
use std::path::Path;

use market::{AssetClass, Instrument, InstrumentError, SPELLINGS};

const HEAD: &str = "\
Symbols: how instruments are named, and how the symbols of vendors are read.

This page is generated from `strategies/market/src/instrument/spellings/mod.rs` by the test `symbols_page`.
`ktrdr data symbols TEXT` explains any text in the same way, without a store or a server.

A symbol may stand with its class or without it. The class decides the hours of the market, and with them the instant from
which a bar counts as known: a text that can mean two things is therefore never guessed. It is refused with the texts
that can be meant, and each of these works as it stands. Plain shares and pairs of currencies need no class.

## Classes

";

const AFTER_CLASSES: &str = "
A future is continuous without an expiry: `fut:ES`, and `fut:ES:202612` is one contract. The calendar of a share follows
the ending of its exchange (`VOD.L` London, `SAP.DE` Xetra, `AIR.PA` Euronext, `7203.T` Tokyo, `0700.HK` Hong Kong,
`600519.SS` Shanghai, `BHP.AX` Sydney, `RY.TO` Toronto, `RELIANCE.NS` India, `PETR4.SA` São Paulo); one without an
ending trades in the United States. Where the hours are not known the calendar is `always`, which ends no bar early.

## Spellings

A text is tried against these rows from the top, in any case of its letters; the first one that fits decides.

| form | vendors | example | is | meaning |
|---|---|---|---|---|
";

const TAIL: &str = "
## Names of files

A file that a fetcher loads is called `SYMBOL_TIMEFRAME.csv`, as `EURUSD_1h.csv` or `BTCUSDT_1h.csv`. Where the symbol alone is
asked about, or has characters that a file name should not have, the key of the instrument stands in its place:
`crypto-btc-usd_1h.csv`, `fut-es_1d.csv`, `stk-es_1d.csv`. `ktrdr data symbols` prints the key.
";

fn render_page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| prefix | what it is | example | calendar |\n|---|---|---|---|\n");
    for class in AssetClass::ALL {
        let example = example_of(class);
        let calendar = Instrument::parse(example).unwrap().calendar_name();
        let noun = class.noun();
        writeln!(page, "| `{class}:` | {noun} | `{example}` | `{calendar}` |").unwrap();
    }

    page.push_str(AFTER_CLASSES);
    for spelling in &SPELLINGS {
        for (row, example) in spelling.examples.iter().enumerate() {
            // The words of a form stand once, its examples below each other.
            let (form, vendors, meaning) = match row {
                0 => (spelling.form, spelling.vendors, spelling.meaning),
                _ => ("", "", ""),
            };
            let is = describe(example);
            writeln!(
                page,
                "| {form} | {vendors} | `{example}` | {is} | {meaning} |"
            )
            .unwrap();
        }
    }

    page.push_str(TAIL);
    page
}

fn example_of(class: AssetClass) -> &'static str {
    match class {
        AssetClass::Stock => "stk:AAPL",
        AssetClass::Fund => "fund:VFIAX",
        AssetClass::Index => "idx:GSPC",
        AssetClass::Fx => "fx:EUR/USD",
        AssetClass::Metal => "metal:XAU/USD",
        AssetClass::Future => "fut:ES",
        AssetClass::Crypto => "crypto:BTC/USDT",
        AssetClass::Perpetual => "perp:BTC/USDT",
    }
}

fn describe(text: &str) -> String {
    match Instrument::parse(text) {
        Ok(instrument) => format!("`{instrument}`"),
        Err(InstrumentError::Ambiguous { candidates, .. }) => {
            format!("`{}`?", candidates.join("`, `"))
        }
        Err(_) => "refused".to_owned(),
    }
}

#[test]
fn the_page_of_symbols_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/symbols.md");
    if std::env::var_os("KTRDR_WRITE_DOCS").is_some() {
        std::fs::write(&path, render_page()).unwrap();
    }

    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == render_page(),
        "docs/symbols.md is out of date: run the command at the top of this file"
    );
}
