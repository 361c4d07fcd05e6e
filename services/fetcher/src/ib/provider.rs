//! The provider itself: contracts, heads and bars, each asked for once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ibapi::contracts::{Contract, ContractDetails, SecurityType};
use ibapi::market_data::TradingHours;
use ibapi::market_data::historical::{BarSize, HistoricalData, WhatToShow};
use jiff::Timestamp;
use market::{
    Adjustment, AssetClass, Calendar, DayBoundary, Instrument, PriceKind, SeriesKey,
    SeriesKeyError, Session, Timeframe, Utc, close_times,
};
use runtime::{OwnMemory, SharedMemory};
use store::RawBars;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::answers::{bar_of, bar_size_of, clock_note, duration_of, label_of, micros_of};
use super::asking::{Gateway, Question};
use super::codes::{ATTEMPTS_MAX, Meaning, classify};
use super::contracts::{CLASSES, contract_of, what_to_show};
use super::error::{IbError, IbFailure};
use super::listings::{exchange_of, listing, pairs, spelling};
use super::memory::IbMemory;
use super::pacing::PacedRequest;
use super::request_size::{HistoryWindow, RequestSpan, pieces, timeframes};
use super::settings::{IbSettings, IbWaits};
use crate::plan::RequestCost;
use crate::provider::{AskingRules, Capabilities, Health, Listing, Provider, ProviderError};
use crate::providers::{Providers, Registration};

/// The line that makes it one of the providers.
pub const REGISTRATION: Registration = Registration {
    name: NAME,
    hosts: None,
    open,
};

/// The provider of this process: a gateway has few places, and one connection is enough.
static OPENED: Mutex<Option<Arc<IbProvider>>> = Mutex::new(None);

const NAME: &str = "ib";
/// Contracts that are named in place of an unknown one.
const SIMILAR_MAX: usize = 5;
/// An answer comes within this time, as a rule, beside the second between two requests.
const REQUEST_COST: Duration = Duration::from_secs(2);

fn open(providers: &Providers) -> Result<Arc<dyn Provider>, ProviderError> {
    let settings = &providers.settings().ib;
    let mut opened = lock(&OPENED);
    if let Some(provider) = &*opened
        && provider.gateway.settings == *settings
        && Arc::ptr_eq(&provider.memory, providers.memory())
    {
        return Ok(Arc::clone(provider) as Arc<dyn Provider>);
    }

    let memory = Arc::clone(providers.memory());
    let waits = IbWaits::default();
    let provider = Arc::new(IbProvider::with_memory(settings.clone(), waits, memory));
    *opened = Some(Arc::clone(&provider));
    Ok(provider)
}

/// Bars of one gateway. Keep it: it has the connection, and remembers contracts, heads and
/// requests.
pub struct IbProvider {
    gateway: Gateway,
    memory: Arc<dyn SharedMemory>,
    learnt: IbMemory,
    notes: Mutex<BTreeMap<SeriesKey, Vec<String>>>,
}

/// What bars are asked for.
struct Wish<'a> {
    key: &'a SeriesKey,
    contract: Contract,
    bar_size: BarSize,
    span: RequestSpan,
    what: WhatToShow,
    hours: TradingHours,
}

impl IbProvider {
    /// Of the gateway that the settings name, sharing nothing with other processes. Nothing is sent
    /// yet.
    pub fn new(settings: IbSettings, waits: IbWaits) -> Self {
        Self::with_memory(settings, waits, Arc::new(OwnMemory::default()))
    }

    /// The same, sharing limits, heads and look-ups with all that have the same memory.
    pub fn with_memory(
        settings: IbSettings,
        waits: IbWaits,
        memory: Arc<dyn SharedMemory>,
    ) -> Self {
        Self {
            gateway: Gateway::new(settings, waits, Arc::clone(&memory)),
            learnt: IbMemory::new(Arc::clone(&memory), NAME),
            memory,
            notes: Mutex::default(),
        }
    }

    /// Closes the connection.
    pub async fn close(&self) {
        self.gateway.connector.close().await;
    }

    fn error(&self, failure: IbFailure) -> IbError {
        self.gateway.connector.error(failure)
    }

    /// The contract of an instrument. One that was there once stays: a broken connection says
    /// nothing about it.
    async fn contract(&self, instrument: &Instrument) -> Result<Contract, IbError> {
        let learnt = self.learnt.contract(instrument).await;
        if let Some(learnt) = &learnt
            && learnt.is_fresh
        {
            return Ok(learnt.value.clone());
        }
        if let Some(failure) = self.learnt.missing(instrument).await {
            return Err(self.error(failure));
        }

        let answer = self.ask_for_contract(instrument).await;
        match (answer, learnt) {
            (Ok(contract), _) => {
                self.learnt.keep_contract(instrument, &contract).await;
                Ok(contract)
            }
            (Err(error), Some(learnt)) if error.is_transient() => Ok(learnt.value),
            (Err(error), _) => {
                self.learnt.keep_missing(instrument, &error.failure).await;
                Err(error)
            }
        }
    }

    async fn ask_for_contract(&self, instrument: &Instrument) -> Result<Contract, IbError> {
        let name = instrument.spelling();
        let Some(query) = contract_of(instrument) else {
            return Err(self.error(IbFailure::Class { instrument: name }));
        };

        let question = Question::free(name.clone());
        let answer = self.gateway.ask(&question, |connected| {
            let query = query.clone();
            async move { connected.client.contract_details(&query).await }
        });
        let details = match answer.await {
            Ok(details) => details.unwrap_or_default(),
            Err(error) => return Err(self.with_similar(error, instrument).await),
        };
        self.only_one(&query, &details, name)
    }

    /// The one contract that details describe.
    fn only_one(
        &self,
        query: &Contract,
        details: &[ContractDetails],
        instrument: String,
    ) -> Result<Contract, IbError> {
        let mut candidates: Vec<String> = details.iter().map(describe).collect();
        candidates.sort_unstable();
        candidates.dedup();
        if candidates.len() > 1 {
            return Err(self.error(IbFailure::Ambiguous {
                instrument,
                candidates,
            }));
        }

        let Some(first) = details.first() else {
            let similar = Vec::new();
            return Err(self.error(IbFailure::UnknownSymbol {
                instrument,
                similar,
            }));
        };
        let mut contract = first.contract.clone();
        contract.include_expired = query.include_expired;
        if !query.exchange.is_empty() {
            contract.exchange = query.exchange.clone();
        }
        Ok(contract)
    }

    /// Names contracts like the one that is not there.
    async fn with_similar(&self, error: IbError, instrument: &Instrument) -> IbError {
        if !matches!(error.failure, IbFailure::UnknownSymbol { .. }) {
            return error;
        }

        // Without them the error is as true, and less of a help.
        let text = instrument.symbol();
        let matches = self.matching(&text).await.unwrap_or_default();
        let names = matches.into_iter().map(|each| each.instrument.spelling());
        self.error(IbFailure::UnknownSymbol {
            instrument: instrument.spelling(),
            similar: names.take(SIMILAR_MAX).collect(),
        })
    }

    async fn matching(&self, text: &str) -> Result<Vec<Listing>, IbError> {
        let question = Question::free(format!("contracts like {text}"));
        let answer = self.gateway.ask(&question, |connected| {
            let text = text.to_owned();
            async move { connected.client.matching_symbols(&text).await }
        });
        let descriptions = answer.await?.unwrap_or_default();
        Ok(descriptions.iter().filter_map(listing).collect())
    }

    async fn wish<'a>(&self, key: &'a SeriesKey) -> Result<Wish<'a>, IbError> {
        let timeframe = key.timeframe;
        let sizes = bar_size_of(timeframe).zip(RequestSpan::of(timeframe));
        let Some((bar_size, span)) = sizes else {
            let names: Vec<String> = timeframes().iter().map(ToString::to_string).collect();
            return Err(self.error(IbFailure::Timeframe {
                timeframe: timeframe.to_string(),
                timeframes: names.join(", "),
            }));
        };

        Ok(Wish {
            key,
            contract: self.contract(&key.instrument).await?,
            bar_size,
            span,
            what: what_to_show(key.instrument.class(), key.what),
            hours: match key.session {
                Session::Regular => TradingHours::Regular,
                Session::Extended => TradingHours::Extended,
            },
        })
    }

    /// The first instant with data, asked for once a day. Of currency pairs, the bid, the ask and
    /// the midpoint are asked in turn.
    async fn head(&self, wish: &Wish<'_>) -> Result<Option<Utc>, IbError> {
        let key = wish.key;
        if let Some(head) = self.learnt.head(key).await {
            return Ok(head);
        }

        let others: &[WhatToShow] = match key.instrument.class() {
            AssetClass::Fx | AssetClass::Metal => {
                &[WhatToShow::Bid, WhatToShow::Ask, WhatToShow::MidPoint]
            }
            _ => &[],
        };
        let others = others.iter().filter(|what| **what != wish.what);
        let mut head = None;
        for what in [&wish.what].into_iter().chain(others) {
            head = self.ask_for_head(wish, *what).await?;
            if head.is_some() {
                break;
            }
        }
        self.learnt.keep_head(key, head).await;
        Ok(head)
    }

    /// The first instant of one price. Without an answer it is unknown, which stops nothing.
    async fn ask_for_head(
        &self,
        wish: &Wish<'_>,
        what: WhatToShow,
    ) -> Result<Option<Utc>, IbError> {
        let tick = tick_of(&wish.contract, what);
        let request = PacedRequest {
            identity: format!("head {tick} {:?}", wish.hours),
            tick,
            weight: 1,
        };
        let question = Question {
            subject: format!("the first bar of {}", wish.key.instrument.spelling()),
            paced: Some(&request),
            attempts_max: ATTEMPTS_MAX,
        };

        let answer = self.gateway.ask(&question, |connected| {
            let contract = wish.contract.clone();
            let hours = wish.hours;
            async move {
                connected
                    .client
                    .head_timestamp(&contract, what, hours)
                    .await
            }
        });
        match answer.await {
            Ok(head) => Ok(head.and_then(micros_of).map(Utc)),
            Err(error) => match error.failure {
                IbFailure::Refused { .. } | IbFailure::Away { .. } | IbFailure::Protocol { .. } => {
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }

    /// The bars of a range: in smaller pieces where the gateway does not take a whole one.
    async fn ask_in_pieces(&self, wish: &Wish<'_>, range: &Range<Utc>) -> Result<RawBars, IbError> {
        let is_always_open = wish.key.instrument.calendar_name() == "always";
        let span = if is_always_open {
            wish.span.fallback_micros()
        } else {
            wish.span.micros()
        };
        let timeframe = wish.key.timeframe;
        let span = self
            .learnt
            .spans
            .limit(timeframe, Some(span))
            .unwrap_or(span);

        let mut bars = RawBars::default();
        for piece in pieces(range, span) {
            let length = piece.end.0 - piece.start.0;
            let can_shrink = length > wish.span.fallback_micros();
            let attempts_max = if can_shrink { 2 } else { ATTEMPTS_MAX };
            let error = match self.ask_for_bars(wish, &piece, attempts_max).await {
                Ok(answer) => {
                    bars.extend(&answer);
                    continue;
                }
                Err(error) => error,
            };

            if !(can_shrink && is_about_length(&error.failure)) {
                return Err(error);
            }
            for smaller in pieces(&piece, wish.span.fallback_micros()) {
                let answer = self.ask_for_bars(wish, &smaller, ATTEMPTS_MAX).await?;
                bars.extend(&answer);
            }

            // It was the length: the next run need not find out again.
            let shorter = wish.span.fallback_micros();
            self.learnt.spans.learn(timeframe, shorter).await;
        }
        Ok(bars)
    }

    /// The bars of one request, cut to its range.
    async fn ask_for_bars(
        &self,
        wish: &Wish<'_>,
        range: &Range<Utc>,
        attempts_max: u32,
    ) -> Result<RawBars, IbError> {
        let timeframe = wish.key.timeframe;
        let window = HistoryWindow::covering(range, timeframe, now());
        let tick = tick_of(&wish.contract, wish.what);
        let request = PacedRequest {
            identity: format!("{tick} {window:?} {} {:?}", wish.bar_size, wish.hours),
            tick,
            weight: 1,
        };
        let question = Question {
            subject: format!("{} {timeframe}", wish.key.instrument.spelling()),
            paced: Some(&request),
            attempts_max,
        };

        let answer = self.gateway.ask(&question, |connected| {
            let contract = wish.contract.clone();
            let form = (wish.bar_size, wish.what, wish.hours);
            async move { fetch(&connected.client, &contract, form, window).await }
        });
        let data = answer.await?;
        let bars = data.map_or_else(Vec::new, |data| data.bars);
        let bars: RawBars = bars
            .iter()
            .filter_map(|bar| bar_of(bar, timeframe))
            .collect();
        Ok(bars.sorted().between(range))
    }

    fn note_advice(&self, key: &SeriesKey, advice: Vec<String>) {
        lock(&self.notes).insert(key.clone(), advice);
    }
}

/// Sends one request for bars.
async fn fetch(
    client: &ibapi::Client,
    contract: &Contract,
    form: (BarSize, WhatToShow, TradingHours),
    window: HistoryWindow,
) -> Result<HistoricalData, ibapi::Error> {
    let request = client
        .historical_data(contract, form.0)
        .what_to_show(form.1)
        .trading_hours(form.2)
        .duration(duration_of(window.duration));

    // The end of a continuous future is always now: any other one is refused.
    if contract.security_type == SecurityType::ContinuousFuture {
        return request.fetch().await;
    }
    let end = window.end.0.div_euclid(1_000_000);
    let end = OffsetDateTime::from_unix_timestamp(end)
        .map_err(|error| ibapi::Error::InvalidArgument(error.to_string()))?;
    request.ending(end).fetch().await
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> Utc {
    Utc::from_timestamp(Timestamp::now())
}

/// Contract, exchange and price: what the rule of bursts counts.
fn tick_of(contract: &Contract, what: WhatToShow) -> String {
    format!("{} {} {what}", contract.contract_id, contract.exchange)
}

/// `AAPL on NASDAQ in USD`.
fn describe(details: &ContractDetails) -> String {
    let contract = &details.contract;
    let exchange = exchange_of(contract);
    let month = &contract.last_trade_date_or_contract_month;
    let name = spelling(contract).unwrap_or_else(|| contract.symbol.to_string());
    let month = if month.is_empty() {
        String::new()
    } else {
        format!(" of {month}")
    };
    format!("{name}{month} on {exchange} in {}", contract.currency)
}

/// True for failures that a shorter request may not have.
fn is_about_length(failure: &IbFailure) -> bool {
    match failure {
        IbFailure::Timeout { .. } => true,
        IbFailure::Refused { code, text, .. } => classify(*code, text) == Meaning::TooLong,
        _ => false,
    }
}

#[async_trait]
impl Provider for IbProvider {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        let address = self.gateway.settings.address();
        Capabilities {
            description: format!("Interactive Brokers, by TWS or Gateway at {address}"),
            classes: CLASSES.to_vec(),
            timeframes: timeframes(),
            prices: PriceKind::ALL.to_vec(),
            adjustments: vec![Adjustment::Raw, Adjustment::Split],
            newest_bars: None,
            page_bars: None,
            limits: "60 historical requests in 10 minutes".to_owned(),
        }
    }

    fn span_max(&self, timeframe: Timeframe) -> Option<i64> {
        let span = RequestSpan::of(timeframe).map(RequestSpan::micros)?;
        self.learnt.spans.limit(timeframe, Some(span))
    }

    async fn learn_span(&self, timeframe: Timeframe, span: i64) {
        self.learnt.spans.learn(timeframe, span).await;
    }

    /// It tries and shortens its requests itself, and waits for pacing.
    fn asking_rules(&self) -> AskingRules {
        self.gateway.settings.asking_rules()
    }

    fn request_cost(&self, _: Timeframe) -> RequestCost {
        RequestCost {
            per_request: REQUEST_COST + self.gateway.settings.spacing,
            per_day: Duration::ZERO,
        }
    }

    fn scheduled_time(&self, _: &SeriesKey, requests: usize) -> Duration {
        self.gateway.pacer.schedule(requests)
    }

    /// Pairs by the price that is set and per trading date, which begins at 17:00 in New York; the
    /// others in the hours that are set.
    fn series(
        &self,
        instrument: Instrument,
        timeframe: Timeframe,
    ) -> Result<SeriesKey, SeriesKeyError> {
        let mut key = SeriesKey::standard(NAME, instrument, timeframe)?;
        let settings = &self.gateway.settings;

        match key.instrument.class() {
            AssetClass::Fx | AssetClass::Metal => {
                key.what = settings.fx_price;
                key.day_boundary = DayBoundary::SessionClose;
            }
            AssetClass::Crypto | AssetClass::Perpetual => {}
            _ => {
                let extended = format!("{}_extended", key.instrument.calendar_name());
                if settings.hours == Session::Extended && Calendar::named(&extended).is_some() {
                    return key.with_calendar(&extended);
                }
                key.session = settings.hours;
            }
        }
        Ok(key)
    }

    async fn coverage(&self, key: &SeriesKey) -> Result<Option<Range<Utc>>, ProviderError> {
        let wish = self.wish(key).await?;
        let head = self.head(&wish).await?;
        self.learnt.spans.read(key.timeframe).await;
        let first = head.map(|head| label_of(head, key.timeframe));
        Ok(first.map(|first| first..now().max(first)))
    }

    async fn bars(&self, key: &SeriesKey, range: Range<Utc>) -> Result<RawBars, ProviderError> {
        let wish = self.wish(key).await?;
        let asked_range = range.start..range.end.min(now());
        let answer = self.ask_in_pieces(&wish, &asked_range).await?.sorted();
        let health = self.gateway.connector.clock_ahead_ms();

        // The bar that is not over has prices that still change.
        let behind_ms = health.unwrap_or(0).min(0);
        let agreed_now = now().plus_micros(behind_ms * 1000);
        let ends = close_times(Calendar::for_key(key), key, &answer.open_time);
        let ends = ends.map_err(|error| {
            self.error(IbFailure::Protocol {
                subject: format!("{} {}", key.instrument.spelling(), key.timeframe),
                reason: error.to_string(),
            })
        })?;
        let over: Vec<bool> = ends.iter().map(|end| *end <= agreed_now).collect();
        let mut bars = answer;
        bars.keep_rows(&over);

        let mut advice = self.gateway.connector.advice().await;
        advice.extend(clock_note(health));
        self.note_advice(key, advice);
        Ok(bars)
    }

    async fn search(&self, text: &str) -> Result<Vec<Listing>, ProviderError> {
        let mut listings: Vec<Listing> = pairs(text).collect();
        if !text.is_empty() {
            listings.extend(self.matching(text).await?);
        }
        Ok(listings)
    }

    async fn health(&self) -> Result<Health, ProviderError> {
        let connected = self.gateway.connector.connect_once().await?;
        let began = Instant::now();
        let Some(_) = self.gateway.connector.probe(&connected).await else {
            let seconds = began.elapsed().as_secs().max(1);
            return Err(self.error(IbFailure::Silent { seconds }).into());
        };

        self.gateway.pacer.look().await;
        let used = self.gateway.pacer.used();
        let link = connected.link.borrow().clone();
        let servers = match link.broken_farms.len() {
            _ if !link.is_up => "without its servers".to_owned(),
            0 => "with its servers".to_owned(),
            away => format!("{away} servers of data are away"),
        };
        let version = connected.client.server_version();
        let id = connected.client.client_id();
        Ok(Health {
            detail: format!(
                "interface {version}, client id {id}, {servers}, {used} historical requests in 10 \
                 minutes"
            ),
            latency: Some(began.elapsed()),
            clock_ahead_ms: self.gateway.connector.clock_ahead_ms(),
        })
    }

    fn notes(&self, key: &SeriesKey) -> Vec<String> {
        lock(&self.notes).get(key).cloned().unwrap_or_default()
    }
}
