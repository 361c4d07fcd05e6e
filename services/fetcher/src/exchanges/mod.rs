//! Exchanges that answer anybody, by HTTP and JSON, around the clock: what one of them has to say
//! for itself, and a provider made of it.
//!
//! An exchange is one file: its names of symbols, its requests, how its answers are read. Paging,
//! bars that are not over, clocks, the head of a series and look-up are the same for all
//! ([`RestProvider`]).

pub mod binance;
mod clocks;
pub mod coinbase;
pub mod kraken;
mod readings;
mod rest_provider;
pub mod yahoo;

use std::ops::Range;

use async_trait::async_trait;
use market::{AssetClass, Instrument, SeriesKey, Timeframe, Utc};
use store::RawBar;

use crate::http_account::{Answer, HttpAccount, Verdict};
use crate::provider::{Capabilities, Listing};
use crate::remote_error::RemoteError;

pub use rest_provider::RestProvider;

/// What differs from exchange to exchange.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// Name of the provider, `[a-z0-9_-]{1,32}`.
    fn name(&self) -> &'static str;

    /// What it has, known without asking it.
    fn capabilities(&self) -> Capabilities;

    /// The host that has an instrument.
    fn account(&self, instrument: &Instrument) -> &HttpAccount;

    /// Its hosts, for a sign of life.
    fn accounts(&self) -> Vec<&HttpAccount>;

    /// Its name of a pair.
    fn symbol(&self, base: &str, quote: &str) -> String;

    /// One request for the oldest bars with labels in a range, in any order; others may come along.
    async fn page(&self, request: &PageRequest<'_>) -> Result<Vec<RawBar>, RemoteError>;

    /// The label of the first bar that it has of a series; `None` if it has none.
    async fn first_label(&self, request: &PageRequest<'_>) -> Result<Option<Utc>, RemoteError>;

    /// Every pair that it has.
    async fn listings(&self) -> Result<Vec<Listing>, RemoteError>;

    /// A request that costs little, to one of its hosts; what it says about itself.
    async fn ping(&self, account: &HttpAccount) -> Result<String, RemoteError>;
}

/// What turns the answers of a provider into bars and instruments, without asking for any: a
/// program that looks for answers that break it begins here.
#[derive(Clone, Copy)]
pub struct Reader {
    /// Name of the provider.
    pub name: &'static str,
    /// Reads what only this provider says in its own words.
    pub judge: fn(&Answer) -> Verdict,
    /// Reads bars, in any order.
    pub bars: fn(&Answer, &HttpAccount) -> Result<Vec<RawBar>, RemoteError>,
    /// Reads its instruments.
    pub listings: fn(&Answer, &HttpAccount) -> Result<Vec<Listing>, RemoteError>,
}

/// The readers of all providers that answer in JSON.
pub const READERS: [Reader; 4] = [
    binance::READER,
    kraken::READER,
    coinbase::READER,
    yahoo::READER,
];

/// A request for bars.
#[derive(Clone, Debug)]
pub struct PageRequest<'a> {
    /// The series that the bars are for.
    pub key: &'a SeriesKey,
    /// The exchange's name of its instrument.
    pub symbol: &'a str,
    /// Labels that are asked for, half-open.
    pub range: Range<Utc>,
    /// An instant at which every clock agrees that it has passed.
    pub now: Utc,
}

impl PageRequest<'_> {
    /// Length of a bar.
    pub const fn timeframe(&self) -> Timeframe {
        self.key.timeframe
    }
}

/// The timeframes of a table, with the exchange's word for each.
fn timeframes_of<Word>(table: &[(&str, Word)]) -> Vec<Timeframe> {
    let timeframes = table.iter().filter_map(|(text, _)| text.parse().ok());
    timeframes.collect()
}

/// The exchange's word for a timeframe.
fn word_for<Word: Copy>(table: &[(&str, Word)], timeframe: Timeframe) -> Option<Word> {
    let text = timeframe.to_string();
    let row = table.iter().find(|(name, _)| *name == text);
    row.map(|(_, word)| *word)
}

/// Classes in a sentence: `crypto pairs and crypto perpetuals`, `shares, funds and indices`.
fn nouns_of(classes: &[AssetClass]) -> String {
    let nouns: Vec<String> = classes
        .iter()
        .map(|class| match class {
            AssetClass::Index => "indices".to_owned(),
            class => format!("{}s", class.noun()),
        })
        .collect();

    match nouns.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}
