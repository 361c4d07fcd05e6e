//! Where bars come from: the trait behind which every provider stands.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use market::{
    Adjustment, AssetClass, HourAnchor, Instrument, PriceKind, SeriesKey, SeriesKeyError,
    Timeframe, Utc,
};
use store::RawBars;

use crate::plan::RequestCost;

pub use crate::asking_rules::AskingRules;
pub use crate::provider_error::{FailureClass, ProviderError};

/// What a provider has, said without asking it. An empty list is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// One line for people.
    pub description: String,
    /// Classes of instruments.
    pub classes: Vec<AssetClass>,
    /// Lengths of bars, ascending.
    pub timeframes: Vec<Timeframe>,
    /// Which prices its bars can be made of.
    pub prices: Vec<PriceKind>,
    /// What earlier prices can be adjusted for.
    pub adjustments: Vec<Adjustment>,
    /// The newest bars that it gives of a series; absent where it gives all.
    pub newest_bars: Option<u32>,
    /// Bars of one answer, at most; absent without a limit.
    pub page_bars: Option<u32>,
    /// What it allows in which time; empty without a limit.
    pub limits: String,
}

/// A provider that has answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What it says about itself, in a few words.
    pub detail: String,
    /// Time from question to answer; absent where nothing was sent.
    pub latency: Option<Duration>,
    /// Its clock minus ours, in milliseconds; absent where it has none.
    pub clock_ahead_ms: Option<i64>,
}

/// An instrument that a provider has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The provider's name of it.
    pub symbol: String,
    /// What is traded.
    pub instrument: Instrument,
    /// The provider's word for its state, such as `TRADING`; empty where it has none.
    pub state: String,
}

impl Listing {
    /// True if the provider's name or ours contains a text, whatever its case and separators.
    pub fn matches(&self, text: &str) -> bool {
        let text = letters_of(text);
        letters_of(&self.symbol).contains(&text)
            || letters_of(&self.instrument.symbol()).contains(&text)
            || letters_of(&self.instrument.id()).contains(&text)
    }
}

/// Letters and digits alone, in capitals: `btc-usd` and `BTC/USD` are one.
fn letters_of(text: &str) -> String {
    let letters = text.chars().filter(|sign| sign.is_alphanumeric());
    letters.flat_map(char::to_uppercase).collect()
}

/// A source of bars. Having none in a range is an answer, not an error.
///
/// Whatever it waits for, it waits in futures that may be dropped at any time: that is how a cancel
/// stops it. Waits of its own making, such as those for a limit, are reported through
/// [`crate::waits`].
#[async_trait]
pub trait Provider: Send + Sync {
    /// Name in series keys, `[a-z0-9_-]{1,32}`.
    fn name(&self) -> &str;

    /// What it has, known without asking it.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Where intraday bars of a session are anchored.
    fn anchor(&self) -> HourAnchor {
        HourAnchor::ClockHour
    }

    /// Longest request in microseconds; `None` without a limit.
    fn span_max(&self, _timeframe: Timeframe) -> Option<i64> {
        None
    }

    /// Notes that it took a request of this span, in microseconds, after a longer one was refused
    /// or not answered twice: [`Self::span_max`] says so from the next [`Self::coverage`] on, in
    /// every process.
    async fn learn_span(&self, _timeframe: Timeframe, _span: i64) {}

    /// True if an answer may lack its oldest bars although the provider has them. What is missing
    /// at the beginning of such an answer is asked for again.
    fn may_truncate(&self) -> bool {
        false
    }

    /// How it is asked: tries, requests at a time, and rests after failures.
    fn asking_rules(&self) -> AskingRules {
        AskingRules::default()
    }

    /// How long requests take, for estimates.
    fn request_cost(&self, timeframe: Timeframe) -> RequestCost;

    /// How long this number of further requests for a series takes by the limits alone.
    fn scheduled_time(&self, _key: &SeriesKey, _requests: usize) -> Duration {
        Duration::ZERO
    }

    /// The series that this provider's bars of an instrument make.
    ///
    /// # Errors
    /// The provider's name is no token.
    fn series(
        &self,
        instrument: Instrument,
        timeframe: Timeframe,
    ) -> Result<SeriesKey, SeriesKeyError> {
        SeriesKey::standard(self.name(), instrument, timeframe)
    }

    /// The timeframes in which it has bars of an instrument; `None` if it does not tell.
    async fn timeframes(
        &self,
        _instrument: &Instrument,
    ) -> Result<Option<Vec<Timeframe>>, ProviderError> {
        let timeframes = self.capabilities().timeframes;
        Ok(Some(timeframes).filter(|timeframes| !timeframes.is_empty()))
    }

    /// Labels that it may have, half-open: from its first bar to its newest complete one. `None` if
    /// it does not tell. Asking costs one request per series and day, at most.
    async fn coverage(&self, key: &SeriesKey) -> Result<Option<Range<Utc>>, ProviderError>;

    /// The bars with labels in `range`, sorted, one per label. Only those that are over.
    async fn bars(&self, key: &SeriesKey, range: Range<Utc>) -> Result<RawBars, ProviderError>;

    /// Instruments whose names contain a text, in the provider's spelling or in ours; all of them
    /// for an empty text.
    async fn search(&self, text: &str) -> Result<Vec<Listing>, ProviderError>;

    /// Asks for a sign of life, with a request that costs little.
    async fn health(&self) -> Result<Health, ProviderError>;

    /// Labels in a range, ascending, for which it has something that no bar can be made of: bars
    /// that are missing still, where an answer without them says that there are none.
    fn unusable(&self, _key: &SeriesKey, _range: &Range<Utc>) -> Vec<Utc> {
        Vec::new()
    }

    /// What people should know about the last answer for `key`.
    fn notes(&self, _key: &SeriesKey) -> Vec<String> {
        Vec::new()
    }
}
