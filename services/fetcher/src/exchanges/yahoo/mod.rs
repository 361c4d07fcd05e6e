//! Yahoo Finance: bars of its chart endpoint, without a key. Unofficial: Yahoo promises nothing,
//! and may change or refuse it on any day.
//!
//! Prices are adjusted for splits; those of the provider `yahoo_adjusted` for dividends as well.
//! The facts come from what is published about the endpoint, not from Yahoo, and were not checked
//! against it: `ktrdr provider test yahoo AAPL` does that. Sources: the READMEs and issues of
//! github.com/ranaroussi/yfinance and github.com/gadicc/yahoo-finance2 (parameters, forms of
//! answers, how far back which bars go, live rows).

mod chart;
mod events;
mod labels;
mod reading;
mod symbols;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use market::{
    Adjustment, AssetClass, Calendar, HourAnchor, PriceKind, SeriesKey, Session, Timeframe,
    TimeframeUnit, Utc, close_times,
};
use store::RawBars;

use super::clocks::{agreed_now, clock_note};
use super::readings::{text, unknown_symbol};
use super::{nouns_of, timeframes_of, word_for};
use crate::http_account::{ATTEMPTS_MAX, AccountRules, Answer, HttpAccount, Verdict};
use crate::memos::Memos;
use crate::plan::RequestCost;
use crate::provider::{AskingRules, Capabilities, Health, Listing, Provider, ProviderError};
use crate::providers::{Hosts, Providers, Registration};
use crate::remote_error::{Failure, RemoteError};
use crate::request_budget::BudgetRules;

use chart::Chart;
use events::Events;
use reading::{Labelled, labelled, misread, read_chart, read_listings};

pub(super) use reading::READER;

const HOSTS: Hosts = Hosts {
    url: "https://query1.finance.yahoo.com",
    perp_url: None,
};

/// The line that makes it one of the providers.
pub const REGISTRATION: Registration = Registration {
    name: "yahoo",
    hosts: Some(HOSTS),
    open: |providers| open(providers, &REGISTRATION, Adjustment::Split),
};

/// The same with prices that are adjusted for dividends, too: a series of its own.
pub const ADJUSTED: Registration = Registration {
    name: "yahoo_adjusted",
    hosts: Some(HOSTS),
    open: |providers| open(providers, &ADJUSTED, Adjustment::SplitDividend),
};

/// Our timeframes, with Yahoo's words.
const INTERVALS: &[(&str, &str)] = &[
    ("1m", "1m"),
    ("5m", "5m"),
    ("15m", "15m"),
    ("30m", "30m"),
    ("1h", "1h"),
    ("1d", "1d"),
    ("1w", "1wk"),
];
const DAY: i64 = 86_400_000_000;
/// Days of one request for days or weeks.
const DAYS_OF_DATES: i64 = 20 * 366;
/// How long the first trade is believed to stay the first one.
const HEAD_HOLDS: Duration = Duration::from_secs(24 * 3600);
/// An answer comes within this time, as a rule.
const REQUEST_COST: Duration = Duration::from_millis(400);
/// Yahoo's charts in one of the two adjustments. Keep it: it remembers first trades.
struct Yahoo {
    name: &'static str,
    account: HttpAccount,
    adjustment: Adjustment,
    /// First trades by Yahoo's symbols, in Unix seconds.
    heads: Memos<i64>,
    events: Mutex<BTreeMap<SeriesKey, Events>>,
    notes: Mutex<BTreeMap<SeriesKey, Vec<String>>>,
}

fn open(
    providers: &Providers,
    registration: &Registration,
    adjustment: Adjustment,
) -> Result<Arc<dyn Provider>, ProviderError> {
    let rules = AccountRules {
        // Yahoo names no limit; this one is ours.
        budget: BudgetRules {
            weight_max: 60,
            window: Duration::from_secs(60),
            spacing: Duration::ZERO,
        },
        used_header: "",
        pause: Duration::from_secs(60),
        judge,
    };

    let account = providers.open_account(registration, "url", rules)?;
    let memory = Arc::clone(account.memory());
    Ok(Arc::new(Yahoo {
        name: registration.name,
        heads: Memos::new(memory, registration.name, "head", HEAD_HOLDS),
        account,
        adjustment,
        events: Mutex::default(),
        notes: Mutex::default(),
    }))
}

/// `{"chart": {"result": null, "error": {"code": "Not Found", "description": "…"}}}`, with 404; the
/// same with 400 or 422 for a range without bars.
fn judge(answer: &Answer) -> Verdict {
    let error = answer.content.pointer("/chart/error");
    let description = error.map(|error| text(error, "description"));
    let description = description.unwrap_or_default();

    match answer.status {
        404 => Verdict::Fail(unknown_symbol()),
        400 | 422 if is_about_range(description) => Verdict::Accept,
        _ if !description.is_empty() => Verdict::Fail(Failure::Protocol {
            address: answer.address.clone(),
            reason: format!("it says: {description}"),
        }),
        _ => Verdict::Use,
    }
}

/// True where Yahoo says that it has nothing in a range.
fn is_about_range(description: &str) -> bool {
    description.starts_with("Data doesn't exist for startDate")
        || description.contains("data not available for startTime")
}

/// Days back to which there are bars within the day; none for days and weeks, which go back to the
/// first trade. A day less than Yahoo says: the border moves while a request is on its way.
fn days_back(timeframe: Timeframe) -> Option<i64> {
    match (timeframe.is_intraday(), timeframe.minutes()) {
        (false, _) => None,
        (true, 1) => Some(29),
        (true, ..60) => Some(59),
        (true, _) => Some(729),
    }
}

/// The longest request, in days.
fn days_at_once(timeframe: Timeframe) -> i64 {
    match timeframe.minutes() {
        1 => 7,
        _ => days_back(timeframe).unwrap_or(DAYS_OF_DATES),
    }
}

impl Yahoo {
    fn error(&self, failure: Failure) -> RemoteError {
        self.account.error(failure)
    }

    /// Yahoo's name of an instrument; refuses what it cannot have without asking it.
    fn symbol_of(&self, key: &SeriesKey) -> Result<String, RemoteError> {
        let capabilities = self.capabilities();
        let has_class = capabilities.classes.contains(&key.instrument.class());
        let symbol = symbols::symbol_of(&key.instrument).filter(|_| has_class);
        let Some(symbol) = symbol else {
            return Err(self.error(Failure::Class {
                instrument: key.instrument.spelling(),
                classes: nouns_of(&capabilities.classes),
            }));
        };

        // A day has the prices of regular hours, whatever is asked for.
        let of_hours =
            |timeframe: &Timeframe| timeframe.is_intraday() || key.session == Session::Regular;
        let mut timeframes = capabilities.timeframes;
        timeframes.retain(of_hours);
        if !timeframes.contains(&key.timeframe) {
            let names = timeframes.iter().map(ToString::to_string);
            let hours = match key.session {
                Session::Regular => "",
                Session::Extended => "extended-hours ",
            };
            return Err(self.error(Failure::Timeframe {
                instrument: key.instrument.spelling(),
                timeframe: format!("{hours}{}", key.timeframe),
                timeframes: names.collect::<Vec<_>>().join(", "),
            }));
        }
        Ok(symbol)
    }

    async fn chart(
        &self,
        symbol: &str,
        query: &[(&str, String)],
    ) -> Result<Option<Chart>, RemoteError> {
        let path = format!("/v8/finance/chart/{symbol}");
        let answer = self.account.get(&path, query, 1).await?;
        if answer.status != 200 {
            return Ok(None);
        }

        let interval = query.iter().find(|(name, _)| *name == "interval");
        let interval = interval.map_or("", |(_, interval)| interval);
        read_chart(&answer, &self.account, interval).map(Some)
    }

    /// The label of the first bar, from the first trade, which is asked for once a day.
    async fn head(&self, key: &SeriesKey, symbol: &str) -> Result<Utc, RemoteError> {
        let learnt = self.heads.recall(symbol).await;
        let first_trade = match learnt.filter(|learnt| learnt.is_fresh) {
            Some(learnt) => learnt.value,
            None => {
                let first_trade = self.ask_for_head(key, symbol).await?;
                self.heads.keep(symbol, &first_trade).await;
                first_trade
            }
        };

        // The date of an instant anywhere on earth is this one or the next.
        let first = Utc(first_trade.saturating_mul(1_000_000));
        let midnight = Utc(first.0.div_euclid(DAY).saturating_mul(DAY));
        Ok(match key.timeframe.unit() {
            TimeframeUnit::Minute => first,
            _ => key.timeframe.label_of_last_day(midnight),
        })
    }

    async fn ask_for_head(&self, key: &SeriesKey, symbol: &str) -> Result<i64, RemoteError> {
        let query = [("interval", "1d".to_owned()), ("range", "1d".to_owned())];
        let chart = self.chart(symbol, &query).await?;
        let first_trade = chart.and_then(|chart| chart.first_trade);

        first_trade.ok_or_else(|| {
            let series = format!("{} {}", key.instrument.symbol(), key.timeframe);
            self.error(Failure::NoData { series })
        })
    }

    /// Puts the symbol, and symbols like it, into an error that says only that it is unknown.
    async fn name_symbol(&self, error: RemoteError, symbol: &str) -> ProviderError {
        if !matches!(error.failure, Failure::UnknownSymbol { .. }) {
            return error.into();
        }

        // Without them the error is as true, and less of a help.
        let listings = self.listings(symbol).await.unwrap_or_default();
        let similar = listings.iter().map(|each| each.instrument.spelling());
        let similar = similar.take(5).collect();
        let symbol = symbol.to_owned();
        self.error(Failure::UnknownSymbol { symbol, similar })
            .into()
    }

    async fn listings(&self, text: &str) -> Result<Vec<Listing>, RemoteError> {
        let query = [
            ("q", text.to_owned()),
            ("quotesCount", "20".to_owned()),
            ("newsCount", "0".to_owned()),
        ];
        let path = "/v1/finance/search";
        let answer = self.account.get(path, &query, 1).await?;
        let classes = self.capabilities().classes;
        let listings = read_listings(&answer, &self.account)?.into_iter();
        let has_class = |each: &Listing| classes.contains(&each.instrument.class());
        Ok(listings.filter(has_class).collect())
    }

    /// The bars of a range, request by request.
    async fn read_range(
        &self,
        key: &SeriesKey,
        symbol: &str,
        range: Range<Utc>,
    ) -> Result<Labelled, RemoteError> {
        let span = days_at_once(key.timeframe) * DAY;
        let mut all = Labelled::default();

        let mut start = range.start;
        while start < range.end {
            let end = start.plus_micros(span).min(range.end);
            if let Some(chart) = self.ask_for_bars(key, symbol, &(start..end)).await? {
                let labelled = labelled(key, &chart, &(start..end), &self.account)?;
                all.bars.extend(&labelled.bars);
                all.odd += labelled.odd;
                all.first_odd = all.first_odd.or(labelled.first_odd);
                lock(&self.events)
                    .entry(key.clone())
                    .or_default()
                    .add(&chart);
            }
            start = end;
        }
        Ok(all)
    }

    async fn ask_for_bars(
        &self,
        key: &SeriesKey,
        symbol: &str,
        range: &Range<Utc>,
    ) -> Result<Option<Chart>, RemoteError> {
        // A date begins within a day of midnight in London, wherever the exchange is.
        let around = if key.timeframe.is_intraday() { 0 } else { DAY };
        let start = range.start.plus_micros(-around).0.div_euclid(1_000_000);
        let end = range.end.plus_micros(around).0.div_euclid(1_000_000);
        let interval = word_for(INTERVALS, key.timeframe).unwrap_or_default();
        let is_extended = key.session == Session::Extended;

        let query = [
            ("period1", start.to_string()),
            ("period2", end.to_string()),
            ("interval", interval.to_owned()),
            ("events", "div,splits".to_owned()),
            ("includePrePost", is_extended.to_string()),
            ("includeAdjustedClose", "true".to_owned()),
        ];
        self.chart(symbol, &query).await
    }

    /// Takes out the bars that are not over by both clocks.
    fn keep_over(&self, key: &SeriesKey, mut bars: RawBars) -> Result<RawBars, RemoteError> {
        let now = agreed_now(&self.account);
        let ends = close_times(Calendar::for_key(key), key, &bars.open_time);
        let ends = ends.map_err(|error| misread(&self.account, key, error.to_string()))?;
        let over: Vec<bool> = ends.iter().map(|end| *end <= now).collect();
        bars.keep_rows(&over);
        Ok(bars)
    }

    /// The instant from which on Yahoo has bars of a timeframe, now.
    fn oldest(&self, timeframe: Timeframe) -> Utc {
        let Some(days) = days_back(timeframe) else {
            return Utc(i64::MIN);
        };
        let today = Utc::midnight(agreed_now(&self.account).date());
        today.plus_micros(-days * DAY)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Provider for Yahoo {
    fn name(&self) -> &str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        let of_dividends = self.adjustment == Adjustment::SplitDividend;
        let mut timeframes = timeframes_of(INTERVALS);
        let (classes, description) = if of_dividends {
            timeframes.retain(|timeframe| !timeframe.is_intraday());
            let classes = vec![AssetClass::Stock, AssetClass::Fund];
            (classes, "the same, adjusted for dividends (unofficial)")
        } else {
            let classes = vec![
                AssetClass::Stock,
                AssetClass::Fund,
                AssetClass::Index,
                AssetClass::Fx,
            ];
            (classes, "charts of Yahoo Finance (unofficial)")
        };

        Capabilities {
            description: description.to_owned(),
            classes,
            timeframes,
            prices: vec![PriceKind::Trades],
            adjustments: vec![self.adjustment],
            newest_bars: None,
            page_bars: None,
            limits: "60 requests a minute".to_owned(),
        }
    }

    fn anchor(&self) -> HourAnchor {
        HourAnchor::SessionOpen
    }

    fn span_max(&self, timeframe: Timeframe) -> Option<i64> {
        Some(days_at_once(timeframe) * DAY)
    }

    /// Its account tries each request three times.
    fn asking_rules(&self) -> AskingRules {
        AskingRules {
            own_tries: ATTEMPTS_MAX,
            ..AskingRules::default()
        }
    }

    fn request_cost(&self, _: Timeframe) -> RequestCost {
        RequestCost {
            per_request: REQUEST_COST,
            per_day: Duration::ZERO,
        }
    }

    fn scheduled_time(&self, _: &SeriesKey, requests: usize) -> Duration {
        self.account.schedule(requests)
    }

    async fn coverage(&self, key: &SeriesKey) -> Result<Option<Range<Utc>>, ProviderError> {
        let symbol = self.symbol_of(key)?;
        lock(&self.events).remove(key);
        let head = match self.head(key, &symbol).await {
            Ok(head) => head,
            Err(error) => return Err(self.name_symbol(error, &symbol).await),
        };

        let head = head.max(self.oldest(key.timeframe));
        Ok(Some(head..agreed_now(&self.account).max(head)))
    }

    async fn bars(&self, key: &SeriesKey, range: Range<Utc>) -> Result<RawBars, ProviderError> {
        let symbol = self.symbol_of(key)?;
        let start = range.start.max(self.oldest(key.timeframe));
        let end = range.end.min(agreed_now(&self.account));
        let labelled = match self.read_range(key, &symbol, start..end).await {
            Ok(labelled) => labelled,
            Err(error) => return Err(self.name_symbol(error, &symbol).await),
        };

        let timeframe = key.timeframe;
        if let Some(first) = labelled.first_odd
            && labelled.bars.is_empty()
        {
            let reason = format!("its bars have other times, such as {first}");
            return Err(misread(&self.account, key, reason).into());
        }
        let odd = labelled.first_odd.map(|first| {
            let count = labelled.odd;
            format!("{count} bars with times of no {timeframe} bar, such as {first}, were left out")
        });
        let events = lock(&self.events).get(key).cloned().unwrap_or_default();
        let clock = clock_note(self.name, &self.account);
        let notes = clock.into_iter().chain(odd).chain(events.notes(key));
        lock(&self.notes).insert(key.clone(), notes.collect());
        Ok(self.keep_over(key, labelled.bars)?)
    }

    async fn search(&self, text: &str) -> Result<Vec<Listing>, ProviderError> {
        if !text.is_empty() {
            return Ok(self.listings(text).await?);
        }

        let classes = self.capabilities().classes;
        let examples = symbols::examples();
        let has_class = |each: &Listing| classes.contains(&each.instrument.class());
        Ok(examples.filter(has_class).collect())
    }

    /// Yahoo's smallest request: a search for one name.
    async fn health(&self) -> Result<Health, ProviderError> {
        let began = Instant::now();
        self.listings("SPY").await?;
        let latency = began.elapsed();

        let ahead = self.account.clock_ahead();
        let ahead = ahead.and_then(|ahead| i64::try_from(ahead.as_millis()).ok());
        Ok(Health {
            detail: "answers; unofficial, best effort".to_owned(),
            latency: Some(latency),
            clock_ahead_ms: ahead,
        })
    }

    fn notes(&self, key: &SeriesKey) -> Vec<String> {
        lock(&self.notes).get(key).cloned().unwrap_or_default()
    }
}
