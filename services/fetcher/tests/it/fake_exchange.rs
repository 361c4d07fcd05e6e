//! Providers in front of a fake server, over hourly candles that end now.

use std::sync::Arc;
use std::time::Duration;

use fake_http::exchanges::{Candle, rising_candles};
use fake_http::{FakeHttp, Reply, Request};
use fetcher::FetcherSettings;
use fetcher::provider::Provider;
use fetcher::providers::Providers;
use jiff::{SignedDuration, Timestamp};
use market::{Instrument, SeriesKey, Timeframe, Utc};

pub const HOUR_S: i64 = 3_600;

/// Answers as one of the exchanges of the fake server.
pub type Exchange = fn(&[Candle], &Request) -> Reply;

/// A provider, the server that it asks, and what that one has.
pub struct Place {
    pub server: FakeHttp,
    pub provider: Arc<dyn Provider>,
    pub candles: Vec<Candle>,
}

/// Unix seconds of the full hour that has begun.
pub fn this_hour() -> i64 {
    let now = Timestamp::now().as_second();
    now - now.rem_euclid(HOUR_S)
}

/// Hourly candles up to the one that is not over.
pub fn candles_until_now(count: i64) -> Vec<Candle> {
    rising_candles(this_hour() - (count - 1) * HOUR_S, HOUR_S, count)
}

/// The settings with every host of a provider at one URL, and answers within two seconds.
pub fn settings_at(name: &str, url: &str) -> FetcherSettings {
    let mut settings = FetcherSettings::default();
    let provider = settings.providers.get_mut(name).unwrap();
    provider.url = url.to_owned();
    provider.perp_url = provider.perp_url.take().map(|_| url.to_owned());
    provider.timeout = Duration::from_secs(2);
    settings
}

pub fn provider_at(name: &str, url: &str) -> Arc<dyn Provider> {
    Providers::new(settings_at(name, url)).open(name).unwrap()
}

impl Place {
    /// A server that answers every request as the exchange does.
    pub fn of(name: &str, exchange: Exchange, count: i64) -> Self {
        Self::scripted(name, count, move |candles, request| {
            exchange(candles, request)
        })
    }

    /// A server that answers by a script over its candles.
    pub fn scripted(
        name: &str,
        count: i64,
        script: impl Fn(&[Candle], &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with_clock(name, count, SignedDuration::ZERO, script)
    }

    /// The same with a clock that is ahead of ours.
    pub fn with_clock(
        name: &str,
        count: i64,
        ahead: SignedDuration,
        script: impl Fn(&[Candle], &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let candles = candles_until_now(count);
        let of_server = candles.clone();
        let answer = move |request: &Request| script(&of_server, request);
        let server = FakeHttp::start_with_clock(ahead, answer).unwrap();

        Self {
            provider: provider_at(name, &server.url()),
            server,
            candles,
        }
    }

    /// The hourly series of an instrument.
    pub fn key(&self, symbol: &str) -> SeriesKey {
        let instrument = Instrument::parse(symbol).unwrap();
        self.provider.series(instrument, Timeframe::HOUR_1).unwrap()
    }

    /// The start of a candle.
    pub fn label(&self, number: usize) -> Utc {
        Utc(self.candles[number].time * 1_000_000)
    }
}
