//! What every provider must do, as a suite that anybody can run: [`check_provider`] asks one for a
//! sample and lists what breaks a rule. `ktrdr provider test` runs it, and so do the tests of each
//! provider here.

use std::fmt;
use std::ops::Range;

use market::{Instrument, SeriesKey, Timeframe, Utc};
use schemas::codes::Advice as _;
use store::RawBars;

use crate::provider::{FailureClass, Provider, ProviderError};

/// What the suite asks for.
#[derive(Clone, Debug)]
pub struct Sample {
    /// An instrument that the provider has.
    pub instrument: Instrument,
    /// A timeframe that it has.
    pub timeframe: Timeframe,
    /// Labels, half-open, in which it has three bars or more.
    pub range: Range<Utc>,
    /// An instrument of a class that it has, and that it does not have itself.
    pub unknown: Instrument,
}

/// The rules, with what each one says.
pub const RULES: &[(&str, &str)] = &[
    ("name", "the name is 1 to 32 characters of [a-z0-9_-]"),
    (
        "capabilities",
        "timeframes ascend, and the one of the sample is among them",
    ),
    ("health", "it answers a sign of life"),
    (
        "coverage",
        "the coverage of the sample is not empty, and the same when asked again",
    ),
    (
        "bars",
        "the sample has three bars or more: sorted, one per label, inside of the range",
    ),
    (
        "values",
        "high and low are the highest and the lowest, volumes not below 0",
    ),
    ("repeatable", "the same request has the same answer"),
    (
        "half_open",
        "two ranges that meet have the bars of the whole, none twice",
    ),
    ("over", "no bar is given before it is over"),
    (
        "empty",
        "a range before the first bar has no bars, and is no error",
    ),
    (
        "unknown",
        "an instrument that is not there is unknown_symbol, permanent, with a hint",
    ),
    (
        "search",
        "an empty text finds something, a text in no name nothing",
    ),
];

/// A rule that a provider breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Name of the rule, one of [`RULES`].
    pub rule: &'static str,
    /// What happened instead.
    pub detail: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.rule, self.detail)
    }
}

/// Asks a provider for a sample; what breaks a rule comes back. Costs some ten requests.
///
/// # Errors
/// The sample's series has no key, or the provider cannot be asked at all.
pub async fn check_provider(
    provider: &dyn Provider,
    sample: &Sample,
) -> Result<Vec<Breach>, ProviderError> {
    let mut suite = Suite {
        provider,
        sample,
        breaches: Vec::new(),
    };

    suite.check_description();
    let series = provider.series(sample.instrument.clone(), sample.timeframe);
    let Ok(key) = series else {
        suite.breach("name", format!("`{}` makes no key", provider.name()));
        return Ok(suite.breaches);
    };

    suite.check_health().await;
    let coverage = suite.check_coverage(&key).await?;
    let bars = provider.bars(&key, sample.range.clone()).await?;
    suite.check_bars(&bars);
    suite.check_values(&bars);
    suite.check_ranges(&key, &bars).await?;
    suite.check_over(&key).await?;
    suite.check_empty(&key, coverage).await;
    suite.check_unknown().await;
    if let Err(error) = suite.check_search().await {
        suite.breach("search", error.to_string());
    }
    Ok(suite.breaches)
}

struct Suite<'a> {
    provider: &'a dyn Provider,
    sample: &'a Sample,
    breaches: Vec<Breach>,
}

impl Suite<'_> {
    fn breach(&mut self, rule: &'static str, detail: String) {
        self.breaches.push(Breach { rule, detail });
    }

    fn require(&mut self, rule: &'static str, is_so: bool, otherwise: impl Into<String>) {
        if !is_so {
            self.breach(rule, otherwise.into());
        }
    }

    fn check_description(&mut self) {
        let capabilities = self.provider.capabilities();
        let timeframes = &capabilities.timeframes;
        let is_sorted = timeframes.is_sorted_by(|shorter, longer| shorter < longer);
        self.require("capabilities", is_sorted, "timeframes do not ascend");

        let wished = self.sample.timeframe;
        let has_it = timeframes.is_empty() || timeframes.contains(&wished);
        let missing = format!("{wished} is not among the timeframes");
        self.require("capabilities", has_it, missing);
        let class = self.sample.instrument.class();
        let classes = &capabilities.classes;
        let has_class = classes.is_empty() || classes.contains(&class);
        let missing = format!("{} is not among the classes", class.noun());
        self.require("capabilities", has_class, missing);
    }

    async fn check_health(&mut self) {
        if let Err(error) = self.provider.health().await {
            self.breach("health", error.to_string());
        }
    }

    async fn check_coverage(
        &mut self,
        key: &SeriesKey,
    ) -> Result<Option<Range<Utc>>, ProviderError> {
        let first = self.provider.coverage(key).await?;
        let again = self.provider.coverage(key).await?;
        let start_of = |coverage: &Option<Range<Utc>>| coverage.as_ref().map(|range| range.start);

        // The end moves with the clock, the beginning does not.
        let is_same = start_of(&first) == start_of(&again);
        self.require("coverage", is_same, "another beginning when asked again");
        if let Some(range) = &first {
            let is_empty = range.start >= range.end;
            self.require("coverage", !is_empty, format!("{range:?} is empty"));
        }
        Ok(first)
    }

    fn check_bars(&mut self, bars: &RawBars) {
        let opens = &bars.open_time;
        let count = opens.len();
        self.require("bars", count >= 3, format!("{count} bars in the sample"));
        let is_sorted = opens.is_sorted_by(|earlier, later| earlier < later);
        self.require("bars", is_sorted, "labels do not ascend");

        let range = &self.sample.range;
        let outside = opens.iter().find(|open| !range.contains(open)).copied();
        if let Some(outside) = outside {
            self.breach("bars", format!("{outside} is outside of the range"));
        }
    }

    fn check_values(&mut self, bars: &RawBars) {
        for bar in bars.iter() {
            let [open, high, low, close] = bar.prices;
            let is_finite = bar.prices.iter().all(|price| price.is_finite());
            let is_highest = high >= open.max(close).max(low);
            let is_lowest = low <= open.min(close);
            let has_volume = bar.volume.is_nan() || bar.volume >= 0.0;

            if !(is_finite && is_highest && is_lowest && has_volume) {
                self.breach("values", format!("{bar:?}"));
                return;
            }
        }
    }

    /// The same bars again, in one range and in two.
    async fn check_ranges(&mut self, key: &SeriesKey, bars: &RawBars) -> Result<(), ProviderError> {
        let range = self.sample.range.clone();
        let again = self.provider.bars(key, range.clone()).await?;
        let is_same = again.open_time == bars.open_time && again.close == bars.close;
        self.require("repeatable", is_same, "the second answer differs");

        // The boundary is a label: its bar belongs to the second half alone.
        let Some(middle) = bars.open_time.get(bars.len() / 2) else {
            return Ok(());
        };
        let mut halves = self.provider.bars(key, range.start..*middle).await?;
        halves.extend(&self.provider.bars(key, *middle..range.end).await?);
        let is_whole = halves.open_time == bars.open_time;
        let counts = format!("{} bars in halves, {} as a whole", halves.len(), bars.len());
        self.require("half_open", is_whole, counts);
        Ok(())
    }

    async fn check_over(&mut self, key: &SeriesKey) -> Result<(), ProviderError> {
        let now = || Utc::from_timestamp(jiff::Timestamp::now());
        let begin = now().plus_micros(-3 * key.timeframe.micros_max());
        let end = now().plus_micros(3 * key.timeframe.micros_max());
        let newest = self.provider.bars(key, begin..end).await?;

        let last = newest.open_time.last().copied();
        let is_over = last.is_none_or(|last| key.timeframe.nominal_end(last) <= now());
        self.require("over", is_over, format!("{last:?} was given too early"));
        Ok(())
    }

    async fn check_empty(&mut self, key: &SeriesKey, coverage: Option<Range<Utc>>) {
        let Some(coverage) = coverage else {
            return;
        };

        let long_before = coverage.start.plus_micros(-10 * key.timeframe.micros_max());
        match self.provider.bars(key, long_before..coverage.start).await {
            Ok(bars) => {
                let count = bars.len();
                let detail = format!("{count} bars before the first one");
                self.require("empty", count == 0, detail);
            }
            Err(error) => self.breach("empty", error.to_string()),
        }
    }

    async fn check_unknown(&mut self) {
        let unknown = self.sample.unknown.clone();
        let series = self.provider.series(unknown, self.sample.timeframe);
        let Ok(key) = series else {
            return;
        };

        match self.provider.coverage(&key).await {
            Ok(_) => self.breach("unknown", format!("{key} is there")),
            Err(error) => {
                let class = error.class();
                let is_class = class == FailureClass::UnknownSymbol;
                self.require("unknown", is_class, format!("class {}", class.as_str()));
                self.require("unknown", !error.is_transient(), "it is tried again");
                self.require("unknown", !error.hint().is_empty(), "it has no hint");
            }
        }
    }

    async fn check_search(&mut self) -> Result<(), ProviderError> {
        let all = self.provider.search("").await?;
        self.require("search", !all.is_empty(), "an empty text finds nothing");

        let none = self.provider.search("NO7SUCH3NAME").await?;
        self.require("search", none.is_empty(), "any text finds something");
        Ok(())
    }
}
