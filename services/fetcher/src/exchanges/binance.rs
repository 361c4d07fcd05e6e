//! Binance: klines of the spot market and of USD-M perpetuals, without a key.
//!
//! Sources: developers.binance.com/docs/binance-spot-api-docs/rest-api (market data endpoints,
//! limits) and …/docs/derivatives/usds-margined-futures (kline candlestick data, general info).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use market::{Adjustment, AssetClass, Instrument, PriceKind, Utc};
use serde_json::Value;
use store::RawBar;

use super::readings::{BarColumns, bars, rows, text, unknown_symbol};
use super::{Exchange, PageRequest, Reader, RestProvider, timeframes_of, word_for};
use crate::http_account::{AccountRules, Answer, HttpAccount, Verdict};
use crate::provider::{Capabilities, Listing, Provider, ProviderError};
use crate::providers::{Hosts, Providers, Registration};
use crate::remote_error::RemoteError;
use crate::request_budget::BudgetRules;

/// The line that makes it one of the providers.
pub const REGISTRATION: Registration = Registration {
    name: "binance",
    hosts: Some(Hosts {
        url: "https://api.binance.com",
        perp_url: Some("https://fapi.binance.com"),
    }),
    open,
};

/// Klines of one answer. The limit of the spot market; that of futures is 1500.
const PAGE_BARS: u32 = 1000;
/// Our timeframes with the exchange's words.
const INTERVALS: &[(&str, &str)] = &[
    ("1m", "1m"),
    ("3m", "3m"),
    ("5m", "5m"),
    ("15m", "15m"),
    ("30m", "30m"),
    ("1h", "1h"),
    ("2h", "2h"),
    ("4h", "4h"),
    ("6h", "6h"),
    ("8h", "8h"),
    ("12h", "12h"),
    ("1d", "1d"),
    ("1w", "1w"),
    ("1mo", "1M"),
];
/// `[open time, open, high, low, close, volume, close time, …]`, times in milliseconds.
const COLUMNS: BarColumns = BarColumns {
    time: 0,
    time_unit: 1_000,
    prices: [1, 2, 3, 4],
    volume: 5,
};
/// Its code for "Invalid symbol."
const INVALID_SYMBOL: i64 = -1121;
/// Its code for "Too many requests", where it comes without the status 429.
const TOO_MANY_REQUESTS: i64 = -1003;

/// One of the two markets: its host and its paths.
struct Market {
    account: HttpAccount,
    class: AssetClass,
    /// Start of its paths.
    root: &'static str,
    /// What a page of bars counts.
    page_weight: u32,
    /// What the list of instruments counts.
    list_weight: u32,
}

/// The exchange with both of its markets.
struct Binance {
    spot: Market,
    perpetuals: Market,
}

fn open(providers: &Providers) -> Result<Arc<dyn Provider>, ProviderError> {
    let spot = providers.open_account(&REGISTRATION, "url", rules(6_000))?;
    let perpetuals = providers.open_account(&REGISTRATION, "perp_url", rules(2_400))?;

    Ok(Arc::new(RestProvider::new(Binance {
        spot: Market {
            account: spot,
            class: AssetClass::Crypto,
            root: "/api/v3",
            page_weight: 2,
            list_weight: 20,
        },
        perpetuals: Market {
            account: perpetuals,
            class: AssetClass::Perpetual,
            root: "/fapi/v1",
            page_weight: 5,
            list_weight: 1,
        },
    })))
}

/// The rules of a host that allows this weight in a minute.
const fn rules(weight_max: u32) -> AccountRules {
    AccountRules {
        budget: BudgetRules {
            weight_max,
            window: Duration::from_secs(60),
            spacing: Duration::ZERO,
        },
        used_header: "x-mbx-used-weight-1m",
        pause: Duration::from_secs(60),
        judge,
    }
}

/// `{"code": -1121, "msg": "Invalid symbol."}`, with HTTP 400.
fn judge(answer: &Answer) -> Verdict {
    match answer.content.get("code").and_then(Value::as_i64) {
        Some(INVALID_SYMBOL) => Verdict::Fail(unknown_symbol()),
        Some(TOO_MANY_REQUESTS) => Verdict::Pause,
        _ => Verdict::Use,
    }
}

impl Binance {
    fn market(&self, instrument: &Instrument) -> &Market {
        match instrument.class() {
            AssetClass::Perpetual => &self.perpetuals,
            _ => &self.spot,
        }
    }
}

impl Market {
    async fn klines(
        &self,
        request: &PageRequest<'_>,
        limit: u32,
    ) -> Result<Vec<RawBar>, RemoteError> {
        let interval = word_for(INTERVALS, request.timeframe()).unwrap_or_default();
        let start = request.range.start.0.div_euclid(COLUMNS.time_unit);
        // Both ends are included: the last label is before the end.
        let end = (request.range.end.0 - 1).div_euclid(COLUMNS.time_unit);
        let query = [
            ("symbol", request.symbol.to_owned()),
            ("interval", interval.to_owned()),
            ("startTime", start.to_string()),
            ("endTime", end.to_string()),
            ("limit", limit.to_string()),
        ];

        let path = format!("{}/klines", self.root);
        let answer = self.account.get(&path, &query, self.page_weight).await?;
        read_bars(&answer, &self.account)
    }

    async fn listings(&self) -> Result<Vec<Listing>, RemoteError> {
        let path = format!("{}/exchangeInfo", self.root);
        let answer = self.account.get(&path, &[], self.list_weight).await?;
        read_listings(&answer, &self.account, self.class)
    }
}

/// The bars of an answer.
fn read_bars(answer: &Answer, account: &HttpAccount) -> Result<Vec<RawBar>, RemoteError> {
    let rows = rows(Some(&answer.content), answer, account)?;
    bars(rows, &COLUMNS, answer, account)
}

fn read_listings(
    answer: &Answer,
    account: &HttpAccount,
    class: AssetClass,
) -> Result<Vec<Listing>, RemoteError> {
    let symbols = rows(answer.content.get("symbols"), answer, account)?;

    // Futures with an expiry have another `contractType`; spot pairs have none.
    let is_listed = |symbol: &&Value| matches!(text(symbol, "contractType"), "" | "PERPETUAL");
    let listings = symbols
        .iter()
        .filter(is_listed)
        .filter_map(|symbol| listing_of(symbol, class));
    Ok(listings.collect())
}

/// A name that is no symbol of ours is passed over.
fn listing_of(symbol: &Value, class: AssetClass) -> Option<Listing> {
    let base = text(symbol, "baseAsset");
    let quote = text(symbol, "quoteAsset");
    let instrument = Instrument::parse(&format!("{class}:{base}/{quote}")).ok()?;

    Some(Listing {
        symbol: text(symbol, "symbol").to_owned(),
        instrument,
        state: text(symbol, "status").to_owned(),
    })
}

/// What its answers go through.
pub(super) const READER: Reader = Reader {
    name: REGISTRATION.name,
    judge,
    bars: read_bars,
    listings: |answer, account| read_listings(answer, account, AssetClass::Crypto),
};

#[async_trait]
impl Exchange for Binance {
    fn name(&self) -> &'static str {
        REGISTRATION.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            description: "spot pairs and USD-M perpetuals of Binance".to_owned(),
            classes: vec![AssetClass::Crypto, AssetClass::Perpetual],
            timeframes: timeframes_of(INTERVALS),
            prices: vec![PriceKind::Trades],
            adjustments: vec![Adjustment::Raw],
            newest_bars: None,
            page_bars: Some(PAGE_BARS),
            limits: "weight 6000 a minute on spot, 2400 on perpetuals".to_owned(),
        }
    }

    fn account(&self, instrument: &Instrument) -> &HttpAccount {
        &self.market(instrument).account
    }

    fn accounts(&self) -> Vec<&HttpAccount> {
        vec![&self.spot.account, &self.perpetuals.account]
    }

    fn symbol(&self, base: &str, quote: &str) -> String {
        format!("{base}{quote}")
    }

    async fn page(&self, request: &PageRequest<'_>) -> Result<Vec<RawBar>, RemoteError> {
        let market = self.market(&request.key.instrument);
        market.klines(request, PAGE_BARS).await
    }

    async fn first_label(&self, request: &PageRequest<'_>) -> Result<Option<Utc>, RemoteError> {
        let market = self.market(&request.key.instrument);
        let first = market.klines(request, 1).await?;
        Ok(first.first().map(|bar| bar.open_time))
    }

    async fn listings(&self) -> Result<Vec<Listing>, RemoteError> {
        let mut listings = self.spot.listings().await?;
        listings.extend(self.perpetuals.listings().await?);
        Ok(listings)
    }

    async fn ping(&self, account: &HttpAccount) -> Result<String, RemoteError> {
        let is_spot = std::ptr::eq(account, &raw const self.spot.account);
        let market = if is_spot {
            &self.spot
        } else {
            &self.perpetuals
        };
        account
            .get(&format!("{}/time", market.root), &[], 1)
            .await?;
        Ok(format!("{} answer", market.class.noun()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(content: Value) -> Answer {
        Answer {
            status: 400,
            address: String::new(),
            content,
        }
    }

    #[test]
    fn errors_are_read_by_their_codes() {
        let invalid = answer(json!({"code": -1121, "msg": "Invalid symbol."}));
        assert_eq!(judge(&invalid), Verdict::Fail(unknown_symbol()));
        let too_many = answer(json!({"code": -1003, "msg": "Too many requests"}));
        assert_eq!(judge(&too_many), Verdict::Pause);
        assert_eq!(judge(&answer(json!([]))), Verdict::Use);
    }
}
