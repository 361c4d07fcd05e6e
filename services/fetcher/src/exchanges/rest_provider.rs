//! A provider made of an exchange: pages, clocks, heads and look-up, the same for all of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use market::{Instrument, SeriesKey, Timeframe, TimeframeUnit, Utc};
use runtime::OwnMemory;
use schemas::spelling::nearest_name;
use store::{RawBar, RawBars};

use super::clocks::{agreed_now, clock_note};
use super::{Exchange, PageRequest, nouns_of};
use crate::http_account::ATTEMPTS_MAX;
use crate::learnt_spans::LearntSpans;
use crate::memos::Memos;
use crate::plan::RequestCost;
use crate::provider::{AskingRules, Capabilities, Health, Listing, Provider, ProviderError};
use crate::remote_error::{Failure, RemoteError};

/// How long the first bar of a series is believed to stay the first one.
const HEAD_HOLDS: Duration = Duration::from_secs(24 * 3600);
/// How long the list of instruments is used without asking again.
const LISTINGS_HOLD: Duration = Duration::from_secs(3600);
/// Instruments that are named in place of an unknown one.
const SIMILAR_MAX: usize = 5;
/// An answer of a page comes within this time, as a rule.
const REQUEST_COST: Duration = Duration::from_millis(250);

/// An exchange as a provider. Keep it: it remembers heads, connections and the use of limits.
pub struct RestProvider<E> {
    exchange: E,
    heads: Memos<i64>,
    spans: LearntSpans,
    listings: Mutex<Option<(Instant, Vec<Listing>)>>,
    notes: Mutex<BTreeMap<SeriesKey, Vec<String>>>,
}

impl<E: Exchange> RestProvider<E> {
    /// With nothing asked yet.
    pub fn new(exchange: E) -> Self {
        let name = exchange.name();
        let accounts = exchange.accounts();
        let memory = accounts.first().map(|account| Arc::clone(account.memory()));
        let memory = memory.unwrap_or_else(|| Arc::new(OwnMemory::default()));
        drop(accounts);
        Self {
            heads: Memos::new(Arc::clone(&memory), name, "head", HEAD_HOLDS),
            spans: LearntSpans::new(memory, name),
            exchange,
            listings: Mutex::new(None),
            notes: Mutex::new(BTreeMap::new()),
        }
    }

    /// The exchange's name of an instrument; refuses what it cannot have without asking it.
    fn symbol_of(&self, key: &SeriesKey) -> Result<String, RemoteError> {
        let capabilities = self.exchange.capabilities();
        let instrument = &key.instrument;
        let pair = instrument.pair();
        let has_class = capabilities.classes.contains(&instrument.class());
        let Some((base, quote)) = pair.filter(|_| has_class) else {
            return Err(self.error(Failure::Class {
                instrument: instrument.spelling(),
                classes: nouns_of(&capabilities.classes),
            }));
        };

        if !capabilities.timeframes.contains(&key.timeframe) {
            let names = capabilities.timeframes.iter().map(ToString::to_string);
            return Err(self.error(Failure::Timeframe {
                instrument: instrument.spelling(),
                timeframe: key.timeframe.to_string(),
                timeframes: names.collect::<Vec<_>>().join(", "),
            }));
        }
        Ok(self.exchange.symbol(base, quote))
    }

    fn error(&self, failure: Failure) -> RemoteError {
        RemoteError {
            provider: self.exchange.name().to_owned(),
            failure,
        }
    }

    fn agreed_now(&self, instrument: &Instrument) -> Utc {
        agreed_now(self.exchange.account(instrument))
    }

    /// The label of the first bar, asked for once a day.
    async fn head(&self, key: &SeriesKey, symbol: &str) -> Result<Utc, ProviderError> {
        let about = key.prefix();
        let learnt = self.heads.recall(&about).await;
        if let Some(head) = learnt.filter(|head| head.is_fresh) {
            return Ok(Utc(head.value));
        }

        let now = self.agreed_now(&key.instrument);
        let request = PageRequest {
            key,
            symbol,
            range: Utc(0)..now,
            now,
        };
        let head = match self.exchange.first_label(&request).await {
            Ok(head) => head,
            Err(error) => return Err(self.name_symbol(error, key, symbol).await.into()),
        };

        let Some(head) = head else {
            let series = format!("{} {}", key.instrument.symbol(), key.timeframe);
            return Err(self.error(Failure::NoData { series }).into());
        };
        self.heads.keep(&about, &head.0).await;
        Ok(head)
    }

    /// Puts the symbol, and symbols like it, into an error that says only that it is unknown.
    async fn name_symbol(&self, error: RemoteError, key: &SeriesKey, symbol: &str) -> RemoteError {
        if !matches!(error.failure, Failure::UnknownSymbol { .. }) {
            return error;
        }

        // Without the list the error is as true, and less of a help.
        let listings = self.all_listings().await.unwrap_or_default();
        self.error(Failure::UnknownSymbol {
            symbol: symbol.to_owned(),
            similar: similar_to(&key.instrument, symbol, &listings),
        })
    }

    /// Where the history begins of an exchange that gives the newest bars only: it moves with the
    /// clock. The oldest bar may be gone when the next answer comes, and is not promised.
    fn oldest_offered(&self, timeframe: Timeframe, end: Utc) -> Utc {
        match self.exchange.capabilities().newest_bars {
            Some(bars) => end.plus_micros(-timeframe.micros() * (i64::from(bars) - 2)),
            None => Utc(i64::MIN),
        }
    }

    async fn all_listings(&self) -> Result<Vec<Listing>, RemoteError> {
        let remembered = lock(&self.listings).clone();
        if let Some((at, listings)) = remembered
            && at.elapsed() < LISTINGS_HOLD
        {
            return Ok(listings);
        }

        let mut listings = self.exchange.listings().await?;
        listings.sort_by(|one, other| one.symbol.cmp(&other.symbol));
        *lock(&self.listings) = Some((Instant::now(), listings.clone()));
        Ok(listings)
    }

    /// The bars of a range, page by page.
    async fn read_pages(
        &self,
        key: &SeriesKey,
        symbol: &str,
        range: Range<Utc>,
    ) -> Result<RawBars, RemoteError> {
        let page_bars = self.exchange.capabilities().page_bars;
        let page_span = page_bars.map(|bars| page_micros(key.timeframe, bars));
        let mut bars = RawBars::default();
        let mut start = range.start;

        while start < range.end {
            let page_end = page_span.map_or(range.end, |span| start.plus_micros(span));
            let end = page_end.min(range.end);
            let request = PageRequest {
                key,
                symbol,
                range: start..end,
                now: self.agreed_now(&key.instrument),
            };
            let page = in_range(self.exchange.page(&request).await?, &request.range);

            // A page that ends early may be one that was cut: an empty one says that it was not.
            let last = page.open_time.last();
            start = last.map_or(end, |last| key.timeframe.nominal_end(*last));
            bars.extend(&page);
        }
        Ok(bars)
    }

    /// Takes out bars whose labels no bar of the timeframe can have, and says so.
    fn take_out_odd_labels(
        &self,
        key: &SeriesKey,
        bars: RawBars,
    ) -> Result<(RawBars, Option<String>), RemoteError> {
        let is_label = |label: &Utc| open_of_bar(key.timeframe, *label) == *label;
        let rows: Vec<bool> = bars.open_time.iter().map(is_label).collect();
        let odd = rows.iter().filter(|is_label| !**is_label).count();
        if odd == 0 {
            return Ok((bars, None));
        }

        let mut regular = bars;
        let first_odd = rows.iter().position(|is_label| !*is_label);
        let first_odd = first_odd.and_then(|row| regular.get(row));
        let first_odd = first_odd.map_or(Utc(0), |bar| bar.open_time);
        regular.keep_rows(&rows);
        if regular.is_empty() {
            return Err(self.error(Failure::Protocol {
                address: format!("the request for {} bars", key.timeframe),
                reason: format!("its bars have other times, such as {first_odd}"),
            }));
        }

        let timeframe = key.timeframe;
        let note = format!("{odd} bars with times of no {timeframe} bar, such as {first_odd}");
        Ok((regular, Some(format!("{note}, were left out"))))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Instruments of the same class and base, or else with a name like that one.
fn similar_to(instrument: &Instrument, symbol: &str, listings: &[Listing]) -> Vec<String> {
    let base = instrument.pair().map(|(base, _)| base);
    let of_class = listings
        .iter()
        .filter(|each| each.instrument.class() == instrument.class());
    let of_base: Vec<String> = of_class
        .clone()
        .filter(|each| each.instrument.pair().map(|(base, _)| base) == base)
        .map(|each| each.instrument.spelling())
        .take(SIMILAR_MAX)
        .collect();
    if !of_base.is_empty() {
        return of_base;
    }

    let nearest = nearest_name(symbol, of_class.map(|each| each.symbol.as_str()));
    let nearest = listings
        .iter()
        .find(|each| Some(each.symbol.as_str()) == nearest);
    nearest
        .map(|each| each.instrument.spelling())
        .into_iter()
        .collect()
}

/// The sorted bars of a page that lie in a range.
fn in_range(page: Vec<RawBar>, range: &Range<Utc>) -> RawBars {
    let bars: RawBars = page.into_iter().collect();
    bars.sorted().between(range)
}

/// The longest range that holds no more labels than a page, in microseconds.
fn page_micros(timeframe: Timeframe, bars: u32) -> i64 {
    let shortest = match timeframe.unit() {
        TimeframeUnit::Month => 28 * 24 * 3_600_000_000,
        _ => timeframe.micros(),
    };
    shortest.saturating_mul(i64::from(bars))
}

/// The label of the bar that an instant falls into, on a market that never closes, in UTC.
fn open_of_bar(timeframe: Timeframe, instant: Utc) -> Utc {
    let midnight = Utc::midnight(instant.date());
    if !timeframe.is_intraday() {
        return timeframe.label_of_last_day(midnight);
    }

    let since_midnight = instant.0 - midnight.0;
    instant.plus_micros(-since_midnight.rem_euclid(timeframe.micros()))
}

#[async_trait]
impl<E: Exchange> Provider for RestProvider<E> {
    fn name(&self) -> &str {
        self.exchange.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.exchange.capabilities()
    }

    /// One page: a segment is a request.
    fn span_max(&self, timeframe: Timeframe) -> Option<i64> {
        let page_bars = self.exchange.capabilities().page_bars;
        let page = page_bars.map(|bars| page_micros(timeframe, bars));
        self.spans.limit(timeframe, page)
    }

    async fn learn_span(&self, timeframe: Timeframe, span: i64) {
        self.spans.learn(timeframe, span).await;
    }

    /// The account of its host tries each page three times.
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

    fn scheduled_time(&self, key: &SeriesKey, requests: usize) -> Duration {
        self.exchange.account(&key.instrument).schedule(requests)
    }

    async fn coverage(&self, key: &SeriesKey) -> Result<Option<Range<Utc>>, ProviderError> {
        let symbol = self.symbol_of(key)?;
        let head = self.head(key, &symbol).await?;
        self.spans.read(key.timeframe).await;

        // The bar that is not over is not there, by the slower of the two clocks.
        let end = open_of_bar(key.timeframe, self.agreed_now(&key.instrument));
        let head = head.max(self.oldest_offered(key.timeframe, end));
        Ok(Some(head..end.max(head)))
    }

    async fn bars(&self, key: &SeriesKey, range: Range<Utc>) -> Result<RawBars, ProviderError> {
        let symbol = self.symbol_of(key)?;
        let end = open_of_bar(key.timeframe, self.agreed_now(&key.instrument));
        let asked_range = range.start..range.end.min(end);
        let bars = match self.read_pages(key, &symbol, asked_range).await {
            Ok(bars) => bars,
            Err(error) => return Err(self.name_symbol(error, key, &symbol).await.into()),
        };

        // Only an answer shows the exchange's clock: the end may be earlier than it seemed.
        let end = open_of_bar(key.timeframe, self.agreed_now(&key.instrument));
        let over = bars.between(&(range.start..range.end.min(end)));
        let (bars, odd_labels) = self.take_out_odd_labels(key, over)?;
        let account = self.exchange.account(&key.instrument);
        let clock = clock_note(self.exchange.name(), account);
        let notes = odd_labels.into_iter().chain(clock).collect();
        lock(&self.notes).insert(key.clone(), notes);
        Ok(bars)
    }

    async fn search(&self, text: &str) -> Result<Vec<Listing>, ProviderError> {
        let listings = self.all_listings().await?.into_iter();
        Ok(listings.filter(|each| each.matches(text)).collect())
    }

    async fn health(&self) -> Result<Health, ProviderError> {
        let mut health = Health::default();
        let mut details = Vec::new();

        // The slowest host counts: a load may need any of them.
        for account in self.exchange.accounts() {
            let began = Instant::now();
            details.push(self.exchange.ping(account).await?);
            health.latency = health.latency.max(Some(began.elapsed()));
            let ahead = account.clock_ahead().map(|ahead| ahead.as_millis());
            let ahead = ahead.and_then(|ahead| i64::try_from(ahead).ok());
            health.clock_ahead_ms = health.clock_ahead_ms.or(ahead);
        }
        health.detail = details.join(", ");
        Ok(health)
    }

    fn notes(&self, key: &SeriesKey) -> Vec<String> {
        lock(&self.notes).get(key).cloned().unwrap_or_default()
    }
}
