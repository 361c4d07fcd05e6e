//! Kraken: OHLC of spot pairs, without a key. It gives the newest 720 bars of a series and no
//! others.
//!
//! Sources: docs.kraken.com/api/docs/rest-api/get-ohlc-data, get-tradable-asset-pairs,
//! get-system-status and docs.kraken.com/api/docs/guides/spot-errors.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use market::{Adjustment, AssetClass, Instrument, PriceKind, Utc};
use serde_json::Value;
use store::RawBar;

use super::readings::{BarColumns, bars, rows, text, unknown_symbol, unreadable};
use super::{Exchange, PageRequest, Reader, RestProvider, timeframes_of, word_for};
use crate::http_account::{AccountRules, Answer, HttpAccount, Verdict};
use crate::provider::{Capabilities, Listing, Provider, ProviderError};
use crate::providers::{Hosts, Providers, Registration};
use crate::remote_error::{Failure, RemoteError};
use crate::request_budget::BudgetRules;

/// The line that makes it one of the providers.
pub const REGISTRATION: Registration = Registration {
    name: "kraken",
    hosts: Some(Hosts {
        url: "https://api.kraken.com",
        perp_url: None,
    }),
    open,
};

/// Bars of an answer, the one that is not over among them.
const NEWEST_BARS: u32 = 720;
/// Our timeframes with the minutes that the exchange counts. Its weeks do not begin on Monday.
const INTERVALS: &[(&str, u32)] = &[
    ("1m", 1),
    ("5m", 5),
    ("15m", 15),
    ("30m", 30),
    ("1h", 60),
    ("4h", 240),
    ("1d", 1440),
];
/// `[time, open, high, low, close, vwap, volume, count]`, times in seconds.
const COLUMNS: BarColumns = BarColumns {
    time: 0,
    time_unit: 1_000_000,
    prices: [1, 2, 3, 4],
    volume: 6,
};
/// Our names of coins with the exchange's, where they differ.
const COINS: &[(&str, &str)] = &[("BTC", "XBT"), ("DOGE", "XDG")];

/// The exchange with its one host.
struct Kraken {
    account: HttpAccount,
}

fn open(providers: &Providers) -> Result<Arc<dyn Provider>, ProviderError> {
    let rules = AccountRules {
        // "A frequency of 1 per second (or less)" for public requests.
        budget: BudgetRules {
            weight_max: 15,
            window: Duration::from_secs(15),
            spacing: Duration::from_secs(1),
        },
        used_header: "",
        pause: Duration::from_secs(5),
        judge,
    };

    let account = providers.open_account(&REGISTRATION, "url", rules)?;
    Ok(Arc::new(RestProvider::new(Kraken { account })))
}

/// `{"error": ["EQuery:Unknown asset pair"]}`, with HTTP 200.
fn judge(answer: &Answer) -> Verdict {
    let errors = answer.content.get("error").and_then(Value::as_array);
    let first = errors.and_then(|errors| errors.first());
    let Some(error) = first.and_then(Value::as_str) else {
        return Verdict::Use;
    };

    match error {
        "EQuery:Unknown asset pair" => Verdict::Fail(unknown_symbol()),
        "EAPI:Rate limit exceeded" | "EGeneral:Too many requests" => Verdict::Pause,
        "EService:Unavailable" | "EService:Busy" | "EGeneral:Internal error" => {
            Verdict::Fail(Failure::Away {
                address: answer.address.clone(),
                status: answer.status,
            })
        }
        error if error.starts_with("EGeneral:Permission denied") => {
            Verdict::Fail(Failure::Permission {
                address: answer.address.clone(),
                status: answer.status,
                text: error.to_owned(),
            })
        }
        error => Verdict::Fail(Failure::Protocol {
            address: answer.address.clone(),
            reason: format!("it says {error}"),
        }),
    }
}

/// The bars of an answer.
fn read_bars(answer: &Answer, account: &HttpAccount) -> Result<Vec<RawBar>, RemoteError> {
    let result = answer.content.get("result").and_then(Value::as_object);
    let Some(result) = result else {
        return Err(unreadable(answer, account, "there is no result"));
    };

    // The list has the exchange's long name of the pair, beside `last`.
    let list = result.iter().find(|(name, _)| *name != "last");
    let rows = rows(list.map(|(_, list)| list), answer, account)?;
    bars(rows, &COLUMNS, answer, account)
}

fn read_listings(answer: &Answer, account: &HttpAccount) -> Result<Vec<Listing>, RemoteError> {
    let pairs = answer.content.get("result").and_then(Value::as_object);
    let Some(pairs) = pairs else {
        return Err(unreadable(answer, account, "there is no result"));
    };
    Ok(pairs.values().filter_map(listing_of).collect())
}

fn listing_of(pair: &Value) -> Option<Listing> {
    // `wsname` is BASE/QUOTE with the exchange's names of coins.
    let (base, quote) = text(pair, "wsname").split_once('/')?;
    let id = format!("crypto:{}/{}", our_coin(base), our_coin(quote));

    Some(Listing {
        symbol: text(pair, "altname").to_owned(),
        instrument: Instrument::parse(&id).ok()?,
        state: text(pair, "status").to_owned(),
    })
}

/// What its answers go through.
pub(super) const READER: Reader = Reader {
    name: REGISTRATION.name,
    judge,
    bars: read_bars,
    listings: read_listings,
};

fn its_coin(coin: &str) -> &str {
    let row = COINS.iter().find(|(ours, _)| *ours == coin);
    row.map_or(coin, |(_, its)| *its)
}

fn our_coin(coin: &str) -> &str {
    let row = COINS.iter().find(|(_, its)| *its == coin);
    row.map_or(coin, |(ours, _)| *ours)
}

#[async_trait]
impl Exchange for Kraken {
    fn name(&self) -> &'static str {
        REGISTRATION.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            description: "spot pairs of Kraken".to_owned(),
            classes: vec![AssetClass::Crypto],
            timeframes: timeframes_of(INTERVALS),
            prices: vec![PriceKind::Trades],
            adjustments: vec![Adjustment::Raw],
            newest_bars: Some(NEWEST_BARS),
            page_bars: None,
            limits: "1 request a second".to_owned(),
        }
    }

    fn account(&self, _: &Instrument) -> &HttpAccount {
        &self.account
    }

    fn accounts(&self) -> Vec<&HttpAccount> {
        vec![&self.account]
    }

    fn symbol(&self, base: &str, quote: &str) -> String {
        format!("{}{}", its_coin(base), its_coin(quote))
    }

    async fn page(&self, request: &PageRequest<'_>) -> Result<Vec<RawBar>, RemoteError> {
        let minutes = word_for(INTERVALS, request.timeframe()).unwrap_or_default();
        // Whether `since` is included is not said: a second earlier it does not matter.
        let since = request.range.start.0.div_euclid(COLUMNS.time_unit) - 1;
        let since = since.max(0);
        let query = [
            ("pair", request.symbol.to_owned()),
            ("interval", minutes.to_string()),
            ("since", since.to_string()),
        ];
        let answer = self.account.get("/0/public/OHLC", &query, 1).await?;
        read_bars(&answer, &self.account)
    }

    async fn first_label(&self, request: &PageRequest<'_>) -> Result<Option<Utc>, RemoteError> {
        // Asked for everything, it gives what it has.
        let page = self.page(request).await?;
        Ok(page.iter().map(|bar| bar.open_time).min())
    }

    async fn listings(&self) -> Result<Vec<Listing>, RemoteError> {
        let answer = self.account.get("/0/public/AssetPairs", &[], 1).await?;
        read_listings(&answer, &self.account)
    }

    async fn ping(&self, account: &HttpAccount) -> Result<String, RemoteError> {
        let answer = account.get("/0/public/SystemStatus", &[], 1).await?;
        let result = answer.content.get("result").unwrap_or(&Value::Null);
        Ok(text(result, "status").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coins_have_the_names_of_the_exchange() {
        assert_eq!((its_coin("BTC"), our_coin("XBT")), ("XBT", "BTC"));
        assert_eq!((its_coin("ETH"), our_coin("ETH")), ("ETH", "ETH"));
    }
}
