//! Coinbase Exchange: candles of spot pairs, without a key.
//!
//! Sources: docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products (get product
//! candles, get all known trading pairs) and …/exchange/rest-api/rate-limits.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use market::{Adjustment, AssetClass, Instrument, PriceKind, Timeframe, Utc};
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
    name: "coinbase",
    hosts: Some(Hosts {
        url: "https://api.exchange.coinbase.com",
        perp_url: None,
    }),
    open,
};

/// Candles of one answer: a request for more is refused.
const PAGE_BARS: u32 = 300;
/// Our timeframes with the seconds that the exchange counts.
const GRANULARITIES: &[(&str, u32)] = &[
    ("1m", 60),
    ("5m", 300),
    ("15m", 900),
    ("1h", 3_600),
    ("6h", 21_600),
    ("1d", 86_400),
];
/// `[time, low, high, open, close, volume]`, times in seconds.
const COLUMNS: BarColumns = BarColumns {
    time: 0,
    time_unit: 1_000_000,
    prices: [3, 2, 1, 4],
    volume: 5,
};
/// 2015-01-01T00:00:00Z: the exchange opened in that January.
const OPENED: Utc = Utc(1_420_070_400_000_000);

/// The exchange with its one host.
struct Coinbase {
    account: HttpAccount,
}

fn open(providers: &Providers) -> Result<Arc<dyn Provider>, ProviderError> {
    let rules = AccountRules {
        budget: BudgetRules {
            weight_max: 10,
            window: Duration::from_secs(1),
            spacing: Duration::ZERO,
        },
        used_header: "",
        pause: Duration::from_secs(1),
        judge,
    };

    let account = providers.open_account(&REGISTRATION, "url", rules)?;
    Ok(Arc::new(RestProvider::new(Coinbase { account })))
}

/// `{"message": "NotFound"}`, with HTTP 404.
fn judge(answer: &Answer) -> Verdict {
    match answer.status {
        404 => Verdict::Fail(unknown_symbol()),
        _ => Verdict::Use,
    }
}

/// The bars of an answer.
fn read_bars(answer: &Answer, account: &HttpAccount) -> Result<Vec<RawBar>, RemoteError> {
    let rows = rows(Some(&answer.content), answer, account)?;
    bars(rows, &COLUMNS, answer, account)
}

fn read_listings(answer: &Answer, account: &HttpAccount) -> Result<Vec<Listing>, RemoteError> {
    let products = rows(Some(&answer.content), answer, account)?;
    Ok(products.iter().filter_map(listing_of).collect())
}

fn listing_of(product: &Value) -> Option<Listing> {
    let base = text(product, "base_currency");
    let quote = text(product, "quote_currency");

    Some(Listing {
        symbol: text(product, "id").to_owned(),
        instrument: Instrument::parse(&format!("crypto:{base}/{quote}")).ok()?,
        state: text(product, "status").to_owned(),
    })
}

/// What its answers go through.
pub(super) const READER: Reader = Reader {
    name: REGISTRATION.name,
    judge,
    bars: read_bars,
    listings: read_listings,
};

#[async_trait]
impl Exchange for Coinbase {
    fn name(&self) -> &'static str {
        REGISTRATION.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            description: "spot pairs of Coinbase Exchange".to_owned(),
            classes: vec![AssetClass::Crypto],
            timeframes: timeframes_of(GRANULARITIES),
            prices: vec![PriceKind::Trades],
            adjustments: vec![Adjustment::Raw],
            newest_bars: None,
            page_bars: Some(PAGE_BARS),
            limits: "10 requests a second".to_owned(),
        }
    }

    fn account(&self, _: &Instrument) -> &HttpAccount {
        &self.account
    }

    fn accounts(&self) -> Vec<&HttpAccount> {
        vec![&self.account]
    }

    fn symbol(&self, base: &str, quote: &str) -> String {
        format!("{base}-{quote}")
    }

    async fn page(&self, request: &PageRequest<'_>) -> Result<Vec<RawBar>, RemoteError> {
        let seconds = word_for(GRANULARITIES, request.timeframe()).unwrap_or_default();
        // Both ends are included, and both count for the limit of the answer.
        let last = request.range.end.plus_micros(-COLUMNS.time_unit);
        let query = [
            ("granularity", seconds.to_string()),
            ("start", request.range.start.to_string()),
            ("end", last.max(request.range.start).to_string()),
        ];

        let path = format!("/products/{}/candles", request.symbol);
        let answer = self.account.get(&path, &query, 1).await?;
        read_bars(&answer, &self.account)
    }

    /// Nothing says when trading began: the first 300 days with a daily candle show it.
    async fn first_label(&self, request: &PageRequest<'_>) -> Result<Option<Utc>, RemoteError> {
        let key = request.key.in_timeframe(Timeframe::DAY_1);
        let span = Timeframe::DAY_1.micros() * i64::from(PAGE_BARS);
        let mut start = OPENED;

        while start < request.now {
            let end = start.plus_micros(span);
            let daily = PageRequest {
                key: &key,
                range: start..end,
                ..request.clone()
            };
            let days = self.page(&daily).await?;
            if let Some(first) = days.iter().map(|day| day.open_time).min() {
                return Ok(Some(first));
            }
            start = end;
        }
        Ok(None)
    }

    async fn listings(&self) -> Result<Vec<Listing>, RemoteError> {
        let answer = self.account.get("/products", &[], 1).await?;
        read_listings(&answer, &self.account)
    }

    async fn ping(&self, account: &HttpAccount) -> Result<String, RemoteError> {
        account.get("/time", &[], 1).await?;
        Ok("answers".to_owned())
    }
}
