//! A whole provider in one file, to begin a new one with: bars that are in memory.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use fetcher::conformance::{Sample, check_provider};
use fetcher::plan::RequestCost;
use fetcher::provider::{Health, Listing, Provider, ProviderError};
use fetcher::remote_error::{Failure, RemoteError};
use market::{Instrument, SeriesKey, Timeframe, Utc};
use store::{RawBar, RawBars};

use crate::scripted::{HOUR, utc};

/// One instrument with hourly bars.
struct InMemory {
    instrument: Instrument,
    bars: RawBars,
}

impl InMemory {
    fn refuse_others(&self, key: &SeriesKey) -> Result<(), ProviderError> {
        if key.instrument == self.instrument {
            return Ok(());
        }

        let failure = Failure::UnknownSymbol {
            symbol: key.instrument.spelling(),
            similar: vec![self.instrument.spelling()],
        };
        let provider = self.name().to_owned();
        Err(RemoteError { provider, failure }.into())
    }
}

#[async_trait]
impl Provider for InMemory {
    fn name(&self) -> &'static str {
        "in_memory"
    }

    fn request_cost(&self, _: Timeframe) -> RequestCost {
        RequestCost {
            per_request: Duration::from_millis(1),
            per_day: Duration::ZERO,
        }
    }

    async fn coverage(&self, key: &SeriesKey) -> Result<Option<Range<Utc>>, ProviderError> {
        self.refuse_others(key)?;
        let edges = self.bars.open_time.first().zip(self.bars.open_time.last());
        Ok(edges.map(|(first, last)| *first..last.plus_micros(1)))
    }

    async fn bars(&self, key: &SeriesKey, range: Range<Utc>) -> Result<RawBars, ProviderError> {
        self.refuse_others(key)?;
        Ok(self.bars.between(&range))
    }

    async fn search(&self, text: &str) -> Result<Vec<Listing>, ProviderError> {
        let listing = Listing {
            symbol: self.instrument.symbol(),
            instrument: self.instrument.clone(),
            state: String::new(),
        };
        Ok(Some(listing)
            .filter(|each| each.matches(text))
            .into_iter()
            .collect())
    }

    async fn health(&self) -> Result<Health, ProviderError> {
        Ok(Health::default())
    }
}

#[tokio::test]
async fn the_sample_of_the_page_passes_the_suite() {
    let first = utc("2024-01-01T00:00:00Z");
    let bars = (0..48).map(|hour| RawBar {
        open_time: first.plus_micros(hour * HOUR),
        prices: [1.0, 2.0, 0.5, 1.5],
        volume: f64::NAN,
    });
    let provider = InMemory {
        instrument: Instrument::parse("crypto:BTC/USD").unwrap(),
        bars: bars.collect(),
    };
    let sample = Sample {
        instrument: provider.instrument.clone(),
        timeframe: Timeframe::HOUR_1,
        range: first..first.plus_micros(24 * HOUR),
        unknown: Instrument::parse("crypto:ETH/USD").unwrap(),
    };

    assert_eq!(check_provider(&provider, &sample).await.unwrap(), []);
}
